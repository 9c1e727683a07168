"""The simulated meter itself: digest, sequence numbers, rights, tables."""

from dataclasses import replace
from datetime import UTC, datetime
import json
from pathlib import Path
from struct import unpack, unpack_from
from typing import Any

import pytest

from tests.simulator import (
    DEFAULT_KEY,
    PROFILES,
    Profile,
    SimulatedMeter,
    table_id,
    table_name,
    with_firmware,
)
from tests.simulator.digest import digest
from tests.simulator.framing import BYTE_GAP, Assembler
from tests.simulator.packet import MAX_READ
from tests.simulator.probe import Probe, covered_request, framed, signed, verified
from tests.simulator.profiles import GEN3, GEN3_DEMAND, Demand
from tests.simulator.tables import TABLES

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parent / "vectors.json").read_text("utf-8")
)
GUIDE_KEY = bytes([1]) * 16
NOW = datetime(2026, 2, 17, 18, 15, 30, tzinfo=UTC)
ALL = pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)


def frozen_meter(profile: Profile = GEN3, key: bytes = DEFAULT_KEY) -> SimulatedMeter:
    """Return a meter whose time stands still."""
    return SimulatedMeter(profile, key=key, paced=False, clock=lambda: NOW)


def frame(name: str) -> bytes:
    """Return a whole frame of the vectors."""
    return next(bytes.fromhex(f["hex"]) for f in VECTORS["frames"] if f["id"] == name)


@pytest.mark.parametrize("vector", VECTORS["digest"], ids=lambda vector: vector["id"])
def test_digest_vectors(vector: dict[str, str]) -> None:
    """The digest is that of every vector."""
    request, reply = (bytes.fromhex(vector[k] or "") for k in ("request", "response"))
    assert (
        digest(bytes.fromhex(vector["key"]), request, reply).hex() == vector["digest"]
    )


@pytest.mark.parametrize(
    ("profile", "key", "last", "name"),
    [
        (GEN3, GUIDE_KEY, 0x77635B8F, "guide-bt23-first-read"),
        (GEN3, GUIDE_KEY, 0x77636E2E, "guide-et50-register-write"),
        (with_firmware(GEN3, 3, 70), DEFAULT_KEY, 0x0A0B0C0F, "example-bt21-no-demand"),
        (
            replace(GEN3_DEMAND, demand=Demand(time_remaining=False)),
            DEFAULT_KEY,
            0x0A0B0C12,
            "example-bt21-demand",
        ),
        (GEN3, DEFAULT_KEY, 0x0A0B0C17, "example-bt52"),
    ],
)
def test_examples(profile: Profile, key: bytes, last: int, name: str) -> None:
    """The meter answers these requests byte by byte as the guide or the example."""
    meter = frozen_meter(profile, key)
    meter.sequence = last
    assert meter.exchange(frame(name)[2:]).frames == [frame(f"{name}-reply")]


def test_sequence_window() -> None:
    """Numbers 1 to 8 ahead are accepted; others get the next number to use."""
    meter = frozen_meter()
    probe = Probe(meter)
    for step in (1, 2, 8):
        last = meter.sequence
        assert probe.ask(covered_request(0x3F, 52, last + step, 0, 7))[0] == 0
        assert meter.sequence == (last + step) & 0xFFFFFFFF
    last = meter.sequence
    for step in (0, -1, 9, 1000):
        body = probe.ask(covered_request(0x3F, 52, last + step, 0, 7))
        assert body == b"\x0c" + (last + 1).to_bytes(4)
        assert meter.sequence == last


def test_sequence_wraps() -> None:
    """After FFFFFFFF comes 0."""
    meter = frozen_meter()
    meter.sequence = 0xFFFFFFFF
    assert Probe(meter).read(52) == meter.table(52)
    assert meter.sequence == 0


def test_last_number_returned() -> None:
    """A meter of the other reading of the guide returns the last accepted number."""
    meter = SimulatedMeter(GEN3, returns_last_number=True, clock=lambda: NOW)
    meter.sequence = 500
    body = Probe(meter).ask(covered_request(0x3F, 52, 7, 0, 7))
    assert body == b"\x0c" + (500).to_bytes(4)


def test_wrong_key() -> None:
    """A request that no key fits is refused, signed with the basic key."""
    meter = frozen_meter()
    last = meter.sequence
    covered = covered_request(0x3F, 52, last + 1, 0, 7)
    (reply,) = meter.exchange(signed(covered, b"wrong key 123456")).frames
    assert verified(covered, reply) == b"\x0b"
    assert meter.sequence == last


