"""What is known about a meter for as long as its config entry exists.

It survives reloads and failed setups; what must survive a restart is stored.
"""

from collections.abc import Mapping

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.util.hass_dict import HassKey

from .const import DOMAIN
from .descriptions import CLOCK_DRIFT
from .history import HistoryMemory
from .issues import async_clear_issues
from .issues.clock import ClockIssue
from .issues.damage import DamageIssue
from .issues.key import KeyQuestion
from .issues.layout import LayoutIssue
from .issues.optical_key import OpticalKeyRefusal
from .issues.security import SecurityIssues, TlsProbe
from .issues.silence import SilenceIssue
from .link.access import meter_port_of
from .link.errors import ErrorText, error_text
from .link.host_clock import host_clock
from .link.outages import OutageLog
from .link.storage import MeterStorage, StoredLayout
from .osgp import (
    LinkStatistics,
    Meter,
    MeterError,
    MeterPort,
    OpticalMemory,
    PortError,
    TlsRequiredError,
    Trace,
)
from .peaks import PeakMemory
from .slow_readings import SlowReading, SlowReadings

_TLS_PAUSE = 300.0
"""Seconds between two looks at an optical port that takes TLS only."""

_MONITORS: HassKey[dict[str, MeterMonitor]] = HassKey(DOMAIN)


class MeterMonitor:
    """Keeps what is known of a meter's link, its issues, its history and its peaks."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry) -> None:
        """Start with nothing known."""
        self.clock = host_clock(hass)
        self.trace = Trace()
        self.outages = OutageLog(hass, self.clock)
        self.storage = MeterStorage(hass, entry.entry_id)
        self.history = HistoryMemory(hass, entry.entry_id)
        self.peaks = PeakMemory(hass, entry.entry_id)
        self.clock_issue = ClockIssue(hass, entry, self.clock)
        self.layout_issue = LayoutIssue(hass, entry, self.storage, self.clock)
        self._entry = entry
        self._damage_issue = DamageIssue(hass, entry, self.clock, self.outages)
        self._key_question = KeyQuestion(hass, entry, self.clock)
        self._silence_issue = SilenceIssue(hass, entry, self.storage, self.clock)
        self._security_issues = SecurityIssues(hass, entry, self.storage, self.clock)
        self._optical_key = OpticalKeyRefusal(hass, entry, self.storage)

    @property
    def optical_memory(self) -> OpticalMemory:
        """What is known of the optical port, for all links to it."""
        return self._optical_key.memory

    @property
    def is_optical(self) -> bool:
        """Whether the meter is read at its optical port."""
        return meter_port_of(self._entry.data) is MeterPort.OPTICAL

    async def async_load(self) -> None:
        """Load what is stored about the link and the peaks, once."""
        await self.storage.async_load()
        await self.peaks.async_load()
        if self.is_optical:
            self._optical_key.async_recall()

    @callback
    def async_succeeded(self) -> None:
        """Record a successful read."""
        self._silence_issue.async_answered()
        self._security_issues.async_succeeded()
        self._key_question.async_succeeded()
        self._optical_key.async_succeeded()

    async def async_failed(
        self, err: MeterError, probe: TlsProbe, *, at_setup: bool = False
    ) -> float | None:
        """Record a failed read.

        Return the seconds to wait before the next one, None for the usual interval.
        """
        self._silence_issue.async_failed(err)
        if self.is_optical:
            return _TLS_PAUSE if isinstance(err, TlsRequiredError) else None
        await self._security_issues.async_failed(err, probe, at_setup=at_setup)
        pause = self._key_question.async_failed(err)
        # Where the key is right in TLS, only the mode of security is not.
        if pause is None or await self._security_issues.async_probe(probe):
            return None
        self._key_question.async_ask()
        return pause

    @callback
    def async_poll_ended(
        self, errors: Mapping[str, MeterError], statistics: LinkStatistics
    ) -> None:
        """Record how a poll went, as a whole: see OutageLog."""
        self.outages.async_poll_ended(errors, statistics)
        self._damage_issue.async_poll_ended(statistics, has_failed=bool(errors))

    async def async_read_slowly(
        self, reading: SlowReading, slow: SlowReadings, meter: Meter
    ) -> None:
        """Raise or clear issues according to a slow reading."""
        if reading.has_failed:
            return
        drift = slow.values.get(CLOCK_DRIFT.key)
        if slow.is_clock(reading) and isinstance(drift, float):
            self.clock_issue.async_read(drift)
        system = slow.system.information
        if reading is slow.system and system is not None:
            layout: StoredLayout = {
                "firmware": meter.identity.firmware,
                "program": system.program_id,
                "version": system.interface_version,
                "registers": list(meter.registers),
                "transceiver": system.transceiver_id,
            }
            self.layout_issue.async_see(layout)
            # A meter that did not tell all of its registers has not lost the others.
            if not meter.unknown:
                await self.layout_issue.async_read(layout)

    @property
    def known_as(self) -> tuple[str, ...]:
        """The numbers by which the meter is known: that of its entry, and others."""
        layout = self.storage.facts.get("layout")
        transceiver = layout.get("transceiver") if layout else None
        return (str(self._entry.unique_id), *([transceiver] if transceiver else []))

    def error_text(self, err: MeterError) -> ErrorText:
        """Return the translated text for an error of the meter client."""
        port = meter_port_of(self._entry.data)
        text = error_text(err, self._entry.title, port)
        if self._security_issues.requires_tls and not isinstance(err, PortError):
            text["translation_key"] = "tls_required"
        return text


@callback
def async_get_monitor(hass: HomeAssistant, entry: ConfigEntry) -> MeterMonitor:
    """Return the monitor of a config entry, whether the entry is loaded or not."""
    monitors = hass.data.setdefault(_MONITORS, {})
    if entry.entry_id not in monitors:
        monitors[entry.entry_id] = MeterMonitor(hass, entry)
    return monitors[entry.entry_id]


async def async_remove_monitor(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Forget a meter, as its config entry was removed."""
    monitor = async_get_monitor(hass, entry)
    del hass.data[_MONITORS][entry.entry_id]
    async_clear_issues(hass, entry)
    await monitor.storage.async_remove()
    await monitor.history.async_remove()
    await monitor.peaks.async_remove()
