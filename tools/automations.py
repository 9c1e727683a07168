"""The automations of the integration at work, in a real Home Assistant.

Faults are injected into the simulated meter; automations made from the blueprints and
with the integration's triggers have to notice and to bring the readings back. The meter
is polled once an hour only, or when this asks for it, so that what is back sooner was
brought back by them. Ends with exit code 0 when everything worked.

    .dev/next/bin/python -m tools.automations
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
import sys
from typing import Any

from .api import Api
from .home_assistant import ROOT, home_assistant
from .process import ToolError
from .simulator import Simulator, simulator
from .stage import DOMAIN, KEY, Meter, Stage, all_usable, perform, say

BLUEPRINTS = ROOT / "blueprints" / "automation" / DOMAIN
SELDOM = 3600  # seconds between polls

# What users would write as a notification: its id, and what it says.
VARIABLES = {
    "link_failed": "{{ trigger.meter }}: {{ trigger.kind }}, {{ trigger.reason }}",
    "link_recovered": "{{ trigger.meter }}: after {{ trigger.duration }} s",
    "clock_drifted": "{{ trigger.meter }}: {{ trigger.drift }} s",
    "tariff_changed": "{{ trigger.meter }}: {{ trigger.from_tariff }} to "
    "{{ trigger.to_tariff }}",
}


class House:
    """A Home Assistant with a meter that has faults, and automations about it."""

    def __init__(self, api: Api, source: Simulator, meter: Meter) -> None:
        """Initialize with its contents."""
        self.api = api
        self.source = source
        self.meter = meter

    async def add_blueprint(self, name: str) -> None:
        """Import a blueprint, as the dialogue does when it has downloaded it."""
        text = (BLUEPRINTS / f"{name}.yaml").read_text()
        await self.api.command(
            "blueprint/save",
            domain="automation",
            path=f"{DOMAIN}/{name}.yaml",
            yaml=text,
        )
        listed = await self.api.command("blueprint/list", domain="automation")
        if "error" in (found := listed[f"{DOMAIN}/{name}.yaml"]):
            raise ToolError(f"Home Assistant refuses {name}: {found['error']}.")
        say(f'  "{found["metadata"]["name"]}"')

    async def add_automation(self, name: str, **config: object) -> None:
        """Save an automation, as the editor does, and see that it is on."""
        path = f"config/automation/config/{name}"
        await self.api.request("POST", path, {"alias": name, **config})
        state = await self.wait_for_state(f"automation.{name}", lambda _: True)
        if state["state"] != "on":
            raise ToolError(f"The automation {name} is {state['state']}.")
        say(f"  automation.{name}")

    async def use_blueprint(self, name: str, **inputs: object) -> None:
        """Make an automation from a blueprint."""
        path = f"{DOMAIN}/{name}.yaml"
        given = {"link": self.meter.entity_id("link"), **inputs}
        await self.add_automation(name, use_blueprint={"path": path, "input": given})

    async def use_trigger(
        self, name: str, target: dict[str, str], automation: str | None = None
    ) -> None:
        """Make an automation, called as the trigger, that tells when that fires."""
        automation = automation or name
        tell = {
            "action": "persistent_notification.create",
            "data": {"notification_id": automation, "message": VARIABLES[name]},
        }
        trigger = {"trigger": f"{DOMAIN}.{name}", "target": target}
        await self.add_automation(automation, triggers=[trigger], actions=[tell])

    async def read_now(self) -> None:
        """Let the meter be polled."""
        await self.api.command(
            "call_service",
            domain="homeassistant",
            service="update_entity",
            service_data={"entity_id": self.meter.entity_id("power_net")},
        )

    async def read_often(self) -> None:
        """Let the meter be polled until this is cancelled.

        What is read slowly may not be read with the next poll, but with one of them.
        """
        while True:
            await self.read_now()
            await asyncio.sleep(2)

    async def wait_for_state(
        self, entity_id: str, is_so: Callable[[dict[str, Any]], bool]
    ) -> dict[str, Any]:
        """Wait until an entity is as it should be and return its state."""
        while True:
            state = (await self.api.states()).get(entity_id)
            if state is not None and is_so(state):
                return state
            await asyncio.sleep(0.1)

    async def readings_are_back(self) -> None:
        """Wait until every entity has a value again."""
        await self.meter.settled(all_usable)
        say("  readings are back")

    async def fail(self, kind: str, *faults: str) -> None:
        """Inject faults, poll, and wait until the link fails in this way."""
        for fault in faults:
            await self.source.control("add_fault", spec=fault)
        await self.read_now()
        await self.meter.link_event(kind)

    async def notification(self, name: str) -> str:
        """Wait until there is a notification and return what it says."""
        while True:
            for found in await self.api.command("persistent_notification/get"):
                if found["notification_id"] == name:
                    message: str = found["message"]
                    return message
            await asyncio.sleep(0.1)

    async def no_notification(self, name: str) -> None:
        """Wait until there is no such notification."""
        while True:
            listed = await self.api.command("persistent_notification/get")
            if name not in {found["notification_id"] for found in listed}:
                return
            await asyncio.sleep(0.1)

    async def told(self, name: str) -> None:
        """Wait until the automation of a trigger has told, print that and clear it."""
        say(f"  {name} triggered: {await self.notification(name)}")
        await self.api.command(
            "call_service",
            domain="persistent_notification",
            service="dismiss",
            service_data={"notification_id": name},
        )

    async def resyncs(self, automation: str) -> int:
        """Wait until an automation is at rest; return its calls of the last run."""
        await self.wait_for_state(
            f"automation.{automation}", lambda state: not state["attributes"]["current"]
        )
        ids = {"domain": "automation", "item_id": automation}
        runs = await self.api.command("trace/list", **ids)
        trace = await self.api.command("trace/get", **ids, run_id=runs[-1]["run_id"])
        return sum(
            step.get("result", {}).get("params", {}).get("service") == "resync_clock"
            for steps in trace["trace"].values()
            for step in steps
        )

    async def expect_resyncs(self, automation: str, count: int) -> None:
        """See how often the last run of an automation has called the action."""
        if (found := await self.resyncs(automation)) != count:
            raise ToolError(
                f"automation.{automation} called resync_clock {found} times, "
                f"not {count}."
            )
        say(f"  automation.{automation} called {DOMAIN}.resync_clock: {count}")

    async def set_options(self, *, resync_automatically: bool) -> None:
        """Choose the options of the meter."""
        await self.api.options_flow(
            self.meter.entry_id,
            {
                "scan_interval": SELDOM,
                "recovery": {"resync_automatically": resync_automatically},
            },
        )
        await self.meter.learn_entities()
        await self.readings_are_back()


async def make_automations(house: House) -> None:
    """Make automations of all kinds."""
    for name in ("resync_on_error", "notify_when_resync_fails"):
        await house.add_blueprint(name)
    await house.use_blueprint("resync_on_error", pause=1, tries=2)
    await house.use_blueprint("notify_when_resync_fails", patience={"seconds": 5})
    entities = await house.api.entities(house.meter.entry_id)
    device_id = entities[house.meter.entity_id("link")]["device_id"]
    for name in VARIABLES:
        await house.use_trigger(name, {"device_id": device_id})


async def meet_sequence_faults(house: House) -> None:
    """Let the meter refuse sequence numbers for longer than the client insists."""
    await house.fail("invalid_sequence", "refuse:code=0x0C")
    await house.told("link_failed")
    await house.source.control("clear_faults")
    await house.readings_are_back()
    await house.meter.link_event("recovered")
    await house.told("link_recovered")
    await house.expect_resyncs("resync_on_error", 1)


async def meet_another_key(house: House) -> None:
    """Let the meter have another key for a while."""
    right = house.source.key.encode()[:16].hex()
    wrong = b"not that one now".hex()
    await house.fail("authentication_failure", f"change_key:new_key={wrong}")
    await house.told("link_failed")
    await house.source.control("add_fault", spec=f"change_key:new_key={right}")
    await house.readings_are_back()
    await house.told("link_recovered")
    await house.expect_resyncs("resync_on_error", 1)


async def meet_silence(house: House) -> None:
    """Let the meter be silent for longer than is tried."""
    link = f"{DOMAIN}_{house.meter.entity_id('link')}"
    await house.fail("no_reply", "silence")
    await house.told("link_failed")
    say(f"  notification: {await house.notification(link)}")
    await house.expect_resyncs("resync_on_error", 2)
    await house.source.control("clear_faults")
    await house.read_now()
    await house.readings_are_back()
    await house.told("link_recovered")
    await house.no_notification(link)
    say("  notification dismissed")


async def meet_clock_and_tariff(house: House) -> None:
    """Let the meter's clock go wrong and its tariff change; no entity shows them."""
    await house.source.control("clock_offset", seconds=-300)
    await house.source.control("tier", tier=2)
    async with asyncio.TaskGroup() as tasks:
        polls = tasks.create_task(house.read_often())
        await house.told("clock_drifted")
        await house.told("tariff_changed")
        polls.cancel()


