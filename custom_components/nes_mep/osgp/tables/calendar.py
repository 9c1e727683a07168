"""The tariff calendar: BT50 (what it has room for) and BT54 (what is in it)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

from .fields import TableData
from .recurring_dates import RecurringDate

CALENDAR_DIMENSIONS_LENGTH: Final = 9
ACTIVE_CALENDAR_OFFSET: Final = 95
"""Offset of the active calendar's id in ET23, 4 bytes."""
CALENDAR_ID_LENGTH: Final = 4

_CENTURY: Final = 2000
_DATE: Final = 3
"""Bytes of a date and its action."""
_TIER_SWITCH: Final = 3
_SWITCHES: Final = 10
"""Switches for which a day schedule has room."""
_WEEK: Final = 3
"""Bytes of a season's schedules: Saturday, Sunday, weekdays; special ones follow."""
_SEPARATE_WEEK: Final = 7
_OLD_FORMAT_SEASONS: Final = 4
_LONGEST: Final = 1024
"""Bytes; all that the guide has are 856."""

_ACTION: Final = 0b11111
_DAYLIGHT_SAVING: Final = {1: True, 2: False}
_FIRST_SEASON: Final = 3
_SEASONS: Final = 12
_SPECIAL_SCHEDULES: Final = {19: 0, 20: 1}
_SELF_READ_BIT: Final = 6
_NEW_FORMAT_BIT: Final = 7


@dataclass(frozen=True, slots=True)
class CalendarDimensions:
    """BT50: how many dates of one year, recurring dates, switches and seasons BT54 has.

    has_week says whether each weekday has its own schedule.
    """

    dates: int
    recurring_dates: int
    tier_switches: int
    seasons: int
    special_schedules: int
    has_week: bool

    @property
    def dates_length(self) -> int:
        """Length of the dates in bytes, which are the beginning of BT54."""
        return _DATE * (self.dates + self.recurring_dates)

    @property
    def season_length(self) -> int:
        """Length of the schedules of a season in bytes."""
        week = _SEPARATE_WEEK if self.has_week else _WEEK
        return week + self.special_schedules

    @property
    def length(self) -> int:
        """Length of BT54 in bytes."""
        return (
            self.dates_length
            + _TIER_SWITCH * self.tier_switches
            + self.seasons * self.season_length
            + CALENDAR_ID_LENGTH
        )


@dataclass(frozen=True, slots=True)
class CalendarDate:
    """A date of BT54 and what happens on it: what is None stays as it is."""

    rule: date | RecurringDate
    daylight_saving: bool | None
    season: int | None
    special_schedule: int | None
    is_self_read: bool

    @property
    def changes_tariff(self) -> bool:
        """Whether the tariff depends on it."""
        actions = (self.daylight_saving, self.season, self.special_schedule)
        return any(action is not None for action in actions)

    def between(self, first: date, last: date) -> Iterator[date]:
        """Yield the days from first to last on which it falls, in any order."""
        if isinstance(self.rule, RecurringDate):
            yield from self.rule.between(first, last)
        elif first <= self.rule <= last:
            yield self.rule


@dataclass(frozen=True, slots=True)
class TierSwitch:
    """From this time of the day on (local), this tier (0-based) is in force."""

    at: timedelta
    tier: int


