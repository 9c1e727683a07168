"""Every register of the meter by its source id (guide, pages 203 to 206)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from zoneinfo import ZoneInfo

from .accumulators import Accumulators, accumulators
from .demand import DemandMeter, Peak, demand_meter
from .electrical import Electrical
from .load import ANCHOR, Channel, Flow, household, quadrant
from .profiles import APPARENT_ENERGY, Demand, Profile

ERRORS = 1
TIER_SOURCES = 29  # first source of tier 0; each of four tiers has 11
_TIER_ORDER = (0, 1, 2, 3, 4, 5, 6, 7, 26, 27, 28)

_Q1, _Q2, _Q3, _Q4 = (
    Channel.REACTIVE_Q1,
    Channel.REACTIVE_Q2,
    Channel.REACTIVE_Q3,
    Channel.REACTIVE_Q4,
)
# Energy registers that are sums of accumulators.
ENERGIES: dict[int, tuple[Channel, ...]] = {
    0: (Channel.FORWARD,),
    1: (Channel.REVERSE,),
    2: (_Q1, _Q2),
    3: (_Q3, _Q4),
    6: (Channel.FORWARD, Channel.REVERSE),
    **{108 + index: (channel,) for index, channel in enumerate((_Q1, _Q2, _Q3, _Q4))},
    **{
        source: (Channel(Channel.APPARENT_Q1 + index),)
        for index, source in enumerate(APPARENT_ENERGY)
    },
}


# What a coincident value of BT23 still lacks the ratios of.
_POWERS = frozenset({8, 9, 10, 11, 20, *range(104, 108), *range(185, 191)})
_CURRENTS = frozenset({12, 13, 14})
_VOLTAGES = frozenset({15, 16, 17})
# The phases of currents and voltages.
_MEASURED = {source: source % 3 + 1 for source in _CURRENTS | _VOLTAGES}


@dataclass(frozen=True, slots=True)
class TierOverride:
    """A tier that was set by hand from a time on; ``drive`` and ``reason`` as BT55."""

    tier: int
    start: int
    end: int | None = None
    drive: int = 2  # BT55: 1 until the next switch, 2 for good, 3 for other reasons
    reason: int = 0  # ET54.44 when drive is 3

    def holds(self, time: int) -> bool:
        """Tell whether it is in effect at a time."""
        return self.start <= time and (self.end is None or time < self.end)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterState:
    """What the registers depend on besides profile and time.

    ``started`` is when the meter was installed with all registers at 0, ``presets``
    are counts added to the tiers of an accumulator. ``cuts`` are the times without
    power (start, end, disjoint): energy registers stand still.
    """

    outages: int = 3
    outage_seconds: int = 86412
    overrides: tuple[TierOverride, ...] = ()
    presets: tuple[tuple[Channel, tuple[int, ...]], ...] = ()
    started: int | None = None
    errors: int = ERRORS
    cuts: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Snapshot:
    """All registers of a meter of one kind at one whole second of Unix time."""

    profile: Profile
    seed: int
    time: int
    state: RegisterState = field(default_factory=RegisterState)

    @cached_property
    def electrical(self) -> Electrical:
        """Voltages, currents and powers on the meter's terminals."""
        return Electrical(household(self.profile.load, self.seed), self.time)

    @property
    def flow(self) -> Flow:
        """Powers on the meter's terminals, before CT and VT ratios."""
        return self.electrical.flow

    @cached_property
    def accumulators(self) -> Accumulators:
        """Energy accumulators, after CT and VT ratios."""
        ratios = self.profile.ratios
        return accumulators(
            self.profile.load,
            self.seed,
            self.profile.tariff,
            ZoneInfo(self.profile.time_zone),
            ratios.factor,
            ratios.energy_unit,
        )

    @property
    def override(self) -> TierOverride | None:
        """What overrides the tariff calendar at present."""
        overrides = reversed(self.state.overrides)
        return next((o for o in overrides if o.holds(self.time)), None)

    @property
    def tier(self) -> int:
        """The active tier, 0-based."""
        if override := self.override:
            return override.tier
        return self.accumulators.active_tier(self.time)

    @property
    def installed(self) -> int:
        """When the meter began to count demands, Unix time."""
        return ANCHOR if self.state.started is None else self.state.started

    def value(self, source: int) -> int:
        """Return the total or present register of a source, in the table's unit.

        Raises KeyError for a source that no meter here has.
        """
        if source in ENERGIES:
            return self._energy(source, None)
        if _MEASURED.get(source) in self.profile.missing_phases:
            return 0
        if TIER_SOURCES <= source < TIER_SOURCES + 4 * len(_TIER_ORDER):
            tier, index = divmod(source - TIER_SOURCES, len(_TIER_ORDER))
            return self.tier_value(_TIER_ORDER[index], tier)
        return _VALUES[source](self)

    def tier_value(self, source: int, tier: int | None) -> int:
        """Return a summation of a tier block; 0 for those that are not in tiers."""
        if source in ENERGIES:
            return self._energy(source, tier)
        if source == 7:
            return self._difference(tier)
        return 0

    def _energy(self, source: int, tier: int | None) -> int:
        counts = sum(self.counts(channel, tier) for channel in ENERGIES[source])
        return counts % self.modulus

    def _difference(self, tier: int | None) -> int:
        """Return forward minus reverse energy, not below 0."""
        forward, reverse = (
            self.counts(channel, tier) for channel in (Channel.FORWARD, Channel.REVERSE)
        )
        return max(0, forward - reverse) % self.modulus

    @property
    def modulus(self) -> int:
        """Where accumulators start again at 0, in register units."""
        modulus: int = 10**self.profile.rollover_digits
        return modulus

    def counts(self, channel: Channel, tier: int | None) -> int:
        """Return an accumulator, in total or of a tier, as if it never rolled over."""
        counts = self._powered(channel, tier, self.time)
        if self.state.started is not None:
            counts -= self._powered(channel, tier, self.state.started)
        presets = dict(self.state.presets).get(channel, ())
        return counts + sum(presets if tier is None else presets[tier : tier + 1])

    def _powered(self, channel: Channel, tier: int | None, time: int) -> int:
        """Return the counts since ever, without those that no power let it count."""
        counts = self._counted(channel, tier, time)
        for start, end in self.state.cuts:
            if start < time:
                counts -= self._counted(channel, tier, min(end, time))
                counts += self._counted(channel, tier, start)
        return counts

    def _counted(self, channel: Channel, tier: int | None, time: int) -> int:
        """Return the counts since ever; a tier set by hand has what was its time."""
        registers = self.accumulators
        if tier is None:
            return registers.total(channel, time)
        counts = registers.tier(channel, tier, time)
        for override in self.state.overrides:
            start = min(override.start, time)
            end = time if override.end is None else min(override.end, time)
            counts += registers.tier(channel, tier, start)
            counts -= registers.tier(channel, tier, end)
            if tier == override.tier:
                counts += registers.total(channel, end)
                counts -= registers.total(channel, start)
        return counts

    @property
    def demand(self) -> DemandMeter:
        """Demand registers; their interval is that of the profile."""
        minutes = (self.profile.demand or Demand()).minutes
        return demand_meter(self.accumulators, minutes)

    def peak(self, source: int, tier: int | None) -> Peak:
        """Return the demand register of a source."""
        return self.demand.peak(source, tier, self.time, self.installed)

    def cumulative(self, source: int, tier: int | None) -> int:
        """Return the cumulative demand register of a source."""
        return self.demand.cumulative(source, tier, self.time, self.installed)

    @property
    def demand_resets(self) -> int:
        """The number of demand resets."""
        return self.demand.resets(self.time, self.installed)

    def coincident(self, source: int, peak: Peak) -> int:
        """Return a source's value at the time of a peak, after the ratios as in BT23."""
        ratios = self.profile.ratios
        value = self.at(peak.time).value(source)
        if source in _POWERS:
            return value * ratios.factor
        if source in _CURRENTS:
            return value * ratios.ct_ratio
        return value * ratios.vt_ratio if source in _VOLTAGES else value

    def at(self, time: int) -> "Snapshot":
        """Return the registers of the same meter at another time."""
        return Snapshot(self.profile, self.seed, time, self.state)


