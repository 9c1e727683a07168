"""Automatic recovery: what the action resync_clock does, without being asked.

What happens within a poll, after 0x0B and 0x0C for example, is in the meter client.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
import logging
from math import inf
from typing import Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.event import async_call_later

from ..const import CONF_RESYNC_AUTOMATICALLY, DEFAULT_RESYNC_AUTOMATICALLY
from ..osgp import HostClock, MeterError
from .errors import failure_of

_LOGGER = logging.getLogger(__name__)

_PAUSES: Final = (5.0, 30.0, 120.0, 600.0)
"""Seconds before each attempt in an outage; there are no more attempts than these."""

_CALM: Final = 600.0
"""Seconds without a failure after which attempts are counted from zero again."""


class AutomaticRecovery:
    """Starts a new session after a failed poll, with growing pauses, and polls.

    The client has done what it can within the poll, and the next poll tries again. An
    attempt in between shortens outages if polls are infrequent.
    """

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry,
        clock: HostClock,
        recover: Callable[[], Awaitable[None]],
    ) -> None:
        """Initialize; the options of the entry say whether to recover automatically.

        recover starts a new session and polls. It raises MeterError if that did not
        help.
        """
        self._hass = hass
        self._entry = entry
        self._clock = clock
        self._recover = recover
        self._is_wanted = entry.options.get(
            CONF_RESYNC_AUTOMATICALLY, DEFAULT_RESYNC_AUTOMATICALLY
        )
        self._attempts = 0
        self._well_since = -inf
        self._is_down = False
        self._cancel_timer: CALLBACK_TYPE | None = None
        self._attempt: asyncio.Task[None] | None = None

    @callback
    def async_poll_ended(self, errors: Iterable[MeterError]) -> None:
        """Record how a poll went; plan an attempt if it failed and that may help."""
        failures = [failure_of(err) for err in errors]
        if not failures:
            if self._is_down:
                self._is_down = False
                self._well_since = self._clock.time()
            self._drop_timer()
            return
        if not self._is_down and self._clock.time() - self._well_since >= _CALM:
            self._attempts = 0
        self._is_down = True
        if any(failure.can_recover for failure in failures):
            self._plan()

    @callback
    def async_stop(self) -> None:
        """Stop planning attempts."""
        self._is_wanted = False
        self._drop_timer()

    def _plan(self) -> None:
        """Plan the next attempt, unless one is planned or none are left."""
        if (
            self._is_wanted
            and self._cancel_timer is None
            and self._attempts < len(_PAUSES)
        ):
            self._cancel_timer = async_call_later(
                self._hass, _PAUSES[self._attempts], self._async_begin
            )

    def _drop_timer(self) -> None:
        if self._cancel_timer is not None:
            self._cancel_timer()
            self._cancel_timer = None

    @callback
    def _async_begin(self, _now: datetime) -> None:
        self._cancel_timer = None
        self._attempts += 1
        self._attempt = self._entry.async_create_background_task(
            self._hass, self._async_try(), f"{self._entry.title} recovery"
        )

    async def _async_try(self) -> None:
        """Try to recover; if that fails, plan the next attempt."""
        try:
            await self._recover()
        except MeterError as err:
            _LOGGER.debug("%s: resynchronizing failed: %s", self._entry.title, err)
            if failure_of(err).can_recover and self._is_down:
                self._plan()
