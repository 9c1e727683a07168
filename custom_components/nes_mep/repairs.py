"""The repair flows, which fix the issues."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
import logging
from typing import TYPE_CHECKING, Any, Final, override

from homeassistant.components.repairs import RepairsFlow
from homeassistant.config_entries import (
    ConfigEntry,
    ConfigEntryState,
    OperationNotAllowed,
)
from homeassistant.const import CONF_PORT
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir

from .const import CONF_BAUDRATE, DOMAIN
from .issues import LAYOUT_CHANGED, PORT_SILENT, TLS_REFUSED, TLS_REQUIRED
from .link.access import key_of, meter_port_of
from .link.find_meter import find_meter
from .link.host_clock import host_clock
from .monitor import async_get_monitor
from .osgp import DEFAULT_BAUDRATE, MeterError, MeterPort, SecurityMode

if TYPE_CHECKING:
    import probatio as vol

    from homeassistant.components.repairs import RepairsFlowResult
else:
    import voluptuous as vol


_LOGGER = logging.getLogger(__name__)


class MeterRepairFlow(RepairsFlow):
    """Explains an issue of a meter, and fixes it when the user submits."""

    def __init__(self, issue_id: str, entry_id: str) -> None:
        """Initialize the flow for an issue of a config entry."""
        self._issue_id = issue_id
        self._entry_id = entry_id
        self._placeholders: Mapping[str, str] = {}

    async def async_step_init(
        self, user_input: dict[str, Any] | None = None
    ) -> RepairsFlowResult:
        """Show the explanation first."""
        return await self.async_step_confirm()

    async def async_step_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> RepairsFlowResult:
        """Explain what happened, and fix it when the user submits."""
        entry = self.hass.config_entries.async_get_entry(self._entry_id)
        if entry is None:
            return self.async_create_entry(title="", data={})
        if user_input is not None:
            return await self.async_fix(entry)
        issue = ir.async_get(self.hass).async_get_issue(DOMAIN, self._issue_id)
        if issue is not None and issue.translation_placeholders:
            self._placeholders = issue.translation_placeholders
        return self.async_show_form(
            step_id="confirm",
            data_schema=vol.Schema({}),
            description_placeholders=self._placeholders,
        )

    @abstractmethod
    async def async_fix(self, entry: ConfigEntry) -> RepairsFlowResult:
        """Fix the issue, and return the result."""

    def _fixed(self) -> RepairsFlowResult:
        return self.async_create_entry(title="", data={})

    def _failed(self, entry: ConfigEntry, reason: str) -> RepairsFlowResult:
        return self.async_abort(
            reason=reason, description_placeholders={"meter": entry.title}
        )


class TryAgainFlow(MeterRepairFlow):
    """Sets the meter up again, unchanged; reason is the text shown if that fails."""

    def __init__(self, issue_id: str, entry_id: str, *, reason: str) -> None:
        """Initialize the flow with the reason shown on failure."""
        super().__init__(issue_id, entry_id)
        self._reason = reason

    @override
    async def async_fix(self, entry: ConfigEntry) -> RepairsFlowResult:
        """Reload the entry, and ask an optical port that was left in peace."""
        async_get_monitor(self.hass, entry).optical_memory.end_peace()
        with suppress(OperationNotAllowed):  # it is being set up right now
            await self.hass.config_entries.async_reload(entry.entry_id)
        if entry.state is not ConfigEntryState.LOADED:
            return self._failed(entry, self._reason)
        return self._fixed()


class SwitchToTlsFlow(MeterRepairFlow):
    """Reads the meter over TLS, and switches its entry to TLS if that works."""

    @override
    async def async_fix(self, entry: ConfigEntry) -> RepairsFlowResult:
        """Prove that the same meter can be read over TLS before anything is changed."""
        entries = self.hass.config_entries
        reason = "not_proven"
        is_at_mep = meter_port_of(entry.data) is MeterPort.MEP
        if not (
            entry.state.recoverable and is_at_mep
        ):  # or it is being set up right now
            return self._failed(entry, reason)
        # A serial port can be opened only once.
        await entries.async_unload(entry.entry_id)
        try:
            found = await find_meter(
                entry.data[CONF_PORT],
                key_of(entry.data),
                SecurityMode.TLS,
                baudrate=entry.data.get(CONF_BAUDRATE, DEFAULT_BAUDRATE),
                clock=host_clock(self.hass),
            )
        except MeterError as err:
            _LOGGER.debug("%s is not read over TLS: %s", entry.title, err)
        else:
            if found.identity.serial_number == entry.unique_id:
                entries.async_update_entry(
                    entry, data={**entry.data, **found.security.entry_data}
                )
                entries.async_schedule_reload(entry.entry_id)
                return self._fixed()
            reason = "wrong_meter"
        # Nothing was changed: read the meter as before.
        entries.async_schedule_reload(entry.entry_id)
        return self._failed(entry, reason)


class KnownFlow(MeterRepairFlow):
    """Records that the user knows how the meter was changed."""

    @override
    async def async_fix(self, entry: ConfigEntry) -> RepairsFlowResult:
        """Record the confirmation."""
        async_get_monitor(self.hass, entry).layout_issue.async_confirm()
        return self._fixed()


_FLOWS: Final[Mapping[str, Callable[[str, str], MeterRepairFlow]]] = {
    LAYOUT_CHANGED: KnownFlow,
    PORT_SILENT: partial(TryAgainFlow, reason="still_silent"),
    TLS_REFUSED: partial(TryAgainFlow, reason="still_refused"),
    TLS_REQUIRED: SwitchToTlsFlow,
}


async def async_create_fix_flow(
    hass: HomeAssistant, issue_id: str, data: dict[str, Any] | None
) -> RepairsFlow:
    """Return the flow that fixes an issue of this integration."""
    assert data is not None
    return _FLOWS[data["issue"]](issue_id, data["entry_id"])
