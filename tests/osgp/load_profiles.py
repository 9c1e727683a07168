"""A load profile built by the guide, as bytes and as what it means."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
import struct

from osgp import HOST_CLOCK
from osgp.errors import RefusalError
from osgp.registers import RegisterMap
from osgp.tables.constants import NO_TRANSFORMERS, Constants
from osgp.tables.dimensions import (
    decode_register_dimensions,
    default_present_selection,
    default_register_selection,
)

_LEFTOVER = b"\xa5"
"""What stands in places that were never recorded: no zeros, to be noticed."""


def facts(
    *,
    dimensions: str = "030e0c0b000000040037",
    constants: Constants = NO_TRANSFORMERS,
    energy_unit: int = 1,
) -> RegisterMap:
    """Return the register map of a meter, without demand if not told otherwise."""
    actual = decode_register_dimensions(bytes.fromhex(dimensions))
    return RegisterMap(
        dimensions=actual,
        selection=default_register_selection(actual),
        present_selection=default_present_selection(actual),
        constants=constants,
        energy_unit=energy_unit,
        firmware_major=3,
    )


@dataclass(slots=True)
class RecordedBlock:
    """A block: when it began, and the values of its intervals by index."""

    begin: datetime
    values: dict[int, tuple[int, ...]]


@dataclass(slots=True, kw_only=True)
class RecordedProfile:
    """The only data set of a meter; blocks are in the order of their recording."""

    sources: tuple[int, ...]
    minutes: int
    blocks: int
    intervals: int
    recorded: list[RecordedBlock] = field(default_factory=list)

    @property
    def interval(self) -> timedelta:
        """Length of an interval."""
        return timedelta(minutes=self.minutes)

    @property
    def header_size(self) -> int:
        """Length of the header of a block."""
        return 5 + -(-self.intervals // 8)

    @property
    def interval_size(self) -> int:
        """Length of an interval."""
        return len(self.sources) // 2 + 1 + 4 * len(self.sources)

    @property
    def valid(self) -> list[RecordedBlock]:
        """The blocks that were not overwritten yet, newest last."""
        return self.recorded[-self.blocks :]

    def ends(
        self, start: datetime | None = None, end: datetime | None = None
    ) -> list[datetime]:
        """Return when the recorded intervals ended, newest first."""
        ends = [
            block.begin + (index + 1) * self.interval
            for block in reversed(self.valid)
            for index in sorted(block.values, reverse=True)
        ]
        return [
            each
            for each in ends
            if (start is None or each > start) and (end is None or each <= end)
        ]

    def tables(self) -> dict[int, bytes]:
        """Return BT61, BT62, BT63, BT64 and ET21."""
        channels = len(self.sources)
        last = (len(self.recorded) - 1) % self.blocks
        newest = self.recorded[-1] if self.recorded else None
        block_size = self.header_size + self.intervals * self.interval_size
        slots = {
            (len(self.recorded) - 1 - age) % self.blocks: block
            for age, block in enumerate(reversed(self.valid))
        }
        status = struct.pack(
            "<BHHIHH",
            0x24,
            len(self.valid),
            last,
            len(self.recorded),
            0,
            len(newest.values) if newest else 0,
        )
        configuration = bytearray(131)
        configuration[8:14] = struct.pack("<IH", block_size, self.header_size)
        configuration[14:22] = struct.pack(
            "<HHHH",
            len(self.valid),
            len(newest.values) if newest else 0,
            last,
            max(newest.values) if newest else 0,
        )
        configuration[22:27] = bytes(
            (
                5,
                self.header_size - 5,
                self.header_size,
                self.interval_size,
                channels // 2 + 1,
            )
        )
        configuration[28:30] = bytes((channels, self.minutes))
        return {
            61: struct.pack(
                "<IHBHHBB",
                self.blocks * block_size,
                0xC00,
                0x20,
                self.blocks,
                self.intervals,
                channels,
                self.minutes,
            ),
            62: b"".join(bytes((0, source, 0)) for source in self.sources) + b"\x20",
            63: status,
            64: b"".join(
                self.block(slots[slot]) if slot in slots else _LEFTOVER * block_size
                for slot in range(self.blocks)
            ),
            2048 + 21: bytes(configuration),
        }

    def block(self, block: RecordedBlock) -> bytes:
        """Return the bytes of a block."""
        end = block.begin + (max(block.values) + 1) * self.interval
        recorded = sum(1 << index for index in block.values)
        head = bytes((end.year - 2000, end.month, end.day, end.hour, end.minute))
        intervals = b"".join(
            bytes(len(self.sources) // 2 + 1)
            + struct.pack(f"<{len(self.sources)}i", *block.values[index])
            if index in block.values
            else _LEFTOVER * self.interval_size
            for index in range(self.intervals)
        )
        return head + recorded.to_bytes(self.header_size - 5, "little") + intervals


class TablesLink:
    """Stands in for a link: reads tables that are bytes, and counts."""

    def __init__(self, tables: dict[int, bytes], reply_capacity: int = 465) -> None:
        """Initialize with the tables by id."""
        self.asked = 0
        self.clock = HOST_CLOCK
        self.reply_capacity = reply_capacity
        self.tables = tables
        self.reads: list[tuple[int, int, int]] = []

    async def read(self, table: int, offset: int, count: int) -> bytes:
        """Return a stretch of a table, or refuse what goes over its end."""
        self.asked += 1
        self.reads.append((table, offset, count))
        data = self.tables.get(table, b"")
        if offset + count > len(data):
            raise RefusalError(5, f"table {table}", "too short")
        return data[offset : offset + count]

    read_within = read


MOMENT = datetime(2026, 2, 17, 18, tzinfo=UTC)
"""The time of the worked examples."""
