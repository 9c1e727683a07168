"""Tests of what is read at a slower pace than the registers."""

import asyncio
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
import pytest

from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er

from .common import (
    disable_all_but,
    entity_ids,
    make_entry,
    own_log,
    pass_time,
    poll,
    set_up,
    states,
    tables,
    times_open,
    unavailable,
)
from .driven_clock import DrivenClock
from .simulator import PROFILES, Disconnect, Exchange, Fault, SimulatedMeter
from .values import NOON

pytestmark = pytest.mark.usefixtures("enable_custom_integrations")

REGISTERS = ["BT23", "BT28"]


async def test_default_pace(
    hass: HomeAssistant,
    host_clock: DrivenClock,
    meter: SimulatedMeter,
    url: str,
) -> None:
    """Polls take two requests; alarms, disconnect and tariffs follow, once a minute.

    But for the load profile, once an interval of the tariff.
    """
    host_clock.began = NOON
    await set_up(hass, make_entry(meter, url))
    await pass_time(hass, host_clock, 125)
    await pass_time(hass, host_clock, 10)
    for _ in range(3):
        since = len(meter.requests)
        polls: list[list[str]] = []
        for _ in range(6):
            start = len(meter.requests)
            await pass_time(hass, host_clock, 10)
            polls.append(tables(meter, start))
        assert sorted(polls, key=len) == [
            *[REGISTERS] * 5,
            [*REGISTERS, "BT03", "ET23", "BT55"],
        ]
        assert len(tables(meter, since)) == 15


@pytest.mark.parametrize(
    ("enabled", "seconds", "wanted"),
    [
        ({"clock_drift"}, 60, {"BT52"}),
        ({"active_tariff"}, 60, {"BT55"}),
        ({"daylight_saving"}, 60, {"BT55"}),
        ({"next_tariff"}, 60, {"BT55"}),
        ({"tariff_calendar"}, 3600, {"BT55", "ET23", "ET14", "ET55", "BT52"}),
        ({"alarm_cover_removed"}, 60, {"BT03"}),
        ({"disconnect_state"}, 60, {"ET23"}),
        ({"last_outage_start"}, 60, set()),
        # A first M-Bus meter or message may come, which have no entities so far.
        ({"last_outage_start"}, 900, {"ET81", "ET14", "ET55"}),
        ({"sags_l1"}, 900, {"ET09", "ET14", "ET55"}),
        ({"meter_event"}, 60, set()),
        ({"meter_event"}, 300, {"BT74"}),
        ({"energy_import"}, 900, {"ET14", "ET55"}),
    ],
)
@pytest.mark.usefixtures("everything_enabled", "right_clock")
async def test_only_what_is_shown_is_read(
    hass: HomeAssistant,
    host_clock: DrivenClock,
    meter: SimulatedMeter,
    url: str,
    enabled: set[str],
    seconds: float,
    wanted: set[str],
) -> None:
    """A subject is read at its pace while an enabled entity shows something of it."""
    entry = await set_up(hass, make_entry(meter, url))
    await disable_all_but(hass, entry, enabled)
    # The event log is read once more after the last one has left it.
    await pass_time(hass, host_clock, 310)

    since = len(meter.requests)
    await pass_time(hass, host_clock, seconds)
    assert set(tables(meter, since)) - set(REGISTERS) == wanted
    since = len(meter.requests)
    await pass_time(hass, host_clock, 10)
    assert set(tables(meter, since)) <= set(REGISTERS)


