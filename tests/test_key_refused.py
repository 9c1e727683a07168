"""Tests of a key that the meter refuses: asked for, and tried again meanwhile."""

from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.nes_mep.const import DOMAIN
from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import issue_registry as ir

from .common import make_entry, own_log, poll, set_up, unavailable
from .driven_clock import DrivenClock
from .simulator import PROFILES, Fault, SimulatedMeter
from .values import KEY, Clock

pytestmark = pytest.mark.usefixtures("enable_custom_integrations")

WRONG_KEY = b"not that one now"
HOUR = 3600


@pytest.fixture(params=["digest", "tls"])
def mode(request: pytest.FixtureRequest) -> str:
    """Return the mode of security."""
    mode: str = request.param
    return mode


@pytest.fixture
def meter(mode: str, clock: Clock) -> SimulatedMeter:
    """Return a simulated meter that is read in the mode."""
    return SimulatedMeter(
        PROFILES["gen4"],
        key=KEY.encode()[:16],
        clock=clock,
        paced=False,
        tls="mbedtls" if mode == "tls" else None,
    )


@pytest.fixture
def entry(meter: SimulatedMeter, mode: str, url: str) -> MockConfigEntry:
    """Return the entry of the meter, left alone by the automatic recovery."""
    made = make_entry(meter, url, resync_automatically=False)
    return MockConfigEntry(
        domain=DOMAIN,
        title=made.title,
        unique_id=made.unique_id,
        minor_version=2,
        data={**made.data, "security": mode, "key_kind": "basic"},
        options=dict(made.options),
    )


def set_key(meter: SimulatedMeter, key: bytes) -> None:
    """Let the meter take another key from now on."""
    meter.key = key
    if meter.tls:
        meter.tls.forget()


def questions(hass: HomeAssistant) -> list[Any]:
    """Return the flows that ask for a key; each has its repair issue."""
    flows = hass.config_entries.flow.async_progress()
    assert {flow["context"]["source"] for flow in flows} <= {SOURCE_REAUTH}
    issues = [
        issue
        for _, issue in ir.async_get(hass).issues
        if issue.startswith("config_entry_reauth_")
    ]
    assert len(issues) == len(flows)
    return flows


async def wait(hass: HomeAssistant, host_clock: DrivenClock, seconds: float) -> None:
    """Let time pass, for what is due until then once."""
    host_clock.move(seconds)
    await poll(hass, seconds)


async def test_asked_when_it_lasts(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    entry: MockConfigEntry,
    host_clock: DrivenClock,
) -> None:
    """Many refusals in a few seconds prove nothing, and neither do two in a minute."""
    await set_up(hass, entry)
    hass.config_entries.async_update_entry(
        entry, options={**entry.options, "scan_interval": 2}
    )
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    right = meter.key
    set_key(meter, WRONG_KEY)
    for _ in range(8):
        await wait(hass, host_clock, 3.1)
        assert unavailable(hass, entry)
        assert not questions(hass)

    set_key(meter, right)
    await wait(hass, host_clock, 3.1)
    assert not unavailable(hass, entry)
    set_key(meter, WRONG_KEY)
    for asked in (0, 0, 1):
        await wait(hass, host_clock, 61)
        assert len(questions(hass)) == asked


