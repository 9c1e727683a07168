"""Meters at their optical port: shown as at the MEP, and a refused key shown once."""

from collections import Counter
from datetime import timedelta
import json
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.nes_mep.const import DOMAIN
from homeassistant.components.repairs import repairs_flow_manager
from homeassistant.components.system_health import get_info
from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component

from .common import entity_ids, make_entry, poll, set_up, states, unavailable
from .driven_clock import DrivenClock
from .optical import make_optical_entry, served
from .simulator import OpticalPort, OpticalSettings, SimulatedMeter, table_name
from .simulator.optical import READ_KEY, Right
from .test_states import shown
from .truth import Truth
from .values import NOON, Clock

pytestmark = pytest.mark.usefixtures("enable_custom_integrations", "socket_enabled")

WRONG = "not the key of this."


def questions(hass: HomeAssistant) -> list[str]:
    """Return the titles of the entries of which Home Assistant asks for a key."""
    return [
        flow["context"]["title_placeholders"]["name"]
        for flow in hass.config_entries.flow.async_progress()
        if flow["context"]["source"] == SOURCE_REAUTH
    ]


async def pass_time(
    hass: HomeAssistant, host_clock: DrivenClock, clock: Clock, seconds: float
) -> None:
    """Let time pass, for all clocks, and poll once after that."""
    host_clock.move(seconds)
    clock.now += timedelta(seconds=seconds)
    await poll(hass, max(seconds, 11))


def refusals(optical: OpticalPort) -> Counter[str]:
    """Return how often the port said that a table is out of reach, by table."""
    return Counter(
        table_name(served.table)
        for served in optical.requests
        if served.reply_code == 3 and served.table is not None
    )


def issues(hass: HomeAssistant) -> set[str | None]:
    """Return which texts the issues about meters have."""
    return {
        issue.translation_key
        for (domain, _), issue in ir.async_get(hass).issues.items()
        if domain == DOMAIN
    }


@pytest.mark.parametrize("profile", ["gen3", "gen4", "fw_4_30", "ct"])
@pytest.mark.usefixtures("everything_enabled")
async def test_states_are_true(
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    host_clock: DrivenClock,
    meter: SimulatedMeter,
) -> None:
    """Whatever the meter has is shown with its value, as at the MEP."""
    freezer.move_to(NOON)
    async with served(meter, host_clock) as (optical, url):
        entry = await set_up(hass, make_optical_entry(meter, url))
        assert entry.state is ConfigEntryState.LOADED
        await poll(hass)
        assert (
            entry.runtime_data.coordinator.data.reported
            <= entity_ids(hass, entry).keys()
        )
        assert shown(hass, entry) == Truth.of(meter).everything
        assert float(states(hass, entry)["clock_drift"]) == 0
        # What is out of reach is not asked for again with each poll.
        refused = refusals(optical)
        for _ in range(5):
            host_clock.move(11)
            await poll(hass)
        assert refusals(optical) == refused
        assert optical.keys.refused == 0
        await hass.config_entries.async_unload(entry.entry_id)


@pytest.mark.parametrize("profile", ["mbus", "fw_4_30"])
@pytest.mark.usefixtures("everything_enabled")
async def test_the_same_as_at_the_mep(
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    host_clock: DrivenClock,
    meter: SimulatedMeter,
    url: str,
) -> None:
    """The entities are those of the MEP, devices at the M-Bus and all, in their states."""
    freezer.move_to(NOON)
    meter.freeze()
    entry = await set_up(hass, make_entry(meter, url))
    await poll(hass)
    expected = without_counters(states(hass, entry))
    await hass.config_entries.async_unload(entry.entry_id)
    async with served(meter, host_clock) as (_, head):
        data = make_optical_entry(meter, head).data
        hass.config_entries.async_update_entry(entry, data=data)
        await hass.config_entries.async_setup(entry.entry_id)
        await hass.async_block_till_done(wait_background_tasks=True)
        await poll(hass)
        assert without_counters(states(hass, entry)) == expected
        await hass.config_entries.async_unload(entry.entry_id)


