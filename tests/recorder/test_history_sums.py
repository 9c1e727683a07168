"""Tests of registers that are sums of logged ones, and of several data sets."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from custom_components.nes_mep.history.rows import readings_of
from custom_components.nes_mep.osgp import LoadProfileInterval
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er

from ..common import entity_ids, make_entry, set_up
from ..simulator import DataSet, SimulatedMeter
from ..values import NOON
from .house import HOUR, House, expect_truth, import_history

QUARTERS = DataSet(sources=(0, 1), interval=15, blocks=2, intervals=96)
HOURS = DataSet(sources=(0, 1), interval=60, blocks=8, intervals=24)
NET = {"energy_import": 1.0, "energy_export": -1.0}
SUMS = {"energy_combined": 6, "energy_net": 7}


def log(meter: SimulatedMeter, *data_sets: DataSet) -> None:
    """Let a meter have these data sets, since ever."""
    meter.profile = replace(meter.profile, load_profile=data_sets)


async def set_up_with(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, *keys: str
) -> dict[str, str]:
    """Set up a meter with entities that are not enabled by default; return all ids."""
    entry = make_entry(meter, url)
    entry.add_to_hass(hass)
    registry = er.async_get(hass)
    for key in keys:
        registry.async_get_or_create(
            "sensor",
            "nes_mep",
            f"{entry.unique_id}_{key}",
            config_entry=entry,
            suggested_object_id=key,
        )
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    return entity_ids(hass, entry)


def readings(*values: tuple[float, float], present: tuple[float, float]) -> list[float]:
    """Return the readings of a net register from those of its parts."""
    intervals = [
        LoadProfileInterval(
            end=NOON + number * HOUR,
            length=HOUR,
            values=dict(zip(NET, pair, strict=True)),
        )
        for number, pair in enumerate(values)
    ]
    now = dict(zip(NET, present, strict=True))
    return [each.value for each in readings_of(intervals, NET, now)]


def test_parts() -> None:
    """A part that was reset since, and a sum below 0, tell nothing."""
    good = ((10.0, 4.0), (12.0, 5.0))
    assert readings(*good, present=(12.0, 5.0)) == [6.0, 7.0]
    assert readings((90.0, 4.0), *good, present=(12.0, 5.0)) == [6.0, 7.0]
    assert readings((10.0, 9.0), *good, present=(12.0, 5.0)) == [6.0, 7.0]
    assert readings((3.0, 4.0), *good, present=(12.0, 5.0)) == [6.0, 7.0]


async def test_sums(
    house: House, hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """Net and combined energy have their past from import and export."""
    log(meter, QUARTERS)
    ids = await set_up_with(hass, meter, url, *SUMS)
    await house.pass_time(timedelta(minutes=75))
    for key, source in SUMS.items():
        assert len(await expect_truth(house, meter, ids[key], source)) > 24
    answer = await import_history(hass)
    assert answer["hours_written"] == 0


async def test_sum_that_differs(
    house: House, hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """A register that has rolled over is not the sum of others that have not."""
    log(meter, QUARTERS)
    meter.set_energy(0, 10**meter.profile.rollover_digits - 100_000)
    assert meter.truth()[6] < meter.truth()[0]
    ids = await set_up_with(hass, meter, url, *SUMS)
    await house.pass_time(timedelta(minutes=75))
    assert list(await house.by_hour(ids["energy_combined"])) == [NOON]
    assert len(await expect_truth(house, meter, ids["energy_net"], 7)) > 24


@pytest.mark.parametrize("lost", [NOON - 20 * HOUR])
async def test_second_data_set(
    house: House, hass: HomeAssistant, meter: SimulatedMeter, url: str, lost: datetime
) -> None:
    """What the first data set has lost, or does not reach, the second one fills."""
    log(meter, QUARTERS, HOURS)
    meter.load_profile.lose(lost - 3 * HOUR, lost, 0)
    meter.load_profile.mark(
        lost + 5 * HOUR, lost + 6 * HOUR, "skipped", channel=0, data_set=0
    )
    entry = await set_up(hass, make_entry(meter, url))
    ids = entity_ids(hass, entry)
    await house.pass_time(timedelta(minutes=75))
    for key, source in (("energy_import", 0), ("energy_export", 1)):
        hours = await expect_truth(house, meter, ids[key], source)
        assert len(hours) > 7 * 24
    assert hass.states.get(ids["history_progress"]).state == "complete"
    before = await house.rows(ids["energy_import"])
    answer = await import_history(hass)
    await house.settle()
    assert answer["hours_written"] == 0
    assert answer["entities"][ids["energy_import"]]["skipped_hours"] == {}
    assert before == await house.rows(ids["energy_import"])


async def test_second_data_set_that_does_not_help(
    house: House, hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """One that reaches less far back is not read, and what both lack is told."""
    first = replace(QUARTERS, blocks=4)
    log(meter, first, replace(HOURS, blocks=2))
    meter.load_profile.lose(NOON - 25 * HOUR, NOON - 24 * HOUR)
    entry = await set_up(hass, make_entry(meter, url, import_history=False))
    await house.pass_time(timedelta(minutes=65))
    answer = await import_history(hass)
    imported = answer["entities"][entity_ids(hass, entry)["energy_import"]]
    assert imported["hours_written"] > 70
    assert imported["skipped_hours"] == {"no_reading": 1}
