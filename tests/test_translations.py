"""Tests of the translations: in step with the English texts, and loaded."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
import json
from pathlib import Path
import re
from string import Formatter
from typing import Any, Final

import pytest

from custom_components.nes_mep.const import DOMAIN
from custom_components.nes_mep.osgp import EVENT_NAMES
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.translation import async_get_translations
from homeassistant.util import slugify

from .common import make_entry, set_up
from .event_vectors import EVENTS
from .simulator import SimulatedMeter

FOLDER = Path(__file__).parent.parent / "custom_components" / DOMAIN / "translations"

PROMISED: Final = {"en", "da", "de", "fr", "it", "nb", "nl", "pl", "sv"}
"""The languages that the integration promises."""

SAME_EVERYWHERE: Final = {
    *("Argument", "Digest", "Display", "Firmware", "MEP"),
    *("Port", "Stack", "Status", "TLS", "Watchdog", "maximum", "minimum"),
    "{name}",
    *("L1", "L1, L2", "L1, L3", "L2", "L2, L3", "L3", "L1-L2-L3", "L3-L2-L1"),
}
"""Texts that some languages have as they are in English, and that none would mistake."""

SAME: Final[Mapping[str, set[str]]] = {
    "da": {
        *("Data", "Flow", "Flow {register}", "Import", "Log", "Procedure", "Timeout"),
    },
    "de": {"Code", "Phase"},
    "fr": {
        *("15 minutes", "60 minutes"),
        *("Angle", "Cause", "Causes", "Code", "Configuration", "Contact", "Corruption"),
        *("Exception", "Mode", "Options", "Phase", "Phases", "Table", "Tables"),
        *("Total", "Volume", "Volume {register}"),
    },
    "it": {"Overflow", "Volume", "Volume {register}"},
    "nb": {
        *("Data", "Import", "Tariff", "tariff {number}"),
        *(f"Tariff {tariff}" for tariff in range(1, 9)),
    },
    "nl": {
        *(
            "Code",
            "Contact",
            "Factor",
            "Meter",
            "Meters",
            "Open",
            "Procedure",
            "Volume",
        ),
        *("Volume {register}", "handshakes", "resets"),
    },
    "pl": {"Limit"},
    "sv": {
        "Data",
        "Export",
        "Import",
        "Tariff",
        "tariff {number}",
        *(f"Tariff {tariff}" for tariff in range(1, 9)),
    },
}
"""Texts that are right as they are in English, by language."""


def flatten(texts: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the path and the text of every text."""
    for key, value in texts.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def read(language: str) -> dict[str, str]:
    """Return the texts of a language by their path."""
    return dict(flatten(json.loads((FOLDER / f"{language}.json").read_text("utf-8"))))


LANGUAGES = sorted(path.stem for path in FOLDER.glob("*.json"))
TEXTS: Final = {language: read(language) for language in LANGUAGES}
ENGLISH: Final = TEXTS["en"]
TRANSLATIONS: Final = [language for language in LANGUAGES if language != "en"]

NAMED: Final = ("energy_import", "maximum_demand_tariff", "power_import")
"""Entities whose names are looked at."""

each_language = pytest.mark.parametrize("language", LANGUAGES)
each_translation = pytest.mark.parametrize("language", TRANSLATIONS)


def translated(language: str) -> Iterator[tuple[str, str, str]]:
    """Yield path, English text and translation of every text that is in both."""
    for path, text in TEXTS[language].items():
        if path in ENGLISH:
            yield path, ENGLISH[path], text


def placeholders(text: str) -> set[str]:
    """Return the names of the placeholders of a text."""
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def figures(text: str) -> set[str]:
    """Return the numbers in a text: limits, lengths of keys, parts of addresses."""
    return set(re.findall(r"\d+", text))


def is_sentence(text: str) -> bool:
    """Return whether a text ends with a full stop; names do not."""
    return text.endswith(".")


def test_languages_are_promised() -> None:
    """Every promised language is there, and no file that nobody looks after."""
    assert set(LANGUAGES) == PROMISED


@each_translation
def test_nothing_superfluous(language: str) -> None:
    """No text is left over from one that English lost or renamed."""
    assert TEXTS[language].keys() - ENGLISH.keys() == set()


