"""Variants of a description for all phases, quadrants and tariffs."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from homeassistant.components.sensor import SensorEntityDescription

PHASES = (1, 2, 3)
QUADRANTS = (1, 2, 3, 4)
TARIFFS = (1, 2, 3, 4, 5, 6, 7, 8)


@dataclass(frozen=True, kw_only=True)
class MeterSensorDescription(SensorEntityDescription):
    """A sensor of the meter, disabled by default unless it says otherwise.

    name_parts are the placeholders of its name that stand for names of other sensors,
    which are translated as well.
    """

    entity_registry_enabled_default: bool = False
    name_parts: Mapping[str, tuple[SensorEntityDescription, ...]] | None = None


def named(template: MeterSensorDescription, key: str) -> MeterSensorDescription:
    """Return a copy of the template with a key that is also the translation key."""
    return replace(template, key=key, translation_key=key)


def enabled(description: MeterSensorDescription) -> MeterSensorDescription:
    """Return a copy of the description that is enabled by default."""
    return replace(description, entity_registry_enabled_default=True)


def per_phase(
    description: MeterSensorDescription, *, suffix: str = ""
) -> Iterator[MeterSensorDescription]:
    """Describe the same for each phase: key_l1, key_l2, key_l3.

    suffix distinguishes the name from that of the sum of the phases, if there is one.
    """
    for phase in PHASES:
        yield _variant(description, f"l{phase}", suffix, "phase", f"L{phase}")


def per_quadrant(
    description: MeterSensorDescription, *, suffix: str = ""
) -> Iterator[MeterSensorDescription]:
    """Describe the same for each quadrant: key_q1 to key_q4."""
    for quadrant in QUADRANTS:
        yield _variant(description, f"q{quadrant}", suffix, "quadrant", f"Q{quadrant}")


def with_tariffs(
    description: MeterSensorDescription,
) -> Iterator[MeterSensorDescription]:
    """Describe the total, and the same for each tariff: key_tariff_1 to key_tariff_8."""
    yield description
    for tariff in TARIFFS:
        yield for_tariff(description, str(tariff))


def for_tariff(
    description: MeterSensorDescription, tariff: str
) -> MeterSensorDescription:
    """Describe the share of a tariff."""
    return replace(
        _variant(description, f"tariff_{tariff}", "_tariff", "tariff", tariff),
        entity_registry_enabled_default=False,
    )


def _variant(
    description: MeterSensorDescription,
    part: str,
    suffix: str,
    placeholder: str,
    text: str,
) -> MeterSensorDescription:
    placeholders = description.translation_placeholders or {}
    return replace(
        description,
        key=f"{description.key}_{part}",
        translation_key=f"{description.translation_key}{suffix}",
        translation_placeholders={**placeholders, placeholder: text},
    )
