"""Tests of the tariff calendar: sensors and calendar, as a user and a browser see them."""

from datetime import datetime, timedelta
from http import HTTPStatus
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.typing import (
    ClientSessionGenerator,
    WebSocketGenerator,
)

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant

from .calendar_by_hand import CALENDAR, CALENDAR_ID, CHANGES_OF_THE_CLOCK, DAYS
from .common import entity_ids, make_entry, pass_time, set_up, states
from .driven_clock import DrivenClock
from .simulator import SimulatedMeter
from .values import NOON, Clock

pytestmark = pytest.mark.usefixtures("enable_custom_integrations")

_KEYS = {"next_tariff", "next_tariff_switch", "tariff_calendar"}
_CALENDAR = "calendar.smart_meter_tariffs"
_ONE_TARIFF = bytes(30)
_SCHEDULES = 144
"""Where the schedules begin in BT54; the simulated meter uses the first one."""
_ZONE = ZoneInfo("Europe/Copenhagen")


@pytest.fixture(autouse=True)
def now(freezer: FrozenDateTimeFactory) -> None:
    """Let Home Assistant's time be that of the simulated meter."""
    freezer.move_to(NOON)


async def _events(
    client: ClientSessionGenerator, start: datetime, end: datetime
) -> list[tuple[datetime, datetime, str]]:
    """Return the events that the browser shows: begin, end and text."""
    session = await client()
    response = await session.get(
        f"/api/calendars/{_CALENDAR}",
        params={"start": start.isoformat(), "end": end.isoformat()},
    )
    assert response.status == HTTPStatus.OK
    return [
        (
            datetime.fromisoformat(event["start"]["dateTime"]),
            datetime.fromisoformat(event["end"]["dateTime"]),
            event["summary"],
        )
        for event in await response.json()
    ]


def _shown(hass: HomeAssistant) -> tuple[str, datetime, datetime]:
    """Return the current event: text, begin and end."""
    attributes = hass.states.get(_CALENDAR).attributes
    start, end = (
        datetime.fromisoformat(attributes[name]).replace(tzinfo=_ZONE)
        for name in ("start_time", "end_time")
    )
    return attributes["message"], start, end


