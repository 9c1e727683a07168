"""Tests of the baud rate: how it is chosen, kept and used."""

from collections.abc import Iterator
from contextlib import contextmanager
import os
import termios

import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant

from .common import make_entry, set_up
from .frontend import SETUP, filled_in, open_form, open_frontend, submit
from .simulator import SimulatedMeter
from .values import KEY

pytestmark = pytest.mark.usefixtures("enable_custom_integrations")

SPEEDS = {9600: termios.B9600, 19200: termios.B19200, 115200: termios.B115200}


@contextmanager
def descriptor(path: str) -> Iterator[int]:
    """Open a serial port beside those who use it."""
    opened = os.open(path, os.O_RDWR | os.O_NOCTTY)
    try:
        yield opened
    finally:
        os.close(opened)


def speed(path: str) -> int:
    """Return the baud rate that a serial port has now."""
    with descriptor(path) as port:
        code = termios.tcgetattr(port)[5]
    return next(rate for rate, its_code in SPEEDS.items() if its_code == code)


async def test_setup(
    hass: HomeAssistant, hass_client: ClientSessionGenerator, path: str
) -> None:
    """The rate that is chosen is that of the port, then and after a reload."""
    client = await open_frontend(hass, hass_client)
    form = await open_form(client, SETUP, "nes_mep")
    shown = filled_in(form["data_schema"])
    assert shown["advanced"]["baudrate"] == "9600"
    entered = {"port": path, "key": KEY}
    entered |= {"advanced": {**shown["advanced"], "baudrate": "19200"}}
    result = await submit(client, SETUP, form, entered)
    await hass.async_block_till_done(wait_background_tasks=True)

    assert result["type"] == "create_entry"
    (entry,) = hass.config_entries.async_entries("nes_mep")
    assert entry.data["baudrate"] == 19200
    assert speed(path) == 19200
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert speed(path) == 19200


async def test_reconfigure(
    hass: HomeAssistant, meter: SimulatedMeter, path: str
) -> None:
    """The form shows the present rate, 9600 for entries that do not say, and keeps it."""
    entry = await set_up(hass, make_entry(meter, path))
    assert speed(path) == 9600
    for before, chosen in ((9600, 115200), (115200, 115200)):
        form = await entry.start_reconfigure_flow(hass)
        shown = {
            field.schema: field.description["suggested_value"]
            for field in form["data_schema"].schema
            if field.description
        }
        assert shown["baudrate"] == str(before)
        result = await hass.config_entries.flow.async_configure(
            form["flow_id"], {**shown, "baudrate": str(chosen)}
        )
        await hass.async_block_till_done(wait_background_tasks=True)
        assert result["reason"] == "reconfigure_successful"
        assert entry.data["baudrate"] == chosen
        assert entry.state is ConfigEntryState.LOADED
        assert speed(path) == chosen
