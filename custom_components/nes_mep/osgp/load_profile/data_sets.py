"""The data sets of a load profile: BT61, BT62, BT63, ET21 and ET66."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
import logging

from ..errors import DecodeError, MeterError, RefusalError
from ..interface_definition import read_interface_definition
from ..link import Link
from ..mbus.data_types import DATA_TYPE_LENGTH, MBusRegister, decode_data_types
from ..mbus.tables import DEVICE_DIMENSIONS_LENGTH, decode_device_dimensions
from ..refusals import is_absent, is_out_of_reach
from ..registers import RegisterMap
from ..tables.fields import TableData
from ..tables.load_profile import (
    CONFIGURATION_LENGTH,
    DATA_SET_STATUS_LENGTH,
    DIMENSIONS_LENGTH,
    SINGLE_DIMENSIONS_LENGTH,
    DataSetConfiguration,
    DataSetDimensions,
    DataSetStatus,
    configuration_offset,
    decode_data_set_configuration,
    decode_data_set_status,
    decode_load_profile_dimensions,
    decode_load_profile_sources,
    decode_source_mapping,
    mapping_length,
)
from ..tables.load_profile_blocks import (
    BlockHeader,
    BlockLayout,
    block_layout,
    decode_block_header,
)
from ..tables.names import parse_table, table_name
from .channels import LoadProfileChannel, is_mbus, load_profile_channels

_LOGGER = logging.getLogger(__name__)

_BT61 = parse_table("BT61")
_BT62 = parse_table("BT62")
_BT63 = parse_table("BT63")
_BT64 = parse_table("BT64")
_ET11 = parse_table("ET11")
_ET21 = parse_table("ET21")
_ET57 = parse_table("ET57")
_ET66 = parse_table("ET66")

_HOUR = timedelta(hours=1)

_MOST_WAITED_FOR = 5
"""How many requests of others a download waits for: polls that exceed the guide's
advice by themselves slow it, but do not stop it."""


class Pace:
    """Limits all requests of a link together to one per period on average."""

    def __init__(self, link: Link, period: float) -> None:
        """Initialize with the link whose requests count, and the period in seconds."""
        self._link = link
        self._clock = link.clock
        self._period = period
        self._counted = link.asked
        self._asked_at = float("-inf")

    async def wait(self) -> None:
        """Wait until a further request may be sent."""
        requests = self._link.asked - self._counted
        self._counted += requests
        due = self._asked_at + min(requests, _MOST_WAITED_FOR) * self._period
        await self._clock.sleep(max(0.0, due - self._clock.time()))
        self._asked_at = self._clock.time()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadProfileSet:
    """A data set of the load profile that is used.

    number is 1 to 4. Each of its blocks holds up to intervals_per_block intervals of
    the length interval; valid_blocks of them hold any. active says whether it is
    recording.
    """

    number: int
    channels: tuple[LoadProfileChannel, ...]
    interval: timedelta
    intervals_per_block: int
    blocks: int
    valid_blocks: int
    active: bool
    dimensions: DataSetDimensions = field(repr=False)
    status: DataSetStatus | None = field(default=None, repr=False)

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of the channels."""
        return tuple(channel.key for channel in self.channels)

    @property
    def span(self) -> timedelta:
        """How far back the data set can reach once all blocks are full."""
        return self.blocks * self.intervals_per_block * self.interval


def best_data_set(
    sets: Iterable[LoadProfileSet], keys: Iterable[str]
) -> LoadProfileSet | None:
    """Return the data set that has most of the keys, None if there is no set.

    Of several such sets, it is one that is recording, whose intervals end with the
    hours, and that reaches back the farthest.
    """
    wanted = set(keys)
    return max(
        sets,
        key=lambda each: (
            len(wanted.intersection(each.keys)),
            each.active,
            not _HOUR % each.interval,
            each.span,
            -each.number,
        ),
        default=None,
    )


