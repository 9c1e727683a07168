"""Energy accumulators: counts of the register unit, in total and by tier.

A tier gains exactly the counts that the total gains while the tier is active, so that
the total is always the sum of the tiers, as in a meter that adds a pulse to both.
"""

from datetime import datetime
from functools import cache, lru_cache
from itertools import groupby
from zoneinfo import ZoneInfo

from .load import ANCHOR, DAY, SOLAR_OFFSET, Channel, Household, LoadShape, household

HOUR = 3600
_MIDNIGHT = ANCHOR - SOLAR_OFFSET * 60  # start of the household's first day

# Counts at the anchor, of a meter that had been at work for some months.
INITIAL: dict[Channel, int] = {
    Channel.FORWARD: 1345678,
    Channel.REVERSE: 1234567,
    Channel.REACTIVE_Q1: 345678,
    Channel.REACTIVE_Q2: 34567,
    Channel.REACTIVE_Q3: 123456,
    Channel.REACTIVE_Q4: 98765,
    Channel.APPARENT_Q1: 1876543,
    Channel.APPARENT_Q2: 123456,
    Channel.APPARENT_Q3: 1198765,
    Channel.APPARENT_Q4: 654321,
}


def _shares(count: int, tiers: int) -> list[int]:
    """Split a count over the tiers, more to the first ones."""
    weight = tiers * (tiers + 1) // 2
    shares = [count * (tiers - tier) // weight for tier in range(tiers)]
    shares[0] += count - sum(shares)
    return shares


class Accumulators:
    """The accumulators of one meter.

    ``tariff`` is the tier of each hour of the local day, in ``zone``, ``factor`` what
    the load is multiplied with (CT x VT ratio), ``unit`` Wh a count.
    """

    def __init__(
        self,
        load: Household,
        tariff: tuple[int, ...],
        zone: ZoneInfo,
        factor: int,
        unit: int,
    ) -> None:
        """Prepare; the history of a channel is added up when it is first needed."""
        self.factor = factor
        self._load = load
        self._tariff = tariff
        self._zone = zone
        self._divisor = HOUR * unit
        self._tiers = max(tariff) + 1
        self._segments = cache(self._find_segments)
        self._history: dict[Channel, list[list[int]]] = {}

    def active_tier(self, time: int) -> int:
        """Return the tier (0-based) that energy is counted in at a time."""
        return self._tariff[datetime.fromtimestamp(time, self._zone).hour]

    def tiers(self, start: int) -> tuple[int, ...]:
        """Return the tiers of 24 hours from a time on."""
        return tuple(self.active_tier(start + hour * HOUR) for hour in range(24))

    def _find_segments(self, day: int) -> list[tuple[int, int, int]]:
        """Return begin, end (seconds of the household's day) and tier on a day."""
        tiers = self.tiers(_MIDNIGHT + day * DAY)
        return [
            (hours[0] * HOUR, (hours[-1] + 1) * HOUR, tier)
            for tier, hours in (
                (tier, list(group))
                for tier, group in groupby(range(24), tiers.__getitem__)
            )
        ]

    def next_switch(self, time: int) -> int:
        """Return when the tariff switches next, on the hour."""
        tier = self.active_tier(time)
        switch = time - time % HOUR + HOUR
        while self.active_tier(switch) == tier and switch < time + DAY:
            switch += HOUR
        return switch

    def total(self, channel: Channel, time: int) -> int:
        """Return the counts of the total register."""
        return INITIAL[channel] + self._counts(channel, time)

    def tier(self, channel: Channel, tier: int, time: int) -> int:
        """Return the counts of a tier's register."""
        if tier >= self._tiers:
            return 0
        day = max(0, (time - _MIDNIGHT) // DAY)
        return self._by_midnight(channel, day)[tier] + self._gain(
            channel, day, tier, max(time, _MIDNIGHT)
        )

    def watt_seconds(self, channel: Channel, time: int) -> int:
        """Return the integral since the anchor, after the ratios."""
        return self._load.energy(channel, time) * self.factor

    def _counts(self, channel: Channel, time: int) -> int:
        return self.watt_seconds(channel, time) // self._divisor

    def _gain(self, channel: Channel, day: int, tier: int, until: int) -> int:
        """Return what a tier gains on a day up to a time."""
        midnight = _MIDNIGHT + day * DAY
        return sum(
            self._counts(channel, min(midnight + end, until))
            - self._counts(channel, min(midnight + start, until))
            for start, end, active in self._segments(day)
            if active == tier
        )

    def _by_midnight(self, channel: Channel, day: int) -> list[int]:
        """Return the counts of each tier at the start of a day since the anchor."""
        history = self._history.setdefault(
            channel, [_shares(INITIAL[channel], self._tiers)]
        )
        for number in range(len(history) - 1, day):
            history.append(
                [
                    count
                    + self._gain(channel, number, tier, ANCHOR + (number + 1) * DAY)
                    for tier, count in enumerate(history[-1])
                ]
            )
        return history[day]


@lru_cache(maxsize=32)
def accumulators(
    shape: LoadShape,
    seed: int,
    tariff: tuple[int, ...],
    zone: ZoneInfo,
    factor: int,
    unit: int,
) -> Accumulators:
    """Return the accumulators of a kind of meter, shared between meters."""
    return Accumulators(household(shape, seed), tariff, zone, factor, unit)
