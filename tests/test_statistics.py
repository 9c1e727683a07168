"""Tests of long-term statistics, on a real recorder, when a register leaps."""

from dataclasses import replace
from datetime import datetime, timedelta

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
    do_adhoc_statistics,
)

from homeassistant.components.recorder import Recorder, get_instance
from homeassistant.components.recorder.statistics import statistics_during_period
from homeassistant.core import HomeAssistant

from .common import entity_ids, make_entry, own_log, poll, set_up, states, unavailable
from .simulator import SimulatedMeter
from .values import NOON, Clock

STEP = timedelta(minutes=5)


class Account:
    """What a recorder makes of the energy import of a meter, in steps of 5 minutes."""

    def __init__(
        self, hass: HomeAssistant, freezer: FrozenDateTimeFactory, clock: Clock
    ) -> None:
        """Begin at noon."""
        self._hass = hass
        self._freezer = freezer
        self._clock = clock
        freezer.move_to(NOON + timedelta(seconds=10))

    async def step(self) -> None:
        """Let 5 minutes pass: poll at their end, and make the statistics of them."""
        start = self._clock.now
        self._clock.now = start + STEP
        await self._move_to(start + STEP - timedelta(seconds=20))
        await poll(self._hass)
        await async_wait_recording_done(self._hass)
        await self._move_to(start + STEP + timedelta(seconds=10))
        do_adhoc_statistics(self._hass, start=start)
        await async_wait_recording_done(self._hass)

    async def _move_to(self, time: datetime) -> None:
        """Move the time, and let the poll that falls due thereby come to its end.

        One that went on would be the next one asked for, with values of before.
        """
        self._freezer.move_to(time)
        await self._hass.async_block_till_done(wait_background_tasks=True)

    async def sums(self, entity_id: str) -> list[float]:
        """Return the running sum after each step, in kWh."""
        found = await get_instance(self._hass).async_add_executor_job(
            statistics_during_period,
            self._hass,
            NOON,
            datetime.max.replace(tzinfo=NOON.tzinfo),
            {entity_id},
            "5minute",
            None,
            {"sum"},
        )
        return [round(row["sum"], 3) for row in found[entity_id]]


@pytest.fixture
async def account(
    recorder_mock: Recorder,
    enable_custom_integrations: None,
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    clock: Clock,
) -> Account:
    """Return the account of a recorder that runs."""
    return Account(hass, freezer, clock)


def energy(meter: SimulatedMeter) -> float:
    """Return the register of the energy import, in kWh."""
    truth = meter.truth()
    return truth[0] * truth["energy_unit"] / 1000


@pytest.mark.parametrize("profile", ["gen3", "ct", "vt"])
async def test_roll_over(
    account: Account, hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """After its last digit a register begins at 0, and the sums just go on."""
    modulus = 10**meter.profile.rollover_digits
    meter.set_energy(0, modulus - 20_000)
    entry = await set_up(hass, make_entry(meter, url))
    entity_id = entity_ids(hass, entry)["energy_import"]
    readings: list[float] = []
    for register in (modulus - 10_000, 7, 10_000):
        meter.set_energy(0, register)
        await account.step()
        readings.append(energy(meter))

    first, second, third = readings
    assert first > third > second
    # Of the wrap only what the meter counted between the last poll and 0 is lost.
    begin, *sums = await account.sums(entity_id)
    assert sums == pytest.approx([begin + second, begin + third])


async def test_meter_exchange(
    account: Account,
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What another meter has counted never gets into the statistics of the old one."""
    entry = await set_up(hass, make_entry(meter, url))
    old_id = entity_ids(hass, entry)["energy_import"]
    await account.step()
    await account.step()
    before = await account.sums(old_id)
    assert 0 <= before[-1] < 1

    meter.replace_meter("20269999")
    meter.set_energy(0, 5_000_000)
    caplog.clear()
    for _ in range(2):
        await account.step()
        assert old_id in {
            entity_ids(hass, entry)[key] for key in unavailable(hass, entry)
        }
    ((level, text),) = own_log(caplog)
    assert level == "ERROR"
    assert "leads to another meter, 20269999" in text

    # The new meter is an entry of its own.
    await hass.config_entries.async_unload(entry.entry_id)
    new = await set_up(hass, make_entry(meter, url))
    new_id = entity_ids(hass, new)["energy_import"]
    assert new_id != old_id
    await account.step()
    await account.step()
    assert set(await account.sums(old_id)) == set(before)
    assert 0 <= (await account.sums(new_id))[-1] < 1


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
