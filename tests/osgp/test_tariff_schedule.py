"""The tariff calendar against days that were worked out by hand from its bytes."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given, strategies as st
import pytest

from osgp import DecodeError
from osgp.tables.calendar import (
    CalendarDimensions,
    decode_calendar,
    decode_calendar_dimensions,
)
from osgp.tables.clock import LocalClock
from osgp.tables.local_time import LocalTimeRules, decode_local_time_rules
from osgp.tariff_schedule import TariffSchedule
from tests.calendar_by_hand import CALENDAR, CALENDAR_ID, CHANGES_OF_THE_CLOCK, DAYS

# BT50: 12 seasons with 2 special schedules (2C), 25 dates of one year, 23 recurring
# ones, 200 tier switches, 808 bytes; byte 1 bit 1 is 0: one schedule for all workdays.
_DIMENSIONS = decode_calendar_dimensions(bytes.fromhex("03 18 2C 19 17 C800 2803"))

# BT53: summer time begins at 02:00:00 and moves the clock by 60 minutes; the zone is 60
# minutes from UTC. ET04.63: it ends 60 minutes later in the day, at 03:00.
_RULES = decode_local_time_rules(bytes.fromhex("020000 3C 3C00"), bytes.fromhex("3C00"))

# What BT55 says at some time: time, season, summer time; no special schedule is 15.
_KNOWN = [
    ("2026-03-20T12:00", 0, False),
    ("2026-07-10T00:00", 1, True),
    ("2026-12-01T23:59", 0, False),
]


def _clock(
    text: str, season: int, daylight_saving: bool, special: int = 15
) -> LocalClock:
    return LocalClock(
        datetime.fromisoformat(text), daylight_saving, 0, season, special, "calendar"
    )


def _schedule(known: tuple[str, int, bool]) -> TariffSchedule:
    calendar = decode_calendar(CALENDAR, _DIMENSIONS, CALENDAR_ID)
    return TariffSchedule.of(calendar, _RULES, _clock(*known))


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _assert_tiers(
    schedule: TariffSchedule, start: datetime, end: datetime, tiers: dict[datetime, int]
) -> None:
    """Compare the tiers of a day in every way that a schedule tells them."""
    spans = schedule.spans(start, end)
    assert {max(span.start, start): span.tier for span in spans} == tiers
    before, *switches = sorted(tiers)
    assert before == start
    assert [s.time for s in schedule.switches(start, end - timedelta(minutes=1))] == (
        switches
    )
    for time, tier in tiers.items():
        assert schedule.tier_at(time) == tier
        upcoming = schedule.next_switch(time - timedelta(seconds=1))
        if time in switches:
            assert upcoming is not None
            assert (upcoming.time, upcoming.tier) == (time, tier)


@pytest.mark.parametrize("known", _KNOWN)
@pytest.mark.parametrize("day", DAYS)
def test_days_worked_out_by_hand(day: str, known: tuple[str, int, bool]) -> None:
    """Seasons, holidays and summer time, ahead of what is known and before it."""
    offset, switches = DAYS[day]
    midnight = datetime.fromisoformat(f"{day}T00:00{offset}")
    tiers = {
        datetime.fromisoformat(f"{day}T{time}{offset}"): tier
        for time, tier in switches.items()
    }
    _assert_tiers(_schedule(known), midnight, midnight + timedelta(days=1), tiers)


@pytest.mark.parametrize("known", _KNOWN)
@pytest.mark.parametrize("day", CHANGES_OF_THE_CLOCK)
def test_changes_of_the_clock(
    day: tuple[str, str], known: tuple[str, int, bool]
) -> None:
    """A day of 23 hours and one of 25."""
    tiers = {_utc(time): tier for time, tier in CHANGES_OF_THE_CLOCK[day].items()}
    _assert_tiers(_schedule(known), _utc(day[0]), _utc(day[1]), tiers)


def test_spans_reach_to_their_ends() -> None:
    """A span that is shown in part has its own begin and end."""
    schedule = _schedule(_KNOWN[0])
    # From Friday 21:00 on, over a Saturday without switches, to Sunday 02:30.
    [span] = schedule.spans(_utc("2026-03-21T08:00"), _utc("2026-03-21T09:00"))
    assert (span.start, span.end, span.tier) == (
        _utc("2026-03-20T20:00"),
        _utc("2026-03-22T01:30"),
        0,
    )


def test_what_the_meter_says_of_today() -> None:
    """Where two dates disagree, the special schedule is the meter's."""
    data = bytearray(CALENDAR)
    # A third date of one year: 3 April 2026 again, as special schedule 0.
    data[6:9] = bytes.fromhex("1A1A 13")
    calendar = decode_calendar(bytes(data), _DIMENSIONS, CALENDAR_ID)
    noon = _utc("2026-04-03T06:00")
    for special, tier in {0: 0, 1: 3, 15: 3}.items():
        clock = _clock("2026-04-03T08:00", 1, True, special)
        schedule = TariffSchedule.of(calendar, _RULES, clock)
        assert schedule.tier_at(noon) == tier
        assert schedule.tiers == {0, 1, 2, 3}