def without_counters(states: dict[str, str]) -> dict[str, str]:
    """Return states by key but for those that are about the link."""
    return {
        key: state
        for key, state in states.items()
        if not key.startswith(("link_", "last_reply"))
    }


async def test_refused_key_at_setup(
    hass: HomeAssistant,
    host_clock: DrivenClock,
    meter: SimulatedMeter,
    hass_storage: dict[str, Any],
) -> None:
    """It is shown once, and asked for at once; setup attempts and a restart change nothing."""
    async with served(meter, host_clock) as (optical, url):
        entry = await set_up(hass, make_optical_entry(meter, url, WRONG))
        assert entry.state is ConfigEntryState.SETUP_ERROR
        assert entry.error_reason_translation_key == "optical_key_refused"
        assert questions(hass) == [entry.title]
        heard = optical.counts["bytes_received"]
        for _ in range(3):
            host_clock.move(400)
            await poll(hass, 400)
            await hass.config_entries.async_reload(entry.entry_id)
            await hass.async_block_till_done(wait_background_tasks=True)
        assert entry.state is ConfigEntryState.SETUP_ERROR
        stored = hass_storage[f"{DOMAIN}.{entry.entry_id}.memory"]
        assert WRONG not in str(stored)

        # Home Assistant is restarted.
        del hass.data[DOMAIN]
        await hass.config_entries.async_reload(entry.entry_id)
        await hass.async_block_till_done(wait_background_tasks=True)
        assert entry.state is ConfigEntryState.SETUP_ERROR
        assert optical.counts["bytes_received"] == heard
        assert optical.keys.refused == 1
        assert questions(hass) == [entry.title]

        # A person enters another one.
        right = make_optical_entry(meter, url).data
        hass.config_entries.async_update_entry(entry, data=right)
        await hass.config_entries.async_reload(entry.entry_id)
        await hass.async_block_till_done(wait_background_tasks=True)
        assert entry.state is ConfigEntryState.LOADED
        assert not questions(hass)
        stored = hass_storage[f"{DOMAIN}.{entry.entry_id}.memory"]
        assert "refused_key" not in stored["data"]
        await hass.config_entries.async_unload(entry.entry_id)


async def test_refused_key_while_it_is_read(
    hass: HomeAssistant, host_clock: DrivenClock, meter: SimulatedMeter
) -> None:
    """Home Assistant asks for another one at once, and stops to poll."""
    async with served(meter, host_clock) as (optical, url):
        entry = await set_up(hass, make_optical_entry(meter, url))
        assert not unavailable(hass, entry)
        right, optical.key = optical.key, b"changed"
        host_clock.move(11)
        await poll(hass)
        # Nothing of it would change again, so nothing of it is shown but the peaks so far.
        assert {
            key
            for key in states(hass, entry).keys() - unavailable(hass, entry)
            if not key.startswith("month_")
        } == {"link_problem"}
        assert questions(hass) == [entry.title]
        heard = optical.counts["bytes_received"]
        for _ in range(5):
            host_clock.move(700)
            await poll(hass, 700)
        assert optical.counts["bytes_received"] == heard
        assert optical.keys.refused == 1

        # A person enters the same one, which works again: what the flow does.
        optical.key = right
        monitor = entry.runtime_data.coordinator.monitor
        monitor.optical_memory.allow(right)
        await hass.config_entries.async_reload(entry.entry_id)
        await hass.async_block_till_done(wait_background_tasks=True)
        assert not unavailable(hass, entry)
        await hass.config_entries.async_unload(entry.entry_id)


async def test_refused_key_between_two_polls(
    hass: HomeAssistant, host_clock: DrivenClock, meter: SimulatedMeter
) -> None:
    """Whatever was read when the meter refused it: it is asked for, and remembered."""
    async with served(meter, host_clock) as (optical, url):
        entry = await set_up(hass, make_optical_entry(meter, url))
        optical.key = b"changed"
        host_clock.move(11)
        with pytest.raises(HomeAssistantError, match="refuses the key"):
            await hass.services.async_call(
                DOMAIN,
                "read_table",
                {"config_entry_id": entry.entry_id, "table": "BT01"},
                blocking=True,
                return_response=True,
            )
        await hass.async_block_till_done(wait_background_tasks=True)
        assert questions(hass) == [entry.title]

        # Home Assistant is restarted, before another poll.
        del hass.data[DOMAIN]
        await hass.config_entries.async_reload(entry.entry_id)
        await hass.async_block_till_done(wait_background_tasks=True)
        assert entry.state is ConfigEntryState.SETUP_ERROR
        assert optical.keys.refused == 1


