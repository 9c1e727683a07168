"""Tests of the automation triggers of the meter's alarms, clock and tariff."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from homeassistant.core import HomeAssistant

from .common import make_entry, pass_time, poll, set_up, tables
from .driven_clock import DrivenClock
from .simulator import Fault, SimulatedMeter
from .triggers import automate, device_of, disable_everything
from .values import Clock

pytestmark = pytest.mark.usefixtures("enable_custom_integrations")


@pytest.mark.parametrize(
    ("trigger", "table"),
    [("alarm_raised", "BT03"), ("clock_drifted", "BT52"), ("tariff_changed", "BT55")],
)
@pytest.mark.usefixtures("right_clock")
async def test_what_is_needed_is_read(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    host_clock: DrivenClock,
    trigger: str,
    table: str,
) -> None:
    """What the trigger needs is read while it listens, though nothing shows it."""
    entry = await set_up(hass, make_entry(meter, url))
    await disable_everything(hass, entry)
    asked = len(meter.requests)
    await pass_time(hass, host_clock, 60)
    assert table not in tables(meter, asked)

    await automate(hass, trigger, {"device_id": device_of(hass, entry).id})
    for _ in range(2):
        asked = len(meter.requests)
        await pass_time(hass, host_clock, 60)
        assert table in tables(meter, asked)
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    asked = len(meter.requests)
    await pass_time(hass, host_clock, 60)
    assert table in tables(meter, asked)

    await hass.services.async_call(
        "automation", "turn_off", {"entity_id": "automation.test"}, blocking=True
    )
    asked = len(meter.requests)
    await pass_time(hass, host_clock, 60)
    assert table not in tables(meter, asked)


class Drift:
    """A meter whose clock is off, by as much as a test says."""

    def __init__(
        self, hass: HomeAssistant, clock: Clock, host_clock: DrivenClock
    ) -> None:
        """Initialize with what moves the time."""
        self._hass = hass
        self._clock = clock
        self._stopwatch = host_clock

    def set(self, seconds: float) -> None:
        """Set the meter's clock that far ahead of Home Assistant's."""
        self._clock.now = datetime.now(UTC) + timedelta(seconds=seconds)

    async def read(self, *drifts: float) -> None:
        """Let the clock be read with one drift after the other."""
        for drift in drifts:
            self.set(drift)
            await pass_time(self._hass, self._stopwatch, 60)


@pytest.fixture
def drift(hass: HomeAssistant, clock: Clock, host_clock: DrivenClock) -> Drift:
    """Return what makes the meter's clock drift; it is right at first."""
    drift = Drift(hass, clock, host_clock)
    drift.set(0)
    return drift


@pytest.mark.parametrize(
    ("options", "drifts", "triggered"),
    [
        ({}, [30, 58], []),
        ({}, [65, 120, 64], [65]),
        ({}, [-65, -3600], [-65]),
        ({}, [65, 0, 65], [65, 65]),
        ({}, [65, -65], [65]),
        # The clock is told in whole seconds: around the threshold it triggers once.
        ({}, [63, 59.5, 63], [63]),
        ({"threshold": 300}, [290, 310], [310]),
        ({"threshold": "00:05:00"}, [290, 310], [310]),
        ({"threshold": {"minutes": 5}}, [290, -310], [-310]),
        ({"threshold": 10}, [13, 0, -13], [13, -13]),
    ],
)
async def test_clock_drifted(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    drift: Drift,
    options: dict[str, Any],
    drifts: list[float],
    triggered: list[float],
) -> None:
    """A clock that goes wrong triggers once, until it was right again."""
    entry = await set_up(hass, make_entry(meter, url))
    target = {"device_id": device_of(hass, entry).id}
    calls = await automate(hass, "clock_drifted", target, **options)
    await drift.read(*drifts)
    found = [call.data["drift"] for call in calls]
    assert found == pytest.approx(triggered, abs=2)
    for call in calls:
        assert call.data["threshold"] == {13: 10.0, 310: 300.0}.get(
            abs(triggered[0]), 60.0
        )
        assert call.data["description"] == f"clock drift of {entry.title}"


async def test_clock_drifts_unseen(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    drift: Drift,
) -> None:
    """A clock that is wrong at first does not trigger.

    One that goes wrong while the meter is reloaded does.
    """
    drift.set(100)
    entry = await set_up(hass, make_entry(meter, url))
    calls = await automate(
        hass, "clock_drifted", {"device_id": device_of(hass, entry).id}
    )
    await drift.read(100)
    assert not calls
    await drift.read(0)
    drift.set(200)
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    await poll(hass)
    assert [round(call.data["drift"], -2) for call in calls] == [200]


