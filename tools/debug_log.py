"""All that the integration does in a real Home Assistant, with every line of its log.

Each trigger fires for each kind of target, each action answers, and each flow is gone
through, with everything logged. Then the log must hold no exception, no report of wrong
or deprecated use, no warning that is not explained, and not the key. Ends with exit code
0 when it does not.

    .dev/next/bin/python -m tools.debug_log
"""

from argparse import ArgumentParser, Namespace
import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack
from functools import partial
import json
from pathlib import Path
import re
import shutil
import sys
from typing import Final, override

from .automations import VARIABLES, House, meet_clock_and_tariff
from .furnish import device_of, give_past
from .home_assistant import home_assistant
from .process import ToolError
from .simulator import simulator
from .stage import DOMAIN, KEY, UNUSABLE, Meter, Stage, perform, say

PROFILE: Final = "mbus"
WITHOUT_MBUS: Final = "gen3_demand"
AREA: Final = "kitchen"
TARGETS: Final = ("device", "entity", "area")
OPTIONS: Final = {"scan_interval": 5, "recovery": {"resync_automatically": True}}
OTHER_KEY: Final = "Other-key-of-a-meter"

SECRET: Final = "|".join(
    form for key in (KEY[:16], OTHER_KEY[:16]) for form in (key, key.encode().hex())
)
"""What no record of the log may hold: a key, or its bytes as hex digits."""

SUSPICIOUS: Final = (
    rf"Detected .*{DOMAIN}",
    rf'File ".*/{DOMAIN}/',
    rf"^\S+ \S+ (WARNING|ERROR|CRITICAL) .*{DOMAIN}",
)
"""What tells of wrong or deprecated use, of exceptions, errors and warnings."""

EXPECTED: Final = (
    # Home Assistant says so of every integration that is not its own.
    r"WARNING .* We found a custom integration",
    # The meter is made to fail: each outage is logged once, and why.
    r"ERROR .*\.coordinator\] (Error|Authentication failed while) fetching",
    r"DEBUG .*\.coordinator\] Full error:",
    r"WARNING .*\.slow_readings\] .* is missing: The meter refuses the key",
)


def is_any(patterns: Iterable[str], text: str) -> bool:
    """Return whether one of the patterns is found."""
    return any(re.search(pattern, text) for pattern in patterns)


class Tour(House):
    """A house in which everything of the integration is used once."""

    async def make_automations(self) -> None:
        """Make automations with each trigger, for a device, an entity and an area."""
        device_id = await device_of(self.meter)
        update = "config/device_registry/update"
        await self.api.command(update, device_id=device_id, area_id=AREA)
        ids = (device_id, self.meter.entity_id("link"), AREA)
        for kind, id_ in zip(TARGETS, ids, strict=True):
            for name in VARIABLES:
                target = {f"{kind}_id": id_}
                await self.use_trigger(name, target, f"{name}_{kind}")

    @override
    async def readings_are_back(self) -> None:
        """Wait until there are readings again; some entities have none for years."""
        power = self.meter.entity_id("power_net")
        await self.wait_for_state(power, lambda state: state["state"] not in UNUSABLE)
        say("  readings are back")

    @override
    async def told(self, name: str) -> None:
        """Wait until a trigger has fired for each kind of target."""
        for kind in TARGETS:
            await super().told(f"{name}_{kind}")

    async def let_link_fail(self) -> None:
        """Let the link fail and recover."""
        await self.fail("invalid_sequence", "refuse:code=0x0C")
        await self.told("link_failed")
        await self.source.control("clear_faults")
        await self.told("link_recovered")

    async def ask_everything(self) -> None:
        """Perform each action, for the device and for the entry."""
        entry_id = self.meter.entry_id
        for meter in (
            {"device_id": await device_of(self.meter)},
            {"config_entry_id": entry_id},
        ):
            for name, data in (
                ("resync_clock", {}),
                ("read_events", {"count": 5}),
                ("read_table", {"table": "BT23"}),
                ("read_table", {"table": "ET04", "offset": 2, "count": 4}),
            ):
                answer = await self.api.action(DOMAIN, name, **meter, **data)
                say(f"  {name} {meter} {data}: {len(answer)} facts")

    async def import_past(self) -> None:
        """Import some days of the past, as soon as that can be done."""
        await give_past(self.meter, self.source)

    async def download_diagnostics(self) -> None:
        """Download the diagnostics, which must not hold the key."""
        path = f"diagnostics/config_entry/{self.meter.entry_id}"
        found = await self.api.request("GET", path)
        text = json.dumps(found)
        if re.search(SECRET, text):
            raise ToolError("The diagnostics hold the key.")
        say(f"  {len(text)} characters, {len(found['data']['tables'])} tables")

    async def reconfigure(self) -> None:
        """Give the meter another mode of security, and the former one again."""
        for security in ("rc4", "digest"):
            await self.api.reconfigure(
                DOMAIN,
                self.meter.entry_id,
                {"port": self.source.port, "security": security},
            )
            await self.meter.learn_entities()
            await self.readings_are_back()

    async def renew_key(self) -> None:
        """Let the meter have another key for good, and enter it when asked to."""
        key = OTHER_KEY.encode()[:16].hex()
        await self.source.control("add_fault", spec=f"change_key:new_key={key}")
        await self.api.reauthenticate(self.meter.entry_id, {"key": OTHER_KEY})
        await self.meter.learn_entities()
        await self.readings_are_back()

    async def change_meter(self) -> None:
        """Let the meter get another configuration, which has no M-Bus meters."""
        api, entry_id = self.api, self.meter.entry_id
        await self.source.control("change_profile", profile=WITHOUT_MBUS)
        issue = f"layout_changed_{entry_id}"
        while issue not in await api.issues(DOMAIN):
            await self.read_now()
            await asyncio.sleep(1)
        await api.fix_issue(DOMAIN, issue, {})
        if found := await api.issues(DOMAIN):
            raise ToolError(f"There are issues left: {found}.")
        own = await device_of(self.meter)
        for device in await api.command("config/device_registry/list"):
            if entry_id in device["config_entries"] and device["id"] != own:
                await api.command(
                    "config/device_registry/remove", device_id=device["id"]
                )
                say(f"  removed the device {device['name']}")

    async def leave(self) -> None:
        """Reload, disable, enable and remove the entry."""
        entry_id = self.meter.entry_id
        path = f"config/config_entries/entry/{entry_id}"
        await self.api.request("POST", f"{path}/reload")
        await self.meter.learn_entities()
        for disabled_by in ("user", None):
            await self.api.command(
                "config_entries/disable", entry_id=entry_id, disabled_by=disabled_by
            )
        await self.meter.learn_entities()
        await self.readings_are_back()
        await self.api.request("DELETE", path)


