"""The tariffs of a meter for its sensors and its calendar."""

from collections.abc import Mapping
from typing import Final

from .descriptions import NEXT_TARIFF, NEXT_TARIFF_SWITCH
from .osgp import Tariffs, Value

TARIFF_CALENDAR: Final = "tariff_calendar"
"""Key of the calendar entity; its value is the tariff in force."""


def values_of(tariffs: Tariffs) -> Mapping[str, Value | None]:
    """Return what is shown by key; None where the next switch is not known."""
    switch = tariffs.next_switch
    return {
        TARIFF_CALENDAR: tariffs.tier + 1,
        NEXT_TARIFF_SWITCH.key: None if switch is None else switch.time,
        NEXT_TARIFF.key: None if switch is None else switch.tier + 1,
    }
