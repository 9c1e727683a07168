"""Tests of the rows that readings become, without Home Assistant's recorder."""

from datetime import timedelta
from itertools import pairwise
from typing import Any

from hypothesis import given, strategies as st
import pytest

from custom_components.nes_mep.history.gaps import (
    HOUR,
    Point,
    RecordedHour,
    Series,
    find_gaps,
)
from custom_components.nes_mep.history.rows import (
    Adjustment,
    Counting,
    Filling,
    Row,
    Skip,
    fill,
    hour_readings,
)
from custom_components.nes_mep.osgp import ChannelStatus, LoadProfileInterval

from ..values import NOON

MEMORY = timedelta(days=10)


def interval(
    minutes: int, length: int, value: float | None = None, **more: Any
) -> LoadProfileInterval:
    """Return an interval that ends so many minutes after noon."""
    return LoadProfileInterval(
        end=NOON + timedelta(minutes=minutes),
        length=timedelta(minutes=length),
        values={} if value is None else {"energy_import": value},
        **more,
    )


def hours(*rows: tuple[int, float, float]) -> Series:
    """Return a series: hours after noon, readings, sums."""
    return Series(
        {NOON + n * HOUR: RecordedHour(Point(state, total)) for n, state, total in rows}
    )


def filled(
    series: Series, readings: dict[int, float], end: int | None = None, **more: Any
) -> Filling:
    """Fill the gaps of a series with readings at the ends of hours after noon.

    Those after a start, if that is given, and before the last row or a later end.
    """
    counting = more.pop("counting", Counting())
    last = max(series.hours, default=NOON + 100 * HOUR) + HOUR
    start = more.pop("start", None)
    return fill(
        series,
        find_gaps(series, start, last if end is None else NOON + end * HOUR),
        {NOON + n * HOUR: value for n, value in readings.items()},
        counting,
        memory=MEMORY,
    )


def rows(*found: tuple[int, float, float]) -> tuple[Row, ...]:
    """Return rows: hours after noon, readings, sums."""
    return tuple(Row(NOON + n * HOUR, state, total) for n, state, total in found)


@pytest.mark.parametrize(
    ("length", "ends", "found"),
    [
        pytest.param(15, range(0, 121, 15), {-1: 0, 0: 60, 1: 120}, id="quarters"),
        pytest.param(20, range(0, 121, 20), {-1: 0, 0: 60, 1: 120}, id="thirds"),
        # The last one that ends in an hour, up to 6 minutes before its end.
        pytest.param(7, range(0, 130, 7), {-1: 0, 0: 56, 1: 119}, id="7 minutes"),
        pytest.param(
            50,
            range(0, 301, 50),
            {-1: 0, 0: 50, 1: 100, 2: 150, 3: 200, 4: 300},
            id="50 minutes",
        ),
        # The hours in between are nobody's to invent.
        pytest.param(120, range(0, 241, 120), {-1: 0, 1: 120, 3: 240}, id="2 hours"),
        # The clock of the meter goes 5 minutes wrong.
        pytest.param(15, range(5, 126, 15), {-1: None, 0: 50, 1: 110}, id="beside"),
        # Where the interval that ends with the hour is missing, the hour is.
        pytest.param(15, [0, 15, 30, 45, 75, 120], {-1: 0, 1: 120}, id="missing"),
    ],
)
def test_hour_readings(length: int, ends: list[int], found: dict[int, int]) -> None:
    """An hour has the last reading that could have been taken in it."""
    intervals = [interval(end, length, end) for end in ends]
    assert hour_readings(reversed(intervals), "energy_import") == {
        NOON + n * HOUR: value for n, value in found.items() if value is not None
    }


def test_unusable_readings() -> None:
    """What the meter says cannot be used is not."""
    spoilt = interval(60, 60, statuses={"energy_import": ChannelStatus.SKIPPED})
    assert hour_readings([interval(0, 60, 1), spoilt], "energy_import") == {
        NOON - HOUR: 1
    }
    assert not hour_readings([interval(0, 60, 1)], "energy_export")


def test_nothing_recorded() -> None:
    """Without a row of Home Assistant's own, nothing is written."""
    assert find_gaps(Series({}), None, NOON) == ()


def test_past() -> None:
    """The past begins at 0, and what was recorded goes on from it."""
    result = filled(hours((10, 110, 0.5)), {7: 103, 8: 104, 9: 108})
    assert result.rows == rows((7, 103, 0), (8, 104, 1), (9, 108, 5))
    assert result.adjustments == (Adjustment(NOON + 10 * HOUR, 6.5),)


def test_past_of_the_present_hour() -> None:
    """The first hour needs no row yet: its first five minutes will do."""
    series = Series({}, current=(NOON + 10 * HOUR, Point(110, 0)))
    result = filled(series, {8: 104, 9: 108})
    assert result.rows == rows((8, 104, 0), (9, 108, 4))
    assert result.adjustments == (Adjustment(NOON + 10 * HOUR, 6),)


