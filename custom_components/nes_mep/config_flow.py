"""The flows: set up a meter, renew its key, and its options."""

from collections.abc import Mapping
import logging
from typing import TYPE_CHECKING, Any, override

from homeassistant.config_entries import (
    ConfigEntry,
    ConfigFlow,
    ConfigFlowResult,
    OptionsFlow,
    OptionsFlowWithReload,
)
from homeassistant.const import CONF_PORT, CONF_SCAN_INTERVAL, UnitOfTime
from homeassistant.core import callback
from homeassistant.helpers.selector import (
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    SerialPortSelector,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)

from .const import (
    CONF_KEY,
    DEFAULT_SCAN_INTERVAL,
    DOMAIN,
    MAX_SCAN_INTERVAL,
    MIN_SCAN_INTERVAL,
)
from .mep import (
    MepAuthenticationError,
    MepConnectionError,
    MepTimeoutError,
    Meter,
    MeterIdentity,
    parse_key,
)

if TYPE_CHECKING:
    import probatio as vol
else:
    import voluptuous as vol

_LOGGER = logging.getLogger(__name__)

_KEY_SELECTOR = TextSelector(TextSelectorConfig(type=TextSelectorType.PASSWORD))

USER_SCHEMA = vol.Schema(
    {
        vol.Required(CONF_PORT): SerialPortSelector(),
        vol.Required(CONF_KEY): _KEY_SELECTOR,
    }
)

REAUTH_SCHEMA = vol.Schema({vol.Required(CONF_KEY): _KEY_SELECTOR})

OPTIONS_SCHEMA = vol.Schema(
    {
        vol.Required(CONF_SCAN_INTERVAL, default=DEFAULT_SCAN_INTERVAL): vol.All(
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
)


class NesMepConfigFlow(ConfigFlow, domain=DOMAIN):
    """Asks for port and key, proves both, and learns which meter is there."""

    VERSION = 1

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: ConfigEntry) -> OptionsFlow:
        """Return the options flow."""
        return NesMepOptionsFlow()

    @override
    async def async_step_user(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Set up a meter by its port and key."""
        errors: dict[str, str] = {}
        if user_input is not None:
            # Another entry polls on this port, which cannot be opened twice.
            self._async_abort_entries_match({CONF_PORT: user_input[CONF_PORT]})
            identity, errors = await _async_identify(
                user_input[CONF_PORT], user_input[CONF_KEY]
            )
            if identity is not None:
                await self.async_set_unique_id(identity.serial_number)
                self._abort_if_unique_id_configured()
                return self.async_create_entry(
                    title=f"{identity.model} {identity.serial_number}",
                    data=user_input,
                )
        return self.async_show_form(
            step_id="user",
            data_schema=self.add_suggested_values_to_schema(USER_SCHEMA, user_input),
            errors=errors,
        )

    async def async_step_reauth(
        self, entry_data: Mapping[str, Any]
    ) -> ConfigFlowResult:
        """Start to renew the key, which the meter refuses."""
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the key, and keep it if the same meter accepts it."""
        entry = self._get_reauth_entry()
        errors: dict[str, str] = {}
        if user_input is not None:
            identity, errors = await _async_identify(
                entry.data[CONF_PORT], user_input[CONF_KEY]
            )
            if identity is not None:
                await self.async_set_unique_id(identity.serial_number)
                self._abort_if_unique_id_mismatch(reason="wrong_meter")
                return self.async_update_reload_and_abort(
                    entry, data_updates=user_input
                )
        return self.async_show_form(
            step_id="reauth_confirm",
            data_schema=self.add_suggested_values_to_schema(REAUTH_SCHEMA, user_input),
            description_placeholders={"meter": entry.title},
            errors=errors,
        )


class NesMepOptionsFlow(OptionsFlowWithReload):
    """Asks how often to poll."""

    async def async_step_init(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show and keep the options."""
        if user_input is not None:
            return self.async_create_entry(data=user_input)
        return self.async_show_form(
            step_id="init",
            data_schema=self.add_suggested_values_to_schema(
                OPTIONS_SCHEMA, self.config_entry.options
            ),
        )


async def _async_identify(
    port: str, key_text: str
) -> tuple[MeterIdentity | None, dict[str, str]]:
    """Return the meter behind a port, or the errors to show in the form."""
    try:
        key = parse_key(key_text)
    except ValueError:
        return None, {CONF_KEY: "invalid_key_format"}
    try:
        meter = await Meter.open(port, key)
    except MepConnectionError:
        return None, {"base": "cannot_connect"}
    except MepTimeoutError:
        return None, {"base": "no_reply"}
    except MepAuthenticationError:
        return None, {CONF_KEY: "invalid_auth"}
    except Exception:
        _LOGGER.exception("Unexpected error while the meter was identified")
        return None, {"base": "unknown"}
    try:
        return meter.identity, {}
    finally:
        await meter.close()
