"""Local times of the meter."""

from datetime import datetime

from homeassistant.util import dt as dt_util

from .osgp import Value


def with_zone(value: Value | None) -> Value | None:
    """Return a value; local times of the meter get Home Assistant's time zone."""
    return in_zone(value) if isinstance(value, datetime) else value


def in_zone(time: datetime) -> datetime:
    """Return a time with a zone: that of Home Assistant if it has none."""
    if time.tzinfo is not None:
        return time
    return time.replace(tzinfo=dt_util.get_default_time_zone())
