"""The repair issues of a meter: one table.

That a meter refuses its key is told by Home Assistant itself, which asks for it again.
"""

from dataclasses import dataclass
from typing import Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from ..const import DOMAIN

CLOCK_WRONG: Final = "clock_wrong"
LAYOUT_CHANGED: Final = "layout_changed"
PORT_SILENT: Final = "port_silent"
TLS_REFUSED: Final = "tls_refused"
TLS_REQUIRED: Final = "tls_required"


@dataclass(frozen=True, slots=True)
class IssueDescription:
    """How an issue is shown; what it says is in the translations.

    None is kept by the registry over a restart: those that would be missed are raised
    again from what is remembered of the meter, and no text with its number gets into
    diagnostics.
    """

    severity: ir.IssueSeverity = ir.IssueSeverity.WARNING
    is_fixable: bool = True


_ISSUES: Final = {
    CLOCK_WRONG: IssueDescription(is_fixable=False),
    LAYOUT_CHANGED: IssueDescription(),
    PORT_SILENT: IssueDescription(ir.IssueSeverity.ERROR),
    TLS_REFUSED: IssueDescription(ir.IssueSeverity.ERROR),
    TLS_REQUIRED: IssueDescription(ir.IssueSeverity.ERROR),
}


def issue_id(entry: ConfigEntry, issue: str) -> str:
    """Return the id of an issue of an entry."""
    return f"{issue}_{entry.entry_id}"


@callback
def async_raise_issue(
    hass: HomeAssistant, entry: ConfigEntry, issue: str, **placeholders: str
) -> None:
    """Tell the user what is wrong with the meter of an entry, and what to do."""
    description = _ISSUES[issue]
    ir.async_create_issue(
        hass,
        DOMAIN,
        issue_id(entry, issue),
        is_fixable=description.is_fixable,
        severity=description.severity,
        translation_key=issue,
        translation_placeholders={"meter": entry.title, **placeholders},
        data={"entry_id": entry.entry_id, "issue": issue},
    )


@callback
def async_clear_issue(hass: HomeAssistant, entry: ConfigEntry, issue: str) -> None:
    """Take an issue of an entry back, if it was raised."""
    ir.async_delete_issue(hass, DOMAIN, issue_id(entry, issue))


@callback
def async_clear_issues(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Take back all that was raised about an entry."""
    for issue in _ISSUES:
        async_clear_issue(hass, entry, issue)
