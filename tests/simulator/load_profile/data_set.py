"""How a load profile data set is configured, and how long its parts are."""

from dataclasses import dataclass

MINUTE, HOUR = 60, 3600
_HOURS = 60  # BT61.12: 84 stands for 24 hours, so 61 for one
MAPPED, MAPPED_IDS = 112, 52  # first id of ET66, and how many there are
MBUS = 4 << 12


def mbus_source(device: int, data_type: int) -> int:
    """Return the extended source id of a device (0 to 3) and data type (ET57)."""
    return MBUS | device << 8 | data_type


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """One data set.

    ``sources`` are extended source ids of the channels. Those of more than 8 bits, and
    the channels of ``mapped``, are reached through ET66. ``interval`` is as in BT61.12:
    1 to 60 minutes, 61 to 84 for 1 to 24 hours; all are minutes when ``compliant``.
    ``blocks`` 0: the set is not in use.
    ``start`` is the requested block start, hour and minute, UTC. ``stuffed``: what an
    outage or a clock that was set forward kept from being recorded is filled in
    afterwards; else it stays out. ``compliant``: ANSI compliance.
    """

    sources: tuple[int, ...] = ()
    interval: int = 0
    blocks: int = 0
    intervals: int = 0
    mapped: tuple[int, ...] = ()
    start: tuple[int, int] = (0, 0)
    stuffed: bool = True
    compliant: bool = False

    @property
    def seconds(self) -> int:
        """How long an interval is."""
        if self.interval > _HOURS and not self.compliant:
            return (self.interval - _HOURS) * HOUR
        return self.interval * MINUTE

    @property
    def channels(self) -> int:
        """BT61.11."""
        return len(self.sources)

    @property
    def status_size(self) -> int:
        """Bytes of the simple status."""
        return (self.intervals + 7) // 8

    @property
    def header_size(self) -> int:
        """Bytes of a block before its first interval: end time, simple status."""
        return 5 + self.status_size

    @property
    def extended_size(self) -> int:
        """Bytes of an interval before its first value: the extended status."""
        return self.channels // 2 + 1

    @property
    def interval_size(self) -> int:
        """Bytes of an interval."""
        return self.extended_size + 4 * self.channels

    @property
    def block_size(self) -> int:
        """Bytes of a block; 0 when the set is not in use."""
        if not self.blocks:
            return 0
        return self.header_size + self.intervals * self.interval_size

    @property
    def size(self) -> int:
        """Bytes of the whole table."""
        return self.blocks * self.block_size

    def is_mapped(self, channel: int) -> bool:
        """Tell whether a channel's source stands in ET66."""
        return self.sources[channel] > 0xFF or channel in self.mapped


UNUSED = DataSet()
SETS = 4


def source_ids(data_sets: tuple[DataSet, ...]) -> list[list[int]]:
    """Return for each set the 8-bit source ids of its channels, as in BT62."""
    number = MAPPED
    ids = []
    for data_set in data_sets:
        row = []
        for channel, source in enumerate(data_set.sources):
            row.append(number if data_set.is_mapped(channel) else source)
            number += data_set.is_mapped(channel)
        ids.append(row)
    return ids


def mapped_sources(data_sets: tuple[DataSet, ...]) -> list[int]:
    """Return the entries of ET66 that are in use."""
    return [
        source
        for data_set in data_sets
        for channel, source in enumerate(data_set.sources)
        if data_set.is_mapped(channel)
    ]
