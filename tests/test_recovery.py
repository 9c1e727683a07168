"""Tests of automatic recovery: resynchronizing after a poll that failed."""

from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.nes_mep.const import DOMAIN
from custom_components.nes_mep.osgp import Meter
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util

from .common import make_entry, poll, set_up, states, tables, unavailable
from .driven_clock import DrivenClock
from .simulator import PROFILES, Fault, SimulatedMeter, serve_tcp
from .values import KEY, Clock

pytestmark = pytest.mark.usefixtures("enable_custom_integrations")

CLOCK = "BT52"
HOUR = 3600

WRONG_KEY = b"not that one now"


@pytest.fixture
def resyncs(monkeypatch: pytest.MonkeyPatch) -> list[Meter]:
    """Return the meters that were resynchronized, in the order of the attempts."""
    found: list[Meter] = []
    resync = Meter.resync

    async def spy(meter: Meter) -> Any:
        found.append(meter)
        return await resync(meter)

    monkeypatch.setattr(Meter, "resync", spy)
    return found


def make_seldom(meter: SimulatedMeter, url: str, **options: object) -> MockConfigEntry:
    """Return an entry whose meter is polled so seldom that only automatic recovery helps."""
    return make_entry(meter, url, scan_interval=HOUR, **options)


async def fail(hass: HomeAssistant, meter: SimulatedMeter, **fault: Any) -> None:
    """Let the next poll fail."""
    meter.add_fault(Fault(**fault))
    await poll(hass, HOUR + 1)


async def test_readings_are_back_at_once(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    resyncs: list[Meter],
) -> None:
    """Seconds after a failed poll the session is made anew, and the meter is read."""
    entry = await set_up(hass, make_seldom(meter, url))
    before = states(hass, entry)
    await fail(hass, meter, kind="silence")
    assert "energy_import" in unavailable(hass, entry)
    meter.clear_faults()
    asked = len(meter.requests)

    await poll(hass, 4)
    assert len(meter.requests) == asked
    await poll(hass, 6)
    assert states(hass, entry) == before
    assert len(resyncs) == 1
    assert set(tables(meter, asked)) >= {CLOCK, "BT23", "BT28"}

    # All is well: nothing more is tried.
    asked = len(meter.requests)
    await poll(hass, 700)
    assert len(meter.requests) == asked


async def test_switched_off(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    resyncs: list[Meter],
) -> None:
    """Without the option, the next poll is waited for."""
    entry = await set_up(hass, make_seldom(meter, url, resync_automatically=False))
    await fail(hass, meter, kind="silence")
    meter.clear_faults()
    await poll(hass, 700)
    assert "energy_import" in unavailable(hass, entry)
    await poll(hass, HOUR + 1)
    assert not unavailable(hass, entry)
    assert not resyncs


async def test_the_meter_is_not_hammered(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    host_clock: DrivenClock,
    resyncs: list[Meter],
) -> None:
    """The pauses grow, and the attempts are limited; later outages get their own."""
    await set_up(hass, make_seldom(meter, url))
    await fail(hass, meter, kind="silence")
    for count, pause in enumerate((5, 30, 120, 600)):
        await poll(hass, pause - 1)
        assert len(resyncs) == count
        await poll(hass, pause + 1)
        assert len(resyncs) == count + 1
    await poll(hass, HOUR - 1)
    await poll(hass, HOUR + 1)
    await poll(hass, HOUR - 1)
    assert len(resyncs) == 4

    # A link that breaks again soon gets no more attempts than one that stays broken.
    meter.clear_faults()
    await poll(hass, HOUR + 1)
    host_clock.move(500)
    await fail(hass, meter, kind="silence")
    await poll(hass, HOUR - 1)
    assert len(resyncs) == 4

    meter.clear_faults()
    await poll(hass, HOUR + 1)
    host_clock.move(600)
    await fail(hass, meter, kind="silence")
    await poll(hass, 6)
    assert len(resyncs) == 5


async def test_polls_that_fail_meanwhile(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    resyncs: list[Meter],
) -> None:
    """Polls between the attempts neither bring attempts forward nor put them off."""
    await set_up(hass, make_entry(meter, url, scan_interval=2))
    meter.add_fault(Fault(kind="silence"))
    for _ in range(3):
        await poll(hass, 3.1)
    assert not resyncs
    await poll(hass, 6)
    assert len(resyncs) == 1


