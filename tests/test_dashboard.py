"""Tests of the dashboard for owners, docs/dashboard.yaml, and its translations.

`scripts/screenshots dashboard` loads it into a real Home Assistant and looks for cards that
complain.
"""

from collections.abc import Iterator
import re
from typing import Any, Final

import pytest
from pytest_homeassistant_custom_component.typing import WebSocketGenerator
import yaml

from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component
from tools.dashboard import TITLES, path, translated

from .common import make_entry, set_up
from .simulator import SimulatedMeter
from .test_docs import ROOT
from .test_texts import FOLDER

pytestmark = pytest.mark.usefixtures("enable_custom_integrations")

TEXT: Final = (ROOT / "docs" / "dashboard.yaml").read_text("utf-8")
DASHBOARD: Final[dict[str, Any]] = yaml.safe_load(TEXT)
NAMED: Final = set(re.findall(r"entity: (\S+)", TEXT))
TO_BE_ENABLED: Final = {"sensor.smart_meter_active_tariff"}

CORE_CARDS: Final = {"gauge", "heading", "statistic", "statistics-graph", "tile"}
STATISTICS: Final = {"change", "max", "mean", "min", "state", "sum"}


def cards() -> Iterator[dict[str, Any]]:
    """Yield the cards of the dashboard."""
    for view in DASHBOARD["views"]:
        assert view["type"] == "sections"
        for section in view["sections"]:
            assert section["type"] == "grid"
            yield from section["cards"]


def test_cards() -> None:
    """The cards are Home Assistant's own, and their statistics exist."""
    assert {card["type"] for card in cards()} == CORE_CARDS
    kinds = {
        kind
        for card in cards()
        for kind in card.get("stat_types", [card.get("stat_type", "sum")])
    }
    assert kinds <= STATISTICS


def test_scales() -> None:
    """The colours of each gauge rise within its scale."""
    gauges = [card for card in cards() if card["type"] == "gauge"]
    assert len(gauges) == 6
    for gauge in gauges:
        starts = [segment["from"] for segment in gauge["segments"]]
        assert starts == sorted(starts)
        assert gauge["min"] == starts[0] < starts[-1] < gauge["max"]


async def test_entities(hass: HomeAssistant, meter: SimulatedMeter, url: str) -> None:
    """A meter has every entity, all but one are enabled, and the page names that one."""
    await set_up(hass, make_entry(meter, url))
    registry = er.async_get(hass)
    disabled = {
        entity_id
        for entity_id in NAMED
        if (entity := registry.async_get(entity_id)) is None or entity.disabled
    }
    assert disabled == TO_BE_ENABLED
    page = (ROOT / "docs" / "dashboard.md").read_text("utf-8")
    assert all(entity_id in page for entity_id in TO_BE_ENABLED)


@pytest.mark.parametrize("language", TITLES)
async def test_translation(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, language: str
) -> None:
    """Each translation is up to date (`python -m tools.dashboard`), and its ids exist."""
    text = path(language).read_text("utf-8")
    assert text == translated(language)
    hass.config.language = language
    await set_up(hass, make_entry(meter, url))
    registry = er.async_get(hass)
    named = set(re.findall(r"entity: (\S+)", text))
    assert len(named) == len(NAMED)
    assert {id_ for id_ in named if not registry.async_get(id_)} == set()


def test_every_language_has_one() -> None:
    """There is a dashboard for each language of the integration."""
    assert {"en", *TITLES} == {
        file.stem for file in (FOLDER / "translations").iterdir()
    }


async def test_it_is_stored(
    hass: HomeAssistant, hass_ws_client: WebSocketGenerator
) -> None:
    """Home Assistant takes it as the configuration of a dashboard."""
    assert await async_setup_component(hass, "lovelace", {})
    client = await hass_ws_client(hass)
    await client.send_json_auto_id(
        {"type": "lovelace/config/save", "config": DASHBOARD}
    )
    assert (await client.receive_json())["success"]
    await client.send_json_auto_id({"type": "lovelace/config"})
    assert (await client.receive_json())["result"] == DASHBOARD
