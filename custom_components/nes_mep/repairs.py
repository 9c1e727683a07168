"""The way out of a repair issue."""

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from homeassistant.components.repairs import RepairsFlow
from homeassistant.config_entries import ConfigEntryState, OperationNotAllowed
from homeassistant.core import HomeAssistant

if TYPE_CHECKING:
    import probatio as vol

    from homeassistant.components.repairs import RepairsFlowResult
else:
    import voluptuous as vol


class TryTlsAgainFlow(RepairsFlow):
    """Tries TLS once more; another mode is chosen on purpose, by reconfiguring."""

    def __init__(self, entry_id: str) -> None:
        """Take the entry that the issue is about."""
        self._entry_id = entry_id

    async def async_step_init(
        self, user_input: dict[str, Any] | None = None
    ) -> RepairsFlowResult:
        """Start with the explanation."""
        return await self.async_step_confirm()

    async def async_step_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> RepairsFlowResult:
        """Explain what happened, and try again when asked to."""
        entry = self.hass.config_entries.async_get_entry(self._entry_id)
        if entry is None:
            return self.async_create_entry(title="", data={})
        placeholders = {"meter": entry.title}
        if user_input is None:
            return self.async_show_form(
                step_id="confirm",
                data_schema=vol.Schema({}),
                description_placeholders=placeholders,
            )
        with suppress(OperationNotAllowed):  # it is being set up right now
            await self.hass.config_entries.async_reload(entry.entry_id)
        if entry.state is not ConfigEntryState.LOADED:
            return self.async_abort(
                reason="still_refused", description_placeholders=placeholders
            )
        return self.async_create_entry(title="", data={})


async def async_create_fix_flow(
    hass: HomeAssistant, issue_id: str, data: dict[str, Any] | None
) -> RepairsFlow:
    """Return the flow that fixes an issue of this integration."""
    assert data is not None
    return TryTlsAgainFlow(data["entry_id"])
