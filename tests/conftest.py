"""Fixtures: a simulated meter and the address where it answers.

They do without Home Assistant's test harness, because the tests of the meter client,
which run without it, are below this folder too. What needs it is in common.py.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
import traceback
from typing import TYPE_CHECKING
from unittest.mock import PropertyMock, patch

from hypothesis import HealthCheck, settings
import pytest

from .complaints import no_complaints
from .driven_clock import DrivenClock, driven_clock
from .simulator import SimulatedMeter, serve_pty, serve_tcp
from .simulator.catalogue import EVERY_PROFILE
from .values import KEY, Clock

# An example takes as long as the machine needs for it.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

# In the debug mode of the harness, asyncio keeps a traceback for each future and handle:
# its checks are worth their time, these are not. Futures written in C ask another function.
asyncio.constants.DEBUG_STACK_DEPTH = 0
traceback.extract_stack.__defaults__ = (None, 0)

if TYPE_CHECKING:
    from homeassistant.core import HomeAssistant


@pytest.fixture(autouse=True)
def complaints() -> Iterator[None]:
    """Fail where Home Assistant complains about how the integration uses it."""
    with no_complaints():
        yield


@pytest.fixture
def clock() -> Clock:
    """Return the clock of the simulated meter, which tests can move."""
    return Clock()


@pytest.fixture
def right_clock(clock: Clock) -> None:
    """Let the meter's clock be right: one that is wrong is read more often."""
    clock.now = datetime.now(UTC)


@pytest.fixture
async def host_clock() -> DrivenClock:
    """Return the clock of Home Assistant's machine, which tests drive."""
    return driven_clock()


@pytest.fixture
async def hass(hass: "HomeAssistant", host_clock: DrivenClock) -> "HomeAssistant":
    """Return a Home Assistant whose meters are read by the clock of the test."""
    hass.data["nes_mep_clock"] = host_clock
    return hass


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
async def url(
    socket_enabled: None, meter: SimulatedMeter, host_clock: DrivenClock
) -> AsyncIterator[str]:
    """Serve the simulated meter in the network and return its address."""
    async with serve_tcp(meter, timers=host_clock) as url:
        yield url


@pytest.fixture
async def path(meter: SimulatedMeter, host_clock: DrivenClock) -> AsyncIterator[str]:
    """Serve the simulated meter on a pseudo-terminal and return its path."""
    host_clock.grace = 0.5  # the kernel hands its bytes on when it comes to it
    async with serve_pty(meter) as path:
        yield path


@pytest.fixture
def foreign(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the loopback, all that tests may use, look like another machine by its name."""

    def no_address(host: str) -> None:
        raise ValueError(host)

    monkeypatch.setattr(
        "custom_components.nes_mep.link.find_meter.ip_address", no_address
    )


@pytest.fixture
def everything_enabled() -> Iterator[None]:
    """Add an entity for each register, and enable those that are disabled at first."""
    with (
        patch(
            "homeassistant.helpers.entity.Entity.entity_registry_enabled_default",
            PropertyMock(return_value=True),
        ),
        patch("custom_components.nes_mep.selection.DEFAULT_SHOW_ALL_REGISTERS", True),
    ):
        yield
