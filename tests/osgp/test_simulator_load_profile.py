"""The load profile of the simulated meter: layout, places, values."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from struct import unpack_from

import pytest

from tests.simulator import (
    EVERY_PROFILE,
    PROFILES,
    Interval,
    SimulatedMeter,
    with_firmware,
)
from tests.simulator.load_profile.history import encoded
from tests.simulator.probe import Probe
from tests.simulator.profiles import GEN3, GEN4
from tests.simulator.registers import Snapshot
from tests.simulator.variants import LOAD_PROFILES

from .load_profile_reader import (
    DST,
    NOW,
    POWER_FAIL,
    QUARTER,
    SUMMER,
    TINY,
    at,
    date,
    decode,
    decoded_block,
    decoded_interval,
    element_of,
    meter_of,
    read,
)


def test_worked_example() -> None:
    """3 blocks of 4 intervals, 2 channels: the bytes and places of the example."""
    meter = meter_of(replace(GEN3, load_profile=()), at(16))
    meter.configure_load_profile(TINY)
    meter.add_outage(at(18, 20), at(18, 21))
    meter.freeze(at(18, 15))
    meter.set_energy(0, 12_340_000)
    meter.set_energy(1, 1200)
    meter.freeze(at(18, 40))
    element = element_of(meter)
    assert (element.header_size, element.interval_size, element.block_size) == (
        6,
        10,
        46,
    )
    assert (element.last_block, element.last_interval) == (2, 1)
    newest = element.last_block * 46 + 6 + element.last_interval * 10
    assert newest == 108
    table = read(meter, 64)
    assert len(table) == 138
    assert table[92:98].hex() == "1a0211121e03"
    assert table[98:108].hex() == "0000204bbc00b0040000"
    forward, reverse = (meter.register_truth(s, at(18, 30)) for s in (0, 1))
    assert table[108:118] == b"\x20\0" + forward.to_bytes(4, "little") + (
        reverse.to_bytes(4, "little")
    )
    assert table[118:] == bytes(20)
    example = Interval(
        end=at(18, 30),
        common=POWER_FAIL,
        statuses=(0, 0),
        values=(12_340_512, 1200),
        truth=(12_340_512, 1200),
    )
    assert encoded(example, TINY).hex() == "2000204dbc00b0040000"


@pytest.mark.parametrize(
    ("firmware", "sets", "internal"),
    [
        ((3, 0), 1, 107),
        ((3, 10), 1, 107),
        ((3, 50), 4, 4 * 111),
        ((3, 60), 4, 4 * 131),
        ((3, 70), 4, 4 * 131),
        ((4, 30), 4, 4 * 131),
    ],
)
def test_lengths(firmware: tuple[int, int], sets: int, internal: int) -> None:
    """One data set before 3.50, then four; ET21 grows with the firmware."""
    base = GEN4 if firmware >= (4, 0) else GEN3
    meter = meter_of(with_firmware(base, *firmware))
    assert len(read(meter, 60)) == len(read(meter, 61)) == 7 + 6 * sets
    assert len(read(meter, 63)) == 13 * sets
    assert len(read(meter, 0x815)) == internal
    assert len(read(meter, 0x842)) == 128
    channels = sum(s.channels for s in meter.profile.data_sets)
    assert len(read(meter, 62)) == sets + 3 * channels
    for number in range(4):
        data = meter.content(64 + number)
        assert (data is None) == (number >= sets)
        if data is not None:
            size = meter.profile.data_sets[number].size
            assert len(data) == size
            assert len(data[max(0, size - 9) :]) == min(9, size)
    flags, formats = unpack_from("<HB", read(meter, 61), 4)
    assert (flags, formats) == (0b11 << 10, 1 << 5)


@pytest.mark.parametrize("name", [*LOAD_PROFILES, "gen3", "gen4", "ct", "fw_3_10"])
def test_dimensions_fit(name: str) -> None:
    """Sizes follow the guide's formulas, and all sets fit the memory."""
    meter = meter_of(name)
    dimensions, most = read(meter, 61), read(meter, 60)
    (memory,), (most_memory,) = unpack_from("<I", dimensions), unpack_from("<I", most)
    assert memory == sum(len(meter.content(64 + n) or b"") for n in range(4))
    assert memory <= most_memory
    for number, data_set in enumerate(meter.profile.data_sets):
        element = element_of(meter, number)
        assert element.sources == data_set.sources
        if not element.blocks:
            assert data_set.size == element.flags == element.valid == 0
            continue
        status = (element.intervals + 7) // 8
        assert element.header_size == element.first_offset == 5 + status
        assert element.value_offset == element.channels // 2 + 1
        assert element.interval_size == element.value_offset + 4 * element.channels
        size = element.first_offset + element.intervals * element.interval_size
        assert element.block_size == size
        assert element.flags & 0b100100 == 0b100100


