"""Sections of forms."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from homeassistant.data_entry_flow import section

if TYPE_CHECKING:
    import probatio as vol
else:
    import voluptuous as vol


def form_section(
    fields: Mapping[str, Any], shown: Mapping[str, Any], *, collapsed: bool
) -> section:
    """Return a section whose fields show these values.

    fields has the selectors by name. The frontend shows the default of a section in
    place of those of its fields, so it names the value of each.
    """
    return section(
        vol.Schema(
            {
                vol.Required(name, default=shown[name]): selector
                for name, selector in fields.items()
            }
        ),
        {"collapsed": collapsed},
    )