def test_wrong_key_without_digest() -> None:
    """A meter can be told to send the refusal alone."""
    meter = SimulatedMeter(GEN3, bare_authentication_failure=True)
    covered = covered_request(0x3F, 52, 1, 0, 7)
    exchange = meter.exchange(signed(covered, b"wrong key 123456"))
    assert exchange.frames == [b"\0\x01\x0b"]


@pytest.mark.parametrize("flipped", range(20))
def test_damaged_request(flipped: int) -> None:
    """Any flipped bit in a request is noticed."""
    meter = frozen_meter()
    message = bytearray(signed(covered_request(0x3F, 52, meter.sequence + 1, 0, 7)))
    message[flipped] ^= 0x10
    assert meter.exchange(bytes(message)).reply_code == 0x0B


@pytest.mark.parametrize(
    ("covered", "code"),
    [
        (b"\x3f\0\x63" + bytes(5), 0x05),  # BT99 does not exist
        (b"\x3f\x08\x46" + b"\0\0\x8e\0\1", 0x05),  # ET70 only on generation 4
        (b"\x3f\0\x34" + b"\0\0\0\0\x08", 0x05),  # one byte behind the end
        (b"\x3f\0\x34" + b"\0\0\x07\0\x01", 0x05),
        (b"\x3f\0\x34", 0x01),  # no offset
        (b"\x99\0\x34", 0x01),
        (b"\x58\x01", 0x02),
        (b"\x4f\0\x34" + b"\0\0\0\0\1\0", 0x03),  # BT52 is never written
        (b"\x40\0\x0f" + b"\0\1\1", 0x03),  # BT15 needs the advanced key
    ],
)
def test_refusals(covered: bytes, code: int) -> None:
    """What the meter cannot or may not do is answered with a code."""
    meter = frozen_meter()
    probe = Probe(meter)
    sequence = (meter.sequence + 1).to_bytes(4)
    assert probe.ask(covered + sequence) == bytes([code])


def test_advanced_key_writes() -> None:
    """The advanced key may write more, and what is written is read back."""
    meter = frozen_meter()
    probe = Probe(meter, key=meter.advanced_key)
    covered = probe.covered(15, 9, 4, code=0x4F, data=b"\x28\0\0\0")
    assert probe.ask(covered) == b"\0"
    assert unpack("<i", probe.read(15, 9, 4)) == (40,)


def test_full_reads() -> None:
    """A full read gives the whole table, whatever length it asks for."""
    probe = Probe(frozen_meter())
    whole = probe.meter.table(23)
    assert whole is not None
    for length in (512, None, 44):
        assert probe.read_full(23, length) == b"\0\0\xdc" + whole


def test_oversize_reply_refused() -> None:
    """684 bytes of BT23 do not fit one reply; 465 do."""
    probe = Probe(frozen_meter(PROFILES["gen4"]))
    assert probe.read_full(23) == b"\x04"
    assert probe.ask(probe.covered(23, 0, MAX_READ + 1)) == b"\x04"
    table = probe.meter.table(23)
    assert table is not None
    assert probe.read(23, 0, MAX_READ) + probe.read(23, MAX_READ) == table


@ALL
def test_every_table_readable(profile: Profile) -> None:
    """Every table of every profile can be read in parts, and has the right clock."""
    probe = Probe(frozen_meter(profile))
    for number in TABLES.keys() - {table_id("ET04")}:  # that one counts the requests
        if (data := probe.meter.table(number)) is not None:
            parts = range(0, len(data), 100)
            assert data == b"".join(
                probe.read(number, start, min(100, len(data) - start))
                for start in parts
            )
    assert probe.read(52, 0, 6) == bytes([26, 2, 17, 18, 15, 30])
    assert probe.read(55, 0, 6) == bytes([26, 2, 17, 19, 15, 0])


LENGTHS = {
    "gen3": {23: 220, 22: 11, 27: 22, 28: 88, 0x80B: 32, 0x837: 198},
    "gen3_demand": {23: 551, 22: 26, 27: 57, 28: 2 * 7 + 220, 0x80B: 32},
    "ct": {23: 220, 22: 11, 27: 55, 28: 220, 0x837: 198},
    "gen4": {23: 684, 22: 19, 27: 84, 28: 336, 0x80B: 39, 0x846: 156},
    "reordered": {23: 180, 22: 9, 27: 24, 28: 96},
    "fw_2_10": {23: 220, 28: 72, 0x80B: 27},
    "fw_3_00": {23: 220, 22: 11, 27: 22, 28: 88, 0x80B: 27},
    "fw_3_10": {23: 551, 22: 26, 27: 2 + 26, 28: 2 * 4 + 104, 0x80B: 27},
    "fw_3_50": {23: 220, 22: 11, 27: 41, 28: 164, 0x80B: 32},
    "fw_3_60": {23: 1 + 160 * 5, 22: 36, 27: 8 + 41, 28: 8 * 4 + 164, 0x80B: 32},
    "fw_3_70": {23: 44 * 9, 22: 11, 27: 55, 28: 220, 0x80B: 32, 0x837: 214},
    "fw_4_00": {23: 380, 22: 19, 27: 72, 28: 288, 0x80B: 38},
    "fw_4_10": {23: 684, 22: 19, 27: 75, 28: 300, 0x80B: 38},
    "fw_4_30": {23: 1 + 126 * 9, 22: 30, 27: 4 + 84, 28: 4 * 7 + 336, 0x80B: 39},
    "vt": {23: 551, 22: 26, 27: 57, 28: 2 * 4 + 220},
    "single_phase": {23: 220, 22: 11, 27: 55, 28: 220},
    "mbus": {23: 220, 22: 11, 27: 22, 28: 88, 0x810: 5 * 517},
    "mbus_log": {23: 684, 22: 19, 27: 75, 28: 300, 0x810: 6 * 517},
}


