"""A board in a real Home Assistant: added, read, and in trouble.

    scripts/setup board esphome
    .dev/board/bin/python -m tools.board_at_home [--encrypted]

The board is a program that ESPHome builds of esphome/dabbler.yaml for this machine, with
the simulated meter at its line, which is silent while ENABLE is off. The integrations
ESPHome and this one are set up as people do it. Then the board restarts in the middle of
a poll, is out of reach, has ENABLE switched off and, if it is encrypted, loses its key.
The meter has to be read again each time: by itself, or after what Home Assistant asks
for. For the encryption, ESPHome fetches a library.
"""

from argparse import ArgumentParser, Namespace
import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
import os
from pathlib import Path
from shutil import copytree
import sys
from tempfile import gettempdir
import time
from typing import Any

from .api import CONFIG_FLOWS, Api
from .esphome_proxy import KEY, Proxy, build, for_host, until
from .home_assistant import ROOT, home_assistant
from .process import free_port
from .simulator import LOCAL, Simulator, simulator
from .stage import DOMAIN, Meter, Stage, perform, say

BUILD_SECONDS = 600
SECONDS = 240  # for any other step
LOST_SECONDS = 60


@asynccontextmanager
async def enable_at(meter: Simulator, proxy: Proxy) -> AsyncIterator[None]:
    """Let the meter be silent while ENABLE is off."""

    async def follow() -> None:
        fault: object = None
        while True:
            is_on = proxy.enable()[-1:] == [True]
            if is_on and fault is not None:
                await meter.control("remove_fault", fault=fault)
                fault = None
            elif not is_on and fault is None:
                fault = await meter.control("add_fault", spec="silence")
            await asyncio.sleep(0.02)

    task = asyncio.create_task(follow())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _state(api: Api, entity_id: str) -> dict[str, Any]:
    state: dict[str, Any] = (await api.states())[entity_id]
    return state


async def read_again(api: Api, entity_id: str) -> None:
    """Wait until a poll has reported a reading, and print how long that took."""
    began = time.monotonic()
    was_unavailable = False
    before = (await _state(api, entity_id))["last_reported"]
    while True:
        state = await _state(api, entity_id)
        if state["state"] == "unavailable":
            was_unavailable = True
        elif state["state"] != "unknown" and state["last_reported"] > before:
            break
        await asyncio.sleep(0.2)
    meanwhile = "unavailable" if was_unavailable else "available"
    say(f"  read after {time.monotonic() - began:.1f} s, {meanwhile} meanwhile")


async def add_board(api: Api, port: int) -> str:
    """Add the board to ESPHome, and return the id of its ENABLE once it is connected."""
    added = await api.config_flow("esphome", {"host": LOCAL, "port": port})
    entry_id = added["result"]["entry_id"]
    while True:
        entities = await api.entities(entry_id)
        states = await api.states()
        for entity_id in entities:
            state = states.get(entity_id, {}).get("state")
            if entity_id.endswith("_enable") and state in {"on", "off"}:
                return entity_id
        await asyncio.sleep(0.2)


async def add_meter(api: Api) -> Meter:
    """Add the meter at the port that Home Assistant shows, and wait for its entities."""
    ports = await api.command("usb/list_serial_ports")
    [port] = [each["device"] for each in ports if "esphome" in each["device"]]
    say(f"  {port}")
    added = await api.config_flow(DOMAIN, {"port": port, "key": KEY})
    meter = Meter(api, added["result"]["entry_id"], added["title"])
    await meter.learn_entities()
    return meter


async def confirm_lost_key(api: Api) -> None:
    """Confirm what ESPHome asks after the board has lost its key."""
    while True:
        for flow in await api.command("config_entries/flow/progress"):
            if flow["handler"] == "esphome" and "entry_id" in flow["context"]:
                say(f"  ESPHome asks: {flow['step_id']}")
                path = f"{CONFIG_FLOWS}/{flow['flow_id']}"
                await api.request("POST", path, {})
                return
        await asyncio.sleep(0.5)


async def run(options: Namespace, folder: Path) -> None:
    """Build the board, add it, and let go wrong what does with boards."""
    stage = Stage()
    copytree(ROOT / "esphome", folder / "esphome")
    # ESPHome takes a port two levels deep, as in /dev/ttyUSB0, and no other.
    line = Path(gettempdir()) / f"nes_mep_{os.getpid()}"
    port = free_port()
    async with stage.step("ESPHome builds the board", BUILD_SECONDS):
        config = for_host(
            "dabbler",
            has_enable=True,
            api_port=port,
            line=line,
            encrypted=options.encrypted,
        )
        proxy = Proxy(await build(config, folder / "esphome"), folder, port)
    async with simulator(folder, key=KEY, device=line) as source:
        await proxy.start()
        try:
            async with (
                enable_at(source, proxy),
                home_assistant(folder / "home") as house,
            ):
                await play(stage, proxy, house.api, loses_key=options.encrypted)
        finally:
            await proxy.stop()
    say(f"\nDone in {stage.seconds:.0f} s.")


async def play(stage: Stage, proxy: Proxy, api: Api, *, loses_key: bool) -> None:
    """Go through the steps in a running Home Assistant."""
    async with stage.step("The board is added to ESPHome", SECONDS):
        enable = await add_board(api, proxy.port)
    async with stage.step("The meter is added at its port", SECONDS):
        energy = (await add_meter(api)).entity_id("energy_import")
        await read_again(api, energy)
    async with stage.step("The board restarts in the middle of a poll", SECONDS):
        await proxy.restart()
        await read_again(api, energy)
    async with stage.step(f"It is out of reach for {LOST_SECONDS} s", SECONDS):
        proxy.lose()
        try:
            await asyncio.sleep(LOST_SECONDS)
        finally:
            proxy.find()
        await read_again(api, energy)
    async with stage.step("ENABLE is switched off", SECONDS):
        await api.command(
            "call_service",
            domain="switch",
            service="turn_off",
            service_data={"entity_id": enable},
        )
        await until("ENABLE is off", lambda: not proxy.enable()[-1], proxy.process)
        await read_again(api, energy)
        say(f"  {enable}: {(await _state(api, enable))['state']}")
    if loses_key:
        async with stage.step("The board loses the key of the encryption", SECONDS):
            await proxy.restart(erased=True)
            await confirm_lost_key(api)
            await read_again(api, energy)


if __name__ == "__main__":
    parser = ArgumentParser(prog="python -m tools.board_at_home", description=__doc__)
    parser.add_argument(
        "--encrypted", action="store_true", help="with the encryption of the API"
    )
    sys.exit(asyncio.run(perform(partial(run, parser.parse_args()))))