async def test_old_key_works_again(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    entry: MockConfigEntry,
    host_clock: DrivenClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The question goes away by itself, and so does the outage."""
    await set_up(hass, entry)
    right = meter.key
    caplog.clear()
    set_key(meter, WRONG_KEY)
    for _ in range(3):
        await wait(hass, host_clock, 31)
    (question,) = questions(hass)
    assert question["step_id"] == "reauth_confirm"
    assert unavailable(hass, entry)
    assert entry.state is ConfigEntryState.LOADED

    set_key(meter, right)
    await wait(hass, host_clock, 65)
    assert not questions(hass)
    assert not unavailable(hass, entry)
    (down, down_text), (up, _) = own_log(caplog)
    assert (down, up) == ("ERROR", "INFO")
    assert f"{entry.title} refuses the key. " in down_text
    assert KEY not in caplog.text

    # It is polled as before.
    requests = len(meter.requests)
    await wait(hass, host_clock, 11)
    assert len(meter.requests) > requests


async def test_ever_more_seldom(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    entry: MockConfigEntry,
    host_clock: DrivenClock,
) -> None:
    """The meter is not hammered with a key that it refuses, nor is it given up."""
    await set_up(hass, entry)
    right = meter.key
    set_key(meter, WRONG_KEY)
    for _ in range(3):
        await wait(hass, host_clock, 31)
    assert questions(hass)
    refused_for, pauses = 62, []
    while len(pauses) < 8:
        pauses.append(min(refused_for, HOUR))
        requests = len(meter.requests)
        await poll(hass, pauses[-1] - 5)
        assert len(meter.requests) == requests
        await wait(hass, host_clock, pauses[-1] + 2)
        assert len(meter.requests) > requests
        refused_for += pauses[-1] + 2
    assert pauses == [62, 126, 254, 510, 1022, 2046, HOUR, HOUR]
    assert len(questions(hass)) == 1

    set_key(meter, right)
    await wait(hass, host_clock, HOUR + 2)
    assert not questions(hass)
    assert not unavailable(hass, entry)


async def test_refused_at_the_start(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    entry: MockConfigEntry,
    host_clock: DrivenClock,
) -> None:
    """The start is as patient as the polls, and the meter appears by itself."""
    right = meter.key
    set_key(meter, WRONG_KEY)
    await set_up(hass, entry)
    for _ in range(2):
        assert entry.state is ConfigEntryState.SETUP_RETRY
        assert entry.reason.startswith(f"{entry.title} refuses the key. ")
        assert KEY not in entry.reason
        assert not questions(hass)
        await wait(hass, host_clock, 31)
    assert questions(hass)
    assert entry.state is ConfigEntryState.SETUP_RETRY

    set_key(meter, right)
    await wait(hass, host_clock, 700)
    assert entry.state is ConfigEntryState.LOADED
    assert not questions(hass)
    assert not unavailable(hass, entry)


async def test_disturbed_at_the_start(
    hass: HomeAssistant, meter: SimulatedMeter, entry: MockConfigEntry, mode: str
) -> None:
    """Some damaged requests while Home Assistant starts are no wrong key."""
    if mode == "tls":
        fault = Fault(kind="refuse", request_code=0x59, code=0x03, times=2)
    else:
        fault = Fault(kind="refuse", code=0x0B, skip=1, times=3)
    meter.add_fault(fault)
    await set_up(hass, entry)
    assert entry.state is ConfigEntryState.SETUP_RETRY

    await poll(hass)
    assert entry.state is ConfigEntryState.LOADED
    assert not questions(hass)


@pytest.mark.parametrize("when", ["at the start", "later"])
async def test_actions_say_so(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    entry: MockConfigEntry,
    host_clock: DrivenClock,
    when: str,
) -> None:
    """An action for a meter that refuses the key tells that, and nothing else."""
    if when == "later":
        await set_up(hass, entry)
    set_key(meter, WRONG_KEY)
    if when == "at the start":
        await set_up(hass, entry)
    for _ in range(3):
        await wait(hass, host_clock, 31)
    assert questions(hass)

    with pytest.raises(HomeAssistantError, match=f"^{entry.title} refuses the key. "):
        await hass.services.async_call(
            DOMAIN, "resync_clock", {"config_entry_id": entry.entry_id}, blocking=True
        )


async def test_wrong_answer(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    entry: MockConfigEntry,
    host_clock: DrivenClock,
) -> None:
    """After a wrong answer the question stays, and the old key is tried on."""
    await set_up(hass, entry)
    right = meter.key
    set_key(meter, WRONG_KEY)
    for _ in range(3):
        await wait(hass, host_clock, 31)
    (question,) = questions(hass)
    for _ in range(2):
        form = await hass.config_entries.flow.async_configure(
            question["flow_id"], {"key": "another key, wrong"}
        )
        assert form["type"] is FlowResultType.FORM
        assert form["errors"] == {"key": "invalid_auth"}
        assert len(questions(hass)) == 1

    set_key(meter, right)
    await wait(hass, host_clock, 700)
    assert entry.state is ConfigEntryState.LOADED
    assert not questions(hass)
    assert not unavailable(hass, entry)
