"""Tests of the repair issues: raised, cleared, and fixed, as a user sees it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
import json
from pathlib import Path
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.nes_mep.const import DOMAIN
from custom_components.nes_mep.issues import (
    _ISSUES,
    CLOCK_WRONG,
    LAYOUT_CHANGED,
    PORT_SILENT,
    TLS_REFUSED,
    TLS_REQUIRED,
)
from homeassistant.components.repairs import repairs_flow_manager
from homeassistant.config_entries import ConfigEntryDisabler, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component

from .common import entity_ids, make_entry, poll, set_up, silent_port, unavailable
from .driven_clock import DrivenClock
from .simulator import PROFILES, Fault, SimulatedMeter, serve_tcp
from .tls.tapped_line import TappedLine, tap
from .values import KEY, NOON, Clock

pytestmark = pytest.mark.usefixtures("enable_custom_integrations")

_TEXTS = json.loads(
    (
        Path(__file__).parent.parent
        / "custom_components"
        / DOMAIN
        / "translations"
        / "en.json"
    ).read_text()
)["issues"]

_OLD_MODE = {0x30, 0x3F}
_TLS = {0x57, 0x58, 0x59, 0x80}


@pytest.fixture(autouse=True)
async def repairs(hass: HomeAssistant) -> None:
    """Let there be repairs."""
    assert await async_setup_component(hass, "repairs", {})


@pytest.fixture
def profile() -> str:
    """Return the profile of the meter."""
    return "gen4"


@pytest.fixture
def meter(profile: str, clock: Clock) -> SimulatedMeter:
    """Return a simulated meter that takes TLS and the old mode."""
    clock.now = datetime.now(UTC)
    return SimulatedMeter(
        PROFILES[profile],
        key=KEY.encode()[:16],
        clock=clock,
        paced=False,
        tls="mbedtls",
    )


@pytest.fixture
async def line(url: str) -> AsyncIterator[tuple[TappedLine, str]]:
    """Return a line on which others can answer for the meter, and its address."""
    async with tap(url) as tapped:
        yield tapped


def entry_in(meter: SimulatedMeter, url: str, mode: str) -> MockConfigEntry:
    """Return an entry in a mode of security, left alone by the automatic recovery."""
    made = make_entry(meter, url, resync_automatically=False)
    return MockConfigEntry(
        domain=DOMAIN,
        title=made.title,
        unique_id=made.unique_id,
        minor_version=2,
        data={**made.data, "security": mode, "key_kind": "basic"},
        options=dict(made.options),
    )


def issues(hass: HomeAssistant) -> set[str]:
    """Return what is told about meters now; all that it says is filled in."""
    found: set[str] = set()
    for (domain, _), issue in ir.async_get(hass).issues.items():
        if domain == DOMAIN and issue.active:
            assert issue.translation_key
            found.add(issue.translation_key)
            texts = _TEXTS[issue.translation_key]
            steps = texts.get("fix_flow", {}).get("step", {})
            assert issue.is_fixable == bool(steps)
            for text in (texts, *steps.values()):
                for part in ("title", "description"):
                    if part in text:
                        shown = text[part].format(**issue.translation_placeholders)
                        assert "{" not in shown
    return found


def placeholders(
    hass: HomeAssistant, entry: MockConfigEntry, issue: str
) -> dict[str, str]:
    """Return what an issue of an entry says of its own."""
    found = ir.async_get(hass).async_get_issue(DOMAIN, f"{issue}_{entry.entry_id}")
    assert found
    assert found.translation_placeholders
    assert found.translation_placeholders["meter"] == entry.title
    return found.translation_placeholders


async def start(
    hass: HomeAssistant, entry: MockConfigEntry, issue: str
) -> dict[str, Any]:
    """Start the fix of an issue of an entry, and return the form."""
    manager = repairs_flow_manager(hass)
    assert manager
    form = await manager.async_init(
        DOMAIN, data={"issue_id": f"{issue}_{entry.entry_id}"}
    )
    assert form["type"] is FlowResultType.FORM
    assert form["step_id"] == "confirm"
    assert form["description_placeholders"] == placeholders(hass, entry, issue)
    return form


async def go_on(hass: HomeAssistant, form: dict[str, Any]) -> dict[str, Any]:
    """Submit the form."""
    manager = repairs_flow_manager(hass)
    assert manager
    result = await manager.async_configure(form["flow_id"], {})
    await hass.async_block_till_done(wait_background_tasks=True)
    return result


async def fix(
    hass: HomeAssistant, entry: MockConfigEntry, issue: str
) -> dict[str, Any]:
    """Go through the fix of an issue, and return how it ended."""
    result = await go_on(hass, await start(hass, entry, issue))
    if result["type"] is FlowResultType.ABORT:
        texts = _TEXTS[issue]["fix_flow"]["abort"]
        assert texts[result["reason"]].format(**result["description_placeholders"])
    return result


def reauths(hass: HomeAssistant) -> list[str]:
    """Return Home Assistant's own issues that a key is asked for."""
    return [
        id_
        for domain, id_ in ir.async_get(hass).issues
        if domain == "homeassistant" and id_.startswith("config_entry_reauth")
    ]


