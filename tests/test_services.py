"""Tests of the actions, mostly of resync_clock."""

from datetime import timedelta
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser
import voluptuous as vol

from custom_components.nes_mep.const import DOMAIN
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import (
    HomeAssistantError,
    ServiceValidationError,
    Unauthorized,
)
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.service import async_get_all_descriptions
from homeassistant.setup import async_setup_component

from .common import entity_ids, make_entry, set_up, states
from .driven_clock import driven_clock
from .simulator import PROFILES, Fault, SimulatedMeter, serve_tcp
from .values import KEY, NOON, Clock

pytestmark = pytest.mark.usefixtures("enable_custom_integrations")


async def resync(hass: HomeAssistant, **target: Any) -> dict[str, Any]:
    """Call the action and return its response; Home Assistant's clock shows noon."""
    driven_clock().began = NOON
    response = await hass.services.async_call(
        DOMAIN, "resync_clock", target, blocking=True, return_response=True
    )
    await hass.async_block_till_done()
    return response


def device_id(hass: HomeAssistant, entry: MockConfigEntry) -> str:
    """Return the id of the meter's device."""
    (device,) = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    return device.id


@pytest.mark.parametrize(
    "how", ["config_entry_id", "device_id", "entity_id", "both", "none"]
)
async def test_answer(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, clock: Clock, how: str
) -> None:
    """The only meter is asked, by whatever it is targeted, and tells its time."""
    entry = await set_up(hass, make_entry(meter, url))
    targets = {
        "config_entry_id": entry.entry_id,
        "device_id": device_id(hass, entry),
        "entity_id": entity_ids(hass, entry)["energy_import"],
    }
    clock.now = NOON + timedelta(seconds=90)

    chosen = {"both": targets, "none": {}}
    response = await resync(hass, **chosen.get(how, {how: targets.get(how)}))

    assert response.pop("attempts") >= 1
    assert response == {
        "meter_time": "2026-06-21T12:01:30+00:00",
        "drift": 90.0,
        "sequence_number_changed": False,
    }


async def test_session_is_made_anew(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, clock: Clock
) -> None:
    """The sequence number is learned again, and the sensors are refreshed."""
    entry = await set_up(hass, make_entry(meter, url))
    before = states(hass, entry)["energy_import"]
    clock.now += timedelta(hours=8)
    meter.restart()

    response = await resync(hass, config_entry_id=entry.entry_id)

    assert response["sequence_number_changed"]
    assert response["attempts"] >= 2
    assert float(states(hass, entry)["energy_import"]) > float(before)


async def test_no_answer_is_needed(
    hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """Automations can do without the response."""
    entry = await set_up(hass, make_entry(meter, url))
    requests = len(meter.requests)

    await hass.services.async_call(
        DOMAIN, "resync_clock", {"config_entry_id": entry.entry_id}, blocking=True
    )

    assert any(request.table == 52 for request in list(meter.requests)[requests:])


async def test_several_meters(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, clock: Clock
) -> None:
    """Several meters answer by the ids of their entries."""
    other_meter = SimulatedMeter(
        PROFILES["gen4"], key=KEY.encode()[:16], clock=clock, paced=False
    )
    async with serve_tcp(other_meter) as other_url:
        entry = await set_up(hass, make_entry(meter, url))
        other = await set_up(hass, make_entry(other_meter, other_url))

        response = await resync(
            hass, device_id=[device_id(hass, entry), device_id(hass, other)]
        )

        assert set(response["meters"]) == {entry.entry_id, other.entry_id}
        with pytest.raises(ServiceValidationError, match="Choose a meter"):
            await resync(hass)
        assert {answer["drift"] for answer in response["meters"].values()} == {0.0}
        await hass.config_entries.async_unload(other.entry_id)


async def test_user_mistakes(
    hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """The action exists without a meter, and says what is wrong with a target."""
    assert await async_setup_component(hass, DOMAIN, {})
    stranger = MockConfigEntry(domain="other")
    stranger.add_to_hass(hass)
    foreign_device = dr.async_get(hass).async_get_or_create(
        config_entry_id=stranger.entry_id, identifiers={("other", "1")}
    )
    foreign = ({"device_id": foreign_device.id}, {"device_id": "no such"})
    for target in ({}, *foreign):
        with pytest.raises(ServiceValidationError, match="Choose a meter"):
            await resync(hass, **target)
    for entry_id in ("no such", stranger.entry_id):
        with pytest.raises(ServiceValidationError):
            await resync(hass, config_entry_id=entry_id)
    with pytest.raises(vol.Invalid):
        await resync(hass, meter="mine")

    entry = await set_up(hass, make_entry(meter, url))
    for target in foreign:
        with pytest.raises(ServiceValidationError, match="Choose a meter"):
            await resync(hass, **target)
    await hass.config_entries.async_unload(entry.entry_id)
    for target in ({}, {"config_entry_id": entry.entry_id}):
        with pytest.raises(ServiceValidationError, match="not loaded"):
            await resync(hass, **target)


async def test_meter_does_not_answer(
    hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """The error says in the user's language what happened."""
    entry = await set_up(hass, make_entry(meter, url))
    meter.add_fault(Fault(kind="silence"))

    with pytest.raises(HomeAssistantError, match=f"{entry.title} does not answer. "):
        await resync(hass, config_entry_id=entry.entry_id)

    meter.clear_faults()
    assert (await resync(hass, config_entry_id=entry.entry_id))["drift"] == 0.0


@pytest.mark.parametrize(
    ("action", "fields", "is_for_all"),
    [
        ("resync_clock", {}, True),
        ("read_events", {}, True),
        ("read_table", {"table": "BT23"}, False),
        ("import_history", {}, False),
    ],
)
async def test_permissions(
    hass: HomeAssistant,
    hass_admin_user: MockUser,
    hass_read_only_user: MockUser,
    meter: SimulatedMeter,
    url: str,
    action: str,
    fields: dict[str, str],
    is_for_all: bool,
) -> None:
    """What loads the meter or writes statistics is for administrators."""
    entry = await set_up(hass, make_entry(meter, url))

    async def call(user: MockUser) -> None:
        await hass.services.async_call(
            DOMAIN,
            action,
            {"config_entry_id": entry.entry_id, **fields},
            blocking=True,
            return_response=True,
            context=Context(user_id=user.id),
        )

    requests = len(meter.requests)
    if not is_for_all:
        with pytest.raises(Unauthorized):
            await call(hass_read_only_user)
        assert len(meter.requests) == requests
    user = hass_read_only_user if is_for_all else hass_admin_user
    if action == "import_history":
        with pytest.raises(HomeAssistantError, match="records no statistics"):
            await call(user)
    else:
        await call(user)


@pytest.mark.parametrize(
    ("action", "fields", "response"),
    [
        ("resync_clock", set(), {"optional": True}),
        ("read_events", {"count"}, {"optional": False}),
    ],
)
async def test_description(
    hass: HomeAssistant, action: str, fields: set[str], response: dict[str, bool]
) -> None:
    """The actions and their fields are described for the editor."""
    assert await async_setup_component(hass, DOMAIN, {})

    description = (await async_get_all_descriptions(hass))[DOMAIN][action]

    assert description["target"]["entity"] == [{"integration": DOMAIN}]
    assert set(description["fields"]) == fields
    assert all(field["selector"] for field in description["fields"].values())
    assert description["response"] == response
