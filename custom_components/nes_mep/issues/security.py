"""The issues of a MEP that accepts another security mode than that of its entry."""

from collections.abc import Awaitable, Callable
from typing import Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback

from ..link.access import LinkSecurity, key_of, meter_port_of
from ..link.storage import MeterStorage
from ..osgp import (
    HostClock,
    KeyKind,
    MeterError,
    MeterPort,
    PortError,
    SecurityMode,
    TlsError,
    TlsUnsupportedError,
)
from . import TLS_REFUSED, TLS_REQUIRED, async_clear_issue, async_raise_issue

type TlsProbe = Callable[[bytes], Awaitable[KeyKind | None]]
"""Returns as which kind of key a meter accepts a key in TLS, None for no TLS."""

_PATIENCE: Final = 300.0
"""Seconds that the old mode must have failed before TLS is tried: a short disturbance
needs no explanation."""
_PROBE_PERIOD: Final = 3600.0

# Sessions break now and then; the issue is raised after so many in a row, or when the
# meter does not begin one.
_BROKEN_SESSIONS = 3


class SecurityIssues:
    """Raises issues when the meter accepts another security mode than its entry's.

    The mode is never changed here: that is up to the user.
    """

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry,
        storage: MeterStorage,
        clock: HostClock,
    ) -> None:
        """Start with no failure seen."""
        self._hass = hass
        self._entry = entry
        self._storage = storage
        self._clock = clock
        self._broken_sessions = 0
        self._probe_at: float | None = None

    @property
    def _is_tls(self) -> bool:
        return LinkSecurity.of_entry(self._entry.data).mode is SecurityMode.TLS

    @property
    def requires_tls(self) -> bool:
        """Whether the meter accepts TLS and no longer the old mode of its entry."""
        return (
            meter_port_of(self._entry.data) is MeterPort.MEP
            and not self._is_tls
            and self._storage.facts.get("requires_tls", False)
        )

    @callback
    def async_succeeded(self) -> None:
        """Record a successful read in the mode of the entry."""
        if self._broken_sessions:
            self._broken_sessions = 0
            async_clear_issue(self._hass, self._entry, TLS_REFUSED)
        self._probe_at = None
        if "requires_tls" in self._storage.facts:
            self._storage.async_forget("requires_tls")
            async_clear_issue(self._hass, self._entry, TLS_REQUIRED)

    async def async_failed(
        self, err: MeterError, probe: TlsProbe, *, at_setup: bool
    ) -> None:
        """Record a failed read.

        How a meter that requires TLS answers the old mode is not documented: it may
        refuse, send what cannot be verified, or stay silent.
        """
        if isinstance(err, PortError):
            return
        now = self._clock.time()
        if self._is_tls:
            self._count_broken_session(err, at_setup=at_setup)
        elif self.requires_tls:
            async_raise_issue(self._hass, self._entry, TLS_REQUIRED)
        elif self._probe_at is None:
            self._probe_at = now + _PATIENCE
        elif now >= self._probe_at:
            self._probe_at = now + _PROBE_PERIOD
            await self.async_probe(probe)

    def _count_broken_session(self, err: MeterError, *, at_setup: bool) -> None:
        if not isinstance(err, TlsError):
            return
        self._broken_sessions += 1
        if (
            at_setup
            or isinstance(err, TlsUnsupportedError)
            or self._broken_sessions >= _BROKEN_SESSIONS
        ):
            async_raise_issue(self._hass, self._entry, TLS_REFUSED)

    async def async_probe(self, probe: TlsProbe) -> bool:
        """Return whether an entry without TLS could be read over TLS with its key."""
        if self._is_tls:
            return False
        if self.requires_tls:
            return True
        if await probe(key_of(self._entry.data)) is None:
            return False
        self._storage.async_change({"requires_tls": True})
        async_raise_issue(self._hass, self._entry, TLS_REQUIRED)
        return True