@pytest.mark.parametrize(
    ("options", "triggered"),
    [
        ({}, [(1, 2), (2, 3), (3, 1)]),
        ({"from": 1}, [(1, 2)]),
        ({"to": "1"}, [(3, 1)]),
        ({"from": [1, 3], "to": ["2", "1"]}, [(1, 2), (3, 1)]),
        ({"from": 2, "to": 1}, []),
    ],
)
async def test_tariff_changed(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    host_clock: DrivenClock,
    options: dict[str, Any],
    triggered: list[tuple[int, int]],
) -> None:
    """A change of tariff triggers, from and to those that are wanted."""
    meter.set_tier(0)
    entry = await set_up(hass, make_entry(meter, url))
    target = {"device_id": device_of(hass, entry).id}
    calls = await automate(hass, "tariff_changed", target, **options)
    await pass_time(hass, host_clock, 60)
    assert not calls
    for tier in (1, 2, 2, 0):
        meter.set_tier(tier)
        await pass_time(hass, host_clock, 60)
    changes = [(call.data["from_tariff"], call.data["to_tariff"]) for call in calls]
    assert changes == triggered


async def test_tariff_changes_unseen(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    host_clock: DrivenClock,
) -> None:
    """A change in an outage or during a reload is seen after it."""
    meter.set_tier(0)
    entry = await set_up(hass, make_entry(meter, url))
    calls = await automate(
        hass, "tariff_changed", {"device_id": device_of(hass, entry).id}
    )
    meter.add_fault(Fault(kind="silence"))
    meter.set_tier(1)
    await pass_time(hass, host_clock, 60)
    assert not calls
    meter.clear_faults()
    await pass_time(hass, host_clock, 60)
    assert len(calls) == 1

    meter.set_tier(3)
    assert await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)
    await poll(hass)
    changes = [(call.data["from_tariff"], call.data["to_tariff"]) for call in calls]
    assert changes == [(1, 2), (2, 4)]


async def test_meter_without_a_tariff(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    host_clock: DrivenClock,
) -> None:
    """A meter that refuses its tariff table never triggers."""
    meter.add_fault(Fault(kind="refuse", table=55, code=0x03))
    entry = await set_up(hass, make_entry(meter, url))
    calls = await automate(
        hass, "tariff_changed", {"device_id": device_of(hass, entry).id}
    )
    meter.set_tier(3)
    await pass_time(hass, host_clock, 60)
    assert not calls


@pytest.mark.parametrize(
    ("options", "triggered"),
    [
        ({}, ["phase_loss", "measurement_error", "phase_loss"]),
        ({"alarm": "phase_loss"}, ["phase_loss", "phase_loss"]),
        ({"alarm": ["measurement_error", "low_battery"]}, ["measurement_error"]),
        ({"alarm": "cover_removed"}, []),
    ],
)
async def test_alarm_raised(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    host_clock: DrivenClock,
    options: dict[str, Any],
    triggered: list[str],
) -> None:
    """An alarm triggers when it is raised, and again after it was cleared."""
    meter.set_alarm("low_battery")
    entry = await set_up(hass, make_entry(meter, url))
    target = {"device_id": device_of(hass, entry).id}
    calls = await automate(hass, "alarm_raised", target, **options)
    await pass_time(hass, host_clock, 61)
    assert not calls
    for alarm, is_on in (
        ("phase_loss", True),
        ("measurement_error", True),
        ("phase_loss", False),
        ("reverse_energy", True),
        ("phase_loss", True),
    ):
        meter.set_alarm(alarm, is_on)
        await pass_time(hass, host_clock, 61)
    assert [call.data["alarm"] for call in calls] == triggered


async def test_alarm_during_an_outage(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, host_clock: DrivenClock
) -> None:
    """An alarm that was raised while the meter was not read triggers after that."""
    entry = await set_up(hass, make_entry(meter, url))
    target = {"device_id": device_of(hass, entry).id}
    calls = await automate(hass, "alarm_raised", target)
    meter.add_fault(Fault(kind="silence"))
    meter.set_alarm("phase_loss")
    await pass_time(hass, host_clock, 61)
    assert not calls
    meter.clear_faults()
    await pass_time(hass, host_clock, 61)
    await poll(hass)
    assert [call.data["alarm"] for call in calls] == ["phase_loss"]
