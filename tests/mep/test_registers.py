"""Which registers a meter has, where, and what is shown of them."""

import struct

import pytest

from custom_components.nes_mep.mep.registers import (
    Register,
    RegisterMap,
    locate_registers,
)
from custom_components.nes_mep.mep.tables.dimensions import (
    PresentSelection,
    RegisterSelection,
    decode_register_dimensions,
    default_present_selection,
    default_register_selection,
)

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
        if register.table == 28 and not register.operands
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


def test_values_after_transformers_are_preferred() -> None:
    """A meter that lists a value twice is read where the ratios are in."""
    registers = _registers(
        "030e0c00000000000004", summations=(), values=(8, 81, 12, 197)
    )
    assert registers["power_import"].source == 81
    assert registers["current_l1"].source == 197


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
