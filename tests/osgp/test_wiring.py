"""How the meter is wired: absent phases, rotation, wiring faults."""

from dataclasses import replace
import re

from hypothesis import given, strategies as st
import pytest

from osgp import Access, DecodeError, Meter
from osgp.tables.status import decode_is_single_phase
from osgp.tables.wiring import Wiring, decode_miswiring, decode_wiring
from tests.driven_clock import driven_clock
from tests.simulator import DEFAULT_KEY, PROFILES, Fault, SimulatedMeter


@pytest.mark.parametrize("profile", PROFILES)
async def test_wiring(meter: Meter, simulated: SimulatedMeter) -> None:
    """Absent phases are those of the meter's configuration; the rotation is that of now."""
    missing = simulated.profile.missing_phases
    for rotation, shown in enumerate(("l1_l2_l3", "l3_l2_l1", None)):
        simulated.rotation = rotation
        values = await meter.read_slow_table("wiring")
        assert values is not None
        assert values["absent_phases"] == ("l2_l3" if missing else "none")
        assert ("phase_rotation" in values) == (not missing)
        assert values.get("phase_rotation") == (None if missing else shown)


@pytest.mark.parametrize("profile", PROFILES)
async def test_miswiring(meter: Meter, simulated: SimulatedMeter) -> None:
    """The reason came with 3.60; one that the guide does not have is not known."""
    if not simulated.profile.since(3, 60):
        assert await meter.read_slow_table("miswiring") is None
        return
    for reason, shown in (
        (0, "none"),
        (1, "low_voltage"),
        (2, "high_voltage"),
        (4, "same_phase"),
        (3, None),
    ):
        simulated.wiring = reason
        assert await meter.read_slow_table("miswiring") == {"miswiring": shown}


@pytest.mark.parametrize("profile", ["single_phase"])
@pytest.mark.parametrize("missing", [(), (2, 3)])
async def test_single_phase(
    simulated: SimulatedMeter, url: str, missing: tuple[int, ...]
) -> None:
    """A single-phase meter has one phase, whether or not the others are set as absent."""
    simulated.profile = replace(simulated.profile, missing_phases=missing)
    meter = await Meter.open(Access(url, DEFAULT_KEY), clock=driven_clock())
    assert "voltage_l1" in meter.registers
    assert not any(re.search("_l[23]", key) for key in meter.registers)
    values = await meter.read_slow_table("power_quality")
    assert values is not None
    assert "sags_l1" in values
    assert not any(re.search("_l[23]", key) for key in values)
    await meter.close()


@pytest.mark.parametrize("profile", ["single_phase"])
@pytest.mark.parametrize(("code", "phases"), [(0x05, {1, 2, 3}), (0x04, set())])
async def test_single_phase_is_not_told(
    simulated: SimulatedMeter, url: str, code: int, phases: set[int]
) -> None:
    """A refusal for now withholds what has a phase; one for good leaves all three."""
    simulated.profile = replace(simulated.profile, missing_phases=())
    fault = simulated.add_fault(Fault(kind="refuse", table=0x81D, code=code))
    meter = await Meter.open(Access(url, DEFAULT_KEY), clock=driven_clock())
    assert {n for n in (1, 2, 3) if f"voltage_l{n}" in meter.registers} == phases
    fault.remove()
    await meter.read()
    told = {1, 2, 3} if phases else {1}
    assert {n for n in (1, 2, 3) if f"voltage_l{n}" in meter.registers} == told
    await meter.close()


def test_vectors() -> None:
    """MEP guide, pages 59 to 61 and 135."""
    three = bytes.fromhex("00 0000 00 00 00 000000 00 00 00")
    assert decode_wiring(three) == Wiring((), "l1_l2_l3")
    delta = bytes.fromhex("02 3c00 00 00 00 000000 08 04 01")
    assert decode_wiring(delta) == Wiring((2,), "l3_l2_l1")
    single = bytes.fromhex("06 3c00 00 00 00 000000 08 04 02")
    assert decode_wiring(single) == Wiring((2, 3), None)
    with pytest.raises(DecodeError, match="ET04 at 73"):
        decode_wiring(bytes.fromhex("00 0000 00 00 00 000000 00 00 03"))
    assert decode_miswiring(b"\x04") == "same_phase"
    assert decode_is_single_phase(b"\x01")
    assert not decode_is_single_phase(b"\x02")
    assert not decode_is_single_phase(b"\x03")


@given(st.binary(max_size=14))
def test_any_bytes(data: bytes) -> None:
    """Bytes are a wiring, or a DecodeError and nothing else."""
    try:
        wiring = decode_wiring(data)
    except DecodeError:
        assert len(data) < 12 or data[11] > 2
    else:
        # A meter measures one phase at least.
        assert len(wiring.absent) < 3
