"""Tests of the descriptions: names, units, icons, and their table."""

from collections.abc import Iterator
from itertools import cycle, product
import json
from string import Formatter
from typing import Any

import pytest

from custom_components.nes_mep.binary_sensor import LINK_PROBLEM
from custom_components.nes_mep.button import BUTTONS
from custom_components.nes_mep.calendar import TARIFFS_DESCRIPTION
from custom_components.nes_mep.const import DOMAIN
from custom_components.nes_mep.descriptions import (
    BINARY_SENSORS,
    HISTORY_PROGRESS,
    LINK_SENSORS,
    PEAK_SENSORS,
    REGISTER_SENSORS,
    SLOW_TABLE_SENSORS,
    describe_register,
    describe_sensor,
    name_placeholders,
)
from custom_components.nes_mep.event import LINK_DESCRIPTION, METER_EVENT_DESCRIPTION
from custom_components.nes_mep.mbus import (
    DEVICE_NAMES,
    LAST_READING,
    QUANTITIES,
    converted,
    describe_record,
)
from custom_components.nes_mep.osgp import LinkStatistics, MBusRecord
from custom_components.nes_mep.osgp.register_descriptions import (
    APPARENT_ENERGIES,
    PRESENT_VALUES,
    SUMMATIONS,
)
from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntityDescription,
    SensorStateClass,
)
from homeassistant.components.sensor.const import (
    DEVICE_CLASS_STATE_CLASSES,
    DEVICE_CLASS_UNITS,
)
from homeassistant.helpers.entity import EntityDescription
from homeassistant.util import slugify
from tools import entities

from .test_texts import FOLDER, TEXTS

ENGLISH = {
    f"component.{DOMAIN}.entity.sensor.{key}.name": texts["name"]
    for key, texts in TEXTS["entity"]["sensor"].items()
}
"""The English names of sensors, as Home Assistant hands them out."""

ICONS: dict[str, Any] = json.loads((FOLDER / "icons.json").read_text())["entity"]

DEMANDS = [
    *(
        f"{name}_demand_{key}{tariff}"
        for name, key, tariff in product(
            ("maximum", "minimum", "cumulative", "continuous_cumulative"),
            ("power_import", "reactive_power_q3"),
            ("", "_tariff_8"),
        )
    ),
    *(
        f"{key}{tariff}"
        for key, tariff in product(
            (
                "maximum_demand_power_import_l2_time",
                "minimum_demand_current_l1_time",
                "coincident_voltage_l1_at_maximum_demand_power_export",
                "coincident_frequency_at_minimum_demand_power_export",
            ),
            ("", "_tariff_1"),
        )
    ),
    "present_demand_apparent_power",
    "previous_demand_apparent_power",
    "demand_resets",
]


def records() -> Iterator[tuple[str, MBusRecord]]:
    """Yield a record of each quantity, plain and one of many, with a medium."""
    functions = cycle(("maximum", "minimum", "error"))
    qualifiers = cycle(("uncorrected", "forward", "backward", "at_base_conditions"))
    for quantity, function, qualifier in zip(
        QUANTITIES, functions, qualifiers, strict=False
    ):
        yield "heat", MBusRecord(quantity=quantity, value=1.5)
        yield (
            "gas",
            MBusRecord(
                quantity=quantity,
                value=2,
                storage=1,
                tariff=2,
                subunit=3,
                function=function,
                qualifiers=(qualifier,),
            ),
        )


def sensors() -> list[SensorEntityDescription]:
    """Return the descriptions of all sensors, of demands and M-Bus meters examples."""
    demands = [describe_register(key) for key in DEMANDS]
    mbus = [describe_record(medium, record) for medium, record in records()]
    assert all(demands)
    assert all(mbus)
    return [
        *REGISTER_SENSORS.values(),
        *SLOW_TABLE_SENSORS.values(),
        *LINK_SENSORS.values(),
        *PEAK_SENSORS.values(),
        HISTORY_PROGRESS,
        *demands,
        *mbus,
        LAST_READING,
    ]


def everything() -> Iterator[tuple[str, EntityDescription]]:
    """Yield all descriptions with their platforms."""
    for platform, descriptions in (
        ("sensor", sensors()),
        ("binary_sensor", [*BINARY_SENSORS.values(), LINK_PROBLEM]),
        ("button", BUTTONS),
        ("calendar", [TARIFFS_DESCRIPTION]),
        ("event", [LINK_DESCRIPTION, METER_EVENT_DESCRIPTION]),
    ):
        for description in descriptions:
            yield platform, description


