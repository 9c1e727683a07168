"""Tests of the grid company's message, from the meter's display to an automation."""

from datetime import timedelta
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import async_mock_service

from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component

from .common import entity_ids, make_entry, pass_time, set_up, states
from .driven_clock import DrivenClock
from .simulator import Message, SimulatedMeter
from .test_examples import AUTOMATIONS
from .values import NOON

pytestmark = pytest.mark.usefixtures("enable_custom_integrations")

_ENTITY = "sensor.smart_meter_message_from_the_grid_company"
_FROM, _UNTIL = NOON + timedelta(hours=1), NOON + timedelta(hours=5)
_QUARTER = 901


@pytest.fixture(autouse=True)
def now(host_clock: DrivenClock) -> None:
    """Let the time be that of the meter."""
    host_clock.began = NOON


def _attributes(hass: HomeAssistant) -> dict[str, Any]:
    attributes = hass.states.get(_ENTITY).attributes
    return {
        key: attributes[key] for key in ("from", "until", "id") if key in attributes
    }


@pytest.mark.parametrize("profile", ["gen3", "fw_2_10", "fw_4_00"])
async def test_message(
    hass: HomeAssistant, host_clock: DrivenClock, meter: SimulatedMeter, url: str
) -> None:
    """It appears with the first message, ends with it, and is there for the next one."""
    meter.message = None
    entry = await set_up(hass, make_entry(meter, url))
    assert "message" not in entity_ids(hass, entry)
    await pass_time(hass, host_clock, _QUARTER)
    assert "message" not in entity_ids(hass, entry)

    meter.message = Message(text="SPAR 17h", start=_FROM, end=_UNTIL, code="19")
    await pass_time(hass, host_clock, _QUARTER)
    assert hass.states.get(_ENTITY).state == "unknown"
    assert _attributes(hass) == {}
    for _ in range(3):
        await pass_time(hass, host_clock, _QUARTER)
    assert hass.states.get(_ENTITY).state == "SPAR 17h"
    assert _attributes(hass) == {"from": _FROM, "until": _UNTIL, "id": "19"}

    # The same text for another time, and without an id.
    later = _UNTIL + timedelta(hours=2)
    meter.message = Message(text="SPAR 17h", start=_FROM, end=later)
    await pass_time(hass, host_clock, _QUARTER)
    assert _attributes(hass) == {"from": _FROM, "until": later}

    await pass_time(hass, host_clock, 6 * 3600)
    assert hass.states.get(_ENTITY).state == "unknown"
    assert _attributes(hass) == {}

    # What was cleared is no reason to lose the entity.
    meter.message = None
    await pass_time(hass, host_clock, _QUARTER)
    assert states(hass, entry)["message"] == "unknown"


async def test_dismissed(
    hass: HomeAssistant, host_clock: DrivenClock, meter: SimulatedMeter, url: str
) -> None:
    """Who presses the button of the meter has read the message."""
    message = Message(text="SPAR 17h", start=NOON, end=_UNTIL)
    meter.message = message
    await set_up(hass, make_entry(meter, url))
    assert hass.states.get(_ENTITY).state == "SPAR 17h"
    meter.message = Message(
        text=message.text, start=message.start, end=message.end, dismissed=True
    )
    await pass_time(hass, host_clock, _QUARTER)
    assert hass.states.get(_ENTITY).state == "unknown"


async def test_example(
    hass: HomeAssistant, host_clock: DrivenClock, meter: SimulatedMeter, url: str
) -> None:
    """The automation of the page tells each message once, and not that it is over."""
    meter.message = Message(text="ALT", start=NOON, end=NOON + timedelta(minutes=5))
    await set_up(hass, make_entry(meter, url))
    calls = async_mock_service(hass, "persistent_notification", "create")
    example = AUTOMATIONS["Message from the grid company"]
    assert await async_setup_component(hass, "automation", {"automation": example})
    await hass.async_block_till_done()

    await pass_time(hass, host_clock, _QUARTER)
    assert hass.states.get(_ENTITY).state == "unknown"
    assert not calls
    meter.message = Message(text="SPAR 17h", start=NOON, end=_UNTIL)
    await pass_time(hass, host_clock, _QUARTER)
    assert len(calls) == 1
    assert "SPAR 17h" in calls[0].data["message"]
    # 17:00 UTC, where the meter stands.
    assert "19:00" in calls[0].data["message"]
    meter.add_fault("silence")
    for _ in range(4):
        await pass_time(hass, host_clock, _QUARTER)
    meter.clear_faults()
    for _ in range(4):
        await pass_time(hass, host_clock, _QUARTER)
    assert hass.states.get(_ENTITY).state == "SPAR 17h"
    assert len(calls) == 1
