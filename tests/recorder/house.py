"""A house whose recorder keeps statistics, in simulated time."""

from datetime import datetime, timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
import pytest
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
)

from custom_components.nes_mep.const import DOMAIN
from homeassistant.components.recorder import get_instance
from homeassistant.components.recorder.statistics import statistics_during_period
from homeassistant.components.recorder.tasks import StatisticsTask
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util

from ..common import entity_ids, make_entry, poll, set_up
from ..simulator import SimulatedMeter, serve_tcp
from ..values import Clock

STEP = timedelta(minutes=5)
HOUR = timedelta(hours=1)
_BEGINNING = datetime(2020, 1, 1, tzinfo=dt_util.UTC)


class House:
    """A Home Assistant whose time, and that of its meter, a test moves.

    The time is 10 seconds after a multiple of 5 minutes, as when the recorder makes
    its statistics of the minutes before.
    """

    def __init__(
        self, hass: HomeAssistant, freezer: FrozenDateTimeFactory, clock: Clock
    ) -> None:
        """Initialize at the time of the clock."""
        self.hass = hass
        self._freezer = freezer
        self._clock = clock
        freezer.move_to(clock.now + timedelta(seconds=10))

    @property
    def now(self) -> datetime:
        """The time, but for its 10 seconds."""
        return self._clock.now

    async def pass_time(self, time: timedelta) -> None:
        """Let time pass in which Home Assistant lives, step by step."""
        for _ in range(time // STEP):
            await self.step()

    async def step(self) -> None:
        """Let 5 minutes pass: poll at their end, and make the statistics of them."""
        start = self.now
        self._clock.now = start + STEP
        await self._move_to(start + STEP - timedelta(seconds=20))
        await poll(self.hass)
        await async_wait_recording_done(self.hass)
        await self._move_to(start + STEP + timedelta(seconds=10))
        await self.compile(start)

    async def skip(self, time: timedelta) -> None:
        """Let time pass in which no statistics are made."""
        self._clock.now += time
        await self._move_to(self.now + timedelta(seconds=10))

    async def _move_to(self, time: datetime) -> None:
        """Move the time, and let the poll that falls due thereby come to its end.

        One that went on would be the next one asked for, with values of before.
        """
        self._freezer.move_to(time)
        await self.hass.async_block_till_done(wait_background_tasks=True)

    async def compile(self, start: datetime) -> None:
        """Make the statistics of 5 minutes, and let follow what they start."""
        get_instance(self.hass).queue_task(StatisticsTask(start, True))
        await self.settle()

    async def settle(self) -> None:
        """Wait until nothing is going on, in the recorder neither."""
        for _ in range(2):
            await async_wait_recording_done(self.hass)
            await self.hass.async_block_till_done(wait_background_tasks=True)
        await async_wait_recording_done(self.hass)

    async def rows(
        self, entity_id: str, period: str = "hour", start: datetime = _BEGINNING
    ) -> list[dict[str, Any]]:
        """Return the statistics of an entity since a time, with datetimes."""
        found = await get_instance(self.hass).async_add_executor_job(
            statistics_during_period,
            self.hass,
            start,
            None,
            {entity_id},
            period,
            None,
            {"state", "sum", "change"},
        )
        return [
            {**row, "start": dt_util.utc_from_timestamp(row["start"])}
            for row in found.get(entity_id, [])
        ]

    async def by_hour(
        self, entity_id: str, what: str = "change"
    ) -> dict[datetime, Any]:
        """Return one value of the hourly statistics of an entity by hour."""
        return {row["start"]: row[what] for row in await self.rows(entity_id)}


def hourly_truth(
    meter: SimulatedMeter, source: int, hours: list[datetime]
) -> dict[datetime, float]:
    """Return what an energy register really counted in each hour, in kWh."""
    factor = meter.truth()["energy_unit"] / 1000
    return {
        hour: factor
        * (
            meter.register_truth(source, hour + HOUR)
            - meter.register_truth(source, hour)
        )
        for hour in hours
    }


async def read_for(
    house: House, meter: SimulatedMeter, port: int, time: timedelta
) -> str:
    """Add a meter and read it for a time, until its line is cut; return its import."""
    async with serve_tcp(meter, port=port) as url:
        entry = await set_up(house.hass, make_entry(meter, url))
        await house.pass_time(time)
    return entity_ids(house.hass, entry)["energy_import"]


async def import_history(hass: HomeAssistant, **data: Any) -> dict[str, Any]:
    """Perform the action and return its answer."""
    return await perform(hass, "import_history", **data)


async def perform(hass: HomeAssistant, action: str, **data: Any) -> dict[str, Any]:
    """Perform an action for the only meter and return its answer."""
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    answer = await hass.services.async_call(
        DOMAIN,
        action,
        {"config_entry_id": entry.entry_id, **data},
        blocking=True,
        return_response=True,
    )
    assert isinstance(answer, dict)
    return answer


async def expect_truth(
    house: House, meter: SimulatedMeter, entity_id: str, source: int
) -> dict[datetime, float]:
    """Every hour from the first to the last one is there and true; return them.

    Of the first one, its first interval is not known.
    """
    found = await house.by_hour(entity_id)
    hours = list(found)
    assert hours == [hours[0] + n * HOUR for n in range(len(hours))]
    truth = hourly_truth(meter, source, hours)
    assert -1e-6 < found[hours[0]] < truth.pop(hours[0]) + 1e-6
    assert {hour: found[hour] for hour in hours[1:]} == pytest.approx(truth, abs=1e-6)
    return found
