"""The load profile: BT60 to BT67, ET21, ET66."""

from datetime import UTC, datetime
from functools import partial

from ..load_profile.data_set import SETS, DataSet, mapped_sources, source_ids
from ..names import table_id
from .layout import LARGE_TABLES, LargeTable, Layout, View, long_time, table

_MEMORY = 233_856  # BT60: 256 kbyte, without the overhead
_FLAGS = 0b11 << 10  # simple and extended status
_INT32 = 1 << 5
_FORMAT = 32
_MAX_BLOCKS, _MAX_INTERVALS, _MAX_CHANNELS, _MAX_TIME = 21_259, 1440, 16, 255
_OVERFLOW, _CIRCULAR, _ACTIVE = 1 << 1, 1 << 2, 1 << 5
_BASE = 24_576  # where the load profile begins in the meter's memory
_ET21_LENGTHS = (((3, 60), 131), ((3, 50), 111))
_SOURCE_IDS = _MAX_CHANNELS * SETS


def _dimensions(memory: int, sets: list[tuple[int, int, int, int]]) -> bytes:
    layout = Layout().put(0, "IHB", memory, _FLAGS, _INT32)
    for dimensions in sets:
        layout.add("HHBB", *dimensions)
    return layout.done()


@table("BT60")
def maximum_dimensions(view: View) -> bytes:
    """The largest values that BT61 can have, each by itself."""
    most = (_MAX_BLOCKS, _MAX_INTERVALS, _MAX_CHANNELS, _MAX_TIME)
    return _dimensions(_MEMORY, [most] * len(view.profile.data_sets))


@table("BT61")
def actual_dimensions(view: View) -> bytes:
    """Blocks, intervals, channels and interval time of each data set."""
    sets = view.profile.data_sets
    return _dimensions(
        sum(data_set.size for data_set in sets),
        [(s.blocks, s.intervals, s.channels, s.interval) for s in sets],
    )


@table("BT62")
def channel_selection(view: View) -> bytes:
    """Source ids of the channels, those of ET66 from 112 on."""
    layout = Layout()
    for sources in source_ids(view.profile.data_sets):
        for source in sources:
            layout.add("BBB", 0, source, 0)
        layout.add("B", _FORMAT)
    return layout.done()


@table("BT63")
def status(view: View) -> bytes:
    """Which blocks are valid, and how far the newest one is; nobody has read any."""
    layout = Layout()
    for number, data_set in enumerate(view.profile.data_sets):
        recording = view.history.recording(number)
        flags = _CIRCULAR if data_set.blocks else 0
        flags |= _OVERFLOW if recording.total > data_set.blocks else 0
        flags |= _ACTIVE if view.history.active(number) else 0
        newest = recording.intervals(recording.total - 1) if recording.total else []
        layout.add(
            "BHHIHH",
            flags,
            recording.valid,
            recording.last_slot,
            recording.total,
            recording.valid,
            len(newest),
        )
    return layout.done()


@table("ET21")
def internal_configuration(view: View) -> bytes:
    """Sizes, places and state of each data set; longer with newer firmware."""
    profile = view.profile
    length = next((n for since, n in _ET21_LENGTHS if profile.since(*since)), 107)
    elements = []
    base = _BASE
    for number, data_set in enumerate(profile.data_sets):
        element = Layout(131).put(107, "I", _MEMORY)
        if data_set.blocks:
            _configuration(element, data_set, source_ids(profile.data_sets)[number])
            _progress(element, view, number, base)
        elements.append(element.done()[:length])
        base += data_set.size
    return b"".join(elements)


def _configuration(element: Layout, data_set: DataSet, sources: list[int]) -> None:
    header = data_set.header_size
    (
        element.put(8, "IH", data_set.block_size, header)
        .put(22, "BBB", 5, data_set.status_size, header)
        .put(25, "BB", data_set.interval_size, data_set.extended_size)
        .put(28, "BB", data_set.channels, data_set.interval)
        .put(30, "8s", bytes(sources[:8]))
        .put(70, "8s", bytes(sources[8:]))
        .put(82, "B", data_set.channels)
        .put(89, "BB", *data_set.start)
        .put(93, "B", data_set.compliant << 3)
    )


def _progress(element: Layout, view: View, number: int, base: int) -> None:
    """Write where the newest interval is, and when it ended."""
    history = view.history
    element.put(27, "B", history.common_status(number))
    element.put(78, "I", history.configuration_id)
    recording = history.recording(number)
    if not recording.total:
        element.put(0, "II", base, base)
        return
    data_set = recording.data_set
    intervals = recording.intervals(recording.total - 1)
    newest, slot = intervals[-1], recording.last_slot
    index = newest % data_set.intervals
    block = base + slot * data_set.block_size
    place = block + data_set.header_size + index * data_set.interval_size
    element.put(0, "II", block, place)
    element.put(14, "HHHH", recording.valid, len(intervals), slot, index)
    for channel, value in enumerate(history.interval(number, newest).values[:8]):
        if data_set.sources[channel] > 0xFF:
            element.put(38 + 4 * channel, "I", value & 0xFFFFFFFF)
    start = recording.grid.end(newest - index) - data_set.seconds
    end = datetime.fromtimestamp(recording.grid.end(newest), UTC)
    element.put(83, "6s", long_time(datetime.fromtimestamp(start, UTC)))
    element.put(94, "6s", long_time(end))
    element.put(101, "6s", long_time(end.astimezone(view.zone)))


@table("ET66")
def source_mapping(view: View) -> bytes:
    """The extended source ids behind 112, 113, ...; 0 behind those without use."""
    layout = Layout(2 * _SOURCE_IDS)
    mapped = mapped_sources(view.profile.data_sets)
    return layout.put(0, f"{len(mapped)}H", *mapped).done()


def _length(number: int, view: View) -> int:
    return view.profile.data_sets[number].size


def _read(number: int, view: View, start: int, end: int) -> bytes:
    return view.history.read(number, start, end)


for _number in range(SETS):
    _table = table_id("BT64") + _number
    LARGE_TABLES[_table] = LargeTable(
        number=_table,
        length=partial(_length, _number),
        read=partial(_read, _number),
        since=(3, 50) if _number else (0, 0),
    )
