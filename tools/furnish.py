"""A house that is lived in, for pictures: statistics, an automation, things that happen."""

import asyncio
from datetime import UTC, datetime, timedelta
import json
import math
import re
from typing import Any, Final

import yaml  # type: ignore[import-untyped]

from .api import Api
from .home_assistant import ROOT
from .process import ToolError
from .simulator import Simulator
from .stage import DOMAIN, Meter, all_usable, say

AUTOMATION: Final = "meter_link"

TRIGGER: Final = "link_failed"

DAYS: Final = 31  # of the past

VOLTAGE_DAYS: Final = 4

DASHBOARD: Final = "smart-meter"

ENERGIES: Final = ("energy_import", "energy_export")

TARIFF: Final = "active_tariff"
TIERS: Final = (1, 0, 2)  # one after the other


async def device_of(meter: Meter) -> str:
    """Return the id of the meter's device."""
    devices = await meter.api.command("config/device_registry/list")
    device_id: str = next(
        device["id"] for device in devices if meter.entry_id in device["config_entries"]
    )
    return device_id


async def statistics_begun(meter: Meter) -> None:
    """Wait until the recorder has statistics of what a meter counts.

    It adds to them every five minutes.
    """
    entity_ids = [meter.entity_id(key) for key in ENERGIES]
    while True:
        begun = await meter.api.command(
            "recorder/statistics_during_period",
            start_time=(datetime.now(UTC) - timedelta(hours=1)).isoformat(),
            statistic_ids=entity_ids,
            period="5minute",
            types=["sum"],
        )
        if begun.keys() == set(entity_ids):
            return
        await asyncio.sleep(5)


async def give_past(meter: Meter, _: Simulator) -> None:
    """Import what the meter remembers, once the recorder has begun its statistics."""
    await statistics_begun(meter)
    answer = await meter.api.action(
        DOMAIN,
        "import_history",
        config_entry_id=meter.entry_id,
        start=(datetime.now(UTC) - timedelta(days=DAYS)).isoformat(),
    )
    say(f"  {json.dumps(answer)}")


async def give_voltages(meter: Meter, _: Simulator) -> None:
    """Give the recorder some days of voltages: the meter does not remember them."""
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    for phase in (1, 2, 3):
        rows = []
        for back in range(24 * VOLTAGE_DAYS, 0, -1):
            start = now - timedelta(hours=back)
            mean = 231 + phase + 4 * math.cos(math.tau * (start.hour - 3 * phase) / 24)
            rows.append(
                {
                    "start": start.isoformat(),
                    "mean": mean,
                    "min": mean - 2 - back % 3,
                    "max": mean + 2 + back % 2,
                }
            )
        await meter.api.command(
            "recorder/import_statistics",
            metadata={
                "statistic_id": meter.entity_id(f"voltage_l{phase}"),
                "source": "recorder",
                "unit_of_measurement": "V",
                "unit_class": "voltage",
                "has_sum": False,
                "mean_type": 1,
                "name": None,
            },
            stats=rows,
        )


async def add_dashboard(meter: Meter, source: Simulator) -> None:
    """Add the dashboard of docs/dashboard.yaml, with what it shows."""
    await enable_tariff(meter)
    await give_voltages(meter, source)
    await give_past(meter, source)
    await meter.api.command(
        "lovelace/dashboards/create",
        url_path=DASHBOARD,
        title="Smart meter",
        icon="mdi:meter-electric",
        mode="storage",
        require_admin=False,
        show_in_sidebar=True,
    )
    await meter.api.command(
        "lovelace/config/save", url_path=DASHBOARD, config=dashboard(meter)
    )
    await meter.settled(all_usable)


def dashboard(meter: Meter) -> dict[str, Any]:
    """Return the dashboard of docs/dashboard.yaml for this meter.

    Raises ToolError when it names an entity that the meter does not have enabled.
    """
    name = meter.entity_id("energy_import").removeprefix("sensor.")
    text = (ROOT / "docs" / "dashboard.yaml").read_text()
    text = text.replace("smart_meter", name.removesuffix("_energy_import"))
    named = set(re.findall(r"entity: (\S+)", text))
    if missing := named - set(meter.entity_ids.values()):
        raise ToolError(f"The dashboard names {', '.join(sorted(missing))}.")
    config: dict[str, Any] = yaml.safe_load(text)
    return config


async def add_automation(meter: Meter, _: Simulator) -> None:
    """Add an automation with a trigger and an action of the integration."""
    device_id = await device_of(meter)
    await meter.api.request(
        "POST",
        f"config/automation/config/{AUTOMATION}",
        {
            "alias": "Resync the meter when its link fails",
            "description": "",
            "mode": "single",
            "triggers": [
                {
                    "trigger": f"{DOMAIN}.{TRIGGER}",
                    "target": {"entity_id": [meter.entity_id("link")]},
                    "options": {"kind": ["authentication_failure", "invalid_sequence"]},
                }
            ],
            "conditions": [],
            "actions": [
                {
                    "action": f"{DOMAIN}.resync_clock",
                    "data": {"device_id": [device_id]},
                }
            ],
        },
    )


async def live(meter: Meter, source: Simulator) -> None:
    """Let the device have an automation, and something happen: the tariff changes."""
    await add_automation(meter, source)
    await enable_tariff(meter)
    for tier in TIERS:
        await switch_tariff(meter, source, tier)


async def enable_tariff(meter: Meter) -> None:
    """Enable the entity of the tariff; Home Assistant adds it half a minute later."""
    api = meter.api
    found: list[str] = []
    # It exists once the meter was asked for its tariff.
    while not found:
        await asyncio.sleep(1)
        found = [
            entity_id
            for entity_id, entity in (await api.entities(meter.entry_id)).items()
            if entity["unique_id"].endswith(f"_{TARIFF}")
        ]
    await api.command(
        "config/entity_registry/update", entity_id=found[0], disabled_by=None
    )
    await meter.learn_entities()


async def switch_tariff(meter: Meter, source: Simulator, tier: int) -> None:
    """Switch the tariff by hand and wait until Home Assistant knows."""
    entity_id = meter.entity_id(TARIFF)
    await source.control("tier", tier=tier)
    # Tariffs are counted from 1.
    await meter.settled(
        lambda states: (
            entity_id in states and states[entity_id]["state"] == str(tier + 1)
        )
    )


async def ignore_issues(api: Api) -> None:
    """Ignore what is only about how this Home Assistant was started."""
    for issue in (await api.command("repairs/list_issues"))["issues"]:
        if issue["domain"] != DOMAIN:
            await api.command(
                "repairs/ignore_issue",
                domain=issue["domain"],
                issue_id=issue["issue_id"],
                ignore=True,
            )
