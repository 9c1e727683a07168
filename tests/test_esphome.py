"""Tests of a port that ESPHome offers, while Home Assistant has not set ESPHome up."""

import pytest

from custom_components.nes_mep.const import DOMAIN
from homeassistant.config_entries import SOURCE_USER, ConfigEntryState
from homeassistant.core import HomeAssistant

from .common import make_entry, own_log, set_up
from .simulator import SimulatedMeter
from .values import KEY

PORT = "esphome-hass://esphome/01JZ0000000000000000000000?port_name=MEP"

pytestmark = pytest.mark.usefixtures("enable_custom_integrations")


async def test_setup_waits(
    hass: HomeAssistant, meter: SimulatedMeter, caplog: pytest.LogCaptureFixture
) -> None:
    """When Home Assistant starts and comes to the meter first, it is tried again."""
    entry = await set_up(hass, make_entry(meter, PORT))
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert "ESPHome has not loaded yet" in str(entry.reason)
    assert "Unexpected" not in str(own_log(caplog))


async def test_flow_says_so(hass: HomeAssistant) -> None:
    """Whoever enters such a port by hand is told that it does not open."""
    flow = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_USER}
    )
    result = await hass.config_entries.flow.async_configure(
        flow["flow_id"], {"port": PORT, "key": KEY}
    )
    assert result["errors"] == {"base": "cannot_connect"}
