"""Which tariff is in force when, by the meter's calendar: pure functions of time.

The calendar's day is the meter's local one, whose summer time the calendar itself begins
and ends. A tier depends on the local time only: an hour that is skipped is skipped, and
one that comes twice has the same tiers twice.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from itertools import pairwise
from typing import Final, Self

from .errors import DecodeError
from .tables.calendar import CalendarDate, TariffCalendar, TierSwitch
from .tables.clock import LocalClock
from .tables.local_time import LocalTimeRules
from .tables.recurring_dates import weekday

_DAY: Final = timedelta(days=1)
_MINUTE: Final = timedelta(minutes=1)
_STEP: Final = timedelta(days=8)
"""For how long a switch is searched for at first; most days have some."""
_FARTHEST: Final = timedelta(days=370)
"""For how long a switch, or the date of a season, is searched for at most."""


@dataclass(frozen=True, slots=True)
class TariffSpan:
    """A tier (0-based) that is in force from start until end, aware and in UTC."""

    start: datetime
    end: datetime
    tier: int


@dataclass(frozen=True, slots=True)
class TariffSwitch:
    """A time (aware, in UTC) from which on another tier (0-based) is in force."""

    time: datetime
    tier: int


@dataclass(frozen=True, slots=True)
class TariffSchedule:
    """A calendar, and what the meter said of itself at a time: known, local.

    Season (0-based), summer time and today's special schedule are those at that time;
    the dates of the calendar tell how they go on from there, and what was before.
    """

    calendar: TariffCalendar
    rules: LocalTimeRules
    known: datetime
    season: int
    daylight_saving: bool
    special: int

    @classmethod
    def of(
        cls, calendar: TariffCalendar, rules: LocalTimeRules, clock: LocalClock
    ) -> Self:
        """Return the schedule of a meter whose local clock, BT55, has just been read.

        Raises DecodeError where the clock has no time, or the calendar no schedule for
        a day that can come.
        """
        if clock.time is None:
            raise DecodeError("BT55", 0, 6, "no date and time")
        if not all(calendar.used_schedules(clock.season)):
            raise DecodeError("BT54", 0, 0, "a day has no schedule")
        return cls(
            calendar,
            rules,
            clock.time,
            clock.season,
            clock.daylight_saving,
            clock.special_schedule,
        )

    @property
    def tiers(self) -> frozenset[int]:
        """The tiers (0-based) that the calendar uses."""
        return frozenset(
            switch.tier
            for schedule in self.calendar.used_schedules(self.season)
            for switch in schedule
        )

    def agrees(self, clock: LocalClock) -> bool:
        """Return whether the meter is as this schedule says, the tier aside."""
        if clock.time is None:
            return False
        now = self.to_utc(clock.time, daylight_saving=clock.daylight_saving)
        plan = _Plan(self, now, now)
        today = clock.time.date()
        special = plan.special(today)
        return (
            clock.season == plan.season(today)
            and clock.daylight_saving == plan.is_daylight_saving(now)
            and (special is None or clock.special_schedule == special)
        )

    def has_tier(self, clock: LocalClock) -> bool:
        """Return whether the calendar has the meter's tier for the meter's local time.

        The clock moves on once a minute, the tier may do so a little later.
        """
        if clock.time is None:
            return False
        now = self.to_utc(clock.time, daylight_saving=clock.daylight_saving)
        return clock.tier in {self.tier_at(now), self.tier_at(now - _MINUTE)}

    def to_utc(self, local: datetime, *, daylight_saving: bool) -> datetime:
        """Return the time in UTC of a local one, aware."""
        offset = self.rules.zone
        if daylight_saving:
            offset += self.rules.daylight_saving
        return (local - offset).replace(tzinfo=UTC)

    def tier_at(self, moment: datetime) -> int:
        """Return the tier (0-based) that is in force at an aware time."""
        return _Plan(self, moment, moment).tier(moment)

    def switches(self, start: datetime, end: datetime) -> tuple[TariffSwitch, ...]:
        """Return the switches to another tier after start, up to end, both aware."""
        plan = _Plan(self, start, end)
        tier, found = plan.tier(start), []
        for moment in plan.moments():
            if start < moment <= end and (changed := plan.tier(moment)) != tier:
                tier = changed
                found.append(TariffSwitch(moment, tier))
        return tuple(found)

    def next_switch(self, after: datetime) -> TariffSwitch | None:
        """Return the first switch after an aware time, None if there is none in a year."""
        for start, end in _ever_farther(after, +1):
            if found := self.switches(start, end):
                return found[0]
        return None

    def previous_switch(self, until: datetime) -> TariffSwitch | None:
        """Return the last switch up to an aware time, None if there was none in a year."""
        for start, end in _ever_farther(until, -1):
            if found := self.switches(end, start):
                return found[-1]
        return None

    def spans(self, start: datetime, end: datetime) -> tuple[TariffSpan, ...]:
        """Return the tiers between two aware times, each from its begin to its end.

        Where that is more than a year away, it is cut there.
        """
        start, end = start.astimezone(UTC), end.astimezone(UTC)
        first = self.previous_switch(start) or TariffSwitch(
            start - _FARTHEST, self.tier_at(start)
        )
        last = self.next_switch(end) or TariffSwitch(end + _FARTHEST, -1)
        switches = (first, *self.switches(start, end), last)
        return tuple(
            TariffSpan(one.time, other.time, one.tier)
            for one, other in pairwise(switches)
            if one.time < end and start < other.time
        )


def _ever_farther(
    moment: datetime, direction: int
) -> Iterator[tuple[datetime, datetime]]:
    """Yield spans that follow each other, from a time on or back from it."""
    near = moment.astimezone(UTC)
    for far in (_STEP, _FARTHEST):
        limit = moment.astimezone(UTC) + direction * far
        yield near, limit
        near = limit


class _Plan:
    """What a schedule says of the days between two times, worked out once."""

    def __init__(
        self, schedule: TariffSchedule, start: datetime, end: datetime
    ) -> None:
        """Look up the dates of these days, and of those up to what is known."""
        self._schedule = schedule
        self._known = schedule.to_utc(
            schedule.known, daylight_saving=schedule.daylight_saving
        )
        # Local days begin up to a day before or after those of UTC.
        self._first = start.astimezone(UTC).date() - 2 * _DAY
        self._last = end.astimezone(UTC).date() + 2 * _DAY
        first = min(self._first, schedule.known.date()) - _FARTHEST
        last = max(self._last, schedule.known.date() + _DAY)
        self._changes = sorted(self._clock_changes(first, last))
        seasons: dict[date, int] = {}
        for day, season in self._dates(first, last, lambda each: each.season):
            seasons.setdefault(day, season)
        self._seasons = sorted(seasons.items())
        self._special: dict[date, list[int]] = {}
        for day, special in self._dates(
            self._first, self._last, lambda each: each.special_schedule
        ):
            self._special.setdefault(day, []).append(special)
        self._switches = cache(self._find_switches)

    def _dates[T](
        self, first: date, last: date, action: Callable[[CalendarDate], T | None]
    ) -> Iterator[tuple[date, T]]:
        """Yield the days on which something happens, and what."""
        for each in self._schedule.calendar.dates:
            if (done := action(each)) is not None:
                for day in each.between(first, last):
                    yield day, done

    def _clock_changes(
        self, first: date, last: date
    ) -> Iterator[tuple[datetime, bool]]:
        """Yield when summer time begins (True) and ends, in UTC."""
        rules = self._schedule.rules
        for day, begins in self._dates(first, last, lambda each: each.daylight_saving):
            at = datetime.combine(day, time()) + (rules.begin if begins else rules.end)
            yield self._schedule.to_utc(at, daylight_saving=not begins), begins

    def is_daylight_saving(self, moment: datetime) -> bool:
        """Return whether it is summer time: as known, but for the changes since."""
        if moment >= self._known:
            since = [on for at, on in self._changes if self._known < at <= moment]
            return since[-1] if since else self._schedule.daylight_saving
        until = [on for at, on in self._changes if moment < at <= self._known]
        return not until[0] if until else self._schedule.daylight_saving

    def local(self, moment: datetime) -> datetime:
        """Return the local time, naive."""
        rules = self._schedule.rules
        local = moment.astimezone(UTC).replace(tzinfo=None) + rules.zone
        if self.is_daylight_saving(moment):
            local += rules.daylight_saving
        return local

    def season(self, day: date) -> int:
        """Return the season of a day: as known, but for the dates since."""
        today = self._schedule.known.date()
        if day >= today:
            since = [season for at, season in self._seasons if today < at <= day]
            return since[-1] if since else self._schedule.season
        if not any(day < at <= today for at, _ in self._seasons):
            return self._schedule.season
        before = [season for at, season in self._seasons if at <= day]
        return before[-1] if before else self._schedule.season

    def special(self, day: date) -> int | None:
        """Return the special schedule of a day, None on a day like any other.

        Where dates disagree, the meter's word counts for today, else the first one.
        """
        named = self._special.get(day)
        if named is None:
            return None
        known = self._schedule
        if day == known.known.date() and known.special in named:
            return known.special
        return named[0]

    def _find_switches(self, day: date) -> tuple[TierSwitch, ...]:
        return self._schedule.calendar.schedule(
            self.season(day), weekday(day), self.special(day)
        )

    def tier(self, moment: datetime) -> int:
        """Return the tier at a time: that of the last switch of the local day."""
        local = self.local(moment)
        at = local - datetime.combine(local.date(), time())
        return [s.tier for s in self._switches(local.date()) if s.at <= at][-1]

    def moments(self) -> list[datetime]:
        """Return all times at which the tier may change, sorted."""
        found = {moment for moment, _ in self._changes}
        for days in range((self._last - self._first).days + 1):
            day = self._first + days * _DAY
            for switch in self._switches(day):
                local = datetime.combine(day, time()) + switch.at
                for daylight_saving in (False, True):
                    moment = self._schedule.to_utc(
                        local, daylight_saving=daylight_saving
                    )
                    if self.local(moment) == local:
                        found.add(moment)
        return sorted(found)