@dataclass(frozen=True, slots=True)
class Season:
    """Which schedule is used on each day of the week, from Sunday on, and on holidays.

    The numbers are those of TariffCalendar.schedules.
    """

    week: tuple[int, ...]
    special: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TariffCalendar:
    """BT54. schedules have the switches of a day, the first at midnight.

    One that has no switch at midnight is empty: it is not in use.
    """

    id: int
    dates: tuple[CalendarDate, ...]
    schedules: tuple[tuple[TierSwitch, ...], ...]
    seasons: tuple[Season, ...]

    def schedule(
        self, season: int, weekday: int, special: int | None
    ) -> tuple[TierSwitch, ...]:
        """Return the switches of a day; empty where the calendar has none for it."""
        if season >= len(self.seasons):
            return ()
        week, holidays = self.seasons[season].week, self.seasons[season].special
        number = week[weekday] if special is None else holidays[special]
        return self.schedules[number] if number < len(self.schedules) else ()

    def used_schedules(self, season: int) -> Iterator[tuple[TierSwitch, ...]]:
        """Yield the schedules of a season and of those that a date can begin."""
        seasons = {season, *(d.season for d in self.dates if d.season is not None)}
        special = {d.special_schedule for d in self.dates} | {None}
        for each in sorted(seasons):
            for weekday in range(_SEPARATE_WEEK):
                for holiday in special:
                    yield self.schedule(each, weekday, holiday)


def decode_calendar_dimensions(data: bytes) -> CalendarDimensions:
    """Decode BT50, 9 bytes.

    Raises DecodeError, also where its counts do not add up to the length of BT54.
    """
    table = TableData("BT50", data)
    dimensions = CalendarDimensions(
        dates=table.uint(3),
        recurring_dates=table.uint(4),
        tier_switches=table.uint(5, 2),
        seasons=table.uint(2) & 0xF,
        special_schedules=table.uint(2) >> 4,
        has_week=table.bit(1, 1),
    )
    if (length := dimensions.length) != table.limited(7, _LONGEST, 2):
        raise table.error(7, 2, f"the parts of the calendar have {length} bytes")
    return dimensions


def decode_calendar_id(data: bytes) -> int:
    """Decode the id of the active calendar, 4 bytes of ET23."""
    return TableData("ET23", data, ACTIVE_CALENDAR_OFFSET).uint(
        ACTIVE_CALENDAR_OFFSET, CALENDAR_ID_LENGTH
    )


def decode_has_self_reads(data: bytes, dimensions: CalendarDimensions) -> bool:
    """Decode the dates of BT54, dimensions.dates_length bytes: is one a self-read?

    Raises DecodeError, also for a calendar in the format of firmware before 3.50 where
    there is room for the later one: the guide does not say where its dates are.
    """
    table = TableData("BT54", data)
    if _has_old_format(table, dimensions):
        raise table.error(0, dimensions.dates_length, "the calendar has its old format")
    return any(each.is_self_read for each in _dates(table, dimensions))


def decode_calendar(
    data: bytes, dimensions: CalendarDimensions, active_id: int
) -> TariffCalendar:
    """Decode BT54, dimensions.length bytes; active_id is the id of the active calendar.

    Raises DecodeError, also where a date that the tariff depends on recurs in a way that
    the guide does not describe, or names what the calendar does not have. A calendar in
    the format of firmware before 3.50, where there is room for the later one, is where
    its id is the active one.
    """
    table = TableData("BT54", data)
    if not _has_old_format(table, dimensions):
        return _decode_layout(table, dimensions, has_single=True)
    shifted = replace(dimensions, dates=0, seasons=_OLD_FORMAT_SEASONS)
    layouts = [
        layout
        for layout in (dimensions, shifted)
        if _calendar_id(table, layout) == active_id
    ]
    if not active_id or len(layouts) != 1:
        raise table.error(0, len(data), "the calendar has its old format")
    # Where the places stay, what is new is not used.
    return _decode_layout(table, layouts[0], has_single=False)


def _has_old_format(table: TableData, dimensions: CalendarDimensions) -> bool:
    """Return whether the calendar has another format than there is room for."""
    if not dimensions.dates:
        return False
    action = _DATE * dimensions.dates + 2
    return not (dimensions.recurring_dates and table.bit(action, _NEW_FORMAT_BIT))


def _calendar_id(table: TableData, dimensions: CalendarDimensions) -> int:
    return table.uint(dimensions.length - CALENDAR_ID_LENGTH, CALENDAR_ID_LENGTH)


