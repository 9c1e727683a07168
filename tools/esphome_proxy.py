"""A serial proxy of esphome/, built for this machine, with a meter and our client.

What ESPHome calls its host platform runs the very component that boards run: the UART
is a pseudo terminal with the simulated meter at its other end, and the pins are lines
in its log.
"""

import asyncio
from collections.abc import Callable, Mapping
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

_RTS_PIN = f"""
    rts_pin:
      number: {_PIN}
      ignore_strapping_warning: !remove
"""
_ON_HOST = """\
packages:
  board: !include {board}.yaml
esphome:
  name: proxy
  name_add_mac_suffix: false
esp32: !remove
esp8266: !remove
host:
logger:
  level: VERBOSE
  baud_rate: !remove
improv_serial: !remove
wifi: !remove
captive_portal: !remove
ota: !remove
dashboard_import: !remove
status_led: !remove
api:
  port: {port}
  # The library for that is not part of ESPHome's package.
  encryption: !remove
uart:
  port: {line}
  tx_pin: !remove
  rx_pin: !remove
  rx_buffer_size: !remove
  tx_buffer_size: !remove
sensor:
  - id: !remove signal_strength
serial_proxy:
  - id: !extend meter_port{rts_pin}
"""


def for_host(board: str, *, has_enable: bool, api_port: int, line: Path) -> str:
    """Return the configuration of a board for this machine, which has a line for it."""
    rts_pin = _RTS_PIN if has_enable else ""
    return _ON_HOST.format(board=board, port=api_port, line=line, rts_pin=rts_pin)


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


async def build(config: str, folder: Path) -> Path:
    """Build a proxy in a folder like esphome/ and return the program.

    What boards have in common is built once.
    """
    (folder / "host.yaml").write_text(config)
    log = folder / "build.log"
    command = (str(Path(sys.executable).with_name("esphome")), "compile", "host.yaml")
    compiler = await Child.start("ESPHome", *command, log=log, cwd=folder)
    async with stopped_at_exit(compiler), asyncio.timeout(BUILD_SECONDS):
        if await compiler.ended():
            raise ToolError(f"{log.read_text()}\nThe proxy could not be built.")
    found = re.search(r"to path '([^']+)'", log.read_text())
    if not found:
        raise ToolError(f"{log.read_text()}\nWhere is the program?")
    return Path(found[1])


def client_only(folder: Path) -> Path:
    """Return a folder that has the client as a package, and nothing else.

    Beside it in the integration is a calendar.py, which would stand in for Python's own.
    """
    packages = folder / "client"
    packages.mkdir(exist_ok=True)
    link = packages / "osgp"
    if not link.is_symlink():
        link.symlink_to(ROOT / "custom_components" / "nes_mep" / "osgp")
    return packages


async def read_through_proxy(
    board: str, proxy_config: Mapping[str, Any], folder: Path
) -> None:
    """Read a simulated meter through the proxy of a board, and let it fall silent.

    ENABLE has to be driven when the port is opened, and dropped for a moment when the
    meter stays silent. Raises ToolError.
    """
    api_port = free_port()
    # ESPHome takes a port two levels deep, as in /dev/ttyUSB0, and no other.
    line = Path(gettempdir()) / f"nes_mep_{os.getpid()}"
    has_enable = "rts_pin" in proxy_config
    program = await build(
        for_host(board, has_enable=has_enable, api_port=api_port, line=line), folder
    )
    name = quote(proxy_config["name"])
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
                    "PYTHONPATH": str(client_only(folder)),
                },
            )
            async with stopped_at_exit(client):
                await _until(
                    "The meter is read",
                    lambda: any("readings" in poll for poll in _polls(readings)),
                    *(proxy, client),
                )
                if not has_enable:
                    return
                # Once for each time that the port was opened.
                opened = _enable(log)
                if not opened or not all(opened):
                    raise ToolError(f"ENABLE went {opened}, not on.")
                fault = await meter.control("add_fault", spec="silence")
                await _until(
                    "The silent port is restarted",
                    lambda: _enable(log)[len(opened) :][:2] == [False, True],
                    *(proxy, client),
                )
                await meter.control("remove_fault", fault=fault)
                before = len(_polls(readings))
                await _until(
                    "The meter is read again",
                    lambda: any("readings" in p for p in _polls(readings)[before:]),
                    *(proxy, client),
                )
