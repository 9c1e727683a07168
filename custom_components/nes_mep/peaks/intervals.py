"""The average power of the tariff's intervals: pure functions.

An interval begins at a multiple of its length in the meter's time (UTC). Its average
power is the difference of two readings of an energy register, at its boundaries. Local
quarter hours begin together with those of UTC, so summer time changes nothing.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from ..osgp import ChannelStatus, IntervalFlag, LoadProfileInterval

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR: Final = timedelta(hours=1)
_DIGITS: Final = 6
"""Decimals of a kWh: one more would be below what an average of 15 minutes shows."""

_CLOCK_WAS_SET: Final = IntervalFlag.CLOCK_SET_FORWARD | IntervalFlag.CLOCK_SET_BACK
_OTHER_LENGTH: Final = {ChannelStatus.PARTIAL_INTERVAL, ChannelStatus.LONG_INTERVAL}


@dataclass(frozen=True, slots=True)
class Reading:
    """An energy in kWh at a time of the meter's clock (UTC)."""

    time: datetime
    energy: float


@dataclass(frozen=True, slots=True)
class Boundary:
    """The energy in kWh at the boundary of two intervals.

    is_exact says that it is a reading of the load profile, and not interpolated.
    ends_whole says that the meter's clock was not set in the interval before it.
    """

    energy: float
    is_exact: bool = False
    ends_whole: bool = True


type Boundaries = Mapping[datetime, Boundary]


@dataclass(frozen=True, slots=True)
class Average:
    """The average power in W of the interval that begins at start (UTC).

    is_exact says that both readings are from the load profile.
    """

    start: datetime
    power: float
    is_exact: bool


def start_of(time: datetime, interval: timedelta) -> datetime:
    """Return when the interval began that a time belongs to."""
    return time - (time - _EPOCH) % interval


def power_of(energy: float, interval: timedelta) -> float:
    """Return the average power in W of an energy in kWh over an interval."""
    return round(energy * 1000 / (interval / _HOUR), 3)


def crossed(
    before: Reading, after: Reading, interval: timedelta, longest: timedelta
) -> dict[datetime, Boundary]:
    """Return the boundaries between two readings, interpolated; with the later one's.

    None was seen if the readings are further apart than longest, or if the register has
    counted down: it was reset or rolled over.
    """
    passed = after.time - before.time
    if not timedelta(0) < passed <= longest or after.energy < before.energy:
        return {}
    found: dict[datetime, Boundary] = {}
    boundary = start_of(after.time, interval)
    while boundary > before.time:
        share = (boundary - before.time) / passed
        energy = before.energy + share * (after.energy - before.energy)
        found[boundary] = Boundary(round(energy, _DIGITS))
        boundary -= interval
    return found


def recorded(
    intervals: Iterable[LoadProfileInterval], key: str, interval: timedelta
) -> dict[datetime, Boundary]:
    """Return the boundaries that the load profile has readings of, of one channel.

    Its own intervals may be shorter: then one in which the clock was set spoils the one
    that it is part of.
    """
    energies: dict[datetime, float] = {}
    spoiled: set[datetime] = set()
    for each in intervals:
        end = start_of(each.end, interval)
        is_boundary = end == each.end
        if is_boundary and key in each.values:
            energies[end] = each.values[key]
        if each.flags & _CLOCK_WAS_SET or each.statuses.get(key) in _OTHER_LENGTH:
            spoiled.add(end if is_boundary else end + interval)
    return {
        time: Boundary(energy, is_exact=True, ends_whole=time not in spoiled)
        for time, energy in energies.items()
    }


def average(
    boundaries: Boundaries,
    start: datetime,
    interval: timedelta,
    changed: datetime | None = None,
) -> Average | None:
    """Return the average power of an interval, None if it is not known.

    It is not if one of its boundaries was not seen, if the register has counted down
    meanwhile, if the clock was set, or if the meter's layout has changed, at changed.
    """
    end = start + interval
    first, last = boundaries.get(start), boundaries.get(end)
    if first is None or last is None or not last.ends_whole:
        return None
    if last.energy < first.energy or (changed and start < changed <= end):
        return None
    return Average(
        start,
        power_of(last.energy - first.energy, interval),
        is_exact=first.is_exact and last.is_exact,
    )


def averages(
    boundaries: Boundaries,
    interval: timedelta,
    changed: datetime | None = None,
    since: datetime = _EPOCH,
) -> Iterator[Average]:
    """Yield the average powers of the intervals that are known, oldest first.

    Only of those that begin at since or later.
    """
    for start in sorted(time for time in boundaries if time >= since):
        found = average(boundaries, start, interval, changed)
        if found is not None:
            yield found


def running_average(
    boundaries: Boundaries, reading: Reading, interval: timedelta
) -> float | None:
    """Return the energy since the last boundary over the full interval, in W.

    It rises from 0 to the average power of the interval. None if the boundary was not
    seen, or if the register has counted down since.
    """
    boundary = boundaries.get(start_of(reading.time, interval))
    if boundary is None or reading.energy < boundary.energy:
        return None
    return power_of(reading.energy - boundary.energy, interval)


def projected_average(
    average: float, power: float | None, time: datetime, interval: timedelta
) -> float | None:
    """Return what a running average becomes if a power in W stays, from a time on.

    Without a power, the mean of the interval so far stays: None at its very beginning.
    """
    share = (time - start_of(time, interval)) / interval
    if power is not None:
        return round(average + power * (1 - share), 3)
    return round(average / share, 3) if share else None
