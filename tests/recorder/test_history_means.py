"""Tests of the hourly means of powers, from the energies of the load profile."""

from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, strategies as st
import pytest

from custom_components.nes_mep.history.means import MeanRow, mean_rows, missing_means
from custom_components.nes_mep.history.memory import Interruptions
from custom_components.nes_mep.history.spans import EVER, HOUR
from custom_components.nes_mep.osgp import (
    ChannelStatus,
    IntervalFlag,
    LoadProfileInterval,
)
from homeassistant.components.recorder import get_instance
from homeassistant.components.recorder.models import StatisticData
from homeassistant.components.recorder.statistics import (
    async_import_statistics,
    get_metadata,
    statistics_during_period,
)
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util

from ..common import entity_ids, make_entry, set_up
from ..simulator import SimulatedMeter, serve_tcp
from ..values import NOON
from .house import House, import_history

QUARTER = timedelta(minutes=15)
IMPORT = {"energy_import": 1000.0}
NET = {"energy_import": 1000.0, "energy_export": -1000.0}
POWERS = {"power_import": (1, 0), "power_export": (0, 1), "power_net": (1, -1)}
"""Of each power: how the registers 0 and 1 count in it."""


def interval(number: int, reading: float | None, **changes: Any) -> LoadProfileInterval:
    """Return the interval that ends so many quarters after noon."""
    values = {} if reading is None else {"energy_import": reading}
    return LoadProfileInterval(
        **{
            "end": NOON + number * QUARTER,
            "length": QUARTER,
            "values": values,
            **changes,
        }
    )


@given(
    counts=st.lists(st.integers(0, 3000), min_size=12, max_size=40),
    lost=st.sets(st.integers(0, 40)),
    bad=st.none() | st.tuples(st.integers(1, 38), st.integers(-(10**6), 10**6)),
)
def test_any_profile(
    counts: list[int], lost: set[int], bad: tuple[int, int] | None
) -> None:
    """Each hour has what was counted in it; a bad reading and lost ones cost hours."""
    true = [sum(counts[:n]) / 1000 for n in range(len(counts) + 1)]
    read = dict(enumerate(true))
    if bad and bad[0] < len(true) - 1:
        place, by = bad
        # What lies between its neighbours cannot be told from a good reading.
        if true[place - 1] <= true[place] + by <= true[place + 1] or (
            {place - 1, place + 1} & lost
        ):
            by = 0
        read[place] += by
    intervals = [interval(n, read[n]) for n in read if n not in lost]
    span = (NOON, NOON + len(counts) * QUARTER)
    rows = {row.hour: row for row in mean_rows(reversed(intervals), IMPORT, span)}
    for hour, row in rows.items():
        first = (hour - NOON) // QUARTER
        quarters = [4000 * (true[n + 1] - true[n]) for n in range(first, first + 4)]
        assert row.mean == pytest.approx(sum(quarters) / 4, abs=1e-6)
        assert row.min <= row.mean <= row.max
        assert min(quarters) - 1e-6 <= row.min
        assert row.max <= max(quarters) + 1e-6
    if not bad:
        whole = [
            NOON + n * QUARTER
            for n in range(0, len(counts) - 3, 4)
            if not {n, n + 4} & lost
        ]
        assert sorted(rows) == whole


@pytest.mark.parametrize(
    "change",
    [
        {"flags": IntervalFlag.CLOCK_SET_FORWARD},
        {"flags": IntervalFlag.CLOCK_SET_BACK},
        {"statuses": {"energy_import": ChannelStatus.PARTIAL_INTERVAL}},
        {"statuses": {"energy_import": ChannelStatus.LONG_INTERVAL}},
    ],
)
def test_clock_set(change: dict[str, Any]) -> None:
    """An hour in which the meter's clock was set was not an hour."""
    intervals = [interval(n, n, **(change if n == 2 else {})) for n in range(9)]
    span = (NOON, NOON + 2 * HOUR)
    assert [row.hour for row in mean_rows(intervals, IMPORT, span)] == [NOON + HOUR]