def _local(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-06-{text}").replace(tzinfo=_ZONE)


async def test_sensors_and_current_event(
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    host_clock: DrivenClock,
    meter: SimulatedMeter,
    url: str,
    clock: Clock,
) -> None:
    """They move on when the meter switches to the next tariff."""
    # Tier 3 is in force from 11 to 14, then tier 1 to 17, then tier 2.
    clock.now = NOON - timedelta(minutes=3)
    freezer.move_to(clock.now)
    entry = await set_up(hass, make_entry(meter, url))
    shown = states(hass, entry)
    assert shown["next_tariff"] == "2"
    assert shown["next_tariff_switch"] == NOON.isoformat()
    assert shown["tariff_calendar"] == "on"
    assert _shown(hass) == ("Tariff 4", _local("21T11:00"), _local("21T14:00"))

    clock.now = NOON + timedelta(seconds=1)
    freezer.move_to(clock.now)
    await pass_time(hass, host_clock, 61)
    shown = states(hass, entry)
    assert shown["next_tariff"] == "3"
    assert shown["next_tariff_switch"] == (NOON + timedelta(hours=3)).isoformat()
    assert _shown(hass) == ("Tariff 2", _local("21T14:00"), _local("21T17:00"))


async def test_calendar_page(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    meter: SimulatedMeter,
    url: str,
) -> None:
    """The browser asks for a month and gets each tariff of each day, in time order."""
    await set_up(hass, make_entry(meter, url))
    start, end = _local("01T00:00"), _local("30T00:00")
    events = await _events(hass_client, start, end)
    for (_, ends, summary), (starts, _, following) in pairwise(events):
        assert ends == starts
        assert summary != following
    # It begins with the evening of the day before.
    assert events[0][0] == datetime(2026, 5, 31, 22, tzinfo=_ZONE)
    assert [
        (begin.hour, summary)
        for begin, _, summary in events
        if begin.astimezone(_ZONE).date() == NOON.date()
    ] == [
        (6, "Tariff 2"),
        (11, "Tariff 4"),
        (14, "Tariff 2"),
        (17, "Tariff 3"),
        (20, "Tariff 2"),
        (22, "Tariff 1"),
    ]
    # More than a year away, nobody knows.
    assert not await _events(
        hass_client, start.replace(year=2024), end.replace(year=2024)
    )
    years = await _events(hass_client, start.replace(year=2020), end.replace(year=2030))
    assert years[0][0].year == 2025
    assert years[-1][1].year == 2027


async def test_days_worked_out_by_hand(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    meter: SimulatedMeter,
    url: str,
) -> None:
    """Holidays, seasons and summer time, from the bytes to the browser."""
    meter.overwrite("BT54", CALENDAR)
    meter.overwrite("ET23", CALENDAR_ID.to_bytes(4, "little"), 95)
    await set_up(hass, make_entry(meter, url))
    days = {
        day: {f"{day}T{time}{offset}": tier for time, tier in switches.items()}
        for day, (offset, switches) in DAYS.items()
        if day < "2027-06"
    }
    for begin, switches in CHANGES_OF_THE_CLOCK.items():
        days[begin[0]] = {f"{time}+00:00": tier for time, tier in switches.items()}
    assert len(days) > 20
    for switches in days.values():
        wanted = {
            datetime.fromisoformat(time): f"Tariff {tier + 1}"
            for time, tier in switches.items()
        }
        midnight = min(wanted)
        events = await _events(
            hass_client, midnight, max(wanted) + timedelta(minutes=1)
        )
        assert {max(begin, midnight): summary for begin, _, summary in events} == wanted


async def test_subscription(
    hass: HomeAssistant,
    hass_ws_client: WebSocketGenerator,
    host_clock: DrivenClock,
    meter: SimulatedMeter,
    url: str,
) -> None:
    """A calendar card gets the events, and again when the meter departs from them."""
    await set_up(hass, make_entry(meter, url))
    client = await hass_ws_client()
    await client.send_json_auto_id(
        {
            "type": "calendar/event/subscribe",
            "entity_id": _CALENDAR,
            "start": "2026-06-21T00:00:00+02:00",
            "end": "2026-06-22T00:00:00+02:00",
        }
    )
    assert (await client.receive_json())["success"]

    async def told() -> dict[str, str]:
        message: dict[str, Any] = await client.receive_json()
        return {
            each["start"][11:16]: each["summary"] for each in message["event"]["events"]
        }

    assert (await told())["14:00"] == "Tariff 2"
    meter.set_tier(0)
    await pass_time(hass, host_clock, 61)
    assert (await told())["14:00"] == "Tariff 1"


async def test_override(
    hass: HomeAssistant,
    host_clock: DrivenClock,
    meter: SimulatedMeter,
    url: str,
    clock: Clock,
) -> None:
    """While the grid company decides, the next tariff is not known."""
    entry = await set_up(hass, make_entry(meter, url))
    meter.set_tier(0, drive=2)
    await pass_time(hass, host_clock, 61)
    shown = states(hass, entry)
    assert shown["next_tariff"] == shown["next_tariff_switch"] == "unknown"
    assert shown["tariff_calendar"] == "on"
    assert _shown(hass)[0] == "Tariff 1"

    meter.set_tier(3, drive=1)
    await pass_time(hass, host_clock, 61)
    shown = states(hass, entry)
    assert shown["next_tariff"] == "3"
    assert shown["next_tariff_switch"] == (NOON + timedelta(hours=3)).isoformat()
    assert _shown(hass)[0] == "Tariff 4"

    meter.release_tier()
    await pass_time(hass, host_clock, 61)
    assert _shown(hass)[0] == "Tariff 2"


async def test_language(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    meter: SimulatedMeter,
    url: str,
) -> None:
    """The tariffs have their names in Home Assistant's language."""
    hass.config.language = "pl"
    await set_up(hass, make_entry(meter, url))
    [calendar_id] = hass.states.async_entity_ids("calendar")
    assert hass.states.get(calendar_id).attributes["message"] == "Strefa 2"


async def test_one_tariff(
    hass: HomeAssistant,
    host_clock: DrivenClock,
    meter: SimulatedMeter,
    url: str,
) -> None:
    """Who has a single tariff sees nothing of it, until the meter gets another one."""
    schedule = await _schedule(meter)
    meter.overwrite("BT54", _ONE_TARIFF, _SCHEDULES)
    entry = await set_up(hass, make_entry(meter, url))
    assert entity_ids(hass, entry).keys().isdisjoint(_KEYS)
    assert "calendar" not in hass.config.components
    since = len(meter.requests)
    for _ in range(3):
        await pass_time(hass, host_clock, 3600)
    assert not {r.table for r in list(meter.requests)[since:]} & {0x36, 0x37}

    meter.overwrite("BT54", schedule, _SCHEDULES)
    await pass_time(hass, host_clock, 86400)
    assert entity_ids(hass, entry).keys() >= _KEYS
    assert _shown(hass)[0] == "Tariff 2"

    # And back: what is gone is not known.
    meter.overwrite("BT54", _ONE_TARIFF, _SCHEDULES)
    await pass_time(hass, host_clock, 86400)
    shown = states(hass, entry)
    assert shown["next_tariff"] == shown["next_tariff_switch"] == "unknown"
    assert shown["tariff_calendar"] == "unavailable"

    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert entry.state is ConfigEntryState.NOT_LOADED


async def _schedule(meter: SimulatedMeter) -> bytes:
    """Return the first schedule of a simulated meter."""
    return bytes(meter.content(0x36))[_SCHEDULES : _SCHEDULES + 30]


async def test_meter_is_silent(
    hass: HomeAssistant, host_clock: DrivenClock, meter: SimulatedMeter, url: str
) -> None:
    """What is known is shown for some minutes, and again when the meter answers."""
    entry = await set_up(hass, make_entry(meter, url))
    meter.add_fault("silence")
    await pass_time(hass, host_clock, 30)
    assert "unavailable" not in {states(hass, entry)[key] for key in _KEYS}
    for _ in range(8):
        await pass_time(hass, host_clock, 60)
    assert {states(hass, entry)[key] for key in _KEYS} == {"unavailable"}
    meter.clear_faults()
    for _ in range(8):
        await pass_time(hass, host_clock, 60)
    assert "unavailable" not in {states(hass, entry)[key] for key in _KEYS}


async def test_reload(hass: HomeAssistant, meter: SimulatedMeter, url: str) -> None:
    """The calendar goes with the entry and comes back with it."""
    entry = await set_up(hass, make_entry(meter, url))
    assert await hass.config_entries.async_unload(entry.entry_id)
    assert hass.states.get(_CALENDAR).state == "unavailable"
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert hass.states.get(_CALENDAR).state == "on"
