"""M-Bus meters behind the meter: their devices and sensors."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, override

from homeassistant.components.sensor import (
    DOMAIN as SENSOR_DOMAIN,
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.components.sensor.const import UNIT_CONVERTERS
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import DOMAIN
from .coordinator import MeterCoordinator
from .descriptions import MeterSensorDescription
from .entity import NesMepValueEntity, async_add_what_is_reported
from .history import Logged
from .local_time import with_zone
from .osgp import MBUS_UNITS, MBusDevice, MBusRecord, Value
from .slow_readings import MBUS

_NOW: Final = "instantaneous"
_NUMBERED: Final = {"subunit", "tariff", "storage"}


@dataclass(frozen=True, slots=True)
class _Quantity:
    """How Home Assistant shows a quantity of an M-Bus record."""

    device_class: SensorDeviceClass | None
    state_class: SensorStateClass
    precision: int
    category: EntityCategory | None = None


def _total(device_class: SensorDeviceClass | None) -> _Quantity:
    return _Quantity(device_class, SensorStateClass.TOTAL_INCREASING, 3)


def _measured(device_class: SensorDeviceClass | None, precision: int) -> _Quantity:
    return _Quantity(device_class, SensorStateClass.MEASUREMENT, precision)


def _time() -> _Quantity:
    return _Quantity(
        SensorDeviceClass.DURATION,
        SensorStateClass.TOTAL_INCREASING,
        0,
        EntityCategory.DIAGNOSTIC,
    )


QUANTITIES: Final[Mapping[str, _Quantity]] = {
    "apparent_energy": _total(None),
    "apparent_power": _measured(SensorDeviceClass.APPARENT_POWER, 0),
    "current": _measured(SensorDeviceClass.CURRENT, 2),
    "energy": _total(SensorDeviceClass.ENERGY),
    "flow": _measured(SensorDeviceClass.VOLUME_FLOW_RATE, 3),
    "frequency": _measured(SensorDeviceClass.FREQUENCY, 2),
    "heat_cost_units": _total(None),
    "humidity": _measured(SensorDeviceClass.HUMIDITY, 1),
    "mass": _total(SensorDeviceClass.WEIGHT),
    "mass_flow": _measured(None, 3),
    "on_time": _time(),
    "operating_time": _time(),
    "power": _measured(SensorDeviceClass.POWER, 0),
    "pressure": _measured(SensorDeviceClass.PRESSURE, 3),
    "reactive_energy": _total(SensorDeviceClass.REACTIVE_ENERGY),
    "reactive_power": _measured(SensorDeviceClass.REACTIVE_POWER, 0),
    "temperature": _measured(SensorDeviceClass.TEMPERATURE, 1),
    "temperature_difference": _measured(SensorDeviceClass.TEMPERATURE_DELTA, 1),
    "temperature_external": _measured(SensorDeviceClass.TEMPERATURE, 1),
    "temperature_flow": _measured(SensorDeviceClass.TEMPERATURE, 1),
    "temperature_return": _measured(SensorDeviceClass.TEMPERATURE, 1),
    "voltage": _measured(SensorDeviceClass.VOLTAGE, 1),
    "volume": _total(SensorDeviceClass.VOLUME),
}
"""The quantities that have sensors; dates and identifying numbers have none."""

_VOLUMES: Final[Mapping[str, SensorDeviceClass]] = {
    "gas": SensorDeviceClass.GAS,
    "water": SensorDeviceClass.WATER,
    "cold_water": SensorDeviceClass.WATER,
    "hot_water": SensorDeviceClass.WATER,
    "hot_cold_water": SensorDeviceClass.WATER,
}
"""Device classes of volumes, by medium."""

_CUMULATIVE: Final = {SensorStateClass.TOTAL, SensorStateClass.TOTAL_INCREASING}

_OTHER: Final = "other"

DEVICE_NAMES: Final[Mapping[str, str]] = {
    **{medium: medium for medium in _VOLUMES},
    "hot_cold_water": "water",
    "cooling": "cooling",
    "electricity": "electricity",
    "heat": "heat",
    "heat_cooling": "heat_cooling",
    "heat_cost_allocator": "heat_cost_allocator",
}
"""How M-Bus meters are called, by medium; those of other mediums are called other."""

LAST_READING = SensorEntityDescription(
    key="read_at",
    translation_key="mbus_read_at",
    entity_category=EntityCategory.DIAGNOSTIC,
    device_class=SensorDeviceClass.TIMESTAMP,
)
"""When the electricity meter read the M-Bus meter."""


def describe_record(medium: str, record: MBusRecord) -> SensorEntityDescription | None:
    """Describe the sensor of a record, None if it has no sensor.

    Stored values, maxima and minima are disabled by default and have no statistics.
    """
    quantity = QUANTITIES.get(record.quantity)
    if quantity is None or not isinstance(record.value, int | float):
        return None
    device_class = quantity.device_class
    if device_class is SensorDeviceClass.VOLUME:
        device_class = _VOLUMES.get(medium, device_class)
    is_present = record.storage == 0 and record.function == _NOW
    description = MeterSensorDescription(
        key=record.key,
        translation_key=f"mbus_{record.quantity}",
        entity_category=quantity.category,
        entity_registry_enabled_default=is_present,
        device_class=device_class,
        state_class=quantity.state_class if is_present else None,
        native_unit_of_measurement=record.unit or None,
        suggested_display_precision=quantity.precision,
    )
    if description.key == record.quantity:
        return description
    return replace(
        description,
        translation_key=f"mbus_{record.quantity}_register",
        name_parts={"register": tuple(_register_parts(record))},
    )


def _register_parts(record: MBusRecord) -> Iterator[SensorEntityDescription]:
    """Describe by what a register differs from the plain one of its quantity."""
    for name, number in (
        *((qualifier, 0) for qualifier in record.qualifiers),
        ("subunit", record.subunit),
        ("tariff", record.tariff),
        ("storage", record.storage),
        (record.function, 0),
    ):
        if number or name not in {*_NUMBERED, _NOW}:
            key = f"mbus_part_{name}"
            yield SensorEntityDescription(
                key=key,
                translation_key=key,
                translation_placeholders={"number": str(number)},
            )


def converted(
    value: float,
    unit: str | None,
    wanted: str | None,
    device_class: SensorDeviceClass | None,
) -> float:
    """Return a value in another unit. Raises LookupError where there is no way to it."""
    if unit == wanted:
        return value
    converter = UNIT_CONVERTERS.get(device_class)
    if converter is None or not {unit, wanted} <= converter.VALID_UNITS:
        raise LookupError
    return converter.convert(value, unit, wanted)


@callback
def _async_kept_unit(
    hass: HomeAssistant, unique_id: str, unit: str | None
) -> str | None:
    """Return the unit that a sensor had when it was last added, else the given one."""
    # Graphs, automations and limits go by the unit that the entity began with. One unit
    # for each quantity would need no memory, but would change existing entities. A unit
    # that M-Bus does not have is the user's or the unit system's, and converted to by
    # Home Assistant.
    registry = er.async_get(hass)
    entity_id = registry.async_get_entity_id(SENSOR_DOMAIN, DOMAIN, unique_id)
    entry = None if entity_id is None else registry.async_get(entity_id)
    kept = None if entry is None else entry.unit_of_measurement
    return kept if kept in MBUS_UNITS else unit


def _sensors(
    devices: Mapping[str, MBusDevice],
) -> Iterator[tuple[str, SensorEntityDescription]]:
    """Describe the sensors of all devices, each with the id of its device."""
    for device_id, device in devices.items():
        descriptions = {LAST_READING.key: LAST_READING}
        for record in device.records:
            if description := describe_record(device.medium, record):
                # If records have the same key, the first one counts.
                descriptions.setdefault(description.key, description)
        for description in descriptions.values():
            yield device_id, description


def device_identifier(coordinator: MeterCoordinator, device_id: str) -> tuple[str, str]:
    """Return the identifier of an M-Bus meter behind a meter.

    It contains the M-Bus meter's own number, so that a replacement does not continue
    the history of the meter that it replaces.
    """
    return (DOMAIN, f"{coordinator.meter.identity.serial_number}_mbus_{device_id}")


@callback
def logged_mbus_registers(coordinator: MeterCoordinator) -> dict[str, Logged]:
    """Return where the load profile has what M-Bus sensors show, by the entity's key."""
    found: dict[str, Logged] = {}
    for device_id, device in coordinator.data.mbus_devices.items():
        for record in device.records:
            description = describe_record(device.medium, record)
            if description and description.state_class in _CUMULATIVE:
                key = f"mbus_{device_id}_{record.key}"
                unique_id = f"{coordinator.meter.identity.serial_number}_{key}"
                unit = _async_kept_unit(
                    coordinator.hass, unique_id, record.unit or None
                )
                found.setdefault(key, Logged(f"mbus_{device.slot}_{record.key}", unit))
    return found