def _decode_layout(
    table: TableData, dimensions: CalendarDimensions, *, has_single: bool
) -> TariffCalendar:
    """Decode a calendar whose parts are at known places."""
    calendar = TariffCalendar(
        id=_calendar_id(table, dimensions),
        dates=tuple(_dates(table, dimensions, has_single=has_single)),
        schedules=tuple(_schedules(table, dimensions)),
        seasons=tuple(_seasons(table, dimensions)),
    )
    for each in calendar.dates:
        if not each.changes_tariff:
            continue
        if isinstance(each.rule, RecurringDate) and each.rule.is_periodic:
            raise table.error(0, dimensions.dates_length, "a date recurs after days")
        if (each.season is not None and each.season >= dimensions.seasons) or (
            each.special_schedule is not None
            and each.special_schedule >= dimensions.special_schedules
        ):
            raise table.error(0, dimensions.dates_length, f"no schedules for {each}")
    return calendar


def _dates(
    table: TableData, dimensions: CalendarDimensions, *, has_single: bool = True
) -> Iterator[CalendarDate]:
    """Yield the dates that are in use, those of one year first."""
    first = 0 if has_single else dimensions.dates
    for number in range(first, dimensions.dates + dimensions.recurring_dates):
        offset = _DATE * number
        bits, action = table.uint(offset, 2), table.uint(offset + 2) & _ACTION
        rule: date | RecurringDate | None
        if number < dimensions.dates:
            rule = _single_date(bits)
        else:
            rule = RecurringDate.decode(bits)
        if rule is None or (isinstance(rule, RecurringDate) and not rule.is_used):
            continue
        season = action - _FIRST_SEASON
        yield CalendarDate(
            rule,
            daylight_saving=_DAYLIGHT_SAVING.get(action),
            season=season if 0 <= season < _SEASONS else None,
            special_schedule=_SPECIAL_SCHEDULES.get(action),
            is_self_read=table.bit(offset + 2, _SELF_READ_BIT),
        )


def _single_date(bits: int) -> date | None:
    """Return an ANSI_DATE; None where it is no date, which is how it is not used."""
    try:
        return date(_CENTURY + (bits & 0x7F), bits >> 7 & 0xF, bits >> 11)
    except ValueError:
        return None


def _schedules(
    table: TableData, dimensions: CalendarDimensions
) -> Iterator[tuple[TierSwitch, ...]]:
    """Yield the day schedules, each without the entries that are not in use.

    How an unused entry looks is not described: it is not later than the one before.
    """
    for schedule in range(dimensions.tier_switches // _SWITCHES):
        switches: list[TierSwitch] = []
        for number in range(_SWITCHES * schedule, _SWITCHES * (schedule + 1)):
            offset = dimensions.dates_length + _TIER_SWITCH * number
            bits = table.uint(offset, 2)
            hour, minute = bits >> 11, bits >> 5 & 0x3F
            at = timedelta(hours=hour, minutes=minute)
            is_next = at > switches[-1].at if switches else not at
            if hour > 23 or minute > 59 or not is_next:
                break
            switches.append(TierSwitch(at, bits & 0b111))
        yield tuple(switches)


def _seasons(table: TableData, dimensions: CalendarDimensions) -> Iterator[Season]:
    """Yield the schedules of the seasons, the week from Sunday on."""
    start = dimensions.dates_length + _TIER_SWITCH * dimensions.tier_switches
    for number in range(dimensions.seasons):
        offset = start + number * dimensions.season_length
        numbers = tuple(table.raw(offset, dimensions.season_length))
        if dimensions.has_week:
            week, special = numbers[:_SEPARATE_WEEK], numbers[_SEPARATE_WEEK:]
        else:
            saturday, sunday, workday = numbers[:_WEEK]
            week = (sunday, *(workday,) * 5, saturday)
            special = numbers[_WEEK:]
        yield Season(week, special)
