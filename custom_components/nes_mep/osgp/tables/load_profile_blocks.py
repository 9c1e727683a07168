"""What the load profile has recorded: the blocks of BT64 to BT67."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum, Flag

from .fields import TableData
from .load_profile import DataSetConfiguration, DataSetDimensions

_END_TIME_LENGTH = 5
_VALUE_LENGTH = 4


class IntervalFlag(Flag):
    """What happened in an interval, for all its channels: the common status.

    DAYLIGHT_SAVING is not an event: the load profile runs on UTC.
    """

    NONE = 0
    DAYLIGHT_SAVING = 1
    POWER_FAILURE = 2
    CLOCK_SET_FORWARD = 4
    CLOCK_SET_BACK = 8


class Usability(Enum):
    """How a recorded value can be used.

    A PARTIAL value is a good reading of its register; only the interval before it
    was shorter or longer than usual.
    """

    USABLE = "usable"
    PARTIAL = "partial"
    UNUSABLE = "unusable"


class ChannelStatus(Enum):
    """What the meter says about one value: the status of a channel.

    TIME_REPEATED does not come from the meter: a later interval has the same time or an
    earlier one, because the clock was set back in between.
    """

    NORMAL = 0
    OVERFLOW = 1
    PARTIAL_INTERVAL = 2
    LONG_INTERVAL = 3
    SKIPPED = 4
    TEST_MODE = 5
    DECRYPTION_FAILED = 8
    CLOCK_ERROR = 9
    DEVICE_MISSING = 10
    NOT_CURRENT = 11
    OPTED_OUT = 12
    PLACEHOLDER = 15
    UNKNOWN = -1
    TIME_REPEATED = -2

    @property
    def usability(self) -> Usability:
        """How a value with this status can be used.

        With a clock error, the value is right but its time is unknown.
        """
        return _USABILITY.get(self, Usability.UNUSABLE)


_USABILITY = {
    ChannelStatus.NORMAL: Usability.USABLE,
    ChannelStatus.PARTIAL_INTERVAL: Usability.PARTIAL,
    ChannelStatus.LONG_INTERVAL: Usability.PARTIAL,
}

_STATUS_BY_CODE = {
    status.value: status for status in ChannelStatus if status.value >= 0
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockLayout:
    """How the blocks of a data set are laid out; sizes and offsets are bytes."""

    block_size: int
    intervals: int
    interval: timedelta
    channels: int
    status_offset: int
    intervals_offset: int
    interval_size: int
    channels_offset: int

    @property
    def status_size(self) -> int:
        """Length of the simple status: a bit for each interval."""
        return (self.intervals + 7) // 8

    @property
    def duration(self) -> timedelta:
        """The time that a full block covers."""
        return self.intervals * self.interval

    def interval_offset(self, index: int) -> int:
        """Return where an interval begins in its block."""
        return self.intervals_offset + index * self.interval_size


def block_layout(
    dimensions: DataSetDimensions, configuration: DataSetConfiguration | None
) -> BlockLayout:
    """Return the layout of the blocks of a data set that is used.

    It is that of ET21, the configuration, if that agrees with BT61, the dimensions;
    otherwise it is computed from the dimensions by the rules of the guide.
    """
    assert dimensions.interval
    status_size = (dimensions.intervals + 7) // 8
    status_offset = _END_TIME_LENGTH
    if dimensions.end_readings:
        status_offset += _VALUE_LENGTH * dimensions.channels
    channels_offset = dimensions.channels // 2 + 1
    interval_size = channels_offset + _VALUE_LENGTH * dimensions.channels
    intervals_offset = status_offset + status_size
    block_size = intervals_offset + dimensions.intervals * interval_size
    if configuration and _agrees(configuration, dimensions):
        status_offset = configuration.status_offset
        channels_offset = configuration.channels_offset
        interval_size = configuration.interval_size
        intervals_offset = configuration.intervals_offset
        block_size = configuration.block_size
    return BlockLayout(
        block_size=block_size,
        intervals=dimensions.intervals,
        interval=dimensions.interval,
        channels=dimensions.channels,
        status_offset=status_offset,
        intervals_offset=intervals_offset,
        interval_size=interval_size,
        channels_offset=channels_offset,
    )


def _agrees(configuration: DataSetConfiguration, dimensions: DataSetDimensions) -> bool:
    """Return whether ET21, whose spacing is a guess, belongs to this data set."""
    end_of_status = configuration.status_offset + (dimensions.intervals + 7) // 8
    end_of_interval = configuration.channels_offset + 4 * dimensions.channels
    end_of_block = (
        configuration.intervals_offset
        + dimensions.intervals * configuration.interval_size
    )
    return (
        configuration.is_of(dimensions)
        and configuration.status_offset >= _END_TIME_LENGTH
        and end_of_status <= configuration.intervals_offset
        and dimensions.channels // 2 < configuration.channels_offset
        and end_of_interval <= configuration.interval_size
        and end_of_block <= configuration.block_size
    )


@dataclass(frozen=True, slots=True)
class BlockHeader:
    """The beginning of a block: when it ended and which intervals it has.

    end is the end of the newest recorded interval, whose index is last. Bit i of
    recorded says whether interval i is recorded.
    """

    end: datetime
    recorded: int
    interval: timedelta

    @property
    def last(self) -> int:
        """Index of the newest recorded interval, -1 where there is none."""
        return self.recorded.bit_length() - 1

    @property
    def begin(self) -> datetime:
        """When the first interval began."""
        return self.interval_end(-1)

    def is_recorded(self, index: int) -> bool:
        """Return whether an interval is recorded; if not, its bytes mean nothing."""
        return bool(self.recorded >> index & 1)

    def interval_end(self, index: int) -> datetime:
        """Return when an interval ended, recorded or not."""
        return self.end - (self.last - index) * self.interval

    def indices(self, start: datetime | None, end: datetime | None) -> range:
        """Return the intervals that end after start and not after end.

        None stands for no limit; the last one is the newest that is recorded.
        """
        first, last = 0, self.last
        if start is not None:
            first = max(first, last + 1 + (start - self.end) // self.interval)
        if end is not None:
            last = min(last, last + (end - self.end) // self.interval)
        return range(first, last + 1)


def decode_block_header(
    name: str, data: bytes, offset: int, layout: BlockLayout
) -> BlockHeader:
    """Decode the header of the block that begins at offset, up to its intervals.

    name is the name of the table. Raises DecodeError, also for a block that never
    recorded anything.
    """
    table = TableData(name, data, offset)
    status = table.uint(offset + layout.status_offset, layout.status_size)
    end = table.event_time(offset)
    if end is None:
        raise table.error(offset, _END_TIME_LENGTH, "no date and time")
    return BlockHeader(
        end=end.replace(tzinfo=UTC),
        recorded=status & (1 << layout.intervals) - 1,
        interval=layout.interval,
    )


@dataclass(frozen=True, slots=True)
class IntervalRecord:
    """An interval as it is recorded: status and value of each channel."""

    flags: IntervalFlag
    statuses: tuple[ChannelStatus, ...]
    values: tuple[int, ...]


def decode_interval(
    name: str, data: bytes, offset: int, layout: BlockLayout
) -> IntervalRecord:
    """Decode the interval that begins at offset. Raises DecodeError.

    The status begins with the common nibble, the higher one of its first byte.
    """
    table = TableData(name, data, offset)
    nibbles = table.raw(offset, layout.channels // 2 + 1).hex()
    common, *codes = (int(nibble, 16) for nibble in nibbles)
    values = offset + layout.channels_offset
    return IntervalRecord(
        flags=IntervalFlag(common),
        statuses=tuple(
            _STATUS_BY_CODE.get(code, ChannelStatus.UNKNOWN)
            for code in codes[: layout.channels]
        ),
        values=tuple(
            table.int32(values + _VALUE_LENGTH * channel)
            for channel in range(layout.channels)
        ),
    )
