"""Follow the energy registers of one meter through the intervals of the tariff."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from homeassistant.core import callback
from homeassistant.util import dt as dt_util

from ..osgp import HostClock, Meter, Readings
from .intervals import (
    Average,
    Reading,
    average,
    averages,
    crossed,
    projected_average,
    running_average,
    start_of,
)
from .memory import PeakMemory
from .rules import Rules, highest, mean, month_start

ENERGIES: Final = {"import": "energy_import", "export": "energy_export"}
"""The register that counts in each direction."""
_POWERS: Final = {"import": "power_import", "export": "power_export"}

_SECONDS_ARE_WHOLE: Final = timedelta(seconds=0.5)
"""What the meter's clock, which shows whole seconds, is ahead of what it shows, on
average."""
_CLOCK_WAS_SET: Final = timedelta(seconds=2.5)
"""More than the whole seconds and the way of a reply can make of two looks at a clock."""
_SUSPENDED: Final = timedelta(seconds=1.5)
"""What no clock goes wrong by itself between two looks at the meter's."""
_ABOUT_RIGHT: Final = timedelta(days=1)
_LONGEST: Final = timedelta(minutes=1)
"""How far readings around a boundary may be apart, unless polls are further apart."""


@dataclass(frozen=True, slots=True)
class _ClockReading:
    """The meter's clock, and the clock and the monotonic seconds of the host then."""

    time: datetime
    host_time: datetime
    seconds: float

    def at(self, seconds: float) -> datetime:
        """Return the meter's time at monotonic seconds of the host."""
        return self.time + timedelta(seconds=seconds - self.seconds)


@dataclass(frozen=True, slots=True)
class PeakValues:
    """What is known now in one direction; powers in W.

    running is the average power of the present interval so far, over the full interval,
    and projected what becomes of it if the power stays. last is that of the interval
    before, and peaks are the month's highest that count, in order. None is unknown.
    """

    start: datetime | None = None
    running: float | None = None
    projected: float | None = None
    last: Average | None = None
    peaks: tuple[Average, ...] = ()
    mean: float | None = None

    @property
    def highest(self) -> Average | None:
        """The month's peak."""
        return self.peaks[0] if self.peaks else None


