"""What decides about registers is asked until the meter says it, and never guessed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
import logging
from typing import Any

import pytest

from osgp import Access, DecodeError, Meter, MeterError, RefusalError
from osgp.refusals import is_absent, is_out_of_reach
from tests.driven_clock import DrivenClock, driven_clock
from tests.simulator import DEFAULT_KEY, PROFILES, Fault, SimulatedMeter

from .test_meter import assert_true

_NOT_NOW = pytest.mark.parametrize("code", [0x04, 0x0B])
_ENERGY = "energy_import"


@asynccontextmanager
async def opened(
    url: str, clock: DrivenClock | None = None, **known: Any
) -> AsyncIterator[Meter]:
    """Give an open client."""
    meter = await Meter.open(
        Access(url, DEFAULT_KEY), clock=clock or driven_clock(), **known
    )
    yield meter
    await meter.close()


def refuse(
    simulated: SimulatedMeter, *tables: str, code: int = 0x04, times: int | None = None
) -> None:
    """Have tables refused; where the code is 0B, each of them twice as often."""
    for table in tables:
        # The client asks twice by itself.
        count = times and times * (2 if code == 0x0B else 1)
        simulated.add_fault(Fault(kind="refuse", table=table, code=code, times=count))


@pytest.mark.parametrize("code", range(1, 0x10))
def test_what_a_refusal_says(code: int) -> None:
    """Only three codes say something of a table, and one that it does not exist."""
    err = RefusalError(code, "?", "?")
    assert is_absent(err) == (code == 0x05)
    assert is_out_of_reach(err) == (code in {0x02, 0x03, 0x05})
    assert not is_out_of_reach(MeterError())


@_NOT_NOW
@pytest.mark.parametrize("profile", ["ct", "vt"])
@pytest.mark.parametrize(
    "tables",
    [("ET55",), ("ET42",), ("BT20",), ("BT15",), ("ET55", "ET42"), ("BT15", "BT22")],
)
async def test_scale_is_refused_once(
    simulated: SimulatedMeter, url: str, tables: tuple[str, ...], code: int
) -> None:
    """No reading is ever on another scale, and all are there with the next poll."""
    refuse(simulated, *tables, code=code, times=1)
    async with opened(url) as meter:
        first = await meter.read()
        assert_true(meter, first, simulated)
        second = await meter.read()
        assert not second.errors
        assert second.values.keys() == meter.registers.keys()
        assert_true(meter, second, simulated)


@pytest.mark.parametrize("profile", ["ct"])
async def test_energies_wait_for_their_unit(
    simulated: SimulatedMeter, url: str
) -> None:
    """The registers are known; while their unit is not, they have no values."""
    clock = driven_clock()
    refuse(simulated, "ET55", "ET42")
    async with opened(url, clock) as meter:
        for _ in range(3):
            readings = await meter.read()
            assert _ENERGY in meter.registers
            assert _ENERGY not in readings.values
            assert isinstance(readings.errors["ET55"], RefusalError)
            assert "power_import" in readings.values
            assert "power_outages" in readings.values
        with pytest.raises(MeterError):
            await meter.read_load_profile_sets()
        with pytest.raises(MeterError):
            await meter.read_energy_limit()
        assert meter.table_contents(23, 0, bytes(220)) == dict.fromkeys(
            ("power_outage_duration", "power_outages", "meter_errors"), 0
        ) | dict.fromkeys(("pulse_input_1", "pulse_input_2"), 0)

        # It is asked again, ever more slowly.
        asked = []
        for _ in range(100):
            clock.move(10)
            before = len(simulated.requests)
            await meter.read()
            asked.append(len(simulated.requests) - before > 3)
        assert asked[:3] == [True] * 3
        assert 5 < sum(asked) < 20
        clock.move(900)
        simulated.clear_faults()
        assert_true(meter, await meter.read(), simulated)
        assert meter.registers[_ENERGY].multiplier == 10


@pytest.mark.parametrize("profile", ["ct"])
@pytest.mark.parametrize("code", [0x02, 0x03, 0x05])
@pytest.mark.parametrize("table", ["BT20", "ET55", "ET42"])
async def test_one_of_two_tables_is_out_of_reach(
    simulated: SimulatedMeter, url: str, table: str, code: int
) -> None:
    """The other one has the same unit."""
    refuse(simulated, table, code=code)
    async with opened(url) as meter:
        readings = await meter.read()
        assert not readings.errors
        assert_true(meter, readings, simulated)


@pytest.mark.parametrize(
    ("profile", "is_direct"), [("gen3", True), ("ct", False), ("vt", False)]
)
async def test_both_tables_are_out_of_reach(
    simulated: SimulatedMeter,
    url: str,
    caplog: pytest.LogCaptureFixture,
    is_direct: bool,
) -> None:
    """Only a meter without transformers counts in 1 Wh for want of a statement."""
    refuse(simulated, "ET55", "ET42", code=0x05)
    async with opened(url) as meter:
        readings = await meter.read()
        assert (_ENERGY in readings.values) == is_direct
        assert_true(meter, readings, simulated)
    assert ("taken as counts of 1 Wh" in caplog.text) == is_direct


@pytest.mark.parametrize("profile", ["ct", "gen3"])
async def test_tables_that_do_not_agree(simulated: SimulatedMeter, url: str) -> None:
    """There are no energies, for one of the two is wrong."""
    data = simulated.table(2090)
    assert data
    simulated.overwrite("ET42", bytes([100]), len(data) - 2)
    async with opened(url) as meter:
        readings = await meter.read()
        assert _ENERGY not in readings.values
        error = readings.errors["ET55"]
        assert isinstance(error, DecodeError)
        assert "100 Wh" in str(error)


@pytest.mark.parametrize("profile", ["ct"])
async def test_impossible_unit(simulated: SimulatedMeter, url: str) -> None:
    """Where a byte is no unit, the other table serves."""
    data = simulated.table(2103)
    assert data
    simulated.overwrite("ET55", bytes(len(data)))
    async with opened(url) as meter:
        assert_true(meter, await meter.read(), simulated)
        assert meter.registers[_ENERGY].multiplier == 10


@pytest.mark.parametrize("profile", ["ct"])
async def test_unit_of_a_meter_whose_ratios_are_not_enabled(
    simulated: SimulatedMeter, url: str
) -> None:
    """The unit does not depend on BT15."""
    simulated.overwrite("BT15", bytes.fromhex("00 01000000 01000000"), 8)
    async with opened(url) as meter:
        assert meter.registers[_ENERGY].multiplier == 10
        assert meter.registers["current_l1"].source == 12


@_NOT_NOW
@pytest.mark.parametrize("profile", ["reordered", "gen3_demand"])
@pytest.mark.parametrize("table", ["BT22", "BT27"])
@pytest.mark.parametrize("times", [1, 4])
async def test_selection_is_refused(
    simulated: SimulatedMeter, url: str, table: str, code: int, times: int
) -> None:
    """No value is ever read from another register's place."""
    refuse(simulated, table, code=code, times=times)
    async with opened(url) as meter:
        for poll in range(times):
            readings = await meter.read()
            assert_true(meter, readings, simulated)
            assert bool(readings.errors) == (poll < times - 1)
        assert readings.values.keys() == meter.registers.keys()
        assert _ENERGY in readings.values
        assert "voltage_l1" in readings.values