@ALL
def test_table_lengths(profile: Profile) -> None:
    """Tables are as long as the guide's formulas say."""
    meter = frozen_meter(profile)
    for number, length in LENGTHS[profile.name].items():
        assert len(meter.table(number) or b"") == length, table_name(number)
    whole = meter.table(table_id("ET42"))
    assert whole is not None
    tiers = profile.tiers
    demand_resets = 1 if profile.demand else 0
    (block,) = unpack_from("<H", whole, 21)
    assert demand_resets + block * (1 + tiers) == LENGTHS[profile.name][23]
    assert unpack_from("<H", whole) == (len(whole),)


@pytest.mark.parametrize(
    ("firmware", "present", "et11"),
    [
        ((3, 0), 22, 27),
        ((3, 10), 26, 27),
        ((3, 40), 26, 28),
        ((3, 50), 41, 32),
        ((3, 60), 41, 32),
        ((3, 70), 55, 32),
        ((4, 0), 72, 38),
        ((4, 10), 75, 38),
        ((4, 30), 84, 39),
    ],
)
def test_firmware_steps(firmware: tuple[int, int], present: int, et11: int) -> None:
    """A profile can be had with any firmware; all of its tables still encode."""
    meter = frozen_meter(with_firmware(GEN3, *firmware))
    encoded = {number: meter.table(number) for number in TABLES}
    assert len(encoded[28] or b"") == 4 * present
    assert len(encoded[table_id("ET11")] or b"") == et11
    major_minor = int.from_bytes((encoded[1] or b"")[14:])
    assert (major_minor >> 12, major_minor >> 5 & 127) == firmware


@pytest.mark.parametrize(
    ("name", "summations", "tiers", "present"),
    [
        ("fw_3_00", 11, 4, 22),
        ("fw_3_10", 15, 4, 26),
        ("fw_3_50", 11, 4, 41),
        ("fw_3_60", 15, 4, 41),
        ("fw_3_70", 11, 8, 55),
        ("fw_4_00", 19, 4, 72),
        ("fw_4_10", 19, 8, 75),
        ("fw_4_30", 19, 8, 84),
    ],
)
def test_firmware_profiles(
    name: str, summations: int, tiers: int, present: int
) -> None:
    """There is a profile of each firmware step, with the dimensions of the guide."""
    meter = frozen_meter(PROFILES[name])
    version = int.from_bytes((meter.table(1) or b"")[14:])
    assert name == f"fw_{version >> 12}_{version >> 5 & 127:02}"
    actual, most = (meter.table(number) or b"" for number in (21, 20))
    assert (actual[3], actual[7], actual[9]) == (summations, tiers, present)
    assert all(a <= m for a, m in zip(actual[3:], most[3:], strict=True))


def test_profiles_are_different_meters() -> None:
    """No two profiles share a serial number or a transceiver."""
    for name in ("serial_number", "transceiver_id"):
        values = [getattr(profile, name) for profile in PROFILES.values()]
        assert len(set(values)) == len(values)


def test_ct_meter_is_consistent() -> None:
    """Ratios and energy unit are the same wherever the CT meter states them."""
    meter = frozen_meter(PROFILES["ct"])
    tiers = (meter.table(20) or b"")[7]
    assert (meter.table(table_id("ET55")) or b"")[146 + 4 * (tiers - 1) + 39] == 10
    assert (meter.table(table_id("ET42")) or b"")[-2:] == bytes([10, 8])
    assert unpack_from("<iiB", meter.table(15) or b"") == (1, 0, 1)
    assert unpack_from("<ii", meter.table(15) or b"", 9) == (40, 1)
    truth = meter.truth()
    assert truth["energy_unit"] == 10
    for before, after in ((8, 81), (9, 82), (10, 83), (11, 84), (12, 197), (185, 191)):
        assert truth[after] == 40 * truth[before]