type _Value = Callable[[Snapshot], int]


def _per_phase(
    first: int, function: Callable[[Electrical, int], int]
) -> dict[int, _Value]:
    """Return three sources that a function of a phase gives."""

    def value(phase: int) -> _Value:
        return lambda snapshot: function(snapshot.electrical, phase)

    return {first + phase: value(phase) for phase in range(3)}


def _both_ways(
    first: int, function: Callable[[Snapshot], int], *, step: int = 1
) -> dict[int, _Value]:
    """Return a source for what comes from the grid, and one for what goes to it."""
    return {
        first: lambda snapshot: max(0, function(snapshot)),
        first + step: lambda snapshot: max(0, -function(snapshot)),
    }


def _quadrants(
    first: int, powers: Callable[[Snapshot], tuple[int, int, int]]
) -> dict[int, _Value]:
    """Return four sources of which one at a time is not 0.

    ``powers`` gives active and reactive power and the value to show.
    """

    def value(number: int) -> _Value:
        def register(snapshot: Snapshot) -> int:
            active, reactive, shown = powers(snapshot)
            return shown if quadrant(active, reactive) == number else 0

        return register

    return {first + number: value(number) for number in range(4)}


def _phase_powers(first: int, *, after_ratios: bool = False) -> dict[int, _Value]:
    """Return forward power of three phases, then reverse power."""
    values: dict[int, _Value] = {}
    for phase in range(3):

        def power(snapshot: Snapshot, phase: int = phase) -> int:
            factor = snapshot.profile.ratios.factor if after_ratios else 1
            return snapshot.flow.active[phase] * factor

        values |= _both_ways(first + phase, power, step=3)
    return values


