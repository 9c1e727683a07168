"""Decoders of the tables, against published and captured bytes."""

from collections.abc import Callable
import contextlib
from datetime import UTC, datetime
import itertools

from hypothesis import given, strategies as st
import pytest

from osgp import DecodeError
from osgp.tables.clock import decode_utc_clock
from osgp.tables.constants import (
    decode_constants,
    decode_energy_unit,
    energy_unit_offset,
)
from osgp.tables.dimensions import (
    decode_present_selection,
    decode_register_dimensions,
    decode_register_selection,
    default_present_selection,
    default_register_selection,
)
from osgp.tables.fields import TableData
from osgp.tables.identity import (
    decode_general_information,
    decode_serial_number,
    decode_system_information,
    decode_transceiver_id,
)
from osgp.tables.layout import CurrentLayout, PresentLayout, Span, spans

from .vectors import reply_data

_NO_DEMAND = decode_register_dimensions(reply_data("example-bt21-no-demand-reply"))
_DEMAND = decode_register_dimensions(reply_data("example-bt21-demand-reply"))


@pytest.mark.parametrize(
    ("version", "firmware"), [("3018", "3.00.24"), ("3155", "3.10.21")]
)
def test_general_information(version: str, firmware: str) -> None:
    """BT01: the examples of the protocol reference."""
    data = b"NES " + b"83332-3I" + b"\x02\x01" + bytes.fromhex(version)
    general = decode_general_information(data)
    assert general.manufacturer == "NES"
    assert general.model == "83332-3I"
    assert general.firmware == firmware
    assert firmware == "{}.{:02}.{:02}".format(*general.firmware_version)


@pytest.mark.parametrize(
    ("stored", "serial_number"),
    [
        (b"1234567890".ljust(30, b"\0"), "1234567890"),
        (b"1234567890".ljust(30), "1234567890"),
        (b"12\x0034567890".ljust(30, b"\xff"), "12"),
        (b"1\xff2".ljust(30, b"\0"), "1\\xff2"),
        (bytes(30), ""),
    ],
)
def test_serial_number(stored: bytes, serial_number: str) -> None:
    """ET03: ends at NUL, padding is dropped, foreign bytes stay visible."""
    assert decode_serial_number(stored) == serial_number


def test_system_information() -> None:
    """ET04: fields at the guide's offsets."""
    data = bytearray(117)
    data[4:10] = bytes.fromhex("0500aabbccdd")
    data[13] = 50
    data[14:22] = bytes.fromhex("0102030405060708")
    data[22:28] = b"a text"
    data[56:62] = bytes.fromhex("1400 5000 e600")
    data[62] = 0b010
    data[116] = 9
    system = decode_system_information(bytes(data))
    assert system.transceiver_id == "0500aabbccdd"
    assert system.program_id == "0102030405060708"
    assert system.self_identification == "a text"
    assert system.rated_frequency == 50
    assert (system.starting_current, system.maximum_current) == (20, 80)
    assert system.rated_voltage == 230
    assert system.phases == (1, 3)
    assert system.interface_version == 9


def test_transceiver_id() -> None:
    """ET04.4: six bytes, of which not all are zero."""
    assert decode_transceiver_id(bytes.fromhex("0500aabbccdd")) == "0500aabbccdd"
    with pytest.raises(DecodeError, match="no transceiver id"):
        decode_transceiver_id(bytes(6))


def test_register_dimensions() -> None:
    """BT21: the two published examples."""
    assert (_NO_DEMAND.summations, _NO_DEMAND.tiers) == (11, 4)
    assert _NO_DEMAND.present_values == 55
    assert not _NO_DEMAND.demand_reset_counter
    assert _DEMAND.demand_reset_counter
    assert _DEMAND.event_times
    assert _DEMAND.cumulative_demand
    assert _DEMAND.continuous_cumulative_demand
    assert not _DEMAND.time_remaining
    assert (_DEMAND.demands, _DEMAND.coincidents, _DEMAND.occurrences) == (2, 4, 1)
    assert _DEMAND.present_demands == 2


