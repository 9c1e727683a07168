"""What a poll costs: requests, bytes, time on the wire and time of Home Assistant.

    .dev/next/bin/python -m benchmarks.poll [--polls 10]

For each profile of the simulated meter, which runs in a process of its own behind a
pty at 9600 baud. The limit is what the bytes and the pauses of the guide ("MEP
protocol timing") take at least.

The time of Home Assistant is what the thread of the event loop computes during one
refresh of the coordinator, from the request to the written states. For this the
meter is in the same process, behind a transport in memory, and its own time is left
out: waking up for bytes costs what the machine makes it cost, whoever wakes up. Beside
it stands what as many plain sensors of a coordinator cost whose values all change.
"""

import argparse
import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
import logging
from pathlib import Path
import statistics
import tempfile
import time
from typing import Any, override
from unittest.mock import patch

import tools.ha_next  # noqa: F401 - before the harness  # isort: skip
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    MockEntityPlatform,
    async_test_home_assistant,
)
import serialx

from custom_components.nes_mep.const import DEFAULT_SCAN_INTERVAL, DOMAIN
from custom_components.nes_mep.descriptions import DEFAULT_REGISTERS
from custom_components.nes_mep.osgp import Access, Meter
from homeassistant.components.sensor import (
    SensorDeviceClass,
    SensorEntity,
    SensorStateClass,
)
from homeassistant.const import EVENT_STATE_CHANGED, EVENT_STATE_REPORTED, UnitOfPower
from homeassistant.core import (
    Event,
    EventStateChangedData,
    EventStateReportedData,
    HomeAssistant,
    callback,
)
from homeassistant.helpers import entity_registry as er, frame
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.update_coordinator import (
    CoordinatorEntity,
    DataUpdateCoordinator,
)
from homeassistant.loader import DATA_CUSTOM_COMPONENTS
from homeassistant.setup import async_setup_component
from tests.simulator import PROFILES, Pace, SimulatedMeter, poll_time
from tools.simulator import Simulator, simulator

_KEY = "Wb7#kP2x!dL9vT4q"
_PACE = Pace(9600)


async def _exchanges(running: Simulator, since: int) -> list[tuple[int, int]]:
    """Return request and reply lengths of all exchanges but the first ones."""
    total = (await running.control("statistics"))["requests"]
    served = await running.control("requests", last=total - since)
    return [(each["request_length"], each["reply_length"]) for each in served]


async def _count(running: Simulator) -> int:
    count: int = (await running.control("statistics"))["requests"]
    return count


async def _measure_link(running: Simulator, name: str, polls: int) -> None:
    """Print what opening and polling cost on the wire."""
    start = time.perf_counter()
    meter = await Meter.open(Access(running.port, _KEY.encode()))
    await meter.read(DEFAULT_REGISTERS)
    first = time.perf_counter() - start
    requests = await _count(running)
    await meter.read(DEFAULT_REGISTERS)
    seconds = []
    exchanges: list[tuple[int, int]] = []
    for _ in range(polls):
        before = await _count(running)
        # The meter answers once in 100 ms, and is asked seldom in life.
        await asyncio.sleep(0.2)
        start = time.perf_counter()
        await meter.read(DEFAULT_REGISTERS)
        seconds.append(time.perf_counter() - start)
        exchanges = await _exchanges(running, before)
    await meter.close()
    limit = poll_time(exchanges, _PACE)
    taken = statistics.median(seconds)
    print(
        f"{name:16} {len(exchanges):8} {sum(map(sum, exchanges)):6} "
        f"{taken * 1000:8.0f} {limit * 1000:8.0f} {taken / limit:6.2f} "
        f"{requests:9} {first:7.2f}",
        flush=True,
    )


