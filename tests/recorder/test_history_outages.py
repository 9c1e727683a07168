"""Tests of what was off: hours, clocks, statistics that are not there any more."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from custom_components.nes_mep.const import DOMAIN
from homeassistant.components.recorder import get_instance
from homeassistant.components.recorder.models import StatisticData
from homeassistant.components.recorder.statistics import (
    async_import_statistics,
    get_metadata,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er, issue_registry as ir

from ..common import entity_ids, make_entry, own_log, set_up
from ..driven_clock import driven_clock
from ..simulator import SimulatedMeter, serve_tcp
from ..values import NOON
from .house import HOUR, House, expect_truth, hourly_truth, import_history, read_for

DAY = timedelta(days=1)


def state_of_import(hass: HomeAssistant) -> str:
    """Return what the sensor of the import shows."""
    return hass.states.get("sensor.smart_meter_history_import").state


async def clear_statistics(house: House, *entity_ids: str) -> None:
    """Delete the statistics of entities, as their page does."""
    get_instance(house.hass).async_clear_statistics(list(entity_ids))
    await house.settle()


@pytest.mark.usefixtures("socket_enabled")
async def test_hour_before_a_gap(
    house: House, meter: SimulatedMeter, port: int
) -> None:
    """An hour whose last minutes were not seen is completed, short as they were."""
    entity_id = await read_for(house, meter, port, timedelta(minutes=115))
    # Nobody polls at 13:59:40; the row of the 5 minutes before has the reading of 13:54.
    await house.step()
    async with serve_tcp(meter, port=port):
        await house.pass_time(timedelta(minutes=60))
        assert NOON + HOUR in await house.by_hour(entity_id)
        await expect_truth(house, meter, entity_id, 0)


@pytest.mark.parametrize("ahead", [DAY, -7 * DAY, timedelta(minutes=40)])
async def test_wrong_clock(
    house: House, meter: SimulatedMeter, url: str, ahead: timedelta
) -> None:
    """With a wrong clock, the import waits for a person, and takes it into account."""
    meter.clock_offset = ahead.total_seconds()
    entry = await set_up(house.hass, make_entry(meter, url))
    entity_id = entity_ids(house.hass, entry)["energy_import"]
    await house.pass_time(timedelta(minutes=30))
    driven_clock().move(700)
    await house.pass_time(timedelta(minutes=35))
    assert list(await house.by_hour(entity_id)) == [NOON]
    assert state_of_import(house.hass) == "waiting"
    issues = ir.async_get(house.hass).issues
    assert [key for _, key in issues if key.startswith("clock_wrong")]

    answer = await import_history(house.hass)
    await house.settle()
    assert answer["entities"][entity_id]["hours_written"] > 20
    found = await house.by_hour(entity_id)
    # The simulated meter is asked in the time that it showed. What is left of the drift
    # is less than half an interval.
    truth = hourly_truth(meter, 0, [hour + ahead for hour in list(found)[1:]])
    left = abs(ahead % timedelta(minutes=15)).total_seconds() / 3600
    assert list(found.values())[1:] == pytest.approx(
        list(truth.values()), abs=1e-6 + 2 * left * max(truth.values())
    )


async def test_clock_set_right(house: House, meter: SimulatedMeter, url: str) -> None:
    """When the meter's clock is right again, the past is imported."""
    meter.clock_offset = 600.0
    entry = await set_up(house.hass, make_entry(meter, url))
    entity_id = entity_ids(house.hass, entry)["energy_import"]
    await house.pass_time(timedelta(minutes=65))
    assert state_of_import(house.hass) == "waiting"
    meter.clock_offset = 0.0
    await house.pass_time(timedelta(minutes=10))
    assert state_of_import(house.hass) == "complete"
    await house.pass_time(timedelta(minutes=60))
    await expect_truth(house, meter, entity_id, 0)


async def test_statistics_deleted(
    house: House, meter: SimulatedMeter, url: str
) -> None:
    """Statistics that begin anew get their past anew, without being asked."""
    entry = await set_up(house.hass, make_entry(meter, url))
    ids = entity_ids(house.hass, entry)
    await house.pass_time(timedelta(minutes=65))
    assert len(await expect_truth(house, meter, ids["energy_import"], 0)) > 24
    await clear_statistics(house, ids["energy_import"], ids["energy_export"])
    assert not await house.by_hour(ids["energy_import"])

    await house.pass_time(timedelta(minutes=75))
    assert len(await expect_truth(house, meter, ids["energy_import"], 0)) > 24
    assert len(await expect_truth(house, meter, ids["energy_export"], 1)) > 24


@pytest.mark.parametrize("what", ["renamed", "deleted"])
async def test_changed_during_the_import(
    house: House, meter: SimulatedMeter, url: str, what: str
) -> None:
    """An entity that is renamed meanwhile goes on; deleted statistics come anew."""
    entry = await set_up(house.hass, make_entry(meter, url))
    entity_id = entity_ids(house.hass, entry)["energy_import"]
    done = asyncio.Event()
    read = len(meter.requests)

    async def change() -> None:
        """Do it when the load profile is being read."""
        while True:
            await asyncio.sleep(0)
            if any(r.table == 64 for r in list(meter.requests)[read:]):
                break
        if what == "renamed":
            er.async_get(house.hass).async_update_entity(
                entity_id, new_entity_id="sensor.renamed"
            )
        else:
            get_instance(house.hass).async_clear_statistics([entity_id])
        done.set()

    task = asyncio.create_task(change())
    await house.pass_time(timedelta(minutes=10))
    await task
    if what == "renamed":
        entity_id = "sensor.renamed"
    await house.pass_time(timedelta(minutes=75))
    assert len(await expect_truth(house, meter, entity_id, 0)) > 24