STEPS: Final = (
    ("Making automations with each trigger and target", 300, Tour.make_automations),
    ("The clock goes wrong, and the tariff changes", 300, meet_clock_and_tariff),
    ("The link fails and recovers", 300, Tour.let_link_fail),
    ("Performing actions", 300, Tour.ask_everything),
    ("Downloading diagnostics", 300, Tour.download_diagnostics),
    ("Importing the past", 900, Tour.import_past),
    ("Reconfiguring", 300, Tour.reconfigure),
    ("The meter gets another key", 300, Tour.renew_key),
    ("The meter gets another configuration", 300, Tour.change_meter),
    ("Reloading, disabling, enabling and removing", 300, Tour.leave),
)


async def set_up(tour: Tour, **history: bool) -> None:
    """Enable every entity, and set the options."""
    for entity_id, entity in (await tour.api.entities(tour.meter.entry_id)).items():
        if entity["disabled_by"]:
            await tour.api.command(
                "config/entity_registry/update", entity_id=entity_id, disabled_by=None
            )
    options = {**OPTIONS, "history": history}
    await tour.api.options_flow(tour.meter.entry_id, options)
    await tour.meter.learn_entities()


def check_log(log: Path) -> None:
    """Raise ToolError for what the log must not hold."""
    records = re.split(r"(?m)^(?=\d{4}-\d\d-\d\d )", log.read_text(errors="replace"))
    say(f"  {len(records)} records")
    found = [
        record.rstrip()
        for record in records
        if re.search(SECRET, record)
        or (is_any(SUSPICIOUS, record) and not is_any(EXPECTED, record))
    ]
    if found:
        raise ToolError("The log holds\n  " + "\n  ".join(found))
    say("  nothing about this integration that is not meant to be there")


async def run(options: Namespace, folder: Path) -> None:
    """Go through the steps in an empty folder."""
    stage, home = Stage(), folder / "home"
    async with AsyncExitStack() as stack:
        async with stage.step("Starting the meters and Home Assistant", 300):
            meters = [
                await stack.enter_async_context(meter)
                for meter in (
                    simulator(
                        folder,
                        key=KEY,
                        device=folder / "meter",
                        profile=PROFILE,
                        baud=115200,
                    ),
                    simulator(
                        folder, key=KEY, profile="gen4", baud=115200, requires_tls=True
                    ),
                )
            ]
            house = await stack.enter_async_context(
                home_assistant(home, level="debug", others="debug")
            )
            stage.children += [house.process, *(meter.process for meter in meters)]
        tours = []
        async with stage.step("Adding a meter, and one that requires TLS", 300):
            for source in meters:
                entry = await house.api.config_flow(
                    DOMAIN, {"port": source.port, "key": source.key}
                )
                meter = Meter(house.api, entry["result"]["entry_id"], entry["title"])
                await meter.learn_entities()
                tours.append(Tour(house.api, source, meter))
            tour, secure = tours
            # An action would wait for minutes until the past of months is imported.
            await set_up(tour, import_history=False)
            await set_up(secure, import_history=True)
        for what, seconds, act in STEPS:
            async with stage.step(what, seconds):
                await act(tour)
        async with stage.step("The one that requires TLS", 300):
            await secure.ask_everything()
            await secure.download_diagnostics()
            await secure.leave()
        left = [path.name for path in home.glob(f".storage/{DOMAIN}.*")]
        if left:
            raise ToolError(f"These files are left of removed entries: {left}.")
        await house.process.stop()
        async with stage.step("Searching the log", 300):
            if options.keep:
                shutil.copy(house.process.log, options.keep)
            check_log(house.process.log)
        say(f"\nEverything worked, in {stage.seconds:.0f} seconds.")


if __name__ == "__main__":
    parser = ArgumentParser(prog="python -m tools.debug_log", description=__doc__)
    parser.add_argument("--keep", type=Path, metavar="FILE", help="copy the log here")
    sys.exit(asyncio.run(perform(partial(run, parser.parse_args()))))
