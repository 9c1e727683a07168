"""What the tools that show something share: steps with a time limit, and a meter."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
import time
from typing import Any

import aiohttp

from .api import Api
from .process import Child, ToolError, cancel_on_signals

DOMAIN = "nes_mep"
KEY = "DemoKey-of-the-meter"
UNUSABLE = {"unavailable", "unknown"}
_AVERAGES = {
    f"{name}_power_{direction}{end}"
    for name, end in (
        ("interval", ""),
        ("last_interval", ""),
        ("month_peak", ""),
        ("month_peak", "_time"),
        ("month_mean_peak", ""),
    )
    for direction in ("import", "export")
}
WITHOUT_READING = {"import_history", "link", "meter_event", "resync", *_AVERAGES}
"""Keys of the entities that are unknown until something happens."""

type States = dict[str, dict[str, Any]]


def say(text: str = "") -> None:
    """Print a line now, even into a pipe."""
    print(text, flush=True)


class Stage:
    """The way of a tool through its steps, with the time that each took."""

    def __init__(self) -> None:
        """Start the clock."""
        self._started = time.monotonic()
        self.children: list[Child] = []

    @asynccontextmanager
    async def step(self, what: str, seconds: float) -> AsyncIterator[None]:
        """Do one step within this time, else raise ToolError."""
        say(f"\n[{time.monotonic() - self._started:5.1f} s] {what}")
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError:
            for child in self.children:
                child.check()
            raise ToolError(
                f'"{what}" was not done after {seconds:.0f} seconds.'
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            for child in self.children:
                child.check()
            raise ToolError(f'"{what}" failed: {error}') from error

    @property
    def seconds(self) -> float:
        """How long this has been going on."""
        return time.monotonic() - self._started


class Meter:
    """The meter as it shows in Home Assistant: a config entry and its entities."""

    def __init__(self, api: Api, entry_id: str, title: str) -> None:
        """Initialize with the config entry that the flow made."""
        self.api = api
        self.entry_id = entry_id
        self.title = title
        self._keys: dict[str, str] = {}

    async def learn_entities(self) -> None:
        """Wait until the entry is loaded and learn its enabled entities."""
        while (state := await self.api.entry_state(self.entry_id))[0] != "loaded":
            if state[0] in {"setup_error", "migration_error"}:
                raise ToolError(f"The meter could not be set up: {state[1]}.")
            await asyncio.sleep(0.2)
        entities = await self.api.entities(self.entry_id)
        self._keys = {
            entity["unique_id"].partition("_")[2]: entity_id
            for entity_id, entity in entities.items()
            if not entity["disabled_by"]
        }

    @property
    def entity_ids(self) -> Mapping[str, str]:
        """The enabled entities by key."""
        return self._keys

    def entity_id(self, key: str) -> str:
        """Return the entity of a register, by the key of the register."""
        if key not in self._keys:
            raise ToolError(f'The meter has no entity "{key}".')
        return self._keys[key]

    async def states(self) -> States:
        """Return the states of the meter's entities that have one all the time."""
        listed = await self.api.states()
        return {
            id_: listed[id_]
            for key, id_ in self._keys.items()
            if id_ in listed and key not in WITHOUT_READING
        }

    async def settled(self, is_enough: Callable[[States], bool]) -> States:
        """Poll the states until they are as they should be, and return them."""
        while True:
            states = await self.states()
            if is_enough(states):
                return states
            await asyncio.sleep(0.5)

    async def link_event(self, kind: str) -> None:
        """Wait until the link's event entity tells of this, and print what it tells."""
        entity_id = self.entity_id("link")
        while True:
            about = (await self.api.states())[entity_id]["attributes"]
            # It has none while its entry is reloaded.
            if about.get("event_type") == kind:
                break
            await asyncio.sleep(0.1)
        told = about.get("reason") or f"after {about['duration']} s"
        say(f"  {entity_id}: {kind} ({told})")


def all_usable(states: States) -> bool:
    """Tell whether every entity has a value."""
    return bool(states) and all(
        state["state"] not in UNUSABLE for state in states.values()
    )


async def perform(run: Callable[[Path], Awaitable[None]]) -> int:
    """Run a tool in an empty temporary folder and return the exit code.

    When it raises ToolError, that and the ends of the logs are printed.
    """
    cancel_on_signals()
    with TemporaryDirectory(prefix="nes_mep_") as folder:
        try:
            await run(Path(folder))
        except asyncio.CancelledError:
            say("\nStopped.")
            return 130
        except ToolError as error:
            say(f"\nFAILED: {error}")
            for log in ("simulator.log", "home/output.log"):
                show_tail(Path(folder) / log)
            return 1
    return 0


def show_tail(log: Path, lines: int = 40) -> None:
    """Print the end of a log file."""
    if log.exists():
        tail = log.read_text(errors="replace").splitlines()[-lines:]
        say(f"\n--- the end of {log.name} ---")
        say("\n".join(tail))
