"""The flows: set up a meter, renew its key, and change its link."""

from collections.abc import Mapping
import logging
from typing import TYPE_CHECKING, Any, override

from homeassistant.config_entries import (
    SOURCE_RECONFIGURE,
    ConfigEntry,
    ConfigEntryState,
    ConfigFlow,
    ConfigFlowResult,
    OptionsFlow,
)
from homeassistant.const import CONF_PORT
from homeassistant.core import callback
from homeassistant.helpers.selector import (
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    SerialPortSelector,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)

from .const import BAUDRATES, CONF_BAUDRATE, CONF_KEY, CONF_SECURITY, DOMAIN
from .forms import form_section
from .link.access import LinkSecurity
from .link.errors import failure_of
from .link.find_meter import FoundMeter, find_meter, is_exposed
from .link.host_clock import host_clock
from .link.port import parse_port
from .options_flow import NesMepOptionsFlow
from .osgp import DEFAULT_BAUDRATE, KeyRefusedError, MeterError, SecurityMode, parse_key

if TYPE_CHECKING:
    import probatio as vol
else:
    import voluptuous as vol

_LOGGER = logging.getLogger(__name__)

_ADVANCED = "advanced"
_AUTOMATIC = "automatic"

_SECURITY_MODES = [
    mode.value for mode in (SecurityMode.TLS, SecurityMode.DIGEST, SecurityMode.RC4)
]

_KEY_SELECTOR = TextSelector(TextSelectorConfig(type=TextSelectorType.PASSWORD))


def _security_selector(*choices: str) -> SelectSelector:
    """Return a selector of security modes, and of further choices."""
    return SelectSelector(
        SelectSelectorConfig(
            options=[*choices, *_SECURITY_MODES],
            translation_key=CONF_SECURITY,
            mode=SelectSelectorMode.DROPDOWN,
        )
    )


_BAUDRATE_SELECTOR = SelectSelector(
    SelectSelectorConfig(
        options=[str(baudrate) for baudrate in BAUDRATES],
        mode=SelectSelectorMode.DROPDOWN,
    )
)


def _user_schema(shown: Mapping[str, Any]) -> vol.Schema:
    """Return the schema of the setup, which shows what was entered before."""
    usual = {CONF_SECURITY: _AUTOMATIC, CONF_BAUDRATE: str(DEFAULT_BAUDRATE)}
    advanced = {**usual, **shown.get(_ADVANCED, {})}
    return vol.Schema(
        {
            vol.Required(CONF_PORT): SerialPortSelector(),
            vol.Required(CONF_KEY): _KEY_SELECTOR,
            vol.Optional(_ADVANCED, default=advanced): form_section(
                {
                    CONF_SECURITY: _security_selector(_AUTOMATIC),
                    CONF_BAUDRATE: _BAUDRATE_SELECTOR,
                },
                advanced,
                collapsed=advanced == usual,
            ),
        }
    )


RECONFIGURE_SCHEMA = vol.Schema(
    {
        vol.Required(CONF_PORT): SerialPortSelector(),
        vol.Optional(CONF_KEY): _KEY_SELECTOR,
        # No automatic: the way from TLS to the old mode is taken on purpose.
        vol.Required(CONF_SECURITY): _security_selector(),
        vol.Optional(CONF_BAUDRATE): _BAUDRATE_SELECTOR,
    }
)

REAUTH_SCHEMA = vol.Schema({vol.Required(CONF_KEY): _KEY_SELECTOR})


def _baudrate_of(entry: ConfigEntry) -> int:
    """Return the baud rate of an entry; before it could be chosen, it was the default."""
    baudrate: int = entry.data.get(CONF_BAUDRATE, DEFAULT_BAUDRATE)
    return baudrate


