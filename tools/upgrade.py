"""An upgrade from an older revision in a real Home Assistant: nothing may get lost.

The old revision is set up with meters of several kinds and used for a while. Then the
new one starts with what the old one has left, and has to find everything in place:
entities, options, stored files, statistics and automations. Ends with exit code 0 when
it did.

    .dev/next/bin/python -m tools.upgrade --from REVISION [--over] [--quick]
"""

from argparse import ArgumentParser, Namespace
import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from io import BytesIO
import json
from pathlib import Path
import shutil
import subprocess
import sys
import tarfile
import time
from typing import Any, Final, Self

from tests.simulator.catalogue import EVERY_PROFILE
from tests.truth import Truth, parsed

from .automations import VARIABLES, House, meet_clock_and_tariff
from .home_assistant import INTEGRATION, ROOT, HomeAssistant, home_assistant
from .process import ToolError
from .simulator import Simulator, simulator
from .stage import (
    DOMAIN,
    KEY,
    UNUSABLE,
    WITHOUT_READING,
    Meter,
    Stage,
    States,
    perform,
    say,
)

type Sums = dict[str, list[dict[str, Any]]]
"""Hourly statistics, by the id of the entity."""

STORED: Final = f".storage/{DOMAIN}."
HISTORY_SECONDS: Final = 1200  # until the first look at the past, mostly 300 to 600

OPTIONS: Final = {
    "scan_interval": 4,
    "recovery": {"resync_automatically": False},
    "history": {"import_history": True},
}
CHOSEN: Final = {"name": "My own name", "icon": "mdi:flash", "area_id": "kitchen"}

MOVING: Final = {"clock_drift", "history_progress", "last_reply_time"}
"""Keys of what moves although the meter's time stands still."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of meter, and how it is set up."""

    profile: str
    security: str
    is_device: bool = False

    @property
    def key(self) -> str:
        """The key of the meter; one that is used in TLS cannot be used in another mode."""
        return f"{self.security}-{KEY}"[:20]


METERS: Final = (
    # A short past: months of it would take a quarter of an hour.
    Kind(profile="lp_tiny", security="digest", is_device=True),
    Kind(profile="gen4", security="tls"),
    Kind(profile="mbus_log", security="digest"),
    Kind(profile="ct", security="rc4"),  # the one that falls silent
)


@dataclass(frozen=True, slots=True)
class Owned:
    """A meter that somebody owns: the simulated one, and as Home Assistant has it."""

    kind: Kind
    source: Simulator
    meter: Meter

    def now_in(self, house: HomeAssistant) -> Self:
        """Return it as another Home Assistant has it."""
        meter = Meter(house.api, self.meter.entry_id, self.meter.title)
        return replace(self, meter=meter)

    async def wrong(self, states: States) -> dict[str, str]:
        """Return the states that are missing or not true, by key."""
        raw = await self.source.control("truth")
        truth = Truth(EVERY_PROFILE[self.kind.profile], raw).everything
        wrong: dict[str, str] = {}
        for key, entity_id in self.meter.entity_ids.items():
            if key in WITHOUT_READING:
                continue
            if (state := states.get(entity_id)) is None:
                wrong[key] = "missing"
                continue
            shown = state["state"]
            if key not in truth:
                is_true = shown != "unavailable"
            else:
                is_true = shown not in UNUSABLE and (
                    parsed(entity_id, state["attributes"], shown) == truth[key]
                )
            if not is_true:
                wrong[key] = f"{shown}, not {truth.get(key, 'anything')}"
        return wrong


# The old and the new revision


