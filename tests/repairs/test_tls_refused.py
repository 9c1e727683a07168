"""TLS is refused, in a house whose entry wants it."""

from collections.abc import AsyncIterator

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.nes_mep.issues import TLS_REFUSED
from homeassistant.config_entries import ConfigEntryState
from homeassistant.data_entry_flow import FlowResultType

from ..simulator import SimulatedMeter
from .house import House


@pytest.fixture
async def refused(
    house: House, meter: SimulatedMeter
) -> AsyncIterator[MockConfigEntry]:
    """Return an entry with TLS whose meter refused that, and takes it again."""
    side, meter.tls = meter.tls, None
    entry = await house.set_up("tls")
    meter.tls = side
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert house.issues == {TLS_REFUSED}
    yield entry
    await house.settle()


async def test_tls_works_again(house: House, refused: MockConfigEntry) -> None:
    """The entry is loaded, and the issue is gone."""
    result = await house.fix(TLS_REFUSED)

    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert refused.state is ConfigEntryState.LOADED
    assert not house.unavailable
    assert not house.issues


async def test_tls_is_still_refused(
    house: House, refused: MockConfigEntry, meter: SimulatedMeter
) -> None:
    """The issue stays, and nothing but TLS was tried."""
    meter.tls = None
    result = await house.fix(TLS_REFUSED)

    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "still_refused"
    assert result["description_placeholders"] == {"meter": refused.title}
    assert house.issues == {TLS_REFUSED}
    assert {request.code for request in meter.requests} == {0x58}


async def test_setup_is_going_on(house: House, refused: MockConfigEntry) -> None:
    """An entry that is being set up right now is left to that."""
    form = await house.start_fix(TLS_REFUSED)
    refused.mock_state(house.hass, ConfigEntryState.SETUP_IN_PROGRESS)
    result = await house.submit(form)
    refused.mock_state(house.hass, ConfigEntryState.NOT_LOADED)

    assert result["reason"] == "still_refused"


async def test_entry_was_removed(house: House, refused: MockConfigEntry) -> None:
    """There is nothing left to fix."""
    form = await house.start_fix(TLS_REFUSED)
    await house.hass.config_entries.async_remove(refused.entry_id)
    result = await house.submit(form)

    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert not house.issues
