"""Tests of the options: what can be chosen, and how it is kept."""

from datetime import timedelta
from typing import Any

import pytest

from custom_components.nes_mep.const import DOMAIN
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, InvalidData, section
from homeassistant.helpers.translation import async_get_translations

from .common import make_entry, set_up
from .simulator import SimulatedMeter

pytestmark = pytest.mark.usefixtures("enable_custom_integrations")

DEFAULTS = {
    "scan_interval": 10,
    "recovery": {"resync_automatically": True},
    "history": {"import_history": True},
}


def suggestions(fields: Any) -> dict[str, Any]:
    """Return what a form is filled in with, sections as they are."""
    found: dict[str, Any] = {}
    for marker, field in fields.schema.items():
        if isinstance(field, section):
            found[str(marker)] = suggestions(field.schema)
        elif marker.description:
            found[str(marker)] = marker.description["suggested_value"]
    return found


async def test_defaults(hass: HomeAssistant, meter: SimulatedMeter, url: str) -> None:
    """Without options the defaults hold, and the form offers them."""
    entry = await set_up(hass, make_entry(meter, url))
    assert entry.runtime_data.coordinator.update_interval == timedelta(seconds=10)

    form = await hass.config_entries.options.async_init(entry.entry_id)

    assert form["type"] is FlowResultType.FORM
    assert form["data_schema"]({}) == DEFAULTS
    assert suggestions(form["data_schema"]) == {"recovery": {}, "history": {}}


async def test_options_are_kept_flat(
    hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """The sections are for the eye; what is chosen holds at once and is offered again."""
    entry = await set_up(hass, make_entry(meter, url))
    form = await hass.config_entries.options.async_init(entry.entry_id)
    chosen = {
        "scan_interval": 30,
        "recovery": {"resync_automatically": False},
        "history": {"import_history": False},
    }

    result = await hass.config_entries.options.async_configure(form["flow_id"], chosen)
    await hass.async_block_till_done(wait_background_tasks=True)

    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert entry.options == {
        "scan_interval": 30,
        "resync_automatically": False,
        "import_history": False,
    }
    assert entry.state is ConfigEntryState.LOADED
    assert entry.runtime_data.coordinator.update_interval == timedelta(seconds=30)

    again = await hass.config_entries.options.async_init(entry.entry_id)
    assert suggestions(again["data_schema"]) == chosen


@pytest.mark.parametrize(
    "refused",
    [
        {"scan_interval": 1},
        {"scan_interval": 3601},
        {"scan_interval": "often"},
        {"recovery": None},
        {"resync_automatically": False},
    ],
)
async def test_mistakes(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, refused: dict[str, Any]
) -> None:
    """What cannot be is refused by the form, which can be sent again."""
    entry = await set_up(hass, make_entry(meter, url))
    form = await hass.config_entries.options.async_init(entry.entry_id)
    configure = hass.config_entries.options.async_configure

    with pytest.raises(InvalidData):
        await configure(form["flow_id"], refused)

    result = await configure(form["flow_id"], {"scan_interval": 15})
    await hass.async_block_till_done(wait_background_tasks=True)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert entry.options == {
        "scan_interval": 15,
        "resync_automatically": True,
        "import_history": True,
    }


async def test_texts(hass: HomeAssistant, meter: SimulatedMeter, url: str) -> None:
    """Each option and each section has its text."""
    entry = await set_up(hass, make_entry(meter, url))
    form = await hass.config_entries.options.async_init(entry.entry_id)
    texts = await async_get_translations(hass, "en", "options", {DOMAIN})

    step = f"component.{DOMAIN}.options.step.init"
    for marker, field in form["data_schema"].schema.items():
        place, names = step, [str(marker)]
        if isinstance(field, section):
            place, names = f"{step}.sections.{marker}", field.schema.schema
            assert texts[f"{place}.name"]
        for name in names:
            assert texts[f"{place}.data.{name}"]
            assert texts[f"{place}.data_description.{name}"]
