"""What the tariff counts: the length of its intervals, and which peaks: pure functions."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from .intervals import Average

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Which intervals can be a peak, and how many peaks count.

    They can if they begin on one of the weekdays (0 is Monday), in the hours from
    first_hour up to, but not including, end_hour, of local time; from 22 to 6 are the
    hours of the night. With different_days, only the highest interval of a day counts.
    """

    count: int = 3
    different_days: bool = True
    first_hour: int = 0
    end_hour: int = 24
    weekdays: frozenset[int] = frozenset(range(7))

    def allow(self, start: datetime) -> bool:
        """Return whether an interval counts that begins at a local time."""
        if start.weekday() not in self.weekdays:
            return False
        if self.first_hour < self.end_hour:
            return self.first_hour <= start.hour < self.end_hour
        return start.hour >= self.first_hour or start.hour < self.end_hour


def month_start(time: datetime, zone: tzinfo) -> datetime:
    """Return when the local month began that a time belongs to, in UTC."""
    local = time.astimezone(zone)
    return datetime(local.year, local.month, 1, tzinfo=zone).astimezone(UTC)


def highest(
    averages: Iterable[Average], month: datetime, zone: tzinfo, rules: Rules
) -> tuple[Average, ...]:
    """Return the peaks of the month that begins at a time, the highest first.

    Of equal ones, the earlier comes first.
    """
    local = month.astimezone(zone)
    counted = [
        (start.date(), each)
        for each in averages
        if (start := each.start.astimezone(zone)).month == local.month
        and start.year == local.year
        and rules.allow(start)
    ]
    counted.sort(key=lambda pair: (-pair[1].power, pair[1].start))
    peaks: list[Average] = []
    days = set()
    for day, each in counted:
        if len(peaks) == rules.count:
            break
        if rules.different_days and day in days:
            continue
        days.add(day)
        peaks.append(each)
    return tuple(peaks)


def mean(peaks: Iterable[Average]) -> float | None:
    """Return the mean power in W of peaks, None without any."""
    powers = [each.power for each in peaks]
    return round(sum(powers) / len(powers), 3) if powers else None