async def test_port_that_takes_tls_only(
    hass: HomeAssistant, host_clock: DrivenClock, meter: SimulatedMeter
) -> None:
    """It is not shown the key, and looked at again later."""
    async with served(meter, host_clock, requires_tls=True) as (optical, url):
        entry = await set_up(hass, make_optical_entry(meter, url))
        assert entry.state is ConfigEntryState.SETUP_RETRY
        assert "accepts TLS only" in str(entry.reason)
        assert not questions(hass)
        assert not any(request.code == 0x51 for request in optical.requests)
        optical.settings = OpticalSettings()
        host_clock.move(400)
        await poll(hass, 400)
        assert entry.state is ConfigEntryState.LOADED
        await hass.config_entries.async_unload(entry.entry_id)


async def test_silent_head(
    hass: HomeAssistant, host_clock: DrivenClock, clock: Clock, meter: SimulatedMeter
) -> None:
    """It is told what to do about a head; nothing is sent that a MEP would understand."""
    host_clock.began = NOON
    assert await async_setup_component(hass, "repairs", {})
    async with served(meter, host_clock) as (optical, url):
        entry = await set_up(hass, make_optical_entry(meter, url))
        optical.is_attached = False
        await pass_time(hass, host_clock, clock, 11)
        exception = entry.runtime_data.coordinator.last_exception
        assert exception.translation_key == "no_optical_reply"
        assert not issues(hass)
        await hass.config_entries.async_reload(entry.entry_id)
        assert entry.state is ConfigEntryState.SETUP_RETRY
        heard = optical.counts["bytes_received"]
        for _ in range(25):
            await pass_time(hass, host_clock, clock, 3600)
        assert issues(hass) == {"optical_port_silent"}
        packet = len(bytes.fromhex("EE 00 00 00 00 01 20 13 10"))
        assert (optical.counts["bytes_received"] - heard) % packet == 0
        optical.is_attached = True

        # Submitting the repair asks a port that is left in peace.
        flow = await repairs_flow_manager(hass).async_init(
            DOMAIN, data={"issue_id": f"port_silent_{entry.entry_id}"}
        )
        await repairs_flow_manager(hass).async_configure(flow["flow_id"], {})
        assert entry.state is ConfigEntryState.LOADED
        assert not issues(hass)
        await hass.config_entries.async_unload(entry.entry_id)


@pytest.mark.parametrize("how", ["button", "reload"])
async def test_head_is_seated_again(
    hass: HomeAssistant,
    host_clock: DrivenClock,
    clock: Clock,
    meter: SimulatedMeter,
    how: str,
) -> None:
    """Whoever has moved the head need not wait until the port is asked again."""
    async with served(meter, host_clock) as (optical, url):
        entry = await set_up(
            hass, make_optical_entry(meter, url, resync_automatically=False)
        )
        optical.is_attached = False
        for _ in range(20):
            await pass_time(hass, host_clock, clock, 11)
        optical.is_attached = True
        await pass_time(hass, host_clock, clock, 11)
        assert "energy_import" in unavailable(hass, entry)
        if how == "button":
            resync = entity_ids(hass, entry)["resync"]
            await hass.services.async_call(
                "button", "press", {"entity_id": resync}, blocking=True
            )
        else:
            await hass.config_entries.async_reload(entry.entry_id)
        assert "energy_import" not in unavailable(hass, entry)
        await hass.config_entries.async_unload(entry.entry_id)


async def test_damage(
    hass: HomeAssistant, host_clock: DrivenClock, clock: Clock, meter: SimulatedMeter
) -> None:
    """Damaged replies are counted, and told of a head, not of a cable."""
    host_clock.began = NOON
    async with served(meter, host_clock) as (optical, url):
        entry = await set_up(
            hass, make_optical_entry(meter, url, resync_automatically=False)
        )
        for _ in range(50):
            optical.add_fault("corrupt:at=-1,times=1")
            await pass_time(hass, host_clock, clock, 180)
            assert not unavailable(hass, entry)
        assert issues(hass) == {"optical_link_disturbed"}
        await hass.config_entries.async_unload(entry.entry_id)


