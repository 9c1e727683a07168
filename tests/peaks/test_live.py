"""Tests of averages and peaks while Home Assistant runs, compared with the meter."""

from datetime import datetime, timedelta

import pytest

from homeassistant.util import dt as dt_util

from .conftest import MakeHouse
from .house import local

QUARTER = timedelta(minutes=15)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)

WITHOUT = "lp_none"
"""A meter without a load profile."""


async def test_live(make_house: MakeHouse) -> None:
    """The average rises from 0 to that of the interval, and becomes the last one."""
    begin = local("2026-06-17 07:31")
    async with make_house(begin, WITHOUT) as house:
        await house.begin()
        await house.live(local("2026-06-17 07:45") - 30 * SECOND)
        # The beginning of this interval was not seen.
        assert house.shown("interval_power_import") is None
        assert house.shown("last_interval_power_import") is None
        assert house.shown("month_peak_power_import") is None
        start = local("2026-06-17 07:45")
        await house.until(start + 5 * SECOND)
        assert house.shown("interval_power_import") == pytest.approx(
            house.truth(start, house.now) * ((house.now - start) / QUARTER), abs=16
        )
        assert house.shown("last_interval_power_import") is None
        powers: list[float] = []
        while house.now < start + QUARTER - 10 * SECOND:
            await house.wait(10)
            shown = house.shown("interval_power_import")
            assert shown is not None
            powers.append(shown)
            so_far = house.truth(start, house.now) * ((house.now - start) / QUARTER)
            assert shown == pytest.approx(so_far, abs=16)
            state = house.state("interval_power_import")
            assert datetime.fromisoformat(state.attributes["interval_start"]) == start
            left = 1 - (house.now - start) / QUARTER
            power = float(house.state("power_import").state)
            assert state.attributes["projected"] == pytest.approx(
                shown + power * left, abs=20
            )
        assert powers == sorted(powers)
        await house.until(start + QUARTER + 5 * SECOND)
        last = house.state("last_interval_power_import")
        assert float(last.state) == pytest.approx(
            house.truth(start, start + QUARTER), abs=30
        )
        assert last.attributes["exact"] is False
        assert datetime.fromisoformat(last.attributes["interval_start"]) == start
        peak = house.state("month_peak_power_import")
        assert peak.state == last.state
        time = house.state("month_peak_power_import_time").state
        assert datetime.fromisoformat(time) == start
        (only,) = house.state("month_mean_peak_power_import").attributes["peaks"]
        assert only == {
            "interval_start": dt_util.as_local(start).isoformat(),
            "power": float(peak.state),
            "exact": False,
        }


async def test_time_that_was_not_seen(make_house: MakeHouse) -> None:
    """Without a boundary there is no average, however little is missing."""
    async with make_house(local("2026-06-17 07:40"), WITHOUT) as house:
        await house.begin()
        await house.live(local("2026-06-17 08:10"))
        # The boundary at 08:15 lies in two minutes without a reading.
        await house.until(local("2026-06-17 08:14"))
        await house.until(local("2026-06-17 08:16"))
        assert house.shown("interval_power_import") is None
        assert house.shown("last_interval_power_import") is None
        seen = house.shown("month_peak_power_import")
        assert seen == pytest.approx(
            house.truth(local("2026-06-17 07:45"), local("2026-06-17 08:00")), abs=40
        )
        await house.live(local("2026-06-17 08:31"))
        # That of 08:15 to 08:30 is not known either, nor is that of half an hour.
        assert house.shown("last_interval_power_import") is None
        assert house.shown("month_peak_power_import") == seen


async def test_restart(make_house: MakeHouse) -> None:
    """What was seen before a restart stays, and an interval that it lies in goes on."""
    async with make_house(local("2026-06-17 07:40"), WITHOUT) as house:
        await house.begin()
        await house.live(local("2026-06-17 08:20"))
        shown = {
            key: house.state(f"{key}_import").state
            for key in (
                "last_interval_power",
                "month_peak_power",
                "month_mean_peak_power",
            )
        }
        await house.turn_off()
        await house.wait(180)
        await house.turn_on()
        assert house.state("month_peak_power_import").state == shown["month_peak_power"]
        await house.wait(10)
        for key, state in shown.items():
            assert house.state(f"{key}_import").state == state
        start = local("2026-06-17 08:15")
        assert house.shown("interval_power_import") == pytest.approx(
            house.truth(start, house.now) * ((house.now - start) / QUARTER), abs=16
        )


