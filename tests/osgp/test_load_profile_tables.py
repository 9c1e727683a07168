"""Decoders of the load profile, and the arithmetic of its blocks."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
import struct

from hypothesis import given, strategies as st
import pytest

from osgp import ChannelStatus, DecodeError, IntervalFlag
from osgp.load_profile.plan import Piece, Ring, Wanted, plan_parts
from osgp.tables.interface import (
    decode_interface_definition,
    decode_interface_definition_length,
)
from osgp.tables.load_profile import (
    DataSetDimensions,
    configuration_offset,
    decode_data_set_configuration,
    decode_data_set_status,
    decode_load_profile_dimensions,
    decode_load_profile_sources,
    decode_source_mapping,
    interval_length,
    mapping_length,
)
from osgp.tables.load_profile_blocks import (
    BlockHeader,
    BlockLayout,
    Usability,
    block_layout,
    decode_block_header,
    decode_interval,
)

from .load_profiles import MOMENT, RecordedProfile

_QUARTER_HOUR = timedelta(minutes=15)
_EXAMPLE = DataSetDimensions(
    blocks=3, intervals=4, channels=2, interval=_QUARTER_HOUR, interval_code=15
)
_BLOCK = bytes.fromhex(
    "1A0211121E 03 0000 204BBC00 B0040000 2000 204DBC00 B0040000"
) + bytes(20)
"""The worked example of the protocol reference: the newest block of three."""


def test_worked_example() -> None:
    """BT64: the newest of three blocks, with two of four intervals."""
    layout = block_layout(_EXAMPLE, None)
    assert layout.block_size == 46
    header = decode_block_header("BT64", _BLOCK, 92, layout)
    assert header.end == datetime(2026, 2, 17, 18, 30, tzinfo=UTC)
    assert [header.is_recorded(index) for index in range(4)] == [1, 1, 0, 0]
    assert (header.last, header.begin) == (1, MOMENT)
    assert header.interval_end(0) == datetime(2026, 2, 17, 18, 15, tzinfo=UTC)
    stray = decode_block_header("BT64", _BLOCK[:5] + b"\xf3", 92, layout)
    assert stray == header
    ring = Ring(layout=layout, blocks=3, valid_blocks=3, last_block=2)
    newest = ring.block_offset(0) + layout.interval_offset(1)
    assert (newest, layout.interval_size) == (108, 10)
    first = decode_interval("BT64", _BLOCK[6:16], 98, layout)
    assert first.values == (12_340_000, 1_200)
    assert first.flags is IntervalFlag.NONE
    second = decode_interval("BT64", _BLOCK[16:26], newest, layout)
    assert second.values == (12_340_512, 1_200)
    assert second.flags is IntervalFlag.POWER_FAILURE
    assert second.statuses == (ChannelStatus.NORMAL,) * 2


def test_dimensions() -> None:
    """BT61: four data sets with 31 bytes, one with 13."""
    head = struct.pack("<IHB", 104832, 0xC00, 0x20)
    example = struct.pack("<HHBB", 3, 4, 2, 15)
    day = struct.pack("<HHBB", 12, 31, 5, 84)
    unused = bytes(6)
    assert decode_load_profile_dimensions(head + example) == (_EXAMPLE,)
    sets = decode_load_profile_dimensions(head + example + unused + day + unused)
    assert len(sets) == 4
    assert sets[0] == _EXAMPLE
    assert [each.used for each in sets] == [True, False, True, False]
    assert sets[2].interval == timedelta(days=1)
    assert [each.control_length for each in sets] == [7, 1, 16, 1]
    flags = struct.pack("<IHB", 0, 0xC00 | 1 << 4 | 1 << 7, 0x20)
    first, second = decode_load_profile_dimensions(flags + example + day)
    assert first.end_readings
    assert (first.scaled, second.scaled) == (False, True)
    assert second.control_length == 16 + 4 * 5
    with pytest.raises(DecodeError, match="BT61"):
        decode_load_profile_dimensions(head)


@pytest.mark.parametrize(
    ("code", "minutes"),
    [(0, None), (1, 1), (15, 15), (60, 60), (61, 60), (84, 1440), (85, None)],
)
def test_interval_length(code: int, minutes: int | None) -> None:
    """Minutes up to 60, hours above, and a day is 84."""
    length = None if minutes is None else timedelta(minutes=minutes)
    assert interval_length(code) == length


@pytest.mark.parametrize(
    ("code", "minutes"), [(0, None), (60, 60), (61, 61), (84, 84), (240, 240)]
)
def test_ansi_interval_length(code: int, minutes: int | None) -> None:
    """ANSI-compliant intervals are in minutes only; ET21 tells it at its end."""
    length = None if minutes is None else timedelta(minutes=minutes)
    assert interval_length(code, minutes_only=True) == length
    data = _configuration(minutes=code, options=1 << 3)
    configuration = decode_data_set_configuration(data, 0)
    assert (configuration.is_ansi, configuration.interval) == (True, length)
    plain = decode_data_set_configuration(_configuration(minutes=code), 0)
    assert (plain.is_ansi, plain.interval) == (False, interval_length(code))


def test_sources() -> None:
    """BT62: the middle byte of each channel; an unused set is its format alone."""
    unused = DataSetDimensions(blocks=0, intervals=0, channels=0, interval=None)
    data = bytes.fromhex("000000 000100 2000007000 000000 20")
    sources = decode_load_profile_sources(data, (_EXAMPLE, unused, _EXAMPLE))
    assert sources == ((0, 1), (), (112, 0))
    with pytest.raises(DecodeError, match="BT62"):
        decode_load_profile_sources(data[:5], (_EXAMPLE,))


def test_values_that_are_no_plain_registers() -> None:
    """Other formats than INT32, and scaled values, are refused."""
    with pytest.raises(DecodeError, match="format 16"):
        decode_load_profile_sources(bytes.fromhex("000000 000100 10"), (_EXAMPLE,))
    scaled = DataSetDimensions(
        blocks=1, intervals=1, channels=1, interval=_QUARTER_HOUR, scaled=True
    )
    with pytest.raises(DecodeError, match="not understood"):
        decode_load_profile_sources(bytes.fromhex("000000 20 01000100"), (scaled,))


def test_source_mapping() -> None:
    """ET66: only as much as is needed, by id."""
    assert mapping_length((0, 1, 164)) == 0
    assert mapping_length((0, 112)) == 2
    assert mapping_length((114, 112)) == 6
    mapping = decode_source_mapping(bytes.fromhex("0140 0000 0243"))
    assert mapping == {112: 0x4001, 113: 0, 114: 0x4302}


def test_status() -> None:
    """BT63: the part of the second data set."""
    status = decode_data_set_status(bytes.fromhex("26 0300 0200 07000100 0100 0200"), 1)
    assert status.active
    assert (status.valid_blocks, status.last_block) == (3, 2)
    assert status.sequence_number == 65543
    with pytest.raises(DecodeError, match="BT63 at 18"):
        decode_data_set_status(bytes(8), 1)


@pytest.mark.parametrize(
    ("firmware", "offset"),
    [
        ((3, 10, 21), 214),
        ((3, 50, 0), 222),
        ((3, 60, 0), 262),
        ((4, 30, 7), 262),
        ((1, 20, 0), 262),
    ],
)
def test_configuration_offset(firmware: tuple[int, int, int], offset: int) -> None:
    """ET21: the parts grew with the firmware; modules begin at version 1."""
    assert configuration_offset(0, firmware) == 0
    assert configuration_offset(2, firmware) == offset


def _configuration(**changes: int) -> bytes:
    """Return ET21 of a meter that says more than the guide's rules do."""
    fields = {
        "block_size": 60,
        "header_size": 8,
        "status_offset": 7,
        "status_size": 1,
        "intervals_offset": 8,
        "interval_size": 12,
        "channels_offset": 4,
        "channels": 2,
        "minutes": 15,
        "options": 0,
    } | changes
    data = bytearray(94)
    data[8:14] = struct.pack("<IH", fields["block_size"], fields["header_size"])
    names = "status_offset status_size intervals_offset interval_size channels_offset"
    data[22:27] = bytes(fields[name] for name in names.split())
    data[28:30] = bytes((fields["channels"], fields["minutes"]))
    data[93] = fields["options"]
    return bytes(data)


