"""The numbers of docs/recorder.md: how many rows an hour the recorder writes for a meter.

python -m tools.recorder_rows                         what the page says
python -m tools.recorder_rows --minutes 3 10 60       shorter, with these update intervals

A real Home Assistant reads simulated meters with the entities that are enabled by default.
Rows of `states` are counted in its database while time passes.
"""

from argparse import ArgumentParser, Namespace
import asyncio
from collections import Counter
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
import sqlite3
import sys
from typing import Final

from .home_assistant import HomeAssistant, home_assistant
from .simulator import simulator
from .stage import DOMAIN, KEY, Meter, Stage, perform, say

PROFILES: Final = ("gen3", "gen4", "ct")
INTERVALS: Final = (10, 30, 60)
MINUTES: Final = 6
SETTLING: Final = 20  # seconds after the interval was set

ROWS: Final = """
SELECT states_meta.entity_id, COUNT(*) FROM states
JOIN states_meta ON states.metadata_id = states_meta.metadata_id
GROUP BY states_meta.entity_id
"""


#: Its progress is shown while history is imported, here after each change of the interval.
TRANSIENT: Final = "history_progress"


@dataclass(frozen=True, slots=True)
class Subject:
    """A meter of some kind."""

    profile: str
    meter: Meter

    async def entities(self) -> tuple[int, int]:
        """Return how many entities are enabled, and how many there are."""
        listed = await self.meter.api.entities(self.meter.entry_id)
        enabled = sum(not entity["disabled_by"] for entity in listed.values())
        return enabled, len(listed)


def rows(database: Path) -> Counter[str]:
    """Return how many rows each entity has so far."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return Counter(dict(connection.execute(ROWS)))


async def add(
    house: HomeAssistant, profile: str, folder: Path, stack: AsyncExitStack
) -> Subject:
    """Add a meter of a kind."""
    source = await stack.enter_async_context(
        simulator(folder, key=KEY, profile=profile)
    )
    entry = await house.api.config_flow(DOMAIN, {"port": source.port, "key": KEY})
    meter = Meter(house.api, entry["result"]["entry_id"], profile)
    await meter.learn_entities()
    return Subject(profile, meter)


async def measure(database: Path, subject: Subject, minutes: float) -> Counter[str]:
    """Return how many rows an hour each entity of a meter gets."""
    # The entities of slow tables come later than the others.
    await subject.meter.learn_entities()
    before = rows(database)
    await asyncio.sleep(60 * minutes)
    gained = rows(database) - before
    return Counter(
        {
            entity_id: round(gained[entity_id] * 60 / minutes)
            for key, entity_id in subject.meter.entity_ids.items()
            if key != TRANSIENT
        }
    )


async def run(options: Namespace, folder: Path) -> None:
    """Measure every kind of meter at every interval, and print both tables."""
    stage = Stage()
    async with (
        AsyncExitStack() as stack,
        home_assistant(folder / "home") as house,
    ):
        database = folder / "home" / "home-assistant_v2.db"
        async with stage.step("Adding the meters", 120):
            subjects = [
                await add(house, profile, folder, stack) for profile in PROFILES
            ]
        found: dict[tuple[str, int], Counter[str]] = {}
        for interval in options.intervals:
            async with stage.step(
                f"Reading every {interval} s", 60 * options.minutes + 120
            ):
                for subject in subjects:
                    await house.api.options_flow(
                        subject.meter.entry_id, {"scan_interval": interval}
                    )
                await asyncio.sleep(SETTLING)
                counted = await asyncio.gather(
                    *(
                        measure(database, subject, options.minutes)
                        for subject in subjects
                    )
                )
                for subject, counts in zip(subjects, counted, strict=True):
                    found[subject.profile, interval] = counts
        await report(subjects, options.intervals, found)


async def report(
    subjects: list[Subject],
    intervals: list[int],
    found: dict[tuple[str, int], Counter[str]],
) -> None:
    """Print the rows an hour, of each meter and of each entity."""
    heads = " | ".join(f"rows an hour at {interval} s" for interval in intervals)
    say(f"\n| meter | entities enabled | available | {heads} |")
    for subject in subjects:
        counts = " | ".join(
            f"{found[subject.profile, interval].total():,}" for interval in intervals
        )
        enabled, available = await subject.entities()
        say(f"| {subject.profile} | {enabled} | {available} | {counts} |")
    for subject in subjects:
        say(f"\n{subject.profile}:")
        for entity_id, _ in found[subject.profile, intervals[0]].most_common():
            per_interval = [
                found[subject.profile, interval][entity_id] for interval in intervals
            ]
            say(f"  {entity_id:52}" + "".join(f"{rows:7}" for rows in per_interval))


def parse(arguments: list[str]) -> Namespace:
    """Read the command line."""
    parser = ArgumentParser(prog="python -m tools.recorder_rows", description=__doc__)
    parser.add_argument("intervals", nargs="*", type=int, default=list(INTERVALS))
    parser.add_argument("--minutes", type=float, default=MINUTES, help="per interval")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(asyncio.run(perform(partial(run, parse(sys.argv[1:])))))
