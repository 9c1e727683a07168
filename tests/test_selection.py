"""Tests of which registers get an entity, and which are enabled at first."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, strategies as st
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.nes_mep.const import DOMAIN
from custom_components.nes_mep.selection import counters, selected
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er

from .common import entity_ids, make_entry, pass_time, poll, set_up, states
from .driven_clock import DrivenClock
from .simulator import PROFILES, Fault, SimulatedMeter
from .simulator.load import LoadShape
from .values import Clock

pytestmark = pytest.mark.usefixtures("enable_custom_integrations")

TOTALS = {
    *("energy_import", "energy_export", "reactive_energy_q1", "power_import"),
    *("maximum_demand_power_import", "maximum_demand_power_import_time"),
}
OF_TARIFFS = {f"{key}_tariff_{n}" for key in TOTALS - {"power_import"} for n in (1, 2)}
RARE = {
    "coincident_voltage_l1_at_maximum_demand_power_import",
    "cumulative_demand_power_import",
    "continuous_cumulative_demand_power_import_tariff_1",
}
REGISTERS = TOTALS | OF_TARIFFS | RARE


@pytest.mark.parametrize(
    ("counted", "more"),
    [
        (set(), set()),
        ({"energy_export"}, set()),
        ({"energy_import_tariff_2", "reactive_energy_q1_tariff_2"}, set()),
        (
            {
                *("energy_import_tariff_1", "energy_import_tariff_2"),
                *("energy_export_tariff_2", "energy_export"),
            },
            {
                *(f"energy_import_tariff_{n}" for n in (1, 2)),
                *(f"maximum_demand_power_import_tariff_{n}" for n in (1, 2)),
                *(f"maximum_demand_power_import_time_tariff_{n}" for n in (1, 2)),
                "energy_export_tariff_2",
            },
        ),
    ],
)
def test_selected(counted: set[str], more: set[str]) -> None:
    """Tariffs are shown when two have counted, and in them what has counted."""
    assert selected(REGISTERS, counted) == TOTALS | more


def test_demands_of_an_energy_that_has_not_counted() -> None:
    """A demand of exported power needs exported energy; others need the tariff only."""
    registers = {
        *("energy_export_tariff_1", "energy_import_tariff_1"),
        *("maximum_demand_power_export_tariff_1", "minimum_demand_voltage_l1_tariff_1"),
        "maximum_demand_reactive_power_q1_time_tariff_1",
        "reactive_energy_q1_tariff_1",
    }
    counted = {"energy_import_tariff_1", "energy_import_tariff_2"}
    assert selected(registers, counted) == {
        "energy_import_tariff_1",
        "minimum_demand_voltage_l1_tariff_1",
    }


@given(st.sets(st.sampled_from(sorted(counters(REGISTERS)))), st.data())
def test_more_that_counts_takes_nothing_away(
    counted: set[str], data: st.DataObject
) -> None:
    """A register that starts counting adds entities and removes none."""
    more = data.draw(st.sets(st.sampled_from(sorted(counters(REGISTERS)))))
    assert selected(REGISTERS, counted) <= selected(REGISTERS, counted | more)


TARIFFS = {"energy_import_tariff_1", "energy_import_tariff_2"}
OF_EXPORT = {"energy_export", "power_export", "power_net", "power_export_l1"}
A_DEMAND = "cumulative_demand_power_import_tariff_1"


@pytest.fixture
def meter(meter: SimulatedMeter) -> SimulatedMeter:
    """Return the meter of a home without solar panels that uses one tariff."""
    meter.profile = replace(
        PROFILES["gen3_demand"], load=LoadShape(pv_peak=0), tariff=(0,) * 24
    )
    meter.set_energy(1, 0)
    return meter


def present(hass: HomeAssistant, entry: MockConfigEntry, keys: set[str]) -> set[str]:
    """Return which of these keys have an entity, enabled or not."""
    return keys & entity_ids(hass, entry).keys()


def disabled(hass: HomeAssistant, entry: MockConfigEntry) -> set[str]:
    """Return the keys of the entities that are disabled."""
    registry = er.async_get(hass)
    return {
        key
        for key, entity_id in entity_ids(hass, entry).items()
        if registry.async_get(entity_id).disabled
    }


async def test_home_with_one_tariff(
    hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """What is always zero or the same as the total does not crowd the device page."""
    entry = await set_up(hass, make_entry(meter, url))
    keys = entity_ids(hass, entry).keys()
    assert not {key for key in keys if "_tariff_" in key or key.startswith("coinc")}
    assert disabled(hass, entry) >= OF_EXPORT
    assert states(hass, entry).keys() >= {"energy_import", "power_import_l1"}


async def test_second_tariff(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    clock: Clock,
    host_clock: DrivenClock,
) -> None:
    """Within an hour, tariffs get entities, and keep them when they are not used."""
    entry = await set_up(hass, make_entry(meter, url))
    meter.set_tier(1)
    clock.now += timedelta(hours=1)
    await pass_time(hass, host_clock, 3601)
    await poll(hass)
    assert present(hass, entry, TARIFFS) == TARIFFS
    assert disabled(hass, entry) >= TARIFFS

    meter.set_energy(0, 0)
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert present(hass, entry, TARIFFS) == TARIFFS


async def test_export_begins(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, host_clock: DrivenClock
) -> None:
    """Solar panels that are added need no attention: the export is enabled."""
    entry = await set_up(hass, make_entry(meter, url))
    assert disabled(hass, entry) >= OF_EXPORT
    by_user = entity_ids(hass, entry)["power_export"]
    er.async_get(hass).async_update_entity(
        by_user, disabled_by=er.RegistryEntryDisabler.USER
    )
    meter.set_energy(1, 500)
    await pass_time(hass, host_clock, 3601)
    assert disabled(hass, entry) & OF_EXPORT == {"power_export"}

    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert states(hass, entry)["energy_export"] == "0.5"


async def test_nobody_loses_an_entity(
    hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """Entities from before stay, unless only the integration had disabled them."""
    entry = make_entry(meter, url)
    entry.add_to_hass(hass)
    by: dict[str, er.RegistryEntryDisabler | None] = {
        "energy_import_tariff_2": None,
        "energy_import_tariff_3": er.RegistryEntryDisabler.USER,
        "energy_import_tariff_4": er.RegistryEntryDisabler.INTEGRATION,
    }
    for key, disabled_by in by.items():
        er.async_get(hass).async_get_or_create(
            "sensor",
            DOMAIN,
            f"{entry.unique_id}_{key}",
            config_entry=entry,
            disabled_by=disabled_by,
        )
    await set_up(hass, entry)
    await poll(hass)
    assert present(hass, entry, set(by)) == {
        "energy_import_tariff_2",
        "energy_import_tariff_3",
    }
    assert states(hass, entry)["energy_import_tariff_2"] == "0.0"


async def test_all_registers_are_wanted(
    hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """With the option, each register has an entity; without it again, it goes."""
    entry = await set_up(hass, make_entry(meter, url, show_all_registers=True))
    registers = entry.runtime_data.coordinator.meter.registers.keys()
    assert present(hass, entry, set(registers)) == registers
    assert {A_DEMAND, *TARIFFS} <= disabled(hass, entry)

    hass.config_entries.async_update_entry(entry, options={})
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    await poll(hass)
    assert not present(hass, entry, {A_DEMAND, *TARIFFS})


async def test_tariffs_are_refused_for_now(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, host_clock: DrivenClock
) -> None:
    """While the registers cannot be read, nothing is added and nothing removed."""
    entry = make_entry(meter, url, show_all_registers=True)
    await set_up(hass, entry)
    hass.config_entries.async_update_entry(entry, options={})
    meter.add_fault(Fault(kind="refuse", table="BT23", code=0x04))
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert present(hass, entry, TARIFFS) == TARIFFS
    meter.clear_faults()
    await pass_time(hass, host_clock, 61)
    await poll(hass)
    assert not present(hass, entry, TARIFFS)