def test_configuration() -> None:
    """ET21 tells the layout, wherever it differs from the computed one."""
    configuration = decode_data_set_configuration(_configuration(), 131)
    layout = block_layout(_EXAMPLE, configuration)
    assert (layout.block_size, layout.status_offset) == (60, 7)
    assert layout.interval_offset(2) == 8 + 2 * 12
    interval = bytes.fromhex("0000ffff 01000000 02000000")
    assert decode_interval("BT64", interval, 8, layout).values == (1, 2)
    with pytest.raises(DecodeError, match="ET21"):
        decode_data_set_configuration(bytes(93), 0)


@pytest.mark.parametrize(
    "change",
    [
        {"channels": 3},
        {"minutes": 30},
        {"block_size": 55},
        {"interval_size": 11},
        {"channels_offset": 1},
        {"intervals_offset": 7},
        {"status_offset": 4},
    ],
)
def test_configuration_of_another_data_set(change: dict[str, int]) -> None:
    """ET21 at a wrong place cannot be told from this: the computed layout holds."""
    configuration = decode_data_set_configuration(_configuration(**change), 0)
    assert block_layout(_EXAMPLE, configuration) == block_layout(_EXAMPLE, None)


def test_end_readings() -> None:
    """Blocks with readings of their own have the status behind these."""
    dimensions = DataSetDimensions(
        blocks=3, intervals=9, channels=2, interval=_QUARTER_HOUR, end_readings=True
    )
    layout = block_layout(dimensions, None)
    assert (layout.status_offset, layout.intervals_offset) == (13, 15)


