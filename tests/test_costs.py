"""Tests of what hours cost, without Home Assistant: prices, and rows of costs."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given, strategies as st
import pytest

from custom_components.nes_mep.costs.prices import (
    ContradictingPricesError,
    Price,
    Prices,
    prices_of_changes,
)
from custom_components.nes_mep.costs.rows import (
    CostFilling,
    CostRow,
    CostSeries,
    CostSkip,
    EnergyRow,
    cost_of,
    costs_of_hours,
    fill_costs,
    hours_to_price,
    spans_to_read,
)

HOUR = timedelta(hours=1)
QUARTER = timedelta(minutes=15)
MINUTE = timedelta(minutes=1)
START = datetime(2026, 6, 21, tzinfo=UTC)
RESET = START - timedelta(days=30)
"""When the cost entity began its cycle."""


def at(hour: int, minute: int = 0, second: int = 0) -> datetime:
    """Return a time of the day."""
    return START + timedelta(hours=hour, minutes=minute, seconds=second)


def values(prices: Prices) -> list[tuple[datetime, datetime, float]]:
    """Return prices as tuples."""
    return [(price.start, price.end, price.value) for price in prices.known]


# Prices


def test_a_price_is_known_all_the_time_or_not_at_all() -> None:
    """Equal prices are joined; a span that is not covered has none."""
    prices = Prices.of(
        [
            Price(at(2), at(3), 0.3),
            Price(at(0), at(1), 0.2),
            Price(at(1), at(2), 0.2),
            Price(at(0), at(1), 0.2),
            Price(at(4), at(5), 0.4),
        ]
    )
    assert prices.during(at(0), at(2)) == (Price(at(0), at(2), 0.2),)
    assert prices.during(at(0, 30), at(2, 15)) == (
        Price(at(0, 30), at(2), 0.2),
        Price(at(2), at(2, 15), 0.3),
    )
    assert not prices.during(at(2), at(5))
    assert not prices.during(at(-1), at(1))
    assert not prices.during(at(4), at(6))
    assert prices.mean(at(1), at(3)) == pytest.approx(0.25)
    assert prices.mean(at(3), at(4)) is None
    assert values(prices.scaled(10, 1)) == [
        (at(0), at(1), 3),
        (at(1), at(2), 3),
        (at(2), at(3), 4),
        (at(4), at(5), 5),
    ]
    assert Prices.always(0.1).mean(at(0), at(9)) == pytest.approx(0.1)


@pytest.mark.parametrize(
    "second",
    [
        Price(at(0), at(1), 0.3),
        Price(at(0, 30), at(2), 0.2),
        Price(at(5), at(5), 0.2),
        Price(at(6), at(5), 0.2),
    ],
)
def test_contradicting_prices(second: Price) -> None:
    """Two prices for a time, or one for no time, are refused."""
    with pytest.raises(ContradictingPricesError) as error:
        Prices.of([Price(at(0), at(1), 0.2), second])
    assert error.value.time == second.start


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        # Shown some seconds late: from the quarter on.
        (
            [(at(0), 1.0), (at(1, 0, 7), 2.0), (at(1, 16, 59), 3.0)],
            [(at(0), at(1), 1), (at(1), at(1, 15), 2), (at(1, 15), at(2), 3)],
        ),
        # In the middle of a quarter: when it was seen.
        ([(at(0), 1.0), (at(1, 4), 2.0)], [(at(0), at(1, 4), 1), (at(1, 4), at(2), 2)]),
        # Not known for a while, and the same after it.
        (
            [(at(0), 1.0), (at(1, 3), None), (at(1, 9), 1.0)],
            [(at(0), at(1, 3), 1), (at(1, 3), at(2), 1)],
        ),
        # Not known while it changed with a quarter.
        (
            [(at(0), 1.0), (at(0, 57), None), (at(1, 6), 2.0)],
            [(at(0), at(1), 1), (at(1), at(2), 2)],
        ),
        # Not known while it changed at some time.
        (
            [(at(0), 1.0), (at(1, 3), None), (at(1, 9), 2.0)],
            [(at(0), at(1, 3), 1), (at(1, 9), at(2), 2)],
        ),
        # Not known for too long, whatever it was before.
        (
            [(at(0), 1.0), (at(0, 50), None), (at(1, 5), 1.0)],
            [(at(0), at(0, 50), 1), (at(1, 5), at(2), 1)],
        ),
        # Off and back without a price at first; and lost at last.
        (
            [(at(0), 1.0), (at(0, 58), None), (at(1, 2), 2.0), (at(1, 40), None)],
            [(at(0), at(1), 1), (at(1), at(1, 40), 2)],
        ),
        ([(at(0), None)], []),
        ([], []),
        ([(at(3), 1.0)], []),
    ],
)
def test_prices_of_an_entity(
    changes: list[tuple[datetime, float | None]],
    expected: list[tuple[datetime, datetime, float]],
) -> None:
    """A price counts from the quarter that it belongs to; what is not known is not."""
    assert values(prices_of_changes(changes, at(2))) == expected


# What an hour costs


QUARTERS = Prices.of(
    Price(at(8) + n * QUARTER, at(8) + (n + 1) * QUARTER, price)
    for n, price in enumerate((0.1, 0.2, 0.3, -0.1))
)
EIGHT = EnergyRow(at(8), at(9), energy=4.0, reading=104.0)


def test_each_interval_has_its_price() -> None:
    """Prices of 15 minutes are applied to the intervals of 15 minutes."""
    readings = {at(8, 15): 103.0, at(8, 30): 103.0, at(8, 45): 103.5, at(9): 999.0}
    assert cost_of(EIGHT, QUARTERS, readings, QUARTER) == pytest.approx(
        3 * 0.1 + 0.5 * 0.3 - 0.5 * 0.1
    )
    assert spans_to_read([at(8)], {at(8): EIGHT}, QUARTERS) == [(at(8), at(9))]


@pytest.mark.parametrize(
    ("readings", "interval"),
    [
        ({}, timedelta(0)),
        ({at(8, 15): 101.0, at(8, 45): 103.0}, QUARTER),
        ({at(8, 15): 99.0, at(8, 30): 102.0, at(8, 45): 103.0}, QUARTER),
        ({at(8, 15): 101.0, at(8, 30): 105.0, at(8, 45): 103.0}, QUARTER),
    ],
)
def test_energy_between_two_prices(
    readings: Mapping[datetime, float], interval: timedelta
) -> None:
    """Energy that nobody can tell the price of is not priced."""
    assert cost_of(EIGHT, QUARTERS, readings, interval) is CostSkip.NO_ENERGY


def test_a_lost_interval_within_one_price() -> None:
    """Where the price is the same, nothing needs to be known about the intervals."""
    prices = Prices.of([Price(at(8), at(8, 15), 0.1), Price(at(8, 15), at(9), 0.2)])
    assert cost_of(EIGHT, prices, {at(8, 15): 101.0}, QUARTER) == pytest.approx(0.7)
    assert cost_of(EIGHT, Prices.always(0.2), {}, timedelta(0)) == pytest.approx(0.8)
    assert not spans_to_read([at(8)], {at(8): EIGHT}, Prices.always(0.2))


def test_a_profile_of_hours() -> None:
    """Within an interval of the meter, the mean price counts: nobody knows more."""
    assert cost_of(EIGHT, QUARTERS, {}, HOUR) == pytest.approx(4 * 0.125)


def test_no_energy_costs_nothing() -> None:
    """Whatever the price is, even if it is not known."""
    assert cost_of(replace(EIGHT, energy=0.0), Prices(), {}, QUARTER) == 0
    assert cost_of(EIGHT, Prices(), {}, QUARTER) is CostSkip.NO_PRICE


def test_an_hour_without_a_row() -> None:
    """Its energy is in the next row; without a next row, it is still to come."""
    energies = {at(10): EnergyRow(at(8), at(11), 2.0, 104.0)}
    assert costs_of_hours(
        [at(8), at(9), at(10), at(11)], energies, Prices.always(0.5), {}, QUARTER
    ) == {at(8): 0, at(9): 0, at(10): 1.0, at(11): CostSkip.NOT_BACK_YET}


def test_what_to_read_is_joined() -> None:
    """Hours that lie close together are read at once."""
    rows = {at(hour): EnergyRow(at(hour), at(hour + 1), 1.0, 1.0) for hour in range(80)}
    prices = Prices.of(
        Price(at(0) + n * QUARTER, at(0) + (n + 1) * QUARTER, n) for n in range(320)
    )
    assert spans_to_read([at(1), at(9), at(50), at(78)], rows, prices) == [
        (at(1), at(10)),
        (at(50), at(51)),
        (at(78), at(79)),
    ]


# Which hours


def rows_of(*changes: float, first: int = 0) -> dict[datetime, CostRow]:
    """Return rows of a live cost entity, with what each hour cost."""
    rows: dict[datetime, CostRow] = {}
    total = 0.0
    for number, change in enumerate(changes):
        total += change
        rows[at(first + number)] = CostRow(total, total, RESET)
    return rows


def energies_of(*energies: float, first: int = 0) -> dict[datetime, EnergyRow]:
    """Return rows of an energy entity."""
    return {
        at(first + n): EnergyRow(at(first + n), at(first + n + 1), energy, 100 + n)
        for n, energy in enumerate(energies)
    }


def always(_hour: datetime) -> bool:
    """Ask for all hours."""
    return True


def test_live_hours_have_a_true_cost() -> None:
    """Only what was imported is priced, and the hour that holds the lump."""
    series = CostSeries(rows_of(*[1.0] * 10), at(10))
    energies = energies_of(*[1.0] * 10)
    assert not hours_to_price(series, energies, frozenset(), always)
    assert hours_to_price(series, energies, {at(3), at(4)}, always) == [
        at(3),
        at(4),
        at(5),
    ]
    # A part of a gap that is asked for is the whole gap.
    assert hours_to_price(
        series, energies, {at(3), at(4), at(7)}, lambda hour: hour == at(4)
    ) == [at(3), at(4), at(5)]
    # An hour that was left out of the import does not end the gap.
    del energies[at(4)]
    assert hours_to_price(series, energies, {at(3)}, always) == [at(3), at(4), at(5)]
    # The gap goes on.
    assert hours_to_price(series, energies, {at(9)}, always) == [at(9), at(10)]


def test_the_past_of_energy() -> None:
    """The hours before Energy began have no costs; it began within an hour."""
    series = CostSeries(rows_of(1.0, 1.0, first=8), at(10))
    energies = energies_of(*[1.0] * 10)
    assert hours_to_price(series, energies, frozenset(), always) == [
        at(hour) for hour in range(9)
    ]
    assert hours_to_price(series, energies, frozenset(), lambda hour: hour < at(3)) == [
        at(0),
        at(1),
        at(2),
    ]
    assert not hours_to_price(series, energies, {at(3)}, lambda _hour: False)
    # Energy has recorded nothing yet.
    assert len(hours_to_price(CostSeries(), energies, frozenset(), always)) == 10


# Rows


def apply(series: CostSeries, filling: CostFilling) -> CostSeries:
    """Do what the recorder does: adjust sums, then write rows."""
    rows = dict(series.rows)
    for adjustment in filling.adjustments:
        for hour, row in rows.items():
            if hour >= adjustment.hour:
                rows[hour] = replace(row, sum=row.sum + adjustment.amount)
    return replace(series, rows=dict(sorted((rows | dict(filling.rows)).items())))


def changes(series: CostSeries) -> dict[datetime, float]:
    """Return what each hour cost, as the Energy dashboard shows it."""
    before = 0.0
    found: dict[datetime, float] = {}
    for hour, row in series.rows.items():
        found[hour], before = row.sum - before, row.sum
    return found


def test_an_outage() -> None:
    """The hours of the gap get their costs, the lump shrinks, all else stays."""
    series = CostSeries(rows_of(1.0, 1.0, 0.0, 0.0, 9.0, 1.0, first=0), at(6))
    filling = fill_costs(series, {at(2): 2.0, at(3): 2.5, at(4): 1.5})
    assert filling.hours == (at(2), at(3), at(4))
    assert filling.before == pytest.approx(9.0)
    assert filling.after == pytest.approx(6.0)
    done = apply(series, filling)
    assert [*changes(done).values()] == pytest.approx([1, 1, 2, 2.5, 1.5, 1])
    assert done.rows[at(3)] == CostRow(6.5, 6.5, RESET)
    # Once more changes nothing.
    again = fill_costs(done, {at(2): 2.0, at(3): 2.5, at(4): 1.5})
    assert not again.rows
    assert not again.adjustments
    assert again.before == pytest.approx(again.after)


@pytest.mark.parametrize("reason", [CostSkip.NO_PRICE, CostSkip.NO_ENERGY])
def test_a_block_is_written_as_a_whole(reason: CostSkip) -> None:
    """One hour that is not known, and the block stays as it is; others do not care."""
    series = CostSeries(rows_of(*[1.0] * 10), at(10))
    costs: dict[datetime, float | CostSkip] = {
        at(2): 2.0,
        at(3): reason,
        at(4): 2.0,
        at(7): 3.0,
    }
    filling = fill_costs(series, costs)
    assert filling.hours == (at(7),)
    assert filling.skipped == {reason: 3}
    assert [*changes(apply(series, filling)).values()] == pytest.approx(
        [1, 1, 1, 1, 1, 1, 1, 3, 1, 1]
    )


def test_the_past_begins_after_an_unknown_hour() -> None:
    """The past before Energy began is written from where it is known without a hole."""
    series = CostSeries(rows_of(0.5, 1.0, first=4), at(6))
    costs: dict[datetime, float | CostSkip] = {
        at(0): CostSkip.NO_PRICE,
        at(1): 9.0,
        at(2): CostSkip.NO_ENERGY,
        at(3): 2.0,
        at(4): 1.0,
    }
    filling = fill_costs(series, costs)
    assert filling.skipped == {CostSkip.NO_PRICE: 1, CostSkip.NO_ENERGY: 2}
    done = apply(series, filling)
    assert changes(done) == pytest.approx({at(3): 2, at(4): 1, at(5): 1})
    assert done.rows[at(3)].last_reset is None
    # The hour in which Energy began is not known either.
    filling = fill_costs(series, {at(3): 2.0, at(4): CostSkip.NO_PRICE})
    assert not filling.rows
    assert filling.skipped == {CostSkip.NO_PRICE: 2}


def test_older_past_later() -> None:
    """What is written before what was written moves that as well."""
    series = CostSeries(rows_of(0.5, 1.0, first=4), at(6))
    series = apply(series, fill_costs(series, {at(3): 2.0, at(4): 1.0}))
    assert hours_to_price(
        series, energies_of(*[1.0] * 6), frozenset(), lambda hour: hour < at(2)
    ) == [at(0), at(1)]
    done = apply(series, fill_costs(series, {at(0): 4.0, at(1): 5.0}))
    assert changes(done) == pytest.approx(
        {at(0): 4, at(1): 5, at(3): 2, at(4): 1, at(5): 1}
    )


@pytest.mark.parametrize("newest", [None, at(4, 55)])
def test_not_back_yet(newest: datetime | None) -> None:
    """Without a 5-minute row after it, an adjustment would not reach the next rows."""
    series = CostSeries(rows_of(1.0, 0.0, 0.0, 0.0, 5.0), newest)
    filling = fill_costs(series, {at(3): 1.0, at(4): 1.0})
    assert not filling.rows
    assert filling.skipped == {CostSkip.NOT_BACK_YET: 2}


def test_costs_that_have_not_begun() -> None:
    """Before the first row of Energy, nothing is written: it would begin at 0 again."""
    filling = fill_costs(CostSeries({}, at(9)), {at(3): 1.0})
    assert filling.skipped == {CostSkip.NOT_BACK_YET: 1}


MONEY = st.integers(-3000, 3000).map(lambda value: value / 1000)


@st.composite
def houses(
    draw: st.DrawFn,
) -> tuple[list[list[float]], list[list[float]], set[int], int]:
    """Return energies and prices by hour and quarter, gaps, and Energy's first hour."""
    hours = draw(st.integers(2, 30))
    quarters = st.lists(
        st.integers(0, 2000).map(lambda value: value / 1000), min_size=4, max_size=4
    )
    energies = draw(st.lists(quarters, min_size=hours, max_size=hours))
    prices = draw(
        st.lists(
            st.one_of(
                MONEY.map(lambda price: [price] * 4),
                st.lists(MONEY, min_size=4, max_size=4),
            ),
            min_size=hours,
            max_size=hours,
        )
    )
    begin = draw(st.integers(0, hours - 1))
    gaps = draw(st.sets(st.integers(begin, hours - 2))) if begin < hours - 1 else set()
    return energies, prices, gaps, begin