async def test_register_is_reset(make_house: MakeHouse) -> None:
    """A register that begins anew makes no peak."""
    async with make_house(local("2026-06-17 07:40"), WITHOUT) as house:
        await house.begin()
        await house.live(local("2026-06-17 08:05"))
        seen = house.shown("month_peak_power_import")
        house.meter.set_energy(0, 0)
        await house.wait(10)
        assert house.shown("interval_power_import") is None
        await house.live(local("2026-06-17 08:16"))
        assert house.shown("last_interval_power_import") is None
        assert house.shown("month_peak_power_import") == seen
        await house.live(local("2026-06-17 08:31"))
        assert house.shown("last_interval_power_import") == pytest.approx(
            house.truth(local("2026-06-17 08:15"), local("2026-06-17 08:30")), abs=40
        )


async def test_meters_clock_is_set(make_house: MakeHouse) -> None:
    """Boundaries lie in the meter's time; where it was set, nothing is known."""
    async with make_house(local("2026-06-17 07:40"), WITHOUT) as house:
        house.meter.clock_offset = 120
        await house.begin()
        await house.enable("clock_drift")
        await house.live(local("2026-06-17 07:58:20"))
        start = local("2026-06-17 07:58")
        assert house.shown("interval_power_import") == pytest.approx(
            house.truth(start, house.now) * ((house.now - start) / QUARTER), abs=16
        )
        house.meter.set_clock(-120)
        await house.live(local("2026-06-17 08:01:30"))
        # The boundary at 08:00 was taken for another time.
        assert house.shown("last_interval_power_import") is None
        await house.live(local("2026-06-17 08:30:20"))
        assert house.shown("last_interval_power_import") == pytest.approx(
            house.truth(local("2026-06-17 08:15"), local("2026-06-17 08:30")), abs=40
        )


async def test_computer_was_suspended(make_house: MakeHouse) -> None:
    """After a time of which the computer knows nothing, the meter's is asked first."""
    async with make_house(local("2026-06-17 07:40"), WITHOUT) as house:
        await house.begin()
        await house.live(local("2026-06-17 08:01"))
        house.steady.set(house.now + timedelta(hours=1, minutes=10))
        await house.wait(10)
        assert house.shown("interval_power_import") is None
        await house.live(local("2026-06-17 09:30:20"))
        assert house.shown("last_interval_power_import") == pytest.approx(
            house.truth(local("2026-06-17 09:15"), local("2026-06-17 09:30")), abs=40
        )
        (only,) = house.state("month_mean_peak_power_import").attributes["peaks"]
        truth = house.quarters(local("2026-06-17 07:45"), local("2026-06-17 09:30"))
        assert only["power"] < max(truth.values()) + 40


async def test_month_begins_anew(make_house: MakeHouse) -> None:
    """On the first of a month the peaks of the last one are over."""
    async with make_house(local("2026-06-30 23:14"), WITHOUT) as house:
        await house.begin()
        await house.live(local("2026-06-30 23:59:30"))
        assert house.shown("month_peak_power_import") is not None
        await house.live(local("2026-07-01 00:00:10"))
        assert house.shown("month_peak_power_import") is None
        assert house.shown("month_mean_peak_power_import") is None
        # The last interval is of the month before.
        last = house.shown("last_interval_power_import")
        assert last == pytest.approx(
            house.truth(local("2026-06-30 23:45"), local("2026-07-01 00:00")), abs=40
        )
        await house.live(local("2026-07-01 00:15:10"))
        time = house.state("month_peak_power_import_time").state
        assert datetime.fromisoformat(time) == local("2026-07-01 00:00")
