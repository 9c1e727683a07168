"""Which registers a meter has, where, and what is shown of them."""

from datetime import datetime
import struct

import pytest

from osgp.registers import Register, RegisterMap, locate_registers
from osgp.tables.constants import NO_TRANSFORMERS, Constants
from osgp.tables.dimensions import (
    PresentSelection,
    RegisterSelection,
    decode_register_dimensions,
    default_present_selection,
    default_register_selection,
)
from osgp.tables.fields import TableData

_CAPTURED_BT28 = struct.unpack(
    "<55i",
    bytes.fromhex(
        "8f0100000000000000000000bf0300003d0b00001506000071080000637103005f7a0300"
        "c3790300c301000082c30000d3050000f10000002d00000096fdffffc9feffff6efcffff"
        "8f0100000000000000000000bf03000000000000000000000000"
        "0000bf030000"
        "240100005500000016000000000000000000000000000000240100005500000016000000"
        "0000000000000000000000003d0b000015060000710800009b750300db7b0300eb760300"
        "437e0300c3850300977e03008f0100000000000024010000550000001600000000000000"
        "0000000000000000"
    ),
)
"""BT28 of a generation 3 meter without transformers, from a public bug report."""


def _registers(
    dimensions: str = "030e0c0b000000040037",
    *,
    summations: tuple[int, ...] | None = None,
    values: tuple[int, ...] | None = None,
    constants: Constants = NO_TRANSFORMERS,
    energy_unit: int = 1,
    firmware_major: int = 3,
) -> dict[str, Register]:
    actual = decode_register_dimensions(bytes.fromhex(dimensions))
    return dict(
        locate_registers(
            RegisterMap(
                dimensions=actual,
                selection=default_register_selection(actual)
                if summations is None
                else RegisterSelection(summations),
                present_selection=default_present_selection(actual)
                if values is None
                else PresentSelection((), values),
                constants=constants,
                energy_unit=energy_unit,
                firmware_major=firmware_major,
            )
        )
    )


