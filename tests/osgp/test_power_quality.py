"""Power quality: ET09 after its outage records."""

from datetime import UTC, datetime

from hypothesis import given, strategies as st
import pytest

from osgp import DecodeError
from osgp.tables.power_quality import (
    decode_power_quality,
    power_quality_length,
    power_quality_offset,
    power_quality_values,
)

_RECORDS = 10
_S = 18 * _RECORDS
_NEWEST = (4, 60, 0)


def _time(day: int) -> datetime:
    return datetime(2026, 5, day, 10, 20, 30, tzinfo=UTC)


def _table(firmware: tuple[int, int, int] = _NEWEST) -> bytes:
    """Return ET09 of a meter with 10 outage records, field by field of the guide."""
    data = bytearray(power_quality_length(_NEWEST, _RECORDS))

    def put(offset: int, value: int, length: int) -> None:
        data[offset : offset + length] = value.to_bytes(length, "little")

    def put_time(offset: int, day: int) -> None:
        data[offset : offset + 6] = bytes([26, 5, day, 10, 20, 30])

    # The worked offsets of the guide for P = 10.
    for phase, offset in enumerate((192, 200, 208), 1):
        put(offset, 10 + phase, 2)
        put_time(offset - 6, phase)
    put(234, 49_812, 4)
    put_time(238, 4)
    put(244, 50_205, 4)
    put_time(248, 5)

    for phase in range(3):
        put_time(_S + 30 + 8 * phase, 6 + phase)
        put(_S + 36 + 8 * phase, 20 + phase, 2)
        put(_S + 74 + 4 * phase, 70_000 + phase, 4)
        put_time(_S + 87 + 8 * phase, 9 + phase)
        put(_S + 93 + 8 * phase, 30 + phase, 2)
        put(_S + 111 + 4 * phase, 180_500 + phase, 4)
        put(_S + 123 + 4 * phase, 260_500 + phase, 4)
        put_time(_S + 480 + 8 * phase, 12 + phase)
        put(_S + 486 + 8 * phase, 40 + phase, 2)
        for record in range(2):
            place = _S + 151 + 70 * record + 22 * phase
            put_time(place + 2, 15 + phase)
            put(place + 8, 80 + 10 * record + phase, 2)
            put_time(place + 10, 18 + phase)
            put(place + 16, 40 + 10 * record + phase, 2)
            put(place + 18, 0xFFFFFFFF, 4)
    put(_S + 135, 123_456, 4)
    data[_S + 479] = 40
    return bytes(data[: power_quality_length(firmware, _RECORDS)])


@pytest.mark.parametrize(
    ("firmware", "end"),
    [
        ((2, 11, 0), 139),
        ((3, 0, 24), 139),
        ((3, 10, 21), 287),
        ((3, 70, 0), 287),
        ((4, 0, 0), 287),
        ((4, 10, 0), 504),
        ((4, 60, 0), 504),
    ],
)
def test_parts_by_firmware(firmware: tuple[int, int, int], end: int) -> None:
    """A meter has the parts that its firmware knows, and no more."""
    data = _table(firmware)
    assert len(data) == _S + end
    quality = decode_power_quality(data, _RECORDS)
    assert quality.short_outages == 123_456
    assert bool(quality.distortions) == (end >= 287)
    assert (quality.deep_sags is not None) == (end >= 504)


