"""Tests of polling: what is asked for, and what happens when something fails."""

from datetime import timedelta

import pytest

from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er

from .common import (
    disable_all_but,
    entity_ids,
    make_entry,
    own_log,
    poll,
    set_up,
    states,
    unavailable,
    written_states,
)
from .simulator import Fault, SimulatedMeter, serve_tcp
from .values import KEY, Clock

pytestmark = pytest.mark.usefixtures("enable_custom_integrations")

ENERGIES = {
    "energy_import",
    "energy_export",
    "interval_power_import",
    "last_interval_power_import",
}
PRESENT_VALUES = {
    "power_import",
    "power_export",
    "power_net",
    *(f"{quantity}_l{n}" for quantity in ("voltage", "current") for n in (1, 2, 3)),
}
SENSORS = ENERGIES | PRESENT_VALUES


async def test_meter_goes_silent(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One poll makes the sensors unavailable, the next brings them back, each logged once."""
    entry = await set_up(hass, make_entry(meter, url))
    before = states(hass, entry)
    assert before["link_problem"] == "off"
    caplog.clear()

    meter.add_fault(Fault(kind="silence"))
    for _ in range(3):
        await poll(hass)
        assert unavailable(hass, entry) == SENSORS
        assert states(hass, entry)["link_problem"] == "on"
    ((level, text),) = own_log(caplog)
    assert level == "ERROR"
    assert f"{entry.title} does not answer. " in text
    caplog.clear()

    meter.clear_faults()
    for _ in range(3):
        await poll(hass)
        assert states(hass, entry) == before
    assert own_log(caplog) == [("INFO", f"Fetching {entry.title} data recovered")]


async def test_port_is_lost(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    socket_enabled: None,
    unused_tcp_port: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A port that went away is opened again as soon as it is back, without a reload."""
    async with serve_tcp(meter, port=unused_tcp_port) as url:
        entry = await set_up(hass, make_entry(meter, url))
        before = states(hass, entry)
        caplog.clear()
    for _ in range(2):
        await poll(hass)
        assert unavailable(hass, entry) == SENSORS
    ((level, text),) = own_log(caplog)
    assert level == "ERROR"
    assert f"The port of {entry.title} cannot be used. " in text

    async with serve_tcp(meter, port=unused_tcp_port):
        await poll(hass)
        assert states(hass, entry) == before
        await hass.config_entries.async_unload(entry.entry_id)


async def test_table_fails(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A table that cannot be read does not keep the others from being read."""
    entry = await set_up(hass, make_entry(meter, url))
    before = states(hass, entry)
    caplog.clear()

    for table, missing in ((28, PRESENT_VALUES), (23, ENERGIES)):
        meter.add_fault(Fault(kind="refuse", table=table, code=0x04))
        for _ in range(2):
            await poll(hass)
            assert unavailable(hass, entry) == missing
            assert states(hass, entry)["link_problem"] == "on"
        meter.clear_faults()
        await poll(hass)
        assert states(hass, entry) == before
        (down, down_text), (up, up_text) = own_log(caplog)
        assert (down, up) == ("WARNING", "INFO")
        assert down_text.startswith(f"{entry.title}: BT{table} is missing: ")
        assert up_text == f"{entry.title}: BT{table} no longer fails"
        caplog.clear()


@pytest.mark.parametrize("table", [23, 28])
async def test_table_is_silent(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, table: int
) -> None:
    """A table to which no answer comes does not hold up the other either."""
    entry = await set_up(hass, make_entry(meter, url))

    meter.add_fault(Fault(kind="silence", table=table))
    await poll(hass)

    assert unavailable(hass, entry) == {23: ENERGIES, 28: PRESENT_VALUES}[table]


async def test_key_is_refused_for_a_moment(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    path: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A key that worked is given up only when the meter insists."""
    entry = await set_up(hass, make_entry(meter, path))
    right = meter.key
    caplog.clear()

    meter.key = b"not that one now"
    for _ in range(2):
        await poll(hass)
        assert unavailable(hass, entry) == SENSORS
    meter.key = right
    await poll(hass)
    assert not unavailable(hass, entry)
    assert not hass.config_entries.flow.async_progress()
    (down, down_text), (up, _) = own_log(caplog)
    assert (down, up) == ("ERROR", "INFO")
    assert f"{entry.title} refuses the key. " in down_text
    assert KEY not in caplog.text


async def test_unchanged_values_are_not_written(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, clock: Clock
) -> None:
    """A poll writes the states that changed, and no others."""
    entry = await set_up(hass, make_entry(meter, url))
    requests = len(meter.requests)
    with written_states() as written:
        await poll(hass)
    assert len(meter.requests) > requests
    assert written == []

    ids = entity_ids(hass, entry)
    before = states(hass, entry)
    clock.now += timedelta(seconds=1)
    with written_states() as written:
        await poll(hass)
    changed = {
        ids[key] for key, state in states(hass, entry).items() if state != before[key]
    }
    assert changed
    assert sorted(written) == sorted(changed)


@pytest.mark.parametrize(
    ("enabled", "tables"),
    [
        (SENSORS, {23, 28}),
        (ENERGIES, {23}),
        ({"power_net"}, {28}),
        ({"voltage_l1"}, {28}),
        (set(), {23, 28}),
    ],
)
async def test_only_tables_in_use_are_read(
    hass: HomeAssistant,
    entity_registry: er.EntityRegistry,
    meter: SimulatedMeter,
    url: str,
    enabled: set[str],
    tables: set[int],
) -> None:
    """Tables of which no enabled entity shows a register are not asked for.

    With no sensor enabled the link is watched all the same.
    """
    entry = await set_up(hass, make_entry(meter, url))
    await disable_all_but(hass, entry, enabled)

    await poll(hass)
    requests = len(meter.requests)
    await poll(hass)
    assert {request.table for request in list(meter.requests)[requests:]} == tables

    # From the registry alone, before there are entities.
    requests = len(meter.requests)
    assert await hass.config_entries.async_reload(entry.entry_id)
    read = {request.table for request in list(meter.requests)[requests:]}
    assert read & {23, 28} == tables
    assert not unavailable(hass, entry)