@callback
def async_add_mbus_sensors(
    coordinator: MeterCoordinator, async_add_entities: AddConfigEntryEntitiesCallback
) -> None:
    """Add the sensors of M-Bus meters, now and when a meter or a record appears."""
    descriptions: dict[tuple[str, str], SensorEntityDescription] = {}

    def reported() -> Iterator[tuple[str, str]]:
        for device_id, description in _sensors(coordinator.data.mbus_devices):
            descriptions.setdefault((device_id, description.key), description)
        # A record that was reported once stays, even if it is not read now.
        yield from descriptions

    def make(key: tuple[str, str]) -> NesMepMBusSensor:
        device_id, _ = key
        _async_register_device(coordinator, device_id)
        return NesMepMBusSensor(coordinator, descriptions[key], device_id)

    async_add_what_is_reported(coordinator, async_add_entities, reported, make)


@callback
def _async_register_device(coordinator: MeterCoordinator, device_id: str) -> None:
    """Register an M-Bus meter as a device that is connected via the meter.

    The connection is set afterwards, because the parameter for it at creation changed
    in Home Assistant 2026.8.
    """
    registry = dr.async_get(coordinator.hass)
    entry_id = coordinator.config_entry.entry_id
    meter = registry.async_get_or_create(
        config_entry_id=entry_id,
        identifiers={(DOMAIN, coordinator.meter.identity.serial_number)},
    )
    device = coordinator.data.mbus_devices[device_id]
    name, number = _async_name(coordinator, device_id)
    mbus_meter = registry.async_get_or_create(
        config_entry_id=entry_id,
        identifiers={device_identifier(coordinator, device_id)},
        translation_key=f"mbus_{name}" if number == 1 else f"mbus_{name}_numbered",
        translation_placeholders={"number": str(number)},
        manufacturer=device.manufacturer or None,
        serial_number=device.serial_number,
        hw_version=str(device.version),
    )
    registry.async_update_device(mbus_meter.id, via_device_id=meter.id)


