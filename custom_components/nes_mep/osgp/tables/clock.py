"""The clocks of the meter: BT52 in UTC, BT55 local with the tariff."""

from dataclasses import dataclass
from datetime import UTC, datetime

from .fields import TableData, optional_date_time

UTC_CLOCK_LENGTH = 7
LOCAL_CLOCK_LENGTH = 9

_TARIFF_CONTROLS = ("calendar", "manual", "manual_indefinitely", "override")


@dataclass(frozen=True, slots=True)
class UtcClock:
    """BT52: the meter's clock, aware and in UTC.

    daylight_saving says whether daylight saving time is in effect at the meter;
    the time does not include it.
    """

    time: datetime
    daylight_saving: bool


def decode_utc_clock(data: bytes) -> UtcClock:
    """Decode BT52, 7 bytes."""
    table = TableData("BT52", data)
    return UtcClock(
        time=table.date_time(0, UTC),
        daylight_saving=table.bit(6, 3),
    )


@dataclass(frozen=True, slots=True)
class LocalClock:
    """BT55: the meter's local clock, naive, and the tariff.

    time is None where it is no date and time.

    tier, season and special_schedule count from 0, as in the table; which number says
    that there is no special schedule today, the guide does not say. tariff_control says
    what chose the tier: calendar, manual (until the next switch), manual_indefinitely, or
    override.
    """

    time: datetime | None
    daylight_saving: bool
    tier: int
    season: int
    special_schedule: int
    tariff_control: str


def decode_local_clock(data: bytes) -> LocalClock:
    """Decode BT55, 9 bytes."""
    table = TableData("BT55", data)
    status = table.uint(7, 2)
    return LocalClock(
        time=optional_date_time(table, 0, None),
        daylight_saving=table.bit(6, 3),
        tier=status & 0b111,
        season=status >> 12,
        special_schedule=status >> 8 & 0xF,
        tariff_control=_TARIFF_CONTROLS[status >> 6 & 0b11],
    )
