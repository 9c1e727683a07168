"""The tariff calendar of a meter, read seldom, and how the meter follows it."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from .errors import DecodeError, RefusalError
from .link import Link
from .refusals import is_out_of_reach
from .tables.calendar import (
    ACTIVE_CALENDAR_OFFSET,
    CALENDAR_DIMENSIONS_LENGTH,
    CALENDAR_ID_LENGTH,
    decode_calendar,
    decode_calendar_dimensions,
    decode_calendar_id,
)
from .tables.clock import LOCAL_CLOCK_LENGTH, LocalClock, decode_local_clock
from .tables.local_time import (
    DAYLIGHT_SAVING_END_LENGTH,
    DAYLIGHT_SAVING_END_OFFSET,
    TIME_OFFSET_LENGTH,
    decode_local_time_rules,
)
from .tables.names import parse_table
from .tariff_schedule import TariffSchedule, TariffSwitch

_BT50 = parse_table("BT50")
_BT53 = parse_table("BT53")
_BT54 = parse_table("BT54")
_BT55 = parse_table("BT55")
_ET04 = parse_table("ET04")
_ET23 = parse_table("ET23")

_HOUR: Final = 3600.0
_DAY: Final = 24 * _HOUR

_BY_CALENDAR: Final = "calendar"
_UNTIL_NEXT_SWITCH: Final = "manual"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariffs:
    """What the meter's calendar says, and what the meter does.

    tier (0-based) is the one in force, next_switch when another one will be: None where
    the calendar has no other one, or does not decide about it. follows_calendar says
    whether tier is the calendar's.
    """

    schedule: TariffSchedule
    tier: int
    next_switch: TariffSwitch | None
    follows_calendar: bool


@dataclass(frozen=True, slots=True)
class _Plan:
    """The calendar as it was read, when (monotonic seconds) and in which season."""

    schedule: TariffSchedule
    active_id: int
    season: int
    read_at: float


class TariffTables:
    """The tariff calendar of a meter.

    It is in non-volatile memory, which should be read seldom: it is read again after a
    day, when the season has changed, and when another calendar has become active, which
    is looked for once an hour.
    """

    def __init__(self, link: Link) -> None:
        """Start with nothing read."""
        self._link = link
        self._plan: _Plan | None = None
        self._look_at = 0.0

    async def read(self) -> Tariffs | None:
        """Return the tariffs as they are now, None where there is no calendar to read.

        While the calendar stays, that takes one small request. Raises MeterError.
        """
        data = await self._link.read(_BT55, 0, LOCAL_CLOCK_LENGTH)
        clock = decode_local_clock(data)
        if clock.time is None:
            raise DecodeError("BT55", 0, LOCAL_CLOCK_LENGTH, "no date and time")
        plan = self._plan
        if plan is None or await self._is_outdated(plan, clock):
            plan = await self._read_plan(clock)
            self._look_at = self._link.clock.time() + _HOUR
        elif not (schedule := plan.schedule).agrees(clock):
            schedule = TariffSchedule.of(schedule.calendar, schedule.rules, clock)
            plan = replace(plan, schedule=schedule)
        self._plan = plan
        return None if plan is None else _now(plan.schedule, clock)

    async def _is_outdated(self, plan: _Plan, clock: LocalClock) -> bool:
        """Return whether the calendar has to be read again."""
        now = self._link.clock.time()
        if now - plan.read_at >= _DAY or clock.season != plan.season:
            return True
        if now < self._look_at:
            return False
        self._look_at = now + _HOUR
        if await self._read_active_id() != plan.active_id:
            return True
        # Something has changed without a sign of it.
        return clock.tariff_control == _BY_CALENDAR and not plan.schedule.has_tier(
            clock
        )

    async def _read_active_id(self) -> int:
        return decode_calendar_id(
            await self._link.read(_ET23, ACTIVE_CALENDAR_OFFSET, CALENDAR_ID_LENGTH)
        )

    async def _read_plan(self, clock: LocalClock) -> _Plan | None:
        """Read the calendar, None if the meter has none that can be read."""
        link = self._link
        try:
            dimensions = decode_calendar_dimensions(
                await link.read(_BT50, 0, CALENDAR_DIMENSIONS_LENGTH)
            )
            active_id = await self._read_active_id()
            data = await link.read(_BT54, 0, dimensions.length)
            calendar = decode_calendar(data, dimensions, active_id)
            offset, length = DAYLIGHT_SAVING_END_OFFSET, DAYLIGHT_SAVING_END_LENGTH
            rules = decode_local_time_rules(
                await link.read(_BT53, 0, TIME_OFFSET_LENGTH),
                await link.read(_ET04, offset, length),
            )
            schedule = TariffSchedule.of(calendar, rules, clock)
        except DecodeError:
            return None
        except RefusalError as err:
            if not is_out_of_reach(err):
                raise
            return None
        return _Plan(schedule, active_id, clock.season, link.clock.time())


def _now(schedule: TariffSchedule, clock: LocalClock) -> Tariffs:
    """Return the tariffs of a moment."""
    assert clock.time is not None
    now = schedule.to_utc(clock.time, daylight_saving=clock.daylight_saving)
    by_calendar = clock.tariff_control == _BY_CALENDAR
    follows = by_calendar and schedule.has_tier(clock)
    # One set by hand ends with the next switch of the calendar.
    is_decided = follows or clock.tariff_control == _UNTIL_NEXT_SWITCH
    return Tariffs(
        schedule=schedule,
        tier=clock.tier,
        next_switch=_next_other(schedule, now, clock.tier) if is_decided else None,
        follows_calendar=follows,
    )


def _next_other(
    schedule: TariffSchedule, after: datetime, tier: int
) -> TariffSwitch | None:
    """Return the first switch after a time that is to another tier."""
    switch = schedule.next_switch(after)
    while switch is not None and switch.tier == tier:
        switch = schedule.next_switch(switch.time)
    return switch
