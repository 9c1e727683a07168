"""Quantities and units of M-Bus records (EN 13757-3): value information codes."""

from dataclasses import dataclass, replace
from enum import Enum


class Form(Enum):
    """How the data of a record are read."""

    NUMBER = "number"
    DATE = "date"
    DATE_TIME = "date and time"
    IDENTIFIER = "identifier"
    """Digits or text, not a measure."""
    FLAGS = "flags"


@dataclass(frozen=True, slots=True)
class Measure:
    """What a value information block means.

    The value is the number of the record, divided by divisor and multiplied by 10 to
    the power of exponent, in unit. qualifiers distinguish registers of the same
    quantity: "uncorrected" and "at_base_conditions" volumes of gas, "forward" and
    "backward" flow.
    """

    quantity: str
    unit: str = ""
    exponent: int = 0
    divisor: int = 1
    form: Form = Form.NUMBER
    qualifiers: tuple[str, ...] = ()

    def scale(self, number: float) -> float:
        """Return the value that a number of a record stands for."""
        numerator: int = 10 ** max(0, self.exponent)
        denominator: int = self.divisor * 10 ** max(0, -self.exponent)
        return number * numerator / denominator


type _Codes = dict[int, Measure]


def _range(
    first: int, exponents: range, quantity: str, unit: str, divisor: int = 1
) -> _Codes:
    """Return consecutive codes, whose exponents go up by one."""
    return {
        first + index: Measure(quantity, unit, exponent, divisor=divisor)
        for index, exponent in enumerate(exponents)
    }


def _durations(first: int, quantity: str) -> _Codes:
    """Return four codes: seconds, minutes, hours and days."""
    return {
        first + index: Measure(quantity, unit)
        for index, unit in enumerate(("s", "min", "h", "d"))
    }


_PRIMARY: _Codes = {
    **_range(0x00, range(-6, 2), "energy", "kWh"),
    **_range(0x08, range(-6, 2), "energy", "MJ"),
    **_range(0x10, range(-6, 2), "volume", "m³"),
    **_range(0x18, range(-3, 5), "mass", "kg"),
    **_durations(0x20, "on_time"),
    **_durations(0x24, "operating_time"),
    **_range(0x28, range(-3, 5), "power", "W"),
    # Joules an hour.
    **_range(0x30, range(8), "power", "W", divisor=3600),
    **_range(0x38, range(-6, 2), "flow", "m³/h"),
    **_range(0x40, range(-7, 1), "flow", "m³/min"),
    **_range(0x48, range(-9, -1), "flow", "m³/s"),
    **_range(0x50, range(-3, 5), "mass_flow", "kg/h"),
    **_range(0x58, range(-3, 1), "temperature_flow", "°C"),
    **_range(0x5C, range(-3, 1), "temperature_return", "°C"),
    **_range(0x60, range(-3, 1), "temperature_difference", "K"),
    **_range(0x64, range(-3, 1), "temperature_external", "°C"),
    **_range(0x68, range(-3, 1), "pressure", "bar"),
    0x6C: Measure("date", form=Form.DATE),
    0x6D: Measure("date_time", form=Form.DATE_TIME),
    0x6E: Measure("heat_cost_units"),
    **_durations(0x70, "averaging_duration"),
    **_durations(0x74, "actuality_duration"),
    0x78: Measure("fabrication_number", form=Form.IDENTIFIER),
    0x79: Measure("identification", form=Form.IDENTIFIER),
}

_FIRST_EXTENSION: _Codes = {
    **_range(0x00, range(2, 4), "energy", "kWh"),
    **_range(0x02, range(2), "reactive_energy", "kvarh"),
    **_range(0x04, range(2), "apparent_energy", "kVAh"),
    **_range(0x08, range(2, 4), "energy", "MJ"),
    **_range(0x10, range(2, 4), "volume", "m³"),
    **_range(0x14, range(4), "reactive_power", "var"),
    **_range(0x18, range(5, 7), "mass", "kg"),
    **_range(0x1A, range(-1, 1), "humidity", "%"),
    **_range(0x28, range(5, 7), "power", "W"),
    **_range(0x2C, range(-3, 1), "frequency", "Hz"),
    **_range(0x34, range(4), "apparent_power", "VA"),
}

_SECOND_EXTENSION: _Codes = {
    0x0B: Measure("parameter_set", form=Form.IDENTIFIER),
    0x0C: Measure("model_version", form=Form.IDENTIFIER),
    0x0D: Measure("hardware_version", form=Form.IDENTIFIER),
    0x0E: Measure("firmware_version", form=Form.IDENTIFIER),
    0x0F: Measure("software_version", form=Form.IDENTIFIER),
    0x10: Measure("customer_location", form=Form.IDENTIFIER),
    0x11: Measure("customer", form=Form.IDENTIFIER),
    0x17: Measure("error_flags", form=Form.FLAGS),
    0x1A: Measure("digital_output", form=Form.FLAGS),
    0x1B: Measure("digital_input", form=Form.FLAGS),
    0x3A: Measure("dimensionless"),
    **_range(0x40, range(-9, 7), "voltage", "V"),
    **_range(0x50, range(-12, 4), "current", "A"),
    0x60: Measure("reset_counter"),
    0x61: Measure("cumulation_counter"),
    0x74: Measure("battery_remaining", "d"),
}

