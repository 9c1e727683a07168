"""Reads a simulated meter's load profile as the guide says, and no other way."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from struct import iter_unpack, unpack_from

from tests.simulator import EVERY_PROFILE, DataSet, Profile, SimulatedMeter
from tests.simulator.load_profile.data_set import MAPPED
from tests.simulator.probe import Probe
from tests.simulator.profiles import GEN3

NOW = datetime(2026, 2, 17, 18, 40, 30, tzinfo=UTC)
SUMMER = datetime(2026, 6, 21, 12, 0, 30, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
HOUR = timedelta(hours=1)
DST, POWER_FAIL, FORWARD, BACK = 1, 2, 4, 8
TINY = DataSet(sources=(0, 1), interval=15, intervals=4, blocks=3)


def meter_of(profile: Profile | str = "gen3", now: datetime = NOW) -> SimulatedMeter:
    """Return a meter of a profile whose time stands still."""
    if isinstance(profile, str):
        profile = EVERY_PROFILE[profile]
    meter = SimulatedMeter(profile, paced=False)
    meter.freeze(now)
    return meter


def with_set(data_set: DataSet, now: datetime = NOW) -> SimulatedMeter:
    """Return a meter with one data set that records since years."""
    return meter_of(replace(GEN3, load_profile=(data_set,)), now)


def read(meter: SimulatedMeter, number: int) -> bytes:
    """Return a table that is there."""
    data = meter.table(number)
    assert data is not None
    return data


def date(data: bytes) -> datetime:
    """Return an STIME_DATE or LTIME_DATE."""
    year, month, day, hour, minute, second = data.ljust(6, b"\0")
    return datetime(2000 + year, month, day, hour, minute, second, tzinfo=UTC)


def at(hour: int, minute: int = 0, *, now: datetime = NOW) -> datetime:
    """Return a time of the day."""
    return now.replace(hour=hour, minute=minute, second=0)


@dataclass(frozen=True)
class Element:
    """What BT61, BT62, BT63, ET21 and ET66 say of one data set."""

    blocks: int
    intervals: int
    channels: int
    minutes: int
    sources: tuple[int, ...]
    flags: int
    valid: int
    last_block: int
    sequence: int
    valid_intervals: int
    block_size: int
    header_size: int
    last_interval: int
    first_offset: int
    interval_size: int
    value_offset: int


def element_of(meter: SimulatedMeter, number: int = 0) -> Element:
    """Read the dimensions of a data set."""
    dimensions = read(meter, 61)
    count = (len(dimensions) - 7) // 6
    blocks, intervals, channels, code = unpack_from("<HHBB", dimensions, 7 + 6 * number)
    selection = read(meter, 62)
    start = sum(3 * dimensions[11 + 6 * other] + 1 for other in range(number))
    sources = tuple(selection[start + 3 * c + 1] for c in range(channels))
    assert selection[start + 3 * channels] == 32
    mapping = [source for (source,) in iter_unpack("<H", read(meter, 0x842))]
    status = unpack_from("<BHHIHH", read(meter, 63), 13 * number)
    whole = read(meter, 0x815)
    internal = whole[len(whole) // count * number :]
    block_size, header_size = unpack_from("<IH", internal, 8)
    element = Element(
        blocks=blocks,
        intervals=intervals,
        channels=channels,
        minutes=code if code <= 60 or internal[93] >> 3 & 1 else 60 * (code - 60),
        sources=tuple(
            mapping[source - MAPPED] if MAPPED <= source < MAPPED + 52 else source
            for source in sources
        ),
        flags=status[0],
        valid=status[1],
        last_block=status[2],
        sequence=status[3],
        valid_intervals=status[5],
        block_size=block_size,
        header_size=header_size,
        last_interval=unpack_from("<H", internal, 20)[0],
        first_offset=internal[24],
        interval_size=internal[25],
        value_offset=internal[26],
    )
    assert (internal[28], internal[29]) == (channels, code)
    assert tuple(internal[30:38] + internal[70:78])[:channels] == sources
    assert unpack_from("<H", internal, 14) == (element.valid,)
    assert unpack_from("<H", internal, 18) == (element.last_block,)
    assert unpack_from("<H", internal, 16) == (element.valid_intervals,)
    return element


type Decoded = dict[datetime, tuple[int, tuple[int, ...], tuple[int, ...]]]


def decoded_interval(
    data: bytes, element: Element
) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
    """Return common status, channel status and values."""
    nibbles = [
        nibble for byte in data[: element.value_offset] for nibble in divmod(byte, 16)
    ]
    values = unpack_from(f"<{element.channels}i", data, element.value_offset)
    return nibbles[0], tuple(nibbles[1 : element.channels + 1]), values


def decoded_block(block: bytes, element: Element) -> Iterator[tuple[datetime, bytes]]:
    """Return end and bytes of the recorded intervals of a block."""
    flags = int.from_bytes(block[5 : element.first_offset], "little")
    recorded = [i for i in range(element.intervals) if flags >> i & 1]
    newest = date(block[:5])
    for index in recorded:
        start = element.first_offset + index * element.interval_size
        steps = recorded[-1] - index
        yield (
            newest - steps * timedelta(minutes=element.minutes),
            block[start : start + element.interval_size],
        )


def decode(meter: SimulatedMeter, number: int = 0, limit: int = 10**6) -> Decoded:
    """Read a data set, newest block first, in replies of the wire's size."""
    element = element_of(meter, number)
    probe = Probe(meter)
    found: Decoded = {}
    for back in range(min(element.valid, limit)):
        place = (element.last_block - back) % element.blocks * element.block_size
        block = b"".join(
            probe.read(64 + number, start, min(460, place + element.block_size - start))
            for start in range(place, place + element.block_size, 460)
        )
        for end, data in decoded_block(block, element):
            assert end not in found
            found[end] = decoded_interval(data, element)
    return found