@pytest.mark.usefixtures("right_clock")
async def test_what_a_meter_has_is_learned_once(
    hass: HomeAssistant,
    host_clock: DrivenClock,
    meter: SimulatedMeter,
    url: str,
) -> None:
    """Each subject is asked for after the start, and again only if it is of use.

    But for the clock: whether it is right is looked at once an hour.
    """
    meter.add_fault(Fault(kind="refuse", table=3, code=0x03))
    entry = await set_up(hass, make_entry(meter, url))
    read = set(tables(meter, 0))
    assert {"BT52", "BT55", "BT03", "ET23", "ET81", "ET09", "ET14", "BT74"} <= read
    assert "alarm_low_battery" not in entity_ids(hass, entry)

    meter.clear_faults()
    await pass_time(hass, host_clock, 10)
    since = len(meter.requests)
    await pass_time(hass, host_clock, 3000)
    assert set(tables(meter, since)) == {*REGISTERS, "ET23", "ET14", "ET55", "BT55"}
    for _ in range(2):
        since = len(meter.requests)
        await pass_time(hass, host_clock, 3600)
        hourly = {"BT52", "BT26", "BT55", "ET55"}
        assert set(tables(meter, since)) == {*REGISTERS, "ET23", "ET14", *hourly}

    # The next start asks again.
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert states(hass, entry)["alarm_low_battery"] == "off"