def test_current_layout() -> None:
    """BT23: lengths and offsets of the published examples."""
    layout = CurrentLayout(_NO_DEMAND)
    assert (layout.totals, layout.block_length, layout.length) == (0, 44, 220)
    assert layout.summation(3, tier=0) == 44 + 12
    layout = CurrentLayout(_DEMAND)
    assert layout.demand_record_length == 17
    assert (layout.totals, layout.block_length, layout.length) == (1, 110, 551)
    assert layout.summation(0) == 1
    assert layout.summation(0, tier=2) == 331
    assert layout.demand(0) == 61
    assert layout.demand_fields == {
        "time": 0,
        "cumulative": 5,
        "continuous": 9,
        "demand": 13,
        "end": 17,
    }
    assert layout.coincident(0) == 95
    assert layout.coincident(3, tier=3) + 4 == layout.length


def test_present_layout() -> None:
    """BT28: present demands come first, with the time remaining where it is on."""
    assert PresentLayout(_NO_DEMAND).value(1) == 4
    assert PresentLayout(_NO_DEMAND).length == 220
    assert PresentLayout(_DEMAND).value(0) == 8
    timed = decode_register_dimensions(bytes.fromhex("7f0e0c0f020401040237"))
    assert PresentLayout(timed).value(0) == 14
    assert [PresentLayout(timed).demand(index) for index in (0, 1)] == [3, 10]
    assert [PresentLayout(_DEMAND).demand(index) for index in (0, 1)] == [0, 4]


def test_event_times() -> None:
    """A time of nothing but zeros did not happen yet; an impossible one is no time."""
    for data in ("0000000000", "1a02211120", "ffffffffff", "1a0a000000", "1a0b1a1800"):
        assert TableData("BT23", bytes.fromhex(data)).event_time(0) is None
    with pytest.raises(DecodeError, match="BT23 at 0"):
        TableData("BT23", bytes(4)).event_time(0)


def test_registers_of_published_replies() -> None:
    """BT23 and BT28: the published numbers, one of them negative."""
    table = TableData("BT23", reply_data("example-bt23-no-demand-totals-reply"))
    assert [table.int32(offset) for offset in range(0, 44, 4)] == [
        *(12345678, 1234, 98765, 2000, 86412, 3, 12346912, 12344444, 0, 0, 1)
    ]
    table = TableData("BT28", reply_data("example-bt28-no-demand-reply"))
    assert (table.int32(28), table.int32(60)) == (231482, -312)
    table = TableData("BT23", reply_data("example-bt23-demand-record0-reply"), 61)
    assert table.event_time(61) == datetime(2026, 2, 17, 15, 30)  # noqa: DTZ001
    assert [table.int32(61 + offset) for offset in (5, 9, 13)] == [120000, 125432, 5432]


def test_register_beyond_the_reply() -> None:
    """A register that the reply does not reach is an error, never a guess."""
    with pytest.raises(DecodeError, match="BT23 at 12") as caught:
        TableData("BT23", bytes(13)).int32(12)
    assert (caught.value.table, caught.value.offset, caught.value.length) == (
        *("BT23", 12, 4),
    )


def test_register_selection() -> None:
    """BT22: sources, demands with their flags, coincidents with their demands."""
    data = bytes(range(100, 115)) + bytes([8, 9, 0b01, 1, 2, 3, 4, 0, 0, 1, 1])
    assert len(data) == _DEMAND.selection_length
    selection = decode_register_selection(data, _DEMAND)
    assert selection.summations == tuple(range(100, 115))
    assert selection.demands == (8, 9)
    assert selection.maximum == (True, False)
    assert selection.coincidents == (1, 2, 3, 4)
    assert selection.coincident_demands == (0, 0, 1, 1)


def test_present_selection() -> None:
    """BT27: demands first, then values."""
    data = bytes([88, 89, *range(55)])
    selection = decode_present_selection(data, _DEMAND)
    assert selection.demands == (88, 89)
    assert selection.values == tuple(range(55))


def test_default_selections() -> None:
    """The guide's order, as far as it is known for the number of values."""
    assert default_register_selection(_NO_DEMAND).summations == (
        *(0, 1, 2, 3, 4, 5, 6, 7, 26, 27, 28),
    )
    values = default_present_selection(_NO_DEMAND).values
    assert (values[10], values[13], values[18], values[22]) == (18, 21, 81, 104)
    assert (values[26], values[41], values[54]) == (185, 202, 215)


