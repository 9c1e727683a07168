"""Sensors of the average power of the tariff's intervals, and of the month's peaks."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, override

from homeassistant.components.sensor import SensorEntity
from homeassistant.core import callback
from homeassistant.util import dt as dt_util

from .coordinator import MeterCoordinator
from .descriptions import PeakDescription
from .entity import NesMepEntity
from .peaks import Average, PeakValues

type Shown = tuple[float | datetime | None, Mapping[str, Any]]
"""A state and its attributes."""


def _time(time: datetime) -> str:
    """Return a time as an attribute: local, in ISO 8601."""
    return dt_util.as_local(time).isoformat()


def _running(values: PeakValues) -> Shown:
    if values.start is None:
        return None, {}
    return values.running, {
        "interval_start": _time(values.start),
        "projected": values.projected,
    }


def _average(average: Average | None) -> Shown:
    if average is None:
        return None, {}
    return average.power, {
        "interval_start": _time(average.start),
        "exact": average.is_exact,
    }


def _peak_time(values: PeakValues) -> Shown:
    return None if values.highest is None else values.highest.start, {}


def _mean(values: PeakValues) -> Shown:
    return values.mean, {
        "peaks": [
            {
                "interval_start": _time(each.start),
                "power": each.power,
                "exact": each.is_exact,
            }
            for each in values.peaks
        ]
    }


_SHOW: Final[Mapping[str, Callable[[PeakValues], Shown]]] = {
    "interval_power": _running,
    "last_interval_power": lambda values: _average(values.last),
    "month_peak_power": lambda values: _average(values.highest),
    "month_peak_power_time": _peak_time,
    "month_mean_peak_power": _mean,
}
"""What a sensor shows, by its key without the direction."""
_OF_THE_MONTH: Final = "month_"


class NesMepPeakSensor(NesMepEntity, SensorEntity):
    """An average power or a peak; those of the month stay while the link is down."""

    entity_description: PeakDescription
    _unrecorded_attributes = frozenset({"peaks", "projected"})

    def __init__(
        self, coordinator: MeterCoordinator, description: PeakDescription
    ) -> None:
        """Initialize the sensor, for which the register of the energy is read."""
        super().__init__(coordinator, description, context=description.register)
        kind = description.key.replace(f"_{description.direction}", "")
        self._is_of_month = kind.startswith(_OF_THE_MONTH)
        self._show = _SHOW[kind]
        self._shown: tuple[bool, Shown] | None = None
        self._update()

    @property
    @override
    def available(self) -> bool:
        """Return whether the energy is read, or the value is of the month so far."""
        return self._is_of_month or (
            self.coordinator.last_update_success
            and self.entity_description.register in self.coordinator.data.values
        )

    def _update(self) -> bool:
        """Look up the state and its attributes; return whether any has changed."""
        data = self.coordinator.data
        shown = (
            self.available,
            self._show(data.peaks[self.entity_description.direction]),
        )
        if shown == self._shown:
            return False
        self._shown = shown
        self._attr_native_value, attributes = shown[1]
        self._attr_extra_state_attributes = dict(attributes)
        return True

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        """Write the state if it has changed."""
        if self._update():
            super()._handle_coordinator_update()
