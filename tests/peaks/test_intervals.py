"""Tests of averages and peaks without Home Assistant: compared with a plain sum."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate, pairwise
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, strategies as st
import pytest

from custom_components.nes_mep.osgp import (
    ChannelStatus,
    IntervalFlag,
    LoadProfileInterval,
)
from custom_components.nes_mep.peaks.intervals import (
    Average,
    Boundary,
    Reading,
    average,
    averages,
    crossed,
    projected_average,
    recorded,
    running_average,
    start_of,
)
from custom_components.nes_mep.peaks.rules import Rules, highest, mean, month_start

QUARTER = timedelta(minutes=15)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
BEGIN = datetime(2026, 3, 29, 0, 0, tzinfo=UTC)
OSLO = ZoneInfo("Europe/Oslo")


def at(seconds: float) -> datetime:
    """Return a time so many seconds after the beginning."""
    return BEGIN + timedelta(seconds=seconds)


powers = st.lists(st.integers(0, 12000), min_size=120, max_size=120)
"""The power in W in each half minute of an hour."""


def energy(powers: Sequence[int], seconds: int) -> float:
    """Return the kWh that were counted up to a second: a plain sum."""
    sums = list(accumulate(powers, initial=0))
    whole, rest = divmod(seconds, 30)
    last = powers[whole] * rest if rest else 0
    return (sums[whole] * 30 + last) / 3.6e6


@given(powers, st.lists(st.integers(1, 60), min_size=90, max_size=200))
def test_live_averages(powers: list[int], steps: list[int]) -> None:
    """An average is off by no more than was used between the polls around its ends."""
    times = [each for each in accumulate(steps, initial=0) if each <= 3600]
    readings = [Reading(at(each), energy(powers, each)) for each in times]
    known: dict[datetime, Boundary] = {}
    for before, after in pairwise(readings):
        known |= crossed(before, after, QUARTER, MINUTE)
    for begin in range(900, times[-1] - 900 + 1, 900):
        found = average(known, at(begin), QUARTER)
        assert found is not None
        truth = 4000 * (energy(powers, begin + 900) - energy(powers, begin))
        doubt = 0.0
        for edge in (begin, begin + 900):
            left = max(each for each in times if each < edge or each == 0)
            right = min(each for each in times if each >= edge)
            doubt += 4000 * (energy(powers, right) - energy(powers, left))
        assert abs(found.power - truth) <= doubt + 0.01
        assert not found.is_exact


@given(powers, st.integers(0, 3600))
def test_running_average(powers: list[int], seconds: int) -> None:
    """It is what was used since the boundary, over the full interval."""
    known = {at(n * 900): Boundary(energy(powers, n * 900)) for n in range(5)}
    now = Reading(at(seconds), energy(powers, seconds))
    begin = seconds // 900 * 900
    truth = 4000 * (energy(powers, seconds) - energy(powers, begin))
    assert running_average(known, now, QUARTER) == pytest.approx(truth, abs=0.01)


def test_projected() -> None:
    """If the power stays, or the mean so far."""
    assert projected_average(500, 2000, at(450), QUARTER) == 1500
    assert projected_average(500, None, at(450), QUARTER) == 1000
    assert projected_average(0, 2000, at(900), QUARTER) == 2000
    assert projected_average(0, None, at(900), QUARTER) is None


def test_unseen_boundary() -> None:
    """Between readings that are far apart, nothing is known."""
    before, after = Reading(at(880), 1.0), Reading(at(941), 2.0)
    assert crossed(before, after, QUARTER, MINUTE) == {}
    assert crossed(before, Reading(at(940), 2.0), QUARTER, MINUTE) != {}
    assert crossed(before, Reading(at(880), 2.0), QUARTER, MINUTE) == {}


def test_boundary_at_a_reading() -> None:
    """A reading at the boundary is the boundary's, and is not used twice."""
    seen = crossed(Reading(at(890), 1.0), Reading(at(900), 2.0), QUARTER, MINUTE)
    assert seen == {at(900): Boundary(2.0)}
    assert crossed(Reading(at(900), 2.0), Reading(at(910), 3.0), QUARTER, MINUTE) == {}


def test_reset() -> None:
    """A register that counts down makes no average, live or recorded."""
    assert crossed(Reading(at(895), 9.0), Reading(at(905), 0.1), QUARTER, MINUTE) == {}
    known = {at(0): Boundary(9.0, True), at(900): Boundary(0.1, True)}
    assert average(known, at(0), QUARTER) is None
    assert running_average({at(0): Boundary(9.0)}, Reading(at(9), 0.1), QUARTER) is None


def test_longer_span() -> None:
    """What was used in two intervals is the average of none."""
    assert not list(averages({at(0): Boundary(1.0), at(1800): Boundary(9.0)}, QUARTER))


def test_layout_change() -> None:
    """Readings of two layouts make no average."""
    known = {at(n * 900): Boundary(n * 1.0) for n in range(4)}
    found = [each.start for each in averages(known, QUARTER, at(1000))]
    assert found == [at(0), at(1800)]


def test_since() -> None:
    """What began before a time does not count."""
    known = {at(n * 900): Boundary(n * 1.0) for n in range(4)}
    found = [each.start for each in averages(known, QUARTER, since=at(900))]
    assert found == [at(900), at(1800)]


