"""Downloading the load profile, newest blocks first: BT64 to BT67."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
import logging
from typing import Self

from ..discovery import MeterIdentity
from ..errors import RefusalError
from ..link import Link
from ..registers import RegisterMap
from ..tables.load_profile import DataSetStatus
from ..tables.load_profile_blocks import (
    BlockHeader,
    ChannelStatus,
    IntervalFlag,
    Usability,
    decode_interval,
)
from .data_sets import (
    DataSetReader,
    LoadProfileSet,
    Pace,
    best_data_set,
    read_load_profile_sets,
)
from .plan import Part, Ring, Wanted, plan_parts

_LOGGER = logging.getLogger(__name__)

REQUEST_PERIOD = 1.0
"""Seconds per request: the guide recommends to read "tables no more than once per
second (on average)"."""

_SEQUENCE_NUMBERS = 1 << 32
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
"""Where the years of meters begin: no interval ends before."""
_PARTS_PER_CHECK = 8
"""How many parts are read before checking that the meter has not overwritten them."""

_PREFERRED_KEYS = ("energy_import", "energy_export")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadProfileInterval:
    """The readings at the end of an interval, which is aware and in UTC.

    values has those that can be used, in shown units. statuses has the status of each
    reading that is not normal: a key that is in statuses but not in values was recorded
    and cannot be used.
    """

    end: datetime
    length: timedelta
    values: Mapping[str, float]
    flags: IntervalFlag = IntervalFlag.NONE
    statuses: Mapping[str, ChannelStatus] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadProfileBatch:
    """Intervals of consecutive blocks, newest first, and the progress.

    done and total count intervals since the download began, including those that turned
    out not to be recorded.
    """

    data_set: LoadProfileSet
    intervals: tuple[LoadProfileInterval, ...]
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a download reads from, as it was at its start."""

    reader: DataSetReader
    ring: Ring
    status: DataSetStatus


@dataclass(slots=True)
class _Block:
    """A block that is being downloaded; bytes of intervals by index."""

    wanted: range
    header: BlockHeader | None
    intervals: dict[int, bytes] = field(default_factory=dict)


class LoadProfileDownload:
    """Downloads intervals as batches; an asynchronous iterator.

    It raises MeterError if the link fails; iterating further continues where it
    stopped. What the meter records after the start is not part of the download, which
    ends if the meter overwrites the rest in the meantime.

    Every part is a request of its own, so that others have their turn in between.
    """

    def __init__(
        self,
        link: Link,
        identity: MeterIdentity,
        facts: RegisterMap,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        data_set: LoadProfileSet | int | None = None,
        period: float = REQUEST_PERIOD,
    ) -> None:
        """Initialize; nothing is read yet.

        Wanted are intervals that end after start and not after end (None: no limit),
        from that data set (as it was just read, or its number) or from the one that
        records most of the energies. period is the average number of seconds per
        request of the link, including those of others. Raises ValueError for naive
        times.
        """
        for limit in (start, end):
            if limit is not None and limit.tzinfo is None:
                raise ValueError("The limits of a load profile need a time zone")
        self._link = link
        self._firmware = identity.firmware_version
        self._facts = facts
        self._start = start
        self._end = end
        self._wanted_set = data_set
        self._pace = Pace(link, period)
        self._source: _Source | None = None
        self._parts: deque[Part] = deque()
        self._blocks: dict[int, _Block] = {}
        self._complete: list[int] = []
        self._parts_read = 0
        self._done = 0
        self._total = 0
        self._earliest: datetime | None = None

    def __aiter__(self) -> Self:
        """Iterate over what has not been returned yet."""
        return self

    async def __anext__(self) -> LoadProfileBatch:
        """Return the next batch.

        Raises MeterError, and ValueError when the meter does not use the data set.
        """
        if (source := self._source or await self._plan()) is None:
            raise StopAsyncIteration
        self._source = source
        while self._parts and not (
            self._complete and self._parts_read >= _PARTS_PER_CHECK
        ):
            await self._read_part(source)
        if not self._complete:
            raise StopAsyncIteration
        left = await self._blocks_left(source)
        intervals: list[LoadProfileInterval] = []
        for age in self._complete:
            if age >= left:
                self._give_up()
                break
            intervals += self._intervals(source, self._blocks.pop(age))
        self._complete.clear()
        self._parts_read = 0
        return LoadProfileBatch(
            data_set=source.reader.data_set,
            intervals=tuple(intervals),
            done=self._done,
            total=self._total,
        )

    async def _read_part(self, source: _Source) -> None:
        """Read the next part."""
        part = self._parts[0]
        try:
            data = await source.reader.read(part.offset, part.length)
        except RefusalError:
            # With another configuration, the place may no longer exist.
            if part.pieces[-1].age < await self._blocks_left(source):
                raise
            self._give_up()
            return
        self._take(source, part, data)
        self._parts.popleft()

    async def _blocks_left(self, source: _Source) -> int:
        """Return the age up to which, but not including, blocks still exist."""
        status = await source.reader.read_status()
        begun = status.sequence_number - source.status.sequence_number
        return status.valid_blocks - begun % _SEQUENCE_NUMBERS

    def _give_up(self) -> None:
        """Drop the blocks that were not read yet."""
        _LOGGER.info("The meter has overwritten the rest of its load profile")
        self._parts.clear()

    async def _plan(self) -> _Source | None:
        """Find out which parts to read; return None if there is nothing to read."""
        if (data_set := await self._data_set()) is None:
            return None
        reader = DataSetReader(self._link, self._pace, data_set)
        layout = await reader.read_layout(self._firmware)
        status = data_set.status
        if status is None or data_set is not self._wanted_set:
            status = await reader.read_status()
        ring = Ring(
            layout=layout,
            blocks=data_set.blocks,
            valid_blocks=min(status.valid_blocks, data_set.blocks),
            last_block=status.last_block,
        )
        if not ring.valid_blocks:
            return None
        finder = _Finder(reader, ring)
        # The newest block grows: its header is read now, and kept.
        await finder.header(0)
        newest, oldest = 0, ring.valid_blocks - 1
        if self._end is not None:
            end = max(self._end, _EARLIEST)
            newest = await finder.begun_by(end - layout.interval)
        if self._start is not None:
            oldest = min(oldest, await finder.begun_by(self._start))
        wanted = list(self._wanted(range(newest, oldest + 1), finder.headers, ring))
        self._blocks = {
            each.age: _Block(each.indices, finder.headers.get(each.age))
            for each in wanted
        }
        self._total = sum(len(each.indices) for each in wanted)
        self._parts = deque(plan_parts(wanted, ring, reader.capacity))
        return _Source(reader, ring, status)

    async def _data_set(self) -> LoadProfileSet | None:
        """Return the requested data set, None if the meter uses none."""
        if isinstance(self._wanted_set, LoadProfileSet):
            return self._wanted_set
        sets = await read_load_profile_sets(
            self._link, self._firmware, self._facts, self._pace
        )
        if self._wanted_set is None:
            return best_data_set(sets, _PREFERRED_KEYS)
        for each in sets:
            if each.number == self._wanted_set:
                return each
        raise ValueError(f"The meter does not use data set {self._wanted_set}")

    def _wanted(
        self, ages: range, headers: Mapping[int, BlockHeader | None], ring: Ring
    ) -> Iterator[Wanted]:
        """Return what to read of blocks; of one without a known header, all intervals.

        A known header is read again if it lies between intervals that are read.
        """
        for age in ages:
            indices = range(ring.layout.intervals)
            header = headers.get(age)
            if header is not None:
                indices = header.indices(self._start, self._end)
            between = indices.start == 0 and age != ages[-1]
            if indices:
                yield Wanted(age, indices, header is None or between)

    def _take(self, source: _Source, part: Part, data: bytes) -> None:
        """Distribute the bytes of a part to the blocks."""
        for piece in part.pieces:
            block = self._blocks[piece.age]
            begin = piece.offset - part.offset
            raw = data[begin : begin + piece.length]
            if piece.index is not None:
                block.intervals[piece.index] = raw
                self._done += 1
            else:
                block.header = source.reader.decode_header(
                    raw, piece.offset, source.ring.layout
                )
            if piece.completes_block:
                self._complete.append(piece.age)
        self._parts_read += 1

    def _intervals(
        self, source: _Source, block: _Block
    ) -> Iterator[LoadProfileInterval]:
        """Return the requested intervals of a block that are recorded, newest first."""
        if (header := block.header) is None:
            return
        indices = header.indices(self._start, self._end)
        for index in reversed(block.wanted):
            if index not in indices or not header.is_recorded(index):
                continue
            end = header.interval_end(index)
            record = decode_interval(
                source.reader.table, block.intervals[index], 0, source.ring.layout
            )
            statuses = record.statuses
            if self._earliest is not None and end >= self._earliest:
                statuses = (ChannelStatus.TIME_REPEATED,) * len(statuses)
            else:
                self._earliest = end
            channels = source.reader.data_set.channels
            yield LoadProfileInterval(
                end=end,
                length=header.interval,
                values={
                    channel.key: shown
                    for channel, status, value in zip(
                        channels, statuses, record.values, strict=True
                    )
                    if status.usability is not Usability.UNUSABLE
                    and (shown := channel.shown(value)) is not None
                },
                flags=record.flags,
                statuses={
                    channel.key: status
                    for channel, status in zip(channels, statuses, strict=True)
                    if status is not ChannelStatus.NORMAL
                },
            )


class _Finder:
    """Finds blocks by time, reading as few headers as possible.

    headers has those that were read, by age; None for one that is invalid.
    """

    def __init__(self, reader: DataSetReader, ring: Ring) -> None:
        """Initialize with the ring of blocks to search."""
        self.headers: dict[int, BlockHeader | None] = {}
        self._reader = reader
        self._ring = ring

    async def header(self, age: int) -> BlockHeader | None:
        """Return the header of a block."""
        if age not in self.headers:
            offset, layout = self._ring.block_offset(age), self._ring.layout
            data = await self._reader.read(offset, layout.intervals_offset)
            self.headers[age] = self._reader.decode_header(data, offset, layout)
        return self.headers[age]

    async def begun_by(self, time: datetime) -> int:
        """Return the age of the newest block that began at or before a time.

        That is the number of valid blocks if none did.
        """
        low, high = 0, self._ring.valid_blocks
        guess = (low + high) // 2
        if newest := await self.header(0):
            # Right if all blocks were filled one after the other.
            guess = -((time - newest.begin) // self._ring.layout.duration)
        while low < high:
            age = max(low, min(guess, high - 1))
            header = await self.header(age)
            if header is None or header.begin > time:
                low = age + 1
            elif header.end > time:
                return age
            else:
                high = age
            guess = (low + high) // 2
        return high