@asynccontextmanager
async def _home_assistant() -> AsyncIterator[HomeAssistant]:
    """Run Home Assistant's core in this process, with this integration."""
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / "custom_components"
        link.symlink_to(Path(__file__).parents[1] / "custom_components")
        async with async_test_home_assistant(config_dir=folder) as hass:
            hass.data.pop(DATA_CUSTOM_COMPONENTS, None)
            frame.async_setup(hass)
            await async_setup_component(hass, "homeassistant", {})
            yield hass
            await hass.async_stop(force=True)


class _MemoryTransport:
    """A port with a simulated meter at its other end, and nothing between."""

    def __init__(self, simulated: SimulatedMeter, protocol: asyncio.Protocol) -> None:
        self.seconds = 0.0
        self._simulated = simulated
        self._protocol = protocol

    def write(self, frame: bytes) -> None:
        """Let the meter answer, and keep the time that it takes."""
        before = time.thread_time()
        frames = self._simulated.exchange(frame[2:]).frames
        self.seconds += time.thread_time() - before
        for reply in frames:
            asyncio.get_running_loop().call_soon(self._protocol.data_received, reply)

    async def set_modem_pins(self, **_pins: bool) -> None:
        """Accept any state of the control lines."""

    def close(self) -> None:
        """Close at once."""

    async def wait_closed(self) -> None:
        """Be closed."""


@dataclass(frozen=True, slots=True)
class _Cost:
    """What a refresh costs.

    seconds are those of one refresh, in which so many states changed; idle_writes were
    written in all refreshes without a change.
    """

    seconds: float
    changes: int
    idle_writes: int


async def _refresh_cost(
    hass: HomeAssistant,
    coordinator: DataUpdateCoordinator[Any],
    polls: int,
    *,
    prepare: Callable[[], object] = lambda: None,
    spent_elsewhere: Callable[[], float] = lambda: 0.0,
) -> _Cost:
    """Return what a refresh of a coordinator costs."""
    costs: list[float] = []
    changes = [0]
    idle_writes = 0

    @callback
    def count_change(_event: Event[EventStateChangedData]) -> None:
        changes[-1] += 1

    @callback
    def count_idle(_event: Event[EventStateReportedData]) -> None:
        nonlocal idle_writes
        idle_writes += 1

    @callback
    def every(_data: EventStateReportedData) -> bool:
        return True

    stops = [
        hass.bus.async_listen(EVENT_STATE_CHANGED, count_change),
        # What is written and has not changed is reported instead.
        hass.bus.async_listen(EVENT_STATE_REPORTED, count_idle, event_filter=every),
    ]
    for _ in range(polls):
        prepare()
        await hass.async_block_till_done()
        changes.append(0)
        elsewhere = spent_elsewhere()
        before = time.thread_time()
        await coordinator.async_refresh()
        await hass.async_block_till_done()
        taken = time.thread_time() - before
        costs.append(taken - (spent_elsewhere() - elsewhere))
    for stop in stops:
        stop()
    return _Cost(
        statistics.median(costs), round(statistics.median(changes[1:])), idle_writes
    )


class _PlainSensor(CoordinatorEntity[DataUpdateCoordinator[float]], SensorEntity):
    """A sensor of a coordinator, as simple as those in a registry can be."""

    _attr_device_class = SensorDeviceClass.POWER
    _attr_has_entity_name = True
    _attr_native_unit_of_measurement = UnitOfPower.WATT
    _attr_state_class = SensorStateClass.MEASUREMENT
    _attr_suggested_display_precision = 0

    def __init__(self, coordinator: DataUpdateCoordinator[float], number: int) -> None:
        super().__init__(coordinator)
        self._attr_unique_id = f"plain_{number}"
        self._attr_device_info = DeviceInfo(identifiers={("plain", "plain")})

    @property
    @override
    def native_value(self) -> float:
        """Return what the coordinator has."""
        return self.coordinator.data


