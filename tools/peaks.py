"""Average powers in a real Home Assistant that is restarted, against the meter's own.

python -m tools.peaks [--speed 20] [--hours 6]

Home Assistant and the simulated meter run so many times as fast as the clock on the wall.
Home Assistant is stopped for some minutes, killed for some minutes, and stopped for
hours. All the time, what the entities show is compared with what the meter counted.
"""

from argparse import ArgumentParser, Namespace
import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
import sys
from typing import Any

from .fast_clock import FastClock
from .home_assistant import HomeAssistant
from .outages import Household
from .process import ToolError
from .simulator import Simulator, simulator
from .stage import KEY, UNUSABLE, Stage, perform, say

QUARTER = timedelta(minutes=15)
MEAN = "month_mean_peak_power_import"


class Comparison:
    """What was shown, compared with the meter: the worst errors in W."""

    def __init__(self, source: Simulator) -> None:
        """Start with nothing compared."""
        self._source = source
        self._counted: dict[datetime, float] = {}
        self.worst: dict[str, float] = {}
        self.count: dict[str, int] = {}

    async def counted(self, time: datetime) -> float:
        """Return the register at a time, in Wh."""
        if time not in self._counted:
            self._counted[time] = await self._source.control(
                "register_truth", source=0, time=time.isoformat()
            )
        return self._counted[time]

    async def average(self, start: datetime) -> float:
        """Return the true average of the quarter that begins then."""
        return 4 * (await self.counted(start + QUARTER) - await self.counted(start))

    def add(self, kind: str, error: float) -> None:
        """Add an error."""
        self.worst[kind] = max(abs(error), self.worst.get(kind, 0.0))
        self.count[kind] = self.count.get(kind, 0) + 1

    async def look(self, household: Household, house: HomeAssistant) -> None:
        """Compare what is shown now."""
        assert household.meter
        states = await house.api.states()

        def shown(key: str) -> dict[str, Any] | None:
            assert household.meter
            state = states.get(household.meter.entity_id(key))
            return None if state is None or state["state"] in UNUSABLE else state

        if last := shown("last_interval_power_import"):
            start = datetime.fromisoformat(last["attributes"]["interval_start"])
            kind = "final" if last["attributes"]["exact"] else "interpolated"
            truth = await self.average(start.astimezone(UTC))
            self.add(kind, float(last["state"]) - truth)
        if running := shown("interval_power_import"):
            start = datetime.fromisoformat(running["attributes"]["interval_start"])
            time = datetime.fromisoformat(running["last_updated"])
            begun = await self.counted(start.astimezone(UTC))
            truth = 4 * (await self.counted(time) - begun)
            del self._counted[time]
            self.add("running", float(running["state"]) - truth)

    async def look_at_month(self, household: Household, house: HomeAssistant) -> None:
        """Raise ToolError unless the peaks of the month are those of the meter."""
        assert household.meter
        state = (await house.api.states())[household.meter.entity_id(MEAN)]
        peaks = state["attributes"].get("peaks", [])
        wrong = [
            peak
            for peak in peaks
            if peak["power"]
            != await self.average(
                datetime.fromisoformat(peak["interval_start"]).astimezone(UTC)
            )
        ]
        say(
            f"  mean of {len(peaks)} peaks: {state['state']} W, {len(wrong)} of them wrong"
        )
        if wrong or not peaks:
            raise ToolError(f"These peaks are not the meter's: {wrong or 'none'}")

    def show(self) -> None:
        """Print the worst errors."""
        for kind, worst in sorted(self.worst.items()):
            say(f"  {kind}: {worst:.1f} W at worst, of {self.count[kind]} looks")


async def live(
    household: Household, house: HomeAssistant, comparison: Comparison, hours: float
) -> None:
    """Compare until so much time has passed."""
    end = household.clock.now + timedelta(hours=hours)
    while household.clock.now < end:
        await comparison.look(household, house)
        await asyncio.sleep(household.clock.real(30))


async def run(options: Namespace, folder: Path) -> None:
    """Let Home Assistant live with restarts, and compare all the time."""
    clock = FastClock(start=datetime.now(UTC), speed=options.speed)
    stage = Stage()
    async with simulator(folder, key=KEY, environment=clock.environment) as source:
        household = Household(clock, source, folder / "home", options)
        comparison = Comparison(source)
        limit = 3600 * (options.hours + 3) / options.speed + 600
        for what, off, kill in (
            ("The first hours; then stopped for some minutes", 0.0, False),
            ("Then killed for some minutes", 0.0, True),
            ("Then stopped for 5 hours", 5 * 3600.0, False),
            ("The last hours", 0.0, False),
        ):
            async with stage.step(what, limit), household.at_home() as house:
                await live(household, house, comparison, options.hours / 4)
                comparison.show()
                await comparison.look_at_month(household, house)
                if kill:
                    house.process.kill()
            await household.skip(off)
    if comparison.worst.get("final") != 0:
        raise ToolError("The final values are not the meter's.")


if __name__ == "__main__":
    parser = ArgumentParser(prog="python -m tools.peaks", description=__doc__)
    parser.add_argument("--speed", type=int, default=20, help="times as fast (20)")
    parser.add_argument("--hours", type=float, default=6, help="time to compare (6)")
    parser.set_defaults(db_url=None)
    sys.exit(asyncio.run(perform(partial(run, parser.parse_args()))))