@pytest.mark.parametrize("profile", ["reordered"])
@pytest.mark.parametrize("code", [0x01, 0x02, 0x03, 0x04, 0x0B, 0x0C])
async def test_order_is_not_guessed(
    simulated: SimulatedMeter, url: str, code: int
) -> None:
    """A selection that exists is waited for, however it is refused."""
    refuse(simulated, "BT22", code=code)
    async with opened(url) as meter:
        readings = await meter.read()
        assert readings.errors.keys() == {"BT22"}
        assert _ENERGY not in meter.registers
        assert_true(meter, readings, simulated)


@pytest.mark.parametrize("profile", ["gen3_demand", "vt"])
async def test_layout_is_learned_again_with_refusals(
    simulated: SimulatedMeter, url: str
) -> None:
    """What was known before does not hold, and nothing is guessed meanwhile."""
    async with opened(url) as meter:
        await meter.read()
        await meter.read()
        before = meter.registers.keys()
        refuse(simulated, "BT22", "BT15", "ET55", "ET42", times=1)
        simulated.raise_interface_version()
        assert_true(meter, await meter.read(), simulated)
        await meter.read()
        readings = await meter.read()
        assert not readings.errors
        assert readings.values.keys() == before
        assert_true(meter, readings, simulated)


@pytest.mark.parametrize("code", [0x02, 0x03, 0x05])
@pytest.mark.parametrize("profile", ["gen4", "vt"])
async def test_ratios_are_out_of_reach(
    simulated: SimulatedMeter, url: str, code: int
) -> None:
    """The hardware says whether there are transformers; then their ratios are needed."""
    refuse(simulated, "BT15", code=code)
    async with opened(url) as meter:
        readings = await meter.read()
        assert_true(meter, readings, simulated)
        assert ("voltage_l1" in readings.values) == (
            simulated.profile.transformer is None
        )
        assert "frequency" in readings.values


@pytest.mark.parametrize("table", ["BT01", "BT21", "ET03"])
async def test_opening_is_patient(
    simulated: SimulatedMeter, url: str, table: str
) -> None:
    """What nothing goes without is asked again before opening fails."""
    refuse(simulated, table, times=2)
    async with opened(url) as meter:
        assert meter.identity.serial_number == simulated.profile.serial_number
        assert_true(meter, await meter.read(), simulated)


