"""A month of quarters over summer time, with restarts, compared with the meter's own.

What it measures is printed: pytest -s tests/peaks/test_month.py
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from custom_components.nes_mep.const import DOMAIN

from .conftest import MakeHouse
from .house import House, local
from .test_filling import expect_month

QUARTER = timedelta(minutes=15)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


@dataclass(slots=True)
class Errors:
    """The errors in W of what was shown: of each value, and of how many there were."""

    running: list[float] = field(default_factory=list)
    interpolated: list[float] = field(default_factory=list)
    final: list[float] = field(default_factory=list)

    def look(self, house: House) -> None:
        """Compare what is shown now."""
        if (shown := house.shown("interval_power_import")) is not None:
            attributes = house.state("interval_power_import").attributes
            start = datetime.fromisoformat(attributes["interval_start"])
            truth = house.truth(start, house.now) * ((house.now - start) / QUARTER)
            self.running.append(abs(shown - truth))
        if (shown := house.shown("last_interval_power_import")) is not None:
            attributes = house.state("last_interval_power_import").attributes
            start = datetime.fromisoformat(attributes["interval_start"])
            errors = self.final if attributes["exact"] else self.interpolated
            errors.append(abs(shown - house.truth(start, start + QUARTER)))

    def __str__(self) -> str:
        """Return the worst of each kind."""
        return ", ".join(
            f"{name} {max(errors):.1f} W (of {len(errors)})"
            for name, errors in (
                ("running", self.running),
                ("interpolated", self.interpolated),
                ("final", self.final),
            )
        )


async def live_around_boundaries(house: House, until: datetime, errors: Errors) -> None:
    """Poll around each boundary, as polls every 10 seconds do, up to a time."""
    while house.now < until:
        boundary = house.next_boundary(QUARTER)
        shift = (boundary - local("2026-01-01")) // QUARTER * 3.7 % 10
        for seconds in (shift - 10, shift, 36):
            await house.until(boundary + timedelta(seconds=seconds))
            if seconds > 0:
                errors.look(house)


def stored_errors(
    house: House, storage: dict[str, Any], month: datetime
) -> list[float]:
    """Return by how many W the stored quarters of a month are wrong, in order."""
    stored = storage[f"{DOMAIN}.{house.entry.entry_id}.peaks"]["data"]["boundaries"]
    energies = {
        datetime.fromtimestamp(time, UTC): (energy, is_exact)
        for time, energy, is_exact, _ in stored["energy_import"]
    }
    first, *_, last = sorted(time for time in energies if time >= month)
    assert first == month
    count = (last - first) // QUARTER
    times = [first + n * QUARTER for n in range(count + 1)]
    assert all(energies[time][1] for time in times)
    wrong = [
        round(1000 * energies[time][0] - house.meter.register_truth(0, time), 3)
        for time in times
    ]
    return [4 * abs(after - before) for before, after in pairwise(wrong)]


@pytest.mark.parametrize(
    ("month", "began", "ends"),
    [
        ("2026-03-01", "2026-03-28 17:05", "2026-03-29 12:00"),
        ("2026-10-01", "2026-10-24 17:05", "2026-10-25 12:00"),
    ],
)
async def test_month(
    make_house: MakeHouse,
    hass_storage: dict[str, Any],
    month: str,
    began: str,
    ends: str,
) -> None:
    """Every quarter of the month is the meter's, after three restarts as well.

    One is within a quarter, one over a boundary, and one over the night in which summer
    time begins or ends.
    """
    errors = Errors()
    begin, end = local(began), local(ends)
    async with make_house(begin) as house:
        await house.begin()
        for time, off in (
            (begin + 2 * HOUR, 2 * MINUTE),
            (begin + 4 * HOUR + 8 * MINUTE, 5 * MINUTE),
            (begin + 6 * HOUR, 6 * HOUR),
        ):
            await live_around_boundaries(house, time, errors)
            await house.turn_off()
            house.pass_time(house.now + off)
            await house.turn_on()
        await live_around_boundaries(house, end, errors)
        expect_month(house, local(month), house.next_boundary(QUARTER) - QUARTER)
        await house.turn_off()
        stored = stored_errors(house, hass_storage, local(month))
        print(f"{month}: {errors}, stored {max(stored):.1f} W (of {len(stored)})")  # noqa: T201
        assert max(stored) == 0
        assert max(errors.final) == 0
        assert max(errors.interpolated) < 30
        assert max(errors.running) < 30
