"""The repair issues of a meter: one table.

A refused key is not among them: see key.py and optical_key.py.
"""

from dataclasses import dataclass
from typing import Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from ..const import DOMAIN
from ..link.access import meter_port_of
from ..osgp import MeterPort

CLOCK_WRONG: Final = "clock_wrong"
LAYOUT_CHANGED: Final = "layout_changed"
LINK_DISTURBED: Final = "link_disturbed"
PORT_SILENT: Final = "port_silent"
TLS_REFUSED: Final = "tls_refused"
TLS_REQUIRED: Final = "tls_required"


@dataclass(frozen=True, slots=True)
class IssueDescription:
    """How an issue is shown; its texts are in the translations.

    The registry keeps none over a restart: those that must survive are raised again
    from the facts stored about the meter, and no text with its number gets into
    diagnostics.
    """

    severity: ir.IssueSeverity = ir.IssueSeverity.WARNING
    is_fixable: bool = True


_ISSUES: Final = {
    CLOCK_WRONG: IssueDescription(is_fixable=False),
    LAYOUT_CHANGED: IssueDescription(),
    LINK_DISTURBED: IssueDescription(is_fixable=False),
    PORT_SILENT: IssueDescription(ir.IssueSeverity.ERROR),
    TLS_REFUSED: IssueDescription(ir.IssueSeverity.ERROR),
    TLS_REQUIRED: IssueDescription(ir.IssueSeverity.ERROR),
}

_AT_OPTICAL_PORT: Final = {
    LINK_DISTURBED: "optical_link_disturbed",
    PORT_SILENT: "optical_port_silent",
}
"""Texts of issues that mean something else at the optical port."""


def issue_id(entry: ConfigEntry, issue: str) -> str:
    """Return the id of an issue of an entry."""
    return f"{issue}_{entry.entry_id}"


@callback
def async_raise_issue(
    hass: HomeAssistant, entry: ConfigEntry, issue: str, **placeholders: str
) -> None:
    """Raise an issue about the meter of an entry."""
    description, texts = _ISSUES[issue], issue
    if meter_port_of(entry.data) is MeterPort.OPTICAL:
        texts = _AT_OPTICAL_PORT.get(issue, issue)
    ir.async_create_issue(
        hass,
        DOMAIN,
        issue_id(entry, issue),
        is_fixable=description.is_fixable,
        severity=description.severity,
        translation_key=texts,
        translation_placeholders={"meter": entry.title, **placeholders},
        data={"entry_id": entry.entry_id, "issue": issue},
    )


@callback
def async_clear_issue(hass: HomeAssistant, entry: ConfigEntry, issue: str) -> None:
    """Clear an issue of an entry, if it was raised."""
    ir.async_delete_issue(hass, DOMAIN, issue_id(entry, issue))


@callback
def async_clear_issues(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Clear all issues of an entry."""
    for issue in _ISSUES:
        async_clear_issue(hass, entry, issue)