def _average_phase_powers(first: int) -> dict[int, _Value]:
    values: dict[int, _Value] = {}
    for phase in range(3):

        def power(snapshot: Snapshot, phase: int = phase) -> int:
            return snapshot.electrical.average_active(phase)

        values |= _both_ways(first + phase, power, step=3)
    return values


def _phase_quadrants(phase: int) -> Callable[[Snapshot], tuple[int, int, int]]:
    return lambda s: (
        s.flow.active[phase],
        s.flow.reactive[phase],
        s.electrical.apparent(phase),
    )


def _signed_reactive(phase: int) -> _Value:
    return lambda snapshot: snapshot.flow.reactive[phase]


def _current_after_ct(phase: int) -> _Value:
    return lambda s: s.electrical.current(phase) * s.profile.ratios.ct_ratio


def _interval_demand(
    number: int, value_of: Callable[[DemandMeter, int, int], int]
) -> _Value:
    def value(snapshot: Snapshot) -> int:
        demand = snapshot.profile.demand
        if demand is None or number >= len(demand.sources):
            return 0
        return value_of(snapshot.demand, demand.sources[number], snapshot.time)

    return value


_VALUES: dict[int, _Value] = {
    4: lambda s: s.state.outage_seconds,
    5: lambda s: s.state.outages,
    7: lambda s: s.tier_value(7, None),
    **_both_ways(8, lambda s: s.flow.total),
    **_both_ways(10, lambda s: s.flow.total_reactive),
    **_per_phase(12, Electrical.current),
    **_per_phase(15, Electrical.voltage),
    18: lambda s: s.electrical.power_factor(0),
    19: lambda s: s.electrical.frequency,
    20: lambda s: s.flow.apparent,
    21: lambda s: s.electrical.power_factor(1),
    22: lambda s: s.electrical.power_factor(2),
    **_per_phase(23, Electrical.sine),
    26: lambda s: 0,
    27: lambda s: 0,
    28: lambda s: s.state.errors,
    **_both_ways(81, lambda s: s.flow.total * s.profile.ratios.factor),
    **_both_ways(83, lambda s: s.flow.total_reactive * s.profile.ratios.factor),
    **{
        first + number: _interval_demand(number, value_of)
        for first, value_of in ((88, DemandMeter.present), (96, DemandMeter.previous))
        for number in range(8)
    },
    **_quadrants(
        104,
        lambda s: (s.flow.total, s.flow.total_reactive, abs(s.flow.total_reactive)),
    ),
    **_phase_powers(185),
    **_phase_powers(191, after_ratios=True),
    **{197 + phase: _current_after_ct(phase) for phase in range(3)},
    **_per_phase(202, Electrical.voltage),
    **_per_phase(205, Electrical.average_voltage),
    **_both_ways(208, lambda s: s.electrical.average_active(None)),
    **_average_phase_powers(210),
    **_quadrants(216, lambda s: (s.flow.total, s.flow.total_reactive, s.flow.apparent)),
    **_quadrants(220, _phase_quadrants(0)),
    **_quadrants(224, _phase_quadrants(1)),
    **_quadrants(228, _phase_quadrants(2)),
    232: lambda s: s.electrical.neutral_current,
    **_per_phase(233, Electrical.average_current),
    **_per_phase(236, Electrical.voltage_angle),
    **{
        first + phase: value
        for phase in range(3)
        for first, value in _both_ways(239, _signed_reactive(phase), step=3).items()
    },
}
