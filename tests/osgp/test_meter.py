"""Reading simulated meters: identity, registers, clock, tables."""

from datetime import datetime, timedelta
import logging
from zoneinfo import ZoneInfo

import pytest

from osgp import Access, Meter, NoReplyError, Readings, RefusalError, Register
from osgp.requests import FullRead, PartialRead
from tests.driven_clock import driven_clock
from tests.simulator import (
    DEFAULT_KEY,
    PROFILES,
    Fault,
    Profile,
    SimulatedMeter,
    serve_tcp,
)

_EVERY_PROFILE = pytest.mark.parametrize("profile", PROFILES)
_SHOWN_AT_FIRST = (
    *("energy_import", "energy_export", "power_import", "power_export", "power_net"),
    *("voltage_l1", "voltage_l2", "voltage_l3"),
    *("current_l1", "current_l2", "current_l3"),
)


_SCALES = {"kWh": 1000, "kvarh": 1000, "kVAh": 1000, "V": 1000, "A": 1000, "Hz": 1000}
_SCALES_BY_KEY = {"power_factor": 1000, "phase_angle_sine": 1000, "voltage_angle": 100}


type Truth = dict[int | str, int]


def _true_demand(register: Register, profile: Profile, truth: Truth) -> int | None:
    """Return the raw truth of a demand register, None for another register."""
    demand = profile.demand
    name, _, tariff = register.key.partition("_tariff_")
    block = f"tier{int(tariff) - 1}." if tariff else ""
    if name == "demand_resets":
        return truth["demand_resets"]
    if demand is None or "_demand_" not in name or register.table != 23:
        return None
    if name.startswith("coincident_"):
        of = next(
            demand.sources[index]
            for source, index in demand.coincidents
            if source == register.source
            and name.endswith(f"_demand_{NAMES[demand.sources[index]]}")
        )
        return truth[f"{block}demand.{of}.coincident.{register.source}"]
    ends = {"cumulative": ".cumulative", "continuous": ".continuous"}
    end = ".time" if name.endswith("_time") else ends.get(name.partition("_")[0], "")
    return truth[f"{block}demand.{register.source}{end}"]


def true_value(register: Register, profile: Profile, truth: Truth) -> float | datetime:
    """Return what a register should show, by the simulated meter's own account."""
    name, _, tariff = register.key.partition("_tariff_")
    raw = _true_demand(register, profile, truth)
    if raw is None:
        source = register.source
        if source is None:
            source = profile.summations[int(name[-1]) + 14]
        raw = truth[f"tier{int(tariff) - 1}.{source}" if tariff else source]
        if register.table == 23 and register.unit not in {None, "s"}:
            raw *= truth["energy_unit"]
        if register.table == 28:
            # What the meter has not multiplied itself: see the test of ratios.
            raw *= register.multiplier
    elif name.endswith("_time"):
        at = datetime.fromtimestamp(raw, ZoneInfo("Europe/Copenhagen"))
        return at.replace(second=0, tzinfo=None)
    scale = _SCALES.get(register.unit or "", 1)
    for prefix, other in _SCALES_BY_KEY.items():
        scale = other if name.startswith(prefix) else scale
    return raw if scale == 1 else raw / scale


NAMES = {
    8: "power_import",
    9: "power_export",
    81: "power_import",
    82: "power_export",
    10: "reactive_power_import",
    11: "reactive_power_export",
    20: "apparent_power",
}
"""The sources that demands of the simulated meters have."""


def assert_true(meter: Meter, readings: Readings, simulated: SimulatedMeter) -> None:
    """Compare every reading with what the simulated meter says is true."""
    assert readings.values
    truth = simulated.truth()
    for key, value in readings.values.items():
        register = meter.registers[key]
        if register.operands:
            first, second = (readings.values[operand] for operand in register.operands)
            assert isinstance(first, int)
            assert isinstance(second, int)
            assert value == first - second
        else:
            assert value == true_value(register, simulated.profile, truth), key


@_EVERY_PROFILE
async def test_every_register_is_true(meter: Meter, simulated: SimulatedMeter) -> None:
    """All registers of all profiles have the meter's own values."""
    readings = await meter.read()
    assert set(readings.values) == set(meter.registers)
    assert not readings.errors
    assert_true(meter, readings, simulated)


@_EVERY_PROFILE
async def test_only_what_the_meter_lists(
    meter: Meter, simulated: SimulatedMeter
) -> None:
    """Every located source is one that the profile lists."""
    profile = simulated.profile
    listed = {*profile.summations, *profile.present}
    if demand := profile.demand:
        listed |= {*demand.present, *demand.sources}
        listed |= {source for source, _ in demand.coincidents}
    sources = {register.source for register in meter.registers.values()} - {None}
    assert sources <= listed


async def test_identity(meter: Meter, simulated: SimulatedMeter) -> None:
    """Serial number, maker, model and firmware are the meter's."""
    profile = simulated.profile
    assert meter.identity.serial_number == profile.serial_number
    assert meter.identity.model == profile.model
    assert meter.identity.manufacturer == profile.manufacturer
    assert meter.identity.firmware == "3.70.24"
    system = await meter.read_system_information()
    assert system.interface_version == simulated.interface_version