def test_variants_are_different_meters() -> None:
    """No two profiles share a serial number or a transceiver, or a name."""
    assert not PROFILES.keys() & LOAD_PROFILES.keys()
    for name in ("serial_number", "transceiver_id"):
        values = {getattr(profile, name) for profile in EVERY_PROFILE.values()}
        assert len(values) == len(EVERY_PROFILE)


def test_interface_definition() -> None:
    """ET42 repeats set 1, the extended sources, and the further active sets."""
    for name in ("lp_sets", "lp_mbus", "lp_20min", "gen3", "lp_none", "fw_3_10"):
        meter = meter_of(name)
        sets = meter.profile.data_sets
        data = read(meter, 0x82A)
        fixed, logs, demands, coincidents = data[2], data[3], data[13], data[14]
        _check_set(data, 23, meter, 0)
        place = fixed + 3 * logs + demands + coincidents
        sources = unpack_from(f"<{data[29]}H", data, place)
        assert sources == sets[0].sources
        place += 2 * data[29]
        place += 1 + 4 * data[place]
        if not meter.profile.since(3, 50):
            assert place == len(data)
            continue
        further = [n for n in range(1, 4) if data[place] >> n - 1 & 1]
        assert further == [n for n in range(1, 4) if sets[n].blocks]
        place += 1
        for number in further:
            _check_set(data, place, meter, number)
            channels = data[place + 6]
            sources = unpack_from(f"<{channels}H", data, place + 14)
            assert sources == sets[number].sources
            place += 14 + 2 * channels
        assert data[place] == 8 == len(data) - place


def _check_set(data: bytes, place: int, meter: SimulatedMeter, number: int) -> None:
    element = element_of(meter, number)
    block, blocks, channels, _, size, _, intervals, hour, minute = unpack_from(
        "<IHBBBBHBB", data, place
    )
    assert (block, blocks, channels) == (
        element.block_size,
        element.blocks,
        element.channels,
    )
    assert (size, intervals) == (element.interval_size, element.intervals)
    assert (hour, minute) == meter.profile.data_sets[number].start


def test_mapped_sources() -> None:
    """Ids from 112 on stand for the entries of ET66, across all sets."""
    meter = meter_of("lp_20min")
    assert read(meter, 62)[1:12:3] == bytes((0, 112, 113, 3))
    assert unpack_from("<3H", read(meter, 0x842)) == (1, 2, 0)
    meter = meter_of("lp_mbus")
    assert unpack_from("<4H", read(meter, 0x842)) == (0x4001, 0x4102, 0x4203, 0x4302)
    with pytest.raises(ValueError, match="mapped"):
        meter.configure_load_profile(
            *(replace(TINY, sources=(0,) * 16, mapped=tuple(range(16))),) * 4
        )


