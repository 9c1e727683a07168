"""The forms in which a person says how a meter is reached."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_PORT
from homeassistant.helpers.selector import (
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    SerialPortSelector,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)

from ..const import BAUDRATES, CONF_BAUDRATE, CONF_KEY, CONF_METER_PORT, CONF_SECURITY
from ..link.access import LinkSecurity, meter_port_of
from ..link.board import Board
from ..link.choice import LinkChoice
from ..osgp import DEFAULT_BAUDRATE, MeterPort, SecurityMode
from .sections import form_section

if TYPE_CHECKING:
    import probatio as vol
else:
    import voluptuous as vol

_ADVANCED = "advanced"
_AUTOMATIC = "automatic"
_DETECT = "detect"


def _choice(name: str, *options: str) -> SelectSelector:
    """Return a selector whose options have texts under its name."""
    return SelectSelector(
        SelectSelectorConfig(
            options=[str(option) for option in options],
            translation_key=name,
            mode=SelectSelectorMode.DROPDOWN,
        )
    )


_KEY_SELECTOR = TextSelector(TextSelectorConfig(type=TextSelectorType.PASSWORD))
_BAUDRATE_SELECTOR = SelectSelector(
    SelectSelectorConfig(
        options=[str(baudrate) for baudrate in BAUDRATES],
        mode=SelectSelectorMode.DROPDOWN,
    )
)
_MODES = (SecurityMode.TLS, SecurityMode.DIGEST, SecurityMode.RC4)
_PORTS = (MeterPort.MEP, MeterPort.OPTICAL)

KEY_SCHEMA = vol.Schema({vol.Required(CONF_KEY): _KEY_SELECTOR})
"""The form of a key alone."""


def _mode(text: str) -> SecurityMode | None:
    """Return a mode of security, None for the best."""
    return None if text == _AUTOMATIC else SecurityMode(text)


# Setup


def setup_schema(shown: Mapping[str, Any]) -> vol.Schema:
    """Return the schema of the setup, which shows what was entered before."""
    usual = {CONF_SECURITY: _AUTOMATIC, CONF_BAUDRATE: str(DEFAULT_BAUDRATE)}
    advanced = {**usual, **shown.get(_ADVANCED, {})}
    return vol.Schema(
        {
            vol.Required(CONF_PORT): SerialPortSelector(),
            vol.Required(CONF_KEY): _KEY_SELECTOR,
            vol.Required(
                CONF_METER_PORT, default=shown.get(CONF_METER_PORT, _DETECT)
            ): _choice(CONF_METER_PORT, _DETECT, *_PORTS),
            vol.Optional(_ADVANCED, default=advanced): form_section(
                {
                    CONF_SECURITY: _choice(CONF_SECURITY, _AUTOMATIC, *_MODES),
                    CONF_BAUDRATE: _BAUDRATE_SELECTOR,
                },
                advanced,
                collapsed=advanced == usual,
            ),
        }
    )


def shown_for_board(port: str, board: Board) -> dict[str, str]:
    """Return what the setup shows at first for a board at a port."""
    meter_port = MeterPort.OPTICAL.value if board.is_head else _DETECT
    return {CONF_PORT: port, CONF_METER_PORT: meter_port}


def chosen_at_setup(user_input: Mapping[str, Any]) -> LinkChoice:
    """Return what was entered at the setup."""
    meter_port = user_input[CONF_METER_PORT]
    advanced = user_input[_ADVANCED]
    return LinkChoice(
        port=user_input[CONF_PORT],
        key=user_input[CONF_KEY],
        meter_port=None if meter_port == _DETECT else MeterPort(meter_port),
        mode=_mode(advanced[CONF_SECURITY]),
        baudrate=int(advanced[CONF_BAUDRATE]),
    )


# Reconfigure


def _baudrate_of(entry: ConfigEntry) -> int:
    """Return the baud rate of an entry; before it could be chosen, it was the default."""
    baudrate: int = entry.data.get(CONF_BAUDRATE, DEFAULT_BAUDRATE)
    return baudrate


def reconfigure_schema(entry: ConfigEntry, shown: Mapping[str, Any]) -> vol.Schema:
    """Return the schema of a change of an entry, which shows what was entered before.

    An entry of the MEP offers no automatic choice of the mode: the way from TLS to the
    old mode is taken on purpose.
    """
    is_at_mep = meter_port_of(entry.data) is MeterPort.MEP
    modes = _MODES if is_at_mep else (_AUTOMATIC, *_MODES)
    return vol.Schema(
        {
            vol.Required(CONF_PORT): SerialPortSelector(),
            vol.Optional(CONF_KEY): _KEY_SELECTOR,
            vol.Required(CONF_METER_PORT, default=shown[CONF_METER_PORT]): _choice(
                CONF_METER_PORT, *_PORTS
            ),
            vol.Required(CONF_SECURITY): _choice(CONF_SECURITY, *modes),
            vol.Optional(CONF_BAUDRATE): _BAUDRATE_SELECTOR,
        }
    )


def reconfigure_values(entry: ConfigEntry) -> dict[str, str]:
    """Return what the form of a change shows at first."""
    return {
        CONF_PORT: entry.data[CONF_PORT],
        CONF_METER_PORT: meter_port_of(entry.data).value,
        CONF_SECURITY: LinkSecurity.of_entry(entry.data).mode.value
        if meter_port_of(entry.data) is MeterPort.MEP
        else _AUTOMATIC,
        CONF_BAUDRATE: str(_baudrate_of(entry)),
    }


def chosen_for(entry: ConfigEntry, user_input: Mapping[str, Any]) -> LinkChoice:
    """Return what an entry is to be changed to, with its own key if none was entered."""
    return LinkChoice(
        port=user_input[CONF_PORT],
        key=user_input.get(CONF_KEY) or entry.data[CONF_KEY],
        meter_port=MeterPort(user_input[CONF_METER_PORT]),
        mode=_mode(user_input[CONF_SECURITY]),
        baudrate=int(user_input.get(CONF_BAUDRATE, _baudrate_of(entry))),
    )


def chosen_before(entry: ConfigEntry, key: str) -> LinkChoice:
    """Return what an entry says, with another key."""
    return LinkChoice(
        port=entry.data[CONF_PORT],
        key=key,
        meter_port=meter_port_of(entry.data),
        mode=LinkSecurity.of_entry(entry.data).mode,
        baudrate=_baudrate_of(entry),
    )
