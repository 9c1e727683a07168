"""The simulated household: energies are the integrals of the powers."""

from datetime import UTC, datetime
from itertools import pairwise
from math import isqrt

import pytest

from tests.simulator import PROFILES, Profile, SimulatedMeter
from tests.simulator.load import (
    ANCHOR,
    DAY,
    Channel,
    Household,
    LoadShape,
    household,
    quadrant,
)
from tests.simulator.registers import ENERGIES, Snapshot

NOW = int(datetime(2026, 2, 17, 11, 59, 30, tzinfo=UTC).timestamp())
ALL = pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)


def integrated(load: Household, start: int, end: int) -> dict[Channel, int]:
    """Return the sums of the powers of each second."""
    sums = dict.fromkeys(Channel, 0)
    for time in range(start, end):
        flow = load.flow(time)
        direction = Channel.FORWARD if flow.total >= 0 else Channel.REVERSE
        sums[direction] += abs(flow.total)
        number = quadrant(flow.total, flow.total_reactive)
        sums[Channel(Channel.REACTIVE_Q1 + number)] += abs(flow.total_reactive)
        sums[Channel(Channel.APPARENT_Q1 + number)] += flow.apparent
    return sums


@pytest.mark.parametrize(
    "start",
    [
        NOW,
        NOW - 4 * 3600 + 17,
        ANCHOR,
        ANCHOR + 14 * DAY - 5000,  # the fortnight begins again
        ANCHOR + 500 * DAY + 23 * 3600 - 1234,
    ],
)
@pytest.mark.parametrize("shape", [LoadShape(), LoadShape(scale=0.3)])
def test_energy_is_the_integral_of_power(start: int, shape: LoadShape) -> None:
    """Over odd stretches of time, to the watt second, in every channel."""
    load = household(shape, 3)
    end = start + 7321
    assert integrated(load, start, end) == {
        channel: load.energy(channel, end) - load.energy(channel, start)
        for channel in Channel
    }


def test_day_is_plausible() -> None:
    """A day has consumption, export around noon, and quiet nights."""
    load = household(LoadShape(), 1)
    day = ANCHOR + 400 * DAY
    watts = [load.flow(time).total for time in range(day, day + DAY, 60)]
    assert max(watts) > 3000
    assert min(watts[9 * 60 : 15 * 60]) < -500
    assert all(100 < w < 3500 for w in watts[: 4 * 60])
    days = [load.energy(Channel.FORWARD, day + n * DAY) for n in range(15)]
    assert all(8 < (b - a) / 3.6e6 < 40 for a, b in pairwise(days))


def test_seed_decides() -> None:
    """The same seed gives the same household, another seed another one."""
    times = range(NOW, NOW + DAY, 977)
    flows = [[Household(LoadShape(), s).flow(t) for t in times] for s in (5, 5, 6)]
    assert flows[0] == flows[1] != flows[2]


def test_history_before_the_meter() -> None:
    """Before the anchor nothing was counted."""
    load = household(LoadShape(), 1)
    assert load.energy(Channel.FORWARD, ANCHOR - DAY) == 0
    assert load.energy(Channel.FORWARD, ANCHOR) == 0


@ALL
def test_registers_monotonic_and_totals_are_tiers(profile: Profile) -> None:
    """Energies never fall, and each total is the sum of its tiers, at any time."""
    sources = [s for s in profile.summations if s in ENERGIES]
    times = [*range(NOW, NOW + 300), *range(NOW, NOW + 3 * DAY, 1801)]
    last = dict.fromkeys(sources, 0)
    for time in sorted(times):
        snapshot = Snapshot(profile, 1, time)
        for source in sources:
            value = snapshot.value(source)
            tiers = [snapshot.tier_value(source, t) for t in range(profile.tiers)]
            assert value == sum(tiers)
            assert value >= last[source]
            last[source] = value


