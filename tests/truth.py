"""What the entities have to show, from what the simulated meter knows to be true.

Written from the guide and apart from the meter client, so that a mistake in one of
them shows up.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import cached_property
from typing import Self

from .simulator import Profile, SimulatedMeter
from .simulator.alarms import status_bytes

type Shown = float | str | bool | datetime
"""A state: times are aware."""

TEXTS = ("_message_from_the_grid_company", "_text_on_the_display_")
"""Parts of the ids of entities whose state is a text."""
PHASES = (1, 2, 3)
QUADRANTS = (1, 2, 3, 4)


class Mains(Enum):
    """What lies between a register of BT28 and the mains."""

    DIRECT = "nothing"
    CURRENT = "current transformers"
    VOLTAGE = "voltage transformers"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Quantity:
    """A present value: its source, how many of it a shown unit has, and ratios."""

    source: int
    divisor: int = 1
    mains: Mains = Mains.DIRECT
    after: int | None = None


SUMMATIONS: dict[int, tuple[str, bool]] = {
    0: ("energy_import", True),
    1: ("energy_export", True),
    2: ("reactive_energy_import", True),
    3: ("reactive_energy_export", True),
    4: ("power_outage_duration", False),
    5: ("power_outages", False),
    6: ("energy_combined", True),
    7: ("energy_net", True),
    26: ("pulse_input_1", False),
    27: ("pulse_input_2", False),
    28: ("meter_errors", False),
    **{107 + n: (f"reactive_energy_q{n}", True) for n in QUADRANTS},
    # The numbers that the simulated meter uses where the guide has none.
    **{244 + n: (f"apparent_energy_q{n}", True) for n in QUADRANTS},
}
"""Key of each summation, and whether it counts energy."""


def _power(source: int, after: int | None = None) -> Quantity:
    return Quantity(source, 1, Mains.BOTH, after)


def _voltage(source: int) -> Quantity:
    return Quantity(source, 1000, Mains.VOLTAGE)


def _current(source: int, after: int | None = None) -> Quantity:
    return Quantity(source, 1000, Mains.CURRENT, after)


PRESENT: dict[str, Quantity] = {
    "power_import": _power(8, 81),
    "power_export": _power(9, 82),
    "reactive_power_import": _power(10, 83),
    "reactive_power_export": _power(11, 84),
    **{f"current_l{n}": _current(11 + n, 196 + n) for n in PHASES},
    **{f"voltage_l{n}": _voltage(14 + n) for n in PHASES},
    **{
        f"power_factor_l{n}": Quantity(source, 1000)
        for n, source in ((1, 18), (2, 21), (3, 22))
    },
    "frequency": Quantity(19, 1000),
    "apparent_power": _power(20),
    **{f"phase_angle_sine_l{n}": Quantity(22 + n, 1000) for n in PHASES},
    **{f"reactive_power_q{n}": _power(103 + n) for n in QUADRANTS},
    **{f"power_import_l{n}": _power(184 + n, 190 + n) for n in PHASES},
    **{f"power_export_l{n}": _power(187 + n, 193 + n) for n in PHASES},
    **{f"continuous_voltage_l{n}": _voltage(201 + n) for n in PHASES},
    **{f"average_voltage_l{n}": _voltage(204 + n) for n in PHASES},
    "average_power_import": _power(208),
    "average_power_export": _power(209),
    **{f"average_power_import_l{n}": _power(209 + n) for n in PHASES},
    **{f"average_power_export_l{n}": _power(212 + n) for n in PHASES},
    **{f"apparent_power_q{n}": _power(215 + n) for n in QUADRANTS},
    **{
        f"apparent_power_l{phase}_q{n}": _power(215 + 4 * phase + n)
        for phase in PHASES
        for n in QUADRANTS
    },
    "neutral_current": _current(232),
    **{f"average_current_l{n}": _current(232 + n) for n in PHASES},
    "voltage_angle_l1_l2": Quantity(236, 100),
    "voltage_angle_l2_l3": Quantity(237, 100),
    "voltage_angle_l3_l1": Quantity(238, 100),
    **{f"reactive_power_import_l{n}": _power(238 + n) for n in PHASES},
    **{f"reactive_power_export_l{n}": _power(241 + n) for n in PHASES},
}

ALARMS: dict[str, tuple[int, ...]] = {
    "clock_error": (1 * 8 + 6,),
    "memory_failure": (1 * 8 + 3, 1 * 8 + 4, 1 * 8 + 5, 5 * 8 + 5),
    "measurement_error": (1 * 8 + 7,),
    "low_battery": (2 * 8 + 0,),
    "power_failure": (2 * 8 + 3,),
    "cover_removed": (2 * 8 + 4,),
    "reverse_energy": (2 * 8 + 5,),
    "disconnect_error": (2 * 8 + 7,),
    "neutral_fault": (3 * 8 + 3,),
    "phase_loss": (4 * 8 + 4,),
    "phase_inversion": (4 * 8 + 5,),
    "unused_phase_current": (5 * 8 + 2,),
    "prepay_exhausted": (6 * 8 + 4,),
    "prepay_warning": (6 * 8 + 5,),
    "magnetic_tamper": (7 * 8 + 1,),
    "power_quality": (7 * 8 + 3,),
    "load_side_voltage": (7 * 8 + 7,),
    "unbalanced_voltage": (8 * 8 + 0,),
}
"""Bits of BT03, counted from that of byte 0; any of several raises an alarm."""

OF_A_DISCONNECT = (
    *("disconnect_error", "load_side_voltage", "prepay_exhausted", "prepay_warning"),
)
RELAYS = {1: 4 * 8 + 3, 2: 9 * 8 + 0}
"""Bits of BT03 that are set while a control relay is open."""

TARIFF_CONTROLS = ("calendar", "manual", "manual_indefinitely", "override")
MISWIRINGS = {0: "none", 1: "low_voltage", 2: "high_voltage", 4: "same_phase"}
DISCONNECT_STATES = ("closed", "closing", "open", "opening")


def parsed(entity_id: str, attributes: Mapping[str, object], state: str) -> Shown:
    """Return a state as the value that it stands for."""
    if state == "unknown":
        return state
    if entity_id.startswith(("binary_sensor.", "calendar.")):
        return {"on": True, "off": False}[state]
    if attributes.get("device_class") == "enum" or any(
        part in entity_id for part in TEXTS
    ):
        return state
    if attributes.get("device_class") == "timestamp":
        return datetime.fromisoformat(state)
    return float(state)


class Truth:
    """The true states of a simulated meter's entities at one moment, by key."""

    def __init__(self, profile: Profile, raw: Mapping[int | str, int]) -> None:
        """Initialize with what a meter of this profile knows to be true."""
        self.profile = profile
        self.raw = raw

    @classmethod
    def of(cls, meter: SimulatedMeter) -> Self:
        """Ask a meter."""
        return cls(meter.profile, meter.truth())

    @cached_property
    def everything(self) -> dict[str, Shown]:
        """What all entities show; values that never were are left out."""
        return {**self.registers, **self.subjects}

    @cached_property
    def registers(self) -> dict[str, Shown]:
        """What the sensors of BT23 and BT28 show."""
        shown: dict[str, Shown] = dict(self._summations())
        present = dict(self._present_values())
        shown |= present
        shown["power_net"] = present["power_import"] - present["power_export"]
        shown |= dict(self._demands()) | dict(self._present_demands())
        absent = tuple(f"_l{phase}" for phase in self.profile.missing_phases)
        return {
            key: value
            for key, value in shown.items()
            if not any(phase in key for phase in absent)
        }

    def _summations(self) -> Iterator[tuple[str, float]]:
        for source in self.profile.summations:
            key, counts_energy = SUMMATIONS[source]
            scale = self.raw["energy_unit"] if counts_energy else 1
            divisor = 1000 if counts_energy else 1
            yield key, self.raw[source] * scale / divisor
            if counts_energy:
                for tier in range(self.profile.tiers):
                    value = self.raw[f"tier{tier}.{source}"] * scale / divisor
                    yield f"{key}_tariff_{tier + 1}", value

    def _scaled(self, raw: int, quantity: Quantity, *, before_ratio: bool) -> float:
        ratios = self.profile.ratios
        ratio = {
            Mains.DIRECT: 1,
            Mains.CURRENT: ratios.ct_ratio,
            Mains.VOLTAGE: ratios.vt_ratio,
            Mains.BOTH: ratios.ct_ratio * ratios.vt_ratio,
        }[quantity.mains]
        return raw * (ratio if before_ratio else 1) / quantity.divisor

    def _present_values(self) -> Iterator[tuple[str, float]]:
        for key, quantity in PRESENT.items():
            if quantity.after in self.profile.present:
                raw = self.raw[quantity.after]
                yield key, self._scaled(raw, quantity, before_ratio=False)
            elif quantity.source in self.profile.present:
                raw = self.raw[quantity.source]
                yield key, self._scaled(raw, quantity, before_ratio=True)

    def _demands(self) -> Iterator[tuple[str, Shown]]:
        if (demand := self.profile.demand) is None:
            return
        yield "demand_resets", self.raw["demand_resets"]
        names = {
            source: (key, quantity)
            for key, quantity in PRESENT.items()
            for source in (quantity.source, quantity.after)
        }
        blocks = {
            "": "",
            **{
                f"tier{tier}.": f"_tariff_{tier + 1}"
                for tier in range(self.profile.tiers)
            },
        }
        for index, source in enumerate(demand.sources):
            key, quantity = names[source]
            extreme = "maximum" if demand.maxima[index] else "minimum"
            for block, tariff in blocks.items():
                found = f"{block}demand.{source}"
                yield (
                    f"{extreme}_demand_{key}{tariff}",
                    self.raw[found] / quantity.divisor,
                )
                if time := self.raw[f"{found}.time"]:
                    moment = datetime.fromtimestamp(time // 60 * 60, UTC)
                    yield f"{extreme}_demand_{key}_time{tariff}", moment
                if demand.cumulative:
                    yield (
                        f"cumulative_demand_{key}{tariff}",
                        self.raw[f"{found}.cumulative"] / quantity.divisor,
                    )
                if demand.continuous_cumulative:
                    yield (
                        f"continuous_cumulative_demand_{key}{tariff}",
                        self.raw[f"{found}.continuous"] / quantity.divisor,
                    )
                for other, its_demand in demand.coincidents:
                    if its_demand == index and other in names:
                        other_key, other_quantity = names[other]
                        yield (
                            f"coincident_{other_key}_at_{extreme}_demand_{key}{tariff}",
                            self.raw[f"{found}.coincident.{other}"]
                            / other_quantity.divisor,
                        )

    def _present_demands(self) -> Iterator[tuple[str, float]]:
        if (demand := self.profile.demand) is None:
            return
        for listed in demand.present:
            previous, number = divmod(listed - 88, 8)
            source = demand.sources[number]
            key, quantity = next(
                (key, quantity)
                for key, quantity in PRESENT.items()
                if source in {quantity.source, quantity.after}
            )
            before_ratio = source == quantity.source
            name = "previous" if previous else "present"
            yield (
                f"{name}_demand_{key}",
                self._scaled(self.raw[listed], quantity, before_ratio=before_ratio),
            )

    @cached_property
    def subjects(self) -> dict[str, Shown]:
        """What entities of slower tables show, the clock's drift aside."""
        return {
            **dict(self._tariff()),
            **dict(self._alarms()),
            **dict(self._switching()),
            **dict(self._wiring()),
            **dict(self._outages()),
            **dict(self._power_quality()),
            **dict(self._billing()),
            **dict(self._messages()),
        }

    def _messages(self) -> Iterator[tuple[str, Shown]]:
        if message := self.profile.message:
            yield "message", message.text
        if self.profile.since(4, 2):
            for number, text in enumerate(self.profile.display_texts, 1):
                yield f"display_text_{number}", text.strip() or "unknown"

    def _tariff(self) -> Iterator[tuple[str, Shown]]:
        yield "active_tariff", str(self.raw["active_tier"] + 1)
        yield "season", self.raw["season"] + 1
        yield "daylight_saving", bool(self.raw["dst"])
        yield "tariff_control", TARIFF_CONTROLS[self.raw["tier_drive"]]
        if len(set(self.profile.tariff)) > 1:
            yield "tariff_calendar", True
            yield "next_tariff", str(self.raw["next_tier"] + 1)
            yield "next_tariff_switch", _moment(self.raw["next_switch"])
        if self.profile.disconnect:
            yield "disconnect_state", DISCONNECT_STATES[self.raw["disconnect"]]

    def _alarms(self) -> Iterator[tuple[str, Shown]]:
        length = 8 * (4 + status_bytes(self.profile.firmware[:2]))
        for name, bits in ALARMS.items():
            if (
                all(bit < length for bit in bits)
                and (self.profile.disconnect or name not in OF_A_DISCONNECT)
                and (name != "load_side_voltage" or self.profile.since(3, 30))
            ):
                raised = any(self.raw["alarms"] >> bit & 1 for bit in bits)
                yield f"alarm_{name}", raised
        for number in self.profile.relays:
            is_open = bool(self.raw["alarms"] >> RELAYS[number] & 1)
            yield f"control_relay_{number}", is_open

    def _wiring(self) -> Iterator[tuple[str, Shown]]:
        absent = "_".join(f"l{phase}" for phase in self.profile.missing_phases)
        yield "absent_phases", absent or "none"
        if not self.profile.single_phase:
            rotation = self.raw["rotation"]
            yield "phase_rotation", ("l1_l2_l3", "l3_l2_l1", "unknown")[rotation]
        if self.profile.since(3, 60):
            yield "miswiring", MISWIRINGS[self.raw["wiring"]]

    def _switching(self) -> Iterator[tuple[str, Shown]]:
        for number in self.profile.relays:
            is_pending = bool(self.raw.get(f"relay.{number}.pending"))
            remaining = self.raw.get(f"relay.{number}.remaining", 0)
            yield f"control_relay_{number}_pending", is_pending
            yield (
                f"control_relay_{number}_delay",
                remaining if is_pending else "unknown",
            )
        if self.profile.step_tariff:
            yield "step_tariff", bool(self.raw["tier_reason"] & 2)
        if self.profile.disconnect and self.profile.since(3, 70):
            limit = self.profile.power_limit
            yield "power_limit_enabled", limit.enabled
            yield "power_limit", limit.threshold
            yield "power_limit_interval", limit.seconds * limit.multiplier
            time = self.raw["cut_off"]
            yield "last_cut_off", _moment(time) if time else "unknown"

    def _outages(self) -> Iterator[tuple[str, Shown]]:
        if self.raw["outages"]:
            yield "last_outage_start", _moment(self.raw["outage.0.start"])
            yield "last_outage_end", _moment(self.raw["outage.0.end"])
            yield "last_outage_duration", self.raw["outage.0.seconds"]

    def _billing(self) -> Iterator[tuple[str, Shown]]:
        """Return what was stored on the last billing date, if there was one."""
        if not (time := self.raw.get("billing.time")):
            return
        yield "last_billing_date", _moment(time)
        for source in {0, 1}.intersection(self.profile.summations):
            key, _ = SUMMATIONS[source]
            for block, tariff in (
                ("", ""),
                *((f"tier{n}.", f"_tariff_{n + 1}") for n in range(self.profile.tiers)),
            ):
                counts = self.raw[f"billing.{block}{source}"]
                yield f"billing_{key}{tariff}", counts * self.raw["energy_unit"] / 1000

    def _power_quality(self) -> Iterator[tuple[str, Shown]]:
        raw, has_thd = self.raw, self.profile.since(3, 10)
        for n in sorted({*PHASES} - {*self.profile.missing_phases}):
            for ours, theirs in (("sag", "sag"), ("swell", "surge")):
                yield f"{ours}s_l{n}", raw[f"{theirs}.{n}"]
                if time := raw[f"{theirs}.{n}.time"]:
                    yield f"last_{ours}_l{n}", _moment(time)
                    voltage = raw[f"{theirs}.{n}.voltage"] / 1000
                    yield f"{ours}_voltage_l{n}", voltage
            yield f"overcurrents_l{n}", raw[f"over_current.{n}"]
            yield f"phase_losses_l{n}", raw[f"phase_loss.{n}"]
            if time := raw[f"phase_loss.{n}.time"]:
                yield f"last_phase_loss_l{n}", _moment(time)
            if self.profile.since(4, 10):
                yield f"deep_sags_l{n}", raw[f"sag2.{n}"]
            for kind in ("voltage", "current") if has_thd else ():
                thd = f"thd.{kind}.{n}"
                if raw[f"{thd}.maximum_time"]:
                    yield f"maximum_thd_{kind}_l{n}", raw[f"{thd}.maximum"] / 10
                if raw[f"{thd}.time"]:
                    yield f"average_thd_{kind}_l{n}", raw[f"{thd}.average"] / 10
        yield "short_outages", raw["short_outages"]
        for name, key in (("min", "minimum"), ("max", "maximum")):
            yield f"{key}_frequency", raw[f"frequency_{name}"] / 1000
            yield f"{key}_frequency_time", _moment(raw[f"frequency_{name}.time"])


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
