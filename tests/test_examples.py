"""Tests of the examples for owners: what they copy works in Home Assistant."""

import json
import re
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import pytest
from pytest_homeassistant_custom_component.common import async_mock_service
import yaml

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.setup import async_setup_component

from .common import make_entry, pass_time, set_up
from .driven_clock import DrivenClock
from .simulator import SimulatedMeter
from .test_docs import ROOT
from .test_services import device_id
from .test_texts import FOLDER

pytestmark = pytest.mark.usefixtures("enable_custom_integrations")

TEXT: Final = "\n".join(
    (ROOT / page).read_text()
    for page in ("README.md", "docs/automations.md", "docs/actions.md")
)
SOME_DEVICE: Final = "0123456789abcdef0123456789abcdef"
EXAMPLES: Final = re.findall(r"^```yaml\n(.+?)^```", TEXT, re.MULTILINE | re.DOTALL)
ACTIONS: Final = {
    example["action"]: example
    for example in map(yaml.safe_load, EXAMPLES)
    if "action" in example
}
AUTOMATIONS: Final = {
    example["alias"]: example
    for example in map(yaml.safe_load, EXAMPLES)
    if "triggers" in example
}
ANSWERS: Final = {
    "nes_mep.get_billing_readings": {"readings"},
    "nes_mep.read_events": {"events"},
    "nes_mep.read_table": {"table", "offset", "length", "data", "decoded"},
    "nes_mep.resync_clock": {
        "meter_time",
        "drift",
        "attempts",
        "sequence_number_changed",
    },
}


def test_my_links() -> None:
    """The buttons lead to this repository, this integration and these blueprints."""
    links: dict[str, list[dict[str, str]]] = {}
    for link in re.findall(
        r"\((https://my\.home-assistant\.io/redirect/[^)]+)\)", TEXT
    ):
        page = urlsplit(link).path.removeprefix("/redirect/")
        links.setdefault(page, []).append(dict(parse_qsl(urlsplit(link).query)))
    manifest = json.loads((FOLDER / "manifest.json").read_text())
    owner, repository = urlsplit(manifest["documentation"]).path.split("/")[1:]
    blueprints = {
        re.search(r"source_url: (\S+)", path.read_text()).group(1)
        for path in (ROOT / "blueprints").rglob("*.yaml")
    }
    assert {each["blueprint_url"] for each in links.pop("blueprint_import/")} == (
        blueprints
    )
    assert links == {
        "hacs_repository/": [
            {"owner": owner, "repository": repository, "category": "integration"}
        ],
        "config_flow_start/": [{"domain": manifest["domain"]}],
    }


def for_device(example: dict[str, Any], device: str) -> dict[str, Any]:
    """Return an example with a device in the place of the one that it shows."""
    return yaml.safe_load(yaml.safe_dump(example).replace(SOME_DEVICE, device))


def test_all_are_tested() -> None:
    """Every example is an action or an automation, and each action has one."""
    assert len(ACTIONS) + len(AUTOMATIONS) == len(EXAMPLES)
    described = yaml.safe_load((FOLDER / "services.yaml").read_text())
    actions = {name for name in described if not name.startswith(".")}
    assert ACTIONS.keys() == {f"nes_mep.{action}" for action in actions}
    for action in actions:
        assert TEXT.count(f"| `nes_mep.{action}` |") == 1


@pytest.mark.parametrize("action", sorted(ACTIONS))
async def test_actions(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, action: str
) -> None:
    """Each action runs in a script, and what it answers is what the table says."""
    entry = await set_up(hass, make_entry(meter, url))
    example = for_device(ACTIONS[action], device_id(hass, entry))
    sequence = [
        example,
        {"stop": "", "response_variable": example["response_variable"]},
    ]
    assert await async_setup_component(
        hass, "script", {"script": {"example": {"sequence": sequence}}}
    )
    run = hass.services.async_call(
        "script", "example", blocking=True, return_response=True
    )
    if action in {"nes_mep.import_costs", "nes_mep.import_history"}:
        # Here is no recorder; tests/recorder has its successes.
        with pytest.raises(HomeAssistantError) as caught:
            await run
        assert caught.value.translation_key == "no_recorder"
        return
    answer = await run
    assert answer.keys() == ANSWERS[action]
    row = next(line for line in TEXT.splitlines() if f"| `{action}` |" in line)
    assert all(f"`{name}`" in row for name in answer)


@pytest.mark.parametrize("profile", ["single_phase"])
async def test_relay_automation(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, host_clock: DrivenClock
) -> None:
    """The automation tells when the relay opens and closes, and of no interruption."""
    told = async_mock_service(hass, "persistent_notification", "create")
    await set_up(hass, make_entry(meter, url))
    example = AUTOMATIONS["Hot water locked by the grid company"]
    assert await async_setup_component(hass, "automation", {"automation": example})
    await pass_time(hass, host_clock, 61)
    assert not told
    for is_open in (True, False):
        meter.switch_relay(1, is_open)
        await pass_time(hass, host_clock, 61)
    meter.add_fault("silence")
    await pass_time(hass, host_clock, 600)
    meter.clear_faults()
    await pass_time(hass, host_clock, 61)
    assert [call.data["message"] for call in told] == [
        "Locked by the grid company.",
        "Allowed again.",
    ]


async def test_tariff_automation(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, host_clock: DrivenClock
) -> None:
    """The automation tells when the tariff begins that it waits for, and no other."""
    told = async_mock_service(hass, "persistent_notification", "create")
    meter.set_tier(0)
    entry = await set_up(hass, make_entry(meter, url))
    example = for_device(AUTOMATIONS["Cheap tariff"], device_id(hass, entry))
    assert await async_setup_component(hass, "automation", {"automation": example})
    await pass_time(hass, host_clock, 60)
    for tier in (2, 1, 0):
        meter.set_tier(tier)
        await pass_time(hass, host_clock, 60)
    (call,) = told
    assert call.data["message"] == f"{entry.title} counts in tariff 2 now."
