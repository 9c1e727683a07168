"""Tests of the link's event entity: how the link failed, and that it recovered."""

from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
)

from custom_components.nes_mep.link.errors import failure_of
from custom_components.nes_mep.monitor import async_get_monitor, async_remove_monitor
from custom_components.nes_mep.osgp import (
    DecodeError,
    KeyRefusedError,
    MeterError,
    NoReplyError,
    PortError,
    RefusalError,
    TlsError,
    TlsRequiredError,
    TlsUnsupportedError,
    UnverifiedReplyError,
)
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import EVENT_STATE_CHANGED
from homeassistant.core import HomeAssistant, State
from homeassistant.util import dt as dt_util

from .common import begin_poll, entity_ids, make_entry, poll, set_up, states
from .driven_clock import DrivenClock
from .simulator import Fault, SimulatedMeter, serve_tcp
from .values import KEY

pytestmark = pytest.mark.usefixtures("enable_custom_integrations")

WRONG_KEY = b"not that one now"

COUNTERS = {
    *("requests", "replies", "resent", "timeouts", "late_replies", "digest_failures"),
    *("sequence_resyncs", "authentication_failures", "alerts", "reopens"),
    *("tls_handshakes", "bytes_sent", "bytes_received"),
}


def make_alone(meter: SimulatedMeter, url: str) -> MockConfigEntry:
    """Return an entry whose link is mended by nothing but the client."""
    return make_entry(meter, url, resync_automatically=False)


def link_state(hass: HomeAssistant, entry: MockConfigEntry) -> State:
    """Return the state of the link's event entity."""
    state = hass.states.get(entity_ids(hass, entry)["link"])
    assert state is not None
    return state


class Told:
    """The events that the entity of an entry has told since this was made."""

    def __init__(self, hass: HomeAssistant, entry: MockConfigEntry) -> None:
        """Start to listen."""
        self._entity_id = entity_ids(hass, entry)["link"]
        self._changes = async_capture_events(hass, EVENT_STATE_CHANGED)

    @property
    def attributes(self) -> list[dict[str, Any]]:
        """What was told with each event."""
        return [
            dict(change.data["new_state"].attributes)
            for change in self._changes
            if change.data["entity_id"] == self._entity_id
        ]

    @property
    def types(self) -> list[str]:
        """The types of the events."""
        return [event["event_type"] for event in self.attributes]


@pytest.mark.parametrize(
    ("err", "kind", "reason", "can_recover"),
    [
        (PortError("?"), "no_reply", "cannot_connect", True),
        (NoReplyError("?"), "no_reply", "no_reply", True),
        (KeyRefusedError("?"), "authentication_failure", "key_refused", True),
        (
            TlsUnsupportedError("?"),
            *("authentication_failure", "tls_refused", False),
        ),
        (TlsError("?"), "authentication_failure", "tls_failed", True),
        (
            TlsRequiredError("?"),
            *("authentication_failure", "tls_required", False),
        ),
        (
            RefusalError(0x0B, "?", "?"),
            *("authentication_failure", "request_refused", True),
        ),
        (
            RefusalError(0x0C, "?", "?"),
            *("invalid_sequence", "request_refused", True),
        ),
        (RefusalError(0x04, "?", "?"), "no_reply", "request_refused", False),
        (RefusalError(0x77, "?", "?"), "no_reply", "request_refused", False),
        (UnverifiedReplyError("?"), "corrupted_reply", "not_verified", True),
        (
            DecodeError("BT23", 0, 1, "?"),
            *("corrupted_reply", "not_understood", False),
        ),
        (MeterError("?"), "corrupted_reply", "not_understood", False),
    ],
)
def test_kinds(err: MeterError, kind: str, reason: str, can_recover: bool) -> None:
    """Each error of the client is of one kind."""
    failure = failure_of(err)
    assert (failure.kind, failure.reason, failure.can_recover) == (
        kind,
        reason,
        can_recover,
    )


async def test_entity(hass: HomeAssistant, meter: SimulatedMeter, url: str) -> None:
    """The entity is there from the start and has nothing to tell."""
    entry = await set_up(hass, make_alone(meter, url))
    state = link_state(hass, entry)
    assert state.entity_id == "event.smart_meter_link"
    assert state.state == "unknown"
    assert set(state.attributes["event_types"]) == {
        "authentication_failure",
        "invalid_sequence",
        "no_reply",
        "corrupted_reply",
        "recovered",
        "disturbed",
    }