class Time:
    """Lets time pass, and the meter be polled after it."""

    def __init__(
        self, hass: HomeAssistant, host_clock: DrivenClock, meter_clock: Clock
    ) -> None:
        """Begin at noon, with a meter whose clock is right."""
        self._hass = hass
        self._host_clock = host_clock
        self._meter_clock = meter_clock
        host_clock.began = meter_clock.now = NOON

    async def pass_(self, seconds: float) -> None:
        """Let so many seconds pass, and the meter be polled once after that."""
        self._host_clock.move(seconds)
        self._meter_clock.now += timedelta(seconds=seconds)
        await poll(self._hass, max(seconds, 11))


@pytest.fixture
def time(hass: HomeAssistant, host_clock: DrivenClock, clock: Clock) -> Time:
    """Return what lets time pass."""
    return Time(hass, host_clock, clock)


# The key


async def test_refused_key(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, time: Time
) -> None:
    """Home Assistant tells that, once, and its repair asks for the new key."""
    meter.tls = None
    entry = await set_up(hass, entry_in(meter, url, "digest"))
    meter.key = b"another key now!"
    for _ in range(2):
        await time.pass_(11)
        assert not reauths(hass)
    await time.pass_(11)
    assert reauths(hass) == [f"config_entry_reauth_{DOMAIN}_{entry.entry_id}"]
    assert not issues(hass)

    (flow,) = hass.config_entries.flow.async_progress()
    await hass.config_entries.flow.async_configure(
        flow["flow_id"], {"key": "another key now!"}
    )
    await hass.async_block_till_done(wait_background_tasks=True)
    assert entry.state is ConfigEntryState.LOADED
    assert not reauths(hass)
    assert not unavailable(hass, entry)


# TLS is refused


