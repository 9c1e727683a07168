"""Tests of the English texts and the descriptions that Home Assistant reads."""

import json
from pathlib import Path
from typing import Any

import pytest

from custom_components.nes_mep import PLATFORMS
from custom_components.nes_mep.const import DOMAIN
from custom_components.nes_mep.link.errors import _AT_OPTICAL_PORT, _BY_CODE, _BY_ERROR
from homeassistant.const import Platform
from homeassistant.core import HomeAssistant
from homeassistant.loader import async_get_integration

pytestmark = pytest.mark.usefixtures("enable_custom_integrations")

FOLDER = Path(__file__).parent.parent / "custom_components" / DOMAIN
TEXTS: dict[str, Any] = json.loads((FOLDER / "translations" / "en.json").read_text())


def test_every_field_is_explained() -> None:
    """Each field of each form has a name and a description."""
    for flow in ("config", "options"):
        for step in TEXTS[flow]["step"].values():
            assert step["title"]
            for part in (step, *step.get("sections", {}).values()):
                fields = part.get("data", {}).keys()
                assert fields == part.get("data_description", {}).keys()


def test_platforms_have_texts() -> None:
    """Each platform names its entities."""
    assert set(TEXTS["entity"]) == {*PLATFORMS, Platform.CALENDAR}


def test_errors_have_texts() -> None:
    """Each error of the meter client has a text that says which meter it is about.

    Its kind and its reason have texts where the event entity of the link shows them.
    """
    attributes = TEXTS["entity"]["event"]["link"]["state_attributes"]
    assert set(_AT_OPTICAL_PORT.values()) <= TEXTS["config"]["error"].keys()
    for failure in (*_BY_CODE.values(), *(failure for _, failure in _BY_ERROR)):
        message = TEXTS["exceptions"][failure.text]["message"]
        assert message.format(meter="M", error="E")
        assert "{meter}" in message
        assert "{error}" in message
        assert TEXTS["config"]["error"][failure.form]
        assert attributes["event_type"]["state"][failure.kind]
        assert attributes["kinds"]["state"][failure.kind]
        assert attributes["reason"]["state"][failure.reason]


async def test_manifest(hass: HomeAssistant) -> None:
    """Home Assistant accepts the manifest, which is sorted as hassfest wants it."""
    manifest = json.loads((FOLDER / "manifest.json").read_text())
    first, second, *others = manifest
    assert (first, second) == ("domain", "name")
    assert others == sorted(others)

    integration = await async_get_integration(hass, DOMAIN)
    assert str(integration.version) == manifest["version"]
    assert integration.dependencies == ["usb"]