@pytest.mark.parametrize(
    "profile",
    [profile for profile in PROFILES.values() if profile.since(2, 12)],
    ids=lambda profile: profile.name,
)
def test_truth_is_what_the_tables_hold(profile: Profile) -> None:
    """BT23 and BT28 hold the true values at the places that BT21/22/27 give."""
    probe = Probe(frozen_meter(profile))
    truth = probe.meter.truth()
    flags, _, _, s, n, c, _, tiers, pd, pv = probe.meter.table(21) or b""
    selection = probe.meter.table(22) or b""
    registers = probe.meter.table(23) or b""
    start = 1 if flags & 4 else 0
    record = (5 if flags & 2 else 0) + (4 if flags & 16 else 0)
    record += (4 if flags & 32 else 0) + 4
    block = 4 * s + n * record + 4 * c
    for tier in (None, *range(tiers)):
        first = start + (0 if tier is None else (1 + tier) * block)
        for index, source in enumerate(selection[:s]):
            name = source if tier is None else f"tier{tier}.{source}"
            assert unpack_from("<i", registers, first + 4 * index) == (truth[name],)
    for index, source in enumerate(selection[s : s + n]):
        offset = start + 4 * s + (index + 1) * record - 4
        assert unpack_from("<i", registers, offset) == (truth[f"demand.{source}"],)
    present = probe.meter.table(28) or b""
    record = 7 if flags & 64 else 4
    sources = probe.meter.table(27) or b""
    assert len(sources) == pd + pv
    for index, source in enumerate(sources):
        offset = (index + 1) * record - 4 if index < pd else pd * record
        offset += 4 * (index - pd) if index >= pd else 0
        assert unpack_from("<i", present, offset) == (truth[source],)


def test_clock_offset_and_shift() -> None:
    """A wrong clock changes BT52 and no reading of now; a shift moves the world."""
    meter = frozen_meter()
    stored = meter.truth()
    meter.clock_offset = -3700
    before = meter.truth() | {"utc": stored["utc"]}
    assert {key for key in before if before[key] != stored[key]} <= {
        key for key in before if str(key).startswith("billing.")
    }
    assert (meter.table(52) or b"")[:6] == bytes([26, 2, 17, 17, 13, 50])
    assert meter.truth() == before | {"utc": int(NOW.timestamp()) - 3700}
    meter.shift(86400)
    assert meter.truth()[0] > before[0]


def test_request_log_and_statistics() -> None:
    """Every request is logged with its reply."""
    probe = Probe(frozen_meter())
    probe.read(52)
    probe.read(23, 0, 44)
    probe.ask(probe.covered(99, 0, 1))
    served = probe.meter.requests
    assert [(s.table, s.count, s.reply_code) for s in served] == [
        (52, 7, 0),
        (23, 44, 0),
        (99, 1, 5),
    ]
    assert [s.reply_length for s in served] == [20, 57, 11]
    statistics = probe.meter.statistics()
    assert statistics["requests"] == statistics["replies"] == 3
    assert statistics["reply_codes"] == {"00": 2, "05": 1}


def test_assembler_pieces_and_gaps() -> None:
    """Requests come together from any pieces; a gap of over 50 ms drops one."""
    message = framed(b"0123456789abcdef")
    pieces = Assembler()
    got = [
        m for i, b in enumerate(message) for m in pieces.feed(bytes([b]), i / 100, 0)
    ]
    assert [m.message for m in got] == [message[2:]]
    late = Assembler()
    assert not late.feed(message[:9], 1.0, 0.0)
    assert not late.feed(message[9:], 1.001 + BYTE_GAP, 0.0)
    assert late.dropped == 2  # the rest of it is no request either


def test_assembler_times_and_excess() -> None:
    """Each of two requests is complete with its last byte; a long one is ignored."""
    message = framed(bytes(range(1, 9)))
    first, second = Assembler().feed(message * 2, 5.0, 0.001)
    assert (first.complete, second.complete) == pytest.approx((5.010, 5.020))
    deaf = Assembler()
    assert not deaf.feed(b"\xff\xff" + message, 0.0, 0.0)
    assert not deaf.feed(message, 0.01, 0.0)
    assert deaf.feed(message, 0.01 + 2 * BYTE_GAP, 0.0)


def test_table_names() -> None:
    """Names and numbers of tables."""
    names = ("BT23", "et04", "0x17", "23", 52)
    assert [table_id(name) for name in names] == [23, 2052, 23, 23, 52]
    assert table_name(2052) == "ET04"
    with pytest.raises(ValueError, match="XT"):
        table_id("XT1")