async def test_opening_is_short_and_silent(
    meter: Meter, simulated: SimulatedMeter, caplog: pytest.LogCaptureFixture
) -> None:
    """The refused first number costs one exchange and no word in the log.

    The rest are the number of the meter, its firmware, dimensions, selections, ratios,
    phases in two tables and, in two that must agree, the unit of energies.
    """
    assert len(simulated.requests) <= 13
    assert meter.statistics.sequence_resyncs == 1
    assert meter.statistics.last_error is None
    assert not [record for record in caplog.records if record.levelno > logging.DEBUG]


async def test_poll_takes_two_requests(meter: Meter, simulated: SimulatedMeter) -> None:
    """One request for BT23 and one for BT28; what is not wanted is not asked for."""
    await meter.read(_SHOWN_AT_FIRST)
    simulated.requests.clear()
    await meter.read(_SHOWN_AT_FIRST)
    # The second poll also learns the interface version to compare with later.
    assert [request.table for request in simulated.requests] == [2052, 23, 28]
    simulated.requests.clear()
    readings = await meter.read(_SHOWN_AT_FIRST)
    assert [request.table for request in simulated.requests] == [23, 28]
    assert set(readings.values) == set(_SHOWN_AT_FIRST)
    simulated.requests.clear()
    assert await meter.read(["frequency", "no_such_register"])
    assert [request.table for request in simulated.requests] == [28]


@pytest.mark.parametrize(
    "profile",
    sorted(
        name
        for name, each in PROFILES.items()
        if not each.transformer and name != "reordered"
    ),
)
async def test_poll_is_short(meter: Meter, simulated: SimulatedMeter) -> None:
    """A meter without transformers is read where its first values lie together."""
    await meter.read(_SHOWN_AT_FIRST)
    simulated.requests.clear()
    await meter.read(_SHOWN_AT_FIRST)
    asked = [each for each in simulated.requests if each.table in {23, 28}]
    assert len(asked) == 2
    bytes_on_the_wire = sum(each.request_length + each.reply_length for each in asked)
    assert bytes_on_the_wire <= 118


async def test_meter_without_serial_number_is_known_by_its_transceiver() -> None:
    """ET03 can be empty; the transceiver id is unique too."""
    simulated = SimulatedMeter(PROFILES["gen3"], serial_number="", paced=False)
    async with serve_tcp(simulated) as url:
        meter = await Meter.open(Access(url, DEFAULT_KEY), clock=driven_clock())
        system = await meter.read_system_information()
        await meter.close()
    assert meter.identity.serial_number == system.transceiver_id


async def test_serial_number_that_was_never_written(
    simulated: SimulatedMeter, url: str
) -> None:
    """Erased memory is no number, except to a meter that is known by it."""
    simulated.overwrite("ET03", b"\xff" * 30)
    transceiver = simulated.profile.transceiver_id.hex()
    known = r"\xff" * 30
    for known_as, number in (((), transceiver), ((known,), known)):
        meter = await Meter.open(
            Access(url, DEFAULT_KEY), clock=driven_clock(), known_as=known_as
        )
        assert meter.identity.serial_number == number
        await meter.close()


async def test_pty(simulated: SimulatedMeter, path: str) -> None:
    """A local port serves as well as a network one."""
    meter = await Meter.open(Access(path, DEFAULT_KEY), clock=driven_clock())
    assert_true(meter, await meter.read(), simulated)
    await meter.close()


@pytest.mark.parametrize(
    ("table", "key"), [("BT22", "energy_import"), ("BT27", "voltage_l1")]
)
async def test_hidden_selection(
    simulated: SimulatedMeter,
    url: str,
    caplog: pytest.LogCaptureFixture,
    table: str,
    key: str,
) -> None:
    """A meter that refuses BT22 or BT27 is read in the guide's order; said once."""
    simulated.add_fault(Fault(kind="refuse", table=table, code=0x05))
    meter = await Meter.open(Access(url, DEFAULT_KEY), clock=driven_clock())
    readings = await meter.read([key])
    assert_true(meter, readings, simulated)
    await meter.close()
    assert [
        record.levelname for record in caplog.records if table in record.message
    ] == ["WARNING"]


async def test_partial_reads_refused(simulated: SimulatedMeter, url: str) -> None:
    """Where a meter refuses partial reads of BT23, the full table is asked for."""
    meter = await Meter.open(Access(url, DEFAULT_KEY), clock=driven_clock())
    simulated.add_fault(
        Fault(kind="refuse", table="BT23", request_code=0x3F, code=0x02)
    )
    readings = await meter.read()
    assert not readings.errors
    assert_true(meter, readings, simulated)
    await meter.close()


