"""What the meter stores for the bill: self-reads, demand resets, changes of season."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from .load import ANCHOR
from .load_profile.history import History
from .profiles import Profile
from .registers import Snapshot
from .state import MeterState


@dataclass(frozen=True, slots=True)
class StoredReading:
    """Registers at one time of the meter's clock (Unix); the season is 0-based.

    ``snapshot`` has the configuration of that time, ``billing_number`` (BIDN) its
    number.
    """

    time: int
    season: int
    snapshot: Snapshot
    billing_number: int


def billing_table(profile: Profile) -> str | None:
    """Return the table that has the readings for the monthly bill."""
    if profile.self_reads and profile.monthly_self_read:
        return "BT26"
    if profile.demand:
        return "ET41" if profile.reset_log else "BT25"
    return None


class Billing:
    """All stored readings at one moment, whether or not a table still has them."""

    def __init__(self, profile: Profile, state: MeterState, history: History) -> None:
        """Keep what they are computed from."""
        self._profile = profile
        self._state = state
        self._history = history
        self._zone = ZoneInfo(profile.time_zone)

    def of(self, table: str) -> list[StoredReading]:
        """Return what a table (BT24, BT25, BT26, ET41) ever held, oldest first."""
        match table:
            case "BT24":
                return [self._stored(time, -1) for time in self._season_changes()]
            case "BT26":
                return [self._stored(time, 0) for time in self._self_reads()]
            case _:
                # The maxima are those of the month that ends.
                return [self._stored(time, -1) for time in self._resets()]

    def _self_reads(self) -> Iterator[int]:
        profile = self._profile
        if profile.self_reads and profile.monthly_self_read:
            yield from self._months(self._zone, *profile.self_read_time)

    def _resets(self) -> Iterator[int]:
        if self._profile.demand:
            yield from self._months(UTC, 0, 0)

    def _season_changes(self) -> Iterator[int]:
        for time in self._months(self._zone, 0, 0):
            if self._season(time) != self._season(time - 1):
                yield time

    def _months(self, zone: tzinfo, hour: int, minute: int) -> Iterator[int]:
        """Return that time of the first day of each month since the installation."""
        started = self._state.started
        first = ANCHOR if started is None else started
        start = datetime.fromtimestamp(first, zone)
        for month in range(start.year * 12 + start.month - 1, 12 * 3000):
            year, number = divmod(month, 12)
            moment = datetime(year, number + 1, 1, hour, minute, tzinfo=zone)
            if (time := int(moment.timestamp())) > self._history.reached:
                return
            if time > first:
                yield time

    def _season(self, time: int) -> int:
        return self._profile.seasons[datetime.fromtimestamp(time, self._zone).month - 1]

    def _stored(self, time: int, shift: int) -> StoredReading:
        """Return what is stored at a time, or was true some seconds after it."""
        configurations = [
            profile for until, profile in self._state.former if until > time
        ]
        profile = configurations[0] if configurations else self._profile
        return StoredReading(
            time,
            self._season(time + shift),
            replace(self._history.snapshot(time + shift), profile=profile),
            1 + len(self._state.former) - len(configurations),
        )
