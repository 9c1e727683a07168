"""What switches loads: the alarms of the load disconnect, and the control relays."""

from collections.abc import Mapping
from dataclasses import replace

from hypothesis import given, strategies as st
import pytest

from osgp import DecodeError, Meter, Value
from osgp.tables.status import Hardware, decode_hardware, decode_open_relays
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
