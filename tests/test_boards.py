"""Tests of boards of this project that are discovered in the network."""

from ipaddress import ip_address
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.nes_mep.const import DOMAIN
from homeassistant.components.usb import async_register_serial_port_scanner
from homeassistant.components.usb.models import SerialDevice
from homeassistant.config_entries import (
    SOURCE_IGNORE,
    SOURCE_ZEROCONF,
    ConfigFlowResult,
)
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers.service_info.zeroconf import ZeroconfServiceInfo
from homeassistant.loader import async_get_zeroconf
from homeassistant.setup import async_setup_component

from .common import make_entry
from .simulator import SimulatedMeter
from .values import KEY

MAC = "98:35:69:ab:f6:79"
PROPERTIES = {
    "friendly_name": "MEP ABF679",
    "mac": MAC.replace(":", ""),
    "project_name": "nes-mep.dabbler",
    "project_version": "0.1.0",
}

pytestmark = pytest.mark.usefixtures("enable_custom_integrations")


async def discover(hass: HomeAssistant, **properties: Any) -> ConfigFlowResult:
    """Let Home Assistant discover a board, with what it tells of itself."""
    return await hass.config_entries.flow.async_init(
        DOMAIN,
        context={"source": SOURCE_ZEROCONF},
        data=ZeroconfServiceInfo(
            ip_address=ip_address("192.0.2.7"),
            ip_addresses=[ip_address("192.0.2.7")],
            port=6053,
            hostname="mep-abf679.local.",
            type="_esphomelib._tcp.local.",
            name="mep-abf679._esphomelib._tcp.local.",
            properties=PROPERTIES | properties,
        ),
    )


async def add_to_esphome(hass: HomeAssistant) -> str:
    """Have the board in ESPHome, not connected yet, and return how its ports begin."""
    entry = MockConfigEntry(domain="esphome", unique_id=MAC)
    entry.add_to_hass(hass)
    return f"esphome-hass://esphome/{entry.entry_id}?port_name="


async def connect(hass: HomeAssistant, *ports: str) -> None:
    """Have these ports, as ESPHome shows them while it is connected."""
    assert await async_setup_component(hass, "usb", {})
    async_register_serial_port_scanner(
        hass,
        lambda _hass: [
            SerialDevice(
                device=port, serial_number=None, manufacturer=None, description=None
            )
            for port in ports
        ],
    )


@pytest.mark.parametrize(
    ("project", "meter_port"),
    [("dabbler", "detect"), ("ir-head", "optical"), ("ir-head-esp8266", "optical")],
)
async def test_discovery_leads_to_the_setup_with_the_port(
    hass: HomeAssistant, url: str, project: str, meter_port: str
) -> None:
    """What is left to enter is the key; a head is for the optical port."""
    port = await add_to_esphome(hass) + "MEP"
    await connect(hass, "esphome-hass://esphome/other?port_name=MEP", port)
    form = await discover(hass, project_name=f"nes-mep.{project}")
    assert (form["type"], form["step_id"]) == (FlowResultType.FORM, "board")
    assert form["description_placeholders"] == {"board": "MEP ABF679"}
    [flow] = hass.config_entries.flow.async_progress()
    assert flow["context"]["title_placeholders"] == {"name": "MEP ABF679"}

    form = await hass.config_entries.flow.async_configure(form["flow_id"], {})
    assert form["step_id"] == "user"
    assert not form["errors"]
    schema = form["data_schema"]
    assert schema is not None
    [field] = [field for field in schema.schema if field == "port"]
    assert field.description == {"suggested_value": port}
    [field] = [field for field in schema.schema if field == "meter_port"]
    assert field.default() == meter_port

    # As with any port: here, one that the simulated meter is at.
    result = await hass.config_entries.flow.async_configure(
        form["flow_id"], {"port": url, "key": KEY, "meter_port": "mep"}
    )
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_board_that_esphome_does_not_have_yet(hass: HomeAssistant) -> None:
    """The form says what to do, and goes on when that is done."""
    await connect(hass)
    flow_id = (await discover(hass))["flow_id"]
    form = await hass.config_entries.flow.async_configure(flow_id, {})
    assert form["errors"] == {"base": "board_not_connected"}

    begin = await add_to_esphome(hass)
    form = await hass.config_entries.flow.async_configure(flow_id, {})
    assert form["errors"] == {"base": "board_not_connected"}

    await connect(hass, begin + "MEP")
    form = await hass.config_entries.flow.async_configure(flow_id, {})
    assert form["step_id"] == "user"


async def test_board_that_a_meter_is_read_at(
    hass: HomeAssistant, meter: SimulatedMeter
) -> None:
    """It is not offered again, each time that it restarts."""
    begin = await add_to_esphome(hass)
    make_entry(meter, begin + "MEP").add_to_hass(hass)
    result = await discover(hass)
    assert (result["type"], result["reason"]) == (
        FlowResultType.ABORT,
        "already_configured",
    )


async def test_board_that_was_ignored(hass: HomeAssistant) -> None:
    """It stays so."""
    await discover(hass)
    [flow] = hass.config_entries.flow.async_progress()
    await hass.config_entries.flow.async_init(
        DOMAIN,
        context={"source": SOURCE_IGNORE},
        data={"unique_id": flow["context"]["unique_id"], "title": "MEP"},
    )
    assert not hass.config_entries.flow.async_progress()
    result = await discover(hass)
    assert result["reason"] == "already_configured"


async def test_board_twice(hass: HomeAssistant) -> None:
    """It announces itself again and again, and is offered once."""
    await discover(hass)
    assert (await discover(hass))["reason"] == "already_in_progress"


async def test_board_without_address(hass: HomeAssistant) -> None:
    """Its port could not be found."""
    assert (await discover(hass, mac=None))["reason"] == "unknown_board"


async def test_only_boards_of_this_project(hass: HomeAssistant) -> None:
    """Home Assistant does not offer other ESPHome devices."""
    matchers = (await async_get_zeroconf(hass))["_esphomelib._tcp.local."]
    [ours] = [matcher for matcher in matchers if matcher["domain"] == DOMAIN]
    assert dict(ours) == {
        "domain": DOMAIN,
        "properties": {"project_name": "nes-mep.*"},
    }