@pytest.mark.parametrize(
    "name", [*LOAD_PROFILES, "gen3", "gen4", "ct", "vt", "fw_3_10"]
)
@pytest.mark.parametrize("now", [NOW, SUMMER])
def test_values_are_the_registers(name: str, now: datetime) -> None:
    """Each interval has the registers at its end, whatever its length."""
    meter = meter_of(name, now)
    for number, data_set in enumerate(meter.profile.data_sets):
        if not data_set.blocks:
            continue
        whole = data_set.blocks * data_set.intervals
        found = decode(meter, number, 2 + 40 // data_set.intervals)
        assert found
        assert whole >= len(found) > data_set.intervals
        newest = max(found)
        assert timedelta() <= now - newest < timedelta(seconds=data_set.seconds)
        ends = [
            newest - n * timedelta(seconds=data_set.seconds) for n in range(len(found))
        ]
        assert sorted(found, reverse=True) == ends
        for end, (common, statuses, values) in found.items():
            assert common in {0, DST}
            snapshot = Snapshot(meter.profile, 1, int(end.timestamp()))
            for channel, source in enumerate(data_set.sources):
                if source > 0xFF:
                    continue
                assert values[channel] == meter.load_profile.interval_truth(
                    number, channel, end
                )
                assert statuses[channel] == 0
                if source not in {4, 5}:
                    assert values[channel] == snapshot.value(source)


@pytest.mark.parametrize(
    ("name", "start"),
    [("gen3", (23, 0)), ("lp_7min", (0, 3)), ("lp_2h", (23, 0)), ("lp_day", (23, 0))],
)
def test_block_start(name: str, start: tuple[int, int]) -> None:
    """Blocks follow each other from the requested hour; days end at that hour."""
    meter = meter_of(name)
    internal = read(meter, 0x815)
    assert tuple(internal[89:91]) == start
    block = date(internal[83:89])
    data_set = meter.profile.data_sets[0]
    origin = datetime(2024, 12, 31, tzinfo=UTC).replace(hour=start[0], minute=start[1])
    if start == (0, 3):
        origin = datetime(2024, 12, 31, 0, 3, tzinfo=UTC)
    assert (block - origin) % timedelta(
        seconds=data_set.seconds * data_set.intervals
    ) == (timedelta())
    newest = meter.load_profile.truth()["last"]
    assert date(internal[94:100]).timestamp() == newest
    local = date(internal[101:107]).replace(tzinfo=meter.zone)
    assert local.timestamp() == newest
    index = unpack_from("<H", internal, 20)[0]
    assert block.timestamp() + (index + 1) * data_set.seconds == newest


def test_position_formulas() -> None:
    """Section 9.11: where the newest interval is, and the last full block."""
    for minutes in range(0, 60 * 6, 5):
        meter = meter_of("lp_tiny", NOW + timedelta(minutes=minutes))
        element = element_of(meter)
        table, newest = read(meter, 64), meter.load_profile.intervals()[-1]
        offset = element.last_block * element.block_size + element.header_size
        offset += element.last_interval * element.interval_size
        data = table[offset : offset + element.interval_size]
        assert decoded_interval(data, element)[2] == newest.values
        before = (element.last_block - 1) % element.blocks * element.block_size
        ends = [
            end
            for end, _ in decoded_block(
                table[before : before + element.block_size], element
            )
        ]
        block = date(read(meter, 0x815)[83:89])
        assert ends == [block - n * QUARTER for n in (3, 2, 1, 0)]


def test_circular_at_every_position() -> None:
    """Over three rounds of the ring, from the first interval on, nothing is mixed up."""
    meter = meter_of(replace(GEN3, load_profile=()), at(10, 7))
    meter.configure_load_profile(TINY)
    element = element_of(meter)
    assert (element.valid, element.sequence, decode(meter)) == (0, 0, {})
    assert meter.load_profile.intervals() == []
    assert not any(read(meter, 64))
    for count in range(1, 38):
        end = at(10) + count * QUARTER
        meter.freeze(end + timedelta(seconds=3 * count))
        element = element_of(meter)
        blocks = (count + 3) // 4
        assert element.sequence == blocks
        assert element.valid == min(3, blocks)
        assert element.last_block == (blocks - 1) % 3
        assert (
            element.valid_intervals == element.last_interval + 1 == (count - 1) % 4 + 1
        )
        assert element.flags >> 1 & 1 == (blocks > 3)
        found = decode(meter)
        kept = count - 4 * (blocks - element.valid)
        assert sorted(found) == [end - n * QUARTER for n in reversed(range(kept))]
        assert sorted(found) == meter.load_profile.ends()
        for time, (_, _, values) in found.items():
            snapshot = Snapshot(meter.profile, 1, int(time.timestamp()))
            assert values == (snapshot.value(0), snapshot.value(1))


def test_left_over_bytes() -> None:
    """The rest of the newest block still has what was there a round before."""
    meter = meter_of("lp_tiny", at(18, 16))
    element = element_of(meter)
    block = element.last_block * element.block_size
    old = read(meter, 64)[block : block + element.block_size]
    assert old[5] == 1
    earlier = meter_of("lp_tiny", at(16, 1))
    full = read(earlier, 64)[block : block + element.block_size]
    assert full[5] == 0b1111
    assert old[16:] == full[16:]
    assert old[6:16] != full[6:16]


def test_only_what_is_asked_for() -> None:
    """Any stretch of a large table is that of the whole one."""
    meter = meter_of("gen4")
    probe = Probe(meter)
    for number in (65, 64):
        whole = read(meter, number)
        for start in range(0, 6000, 397):
            assert probe.read(number, start, 389) == whole[start : start + 389]
        last = len(whole) - 7
        assert probe.read(number, last, 7) == whole[last:]
        assert probe.ask(probe.covered(number, last, 8)) == b"\x05"
        assert probe.read_full(number) == b"\x04"
    assert probe.ask(probe.covered(66, 0, 1)) == b"\x05"
    advanced = Probe(meter, key=meter.advanced_key)
    assert advanced.ask(advanced.covered(64, 0, 1, code=0x4F, data=b"\0")) == b"\x03"
    tables = int.from_bytes(read(meter, 0)[19:29], "little")
    assert [n for n in range(60, 68) if tables >> n & 1] == list(range(60, 68))


def test_roll_over() -> None:
    """The registers start again at 0, in the unit of the registers."""
    profile = replace(EVERY_PROFILE["ct"], rollover_digits=5)
    meter = meter_of(profile)
    meter.set_energy(0, 5000)
    intervals = meter.load_profile.intervals()
    values = [interval.values[0] for interval in intervals]
    assert max(values) < 100_000
    assert values[-1] < 5000
    rises = [(b - a) % 100_000 for a, b in pairwise(values)]
    assert max(rises) < 3000
    assert sum(rises) > 300_000  # it came round several times
    decoded = decode(meter, 0, 20)
    assert [v[0] for _, _, v in decoded.values()] == [
        meter.register_truth(0, end) for end in decoded
    ]
