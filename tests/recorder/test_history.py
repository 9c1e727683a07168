"""Tests of the import of the load profile, on a real recorder."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_test_home_assistant,
)
from pytest_homeassistant_custom_component.typing import (
    RecorderInstanceContextManager,
    WebSocketGenerator,
)

from custom_components.nes_mep.const import DOMAIN
from homeassistant.components.system_health import get_info
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import frame
from homeassistant.helpers.event import async_track_state_change_event
from homeassistant.loader import DATA_CUSTOM_COMPONENTS
from homeassistant.setup import async_setup_component

from ..common import entity_ids, make_entry, set_up, unavailable
from ..driven_clock import driven_clock
from ..simulator import SimulatedMeter, serve_tcp
from ..values import NOON, Clock
from .house import HOUR, House, expect_truth, hourly_truth, import_history, read_for

DAY = timedelta(days=1)


async def access_token(hass: HomeAssistant) -> str:
    """Return a token of the owner that has not run out by now."""
    (user,) = [user for user in await hass.auth.async_get_users() if user.is_admin]
    refresh_token = await hass.auth.async_create_refresh_token(
        user, "https://example.com", credential=user.credentials[0]
    )
    return hass.auth.async_create_access_token(refresh_token)


@pytest.mark.parametrize(("profile", "days"), [("gen3", 61), ("gen4", 2), ("ct", 2)])
async def test_first_day(
    house: House,
    hass_ws_client: WebSocketGenerator,
    meter: SimulatedMeter,
    url: str,
    days: int,
) -> None:
    """The past is there on the first day, each hour as the meter knows it."""
    entry = await set_up(house.hass, make_entry(meter, url))
    ids = entity_ids(house.hass, entry)
    await house.pass_time(HOUR + timedelta(minutes=15))

    for key, source in (("energy_import", 0), ("energy_export", 1)):
        hours = await expect_truth(house, meter, ids[key], source)
        assert len(hours) >= (days - 1) * 24
        assert max(hours) == NOON
    assert (
        house.hass.states.get(entity_ids(house.hass, entry)["history_progress"]).state
        == "complete"
    )

    # The same by the interface that the Energy dashboard uses.
    client = await hass_ws_client(house.hass, await access_token(house.hass))
    await client.send_json_auto_id(
        {
            "type": "recorder/statistics_during_period",
            "start_time": (NOON - DAY).isoformat(),
            "end_time": (NOON + HOUR).isoformat(),
            "statistic_ids": [ids["energy_import"]],
            "period": "hour",
            "types": ["change", "state"],
        }
    )
    rows = (await client.receive_json())["result"][ids["energy_import"]]
    assert len(rows) == 24 + 1
    truth = hourly_truth(meter, 0, [NOON - DAY])
    assert rows[0]["change"] == pytest.approx(truth[NOON - DAY], abs=1e-6)


async def test_second_run(house: House, meter: SimulatedMeter, url: str) -> None:
    """A second run writes nothing and changes nothing."""
    entry = await set_up(house.hass, make_entry(meter, url))
    entity_id = entity_ids(house.hass, entry)["energy_import"]
    await house.pass_time(2 * HOUR)
    before = await house.rows(entity_id), await house.rows(entity_id, "5minute")

    answer = await import_history(house.hass)
    await house.settle()
    assert answer["hours_written"] == 0
    assert answer["entities"][entity_id] == {
        "hours_written": 0,
        "first_hour": None,
        "last_hour": None,
        "imported": [],
        "skipped_hours": {},
    }
    assert before == (
        await house.rows(entity_id),
        await house.rows(entity_id, "5minute"),
    )


async def test_system_health(house: House, meter: SimulatedMeter, url: str) -> None:
    """The system information tells when history was imported last."""
    hass = house.hass
    assert await async_setup_component(hass, "system_health", {})
    entry = await set_up(hass, make_entry(meter, url))
    assert (await get_info(hass))[DOMAIN]["last_import"] == "–"
    begin = house.now
    await house.pass_time(2 * HOUR)
    told = (await get_info(hass))[DOMAIN]["last_import"]
    assert begin < datetime.fromisoformat(told) < house.now

    # Where nothing is missing nothing is imported, after a reload neither.
    assert await hass.config_entries.async_reload(entry.entry_id)
    await house.pass_time(2 * HOUR)
    assert (await get_info(hass))[DOMAIN]["last_import"] == told


async def test_by_itself_once(house: House, meter: SimulatedMeter, url: str) -> None:
    """What was looked through is not asked for again, after a reload neither."""
    entry = await set_up(house.hass, make_entry(meter, url))
    await house.pass_time(HOUR)
    asked = [request.table for request in meter.requests if request.table is not None]
    assert 64 in asked
    meter.requests.clear()

    await house.hass.config_entries.async_reload(entry.entry_id)
    await house.pass_time(2 * HOUR)
    asked = [request.table for request in meter.requests if request.table is not None]
    assert 23 in asked
    assert not {61, 62, 63, 64}.intersection(asked)


async def test_switched_off(house: House, meter: SimulatedMeter, url: str) -> None:
    """With the option off, it is done on request only; a span limits what is done."""
    entry = await set_up(house.hass, make_entry(meter, url, import_history=False))
    entity_id = entity_ids(house.hass, entry)["energy_import"]
    await house.pass_time(2 * HOUR)
    assert list(await house.by_hour(entity_id)) == [NOON, NOON + HOUR]

    answer = await import_history(
        house.hass,
        start=(NOON - 5 * HOUR).isoformat(),
        end=(NOON - 2 * HOUR).isoformat(),
    )
    await house.settle()
    assert answer["entities"][entity_id]["hours_written"] == 3
    assert answer["entities"][entity_id]["last_hour"] == (NOON - 3 * HOUR).isoformat()
    assert list(await house.by_hour(entity_id)) == [
        NOON + n * HOUR for n in (-5, -4, -3, 0, 1)
    ]
    # The hours in between sit in the one after them, and come out of it.
    await import_history(house.hass, start=(NOON - 5 * HOUR).isoformat())
    await house.settle()
    await expect_truth(house, meter, entity_id, 0)


@pytest.mark.usefixtures("socket_enabled")
async def test_cut_link(house: House, meter: SimulatedMeter, port: int) -> None:
    """After six hours without the meter, every hour is as if nothing had happened."""
    entity_id = await read_for(house, meter, port, HOUR + timedelta(minutes=20))
    await house.pass_time(6 * HOUR)
    (entry,) = house.hass.config_entries.async_entries(DOMAIN)
    assert "energy_import" in unavailable(house.hass, entry)
    before = await house.by_hour(entity_id, "state")
    assert NOON + 3 * HOUR not in before

    async with serve_tcp(meter, port=port):
        await house.pass_time(HOUR)
        found = await expect_truth(house, meter, entity_id, 0)
        assert max(found) == NOON + 7 * HOUR
        # The sums of the five minutes now are those of the hours.
        await house.pass_time(2 * HOUR)
        await expect_truth(house, meter, entity_id, 0)


@pytest.mark.usefixtures("socket_enabled")
async def test_short_interruption(
    house: House, meter: SimulatedMeter, port: int
) -> None:
    """A quarter of an hour around a full hour is put right in both hours."""
    entity_id = await read_for(house, meter, port, timedelta(minutes=110))
    await house.pass_time(timedelta(minutes=15))
    async with serve_tcp(meter, port=port):
        await house.pass_time(timedelta(minutes=60))
        await expect_truth(house, meter, entity_id, 0)


@pytest.mark.parametrize(
    (
        "persistent_database",
        "enable_missing_statistics",
        "expected_lingering_timers",
    ),
    [(True, True, True)],
)
@pytest.mark.usefixtures("socket_enabled")
async def test_home_assistant_stopped(
    async_test_recorder: RecorderInstanceContextManager,
    freezer: FrozenDateTimeFactory,
    clock: Clock,
    meter: SimulatedMeter,
    url: str,
    tmp_path: Any,
) -> None:
    """After six hours without Home Assistant, every hour is right."""
    entity_id = "sensor.smart_meter_energy_import"

    async def live(time: timedelta) -> None:
        """Start Home Assistant, let it live for a while, and stop it."""
        freezer.move_to(clock.now + timedelta(seconds=10))
        async with (
            async_test_home_assistant(config_dir=str(tmp_path)) as hass,
            async_test_recorder(hass),
        ):
            hass.data.pop(DATA_CUSTOM_COMPONENTS)
            frame.async_setup(hass)
            hass.data["nes_mep_clock"] = driven_clock()
            house = House(hass, freezer, clock)
            entry = MockConfigEntry(
                entry_id="meter",
                domain=DOMAIN,
                title="Meter",
                unique_id=meter.profile.serial_number,
                data=make_entry(meter, url).data,
            )
            await set_up(hass, entry)
            await house.pass_time(time)
            found.append(await house.by_hour(entity_id))
            if len(found) > 1:
                await expect_truth(house, meter, entity_id, 0)
            await hass.async_stop()

    found: list[dict[datetime, float]] = []
    await live(timedelta(hours=1, minutes=20))
    clock.now += 6 * HOUR
    await live(timedelta(hours=1, minutes=50))
    first, second = found
    assert min(first) == min(second)
    assert max(second) == NOON + 8 * HOUR


async def test_entry_is_unloaded_meanwhile(
    house: House, meter: SimulatedMeter, url: str
) -> None:
    """An import that Reconfigure cuts off says so, and the one that waits for it too."""
    hass = house.hass
    entry = await set_up(hass, make_entry(meter, url, import_history=False))
    progress = entity_ids(hass, entry)["history_progress"]
    await house.pass_time(2 * HOUR)
    begun = asyncio.Event()
    async_track_state_change_event(hass, progress, callback(lambda _: begun.set()))
    imports = [hass.async_create_task(import_history(hass)) for _ in range(2)]
    await begun.wait()
    await hass.config_entries.async_unload(entry.entry_id)
    for each in imports:
        with pytest.raises(HomeAssistantError, match="was closed"):
            await each


@pytest.mark.parametrize("profile", ["lp_none"])
async def test_without_load_profile(
    house: House, meter: SimulatedMeter, url: str
) -> None:
    """A meter without load profile is read, and the action says what is the matter."""
    entry = await set_up(house.hass, make_entry(meter, url))
    await house.pass_time(timedelta(minutes=20))
    with pytest.raises(HomeAssistantError, match="has no load profile"):
        await import_history(house.hass)
    assert (
        house.hass.states.get(entity_ids(house.hass, entry)["history_progress"]).state
        == "nothing_to_import"
    )
    assert not unavailable(house.hass, entry)
