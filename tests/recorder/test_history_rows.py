"""Tests of the rows that readings become, without Home Assistant's recorder."""

from datetime import timedelta
from itertools import pairwise
from typing import Any

from hypothesis import example, given, strategies as st
import pytest

from custom_components.nes_mep.history.gaps import (
    Point,
    RecordedHour,
    Series,
    find_gaps,
)
from custom_components.nes_mep.history.rows import (
    Adjustment,
    Filling,
    Row,
    Skip,
    fill,
    readings_of,
)
from custom_components.nes_mep.history.spans import EVER, HOUR
from custom_components.nes_mep.history.way import Counting, Reading
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
    last = max(series.hours, default=NOON + 100 * HOUR) + HOUR
    until = last if end is None else NOON + end * HOUR
    return fill(
        series,
        find_gaps(series, until),
        tuple(Reading(NOON + (n + 1) * HOUR, value) for n, value in readings.items()),
        more.get("counting", Counting()),
        memory=MEMORY,
        within=(more.get("start", EVER), until),
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
    closing = [
        each
        for each in readings_of(reversed(intervals), {"energy_import": 1.0})
        if each.closes_hour
    ]
    assert {
        (each.time - NOON - timedelta.resolution) // HOUR: each.value
        for each in closing
    } == {n: value for n, value in found.items() if value is not None}


def test_unusable_readings() -> None:
    """What the meter says cannot be used is not."""
    spoilt = interval(60, 60, statuses={"energy_import": ChannelStatus.SKIPPED})
    assert readings_of([interval(0, 60, 1), spoilt], {"energy_import": 1.0}) == (
        Reading(NOON, 1),
    )
    assert not readings_of([interval(0, 60, 1)], {"energy_export": 1.0})


def test_nothing_recorded() -> None:
    """Without a row of Home Assistant's own, nothing is written."""
    assert find_gaps(Series({}), NOON) == ()


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
    assert result.skipped == {Skip.BEFORE_RESET: 1}


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
    result = filled(series, readings, end=5, start=NOON + 3 * HOUR)
    assert result.rows == rows((3, 130, 30), (4, 140, 40))


@pytest.mark.parametrize("left", [35000.010, 60014.3])
def test_dip(left: float) -> None:
    """A reading that falls a little is a dip for Home Assistant, not a new beginning."""
    right = left - 0.002
    readings = {n: left - 0.006 + n / 1000 for n in (1, 2, 3)}
    result = filled(
        hours((0, left, 5), (4, right, 4.998)),
        readings,
        counting=Counting(limit=100000),
        start=NOON,
    )
    assert (result.rows, result.adjustments) == ((), ())
    assert result.skipped == {Skip.CONTRADICTS: 3}


@pytest.mark.parametrize("place", [0, 1, 20, 46, 47])
@pytest.mark.parametrize("begin", [100, 35000])
@pytest.mark.parametrize(
    "bad", [0.0, 4294967.295, 2147483.647, 99999.999, 50.0, 90000.0]
)
def test_bad_reading_in_the_past(bad: float, begin: float, place: int) -> None:
    """A reading that does not fit is left out, wherever it is, and nothing else is."""
    readings = {n: begin + 0.5 * n for n in range(48)} | {place: bad}
    result = filled(
        hours((48, begin + 24, 0)), readings, counting=Counting(limit=100000)
    )
    assert len(result.rows) == 47
    assert all(
        after.sum - before.sum <= 1.0 + 1e-6 for before, after in pairwise(result.rows)
    )
    (adjustment,) = result.adjustments
    assert adjustment.amount == pytest.approx(23.5 if place == 0 else 24)


def test_made_up_rows() -> None:
    """What Home Assistant made up while it was off is replaced; later sums stay."""
    series = Series(
        {
            NOON: RecordedHour(Point(100, 5)),
            **{
                NOON + n * HOUR: RecordedHour(Point(100.5, 5.5), complete=False)
                for n in (1, 2, 3, 4)
            },
            NOON + 5 * HOUR: RecordedHour(Point(120, 25)),
        }
    )
    result = filled(series, {1: 104, 2: 108, 4: 116}, start=NOON)
    assert result.rows == rows((1, 104, 9), (2, 108, 13), (4, 116, 21))
    # An hour without a reading goes on from the one before.
    assert result.carried == rows((3, 108, 13))
    assert not result.adjustments
    assert result.skipped == {Skip.NO_READING: 1}


def test_crash() -> None:
    """An hour that may have been seen to its end keeps what it has, if that fits."""
    series = Series(
        {
            NOON: RecordedHour(Point(100, 5)),
            NOON + HOUR: RecordedHour(Point(104, 9), complete=False),
            NOON + 2 * HOUR: RecordedHour(Point(107, 12), complete=False),
            NOON + 3 * HOUR: RecordedHour(Point(107, 12), complete=False),
            NOON + 5 * HOUR: RecordedHour(Point(120, 25)),
        }
    )
    result = filled(series, {1: 104, 3: 113}, start=NOON)
    assert result.rows == rows((3, 113, 18))
    assert not result.carried


def test_corrected_before_the_first_complete_row() -> None:
    """Where somebody has corrected the sums, only what precedes that is written."""
    series = Series(
        {
            NOON + 5 * HOUR: RecordedHour(Point(105, 0.5), complete=False),
            NOON + 8 * HOUR: RecordedHour(Point(108, 1)),
        }
    )
    result = filled(series, {n: 100.0 + n for n in range(8)})
    assert [row.hour for row in result.rows] == [NOON + n * HOUR for n in range(5)]
    assert result.adjustments == (Adjustment(NOON + 5 * HOUR, 4.5),)
    assert result.skipped == {Skip.SUMS_DO_NOT_FIT: 3}


LIMIT = 100_000
EVIL = st.sampled_from([0.0, LIMIT - 1.0, 4294967.0, LIMIT / 2]) | st.integers(
    0, LIMIT - 1
).map(float)


class Recorder:
    """What Home Assistant's recorder makes of a register that it sees now and then.

    In hours marked as made up it was off: their rows have what was read before.
    """

    def __init__(
        self, register: list[float], seen: list[bool], made_up: list[bool]
    ) -> None:
        """Show it what the register has at the end of each hour, if it is seen."""
        self.complete: dict[int, Point] = {}
        self.made_up: dict[int, Point] = {}
        point: Point | None = None
        for n, (now, is_seen) in enumerate(zip(register, seen, strict=True)):
            if is_seen and point is None:
                point = Point(now, 0)
            elif is_seen:
                is_reset = now < 0.9 * point.state
                step = now if is_reset else now - point.state
                point = Point(now, point.sum + step)
            if is_seen:
                self.complete[n] = point
            elif point and made_up[n]:
                self.made_up[n] = point
        last = max(self.complete, default=-1)
        self.made_up = {n: point for n, point in self.made_up.items() if n < last}

    @property
    def rows(self) -> dict[int, Point]:
        """All rows."""
        return dict(sorted((self.made_up | self.complete).items()))

    @property
    def series(self) -> Series:
        """What it has."""
        return Series(
            {
                NOON + n * HOUR: RecordedHour(point, complete=n in self.complete)
                for n, point in self.rows.items()
            }
        )

    def write(self, filling: Filling) -> None:
        """Do what is asked of it."""
        for adjustment in filling.adjustments:
            for rows in (self.complete, self.made_up):
                for n, point in rows.items():
                    if NOON + n * HOUR >= adjustment.hour:
                        rows[n] = Point(point.state, point.sum + adjustment.amount)
        for rows, found in (
            (self.complete, filling.rows),
            (self.made_up, filling.carried),
        ):
            for row in found:
                rows[(row.hour - NOON) // HOUR] = Point(row.state, row.sum)
        for hour in filling.hours:
            n = (hour - NOON) // HOUR
            if n in self.made_up:
                self.complete.setdefault(n, self.made_up[n])
        self.made_up = {
            n: point for n, point in self.made_up.items() if n not in self.complete
        }


@given(
    st.lists(
        st.tuples(st.integers(0, 9), *[st.booleans()] * 3), min_size=2, max_size=60
    ),
    st.integers(0, LIMIT - 1),
    st.none() | st.tuples(st.integers(1, 59), st.integers(0, 50)),
    st.dictionaries(st.integers(0, 11), EVIL, max_size=6),
)
@example([(9, n in (0, 9), n % 2 == 0, True) for n in range(10)], LIMIT - 40, None, {})
@example([(9, n == 9, True, True) for n in range(10)], 30000, (4, 7), {})
def test_any_house(
    story: list[tuple[int, bool, bool, bool]],
    begin: int,
    reset: tuple[int, int] | None,
    bad: dict[int, float],
) -> None:
    """Whatever was seen and is remembered, sums tell the truth afterwards.

    The register rolls over; it may be reset; every fifth reading may be a bad one.
    """
    steps, seen, made_up, remembered = (list(part) for part in zip(*story, strict=True))
    truth: list[int] = []  # what has really been counted, since the beginning
    register: list[float] = []
    value = begin
    for n, step in enumerate(steps):
        value = reset[1] if reset and n == reset[0] else value + step
        truth.append(value)
        register.append(float(value % LIMIT))
    recorder = Recorder(register, seen, made_up)
    before = dict(recorder.complete)
    readings = {
        n: bad.get(n // 5, register[n]) if n % 5 == 2 else register[n]
        for n, is_remembered in enumerate(remembered)
        if is_remembered
    }

    def filling() -> Filling:
        return filled(
            recorder.series, readings, len(story), counting=Counting(limit=LIMIT)
        )

    first = filling()
    recorder.write(first)
    # What was recorded is still there, as it was but for a shift.
    assert before.keys() <= recorder.complete.keys()
    assert all(recorder.rows[n].state == point.state for n, point in before.items())
    good = {n for n in recorder.rows if n in before or readings.get(n) == register[n]}
    assert all(
        recorder.rows[n].state == register[n] for n in good & recorder.complete.keys()
    )
    # From one good row to the next, the sum has grown by what was counted.
    ordered = sorted(good & recorder.complete.keys())
    for n, m in pairwise(ordered):
        left, right = recorder.rows[n], recorder.rows[m]
        counted = truth[m] - truth[n]
        if reset and n < reset[0] <= m:
            assert right.sum - left.sum <= register[m] + 1e-6
            continue
        if right.state < 0.9 * left.state and {n, m} <= before.keys():
            continue  # a roll-over that Home Assistant has seen by itself, or a small one
        assert right.sum - left.sum == pytest.approx(counted)
        # What lies between is a bad reading that fits, or made up, and runs neither
        # backwards nor ahead.
        between = [recorder.rows[k].sum for k in recorder.rows if n <= k <= m]
        assert between == sorted(between)
    # Where all readings are good, all are there.
    known = {n for n in readings if before and n < max(before)}
    if not reset and not bad and begin > 20 and begin + sum(steps) < LIMIT:
        past = {n for n in known if n < min(before)}
        assert known - past <= recorder.complete.keys()
        # A single reading before the first row proves nothing.
        assert len(past) == 1 or past <= recorder.complete.keys()
    # A second run changes nothing.
    again = filling()
    assert (again.rows, again.carried, again.adjustments) == ((), (), ())
