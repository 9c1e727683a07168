"""The port is silent for a day; and outages that are shorter."""

import pytest

from custom_components.nes_mep.issues import PORT_SILENT
from homeassistant.config_entries import ConfigEntryState
from homeassistant.data_entry_flow import FlowResultType

from ..simulator import Fault, SimulatedMeter, serve_tcp
from .house import House


async def test_silent_port(house: House, meter: SimulatedMeter) -> None:
    """After a day without an answer, and not before, the user is told."""
    await house.set_up()
    meter.add_fault(Fault(kind="silence"))
    await house.pass_time(60)
    await house.pass_time(3600)
    await house.pass_time(22 * 3600)
    assert not house.issues
    await house.pass_time(3601)
    assert house.issues == {PORT_SILENT}
    # In local time.
    assert house.placeholders(PORT_SILENT)["since"] == "2026-06-21 14:01"

    meter.clear_faults()
    await house.pass_time(11)
    assert not house.issues

    # The next silence begins anew.
    meter.add_fault(Fault(kind="silence"))
    await house.pass_time(60)
    await house.pass_time(23 * 3600)
    assert not house.issues


async def test_silence_over_restarts(house: House, meter: SimulatedMeter) -> None:
    """A silence goes on while Home Assistant is restarted."""
    meter.add_fault(Fault(kind="silence"))
    entry = await house.set_up(silent_since="2026-06-20T13:30:00+00:00")
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert not house.issues
    await house.pass_time(7200)
    assert house.issues == {PORT_SILENT}

    assert (await house.fix(PORT_SILENT))["reason"] == "still_silent"
    assert house.issues == {PORT_SILENT}
    meter.clear_faults()
    result = await house.fix(PORT_SILENT)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert entry.state is ConfigEntryState.LOADED
    assert not house.issues


async def test_silence_is_written_down(house: House, meter: SimulatedMeter) -> None:
    """When it began is known to the next start, and forgotten when it is over."""
    await house.set_up()
    await house.pass_time(11)
    assert "silent_since" not in house.memory
    meter.add_fault(Fault(kind="silence"))
    await house.pass_time(60)
    await house.pass_time(60)
    assert house.memory["silent_since"] == "2026-06-21T12:01:11+00:00"
    meter.clear_faults()
    await house.pass_time(60)
    await house.pass_time(60)
    assert "silent_since" not in house.memory


async def test_clock_of_a_machine_that_starts_in_the_past(
    house: House, meter: SimulatedMeter
) -> None:
    """What seems to have begun in the future begins now."""
    meter.add_fault(Fault(kind="silence"))
    await house.set_up(silent_since="2027-01-01T00:00:00+00:00")
    await house.pass_time(25 * 3600)
    assert house.placeholders(PORT_SILENT)["since"] == "2026-06-21 14:00"


async def test_unplugged_port(house: House, meter: SimulatedMeter) -> None:
    """A port that does not open says nothing about the meter."""
    async with serve_tcp(meter) as url:
        await house.set_up(url=url)
    for _ in range(3):
        await house.pass_time(24 * 3600)
    assert not house.issues


async def test_refusing_meter_is_not_silent(
    house: House, meter: SimulatedMeter
) -> None:
    """A meter that answers, whatever it says, has its port open."""
    await house.set_up()
    meter.add_fault(Fault(kind="refuse", code=0x04))
    for _ in range(3):
        await house.pass_time(24 * 3600)
    assert not house.issues


@pytest.mark.parametrize("mode", ["digest", "tls"])
async def test_short_outage(house: House, meter: SimulatedMeter, mode: str) -> None:
    """Somebody reads the meter optically for an hour: that passes by itself."""
    await house.set_up(mode)
    meter.add_fault(Fault(kind="silence"))
    for _ in range(6):
        await house.pass_time(600)
        assert not house.issues
    meter.clear_faults()
    await house.pass_time(11)
    assert not house.issues
    assert not house.unavailable
