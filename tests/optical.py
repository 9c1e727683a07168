"""What tests of the integration at an optical port share."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.nes_mep.const import DOMAIN

from .driven_clock import DrivenClock
from .simulator import OpticalPort, OpticalSettings, SimulatedMeter, serve_tcp
from .simulator.optical import READ_KEY


@asynccontextmanager
async def served(
    meter: SimulatedMeter, host_clock: DrivenClock, **settings: Any
) -> AsyncIterator[tuple[OpticalPort, str]]:
    """Serve the optical port of a meter; yield it and its address."""
    optical = OpticalPort(meter, OpticalSettings(**settings))
    async with serve_tcp(optical, timers=host_clock) as url:
        yield optical, url


def make_optical_entry(
    meter: SimulatedMeter, url: str, key: str = READ_KEY.decode(), **options: object
) -> MockConfigEntry:
    """Return the entry of a meter that is read at its optical port."""
    serial_number = meter.profile.serial_number
    return MockConfigEntry(
        domain=DOMAIN,
        title=f"{meter.profile.model} {serial_number}",
        unique_id=serial_number,
        minor_version=2,
        data={"port": url, "key": key, "meter_port": "optical"},
        options=options,
    )
