"""Fixtures: a house whose time begins when a test says."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Protocol

import pytest

from homeassistant.core import HomeAssistant

from ..driven_clock import DrivenClock
from ..simulator import SimulatedMeter, serve_tcp
from ..simulator.catalogue import EVERY_PROFILE
from ..values import KEY
from .house import House, SteadyClock


class MakeHouse(Protocol):
    """Makes a house at a time."""

    def __call__(self, began: datetime, profile: str = ...) -> Any:
        """Return a context in which the house is there."""


@pytest.fixture
def make_house(
    hass: HomeAssistant,
    host_clock: DrivenClock,
    hass_storage: dict[str, Any],
    enable_custom_integrations: None,
    socket_enabled: None,
) -> MakeHouse:
    """Return a function that makes a house."""

    @asynccontextmanager
    async def make(began: datetime, profile: str = "gen3") -> AsyncIterator[House]:
        steady = SteadyClock(host_clock, began)
        hass.data["nes_mep_clock"] = steady
        meter = SimulatedMeter(
            EVERY_PROFILE[profile], key=KEY.encode()[:16], clock=steady.now, paced=False
        )
        async with serve_tcp(meter, timers=host_clock) as url:
            yield House(hass, host_clock, steady, meter, url)

    return make
