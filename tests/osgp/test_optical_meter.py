"""Meters at their optical port: everything that is read at the MEP, and as it is there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

import pytest

from osgp import (
    Access,
    Meter,
    MeterPort,
    RefusalError,
    ResponseCode,
    parse_table,
    survey,
    table_name,
)
from osgp.requests import ANY_LENGTH, FullRead
from tests.driven_clock import driven_clock
from tests.simulator import (
    DEFAULT_KEY,
    EVERY_PROFILE,
    OpticalPort,
    OpticalSettings,
    SimulatedMeter,
    serve_tcp,
)
from tests.simulator.optical import READ_KEY

_NOW = datetime(2026, 2, 17, 18, 40, 30, tzinfo=UTC)


def _simulated(profile: str) -> SimulatedMeter:
    simulated = SimulatedMeter(EVERY_PROFILE[profile], paced=False)
    simulated.freeze(_NOW)
    return simulated


@asynccontextmanager
async def _at_mep(simulated: SimulatedMeter) -> AsyncIterator[Meter]:
    async with serve_tcp(simulated, timers=driven_clock()) as url:
        meter = await Meter.open(Access(url, DEFAULT_KEY), clock=driven_clock())
        try:
            yield meter
        finally:
            await meter.close()


@asynccontextmanager
async def _at_optical_port(optical: OpticalPort) -> AsyncIterator[Meter]:
    async with serve_tcp(optical, timers=driven_clock()) as url:
        meter = await Meter.open(
            Access(url, READ_KEY, port=MeterPort.OPTICAL), clock=driven_clock()
        )
        try:
            yield meter
        finally:
            await meter.close()


async def _read_everything(meter: Meter) -> dict[str, Any]:
    """Return everything that a meter tells, and the codes of what it refuses."""
    reads = {
        "readings": meter.read,
        "events": meter.read_events,
        "M-Bus": meter.read_mbus_devices,
        "limit": meter.read_energy_limit,
        "load profile": meter.read_load_profile_sets,
        **{
            name: lambda name=name: meter.read_slow_table(name)
            for name in meter.slow_tables
        },
    }
    told: dict[str, Any] = {"identity": meter.identity}
    for name, read in reads.items():
        try:
            told[name] = await read()
        except RefusalError as err:
            told[name] = err.code
    if told["load profile"] and not isinstance(told["load profile"], int):
        download = meter.load_profile(
            _NOW - timedelta(hours=30), data_set=told["load profile"][0]
        )
        told["intervals"] = [
            interval async for batch in download for interval in batch.intervals
        ]
    return told


@pytest.mark.parametrize("profile", EVERY_PROFILE)
async def test_everything_is_as_at_the_mep(profile: str) -> None:
    """Readings, slow tables, events, load profile and M-Bus; nothing past an end."""
    driven_clock().began = _NOW
    simulated = _simulated(profile)
    async with _at_mep(simulated) as meter:
        expected = await _read_everything(meter)
    optical = OpticalPort(simulated)
    async with _at_optical_port(optical) as meter:
        told = await _read_everything(meter)
    told["readings"] = told["readings"].values
    expected["readings"] = expected["readings"].values
    for name, value in expected.items():
        assert told[name] == value, name


_LARGE = OpticalSettings(packet_size=512, most_packets=4)


@pytest.mark.parametrize("profile", EVERY_PROFILE)
async def test_nothing_is_read_beyond_the_end_of_a_table(profile: str) -> None:
    """There are zeros, which look like registers that stand at 0."""
    optical = OpticalPort(_simulated(profile), settings=_LARGE)
    async with _at_optical_port(optical) as meter:
        await _read_everything(meter)
        await survey(meter)
        for table in ("BT23", "ET54", "ET04"):
            with suppress(RefusalError):
                assert len(await meter.read_table(parse_table(table), 0, 60000)) < 60000
        ends: dict[int, int] = {}
        for each in tuple(optical.requests):
            if each.reply_code or each.table is None or each.count is None:
                continue
            end = each.offset + each.count
            ends[each.table] = max(end, ends.get(each.table, 0))
        for table, end in ends.items():
            if (length := await _length(meter, table)) is not None:
                assert end <= length, table_name(table)


async def _length(meter: Meter, table: int) -> int | None:
    """Return the length of a table, None if it is longer than a reply."""
    try:
        return len(await meter.request(FullRead(table, ANY_LENGTH)))
    except RefusalError as err:
        if err.code == ResponseCode.NOT_POSSIBLE:
            return None
        raise


async def test_a_download_leaves_turns_to_the_mep() -> None:
    """Its requests are spaced, but not so far that the session ends between them.

    Where one UART serves both ports, the MEP has it in between.
    """
    clock = driven_clock()
    clock.began = _NOW
    optical = OpticalPort(_simulated("gen3"))
    taken = [False]

    async def watch() -> None:
        while True:
            await clock.sleep(1.0)
            taken.append(optical.takes_uart())

    async with _at_optical_port(optical) as meter:
        (data_set, *_) = await meter.read_load_profile_sets()
        await clock.sleep(10.0)
        sessions, began_at = meter.sessions, clock.time()
        watching = asyncio.create_task(watch())
        download = meter.load_profile(_NOW - timedelta(days=4), data_set=data_set)
        intervals = [each async for batch in download for each in batch.intervals]
        watching.cancel()
        assert len(intervals) > 300
        assert meter.sessions - sessions <= 2 + (clock.time() - began_at) / 45
    turns = [(is_taken, len(list(turn))) for is_taken, turn in groupby(taken)]
    assert all(seconds <= 33 for is_taken, seconds in turns if is_taken)
    assert all(seconds >= 14 for is_taken, seconds in turns[1:-1] if not is_taken)
