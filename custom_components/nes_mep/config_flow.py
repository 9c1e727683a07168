"""The flows: set up a meter, renew its key, and change its link."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
import logging
from typing import TYPE_CHECKING, Any, override

from homeassistant.config_entries import (
    SOURCE_REAUTH,
    SOURCE_RECONFIGURE,
    ConfigEntry,
    ConfigEntryState,
    ConfigFlow,
    ConfigFlowResult,
    OptionsFlow,
)
from homeassistant.const import CONF_PORT, CONF_SCAN_INTERVAL
from homeassistant.core import callback
from homeassistant.helpers.service_info.zeroconf import ZeroconfServiceInfo
from homeassistant.helpers.typing import UNDEFINED

from .const import (
    CONF_BAUDRATE,
    CONF_KEY,
    CONF_METER_PORT,
    DEFAULT_SCAN_INTERVAL,
    DOMAIN,
    SCAN_INTERVAL_BESIDE_MEP,
)
from .flows.options import NesMepOptionsFlow
from .flows.setup_forms import (
    KEY_SCHEMA,
    chosen_at_setup,
    chosen_before,
    chosen_for,
    reconfigure_schema,
    reconfigure_values,
    setup_schema,
    shown_for_board,
)
from .link.access import LinkSecurity, meter_port_of
from .link.board import Board, async_port_of, is_board_used
from .link.choice import LinkChoice
from .link.errors import form_error
from .link.find_meter import (
    FoundMeter,
    find_at_optical_port,
    find_meter,
    is_exposed,
    is_in_open_network,
)
from .link.host_clock import host_clock
from .link.port import parse_port
from .monitor import async_get_monitor
from .osgp import (
    KeyRefusedError,
    MeterError,
    MeterPort,
    NoReplyError,
    OpticalMemory,
    SecurityMode,
    parse_key,
    probe_optical,
)

if TYPE_CHECKING:
    import probatio as vol
else:
    import voluptuous as vol

_LOGGER = logging.getLogger(__name__)

type _Form = Callable[[dict[str, str]], ConfigFlowResult]
"""Shows a form with errors."""


class NesMepConfigFlow(ConfigFlow, domain=DOMAIN):
    """Asks how a meter is reached, proves it, and identifies the meter.

    Setup, change and renewal of the key go the same way: what was chosen is checked,
    proved and stored, or its form is shown again.
    """

    VERSION = 1
    # Since 2, entries say which mode of security they use; before, it was the digest.
    MINOR_VERSION = 2

    _board: Board
    _choice: LinkChoice
    _form: _Form
    _found: FoundMeter

    def __init__(self) -> None:
        """Start with nothing chosen."""
        self._memories: defaultdict[str, OpticalMemory] = defaultdict(OpticalMemory)
        """What is known of the optical port behind each port."""
        self._warned_of: set[str] = set()

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: ConfigEntry) -> OptionsFlow:
        """Return the options flow."""
        return NesMepOptionsFlow()

    # The forms

    @override
    async def async_step_user(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Set up a meter by its port and key."""
        form = partial(self._show_setup, user_input or {})
        if user_input is None:
            return form({})
        return await self._async_take(chosen_at_setup(user_input), form)

    @override
    async def async_step_zeroconf(
        self, discovery_info: ZeroconfServiceInfo
    ) -> ConfigFlowResult:
        """Offer to set up the meter at a board of this project that was discovered."""
        board = Board.of_discovery(discovery_info)
        if board is None:
            return self.async_abort(reason="unknown_board")
        await self.async_set_unique_id(board.unique_id)
        self._abort_if_unique_id_configured()
        if is_board_used(self.hass, board):
            return self.async_abort(reason="already_configured")
        self._board = board
        self.context["title_placeholders"] = {"name": board.name}
        return await self.async_step_board()

    async def async_step_board(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Go on with the port of the board as soon as ESPHome is connected to it."""
        errors = {}
        if user_input is not None:
            if port := await async_port_of(self.hass, self._board):
                return self._show_setup(shown_for_board(port, self._board), {})
            errors = {"base": "board_not_connected"}
        return self.async_show_form(
            step_id="board",
            data_schema=vol.Schema({}),
            description_placeholders={"board": self._board.name},
            errors=errors,
        )

    @callback
    def _show_setup(
        self, shown: dict[str, Any], errors: dict[str, str]
    ) -> ConfigFlowResult:
        return self.async_show_form(
            step_id="user",
            data_schema=self._filled_in(setup_schema(shown), shown),
            errors=errors,
        )

    def _filled_in(self, schema: vol.Schema, shown: dict[str, Any]) -> vol.Schema:
        """Return a schema that shows what was entered, where its defaults do not."""
        shown = {name: shown[name] for name in shown if name != CONF_METER_PORT}
        return self.add_suggested_values_to_schema(schema, shown)

    async def async_step_optical(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the key of an optical port that was detected."""
        if user_input is None:
            shown = {CONF_KEY: self._choice.key}
            return self._show_key_form("optical", shown, {})
        return await self._async_take(
            replace(self._choice, key=user_input[CONF_KEY]),
            partial(self._show_key_form, "optical", user_input),
        )

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Change how the same meter is reached."""
        entry = self._get_reconfigure_entry()
        form = partial(self._show_change, user_input or reconfigure_values(entry))
        if user_input is None:
            return form({})
        choice = chosen_for(entry, user_input)
        if not user_input.get(CONF_KEY):
            if choice.meter_port is not meter_port_of(entry.data):
                return form({CONF_KEY: "key_required"})  # each port has its own keys
            memory = async_get_monitor(self.hass, entry).optical_memory
            if choice.is_optical and memory.refusal(choice.parsed_key):
                return form({CONF_KEY: "optical_key_refused_before"})
        return await self._async_take(choice, form)

    @callback
    def _show_change(
        self, shown: dict[str, Any], errors: dict[str, str]
    ) -> ConfigFlowResult:
        entry = self._get_reconfigure_entry()
        return self.async_show_form(
            step_id="reconfigure",
            data_schema=self._filled_in(reconfigure_schema(entry, shown), shown),
            description_placeholders={"meter": entry.title},
            errors=errors,
        )

    async def async_step_reauth(
        self, entry_data: Mapping[str, Any]
    ) -> ConfigFlowResult:
        """Start to renew the key, which the meter refuses."""
        if meter_port_of(entry_data) is MeterPort.OPTICAL:
            return await self.async_step_reauth_optical()
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the key; store it if the same meter accepts it in the same mode."""
        return await self._async_renew_key("reauth_confirm", user_input)

    async def async_step_reauth_optical(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the key of the optical port; store it if the same meter accepts it."""
        return await self._async_renew_key("reauth_optical", user_input)

    async def _async_renew_key(
        self, step_id: str, user_input: dict[str, Any] | None
    ) -> ConfigFlowResult:
        form = partial(self._show_key_form, step_id, user_input or {})
        if user_input is None:
            return form({})
        entry = self._get_reauth_entry()
        return await self._async_take(chosen_before(entry, user_input[CONF_KEY]), form)

    @callback
    def _show_key_form(
        self, step_id: str, shown: dict[str, Any], errors: dict[str, str]
    ) -> ConfigFlowResult:
        entry = self._changed_entry
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(KEY_SCHEMA, shown),
            description_placeholders={"meter": entry.title} if entry else None,
            errors=errors,
        )

    async def async_step_key_in_clear(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Warn that the key of the optical port would cross a network in clear."""
        if user_input is None:
            return self.async_show_form(
                step_id="key_in_clear", data_schema=vol.Schema({})
            )
        self._warned_of.add(self._choice.port)
        return await self._async_prove()

    async def async_step_unencrypted(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Warn that others on the network can see and change the readings."""
        if user_input is None:
            return self.async_show_form(
                step_id="unencrypted", data_schema=vol.Schema({})
            )
        return self._async_finish()

    # From a choice to an entry

    async def _async_take(self, choice: LinkChoice, form: _Form) -> ConfigFlowResult:
        """Check a choice and prove it; show its form again if something is wrong."""
        if errors := choice.errors or self._errors_beside_others(choice):
            return form(errors)
        choice = replace(choice, port=parse_port(choice.port))
        self._choice, self._form = choice, form
        if choice.is_optical:
            if self._memories[choice.port].refusal(choice.parsed_key):
                return form({CONF_KEY: "optical_key_refused_before"})
            if is_in_open_network(choice.port) and self._must_warn_of(choice.port):
                return await self.async_step_key_in_clear()
        return await self._async_prove()

    @callback
    def _must_warn_of(self, port: str) -> bool:
        """Return whether nobody was told yet what a network at a port can see."""
        return self.source != SOURCE_REAUTH and port not in self._warned_of

    @callback
    def _errors_beside_others(self, choice: LinkChoice) -> dict[str, str]:
        """Return what is wrong with a choice because of other entries, by field."""
        # Another entry polls on this port, which cannot be opened twice.
        port = parse_port(choice.port)
        if any(entry.data[CONF_PORT] == port for entry in self._other_entries):
            return {CONF_PORT: "port_in_use"}
        if choice.is_optical:
            # It would cross the air in clear, to a port that refuses it.
            return {CONF_KEY: "key_of_mep"} if self._is_key_of_mep(choice) else {}
        if choice.mode not in {None, SecurityMode.TLS} and self._is_used_in_tls(choice):
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
    def _is_used_in_tls(self, choice: LinkChoice) -> bool:
        """Return whether another entry uses a key in TLS: the old mode would expose it."""
        return any(
            LinkSecurity.of_entry(entry.data).mode is SecurityMode.TLS
            and _is_mep_key(choice.key, entry)
            for entry in self._other_entries
        )

    @callback
    def _is_key_of_mep(self, choice: LinkChoice) -> bool:
        """Return whether an entry uses a key at the MEP of a meter."""
        return any(
            _is_mep_key(choice.key, entry)
            for entry in self._async_current_entries(include_ignore=False)
        )

    @property
    def _changed_entry(self) -> ConfigEntry | None:
        """The entry that the flow changes, None at the setup."""
        if self.source == SOURCE_RECONFIGURE:
            return self._get_reconfigure_entry()
        return self._get_reauth_entry() if self.source == SOURCE_REAUTH else None

    async def _async_prove(self) -> ConfigFlowResult:
        """Find the meter of the choice; show the form again if it is not found."""
        choice, entry = self._choice, self._changed_entry
        if entry is not None:
            await self._async_release(entry)
        try:
            self._found = await self._async_find()
        except MeterError as err:
            _LOGGER.debug("The meter was not identified: %s", err)
            if await self._async_detects_optical_port(err):
                self._choice = replace(choice, meter_port=MeterPort.OPTICAL)
                return await self.async_step_optical()
            field = CONF_KEY if isinstance(err, KeyRefusedError) else "base"
            errors = {field: form_error(err, choice.meter_port)}
        # Home Assistant's rule for config flows: whatever else goes wrong, the form stays
        # open with "unknown", and the log has the traceback.
        except Exception:
            _LOGGER.exception("Unexpected error while the meter was identified")
            errors = {"base": "unknown"}
        else:
            return await self._async_keep()
        if entry is not None:
            await self._async_go_on(entry)
        return self._form(errors)

    async def _async_release(self, entry: ConfigEntry) -> None:
        """Stop to read the meter of an entry: a serial port can be opened once only."""
        if self._choice.port == entry.data[CONF_PORT]:
            async with entry.setup_lock:
                pass  # let a setup that is under way come to its end
        if entry.state.recoverable:
            await self.hass.config_entries.async_unload(entry.entry_id)

    async def _async_go_on(self, entry: ConfigEntry) -> None:
        """Set up an entry that was not changed, so that its meter is read as before."""
        # Not a reload, which would end the flow that asks for the key.
        if entry.state is ConfigEntryState.NOT_LOADED:
            await self.hass.config_entries.async_setup(entry.entry_id)

    async def _async_find(self) -> FoundMeter:
        """Return the meter of the choice. Raises MeterError."""
        choice, clock = self._choice, host_clock(self.hass)
        key = choice.parsed_key
        if choice.is_optical:
            memory = self._memories[choice.port]
            memory.end_peace()
            return await find_at_optical_port(
                choice.port, key, memory=memory, clock=clock
            )
        mode = SecurityMode.TLS if self._is_used_in_tls(choice) else choice.mode
        return await find_meter(
            choice.port, key, mode, baudrate=choice.baudrate, clock=clock
        )

    async def _async_detects_optical_port(self, failure: MeterError) -> bool:
        """Return whether an optical port is where no MEP said anything at all."""
        choice = self._choice
        if (
            choice.meter_port is not None
            or failure.had_reply
            or not isinstance(failure, NoReplyError)
        ):
            return False
        try:
            return await probe_optical(choice.port, clock=host_clock(self.hass))
        except MeterError as err:
            _LOGGER.debug("The optical port was not looked for: %s", err)
            return False

    async def _async_keep(self) -> ConfigFlowResult:
        """Store what was proved, after a warning if one is due.

        Aborts if it is another meter than it should be, or one that has an entry.
        """
        entry, serial_number = self._changed_entry, self._found.identity.serial_number
        await self.async_set_unique_id(serial_number)
        if entry is None:
            self._abort_if_unique_id_configured()
        else:
            if serial_number != entry.unique_id:
                await self._async_go_on(entry)
            self._abort_if_unique_id_mismatch(reason="wrong_meter")
        if (
            not self._choice.is_optical
            and self.source != SOURCE_REAUTH
            and is_exposed(self._choice.port, self._found.security)
        ):
            if entry is not None:
                await self._async_go_on(entry)
            return await self.async_step_unencrypted()
        return self._async_finish()

    @property
    def _data(self) -> dict[str, Any]:
        """What an entry stores of the choice."""
        choice, entry = self._choice, self._changed_entry
        security = {} if choice.is_optical else self._found.security.entry_data
        if entry is not None and self.source == SOURCE_REAUTH:
            return {**entry.data, CONF_KEY: choice.key, **security}
        return {
            CONF_PORT: choice.port,
            CONF_KEY: choice.key,
            **(
                {CONF_METER_PORT: MeterPort.OPTICAL.value}
                if choice.is_optical
                else {CONF_BAUDRATE: choice.baudrate}
            ),
            **security,
        }

    @callback
    def _async_finish(self) -> ConfigFlowResult:
        """Make the entry, or change the one that the flow is about."""
        entry, found = self._changed_entry, self._found
        options, is_slowed = self._options
        remark = "beside_mep" if is_slowed else None
        if found.refused_tls:
            remark = "refused_tls"
        if entry is None:
            return self.async_create_entry(
                title=f"{found.identity.model} {found.identity.serial_number}",
                data=self._data,
                options=options,
                description=remark or ("optical" if self._choice.is_optical else None),
            )
        if self._choice.is_optical:
            # What it remembers is of before.
            memory = async_get_monitor(self.hass, entry).optical_memory
            memory.allow(self._choice.parsed_key)
            memory.end_peace()
        return self.async_update_reload_and_abort(
            entry,
            data=self._data,
            options=options,
            reason=f"reconfigured_{remark}" if remark else UNDEFINED,
        )

    @property
    def _options(self) -> tuple[dict[str, Any], bool]:
        """The options of the entry, and whether it is polled less often from now on.

        A meter that begins to be read at its optical port, at the expense of its MEP, is.
        """
        entry = self._changed_entry
        options = dict(entry.options) if entry else {}
        is_new = entry is None or meter_port_of(entry.data) is not MeterPort.OPTICAL
        interval = options.get(CONF_SCAN_INTERVAL, DEFAULT_SCAN_INTERVAL)
        if not (
            is_new and self._found.silences_mep and interval < SCAN_INTERVAL_BESIDE_MEP
        ):
            return options, False
        return options | {CONF_SCAN_INTERVAL: SCAN_INTERVAL_BESIDE_MEP}, True


def _is_mep_key(text: str, entry: ConfigEntry) -> bool:
    """Return whether a text is the key that an entry uses at the MEP."""
    if meter_port_of(entry.data) is not MeterPort.MEP:
        return False
    try:
        return parse_key(text) == parse_key(entry.data[CONF_KEY])
    except ValueError:
        return False