async def read_load_profile_sets(
    link: Link,
    firmware: tuple[int, int, int],
    facts: RegisterMap,
    pace: Pace | None = None,
) -> tuple[LoadProfileSet, ...]:
    """Read the data sets that are used: BT61, BT62 and BT63.

    If they are needed, ET66 says what mapped channels are, ET57 what is recorded of
    M-Bus meters, and ET21 how the intervals are meant.

    Raises MeterError, also while the scale of the readings is unknown, and
    RefusalError where the meter has no load profile.
    """
    if facts.energy_unit is None or facts.constants is None or facts.selection is None:
        raise MeterError("The meter has not told yet what it counts, and in which unit")
    pace = pace or Pace(link, 0)
    dimensions = tuple(
        [
            await _settled(link, pace, firmware, index, each)
            for index, each in enumerate(await _read_dimensions(link, pace))
        ]
    )
    if not any(each.used for each in dimensions):
        return ()
    length = sum(each.control_length for each in dimensions)
    await pace.wait()
    sources = decode_load_profile_sources(await link.read(_BT62, 0, length), dimensions)
    mapping = await _read_mapping(link, pace, mapping_length(sum(sources, ())))
    await pace.wait()
    states = await link.read(_BT63, 0, DATA_SET_STATUS_LENGTH * len(dimensions))
    mbus = await _read_mbus_registers(
        link, pace, firmware, dimensions, sources, mapping
    )
    sets: list[LoadProfileSet] = []
    for index, each in enumerate(dimensions):
        if each.used and each.interval:
            begin = DATA_SET_STATUS_LENGTH * index
            status = decode_data_set_status(states[begin:], index)
            sets.append(
                LoadProfileSet(
                    number=index + 1,
                    channels=load_profile_channels(
                        sources[index], mapping, facts, mbus[index]
                    ),
                    interval=each.interval,
                    intervals_per_block=each.intervals,
                    blocks=each.blocks,
                    valid_blocks=min(status.valid_blocks, each.blocks),
                    active=status.active,
                    dimensions=each,
                    status=status,
                )
            )
    return tuple(sets)


async def _read_mapping(link: Link, pace: Pace, length: int) -> Mapping[int, int]:
    """Read what mapped ids stand for, from length bytes; nothing if it is out of reach."""
    if not length:
        return {}
    await pace.wait()
    try:
        return decode_source_mapping(await link.read(_ET66, 0, length))
    except RefusalError as err:
        if not is_out_of_reach(err):
            raise
        _LOGGER.debug("Some channels remain unknown: %s", err)
        return {}


async def _read_dimensions(link: Link, pace: Pace) -> tuple[DataSetDimensions, ...]:
    """Read BT61, which is shorter on meters with a single data set."""
    await pace.wait()
    try:
        data = await link.read_within(_BT61, 0, DIMENSIONS_LENGTH)
    except RefusalError as err:
        if not is_absent(err):
            raise
        await pace.wait()
        data = await link.read(_BT61, 0, SINGLE_DIMENSIONS_LENGTH)
    return decode_load_profile_dimensions(data)


async def _settled(
    link: Link,
    pace: Pace,
    firmware: tuple[int, int, int],
    index: int,
    dimensions: DataSetDimensions,
) -> DataSetDimensions:
    """Return the dimensions of a data set, with the interval that ET21 decides.

    Without ET21 it is not known, and the data set cannot be used.
    """
    if not dimensions.is_open:
        return dimensions
    configuration = await _read_configuration(link, pace, firmware, index, dimensions)
    if configuration is None:
        _LOGGER.info("The intervals of data set %s are of unknown length", index + 1)
        return replace(dimensions, interval=None)
    return replace(dimensions, interval=configuration.interval)


async def _read_configuration(
    link: Link,
    pace: Pace,
    firmware: tuple[int, int, int],
    index: int,
    dimensions: DataSetDimensions,
) -> DataSetConfiguration | None:
    """Read the part of ET21 of a data set, or of ET42; None if both are out of reach."""
    await pace.wait()
    configuration: DataSetConfiguration | None
    try:
        configuration = await read_configuration(link, index, firmware)
    except RefusalError as err:
        if not is_out_of_reach(err):
            raise
        configuration = await _read_defined(link, pace, index, dimensions)
    if configuration is None or not configuration.is_of(dimensions):
        return None
    return configuration


async def _read_defined(
    link: Link, pace: Pace, index: int, dimensions: DataSetDimensions
) -> DataSetConfiguration | None:
    """Read what ET42 says of a data set, if its blocks are laid out by the rules.

    At the optical port, the usual key reaches ET42 and not ET21.
    """
    await pace.wait()
    try:
        defined = (await read_interface_definition(link)).data_sets[index]
    except RefusalError as err:
        if not is_out_of_reach(err):
            raise
        return None
    ruled = block_layout(replace(dimensions, interval=_HOUR), None)
    if defined is None or (defined.block_size, defined.interval_size) != (
        ruled.block_size,
        ruled.interval_size,
    ):
        return None
    return DataSetConfiguration(
        block_size=ruled.block_size,
        status_offset=ruled.status_offset,
        intervals_offset=ruled.intervals_offset,
        interval_size=ruled.interval_size,
        channels_offset=ruled.channels_offset,
        channels=defined.channels,
        interval_code=defined.interval_code,
        is_ansi=defined.is_ansi,
    )


