"""The options of a meter."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from homeassistant.config_entries import ConfigFlowResult, OptionsFlowWithReload
from homeassistant.const import CONF_SCAN_INTERVAL, UnitOfTime
from homeassistant.helpers.selector import (
    BooleanSelector,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
)

from .const import (
    CONF_IMPORT_COSTS,
    CONF_IMPORT_HISTORY,
    CONF_RESYNC_AUTOMATICALLY,
    CONF_SHOW_ALL_REGISTERS,
    DEFAULT_IMPORT_COSTS,
    DEFAULT_IMPORT_HISTORY,
    DEFAULT_RESYNC_AUTOMATICALLY,
    DEFAULT_SCAN_INTERVAL,
    DEFAULT_SHOW_ALL_REGISTERS,
    MAX_SCAN_INTERVAL,
    MIN_SCAN_INTERVAL,
)
from .forms import form_section

if TYPE_CHECKING:
    import probatio as vol
else:
    import voluptuous as vol

_OPTIONS_SECTIONS = {
    "recovery": {CONF_RESYNC_AUTOMATICALLY: DEFAULT_RESYNC_AUTOMATICALLY},
    "history": {
        CONF_IMPORT_HISTORY: DEFAULT_IMPORT_HISTORY,
        CONF_IMPORT_COSTS: DEFAULT_IMPORT_COSTS,
    },
    "entities": {CONF_SHOW_ALL_REGISTERS: DEFAULT_SHOW_ALL_REGISTERS},
}
"""The options of each section with their defaults; sections are not stored."""


def _options_schema(stored: Mapping[str, Any]) -> vol.Schema:
    """Return the schema of the options, which shows those that are stored."""
    shown = {
        name: {option: stored.get(option, default) for option, default in group.items()}
        for name, group in _OPTIONS_SECTIONS.items()
    }
    interval = stored.get(CONF_SCAN_INTERVAL, DEFAULT_SCAN_INTERVAL)
    return vol.Schema(
        {
            vol.Required(CONF_SCAN_INTERVAL, default=interval): vol.All(
                NumberSelector(
                    NumberSelectorConfig(
                        min=MIN_SCAN_INTERVAL,
                        max=MAX_SCAN_INTERVAL,
                        step=1,
                        unit_of_measurement=UnitOfTime.SECONDS,
                        mode=NumberSelectorMode.BOX,
                    )
                ),
                vol.Coerce(int),
            ),
            **{
                vol.Optional(name, default=values): form_section(
                    dict.fromkeys(values, BooleanSelector()), values, collapsed=False
                )
                for name, values in shown.items()
            },
        }
    )


class NesMepOptionsFlow(OptionsFlowWithReload):
    """Asks how often to poll, and what to do automatically."""

    async def async_step_init(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show and store the options."""
        if user_input is not None:
            options: dict[str, Any] = {}
            for name, value in user_input.items():
                options |= value if name in _OPTIONS_SECTIONS else {name: value}
            return self.async_create_entry(data=options)
        return self.async_show_form(
            step_id="init", data_schema=_options_schema(self.config_entry.options)
        )
