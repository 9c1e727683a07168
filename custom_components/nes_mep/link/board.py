"""Boards of this project: ESPHome devices that are discovered in the network.

What Home Assistant discovers is the board, by the name of its project. Its serial port
exists as soon as the integration ESPHome is connected to it.
"""

from dataclasses import dataclass
from typing import Final, Self

from homeassistant.components.usb import async_scan_serial_ports
from homeassistant.const import CONF_PORT
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.device_registry import format_mac
from homeassistant.helpers.service_info.zeroconf import ZeroconfServiceInfo

from ..const import DOMAIN

_ESPHOME: Final = "esphome"
_HEADS: Final = "nes-mep.ir-head"
"""How the names of the projects of infrared heads begin."""


@dataclass(frozen=True, slots=True)
class Board:
    """A board, by its MAC address as Home Assistant writes it, and its name.

    is_head says whether it is an infrared head, for the optical port.
    """

    mac: str
    name: str
    is_head: bool

    @classmethod
    def of_discovery(cls, info: ZeroconfServiceInfo) -> Self | None:
        """Return the board that was discovered, None if it does not say its address."""
        mac = info.properties.get("mac")
        name = info.properties.get("friendly_name") or info.name.partition(".")[0]
        is_head = (info.properties.get("project_name") or "").startswith(_HEADS)
        return cls(format_mac(mac), name, is_head) if mac else None

    @property
    def unique_id(self) -> str:
        """What a flow about the board has for it, until the meter is known."""
        return f"board_{self.mac}"


@callback
def _url_of(hass: HomeAssistant, board: Board) -> str | None:
    """Return how the URLs of a board's ports begin, None while ESPHome has no entry."""
    entry = hass.config_entries.async_entry_for_domain_unique_id(_ESPHOME, board.mac)
    return f"esphome-hass://esphome/{entry.entry_id}?" if entry else None


@callback
def is_board_used(hass: HomeAssistant, board: Board) -> bool:
    """Return whether a meter is read at a port of a board already."""
    url = _url_of(hass, board)
    return url is not None and any(
        entry.data[CONF_PORT].startswith(url)
        for entry in hass.config_entries.async_entries(DOMAIN, include_ignore=False)
    )


async def async_port_of(hass: HomeAssistant, board: Board) -> str | None:
    """Return the port of a board, None while ESPHome is not connected to it."""
    url = _url_of(hass, board)
    if url is None:
        return None
    ports = [port.device for port in await async_scan_serial_ports(hass)]
    return next((port for port in ports if port.startswith(url)), None)