_USABILITY = {
    **dict.fromkeys(range(16), Usability.UNUSABLE),
    0: Usability.USABLE,
    2: Usability.PARTIAL,
    3: Usability.PARTIAL,
}


@pytest.mark.parametrize("code", range(16))
@pytest.mark.parametrize("channels", [1, 2, 3, 16])
def test_channel_status(code: int, channels: int) -> None:
    """Each nibble belongs to its channel, and each code says what a value is worth."""
    dimensions = DataSetDimensions(
        blocks=1, intervals=1, channels=channels, interval=_QUARTER_HOUR
    )
    layout = block_layout(dimensions, None)
    for channel in range(channels):
        nibbles = [0] * (2 * (channels // 2 + 1))
        nibbles[channel + 1] = code
        data = bytes.fromhex("".join(f"{each:x}" for each in nibbles))
        record = decode_interval("BT64", data + bytes(4 * channels), 0, layout)
        assert record.flags is IntervalFlag.NONE
        for other, status in enumerate(record.statuses):
            assert status.usability is _USABILITY[code if other == channel else 0]


def test_common_status() -> None:
    """Each flag, and all together."""
    layout = block_layout(_EXAMPLE, None)
    for code in range(16):
        data = bytes((code << 4, 0)) + bytes(8)
        assert decode_interval("BT64", data, 0, layout).flags.value == code


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (bytes(6), "no date and time"),
        (bytes.fromhex("1A02300000 01"), "no date and time"),
        (b"\xff" * 6, "no date and time"),
        (_BLOCK[:5], "only 5 bytes"),
    ],
)
def test_header_that_is_none(data: bytes, problem: str) -> None:
    """A block that was never begun, or whose memory failed, is refused."""
    with pytest.raises(DecodeError, match=problem):
        decode_block_header("BT64", data, 92, block_layout(_EXAMPLE, None))


def test_short_interval() -> None:
    """An interval that breaks off is refused."""
    with pytest.raises(DecodeError, match="BT64 at 104"):
        decode_interval("BT64", bytes(9), 98, block_layout(_EXAMPLE, None))


_TIMES = st.integers(-2_000_000, 2_000_000).map(
    lambda minutes: MOMENT + timedelta(minutes=minutes)
)
_LENGTHS = st.sampled_from([1, 5, 7, 15, 20, 60, 1440])


@given(
    end=_TIMES,
    minutes=_LENGTHS,
    recorded=st.integers(0, (1 << 30) - 1),
    start=_TIMES | st.none(),
    limit=_TIMES | st.none(),
    shift=st.integers(-40, 40),
)
def test_intervals_in_a_time(
    end: datetime,
    minutes: int,
    recorded: int,
    start: datetime | None,
    limit: datetime | None,
    shift: int,
) -> None:
    """The intervals that end after one time and not after another."""
    header = BlockHeader(end, recorded, timedelta(minutes=minutes))
    limits = [(start, limit), (end + shift * header.interval, limit)]
    for after, until in [*limits, (start, end + shift * header.interval)]:
        assert list(header.indices(after, until)) == [
            index
            for index in range(header.last + 1)
            if (after is None or header.interval_end(index) > after)
            and (until is None or header.interval_end(index) <= until)
        ]