def test_registers_are_described() -> None:
    """Each register that the client knows has a sensor in the same unit, and no other."""
    registers = {
        register.key: register.unit
        for register in (*SUMMATIONS, *APPARENT_ENERGIES, *PRESENT_VALUES)
    }
    totals = {
        key: description.native_unit_of_measurement
        for key, description in REGISTER_SENSORS.items()
        if "_tariff_" not in key
    }
    assert totals == {**registers, "power_net": "W"}
    for register in (*SUMMATIONS, *APPARENT_ENERGIES, *PRESENT_VALUES):
        for tariff in range(1, 9):
            key = f"{register.key}_tariff_{tariff}"
            assert (key in REGISTER_SENSORS) == register.tiered
        for name in ("present", "previous", "maximum", "minimum", "cumulative"):
            demand = describe_register(f"{name}_demand_{register.key}")
            assert (demand is not None) == (register in PRESENT_VALUES)
            if demand is not None:
                assert demand.native_unit_of_measurement == register.unit


@pytest.mark.parametrize("key", DEMANDS)
def test_demands_are_described(key: str) -> None:
    """The description of a demand goes by the key that it was asked for."""
    description = describe_sensor(key)
    assert description.key == key
    assert not description.entity_registry_enabled_default
    is_time = description.device_class is SensorDeviceClass.TIMESTAMP
    assert is_time == ("_time" in key)


@pytest.mark.parametrize(
    "key",
    [
        "mystery",
        "maximum_demand_mystery",
        "coincident_mystery_at_maximum_demand_power_import",
        "coincident_power_import_at_maximum_demand_mystery",
        "maximum_demand_power_import_tariff_9",
        "energy_import_tariff_9",
    ],
)
def test_unknown_registers_are_not_described(key: str) -> None:
    """What is not known makes no entity."""
    assert describe_sensor(key) is None


def test_counters_are_described() -> None:
    """Each number that the client counts has a sensor."""
    assert LINK_SENSORS.keys() == LinkStatistics.__dataclass_fields__.keys() - {
        "hint",
        "last_error",
    }


def test_classes_fit() -> None:
    """Units and state classes are among those that the device class allows."""
    for description in sensors():
        device_class = description.device_class
        assert isinstance(device_class, SensorDeviceClass | None)
        unit = description.native_unit_of_measurement
        if (
            device_class in DEVICE_CLASS_UNITS
            and not description.translation_key.startswith("mbus_")
        ):
            assert unit in DEVICE_CLASS_UNITS[device_class], description.key
        if device_class is not None and description.state_class is not None:
            allowed = DEVICE_CLASS_STATE_CLASSES[device_class]
            assert description.state_class in allowed, description.key
        if device_class is SensorDeviceClass.ENUM:
            states = TEXTS["entity"]["sensor"][description.translation_key]["state"]
            assert set(states) == set(description.options)


def test_names() -> None:
    """Each entity has a name with the right placeholders, and each text is used."""
    used: dict[str, set[str]] = {}
    for platform, description in everything():
        for each in (description, *name_parts(description)):
            key = each.translation_key
            used.setdefault(platform, set()).add(key)
            name = TEXTS["entity"][platform][key]["name"]
            wanted = {field for _, field, _, _ in Formatter().parse(name) if field}
            assert wanted <= name_placeholders(each, ENGLISH).keys(), key
    # Examples of demands do not use all that there are.
    assert used == {platform: set(TEXTS["entity"][platform]) for platform in used}


def test_names_differ() -> None:
    """No two entities of a meter get the same name, nor the same entity id."""
    demands = (
        describe_register(f"maximum_demand_{register.key}")
        for register in PRESENT_VALUES
    )
    names = [
        f"{platform} {slugify(name_of(platform, description))}"
        for platform, description in (
            *everything(),
            *(("sensor", demand) for demand in demands),
        )
        if not description.translation_key.startswith("mbus_")
    ]
    keys = {
        description.key
        for _, description in everything()
        if not description.translation_key.startswith("mbus_")
    } | {f"maximum_demand_{register.key}" for register in PRESENT_VALUES}
    assert len(set(names)) == len(keys)


def name_of(platform: str, description: EntityDescription) -> str:
    """Return the English name of an entity."""
    name: str = TEXTS["entity"][platform][description.translation_key]["name"]
    return name.format(**name_placeholders(description, ENGLISH))


