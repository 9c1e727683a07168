"""The options of an entry that say what the tariff counts."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from ..const import (
    CONF_PEAK_COUNT,
    CONF_PEAK_DIFFERENT_DAYS,
    CONF_PEAK_END_HOUR,
    CONF_PEAK_FIRST_HOUR,
    CONF_PEAK_INTERVAL,
    CONF_PEAK_WEEKDAYS,
)
from .rules import WEEKDAYS, Rules

AUTOMATIC: Final = "automatic"

DEFAULT_PEAK_OPTIONS: Final[Mapping[str, Any]] = {
    CONF_PEAK_INTERVAL: AUTOMATIC,
    CONF_PEAK_COUNT: 3,
    CONF_PEAK_DIFFERENT_DAYS: True,
    CONF_PEAK_FIRST_HOUR: 0,
    CONF_PEAK_END_HOUR: 24,
    CONF_PEAK_WEEKDAYS: list(WEEKDAYS),
}


def rules_of(options: Mapping[str, Any]) -> Rules:
    """Return what an entry's options say about the peaks that count."""
    chosen = {**DEFAULT_PEAK_OPTIONS, **options}
    return Rules(
        count=chosen[CONF_PEAK_COUNT],
        different_days=chosen[CONF_PEAK_DIFFERENT_DAYS],
        first_hour=chosen[CONF_PEAK_FIRST_HOUR],
        end_hour=chosen[CONF_PEAK_END_HOUR],
        weekdays=frozenset(WEEKDAYS.index(day) for day in chosen[CONF_PEAK_WEEKDAYS]),
    )


def interval_of(options: Mapping[str, Any]) -> timedelta | None:
    """Return the length of the intervals, None if the load profile decides it."""
    chosen = options.get(CONF_PEAK_INTERVAL, AUTOMATIC)
    return None if chosen == AUTOMATIC else timedelta(minutes=int(chosen))
