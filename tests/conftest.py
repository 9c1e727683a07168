"""Fixtures: a simulated meter and the address where it answers.

They do without Home Assistant's test harness, because the tests of the meter client,
which run without it, are below this folder too. What needs it is in common.py.
"""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from importlib import import_module
from unittest.mock import PropertyMock, patch

import pytest

from .simulator import SimulatedMeter, serve_pty, serve_tcp
from .simulator.catalogue import EVERY_PROFILE
from .values import KEY, Clock, Stopwatch


@pytest.fixture
def clock() -> Clock:
    """Return the clock of the simulated meter, which tests can move."""
    return Clock()


@pytest.fixture
def right_clock(clock: Clock) -> None:
    """Let the meter's clock be right: one that is wrong is read more often."""
    clock.now = datetime.now(UTC)


@pytest.fixture
def stopwatch(monkeypatch: pytest.MonkeyPatch) -> Stopwatch:
    """Return what decides when slow tables are due, which tests can move."""
    stopwatch = Stopwatch()
    monkeypatch.setattr("custom_components.nes_mep.coordinator.monotonic", stopwatch)
    return stopwatch


@pytest.fixture
def profile() -> str:
    """Return the profile of the simulated meter; tests give others."""
    return "gen3"


@pytest.fixture
def meter(profile: str, clock: Clock) -> SimulatedMeter:
    """Return a simulated meter that answers without delay."""
    return SimulatedMeter(
        EVERY_PROFILE[profile], key=KEY.encode()[:16], clock=clock, paced=False
    )


@pytest.fixture
async def url(socket_enabled: None, meter: SimulatedMeter) -> AsyncIterator[str]:
    """Serve the simulated meter in the network and return its address."""
    async with serve_tcp(meter) as url:
        yield url


@pytest.fixture
async def path(meter: SimulatedMeter) -> AsyncIterator[str]:
    """Serve the simulated meter on a pseudo-terminal and return its path."""
    async with serve_pty(meter) as path:
        yield path


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for replies of a silent meter as long as loopback needs, not a real line."""
    port = import_module("custom_components.nes_mep.osgp.port")
    for name in ("LOCAL_TIMING", "NETWORK_TIMING"):
        timing = replace(getattr(port, name), reply=0.1, enable_off=0.0)
        monkeypatch.setattr(port, name, timing)


@pytest.fixture
def hasty_history(monkeypatch: pytest.MonkeyPatch) -> None:
    """Import the history without its pauses: where time stands still, they have no end."""
    for name in (
        "history.schedule._LOOK_DELAY",
        "history.importer._RETRY_PAUSE",
        "history.importer.REQUEST_PERIOD",
    ):
        monkeypatch.setattr(f"custom_components.nes_mep.{name}", 0.0)


@pytest.fixture
def everything_enabled() -> Iterator[None]:
    """Enable the entities that are off at first as well."""
    with patch(
        "homeassistant.helpers.entity.Entity.entity_registry_enabled_default",
        PropertyMock(return_value=True),
    ):
        yield
