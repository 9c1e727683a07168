"""The registers that meters can report: names, sources, units and scale."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
import itertools
import re

_PHASE = re.compile(r"_l([123])")

OUTAGE_DURATION = 4
"""Source id of the time without power."""


class Ratio(Enum):
    """The transformer ratios that lie between a register of BT28 and the mains."""

    NONE = "none"
    CURRENT = "current"
    VOLTAGE = "voltage"
    POWER = "power"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterDescription:
    """A summation of BT23 or a present value of BT28.

    source is the id (guide, "source ids") under which meters list it. unit is the shown
    unit, and a shown value is the register divided by divisor. counts_energy marks
    registers in energy register units (1, 10 or 100 Wh, varh or VAh), tiered those that
    also exist per tier. ratio says which transformer ratios a register does not
    include; source_after_ratio is the id of the same value if the meter has already
    multiplied it.
    """

    key: str
    source: int
    unit: str | None
    divisor: int = 1
    counts_energy: bool = False
    tiered: bool = False
    ratio: Ratio = Ratio.NONE
    source_after_ratio: int | None = None

    @property
    def phases(self) -> frozenset[int]:
        """The phases, 1 to 3, that it belongs to; empty for a register of all phases."""
        return frozenset(map(int, _PHASE.findall(self.key)))

    @property
    def is_voltage(self) -> bool:
        """Whether it is measured where there is voltage, even without current."""
        return "voltage" in self.key


def _energy(key: str, source: int, unit: str) -> RegisterDescription:
    return RegisterDescription(
        key=key,
        source=source,
        unit=unit,
        divisor=1000,
        counts_energy=True,
        tiered=True,
    )


SUMMATIONS = (
    _energy("energy_import", 0, "kWh"),
    _energy("energy_export", 1, "kWh"),
    _energy("reactive_energy_import", 2, "kvarh"),
    _energy("reactive_energy_export", 3, "kvarh"),
    RegisterDescription(key="power_outage_duration", source=OUTAGE_DURATION, unit="s"),
    RegisterDescription(key="power_outages", source=5, unit=None),
    _energy("energy_combined", 6, "kWh"),
    _energy("energy_net", 7, "kWh"),
    RegisterDescription(key="pulse_input_1", source=26, unit=None),
    RegisterDescription(key="pulse_input_2", source=27, unit=None),
    RegisterDescription(key="meter_errors", source=28, unit=None),
    *(_energy(f"reactive_energy_q{n}", 107 + n, "kvarh") for n in range(1, 5)),
)
"""Summations of BT23."""

APPARENT_ENERGIES = tuple(
    _energy(f"apparent_energy_q{n}", 14 + n, "kVAh") for n in range(1, 5)
)
"""Summations of 4.x meters. No source id exists: these are positions in BT23."""


def _current(key: str, source: int, after: int | None = None) -> RegisterDescription:
    return RegisterDescription(
        key=key,
        source=source,
        unit="A",
        divisor=1000,
        ratio=Ratio.CURRENT,
        source_after_ratio=after,
    )


def _voltage(key: str, source: int) -> RegisterDescription:
    return RegisterDescription(
        key=key, source=source, unit="V", divisor=1000, ratio=Ratio.VOLTAGE
    )


def _power(
    key: str, source: int, unit: str = "W", after: int | None = None
) -> RegisterDescription:
    return RegisterDescription(
        key=key,
        source=source,
        unit=unit,
        ratio=Ratio.POWER,
        source_after_ratio=after,
    )


def _thousandths(key: str, source: int) -> RegisterDescription:
    return RegisterDescription(key=key, source=source, unit=None, divisor=1000)


def _angle(key: str, source: int) -> RegisterDescription:
    return RegisterDescription(key=key, source=source, unit="°", divisor=100)


def _present_values() -> Iterator[RegisterDescription]:
    """Describe the present values of BT28, in the order of their sources."""
    yield _power("power_import", 8, after=81)
    yield _power("power_export", 9, after=82)
    yield _power("reactive_power_import", 10, "var", after=83)
    yield _power("reactive_power_export", 11, "var", after=84)
    for phase in (1, 2, 3):
        yield _current(f"current_l{phase}", 11 + phase, after=196 + phase)
    for phase in (1, 2, 3):
        yield _voltage(f"voltage_l{phase}", 14 + phase)
    for phase, source in ((1, 18), (2, 21), (3, 22)):
        yield _thousandths(f"power_factor_l{phase}", source)
    yield RegisterDescription(key="frequency", source=19, unit="Hz", divisor=1000)
    yield _power("apparent_power", 20, "VA")
    for phase in (1, 2, 3):
        yield _thousandths(f"phase_angle_sine_l{phase}", 22 + phase)
    for quadrant in (1, 2, 3, 4):
        yield _power(f"reactive_power_q{quadrant}", 103 + quadrant, "var")
    for phase in (1, 2, 3):
        yield _power(f"power_import_l{phase}", 184 + phase, after=190 + phase)
    for phase in (1, 2, 3):
        yield _power(f"power_export_l{phase}", 187 + phase, after=193 + phase)
    for phase in (1, 2, 3):
        yield _voltage(f"continuous_voltage_l{phase}", 201 + phase)
    for phase in (1, 2, 3):
        yield _voltage(f"average_voltage_l{phase}", 204 + phase)
    yield _power("average_power_import", 208)
    yield _power("average_power_export", 209)
    for phase in (1, 2, 3):
        yield _power(f"average_power_import_l{phase}", 209 + phase)
    for phase in (1, 2, 3):
        yield _power(f"average_power_export_l{phase}", 212 + phase)
    for quadrant in (1, 2, 3, 4):
        yield _power(f"apparent_power_q{quadrant}", 215 + quadrant, "VA")
    for phase, quadrant in itertools.product((1, 2, 3), (1, 2, 3, 4)):
        yield _power(
            f"apparent_power_l{phase}_q{quadrant}", 215 + 4 * phase + quadrant, "VA"
        )
    yield _current("neutral_current", 232)
    for phase in (1, 2, 3):
        yield _current(f"average_current_l{phase}", 232 + phase)
    yield _angle("voltage_angle_l1_l2", 236)
    yield _angle("voltage_angle_l2_l3", 237)
    yield _angle("voltage_angle_l3_l1", 238)
    for phase in (1, 2, 3):
        yield _power(f"reactive_power_import_l{phase}", 238 + phase, "var")
    for phase in (1, 2, 3):
        yield _power(f"reactive_power_export_l{phase}", 241 + phase, "var")


PRESENT_VALUES = tuple(_present_values())
"""Present values of BT28."""