def unpack(revision: str, folder: Path) -> Path:
    """Return the integration of a revision, or of another tree if it is a folder."""
    inside = INTEGRATION.relative_to(ROOT)
    if (found := Path(revision) / inside).is_dir():
        return found
    packed = subprocess.run(
        ["git", "archive", "--format=tar", revision, str(inside)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout
    with tarfile.open(fileobj=BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return folder / inside


def install(integration: Path, home: Path, *, over: bool = False) -> None:
    """Copy an integration into a configuration, in place of or over the one there."""
    installed = home / "custom_components" / DOMAIN
    if not over:
        shutil.rmtree(installed, ignore_errors=True)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(integration, installed, ignore=ignored, dirs_exist_ok=True)


# What an owner does


async def add(house: HomeAssistant, kind: Kind, source: Simulator) -> Owned:
    """Add a meter through the config flow and choose what differs from the defaults."""
    chosen = {"security": kind.security}
    entry = await house.api.config_flow(
        DOMAIN, {"port": source.port, "key": source.key, "advanced": chosen}
    )
    meter = Meter(house.api, entry["result"]["entry_id"], entry["title"])
    await meter.learn_entities()
    update = partial(house.api.command, "config/entity_registry/update")
    for entity_id, entity in (await house.api.entities(meter.entry_id)).items():
        # The counters of the link stay off.
        if entity["disabled_by"] and "_link_" not in entity["unique_id"]:
            await update(entity_id=entity_id, disabled_by=None)
    voltage = meter.entity_id("voltage_l1")
    await update(entity_id=meter.entity_id("voltage_l3"), disabled_by="user")
    await update(
        entity_id=voltage,
        new_entity_id=f"sensor.mine_{kind.profile}",
        options_domain="sensor",
        options={"display_precision": 3},
        **CHOSEN,
    )
    await house.api.options_flow(meter.entry_id, OPTIONS)
    await meter.learn_entities()
    say(f"  {meter.title}: {kind.profile}, {kind.security}, {source.port}")
    return Owned(kind, source, meter)


async def automate(house: House) -> None:
    """Make automations with each trigger, and with an action."""
    entities = await house.api.entities(house.meter.entry_id)
    device_id = entities[house.meter.entity_id("link")]["device_id"]
    for name in VARIABLES:
        await house.use_trigger(name, {"device_id": device_id})
    target = {"entity_id": house.meter.entity_id("link")}
    resync = {"action": f"{DOMAIN}.resync_clock", "target": {"device_id": device_id}}
    await house.add_automation(
        "resync",
        triggers=[{"trigger": f"{DOMAIN}.link_failed", "target": target}],
        actions=[resync],
    )


# What has to be as it was


async def settled_truth(owned: list[Owned]) -> dict[str, str]:
    """Stop the meters' time, wait until all states are true, and return them."""
    for each in owned:
        await each.source.control("freeze")
        path = f"config/config_entries/entry/{each.meter.entry_id}/reload"
        await each.meter.api.request("POST", path)
        await each.meter.learn_entities()
    shown: dict[str, str] = {}
    for each in owned:
        wrong: dict[str, str] = {}
        try:
            async with asyncio.timeout(60):
                while True:
                    states = await each.meter.states()
                    if not (wrong := await each.wrong(states)):
                        break
                    await asyncio.sleep(0.5)
        except TimeoutError:
            raise ToolError(f"{each.meter.title} shows {wrong}.") from None
        say(f"  {each.meter.title}: {len(states)} states, all true")
        shown |= {
            id_: states[id_]["state"]
            for key, id_ in each.meter.entity_ids.items()
            if id_ in states and key not in MOVING
        }
    return shown


async def sums(meter: Meter) -> Sums:
    """Return the hourly statistics of what was imported and exported."""
    found: Sums = await meter.api.command(
        "recorder/statistics_during_period",
        start_time="2020-01-01T00:00:00+00:00",
        statistic_ids=[
            meter.entity_id(key) for key in ("energy_import", "energy_export")
        ],
        period="hour",
        types=["state", "sum"],
    )
    say(f"  hours with statistics: {sum(map(len, found.values()))}")
    return found


def stored(home: Path) -> dict[str, Any]:
    """Return what is stored about the integration, by file or by id in a registry."""
    storage = home / ".storage"

    def items(name: str, kind: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads((storage / name).read_text())["data"][
            kind
        ]
        # When it was written last says nothing about what is registered.
        return [item | {"modified_at": None} for item in found]

    entries = {
        entry["entry_id"]: entry
        for entry in items("core.config_entries", "entries")
        if entry["domain"] == DOMAIN
    }
    return {
        **entries,
        **{
            entity["unique_id"]: entity
            for entity in items("core.entity_registry", "entities")
            if entity["platform"] == DOMAIN
        },
        **{
            device["id"]: device
            for device in items("core.device_registry", "devices")
            if device["config_entry_id"] in entries
        },
        **{path.name: lasting(path) for path in storage.glob(f"{DOMAIN}.*")},
    }


def lasting(path: Path) -> dict[str, Any]:
    """Return what a file of the integration holds, but for what time changes in it."""
    document: dict[str, Any] = json.loads(path.read_text())
    data = document["data"]
    data.pop("silent_since", None)
    if path.suffix == ".history":
        document["data"] = sorted(data)
    return document


def compare(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Raise ToolError when something has gone or changed; say what has come."""
    if came := sorted(after.keys() - before.keys()):
        say(f"  new: {', '.join(came)}")
    differences = [
        f"{name}: {value} -> {after.get(name)}"
        for name, value in sorted(before.items())
        if not is_kept(value, after.get(name))
    ]
    if differences:
        raise ToolError("These differ:\n  " + "\n  ".join(differences))


def is_kept(before: object, after: object) -> bool:
    """Return whether a value is the same, or has more keys than before."""
    if isinstance(before, dict) and isinstance(after, dict):
        return all(is_kept(each, after.get(key)) for key, each in before.items())
    return before == after


def compare_sums(before: Sums, after: Sums) -> None:
    """Raise ToolError when rows have changed; new ones may have come."""
    compare(before, {id_: after[id_][: len(rows)] for id_, rows in before.items()})


async def silence_stored(home: Path, meter: Meter) -> None:
    """Wait until it is stored that a meter is silent."""
    path = home / f"{STORED}{meter.entry_id}.memory"
    while True:
        if path.exists() and "silent_since" in path.read_text():
            return
        await asyncio.sleep(0.5)


def backdate_silence(home: Path, meter: Meter) -> None:
    """Let the silence of a meter have begun two days ago, as far as is stored."""
    path = home / f"{STORED}{meter.entry_id}.memory"
    document = json.loads(path.read_text())
    since = datetime.fromisoformat(document["data"]["silent_since"])
    document["data"]["silent_since"] = (since - timedelta(days=2)).isoformat()
    path.write_text(json.dumps(document))


async def history_looked_through(home: Path, meter: Meter, since: float) -> None:
    """Wait until the integration has looked for the past of a meter."""
    marks = home / f"{STORED}{meter.entry_id}.history"
    while True:
        if marks.exists() and marks.stat().st_mtime > since:
            break
        await asyncio.sleep(1)
    keys = json.loads(marks.read_text())["data"].keys()
    say(f"  {meter.title}: {len(keys)} energies looked through")


async def check_log(house: HomeAssistant, silent: Meter) -> None:
    """Raise ToolError for a warning about the integration, but for the silent meter."""
    found = [
        f"{line['level']} [{line['name']}] {' '.join(line['message'])}"
        for line in await house.api.log()
        if DOMAIN in json.dumps(line)
        and line["name"] != "homeassistant.loader"
        and silent.title not in json.dumps(line)
    ]
    if found:
        raise ToolError("Home Assistant logged:\n  " + "\n  ".join(found))
    say("  nothing about this integration")


async def expect_issues(house: HomeAssistant, *expected: str) -> None:
    """Wait until the repair issues of the integration are these."""
    found: list[str] = []
    try:
        async with asyncio.timeout(60):
            while True:
                if (found := await house.api.issues(DOMAIN)) == [*expected]:
                    break
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise ToolError(f"The issues are {found}, not {expected}.") from None
    say(f"  repair issues: {', '.join(expected) or 'none'}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What Home Assistant shows at one moment: states, hourly sums, the last event."""

    states: dict[str, str]
    sums: Sums
    link: str

    @classmethod
    async def now(cls, house: HomeAssistant, owned: list[Owned]) -> Self:
        """Return what is shown now, once all of it is true."""
        states = await settled_truth(owned)
        link = owned[0].meter.entity_id("link")
        return cls(
            states=states,
            sums=await sums(owned[0].meter),
            link=(await house.api.states())[link]["state"],
        )


async def use_old(
    stage: Stage, house: HomeAssistant, sources: list[Simulator]
) -> list[Owned]:
    """Do with the old revision what an owner does."""
    async with stage.step("Adding meters", 300):
        owned = [
            await add(house, kind, source)
            for kind, source in zip(METERS, sources, strict=True)
        ]
    mine = owned[0]
    async with stage.step("Adding automations", 300):
        await automate(House(house.api, mine.source, mine.meter))
    async with stage.step("Letting a link fail and recover", 300):
        await mine.source.control("add_fault", spec="refuse:code=0x0C")
        await mine.meter.link_event("invalid_sequence")
        await mine.source.control("clear_faults")
        await mine.meter.link_event("recovered")
    return owned


async def end_silence(house: HomeAssistant, silent: Owned) -> None:
    """See that a silence is known from before, and end it."""
    issue = f"port_silent_{silent.meter.entry_id}"
    await expect_issues(house, issue)
    await silent.source.control("clear_faults")
    await house.api.fix_issue(DOMAIN, issue, {})
    await expect_issues(house)


async def run_automations(house: House) -> None:
    """See that the automations are on and run."""
    for name in (*VARIABLES, "resync"):
        await house.wait_for_state(
            f"automation.{name}", lambda state: state["state"] == "on"
        )
    await meet_clock_and_tariff(house)
    await house.fail("invalid_sequence", "refuse:code=0x0C")
    await house.told("link_failed")
    await house.source.control("clear_faults")
    await house.told("link_recovered")


async def run(options: Namespace, folder: Path) -> None:
    """Use the old revision, then the new one."""
    stage, home = Stage(), folder / "home"
    async with AsyncExitStack() as stack:
        async with stage.step(f"Installing {options.revision}", 300):
            install(unpack(options.revision, folder / "old"), home)
            sources = [
                await stack.enter_async_context(
                    simulator(
                        folder,
                        key=kind.key,
                        device=folder / kind.profile if kind.is_device else None,
                        profile=kind.profile,
                        baud=115200,
                        requires_tls=kind.security == "tls",
                    )
                )
                for kind in METERS
            ]
            stage.children += [source.process for source in sources]

        async with AsyncExitStack() as old:
            async with stage.step("Starting Home Assistant", 300):
                house = await old.enter_async_context(home_assistant(home))
            owned = await use_old(stage, house, sources)
            silent = owned[-1]
            if not options.quick:
                async with stage.step("Waiting for the past", HISTORY_SECONDS):
                    await history_looked_through(home, owned[0].meter, 0)
            async with stage.step("Comparing the states with the meters", 300):
                before = await Shown.now(house, owned)
            async with stage.step(f"{silent.meter.title} falls silent", 300):
                await silent.source.control("add_fault", spec="silence")
                await silence_stored(home, silent.meter)

        stored_before = stored(home)
        backdate_silence(home, silent.meter)
        install(INTEGRATION, home, over=options.over)

        async with stage.step("Starting Home Assistant with the new revision", 300):
            house = await stack.enter_async_context(home_assistant(home))
            stage.children.append(house.process)
            owned = [each.now_in(house) for each in owned]
            mine, silent = owned[0], owned[-1]
        async with stage.step("Reading that a meter has been silent for days", 300):
            await end_silence(house, silent)
        async with stage.step("Comparing the states with the meters", 300):
            after = await Shown.now(house, owned)
            compare(before.states, after.states)
            compare({"link": before.link}, {"link": after.link})
            compare_sums(before.sums, after.sums)
        async with stage.step("Reading Home Assistant's log", 30):
            await check_log(house, silent.meter)
        for each in owned:
            await each.source.control("thaw")
        async with stage.step("Letting automations run", 300):
            await run_automations(House(house.api, mine.source, mine.meter))
        if not options.quick:
            async with stage.step("Waiting for the past", HISTORY_SECONDS):
                await history_looked_through(home, mine.meter, time.time())
                compare_sums(before.sums, await sums(mine.meter))
        await expect_issues(house)
        async with stage.step("Comparing what is stored", 300):
            await house.process.stop()
            compare(stored_before, stored(home))
        say(f"\nEverything is in place, in {stage.seconds:.0f} seconds.")


if __name__ == "__main__":
    parser = ArgumentParser(prog="python -m tools.upgrade", description=__doc__)
    add_argument = parser.add_argument
    add_argument(
        "--from",
        dest="revision",
        required=True,
        help="the old revision, as git names it, or a folder with another tree",
    )
    add_argument(
        "--over",
        action="store_true",
        help="copy the new files over the old ones, as by hand, not in place of them",
    )
    add_argument(
        "--quick", action="store_true", help="do not wait for the import of the past"
    )
    sys.exit(asyncio.run(perform(partial(run, parser.parse_args()))))
