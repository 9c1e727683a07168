"""What the channels of a load profile are called, and how they are scaled."""

from dataclasses import replace

from osgp.load_profile.channels import load_profile_channels
from osgp.tables.constants import Constants
from osgp.tables.dimensions import RegisterSelection

from .load_profiles import facts


def test_channels() -> None:
    """Keys, units and scale of the registers that channels are readings of."""
    sources = (0, 1, 2, 5, 29, 40, 33, 70, 108, 8, 15, 164, 170, 201, 73, 254)
    channels = load_profile_channels(sources, {}, facts(energy_unit=10))
    assert {channel.key: channel.shown(1000) for channel in channels} == {
        "energy_import": 10,
        "energy_export": 10,
        "reactive_energy_import": 10,
        "power_outages": 1000,
        "energy_import_tariff_1": 10,
        "energy_import_tariff_2": 10,
        "power_outage_duration_tariff_1": 60_000,
        "pulse_input_1_tariff_4": 1000,
        "reactive_energy_q1": 10,
        "power_import": 1000,
        "voltage_l1": 1,
        "minimum_voltage_l1": 1,
        "maximum_power_import": 1000,
        "clock_adjustment": 1000,
        "mep_device_1_counter_1": 1000,
        "source_254": 1000,
    }
    assert [channel.unit for channel in channels[:5]] == [
        *("kWh", "kWh", "kvarh", None, "kWh")
    ]


def test_channels_behind_transformers() -> None:
    """Energies have the ratios; momentary values only where their source says so."""
    transformers = Constants(applied=True, current_ratio=40, voltage_ratio=2)
    sources = (0, 81, 12, 197, 15, 170, 177, 179)
    channels = load_profile_channels(sources, {}, facts(constants=transformers))
    assert [(each.key, each.multiplier) for each in channels] == [
        ("energy_import", 1),
        ("power_import", 1),
        ("current_l1", 40),
        ("current_l1_channel_4", 1),
        ("voltage_l1", 2),
        ("maximum_power_import", 80),
        ("maximum_power_import_channel_7", 1),
        ("maximum_power_import_l1", 1),
    ]


def test_extended_channels() -> None:
    """Mapped ids: M-Bus meters by slot and data type, anything else by its id."""
    mapping = {112: 0x4001, 113: 0x4302, 114: 0x3101}
    channels = load_profile_channels((112, 113, 114, 115), mapping, facts())
    assert [channel.key for channel in channels] == [
        "mbus_1_type_1",
        "mbus_4_type_2",
        "source_0x3101",
        "source_115",
    ]


def test_standard_sources_can_be_mapped() -> None:
    """An extended id of type 0 is the standard one."""
    channels = load_profile_channels((112, 113), {112: 1, 113: 29}, facts())
    assert [(each.key, each.source) for each in channels] == [
        ("energy_export", 112),
        ("energy_import_tariff_1", 113),
    ]


def test_demand_channels() -> None:
    """Demands are those of the register selection, as far as there are such."""
    selection = RegisterSelection((), (8, 255), (True, True))
    described = replace(facts(), selection=selection)
    channels = load_profile_channels((88, 89, 90, 96, 97), {}, described)
    assert [channel.key for channel in channels] == [
        "present_demand_power_import",
        "source_89",
        "source_90",
        "previous_demand_power_import",
        "source_97",
    ]
