"""Watching a meter for what its owner has to do something about.

A meter is watched for as long as its config entry exists, over reloads, failed setups
and, where it matters, restarts.
"""

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey

from .descriptions import CLOCK_DRIFT
from .issues import async_clear_issues
from .issues.clock import ClockIssue
from .issues.layout import LayoutIssue
from .issues.security import SecurityIssues, TlsProbe
from .issues.silence import SilenceIssue
from .link.storage import MeterStorage
from .osgp import Meter, MeterError, Trace
from .slow_readings import SlowReading, SlowReadings

_WATCHES: HassKey[dict[str, MeterMonitor]] = HassKey("nes_mep_watches")


class MeterMonitor:
    """Watches one meter, and keeps what is known of it."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry) -> None:
        """Begin with nothing known."""
        self.trace = Trace()
        self.memory = MeterStorage(hass, entry.entry_id)
        self.clock = ClockIssue(hass, entry)
        self.layout = LayoutIssue(hass, entry, self.memory)
        self._silence = SilenceIssue(hass, entry, self.memory)
        self._security = SecurityIssues(hass, entry, self.memory)

    @property
    def requires_tls(self) -> bool:
        """Whether the meter takes TLS and no longer the old mode of its entry."""
        return self._security.requires_tls

    @callback
    def async_succeeded(self) -> None:
        """Take that the meter was read."""
        self._silence.async_heard()
        self._security.async_succeeded()

    async def async_failed(
        self, err: MeterError, probe: TlsProbe, now: float, *, at_setup: bool = False
    ) -> None:
        """Take that the meter could not be read, in monotonic seconds."""
        self._silence.async_failed(err)
        await self._security.async_failed(err, probe, now, at_setup=at_setup)

    async def async_read_slowly(
        self, reading: SlowReading, slow: SlowReadings, meter: Meter, now: float
    ) -> None:
        """Take what was read slowly, at a time in monotonic seconds."""
        if reading.has_failed:
            return
        drift = slow.values.get(CLOCK_DRIFT.key)
        if slow.is_clock(reading) and isinstance(drift, float):
            self.clock.async_read(drift, now)
        system = slow.system.information
        if reading is slow.system and system is not None:
            await self.layout.async_read(
                {
                    "firmware": meter.identity.firmware,
                    "program": system.program_id,
                    "version": system.interface_version,
                    "registers": list(meter.registers),
                }
            )

    async def async_prove_key(self, probe: TlsProbe) -> bool:
        """Return whether the key is right, and only the mode of security is not."""
        return await self._security.async_probe(probe)


@callback
def async_get_watch(hass: HomeAssistant, entry: ConfigEntry) -> MeterMonitor:
    """Return the watch of a config entry, whether the entry is loaded or not."""
    watches = hass.data.setdefault(_WATCHES, {})
    if entry.entry_id not in watches:
        watches[entry.entry_id] = MeterMonitor(hass, entry)
    return watches[entry.entry_id]


async def async_forget_watch(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Watch a meter no more, as its config entry was removed."""
    watch = async_get_watch(hass, entry)
    del hass.data[_WATCHES][entry.entry_id]
    async_clear_issues(hass, entry)
    await watch.memory.async_remove()
