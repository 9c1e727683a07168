"""Tests of docs/snippets.md and docs/recorder.md: what owners copy works."""

import re
from typing import Any, Final

from freezegun.api import FrozenDateTimeFactory
import pytest
import yaml

from homeassistant.components import recorder
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entityfilter import convert_include_exclude_filter
from homeassistant.setup import async_setup_component

from .common import make_entry, set_up
from .simulator import SimulatedMeter
from .test_docs import ROOT

pytestmark = pytest.mark.usefixtures("enable_custom_integrations")

TEXT: Final = (ROOT / "docs" / "snippets.md").read_text("utf-8")
EXAMPLES: Final[list[dict[str, Any]]] = [
    yaml.safe_load(block)
    for block in re.findall(r"^```yaml\n(.+?)^```", TEXT, re.MULTILINE | re.DOTALL)
]
#: Of utility meters in YAML, which are never unloaded.
LINGERING: Final = pytest.mark.parametrize("expected_lingering_timers", [True])
KWH: Final = {"unit_of_measurement": "kWh", "device_class": "energy"}


def example(key: str, number: int = 0) -> dict[str, Any]:
    """Return an example by one of its first keys."""
    return [each for each in EXAMPLES if key in each][number]


async def test_entities(hass: HomeAssistant, meter: SimulatedMeter, url: str) -> None:
    """A meter has every entity that is named."""
    await set_up(hass, make_entry(meter, url))
    registry = er.async_get(hass)
    named = set(re.findall(r"sensor\.smart_meter_\w*\w", TEXT)) - {
        "sensor.smart_meter_"
    }
    assert len(named) == 11
    assert {id_ for id_ in named if not registry.async_get(id_)} == set()


async def test_what_is_excluded(
    hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """The recorder takes what is excluded; it hits five entities, none of them energies."""
    text = (ROOT / "docs" / "recorder.md").read_text("utf-8")
    (block,) = re.findall(r"^```yaml\n(.+?)^```", text, re.MULTILINE | re.DOTALL)
    config = recorder.CONFIG_SCHEMA(yaml.safe_load(block))["recorder"]
    await set_up(hass, make_entry(meter, url))
    is_recorded = convert_include_exclude_filter(config).get_filter()
    excluded = {id_ for id_ in hass.states.async_entity_ids() if not is_recorded(id_)}
    assert excluded == {
        *(f"sensor.smart_meter_power_{way}" for way in ("import", "export")),
        *(f"sensor.smart_meter_current_l{phase}" for phase in (1, 2, 3)),
    }


@LINGERING
async def test_costs_by_tariff(hass: HomeAssistant) -> None:
    """The month's energy of each tariff is counted and costs its own price."""
    sources = [f"sensor.smart_meter_energy_import_tariff_{n}" for n in (1, 2)]
    for source in sources:
        hass.states.async_set(source, "100", KWH | {"state_class": "total_increasing"})
    assert await async_setup_component(hass, "utility_meter", example("utility_meter"))
    assert await async_setup_component(hass, "template", example("template"))
    await hass.async_block_till_done()
    for source, kwh in zip(sources, ("110", "120"), strict=True):
        hass.states.async_set(source, kwh, KWH | {"state_class": "total_increasing"})
    await hass.async_block_till_done()
    await hass.async_block_till_done()  # the templates follow
    shown = {
        entity_id: float(hass.states.get(entity_id).state)
        for entity_id in (
            "sensor.tariff_1_this_month",
            "sensor.tariff_2_this_month",
            "sensor.cost_of_tariff_1_this_month",
            "sensor.cost_of_tariff_2_this_month",
        )
    }
    assert list(shown.values()) == [10, 20, 3.1, 4.8]


@LINGERING
@pytest.mark.parametrize(
    ("time", "tariff"), [("03:00", "low"), ("12:00", "high"), ("17:00", "peak")]
)
async def test_tariffs_by_time(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, time: str, tariff: str
) -> None:
    """The automation chooses the tariff of the hour, which then counts."""
    await hass.config.async_set_time_zone("UTC")
    freezer.move_to(f"2026-11-26T{time}:00+00:00")
    source = "sensor.smart_meter_energy_import"
    hass.states.async_set(source, "100", KWH | {"state_class": "total_increasing"})
    assert await async_setup_component(
        hass, "utility_meter", example("utility_meter", 1)
    )
    automation = example("alias") | {"id": "tariff"}
    assert await async_setup_component(hass, "automation", {"automation": automation})
    await hass.async_block_till_done()
    await hass.services.async_call(
        "automation",
        "trigger",
        {"entity_id": "automation.tariff_of_the_hour"},
        blocking=True,
    )
    hass.states.async_set(source, "107", KWH | {"state_class": "total_increasing"})
    await hass.async_block_till_done()
    shown = {
        name: float(hass.states.get(f"sensor.import_by_time_{name}").state)
        for name in ("low", "high", "peak")
    }
    assert shown == {"low": 0, "high": 0, "peak": 0} | {tariff: 7}
