"""Sensors: registers, slow readings, peaks, the link and the import of the history."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, override

from homeassistant.components.sensor import SensorDeviceClass, SensorEntity
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.util import dt as dt_util

from .coordinator import LINK, MeterCoordinator, NesMepConfigEntry
from .descriptions import (
    ACTIVE_TARIFF,
    HISTORY_PROGRESS,
    LINK_SENSORS,
    MESSAGE,
    NEXT_TARIFF,
    PEAK_SENSORS,
    SLOW_TABLE_SENSORS,
    MeterSensorDescription,
    PeakDescription,
    describe_sensor,
)
from .entity import (
    NesMepEntity,
    NesMepStatusEntity,
    NesMepValueEntity,
    async_add_what_is_reported,
)
from .history import History
from .local_time import with_zone
from .mbus import async_add_mbus_sensors
from .osgp import Value
from .peaks import Average, PeakValues

PARALLEL_UPDATES = 0


async def async_setup_entry(
    hass: HomeAssistant,
    entry: NesMepConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the sensors of a meter and of the M-Bus meters behind it."""
    coordinator = entry.runtime_data.coordinator

    def make(key: str) -> NesMepSensor | NesMepPeakSensor | None:
        if key in PEAK_SENSORS:
            return NesMepPeakSensor(coordinator, PEAK_SENSORS[key])
        if (description := describe_sensor(key)) is None:
            return None
        description = replace(
            description,
            entity_registry_enabled_default=coordinator.selection.is_enabled_at_first(
                description
            ),
        )
        kind = _KINDS.get(key)
        if kind is None:
            kind = NesMepSlowSensor if key in SLOW_TABLE_SENSORS else NesMepSensor
        return kind(coordinator, description)

    async_add_entities(
        [
            NesMepHistoryImport(
                coordinator, HISTORY_PROGRESS, entry.runtime_data.history
            ),
            *(
                NesMepLinkSensor(coordinator, description, counter)
                for counter, description in LINK_SENSORS.items()
            ),
        ]
    )
    async_add_what_is_reported(
        coordinator, async_add_entities, lambda: coordinator.data.reported, make
    )
    async_add_mbus_sensors(coordinator, async_add_entities)


class NesMepSensor(NesMepValueEntity, SensorEntity):
    """A value of the meter."""

    @override
    def _show(self, value: Value | None) -> None:
        """Show a value; one that is not among the options of an enum is unknown."""
        if self.device_class is SensorDeviceClass.ENUM and value is not None:
            value = str(value) if str(value) in (self.options or ()) else None
        self._attr_native_value = with_zone(value)


class NesMepSlowSensor(NesMepSensor):
    """A value of the meter that is read less often, available until it is too old."""

    needs_meter = False


class NesMepTariff(NesMepSlowSensor):
    """The active or the next tariff, one of those that the meter has."""

    @property
    @override
    def options(self) -> list[str]:
        """Return the numbers of the tariffs that the meter has."""
        tiers = self.coordinator.meter.register_map.dimensions.tiers
        return [str(tariff) for tariff in range(1, max(tiers, 1) + 1)]


class NesMepMessage(NesMepSlowSensor):
    """The message of the grid company, with the time for which it is shown."""

    _attr_extra_state_attributes: dict[str, Any]

    def __init__(
        self, coordinator: MeterCoordinator, description: MeterSensorDescription
    ) -> None:
        """Initialize the sensor of the message."""
        super().__init__(coordinator, description)
        self._attr_extra_state_attributes = {}

    @override
    def _update(self) -> bool:
        """Look up the text and the attributes."""
        before, prefix = self._attr_extra_state_attributes, f"{MESSAGE.key}."
        self._attr_extra_state_attributes = {
            key.removeprefix(prefix): value
            for key, value in self.coordinator.data.values.items()
            if key.startswith(prefix)
        }
        return super()._update() or self._attr_extra_state_attributes != before


_KINDS: Final[Mapping[str, type[NesMepSensor]]] = {
    ACTIVE_TARIFF.key: NesMepTariff,
    NEXT_TARIFF.key: NesMepTariff,
    MESSAGE.key: NesMepMessage,
}


class NesMepLinkSensor(NesMepStatusEntity, NesMepSensor):
    """A counter of the link."""

    def __init__(
        self,
        coordinator: MeterCoordinator,
        description: MeterSensorDescription,
        counter: str,
    ) -> None:
        """Initialize the sensor of a counter of the meter client."""
        super().__init__(coordinator, description, context=LINK)
        self._counter = counter

    @override
    def _look_up(self) -> Value | None:
        """Return the counter as it is now."""
        count: float | None = getattr(self.coordinator.meter.statistics, self._counter)
        return None if count is None else round(count)


class NesMepHistoryImport(NesMepStatusEntity, NesMepSensor):
    """How far the import of the load profile is."""

    _unrecorded_attributes = frozenset({"progress"})

    def __init__(
        self,
        coordinator: MeterCoordinator,
        description: MeterSensorDescription,
        history: History,
    ) -> None:
        """Initialize the sensor of the imports of a meter."""
        super().__init__(coordinator, description)
        self._attr_extra_state_attributes = {}
        self._history = history

    @override
    def _update(self) -> bool:
        """Look up the state and the percentage of the newest import that is done."""
        before = self._attr_extra_state_attributes
        self._attr_extra_state_attributes = {"progress": self._history.progress}
        return super()._update() or self._attr_extra_state_attributes != before

    @override
    def _look_up(self) -> Value | None:
        """Return the state of the import."""
        return self._history.state


# Averages and peaks

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
