"""A household through a fortnight: powers as a pure function of time.

Power is constant over a minute except for a jitter that changes every second and
cancels out within the minute. So any energy is a difference of prefix sums, exact in
watt seconds, for any time: the fortnight repeats itself for ever.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property, lru_cache
from itertools import accumulate
from math import exp, isqrt, pi, sin
from random import Random

MINUTE = 60
DAY = 86400
MINUTES = DAY // MINUTE
CYCLE_DAYS = 14
ANCHOR = 1735689600  # 2025-01-01 00:00 UTC: before it the meter was not there
SOLAR_OFFSET = 60  # minutes that the household's clock is ahead of UTC, all year
JITTER = 25  # watts a phase, at the most
QUIET = 2 * 3 * JITTER  # no jitter below: the sign must not change in a minute


class Channel(IntEnum):
    """What is integrated: active, then reactive and apparent by quadrant."""

    FORWARD = 0
    REVERSE = 1
    REACTIVE_Q1 = 2
    REACTIVE_Q2 = 3
    REACTIVE_Q3 = 4
    REACTIVE_Q4 = 5
    APPARENT_Q1 = 6
    APPARENT_Q2 = 7
    APPARENT_Q3 = 8
    APPARENT_Q4 = 9


@dataclass(frozen=True, slots=True)
class LoadShape:
    """What kind of household: all powers times ``scale``, PV peak in watts."""

    scale: float = 1.0
    pv_peak: int = 5400


@dataclass(frozen=True, slots=True)
class Flow:
    """Powers at one time: W and var of L1, L2, L3 (negative: to the grid), VA total."""

    active: tuple[int, int, int]
    reactive: tuple[int, int, int]
    apparent: int

    @property
    def total(self) -> int:
        """Active power of all phases, W, negative when the house exports."""
        return sum(self.active)

    @property
    def total_reactive(self) -> int:
        """Reactive power of all phases, var, negative when it is exported."""
        return sum(self.reactive)


def quadrant(active: int, reactive: int) -> int:
    """Return 0..3 for quadrant 1..4: Q1 imports both, Q3 exports both."""
    if reactive >= 0:
        return 0 if active >= 0 else 1
    return 2 if active < 0 else 3


def _appliances(random: Random, weekend: bool) -> list[tuple[int, int, int, int]]:
    """Return (first minute, minutes, phase, watts) for a day; phase 3 is all three."""
    used = [  # kettle
        (hour * 60 + random.randrange(55), random.randint(3, 5), 0, 1950)
        for hour in (7, 10, 16, 20)
    ]
    used += [  # oven
        (start, random.randint(4, 7), 1, 2150)
        for start in range(17 * 60 + random.randrange(45), 18 * 60 + 45, 9)
    ]
    used.append((17 * 60 + 40 + random.randrange(40), 25, 2, 1400))  # hob
    if weekend or random.random() < 0.4:  # washing machine: heats, then turns
        start = random.randint(9 * 60, 14 * 60)
        used += [(start, 18, 2, 1900), (start + 18, 70, 2, 240)]
    if random.random() < 0.7:  # dishwasher
        start = random.randint(19 * 60 + 30, 21 * 60)
        used += [(start, 14, 0, 1800), (start + 55, 12, 0, 1800)]
    used += [  # heat pump
        (start, random.randint(18, 40), 3, 540)
        for start in range(random.randrange(140), MINUTES, 170)
    ]
    return used


class _Day:
    """One day of the cycle, minute by minute, and its prefix sums."""

    def __init__(self, shape: LoadShape, seed: int, number: int) -> None:
        random = Random(f"{seed}/{number}")  # noqa: S311
        base = [[float(level)] * MINUTES for level in (240, 180, 150)]
        fridge = random.randrange(55)
        for minute in range(MINUTES):
            morning = exp(-(((minute - 435) / 50) ** 2))
            evening = exp(-(((minute - 1160) / 95) ** 2))
            base[0][minute] += 140 * morning + 330 * evening
            base[1][minute] += 260 * morning + 240 * evening
            base[2][minute] += 60 * morning + 170 * evening
            if (minute + fridge) % 55 < 20:
                base[0][minute] += 85
        for start, length, phase, watts in _appliances(random, number % 7 >= 5):
            for minute in range(start, min(start + length, MINUTES)):
                for line in base[:] if phase == 3 else [base[phase]]:
                    line[minute] += watts
        sun = self._sun(shape, random)
        scale = shape.scale
        self.active = [
            array(
                "i",
                [
                    round(scale * (use - pv / 3))
                    for use, pv in zip(row, sun, strict=True)
                ],
            )
            for row in base
        ]
        self.reactive = [
            array("i", [round(scale * (use * lag - lead)) for use in row])
            for row, lag, lead in zip(
                base, (0.19, 0.24, 0.33), (70, 66, 72), strict=True
            )
        ]
        self.apparent = array("i")
        self.sums: list[Sequence[int]] = self._integrate()

    @staticmethod
    def _sun(shape: LoadShape, random: Random) -> list[float]:
        """Return the PV power in each minute: the day's sky and passing clouds."""
        sky = random.choice((1.0, 0.95, 0.8, 0.6, 0.35))
        cloud = 0.0
        sun = []
        for minute in range(MINUTES):
            height = sin(pi * (minute - 390) / 780) if 390 < minute < 1170 else 0.0
            cloud = 0.9 * cloud + 0.1 * random.random() * (1.9 - sky)
            sun.append(shape.pv_peak * sky * max(height, 0.0) ** 1.3 * (1 - cloud))
        return sun

    def _integrate(self) -> list[Sequence[int]]:
        """Return for each channel watt seconds from midnight to each minute."""
        steps = [[0] * MINUTES for _ in Channel]
        for minute in range(MINUTES):
            active = sum(row[minute] for row in self.active)
            reactive = sum(row[minute] for row in self.reactive)
            apparent = isqrt(active * active + reactive * reactive)
            self.apparent.append(apparent)
            number = quadrant(active, reactive)
            direction = Channel.FORWARD if active >= 0 else Channel.REVERSE
            steps[direction][minute] = abs(active) * MINUTE
            steps[Channel.REACTIVE_Q1 + number][minute] = abs(reactive) * MINUTE
            steps[Channel.APPARENT_Q1 + number][minute] = apparent * MINUTE
        return [array("q", accumulate(row, initial=0)) for row in steps]