class Peaks:
    """The averages of one meter's intervals, live and as the load profile has them.

    interval is their length, None as long as the load profile may decide it.
    """

    def __init__(
        self,
        meter: Meter,
        memory: PeakMemory,
        clock: HostClock,
        rules: Rules,
        interval: timedelta | None,
        *,
        poll_interval: timedelta,
        layout_since: Callable[[], datetime | None],
    ) -> None:
        """Initialize; memory is loaded. layout_since says when the layout changed."""
        self._meter = meter
        self._memory = memory
        self._clock = clock
        self._rules = rules
        self._chosen = interval
        self._poll_interval = poll_interval
        self._layout_since = layout_since
        self._layouts = meter.layouts
        self._clock_reading: _ClockReading | None = None
        self._readings: dict[str, Reading] = {}
        self._broken: dict[str, datetime] = {}
        self._powers: Mapping[str, float] = {}
        self._looked_back: dict[str, tuple[object, PeakValues]] = {}
        if self.interval is not None:
            memory.async_use(self.interval)

    @property
    def interval(self) -> timedelta | None:
        """How long the intervals are."""
        return self._chosen or self._memory.profile_interval

    @callback
    def async_suggest(self, interval: timedelta) -> None:
        """Use the interval of the load profile, unless the user chose one."""
        self._memory.profile_interval = interval
        assert self.interval is not None
        self._memory.async_use(self.interval)
        self._memory.async_save()

    # The meter's time

    @property
    def meter_time(self) -> datetime | None:
        """The time on the meter's clock now, None if it has to be read first.

        That the host's clock was set does not matter. But if it has gone on while the
        monotonic seconds stood still, the computer may have been suspended.
        """
        if (seen := self._clock_reading) is None:
            return None
        passed = timedelta(seconds=self._clock.time() - seen.seconds)
        if self._clock.now() - seen.host_time - passed > _SUSPENDED:
            return None
        return seen.time + passed

    @callback
    def async_read_clock(self, drift: float) -> None:
        """Record by how many seconds the meter's clock is ahead of the host's."""
        self._async_read_clock(timedelta(seconds=drift) + _SECONDS_ARE_WHOLE)

    @callback
    def async_use_host_clock(self) -> None:
        """Go by the host's clock, because the key does not reach the meter's."""
        self._async_read_clock(timedelta())

    @callback
    def _async_read_clock(self, drift: timedelta) -> None:
        before = self._clock_reading
        host_time, seconds = self._clock.now(), self._clock.time()
        now = host_time + drift
        self._clock_reading = _ClockReading(now, host_time, seconds)
        if before is not None and abs(now - before.at(seconds)) > _CLOCK_WAS_SET:
            # Since when boundaries were looked for in the wrong place is unknown.
            since = min(before.time, now)
            self._memory.async_forget_inexact(since)
            for key in ENERGIES.values():
                self._async_break(key, since)
        self._memory.async_ask_again(now + _LONGEST)
        # A clock that is wrong by years does not end a month.
        if self.interval is not None and abs(now - host_time) < _ABOUT_RIGHT:
            begin = month_start(now, dt_util.get_default_time_zone()) - self.interval
            self._memory.async_forget_before(begin)

    # Live

    @callback
    def async_polled(self, readings: Readings) -> None:
        """Follow the energies of a poll."""
        self._powers = {
            direction: float(value)
            for direction, key in _POWERS.items()
            if isinstance(value := readings.values.get(key), int | float)
        }
        now, seen = self.meter_time, self._clock_reading
        if now is None or seen is None or self.interval is None:
            self._readings.clear()
            return
        if self._layouts != self._meter.layouts:
            self._layouts = self._meter.layouts
            for key in ENERGIES.values():
                self._async_break(key, now)
        for key in ENERGIES.values():
            value = readings.values.get(key)
            if isinstance(value, int | float):
                reading = Reading(seen.at(readings.times[key]), float(value))
                self._async_follow(key, reading, self.interval)
            else:
                self._readings.pop(key, None)

    @callback
    def _async_follow(self, key: str, reading: Reading, interval: timedelta) -> None:
        """Follow a register from its last reading to this one."""
        before, self._readings[key] = self._readings.get(key), reading
        if before is None:
            return
        if reading.energy < before.energy:
            self._broken[key] = before.time
            return
        found = crossed(before, reading, interval, self._longest(interval))
        for boundary, each in found.items():
            if self._is_broken(key, boundary - interval, interval):
                found[boundary] = replace(each, ends_whole=False)
        if found:
            self._memory.async_add(key, found)

    def _longest(self, interval: timedelta) -> timedelta:
        """Return how far readings around a boundary may be apart."""
        return min(max(_LONGEST, 3 * self._poll_interval), interval / 3)

    @callback
    def _async_break(self, key: str, time: datetime) -> None:
        """Follow a register anew; the interval that a time belongs to has no average."""
        self._readings.pop(key, None)
        self._broken[key] = time

    def _is_broken(self, key: str, start: datetime, interval: timedelta) -> bool:
        """Return whether an interval has no average, whatever its boundaries are."""
        broken = self._broken.get(key)
        return broken is not None and start_of(broken, interval) == start

    # What is known

    def values(self, direction: str) -> PeakValues:
        """Return what is known now in a direction: "import" or "export"."""
        key, interval, time = ENERGIES[direction], self.interval, self.meter_time
        if interval is None:
            return PeakValues()
        back = self._look_back(key, interval, time or self._clock.now())
        reading = self._readings.get(key)
        if time is None or reading is None:
            return back
        start = start_of(reading.time, interval)
        boundaries = self._memory.of(key)
        running = None
        if not self._is_broken(key, start, interval):
            running = running_average(boundaries, reading, interval)
        return PeakValues(
            start=start,
            running=running,
            projected=None
            if running is None
            else projected_average(
                running, self._powers.get(direction), reading.time, interval
            ),
            last=average(boundaries, start - interval, interval, self._changed),
            peaks=back.peaks,
            mean=back.mean,
        )

    @property
    def _changed(self) -> datetime | None:
        """When the layout of the registers was last seen to have changed."""
        return self._layout_since()

    def _look_back(self, key: str, interval: timedelta, time: datetime) -> PeakValues:
        """Return what is known of the month without a present reading.

        It is computed anew only if something has changed.
        """
        zone = dt_util.get_default_time_zone()
        month = month_start(start_of(time, interval), zone)
        basis = (self._memory.revision, month, zone, self._changed)
        found = self._looked_back.get(key)
        if found is None or found[0] != basis:
            known = averages(self._memory.of(key), interval, self._changed, month)
            peaks = highest(known, month, zone, self._rules)
            found = (basis, PeakValues(peaks=peaks, mean=mean(peaks)))
            self._looked_back[key] = found
        return found[1]