async def test_merged_after_the_import(
    house: House, meter: SimulatedMeter, url: str
) -> None:
    """An entity that takes the place of an older one fills the hours between the two."""
    entry = await set_up(house.hass, make_entry(meter, url))
    entity_id = entity_ids(house.hass, entry)["energy_import"]
    registry = er.async_get(house.hass)
    await house.pass_time(timedelta(minutes=70))
    # What was recorded so far is that of an older entity, of another name.
    get_instance(house.hass).async_update_statistics_metadata(
        entity_id, new_statistic_id="sensor.old"
    )
    await house.settle()
    await house.skip(5 * HOUR)
    await house.pass_time(timedelta(minutes=80))
    assert min(await house.by_hour(entity_id)) < NOON
    assert max(await house.by_hour("sensor.old")) == NOON

    registry.async_update_entity(entity_id, new_entity_id="sensor.old")
    await house.settle()
    await house.pass_time(timedelta(minutes=140))
    assert max(await house.by_hour("sensor.old")) >= NOON + 8 * HOUR
    await expect_truth(house, meter, "sensor.old", 0)


@pytest.mark.parametrize("days", [12])
async def test_reloaded_during_the_import(
    house: House, meter: SimulatedMeter, url: str
) -> None:
    """What was written stays, and the import goes on where it was."""
    entry = await set_up(house.hass, make_entry(meter, url))
    entity_id = entity_ids(house.hass, entry)["energy_import"]

    def parts() -> list[tuple[int | None, int | None]]:
        return [(r.offset, r.count) for r in meter.requests if r.table == 64]

    async def reload() -> None:
        """Reload the entry when half of the load profile was read."""
        while True:
            await asyncio.sleep(0)
            if len(parts()) >= 36:
                break
        shown.append(state_of_import(house.hass))
        await house.hass.config_entries.async_reload(entry.entry_id)
        shown.append(state_of_import(house.hass))

    shown: list[str] = []
    task = asyncio.create_task(reload())
    await house.pass_time(timedelta(minutes=70))
    await task
    assert shown == ["importing", "paused"]
    assert state_of_import(house.hass) == "complete"
    assert len(await expect_truth(house, meter, entity_id, 0)) > 11 * 24
    again = len(parts()) - len(set(parts()))
    assert 0 < again <= 14


@pytest.mark.parametrize(
    "span",
    [{"start": "0001-01-01"}, {"end": "9999-12-31"}, {"start": "0001-01-01 00:00:00"}],
)
async def test_absurd_span(
    house: House, meter: SimulatedMeter, url: str, span: dict[str, str]
) -> None:
    """Times that do not exist on any load profile are refused in words."""
    await set_up(house.hass, make_entry(meter, url))
    with pytest.raises(Exception, match="year must be from 1970 to 2100"):
        await import_history(house.hass, **span)


async def test_counts_of_hours_that_can_exist(
    house: House, meter: SimulatedMeter, url: str
) -> None:
    """Hours before the load profile began are not missing."""
    entry = await set_up(house.hass, make_entry(meter, url, import_history=False))
    entity_id = entity_ids(house.hass, entry)["energy_import"]
    await house.pass_time(timedelta(minutes=65))
    answer = await import_history(house.hass, start="1990-01-01 00:00:00")
    assert answer["entities"][entity_id]["hours_written"] > 24
    assert answer["entities"][entity_id]["skipped_hours"] == {}


async def test_survey(
    house: House,
    meter: SimulatedMeter,
    url: str,
    hass_storage: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Hours that an earlier version believed are found after the update, once."""
    entry = make_entry(meter, url)
    await set_up(house.hass, entry)
    entity_id = entity_ids(house.hass, entry)["energy_import"]
    await house.pass_time(timedelta(minutes=70))
    await house.hass.config_entries.async_unload(entry.entry_id)
    await house.settle()
    # Home Assistant was off, and made up what it had not seen.
    for key in ("energy_import", "energy_export"):
        each = entity_ids(house.hass, entry)[key]
        rows = await house.rows(each)
        flat = rows[-6]
        known = await get_instance(house.hass).async_add_executor_job(
            lambda each=each: get_metadata(house.hass, statistic_ids={each})
        )
        async_import_statistics(
            house.hass,
            known[each][1],
            [
                StatisticData(start=row["start"], state=flat["state"], sum=flat["sum"])
                for row in rows[-6:-1]
            ],
        )
    await house.settle()
    hass_storage[f"{DOMAIN}.{entry.entry_id}.history"] = {
        "version": 1,
        "minor_version": 1,
        "key": f"{DOMAIN}.{entry.entry_id}.history",
        "data": dict.fromkeys(
            ("energy_import", "energy_export"), (NOON + HOUR).isoformat()
        ),
    }
    house.hass.data.pop(DOMAIN)
    await house.hass.config_entries.async_setup(entry.entry_id)
    await house.pass_time(timedelta(minutes=75))
    await expect_truth(house, meter, entity_id, 0)
    assert [text for _, text in own_log(caplog) if "hours of the past" in text]