def test_all_fields() -> None:
    """Each field is at its place."""
    quality = decode_power_quality(_table(), _RECORDS)
    assert [sag.count for sag in quality.sags] == [11, 12, 13]
    assert [sag.last for sag in quality.sags] == [_time(1), _time(2), _time(3)]
    assert [sag.voltage for sag in quality.sags] == [180_500, 180_501, 180_502]
    assert [swell.count for swell in quality.swells] == [20, 21, 22]
    assert [swell.last for swell in quality.swells] == [_time(6), _time(7), _time(8)]
    assert [swell.voltage for swell in quality.swells] == [260_500, 260_501, 260_502]
    assert quality.minimum_frequency.frequency == 49_812
    assert quality.minimum_frequency.time == _time(4)
    assert quality.maximum_frequency.frequency == 50_205
    assert quality.maximum_frequency.time == _time(5)
    assert quality.overcurrents == (70_000, 70_001, 70_002)
    assert [loss.count for loss in quality.phase_losses] == [30, 31, 32]
    assert [loss.last for loss in quality.phase_losses] == [
        _time(9),
        _time(10),
        _time(11),
    ]
    assert quality.phase_losses[0].voltage is None
    assert list(quality.distortions) == ["voltage", "current"]
    for number, distortions in enumerate(quality.distortions.values()):
        for phase, distortion in enumerate(distortions):
            assert distortion.last == _time(15 + phase)
            assert distortion.maximum == 80 + 10 * number + phase
            assert distortion.maximum_time == _time(18 + phase)
            assert distortion.average == 40 + 10 * number + phase
    assert quality.deep_sags == (40, 41, 42)


def test_part_of_the_table() -> None:
    """The outage records need not be read."""
    start = power_quality_offset(_RECORDS)
    assert start == 186
    data = _table()
    assert decode_power_quality(data[start:], _RECORDS, start) == (
        decode_power_quality(data, _RECORDS)
    )
    with pytest.raises(DecodeError, match="ET09"):
        decode_power_quality(data[start + 1 :], _RECORDS, start + 1)
    with pytest.raises(DecodeError, match="ET09"):
        decode_power_quality(data[: _S + 138], _RECORDS)


def test_values() -> None:
    """Values have the keys and units of the entities."""
    values = power_quality_values(decode_power_quality(_table(), _RECORDS), phases=(1,))
    assert values == {
        "short_outages": 123_456,
        "minimum_frequency": 49.812,
        "minimum_frequency_time": _time(4),
        "maximum_frequency": 50.205,
        "maximum_frequency_time": _time(5),
        "overcurrents_l1": 70_000,
        "sags_l1": 11,
        "last_sag_l1": _time(1),
        "sag_voltage_l1": 180.5,
        "swells_l1": 20,
        "last_swell_l1": _time(6),
        "swell_voltage_l1": 260.5,
        "phase_losses_l1": 30,
        "last_phase_loss_l1": _time(9),
        "deep_sags_l1": 40,
        "maximum_thd_voltage_l1": 8.0,
        "average_thd_voltage_l1": 4.0,
        "maximum_thd_current_l1": 9.0,
        "average_thd_current_l1": 5.0,
    }


def test_values_of_each_phase() -> None:
    """Every phase has its own values."""
    values = power_quality_values(decode_power_quality(_table(), _RECORDS))
    assert len(values) == 5 + 3 * 14
    assert values["sag_voltage_l2"] == 180.501
    assert values["last_swell_l3"] == _time(8)
    assert values["maximum_thd_current_l3"] == 9.2


@pytest.mark.parametrize("filling", [b"\x00", b"\xff"])
def test_nothing_happened(filling: bytes) -> None:
    """What never happened has no time and no extremes."""
    data = filling * power_quality_length(_NEWEST, _RECORDS)
    values = power_quality_values(decode_power_quality(data, _RECORDS), phases=(1, 3))
    counts = {"overcurrents", "sags", "swells", "phase_losses"}
    if filling == b"\x00":
        counts.add("deep_sags")
    assert set(values) == {
        "short_outages",
        *(f"{count}_l{phase}" for count in counts for phase in (1, 3)),
    }


@given(st.binary(min_size=100, max_size=600), st.integers(0, 2), st.integers(0, 50))
def test_arbitrary_bytes(data: bytes, records: int, start: int) -> None:
    """Any bytes are decoded or are a DecodeError."""
    try:
        quality = decode_power_quality(data, records, start)
    except DecodeError:
        return
    assert power_quality_values(quality)["short_outages"] == quality.short_outages