class Household:
    """Powers and energies at any whole second of Unix time."""

    def __init__(self, shape: LoadShape, seed: int) -> None:
        """Prepare the days; they are computed when they are first needed."""
        self._shape = shape
        self._seed = seed
        random = Random(f"{seed}/jitter")  # noqa: S311
        self._jitter = [self._zero_sum(random) for _ in range(3)]
        ring: list[int] = [sum(values) for values in zip(*self._jitter, strict=True)]
        self._ring_sums = list(accumulate(ring * 2, initial=0))
        self._days: dict[int, _Day] = {}

    def _zero_sum(self, random: Random) -> list[int]:
        """Return 60 numbers that add up to 0: one half mirrors the other."""
        size = max(1, round(JITTER * min(1.0, self._shape.scale)))
        half = [random.randint(-size, size) for _ in range(MINUTE // 2)]
        values = half + [-value for value in half]
        random.shuffle(values)
        return values

    def _day(self, number: int) -> _Day:
        number %= CYCLE_DAYS
        if (day := self._days.get(number)) is None:
            day = self._days[number] = _Day(self._shape, self._seed, number)
        return day

    @cached_property
    def _cycle(self) -> list[list[int]]:
        """Watt seconds by channel from the cycle's start to the start of each day."""
        days = [self._day(number) for number in range(CYCLE_DAYS)]
        return [
            list(accumulate((day.sums[channel][-1] for day in days), initial=0))
            for channel in Channel
        ]

    @staticmethod
    def _place(time: int) -> tuple[int, int, int]:
        """Return day since the anchor, minute, and second in the minute."""
        day, second = divmod(time - ANCHOR + SOLAR_OFFSET * MINUTE, DAY)
        return day, *divmod(second, MINUTE)

    def flow(self, time: int) -> Flow:
        """Return the powers that hold from ``time`` to the next second."""
        number, minute, second = self._place(time)
        day = self._day(number)
        active = [row[minute] for row in day.active]
        total = sum(active)
        apparent = day.apparent[minute]
        if abs(total) > QUIET:
            index = (second + 7 * minute) % MINUTE
            shift = [row[index] for row in self._jitter]
            active = [a + b for a, b in zip(active, shift, strict=True)]
            apparent += sum(shift) if total > 0 else -sum(shift)
        return Flow(
            active=(active[0], active[1], active[2]),
            reactive=(
                day.reactive[0][minute],
                day.reactive[1][minute],
                day.reactive[2][minute],
            ),
            apparent=apparent,
        )

    def energy(self, channel: Channel, time: int) -> int:
        """Return watt (var, volt-ampere) seconds of a channel since the anchor.

        It is the sum of ``flow`` over all seconds before ``time``, and 0 for a time
        before the anchor.
        """
        return max(0, self._sum(channel, time) - self._origin[channel])

    @cached_property
    def _origin(self) -> list[int]:
        return [self._sum(channel, ANCHOR) for channel in Channel]

    def _sum(self, channel: Channel, time: int) -> int:
        number, minute, second = self._place(time)
        cycles, day_number = divmod(number, CYCLE_DAYS)
        sums = self._cycle[channel]
        day = self._day(day_number).sums[channel]
        energy = cycles * sums[-1] + sums[day_number] + day[minute]
        in_minute = day[minute + 1] - day[minute]
        if second and in_minute:
            energy += in_minute // MINUTE * second
            energy += self._jitter_sum(channel, day_number, minute, second)
        return energy

    def _jitter_sum(self, channel: Channel, day: int, minute: int, second: int) -> int:
        """Return what the jitter adds from the start of a minute to a second in it."""
        if Channel.REACTIVE_Q1 <= channel <= Channel.REACTIVE_Q4:
            return 0
        total = sum(row[minute] for row in self._day(day).active)
        if abs(total) <= QUIET:
            return 0
        first = 7 * minute % MINUTE
        shift = self._ring_sums[first + second] - self._ring_sums[first]
        return shift if total > 0 else -shift


@lru_cache(maxsize=8)
def household(shape: LoadShape, seed: int) -> Household:
    """Return the household of a shape and seed, shared between meters."""
    return Household(shape, seed)
