"""`scripts/demo`: a simulated meter in a real Home Assistant, step by step.

Nothing is mocked: the meter is a process behind a paced line, Home Assistant is
another process, and everything is asked of it the way its own pages ask.
"""

from argparse import ArgumentParser, Namespace
import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from functools import partial
import json
from pathlib import Path
import sys
from typing import Any, Final

from .api import Api
from .home_assistant import PASSWORD, USER, home_assistant
from .process import ToolError, first_to_end
from .simulator import READ_KEY, Simulator, simulator
from .stage import DOMAIN, KEY, UNUSABLE, Meter, Stage, States, all_usable, perform, say

SCAN_INTERVAL = 5  # seconds
FAULT_SECONDS = 15

#: The field bug that this project exists for: the codes that real meters answer with
#: to reads of whole tables.
FIELD_BUG = {0x0B: "authentication failure", 0x0C: "invalid sequence number"}


def table(states: States, before: States | None = None) -> str:
    """Draw the entities with their states, and what changed since before."""
    rows = []
    for entity_id, state in sorted(states.items()):
        unit = state["attributes"].get("unit_of_measurement", "")
        name = state["attributes"].get("friendly_name", "")
        rows.append((entity_id, name, f"{state['state']} {unit}", ""))
        if before and entity_id in before:
            rows[-1] = (*rows[-1][:3], _change(before[entity_id], state))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        f"  {row[0]:{widths[0]}}  {row[1]:{widths[1]}}  {row[2]:>{widths[2]}}  "
        f"{row[3]:>{widths[3]}}".rstrip()
        for row in rows
    )


def _change(before: dict[str, Any], now: dict[str, Any]) -> str:
    """Return the difference of two states as text, empty when there is none."""
    try:
        difference = float(now["state"]) - float(before["state"])
    except ValueError:
        return "" if before["state"] == now["state"] else f"was {before['state']}"
    return f"{difference:+.3f}" if difference else ""


async def set_up_energy_dashboard(meter: Meter) -> None:
    """Give the Energy dashboard the meter as its grid connection."""
    source = {
        "type": "grid",
        "stat_energy_from": meter.entity_id("energy_import"),
        "stat_energy_to": meter.entity_id("energy_export"),
        "stat_rate": meter.entity_id("power_net"),
        "stat_cost": None,
        "entity_energy_price": None,
        "number_energy_price": None,
        "stat_compensation": None,
        "entity_energy_price_export": None,
        "number_energy_price_export": None,
        "cost_adjustment_day": 0,
    }
    await meter.api.command("energy/save_prefs", energy_sources=[source])
    say(f"  grid import {source['stat_energy_from']}")
    say(f"  grid export {source['stat_energy_to']}")
    say(f"  grid power  {source['stat_rate']}")
    found = await meter.api.command("energy/validate")
    issues = {issue["type"] for group in found["energy_sources"] for issue in group}
    # The statistics themselves begin with the first five minutes.
    if issues - {"statistics_not_defined"}:
        raise ToolError(f"The Energy dashboard does not like that: {issues}.")


async def show_growth(meter: Meter) -> None:
    """Print the entities twice, ten seconds apart, and see energy grow."""
    before = await meter.settled(all_usable)
    say(table(before))
    say("\n  ... 10 seconds later:\n")
    await asyncio.sleep(10)

    def has_grown(states: States) -> bool:
        return any(
            float(states[id_]["state"]) > float(before[id_]["state"])
            for id_ in map(meter.entity_id, ("energy_import", "energy_export"))
        )

    # A house that draws little at night needs longer for a watt-hour.
    say(table(await meter.settled(has_grown), before))


def _values(states: States, entity_ids: list[str]) -> tuple[str, ...]:
    """Return the states of some entities."""
    return tuple(states[id_]["state"] for id_ in entity_ids)


