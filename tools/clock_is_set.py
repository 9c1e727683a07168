"""The statistics after Home Assistant started with a clock in the past.

    .dev/next/bin/python -m tools.clock_is_set [--db-url URL]

A computer without a battery for its clock, such as a Raspberry Pi, goes on after a power
cut with the time of the cut, until a time server sets its clock. Home Assistant is killed
here, starts 6 hours later with the old time, and gets the right time two minutes after.
Each hour is compared with what the meter counted. It takes three quarters of an hour: the
time of day is moved between the parts, but runs as always.
"""

from argparse import ArgumentParser, Namespace
import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
import sys

from .fast_clock import FastClock
from .outages import Household
from .simulator import simulator
from .stage import KEY, Stage, perform, say

OFF = 6 * 3600
BEHIND_FOR = 120
SECONDS = 3600  # for a part


async def run(options: Namespace, folder: Path) -> None:
    """Let the power fail, and the clock be set after it."""
    # Ten minutes before a full hour, so that its end is seen soon.
    today = datetime.now(UTC).replace(minute=50, second=0, microsecond=0)
    clock = FastClock(start=today, speed=1)
    stage = Stage()
    async with simulator(folder, key=KEY, environment=clock.environment) as source:
        household = Household(clock, source, folder / "home", options)
        async with (
            stage.step("The first day, and a power cut", SECONDS),
            household.at_home() as house,
        ):
            begin = household.clock.now
            await household.next(20)
            await household.imported(house)
            await household.compare(house, [(begin, begin)])
            house.process.kill()
            cut = household.clock.now
        async with stage.step("With the time of the power cut", SECONDS):
            await household.skip(OFF + 1500)
            behind = (household.clock.now - cut).total_seconds()
            setting = household.clock.setting(folder / "time", behind)
            async with household.at_home(setting.environment) as house:
                await asyncio.sleep(BEHIND_FOR)
                say(f"  the clock is set forward by {timedelta(seconds=int(behind))}")
                setting.set()
                back = household.clock.now
                await household.next(20, after=timedelta(minutes=15))
                await household.imported(house)
                await household.compare(house, [(begin, begin), (cut, back)])
                await household.import_again(house)
    say(f"\nDone in {stage.seconds:.0f} s.")


if __name__ == "__main__":
    parser = ArgumentParser(prog="python -m tools.clock_is_set", description=__doc__)
    parser.add_argument("--db-url", help="database of the recorder, instead of SQLite")
    sys.exit(asyncio.run(perform(partial(run, parser.parse_args()))))
