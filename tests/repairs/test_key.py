"""The key is refused: Home Assistant's own repair asks for the new one."""

from custom_components.nes_mep.const import DOMAIN
from homeassistant.config_entries import ConfigEntryState

from ..simulator import SimulatedMeter
from .house import House


async def test_refused_key(house: House, meter: SimulatedMeter) -> None:
    """Home Assistant tells that, once, and its repair asks for the new key."""
    meter.tls = None
    entry = await house.set_up()
    meter.key = b"another key now!"
    for _ in range(2):
        await house.pass_time(31)
        assert not house.reauths
    await house.pass_time(31)
    assert house.reauths == [f"config_entry_reauth_{DOMAIN}_{entry.entry_id}"]
    assert not house.issues

    (flow,) = house.hass.config_entries.flow.async_progress()
    await house.hass.config_entries.flow.async_configure(
        flow["flow_id"], {"key": "another key now!"}
    )
    await house.settle()
    assert entry.state is ConfigEntryState.LOADED
    assert not house.reauths
    assert not house.unavailable
