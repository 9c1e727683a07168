"""What the load profile records: BT61, BT62, BT63, ET21 and ET66.

A meter has one data set, or four of which some are not used. Each records its
channels at its own interval.
"""

from dataclasses import dataclass
from datetime import timedelta

from .fields import TableData

DIMENSIONS_LENGTH = 31
SINGLE_DIMENSIONS_LENGTH = 13
"""Lengths of BT61 with four data sets and with one."""

DATA_SET_STATUS_LENGTH = 13
"""Length of the part of BT63 that belongs to one data set."""

CONFIGURATION_LENGTH = 94
"""How much of the part of ET21 that belongs to one data set is decoded."""

_MOST_CHANNELS = 16
_MOST_INTERVALS = 1440
"""Of a block: a day of minutes."""
_LARGEST_MEMORY = 1 << 20
"""Bytes, more than the guide's meters have for all data sets: 256 kB."""

_DATA_SETS_OFFSET = 7
_DATA_SET_LENGTH = 6
_CONFIGURATION_SPACINGS = (((3, 60), 131), ((3, 50), 111), ((0, 0), 107))
"""Length of a data set's whole part of ET21, by the first firmware that has it."""
_MODULE_SPACING = 131
_FIRST_METER_MAJOR = 2

_VALUE_LENGTH = 4
_MINUTES = range(1, 61)
_HOURS = range(61, 85)
_INT32 = 32
_MAPPED_SOURCES = range(112, 164)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSetDimensions:
    """The part of BT61 that belongs to one data set.

    interval is None where the data set is not used; is_open says that only ET21
    tells it. end_readings says whether blocks hold readings of their own, and scaled
    whether values are multiplied and divided before they are recorded; both are off in
    all known meters.
    """

    blocks: int
    intervals: int
    channels: int
    interval: timedelta | None
    interval_code: int = 0
    end_readings: bool = False
    scaled: bool = False

    @property
    def used(self) -> bool:
        """Whether the data set can hold anything."""
        return bool(self.blocks and self.intervals and self.channels and self.interval)

    @property
    def is_open(self) -> bool:
        """Whether the code of the interval means minutes or hours, as ET21 says."""
        is_minutes = self.interval_code in {0, *_MINUTES}
        return bool(self.blocks and self.intervals and self.channels) and not is_minutes

    @property
    def control_length(self) -> int:
        """Length of the data set's part of BT62."""
        return 3 * self.channels + 1 + 4 * self.channels * self.scaled


def interval_length(code: int, *, minutes_only: bool = False) -> timedelta | None:
    """Return the interval that a number in BT61 or ET21 means, None for no interval.

    1 to 60 are minutes and 84 is a day; so 61 to 84 are taken as 1 to 24 hours. In an
    ANSI-compliant load profile "intervals are in minutes only" (ET21.93, bit 3).
    """
    if code in _MINUTES or (minutes_only and code):
        return timedelta(minutes=code)
    if code in _HOURS:
        return timedelta(hours=code - _HOURS.start + 1)
    return None


