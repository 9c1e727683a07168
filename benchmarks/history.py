"""What the past costs: time of a download beside that of the wire, and of a live poll.

    .dev/next/bin/python -m benchmarks.history [--profile gen3] [--days 60]

The simulated meter runs in a process of its own behind a pty at 9600 baud. Meanwhile
the registers are polled every 10 seconds, as Home Assistant does. The limit of the wire
is what the bytes and the pauses of the guide ("MEP protocol timing") take at least;
the limit of the guide is one request a second on average, which the download keeps, and
without which it is measured once more. Then the rows are computed.
"""

import argparse
import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
import statistics
import tempfile
import time

# Home Assistant puts another library in the place of voluptuous, so it comes first.
import homeassistant.const  # noqa: F401  # isort: skip

from custom_components.nes_mep.descriptions import DEFAULT_REGISTERS
from custom_components.nes_mep.history.gaps import Point, Series, find_gaps
from custom_components.nes_mep.history.means import mean_rows
from custom_components.nes_mep.history.rows import fill, readings_of
from custom_components.nes_mep.history.spans import EVER, hour_of
from custom_components.nes_mep.history.way import Counting
from custom_components.nes_mep.osgp import (
    REQUEST_PERIOD,
    Access,
    LoadProfileInterval,
    Meter,
)
from tests.simulator import Pace, poll_time
from tools.simulator import Simulator, simulator

_KEY = "Wb7#kP2x!dL9vT4q"
_PACE = Pace(9600)
_POLL_PERIOD = 10.0
_KEYS = ("energy_import", "energy_export")


async def _poll(meter: Meter, seconds: list[float]) -> None:
    """Poll as Home Assistant does, and note how long each poll takes."""
    while True:
        start = time.perf_counter()
        await meter.read(DEFAULT_REGISTERS)
        taken = time.perf_counter() - start
        seconds.append(taken)
        await asyncio.sleep(max(0.0, _POLL_PERIOD - taken))


async def _exchanges(running: Simulator, since: int) -> list[tuple[int, int]]:
    """Return request and reply lengths of all exchanges but the first ones."""
    total = (await running.control("statistics"))["requests"]
    served = await running.control("requests", last=total - since)
    return [(each["request_length"], each["reply_length"]) for each in served]


async def _download(
    running: Simulator, meter: Meter, start: datetime, period: float
) -> list[LoadProfileInterval]:
    """Download the past since a time, polling meanwhile; print what it took."""
    polls: list[float] = []
    before = (await running.control("statistics"))["requests"]
    task = asyncio.create_task(_poll(meter, polls))
    begun = time.perf_counter()
    intervals: list[LoadProfileInterval] = []
    async for batch in meter.load_profile(start, period=period):
        intervals += batch.intervals
    taken = time.perf_counter() - begun
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    exchanges = await _exchanges(running, before)
    wire = poll_time(exchanges, _PACE)
    print(
        f"{period:8.1f} {len(intervals):9} {len(exchanges):8} "
        f"{sum(map(sum, exchanges)):8} {taken:8.1f} {wire:8.1f} "
        f"{max(wire, period * len(exchanges)) / taken:6.2f} {len(polls):6} "
        f"{statistics.median(polls) * 1000:8.0f} {max(polls) * 1000:8.0f}",
        flush=True,
    )
    return intervals


def _compute(intervals: list[LoadProfileInterval]) -> None:
    """Print how long it takes to compute the rows of two entities."""
    begun = time.process_time()
    rows = 0
    now = hour_of(datetime.now(UTC))
    for key in _KEYS:
        readings = readings_of(intervals, {key: 1.0})
        newest = readings[-1].value
        series = Series({}, current=(now, Point(newest, 0.0)))
        filling = fill(
            series,
            find_gaps(series, now),
            readings,
            Counting(),
            memory=timedelta(days=10),
            within=(EVER, now),
        )
        rows += len(filling.rows)
        rows += len(mean_rows(intervals, {key: 1000.0}, (EVER, now)))
    taken = (time.process_time() - begun) * 1000
    print(f"\n{rows} rows computed from them in {taken:.0f} ms")


async def main() -> None:
    """Measure one meter."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--profile", default="gen3")
    parser.add_argument("--days", type=int, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        device = Path(folder) / "meter"
        async with simulator(
            Path(folder), key=_KEY, profile=options.profile, device=device
        ) as running:
            meter = await Meter.open(Access(running.port, _KEY.encode()))
            alone = []
            for _ in range(10):
                begun = time.perf_counter()
                await meter.read(DEFAULT_REGISTERS)
                alone.append(time.perf_counter() - begun)
                await asyncio.sleep(0.2)
            print(
                f"{options.profile}, {options.days} days; a poll alone takes "
                f"{statistics.median(alone) * 1000:.0f} ms\n\n"
                f"{'pace s':>8} {'intervals':>9} {'requests':>8} {'bytes':>8} "
                f"{'s':>8} {'wire s':>8} {'ratio':>6} {'polls':>6} "
                f"{'median ms':>8} {'most ms':>8}"
            )
            start = datetime.now(UTC) - timedelta(days=options.days)
            intervals = []
            for period in (REQUEST_PERIOD, 0.0):
                intervals = await _download(running, meter, start, period)
            await meter.close()
            _compute(intervals)


if __name__ == "__main__":
    asyncio.run(main())
