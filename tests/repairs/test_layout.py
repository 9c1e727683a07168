"""The meter has other registers than before."""

from custom_components.nes_mep.issues import LAYOUT_CHANGED
from homeassistant.data_entry_flow import FlowResultType

from ..common import entity_ids
from ..simulator import SimulatedMeter
from .house import House


async def test_layout_changes(house: House, meter: SimulatedMeter) -> None:
    """What came and what went is told by name, until the user knows."""
    meter.change_profile("gen3")
    entry = await house.set_up()
    await house.pass_time(11)
    assert not house.issues
    meter.change_profile("gen3_demand")
    await house.pass_time(11)
    await house.pass_time(11)
    assert house.issues == {LAYOUT_CHANGED}
    said = house.placeholders(LAYOUT_CHANGED)
    assert said["firmware"] == said["firmware_before"] == "3.70.24"
    assert int(said["version"]) == int(said["version_before"]) + 1
    assert said["came"].startswith("Reactive energy Q1; ")
    assert said["came"].count("; ") == 9
    assert said["came"].endswith(")")
    assert said["went"] == "–"
    assert "demand_resets" in entity_ids(house.hass, entry)

    # After a restart it is still there, until it is confirmed.
    await house.reload(without=LAYOUT_CHANGED)
    assert house.placeholders(LAYOUT_CHANGED) == said
    result = await house.fix(LAYOUT_CHANGED)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert not house.issues
    await house.reload()
    assert not house.issues


async def test_firmware_update_between_two_starts(
    house: House, meter: SimulatedMeter
) -> None:
    """What changed while nobody looked is told, and what is gone too."""
    await house.set_up()
    await house.unload()
    meter.change_profile("fw_4_00")
    await house.load()
    assert house.issues == {LAYOUT_CHANGED}
    said = house.placeholders(LAYOUT_CHANGED)
    assert (said["firmware_before"], said["firmware"]) == ("4.30.07", "4.00.15")
    assert "Energy import tariff 5" in said["went"]
    assert said["came"] == "–"

    # What was is again: nothing is left to be told.
    meter.change_profile("gen4")
    await house.pass_time(11)
    await house.pass_time(11)
    assert not house.issues


async def test_nothing_came_or_went(house: House, meter: SimulatedMeter) -> None:
    """A change that changes nothing for the user is none."""
    await house.set_up()
    meter.raise_interface_version()
    for _ in range(3):
        await house.pass_time(11)
    assert not house.issues


async def test_integration_learns_of_registers(house: House) -> None:
    """Registers that only this integration is new to are no change of the meter."""
    entry = await house.set_up()
    storage = entry.runtime_data.coordinator.monitor.storage
    layout = storage.facts["layout"]
    await house.unload()
    fewer = {**layout, "registers": layout["registers"][5:]}
    storage.async_change({"layout": fewer, "confirmed": fewer})
    await house.load()
    assert not house.issues
    assert storage.facts["confirmed"] == layout