def name_parts(description: EntityDescription) -> Iterator[EntityDescription]:
    """Yield the descriptions whose names are part of an entity's name."""
    for descriptions in (getattr(description, "name_parts", None) or {}).values():
        yield from descriptions


def test_icons() -> None:
    """What has no device class has an icon, and no icon is left over."""
    used: dict[str, set[str]] = {}
    for platform, description in everything():
        key = description.translation_key
        needs_icon = description.device_class in {None, SensorDeviceClass.ENUM}
        if needs_icon:
            assert key in ICONS[platform], key
            used.setdefault(platform, set()).add(key)
    assert {platform: set(icons) for platform, icons in ICONS.items()} == used


def test_mediums_have_names() -> None:
    """Each kind of M-Bus meter has a name as a device."""
    kinds = {"meter", "mbus_other", *(f"mbus_{name}" for name in DEVICE_NAMES.values())}
    assert TEXTS["device"].keys() == kinds | {f"{kind}_numbered" for kind in kinds}


@pytest.mark.parametrize(
    ("key", "name", "is_present", "record"),
    [
        ("volume", "Volume", True, {"quantity": "volume"}),
        (
            "volume_tariff_2",
            "Volume tariff 2",
            True,
            {"quantity": "volume", "tariff": 2},
        ),
        (
            "volume_storage_1",
            "Volume stored value 1",
            False,
            {"quantity": "volume", "storage": 1},
        ),
        (
            "flow_maximum",
            "Flow maximum",
            False,
            {"quantity": "flow", "function": "maximum"},
        ),
        (
            "volume_at_base_conditions",
            "Volume at base conditions",
            True,
            {"quantity": "volume", "qualifiers": ("at_base_conditions",)},
        ),
        (
            "volume_tariff_1_storage_3_minimum",
            "Volume tariff 1, stored value 3, minimum",
            False,
            {"quantity": "volume", "tariff": 1, "storage": 3, "function": "minimum"},
        ),
    ],
)
def test_mbus_records(
    key: str, name: str, is_present: bool, record: dict[str, Any]
) -> None:
    """Records are told apart, and only those of the present are on and have statistics."""
    description = describe_record("water", MBusRecord(value=1.0, unit="m³", **record))
    assert description.key == key
    assert name_of("sensor", description) == name
    assert description.entity_registry_enabled_default == is_present
    assert (description.state_class is not None) == is_present


@pytest.mark.parametrize(
    ("medium", "device_class"),
    [
        ("gas", SensorDeviceClass.GAS),
        ("water", SensorDeviceClass.WATER),
        ("hot_water", SensorDeviceClass.WATER),
        ("heat", SensorDeviceClass.VOLUME),
        ("unknown", SensorDeviceClass.VOLUME),
    ],
)
def test_mbus_volumes(medium: str, device_class: SensorDeviceClass) -> None:
    """A volume is of gas or of water where the medium is."""
    record = MBusRecord(quantity="volume", value=1.0, unit="m³")
    description = describe_record(medium, record)
    assert description.device_class is device_class
    assert description.state_class is SensorStateClass.TOTAL_INCREASING


@pytest.mark.parametrize(
    ("quantity", "value"), [("identification", "12"), ("mystery", 1.0), ("energy", "x")]
)
def test_mbus_records_without_sensor(quantity: str, value: float | str) -> None:
    """What is no number, and what nobody knows, has no sensor."""
    assert describe_record("heat", MBusRecord(quantity=quantity, value=value)) is None


def test_table_of_entities() -> None:
    """The page has the table of all entities, as it is made from the descriptions."""
    text = entities.PAGE.read_text()
    between = text.partition(entities.BEGIN)[2].partition(entities.END)[0]
    assert between.strip() == entities.table()
    documented = {row.key for row in entities.rows()}
    for key in (*REGISTER_SENSORS, *SLOW_TABLE_SENSORS, *BINARY_SENSORS):
        if "_tariff_" not in key:
            assert entities.collapsed(key) in documented, key


@pytest.mark.parametrize(
    ("wanted", "device_class"),
    [("kg/h", None), ("m³", SensorDeviceClass.ENERGY), (None, None)],
)
def test_unit_that_cannot_be_converted(
    wanted: str | None, device_class: SensorDeviceClass | None
) -> None:
    """There is no value where Home Assistant has no converter."""
    with pytest.raises(LookupError):
        converted(5, "kWh", wanted, device_class)
    assert converted(5, wanted, wanted, device_class) == 5
