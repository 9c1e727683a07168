"""Tests of the automation triggers, in automations as users write them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_mock_service,
)
import voluptuous as vol
import yaml

from custom_components.nes_mep.const import DOMAIN
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.helpers import (
    area_registry as ar,
    config_validation as cv,
    device_registry as dr,
    entity_registry as er,
)
from homeassistant.helpers.icon import async_get_icons
from homeassistant.helpers.trigger import (
    async_get_all_descriptions,
    async_validate_trigger_config,
)
from homeassistant.setup import async_setup_component

from .common import (
    disable_all_but,
    entity_ids,
    make_entry,
    pass_time,
    poll,
    set_up,
    tables,
)
from .simulator import PROFILES, Fault, SimulatedMeter, serve_tcp
from .test_texts import FOLDER, TEXTS
from .values import KEY, Clock, Stopwatch

pytestmark = pytest.mark.usefixtures("enable_custom_integrations")

FACTS = ("config_entry_id", "device_id", "meter", "description")
VARIABLES = {
    "link_failed": ("kind", "reason", "error", "tables"),
    "link_recovered": ("duration", "kinds"),
    "clock_drifted": ("drift", "threshold"),
    "tariff_changed": ("from_tariff", "to_tariff"),
}


@pytest.fixture
def calls(hass: HomeAssistant) -> list[ServiceCall]:
    """Return what automations do: calls of an action with the trigger's variables."""
    return async_mock_service(hass, "test", "act")


def device_of(hass: HomeAssistant, entry: MockConfigEntry) -> dr.DeviceEntry:
    """Return the meter's device."""
    (device,) = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    return device


async def automate(
    hass: HomeAssistant,
    trigger: str,
    target: dict[str, Any] | None = None,
    **options: Any,
) -> None:
    """Make an automation with a trigger of the integration."""
    config: dict[str, Any] = {"trigger": f"nes_mep.{trigger}"}
    if target is not None:
        config["target"] = target
    if options:
        config["options"] = options
    names = (*FACTS, *VARIABLES[trigger])
    data = {name: f"{{{{ trigger.{name} }}}}" for name in names}
    automation = {
        "alias": "Test",
        "triggers": config,
        "actions": {"action": "test.act", "data": data},
    }
    assert await async_setup_component(hass, "automation", {"automation": automation})
    await hass.async_block_till_done()
    assert hass.states.get("automation.test").state == "on"


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
    calls: list[ServiceCall],
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
    await automate(hass, "link_failed", target, **options)

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
    impatient: None,
    monkeypatch: pytest.MonkeyPatch,
    calls: list[ServiceCall],
) -> None:
    """The end of an outage triggers, with how long it was, under the user's name."""
    stopwatch = Stopwatch()
    monkeypatch.setattr("custom_components.nes_mep.link.monotonic", stopwatch)
    entry = await set_up(hass, make_entry(meter, url))
    device = device_of(hass, entry)
    dr.async_get(hass).async_update_device(device.id, name_by_user="Cellar meter")
    await automate(hass, "link_recovered", {"device_id": device.id})

    await fail(hass, meter, kind="silence")
    stopwatch.seconds += 90
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
    impatient: None,
    calls: list[ServiceCall],
    kind: str | list[str] | None,
    triggered: list[str],
) -> None:
    """One outage triggers once, with the first kind that is wanted."""
    entry = await set_up(hass, make_entry(meter, url, resync_automatically=False))
    options = {} if kind is None else {"kind": kind}
    await automate(
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
    calls: list[ServiceCall],
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
        await automate(hass, "link_failed", {"device_id": devices})
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
    impatient: None,
    calls: list[ServiceCall],
) -> None:
    """A reload of the meter changes nothing, also in an outage; removal ends it."""
    entry = await set_up(hass, make_entry(meter, url))
    await automate(hass, "link_failed", {"device_id": device_of(hass, entry).id})
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
    calls: list[ServiceCall],
) -> None:
    """A meter that is not loaded when the automation starts is watched when it is."""
    entry = await set_up(hass, make_entry(meter, url))
    device_id = device_of(hass, entry).id
    await hass.config_entries.async_unload(entry.entry_id)
    await automate(hass, "link_failed", {"device_id": device_id})
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