def test_sum_of_registers() -> None:
    """The net power falls below zero; its extremes are those of its own intervals."""
    intervals = [
        interval(n, 0, values={"energy_import": (n + 1) // 2, "energy_export": n // 2})
        for n in range(5)
    ]
    assert mean_rows(intervals, NET, (NOON, NOON + HOUR)) == (
        MeanRow(NOON, 0.0, -4000.0, 4000.0),
    )
    assert not mean_rows([interval(n, n) for n in range(5)], NET, (NOON, NOON + HOUR))


@pytest.mark.parametrize("length", [timedelta(hours=2), timedelta(minutes=7)])
def test_intervals_that_do_not_fit(length: timedelta) -> None:
    """Without a reading at both ends of an hour, nothing is known about it."""
    intervals = [
        interval(0, n, end=NOON + n * length, length=length) for n in range(1, 8)
    ]
    assert not mean_rows(intervals, IMPORT, (NOON, NOON + 3 * HOUR))


def test_missing() -> None:
    """Hours without row are missing, and those that were not seen for a while."""
    hours = [NOON + n * HOUR for n in (0, 1, 2, 3, 5)]
    minutes = timedelta(minutes=1)
    interruptions = Interruptions(
        [
            (NOON + 58 * minutes, NOON + 63 * minutes),
            (NOON + 130 * minutes, NOON + 190 * minutes),
        ]
    )
    limits = ((EVER, NOON + 6 * HOUR),)
    assert missing_means(hours, interruptions, (), limits) == (
        (EVER, NOON),
        (NOON + 2 * HOUR, NOON + 5 * HOUR),
    )
    imported = ((NOON + 2 * HOUR, NOON + 4 * HOUR),)
    assert missing_means(hours, interruptions, imported, limits) == (
        (EVER, NOON),
        (NOON + 4 * HOUR, NOON + 5 * HOUR),
    )


async def means(
    house: House, entity_id: str, period: str = "hour"
) -> dict[datetime, dict[str, float]]:
    """Return mean, min and max of an entity by time."""
    found = await get_instance(house.hass).async_add_executor_job(
        statistics_during_period,
        house.hass,
        NOON - timedelta(days=100),
        None,
        {entity_id},
        period,
        None,
        {"mean", "min", "max"},
    )
    return {
        dt_util.utc_from_timestamp(row["start"]): {
            name: row[name] for name in ("mean", "min", "max")
        }
        for row in found.get(entity_id, [])
    }


def truth(meter: SimulatedMeter, key: str, hour: datetime) -> dict[str, float]:
    """Return what the registers really counted in the quarters of an hour, as power."""
    factors = POWERS[key]
    unit = meter.truth()["energy_unit"]
    at = [
        sum(
            factor * unit * meter.register_truth(source, hour + n * QUARTER)
            for source, factor in enumerate(factors)
        )
        for n in range(5)
    ]
    quarters = [4.0 * (at[n + 1] - at[n]) for n in range(4)]
    return {"mean": at[4] - at[0], "min": min(quarters), "max": max(quarters)}


async def expect_truth(
    house: House, meter: SimulatedMeter, key: str, entity_id: str, hours: set[datetime]
) -> None:
    """Each of these hours is as the energies in the meter say."""
    found = await means(house, entity_id)
    for hour in hours:
        assert found[hour] == pytest.approx(truth(meter, key, hour), abs=1e-3), hour


@pytest.mark.parametrize("profile", ["gen3", "ct"])
async def test_first_day(
    house: House, hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """Powers have their past with the energies, and what was measured stays."""
    entry = await set_up(hass, make_entry(meter, url))
    ids = entity_ids(hass, entry)
    await house.pass_time(timedelta(minutes=65))
    energies = set(await house.by_hour(ids["energy_import"]))
    for key in POWERS:
        live = await means(house, ids[key], "5minute")
        assert min(live) == NOON
        found = await means(house, ids[key])
        # Of the oldest hour, only its end is known.
        assert set(found) == energies - {min(energies)}
        assert max(found) == NOON
        # The recorder has made this one itself, from what was polled.
        seen = [row["max"] for hour, row in live.items() if hour < NOON + HOUR]
        assert found[NOON]["max"] == max(seen)
        await expect_truth(house, meter, key, ids[key], set(found) - {NOON})
    # Nothing was read twice for it.
    parts = [(r.offset, r.count) for r in meter.requests if r.table == 64]
    assert len(parts) == len(set(parts))
    assert hass.states.get(ids["history_progress"]).state == "complete"

    before = {key: await means(house, ids[key]) for key in POWERS}
    answer = await import_history(hass)
    await house.settle()
    assert answer["hours_written"] == 0
    assert before == {key: await means(house, ids[key]) for key in POWERS}


@pytest.mark.parametrize("unit", ["kW", "mW"])
async def test_other_unit(
    house: House, hass: HomeAssistant, meter: SimulatedMeter, url: str, unit: str
) -> None:
    """Statistics in another unit of power get their past in it."""
    entry = await set_up(hass, make_entry(meter, url, import_history=False))
    entity_id = entity_ids(hass, entry)["power_import"]
    await house.pass_time(timedelta(minutes=65))
    get_instance(hass).async_change_statistics_unit(
        entity_id,
        new_unit_of_measurement=unit,
        old_unit_of_measurement="W",
    )
    await house.settle()
    answer = await import_history(hass)
    assert answer["entities"][entity_id]["hours_written"] > 24
    await house.settle()
    found = await means(house, entity_id)
    hour = NOON - 5 * HOUR
    # They are asked for in the entity's unit.
    assert found[hour] == pytest.approx(truth(meter, "power_import", hour), rel=1e-6)


@pytest.mark.usefixtures("socket_enabled")
async def test_link_cut(
    house: House, hass: HomeAssistant, meter: SimulatedMeter, port: int
) -> None:
    """Hours without readings, and those at their edges, get their means."""
    async with serve_tcp(meter, port=port) as url:
        entry = await set_up(hass, make_entry(meter, url))
        await house.pass_time(timedelta(minutes=90))
    ids = entity_ids(hass, entry)
    before = await means(house, ids["power_net"])
    await house.pass_time(timedelta(minutes=180))
    async with serve_tcp(meter, port=port):
        await house.pass_time(timedelta(minutes=160))
    after = await means(house, ids["power_net"])
    assert {hour: after[hour] for hour in before} == before
    hours = [NOON + n * HOUR for n in range(7)]
    assert [hour for hour in after if hour >= NOON] == hours
    await expect_truth(house, meter, "power_net", ids["power_net"], set(hours[1:5]))


async def test_home_assistant_off(
    house: House, hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """What the recorder makes up for hours in which it did not run is replaced."""
    entry = await set_up(hass, make_entry(meter, url))
    ids = entity_ids(hass, entry)
    await house.pass_time(timedelta(minutes=70))
    await hass.config_entries.async_unload(entry.entry_id)
    await house.skip(4 * HOUR - timedelta(minutes=10))
    known = await get_instance(hass).async_add_executor_job(
        lambda: get_metadata(hass, statistic_ids={ids["power_import"]})
    )
    made_up = [NOON + n * HOUR for n in (1, 2, 3)]
    async_import_statistics(
        hass,
        known[ids["power_import"]][1],
        [StatisticData(start=hour, mean=5.0, min=5.0, max=5.0) for hour in made_up],
    )
    await house.settle()
    await hass.config_entries.async_setup(entry.entry_id)
    await house.pass_time(timedelta(minutes=75))
    await expect_truth(house, meter, "power_import", ids["power_import"], set(made_up))
    found = await means(house, ids["power_import"])
    assert max(found) == NOON + 5 * HOUR
