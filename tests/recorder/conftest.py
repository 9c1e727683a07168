"""Fixtures: a house with a recorder, and meters that do not remember much."""

from collections.abc import Callable
from dataclasses import replace
import logging

from freezegun.api import FrozenDateTimeFactory
import pytest

from homeassistant.components.recorder import Recorder
from homeassistant.core import HomeAssistant

from ..simulator import PROFILES, SimulatedMeter
from ..values import Clock
from .house import House

# The harness logs every statement, and pytest keeps it for a test that fails.
logging.getLogger("sqlalchemy.engine").setLevel(logging.WARNING)


@pytest.fixture
async def house(
    recorder_mock: Recorder,
    enable_custom_integrations: None,
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    clock: Clock,
) -> House:
    """Return a house with a recorder that runs."""
    return House(hass, freezer, clock)


@pytest.fixture
def days() -> int:
    """Return how many days the meter remembers."""
    return 2


@pytest.fixture
def meter(meter: SimulatedMeter, days: int) -> SimulatedMeter:
    """Return a meter that remembers a few days, to be quick."""
    if meter.profile.name in PROFILES:
        first, *others = meter.profile.load_profile
        first = replace(first, blocks=days)
        meter.profile = replace(meter.profile, load_profile=(first, *others))
    return meter


@pytest.fixture
def port(unused_tcp_port_factory: Callable[[], int]) -> int:
    """Return a port where a meter can be served, and served again."""
    return unused_tcp_port_factory()
