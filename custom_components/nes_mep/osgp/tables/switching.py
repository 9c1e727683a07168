"""What switches later, or for a reason: ET46, ET54, ET55, ET80."""

from dataclasses import dataclass
from datetime import UTC, datetime

from .fields import DATE_TIME_LENGTH, TableData, optional_date_time

FIRST_RELAY_OFFSET = 62
"""Where ET54 has the pending operation of control relay 1."""
RELAY_OPERATION_LENGTH = 3
_SECOND_RELAY_OFFSET = 103
"""The same of relay 2, without the module records before it."""

MODULES_OFFSET = 32
"""Where ET11 has number and length of these records, two bytes."""
_MOST_MODULES = 16
_LONGEST_MODULE = 64
"""More than the guide's meters have: 6 of 7 bytes."""

STEP_TARIFF_OFFSET = 44
"""Where ET54 says whether the step tariff is in use, one byte."""
STEP_TARIFF_ENABLED_OFFSET = 3
"""Where ET55 says whether there are step tariffs, one byte."""

POWER_LIMIT_LENGTH = 8
_LARGEST_MULTIPLIER = 15

CUT_OFF_OFFSET = 17
"""Where ET46 has the time of the last opening because of power."""
CUT_OFF_LENGTH = DATE_TIME_LENGTH


def decode_modules_length(data: bytes) -> int:
    """Decode from two bytes of ET11, at 32, the length of the module records of ET54."""
    table = TableData("ET11", data, MODULES_OFFSET)
    count = table.limited(MODULES_OFFSET, _MOST_MODULES)
    return count * table.limited(MODULES_OFFSET + 1, _LONGEST_MODULE)


def second_relay_offset(modules_length: int) -> int:
    """Return where ET54 has the pending operation of control relay 2."""
    return _SECOND_RELAY_OFFSET + modules_length


def decode_relay_operation(data: bytes, offset: int) -> int | None:
    """Decode from three bytes of ET54 in how many seconds a control relay switches.

    None if no operation at a random time is pending. Whether it will open or close is
    not told. Raises DecodeError.
    """
    table = TableData("ET54", data, offset)
    is_pending = table.limited(offset, 1)
    seconds = table.uint(offset + 1, 2)
    return seconds if is_pending else None


def decode_step_tariff_in_use(data: bytes) -> bool:
    """Decode from one byte of ET54, at 44, whether the step tariff is in use."""
    return TableData("ET54", data, STEP_TARIFF_OFFSET).bit(STEP_TARIFF_OFFSET, 1)


def step_tariff_disabled_offset(firmware: tuple[int, ...]) -> int:
    """Return where ET55 says whether step tariffs are switched off, one byte."""
    return 81 if firmware >= (4, 0) else 80


def decode_step_tariff_enabled(data: bytes) -> bool:
    """Decode one byte of ET55, at 3."""
    offset = STEP_TARIFF_ENABLED_OFFSET
    return TableData("ET55", data, offset).bit(offset, 5)


def decode_step_tariff_disabled(data: bytes, offset: int) -> bool:
    """Decode one byte of ET55, at step_tariff_disabled_offset."""
    return TableData("ET55", data, offset).bit(offset, 3)


@dataclass(frozen=True, slots=True)
class PowerLimit:
    """ET80: above which average power, in W, the meter opens its load disconnect.

    seconds is the interval of the average. A limit that is not enabled has no effect.
    """

    enabled: bool
    seconds: int
    threshold: int


def decode_power_limit(data: bytes) -> PowerLimit:
    """Decode ET80, 8 bytes. Raises DecodeError, also for impossible values."""
    table = TableData("ET80", data)
    return PowerLimit(
        enabled=bool(table.limited(0, 1)),
        seconds=table.uint(1, 2) * table.limited(3, _LARGEST_MULTIPLIER),
        threshold=table.uint(4, 4),
    )


def decode_cut_off(data: bytes) -> datetime | None:
    """Decode from six bytes of ET46, at 17, when the load was last cut off for power.

    None if it never was. The guide does not name the zone; as with the times of events,
    UTC is assumed.
    """
    table = TableData("ET46", data, CUT_OFF_OFFSET)
    return optional_date_time(table, CUT_OFF_OFFSET, UTC)