_QUALIFIERS = {
    0x3A: "uncorrected",
    0x3B: "forward",
    0x3C: "backward",
    0x3E: "at_base_conditions",
}
_NO_ERROR = 0x00
_FIRST_EXTENSION_FOLLOWS = 0xFB
_SECOND_EXTENSION_FOLLOWS = 0xFD


def measure(codes: bytes) -> Measure | None:
    """Return what the codes of a value information block mean, VIF first.

    The result is None for unknown codes; one unknown extension is enough, because it
    can change the meaning of the others.
    """
    vif, extensions = codes[0], codes[1:]
    table = _PRIMARY
    if vif in {_FIRST_EXTENSION_FOLLOWS, _SECOND_EXTENSION_FOLLOWS} and extensions:
        first = vif == _FIRST_EXTENSION_FOLLOWS
        table = _FIRST_EXTENSION if first else _SECOND_EXTENSION
        vif, extensions = extensions[0], extensions[1:]
    found = table.get(vif & 0x7F)
    for code in extensions:
        if found is None:
            break
        found = _extended(found, code & 0x7F)
    return found


def _extended(base: Measure, code: int) -> Measure | None:
    """Return the measure with an extension code, or None if that is unknown."""
    if code == _NO_ERROR:
        return base
    if base.form is not Form.NUMBER:
        return None
    if code in _QUALIFIERS:
        return replace(base, qualifiers=(*base.qualifiers, _QUALIFIERS[code]))
    if 0x70 <= code <= 0x77:
        return replace(base, exponent=base.exponent + code - 0x76)
    if code == 0x7D:
        return replace(base, exponent=base.exponent + 3)
    return None


def _thrice(
    first: int, quantity: str, unit: str, exponent: int, divisor: int = 1
) -> _Codes:
    """Return three codes: a unit, ten and a hundred of it."""
    return _range(first, range(exponent, exponent + 3), quantity, unit, divisor)


FIXED_UNITS: _Codes = {
    **_thrice(0x02, "energy", "kWh", -3),
    **_thrice(0x05, "energy", "kWh", 0),
    **_thrice(0x08, "energy", "kWh", 3),
    **_thrice(0x0B, "energy", "MJ", -3),
    **_thrice(0x0E, "energy", "MJ", 0),
    **_thrice(0x11, "energy", "MJ", 3),
    **_thrice(0x14, "power", "W", 0),
    **_thrice(0x17, "power", "W", 3),
    **_thrice(0x1A, "power", "W", 6),
    **_thrice(0x1D, "power", "W", 3, divisor=3600),
    **_thrice(0x20, "power", "W", 6, divisor=3600),
    **_thrice(0x23, "power", "W", 9, divisor=3600),
    **_thrice(0x26, "volume", "m³", -6),
    **_thrice(0x29, "volume", "m³", -3),
    **_thrice(0x2C, "volume", "m³", 0),
    **_thrice(0x2F, "flow", "m³/h", -6),
    **_thrice(0x32, "flow", "m³/h", -3),
    **_thrice(0x35, "flow", "m³/h", 0),
    0x38: Measure("temperature", "°C", -3),
    0x39: Measure("heat_cost_units"),
}
"""Units of the counters of a fixed data structure, by their six bits."""

UNITS = frozenset(
    found.unit
    for table in (_PRIMARY, _FIRST_EXTENSION, _SECOND_EXTENSION, FIXED_UNITS)
    for found in table.values()
    if found.unit
)
"""The units of records."""

MEDIUMS = {
    0x00: "other",
    0x01: "oil",
    0x02: "electricity",
    0x03: "gas",
    0x04: "heat",
    0x05: "steam",
    0x06: "hot_water",
    0x07: "water",
    0x08: "heat_cost_allocator",
    0x09: "compressed_air",
    0x0A: "cooling",
    0x0B: "cooling",
    0x0C: "heat",
    0x0D: "heat_cooling",
    0x15: "hot_water",
    0x16: "cold_water",
    0x17: "hot_cold_water",
    0x18: "pressure",
    0x1B: "room_sensor",
    0x28: "waste_water",
}
UNKNOWN_MEDIUM = "unknown"

FIXED_MEDIUMS = {
    **{code: MEDIUMS[code] for code in range(9)},
    0x0A: "gas",
    0x0B: "heat",
    0x0C: "hot_water",
    0x0D: "water",
    0x0E: "heat_cost_allocator",
}
"""Mediums of a fixed data structure, by their four bits."""