@pytest.mark.parametrize(
    ("fault", "kind", "reason", "tables"),
    [
        (Fault(kind="silence"), "no_reply", "no_reply", []),
        (Fault(kind="silence", table=28), "no_reply", "no_reply", ["BT28"]),
        (Fault(kind="corrupt", at=-1), "corrupted_reply", "not_verified", []),
        (
            Fault(kind="refuse", table=23, code=0x0B),
            *("authentication_failure", "request_refused", ["BT23"]),
        ),
        (
            Fault(kind="refuse", table=28, code=0x0C),
            *("invalid_sequence", "request_refused", ["BT28"]),
        ),
        (Fault(kind="refuse", code=0x0C), "invalid_sequence", "request_refused", []),
        (
            Fault(kind="refuse", table=28, code=0x04),
            *("no_reply", "request_refused", ["BT28"]),
        ),
        (
            Fault(kind="change_key", new_key=WRONG_KEY),
            *("authentication_failure", "key_refused", []),
        ),
    ],
)
async def test_failure_and_recovery(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    host_clock: DrivenClock,
    fault: Fault,
    kind: str,
    reason: str,
    tables: list[str],
) -> None:
    """A failure is told once, however long it lasts, and so is that it is over."""
    entry = await set_up(hass, make_alone(meter, url))
    right = meter.key
    told = Told(hass, entry)

    meter.add_fault(fault)
    for _ in range(2):
        await poll(hass)
        assert states(hass, entry)["link_problem"] == "on"
        assert told.types == [kind]
        host_clock.move(10)
    (failure,) = told.attributes
    assert (failure["reason"], failure["tables"]) == (reason, tables)
    assert failure["error"]
    assert failure.keys() >= COUNTERS
    assert failure["requests"] > 0
    assert KEY[:16] not in str(failure)

    meter.clear_faults()
    meter.key = right
    for _ in range(2):
        await poll(hass)
        assert told.types == [kind, "recovered"]
    recovery = told.attributes[-1]
    assert recovery["duration"] >= 20.0
    assert recovery["kinds"] == [kind]
    assert recovery["replies"] > failure["replies"]
    assert not recovery.keys() & {"error", "reason", "tables"}

    # Each outage is told.
    meter.add_fault(Fault(kind="silence"))
    await poll(hass)
    assert told.types == [kind, "recovered", "no_reply"]
    meter.clear_faults()
    await poll(hass)
    assert told.types[3:] == ["recovered"]
    assert told.attributes[-1]["duration"] < 20