async def disable_everything(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Let the user disable all entities."""
    await disable_all_but(hass, entry, set())
    er.async_get(hass).async_update_entity(
        entity_ids(hass, entry)["link_problem"],
        disabled_by=er.RegistryEntryDisabler.USER,
    )
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)


async def test_no_entities(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    calls: list[ServiceCall],
) -> None:
    """The link is watched without any entity."""
    entry = await set_up(hass, make_entry(meter, url))
    await automate(hass, "link_failed", {"device_id": device_of(hass, entry).id})
    await disable_everything(hass, entry)
    await fail(hass, meter, kind="refuse", code=0x0C)
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("trigger", "table"), [("clock_drifted", "BT52"), ("tariff_changed", "BT55")]
)
async def test_what_is_needed_is_read(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    stopwatch: Stopwatch,
    calls: list[ServiceCall],
    trigger: str,
    table: str,
) -> None:
    """What the trigger needs is read while it listens, though nothing shows it."""
    entry = await set_up(hass, make_entry(meter, url))
    await disable_everything(hass, entry)
    asked = len(meter.requests)
    await pass_time(hass, stopwatch, 60)
    assert table not in tables(meter, asked)

    await automate(hass, trigger, {"device_id": device_of(hass, entry).id})
    for _ in range(2):
        asked = len(meter.requests)
        await pass_time(hass, stopwatch, 60)
        assert table in tables(meter, asked)
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    asked = len(meter.requests)
    await pass_time(hass, stopwatch, 60)
    assert table in tables(meter, asked)

    await hass.services.async_call(
        "automation", "turn_off", {"entity_id": "automation.test"}, blocking=True
    )
    asked = len(meter.requests)
    await pass_time(hass, stopwatch, 60)
    assert table not in tables(meter, asked)


class Drift:
    """A meter whose clock is off, by as much as a test says."""

    def __init__(self, hass: HomeAssistant, clock: Clock, stopwatch: Stopwatch) -> None:
        """Take what moves the time."""
        self._hass = hass
        self._clock = clock
        self._stopwatch = stopwatch

    def set(self, seconds: float) -> None:
        """Set the meter's clock that far ahead of Home Assistant's."""
        self._clock.now = datetime.now(UTC) + timedelta(seconds=seconds)

    async def read(self, *drifts: float) -> None:
        """Let the clock be read with one drift after the other."""
        for drift in drifts:
            self.set(drift)
            await pass_time(self._hass, self._stopwatch, 60)


@pytest.fixture
def drift(hass: HomeAssistant, clock: Clock, stopwatch: Stopwatch) -> Drift:
    """Return what makes the meter's clock drift; it is right at first."""
    drift = Drift(hass, clock, stopwatch)
    drift.set(0)
    return drift


@pytest.mark.parametrize(
    ("options", "drifts", "triggered"),
    [
        ({}, [30, 58], []),
        ({}, [65, 120, 64], [65]),
        ({}, [-65, -3600], [-65]),
        ({}, [65, 0, 65], [65, 65]),
        ({}, [65, -65], [65]),
        # The clock is told in whole seconds: around the threshold it triggers once.
        ({}, [63, 59.5, 63], [63]),
        ({"threshold": 300}, [290, 310], [310]),
        ({"threshold": "00:05:00"}, [290, 310], [310]),
        ({"threshold": {"minutes": 5}}, [290, -310], [-310]),
        ({"threshold": 10}, [13, 0, -13], [13, -13]),
    ],
)
async def test_clock_drifted(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    drift: Drift,
    calls: list[ServiceCall],
    options: dict[str, Any],
    drifts: list[float],
    triggered: list[float],
) -> None:
    """A clock that goes wrong triggers once, until it was right again."""
    entry = await set_up(hass, make_entry(meter, url))
    target = {"device_id": device_of(hass, entry).id}
    await automate(hass, "clock_drifted", target, **options)
    await drift.read(*drifts)
    found = [call.data["drift"] for call in calls]
    assert found == pytest.approx(triggered, abs=2)
    for call in calls:
        assert call.data["threshold"] == {13: 10.0, 310: 300.0}.get(
            abs(triggered[0]), 60.0
        )
        assert call.data["description"] == f"clock drift of {entry.title}"


async def test_clock_drifts_unseen(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    drift: Drift,
    calls: list[ServiceCall],
) -> None:
    """A clock that is wrong at first does not trigger.

    One that goes wrong while the meter is reloaded does.
    """
    drift.set(100)
    entry = await set_up(hass, make_entry(meter, url))
    await automate(hass, "clock_drifted", {"device_id": device_of(hass, entry).id})
    await drift.read(100)
    assert not calls
    await drift.read(0)
    drift.set(200)
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    await poll(hass)
    assert [round(call.data["drift"], -2) for call in calls] == [200]


@pytest.mark.parametrize(
    ("options", "triggered"),
    [
        ({}, [(1, 2), (2, 3), (3, 1)]),
        ({"from": 1}, [(1, 2)]),
        ({"to": "1"}, [(3, 1)]),
        ({"from": [1, 3], "to": ["2", "1"]}, [(1, 2), (3, 1)]),
        ({"from": 2, "to": 1}, []),
    ],
)
async def test_tariff_changed(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    stopwatch: Stopwatch,
    calls: list[ServiceCall],
    options: dict[str, Any],
    triggered: list[tuple[int, int]],
) -> None:
    """A change of tariff triggers, from and to those that are wanted."""
    meter.set_tier(0)
    entry = await set_up(hass, make_entry(meter, url))
    target = {"device_id": device_of(hass, entry).id}
    await automate(hass, "tariff_changed", target, **options)
    await pass_time(hass, stopwatch, 60)
    assert not calls
    for tier in (1, 2, 2, 0):
        meter.set_tier(tier)
        await pass_time(hass, stopwatch, 60)
    changes = [(call.data["from_tariff"], call.data["to_tariff"]) for call in calls]
    assert changes == triggered


async def test_tariff_changes_unseen(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    impatient: None,
    stopwatch: Stopwatch,
    calls: list[ServiceCall],
) -> None:
    """A change in an outage or during a reload is seen after it."""
    meter.set_tier(0)
    entry = await set_up(hass, make_entry(meter, url))
    await automate(hass, "tariff_changed", {"device_id": device_of(hass, entry).id})
    meter.add_fault(Fault(kind="silence"))
    meter.set_tier(1)
    await pass_time(hass, stopwatch, 60)
    assert not calls
    meter.clear_faults()
    await pass_time(hass, stopwatch, 60)
    assert len(calls) == 1

    meter.set_tier(3)
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    await poll(hass)
    changes = [(call.data["from_tariff"], call.data["to_tariff"]) for call in calls]
    assert changes == [(1, 2), (2, 4)]


async def test_meter_without_a_tariff(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    stopwatch: Stopwatch,
    calls: list[ServiceCall],
) -> None:
    """A meter that refuses its tariff table never triggers."""
    meter.add_fault(Fault(kind="refuse", table=55, code=0x03))
    entry = await set_up(hass, make_entry(meter, url))
    await automate(hass, "tariff_changed", {"device_id": device_of(hass, entry).id})
    meter.set_tier(3)
    await pass_time(hass, stopwatch, 60)
    assert not calls


@pytest.mark.parametrize(
    ("trigger", "change"),
    [
        ("link_failed", {"target": None}),
        ("link_failed", {"target": {"device_id": "no such"}}),
        ("link_failed", {"target": {"entity_id": "sun.sun"}}),
        ("link_failed", {"target": None, "options": {"config_entry_id": "no such"}}),
        ("link_failed", {"options": {"kind": "recovered"}}),
        ("link_recovered", {"options": {"kind": "no_reply"}}),
        ("clock_drifted", {"options": {"threshold": 0}}),
        ("clock_drifted", {"options": {"threshold": -60}}),
        ("tariff_changed", {"options": {"from": 0}}),
        ("tariff_changed", {"options": {"to": [1, 9]}}),
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
        assert description["fields"].keys() == texts["fields"].keys()
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
