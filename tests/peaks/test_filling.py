"""Tests of what the load profile makes exact, compared with the meter's own quarters."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from homeassistant.util import dt as dt_util

from ..simulator import Fault
from .conftest import MakeHouse
from .house import House, local

LOAD_PROFILE = {61, 62, 63, 64}


def top(truth: Mapping[datetime, float], count: int = 3) -> list[float]:
    """Return the highest true averages on different days."""
    days: dict[Any, float] = {}
    for start, power in truth.items():
        day = dt_util.as_local(start).date()
        days[day] = max(power, days.get(day, 0))
    return sorted(days.values(), reverse=True)[:count]


def expect_month(house: House, begin: datetime, end: datetime, **what: Any) -> None:
    """The peaks are the true ones since a time, exactly."""
    truth = house.quarters(begin, end, **what)
    peaks = house.state("month_mean_peak_power_import").attributes["peaks"]
    assert [peak["power"] for peak in peaks] == top(truth)
    assert all(peak["exact"] for peak in peaks)
    assert house.shown("month_peak_power_import") == max(truth.values())
    time = house.state("month_peak_power_import_time").state
    start = datetime.fromisoformat(time)
    assert truth[start] == max(truth.values())
    assert datetime.fromisoformat(peaks[0]["interval_start"]) == start
    assert house.shown("month_mean_peak_power_import") == pytest.approx(
        sum(top(truth)) / len(top(truth)), abs=0.001
    )


async def test_first_start(make_house: MakeHouse) -> None:
    """Minutes after it was added, the meter has told the whole month, and this interval."""
    async with make_house(local("2026-06-04 18:20")) as house:
        await house.begin()
        await house.wait(130)
        assert house.now > local("2026-06-04 18:22")
        expect_month(house, local("2026-06-01"), local("2026-06-04 18:15"))
        await house.wait(10)
        start = local("2026-06-04 18:15")
        assert house.shown("interval_power_import") == pytest.approx(
            house.truth(start, house.now) * (house.now - start) / timedelta(minutes=15),
            abs=8,
        )
        last = house.state("last_interval_power_import")
        assert last.attributes["exact"] is True
        assert float(last.state) == house.truth(start - timedelta(minutes=15), start)


async def test_once_an_interval(make_house: MakeHouse) -> None:
    """What ends is interpolated at once, and exact half a minute later."""
    async with make_house(local("2026-06-02 18:20")) as house:
        await house.begin()
        await house.wait(130)
        end = local("2026-06-02 18:30")
        await house.until(end - timedelta(seconds=5))
        await house.until(end + timedelta(seconds=5))
        truth = house.truth(end - timedelta(minutes=15), end)
        last = house.state("last_interval_power_import")
        assert last.attributes["exact"] is False
        assert float(last.state) == pytest.approx(truth, abs=30)
        since = len(house.meter.requests)
        await house.until(end + timedelta(seconds=35))
        last = house.state("last_interval_power_import")
        assert (float(last.state), last.attributes["exact"]) == (truth, True)
        # Two of them are the poll.
        assert len(house.meter.requests) - since <= 14
        since = len(house.meter.requests)
        await house.live(end + timedelta(minutes=14))
        assert house.tables_read(since).isdisjoint(LOAD_PROFILE)
        expect_month(house, local("2026-06-01"), end)


@pytest.mark.parametrize(
    ("begin", "month", "profile"),
    [
        ("2026-03-28 20:05", "2026-03-01", "gen3"),
        ("2026-10-24 20:05", "2026-10-01", "gen3"),
        ("2026-06-30 20:05", "2026-06-01", "gen4"),
    ],
)
async def test_off_for_hours(
    make_house: MakeHouse, begin: str, month: str, profile: str
) -> None:
    """What Home Assistant missed is filled in, over both changes of summer time."""
    async with make_house(local(begin), profile) as house:
        await house.begin()
        await house.wait(130)
        await house.turn_off()
        await house.wait(9 * 3600)
        await house.turn_on()
        await house.wait(130)
        now = house.now
        last = now - timedelta(seconds=now.timestamp() % 900)
        first = local(month)
        if dt_util.as_local(last).month != dt_util.as_local(first).month:
            first = local("2026-07-01")
        expect_month(house, first, last)


async def test_hours(make_house: MakeHouse) -> None:
    """Hours are made of the quarters of the load profile."""
    async with make_house(local("2026-06-04 18:20")) as house:
        await house.begin(peak_interval="60", peak_count=2)
        await house.wait(130)
        truth = house.quarters(local("2026-06-01"), local("2026-06-04 18:00"), 60)
        peaks = house.state("month_mean_peak_power_import").attributes["peaks"]
        assert [peak["power"] for peak in peaks] == top(truth, 2)


@pytest.mark.parametrize(
    ("profile", "minutes"), [("lp_60min", 60), ("gen3", 15), ("lp_20min", 15)]
)
async def test_interval_of_the_load_profile(
    make_house: MakeHouse, profile: str, minutes: int
) -> None:
    """Unless it is chosen, the interval is that of the load profile if a tariff has it."""
    async with make_house(local("2026-06-02 18:00"), profile) as house:
        await house.begin()
        assert house.shown("interval_power_import") is None
        await house.wait(130)
        await house.until(local("2026-06-02 18:59:55"))
        await house.until(local("2026-06-02 19:00:05"))
        start = house.state("interval_power_import").attributes["interval_start"]
        assert datetime.fromisoformat(start) == local("2026-06-02 19:00")
        await house.until(local("2026-06-02 19:14:55"))
        await house.until(local("2026-06-02 19:15:05"))
        start = house.state("interval_power_import").attributes["interval_start"]
        assert datetime.fromisoformat(start) == (
            local("2026-06-02 19:00") if minutes == 60 else local("2026-06-02 19:15")
        )
        # Quarters are not in a load profile of 20 minutes.
        if profile == "lp_20min":
            last = house.state("last_interval_power_import")
            assert last.attributes["exact"] is False


async def test_export(make_house: MakeHouse) -> None:
    """Export is followed once somebody looks at it, and has its month then."""
    async with make_house(local("2026-06-03 13:20")) as house:
        await house.begin()
        assert house.hass.states.get(house.ids["month_peak_power_export"]) is None
        await house.enable("month_peak_power_export", "last_interval_power_export")
        await house.wait(130)
        await house.wait(10)
        truth = house.quarters(local("2026-06-01"), local("2026-06-03 13:15"), source=1)
        assert house.shown("month_peak_power_export") == max(truth.values()) > 1000
        last = house.state("last_interval_power_export")
        assert last.attributes["exact"]
        assert float(last.state) == truth[local("2026-06-03 13:00")]


async def test_nothing_is_shown(make_house: MakeHouse) -> None:
    """If nobody looks at it, the load profile is not read."""
    async with make_house(local("2026-06-03 13:20")) as house:
        await house.begin()
        await house.disable(*(key for key in house.ids if "_power_import" in key))
        since = len(house.meter.requests)
        await house.wait(130)
        await house.live(local("2026-06-03 13:31"))
        assert house.tables_read(since).isdisjoint(LOAD_PROFILE)


async def test_rules_change(make_house: MakeHouse) -> None:
    """With other options, other peaks of the same month count, at once."""
    async with make_house(local("2026-06-04 18:20")) as house:
        await house.begin()
        await house.wait(130)
        await house.choose(peak_first_hour=0, peak_end_hour=6, peak_count=1)
        truth = {
            start: power
            for start, power in house.quarters(
                local("2026-06-01"), local("2026-06-04 18:15")
            ).items()
            if dt_util.as_local(start).hour < 6
        }
        assert house.shown("month_mean_peak_power_import") == max(truth.values())
        assert house.shown("month_peak_power_import") == max(truth.values())
        # Of quarters, the hours are known; of hours, not all quarters.
        await house.choose(peak_interval="60", peak_end_hour=24, peak_count=3)
        hours = house.quarters(local("2026-06-01"), local("2026-06-04 18:00"), 60)
        assert house.shown("month_peak_power_import") == max(hours.values())
        await house.wait(130)
        await house.choose(peak_interval="15")
        await house.wait(130)
        expect_month(house, local("2026-06-01"), local("2026-06-04 18:15"))


async def test_clock_was_set(make_house: MakeHouse) -> None:
    """A quarter in which the meter's clock was set is no peak, long as it was."""
    async with make_house(local("2026-06-02 18:20")) as house:
        for time in ("2026-06-01 18:40", "2026-06-02 17:40"):
            house.meter.set_clock(-600, local(time))
        house.meter.clock_offset = 0
        await house.begin()
        await house.wait(130)
        peaks = house.state("month_mean_peak_power_import").attributes["peaks"]
        starts = {datetime.fromisoformat(peak["interval_start"]) for peak in peaks}
        assert not starts & {local("2026-06-01 18:30"), local("2026-06-02 17:30")}
        load = house.quarters(local("2026-06-01"), local("2026-06-02 18:15"))
        assert all(peak["power"] <= max(load.values()) * 1.2 for peak in peaks)