async def test_kinds_in_one_outage(
    hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """In one outage each kind is told once, also when they alternate."""
    entry = await set_up(hass, make_alone(meter, url))
    told = Told(hass, entry)
    faults = {
        "no_reply": Fault(kind="silence"),
        "corrupted_reply": Fault(kind="corrupt", at=-1),
        "invalid_sequence": Fault(kind="refuse", table=23, code=0x0C),
        "authentication_failure": Fault(kind="refuse", table=28, code=0x0B),
    }
    for _ in range(2):
        for fault in faults.values():
            meter.clear_faults()
            meter.add_fault(fault)
            await poll(hass)
        assert told.types == list(faults)
    meter.clear_faults()
    await poll(hass)
    assert told.types == [*faults, "recovered"]
    assert told.attributes[-1]["kinds"] == list(faults)


async def test_mended_within_the_poll(
    hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """What the client mends by itself is no event."""
    entry = await set_up(hass, make_alone(meter, url))
    told = Told(hass, entry)
    for fault in (
        Fault(kind="lose_reply", times=1),
        Fault(kind="corrupt", at=-1, times=1),
        Fault(kind="refuse", code=0x0B, times=1),
        Fault(kind="sequence_jump"),
        Fault(kind="restart", seconds=0),
    ):
        meter.add_fault(fault)
        await poll(hass)
        assert not told.types
    assert link_state(hass, entry).state == "unknown"


async def test_entities_know_first(
    hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """Whoever is told of an event finds all entities as they are after the poll."""
    entry = await set_up(hass, make_alone(meter, url))
    found: list[tuple[str, str, str]] = []

    def look(_event: object) -> None:
        shown = states(hass, entry)
        event_type = link_state(hass, entry).attributes["event_type"]
        found.append((event_type, shown["link_problem"], shown["energy_import"]))

    unsubscribe = entry.runtime_data.coordinator.monitor.outages.async_subscribe(look)
    before = states(hass, entry)["energy_import"]
    meter.add_fault(Fault(kind="silence"))
    await poll(hass)
    meter.clear_faults()
    await poll(hass)
    assert found == [("no_reply", "on", "unavailable"), ("recovered", "off", before)]

    unsubscribe()
    meter.add_fault(Fault(kind="silence"))
    await poll(hass)
    assert len(found) == 2


@pytest.mark.no_fail_on_log_exception
async def test_subscriber_that_fails(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One that fails does not keep others from being told."""
    entry = await set_up(hass, make_alone(meter, url))
    told: list[str] = []

    def fail(_event: object) -> None:
        raise ValueError

    link = entry.runtime_data.coordinator.monitor.outages
    link.async_subscribe(fail)
    link.async_subscribe(lambda event: told.append(event.type))
    meter.add_fault(Fault(kind="silence"))
    await poll(hass)
    assert told == ["no_reply"]
    assert "Unexpected error in a subscriber of link events" in caplog.text


@pytest.mark.parametrize("way", ["unload", "stop"])
async def test_end_in_mid_poll(
    hass: HomeAssistant, meter: SimulatedMeter, path: str, way: str
) -> None:
    """A poll that ends because the meter is closed is no failure."""
    entry = await set_up(hass, make_alone(meter, path))
    told: list[str] = []
    entry.runtime_data.coordinator.monitor.outages.async_subscribe(
        lambda event: told.append(event.type)
    )
    meter.add_fault(Fault(kind="late", seconds=5))
    await begin_poll(hass, meter)
    if way == "unload":
        assert await hass.config_entries.async_unload(entry.entry_id)
    else:
        await hass.async_stop(force=True)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert told == []


async def test_reload_in_an_outage(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    host_clock: DrivenClock,
) -> None:
    """An outage goes on over a reload, and its end is told when the entity is back."""
    entry = await set_up(hass, make_alone(meter, url))
    meter.add_fault(Fault(kind="silence"))
    await poll(hass)
    assert link_state(hass, entry).attributes["event_type"] == "no_reply"

    told: list[str] = []
    entry.runtime_data.coordinator.monitor.outages.async_subscribe(
        lambda event: told.append(event.type)
    )
    await hass.config_entries.async_reload(entry.entry_id)
    await poll(hass, 20)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    host_clock.move(30)
    meter.clear_faults()
    await poll(hass, 60)
    assert entry.state is ConfigEntryState.LOADED
    assert told == ["recovered"]
    attributes = link_state(hass, entry).attributes
    assert attributes["event_type"] == "recovered"
    assert 30.0 <= attributes["duration"] < 60

    # Nothing new: the entity keeps its event over a reload.
    before = link_state(hass, entry)
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert link_state(hass, entry).state == before.state


async def test_event_is_not_told_again(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, host_clock: DrivenClock
) -> None:
    """States tell milliseconds: after a reload an event is no newer than itself."""
    entry = await set_up(hass, make_alone(meter, url))
    meter.add_fault(Fault(kind="refuse", table=28, code=0x0B))
    now = host_clock.began = dt_util.utcnow().replace(microsecond=999_999)
    with patch("homeassistant.util.dt.utcnow", return_value=now):
        await hass.config_entries.async_reload(entry.entry_id)
        await hass.async_block_till_done(wait_background_tasks=True)
    host_clock.began = None
    before = link_state(hass, entry)
    assert before.attributes["event_type"] == "authentication_failure"

    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert link_state(hass, entry).state == before.state


async def test_port_opens_later(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    socket_enabled: None,
    unused_tcp_port: int,
) -> None:
    """A meter that cannot be set up is an outage as well."""
    entry = make_alone(meter, f"socket://127.0.0.1:{unused_tcp_port}")
    told: list[str] = []
    async_get_monitor(hass, entry).outages.async_subscribe(
        lambda event: told.append(f"{event.type} {event.attributes.get('reason')}")
    )
    await set_up(hass, entry)
    for _ in range(2):
        await poll(hass, 30)
        assert told == ["no_reply cannot_connect"]

    async with serve_tcp(meter, port=unused_tcp_port):
        await poll(hass, 120)
        assert told[1:] == ["recovered None"]
        assert link_state(hass, entry).attributes["kinds"] == ["no_reply"]
        await hass.config_entries.async_unload(entry.entry_id)


@pytest.mark.parametrize("is_down", [True, False])
async def test_restart(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    host_clock: DrivenClock,
    is_down: bool,
) -> None:
    """An outage of before a restart is over when the meter answers after it."""
    entry = await set_up(hass, make_alone(meter, url))
    meter.add_fault(Fault(kind="silence"))
    await poll(hass)
    meter.clear_faults()
    if not is_down:
        await poll(hass)
    before = link_state(hass, entry)
    await hass.config_entries.async_unload(entry.entry_id)
    await async_remove_monitor(hass, entry)

    host_clock.began = dt_util.utcnow() + timedelta(hours=1)
    await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)

    shown = link_state(hass, entry)
    assert shown.attributes["event_type"] == "recovered"
    assert shown.attributes["kinds"] == ["no_reply"]
    if is_down:
        assert shown.attributes["duration"] == pytest.approx(3600, abs=60)
    else:
        assert shown.state == before.state


async def test_first_reading_is_partial(
    hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """What fails before the entity exists is told by it."""
    meter.add_fault(Fault(kind="refuse", table=28, code=0x0B))
    entry = await set_up(hass, make_alone(meter, url))
    assert entry.state is ConfigEntryState.LOADED
    attributes = link_state(hass, entry).attributes
    assert attributes["event_type"] == "authentication_failure"
    assert attributes["tables"] == ["BT28"]


async def test_meter_is_forgotten(
    hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """Nothing is kept of an entry that is removed."""
    entry = await set_up(hass, make_alone(meter, url))
    monitor = async_get_monitor(hass, entry)
    assert monitor is entry.runtime_data.coordinator.monitor
    assert await hass.config_entries.async_remove(entry.entry_id)
    assert async_get_monitor(hass, entry) is not monitor