async def live_through_field_bug(meter: Meter, source: Simulator, code: int) -> None:
    """Refuse reads of whole tables, and one of a part, and see readings go on.

    Raises ToolError when an entity has no value meanwhile or nothing new comes.
    """
    for number in ("BT23", "BT28"):
        await source.control(
            "add_fault", spec=f"refuse:table={number},request_code=0x30,code={code}"
        )
    await source.control("add_fault", spec=f"refuse:table=BT28,code={code},times=1")
    refused_before = await refusals(source, code)
    # A house at rest draws the same for a while; the voltage always moves a little.
    watched = [meter.entity_id(key) for key in ("power_net", "voltage_l1")]
    seen = [_values(await meter.states(), watched)]
    for _ in range(FAULT_SECONDS):
        await asyncio.sleep(1)
        states = await meter.states()
        if not all_usable(states):
            lost = [id_ for id_ in states if states[id_]["state"] in UNUSABLE]
            raise ToolError(f"These have no value while refused: {', '.join(lost)}.")
        if (values := _values(states, watched)) != seen[-1]:
            seen.append(values)
    refused = await refusals(source, code) - refused_before
    await source.control("clear_faults")
    for id_, values in zip(watched, zip(*seen, strict=True), strict=True):
        say(f"  {id_}, in {FAULT_SECONDS} s: {' -> '.join(values)}")
    say(f"  refused by the meter meanwhile: {refused}; entities without a value: 0")
    if len(seen) < 2:
        raise ToolError("No new reading came while the meter refused.")


async def live_through_outage(meter: Meter, source: Simulator) -> None:
    """Refuse everything for longer than a poll, and see the readings come back."""
    await source.control("add_fault", spec="refuse:code=0x0C")
    await meter.link_event("invalid_sequence")
    await source.control("clear_faults")
    await meter.link_event("recovered")
    await meter.settled(all_usable)


async def live_through_damage(meter: Meter, source: Simulator) -> None:
    """Damage replies at the optical port, lose a session, and see readings go on.

    Raises ToolError when an entity has no value meanwhile.
    """
    before = await source.control("optical_statistics")
    await source.control("optical_add_fault", spec="refuse:code=0x0A,times=1")
    for second in range(FAULT_SECONDS):
        if second % 3 == 0:
            await source.control("optical_add_fault", spec="corrupt:times=1")
        await asyncio.sleep(1)
        states = await meter.states()
        if not all_usable(states):
            lost = [id_ for id_ in states if states[id_]["state"] in UNUSABLE]
            raise ToolError(f"These have no value meanwhile: {', '.join(lost)}.")
    after = await source.control("optical_statistics")
    await source.control("optical_clear_faults")
    for what in ("requests", "repetitions", "sessions"):
        say(f"  {what} meanwhile: {after.get(what, 0) - before.get(what, 0)}")
    say(f"  entities without a value: 0; wrong keys: {after['refused_keys']}")
    if after["sessions"] == before["sessions"]:
        raise ToolError("No new session began.")


async def live_without_head(meter: Meter, source: Simulator) -> None:
    """Take the head off for longer than a poll, and see the readings come back."""
    await source.control("optical_head", attached=False)
    await meter.link_event("no_reply")
    await source.control("optical_head", attached=True)
    await meter.link_event("recovered")
    await meter.settled(all_usable)


type Trouble = Callable[[Meter, Simulator], Awaitable[None]]

HARMLESS: Final[Mapping[str, Mapping[str, Trouble]]] = {
    "mep": {
        f"The meter refuses reads of whole tables with 0x{code:02X} ({name})": partial(
            live_through_field_bug, code=code
        )
        for code, name in FIELD_BUG.items()
    },
    "optical": {"Replies are damaged, and a session ends": live_through_damage},
}
"""What an owner does not notice, by the port of the meter."""
OUTAGES: Final[Mapping[str, Mapping[str, Trouble]]] = {
    "mep": {"The meter refuses everything for a while": live_through_outage},
    "optical": {"The head is taken off the meter for a while": live_without_head},
}
"""What an owner does notice."""


async def refusals(source: Simulator, code: int) -> int:
    """Return how often the simulated meter has answered with this code."""
    codes = (await source.control("statistics"))["reply_codes"]
    return sum(count for reply, count in codes.items() if int(reply, 16) == code)