class NesMepConfigFlow(ConfigFlow, domain=DOMAIN):
    """Asks for port and key, proves both, and identifies the meter."""

    VERSION = 1
    # Since 2, entries say which mode of security they use; before, it was the digest.
    MINOR_VERSION = 2

    def __init__(self) -> None:
        """Start with nothing found."""
        self._title = ""
        self._description: str | None = None
        self._data: dict[str, Any] = {}

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
            choice = user_input[_ADVANCED][CONF_SECURITY]
            mode = None if choice == _AUTOMATIC else SecurityMode(choice)
            baudrate = int(user_input[_ADVANCED][CONF_BAUDRATE])
            port, key = user_input[CONF_PORT], user_input[CONF_KEY]
            errors = self._port_errors(port) | self._key_errors(key, mode)
            if not errors:
                port = parse_port(port)
                found, errors = await self._async_find(port, key, mode, baudrate)
                if found is not None:
                    identity = found.identity
                    await self.async_set_unique_id(identity.serial_number)
                    self._abort_if_unique_id_configured()
                    self._title = f"{identity.model} {identity.serial_number}"
                    if found.refused_tls:
                        self._description = "refused_tls"
                    return await self._async_keep(port, key, baudrate, found.security)
        return self.async_show_form(
            step_id="user",
            data_schema=self.add_suggested_values_to_schema(
                _user_schema(user_input or {}), user_input
            ),
            errors=errors,
        )

    async def _async_keep(
        self, port: str, key: str, baudrate: int, security: LinkSecurity
    ) -> ConfigFlowResult:
        """Store what was proved to work, after a warning if one is due."""
        self._data = {
            CONF_PORT: port,
            CONF_KEY: key,
            CONF_BAUDRATE: baudrate,
            **security.entry_data,
        }
        if is_exposed(port, security):
            if self.source == SOURCE_RECONFIGURE:
                await self._async_go_on(self._get_reconfigure_entry())
            return await self.async_step_unencrypted()
        return self._async_finish()

    async def _async_go_on(self, entry: ConfigEntry) -> None:
        """Set up an entry that was not changed, so that its meter is read as before."""
        # Not a reload, which would end the flow that asks for the key.
        if entry.state is ConfigEntryState.NOT_LOADED:
            await self.hass.config_entries.async_setup(entry.entry_id)

    async def async_step_unencrypted(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Warn that others on the network can see and change the readings."""
        if user_input is None:
            return self.async_show_form(
                step_id="unencrypted", data_schema=vol.Schema({})
            )
        return self._async_finish()

    @callback
    def _async_finish(self) -> ConfigFlowResult:
        """Make the entry, or change the one that is reconfigured."""
        if self.source == SOURCE_RECONFIGURE:
            return self.async_update_reload_and_abort(
                self._get_reconfigure_entry(), data_updates=self._data
            )
        return self.async_create_entry(
            title=self._title, data=self._data, description=self._description
        )

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Change the port, the key or the security mode of the same meter."""
        entry = self._get_reconfigure_entry()
        errors: dict[str, str] = {}
        if user_input is not None:
            port = user_input[CONF_PORT]
            key = user_input.get(CONF_KEY) or entry.data[CONF_KEY]
            mode = SecurityMode(user_input[CONF_SECURITY])
            baudrate = int(user_input.get(CONF_BAUDRATE, _baudrate_of(entry)))
            errors = self._port_errors(port) | self._key_errors(key, mode)
            if not errors:
                port = parse_port(port)
                found, errors = await self._async_prove(
                    entry, port, key, mode, baudrate
                )
                if found is not None:
                    return await self._async_keep(port, key, baudrate, found.security)
        return self.async_show_form(
            step_id="reconfigure",
            data_schema=self.add_suggested_values_to_schema(
                RECONFIGURE_SCHEMA,
                user_input
                or {
                    CONF_PORT: entry.data[CONF_PORT],
                    CONF_SECURITY: LinkSecurity.of_entry(entry.data).mode.value,
                    CONF_BAUDRATE: str(_baudrate_of(entry)),
                },
            ),
            description_placeholders={"meter": entry.title},
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
        """Ask for the key; store it if the same meter accepts it in the same mode."""
        entry = self._get_reauth_entry()
        errors: dict[str, str] = {}
        if user_input is not None:
            key, mode = user_input[CONF_KEY], LinkSecurity.of_entry(entry.data).mode
            errors = self._key_errors(key, mode)
            if not errors:
                found, errors = await self._async_prove(
                    entry, entry.data[CONF_PORT], key, mode, _baudrate_of(entry)
                )
                if found is not None:
                    return self.async_update_reload_and_abort(
                        entry, data_updates=user_input | found.security.entry_data
                    )
        return self.async_show_form(
            step_id="reauth_confirm",
            data_schema=self.add_suggested_values_to_schema(REAUTH_SCHEMA, user_input),
            description_placeholders={"meter": entry.title},
            errors=errors,
        )

    @callback
    def _port_errors(self, text: str) -> dict[str, str]:
        """Return what is wrong with a port, before it is opened."""
        try:
            port = parse_port(text)
        except ValueError:
            return {CONF_PORT: "invalid_port"}
        # Another entry polls on this port, which cannot be opened twice.
        if any(entry.data[CONF_PORT] == port for entry in self._other_entries):
            return {CONF_PORT: "port_in_use"}
        return {}

    @callback
    def _key_errors(self, text: str, mode: SecurityMode | None) -> dict[str, str]:
        """Return what is wrong with a key, before it is used in a mode of security."""
        try:
            key = parse_key(text)
        except ValueError:
            return {CONF_KEY: "invalid_key_format"}
        if mode not in {None, SecurityMode.TLS} and self._is_used_in_tls(key):
            return {CONF_KEY: "key_used_in_tls"}
        return {}

    @property
    def _other_entries(self) -> list[ConfigEntry]:
        """The entries but for the one that this flow is about."""
        return [
            entry
            for entry in self._async_current_entries(include_ignore=False)
            if entry.entry_id != self.context.get("entry_id")
        ]

    @callback
    def _is_used_in_tls(self, key: bytes) -> bool:
        """Return whether another entry uses a key in TLS: the old mode would expose it."""
        return any(
            LinkSecurity.of_entry(entry.data).mode is SecurityMode.TLS
            and parse_key(entry.data[CONF_KEY]) == key
            for entry in self._other_entries
        )

    async def _async_prove(
        self,
        entry: ConfigEntry,
        port: str,
        key_text: str,
        mode: SecurityMode,
        baudrate: int,
    ) -> tuple[FoundMeter | None, dict[str, str]]:
        """Find the meter of an entry, which is not read meanwhile.

        Aborts the flow if it is another meter. Unless it is found, it is read as before.
        """
        # A serial port can be opened once only.
        if port == entry.data[CONF_PORT]:
            async with entry.setup_lock:
                pass  # let a setup that is under way come to its end
        if entry.state.recoverable:
            await self.hass.config_entries.async_unload(entry.entry_id)
        found, errors = await self._async_find(port, key_text, mode, baudrate)
        if found is None or found.identity.serial_number != entry.unique_id:
            await self._async_go_on(entry)
        if found is not None:
            await self.async_set_unique_id(found.identity.serial_number)
            self._abort_if_unique_id_mismatch(reason="wrong_meter")
        return found, errors

    async def _async_find(
        self, port: str, key_text: str, mode: SecurityMode | None, baudrate: int
    ) -> tuple[FoundMeter | None, dict[str, str]]:
        """Return the meter behind a port, or the errors to show in the form."""
        key = parse_key(key_text)
        if self._is_used_in_tls(key):
            mode = SecurityMode.TLS
        try:
            found = await find_meter(
                port, key, mode, baudrate=baudrate, clock=host_clock(self.hass)
            )
        except MeterError as err:
            _LOGGER.debug("The meter was not identified: %s", err)
            field = CONF_KEY if isinstance(err, KeyRefusedError) else "base"
            return None, {field: failure_of(err).form}
        except Exception:
            # As in each config flow: the form stays open, and the log has the traceback.
            _LOGGER.exception("Unexpected error while the meter was identified")
            return None, {"base": "unknown"}
        return found, {}
