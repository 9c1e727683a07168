"""What the channels of a load profile are: keys, units and scale of their sources."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from ..mbus.data_types import MBusRegister
from ..register_descriptions import (
    PRESENT_VALUES,
    SUMMATIONS,
    Ratio,
    RegisterDescription,
)
from ..registers import RegisterMap

_TIER_SOURCES = range(29, 73)
_TIER_ORDER = (0, 1, 2, 3, 4, 5, 6, 7, 26, 27, 28)
"""The sources of tier 0 begin at 29, in this order; those of the others follow."""
_OUTAGE_DURATION = 4
_SECONDS_PER_MINUTE = 60
"""Tiers count the time without power in minutes, the total in seconds."""

_DEVICE_COUNTERS = range(73, 81)
_PRESENT_DEMANDS = range(88, 96)
_PREVIOUS_DEMANDS = range(96, 104)
_CLOCK_ADJUSTMENT = 201
_STANDARD_SOURCES = 0x100
_MBUS_TYPE = 4
"""Extended source ids of type 0 are the standard ones; type 4 is M-Bus."""

_EXTREMES: Mapping[int, tuple[str, int]] = {
    **{163 + n: (f"minimum_voltage_l{n}", 14 + n) for n in (1, 2, 3)},
    **{166 + n: (f"maximum_voltage_l{n}", 14 + n) for n in (1, 2, 3)},
    170: ("maximum_power_import", 8),
    171: ("maximum_power_export", 9),
    **{171 + n: (f"maximum_reactive_power_q{n}", 103 + n) for n in (1, 2, 3, 4)},
    177: ("maximum_power_import", 81),
    178: ("maximum_power_export", 82),
    **{178 + n: (f"maximum_power_import_l{n}", 190 + n) for n in (1, 2, 3)},
    **{181 + n: (f"maximum_power_export_l{n}", 193 + n) for n in (1, 2, 3)},
}
"""Extremes within an interval: key, and the source that has the same unit."""

_BY_SOURCE: Mapping[int, RegisterDescription] = {
    source: description
    for description in (*SUMMATIONS, *PRESENT_VALUES)
    for source in (description.source, description.source_after_ratio)
    if source is not None
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadProfileChannel:
    """A channel of a data set.

    key and unit are those of the register that it records, if that is a known one.
    source is the id in BT62. mbus is the register of an M-Bus meter, of which the key
    begins with the slot.
    """

    key: str
    source: int
    unit: str | None = None
    multiplier: int = 1
    divisor: int = 1
    mbus: MBusRegister | None = None

    def shown(self, raw: int) -> float | None:
        """Return a recorded number in the shown unit, None if it means nothing."""
        if self.mbus is not None:
            return self.mbus.value(raw)
        value = raw * self.multiplier
        return value if self.divisor == 1 else value / self.divisor


def load_profile_channels(
    sources: tuple[int, ...],
    mapping: Mapping[int, int],
    facts: RegisterMap,
    mbus: Mapping[int, MBusRegister] = MappingProxyType({}),
) -> tuple[LoadProfileChannel, ...]:
    """Return what the channels with these source ids are.

    mapping has the extended ids of mapped ones (ET66), mbus the registers of M-Bus data
    types that are understood (ET57), and of the facts, none that gives the scale is
    unknown. Of two channels of the same register, the later one's
    key ends with its number.
    """
    channels: list[LoadProfileChannel] = []
    keys: set[str] = set()
    for index, source in enumerate(sources):
        channel = _channel(source, mapping.get(source), facts, mbus)
        if channel.key in keys:
            channel = replace(channel, key=f"{channel.key}_channel_{index + 1}")
        keys.add(channel.key)
        channels.append(channel)
    return tuple(channels)


def _channel(
    source: int,
    extended: int | None,
    facts: RegisterMap,
    mbus: Mapping[int, MBusRegister],
) -> LoadProfileChannel:
    """Return what the channel with a source id is."""
    if extended is None:
        return _standard_channel(source, facts)
    if extended < _STANDARD_SOURCES:
        return replace(_standard_channel(extended, facts), source=source)
    if not is_mbus(extended):
        return LoadProfileChannel(key=f"source_0x{extended:04x}", source=source)
    slot, data_type = (extended >> 8 & 0xF) + 1, extended & 0x1F
    register = mbus.get(data_type)
    if register is None:
        return LoadProfileChannel(key=f"mbus_{slot}_type_{data_type}", source=source)
    return LoadProfileChannel(
        key=f"mbus_{slot}_{register.key}",
        source=source,
        unit=register.measure.unit or None,
        mbus=register,
    )


def is_mbus(extended: int) -> bool:
    """Return whether an extended source id is that of an M-Bus meter's data."""
    return extended >> 12 == _MBUS_TYPE


def _standard_channel(source: int, facts: RegisterMap) -> LoadProfileChannel:
    """Return what the channel with a source id of one byte is."""
    if source in _TIER_SOURCES:
        tier, index = divmod(source - _TIER_SOURCES.start, len(_TIER_ORDER))
        like = _TIER_ORDER[index]
        key = f"{_BY_SOURCE[like].key}_tariff_{tier + 1}"
        factor = _SECONDS_PER_MINUTE if like == _OUTAGE_DURATION else 1
        return _reading(key, source, like, facts, factor)
    if source in _EXTREMES:
        key, like = _EXTREMES[source]
        return _reading(key, source, like, facts)
    if source in _BY_SOURCE:
        return _reading(_BY_SOURCE[source].key, source, source, facts)
    demands = () if facts.selection is None else facts.selection.demands
    for numbers, name in (
        (_PRESENT_DEMANDS, "present"),
        (_PREVIOUS_DEMANDS, "previous"),
    ):
        if source in numbers and source - numbers.start < len(demands):
            like = demands[source - numbers.start]
            if like in _BY_SOURCE:
                key = f"{name}_demand_{_BY_SOURCE[like].key}"
                return _reading(key, source, like, facts)
    if source in _DEVICE_COUNTERS:
        device, counter = divmod(source - _DEVICE_COUNTERS.start, 2)
        key = f"mep_device_{device + 1}_counter_{counter + 1}"
        return LoadProfileChannel(key=key, source=source)
    if source == _CLOCK_ADJUSTMENT:
        return LoadProfileChannel(key="clock_adjustment", source=source, unit="s")
    return LoadProfileChannel(key=f"source_{source}", source=source)


def _reading(
    key: str, source: int, like: int, facts: RegisterMap, factor: int = 1
) -> LoadProfileChannel:
    """Return a channel with the unit and scale of the register of another source."""
    description = _BY_SOURCE[like]
    after_ratio = like == description.source_after_ratio
    ratio = facts.multiplier(Ratio.NONE if after_ratio else description.ratio)
    unit = facts.energy_unit if description.counts_energy else 1
    if ratio is None or unit is None:
        raise ValueError("Channels can be scaled when the meter has told everything")
    return LoadProfileChannel(
        key=key,
        source=source,
        unit=description.unit,
        multiplier=ratio * factor * unit,
        divisor=description.divisor,
    )