async def _plain_cost(
    hass: HomeAssistant,
    entry: MockConfigEntry,
    sensors: int,
    polls: int,
    prepare: Callable[[], object],
) -> _Cost:
    """Return what a refresh of so many plain sensors costs that all change."""
    numbers = count()

    async def next_number() -> float:
        return float(next(numbers))

    coordinator = DataUpdateCoordinator(
        hass,
        logging.getLogger(__name__),
        name="plain",
        config_entry=None,
        update_method=next_number,
    )
    platform = MockEntityPlatform(hass, domain="sensor", platform_name="plain")
    platform.config_entry = entry
    await platform.async_add_entities(
        [_PlainSensor(coordinator, number) for number in range(sensors)]
    )
    cost = await _refresh_cost(hass, coordinator, polls, prepare=prepare)
    await platform.async_reset()
    return cost


async def _measure_refresh(name: str, polls: int) -> None:
    """Print what a refresh costs Home Assistant, few entities and all."""
    simulated = SimulatedMeter(PROFILES[name], key=_KEY.encode(), paced=False)
    simulated.freeze()
    transports: list[_MemoryTransport] = []

    async def connect(
        _loop: object, make: Callable[[], asyncio.Protocol], *_: object, **__: object
    ) -> tuple[_MemoryTransport, asyncio.Protocol]:
        protocol = make()
        transports.append(_MemoryTransport(simulated, protocol))
        return transports[-1], protocol

    def pass_time() -> None:
        simulated.shift(11)
        simulated.truth()

    async def measure() -> str:
        entities = len(hass.states.async_all())
        cost = await _refresh_cost(
            hass,
            entry.runtime_data.coordinator,
            polls,
            prepare=pass_time,
            spent_elsewhere=lambda: transports[-1].seconds,
        )
        plain = await _plain_cost(hass, entry, cost.changes, polls, pass_time)
        return (
            f"{entities:8} {cost.changes:7} "
            f"{cost.seconds * 1000:6.2f} {plain.seconds * 1000:6.2f} "
            f"{cost.seconds / plain.seconds:5.1f} {cost.idle_writes:5}"
        )

    async with _home_assistant() as hass:
        entry = MockConfigEntry(
            domain=DOMAIN,
            unique_id=PROFILES[name].serial_number,
            title=name,
            data={"port": "memory", "key": _KEY},
            # Slow readings are due as seldom as they are in most homes.
            options={"scan_interval": DEFAULT_SCAN_INTERVAL},
        )
        entry.add_to_hass(hass)
        with patch.object(serialx, "create_serial_connection", connect):
            if not await hass.config_entries.async_setup(entry.entry_id):
                raise SystemExit(f"{name}: not set up: {entry.reason}")
            await hass.async_block_till_done()
            few = await measure()
            registry = er.async_get(hass)
            for entity in er.async_entries_for_config_entry(registry, entry.entry_id):
                registry.async_update_entity(entity.entity_id, disabled_by=None)
            await hass.config_entries.async_reload(entry.entry_id)
            await hass.async_block_till_done()
            print(f"{name:16} {few} {await measure()}", flush=True)
            await hass.config_entries.async_unload(entry.entry_id)


async def main() -> None:
    """Measure all profiles."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--polls", type=int, default=10)
    polls = parser.parse_args().polls
    with tempfile.TemporaryDirectory() as folder:
        print(
            f"{'profile':16} {'requests':>8} {'bytes':>6} {'poll ms':>8} "
            f"{'limit ms':>8} {'ratio':>6}  to first readings: requests, s"
        )
        for name in PROFILES:
            async with simulator(
                Path(folder), key=_KEY, profile=name, device=Path(folder) / "meter"
            ) as running:
                await _measure_link(running, name, polls)
        part = f"{'changed':>7} {'ms':>6} {'plain':>6} {'ratio':>5} {'idle':>5}"
        print(f"\n{'profile':16} {'entities':>8} {part} {'all':>8} {part}")
        for name in PROFILES:
            await _measure_refresh(name, 10 * polls)


if __name__ == "__main__":
    asyncio.run(main())
