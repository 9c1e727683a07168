"""The options of a meter."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from homeassistant.config_entries import ConfigFlowResult, OptionsFlowWithReload
from homeassistant.const import CONF_SCAN_INTERVAL, UnitOfTime
from homeassistant.helpers.selector import (
    BooleanSelector,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
)

from ..const import (
    CONF_IMPORT_COSTS,
    CONF_IMPORT_HISTORY,
    CONF_PEAK_COUNT,
    CONF_PEAK_DIFFERENT_DAYS,
    CONF_PEAK_END_HOUR,
    CONF_PEAK_FIRST_HOUR,
    CONF_PEAK_INTERVAL,
    CONF_PEAK_WEEKDAYS,
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
from ..peaks import AUTOMATIC, DEFAULT_PEAK_OPTIONS, WEEKDAYS
from .sections import form_section

if TYPE_CHECKING:
    import probatio as vol
else:
    import voluptuous as vol

type _Fields = Mapping[str, tuple[Any, Any]]
"""The fields of a section by the name of the option: its default, and its selector."""


def _number(first: int, last: int) -> Any:
    """Return a selector of whole numbers.

    It is a list: a field or a slider for numbers takes any that is typed in, and what
    is out of range would be refused in English.
    """
    numbers = [str(number) for number in range(first, last + 1)]
    config = SelectSelectorConfig(options=numbers, mode=SelectSelectorMode.DROPDOWN)
    return vol.All(SelectSelector(config), vol.Coerce(int))


def _shown(value: Any) -> Any:
    """Return an option as its selector has it."""
    return str(value) if type(value) is int else value


def _choice(options: Sequence[str], texts: str, *, multiple: bool = False) -> Any:
    """Return a selector of texts, of several if it says so."""
    return SelectSelector(
        SelectSelectorConfig(
            options=list(options),
            translation_key=texts,
            multiple=multiple,
            mode=SelectSelectorMode.LIST if multiple else SelectSelectorMode.DROPDOWN,
        )
    )


_PEAK_SELECTORS = {
    CONF_PEAK_INTERVAL: _choice((AUTOMATIC, "15", "60"), CONF_PEAK_INTERVAL),
    CONF_PEAK_COUNT: _number(1, 5),
    CONF_PEAK_DIFFERENT_DAYS: BooleanSelector(),
    CONF_PEAK_FIRST_HOUR: _number(0, 23),
    CONF_PEAK_END_HOUR: _number(1, 24),
    CONF_PEAK_WEEKDAYS: _choice(WEEKDAYS, "weekday", multiple=True),
}
_PEAKS = "peaks"
_SECTIONS: Mapping[str, _Fields] = {
    "recovery": {
        CONF_RESYNC_AUTOMATICALLY: (DEFAULT_RESYNC_AUTOMATICALLY, BooleanSelector())
    },
    "history": {
        CONF_IMPORT_HISTORY: (DEFAULT_IMPORT_HISTORY, BooleanSelector()),
        CONF_IMPORT_COSTS: (DEFAULT_IMPORT_COSTS, BooleanSelector()),
    },
    _PEAKS: {
        name: (DEFAULT_PEAK_OPTIONS[name], selector)
        for name, selector in _PEAK_SELECTORS.items()
    },
    "entities": {
        CONF_SHOW_ALL_REGISTERS: (DEFAULT_SHOW_ALL_REGISTERS, BooleanSelector())
    },
}
"""The options of each section; sections are not stored."""


def _schema(stored: Mapping[str, Any]) -> vol.Schema:
    """Return the schema of the options, which shows those that are stored."""
    interval = stored.get(CONF_SCAN_INTERVAL, DEFAULT_SCAN_INTERVAL)
    schema: dict[vol.Marker, Any] = {
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
        )
    }
    for name, fields in _SECTIONS.items():
        shown = {
            option: _shown(stored.get(option, default))
            for option, (default, _) in fields.items()
        }
        selectors = {option: selector for option, (_, selector) in fields.items()}
        schema[vol.Optional(name, default=shown)] = form_section(
            selectors, shown, collapsed=False
        )
    return vol.Schema(schema)


def _errors(options: Mapping[str, Any]) -> dict[str, str]:
    """Return what is wrong with options, by their section: it shows no others."""
    if not options[CONF_PEAK_WEEKDAYS]:
        return {_PEAKS: "no_weekday"}
    if options[CONF_PEAK_FIRST_HOUR] == options[CONF_PEAK_END_HOUR]:
        return {_PEAKS: "same_hours"}
    return {}


class NesMepOptionsFlow(OptionsFlowWithReload):
    """Asks how often to poll, what to do automatically, and what a tariff counts."""

    async def async_step_init(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show and store the options."""
        options = dict(self.config_entry.options)
        errors: dict[str, str] = {}
        if user_input is not None:
            options = {}
            for name, value in user_input.items():
                options |= value if name in _SECTIONS else {name: value}
            errors = _errors(options)
            if not errors:
                return self.async_create_entry(data=options)
        return self.async_show_form(
            step_id="init", data_schema=_schema(options), errors=errors
        )