_PROFILES = st.builds(
    RecordedProfile,
    sources=st.lists(st.integers(0, 28), min_size=1, max_size=16).map(tuple),
    minutes=st.sampled_from([1, 15, 60]),
    blocks=st.integers(1, 12),
    intervals=st.integers(1, 40),
)


@given(
    profile=_PROFILES,
    last_block=st.integers(0, 11),
    capacity=st.integers(100, 465),
    data=st.data(),
)
def test_plan(
    profile: RecordedProfile, last_block: int, capacity: int, data: st.DataObject
) -> None:
    """Everything wanted comes exactly once, newest first, in the fewest replies."""
    layout = _layout(profile)
    ring = Ring(
        layout=layout,
        blocks=profile.blocks,
        valid_blocks=profile.blocks,
        last_block=last_block % profile.blocks,
    )
    bounds = st.tuples(
        st.integers(0, profile.intervals), st.integers(0, profile.intervals)
    )
    wanted = [
        Wanted(age, range(*sorted(data.draw(bounds))), data.draw(st.booleans()))
        for age in range(data.draw(st.integers(0, profile.blocks)))
    ]
    parts = list(plan_parts(wanted, ring, capacity))
    pieces = [piece for part in parts for piece in part.pieces]
    assert [(piece.age, piece.index) for piece in pieces] == [
        (block.age, index)
        for block in wanted
        for index in [*reversed(block.indices), *([None] if block.header else [])]
    ]
    for part in parts:
        assert part.length <= capacity
        assert part.length == sum(piece.length for piece in part.pieces)
        assert part.offset == part.pieces[-1].offset
    for part, following in pairwise(parts):
        first = following.pieces[0]
        adjoins = first.offset + first.length == part.offset
        assert not adjoins or part.length + first.length > capacity
    for age in {piece.age for piece in pieces}:
        own = [piece for piece in pieces if piece.age == age]
        assert [piece.completes_block for piece in own] == [
            *[False] * (len(own) - 1),
            True,
        ]
        assert all(_lies_in_block(piece, ring, age) for piece in own)


def _layout(profile: RecordedProfile) -> BlockLayout:
    dimensions = decode_load_profile_dimensions(profile.tables()[61])[0]
    return block_layout(dimensions, None)


def _lies_in_block(piece: Piece, ring: Ring, age: int) -> bool:
    begin = (ring.last_block - age) % ring.blocks * ring.layout.block_size
    return begin <= piece.offset < begin + ring.layout.block_size


@given(profile=_PROFILES)
def test_layout(profile: RecordedProfile) -> None:
    """The computed layout is that of ET21, for every size."""
    tables = profile.tables()
    dimensions = decode_load_profile_dimensions(tables[61])[0]
    configuration = decode_data_set_configuration(tables[2048 + 21], 0)
    assert block_layout(dimensions, configuration) == block_layout(dimensions, None)


_INTERFACE = (
    bytes.fromhex("5100 29 01 0400 0000 0000 08")
    + bytes(2)
    + b"\x01\x02"
    + bytes(14)
    + b"\x02"
    + bytes(11)
    + bytes.fromhex("0A 0D02 08 0A0B 0000 0100 01 010C933A 04")
    + bytes(6)
    + b"\x01"
    + bytes(7)
    + bytes.fromhex("0140 08 0000 00 0000 0A 08")
)
"""ET42 with one log, a demand, two coincidents, two channels, and a fourth data set."""


def test_interface_definition() -> None:
    """ET42: each part is found behind the one before."""
    assert decode_interface_definition_length(_INTERFACE) == len(_INTERFACE)
    definition = decode_interface_definition(_INTERFACE)
    assert definition.load_profile_sources == ((0, 1), (), (), (0x4001,))
    assert definition.rollover_digits == 8
    before_3_60 = decode_interface_definition(_INTERFACE[:-8])
    assert before_3_60.load_profile_sources == definition.load_profile_sources
    assert before_3_60.rollover_digits is None
    before_3_70 = decode_interface_definition(_INTERFACE[:-8] + bytes((3, 0, 0)))
    assert before_3_70.rollover_digits is None
    with pytest.raises(DecodeError, match="20 is not a number of register digits"):
        decode_interface_definition(_INTERFACE[:-1] + b"\x14")
    with pytest.raises(DecodeError, match="ET42"):
        decode_interface_definition(_INTERFACE[:50])
