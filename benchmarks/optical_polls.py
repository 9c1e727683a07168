"""Poll a simulated meter at its optical port while bytes are damaged.

    .dev/next/bin/python -m benchmarks.optical_polls [--polls 10000] [--rate 0.001]

Each byte, in both directions, is turned, lost or doubled at a rate. Each poll reads two
parts of the registers, of one length and at places by chance, so that the reply to one
read would be a wrong reply to another. Time is driven.
"""

import argparse
import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

from custom_components.nes_mep.osgp import Access, Meter, MeterError, MeterPort
from custom_components.nes_mep.osgp.requests import PartialRead
from tests.driven_clock import driven_clock
from tests.simulator import (
    PROFILES,
    OpticalPort,
    OpticalSettings,
    SimulatedMeter,
    serve_tcp,
)
from tests.simulator.optical import READ_KEY

_NOW = datetime(2026, 2, 17, 18, 40, 30, tzinfo=UTC)
_TABLES = (23, 28)
_COUNT = 40
_INTERVAL = 10.0
_RATES = (1e-4, 1e-3)
_GRACE = 0.001
"""Real seconds for which bytes may be on their way; a late one is damage as well."""


@dataclass(slots=True)
class Result:
    """What came of polls; longest is the seconds between two that were answered."""

    polls: int = 0
    wrong: int = 0
    longest: float = 0.0
    sessions: int = 0
    damaged: int = 0
    repeated: int = 0
    mean_time: float = 0.0
    errors: Counter[str] | None = None


async def poll(
    settings: OpticalSettings, rate: float, polls: int, *, echoes: bool = False
) -> Result:
    """Poll so often, with damage to each byte at a rate."""
    simulated = SimulatedMeter(PROFILES["gen4"])
    simulated.freeze(_NOW)
    optical = OpticalPort(simulated, settings=settings)
    optical.echoes = echoes
    clock, random, result = driven_clock(), Random(5), Result(errors=Counter())  # noqa: S311
    clock.grace = _GRACE
    async with serve_tcp(optical, timers=clock) as url:
        meter = await Meter.open(
            Access(url, READ_KEY, port=MeterPort.OPTICAL), clock=clock
        )
        whole = {table: await meter.read_table(table) for table in _TABLES}
        optical.noise.rate = rate
        answered_at = clock.time()
        spent = 0.0
        while result.polls < polls:
            result.polls += 1
            began_at = clock.time()
            try:
                for table in _TABLES:
                    offset = random.randrange(len(whole[table]) - _COUNT)
                    data = await meter.request(PartialRead(table, offset, _COUNT))
                    result.wrong += data != whole[table][offset : offset + _COUNT]
            except MeterError as err:
                assert result.errors is not None
                result.errors[type(err).__name__] += 1
            else:
                now = clock.time()
                result.longest = max(result.longest, now - answered_at)
                spent += now - began_at
                answered_at = now
            await clock.sleep(max(0.0, began_at + _INTERVAL - clock.time()))
        assert result.errors is not None
        result.mean_time = spent / max(1, polls - result.errors.total())
        result.sessions = meter.sessions
        result.damaged = meter.statistics.digest_failures
        result.repeated = meter.statistics.resent
        optical.noise.rate = 0.0
        await meter.close()
    return result


def main() -> int:
    """Print what came of it; return 1 if a wrong value was accepted."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--polls", type=int, default=10_000)
    parser.add_argument("--rate", type=float, action="append")
    options = parser.parse_args()
    rates: Sequence[float] = options.rate or _RATES
    wrong = 0
    for rate in rates:
        for alternates in (True, False):
            settings = OpticalSettings(packet_size=512, alternates=alternates)
            result = asyncio.run(poll(settings, rate, options.polls))
            wrong += result.wrong
            assert result.errors is not None
            print(
                f"{rate:g} a byte, toggle {'alternates' if alternates else 'stays'}: "
                f"{result.polls} polls, {result.wrong} wrong values, "
                f"{result.damaged} damaged packets, {result.repeated} repetitions, "
                f"{result.sessions} sessions, {result.errors.total()} failed "
                f"{dict(result.errors)}, {result.mean_time:.2f} s a poll, "
                f"longest pause {result.longest:.0f} s",
                flush=True,
            )
    return int(wrong > 0)


if __name__ == "__main__":
    raise SystemExit(main())
