"""The past of a simulated meter in a real Home Assistant, compared with the truth.

python -m tools.history [--profile gen3]

Nothing is mocked, and no time is moved: Home Assistant makes its first statistics of 5
minutes, the integration imports the load profile by itself over a paced line, and each
hour is asked for as the Energy dashboard does. It takes up to a quarter of an hour.
"""

from argparse import ArgumentParser, Namespace
import asyncio
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
import sys

from tests.simulator import SimulatedMeter
from tests.simulator.catalogue import EVERY_PROFILE

from .home_assistant import HomeAssistant, home_assistant
from .process import ToolError
from .simulator import simulator
from .stage import DOMAIN, KEY, Meter, Stage, perform, say

HOUR = timedelta(hours=1)
IMPORTED_KEYS = {"energy_import": 0, "energy_export": 1}


async def hours(house: HomeAssistant, entity_id: str) -> dict[datetime, float]:
    """Return what an entity counted in each hour, as Home Assistant tells it."""
    rows = await house.api.statistics(entity_id)
    return {start: row["change"] for start, row in rows.items()}


async def imported(house: HomeAssistant, meter: Meter) -> None:
    """Wait until the integration has imported the past, and say how far it is."""
    entity_id = meter.entity_id("history_progress")
    shown = ""
    while not shown.startswith("complete"):
        state = (await house.api.states())[entity_id]
        progress = state["attributes"]["progress"] or 0
        text = f"{state['state']}, {progress // 10 * 10} %"
        if text != shown:
            say(f"  history import: {text}")
        shown = text
        await asyncio.sleep(1)


def compare(found: dict[datetime, float], profile: str, source: int) -> None:
    """Raise ToolError unless every hour but the first is there and true."""
    truth = SimulatedMeter(EVERY_PROFILE[profile])
    first, *others = found
    if missing := [
        hour
        for hour in (first + n * HOUR for n in range(len(found)))
        if hour not in found
    ]:
        raise ToolError(f"{len(missing)} hours are missing, the first is {missing[0]}.")
    wrong = [
        hour
        for hour in others
        if abs(
            found[hour] * 1000
            - truth.register_truth(source, hour + HOUR)
            + truth.register_truth(source, hour)
        )
        > 0.001
    ]
    say(
        f"  {len(found)} hours since {first:%Y-%m-%d %H:%M} UTC, "
        f"{sum(found.values()):.3f} kWh, differing from the meter: {len(wrong)}"
    )
    if wrong:
        raise ToolError(f"The hour {wrong[0]} is not what the meter counted.")


async def run(options: Namespace, folder: Path) -> None:
    """Let the past of a meter be imported, and imported again."""
    stage = Stage()
    async with AsyncExitStack() as stack:
        async with stage.step("Starting the meter and Home Assistant", 180):
            source = await stack.enter_async_context(
                simulator(folder, key=KEY, profile=options.profile)
            )
            house = await stack.enter_async_context(home_assistant(folder / "home"))
            stage.children += [source.process, house.process]
            entry = await house.api.config_flow(
                DOMAIN, {"port": source.port, "key": source.key}
            )
            meter = Meter(house.api, entry["result"]["entry_id"], entry["title"])
            await meter.learn_entities()
        async with stage.step("Waiting for the past", 1200):
            await imported(house, meter)
        for key, number in IMPORTED_KEYS.items():
            async with stage.step(f"Comparing {key} with the meter", 60):
                compare(
                    await hours(house, meter.entity_id(key)), options.profile, number
                )
        async with stage.step("Importing it once more", 600):
            answer = await house.api.action(
                DOMAIN, "import_history", config_entry_id=meter.entry_id
            )
            say(f"  hours written: {answer['hours_written']}")
            if answer["hours_written"]:
                raise ToolError("A second import has changed something.")


if __name__ == "__main__":
    parser = ArgumentParser(prog="python -m tools.history", description=__doc__)
    parser.add_argument("--profile", default="gen3", help="kind of meter (gen3)")
    sys.exit(asyncio.run(perform(partial(run, parser.parse_args()))))