async def _read_mbus_registers(
    link: Link,
    pace: Pace,
    firmware: tuple[int, int, int],
    dimensions: tuple[DataSetDimensions, ...],
    sources: tuple[tuple[int, ...], ...],
    mapping: Mapping[int, int],
) -> list[Mapping[int, MBusRegister]]:
    """Read what each data set records of M-Bus meters, by data type.

    An ANSI-compliant one says nothing of values that are missing or not current, so
    that its values cannot be used.
    """
    found: list[Mapping[int, MBusRegister]] = []
    registers: Mapping[int, MBusRegister] | None = None
    for index, (each, ids) in enumerate(zip(dimensions, sources, strict=True)):
        usable: Mapping[int, MBusRegister] = {}
        if any(is_mbus(mapping.get(source, 0)) for source in ids):
            configuration = await _read_configuration(link, pace, firmware, index, each)
            if configuration is not None and not configuration.is_ansi:
                if registers is None:
                    registers = await _read_data_types(link, pace)
                usable = registers
        found.append(usable)
    return found


async def _read_data_types(link: Link, pace: Pace) -> Mapping[int, MBusRegister]:
    """Read what the M-Bus data types are; nothing if that is out of reach."""
    await pace.wait()
    try:
        dimensions = decode_device_dimensions(
            await link.read(_ET11, 0, DEVICE_DIMENSIONS_LENGTH)
        )
        await pace.wait()
        length = DATA_TYPE_LENGTH * dimensions.data_types
        return decode_data_types(await link.read(_ET57, 0, length))
    except RefusalError as err:
        if not is_out_of_reach(err):
            raise
        _LOGGER.debug("What is recorded of M-Bus meters remains unknown: %s", err)
        return {}


async def read_configuration(
    link: Link, index: int, firmware: tuple[int, int, int]
) -> DataSetConfiguration:
    """Read the part of ET21 of a data set, counted from 0. Raises MeterError."""
    offset = configuration_offset(index, firmware)
    data = await link.read(_ET21, offset, CONFIGURATION_LENGTH)
    return decode_data_set_configuration(data, offset)


class DataSetReader:
    """Reads the blocks of one data set, each request in its turn and paced."""

    def __init__(self, link: Link, pace: Pace, data_set: LoadProfileSet) -> None:
        """Initialize with a data set that was just read."""
        self.data_set = data_set
        self.table = table_name(_BT64 + data_set.number - 1)
        self._link = link
        self._pace = pace

    @property
    def capacity(self) -> int:
        """How many bytes one request can return."""
        return self._link.reply_capacity

    async def read(self, offset: int, length: int) -> bytes:
        """Return bytes of the blocks, not more than one reply holds."""
        await self._pace.wait()
        data = await self._link.read(parse_table(self.table), offset, length)
        return TableData(self.table, data, offset).raw(offset, length)

    def decode_header(
        self, data: bytes, offset: int, layout: BlockLayout
    ) -> BlockHeader | None:
        """Return a block's header, None if it is invalid.

        The intervals of such a block are lost, those of other blocks are not.
        """
        try:
            return decode_block_header(self.table, data, offset, layout)
        except DecodeError as err:
            _LOGGER.warning("A block of the load profile is left out: %s", err)
            return None

    async def read_status(self) -> DataSetStatus:
        """Return which blocks there are, from BT63."""
        index = self.data_set.number - 1
        await self._pace.wait()
        data = await self._link.read(
            _BT63, DATA_SET_STATUS_LENGTH * index, DATA_SET_STATUS_LENGTH
        )
        return decode_data_set_status(data, index)

    async def read_layout(self, firmware: tuple[int, int, int]) -> BlockLayout:
        """Return how the blocks are laid out, from ET21 if that says it.

        Else the rules of the guide say the same.
        """
        configuration: DataSetConfiguration | None = None
        await self._pace.wait()
        try:
            configuration = await read_configuration(
                self._link, self.data_set.number - 1, firmware
            )
        except (RefusalError, DecodeError) as err:
            _LOGGER.debug("The layout of the load profile is computed: %s", err)
        return block_layout(self.data_set.dimensions, configuration)
