"""Demand: average power of whole intervals, its maximum since the monthly reset."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from .accumulators import HOUR, Accumulators
from .load import ANCHOR, CYCLE_DAYS, DAY, Channel

# Power sources that can be a demand, as the channels whose sum they are.
CHANNELS: dict[int, tuple[Channel, ...]] = {
    8: (Channel.FORWARD,),
    9: (Channel.REVERSE,),
    10: (Channel.REACTIVE_Q1, Channel.REACTIVE_Q2),
    11: (Channel.REACTIVE_Q3, Channel.REACTIVE_Q4),
    20: (
        Channel.APPARENT_Q1,
        Channel.APPARENT_Q2,
        Channel.APPARENT_Q3,
        Channel.APPARENT_Q4,
    ),
}


@dataclass(frozen=True, slots=True)
class Peak:
    """The highest demand and the end of its interval, Unix time."""

    value: int = 0
    time: int = ANCHOR


def _month_start(time: int) -> int:
    moment = datetime.fromtimestamp(time, UTC)
    return int(datetime(moment.year, moment.month, 1, tzinfo=UTC).timestamp())


class DemandMeter:
    """Demands of one meter; resets are at the start of each month, UTC."""

    def __init__(self, registers: Accumulators, minutes: int) -> None:
        """Measure over intervals of so many minutes."""
        self._registers = registers
        self.interval = minutes * 60
        self._day_peak = lru_cache(maxsize=None)(self._find_day_peak)
        self._cumulative = lru_cache(maxsize=None)(self._add_months)
        self._whole = lru_cache(maxsize=4096)(self._whole_interval)

    def _energy(self, source: int, start: int, end: int) -> int:
        """Return the watt seconds from start to end, after the ratios."""
        return sum(
            self._registers.watt_seconds(channel, end)
            - self._registers.watt_seconds(channel, start)
            for channel in CHANNELS[source]
        )

    def _whole_interval(self, source: int, start: int) -> int:
        """Return the demand of the interval that starts there, after the ratios."""
        return self._energy(source, start, start + self.interval) // self.interval

    def present(self, source: int, time: int) -> int:
        """Return the demand that builds up in the running interval, before the ratios.

        BT28 leaves the CT and VT ratios out where it does not say otherwise.
        """
        energy = self._energy(source, time - time % self.interval, time)
        return energy // self._registers.factor // self.interval

    def previous(self, source: int, time: int) -> int:
        """Return the demand of the last whole interval, before the ratios."""
        end = time - time % self.interval
        energy = self._energy(source, end - self.interval, end)
        return energy // self._registers.factor // self.interval

    def remaining(self, time: int) -> int:
        """Return the seconds to the end of the running interval."""
        return self.interval - time % self.interval

    def peak(
        self, source: int, tier: int | None, time: int, since: int = ANCHOR
    ) -> Peak:
        """Return the highest whole interval since the reset, of one tier or of all.

        ``since`` is when the meter was installed.
        """
        return self._peak_since(source, tier, max(since, _month_start(time)), time)

    def _peak_since(self, source: int, tier: int | None, reset: int, time: int) -> Peak:
        start = max(reset, ANCHOR)
        start += -start % self.interval  # a meter may be installed at any time
        today = max(start, time - time % DAY)
        best = self._peak_between(source, tier, today, time)
        if (rest := -start % DAY) and today > start:
            morning = min(start + rest, today)
            early = self._peak_between(source, tier, start, morning)
            best = max(best, early, key=_value)
            start = morning
        for midnight in range(start, today, DAY):
            day = (midnight - ANCHOR) // DAY
            tiers = self._registers.tiers(midnight) if tier is not None else ()
            peak = self._day_peak(source, tier, day % CYCLE_DAYS, tiers)
            if peak.value > best.value:
                best = Peak(peak.value, midnight + peak.time)
        return best

    def cumulative(
        self, source: int, tier: int | None, time: int, since: int = ANCHOR
    ) -> int:
        """Return the sum of the peaks at all resets so far."""
        return self._cumulative(source, tier, _month_start(time), since)

    def resets(self, time: int, since: int = ANCHOR) -> int:
        """Return the number of demand resets so far, modulo 256."""
        first = datetime.fromtimestamp(since, UTC)
        now = datetime.fromtimestamp(max(time, since), UTC)
        return ((now.year - first.year) * 12 + now.month - first.month) % 256

    def _add_months(self, source: int, tier: int | None, month: int, since: int) -> int:
        if month <= since:
            return 0
        previous = _month_start(month - 1)
        before = self._cumulative(source, tier, previous, since)
        reset = max(previous, since)
        return before + self._peak_since(source, tier, reset, month).value

    def _find_day_peak(
        self, source: int, tier: int | None, number: int, tiers: tuple[int, ...]
    ) -> Peak:
        """Return the peak of a day of the load's cycle, its time from midnight.

        ``tiers`` are those of its hours, which summer time moves.
        """
        midnight = ANCHOR + (CYCLE_DAYS + number) * DAY
        peak = self._peak_between(
            source,
            tier,
            midnight,
            midnight + DAY,
            lambda time: tiers[(time - midnight) // HOUR],
        )
        return Peak(peak.value, peak.time - midnight)

    def _peak_between(
        self,
        source: int,
        tier: int | None,
        start: int,
        end: int,
        tier_at: Callable[[int], int] | None = None,
    ) -> Peak:
        tier_at = tier_at or self._registers.active_tier
        peaks = [
            Peak(self._whole(source, first), first + self.interval)
            for first in range(start, end - self.interval + 1, self.interval)
            if tier is None or tier_at(first) == tier
        ]
        return max(peaks, key=_value, default=Peak(0, start))


def _value(peak: Peak) -> int:
    return peak.value


@lru_cache(maxsize=8)
def demand_meter(registers: Accumulators, minutes: int) -> DemandMeter:
    """Return the demands of some accumulators, shared between meters."""
    return DemandMeter(registers, minutes)