async def check_log(api: Api) -> None:
    """Raise ToolError when Home Assistant has a warning about the integration."""
    found = [
        f"{line['level']} [{line['name']}] {' '.join(line['message'])}"
        for line in await api.log()
        if DOMAIN in json.dumps(line)
        # "not been tested by Home Assistant": it says so of every custom integration.
        and line["name"] != "homeassistant.loader"
    ]
    if found:
        raise ToolError("Home Assistant logged:\n  " + "\n  ".join(found))
    say("  nothing about this integration")


async def run(options: Namespace, folder: Path) -> None:
    """Run the demo in an empty folder; unless it is to end, until it is cancelled."""
    demo = Stage()
    async with AsyncExitStack() as stack:
        is_optical = options.link == "optical"
        async with demo.step("Starting the simulated meter, at 9600 baud", 30):
            source = await stack.enter_async_context(
                simulator(
                    folder,
                    key=READ_KEY if is_optical else KEY,
                    device=folder / "meter" if options.pty else None,
                    profile=options.profile,
                    link=options.link,
                )
            )
            demo.children.append(source.process)
            about = await source.control("info")
            say(f"  meter {about['serial_number']} on {source.port}")

        async with demo.step("Starting Home Assistant, with a new owner", 180):
            house = await stack.enter_async_context(home_assistant(folder / "home"))
            demo.children.append(house.process)
            version = (await house.api.request("GET", "config"))["version"]
            say(f"  Home Assistant {version} on {house.url}")

        async with demo.step("Adding the meter through the config flow", 60):
            entry = await house.api.config_flow(
                DOMAIN,
                {"port": source.port, "key": source.key, "meter_port": options.link},
            )
            meter = Meter(house.api, entry["result"]["entry_id"], entry["title"])
            await meter.learn_entities()
            say(f'  added as "{meter.title}"')

        async with demo.step(
            f"Setting the interval to {SCAN_INTERVAL} s (options)", 60
        ):
            await house.api.options_flow(
                meter.entry_id, {"scan_interval": SCAN_INTERVAL}
            )
            await meter.learn_entities()

        async with demo.step("Setting up the Energy dashboard", 30):
            await set_up_energy_dashboard(meter)

        async with demo.step("Reading the meter", 120):
            await show_growth(meter)

        async with demo.step("Calling nes_mep.resync_clock", 30):
            answer = await house.api.action(
                DOMAIN, "resync_clock", config_entry_id=meter.entry_id
            )
            say("  " + json.dumps(answer, indent=2).replace("\n", "\n  "))

        for what, live_through in HARMLESS[options.link].items():
            async with demo.step(what, 60):
                await live_through(meter, source)

        async with demo.step("Reading Home Assistant's log", 30):
            await check_log(house.api)

        # Home Assistant logs this one, rightly.
        for what, live_through in OUTAGES[options.link].items():
            async with demo.step(what, 240):
                await live_through(meter, source)

        say(f"\nEverything worked, in {demo.seconds:.0f} seconds.")
        if not options.once:
            say(f"\nOpen {house.url}  (user {USER}, password {PASSWORD})")
            say("Ctrl-C ends the demo and removes it.")
            try:
                await first_to_end(*demo.children)
            except asyncio.CancelledError:
                say("\nEnding ...")


def parse(arguments: list[str]) -> Namespace:
    """Read the command line."""
    parser = ArgumentParser(prog="scripts/demo", description=__doc__)
    parser.add_argument(
        "--once", action="store_true", help="end after the steps instead of staying up"
    )
    line = parser.add_mutually_exclusive_group()
    line.add_argument(
        "--tcp", action="store_true", help="reach the meter over TCP (the default)"
    )
    line.add_argument("--pty", action="store_true", help="reach it as a serial device")
    parser.add_argument("--profile", default="gen3", help="kind of meter (gen3)")
    parser.add_argument(
        "--link",
        choices=("mep", "optical"),
        default="mep",
        help="port of the meter (mep)",
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(asyncio.run(perform(partial(run, parse(sys.argv[1:])))))
