"""Watching a meter for what its owner has to do something about.

A meter is watched for as long as its config entry exists, over reloads, failed setups
and, where it matters, restarts.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey

from .const import CONF_KEY
from .descriptions import CLOCK_DRIFT
from .issues import (
    PORT_SILENT,
    TLS_REFUSED,
    TLS_REQUIRED,
    async_clear_issue,
    async_clear_issues,
    async_raise_issue,
)
from .memory import MeterMemory
from .mep import (
    KeyKind,
    MepConnectionError,
    MepError,
    MepSecurityError,
    MepTimeoutError,
    MepUnsupportedSecurityError,
    Meter,
    SecurityMode,
    Trace,
    parse_key,
)
from .security import LinkSecurity
from .slow import SlowReading, SlowReadings
from .watch_meter import ClockWatch, LayoutWatch

_WATCHES: HassKey[dict[str, MeterWatch]] = HassKey("nes_mep_watches")

type TlsProbe = Callable[[bytes], Awaitable[KeyKind | None]]
"""Returns as which of its keys a meter takes a key in TLS, None for no TLS."""

_SILENCE: Final = timedelta(days=1)

_PATIENCE: Final = 300.0
"""Seconds that the old mode must have failed before TLS is tried: what is disturbed for
a moment needs no explanation."""
_PROBE_PERIOD: Final = 3600.0

# A session that worked may break now and then, unless the meter begins none.
_BROKEN_SESSIONS = 3


class MeterWatch:
    """Watches one meter, and keeps what is known of it."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry) -> None:
        """Begin with nothing known."""
        self.trace = Trace()
        self.memory = MeterMemory(hass, entry.entry_id)
        self.clock = ClockWatch(hass, entry)
        self.layout = LayoutWatch(hass, entry, self.memory)
        self._silence = _SilenceWatch(hass, entry, self.memory)
        self._security = _SecurityWatch(hass, entry, self.memory)

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
        self, err: MepError, probe: TlsProbe, now: float, *, at_setup: bool = False
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


class _SilenceWatch:
    """Tells when the meter has not answered for a day, though its port opens."""

    def __init__(
        self, hass: HomeAssistant, entry: ConfigEntry, memory: MeterMemory
    ) -> None:
        self._hass = hass
        self._entry = entry
        self._memory = memory

    @callback
    def async_failed(self, err: MepError) -> None:
        """Take that the meter could not be read."""
        if isinstance(err, MepConnectionError):
            return
        if not isinstance(err, MepTimeoutError):
            self.async_heard()
            return
        facts, now = self._memory.facts, dt_util.utcnow()
        since = dt_util.parse_datetime(facts.get("silent_since", "")) or now
        # A machine without a clock of its own starts in the past.
        since = min(since, now)
        self._memory.async_change({**facts, "silent_since": since.isoformat()})
        if now - since >= _SILENCE:
            local = dt_util.as_local(since)
            async_raise_issue(
                self._hass,
                self._entry,
                PORT_SILENT,
                since=local.isoformat(" ", "minutes")[:16],
            )

    @callback
    def async_heard(self) -> None:
        """Take that the meter answered, whatever it said."""
        facts = self._memory.facts
        if "silent_since" in facts:
            facts = facts.copy()
            del facts["silent_since"]
            self._memory.async_change(facts)
            async_clear_issue(self._hass, self._entry, PORT_SILENT)


class _SecurityWatch:
    """Tells when the meter takes another mode of security than its entry's.

    The mode is never changed here: that is up to the user.
    """

    def __init__(
        self, hass: HomeAssistant, entry: ConfigEntry, memory: MeterMemory
    ) -> None:
        self._hass = hass
        self._entry = entry
        self._memory = memory
        self._broken_sessions = 0
        self._probe_at: float | None = None

    @property
    def _is_tls(self) -> bool:
        return LinkSecurity.of_entry(self._entry.data).mode is SecurityMode.TLS

    @property
    def requires_tls(self) -> bool:
        return not self._is_tls and self._memory.facts.get("requires_tls", False)

    @callback
    def async_succeeded(self) -> None:
        """Take that the meter was read in the mode of its entry."""
        if self._broken_sessions:
            self._broken_sessions = 0
            async_clear_issue(self._hass, self._entry, TLS_REFUSED)
        self._probe_at = None
        facts = self._memory.facts
        if "requires_tls" in facts:
            facts = facts.copy()
            del facts["requires_tls"]
            self._memory.async_change(facts)
            async_clear_issue(self._hass, self._entry, TLS_REQUIRED)

    async def async_failed(
        self, err: MepError, probe: TlsProbe, now: float, *, at_setup: bool
    ) -> None:
        """Take that the meter could not be read, in monotonic seconds.

        How a meter answers the old mode once it requires TLS is not documented: it may
        refuse, say what cannot be verified, or be silent.
        """
        if isinstance(err, MepConnectionError):
            return
        if self._is_tls:
            self._count_broken_session(err, at_setup=at_setup)
        elif self.requires_tls:
            async_raise_issue(self._hass, self._entry, TLS_REQUIRED)
        elif self._probe_at is None:
            self._probe_at = now + _PATIENCE
        elif now >= self._probe_at:
            self._probe_at = now + _PROBE_PERIOD
            await self.async_probe(probe)

    def _count_broken_session(self, err: MepError, *, at_setup: bool) -> None:
        if not isinstance(err, MepSecurityError):
            return
        self._broken_sessions += 1
        if (
            at_setup
            or isinstance(err, MepUnsupportedSecurityError)
            or self._broken_sessions >= _BROKEN_SESSIONS
        ):
            async_raise_issue(self._hass, self._entry, TLS_REFUSED)

    async def async_probe(self, probe: TlsProbe) -> bool:
        """Return whether the meter takes the key in TLS, where its entry does not."""
        if self._is_tls:
            return False
        if self.requires_tls:
            return True
        if await probe(parse_key(self._entry.data[CONF_KEY])) is None:
            return False
        self._memory.async_change({**self._memory.facts, "requires_tls": True})
        async_raise_issue(self._hass, self._entry, TLS_REQUIRED)
        return True


@callback
def async_get_watch(hass: HomeAssistant, entry: ConfigEntry) -> MeterWatch:
    """Return the watch of a config entry, whether the entry is loaded or not."""
    watches = hass.data.setdefault(_WATCHES, {})
    if entry.entry_id not in watches:
        watches[entry.entry_id] = MeterWatch(hass, entry)
    return watches[entry.entry_id]


async def async_forget_watch(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Watch a meter no more, as its config entry was removed."""
    watch = async_get_watch(hass, entry)
    del hass.data[_WATCHES][entry.entry_id]
    async_clear_issues(hass, entry)
    await watch.memory.async_remove()
