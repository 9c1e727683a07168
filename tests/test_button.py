"""Tests of the buttons."""

import pytest
from pytest_homeassistant_custom_component.common import MockUser

from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, Unauthorized

from .common import entity_ids, make_entry, poll, set_up, states
from .simulator import Fault, SimulatedMeter

pytestmark = pytest.mark.usefixtures("enable_custom_integrations")


async def press(
    hass: HomeAssistant, entity_id: str, user_id: str | None = None
) -> None:
    """Press a button and wait for what it does."""
    await hass.services.async_call(
        "button",
        "press",
        {"entity_id": entity_id},
        blocking=True,
        context=Context(user_id=user_id),
    )
    await hass.async_block_till_done()


async def test_resync(hass: HomeAssistant, meter: SimulatedMeter, url: str) -> None:
    """The clock is read and the sensors are refreshed, by whoever presses."""
    entry = await set_up(hass, make_entry(meter, url))
    requests = len(meter.requests)
    user = MockUser().add_to_hass(hass)
    user.mock_policy({"entities": True})

    await press(hass, entity_ids(hass, entry)["resync"], user.id)

    tables = [request.table for request in list(meter.requests)[requests:]]
    assert 52 in tables
    assert {23, 28} <= set(tables)


async def test_resync_without_meter(
    hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """The button can be pressed while the link is down, and says what is wrong."""
    entry = await set_up(hass, make_entry(meter, url))
    fault = meter.add_fault(Fault(kind="silence"))
    await poll(hass)
    assert hass.states.get(entity_ids(hass, entry)["resync"]).state != "unavailable"
    with pytest.raises(HomeAssistantError, match="does not answer"):
        await press(hass, entity_ids(hass, entry)["resync"])
    fault.remove()
    await press(hass, entity_ids(hass, entry)["resync"])
    assert float(states(hass, entry)["energy_import"]) > 0


async def test_import_needs_administrator(
    hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """Statistics are changed by administrators only, and by automations."""
    entry = await set_up(hass, make_entry(meter, url))
    button = entity_ids(hass, entry)["import_history"]
    user = MockUser().add_to_hass(hass)
    user.mock_policy({"entities": True})
    with pytest.raises(Unauthorized):
        await press(hass, button, user.id)
    for user_id in (MockUser(is_owner=True).add_to_hass(hass).id, None):
        # No recorder runs here.
        with pytest.raises(HomeAssistantError, match=r"recorder|statistics"):
            await press(hass, button, user_id)