async def test_clock_is_lost_for_a_while(make_house: MakeHouse) -> None:
    """A clock that begins anew, and is set later, does not end the month."""
    async with make_house(local("2026-06-02 18:20")) as house:
        await house.begin()
        await house.enable("clock_drift")
        await house.wait(130)
        seen = house.state("month_mean_peak_power_import")
        for seconds in (-26 * 365 * 86400, 26 * 365 * 86400):
            house.meter.clock_offset += seconds
            await house.live(house.now + timedelta(minutes=4))
            if seconds < 0:
                assert house.shown("month_peak_power_import") is None
        again = house.state("month_mean_peak_power_import")
        assert again.attributes["peaks"] == seen.attributes["peaks"]


async def test_load_profile_cannot_be_read_now(make_house: MakeHouse) -> None:
    """Averages do not wait for it for ever, and are made exact when it can be read."""
    async with make_house(local("2026-06-02 18:20")) as house:
        house.meter.add_fault(Fault(kind="refuse", table=61, code=0x04))
        await house.begin()
        await house.live(local("2026-06-02 19:16"))
        assert house.shown("interval_power_import") is not None
        last = house.state("last_interval_power_import")
        assert last.attributes["exact"] is False
        house.meter.clear_faults()
        await house.live(local("2026-06-02 19:22"))
        expect_month(house, local("2026-06-01"), local("2026-06-02 19:15"))


async def test_layout_changes(make_house: MakeHouse) -> None:
    """Readings of before and after a change of the layout make no peak together."""
    async with make_house(local("2026-06-02 18:20")) as house:
        await house.begin()
        await house.wait(130)
        seen = house.shown("month_peak_power_import")
        house.meter.change_profile("reordered")
        await house.live(local("2026-06-02 18:46"))
        assert house.shown("month_peak_power_import") == pytest.approx(seen, rel=0.6)
        peaks = house.state("month_mean_peak_power_import").attributes["peaks"]
        truth = house.quarters(local("2026-06-01"), local("2026-06-02 18:45"))
        assert all(peak["power"] <= max(truth.values()) + 40 for peak in peaks)
