"""A serial proxy of esphome/, built for this machine, with a meter and our client.

What ESPHome calls its host platform runs the very component that boards run: the UART
is a pseudo terminal with the simulated meter at its other end, and the pins are lines
in its log.
"""

import asyncio
from collections.abc import Callable
import json
import os
from pathlib import Path
import re
import sys
from tempfile import gettempdir
from typing import Any
from urllib.parse import quote

from .process import Child, ToolError, free_port, stopped_at_exit
from .simulator import LOCAL, ROOT, simulator

KEY = "Key-behind-ESPHome"
BUILD_SECONDS = 600
READ_SECONDS = 60
_PIN = 5
"""Any: this machine has no pins, and only logs what became of them."""


def for_host(board: dict[str, Any], api_port: int, line: Path) -> dict[str, Any]:
    """Return the configuration of a board for this machine, which has a line for it."""
    [proxy] = board["serial_proxy"]
    inverted = proxy["rts_pin"]["inverted"]
    uart = {
        key: value
        for key, value in board["uart"].items()
        if key in {"id", "baud_rate", "data_bits", "parity", "stop_bits"}
    }
    return {
        "substitutions": board["substitutions"],
        "esphome": {"name": "proxy"},
        "host": {},
        "logger": {"level": "VERBOSE"},
        # Unencrypted: the library for that is not part of ESPHome's package.
        "api": {"port": api_port},
        "uart": {**uart, "port": str(line)},
        "serial_proxy": [{**proxy, "rts_pin": {"number": _PIN, "inverted": inverted}}],
    }


def _enable(log: Path) -> list[bool]:
    """Return what became of ENABLE, which is inverted, after the proxy's start."""
    levels = re.findall(rf"Setting pin {_PIN} to (HIGH|LOW)", log.read_text())
    return [level == "LOW" for level in levels][1:]


async def _until(what: str, done: Callable[[], bool], *children: Child) -> None:
    """Wait until something is so; raise ToolError if it takes too long."""
    try:
        async with asyncio.timeout(READ_SECONDS):
            while not done():
                for child in children:
                    child.check()
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise ToolError(f"{what}: not within {READ_SECONDS} s.") from None


def _polls(log: Path) -> list[dict[str, Any]]:
    """Return what the client has printed so far, one poll each."""
    return [
        json.loads(line) for line in log.read_text().splitlines() if line[:1] == "{"
    ]


async def _build(config: dict[str, Any], folder: Path) -> Path:
    """Build a proxy and return the program."""
    (folder / "host.yaml").write_text(json.dumps(config))
    log = folder / "build.log"
    command = (str(Path(sys.executable).with_name("esphome")), "compile", "host.yaml")
    build = await Child.start("ESPHome", *command, log=log, cwd=folder)
    async with stopped_at_exit(build), asyncio.timeout(BUILD_SECONDS):
        if await build.ended():
            raise ToolError(f"{log.read_text()}\nThe proxy could not be built.")
    found = re.search(r"to path '([^']+)'", log.read_text())
    if not found:
        raise ToolError(f"{log.read_text()}\nWhere is the program?")
    return Path(found[1])


async def read_through_proxy(board: dict[str, Any], folder: Path) -> None:
    """Read a simulated meter through the proxy of a board, and let it fall silent.

    ENABLE has to be driven when the port is opened, and dropped for a moment when the
    meter stays silent. Raises ToolError.
    """
    api_port = free_port()
    # ESPHome takes a port two levels deep, as in /dev/ttyUSB0, and no other.
    line = Path(gettempdir()) / f"nes_mep_{os.getpid()}"
    program = await _build(for_host(board, api_port, line), folder)
    name = quote(board["serial_proxy"][0]["name"])
    log = folder / "proxy.log"
    readings = folder / "readings.log"
    async with simulator(folder, key=KEY, device=line) as meter:
        proxy = await Child.start("The proxy", str(program), log=log, cwd=folder)
        async with stopped_at_exit(proxy):
            await _until(
                "The proxy starts", lambda: "setup()" in log.read_text(), proxy
            )
            client = await Child.start(
                "The client",
                *(sys.executable, "-P", "-m", "osgp.cli", "--json"),
                *("--port", f"esphome://{LOCAL}:{api_port}/?port_name={name}"),
                *("watch", "--interval", "1"),
                log=readings,
                cwd=ROOT,
                environment={
                    "MEP_KEY": KEY,
                    "PYTHONPATH": str(ROOT / "custom_components" / "nes_mep"),
                },
            )
            async with stopped_at_exit(client):
                await _until(
                    "The meter is read",
                    lambda: any("readings" in poll for poll in _polls(readings)),
                    *(proxy, client),
                )
                if _enable(log) != [True]:
                    raise ToolError(f"ENABLE went {_enable(log)}, not on.")
                fault = await meter.control("add_fault", spec="silence")
                await _until(
                    "The silent port is restarted",
                    lambda: _enable(log)[:3] == [True, False, True],
                    *(proxy, client),
                )
                await meter.control("remove_fault", fault=fault)
                before = len(_polls(readings))
                await _until(
                    "The meter is read again",
                    lambda: any("readings" in p for p in _polls(readings)[before:]),
                    *(proxy, client),
                )
