"""Fixtures: a house with a meter that takes TLS and the old modes."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component

from ..driven_clock import DrivenClock
from ..simulator import PROFILES, SimulatedMeter
from ..tls.tapped_line import TappedLine, tap
from ..values import KEY, Clock
from .house import House


@pytest.fixture
def profile() -> str:
    """Return the profile of the meter."""
    return "gen4"


@pytest.fixture
def meter(profile: str, clock: Clock) -> SimulatedMeter:
    """Return a simulated meter that takes TLS and the old modes."""
    return SimulatedMeter(
        PROFILES[profile],
        key=KEY.encode()[:16],
        clock=clock,
        paced=False,
        tls="mbedtls",
    )


@pytest.fixture
async def line(url: str) -> AsyncIterator[tuple[TappedLine, str]]:
    """Return a line on which others can answer for the meter, and its address."""
    async with tap(url) as tapped:
        yield tapped


@pytest.fixture
async def house(
    enable_custom_integrations: None,
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    host_clock: DrivenClock,
    meter: SimulatedMeter,
    clock: Clock,
    url: str,
) -> House:
    """Return a house where repairs can be made."""
    assert await async_setup_component(hass, "repairs", {})
    return House(hass, host_clock, meter, clock, url, hass_storage)
