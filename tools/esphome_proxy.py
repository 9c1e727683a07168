"""A serial proxy of esphome/, built for this machine, with a meter and our client.

What ESPHome calls its host platform runs the very component that boards run: the UART
is a pseudo terminal with the simulated meter at its other end, and the pins are lines
in its log.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
import json
import os
from pathlib import Path
import re
from shutil import rmtree
import signal
import sys
from tempfile import gettempdir
from typing import Any
from urllib.parse import quote

from aioesphomeapi import APIClient  # type: ignore[import-not-found]

from .process import Child, ToolError, free_port, stopped_at_exit
from .simulator import LOCAL, ROOT, Simulator, simulator

ESPHOME = ROOT / ".dev" / "esphome" / "bin" / "esphome"
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
  encryption: {encryption}
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


def for_host(
    board: str, *, has_enable: bool, api_port: int, line: Path, encrypted: bool = False
) -> str:
    """Return the configuration of a board for this machine, which has a line for it."""
    return _ON_HOST.format(
        board=board,
        port=api_port,
        # ESPHome fetches the library for it.
        encryption="" if encrypted else "!remove",
        line=line,
        rts_pin=_RTS_PIN if has_enable else "",
    )


async def until(what: str, done: Callable[[], bool], *children: Child) -> None:
    """Wait until something is so; raise ToolError if it takes too long."""
    try:
        async with asyncio.timeout(READ_SECONDS):
            while not done():
                for child in children:
                    child.check()
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise ToolError(f"{what}: not within {READ_SECONDS} s.") from None


async def build(config: str, folder: Path) -> Path:
    """Build a proxy in a folder like esphome/ and return the program.

    What boards have in common is built once.
    """
    (folder / "host.yaml").write_text(config)
    log = folder / "build.log"
    compiler = await Child.start(
        "ESPHome", str(ESPHOME), "compile", "host.yaml", log=log, cwd=folder
    )
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


class Proxy:
    """A board's proxy as a program of this machine, which can restart and get lost."""

    def __init__(self, program: Path, folder: Path, port: int) -> None:
        """Initialize with the program and the port of its API."""
        self._program = program
        self._folder = folder
        self.port = port
        self.log = folder / "proxy.log"

    async def start(self) -> None:
        """Start it, with a new log, and wait until it has its pins."""
        self.process = await Child.start(
            "The proxy",
            str(self._program),
            log=self.log,
            cwd=self._folder,
            # Where it keeps what a board keeps in its flash.
            environment={"HOME": str(self._folder)},
        )
        await until(
            "The proxy starts", lambda: "setup()" in self.log.read_text(), self.process
        )

    def enable(self) -> list[bool]:
        """Return what became of ENABLE, which is inverted, after the start."""
        levels = re.findall(rf"Setting pin {_PIN} to (HIGH|LOW)", self.log.read_text())
        return [level == "LOW" for level in levels][1:]

    async def restart(self, *, erased: bool = False) -> None:
        """End it without a word, as a board that loses its supply, and start it."""
        self.process.kill()
        await self.process.ended()
        if erased:
            rmtree(self._folder / ".esphome" / "prefs")
        await self.start()

    async def stop(self) -> None:
        """End it."""
        await self.process.stop()

    def lose(self) -> None:
        """Let it answer nothing, as a board that is out of reach."""
        os.killpg(self.process.pid, signal.SIGSTOP)

    def find(self) -> None:
        """Let it go on."""
        os.killpg(self.process.pid, signal.SIGCONT)

    async def switch_enable_off(self) -> None:
        """Switch ENABLE off as Home Assistant does."""
        client = APIClient(LOCAL, self.port, None)
        await client.connect(login=True)
        try:
            entities, _ = await client.list_entities_services()
            [switch] = [entity for entity in entities if entity.name == "ENABLE"]
            client.switch_command(switch.key, state=False)
            await until("ENABLE is off", lambda: not self.enable()[-1], self.process)
        finally:
            await client.disconnect()


class Reader:
    """The client, which polls the meter each second."""

    def __init__(self, log: Path, process: Child) -> None:
        """Initialize with what it prints and its process."""
        self._log = log
        self.process = process

    @property
    def polls(self) -> list[dict[str, Any]]:
        """What it has printed so far, one poll each."""
        lines = self._log.read_text().splitlines()
        return [json.loads(line) for line in lines if line[:1] == "{"]

    async def until_poll(self, what: str, kind: str, proxy: Proxy) -> None:
        """Wait for a poll that came to "readings" or "error"."""
        before = len(self.polls)
        await until(
            what,
            lambda: any(kind in poll for poll in self.polls[before:]),
            *(proxy.process, self.process),
        )


async def _disturb(proxy: Proxy, reader: Reader, meter: Simulator) -> None:
    """Let go wrong what does with boards; the client has to read again each time."""
    # Once for each time that the port was opened.
    opened = proxy.enable()
    if not opened or not all(opened):
        raise ToolError(f"ENABLE went {opened}, not on.")
    fault = await meter.control("add_fault", spec="silence")
    await until(
        "The silent port is restarted",
        lambda: proxy.enable()[len(opened) :][:2] == [False, True],
        *(proxy.process, reader.process),
    )
    await meter.control("remove_fault", fault=fault)
    await reader.until_poll("The meter is read again", "readings", proxy)

    await proxy.restart()
    await reader.until_poll("Read after a restart of the board", "readings", proxy)

    proxy.lose()
    try:
        await reader.until_poll("The board is missed", "error", proxy)
    finally:
        proxy.find()
    await reader.until_poll("Read when the board is back", "readings", proxy)

    await proxy.switch_enable_off()
    fault = await meter.control("add_fault", spec="silence")
    await until(
        "ENABLE is on again", lambda: proxy.enable()[-1], proxy.process, reader.process
    )
    await meter.control("remove_fault", fault=fault)
    await reader.until_poll("Read when ENABLE is on", "readings", proxy)


async def read_through_proxy(
    board: str, proxy_config: Mapping[str, Any], folder: Path
) -> None:
    """Read a simulated meter through the proxy of a board, in trouble if it has ENABLE.

    ENABLE has to be driven when the port is opened, and dropped for a moment when the
    meter stays silent. Raises ToolError.
    """
    port = free_port()
    # ESPHome takes a port two levels deep, as in /dev/ttyUSB0, and no other.
    line = Path(gettempdir()) / f"nes_mep_{os.getpid()}"
    has_enable = "rts_pin" in proxy_config
    config = for_host(board, has_enable=has_enable, api_port=port, line=line)
    proxy = Proxy(await build(config, folder), folder, port)
    name = quote(proxy_config["name"])
    readings = folder / "readings.log"
    async with AsyncExitStack() as stack:
        meter = await stack.enter_async_context(simulator(folder, key=KEY, device=line))
        await proxy.start()
        stack.push_async_callback(proxy.stop)
        client = await Child.start(
            "The client",
            *(sys.executable, "-P", "-m", "osgp.cli", "--json"),
            *("--port", f"esphome://{LOCAL}:{port}/?port_name={name}"),
            *("watch", "--interval", "1"),
            log=readings,
            cwd=ROOT,
            environment={"MEP_KEY": KEY, "PYTHONPATH": str(client_only(folder))},
        )
        await stack.enter_async_context(stopped_at_exit(client))
        reader = Reader(readings, client)
        await reader.until_poll("The meter is read", "readings", proxy)
        if has_enable:
            await _disturb(proxy, reader, meter)
