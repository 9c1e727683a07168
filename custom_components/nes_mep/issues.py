"""The repair issue of a meter: it was set up with TLS, and now TLS is refused."""

from typing import Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from .const import DOMAIN

TLS_REFUSED: Final = "tls_refused"


@callback
def async_create_tls_refused(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Tell the user that the meter of an entry is not read, and why."""
    ir.async_create_issue(
        hass,
        DOMAIN,
        _issue_id(entry),
        is_fixable=True,
        severity=ir.IssueSeverity.ERROR,
        translation_key=TLS_REFUSED,
        translation_placeholders={"meter": entry.title},
        data={"entry_id": entry.entry_id},
    )


@callback
def async_delete_tls_refused(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Take the issue of an entry back, if there is one."""
    ir.async_delete_issue(hass, DOMAIN, _issue_id(entry))


def _issue_id(entry: ConfigEntry) -> str:
    return f"{TLS_REFUSED}_{entry.entry_id}"
