"""The clock for all meters of this Home Assistant."""

from typing import Final

from homeassistant.core import HomeAssistant
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN
from ..osgp import HOST_CLOCK, HostClock

CLOCK: Final[HassKey[HostClock]] = HassKey(f"{DOMAIN}_clock")


def host_clock(hass: HomeAssistant) -> HostClock:
    """Return the clock: this computer's, unless hass.data has another."""
    return hass.data.setdefault(CLOCK, HOST_CLOCK)