@pytest.fixture
async def refused(
    hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> AsyncIterator[MockConfigEntry]:
    """Return an entry with TLS whose meter refused that, and takes it again."""
    side, meter.tls = meter.tls, None
    entry = await set_up(hass, entry_in(meter, url, "tls"))
    meter.tls = side
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert issues(hass) == {TLS_REFUSED}
    yield entry
    await hass.async_block_till_done(wait_background_tasks=True)


async def test_tls_works_again(hass: HomeAssistant, refused: MockConfigEntry) -> None:
    """The entry is loaded, and the issue is gone."""
    result = await fix(hass, refused, TLS_REFUSED)

    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert refused.state is ConfigEntryState.LOADED
    assert not unavailable(hass, refused)
    assert not issues(hass)


async def test_tls_is_still_refused(
    hass: HomeAssistant, refused: MockConfigEntry, meter: SimulatedMeter
) -> None:
    """The issue stays, and nothing but TLS was tried."""
    meter.tls = None
    result = await fix(hass, refused, TLS_REFUSED)

    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "still_refused"
    assert result["description_placeholders"] == {"meter": refused.title}
    assert issues(hass) == {TLS_REFUSED}
    assert {request.code for request in meter.requests} == {0x58}


async def test_setup_is_going_on(hass: HomeAssistant, refused: MockConfigEntry) -> None:
    """An entry that is being set up right now is left to that."""
    form = await start(hass, refused, TLS_REFUSED)
    refused.mock_state(hass, ConfigEntryState.SETUP_IN_PROGRESS)
    result = await go_on(hass, form)
    refused.mock_state(hass, ConfigEntryState.NOT_LOADED)

    assert result["reason"] == "still_refused"


async def test_entry_was_removed(hass: HomeAssistant, refused: MockConfigEntry) -> None:
    """There is nothing left to fix."""
    form = await start(hass, refused, TLS_REFUSED)
    await hass.config_entries.async_remove(refused.entry_id)
    result = await go_on(hass, form)

    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert not issues(hass)


# TLS is required


def instead_of_old_mode(answer: bytes) -> Any:
    """Return what answers requests of the old mode, and leaves TLS to the meter."""
    return lambda message: answer if message[0] in _OLD_MODE else None


ANSWERS = {
    "nothing": b"",
    "failure": b"\x01",
    "refusal": b"\x03",
    "no session": b"\x0a",
    "key refused": b"\x0b",
    "key refused, signed": b"\x0b" + bytes(8),
    "nonsense": b"\x15\x03\x03\x00\x02\x02\x28",
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
async def test_tls_is_required(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    line: tuple[TappedLine, str],
    time: Time,
    answer: bytes,
) -> None:
    """However a meter answers the old mode then, TLS is found, and switched to."""
    tapped, url = line
    entry = await set_up(hass, entry_in(meter, url, "digest"))
    tapped.answer = instead_of_old_mode(answer)
    for _ in range(2):
        await time.pass_(90)
        assert not issues(hass)
        assert not tapped.codes & _TLS
    await time.pass_(300)
    assert issues(hass) == {TLS_REQUIRED}
    assert not reauths(hass)
    # Nothing but a handshake was needed, and one was enough.
    assert tapped.codes & _TLS == {0x57, 0x58, 0x59}
    assert sum(message[0] == 0x58 for message in tapped.requests) == 1
    assert "it takes TLS" in str(entry.runtime_data.coordinator.last_exception)
    assert entry.data["security"] == "digest"

    tapped.requests.clear()
    result = await fix(hass, entry, TLS_REQUIRED)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert entry.state is ConfigEntryState.LOADED
    assert entry.data["security"] == "tls"
    assert entry.data["key_kind"] == "basic"
    assert not issues(hass)
    assert not unavailable(hass, entry)
    assert tapped.codes <= _TLS


@pytest.mark.parametrize("mode", ["digest", "rc4"])
async def test_tls_is_required_at_the_start(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    time: Time,
    mode: str,
) -> None:
    """It is found while the meter cannot be set up, and known after a restart."""
    assert meter.tls
    meter.tls.required = True
    entry = await set_up(hass, entry_in(meter, url, mode))
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert not issues(hass)
    await time.pass_(200)
    assert not meter.tls.handshakes
    await time.pass_(200)
    assert issues(hass) == {TLS_REQUIRED}
    assert meter.tls.handshakes == 1
    assert entry.reason
    assert "it takes TLS" in entry.reason

    # As after a restart: it is raised by the first attempt, and nothing is tried.
    ir.async_delete_issue(hass, DOMAIN, f"{TLS_REQUIRED}_{entry.entry_id}")
    await hass.config_entries.async_reload(entry.entry_id)
    assert issues(hass) == {TLS_REQUIRED}
    assert meter.tls.handshakes == 1

    await fix(hass, entry, TLS_REQUIRED)
    assert entry.state is ConfigEntryState.LOADED
    assert not issues(hass)


async def test_key_is_refused_at_the_start_but_for_tls(
    hass: HomeAssistant, meter: SimulatedMeter, line: tuple[TappedLine, str]
) -> None:
    """A key that is right in TLS is not asked for again."""
    tapped, url = line
    tapped.answer = instead_of_old_mode(b"\x0b")
    entry = await set_up(hass, entry_in(meter, url, "digest"))
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert issues(hass) == {TLS_REQUIRED}
    assert not reauths(hass)
    await fix(hass, entry, TLS_REQUIRED)
    assert entry.state is ConfigEntryState.LOADED


async def test_old_mode_works_again(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, time: Time
) -> None:
    """A meter that requires TLS no more is read again, and the issue is gone."""
    entry = await set_up(hass, entry_in(meter, url, "digest"))
    assert meter.tls
    meter.tls.required = True
    await time.pass_(11)
    await time.pass_(300)
    assert issues(hass) == {TLS_REQUIRED}
    meter.tls.required = False
    await time.pass_(11)
    assert not issues(hass)
    assert not unavailable(hass, entry)
    assert entry.data["security"] == "digest"


@pytest.mark.parametrize("reason", ["not_proven", "wrong_meter"])
async def test_switch_is_not_proven(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, time: Time, reason: str
) -> None:
    """Nothing is changed unless the same meter was read over TLS."""
    entry = await set_up(hass, entry_in(meter, url, "digest"))
    assert meter.tls
    meter.tls.required = True
    await time.pass_(11)
    await time.pass_(300)
    side = meter.tls
    if reason == "not_proven":
        meter.tls = None
        meter.add_fault(Fault(kind="refuse", code=0x0B))
    else:
        meter.replace_meter("99999999")
    data = dict(entry.data)
    result = await fix(hass, entry, TLS_REQUIRED)
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == reason
    assert entry.data == data
    assert issues(hass) == {TLS_REQUIRED}

    # What is being set up right now is left to that.
    form = await start(hass, entry, TLS_REQUIRED)
    state = entry.state
    entry.mock_state(hass, ConfigEntryState.SETUP_IN_PROGRESS)
    result = await go_on(hass, form)
    entry.mock_state(hass, state)
    assert result["reason"] == "not_proven"
    meter.tls = side


async def test_silence_has_other_reasons(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    line: tuple[TappedLine, str],
    time: Time,
) -> None:
    """TLS is tried now and then, not all the time, and nothing is told."""
    tapped, url = line
    await set_up(hass, entry_in(meter, url, "digest"))
    tapped.answer = lambda _: b""
    for _ in range(8):
        await time.pass_(900)
    assert not issues(hass)
    assert 1 <= sum(message[0] == 0x58 for message in tapped.requests) <= 3


# The port is silent


async def test_silent_port(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    time: Time,
) -> None:
    """After a day without an answer, and not before, the user is told."""
    entry = await set_up(hass, entry_in(meter, url, "digest"))
    meter.add_fault(Fault(kind="silence"))
    await time.pass_(60)
    await time.pass_(3600)
    await time.pass_(22 * 3600)
    assert not issues(hass)
    await time.pass_(3601)
    assert issues(hass) == {PORT_SILENT}
    # In local time.
    assert placeholders(hass, entry, PORT_SILENT)["since"] == "2026-06-21 14:01"

    meter.clear_faults()
    await time.pass_(11)
    assert not issues(hass)

    # The next silence begins anew.
    meter.add_fault(Fault(kind="silence"))
    await time.pass_(60)
    await time.pass_(23 * 3600)
    assert not issues(hass)


async def test_silence_over_restarts(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    time: Time,
    hass_storage: dict[str, Any],
) -> None:
    """A silence goes on while Home Assistant is restarted."""
    entry = entry_in(meter, url, "digest")
    hass_storage[f"{DOMAIN}.{entry.entry_id}.memory"] = {
        "version": 1,
        "data": {"silent_since": "2026-06-20T13:30:00+00:00"},
    }
    meter.add_fault(Fault(kind="silence"))
    await set_up(hass, entry)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert not issues(hass)
    await time.pass_(7200)
    assert issues(hass) == {PORT_SILENT}

    assert (await fix(hass, entry, PORT_SILENT))["reason"] == "still_silent"
    assert issues(hass) == {PORT_SILENT}
    meter.clear_faults()
    result = await fix(hass, entry, PORT_SILENT)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert entry.state is ConfigEntryState.LOADED
    assert not issues(hass)


async def test_silence_is_written_down(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    time: Time,
    hass_storage: dict[str, Any],
) -> None:
    """When it began is known to the next start, and forgotten when it is over."""
    entry = await set_up(hass, entry_in(meter, url, "digest"))
    await time.pass_(11)
    stored = f"{DOMAIN}.{entry.entry_id}.memory"
    assert "silent_since" not in hass_storage[stored]["data"]
    meter.add_fault(Fault(kind="silence"))
    await time.pass_(60)
    await time.pass_(60)
    since = hass_storage[stored]["data"]["silent_since"]
    assert since == "2026-06-21T12:01:11+00:00"
    meter.clear_faults()
    await time.pass_(60)
    await time.pass_(60)
    assert "silent_since" not in hass_storage[stored]["data"]


async def test_clock_of_a_machine_that_starts_in_the_past(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    time: Time,
    hass_storage: dict[str, Any],
) -> None:
    """What seems to have begun in the future begins now."""
    entry = entry_in(meter, url, "digest")
    hass_storage[f"{DOMAIN}.{entry.entry_id}.memory"] = {
        "version": 1,
        "data": {"silent_since": "2027-01-01T00:00:00+00:00"},
    }
    meter.add_fault(Fault(kind="silence"))
    await set_up(hass, entry)
    await time.pass_(25 * 3600)
    assert placeholders(hass, entry, PORT_SILENT)["since"] == "2026-06-21 14:00"


async def test_unplugged_port(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    time: Time,
    socket_enabled: None,
) -> None:
    """A port that does not open says nothing about the meter."""
    async with serve_tcp(meter) as url:
        await set_up(hass, entry_in(meter, url, "digest"))
    for _ in range(3):
        await time.pass_(24 * 3600)
    assert not issues(hass)


async def test_refusing_meter_is_not_silent(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, time: Time
) -> None:
    """A meter that answers, whatever it says, has its port open."""
    await set_up(hass, entry_in(meter, url, "digest"))
    meter.add_fault(Fault(kind="refuse", code=0x04))
    for _ in range(3):
        await time.pass_(24 * 3600)
    assert not issues(hass)


# Nothing is told of plain outages


@pytest.mark.parametrize("mode", ["digest", "tls"])
async def test_short_outage(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    time: Time,
    mode: str,
) -> None:
    """Somebody reads the meter optically for an hour: that passes by itself."""
    entry = await set_up(hass, entry_in(meter, url, mode))
    meter.add_fault(Fault(kind="silence"))
    for _ in range(6):
        await time.pass_(600)
        assert not issues(hass)
    meter.clear_faults()
    await time.pass_(11)
    assert not issues(hass)
    assert not unavailable(hass, entry)


# The clock


def drift(hass: HomeAssistant) -> float:
    """Return how far the meter's clock was ahead when it was last read."""
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    found: float = entry.runtime_data.coordinator.data.values["clock_drift"]
    return found


async def test_wrong_clock(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    time: Time,
) -> None:
    """A clock that stays wrong is told, though no entity shows it, until it is right."""
    entry = await set_up(hass, entry_in(meter, url, "digest"))
    # No entity shows it, so it is looked at once an hour, and then more often.
    meter.clock_offset = 90
    for _ in range(62):
        await time.pass_(60)
        assert not issues(hass)
    for _ in range(12):
        await time.pass_(60)
    assert issues(hass) == {CLOCK_WRONG}
    said = placeholders(hass, entry, CLOCK_WRONG)
    shown = [
        datetime.strptime(said[name], "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007
        for name in ("time", "meter_time")
    ]
    assert timedelta(seconds=60) < shown[1] - shown[0] <= timedelta(seconds=90)

    # Not while it is nearly as wrong as that, but when it is right again.
    meter.clock_offset += 52 - drift(hass)
    await time.pass_(60)
    assert issues(hass) == {CLOCK_WRONG}
    meter.clock_offset = -3
    await time.pass_(60)
    assert not issues(hass)
    before = len(meter.requests)
    await time.pass_(600)
    assert not any(request.table == 52 for request in list(meter.requests)[before:])


async def test_clock_of_home_assistant_is_set_late(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, time: Time
) -> None:
    """A clock that is wrong for some minutes after the start is no reason."""
    meter.clock_offset = 7200
    await set_up(hass, entry_in(meter, url, "digest"))
    meter.clock_offset = 0
    for _ in range(70):
        await time.pass_(60)
        assert not issues(hass)


async def test_clock_that_an_action_reads(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, time: Time
) -> None:
    """What resync_clock reads counts as well."""
    entry = await set_up(hass, entry_in(meter, url, "digest"))
    meter.clock_offset = -90
    await hass.services.async_call(
        DOMAIN, "resync_clock", {"config_entry_id": entry.entry_id}, blocking=True
    )
    assert not issues(hass)
    await time.pass_(601)
    assert issues(hass) == {CLOCK_WRONG}
    meter.clock_offset = 0
    await hass.services.async_call(
        DOMAIN, "resync_clock", {"config_entry_id": entry.entry_id}, blocking=True
    )
    assert not issues(hass)


# The meter was changed


async def test_layout_changes(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, time: Time
) -> None:
    """What came and what went is told by name, until the user knows."""
    meter.change_profile("gen3")
    entry = await set_up(hass, entry_in(meter, url, "digest"))
    await time.pass_(11)
    assert not issues(hass)
    meter.change_profile("gen3_demand")
    await time.pass_(11)
    await time.pass_(11)
    assert issues(hass) == {LAYOUT_CHANGED}
    said = placeholders(hass, entry, LAYOUT_CHANGED)
    assert said["firmware"] == said["firmware_before"] == "3.70.24"
    assert int(said["version"]) == int(said["version_before"]) + 1
    assert said["came"].startswith("Reactive energy Q1, ")
    assert said["came"].count(", ") == 9
    assert said["came"].endswith(")")
    assert said["went"] == "–"
    assert "demand_resets" in entity_ids(hass, entry)

    # After a restart it is still there, until it is confirmed.
    ir.async_delete_issue(hass, DOMAIN, f"{LAYOUT_CHANGED}_{entry.entry_id}")
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert placeholders(hass, entry, LAYOUT_CHANGED) == said
    result = await fix(hass, entry, LAYOUT_CHANGED)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert not issues(hass)
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert not issues(hass)


async def test_firmware_update_between_two_starts(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, time: Time
) -> None:
    """What changed while nobody looked is told, and what is gone too."""
    entry = await set_up(hass, entry_in(meter, url, "digest"))
    await hass.config_entries.async_unload(entry.entry_id)
    meter.change_profile("fw_4_00")
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert issues(hass) == {LAYOUT_CHANGED}
    said = placeholders(hass, entry, LAYOUT_CHANGED)
    assert (said["firmware_before"], said["firmware"]) == ("4.30.07", "4.00.15")
    assert "Energy import tariff 5" in said["went"]
    assert said["came"] == "–"

    # What was is again: nothing is left to be told.
    meter.change_profile("gen4")
    await time.pass_(11)
    await time.pass_(11)
    assert not issues(hass)


async def test_nothing_came_or_went(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, time: Time
) -> None:
    """A change that changes nothing for the user is none."""
    await set_up(hass, entry_in(meter, url, "digest"))
    meter.raise_interface_version()
    for _ in range(3):
        await time.pass_(11)
    assert not issues(hass)


async def test_integration_learns_of_registers(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    hass_storage: dict[str, Any],
) -> None:
    """Registers that only this integration is new to are no change of the meter."""
    entry = await set_up(hass, entry_in(meter, url, "digest"))
    storage = entry.runtime_data.coordinator.monitor.storage
    layout = storage.facts["layout"]
    await hass.config_entries.async_unload(entry.entry_id)
    fewer = {**layout, "registers": layout["registers"][5:]}
    storage.async_change({"layout": fewer, "confirmed": fewer})
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert not issues(hass)
    assert storage.facts["confirmed"] == layout


# The end


async def raise_all(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Raise every issue of an entry."""
    for issue in _ISSUES:
        ir.async_create_issue(
            hass,
            DOMAIN,
            f"{issue}_{entry.entry_id}",
            is_fixable=False,
            severity=ir.IssueSeverity.WARNING,
            translation_key=issue,
        )


async def test_removal(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    time: Time,
    hass_storage: dict[str, Any],
) -> None:
    """Nothing is left of an entry that is removed."""
    entry = await set_up(hass, entry_in(meter, url, "digest"))
    await time.pass_(60)
    stored = f"{DOMAIN}.{entry.entry_id}.memory"
    assert stored in hass_storage
    await raise_all(hass, entry)
    await hass.config_entries.async_remove(entry.entry_id)
    assert not [id_ for domain, id_ in ir.async_get(hass).issues if domain == DOMAIN]
    assert stored not in hass_storage


async def test_disabled_entry(
    hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """Nothing is told about a meter that is not wanted, loaded or not."""
    async with silent_port() as nowhere:
        entry = await set_up(hass, entry_in(meter, nowhere, "digest"))
    assert entry.state is ConfigEntryState.SETUP_RETRY
    await raise_all(hass, entry)
    await hass.config_entries.async_set_disabled_by(
        entry.entry_id, ConfigEntryDisabler.USER
    )
    assert not [id_ for domain, id_ in ir.async_get(hass).issues if domain == DOMAIN]


def test_every_issue_has_texts() -> None:
    """Each is explained, and each that can be fixed has its way."""
    assert set(_ISSUES) == set(_TEXTS)
    for issue, description in _ISSUES.items():
        assert description.is_fixable == ("fix_flow" in _TEXTS[issue])
        assert description.is_fixable != ("description" in _TEXTS[issue])
