"""Tests of the automation conditions."""

from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_mock_service,
)
import voluptuous as vol
import yaml

from custom_components.nes_mep.const import DOMAIN
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.condition import (
    async_get_all_descriptions,
    async_validate_condition_config,
)
from homeassistant.helpers.icon import async_get_icons
from homeassistant.setup import async_setup_component

from .common import entity_ids, make_entry, pass_time, poll, set_up
from .driven_clock import DrivenClock
from .simulator import PROFILES, Fault, SimulatedMeter, serve_tcp
from .test_texts import FOLDER, TEXTS
from .triggers import device_of, disable_everything
from .values import KEY, Clock

pytestmark = pytest.mark.usefixtures("enable_custom_integrations")

CONDITIONS = {"link_is_down", "tariff_is"}


async def automate(hass: HomeAssistant, name: str, **config: Any) -> None:
    """Make an automation that acts on the event "look" if a condition holds."""
    condition = {"condition": f"{DOMAIN}.{name}", **config}
    automation = {
        "alias": "Test",
        "triggers": {"trigger": "event", "event_type": "look"},
        "conditions": condition,
        "actions": {"action": "test.act"},
    }
    assert await async_setup_component(hass, "automation", {"automation": automation})
    await hass.async_block_till_done()
    assert hass.states.get("automation.test").state == "on"


async def holds(hass: HomeAssistant) -> bool:
    """Return whether the automation acts now."""
    calls = async_mock_service(hass, "test", "act")
    hass.bus.async_fire("look")
    await hass.async_block_till_done()
    return bool(calls)


@pytest.mark.parametrize("how", ["device", "entity"])
async def test_link_is_down(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, how: str
) -> None:
    """The condition holds while the meter cannot be read, or is not loaded."""
    entry = await set_up(hass, make_entry(meter, url))
    target = {
        "device": {"device_id": device_of(hass, entry).id},
        "entity": {"entity_id": entity_ids(hass, entry)["link"]},
    }[how]
    await automate(hass, "link_is_down", target=target)

    assert not await holds(hass)
    fault = meter.add_fault(Fault(kind="refuse", table=28, code=0x0B))
    await poll(hass)
    assert await holds(hass)
    fault.remove()
    await poll(hass)
    assert not await holds(hass)
    await hass.config_entries.async_unload(entry.entry_id)
    assert await holds(hass)


@pytest.mark.parametrize(("behavior", "expected"), [("any", True), ("all", False)])
async def test_several_meters(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    clock: Clock,
    behavior: str,
    expected: bool,
) -> None:
    """Of several meters, one is enough, or all are needed."""
    other_meter = SimulatedMeter(
        PROFILES["gen4"], key=KEY.encode()[:16], clock=clock, paced=False
    )
    async with serve_tcp(other_meter) as other_url:
        entries = [
            await set_up(hass, make_entry(meter, url)),
            await set_up(hass, make_entry(other_meter, other_url)),
        ]
        ids = [device_of(hass, entry).id for entry in entries]
        await automate(
            hass,
            "link_is_down",
            target={"device_id": ids},
            options={"behavior": behavior},
        )
        meter.add_fault(Fault(kind="silence"))
        await poll(hass)
        assert await holds(hass) is expected
        other_meter.add_fault(Fault(kind="silence"))
        await poll(hass)
        assert await holds(hass)
        for entry in entries:
            await hass.config_entries.async_unload(entry.entry_id)


@pytest.mark.parametrize("behavior", ["any", "all"])
async def test_no_meter(hass: HomeAssistant, behavior: str) -> None:
    """Of no meter, nothing holds."""
    assert await async_setup_component(hass, DOMAIN, {})
    await automate(
        hass,
        "link_is_down",
        target={"area_id": "nowhere"},
        options={"behavior": behavior},
    )
    assert not await holds(hass)


async def test_tariff(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, host_clock: DrivenClock
) -> None:
    """The tariff is read for the condition, whether or not an entity shows it."""
    entry = await set_up(hass, make_entry(meter, url))
    await disable_everything(hass, entry)
    await automate(
        hass,
        "tariff_is",
        target={"device_id": device_of(hass, entry).id},
        options={"tariff": ["2", "3"]},
    )
    for tier, expected in ((0, False), (1, True), (2, True), (3, False)):
        meter.set_tier(tier)
        await pass_time(hass, host_clock, 60)
        assert await holds(hass) is expected, tier
    meter.add_fault(Fault(kind="silence"))
    meter.set_tier(1)
    await poll(hass)
    assert not await holds(hass)


@pytest.mark.usefixtures("setup_meter")
@pytest.mark.parametrize(
    "change",
    [
        {"target": None},
        {"target": {"cellar": "mine"}},
        {"options": {"tariff": "1", "behavior": "most"}},
        {"options": {"tariff": 9}},
        {"options": {}},
        {"target": None, "options": {"config_entry_id": "no such", "tariff": 1}},
    ],
)
async def test_mistakes(hass: HomeAssistant, change: dict[str, Any]) -> None:
    """What cannot be meant is refused."""
    config = {
        "condition": f"{DOMAIN}.tariff_is",
        "target": {"area_id": "cellar"},
        "options": {"tariff": 1},
    }
    valid = await async_validate_condition_config(hass, cv.CONDITION_SCHEMA(config))
    assert valid["options"] == {"tariff": [1], "behavior": "any"}
    config = {name: value for name, value in (config | change).items() if value}
    with pytest.raises(vol.Invalid):
        await async_validate_condition_config(hass, cv.CONDITION_SCHEMA(config))


@pytest.fixture
async def setup_meter(
    hass: HomeAssistant,
    enable_custom_integrations: None,
    meter: SimulatedMeter,
    url: str,
) -> MockConfigEntry:
    """Set a meter up."""
    return await set_up(hass, make_entry(meter, url))


@pytest.mark.usefixtures("setup_meter")
async def test_descriptions(hass: HomeAssistant) -> None:
    """Each condition is described for the editor, with texts and an icon."""
    assert await async_setup_component(hass, "automation", {})
    listed = {
        name.removeprefix(f"{DOMAIN}."): description
        for name, description in (await async_get_all_descriptions(hass)).items()
        if name.startswith(f"{DOMAIN}.")
    }
    icons = await async_get_icons(hass, "conditions", {DOMAIN})
    described = yaml.safe_load((FOLDER / "conditions.yaml").read_text())
    assert {name for name in described if not name.startswith(".")} == CONDITIONS
    assert listed.keys() == CONDITIONS == TEXTS["conditions"].keys()
    assert icons[DOMAIN].keys() == listed.keys()
    for name, description in listed.items():
        texts = TEXTS["conditions"][name]
        assert description["target"]["entity"] == [{"integration": DOMAIN}]
        assert description["fields"].keys() == texts["fields"].keys()
