"""What imported hours cost, in the Energy dashboard of a real Home Assistant.

python -m tools.costs [--speed 30] [--picture FILE]

Three simulated meters have a fixed, an hourly and a quarter-hourly price, and their export is
compensated. Home Assistant and the meters run so many times as fast as the clock on the
wall, and the recorder compiles its hours by itself: the past before the meters were added,
an outage of the link, a stop, a crash, and hours in between that Home Assistant has seen.
At the end, each hour is compared with its energy times its price, both as they were.
"""

from argparse import ArgumentParser, Namespace
import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
import os
from pathlib import Path
import signal
import sys
from typing import Any, Final

from tests.simulator import SimulatedMeter
from tests.simulator.catalogue import EVERY_PROFILE

from .browser import browser
from .fast_clock import FastClock
from .history import hours
from .home_assistant import HomeAssistant, home_assistant
from .process import ToolError
from .screenshots import log_in
from .simulator import Simulator, simulator
from .stage import DOMAIN, KEY, Meter, Stage, perform, say

HOUR: Final = timedelta(hours=1)
QUARTER: Final = timedelta(minutes=15)
TOLERANCE: Final = 0.003
POLL: Final = 15  # seconds
DAY: Final = datetime(2026, 11, 20, tzinfo=UTC)
TIME_ZONE: Final = "Europe/Copenhagen"

type Tariff = Callable[[datetime], float]


def fixed(_: datetime) -> float:
    """Return a price that never changes."""
    return 0.25


def paid(_: datetime) -> float:
    """Return what exported energy is paid."""
    return 0.08


def hourly(time: datetime) -> float:
    """Return a price that changes each hour, and is negative at times."""
    return round(0.05 * ((time.day * 24 + time.hour) * 7 % 11) - 0.1, 4)