async def test_subject_fails(
    hass: HomeAssistant,
    host_clock: DrivenClock,
    meter: SimulatedMeter,
    url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What belongs to a failing table is unavailable, logged once, and comes back."""
    entry = await set_up(hass, make_entry(meter, url))
    alarms = {key for key in states(hass, entry) if key.startswith("alarm_")}
    assert alarms
    caplog.clear()

    meter.add_fault(Fault(kind="refuse", table=3, code=0x04))
    for _ in range(2):
        await pass_time(hass, host_clock, 61)
        assert unavailable(hass, entry) == alarms
        assert states(hass, entry)["link_problem"] == "off"
    meter.clear_faults()
    await pass_time(hass, host_clock, 61)
    assert not unavailable(hass, entry)
    (down, down_text), (up, up_text) = own_log(caplog)
    assert (down, up) == ("WARNING", "INFO")
    assert down_text.startswith(f"{entry.title}: alarms is missing: ")
    assert up_text == f"{entry.title}: alarms no longer fails"


async def test_subject_is_silent(
    hass: HomeAssistant,
    host_clock: DrivenClock,
    meter: SimulatedMeter,
    url: str,
) -> None:
    """After a silence the other subjects wait for the next poll."""
    entry = await set_up(hass, make_entry(meter, url))
    meter.disconnect = Disconnect.OPEN

    meter.add_fault(Fault(kind="silence", table=3))
    await pass_time(hass, host_clock, 61)
    assert "alarm_low_battery" in unavailable(hass, entry)
    assert states(hass, entry)["disconnect_state"] == "closed"
    await pass_time(hass, host_clock, 10)
    assert states(hass, entry)["disconnect_state"] == "open"

    # It is not asked for again before its time.
    meter.clear_faults()
    await pass_time(hass, host_clock, 10)
    assert "alarm_low_battery" in unavailable(hass, entry)
    await pass_time(hass, host_clock, 60)
    assert not unavailable(hass, entry)


async def test_key_is_refused(
    hass: HomeAssistant,
    host_clock: DrivenClock,
    meter: SimulatedMeter,
    url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With a key that is refused, nothing more is asked for and complained of."""
    entry = await set_up(hass, make_entry(meter, url))
    caplog.clear()

    since = len(meter.requests)
    meter.add_fault(Fault(kind="change_key", table=3))
    await pass_time(hass, host_clock, 61)
    assert "ET23" not in tables(meter, since)
    ((level, text),) = own_log(caplog)
    assert level == "WARNING"
    assert text.startswith(f"{entry.title}: alarms is missing: ")


async def test_first_read_fails(
    hass: HomeAssistant,
    host_clock: DrivenClock,
    meter: SimulatedMeter,
    url: str,
) -> None:
    """What could not be asked for at the start is asked for a minute later."""
    meter.add_fault(Fault(kind="silence", table=3))
    entry = await set_up(hass, make_entry(meter, url))
    assert "alarm_low_battery" not in entity_ids(hass, entry)

    meter.clear_faults()
    await pass_time(hass, host_clock, 61)
    assert states(hass, entry)["alarm_low_battery"] == "off"


@pytest.mark.usefixtures("everything_enabled")
async def test_link_is_down(
    hass: HomeAssistant,
    host_clock: DrivenClock,
    meter: SimulatedMeter,
    url: str,
) -> None:
    """Without a link nothing of the meter is available, and nothing slow is asked for.

    But for what the meter stored in the past, which stays true.
    """
    entry = await set_up(hass, make_entry(meter, url))
    await pass_time(hass, host_clock, 10)
    before = states(hass, entry)
    assert not unavailable(hass, entry)

    meter.add_fault(Fault(kind="silence"))
    await pass_time(hass, host_clock, 3600)
    known = {key for key in before if key.startswith("link_")} | {"last_reply_time"}
    past = ("billing_", "last_billing", "month_")
    known |= {key for key in before if key.startswith(past)}
    assert unavailable(hass, entry) == before.keys() - known
    assert "BT55" not in tables(meter, len(meter.requests) - 8)

    meter.clear_faults()
    await pass_time(hass, host_clock, 10)
    assert not unavailable(hass, entry)


async def test_link_is_down_for_a_moment(
    hass: HomeAssistant,
    host_clock: DrivenClock,
    meter: SimulatedMeter,
    url: str,
) -> None:
    """What is read once a minute stays available until it is three minutes old."""
    entry = await set_up(hass, make_entry(meter, url))
    await pass_time(hass, host_clock, 10)
    slow = {key for key in states(hass, entry) if key.startswith("alarm_")}
    slow.add("disconnect_state")
    meter.add_fault(Fault(kind="silence"))
    for _ in range(2):
        await pass_time(hass, host_clock, 50)
        assert "energy_import" in unavailable(hass, entry)
        assert unavailable(hass, entry).isdisjoint(slow)
    await pass_time(hass, host_clock, 80)
    assert unavailable(hass, entry) >= slow

    meter.clear_faults()
    await pass_time(hass, host_clock, 10)
    assert not unavailable(hass, entry)


async def test_state_of_the_meter(
    hass: HomeAssistant,
    host_clock: DrivenClock,
    meter: SimulatedMeter,
    url: str,
    everything_enabled: None,
) -> None:
    """What happens to a meter is shown within a minute, or a quarter of an hour."""
    entry = await set_up(hass, make_entry(meter, url))
    before = states(hass, entry)
    meter.set_alarm("low_battery")
    meter.set_alarm("cover_removed")
    meter.set_alarm("ram_failure")
    meter.disconnect = Disconnect.OPEN
    meter.set_tier(2, 1)
    meter.season = 3
    meter.add_outage(NOON - timedelta(hours=3), NOON - timedelta(hours=2))
    meter.sag(2)

    await pass_time(hass, host_clock, 61)
    now = states(hass, entry)
    changed = {key for key, state in now.items() if state != before[key]}
    assert changed >= {"alarm_low_battery", "alarm_cover_removed"}
    assert now["alarm_low_battery"] == "on"
    assert now["alarm_memory_failure"] == "on"
    assert now["disconnect_state"] == "open"
    assert now["active_tariff"] == "3"
    assert now["season"] == "4"
    assert now["tariff_control"] == "manual"
    assert now["last_outage_start"] == before["last_outage_start"]

    await pass_time(hass, host_clock, 900)
    now = states(hass, entry)
    assert now["last_outage_start"] == "2026-06-21T09:00:00+00:00"
    assert now["last_outage_end"] == "2026-06-21T10:00:00+00:00"
    assert now["last_outage_duration"] == "3600"
    assert now["sags_l2"] == "1"
    # The first one: its entities come when it does.
    assert now["last_sag_l2"] == "2026-06-21T12:00:00+00:00"


async def test_clock_drift(
    hass: HomeAssistant,
    freezer: FrozenDateTimeFactory,
    meter: SimulatedMeter,
    url: str,
    everything_enabled: None,
) -> None:
    """The drift is how far the meter's clock is ahead of Home Assistant's."""
    freezer.move_to(NOON)
    meter.clock_offset = -90
    entry = await set_up(hass, make_entry(meter, url))

    assert float(states(hass, entry)["clock_drift"]) == -90


@pytest.mark.parametrize("profile", ["gen3", "gen4"])
async def test_tariffs(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    everything_enabled: None,
) -> None:
    """The active tariff is one of those that the meter has."""
    entry = await set_up(hass, make_entry(meter, url))
    entity_id = entity_ids(hass, entry)["active_tariff"]
    options = hass.states.get(entity_id).attributes["options"]
    assert options == [str(n + 1) for n in range(PROFILES[meter.profile.name].tiers)]


async def test_tariff_that_the_meter_does_not_have(
    hass: HomeAssistant,
    host_clock: DrivenClock,
    meter: SimulatedMeter,
    url: str,
    everything_enabled: None,
) -> None:
    """A tariff beyond those that the meter has is not known, rather than an error."""
    entry = await set_up(hass, make_entry(meter, url))
    with patch(
        "custom_components.nes_mep.osgp.Meter.read_slow_table",
        return_value={"active_tariff": 7},
    ):
        await pass_time(hass, host_clock, 61)
    assert states(hass, entry)["active_tariff"] == "unknown"
    assert states(hass, entry)["season"] == "unknown"


async def test_poll_does_not_wait(
    hass: HomeAssistant,
    host_clock: DrivenClock,
    meter: SimulatedMeter,
    url: str,
    everything_enabled: None,
) -> None:
    """A poll that falls due while slow tables are read comes after one message."""
    await set_up(hass, make_entry(meter, url))
    await pass_time(hass, host_clock, 10)
    exchange = meter.exchange
    polled: list[bool] = []

    def poll_amid(*args: Any) -> Exchange:
        answer = exchange(*args)
        if not polled and answer.request.table not in {23, 28}:
            polled.append(True)
            host_clock.move(10)
            hass.loop.call_soon(
                lambda: hass.async_create_task(poll(hass), eager_start=True)
            )
        return answer

    since = len(meter.requests)
    with patch.object(meter, "exchange", poll_amid):
        await pass_time(hass, host_clock, 1000)
        await hass.async_block_till_done(wait_background_tasks=True)
    order = tables(meter, since)
    assert polled
    first, second = (i for i, name in enumerate(order) if name == "BT23")
    slow = [i for i, name in enumerate(order) if name not in REGISTERS]
    assert first < slow[0] < second < slow[-1]
    assert second - slow[0] <= 2


async def test_unload_while_slow_tables_are_read(
    hass: HomeAssistant,
    host_clock: DrivenClock,
    meter: SimulatedMeter,
    path: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Slow reading ends at once and without a word when the entry is unloaded."""
    entry = await set_up(hass, make_entry(meter, path))
    caplog.clear()
    meter.add_fault(Fault(kind="late", table=3, seconds=5))
    asked = asyncio.Event()
    exchange = meter.exchange

    def spy(*args: Any) -> Exchange:
        answer = exchange(*args)
        if answer.request.table == 3:
            asked.set()
        return answer

    with patch.object(meter, "exchange", spy):
        host_clock.move(61)
        polling = hass.async_create_task(poll(hass))
        await asked.wait()
        assert await hass.config_entries.async_unload(entry.entry_id)
        await polling

    assert times_open(path) == 1
    assert own_log(caplog) == []


async def test_home_assistant_stops_while_slow_tables_are_read(
    hass: HomeAssistant,
    host_clock: DrivenClock,
    meter: SimulatedMeter,
    path: str,
    entity_registry: er.EntityRegistry,
) -> None:
    """The end of Home Assistant ends slow reading as well."""
    await set_up(hass, make_entry(meter, path))
    meter.add_fault(Fault(kind="silence", table=3))
    host_clock.move(61)
    polling = hass.async_create_task(poll(hass))
    await asyncio.sleep(0)

    await hass.async_stop(force=True)
    await polling

    assert times_open(path) == 1
