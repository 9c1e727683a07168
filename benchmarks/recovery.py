"""How many wrong values get through when replies are damaged, and how long it takes.

    .dev/next/bin/python -m benchmarks.recovery [--replies 20000] [--parallel 40]

The field bug first: meters that refuse full reads of BT23 or BT28. Then, for each
kind of fault, meters without pacing are polled until so many
replies were hit. Time moves before every poll, so that an old value is a wrong
value. Last, one fault at 9600 baud, and the time from the start of the poll
that meets it to true values of all registers.
"""

import argparse
import asyncio
from dataclasses import dataclass, replace
import itertools
import statistics
import time

from custom_components.nes_mep.osgp import Access, Meter, MeterError, Readings
from tests.driven_clock import driven_clock
from tests.simulator import DEFAULT_KEY, PROFILES, Fault, SimulatedMeter, serve_tcp

_FAULTS = {
    "one corrupted byte": Fault(kind="corrupt", probability=0.5),
    "one dropped byte": Fault(kind="drop_byte", probability=0.5),
    "doubled reply": Fault(kind="double"),
    "stale reply of another table before": Fault(kind="stale"),
    "stale reply of another table instead": Fault(
        kind="stale", replace=True, probability=0.5
    ),
    "alert bytes before and after": Fault(kind="alert", count=2),
    "cut in mid-reply": Fault(kind="truncate", probability=0.5),
    "lost reply": Fault(kind="lose_reply", probability=0.5),
    "connection cut in mid-reply": Fault(kind="disconnect", probability=0.5),
}


@dataclass(slots=True)
class Tally:
    """What the polls of one kind of fault came to."""

    hits: int = 0
    polls: int = 0
    complete: int = 0
    values: int = 0
    wrong: int = 0


def _wrong(meter: Meter, readings: Readings, simulated: SimulatedMeter) -> int:
    """Return how many of the readings are not what the meter says is true."""
    truth = simulated.truth()
    wrong = 0
    for key, value in readings.values.items():
        register = meter.registers[key]
        if register.operands:
            first, second = (readings.values[operand] for operand in register.operands)
            wrong += value != first - second
            continue
        tariff = key.rpartition("_tariff_")[2] if "_tariff_" in key else ""
        name = f"tier{int(tariff) - 1}.{register.source}" if tariff else register.source
        wrong += value != register.shown(truth[name])
    return wrong


async def _poll_with_field_bug(polls: int) -> int:
    """Print how many polls were complete, and return how many values were wrong."""
    print(f"{'full reads refused':38} {'polls':>7} {'complete':>9}  wrong")
    wrong = 0
    for code, tables in itertools.product(
        (0x0B, 0x0C), (("BT23",), ("BT28",), ("BT23", "BT28"))
    ):
        simulated = SimulatedMeter(PROFILES["gen3"], paced=False)
        simulated.freeze()
        for table in tables:
            simulated.add_fault(
                Fault(kind="refuse", table=table, request_code=0x30, code=code)
            )
        complete = 0
        async with serve_tcp(simulated) as url:
            meter = await Meter.open(Access(url, DEFAULT_KEY), clock=driven_clock())
            for _ in range(polls):
                simulated.shift(11)
                readings = await meter.read()
                complete += set(readings.values) == set(meter.registers)
                wrong += _wrong(meter, readings, simulated)
            await meter.close()
        name = f"0x{code:02X} for {' and '.join(tables)}"
        print(f"{name:38} {polls:7} {complete / polls:9.1%}  {wrong}", flush=True)
    return wrong


async def _poll_one_meter(fault: Fault, hits: int, seed: int, tally: Tally) -> None:
    """Poll a meter until so many of its replies were hit."""
    # One house for all: days of load take long to make. The faults differ.
    simulated = SimulatedMeter(PROFILES["gen3"], paced=False)
    simulated.random.seed(seed)
    simulated.freeze()
    async with serve_tcp(simulated) as url:
        meter = await Meter.open(Access(url, DEFAULT_KEY), clock=driven_clock())
        await meter.read()
        active = simulated.add_fault(fault)
        while active.hits < hits:
            simulated.shift(11)
            tally.polls += 1
            try:
                readings = await meter.read()
            except MeterError:
                continue
            tally.complete += not readings.errors
            tally.values += len(readings.values)
            tally.wrong += _wrong(meter, readings, simulated)
        tally.hits += active.hits
        await meter.close()


async def _count_wrong_values(replies: int, parallel: int) -> int:
    """Print the first part and return the number of wrong values."""
    print(
        f"\n{'fault':38} {'hits':>7} {'polls':>7} {'complete':>9} {'values':>9}  wrong"
    )
    wrong = 0
    for name, fault in _FAULTS.items():
        tally = Tally()
        async with asyncio.TaskGroup() as group:
            for seed in range(parallel):
                group.create_task(
                    _poll_one_meter(fault, -(-replies // parallel), seed, tally)
                )
        wrong += tally.wrong
        print(
            f"{name:38} {tally.hits:7} {tally.polls:7} "
            f"{tally.complete / tally.polls:9.1%} {tally.values:9}  {tally.wrong}",
            flush=True,
        )
    return wrong


async def _time_recovery(repetitions: int) -> None:
    """Print the second part."""
    print("\nAt 9600 baud, a single fault: seconds to true values of all registers")
    for name, fault in _FAULTS.items():
        simulated = SimulatedMeter(PROFILES["gen3"])
        simulated.freeze()
        seconds = []
        async with serve_tcp(simulated) as url:
            meter = await Meter.open(Access(url, DEFAULT_KEY))
            await meter.read()
            for _ in range(repetitions):
                simulated.shift(11)
                simulated.clear_faults()
                simulated.add_fault(replace(fault, times=1, probability=1.0))
                start = time.perf_counter()
                polls = 0
                complete = False
                while not complete:
                    polls += 1
                    readings = await meter.read()
                    complete = not readings.errors
                if polls > 1 or _wrong(meter, readings, simulated):
                    print(f"{name}: {polls} polls, or a wrong value")
                seconds.append(time.perf_counter() - start)
            await meter.close()
        print(
            f"{name:38} median {statistics.median(seconds):5.2f}, "
            f"longest {max(seconds):5.2f}",
            flush=True,
        )


async def main() -> int:
    """Run all parts; return 1 when a wrong value got through."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--replies", type=int, default=20_000)
    parser.add_argument("--polls", type=int, default=200)
    parser.add_argument("--parallel", type=int, default=40)
    parser.add_argument("--repetitions", type=int, default=10)
    arguments = parser.parse_args()
    wrong = await _poll_with_field_bug(arguments.polls)
    wrong += await _count_wrong_values(arguments.replies, arguments.parallel)
    await _time_recovery(arguments.repetitions)
    print(f"\nWrong values accepted: {wrong}")
    return int(wrong > 0)


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
