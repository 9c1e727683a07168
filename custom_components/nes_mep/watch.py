"""What is known of a meter for as long as its config entry exists."""

from homeassistant.core import HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey

from .mep import Trace

_WATCHES: HassKey[dict[str, MeterWatch]] = HassKey("nes_mep_watches")


class MeterWatch:
    """Watches a meter over reloads and failed setups."""

    def __init__(self) -> None:
        """Begin with nothing known."""
        self.trace = Trace()


@callback
def async_get_watch(hass: HomeAssistant, entry_id: str) -> MeterWatch:
    """Return the watch of a config entry, whether the entry is loaded or not."""
    return hass.data.setdefault(_WATCHES, {}).setdefault(entry_id, MeterWatch())