def test_gap() -> None:
    """A gap is filled, and what is around it stays."""
    series = hours((0, 100, 5), (1, 101, 6), (5, 120, 25))
    result = filled(series, {n: 100 + 3 * n for n in range(7)}, start=NOON)
    assert result.rows == rows((2, 106, 11), (3, 109, 14), (4, 112, 17))
    assert not result.adjustments
    assert not result.skipped


def test_truncated_hour() -> None:
    """An hour that was not seen to its end is completed."""
    series = Series(
        {
            NOON: RecordedHour(Point(100, 5)),
            NOON + HOUR: RecordedHour(Point(101, 6), complete=False),
            NOON + 2 * HOUR: RecordedHour(Point(110, 15)),
        }
    )
    result = filled(series, {0: 100.5, 1: 104, 2: 111}, start=NOON)
    assert result.rows == rows((1, 104, 9))
    assert not result.adjustments


def test_second_run() -> None:
    """What is there as it should be is not written again."""
    series = Series(
        {
            NOON: RecordedHour(Point(100, 5)),
            NOON + HOUR: RecordedHour(Point(104, 9), complete=False),
            NOON + 2 * HOUR: RecordedHour(Point(110, 15)),
        }
    )
    result = filled(series, {1: 104}, start=NOON)
    assert (result.rows, result.adjustments) == ((), ())


def test_missing_readings() -> None:
    """Hours without a reading stay out; the next one carries the difference."""
    result = filled(hours((0, 100, 5), (5, 120, 25)), {2: 106, 4: 112}, start=NOON)
    assert result.rows == rows((2, 106, 11), (4, 112, 17))
    assert result.skipped == {Skip.NO_READING: 2}


def test_no_reading_at_all() -> None:
    """Without readings nothing is written, nor adjusted."""
    result = filled(hours((0, 100, 5), (5, 120, 0)), {}, start=NOON)
    assert (result.rows, result.adjustments) == ((), ())
    assert result.skipped == {Skip.NO_READING: 4}


def test_not_back_yet() -> None:
    """A gap that is not over is left for later."""
    result = filled(hours((0, 100, 5)), {1: 101, 2: 102}, end=3, start=NOON)
    assert result.rows == ()
    assert result.skipped == {Skip.NOT_BACK_YET: 2}


def test_contradiction() -> None:
    """A reading that does not lie between its neighbours is left out."""
    readings = {1: 103, 2: 99, 3: 130, 4: 112}
    result = filled(hours((0, 100, 5), (5, 120, 25)), readings, start=NOON)
    assert result.rows == rows((1, 103, 8), (4, 112, 17))
    assert result.skipped == {Skip.CONTRADICTS: 2}


def test_corrected_sums() -> None:
    """Where somebody has corrected the sums, nothing is written between them."""
    result = filled(hours((0, 100, 5), (3, 120, 9)), {1: 103, 2: 112}, start=NOON)
    assert (result.rows, result.adjustments) == ((), ())
    assert result.skipped == {Skip.SUMS_DO_NOT_FIT: 2}


def test_forgotten_sum() -> None:
    """After a gap so long that Home Assistant forgot the sum, it goes on again."""
    series = hours((0, 100, 50), (300, 400, 1), (301, 402, 3))
    readings = {n: 100 + n for n in range(1, 300)}
    result = filled(series, readings, end=302, start=NOON)
    assert len(result.rows) == 299
    assert result.rows[-1] == Row(NOON + 299 * HOUR, 399, 349)
    # 300 kWh were counted in between, and 350 should stand where 1 stands.
    assert result.adjustments == (Adjustment(NOON + 300 * HOUR, 349),)


def test_roll_over_in_the_past() -> None:
    """Sums go on where the register has started again at 0."""
    readings = {6: 998, 7: 999, 8: 3, 9: 5}
    result = filled(hours((10, 6, 0)), readings, counting=Counting(limit=1000))
    assert result.rows == rows((6, 998, 0), (7, 999, 1), (8, 3, 5), (9, 5, 7))
    assert result.adjustments == (Adjustment(NOON + 10 * HOUR, 8),)


def test_roll_over_in_a_gap() -> None:
    """What Home Assistant lost at the last digit is found again."""
    # For it, the register was set back, and has counted from 0.
    series = hours((0, 990, 50), (3, 6, 56), (4, 7, 57))
    counting = Counting(limit=1000)
    result = filled(series, {1: 996, 2: 2}, counting=counting, start=NOON)
    assert result.rows == rows((1, 996, 56), (2, 2, 62))
    assert result.adjustments == (Adjustment(NOON + 3 * HOUR, 10),)


def test_reset_in_the_past() -> None:
    """What was counted before the register was set back is another story."""
    readings = {6: 500, 7: 501, 8: 1, 9: 2}
    result = filled(hours((10, 3, 0)), readings)
    assert result.rows == rows((8, 1, 0), (9, 2, 1))
    assert result.skipped == {Skip.BEFORE_RESET: 2}


