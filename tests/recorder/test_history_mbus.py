"""Tests of the hourly past of gas, water and heat meters, on a real recorder."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er

from ..common import make_entry, set_up
from ..simulator import SimulatedMeter
from ..simulator.load_profile.memory import STATUS
from ..values import NOON
from .house import HOUR, House, import_history

pytestmark = pytest.mark.parametrize("profile", ["lp_mbus"])

SET = 1
"""The data set, counted from 0, whose channels 1 to 3 are gas, water and heat."""


def mbus_entities(hass: HomeAssistant, entry: ConfigEntry) -> list[str]:
    """Return the entities of gas, water and heat, in the order of the slots."""
    found = {
        entity.entity_id
        for entity in er.async_entries_for_config_entry(
            er.async_get(hass), entry.entry_id
        )
        if not entity.disabled
        and "_mbus_" in entity.unique_id
        and entity.unique_id.endswith(("_volume", "_energy"))
    }
    gas, water = (
        next(each for each in found if name in each) for name in ("gas", "water")
    )
    heat = next(each for each in found if "heat" in each and each.endswith("energy"))
    return [gas, water, heat]


def recorded(meter: SimulatedMeter, channel: int) -> dict[datetime, float]:
    """Return the readings of a channel that the load profile has, by their hour."""
    divisor = {1: 100, 2: 1000, 3: 1}[channel]
    return {
        interval.end - HOUR: int(f"{interval.values[channel]:x}") / divisor
        for interval in meter.load_profile.intervals(SET)
        if interval.statuses[channel] == 0 and interval.values[channel]
    }


async def states(house: House, entity_id: str) -> dict[datetime, float]:
    """Return the readings in the hourly statistics."""
    return await house.by_hour(entity_id, "state")


async def expect_profile(
    house: House, entity_id: str, readings: dict[datetime, float]
) -> list[datetime]:
    """Each hour up to the reading that was live first is the meter's; return them."""
    rows = await house.rows(entity_id)
    live = rows[-1]["state"]
    known = {hour: value for hour, value in readings.items() if value <= live}
    # What the meter has logged since it was shown last cannot be told from an error.
    imported = [row for row in rows if row["start"] < NOON]
    assert [row["start"] for row in imported] == sorted(
        hour for hour in known if hour < NOON
    )
    for row in imported:
        assert row["state"] == pytest.approx(known[row["start"]], abs=1e-6)
    counted = rows[-1]["sum"] - rows[0]["sum"]
    assert counted == pytest.approx(live - rows[0]["state"], abs=1e-6)
    assert all(row["change"] >= -1e-9 for row in rows)
    return [row["start"] for row in imported]


async def test_first_day(
    house: House, hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """Gas, water and heat have the hours that the meter has logged of them."""
    entry = await set_up(hass, make_entry(meter, url))
    await house.pass_time(timedelta(minutes=75))
    entities = mbus_entities(hass, entry)
    for channel, entity_id in enumerate(entities, 1):
        readings = recorded(meter, channel)
        hours = await expect_profile(house, entity_id, readings)
        assert len(hours) > 35 * 24
    before = [await house.rows(entity_id) for entity_id in entities]
    answer = await import_history(hass)
    await house.settle()
    assert answer["hours_written"] == 0
    assert set(entities) <= set(answer["entities"])
    assert before == [await house.rows(entity_id) for entity_id in entities]


async def test_interruption(
    house: House, hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """Hours that were missed get the readings between those that were shown."""
    entry = await set_up(hass, make_entry(meter, url))
    await house.pass_time(timedelta(minutes=75))
    entities = mbus_entities(hass, entry)
    before = [await house.rows(entity_id) for entity_id in entities]
    await hass.config_entries.async_unload(entry.entry_id)
    await house.skip(30 * HOUR)
    await hass.config_entries.async_setup(entry.entry_id)
    await house.pass_time(timedelta(minutes=75))
    for channel, entity_id in enumerate(entities, 1):
        rows = await house.rows(entity_id)
        old = before[channel - 1]
        assert rows[: len(old)] == old
        left, right = old[-1], rows[-1]
        readings = {
            hour: value
            for hour, value in recorded(meter, channel).items()
            if left["start"] < hour < NOON + 31 * HOUR
            if left["state"] <= value <= right["state"]
        }
        assert len(readings) > 5
        imported = {row["start"]: row["state"] for row in rows[len(old) :]}
        assert {hour: imported[hour] for hour in readings} == pytest.approx(readings)
        counted = right["sum"] - old[0]["sum"]
        assert counted == pytest.approx(right["state"] - old[0]["state"], abs=1e-6)
        assert all(row["change"] >= -1e-9 for row in rows)


async def test_flaws(
    house: House, hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """What the meter marks, or did not ask for, stays out."""
    missing = NOON - 30 * HOUR
    statuses = ("missing", "not_current", "placeholder", "encrypted", "skipped")
    for number, status in enumerate(statuses):
        begin = missing + number * HOUR
        meter.load_profile.mark(begin - HOUR, begin, status, data_set=SET)
    assert {*statuses} <= STATUS.keys()
    entry = await set_up(hass, make_entry(meter, url))
    await house.pass_time(timedelta(minutes=75))
    for channel, entity_id in enumerate(mbus_entities(hass, entry), 1):
        hours = await expect_profile(house, entity_id, recorded(meter, channel))
        lost = {missing + (number - 1) * HOUR for number in range(len(statuses))}
        assert not lost & set(hours)


async def test_ansi_load_profile(
    house: House, hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """Where the meter does not tell that a reading is an old one, none is imported."""
    first, second = meter.profile.load_profile
    sets = (first, replace(second, compliant=True))
    meter.profile = replace(meter.profile, load_profile=sets)
    assert recorded(meter, 1)
    await set_up(hass, make_entry(meter, url))
    await house.pass_time(timedelta(minutes=75))
    (entry,) = hass.config_entries.async_entries("nes_mep")
    for entity_id in mbus_entities(hass, entry):
        assert list(await states(house, entity_id)) == [NOON]
