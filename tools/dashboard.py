"""The dashboard for owners in every language: docs/dashboards, made of docs/dashboard.yaml.

python -m tools.dashboard    write them

Entity ids follow the language of Home Assistant, so a dashboard in English names entities
that an owner with another language does not have.
"""

from collections.abc import Iterator
import json
from pathlib import Path
import re
from typing import Any, Final

from homeassistant.util import slugify

from .home_assistant import INTEGRATION, ROOT

DASHBOARD: Final = ROOT / "docs" / "dashboard.yaml"
FOLDER: Final = ROOT / "docs" / "dashboards"

#: Titles and short names, in this order in every language.
ENGLISH: Final = (
    "Meter",
    "Now",
    "Phases",
    "Voltage, lowest and highest of each hour",
    "Energy by hour",
    "Energy by day",
    "Import today",
    "Export today",
    "Import",
    "Export",
    "Tariff",
    "Link",
)
TITLES: Final[dict[str, tuple[str, ...]]] = {
    "da": (
        "Måler",
        "Nu",
        "Faser",
        "Spænding, laveste og højeste i hver time",
        "Energi pr. time",
        "Energi pr. dag",
        "Importeret i dag",
        "Eksporteret i dag",
        "Import",
        "Eksport",
        "Tarif",
        "Forbindelse",
    ),
    "de": (
        "Zähler",
        "Jetzt",
        "Phasen",
        "Spannung, niedrigste und höchste je Stunde",
        "Energie je Stunde",
        "Energie je Tag",
        "Bezug heute",
        "Einspeisung heute",
        "Bezug",
        "Einspeisung",
        "Tarif",
        "Verbindung",
    ),
    "fr": (
        "Compteur",
        "Maintenant",
        "Phases",
        "Tension, minimum et maximum de chaque heure",
        "Énergie par heure",
        "Énergie par jour",
        "Soutirage du jour",
        "Injection du jour",
        "Soutirage",
        "Injection",
        "Tarif",
        "Liaison",
    ),
    "it": (
        "Contatore",
        "Adesso",
        "Fasi",
        "Tensione, minima e massima di ogni ora",
        "Energia per ora",
        "Energia per giorno",
        "Prelievo di oggi",
        "Immissione di oggi",
        "Prelievo",
        "Immissione",
        "Tariffa",
        "Collegamento",
    ),
    "nb": (
        "Måler",
        "Nå",
        "Faser",
        "Spenning, laveste og høyeste i hver time",
        "Energi per time",
        "Energi per dag",
        "Uttak i dag",
        "Innmating i dag",
        "Uttak",
        "Innmating",
        "Tariff",
        "Forbindelse",
    ),
    "nl": (
        "Meter",
        "Nu",
        "Fasen",
        "Spanning, laagste en hoogste van elk uur",
        "Energie per uur",
        "Energie per dag",
        "Afname vandaag",
        "Teruglevering vandaag",
        "Afname",
        "Teruglevering",
        "Tarief",
        "Verbinding",
    ),
    "pl": (
        "Licznik",
        "Teraz",
        "Fazy",
        "Napięcie, najniższe i najwyższe w każdej godzinie",
        "Energia na godzinę",
        "Energia na dzień",
        "Pobór dzisiaj",
        "Oddanie dzisiaj",
        "Pobór",
        "Oddanie",
        "Taryfa",
        "Łącze",
    ),
    "sv": (
        "Mätare",
        "Nu",
        "Faser",
        "Spänning, lägsta och högsta varje timme",
        "Energi per timme",
        "Energi per dag",
        "Uttag i dag",
        "Inmatning i dag",
        "Uttag",
        "Inmatning",
        "Tariff",
        "Förbindelse",
    ),
}

#: The entities that the dashboard shows, by their keys in the translations.
ENTITIES: Final = (
    *(("sensor", key) for key in ("power_net", "energy_import", "energy_export")),
    *(("sensor", key) for key in ("voltage", "current", "active_tariff")),
    ("binary_sensor", "link_problem"),
)


def texts(language: str) -> dict[str, Any]:
    """Return the texts of the integration in a language."""
    source = INTEGRATION / "translations" / f"{language}.json"
    found: dict[str, Any] = json.loads(source.read_text("utf-8"))
    return found


def device(language: str) -> str:
    """Return the name of the first meter, with which entity ids begin."""
    name: str = texts(language)["device"]["meter"]["name"]
    return name


def entity_names(language: str) -> Iterator[tuple[str, str]]:
    """Yield entity id and name of each entity, in the same order in every language."""
    for platform, key in ENTITIES:
        name: str = texts(language)["entity"][platform][key]["name"]
        phases = ("L1", "L2", "L3") if "{phase}" in name else ("",)
        for phase in phases:
            full = name.replace("{phase}", phase)
            yield f"{platform}.{slugify(f'{device(language)} {full}')}", full


def translated(language: str) -> str:
    """Return the dashboard with the entity ids and texts of a language."""
    words = dict(zip(ENGLISH, TITLES[language], strict=True))
    for (old_id, old_name), (new_id, new_name) in zip(
        entity_names("en"), entity_names(language), strict=True
    ):
        words |= {old_id: new_id, old_name: new_name}
    # Names of phases are the same everywhere.
    words |= {phase: phase for phase in ("L1", "L2", "L3")}
    text = re.sub(
        r"(?m)^( *(?:- )?(?:entity|name|title|heading): )(.+)$",
        lambda match: match[1] + words[match[2]],
        DASHBOARD.read_text("utf-8"),
    )
    # What is left of it is in the comment.
    return text.replace("replace smart_meter", f"replace {slugify(device(language))}")


def path(language: str) -> Path:
    """Return where the dashboard of a language is kept."""
    return FOLDER / f"{language}.yaml"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for each in TITLES:
        path(each).write_text(translated(each), "utf-8")
