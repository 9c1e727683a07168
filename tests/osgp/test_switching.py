"""What switches loads: the alarms of the load disconnect, and the control relays."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given, strategies as st
import pytest

from osgp import DecodeError, Meter, Value
from osgp.tables.status import Hardware, decode_hardware, decode_open_relays
from osgp.tables.switching import (
    PowerLimit,
    decode_cut_off,
    decode_modules_length,
    decode_power_limit,
    decode_relay_operation,
    decode_step_tariff_disabled,
    decode_step_tariff_enabled,
    decode_step_tariff_in_use,
    second_relay_offset,
    step_tariff_disabled_offset,
)
from tests.simulator import PROFILES, Fault, SimulatedMeter

_OF_A_DISCONNECT = {
    "disconnect_switch_error": "alarm_disconnect_error",
    "prepay_credit_exhausted": "alarm_prepay_exhausted",
    "prepay_warning_acknowledged": "alarm_prepay_warning",
    "load_side_voltage": "alarm_load_side_voltage",
}
"""Alarms by their names in the simulated meter and by key."""


async def _values(meter: Meter, name: str) -> Mapping[str, Value | None]:
    """Read a slow table that the meter has."""
    values = await meter.read_slow_table(name)
    assert values is not None
    return values


@pytest.mark.parametrize("profile", PROFILES)
async def test_alarms_of_the_disconnect(
    meter: Meter, simulated: SimulatedMeter
) -> None:
    """Meters without load disconnect have none; the last one came with 3.30."""
    calm = await _values(meter, "alarms")
    for name, key in _OF_A_DISCONNECT.items():
        since = name != "load_side_voltage" or simulated.profile.since(3, 30)
        assert (key in calm) == (simulated.profile.disconnect and since)
        if key not in calm:
            continue
        assert calm[key] is False
        simulated.set_alarm(name)
        values = await _values(meter, "alarms")
        assert {k for k, value in values.items() if value != calm[k]} == {key}
        simulated.set_alarm(name, on=False)


@pytest.mark.parametrize("profile", PROFILES)
async def test_relays(meter: Meter, simulated: SimulatedMeter) -> None:
    """Each relay that the meter has is open or closed by itself."""
    calm = await _values(meter, "alarms")
    keys = {number: f"control_relay_{number}" for number in simulated.profile.relays}
    assert {key for key in calm if key.startswith("control_relay")} == {*keys.values()}
    for number, key in keys.items():
        for is_open in (True, False):
            simulated.switch_relay(number, is_open)
            values = await _values(meter, "alarms")
            assert values == {**calm, key: is_open}


@pytest.mark.parametrize("profile", ["fw_4_30"])
async def test_second_relay_needs_its_bit(
    meter: Meter, simulated: SimulatedMeter
) -> None:
    """BT03 is read as far as BT00.17 says, even where the meter has another relay."""
    simulated.overwrite("BT00", b"\x04", 17)
    values = await _values(meter, "alarms")
    assert values["control_relay_1"] is False
    assert "control_relay_2" not in values
    (last,) = [served for served in simulated.requests if served.table == 3]
    assert (last.offset, last.count) == (0, 8)


@pytest.mark.parametrize("profile", ["single_phase"])
@pytest.mark.parametrize("code", [0x05, 0x04])
async def test_hardware_is_refused(
    meter: Meter, simulated: SimulatedMeter, code: int
) -> None:
    """Alarms are told all the same; what depends on it comes when the meter tells it."""
    fault = simulated.add_fault(Fault(kind="refuse", table=0x81D, code=code))
    values = await _values(meter, "alarms")
    assert values["alarm_low_battery"] is False
    assert not values.keys() & {*_OF_A_DISCONNECT.values(), "control_relay_1"}
    fault.remove()
    values = await _values(meter, "alarms")
    assert ("control_relay_1" in values) == (code != 0x05)
    simulated.requests.clear()
    await _values(meter, "alarms")
    assert [served.table for served in simulated.requests] == [3]


def test_open_relays() -> None:
    """Optical guide, pages 46 and 47: bit 3 of byte 4, bit 0 of byte 9."""
    assert decode_open_relays(bytes.fromhex("0000000008000000")) == {1: True}
    assert decode_open_relays(bytes.fromhex("00000000f7ffffffff")) == {1: False}
    assert decode_open_relays(bytes.fromhex("00000000080000000000")) == {
        1: True,
        2: False,
    }
    assert decode_open_relays(bytes.fromhex("ffffffffF7ffffffff01")) == {
        1: False,
        2: True,
    }
    assert decode_open_relays(bytes(4)) == {}


@given(st.binary(max_size=20))
def test_any_status(data: bytes) -> None:
    """Whatever BT03 holds, a relay is open by one bit."""
    relays = decode_open_relays(data)
    assert relays.keys() == {n for n, byte in {1: 4, 2: 9}.items() if byte < len(data)}
    for number, (byte, bit) in {1: (4, 3), 2: (9, 0)}.items():
        if number in relays:
            assert relays[number] == bool(data[byte] & 1 << bit)


def test_hardware() -> None:
    """MEP guide, page 100: relays are bits 6 and 7; the second came with 4.30."""
    both = decode_hardware(bytes.fromhex("c00000"))
    assert both == Hardware(has_first_relay=True, has_second_relay=True)
    assert both.relays((4, 30, 7)) == (1, 2)
    assert both.relays((4, 20, 1)) == (1,)
    assert decode_hardware(bytes.fromhex("800000")).relays((4, 30, 0)) == (2,)
    assert replace(both, has_first_relay=False).relays((3, 70, 24)) == ()
    with pytest.raises(DecodeError, match="ET29"):
        decode_hardware(b"\xc0\x00")


@pytest.mark.parametrize("profile", PROFILES)
async def test_relay_operations(meter: Meter, simulated: SimulatedMeter) -> None:
    """Each relay counts its own seconds down; nothing pending has none."""
    relays = simulated.profile.relays
    if not relays:
        assert await meter.read_slow_table("relay_operations") is None
        return
    calm = await _values(meter, "relay_operations")
    for number in relays:
        pending, delay = (f"control_relay_{number}_{n}" for n in ("pending", "delay"))
        assert (calm[pending], calm[delay]) == (False, None)
        simulated.switch_relay(number, True, after=130)
        values = await _values(meter, "relay_operations")
        assert values == {**calm, pending: True, delay: 130}
        assert (await _values(meter, "alarms"))[f"control_relay_{number}"] is False
        simulated.shift(100)
        assert (await _values(meter, "relay_operations"))[delay] == 30
        simulated.shift(30)
        assert await _values(meter, "relay_operations") == calm
        assert (await _values(meter, "alarms"))[f"control_relay_{number}"] is True


@pytest.mark.parametrize("profile", PROFILES)
async def test_step_tariff(meter: Meter, simulated: SimulatedMeter) -> None:
    """It is told whether it is in use, where there are step tariffs."""
    if not simulated.profile.step_tariff:
        assert await meter.read_slow_table("step_tariff") is None
        return
    assert await _values(meter, "step_tariff") == {"step_tariff": False}
    simulated.set_tier(1, drive=3, reason=2)
    assert await _values(meter, "step_tariff") == {"step_tariff": True}
    simulated.set_tier(1, drive=3, reason=1)
    assert await _values(meter, "step_tariff") == {"step_tariff": False}


@pytest.mark.parametrize(
    ("profile", "offset"), [("fw_3_70", 80), ("fw_4_30", 81)], ids=["3.x", "4.x"]
)
async def test_disabled_step_tariff(
    meter: Meter, simulated: SimulatedMeter, offset: int
) -> None:
    """One bit enables step tariffs, another one switches them off again."""
    simulated.overwrite("ET55", b"\x08", offset)
    assert await meter.read_slow_table("step_tariff") is None


@pytest.mark.parametrize("profile", PROFILES)
async def test_power_limit(meter: Meter, simulated: SimulatedMeter) -> None:
    """Meters from 3.70 on have it, if they can cut the load off."""
    profile = simulated.profile
    if not (profile.disconnect and profile.since(3, 70)):
        assert await meter.read_slow_table("power_limit") is None
        assert await meter.read_slow_table("last_cut_off") is None
        return
    limit = profile.power_limit
    assert await _values(meter, "power_limit") == {
        "power_limit_enabled": limit.enabled,
        "power_limit": limit.threshold,
        "power_limit_interval": limit.seconds * limit.multiplier,
    }
    assert await _values(meter, "last_cut_off") == {"last_cut_off": None}
    simulated.cut_off()
    now = simulated.meter_time.replace(microsecond=0)
    assert await _values(meter, "last_cut_off") == {"last_cut_off": now}


async def test_nothing_of_switching_is_asked_twice(
    meter: Meter, simulated: SimulatedMeter
) -> None:
    """What a meter lacks is learned once, and what it has costs one request."""
    for name in ("relay_operations", "step_tariff", "power_limit", "last_cut_off"):
        await meter.read_slow_table(name)
        simulated.requests.clear()
        values = await meter.read_slow_table(name)
        assert len(simulated.requests) == (values is not None)


def test_relay_operation() -> None:
    """MEP guide, pages 134 to 139: pending, seconds to go, seconds in all."""
    assert decode_relay_operation(bytes.fromhex("01 2c01"), 62) == 300
    assert decode_relay_operation(bytes.fromhex("00 2c01"), 62) is None
    assert decode_relay_operation(bytes.fromhex("01 0000"), 145) == 0
    assert second_relay_offset(decode_modules_length(b"\x06\x07")) == 145
    with pytest.raises(DecodeError, match="ET54 at 62"):
        decode_relay_operation(bytes.fromhex("02 0100"), 62)
    with pytest.raises(DecodeError, match="ET11 at 32"):
        decode_modules_length(b"\xff\x07")


def test_limit() -> None:
    """MEP guide, pages 184 and 122."""
    limit = decode_power_limit(bytes.fromhex("01 3c00 0f f82a0000"))
    assert limit == PowerLimit(enabled=True, seconds=900, threshold=11_000)
    off = decode_power_limit(bytes.fromhex("00 0100 0f 00000000"))
    assert off == PowerLimit(enabled=False, seconds=15, threshold=0)
    with pytest.raises(DecodeError, match="ET80 at 3"):
        decode_power_limit(bytes.fromhex("01 3c00 10 f82a0000"))
    cut_off = decode_cut_off(bytes.fromhex("1a 02 11 12 0f 1e"))
    assert cut_off == datetime(2026, 2, 17, 18, 15, 30, tzinfo=UTC)
    assert decode_cut_off(bytes(6)) is None


def test_step_tariff_bits() -> None:
    """MEP guide, pages 134, 140 and 146; the byte moved with 4.0."""
    assert decode_step_tariff_in_use(b"\x02")
    assert not decode_step_tariff_in_use(b"\xfd")
    assert decode_step_tariff_enabled(b"\x20")
    assert not decode_step_tariff_enabled(b"\xdf")
    assert step_tariff_disabled_offset((3, 99, 0)) == 80
    assert step_tariff_disabled_offset((4, 0, 0)) == 81
    assert decode_step_tariff_disabled(b"\x08", 80)
    assert not decode_step_tariff_disabled(b"\xf7", 81)


@given(st.binary(max_size=12))
def test_any_bytes_of_switching(data: bytes) -> None:
    """Bytes are a value in its bounds, or a DecodeError and nothing else."""
    for decode in (
        lambda: decode_relay_operation(data, 62),
        lambda: decode_power_limit(data).seconds,
        lambda: decode_modules_length(data),
    ):
        try:
            value = decode()
        except DecodeError:
            continue
        assert value is None or 0 <= value <= 15 * 0xFFFF
    if len(data) >= 6:
        time = decode_cut_off(data)
        assert time is None or time.tzinfo is UTC
