"""A month that is lived through quarter by quarter, compared with the meter's own.

pytest does not collect it by itself, as a month takes minutes:

.dev/next/bin/python -m pytest -s -p tools.ha_next tests/peaks/whole_month.py

Home Assistant is stopped, killed and cut off from the meter on the way: within a quarter,
over a boundary, for a night, over a change of summer time, over the end of a month, for
two days. What every quarter ends up as, the month's peak with its time and the mean of
the three highest averages are compared with what the simulated meter counted.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from custom_components.nes_mep.const import DOMAIN
from homeassistant.util import dt as dt_util

from ..simulator import Fault
from .conftest import MakeHouse
from .house import House, local
from .test_filling import top
from .test_month import QUARTER

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)

_LOOKS: Final = (-8.0, 2.0, 36.0, 240.0, 480.0)
"""Seconds from a boundary to the polls around it and in the quarter."""
_CAUGHT_UP: Final = timedelta(minutes=20)
"""After a start or an outage, what was missed has been read by then."""


@dataclass(slots=True)
class Errors:
    """The worst errors in W by what was compared, of which times, and what is wrong."""

    worst: dict[str, tuple[float, datetime]] = field(default_factory=dict)
    times: dict[str, set[datetime]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def add(self, what: str, shown: float | None, truth: float, when: datetime) -> None:
        """Compare a value; none is an error of all that it should be."""
        error = abs((shown or 0.0) - truth)
        self.worst[what] = max((error, when), self.worst.get(what, (0.0, when)))
        self.times.setdefault(what, set()).add(when)
        if shown is None or (error > 0.001 and what not in {"running", "interpolated"}):
            self.wrong.append(f"{what} at {when}: {shown} for {truth}")

    def __str__(self) -> str:
        """Return the worst of each kind."""
        return "\n".join(
            f"  {what}: {len(self.times[what])}, {worst:.3f} W at worst, at {when}"
            for what, (worst, when) in sorted(self.worst.items())
        )


class Month:
    """A house that lives, and what it should show."""

    def __init__(self, house: House, storage: dict[str, Any]) -> None:
        """Start with nothing compared; storage is Home Assistant's."""
        self.errors = Errors()
        self.house = house
        self.storage = storage
        self.key = f"{DOMAIN}.{house.entry.entry_id}.peaks"
        self._truth: dict[datetime, float] = {}
        self._calm_since = house.now

    def disturb(self) -> None:
        """Expect no values of the month until what was missed is there."""
        self._calm_since = self.house.now

    def truth(self, start: datetime) -> float:
        """Return the true average of the quarter that begins then."""
        if start not in self._truth:
            self._truth[start] = self.house.truth(start, start + QUARTER)
        return self._truth[start]

    def quarters(self, end: datetime) -> Mapping[datetime, float]:
        """Return the true averages of the local month up to a time."""
        time = dt_util.as_local(end - QUARTER).replace(day=1, hour=0, minute=0)
        first = time.astimezone(UTC)
        count = (end - first) // QUARTER
        return {
            first + n * QUARTER: self.truth(first + n * QUARTER) for n in range(count)
        }

    async def live(self, until: datetime) -> None:
        """Poll around each boundary and in each quarter up to a time."""
        house = self.house
        while (boundary := house.next_boundary(QUARTER)) <= until:
            # So that polls are not always at the same distance from the boundary.
            shift = (boundary.timestamp() // 900) * 3.7 % 8
            for seconds in _LOOKS:
                time = boundary + timedelta(seconds=seconds + shift)
                # The load profile is read in the time after a poll.
                polled_at = max(time, house.now)
                await house.until(time)
                self._look_at_interval(polled_at)
            if house.now - self._calm_since > _CAUGHT_UP:
                self._look_at_month(boundary)

    def _look_at_interval(self, polled_at: datetime) -> None:
        house = self.house
        running = house.shown("interval_power_import")
        if running is not None:
            attributes = house.state("interval_power_import").attributes
            start = datetime.fromisoformat(attributes["interval_start"])
            truth = house.truth(start, polled_at) * ((polled_at - start) / QUARTER)
            self.errors.add("running", running, truth, polled_at)
        last = house.shown("last_interval_power_import")
        if last is not None:
            attributes = house.state("last_interval_power_import").attributes
            start = datetime.fromisoformat(attributes["interval_start"])
            what = "final" if attributes["exact"] else "interpolated"
            self.errors.add(what, last, self.truth(start.astimezone(UTC)), start)

    def _look_at_month(self, end: datetime) -> None:
        """Compare the values of the month, in which a quarter has just ended."""
        house, truth = self.house, self.quarters(end)
        highest = top(truth)
        peak = house.shown("month_peak_power_import")
        self.errors.add("peak of the month", peak, highest[0], end)
        mean = house.shown("month_mean_peak_power_import")
        # The mean is shown in mW.
        self.errors.add(
            "mean of three", mean, round(sum(highest) / len(highest), 3), end
        )
        state = house.state("month_peak_power_import_time").state
        shown = truth.get(_time(state))
        self.errors.add("power at the time of the peak", shown, highest[0], end)

    def look_at_stored(self) -> None:
        """Compare all quarters of the month that are stored, after a stop."""
        stored = self.storage[self.key]["data"]["boundaries"]["energy_import"]
        known = {
            datetime.fromtimestamp(time, UTC): energy
            for time, energy, is_exact, _ in stored
            if is_exact
        }
        end = self.house.next_boundary(QUARTER) - QUARTER
        for start, truth in self.quarters(end).items():
            before, after = known.get(start), known.get(start + QUARTER)
            average = (
                None
                if before is None or after is None
                else round(4000 * (after - before), 3)
            )
            self.errors.add("stored quarter", average, truth, start)


def _time(state: str) -> datetime:
    return datetime.fromisoformat(state).astimezone(UTC)


async def _stop(lived: Month, until: datetime) -> None:
    """Stop Home Assistant, and start it again at a time."""
    await lived.house.turn_off()
    lived.look_at_stored()
    lived.house.pass_time(until)
    await lived.house.turn_on()


async def _kill(lived: Month, until: datetime) -> None:
    """Do the same, but lose what was not written before."""
    written = lived.storage[lived.key]
    await lived.house.turn_off()
    lived.storage[lived.key] = written
    lived.house.pass_time(until)
    await lived.house.turn_on()


async def _cut(lived: Month, until: datetime) -> None:
    """Cut the link up to a time, and poll now and then."""
    house = lived.house
    house.meter.add_fault(Fault(kind="silence"))
    while house.now < until:
        await house.until(min(until, house.now + 10 * MINUTE))
    house.meter.clear_faults()


type _Disturbance = Callable[[Month, datetime], Awaitable[None]]


def _disturbances(
    begin: datetime, summer_time: str, month: str
) -> list[tuple[datetime, timedelta, _Disturbance]]:
    """Return what happens, in order: when, for how long, and what."""
    night = local(f"{summer_time} 00:20")
    end_of_month = local(f"{month} 00:00")
    plan = [
        (begin + 1 * DAY, 2 * MINUTE, _stop),
        (begin + 2 * DAY + 8 * MINUTE, 9 * MINUTE, _kill),
        (begin + 3 * DAY, 6 * HOUR, _stop),
        (begin + 5 * DAY, 20 * MINUTE, _cut),
        (begin + 6 * DAY, 7 * HOUR, _cut),
        (begin + 8 * DAY, 50 * HOUR, _stop),
        (night, 4 * HOUR, _stop),
        (night + 1 * DAY, 3 * HOUR, _kill),
        (end_of_month - 2 * HOUR, 3 * HOUR, _stop),
        (end_of_month + 2 * DAY, 3 * HOUR, _cut),
        (end_of_month + 4 * DAY, 26 * HOUR, _kill),
    ]
    return sorted(plan, key=lambda each: each[0])


@pytest.mark.timeout(7200)
@pytest.mark.parametrize(
    ("began", "summer_time", "month"),
    [
        ("2026-03-12 17:05", "2026-03-29", "2026-04-01"),
        ("2026-10-12 17:05", "2026-10-25", "2026-11-01"),
    ],
)
async def test_whole_month(
    make_house: MakeHouse,
    hass_storage: dict[str, Any],
    began: str,
    summer_time: str,
    month: str,
) -> None:
    """Everything that is final is the meter's, to the mW."""
    begin = local(began)
    async with make_house(begin) as house:
        await house.begin()
        lived = Month(house, hass_storage)
        for time, length, disturb in _disturbances(begin, summer_time, month):
            await lived.live(time)
            await disturb(lived, house.now + length)
            lived.disturb()
        await lived.live(begin + 31 * DAY)
        await house.turn_off()
        lived.look_at_stored()
        print(f"\n31 days from {began}, summer time on {summer_time}:\n{lived.errors}")  # noqa: T201
        assert not lived.errors.wrong