@each_translation
def test_nothing_missing(language: str) -> None:
    """Every English text has its translation."""
    assert ENGLISH.keys() - TEXTS[language].keys() == set()


@each_language
def test_texts_are_clean(language: str) -> None:
    """No markup, no stray blanks, nothing empty, no references, which are not resolved."""
    for path, text in TEXTS[language].items():
        assert text, path
        assert text == text.strip(), path
        assert "  " not in text, path
        assert not re.search(r"[<>]|&\w+;", text), path
        assert "[%key" not in text, path
        # An apostrophe before a brace makes the brace a plain character.
        assert not re.search(r"'[{}]", text), path


@each_language
def test_events_have_texts(language: str) -> None:
    """Each event of the meter has a text, and so has what its argument tells."""
    prefix = "entity.event.meter_event.state_attributes."
    texts = {
        path.removeprefix(prefix): text
        for path, text in TEXTS[language].items()
        if path.startswith(prefix)
    }
    kinds = {path for path in texts if path.startswith("event_type.state.")}
    assert kinds == {f"event_type.state.{name}" for name in EVENT_NAMES}
    for _, _, _, details in EVENTS:
        for name, detail in details.items():
            assert f"{name}.name" in texts
            for value in detail if isinstance(detail, tuple) else (detail,):
                if isinstance(value, str) and value.islower():
                    assert f"{name}.state.{value}" in texts


@pytest.mark.parametrize("trait", [placeholders, figures, is_sentence])
@each_translation
def test_in_step_with_english(
    language: str, trait: Callable[[str], set[str] | bool]
) -> None:
    """A translation fills in the same, limits the same, and is as much of a sentence."""
    different = {
        path: text
        for path, english, text in translated(language)
        if trait(text) != trait(english)
    }
    assert different == {}


@each_translation
def test_nothing_left_in_english(language: str) -> None:
    """Every text is translated, but for those that are the same in both languages."""
    same = {english for _, english, text in translated(language) if text == english}
    assert same - SAME_EVERYWHERE - SAME.get(language, set()) == set()


@each_translation
def test_names_stay_apart(language: str) -> None:
    """What has different names in English does not get the same in another language.

    Two entities of a device that are called the same can be told apart by nobody.
    """
    meanings: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for path, english, text in translated(language):
        if path.endswith(".name") and path.startswith(("device.", "entity.")):
            platform = path.rsplit(".", 2)[0]
            meanings[platform, text].add(english)
    assert {key: names for key, names in meanings.items() if len(names) > 1} == {}


@each_language
@pytest.mark.usefixtures("enable_custom_integrations")
async def test_home_assistant_loads_them(hass: HomeAssistant, language: str) -> None:
    """Home Assistant gives out every text of the file."""
    loaded: dict[str, str] = {}
    for category in {path.partition(".")[0] for path in ENGLISH}:
        loaded |= await async_get_translations(hass, language, category, {DOMAIN})

    assert loaded == {
        f"component.{DOMAIN}.{path}": text for path, text in TEXTS[language].items()
    }


@each_language
@pytest.mark.parametrize("profile", ["fw_4_30"])
@pytest.mark.usefixtures("enable_custom_integrations", "everything_enabled")
async def test_entities_are_named(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, language: str
) -> None:
    """The entities of a meter have the language's names, each its own.

    The meter is the one with most registers. Names make the ids of new entities, in
    which only plain letters are left.
    """
    hass.config.language = language
    entry = await set_up(hass, make_entry(meter, url))

    entities = er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    names = {entity.unique_id: entity.original_name for entity in entities}
    text = {path: TEXTS[language][f"entity.sensor.{path}.name"] for path in NAMED}
    assert names[f"{entry.unique_id}_energy_import"] == text["energy_import"]
    # The name of a demand contains that of its quantity.
    assert names[f"{entry.unique_id}_maximum_demand_power_import_tariff_2"] == text[
        "maximum_demand_tariff"
    ].format(quantity=text["power_import"], tariff=2)
    ids = {
        (entity.device_id, entity.domain, slugify(entity.original_name))
        for entity in entities
    }
    assert len(ids) == len(entities) > 350
