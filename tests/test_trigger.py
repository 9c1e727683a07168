"""Tests of the automation triggers of the link, and of what all triggers share."""

from typing import Any

import pytest
import voluptuous as vol
import yaml

from custom_components.nes_mep.const import DOMAIN
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import (
    area_registry as ar,
    config_validation as cv,
    device_registry as dr,
    floor_registry as fr,
    label_registry as lr,
)
from homeassistant.helpers.icon import async_get_icons
from homeassistant.helpers.trigger import (
    async_get_all_descriptions,
    async_validate_trigger_config,
)
from homeassistant.setup import async_setup_component

from .common import entity_ids, make_entry, poll, set_up
from .driven_clock import DrivenClock
from .simulator import PROFILES, Fault, SimulatedMeter, serve_tcp
from .test_texts import FOLDER, TEXTS
from .triggers import VARIABLES, automate, device_of, disable_everything
from .values import KEY, Clock

pytestmark = pytest.mark.usefixtures("enable_custom_integrations")


async def fail(hass: HomeAssistant, meter: SimulatedMeter, **fault: Any) -> None:
    """Let one poll fail."""
    active = meter.add_fault(Fault(**fault))
    await poll(hass)
    active.remove()


@pytest.mark.parametrize("how", ["device", "entity", "area", "entry", "entries"])
async def test_link(
    hass: HomeAssistant,
    area_registry: ar.AreaRegistry,
    meter: SimulatedMeter,
    url: str,
    how: str,
) -> None:
    """A failure triggers, whatever way the meter was chosen."""
    entry = await set_up(hass, make_entry(meter, url))
    device = device_of(hass, entry)
    area = area_registry.async_create("Cellar")
    dr.async_get(hass).async_update_device(device.id, area_id=area.id)
    target, options = {
        "device": ({"device_id": device.id}, {}),
        "entity": ({"entity_id": entity_ids(hass, entry)["link"]}, {}),
        "area": ({"area_id": area.id}, {}),
        "entry": (None, {"config_entry_id": entry.entry_id}),
        "entries": ({}, {"config_entry_id": [entry.entry_id]}),
    }[how]
    calls = await automate(hass, "link_failed", target, **options)

    await fail(hass, meter, kind="refuse", table=28, code=0x0B)
    await poll(hass)

    (call,) = calls
    error = call.data["error"]
    assert error.startswith("The meter refuses BT28")
    assert call.data == {
        "config_entry_id": entry.entry_id,
        "device_id": device.id,
        "meter": entry.title,
        "description": f"link failure (authentication_failure) of {entry.title}",
        "kind": "authentication_failure",
        "reason": "request_refused",
        "error": error,
        "tables": ["BT28"],
    }


async def test_link_recovers(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    host_clock: DrivenClock,
) -> None:
    """The end of an outage triggers, with how long it was, under the user's name."""
    entry = await set_up(hass, make_entry(meter, url))
    device = device_of(hass, entry)
    dr.async_get(hass).async_update_device(device.id, name_by_user="Cellar meter")
    calls = await automate(hass, "link_recovered", {"device_id": device.id})

    await fail(hass, meter, kind="silence")
    host_clock.move(90)
    assert not calls
    await poll(hass)

    (call,) = calls
    assert call.data == {
        "config_entry_id": entry.entry_id,
        "device_id": device.id,
        "meter": "Cellar meter",
        "description": "link recovery of Cellar meter",
        "duration": 90.0,
        "kinds": ["no_reply"],
    }


@pytest.mark.parametrize(
    ("kind", "triggered"),
    [
        (None, ["authentication_failure", "no_reply"]),
        ("no_reply", ["no_reply", "no_reply"]),
        (["no_reply", "corrupted_reply"], ["no_reply", "no_reply"]),
        ("invalid_sequence", []),
    ],
)
async def test_kinds(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    kind: str | list[str] | None,
    triggered: list[str],
) -> None:
    """One outage triggers once, with the first kind that is wanted."""
    entry = await set_up(hass, make_entry(meter, url, resync_automatically=False))
    options = {} if kind is None else {"kind": kind}
    calls = await automate(
        hass, "link_failed", {"device_id": device_of(hass, entry).id}, **options
    )
    await fail(hass, meter, kind="refuse", table=28, code=0x0B)
    for _ in range(2):
        await fail(hass, meter, kind="silence")
    await poll(hass)
    await fail(hass, meter, kind="silence")
    assert [call.data["kind"] for call in calls] == triggered


async def test_several_meters(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    clock: Clock,
) -> None:
    """Each of several meters triggers for itself; one that is not chosen does not."""
    others = [
        SimulatedMeter(
            PROFILES[profile], key=KEY.encode()[:16], clock=clock, paced=False
        )
        for profile in ("gen4", "ct")
    ]
    async with serve_tcp(others[0]) as second, serve_tcp(others[1]) as third:
        entries = [
            await set_up(hass, make_entry(one, port))
            for one, port in zip((meter, *others), (url, second, third), strict=True)
        ]
        devices = [device_of(hass, entry).id for entry in entries[:2]]
        calls = await automate(hass, "link_failed", {"device_id": devices})
        for one in (meter, *others):
            one.add_fault(Fault(kind="refuse", code=0x0C))
        await poll(hass)
        assert {call.data["device_id"] for call in calls} == set(devices)
        assert len(calls) == 2
        for entry in entries[1:]:
            await hass.config_entries.async_unload(entry.entry_id)