@callback
def _async_name(coordinator: MeterCoordinator, device_id: str) -> tuple[str, int]:
    """Return how an M-Bus meter is called, and its number among those called the same.

    The number is given to it when it is first seen, in the order of the slots, and
    stored. No other gets it when the M-Bus meter is gone.
    """
    storage = coordinator.monitor.storage
    devices = coordinator.data.mbus_devices
    names = {
        id_: DEVICE_NAMES.get(device.medium, _OTHER) for id_, device in devices.items()
    }
    known = storage.facts.get("mbus_meters", {})
    numbered = {name: list(known.get(name, ())) for name in {*known, *names.values()}}
    for id_ in sorted(devices, key=lambda id_: devices[id_].slot):
        if id_ not in (ids := numbered[names[id_]]):
            ids.append(id_)
    storage.async_change({"mbus_meters": numbered})
    name = names[device_id]
    return name, numbered[name].index(device_id) + 1


class NesMepMBusSensor(NesMepValueEntity, SensorEntity):
    """A value of an M-Bus meter, as the electricity meter read it last."""

    def __init__(
        self,
        coordinator: MeterCoordinator,
        description: SensorEntityDescription,
        device_id: str,
    ) -> None:
        """Initialize the sensor of an M-Bus meter, whose device is registered."""
        super().__init__(coordinator, description, context=MBUS)
        self._device_id = device_id
        # When it was read stays true.
        self.needs_meter = description is not LAST_READING
        identifier = device_identifier(coordinator, device_id)
        self._attr_unique_id = f"{identifier[1]}_{description.key}"
        self._attr_native_unit_of_measurement = _async_kept_unit(
            coordinator.hass,
            self._attr_unique_id,
            description.native_unit_of_measurement,
        )
        self._attr_device_info = DeviceInfo(identifiers={identifier})

    @override
    def _look_up(self) -> Value | None:
        """Return the value of the record; the M-Bus meter must be connected."""
        device = self.coordinator.data.mbus_devices[self._device_id]
        if not device.up:
            raise LookupError
        if self.entity_description is LAST_READING:
            return device.read_at
        for record in device.records:
            if record.key == self.entity_description.key and isinstance(
                record.value, int | float
            ):
                return converted(
                    record.value,
                    record.unit or None,
                    self.native_unit_of_measurement,
                    self.device_class,
                )
        raise LookupError

    @override
    def _show(self, value: Value | None) -> None:
        """Show a number, or the time of the reading."""
        self._attr_native_value = with_zone(value)
