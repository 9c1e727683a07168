"""Names of sensors in the user's language, some of which contain those of others."""

from collections.abc import Mapping

from homeassistant.helpers.entity import EntityDescription

from ..const import DOMAIN


def name_placeholders(
    description: EntityDescription, texts: Mapping[str, str]
) -> dict[str, str]:
    """Return what fills the placeholders of a sensor's name.

    texts are the translations of Home Assistant's "entity" category.
    """
    parts = getattr(description, "name_parts", None) or {}
    return {
        **(description.translation_placeholders or {}),
        **{
            placeholder: ", ".join(sensor_name(each, texts) for each in descriptions)
            for placeholder, descriptions in parts.items()
        },
    }


def sensor_name(description: EntityDescription, texts: Mapping[str, str]) -> str:
    """Return the name of a sensor, its key while there is no translation."""
    path = f"component.{DOMAIN}.entity.sensor.{description.translation_key}.name"
    return texts.get(path, description.key).format(
        **name_placeholders(description, texts)
    )