def profile(minutes: int, value: float, **more: Any) -> LoadProfileInterval:
    """Return a recorded quarter that ended so many minutes after the beginning."""
    return LoadProfileInterval(
        end=at(minutes * 60), length=QUARTER, values={"energy_import": value}, **more
    )


@given(st.lists(st.integers(0, 3000), min_size=1, max_size=40))
def test_recorded(counts: list[int]) -> None:
    """Averages of the load profile are exact; of hours, those of their quarters."""
    sums = list(accumulate(counts, initial=100_000))
    intervals = [profile(15 * n, each / 1000) for n, each in enumerate(sums)][::-1]
    quarters = list(averages(recorded(intervals, "energy_import", QUARTER), QUARTER))
    assert [each.power for each in quarters] == pytest.approx(
        [4 * count for count in counts]
    )
    assert all(each.is_exact for each in quarters)
    hours = list(averages(recorded(intervals, "energy_import", HOUR), HOUR))
    assert [each.power for each in hours] == pytest.approx(
        [sum(counts[n : n + 4]) for n in range(0, len(counts) - 3, 4)]
    )


@pytest.mark.parametrize(
    "spoiled",
    [
        {"flags": IntervalFlag.CLOCK_SET_BACK},
        {"flags": IntervalFlag.CLOCK_SET_FORWARD | IntervalFlag.DAYLIGHT_SAVING},
        {"statuses": {"energy_import": ChannelStatus.LONG_INTERVAL}},
        {"statuses": {"energy_import": ChannelStatus.PARTIAL_INTERVAL}},
    ],
)
def test_clock_was_set(spoiled: dict[str, Any]) -> None:
    """An interval of another length makes no average, nor the hour that it is in."""
    intervals = [profile(15 * n, n) for n in range(9)]
    intervals[2] = profile(30, 2, **spoiled)
    known = recorded(intervals, "energy_import", QUARTER)
    assert average(known, at(900), QUARTER) is None
    assert average(known, at(1800), QUARTER) is not None
    hours = recorded(intervals, "energy_import", HOUR)
    assert [each.start for each in averages(hours, HOUR)] == [at(3600)]


def test_power_failure_counts() -> None:
    """What was used around a power failure was used in that interval."""
    intervals = [profile(0, 1), profile(15, 2, flags=IntervalFlag.POWER_FAILURE)]
    known = recorded(intervals, "energy_import", QUARTER)
    assert average(known, at(0), QUARTER) == Average(at(0), 4000, True)


hour_powers = st.lists(st.integers(0, 20), min_size=60 * 24, max_size=60 * 24)


@given(
    hour_powers,
    st.integers(1, 5),
    st.booleans(),
    st.integers(0, 23),
    st.integers(1, 24),
    st.sets(st.integers(0, 6), min_size=1),
)
def test_highest(
    powers: list[int],
    count: int,
    different_days: bool,
    first_hour: int,
    end_hour: int,
    weekdays: set[int],
) -> None:
    """The month's peaks, compared with trying them one by one, over summer time."""
    start = datetime(2026, 3, 1, tzinfo=OSLO).astimezone(UTC) - 10 * HOUR
    every = [Average(start + n * HOUR, each, True) for n, each in enumerate(powers)]
    rules = Rules(
        count=count,
        different_days=different_days,
        first_hour=first_hour,
        end_hour=end_hour,
        weekdays=frozenset(weekdays),
    )
    hours = {
        hour % 24
        for hour in range(
            first_hour, end_hour if first_hour < end_hour else end_hour + 24
        )
    }
    expected: list[Average] = []
    days: list[date] = []
    left = list(every)
    while left and len(expected) < count:
        best = max(left, key=lambda each: each.power)
        left.remove(best)
        local = best.start.astimezone(OSLO)
        if (
            (local.year, local.month) == (2026, 3)
            and local.hour in hours
            and local.weekday() in weekdays
            and not (different_days and local.date() in days)
        ):
            expected.append(best)
            days.append(local.date())
    month = month_start(start + 100 * HOUR, OSLO)
    assert list(highest(every, month, OSLO, rules)) == expected


@pytest.mark.parametrize(
    ("time", "start"),
    [
        ("2026-03-31T21:59:59Z", "2026-02-28T23:00:00Z"),
        ("2026-03-31T22:00:00Z", "2026-03-31T22:00:00Z"),
        ("2026-10-31T22:59:00Z", "2026-09-30T22:00:00Z"),
        ("2026-10-31T23:00:00Z", "2026-10-31T23:00:00Z"),
    ],
)
def test_month(time: str, start: str) -> None:
    """A month begins at local midnight, in summer time or not."""
    assert month_start(datetime.fromisoformat(time), OSLO) == (
        datetime.fromisoformat(start)
    )


def test_mean() -> None:
    """The mean of the peaks that there are."""
    assert mean([]) is None
    assert mean([Average(BEGIN, 1000, True), Average(BEGIN, 2000, False)]) == 1500


def test_starts() -> None:
    """Intervals begin at multiples of their length."""
    assert start_of(at(899.9), QUARTER) == BEGIN
    assert start_of(at(900), QUARTER) == at(900)
    assert start_of(at(3599), HOUR) == BEGIN