async def test_reload(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
) -> None:
    """A reload of the meter changes nothing, also in an outage; removal ends it."""
    entry = await set_up(hass, make_entry(meter, url))
    calls = await automate(
        hass, "link_failed", {"device_id": device_of(hass, entry).id}
    )
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    meter.add_fault(Fault(kind="silence"))
    await poll(hass)
    assert len(calls) == 1

    await hass.config_entries.async_reload(entry.entry_id)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    await poll(hass, 30)
    meter.clear_faults()
    await poll(hass, 120)
    assert entry.state is ConfigEntryState.LOADED
    assert len(calls) == 1

    await fail(hass, meter, kind="silence")
    assert len(calls) == 2
    assert await hass.config_entries.async_remove(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)


async def test_meter_comes_later(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
) -> None:
    """A meter that is not loaded when the automation starts is watched when it is."""
    entry = await set_up(hass, make_entry(meter, url))
    device_id = device_of(hass, entry).id
    await hass.config_entries.async_unload(entry.entry_id)
    calls = await automate(hass, "link_failed", {"device_id": device_id})
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    await fail(hass, meter, kind="refuse", code=0x0C)
    assert len(calls) == 1

    await hass.services.async_call(
        "automation", "turn_off", {"entity_id": "automation.test"}, blocking=True
    )
    await poll(hass)
    await fail(hass, meter, kind="refuse", code=0x0C)
    assert len(calls) == 1


@pytest.mark.parametrize("kind", ["area", "floor", "label"])
async def test_targets_change(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, kind: str
) -> None:
    """Areas, floors and labels may be without a meter; one that comes is followed."""
    entry = await set_up(hass, make_entry(meter, url))
    floor = fr.async_get(hass).async_create("Basement")
    area = ar.async_get(hass).async_create("Cellar", floor_id=floor.floor_id)
    label = lr.async_get(hass).async_create("Watched")
    id_ = {"area": area.id, "floor": floor.floor_id, "label": label.label_id}[kind]
    calls = await automate(hass, "link_failed", {f"{kind}_id": id_})

    async def put(**changes: Any) -> None:
        """Change the meter's device and let the link fail once."""
        device = device_of(hass, entry)
        dr.async_get(hass).async_update_device(device.id, **changes)
        await hass.async_block_till_done()
        await fail(hass, meter, kind="refuse", table=28, code=0x0B)
        await poll(hass)

    await put()
    assert len(calls) == 0
    await put(area_id=area.id, labels={label.label_id})
    assert len(calls) == 1
    await put()
    assert len(calls) == 2
    await put(area_id=None, labels=set())
    assert len(calls) == 2


async def test_no_entities(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
) -> None:
    """The link is watched without any entity."""
    entry = await set_up(hass, make_entry(meter, url))
    calls = await automate(
        hass, "link_failed", {"device_id": device_of(hass, entry).id}
    )
    await disable_everything(hass, entry)
    await fail(hass, meter, kind="refuse", code=0x0C)
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("trigger", "change"),
    [
        ("link_failed", {"target": None}),
        ("link_failed", {"target": {"cellar": "mine"}}),
        ("link_failed", {"target": None, "options": {"config_entry_id": "no such"}}),
        ("link_failed", {"options": {"kind": "recovered"}}),
        ("link_recovered", {"options": {"kind": "no_reply"}}),
        ("clock_drifted", {"options": {"threshold": 0}}),
        ("clock_drifted", {"options": {"threshold": -60}}),
        ("tariff_changed", {"options": {"from": 0}}),
        ("tariff_changed", {"options": {"to": [1, 9]}}),
        ("tampering_detected", {"options": {"change": "opened"}}),
        ("relay_switched", {"options": {"change": "locked"}}),
        ("no_such_trigger", {}),
    ],
)
async def test_mistakes(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    trigger: str,
    change: dict[str, Any],
) -> None:
    """What cannot be meant is refused."""
    entry = await set_up(hass, make_entry(meter, url))
    config = {
        "trigger": f"{DOMAIN}.{trigger}",
        "target": {"device_id": device_of(hass, entry).id},
    }
    config = {name: value for name, value in (config | change).items() if value}
    with pytest.raises(vol.Invalid):
        await async_validate_trigger_config(hass, cv.TRIGGER_SCHEMA(config))


async def test_descriptions(
    hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """Each trigger is described for the editor, with texts and an icon."""
    await set_up(hass, make_entry(meter, url))
    assert await async_setup_component(hass, "automation", {})
    listed = {
        name.removeprefix(f"{DOMAIN}."): description
        for name, description in (await async_get_all_descriptions(hass)).items()
        if name.startswith(f"{DOMAIN}.")
    }
    icons = await async_get_icons(hass, "triggers", {DOMAIN})
    assert listed.keys() == VARIABLES.keys() == TEXTS["triggers"].keys()
    assert icons[DOMAIN].keys() == listed.keys()
    for name, description in listed.items():
        texts = TEXTS["triggers"][name]
        assert description["target"]["entity"][0]["integration"] == DOMAIN
        assert texts["name"]
        assert texts["description"]
        assert description["fields"].keys() == texts.get("fields", {}).keys()
        for field, facts in description["fields"].items():
            assert texts["fields"][field]["name"]
            assert texts["fields"][field]["description"]
            selector = facts["selector"].get("select", {})
            if key := selector.get("translation_key"):
                options = TEXTS["selector"][key]["options"]
                assert set(selector["options"]) == options.keys()


def test_descriptions_are_complete() -> None:
    """The file has no trigger that the code lacks."""
    described = yaml.safe_load((FOLDER / "triggers.yaml").read_text())
    assert {name for name in described if not name.startswith(".")} == set(VARIABLES)
