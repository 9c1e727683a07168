"""What docs/migration.md promises of the recorder: an old sensor's statistics go on."""

from datetime import datetime, timedelta

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
)

from homeassistant.components.recorder import get_instance
from homeassistant.components.recorder.statistics import statistics_during_period
from homeassistant.components.sensor import SensorDeviceClass, SensorStateClass
from homeassistant.const import STATE_UNAVAILABLE, UnitOfEnergy
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component

from ..common import entity_ids, make_entry, set_up
from ..simulator import SimulatedMeter
from ..values import NOON, Clock
from .house import House
from .test_statistics import energy

OLD_ID = "sensor.echelon_energy_consumption"


class OldSensor:
    """The energy import as the integration for dabbler.dk boards shows it, or MQTT."""

    def __init__(self, hass: HomeAssistant, meter: SimulatedMeter, unit: str) -> None:
        """Register it."""
        self._hass = hass
        self._meter = meter
        self._unit = unit
        self.entry = MockConfigEntry(domain="dabblerdk_powermeterreader")
        self.entry.add_to_hass(hass)
        er.async_get(hass).async_get_or_create(
            "sensor",
            "dabblerdk_powermeterreader",
            "dabblerdk_powermeterreader-20260217-energy consumption",
            suggested_object_id=OLD_ID.removeprefix("sensor."),
            config_entry=self.entry,
        )

    def read(self) -> None:
        """Show what the register of the meter says now."""
        factor = 1000 if self._unit == UnitOfEnergy.WATT_HOUR else 1
        self._show(f"{energy(self._meter) * factor:.10g}")

    def lose_board(self) -> None:
        """Have nobody to ask any more."""
        self._show(STATE_UNAVAILABLE)

    async def remove(self) -> None:
        """Delete the integration, as its page does, and the entity with it."""
        await self._hass.config_entries.async_remove(self.entry.entry_id)
        self._hass.states.async_remove(OLD_ID)
        await self._hass.async_block_till_done()

    def _show(self, state: str) -> None:
        self._hass.states.async_set(
            OLD_ID,
            state,
            {
                "device_class": SensorDeviceClass.ENERGY,
                "state_class": SensorStateClass.TOTAL_INCREASING,
                "unit_of_measurement": self._unit,
            },
        )


@pytest.fixture
async def house(house: House) -> House:
    """Return a house with a recorder that runs and knows of sensors."""
    assert await async_setup_component(house.hass, "sensor", {})
    return house


async def _rows(
    hass: HomeAssistant, entity_id: str, period: str = "5minute"
) -> list[tuple[float, float]]:
    """Return the statistics of an entity: reading and running sum, in kWh."""
    found = await get_instance(hass).async_add_executor_job(
        statistics_during_period,
        hass,
        NOON,
        datetime.max.replace(tzinfo=NOON.tzinfo),
        {entity_id},
        period,
        {"energy": UnitOfEnergy.KILO_WATT_HOUR},
        {"state", "sum"},
    )
    return [(row["state"], row["sum"]) for row in found.get(entity_id, ())]


async def _rename(hass: HomeAssistant, entity_id: str, new_id: str) -> None:
    """Give an entity another id, as its settings do."""
    er.async_get(hass).async_update_entity(entity_id, new_entity_id=new_id)
    await hass.async_block_till_done(wait_background_tasks=True)