@pytest.mark.parametrize("table", ["BT01", "BT21", "ET03"])
async def test_opening_fails(simulated: SimulatedMeter, url: str, table: str) -> None:
    """A meter that does not say who it is, or what it has, is not opened."""
    refuse(simulated, table)
    with pytest.raises(RefusalError, match=table):
        async with opened(url):
            pass


@pytest.mark.parametrize("code", [0x02, 0x03, 0x05])
async def test_serial_number_is_out_of_reach(
    simulated: SimulatedMeter, url: str, code: int
) -> None:
    """Then the transceiver id serves, and goes on doing so."""
    refuse(simulated, "ET03", code=code)
    transceiver = simulated.profile.transceiver_id.hex()
    async with opened(url) as meter:
        assert meter.identity.serial_number == transceiver
    simulated.clear_faults()
    async with opened(url, known_as=(transceiver,)) as meter:
        assert meter.identity.serial_number == transceiver
        assert await meter.read_serial_number() == transceiver


async def test_serial_number_is_locked_later(
    simulated: SimulatedMeter, url: str
) -> None:
    """A meter keeps its number, if its transceiver is known."""
    number = simulated.profile.serial_number
    transceiver = simulated.profile.transceiver_id.hex()
    refuse(simulated, "ET03", code=0x03)
    async with opened(url, known_as=(number, transceiver)) as meter:
        assert meter.identity.serial_number == number
    async with opened(url, known_as=(number,)) as meter:
        assert meter.identity.serial_number == transceiver
    simulated.clear_faults()
    async with opened(url, known_as=("20001234", "05018a000000")) as meter:
        assert meter.identity.serial_number == number


@pytest.mark.parametrize("profile", ["fw_2_10"])
async def test_firmware_without_actual_dimensions(
    simulated: SimulatedMeter, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The maxima are what there is, in the fixed order; BT70 has the event log's."""
    simulated.overwrite("BT20", bytes.fromhex("7f0efd0b0810010408"))
    async with opened(url) as meter:
        readings = await meter.read()
        assert not readings.errors
        assert len(readings.values) == 11 + 4 * 6 + 18 + 1
        assert_true(meter, readings, simulated)
        assert isinstance(await meter.read_events(), tuple)
    warned = [each for each in caplog.records if each.levelno > logging.INFO]
    assert [each.getMessage()[:23] for each in warned] == [
        "The meter refuses BT22 ",
        "The meter refuses BT27 ",
    ]


async def test_outage_minutes(simulated: SimulatedMeter, url: str) -> None:
    """Firmware 2.0 counts the time without power in minutes."""
    profile = PROFILES["fw_2_10"]
    simulated.profile = replace(profile, firmware=(2, 1, 3))
    async with opened(url) as meter:
        readings = await meter.read(["power_outage_duration"])
    assert readings.values["power_outage_duration"] == 60 * simulated.truth()[4]


@pytest.mark.parametrize(
    ("flags", "voltages", "currents"),
    [
        (0b0000000, "123", "123"),
        (0b0000110, "1", "1"),
        (0b0000101, "2", "2"),
        (0b0101110, "1", "13"),
        (0b1101000, "123", "1"),
        (0b0000111, "123", "123"),
    ],
)
@pytest.mark.parametrize("profile", ["gen4"])
async def test_phases(
    simulated: SimulatedMeter, url: str, flags: int, voltages: str, currents: str
) -> None:
    """There are registers of the phases that the meter has, and others."""
    simulated.overwrite("ET04", bytes([flags]), 62)
    async with opened(url) as meter:
        keys = meter.registers.keys()
    for phase in "123":
        assert (f"voltage_l{phase}" in keys) == (phase in voltages)
        assert (f"average_voltage_l{phase}" in keys) == (phase in voltages)
        for key in ("current", "power_factor", "power_import", "apparent_power"):
            key = f"{key}_l{phase}" + ("_q1" if key == "apparent_power" else "")
            assert (key in keys) == (phase in currents)
    assert ("voltage_angle_l1_l2" in keys) == ({"1", "2"} <= set(voltages))
    assert {"power_import", "frequency", "neutral_current", _ENERGY} <= keys


@_NOT_NOW
@pytest.mark.parametrize("profile", ["single_phase"])
async def test_phases_are_refused_once(
    simulated: SimulatedMeter, url: str, code: int
) -> None:
    """No register of a phase is there before it is known which phases there are."""
    refuse(simulated, "ET04", code=code, times=2)
    async with opened(url) as meter:
        for _ in range(2):
            readings = await meter.read()
            assert "voltage_l2" not in readings.values
        assert "voltage_l1" in readings.values