@pytest.mark.parametrize("profile", ["gen4"])
async def test_clock_out_of_reach(
    hass: HomeAssistant, host_clock: DrivenClock, clock: Clock, meter: SimulatedMeter
) -> None:
    """A read-only key need not reach it: reading goes on by Home Assistant's clock."""
    host_clock.began = NOON
    async with served(meter, host_clock, unlisted=Right.UNIQUE) as (optical, url):
        entry = await set_up(hass, make_optical_entry(meter, url))
        assert not unavailable(hass, entry)
        assert "clock_drift" not in states(hass, entry)
        refused = refusals(optical)
        assert refused["BT52"]
        for _ in range(20):
            await pass_time(hass, host_clock, clock, 55)
        # The sources of the load profile are asked for with each look at it.
        again = refusals(optical) - refused
        assert again.keys() <= {"ET21"}
        assert again.total() <= 2

        sessions = entry.runtime_data.coordinator.meter.sessions
        answer = await hass.services.async_call(
            DOMAIN,
            "resync_clock",
            {"config_entry_id": entry.entry_id},
            blocking=True,
            return_response=True,
        )
        assert answer["meter_time"] is answer["drift"] is None
        assert answer["attempts"] >= 1
        assert entry.runtime_data.coordinator.meter.sessions > sessions
        assert not unavailable(hass, entry)
        await hass.config_entries.async_unload(entry.entry_id)


async def test_recovery_without_clock(
    hass: HomeAssistant, host_clock: DrivenClock, clock: Clock, meter: SimulatedMeter
) -> None:
    """The automatic recovery helps, although the clock is refused in the new session."""
    host_clock.began = NOON
    async with served(meter, host_clock, unlisted=Right.UNIQUE) as (optical, url):
        entry = await set_up(hass, make_optical_entry(meter, url, scan_interval=3600))
        optical.is_attached = False
        await pass_time(hass, host_clock, clock, 3601)
        assert unavailable(hass, entry)
        optical.is_attached = True
        await pass_time(hass, host_clock, clock, 6)
        assert not unavailable(hass, entry)
        await hass.config_entries.async_unload(entry.entry_id)


@pytest.mark.parametrize("profile", ["gen4"])
async def test_diagnostics(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    host_clock: DrivenClock,
    meter: SimulatedMeter,
) -> None:
    """They tell nothing of the key, nor of the numbers that only this port shows."""
    assert await async_setup_component(hass, "diagnostics", {})
    async with served(meter, host_clock) as (_, url):
        entry = await set_up(hass, make_optical_entry(meter, url))
        await hass.services.async_call(
            DOMAIN,
            "read_table",
            {"config_entry_id": entry.entry_id, "table": "BT01"},
            blocking=True,
            return_response=True,
        )
        client = await hass_client()
        response = await client.get(f"/api/diagnostics/config_entry/{entry.entry_id}")
        text = (await response.text()).lower()
        await hass.config_entries.async_unload(entry.entry_id)
    number = meter.profile.serial_number
    document = json.loads(text)["data"]
    assert "bt01" in document["tables"]
    assert document["security"] is None
    for secret in (
        *(READ_KEY.decode(), READ_KEY.hex(), url),
        *(number, number.encode().hex(), meter.profile.transceiver_id.hex()),
    ):
        assert secret.lower() not in text


async def test_system_health(
    hass: HomeAssistant, host_clock: DrivenClock, meter: SimulatedMeter
) -> None:
    """The system information names the port where it has the mode of security else."""
    assert await async_setup_component(hass, "system_health", {})
    async with served(meter, host_clock) as (_, url):
        entry = await set_up(hass, make_optical_entry(meter, url))
        info = (await get_info(hass))[DOMAIN]
        assert info["security"] == "optical port"
        await hass.config_entries.async_unload(entry.entry_id)
