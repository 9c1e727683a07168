"""Dimensions that no meter has, and tables that end before their dimensions do."""

from collections.abc import Callable
from contextlib import suppress

from hypothesis import given, strategies as st
import pytest

from osgp import Access, DecodeError, Meter, RefusalError
from osgp.mbus.tables import decode_device_dimensions
from osgp.registers import RegisterMap, locate_registers
from osgp.tables.constants import NO_TRANSFORMERS, decode_constants
from osgp.tables.dimensions import (
    decode_fixed_dimensions,
    decode_maximum_tiers,
    decode_present_selection,
    decode_register_dimensions,
    decode_register_selection,
)
from osgp.tables.events import decode_alternate_entries, decode_event_log_dimensions
from osgp.tables.interface import (
    decode_interface_definition,
    decode_interface_definition_length,
)
from osgp.tables.load_profile import (
    decode_data_set_configuration,
    decode_load_profile_dimensions,
)
from osgp.tables.logs import decode_log_dimensions
from tests.driven_clock import driven_clock
from tests.simulator import DEFAULT_KEY, Fault, SimulatedMeter
from tests.simulator.packet import ReplyCode

from .test_meter import assert_true

_DECODERS: dict[str, tuple[int, Callable[[bytes], object]]] = {
    "BT15": (17, decode_constants),
    "BT20": (10, decode_fixed_dimensions),
    "BT21": (10, decode_register_dimensions),
    "BT61": (31, decode_load_profile_dimensions),
    "BT71": (7, decode_event_log_dimensions),
    "ET11": (26, decode_device_dimensions),
    "ET21": (30, lambda data: decode_data_set_configuration(data, 0)),
    "ET36": (120, decode_log_dimensions),
    "ET42": (300, decode_interface_definition),
}


@pytest.mark.parametrize("table", _DECODERS)
def test_table_of_nothing_but_255(table: str) -> None:
    """It is refused by name and place; nothing is made of that size."""
    length, decode = _DECODERS[table]
    with pytest.raises(DecodeError, match=f"^{table} at [0-9]+ ") as caught:
        decode(b"\xff" * length)
    assert caught.value.table == table
    for decode_part in (decode_alternate_entries, decode_interface_definition_length):
        with pytest.raises(DecodeError, match="65535 is more than"):
            decode_part(b"\xff\xff")
    with pytest.raises(DecodeError, match="BT20 at 7"):
        decode_maximum_tiers(b"\xff")


@pytest.mark.parametrize("table", _DECODERS)
@given(st.data())
def test_arbitrary_dimensions(table: str, data: st.DataObject) -> None:
    """Whatever a table says, it is decoded or refused, also when it is too short."""
    length, decode = _DECODERS[table]
    content = data.draw(st.binary(max_size=length))
    with suppress(DecodeError):
        decode(content)


@given(st.binary(min_size=10, max_size=10), st.binary(min_size=200, max_size=200))
def test_registers_are_limited(dimensions: bytes, selections: bytes) -> None:
    """No meter can have more registers than the guide's largest one."""
    try:
        actual = decode_register_dimensions(dimensions)
        facts = RegisterMap(
            dimensions=actual,
            firmware_major=4,
            selection=decode_register_selection(selections, actual),
            present_selection=decode_present_selection(selections, actual),
            constants=NO_TRANSFORMERS,
            energy_unit=1,
        )
    except DecodeError:
        return
    assert len(locate_registers(facts)) <= 600
    assert facts.length(23) <= 2600
    assert facts.length(28) <= 16 * 7 + 4 * 84


def test_selections_without_any_source() -> None:
    """A selection that names nothing is no selection."""
    actual = decode_register_dimensions(bytes.fromhex("7f0efd0b020401040216"))
    data = bytes((*range(11), 8, 10, 3, 10, 20, 8, 20, 0, 0, 1, 1))
    assert decode_register_selection(data, actual).coincident_demands == (0, 0, 1, 1)
    with pytest.raises(DecodeError, match="BT22 at 0"):
        decode_register_selection(b"\xff" * len(data), actual)
    with pytest.raises(DecodeError, match="BT22 at 20"):
        decode_register_selection(data[:-2] + b"\x02\xff", actual)
    with pytest.raises(DecodeError, match="BT27 at 2"):
        decode_present_selection(b"\xff" * 24, actual)


@pytest.mark.parametrize("table", ["BT22", "BT27"])
async def test_hostile_selection(
    simulated: SimulatedMeter, url: str, table: str
) -> None:
    """It costs the registers of its table, until it makes sense."""
    simulated.overwrite(table, b"\xff" * 200)
    meter = await Meter.open(Access(url, DEFAULT_KEY), clock=driven_clock())
    readings = await meter.read()
    assert isinstance(readings.errors[table], DecodeError)
    assert_true(meter, readings, simulated)
    await meter.close()