@ALL
def test_tiers_grow_only_when_active(profile: Profile) -> None:
    """Only the tier that BT55 shows grows."""
    for hour in range(24):
        start = NOW - NOW % 3600 + hour * 3600
        before, after = (Snapshot(profile, 1, t) for t in (start, start + 3600))
        grown = {
            tier
            for tier in range(profile.tiers)
            if before.tier_value(6, tier) != after.tier_value(6, tier)
        }
        assert grown == {before.tier}


@ALL
def test_register_follows_power(profile: Profile) -> None:
    """The forward register grows with the (CT corrected) power, in its unit."""
    start = NOW + 8 * 3600
    end = start + 3600
    factor, unit = profile.ratios.factor, profile.ratios.energy_unit
    load = household(profile.load, 1)
    energy = factor * sum(max(0, load.flow(t).total) for t in range(start, end))
    before, after = (Snapshot(profile, 1, t).value(0) for t in (start, end))
    assert abs((after - before) * unit - energy / 3600) <= unit


@ALL
def test_readings_fit_each_other(profile: Profile) -> None:
    """Voltage, current, power and power factor belong together at any time."""
    for time in range(NOW, NOW + DAY, 3671):
        value = Snapshot(profile, 1, time).value
        powers = [value(185 + p) - value(188 + p) for p in range(3)]
        assert value(8) - value(9) == sum(powers)
        assert min(value(8), value(9)) == min(value(10), value(11)) == 0
        assert 49950 <= value(19) <= 50050
        for phase, factor in enumerate((18, 21, 22)):
            voltage, current = value(15 + phase), value(12 + phase)
            if phase + 1 in profile.missing_phases:
                assert voltage == current == 0
                continue
            assert 215_000 < voltage < 245_000
            watts = voltage * current * value(factor) / 1e9
            assert watts == pytest.approx(abs(powers[phase]), rel=0.01, abs=2)
            assert value(23 + phase) ** 2 + value(factor) ** 2 == pytest.approx(
                1_000_000, rel=0.01
            )
        quadrants = [value(104 + q) for q in range(4)]
        assert sum(quadrants) == value(10) + value(11)
        reactive = value(10) + value(11)
        vector = isqrt(sum(powers) ** 2 + reactive**2)
        assert value(20) == pytest.approx(vector, rel=0.02, abs=20)


def test_truth_at_rest() -> None:
    """A frozen meter gives the same truth again; thawed, it goes on."""
    times = iter(range(NOW, NOW + 10**6, 60))
    meter = SimulatedMeter(
        PROFILES["gen3"], clock=lambda: datetime.fromtimestamp(next(times), UTC)
    )
    meter.freeze()
    assert meter.truth() == meter.truth()
    frozen = meter.truth()["utc"]
    meter.thaw()
    assert meter.truth()["utc"] > frozen


def test_demand_peak_is_the_highest_quarter_hour() -> None:
    """The demand register holds the month's highest average; resets are monthly."""
    snapshot = Snapshot(PROFILES["gen3_demand"], 1, NOW)
    month = int(datetime(2026, 2, 1, tzinfo=UTC).timestamp())
    load = household(LoadShape(), 1)
    averages = [
        (load.energy(Channel.FORWARD, t + 900) - load.energy(Channel.FORWARD, t)) // 900
        for t in range(month, NOW - 899, 900)
    ]
    peak = snapshot.peak(8, None)
    assert peak.value == max(averages)
    assert peak.time == month + 900 * (averages.index(max(averages)) + 1)
    tiers = [snapshot.peak(8, tier).value for tier in range(4)]
    assert max(tiers) == peak.value
    assert snapshot.demand.resets(NOW) == 13
    next_month = snapshot.at(month + 28 * DAY + 10)
    assert next_month.peak(8, None).value == 0
    assert (
        next_month.demand.cumulative(8, None, next_month.time)
        == snapshot.demand.cumulative(8, None, NOW)
        + Snapshot(snapshot.profile, 1, month + 28 * DAY - 1).peak(8, None).value
    )