@pytest.mark.parametrize(
    ("count", "position", "source"),
    [(51, 22, 185), (51, 50, 215), (50, 21, 84), (50, 22, 255), (84, 83, 244)],
)
def test_default_order_without_quadrants(
    count: int, position: int, source: int
) -> None:
    """Without the quadrants later values move up; unknown sizes end before."""
    dimensions = decode_register_dimensions(
        bytes((3, 14, 12, 11, 0, 0, 0, 4, 0, count))
    )
    values = default_present_selection(dimensions).values
    assert len(values) == count
    assert values[position] == source


def test_utc_clock() -> None:
    """BT52: the published reply."""
    clock = decode_utc_clock(reply_data("example-bt52-reply"))
    assert clock.time == datetime(2026, 2, 17, 18, 15, 30, tzinfo=UTC)
    assert not clock.daylight_saving
    assert decode_utc_clock(bytes.fromhex("1a0711120f1e1d")).daylight_saving


def test_impossible_time() -> None:
    """BT52: a month 13 is an error that names the table."""
    with pytest.raises(DecodeError, match="BT52 at 0"):
        decode_utc_clock(bytes.fromhex("1a0d11120f1e12"))


@pytest.mark.parametrize(
    ("applied", "current_ratio", "voltage_ratio", "has_transformers"),
    [(0, 0, 0, False), (0, 1, 1, False), (1, 1, 1, True), (0, 40, 1, True)],
)
def test_constants(
    applied: int, current_ratio: int, voltage_ratio: int, has_transformers: bool
) -> None:
    """BT15: ratios, and whether the meter has transformers at all."""
    data = (
        bytes(8)
        + bytes([applied])
        + current_ratio.to_bytes(4, "little")
        + voltage_ratio.to_bytes(4, "little")
    )
    constants = decode_constants(data)
    assert constants.applied == bool(applied)
    assert constants.current_ratio == current_ratio
    assert constants.voltage_ratio == voltage_ratio
    assert constants.has_transformers == has_transformers


@pytest.mark.parametrize(
    ("major", "tiers", "offset"), [(3, 4, 197), (4, 4, 198), (3, 8, 213), (4, 8, 214)]
)
def test_energy_unit(major: int, tiers: int, offset: int) -> None:
    """ET55: the unit is where firmware and tiers put it, and 1, 10 or 100."""
    assert energy_unit_offset(major, tiers) == offset
    assert decode_energy_unit(b"\x0a", offset) == 10
    with pytest.raises(DecodeError, match=f"ET55 at {offset}"):
        decode_energy_unit(b"\x07", offset)


@given(
    starts=st.sets(st.integers(0, 300).map(lambda number: 5 * number), min_size=1),
    length=st.integers(1, 5),
    capacity=st.integers(5, 465),
    gap=st.integers(0, 200),
)
def test_spans(starts: set[int], length: int, capacity: int, gap: int) -> None:
    """Spans hold each register once and whole, and never ask for too much."""
    registers = [Span(start, length) for start in starts]
    found = spans(registers, capacity, gap)
    for span in found:
        assert length <= span.length <= capacity
        wanted = sorted(start for start in starts if span.offset <= start < span.end)
        assert wanted[0] == span.offset
        assert wanted[-1] + length == span.end
        assert all(b - a - length <= gap for a, b in itertools.pairwise(wanted))
    assert all(a.end <= b.offset for a, b in itertools.pairwise(found))
    for register in registers:
        holding = [
            span
            for span in found
            if span.offset <= register.offset and register.end <= span.end
        ]
        assert len(holding) == 1
    if max(starts) + length - min(starts) <= min(capacity, gap):
        assert len(found) == 1


_DECODERS: dict[str, Callable[[bytes], object]] = {
    "BT01": decode_general_information,
    "BT15": decode_constants,
    "BT21": decode_register_dimensions,
    "BT22": lambda data: decode_register_selection(data, _DEMAND),
    "BT27": lambda data: decode_present_selection(data, _DEMAND),
    "BT52": decode_utc_clock,
    "ET03": decode_serial_number,
    "ET04": decode_system_information,
}


@pytest.mark.parametrize("table", _DECODERS)
@given(data=st.binary(max_size=160))
def test_arbitrary_bytes(table: str, data: bytes) -> None:
    """Arbitrary bytes are decoded or refused with the table's name."""
    with contextlib.suppress(DecodeError):
        _DECODERS[table](data)
    with pytest.raises(DecodeError, match=table):
        _DECODERS[table](b"")