@pytest.mark.parametrize("table", ["BT61", "ET21", "BT71", "ET11", "ET36"])
async def test_hostile_dimensions_end_in_the_clients_own_error(
    simulated: SimulatedMeter, meter: Meter, table: str
) -> None:
    """Whatever they are the dimensions of, registers are read all the same."""
    simulated.overwrite(table, b"\xff" * 600)
    for read in (
        meter.read_events,
        meter.read_mbus_devices,
        meter.read_load_profile_sets,
        lambda: meter.read_slow_table("outages"),
        lambda: anext(aiter(meter.load_profile())),
    ):
        with suppress(DecodeError):
            await read()
    assert_true(meter, await meter.read(), simulated)


async def test_place_that_no_request_can_name(meter: Meter) -> None:
    """It is the client's own error, before anything is asked."""
    with pytest.raises(DecodeError, match="BT64 at 16777210"):
        await meter.read_table(64, 0xFFFFFA, 7)


@pytest.mark.parametrize("code", [None, ReplyCode.NOT_POSSIBLE, ReplyCode(5)])
@pytest.mark.parametrize(
    ("profile", "table", "missing"),
    [
        ("fw_3_70", "BT28", 4),
        ("fw_3_70", "BT28", 27),
        ("gen4", "BT28", 1),
        ("gen4", "BT23", 30),
        ("gen3_demand", "BT23", 7),
        ("gen3_demand", "BT28", 3),
    ],
)
async def test_table_ends_early(
    simulated: SimulatedMeter,
    url: str,
    code: ReplyCode | None,
    table: str,
    missing: int,
) -> None:
    """The registers behind the end are missing, all others are there and true."""
    meter = await Meter.open(Access(url, DEFAULT_KEY), clock=driven_clock())
    number = int(table[2:])
    end = meter.register_map.length(number) - 4 * missing
    simulated.end_early(table, end, code)
    there = {
        key
        for key, register in meter.registers.items()
        if register.table != number
        or (register.operands is None and register.offset + register.length <= end)
    }
    if not meter.registers["power_export"].offset + 4 <= end and number == 28:
        there.discard("power_net")
    for poll in range(4):
        simulated.requests.clear()
        readings = await meter.read()
        assert_true(meter, readings, simulated)
        assert readings.values.keys() | {"power_net"} == there | {"power_net"}
        # What is behind the end is a failure until the end is certain.
        assert bool(readings.errors) == (code is not None and poll == 0)
    assert len(simulated.requests) <= 4
    await meter.close()


@pytest.mark.parametrize("profile", ["fw_3_70"])
@pytest.mark.parametrize("times", [1, 2, 3])
async def test_refusal_that_is_not_the_end(
    simulated: SimulatedMeter, meter: Meter, times: int
) -> None:
    """Nothing is missing for longer than the meter refuses it."""
    simulated.add_fault(Fault(kind="refuse", table="BT28", code=4, times=times))
    for _ in range(2):
        readings = await meter.read()
        assert_true(meter, readings, simulated)
    assert readings.values.keys() == meter.registers.keys()
    assert not readings.errors


@pytest.mark.parametrize("profile", ["fw_3_70"])
async def test_values_far_behind_the_end(
    simulated: SimulatedMeter, meter: Meter
) -> None:
    """They cost no others, though they are asked for in a request of their own."""
    simulated.end_early("BT28", 100, ReplyCode.NOT_POSSIBLE)
    keys = ["voltage_l1", "average_power_export_l3"]
    for _ in range(2):
        assert (await meter.read(keys)).values.keys() == {"voltage_l1"}
    with pytest.raises(RefusalError):
        await meter.read(keys[1:])


@pytest.mark.parametrize("profile", ["gen3_demand"])
@pytest.mark.parametrize("date", ["ffffffffff", "1a0a000000", "1a0b1a1800"])
async def test_date_that_is_none(
    simulated: SimulatedMeter, meter: Meter, date: str
) -> None:
    """It costs only itself."""
    key = "maximum_demand_power_import_time_tariff_2"
    register = meter.registers[key]
    simulated.overwrite("BT23", bytes.fromhex(date), register.offset)
    readings = await meter.read()
    assert not readings.errors
    assert readings.values.keys() == meter.registers.keys()
    assert readings.values[key] is None
    assert readings.values["maximum_demand_power_import_time"] is not None
