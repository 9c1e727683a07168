"""Tests of the import from meters whose load profiles differ, or have flaws."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from homeassistant.components.recorder.statistics import list_statistic_ids
from homeassistant.helpers import entity_registry as er

from ..common import entity_ids, make_entry, set_up
from ..simulator import SimulatedMeter
from ..simulator.load_profile.data_set import DataSet
from ..values import NOON, Clock
from .house import HOUR, House, expect_truth, hourly_truth, import_history


@pytest.fixture
def moment() -> datetime:
    """Return when the test begins; some tests give others."""
    return NOON


@pytest.fixture
def clock(clock: Clock, moment: datetime) -> Clock:
    """Return the clock at that moment."""
    clock.now = moment
    return clock


@pytest.mark.parametrize(
    ("profile", "days_imported"),
    [
        ("lp_1min", 13),
        ("lp_20min", 59),
        ("lp_ansi", 59),
        ("lp_sets", 4),
        ("lp_mbus", 89),
    ],
)
async def test_intervals_within_hours(
    house: House, meter: SimulatedMeter, url: str, days_imported: int
) -> None:
    """Whatever its length, if it fits into an hour each hour is exact."""
    entry = await set_up(house.hass, make_entry(meter, url))
    await house.pass_time(timedelta(minutes=75))
    entity_id = entity_ids(house.hass, entry)["energy_import"]
    hours = await expect_truth(house, meter, entity_id, 0)
    assert len(hours) >= days_imported * 24


async def _totals(
    house: House, meter: SimulatedMeter, url: str, step: timedelta
) -> list[timedelta]:
    """Import, compare the readings at all rows, return the distances of rows.

    Before the first row that was recorded live, whose hour ends exactly, a reading is
    the one that the meter took last, at the end of an interval of this length.
    """
    entry = await set_up(house.hass, make_entry(meter, url))
    await house.pass_time(timedelta(minutes=75))
    rows = await house.rows(entity_ids(house.hass, entry)["energy_import"])
    ends = set(meter.load_profile.ends())
    for row in rows[:-1]:
        end = row["start"] + HOUR
        taken = max(time for time in ends if end - step < time <= end)
        truth = meter.register_truth(0, taken) / 1000
        assert row["state"] == pytest.approx(truth, abs=1e-6)
    total = rows[-1]["state"] - rows[0]["state"]
    assert rows[-1]["sum"] - rows[0]["sum"] == pytest.approx(total, abs=1e-6)
    assert all(row["change"] >= 0 for row in rows)
    return [after["start"] - before["start"] for before, after in pairwise(rows)]


@pytest.mark.parametrize("profile", ["lp_7min"])
async def test_odd_intervals(house: House, meter: SimulatedMeter, url: str) -> None:
    """Intervals that do not fit into an hour tell the last reading in it."""
    steps = await _totals(house, meter, url, timedelta(minutes=7))
    assert set(steps) == {HOUR}
    assert len(steps) > 8 * 24


@pytest.mark.parametrize(
    ("profile", "length"), [("lp_2h", 2 * HOUR), ("lp_day", 24 * HOUR)]
)
async def test_long_intervals(
    house: House, meter: SimulatedMeter, url: str, length: timedelta
) -> None:
    """Of longer intervals the last hour is there; those between are not invented."""
    steps = await _totals(house, meter, url, HOUR)
    assert set(steps[:-1]) == {length}
    assert steps[-1] < length or steps[-1] == length


@pytest.mark.parametrize(("profile", "data_set"), [("gen4", 1)])
async def test_tariffs(
    house: House, meter: SimulatedMeter, url: str, data_set: int
) -> None:
    """Energies by tariff have their past as well, from the set that logs them."""
    entry = make_entry(meter, url)
    entry.add_to_hass(house.hass)
    registry = er.async_get(house.hass)
    for key in ("energy_import_tariff_1", "energy_export_tariff_2"):
        registry.async_get_or_create(
            "sensor",
            "nes_mep",
            f"{entry.unique_id}_{key}",
            config_entry=entry,
            suggested_object_id=key,
        )
    await house.hass.config_entries.async_setup(entry.entry_id)
    await house.pass_time(timedelta(minutes=75))
    hours = await expect_truth(house, meter, "sensor.energy_import_tariff_1", 29)
    assert len(hours) > 59 * 24
    await expect_truth(house, meter, "sensor.energy_export_tariff_2", 41)


async def test_flaws(house: House, meter: SimulatedMeter, url: str) -> None:
    """What is lost or marked stays out, is told, and shifts nothing."""
    profile = meter.load_profile
    lost = NOON - 20 * HOUR
    profile.lose(lost - HOUR, lost)
    skipped = NOON - 15 * HOUR
    profile.mark(skipped - HOUR, skipped, "skipped")
    failed = NOON - 10 * HOUR
    profile.mark(failed - HOUR, failed, common=2)
    entry = await set_up(house.hass, make_entry(meter, url, import_history=False))
    await house.pass_time(timedelta(minutes=65))
    answer = await import_history(house.hass)
    await house.settle()
    entity_id = entity_ids(house.hass, entry)["energy_import"]
    changes = await house.by_hour(entity_id)
    assert lost - HOUR not in changes
    assert skipped - HOUR not in changes
    truth = hourly_truth(meter, 0, [lost - HOUR, lost, failed - HOUR])
    # The next hour has both.
    assert changes[lost] == pytest.approx(sum(list(truth.values())[:2]), abs=1e-6)
    assert changes[failed - HOUR] == pytest.approx(truth[failed - HOUR], abs=1e-6)
    # Two entities did not use what four intervals say; they are four all the same.
    assert answer["unusable_intervals"] == {"skipped": 4}


async def test_roll_over(
    house: House, clock: Clock, meter: SimulatedMeter, url: str
) -> None:
    """A register that started again at 0 yesterday has counted on all the same."""
    now = clock.now
    clock.now = now - 30 * HOUR
    modulus = 10**meter.profile.rollover_digits
    meter.set_energy(0, modulus - 1000)
    clock.now = now
    assert meter.truth()[0] < modulus - 1000
    entry = await set_up(house.hass, make_entry(meter, url))
    await house.pass_time(timedelta(minutes=75))
    rows = await house.rows(entity_ids(house.hass, entry)["energy_import"])
    readings = [row["state"] for row in rows]
    assert max(readings) > 1000 * readings[-1]
    for row in rows[1:]:
        begin, end = (
            meter.register_truth(0, time)
            for time in (row["start"], row["start"] + HOUR)
        )
        counted = (end - begin) % modulus / 1000
        assert row["change"] == pytest.approx(counted, abs=1e-6)


async def test_clock_set(
    house: House, clock: Clock, meter: SimulatedMeter, url: str
) -> None:
    """Where the meter's clock was set, energy is neither lost nor counted twice."""
    meter.set_clock(-1800, NOON - 20 * HOUR)
    meter.set_clock(1800, NOON - 10 * HOUR)
    entry = await set_up(house.hass, make_entry(meter, url))
    await house.pass_time(timedelta(minutes=75))
    rows = await house.rows(entity_ids(house.hass, entry)["energy_import"])
    assert len(rows) > 24
    assert all(row["change"] >= 0 for row in rows)
    total = rows[-1]["state"] - rows[0]["state"]
    assert rows[-1]["sum"] - rows[0]["sum"] == pytest.approx(total, abs=1e-6)


@pytest.mark.parametrize("days", [3])
@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 3, 29, 12, tzinfo=UTC),
        datetime(2026, 10, 25, 12, tzinfo=UTC),
    ],
)
async def test_daylight_saving(house: House, meter: SimulatedMeter, url: str) -> None:
    """The day that has 23 hours, and the one that has 25, are as right as others."""
    entry = await set_up(house.hass, make_entry(meter, url))
    await house.pass_time(timedelta(minutes=75))
    entity_id = entity_ids(house.hass, entry)["energy_import"]
    hours = await expect_truth(house, meter, entity_id, 0)
    assert len(hours) > 48


async def test_other_configuration(
    house: House, meter: SimulatedMeter, url: str
) -> None:
    """Channels that are no energies of entities are left alone."""
    meter.configure_load_profile(
        DataSet(sources=(8, 15), interval=15, blocks=3, intervals=96)
    )
    entry = await set_up(house.hass, make_entry(meter, url))
    await house.pass_time(timedelta(minutes=75))
    known = await house.hass.async_add_executor_job(list_statistic_ids, house.hass)
    assert known
    entity_id = entity_ids(house.hass, entry)["energy_import"]
    assert list(await house.by_hour(entity_id)) == [NOON]