async def heal_without_automations(house: House) -> None:
    """Let the integration mend the link by itself."""
    await house.set_options(resync_automatically=True)
    for name in ("resync_on_error", "notify_when_resync_fails"):
        await house.api.command(
            "call_service",
            domain="automation",
            service="turn_off",
            service_data={"entity_id": f"automation.{name}"},
        )
    await house.fail("invalid_sequence", "refuse:code=0x0C")
    await house.source.control("clear_faults")
    await house.readings_are_back()
    await house.meter.link_event("recovered")
    # The triggers have survived the reload that new options bring.
    await house.told("link_failed")
    await house.told("link_recovered")


STEPS: tuple[tuple[str, float, Callable[[House], Awaitable[None]]], ...] = (
    ("Making automations from the blueprints and triggers", 30, make_automations),
    ("The clock goes wrong, and the tariff changes", 20, meet_clock_and_tariff),
    ("Every request is answered with 0x0C", 30, meet_sequence_faults),
    ("The meter has another key for a while", 30, meet_another_key),
    ("The meter is silent, whatever is tried", 60, meet_silence),
    (
        "Every request is answered with 0x0C, without blueprints",
        40,
        heal_without_automations,
    ),
)


async def check_log(api: Api) -> None:
    """Raise ToolError when Home Assistant has logged an exception of the integration."""
    found = [line for line in await api.log() if DOMAIN in line["exception"]]
    if found:
        raise ToolError(f"Home Assistant logged exceptions: {found}.")
    say("  no exceptions")


async def run(folder: Path) -> None:
    """Go through the steps in an empty folder."""
    stage = Stage()
    async with AsyncExitStack() as stack:
        async with stage.step("Starting the simulated meter and Home Assistant", 180):
            source = await stack.enter_async_context(
                simulator(folder, key=KEY, device=folder / "meter")
            )
            stage.children.append(source.process)
            home = await stack.enter_async_context(home_assistant(folder / "home"))
            stage.children.append(home.process)
            version = (await home.api.request("GET", "config"))["version"]
            say(f"  Home Assistant {version}")

        async with stage.step("Adding the meter, to be polled once an hour", 60):
            entry = await home.api.config_flow(
                DOMAIN, {"port": source.port, "key": source.key}
            )
            meter = Meter(home.api, entry["result"]["entry_id"], entry["title"])
            await meter.learn_entities()
            house = House(home.api, source, meter)
            await house.set_options(resync_automatically=False)

        for what, seconds, act in STEPS:
            async with stage.step(what, seconds):
                await act(house)

        async with stage.step("Reading Home Assistant's log", 30):
            await check_log(home.api)
        say(f"\nEverything worked, in {stage.seconds:.0f} seconds.")


if __name__ == "__main__":
    sys.exit(asyncio.run(perform(run)))