def test_agrees() -> None:
    """A schedule goes on as long as the meter is as it says."""
    schedule = _schedule(_KNOWN[0])
    assert schedule.agrees(_clock("2026-03-29T03:00", 0, True))
    assert not schedule.agrees(_clock("2026-03-29T03:00", 0, False))
    assert schedule.agrees(_clock("2026-04-03T03:00", 1, True, 1))
    assert not schedule.agrees(_clock("2026-04-03T03:00", 1, True, 0))
    assert not schedule.agrees(_clock("2026-04-03T03:00", 0, True, 1))
    # The tier may follow a little after the clock.
    clock = _clock("2026-03-27T06:00", 0, False)
    for tier, has in {0: True, 1: True, 2: False}.items():
        assert (
            schedule.has_tier(
                LocalClock(clock.time, False, tier, 0, 15, clock.tariff_control)
            )
            is has
        )


def test_no_switch() -> None:
    """A calendar with one tariff has no next switch, and one span."""
    data = bytearray(CALENDAR)
    data[144:744] = bytes(600)
    calendar = decode_calendar(bytes(data), _DIMENSIONS, CALENDAR_ID)
    schedule = TariffSchedule.of(calendar, _RULES, _clock(*_KNOWN[0]))
    noon = _utc("2026-03-20T12:00")
    assert schedule.tiers == {0}
    assert schedule.next_switch(noon) is None
    [span] = schedule.spans(noon, noon + timedelta(days=7))
    assert span.start < noon < span.end


_TIMES = st.datetimes(
    min_value=datetime(2024, 1, 1),  # noqa: DTZ001
    max_value=datetime(2030, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


@st.composite
def _calendars(draw: st.DrawFn) -> bytes:
    """Draw the bytes of a calendar, most of which make sense."""
    data = bytearray(CALENDAR)
    for _ in range(draw(st.integers(0, 12))):
        place = draw(st.integers(0, 47)) * 3
        data[place : place + 3] = draw(st.binary(min_size=3, max_size=3))
    for _ in range(draw(st.integers(0, 12))):
        place = 144 + draw(st.integers(0, 59)) * 3
        data[place : place + 3] = draw(st.binary(min_size=3, max_size=3))
    for _ in range(draw(st.integers(0, 4))):
        data[draw(st.integers(744, 754))] = draw(st.integers(0, 6))
    data[77] |= draw(st.sampled_from([0, 0x80, 0x80, 0x80]))
    return bytes(data)


@given(
    st.one_of(_calendars(), st.binary(max_size=900)),
    st.one_of(
        st.just(_DIMENSIONS),
        st.builds(
            CalendarDimensions,
            *(st.integers(0, most) for most in (25, 23, 60, 12, 3)),
            has_week=st.booleans(),
        ),
    ),
    st.sampled_from([*_KNOWN, ("2026-10-25T02:30", 3, True)]),
    st.builds(
        LocalTimeRules,
        *(
            st.timedeltas(timedelta(hours=low), timedelta(hours=high))
            for low, high in ((-12, 14), (0, 4), (0, 23), (-12, 36))
        ),
    ),
    _TIMES,
    st.timedeltas(timedelta(), timedelta(days=40)),
)
def test_any_calendar(
    data: bytes,
    dimensions: CalendarDimensions,
    known: tuple[str, int, bool],
    rules: LocalTimeRules,
    start: datetime,
    length: timedelta,
) -> None:
    """Any bytes are a calendar or none; the tier is always that of the last switch."""
    try:
        calendar = decode_calendar(data, dimensions, CALENDAR_ID)
        schedule = TariffSchedule.of(calendar, rules, _clock(*known))
    except DecodeError:
        return
    end = start + length
    switches = schedule.switches(start, end)
    tier, time = schedule.tier_at(start), start
    for switch in switches:
        assert time < switch.time <= end
        assert schedule.tier_at(switch.time - timedelta(microseconds=1)) == tier
        assert schedule.tier_at(switch.time) == switch.tier != tier
        tier, time = switch.tier, switch.time
    assert schedule.tier_at(end) == tier
    upcoming = schedule.next_switch(start)
    if switches:
        assert upcoming == switches[0]
    elif upcoming is not None:
        assert upcoming.time > end
    spans = schedule.spans(start, end)
    assert all(one.end == other.start for one, other in pairwise(spans))
    if length:
        assert spans[0].start <= start
        assert spans[-1].end >= end
        assert {span.tier for span in spans} <= schedule.tiers


@given(st.binary(max_size=20), st.binary(max_size=4))
def test_any_rules(data: bytes, end: bytes) -> None:
    """Any bytes are rules that the guide allows, or none."""
    try:
        rules = decode_local_time_rules(data, end)
    except DecodeError:
        return
    assert timedelta(hours=-12) <= rules.zone <= timedelta(hours=14)
    assert timedelta(hours=-12) <= rules.end < timedelta(hours=36)
