"""Tests of the options: what can be chosen, and how it is kept."""

from datetime import timedelta
from typing import Any

import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.nes_mep.const import DOMAIN
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, InvalidData, section
from homeassistant.helpers.translation import async_get_translations

from .common import make_entry, set_up
from .frontend import OPTIONS, filled_in, open_form, open_frontend, submit
from .simulator import SimulatedMeter

pytestmark = pytest.mark.usefixtures("enable_custom_integrations")

DEFAULTS: dict[str, Any] = {
    "scan_interval": 10,
    "recovery": {"resync_automatically": True},
    "history": {"import_history": True, "import_costs": False},
    "peaks": {
        "peak_interval": "automatic",
        "peak_count": "3",
        "peak_different_days": True,
        "peak_first_hour": "0",
        "peak_end_hour": "24",
        "peak_weekdays": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
    },
    "entities": {"show_all_registers": False},
}
NUMBERS = {"peak_count": 3, "peak_first_hour": 0, "peak_end_hour": 24}
FLAT = {
    "scan_interval": 10,
    **DEFAULTS["recovery"],
    **DEFAULTS["history"],
    **DEFAULTS["peaks"],
    **NUMBERS,
    **DEFAULTS["entities"],
}
"""The same as they are stored."""


async def test_defaults(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    meter: SimulatedMeter,
    url: str,
) -> None:
    """Without options the defaults hold; the form shows them and saves as shown."""
    entry = await set_up(hass, make_entry(meter, url))
    assert entry.runtime_data.coordinator.update_interval == timedelta(seconds=10)
    client = await open_frontend(hass, hass_client)

    form = await open_form(client, OPTIONS, entry.entry_id)

    assert filled_in(form["data_schema"]) == DEFAULTS
    result = await submit(client, OPTIONS, form, filled_in(form["data_schema"]))
    await hass.async_block_till_done(wait_background_tasks=True)
    assert result["type"] == "create_entry"
    assert entry.options == FLAT


async def test_options_are_kept_flat(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    meter: SimulatedMeter,
    url: str,
) -> None:
    """The sections are for the eye; what is chosen holds at once and is shown again."""
    entry = await set_up(hass, make_entry(meter, url))
    client = await open_frontend(hass, hass_client)
    form = await open_form(client, OPTIONS, entry.entry_id)
    chosen: dict[str, Any] = {
        "scan_interval": 30,
        "recovery": {"resync_automatically": False},
        "history": {"import_history": False, "import_costs": True},
        "peaks": {
            "peak_interval": "60",
            "peak_count": "1",
            "peak_different_days": False,
            "peak_first_hour": "22",
            "peak_end_hour": "6",
            "peak_weekdays": ["sat", "sun"],
        },
        "entities": {"show_all_registers": True},
    }

    result = await submit(client, OPTIONS, form, chosen)
    await hass.async_block_till_done(wait_background_tasks=True)

    assert result["type"] == "create_entry"
    assert entry.options == {
        "scan_interval": 30,
        "resync_automatically": False,
        "import_history": False,
        "import_costs": True,
        **chosen["peaks"],
        "peak_count": 1,
        "peak_first_hour": 22,
        "peak_end_hour": 6,
        "show_all_registers": True,
    }
    assert entry.state is ConfigEntryState.LOADED
    assert entry.runtime_data.coordinator.update_interval == timedelta(seconds=30)

    again = await open_form(client, OPTIONS, entry.entry_id)
    assert filled_in(again["data_schema"]) == chosen


@pytest.mark.parametrize(
    "refused",
    [
        {"scan_interval": 1},
        {"scan_interval": 3601},
        {"scan_interval": "often"},
        {"recovery": None},
        {"peaks": DEFAULTS["peaks"] | {"peak_count": "6"}},
        {"peaks": DEFAULTS["peaks"] | {"peak_end_hour": "0"}},
        {"peaks": DEFAULTS["peaks"] | {"peak_interval": "30"}},
        {"peaks": DEFAULTS["peaks"] | {"peak_weekdays": ["today"]}},
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
    assert entry.options == FLAT | {"scan_interval": 15}


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"peak_weekdays": []}, "no_weekday"),
        ({"peak_first_hour": "7", "peak_end_hour": "7"}, "same_hours"),
    ],
)
async def test_impossible_peaks(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    meter: SimulatedMeter,
    url: str,
    wrong: dict[str, Any],
    error: str,
) -> None:
    """Options that let nothing count are refused, shown, and can be corrected."""
    entry = await set_up(hass, make_entry(meter, url))
    client = await open_frontend(hass, hass_client)
    form = await open_form(client, OPTIONS, entry.entry_id)
    chosen = DEFAULTS | {"peaks": DEFAULTS["peaks"] | wrong}
    again = await submit(client, OPTIONS, form, chosen)
    # The frontend shows an error of a field in a section at the section.
    assert again["errors"] == {"peaks": error}
    assert filled_in(again["data_schema"]) == chosen
    texts = await async_get_translations(hass, "en", "options", {DOMAIN})
    assert texts[f"component.{DOMAIN}.options.error.{error}"]
    result = await submit(client, OPTIONS, again, DEFAULTS)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert result["type"] == "create_entry"
    assert entry.options == FLAT


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
