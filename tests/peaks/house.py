"""A Home Assistant and a meter that live by one clock, which a test drives."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Any

from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.nes_mep.const import DOMAIN
from custom_components.nes_mep.peaks.intervals import start_of
from homeassistant.const import STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util

from ..common import entity_ids, make_entry, poll, set_up
from ..driven_clock import DrivenClock
from ..simulator import SimulatedMeter

ZONE = "Europe/Copenhagen"


class SteadyClock:
    """A clock for a computer and a meter: its time of day goes with its seconds."""

    def __init__(self, clock: DrivenClock, began: datetime) -> None:
        """Initialize at a time."""
        self._clock = clock
        self._began = began

    def now(self) -> datetime:
        """Return the time, aware and in UTC."""
        return self._began + timedelta(seconds=self._clock.time())

    def time(self) -> float:
        """Return seconds that never run backwards."""
        return self._clock.time()

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        await self._clock.sleep(seconds)

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[object]:
        """Return a context whose body raises TimeoutError after some seconds."""
        return self._clock.timeout(seconds)

    def set(self, time: datetime) -> None:
        """Set the time of day."""
        self._began += time - self.now()


class House:
    """A house with one meter."""

    def __init__(
        self,
        hass: HomeAssistant,
        clock: DrivenClock,
        steady: SteadyClock,
        meter: SimulatedMeter,
        url: str,
    ) -> None:
        """Initialize with its contents; the meter is not added yet."""
        self.hass = hass
        self.meter = meter
        self.steady = steady
        self._clock = clock
        self._url = url
        self.entry = MockConfigEntry()
        self.ids: Mapping[str, str] = {}

    @property
    def now(self) -> datetime:
        """The true time, in UTC."""
        return self.steady.now()

    async def begin(self, **options: Any) -> None:
        """Add the meter with these options."""
        self.entry = make_entry(self.meter, self._url, **options)
        await set_up(self.hass, self.entry)
        self.ids = entity_ids(self.hass, self.entry)

    def pass_time(self, time: datetime) -> None:
        """Let time pass up to a time, in which nothing is polled."""
        self._clock.move(max(0.001, (time - self.now).total_seconds()))

    def next_boundary(self, interval: timedelta) -> datetime:
        """Return when the present interval ends."""
        return start_of(self.now, interval) + interval

    async def wait(self, seconds: float) -> None:
        """Let time pass, and poll at its end."""
        self._clock.move(seconds)
        await poll(self.hass)

    async def until(self, time: datetime) -> None:
        """Let time pass up to a time, and poll then."""
        self.pass_time(time)
        await poll(self.hass)

    async def live(self, until: datetime, *, step: float = 20) -> None:
        """Poll every few seconds up to a time."""
        while self.now < until:
            await self.wait(step)

    async def turn_off(self) -> None:
        """Stop Home Assistant: what it did not store is lost."""
        assert await self.hass.config_entries.async_unload(self.entry.entry_id)
        # What is written with a delay.
        await poll(self.hass, 5)
        self.hass.data[DOMAIN].pop(self.entry.entry_id)

    async def turn_on(self) -> None:
        """Start Home Assistant again."""
        assert await self.hass.config_entries.async_setup(self.entry.entry_id)
        await self.hass.async_block_till_done(wait_background_tasks=True)

    async def enable(self, *keys: str) -> None:
        """Let the user enable entities."""
        for key in keys:
            er.async_get(self.hass).async_update_entity(self.ids[key], disabled_by=None)
        await self.hass.config_entries.async_reload(self.entry.entry_id)
        await self.hass.async_block_till_done(wait_background_tasks=True)

    async def disable(self, *keys: str) -> None:
        """Let the user disable entities."""
        for key in keys:
            er.async_get(self.hass).async_update_entity(
                self.ids[key], disabled_by=er.RegistryEntryDisabler.USER
            )
        await self.hass.config_entries.async_reload(self.entry.entry_id)
        await self.hass.async_block_till_done(wait_background_tasks=True)

    async def choose(self, **options: Any) -> None:
        """Change options."""
        self.hass.config_entries.async_update_entry(
            self.entry, options={**self.entry.options, **options}
        )
        await self.hass.config_entries.async_reload(self.entry.entry_id)
        await self.hass.async_block_till_done(wait_background_tasks=True)

    def state(self, key: str) -> State:
        """Return the state of an entity."""
        state = self.hass.states.get(self.ids[key])
        assert state
        return state

    def shown(self, key: str) -> float | None:
        """Return a power that an entity shows, None if it is unknown."""
        state = self.state(key).state
        return None if state in {STATE_UNKNOWN, STATE_UNAVAILABLE} else float(state)

    def tables_read(self, since: int) -> set[int | None]:
        """Return the numbers of the tables that were read since so many requests."""
        return {request.table for request in list(self.meter.requests)[since:]}

    def truth(self, begin: datetime, end: datetime, source: int = 0) -> float:
        """Return the average power in W from a time to another."""
        counted = self.meter.register_truth(source, end) - self.meter.register_truth(
            source, begin
        )
        return counted / ((end - begin) / timedelta(hours=1))

    def quarters(
        self, begin: datetime, end: datetime, minutes: int = 15, source: int = 0
    ) -> dict[datetime, float]:
        """Return the true averages of the intervals of a time, by their start."""
        length = timedelta(minutes=minutes)
        count = (end - begin) // length
        return {
            begin + n * length: self.truth(
                begin + n * length, begin + (n + 1) * length, source
            )
            for n in range(count)
        }


def local(text: str) -> datetime:
    """Return a local time of the house, in UTC."""
    zone = dt_util.get_time_zone(ZONE)
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(dt_util.UTC)