@pytest.mark.parametrize("profile", ["gen4"])
async def test_no_full_read_that_fits_no_reply(
    meter: Meter, simulated: SimulatedMeter
) -> None:
    """A table of 684 bytes is not asked for in full."""
    simulated.add_fault(
        Fault(kind="refuse", table="BT23", request_code=0x3F, code=0x02)
    )
    readings = await meter.read()
    assert isinstance(readings.errors["BT23"], RefusalError)
    assert "energy_import" not in readings.values
    assert "power_net" in readings.values


async def test_silent_table_keeps_no_other_from_being_read(
    meter: Meter, simulated: SimulatedMeter
) -> None:
    """Each table succeeds or fails by itself."""
    simulated.add_fault(Fault(kind="silence", table="BT23"))
    readings = await meter.read(_SHOWN_AT_FIRST)
    assert set(readings.errors) == {"BT23"}
    assert isinstance(readings.errors["BT23"], NoReplyError)
    assert readings.values["voltage_l1"] > 200
    assert "energy_import" not in readings.values
    assert meter.statistics.reopens == 0


async def test_derived_register_needs_its_operands(
    meter: Meter, simulated: SimulatedMeter
) -> None:
    """Net power is missing when powers are; energies stay."""
    simulated.add_fault(Fault(kind="refuse", table="BT28", code=0x04))
    readings = await meter.read(_SHOWN_AT_FIRST)
    assert set(readings.errors) == {"BT28"}
    assert set(readings.values) == {"energy_import", "energy_export"}


async def test_nothing_readable_is_an_error(
    meter: Meter, simulated: SimulatedMeter
) -> None:
    """A poll without a single value raises what went wrong."""
    simulated.add_fault(Fault(kind="refuse", code=0x04))
    with pytest.raises(RefusalError, match="not possible now"):
        await meter.read()


async def test_changed_dimensions_are_learned(
    meter: Meter, simulated: SimulatedMeter
) -> None:
    """A new interface version brings new registers without reopening."""
    await meter.read()
    await meter.read()
    assert "reactive_energy_q1" not in meter.registers
    simulated.profile = PROFILES["gen3_demand"]
    simulated.add_fault(Fault(kind="sequence_jump"))
    readings = await meter.read()
    # Not one value of the poll that met the change is from the old place.
    assert "reactive_energy_q1" in readings.values
    assert_true(meter, readings, simulated)
    simulated.profile = PROFILES["gen3"]
    simulated.add_fault(Fault(kind="sequence_jump"))
    simulated.add_fault(Fault(kind="refuse", table="ET04", code=0x03))
    readings = await meter.read()
    assert "reactive_energy_q1" not in readings.values
    assert_true(meter, readings, simulated)


async def test_lost_reply_does_not_learn_again(
    meter: Meter, simulated: SimulatedMeter
) -> None:
    """A number refused because a reply was lost says nothing about dimensions."""
    await meter.read()
    await meter.read()
    simulated.add_fault(Fault(kind="lose_reply", times=1))
    await meter.read()
    simulated.requests.clear()
    await meter.read()
    assert {request.table for request in simulated.requests} == {23, 28}


async def test_unreadable_interface_version_is_no_obstacle(
    meter: Meter, simulated: SimulatedMeter
) -> None:
    """A meter that refuses ET04 is read all the same."""
    await meter.read()
    simulated.add_fault(Fault(kind="refuse", table="ET04", code=0x03))
    assert not (await meter.read()).errors


@pytest.mark.parametrize("readings", [0, 1, 2])
async def test_layout_changes_at_any_time(
    meter: Meter, simulated: SimulatedMeter, readings: int
) -> None:
    """Registers are found again, however often they had been read before."""
    for _ in range(readings):
        await meter.read()
    simulated.change_profile("gen3_demand")
    assert_true(meter, await meter.read(), simulated)
    assert "demand_resets" in meter.registers


async def test_clock(meter: Meter, simulated: SimulatedMeter) -> None:
    """BT52 is the meter's clock, wrong or not."""
    simulated.clock_offset = -90
    clock = await meter.read_clock()
    assert simulated.time - clock.time - timedelta(seconds=90) < timedelta(seconds=1)


@pytest.mark.parametrize("profile", ["gen4"])
async def test_tables(meter: Meter, simulated: SimulatedMeter) -> None:
    """Any table can be read: a part, in parts, and to an end that is not known."""
    truth = simulated.table(23)
    assert truth
    assert len(truth) == 684
    assert await meter.read_table(23, 100, 20) == truth[100:120]
    assert await meter.read_table(23, 0, 684) == truth
    assert await meter.read_table(23) == truth
    assert await meter.read_table(23, offset=600) == truth[600:]
    with pytest.raises(RefusalError, match="BT99"):
        await meter.read_table(99)


async def test_raw_requests(meter: Meter, simulated: SimulatedMeter) -> None:
    """Any read request can be sent as it is."""
    truth = simulated.table(21)
    assert await meter.request(FullRead(21, 10)) == truth
    assert truth
    assert await meter.request(PartialRead(21, 3, 1)) == truth[3:4]