@pytest.mark.parametrize("unit", [UnitOfEnergy.KILO_WATT_HOUR, UnitOfEnergy.WATT_HOUR])
async def test_statistics_go_on(
    house: House,
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    unit: str,
) -> None:
    """The new entity takes the id of the old one, and the sum goes on with no jump."""
    old = OldSensor(hass, meter, unit)
    for _ in range(5):
        old.read()
        await house.step()

    # The board has its new firmware, and the meter is read under new names for a while.
    old.lose_board()
    entry = await set_up(hass, make_entry(meter, url))
    new_id = entity_ids(hass, entry)["energy_import"]
    for _ in range(2):
        await house.step()
    before = await _rows(hass, OLD_ID)
    # The sixth is of the seconds before the loss.
    assert len(before) == 5 + 1
    assert len(await _rows(hass, new_id)) == 2

    await old.remove()
    await _rename(hass, new_id, OLD_ID)
    for _ in range(6):
        await house.step()

    assert float(hass.states.get(OLD_ID).state) == energy(meter)
    rows = await _rows(hass, OLD_ID)
    assert rows[: len(before)] == before
    assert len(rows) == len(before) + 6
    readings, sums = zip(*rows, strict=True)
    assert readings[-1] == pytest.approx(energy(meter))
    assert readings[0] < readings[5] < readings[6] < readings[-1]
    # What was used while the old id was silent is in the first row after it.
    begin = readings[0] - sums[0]
    assert [reading - begin for reading in readings] == pytest.approx(sums, abs=1e-3)
    # The hours, which the Energy dashboard shows.
    [(reading, total)] = await _rows(hass, OLD_ID, "hour")
    assert total == pytest.approx(reading - begin, abs=1e-3)
    # The new entity's rows of the time between are left behind.
    assert len(await _rows(hass, new_id)) == 2


async def test_renamed_old_sensor_keeps_its_statistics(
    house: House,
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
) -> None:
    """Statistics move with an entity that is renamed: so the old one is deleted."""
    old = OldSensor(hass, meter, UnitOfEnergy.KILO_WATT_HOUR)
    old.read()
    await house.step()
    entry = await set_up(hass, make_entry(meter, url, import_history=False))

    await _rename(hass, OLD_ID, "sensor.old_meter")
    hass.states.async_remove(OLD_ID)
    await _rename(hass, entity_ids(hass, entry)["energy_import"], OLD_ID)
    await house.step()

    assert len(await _rows(hass, "sensor.old_meter")) == 1
    [(reading, total)] = await _rows(hass, OLD_ID)
    assert reading == pytest.approx(energy(meter))
    assert total < 1


async def test_too_late(
    house: House,
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    clock: Clock,
    freezer: FrozenDateTimeFactory,
) -> None:
    """After ten days the sum begins anew, and adjusting its first hour mends it."""
    old = OldSensor(hass, meter, UnitOfEnergy.KILO_WATT_HOUR)
    meter.set_energy(0, 5_000_000)
    old.read()
    await house.step()
    meter.set_energy(0, 9_000_000)
    for _ in range(11):
        old.read()
        await house.step()
    [(_, total)] = await _rows(hass, OLD_ID, "hour")
    assert total == pytest.approx(4000, abs=1)

    await old.remove()
    clock.now += timedelta(days=11)
    freezer.move_to(clock.now + timedelta(seconds=10))
    await hass.services.async_call(
        "recorder", "purge", {"keep_days": 10}, blocking=True
    )
    await async_wait_recording_done(hass)
    assert not await _rows(hass, OLD_ID)

    meter.set_energy(0, 9_100_000)
    entry = await set_up(hass, make_entry(meter, url, import_history=False))
    await _rename(hass, entity_ids(hass, entry)["energy_import"], OLD_ID)
    begin = clock.now
    for _ in range(12):
        await house.step()
    (_, before), (_, after) = await _rows(hass, OLD_ID, "hour")
    assert after - before == pytest.approx(-4000, abs=1)

    # The dialogue sends by how much the hour is wrong: it used 100 kWh, not minus 4000.
    get_instance(hass).async_adjust_statistics(
        OLD_ID, begin, 100 - (after - before), UnitOfEnergy.KILO_WATT_HOUR
    )
    await async_wait_recording_done(hass)
    await house.step()
    (_, before), (_, after) = await _rows(hass, OLD_ID, "hour")
    assert after - before == pytest.approx(100)
    *_, (reading, total) = await _rows(hass, OLD_ID)
    assert total == pytest.approx(before + 100, abs=1)
    assert reading == pytest.approx(energy(meter))
