"""Tests of readings for the bill: sensors and action, against what the meter stored."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import voluptuous as vol

from custom_components.nes_mep.const import DOMAIN
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError

from .common import (
    disable_all_but,
    entity_ids,
    make_entry,
    pass_time,
    set_up,
    states,
    tables,
)
from .driven_clock import DrivenClock
from .simulator import Fault, SimulatedMeter
from .simulator.billing import StoredReading
from .truth import Truth
from .values import NOON, Clock

pytestmark = pytest.mark.usefixtures("enable_custom_integrations")

_ZONE = ZoneInfo("Europe/Copenhagen")
_SHOWN = {"last_billing_date", "billing_energy_import"}


async def _readings(hass: HomeAssistant, **data: Any) -> list[dict[str, Any]]:
    """Call the action and return its readings."""
    response = await hass.services.async_call(
        DOMAIN, "get_billing_readings", data, blocking=True, return_response=True
    )
    readings: list[dict[str, Any]] = response["readings"]
    return readings


def _true(stored: StoredReading, source: str) -> dict[str, Any]:
    """Return what the action has to answer, but for reactive energies and others."""
    snapshot, profile = stored.snapshot, stored.snapshot.profile
    return {
        "time": datetime.fromtimestamp(stored.time, _ZONE).isoformat(),
        "season": stored.season + 1,
        "source": source,
        "energies": {
            key + tariff: snapshot.tier_value(register, tier)
            * profile.ratios.energy_unit
            / 1000
            for register, key in ((0, "energy_import"), (1, "energy_export"))
            for tier, tariff in (
                (None, ""),
                *((tier, f"_tariff_{tier + 1}") for tier in range(profile.tiers)),
            )
        },
    }


def _billed(reading: dict[str, Any]) -> dict[str, Any]:
    """Return an answer of the action without reactive energies and others."""
    energies = reading["energies"]
    shown = {
        key: energies[key]
        for key in energies
        if key.startswith(("energy_i", "energy_e"))
    }
    return reading | {"energies": shown}


def _shown(hass: HomeAssistant, entry: MockConfigEntry) -> dict[str, object]:
    """Return what the sensors show, as numbers and times."""
    return {
        key: datetime.fromisoformat(state)
        if key == "last_billing_date"
        else float(state)
        for key, state in states(hass, entry).items()
        if key == "last_billing_date" or key.startswith("billing_")
    }


@pytest.mark.parametrize(
    ("profile", "table", "room"),
    [
        ("gen3", "BT26", 12),
        ("gen3_demand", "BT26", 12),
        ("gen4", "BT26", 12),
        ("fw_2_10", "BT26", 24),
        ("vt", "ET41", 6),
        ("fw_3_60", "BT25", 1),
    ],
)
@pytest.mark.usefixtures("everything_enabled")
async def test_two_years(
    hass: HomeAssistant,
    host_clock: DrivenClock,
    meter: SimulatedMeter,
    url: str,
    clock: Clock,
    table: str,
    room: int,
) -> None:
    """Month by month, sensors and action have what the meter stored, to the Wh."""
    entry = await set_up(hass, make_entry(meter, url))
    await disable_all_but(hass, entry, set(_shown(hass, entry)))
    for month in range(24):
        stored = meter.billing.of(table)
        true = Truth.of(meter).everything
        wanted = {
            key: value
            for key, value in true.items()
            if key.startswith("billing_") or key == "last_billing_date"
        }
        assert wanted["last_billing_date"] == datetime.fromtimestamp(
            stored[-1].time, UTC
        )
        assert _shown(hass, entry) == wanted
        if month % 5 == 0:
            found = [
                _billed(each)
                for each in await _readings(hass)
                if each["source"] == table
            ]
            assert found == [_true(each, table) for each in stored[-room:]]
        clock.now += timedelta(days=31)
        await pass_time(hass, host_clock, 3700)


async def test_summer_time(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, clock: Clock
) -> None:
    """The meter's local time is one or two hours ahead of UTC."""
    entry = await set_up(hass, make_entry(meter, url))
    assert states(hass, entry)["last_billing_date"] == "2026-05-31T22:00:00+00:00"
    times = [each["time"] for each in await _readings(hass) if each["source"] == "BT26"]
    assert times[-1] == "2026-06-01T00:00:00+02:00"
    assert times[-4] == "2026-03-01T00:00:00+01:00"


async def test_attributes(hass: HomeAssistant, meter: SimulatedMeter, url: str) -> None:
    """They have no state class, so that they have no statistics."""
    entry = await set_up(hass, make_entry(meter, url))
    ids = entity_ids(hass, entry)
    energy = hass.states.get(ids["billing_energy_import"]).attributes
    assert energy["device_class"] == "energy"
    assert energy["unit_of_measurement"] == "kWh"
    assert "state_class" not in energy
    date = hass.states.get(ids["last_billing_date"]).attributes
    assert date["device_class"] == "timestamp"


@pytest.mark.usefixtures("right_clock")
async def test_read_rarely(
    hass: HomeAssistant,
    host_clock: DrivenClock,
    meter: SimulatedMeter,
    url: str,
    clock: Clock,
) -> None:
    """Once an hour six bytes are read, and a reading when there is a new one."""
    entry = await set_up(hass, make_entry(meter, url))
    since = len(meter.requests)
    await pass_time(hass, host_clock, 3000)
    assert "BT26" not in tables(meter, since)
    since = len(meter.requests)
    await pass_time(hass, host_clock, 700)
    asked = [each for each in list(meter.requests)[since:] if each.table == 26]
    assert [(each.offset, each.count) for each in asked] == [(0, 6)]
    clock.now += timedelta(days=31)
    since = len(meter.requests)
    await pass_time(hass, host_clock, 3700)
    asked = [each for each in list(meter.requests)[since:] if each.table == 26]
    assert len(asked) == 3

    # Nothing is read for disabled sensors.
    await disable_all_but(hass, entry, {"energy_import"})
    since = len(meter.requests)
    await pass_time(hass, host_clock, 4000)
    assert {"BT26", "BT50", "BT54"}.isdisjoint(tables(meter, since))