def decode_load_profile_dimensions(data: bytes) -> tuple[DataSetDimensions, ...]:
    """Decode BT61: 31 bytes with four data sets, 13 with one.

    Raises DecodeError, also for a data set that no meter has the memory for.
    """
    table = TableData("BT61", data)
    flags = table.uint(4, 2)
    sets = max(1, (len(data) - _DATA_SETS_OFFSET) // _DATA_SET_LENGTH)
    offsets = (_DATA_SETS_OFFSET + _DATA_SET_LENGTH * index for index in range(sets))
    return tuple(
        DataSetDimensions(
            blocks=_blocks(table, offset),
            intervals=table.limited(offset + 2, _MOST_INTERVALS, 2),
            channels=table.limited(offset + 4, _MOST_CHANNELS),
            interval=interval_length(table.uint(offset + 5)),
            interval_code=table.uint(offset + 5),
            end_readings=bool(flags >> 4 & 1),
            scaled=bool(flags >> 6 + index & 1),
        )
        for index, offset in enumerate(offsets)
    )


def _blocks(table: TableData, offset: int) -> int:
    """Return how many blocks a data set has, whose values fit the meter's memory."""
    blocks = table.uint(offset, 2)
    values = blocks * table.uint(offset + 2, 2) * table.uint(offset + 4)
    if _VALUE_LENGTH * values > _LARGEST_MEMORY:
        raise table.error(offset, _DATA_SET_LENGTH, f"{values} values are too many")
    return blocks


def decode_load_profile_sources(
    data: bytes, dimensions: tuple[DataSetDimensions, ...]
) -> tuple[tuple[int, ...], ...]:
    """Decode BT62: the source ids of the channels of each data set.

    Raises DecodeError for recorded values that are not plain INT32.
    """
    table = TableData("BT62", data)
    sources: list[tuple[int, ...]] = []
    offset = 0
    for each in dimensions:
        end = offset + 3 * each.channels
        form = table.uint(end)
        if each.used and (form != _INT32 or each.scaled):
            raise table.error(end, 1, f"values of format {form} are not understood")
        sources.append(tuple(table.raw(offset, 3 * each.channels)[1::3]))
        offset += each.control_length
    return tuple(sources)


def mapping_length(sources: tuple[int, ...]) -> int:
    """Return how many bytes of ET66 are needed to understand source ids."""
    mapped = [source for source in sources if source in _MAPPED_SOURCES]
    return 2 * (max(mapped) - _MAPPED_SOURCES.start + 1) if mapped else 0


def decode_source_mapping(data: bytes) -> dict[int, int]:
    """Decode ET66, or its beginning: the extended ids of mapped source ids."""
    table = TableData("ET66", data)
    return {
        source: table.uint(2 * index, 2)
        for index, source in enumerate(_MAPPED_SOURCES[: len(data) // 2])
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSetStatus:
    """The part of BT63 that belongs to one data set.

    Blocks are a circular queue: last_block is the index of the newest, and
    sequence_number its number, which rises by one with each new block.
    """

    active: bool
    valid_blocks: int
    last_block: int
    sequence_number: int


def decode_data_set_status(data: bytes, data_set: int) -> DataSetStatus:
    """Decode the part of BT63 of a data set, counted from 0: 13 bytes."""
    offset = DATA_SET_STATUS_LENGTH * data_set
    table = TableData("BT63", data, offset)
    return DataSetStatus(
        active=table.bit(offset, 5),
        valid_blocks=table.uint(offset + 1, 2),
        last_block=table.uint(offset + 3, 2),
        sequence_number=table.uint(offset + 5, 4),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSetConfiguration:
    """The part of ET21 that belongs to one data set: how its blocks are laid out.

    Offsets and sizes are bytes: of the simple status and of interval 0 from the
    start of a block, of channel 0 from the start of an interval. is_ansi says that the
    load profile is ANSI-compliant: its intervals are in minutes, and of the statuses
    that concern M-Bus some are not told.
    """

    block_size: int
    status_offset: int
    intervals_offset: int
    interval_size: int
    channels_offset: int
    channels: int
    interval_code: int
    is_ansi: bool

    @property
    def interval(self) -> timedelta | None:
        """Length of an interval."""
        return interval_length(self.interval_code, minutes_only=self.is_ansi)

    def is_of(self, dimensions: DataSetDimensions) -> bool:
        """Return whether it is the data set of these dimensions, as its place is a guess."""
        return (self.channels, self.interval_code) == (
            dimensions.channels,
            dimensions.interval_code,
        )


def configuration_offset(data_set: int, firmware: tuple[int, int, int]) -> int:
    """Return where the part of ET21 of a data set, counted from 0, begins.

    The guide does not state the length of a part: this is the sum of its fields.
    """
    spacing = _MODULE_SPACING
    if firmware[0] >= _FIRST_METER_MAJOR:
        spacing = next(
            length for since, length in _CONFIGURATION_SPACINGS if firmware >= since
        )
    return data_set * spacing


def decode_data_set_configuration(data: bytes, offset: int) -> DataSetConfiguration:
    """Decode the part of ET21 of a data set, which begins at offset: 94 bytes.

    Raises DecodeError, also for blocks that no meter has the memory for.
    """
    table = TableData("ET21", data, offset)
    return DataSetConfiguration(
        block_size=table.limited(offset + 8, _LARGEST_MEMORY, 4),
        status_offset=table.uint(offset + 22),
        intervals_offset=table.uint(offset + 24),
        interval_size=table.uint(offset + 25),
        channels_offset=table.uint(offset + 26),
        channels=table.limited(offset + 28, _MOST_CHANNELS),
        interval_code=table.uint(offset + 29),
        is_ansi=table.bit(offset + 93, 3),
    )
