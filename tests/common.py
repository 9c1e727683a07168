"""What the tests of the integration share: entries, polls and states."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.nes_mep.const import DOMAIN
from homeassistant.const import STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant, StateMachine
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util

from .driven_clock import DrivenClock
from .simulator import Exchange, SimulatedMeter, table_name
from .values import KEY


def make_entry(meter: SimulatedMeter, port: str, **options: object) -> MockConfigEntry:
    """Return the entry that the config flow makes for a meter, with these options."""
    serial_number = meter.profile.serial_number
    return MockConfigEntry(
        domain=DOMAIN,
        title=f"{meter.profile.model} {serial_number}",
        unique_id=serial_number,
        data={"port": port, "key": KEY},
        options=options,
    )


async def set_up(hass: HomeAssistant, entry: MockConfigEntry) -> MockConfigEntry:
    """Add an entry to Home Assistant, set it up and return it."""
    entry.add_to_hass(hass)
    # Where the simulated meters stand.
    await hass.config.async_set_time_zone("Europe/Copenhagen")
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    return entry


async def poll(hass: HomeAssistant, seconds: float = 11) -> None:
    """Let time pass, by default so much that the meter is polled once."""
    async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=seconds))
    await hass.async_block_till_done(wait_background_tasks=True)


async def begin_poll(hass: HomeAssistant, meter: SimulatedMeter) -> None:
    """Let time pass until a poll has begun and the meter was asked something."""
    asked = asyncio.Event()
    exchange = meter.exchange

    def spy(message: bytes) -> Exchange:
        asked.set()
        return exchange(message)

    with patch.object(meter, "exchange", spy):
        async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=11))
        await asked.wait()


async def pass_time(
    hass: HomeAssistant, host_clock: DrivenClock, seconds: float
) -> None:
    """Poll once, so many seconds after the last time."""
    host_clock.move(seconds)
    await poll(hass)


_LOAD_PROFILE = {"BT61", "BT62", "BT63", "BT64", "ET21"}


def tables(meter: SimulatedMeter, since: int) -> list[str]:
    """Return the names of the tables that were asked for, but for the first requests.

    The load profile, which is read once an interval of the tariff, is left out.
    """
    return [
        name
        for request in list(meter.requests)[since:]
        if request.table is not None
        if (name := table_name(request.table)) not in _LOAD_PROFILE
    ]


def entity_ids(hass: HomeAssistant, entry: MockConfigEntry) -> dict[str, str]:
    """Return the ids of an entry's entities, disabled ones too, by key."""
    return {
        entity.unique_id.removeprefix(f"{entry.unique_id}_"): entity.entity_id
        for entity in er.async_entries_for_config_entry(
            er.async_get(hass), entry.entry_id
        )
    }


async def disable_all_but(
    hass: HomeAssistant, entry: MockConfigEntry, keys: set[str]
) -> None:
    """Let the user disable all entities of an entry but some, and the link problem."""
    registry = er.async_get(hass)
    for key, entity_id in entity_ids(hass, entry).items():
        if key not in keys | {"link_problem"}:
            registry.async_update_entity(
                entity_id, disabled_by=er.RegistryEntryDisabler.USER
            )
    await hass.async_block_till_done()
    assert states(hass, entry).keys() == keys | {"link_problem"}


_ABOUT_ITSELF = {"history_progress", "link"}
"""What says nothing of the meter, and is unknown until something happens."""


def states(hass: HomeAssistant, entry: MockConfigEntry) -> dict[str, str]:
    """Return the states of an entry's enabled entities by key, but for buttons.

    Keys of M-Bus meters begin with "mbus_".
    """
    return {
        key: state.state
        for key, entity_id in entity_ids(hass, entry).items()
        if key not in _ABOUT_ITSELF
        and not entity_id.startswith("button.")
        and (state := hass.states.get(entity_id))
    }


def unavailable(hass: HomeAssistant, entry: MockConfigEntry) -> set[str]:
    """Return the keys of an entry's unavailable entities."""
    return {
        key for key, state in states(hass, entry).items() if state == STATE_UNAVAILABLE
    }


def own_log(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Return level and text of what the integration logged, debugging aside."""
    return [
        (record.levelname, record.getMessage())
        for record in caplog.records
        if record.name.startswith("custom_components.nes_mep")
        and record.levelname != "DEBUG"
    ]


@contextmanager
def written_states() -> Iterator[list[str]]:
    """Collect the ids of the entities whose state is written, changed or not."""
    written: list[str] = []
    write = StateMachine.async_set_internal

    def collect(states: StateMachine, entity_id: str, *args: object) -> None:
        written.append(entity_id)
        write(states, entity_id, *args)

    with patch.object(StateMachine, "async_set_internal", collect):
        yield written


@asynccontextmanager
async def silent_port() -> AsyncIterator[str]:
    """Serve a port that takes every byte and never answers; yield its address."""

    async def swallow(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(swallow, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        yield f"socket://{host}:{port}"


def times_open(path: str) -> int:
    """Return how often a device is open in this process.

    A pseudo-terminal of the simulator is open once for the simulator itself.
    """
    return sum(
        link.readlink() == Path(path)
        for link in Path("/proc/self/fd").iterdir()
        if link.is_symlink()
    )