@pytest.mark.parametrize("profile", ["single_phase"])
async def test_meter_without(
    hass: HomeAssistant, host_clock: DrivenClock, meter: SimulatedMeter, url: str
) -> None:
    """Without self-reads and demand there are no sensors, and nothing is asked for."""
    entry = await set_up(hass, make_entry(meter, url))
    assert _SHOWN.isdisjoint(entity_ids(hass, entry))
    since = len(meter.requests)
    await pass_time(hass, host_clock, 4000)
    assert {"BT26", "BT50", "BT54"}.isdisjoint(tables(meter, since))
    # Only the change of season is stored.
    assert [each["source"] for each in await _readings(hass)] == ["BT24"]


async def test_new_meter(
    hass: HomeAssistant,
    host_clock: DrivenClock,
    meter: SimulatedMeter,
    url: str,
    clock: Clock,
) -> None:
    """The sensors are unknown until the first billing date."""
    meter.replace_meter(meter.profile.serial_number)
    entry = await set_up(hass, make_entry(meter, url))
    assert {key: states(hass, entry)[key] for key in _SHOWN} == dict.fromkeys(
        _SHOWN, "unknown"
    )
    assert await _readings(hass) == []
    clock.now += timedelta(days=31)
    await pass_time(hass, host_clock, 3700)
    assert states(hass, entry)["last_billing_date"] == "2026-06-30T22:00:00+00:00"


@pytest.mark.parametrize("how", ["while it is read", "while nobody reads it"])
async def test_layout_changes(
    hass: HomeAssistant,
    host_clock: DrivenClock,
    meter: SimulatedMeter,
    url: str,
    clock: Clock,
    how: str,
) -> None:
    """What was stored in another layout is not shown, also after a restart."""
    host_clock.began = NOON
    entry = await set_up(hass, make_entry(meter, url))
    assert len(await _readings(hass)) == 13
    if how == "while it is read":
        meter.change_profile("fw_3_70")
        await pass_time(hass, host_clock, 10)
    else:
        assert await hass.config_entries.async_unload(entry.entry_id)
        meter.change_profile("fw_3_70")
        assert await hass.config_entries.async_setup(entry.entry_id)
        await hass.async_block_till_done(wait_background_tasks=True)
    for _ in range(2):
        assert {key: states(hass, entry)[key] for key in _SHOWN} == dict.fromkeys(
            _SHOWN, "unknown"
        )
        assert await _readings(hass) == []
        assert await hass.config_entries.async_reload(entry.entry_id)
        await hass.async_block_till_done(wait_background_tasks=True)

    clock.now += timedelta(days=31)
    await pass_time(hass, host_clock, 3700)
    assert states(hass, entry)["last_billing_date"] == "2026-06-30T22:00:00+00:00"
    found = [_billed(each) for each in await _readings(hass)]
    assert found == [_true(meter.billing.of("BT26")[-1], "BT26")]


async def test_out_of_reach(
    hass: HomeAssistant, host_clock: DrivenClock, meter: SimulatedMeter, url: str
) -> None:
    """A table that this key never sees has no sensors; one refused for now waits."""
    meter.add_fault(Fault(kind="refuse", table="BT26", code=0x04))
    entry = await set_up(hass, make_entry(meter, url))
    assert _SHOWN.isdisjoint(entity_ids(hass, entry))
    with pytest.raises(HomeAssistantError):
        await _readings(hass)
    meter.clear_faults()
    await pass_time(hass, host_clock, 61)
    assert entity_ids(hass, entry).keys() >= _SHOWN

    meter.add_fault(Fault(kind="refuse", table="BT26", code=0x03))
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert [each["source"] for each in await _readings(hass)] == ["BT24"]
    since = len(meter.requests)
    await pass_time(hass, host_clock, 4000)
    assert "BT26" not in tables(meter, since)


@pytest.mark.parametrize("profile", ["gen4"])
async def test_tariffs_that_are_shown(
    hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """A tariff has a stored reading where it has a sensor of its register."""
    entry = await set_up(hass, make_entry(meter, url))
    keys = entity_ids(hass, entry).keys()
    stored = {
        key.removeprefix("billing_") for key in keys if key.startswith("billing_")
    }
    assert stored == {
        key for key in keys if key.startswith(("energy_import", "energy_export"))
    }


async def test_count(hass: HomeAssistant, meter: SimulatedMeter, url: str) -> None:
    """The newest ones are answered, if a number is given."""
    await set_up(hass, make_entry(meter, url))
    everything = await _readings(hass)
    assert await _readings(hass, count=2) == everything[-2:]
    with pytest.raises(vol.Invalid):
        await _readings(hass, count=0)


async def test_no_answer(hass: HomeAssistant, meter: SimulatedMeter, url: str) -> None:
    """A meter that does not answer is an error of the action."""
    entry = await set_up(hass, make_entry(meter, url))
    meter.add_fault(Fault(kind="silence"))
    with pytest.raises(HomeAssistantError):
        await _readings(hass)
    assert states(hass, entry)["last_billing_date"] == "2026-05-31T22:00:00+00:00"