@given(houses(), MONEY, st.sets(st.integers(0, 30)))
def test_every_hour_is_energy_times_price(
    house: tuple[list[list[float]], list[list[float]], set[int], int],
    lump: float,
    unknown: set[int],
) -> None:
    """What is priced costs what it did, nothing else changes, sums are continuous."""
    energies, prices, gaps, begin = house
    true = [
        sum(energy * price for energy, price in zip(*both, strict=True))
        for both in zip(energies, prices, strict=True)
    ]
    rows: dict[datetime, EnergyRow] = {}
    readings: dict[datetime, float] = {}
    reading = 100.0
    for hour, quarters in enumerate(energies):
        for number, energy in enumerate(quarters):
            reading += energy
            readings[at(hour) + (number + 1) * QUARTER] = reading
        rows[at(hour)] = EnergyRow(at(hour), at(hour + 1), sum(quarters), reading)
    known = Prices.of(
        Price(at(hour) + n * QUARTER, at(hour) + (n + 1) * QUARTER, price)
        for hour, quarters in enumerate(prices)
        if hour not in unknown
        for n, price in enumerate(quarters)
    )
    # Energy records nothing in a gap, and anything in the hour after it.
    recorded = [
        0.0 if hour in gaps else lump if hour - 1 in gaps or hour == begin else cost
        for hour, cost in enumerate(true)
    ]
    series = CostSeries(rows_of(*recorded[begin:], first=begin), at(len(true)))

    hours = hours_to_price(series, rows, {at(gap) for gap in gaps}, always)
    filling = fill_costs(series, costs_of_hours(hours, rows, known, readings, QUARTER))
    done = apply(series, filling)

    before, after = changes(series), changes(done)
    for hour in after:
        if hour in filling.hours:
            number = (hour - START) // HOUR
            assert after[hour] == pytest.approx(true[number], abs=1e-6)
        else:
            assert after[hour] == pytest.approx(before[hour], abs=1e-6)
    assert filling.after == pytest.approx(
        sum(after[hour] for hour in filling.hours), abs=1e-5
    )
    assert len(filling.hours) + filling.skipped.total() == len(hours)
    if not unknown:
        assert list(filling.hours) == hours
        # But for the hour in which Energy began, if nothing precedes it, all is true.
        for hour, cost in after.items():
            if hour > START:
                assert cost == pytest.approx(true[(hour - START) // HOUR], abs=1e-6)
    for one, other in pairwise(done.rows):
        assert other - one == HOUR or one < at(begin)
