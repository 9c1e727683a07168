"""What is left of an outage in the statistics of a real Home Assistant: nothing.

python -m tools.outages [--speed 20] [--db-url URL]

Home Assistant and the simulated meter run so many times as fast as the clock on the wall;
the recorder compiles its hours by itself. Home Assistant is stopped for 6 hours, killed
for 6 hours, and restarted around a full hour. After each time, the reading at the end of
every hour is compared with what the meter had then.
"""

from argparse import ArgumentParser, Namespace
import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
import sys
from typing import Any

from .fast_clock import FastClock
from .home_assistant import HomeAssistant, home_assistant
from .process import ToolError
from .simulator import Simulator, simulator
from .stage import DOMAIN, KEY, Meter, Stage, perform, say

HOUR = timedelta(hours=1)
COUNTED = {"energy_import": 0, "energy_export": 1}

type Rows = dict[datetime, dict[str, float]]


class Household:
    """A meter and, from time to time, a Home Assistant that reads it."""

    def __init__(
        self, clock: FastClock, source: Simulator, folder: Path, options: Namespace
    ) -> None:
        """Initialize; Home Assistant does not run yet."""
        self.clock = clock
        self.source = source
        self.folder = folder
        self.meter: Meter | None = None
        self._entry: dict[str, Any] | None = None
        self._db_url = options.db_url

    @asynccontextmanager
    async def at_home(
        self, environment: Mapping[str, str] | None = None
    ) -> AsyncIterator[HomeAssistant]:
        """Run Home Assistant by this household's clock, unless it gets another one."""
        more = f"  db_url: {self._db_url}\n" if self._db_url else ""
        async with home_assistant(
            self.folder,
            environment=environment or self.clock.environment,
            recorder=more,
            patience=self.clock.speed,
        ) as house:
            if self._entry is None:
                self._entry = await house.api.config_flow(
                    DOMAIN, {"port": self.source.port, "key": self.source.key}
                )
            entry = self._entry["result"]["entry_id"]
            self.meter = Meter(house.api, entry, self._entry["title"])
            await self.meter.learn_entities()
            yield house

    async def skip(self, seconds: float) -> None:
        """Let so much time pass at once, while Home Assistant is off."""
        self.clock = self.clock.moved(seconds)
        await self.source.control("shift", seconds=seconds)

    async def until(self, time: datetime) -> None:
        """Wait until a time."""
        left = (time - self.clock.now).total_seconds()
        await asyncio.sleep(max(0.0, self.clock.real(left)))

    async def next(self, minute: int, after: timedelta = timedelta(0)) -> None:
        """Wait until a minute of the hour, at the earliest after some time."""
        now = self.clock.now + after
        time = now.replace(minute=minute, second=0, microsecond=0)
        await self.until(time if time >= now else time + HOUR)

    async def imported(self, house: HomeAssistant) -> None:
        """Wait until nothing is left to be imported."""
        assert self.meter
        entity_id = self.meter.entity_id("history_progress")
        while True:
            state = (await house.api.states())[entity_id]
            if state["state"] == "complete":
                return
            await asyncio.sleep(1)

    async def import_again(self, house: HomeAssistant) -> None:
        """Import once more; raise ToolError if that changes anything."""
        assert self.meter
        answer = await house.api.action(
            DOMAIN, "import_history", config_entry_id=self.meter.entry_id
        )
        if answer["hours_written"]:
            raise ToolError(f"A second run has changed something: {answer}")

    async def rows(self, house: HomeAssistant, key: str) -> Rows:
        """Return the hourly rows of an entity."""
        assert self.meter
        return await house.api.statistics(self.meter.entity_id(key))

    async def compare(
        self, house: HomeAssistant, off: list[tuple[datetime, datetime]]
    ) -> None:
        """Raise ToolError unless every hour is there and what the meter counted.

        Hours that ended while Home Assistant was off are so to the watt-hour, the others
        as of the last reading in them.
        """
        for key, number in COUNTED.items():
            rows = await self.rows(house, key)
            hours = list(rows)
            missing = sorted(
                {hours[0] + n * HOUR for n in range((hours[-1] - hours[0]) // HOUR)}
                - rows.keys()
            )
            worst = {True: 0.0, False: 0.0}
            for hour, row in rows.items():
                if len(off) > 2 and hour < off[0][0] - 48 * HOUR:
                    continue
                truth = await self.source.control(
                    "register_truth", source=number, time=(hour + HOUR).isoformat()
                )
                end = hour + HOUR
                was_off = end <= off[0][0] or any(a < end <= b for a, b in off)
                worst[was_off] = max(worst[was_off], abs(row["state"] - truth / 1000))
            broken = [
                after["start"]
                for before, after in pairwise(rows.values())
                if abs(after["sum"] - before["sum"] - after["state"] + before["state"])
                > 0.001
            ]
            say(
                f"  {key}: {len(rows)} hours, missing {len(missing)}; differ by at most "
                f"{worst[True]:.3f} kWh (imported), {worst[False]:.3f} kWh (seen); sums "
                f"broken {len(broken)} times"
            )
            if missing or broken or worst[True] > 0.001 or worst[False] > 0.05:
                raise ToolError(f"{key} is not what the meter counted.")


async def run(options: Namespace, folder: Path) -> None:
    """Let Home Assistant live with interruptions, and compare after each."""
    clock = FastClock(start=datetime.now(UTC), speed=options.speed)
    stage = Stage()
    off: list[tuple[datetime, datetime]] = []
    async with simulator(
        folder,
        key=KEY,
        environment=clock.environment,
    ) as source:
        household = Household(clock, source, folder / "home", options)

        async with stage.step("The first day", 1800), household.at_home() as house:
            off.append((household.clock.now, household.clock.now))
            await household.next(20, after=HOUR)
            await household.imported(house)
            await household.compare(house, off)
            off.append((household.clock.now, household.clock.now))

        async def away(
            what: str,
            seconds: float,
            *,
            kill: bool = False,
            minute: int | None = None,
        ) -> None:
            """Come back after an interruption, and look."""
            async with stage.step(what, 1800):
                await household.skip(seconds)
                async with household.at_home() as house:
                    off[-1] = off[-1][0], household.clock.now
                    await household.next(20, after=timedelta(minutes=15))
                    await household.imported(house)
                    await household.compare(house, off)
                    await household.import_again(house)
                    if minute is not None:
                        await household.next(minute)
                    off.append((household.clock.now, household.clock.now))
                    if kill:
                        house.process.kill()
                off[-1] = off[-1][0], household.clock.now

        six = 6 * 3600
        await away("Stopped for 6 hours; then killed", six, kill=True)
        await away(
            "Killed, for 6 hours; then stopped before a full hour", six, minute=58
        )
        await away("Stopped for some minutes", 0, kill=True, minute=59)
        await away("Killed for some minutes", 0)


if __name__ == "__main__":
    parser = ArgumentParser(prog="python -m tools.outages", description=__doc__)
    parser.add_argument("--speed", type=int, default=20, help="times as fast (20)")
    parser.add_argument("--db-url", help="database of the recorder, instead of SQLite")
    sys.exit(asyncio.run(perform(partial(run, parser.parse_args()))))
