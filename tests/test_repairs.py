"""Tests of the way out of a repair issue."""

from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.nes_mep.const import DOMAIN
from homeassistant.components.repairs import repairs_flow_manager
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component

from .common import make_entry, set_up, unavailable
from .simulator import PROFILES, SimulatedMeter
from .values import KEY, Clock

pytestmark = pytest.mark.usefixtures("enable_custom_integrations")


@pytest.fixture
def meter(clock: Clock) -> SimulatedMeter:
    """Return a simulated meter that takes TLS."""
    return SimulatedMeter(
        PROFILES["gen4"], key=KEY.encode()[:16], clock=clock, paced=False, tls="mbedtls"
    )


@pytest.fixture
async def entry(hass: HomeAssistant, meter: SimulatedMeter, url: str) -> Any:
    """Return an entry with TLS whose meter refuses that, so that there is an issue."""
    assert await async_setup_component(hass, "repairs", {})
    made = make_entry(meter, url)
    side, meter.tls = meter.tls, None
    entry = await set_up(
        hass,
        MockConfigEntry(
            domain=DOMAIN,
            title=made.title,
            unique_id=made.unique_id,
            minor_version=2,
            data={**made.data, "security": "tls", "key_kind": "basic"},
        ),
    )
    meter.tls = side
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert issue(hass, entry)
    yield entry
    await hass.async_block_till_done(wait_background_tasks=True)


def issue(hass: HomeAssistant, entry: MockConfigEntry) -> ir.IssueEntry | None:
    """Return the issue of an entry."""
    return ir.async_get(hass).async_get_issue(DOMAIN, f"tls_refused_{entry.entry_id}")


async def start(hass: HomeAssistant, entry: MockConfigEntry) -> dict[str, Any]:
    """Start the fix of the issue of an entry, and return the form."""
    manager = repairs_flow_manager(hass)
    assert manager
    form = await manager.async_init(
        DOMAIN, data={"issue_id": f"tls_refused_{entry.entry_id}"}
    )
    assert form["type"] is FlowResultType.FORM
    assert form["step_id"] == "confirm"
    assert form["description_placeholders"] == {"meter": entry.title}
    return form


async def go_on(hass: HomeAssistant, form: dict[str, Any]) -> dict[str, Any]:
    """Submit the form."""
    manager = repairs_flow_manager(hass)
    assert manager
    result = await manager.async_configure(form["flow_id"], {})
    await hass.async_block_till_done(wait_background_tasks=True)
    return result


async def test_tls_works_again(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """The entry is loaded, and the issue is gone."""
    result = await go_on(hass, await start(hass, entry))

    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert entry.state is ConfigEntryState.LOADED
    assert not unavailable(hass, entry)
    assert not issue(hass, entry)


async def test_tls_is_still_refused(
    hass: HomeAssistant, entry: MockConfigEntry, meter: SimulatedMeter
) -> None:
    """The issue stays, and nothing but TLS was tried."""
    meter.tls = None
    result = await go_on(hass, await start(hass, entry))

    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "still_refused"
    assert result["description_placeholders"] == {"meter": entry.title}
    assert issue(hass, entry)
    assert {request.code for request in meter.requests} == {0x58}


async def test_setup_is_going_on(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """An entry that is being set up right now is left to that."""
    form = await start(hass, entry)
    entry.mock_state(hass, ConfigEntryState.SETUP_IN_PROGRESS)
    result = await go_on(hass, form)
    entry.mock_state(hass, ConfigEntryState.NOT_LOADED)

    assert result["reason"] == "still_refused"


async def test_entry_was_removed(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """There is nothing left to fix."""
    form = await start(hass, entry)
    await hass.config_entries.async_remove(entry.entry_id)
    result = await go_on(hass, form)

    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert not issue(hass, entry)
