"""Tests of long-term statistics, on a real recorder, when a register leaps."""

from dataclasses import replace

import pytest

from homeassistant.core import HomeAssistant

from ..common import entity_ids, make_entry, own_log, poll, set_up, states, unavailable
from ..simulator import SimulatedMeter
from ..values import NOON
from .house import House


async def sums(house: House, entity_id: str) -> list[float]:
    """Return the running sum after each step since noon, in kWh."""
    rows = await house.rows(entity_id, "5minute", NOON)
    return [round(row["sum"], 3) for row in rows]


def energy(meter: SimulatedMeter) -> float:
    """Return the register of the energy import, in kWh."""
    truth = meter.truth()
    return truth[0] * truth["energy_unit"] / 1000


@pytest.mark.parametrize("profile", ["gen3", "ct", "vt"])
async def test_roll_over(
    house: House, hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """After its last digit a register begins at 0, and the sums just go on."""
    modulus = 10**meter.profile.rollover_digits
    meter.set_energy(0, modulus - 20_000)
    entry = await set_up(hass, make_entry(meter, url, import_history=False))
    entity_id = entity_ids(hass, entry)["energy_import"]
    readings: list[float] = []
    for register in (modulus - 10_000, 7, 10_000):
        meter.set_energy(0, register)
        await house.step()
        readings.append(energy(meter))

    first, second, third = readings
    assert first > third > second
    # Of the wrap only what the meter counted between the last poll and 0 is lost.
    begin, *later = await sums(house, entity_id)
    assert later == pytest.approx([begin + second, begin + third])


async def test_meter_exchange(
    house: House,
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What another meter has counted never gets into the statistics of the old one."""
    entry = await set_up(hass, make_entry(meter, url, import_history=False))
    old_id = entity_ids(hass, entry)["energy_import"]
    await house.step()
    await house.step()
    before = await sums(house, old_id)
    assert 0 <= before[-1] < 1

    meter.replace_meter("20269999")
    meter.set_energy(0, 5_000_000)
    caplog.clear()
    for _ in range(2):
        await house.step()
        assert old_id in {
            entity_ids(hass, entry)[key] for key in unavailable(hass, entry)
        }
    ((level, text),) = own_log(caplog)
    assert level == "ERROR"
    assert "leads to another meter, 20269999" in text

    # The new meter is an entry of its own.
    await hass.config_entries.async_unload(entry.entry_id)
    new = await set_up(hass, make_entry(meter, url, import_history=False))
    new_id = entity_ids(hass, new)["energy_import"]
    assert new_id != old_id
    await house.step()
    await house.step()
    assert set(await sums(house, old_id)) == set(before)
    assert 0 <= (await sums(house, new_id))[-1] < 1


@pytest.mark.usefixtures("enable_custom_integrations")
async def test_old_meter_comes_back(
    hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """A port that leads to another meter for a while is read again when it is right."""
    entry = await set_up(hass, make_entry(meter, url))
    own = meter.profile
    meter.replace_meter("20269999")
    await poll(hass)
    assert "energy_import" in unavailable(hass, entry)

    meter.profile = own
    meter.restart()
    await poll(hass)
    assert not unavailable(hass, entry)
    assert float(states(hass, entry)["energy_import"]) == energy(meter)


@pytest.mark.usefixtures("enable_custom_integrations")
async def test_meter_without_serial_number(
    hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """A meter that the grid company did not number is known by its transceiver id."""
    meter.profile = replace(meter.profile, serial_number="")
    entry = make_entry(meter, url)
    entry.add_to_hass(hass)
    hass.config_entries.async_update_entry(
        entry, unique_id=meter.profile.transceiver_id.hex()
    )
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)

    meter.restart()
    await poll(hass)
    assert float(states(hass, entry)["energy_import"]) == energy(meter)