def test_reset_in_a_gap() -> None:
    """After a register was set back, hours count from 0, as Home Assistant does."""
    series = hours((0, 500, 50), (4, 3, 53))
    result = filled(series, {1: 501, 2: 1, 3: 2}, start=NOON)
    assert result.rows == rows((2, 1, 51), (3, 2, 52))
    assert not result.adjustments
    assert result.skipped == {Skip.CONTRADICTS: 1}


def test_net_energy() -> None:
    """A register that can fall has sums that fall."""
    result = filled(
        hours((0, 10, 10), (4, 2, 2)),
        {1: 7, 2: -1, 3: 3},
        counting=Counting(signed=True),
        start=NOON,
    )
    assert result.rows == rows((1, 7, 7), (2, -1, -1), (3, 3, 3))
    assert not result.adjustments


def test_several_gaps() -> None:
    """The past shifts all later sums, those of later gaps as well."""
    series = hours((5, 105, 0), (6, 106, 1), (9, 112, 7))
    result = filled(series, {3: 101, 4: 104, 7: 108, 8: 109})
    assert result.rows == rows((3, 101, 0), (4, 104, 3), (7, 108, 7), (8, 109, 8))
    assert result.adjustments == (Adjustment(NOON + 5 * HOUR, 4),)


def test_span() -> None:
    """Only hours of the span are filled."""
    series = hours((0, 100, 0), (9, 190, 90))
    readings = {n: 100 + 10 * n for n in range(10)}
    gaps = find_gaps(series, NOON + 3 * HOUR, NOON + 5 * HOUR)
    result = fill(
        series,
        gaps,
        {NOON + n * HOUR: value for n, value in readings.items()},
        Counting(),
        memory=MEMORY,
    )
    assert result.rows == rows((3, 130, 30), (4, 140, 40))


class Recorder:
    """What Home Assistant's recorder makes of a register that it sees now and then."""

    def __init__(self, limit: int, steps: list[int], seen: list[bool]) -> None:
        """Let a register count from 0 by steps, one each hour; some of them are seen."""
        self.truth = [0]
        for step in steps:
            self.truth.append(self.truth[-1] + step)
        self.limit = limit
        self.rows: dict[int, Point] = {}
        state = total = None
        for n, is_seen in enumerate(seen):
            if is_seen:
                now = self.truth[n + 1] % limit
                if state is None:
                    total = 0
                else:
                    total += now - state if now >= state else now
                state = now
                self.rows[n] = Point(now, total)

    @property
    def series(self) -> Series:
        """What it has."""
        return Series({NOON + n * HOUR: RecordedHour(p) for n, p in self.rows.items()})

    def write(self, filling: Filling) -> None:
        """Do what is asked of it."""
        for adjustment in filling.adjustments:
            for n, point in self.rows.items():
                if NOON + n * HOUR >= adjustment.hour:
                    self.rows[n] = Point(point.state, point.sum + adjustment.amount)
        for row in filling.rows:
            self.rows[(row.hour - NOON) // HOUR] = Point(row.state, row.sum)
        self.rows = dict(sorted(self.rows.items()))


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.booleans(), st.booleans()),
        min_size=2,
        max_size=60,
    ),
    st.integers(200, 1000),
)
def test_any_house(story: list[tuple[int, bool, bool]], limit: int) -> None:
    """Whatever was seen and whatever is remembered, sums tell the truth afterwards."""
    steps, seen, remembered = (list(part) for part in zip(*story, strict=True))
    recorder = Recorder(limit, steps, seen)
    before = dict(recorder.rows)
    readings = {
        NOON + n * HOUR: float(recorder.truth[n + 1] % limit)
        for n, is_remembered in enumerate(remembered)
        if is_remembered
    }
    end = NOON + len(story) * HOUR

    def filling() -> Filling:
        series = recorder.series
        gaps = find_gaps(series, None, end)
        return fill(series, gaps, readings, Counting(limit=limit), memory=MEMORY)

    recorder.write(filling())
    # What was recorded is still there, as it was but for a shift.
    assert before.keys() <= recorder.rows.keys()
    assert all(recorder.rows[n].state == point.state for n, point in before.items())
    # Each hour before the last one seen that can be known is there.
    if before:
        known = {n for n, remembers in enumerate(remembered) if remembers}
        assert {n for n in known if n < max(before)} <= recorder.rows.keys()
    # From one row to the next, the sum has grown by what was counted, except where
    # nothing was written around a wrap that Home Assistant has seen by itself.
    ordered = list(recorder.rows.items())
    for (n, left), (m, right) in pairwise(ordered):
        counted = recorder.truth[m + 1] - recorder.truth[n + 1]
        if right.state < left.state and {n, m} <= before.keys():
            counted = right.state
        assert right.sum - left.sum == pytest.approx(counted)
    # A second run changes nothing.
    again = filling()
    assert (again.rows, again.adjustments) == ((), ())
