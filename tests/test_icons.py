"""Tests of icons.json: everything that needs an icon has one that exists.

Which entities need one is tested in test_descriptions.py.
"""

from collections.abc import Iterator
from importlib import import_module
import json
from pathlib import Path
from typing import Any

import pytest

from custom_components.nes_mep.const import DOMAIN
from homeassistant.core import HomeAssistant
from homeassistant.helpers.icon import async_get_icons
from homeassistant.util.yaml import load_yaml_dict

from .test_texts import FOLDER, TEXTS

pytestmark = pytest.mark.usefixtures("enable_custom_integrations")

ICONS: dict[str, Any] = json.loads((FOLDER / "icons.json").read_text())

# What people choose by name in the automation editor, and what icons.json calls the
# icon of it.
CHOSEN = {"services": "service", "triggers": "trigger", "conditions": "condition"}


def names(icons: dict[str, Any]) -> Iterator[str]:
    """Yield every icon."""
    for value in icons.values():
        if isinstance(value, dict):
            yield from names(value)
        else:
            yield value


@pytest.mark.parametrize("kind", CHOSEN)
async def test_what_is_chosen_has_icons(hass: HomeAssistant, kind: str) -> None:
    """Each action, trigger and condition has an icon and a text, and nothing else has."""
    described = FOLDER / f"{kind}.yaml"
    keys = {
        key
        for key in (load_yaml_dict(described) if described.exists() else {})
        if not key.startswith(".")
    }
    assert TEXTS.get(kind, {}).keys() == keys
    served = (await async_get_icons(hass, kind, {DOMAIN})).get(DOMAIN, {})
    assert served.keys() == keys
    for key in keys:
        assert served[key][CHOSEN[kind]]


def test_icons_have_texts() -> None:
    """An icon belongs to an entity that has a name, and to a state that has one."""
    for platform, icons in ICONS["entity"].items():
        for key, icon in icons.items():
            texts = TEXTS["entity"][platform][key]
            assert icon["default"]
            # Binary sensors that have no states of their own are on and off.
            assert (
                icon.get("state", {}).keys()
                <= texts.get("state", {"on": "", "off": ""}).keys()
            ), key


def test_icons_exist() -> None:
    """Home Assistant's pages know each icon by this name."""
    frontend = Path(import_module("hass_frontend").__file__ or "").parent
    known = {
        f"mdi:{icon['name']}"
        for icon in json.loads((frontend / "static/mdi/iconList.json").read_text())
    }
    assert set(names(ICONS)) <= known