def quarterly(time: datetime) -> float:
    """Return a price that changes each quarter of an hour."""
    return round(hourly(time) + time.minute // 15 * 5 % 4 * 0.07, 4)


_HOURLY: Final = "0.05 * ((utcnow().day * 24 + utcnow().hour) * 7 % 11) - 0.1"
ENTITIES: Final[dict[Tariff, tuple[str, str]]] = {
    hourly: ("Hourly price", f"{{{{ ({_HOURLY}) | round(4) }}}}"),
    quarterly: (
        "Quarterly price",
        f"{{{{ ({_HOURLY} + utcnow().minute // 15 * 5 % 4 * 0.07) | round(4) }}}}",
    ),
}
"""The names of the entities that show a price, and the templates that make it."""


@dataclass(slots=True, kw_only=True)
class Household:
    """A meter, and what its energy costs."""

    profile: str
    tariff: Tariff
    paid: Tariff
    source: Simulator = field(init=False)
    entry: dict[str, Any] = field(init=False)
    meter: Meter = field(init=False)

    @property
    def series(self) -> list[tuple[str, str, int, Tariff]]:
        """What counts costs: energy, ending of its id, register, and price."""
        return [
            (self.meter.entity_id("energy_import"), "cost", 0, self.tariff),
            (self.meter.entity_id("energy_export"), "compensation", 1, self.paid),
        ]

    @property
    def energy_source(self) -> dict[str, Any]:
        """The grid connection in the Energy dashboard."""
        return {
            "type": "grid",
            "cost_adjustment_day": 0,
            "stat_energy_from": self.meter.entity_id("energy_import"),
            "stat_energy_to": self.meter.entity_id("energy_export"),
            "stat_cost": None,
            "stat_compensation": None,
            **_price(self.tariff, ""),
            **_price(self.paid, "_export"),
        }


def _price(tariff: Tariff, direction: str) -> dict[str, Any]:
    """Return a price as the Energy dashboard is set to it."""
    entity_id = None
    if tariff in ENTITIES:
        entity_id = f"sensor.{ENTITIES[tariff][0].lower().replace(' ', '_')}"
    return {
        f"entity_energy_price{direction}": entity_id,
        f"number_energy_price{direction}": None if entity_id else tariff(DAY),
    }


class Story:
    """What happens to a Home Assistant with three meters."""

    def __init__(self, folder: Path, options: Namespace) -> None:
        """Initialize with where it happens."""
        self._folder = folder
        self._speed = options.speed
        self.households = [
            Household(profile="gen3", tariff=fixed, paid=hourly),
            Household(profile="gen3_demand", tariff=hourly, paid=paid),
            Household(profile="gen4", tariff=quarterly, paid=quarterly),
        ]
        self.clock: FastClock

    @asynccontextmanager
    async def living(self, start: datetime) -> AsyncIterator[HomeAssistant]:
        """Run everything from a time on."""
        self.clock = FastClock(start=start, speed=self._speed)
        async with AsyncExitStack() as stack:
            for household in self.households:
                folder = self._folder / household.profile
                folder.mkdir(exist_ok=True)
                household.source = await stack.enter_async_context(
                    simulator(
                        folder,
                        key=KEY,
                        # A name that is the same after a restart.
                        device=folder / "line",
                        profile=household.profile,
                        baud=115200,
                        environment=self.clock.environment,
                    )
                )
            yield await stack.enter_async_context(
                home_assistant(
                    self._folder / "home", environment=self.clock.environment
                )
            )

    async def until(self, hour: int, minute: int = 0) -> None:
        """Wait until a time of the day."""
        time = DAY + timedelta(hours=hour, minutes=minute)
        while (left := (time - self.clock.now).total_seconds()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(self.clock.real(min(left, 60)))
        say(f"  {self.clock.now:%H:%M} by the fast clock")

    async def begin(self, house: HomeAssistant) -> None:
        """Add prices and meters, and set the Energy dashboard to them."""
        for name, template in ENTITIES.values():
            await house.api.config_flow(
                "template",
                {"next_step_id": "sensor"},
                {"name": name, "state": template, "unit_of_measurement": "DKK/kWh"},
            )
        for household in self.households:
            household.entry = await house.api.config_flow(
                DOMAIN, {"port": household.source.port, "key": KEY}
            )
            await house.api.options_flow(
                household.entry["result"]["entry_id"],
                {
                    "scan_interval": POLL,
                    "recovery": {"resync_automatically": True},
                    "history": {"import_history": True, "import_costs": True},
                },
            )
        await self.meet(house)
        await house.api.command(
            "energy/save_prefs",
            energy_sources=[each.energy_source for each in self.households],
        )

    async def outage(self, *, is_over: bool) -> None:
        """Let no meter answer, or all of them again."""
        for household in self.households:
            if is_over:
                await household.source.control("clear_faults")
            else:
                await household.source.control("add_fault", spec="silence")

    async def price(self, house: HomeAssistant) -> None:
        """Give what has no cost yet its price, from a list of all of them."""
        first = DAY - timedelta(days=100)
        quarters = [first + number * QUARTER for number in range(101 * 96)]
        for household in self.households:
            for direction, tariff in (
                ("import", household.tariff),
                ("export", household.paid),
            ):
                answer = await house.api.action(
                    DOMAIN,
                    "import_costs",
                    config_entry_id=household.meter.entry_id,
                    direction=direction,
                    prices=[
                        {
                            "start": time.isoformat(),
                            "end": (time + QUARTER).isoformat(),
                            "price": tariff(time),
                        }
                        for time in quarters
                    ],
                )
                for series in answer["series"].values():
                    say(
                        f"  {household.profile:11} {direction}: "
                        f"{series['hours_written']} hours, {series['cost_before']} -> "
                        f"{series['cost_after']}; skipped {series['skipped_hours']}"
                    )

    async def meet(self, house: HomeAssistant) -> None:
        """Learn the entities of the meters."""
        for household in self.households:
            entry = household.entry
            household.meter = Meter(
                house.api, entry["result"]["entry_id"], entry["title"]
            )
            await household.meter.learn_entities()

    async def compare(self, house: HomeAssistant, *, is_final: bool) -> None:
        """Say how far each hour is from its energy times its price.

        Raises ToolError if that is too far in the end.
        """
        failed = False
        for household in self.households:
            truth = SimulatedMeter(EVERY_PROFILE[household.profile])
            for energy_id, ending, register, tariff in household.series:
                energy = await hours(house, energy_id)
                costs = await hours(house, f"{energy_id}_{ending}")
                worst, when = _worst(truth, register, tariff, costs)
                missing = [hour for hour in list(energy)[1:] if hour not in costs]
                say(
                    f"  {household.profile:11} {tariff.__name__:9} {ending:12} "
                    f"{len(costs)} hours cost {sum(costs.values()):.4f}; the worst is "
                    f"off by {worst:.4f}, {when:%d %H:%M}; {len(missing)} have none"
                )
                failed |= worst > TOLERANCE or bool(missing)
        if failed and is_final:
            raise ToolError("An hour does not cost what it did.")


def _worst(
    truth: SimulatedMeter,
    register: int,
    tariff: Tariff,
    costs: dict[datetime, float],
) -> tuple[float, datetime]:
    """Return the greatest difference from energy times price, and its hour."""
    return max(
        (
            (abs(cost - _cost(truth, register, hour, tariff)), hour)
            for hour, cost in list(costs.items())[1:]
        ),
        default=(0.0, DAY),
    )


def _cost(
    truth: SimulatedMeter, register: int, hour: datetime, tariff: Tariff
) -> float:
    """Return what an hour cost."""
    return sum(
        tariff(time)
        * (
            truth.register_truth(register, time + QUARTER)
            - truth.register_truth(register, time)
        )
        / 1000
        for time in (hour + number * QUARTER for number in range(4))
    )


async def picture(story: Story, house: HomeAssistant, file: Path, folder: Path) -> None:
    """Take a picture of the day in the Energy dashboard."""
    async with browser(folder, time_zone=TIME_ZONE) as page:
        # The browser lives by the clock on the wall.
        shift = int((story.clock.now - datetime.now(UTC)).total_seconds() * 1000)
        await page.before_each_page(
            "{ const real = Date; window.Date = class extends real {"
            f" constructor(...args) {{ args.length ? super(...args)"
            f" : super(real.now() + {shift}); }}"
            f" static now() {{ return real.now() + {shift}; }} }}; }}"
        )
        await log_in(house, page)
        await page.shape(1140, 1600)
        await page.open(f"{house.url}/energy/electricity")
        await page.shows("hui-energy-sources-table-card")
        await asyncio.sleep(5)
        await asyncio.to_thread(file.write_bytes, await page.picture())


async def run(options: Namespace, folder: Path) -> None:
    """Let it all happen, and compare."""
    stage = Stage()
    story = Story(folder, options)
    seconds = 12 * 3600 / options.speed + 300
    step = stage.step("The past, and an outage from 06:35 to 08:10", seconds)
    async with step, story.living(DAY + timedelta(hours=5, minutes=10)) as house:
        await story.begin(house)
        await story.until(6, 35)
        await story.outage(is_over=False)
        await story.until(8, 10)
        await story.outage(is_over=True)
        await story.until(9, 16)
        await story.compare(house, is_final=False)
    step = stage.step("Stopped at 09:16, started at 11:35, then killed", seconds)
    async with step, story.living(DAY + timedelta(hours=11, minutes=35)) as house:
        await story.meet(house)
        await story.until(12, 16)
        await story.compare(house, is_final=False)
        os.killpg(house.process.pid, signal.SIGKILL)
    step = stage.step("Started at 14:40", seconds)
    async with step, story.living(DAY + timedelta(hours=14, minutes=40)) as house:
        await story.meet(house)
        await story.until(15, 16)
        await story.compare(house, is_final=False)
        await story.price(house)
        await story.until(15, 20)
        await story.compare(house, is_final=False)
        await story.until(17, 6)
        await story.compare(house, is_final=True)
        if options.picture:
            await picture(story, house, options.picture, folder)
    say(f"\nDone in {stage.seconds:.0f} s.")


if __name__ == "__main__":
    parser = ArgumentParser(prog="python -m tools.costs", description=__doc__)
    parser.add_argument("--speed", type=int, default=30, help="times as fast (30)")
    parser.add_argument("--picture", type=Path, help="file for the dashboard's picture")
    sys.exit(asyncio.run(perform(partial(run, parser.parse_args()))))