async def test_resync_helps_but_the_poll_fails(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    resyncs: list[Meter],
) -> None:
    """A clock that can be read is not enough: the attempts go on."""
    entry = await set_up(hass, make_seldom(meter, url))
    await fail(hass, meter, kind="refuse", table=28, code=0x0B)
    assert "power_net" in unavailable(hass, entry)
    await poll(hass, 6)
    assert len(resyncs) == 1
    assert "power_net" in unavailable(hass, entry)
    meter.clear_faults()
    await poll(hass, 31)
    assert len(resyncs) == 2
    assert not unavailable(hass, entry)


async def test_refusal_with_a_reason(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    resyncs: list[Meter],
) -> None:
    """Where the meter understood and declined, another session is of no use."""
    await set_up(hass, make_seldom(meter, url))
    await fail(hass, meter, kind="refuse", table=28, code=0x04)
    await poll(hass, 700)
    assert not resyncs


async def test_key_is_refused(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    path: str,
    host_clock: DrivenClock,
    resyncs: list[Meter],
) -> None:
    """Attempts do not count as proof against the key, and there are as few as ever."""
    entry = await set_up(hass, make_seldom(meter, path))
    meter.key = WRONG_KEY
    await poll(hass, HOUR + 1)
    for pause in (6, 31, 121, 601):
        await poll(hass, pause)
    assert len(resyncs) == 4
    assert not hass.config_entries.flow.async_progress()

    for flows in (0, 1, 1):
        host_clock.move(HOUR)
        await poll(hass, HOUR + 1)
        assert len(hass.config_entries.flow.async_progress()) == flows
    assert len(resyncs) == 4
    assert "energy_import" in unavailable(hass, entry)


async def test_key_is_refused_for_a_moment(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    path: str,
    resyncs: list[Meter],
) -> None:
    """A key that is refused by mistake works again at once."""
    entry = await set_up(hass, make_seldom(meter, path))
    right, meter.key = meter.key, WRONG_KEY
    await poll(hass, HOUR + 1)
    assert "energy_import" in unavailable(hass, entry)
    meter.key = right
    await poll(hass, 6)
    assert not unavailable(hass, entry)
    assert len(resyncs) == 1


async def test_tls_is_refused(
    hass: HomeAssistant,
    clock: Clock,
    socket_enabled: None,
    resyncs: list[Meter],
) -> None:
    """A meter that refuses TLS is not asked for it between the polls."""
    meter = SimulatedMeter(
        PROFILES["gen4"],
        key=KEY.encode()[:16],
        clock=clock,
        paced=False,
        tls="mbedtls",
    )
    async with serve_tcp(meter) as url:
        entry = MockConfigEntry(
            domain=DOMAIN,
            title="TLS",
            unique_id=meter.profile.serial_number,
            minor_version=2,
            data={"port": url, "key": KEY, "security": "tls", "key_kind": "basic"},
            options={"scan_interval": HOUR},
        )
        await set_up(hass, entry)
        side, meter.tls = meter.tls, None
        await poll(hass, HOUR + 1)
        assert "energy_import" in unavailable(hass, entry)
        asked = len(meter.requests)
        await poll(hass, 700)
        assert not resyncs
        assert len(meter.requests) == asked
        meter.tls = side
        await hass.config_entries.async_unload(entry.entry_id)


@pytest.mark.parametrize("when", ["before the attempt", "in the attempt"])
async def test_unload(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    path: str,
    when: str,
) -> None:
    """Nothing of it is left when the entry is unloaded."""
    entry = await set_up(hass, make_seldom(meter, path))
    await fail(hass, meter, kind="silence")
    if when == "in the attempt":
        async_fire_time_changed(hass, dt_util.utcnow() + timedelta(seconds=6))
    assert await hass.config_entries.async_unload(entry.entry_id)
    asked = len(meter.requests)
    meter.clear_faults()
    with patch("custom_components.nes_mep.link.recovery._LOGGER.debug") as log:
        await poll(hass, 700)
    assert len(meter.requests) == asked
    assert not log.called
