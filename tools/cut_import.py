"""An import that is cut three times costs hardly more than one that is not.

    .dev/next/bin/python -m tools.cut_import [--speed 10]

The load profile of a simulated meter is imported into a real Home Assistant twice: once
without a disturbance, and once with the entry reloaded, Home Assistant killed and the link
lost when 30, 60 and 90 % of the requests were made. Each hour is compared with what the
meter counted. Requests that a silent meter does not answer are not counted. Ends with exit
code 0 if the second import needs at most 1.1 times as many requests for the load profile.
"""

from argparse import ArgumentParser, Namespace
import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
import sys

from .fast_clock import FastClock
from .home_assistant import HomeAssistant
from .outages import Household
from .process import ToolError
from .simulator import simulator
from .stage import KEY, Stage, perform, say

MOST = 1.1
SILENT_FOR = 120  # seconds by the fast clock
SECONDS = 3600  # for an import
LOAD_PROFILE_DATA = "BT64"


@asynccontextmanager
async def household(folder: Path, options: Namespace) -> AsyncIterator[Household]:
    """Run a meter of its own for a Home Assistant of its own."""
    await asyncio.to_thread(folder.mkdir)
    # Long before a full hour, so that both have to import the same.
    start = datetime.now(UTC).replace(minute=20, second=0, microsecond=0)
    clock = FastClock(start=start, speed=options.speed)
    async with simulator(folder, key=KEY, environment=clock.environment) as source:
        yield Household(clock, source, folder / "home", options)


async def requests(home: Household) -> int:
    """Return how often the meter has sent data of the load profile."""
    statistics = await home.source.control("statistics")
    count: int = statistics["answered"].get(LOAD_PROFILE_DATA, 0)
    return count


async def reach(home: Household, count: int) -> None:
    """Wait until the meter was asked so often."""
    while True:
        if await requests(home) >= count:
            return
        await asyncio.sleep(0.2)


async def finish(home: Household, house: HomeAssistant) -> int:
    """Wait for the end of the import, compare it, and return the requests."""
    await home.imported(house)
    asked = await requests(home)
    await home.compare(house, [(home.clock.now, home.clock.now)])
    return asked


async def run(options: Namespace, folder: Path) -> None:
    """Import the same twice, and compare what it takes."""
    stage = Stage()
    async with (
        stage.step("Importing without a disturbance", SECONDS),
        household(folder / "whole", options) as home,
        home.at_home() as house,
    ):
        whole = await finish(home, house)
        say(f"  {whole} requests for the load profile")
    async with (
        stage.step("Importing with three cuts", SECONDS),
        household(folder / "cut", options) as home,
    ):
        async with home.at_home() as house:
            await reach(home, round(0.3 * whole))
            say("  the entry is reloaded")
            assert home.meter
            await house.api.request(
                "POST", f"config/config_entries/entry/{home.meter.entry_id}/reload"
            )
            await reach(home, round(0.6 * whole))
            say("  Home Assistant is killed")
            house.process.kill()
        async with home.at_home() as house:
            await reach(home, round(0.9 * whole))
            say(f"  the meter is silent for {SILENT_FOR} s")
            await home.source.control("add_fault", spec="silence")
            await asyncio.sleep(home.clock.real(SILENT_FOR))
            await home.source.control("clear_faults")
            cut = await finish(home, house)
            await home.import_again(house)
    say(f"\n{whole} requests without cuts, {cut} with three: {cut / whole:.3f} times.")
    if cut > MOST * whole:
        raise ToolError("That is too many.")


if __name__ == "__main__":
    parser = ArgumentParser(prog="python -m tools.cut_import", description=__doc__)
    parser.add_argument("--speed", type=int, default=10, help="times as fast (10)")
    parser.set_defaults(db_url=None)
    sys.exit(asyncio.run(perform(partial(run, parser.parse_args()))))
