"""How the meter is wired: absent phases, rotation, wiring faults."""

from hypothesis import given, strategies as st
import pytest

from osgp import DecodeError, Meter
from osgp.tables.wiring import Wiring, decode_miswiring, decode_wiring
from tests.simulator import PROFILES, SimulatedMeter


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