def test_captured_reply_of_a_meter_in_the_field() -> None:
    """A real BT28: the report's own reading of it, in shown units."""
    shown = {
        key: register.shown(_CAPTURED_BT28[register.offset // 4])
        for key, register in _registers().items()
        if register.table == 28 and register.operands is None
    }
    assert shown["power_import"] == 399
    assert shown["power_export"] == 0
    assert shown["reactive_power_export"] == 959
    assert shown["current_l1"] == 2.877
    assert shown["voltage_l1"] == 225.635
    assert shown["frequency"] == 50.05
    assert shown["apparent_power"] == 1491
    assert shown["power_factor_l1"] == 0.451
    assert shown["phase_angle_sine_l3"] == -0.914
    assert shown["reactive_power_q4"] == 959
    assert shown["power_import_l1"] == 292
    assert (
        shown["power_import_l1"] + shown["power_import_l2"] + shown["power_import_l3"]
        == 399
    )
    assert shown["average_voltage_l3"] == 229.015
    assert shown["average_power_import"] == 399


def test_values_after_transformers_are_the_plain_ones_without_transformers() -> None:
    """Why the CT/VT sources can be preferred on every meter that lists them."""
    for plain, after in (
        *zip(range(4), range(18, 22), strict=True),
        *zip(range(26, 32), range(32, 38), strict=True),
        *zip(range(4, 7), range(38, 41), strict=True),
    ):
        assert _CAPTURED_BT28[plain] == _CAPTURED_BT28[after]


def test_energy_registers_in_total_and_by_tariff() -> None:
    """Totals at the front, tiers in blocks behind; named tariffs from 1."""
    registers = _registers()
    assert registers["energy_import"].offset == 0
    assert registers["energy_export"].offset == 4
    assert registers["energy_import_tariff_1"].offset == 44
    assert registers["energy_export_tariff_4"].offset == 4 * 44 + 4
    assert "energy_import_tariff_5" not in registers
    assert "power_outages_tariff_1" not in registers
    assert registers["energy_import"].shown(12_345_678) == 12345.678
    assert registers["energy_import"].unit == "kWh"


@pytest.mark.parametrize(("unit", "shown"), [(1, 1.234), (10, 12.34), (100, 123.4)])
def test_energy_unit_scales_energies_only(unit: int, shown: float) -> None:
    """Counts of 10 or 100 Wh are scaled once, durations and counts never."""
    registers = _registers(energy_unit=unit)
    assert registers["energy_import"].shown(1234) == shown
    assert registers["reactive_energy_export_tariff_2"].shown(1234) == shown
    assert registers["power_outage_duration"].shown(1234) == 1234
    assert registers["power_outages"].shown(3) == 3
    assert registers["power_import"].shown(1234) == 1234


def test_order_is_the_meters_own() -> None:
    """Sources are found wherever the meter lists them; what it lacks is missing."""
    registers = _registers(
        "030e0c03000000000004", summations=(7, 0, 28), values=(19, 9, 17, 9)
    )
    assert set(registers) == {
        *("energy_net", "energy_import", "meter_errors"),
        *("frequency", "power_export", "voltage_l3"),
    }
    assert registers["energy_import"].offset == 4
    assert registers["power_export"].offset == 4
    assert registers["power_export"].source == 9


@pytest.mark.parametrize(
    ("constants", "values", "sources"),
    [
        (Constants(applied=True, current_ratio=40, voltage_ratio=1), 4, (81, 197)),
        (Constants(applied=False, current_ratio=40, voltage_ratio=1), 4, (8, 12)),
        (NO_TRANSFORMERS, 4, (8, 12)),
        (NO_TRANSFORMERS, 2, (81, 197)),
    ],
)
def test_values_listed_twice(
    constants: Constants, values: int, sources: tuple[int, int]
) -> None:
    """They are read where the ratios are in, and the plain ones if there are none."""
    registers = _registers(
        f"030e0c000000000000{values:02x}",
        summations=(),
        values=(197, 81, 12, 8)[:values],
        constants=constants,
    )
    assert registers["power_import"].source == sources[0]
    assert registers["current_l1"].source == sources[1]
    assert registers["power_import"].multiplier == 1


def test_net_power_needs_both_directions() -> None:
    """The signed power is import minus export."""
    assert _registers()["power_net"].operands == ("power_import", "power_export")
    one_way = _registers("030e0c00000000000001", summations=(), values=(8,))
    assert "power_net" not in one_way


_GEN4 = "030e0c13000000080000"
_QUADRANT_SUMMATIONS = (0, 1, 2, 3, 4, 5, 6, 7, 26, 27, 28, 108, 109, 110, 111)


def test_apparent_energy_of_4x_meters() -> None:
    """Apparent energy has no source id: by position, on 4.x meters."""
    summations = (*_QUADRANT_SUMMATIONS, 245, 246, 247, 248)
    registers = _registers(_GEN4, summations=summations, values=(), firmware_major=4)
    assert registers["apparent_energy_q1"].offset == 60
    assert registers["apparent_energy_q4"].offset == 72
    assert registers["apparent_energy_q4_tariff_8"].offset == 8 * 76 + 72
    assert registers["apparent_energy_q1"].source is None
    assert registers["apparent_energy_q1"].unit == "kVAh"


@pytest.mark.parametrize(
    ("firmware_major", "summations"),
    [
        (3, (*_QUADRANT_SUMMATIONS, 245, 246, 247, 248)),
        (4, (245, 246, 247, 248, *_QUADRANT_SUMMATIONS)),
        (4, _QUADRANT_SUMMATIONS),
    ],
)
def test_apparent_energy_is_not_guessed(
    firmware_major: int, summations: tuple[int, ...]
) -> None:
    """Other meters, and unlisted sources elsewhere, have no apparent energy."""
    registers = _registers(
        _GEN4, summations=summations, values=(), firmware_major=firmware_major
    )
    assert not any(key.startswith("apparent") for key in registers)


_TRANSFORMERS = Constants(applied=True, current_ratio=40, voltage_ratio=100)


@pytest.mark.parametrize(
    ("key", "factor"),
    [
        # The meter has multiplied these itself.
        ("power_import", 1),
        ("reactive_power_export", 1),
        ("power_export_l3", 1),
        ("current_l2", 1),
        ("energy_import", 1),
        ("energy_export_tariff_4", 1),
        # These are as they are behind the transformers.
        ("voltage_l1", 100),
        ("average_voltage_l2", 100),
        ("continuous_voltage_l3", 100),
        ("apparent_power", 4000),
        ("reactive_power_q1", 4000),
        ("average_power_import", 4000),
        ("average_power_export_l1", 4000),
        # Ratios do not touch these.
        ("frequency", 1),
        ("power_factor_l1", 1),
        ("phase_angle_sine_l1", 1),
        ("power_outages", 1),
    ],
)
def test_transformer_ratios_are_applied_once(key: str, factor: int) -> None:
    """Each kind of register gets the ratios that are not in it yet."""
    register = _registers(constants=_TRANSFORMERS)[key]
    assert register.shown(12_000) * register.divisor == 12_000 * factor
    switched_off = Constants(applied=False, current_ratio=40, voltage_ratio=100)
    register = _registers(constants=switched_off)[key]
    assert register.shown(12_000) * register.divisor == 12_000


@pytest.mark.parametrize(
    ("key", "factor"), [("neutral_current", 40), ("average_current_l1", 40)]
)
def test_transformer_ratios_of_4x_registers(key: str, factor: int) -> None:
    """Currents without a multiplied twin get the current ratio alone."""
    registers = _registers("030e0c0000000000004b", constants=_TRANSFORMERS)
    assert registers[key].shown(1000) == factor


def test_power_before_3_50_gets_the_ratios() -> None:
    """Where the meter does not list the multiplied value, it is multiplied here."""
    registers = _registers(
        "030e0c00000000000003", values=(8, 12, 185), constants=_TRANSFORMERS
    )
    assert registers["power_import"].shown(5) == 5 * 4000
    assert registers["current_l1"].shown(5000) == 5 * 40
    assert registers["power_import_l1"].shown(5) == 5 * 4000


_DEMAND = "7f0e0c0f020401040237"


def _demand_registers(
    demands: tuple[int, ...] = (8, 10),
    *,
    maximum: tuple[bool, ...] = (True, True),
    present: tuple[int, ...] = (88, 89),
    constants: Constants = NO_TRANSFORMERS,
) -> dict[str, Register]:
    actual = decode_register_dimensions(bytes.fromhex(_DEMAND))
    return dict(
        locate_registers(
            RegisterMap(
                dimensions=actual,
                selection=RegisterSelection(
                    summations=default_register_selection(actual).summations,
                    demands=demands,
                    maximum=maximum,
                    coincidents=(10, 20, 8, 20),
                    coincident_demands=(0, 0, 1, 1),
                ),
                present_selection=PresentSelection(
                    present, default_present_selection(actual).values
                ),
                constants=constants,
                energy_unit=10,
                firmware_major=3,
            )
        )
    )


def test_demands() -> None:
    """Maxima with their times, cumulative values and coincidents, in each block."""
    registers = _demand_registers()
    assert registers["demand_resets"].offset == 0
    assert registers["demand_resets"].value(TableData("BT23", b"\x07")) == 7
    expected = {
        "maximum_demand_power_import_time": 61,
        "cumulative_demand_power_import": 66,
        "continuous_cumulative_demand_power_import": 70,
        "maximum_demand_power_import": 74,
        "maximum_demand_reactive_power_import": 91,
        "coincident_reactive_power_import_at_maximum_demand_power_import": 95,
        "coincident_apparent_power_at_maximum_demand_reactive_power_import": 107,
        "maximum_demand_power_import_tariff_1": 74 + 110,
    }
    assert {key: registers[key].offset for key in expected} == expected
    assert registers["maximum_demand_power_import"].unit == "W"
    # Demands are no energies: their unit is the watt whatever energies count in.
    assert registers["maximum_demand_power_import"].shown(5432) == 5432
    time = registers["maximum_demand_power_import_time"]
    at = time.value(TableData("BT23", bytes.fromhex("1a02110f1e"), 61))
    assert at == datetime(2026, 2, 17, 15, 30)  # noqa: DTZ001
    assert time.value(TableData("BT23", bytes(5), 61)) is None


def test_minimum_demand() -> None:
    """BT22 says whether a demand is a maximum."""
    registers = _demand_registers(maximum=(True, False))
    assert "minimum_demand_reactive_power_import" in registers
    assert (
        "coincident_apparent_power_at_minimum_demand_reactive_power_import" in registers
    )


@pytest.mark.parametrize(
    ("present", "keys"),
    [
        (
            (88, 89),
            ("present_demand_power_import", "present_demand_reactive_power_import"),
        ),
        (
            (97, 96),
            ("previous_demand_reactive_power_import", "previous_demand_power_import"),
        ),
        ((8, 9), ("present_demand_power_import", "present_demand_power_export")),
    ],
)
def test_present_demands(present: tuple[int, ...], keys: tuple[str, str]) -> None:
    """BT27 names demands by their number in BT22, or by what they are of."""
    registers = _demand_registers(present=present)
    assert [registers[key].offset for key in keys] == [3, 10]


def test_demands_of_unknown_sources_are_left_out() -> None:
    """A demand of something unlisted has no name, nor have its coincidents."""
    registers = _demand_registers((250, 10), present=(88, 95))
    assert "maximum_demand_reactive_power_import" in registers
    assert not any(key.endswith("maximum_demand_power_import") for key in registers)
    assert not any(key.startswith("present_demand") for key in registers)


@pytest.mark.parametrize(("source", "factor"), [(8, 4000), (81, 1)])
def test_present_demand_gets_the_ratios_once(source: int, factor: int) -> None:
    """A present demand is as its source is: multiplied already or not."""
    registers = _demand_registers((source, 10), constants=_TRANSFORMERS)
    assert registers["present_demand_power_import"].shown(1) == factor
    assert registers["maximum_demand_power_import"].shown(1) == 1
