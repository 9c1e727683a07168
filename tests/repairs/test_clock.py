"""The meter's clock is wrong."""

from datetime import datetime, timedelta
import re

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.nes_mep.const import DOMAIN
from custom_components.nes_mep.issues import CLOCK_WRONG

from ..simulator import SimulatedMeter
from .house import House


def drift(entry: MockConfigEntry) -> float:
    """Return how far the meter's clock was ahead when it was last read."""
    found: float = entry.runtime_data.coordinator.data.values["clock_drift"]
    return found


async def resync_clock(house: House) -> None:
    """Perform the action that reads the clock as well."""
    await house.hass.services.async_call(
        DOMAIN,
        "resync_clock",
        {"config_entry_id": house.entry.entry_id},
        blocking=True,
    )


async def test_wrong_clock(house: House, meter: SimulatedMeter) -> None:
    """A clock that stays wrong is told, though no entity shows it, until it is right."""
    entry = await house.set_up()
    # No entity shows it, so it is looked at once an hour, and then more often.
    meter.clock_offset = 90
    for _ in range(62):
        await house.pass_time(60)
        assert not house.issues
    for _ in range(12):
        await house.pass_time(60)
    assert house.issues == {CLOCK_WRONG}
    said = house.placeholders(CLOCK_WRONG)
    shown = [
        datetime.strptime(said[name], "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007
        for name in ("time", "meter_time")
    ]
    assert timedelta(seconds=60) < shown[1] - shown[0] <= timedelta(seconds=90)
    assert shown[0].hour == 15  # where it is 13 o'clock in UTC
    assert re.fullmatch(r"\+1 min( \d+ s)?", said["drift"])

    # Not while it is nearly as wrong as that, but when it is right again.
    meter.clock_offset += 52 - drift(entry)
    await house.pass_time(60)
    assert house.issues == {CLOCK_WRONG}
    meter.clock_offset = -3
    await house.pass_time(60)
    assert not house.issues
    before = len(meter.requests)
    await house.pass_time(600)
    assert not any(request.table == 52 for request in list(meter.requests)[before:])


@pytest.mark.parametrize(
    ("offset", "shown"),
    [
        (-425, "\N{MINUS SIGN}7 min [45] s"),
        (2 * 3600, r"\+(2 h|1 h 59 min)"),
        (-26 * 3600 - 5, "\N{MINUS SIGN}1 d 2 h"),
    ],
)
async def test_difference(
    house: House, meter: SimulatedMeter, offset: float, shown: str
) -> None:
    """The difference has its direction, and no more detail than is of use."""
    await house.set_up()
    meter.clock_offset = offset
    for _ in range(74):
        await house.pass_time(60)
    assert re.fullmatch(shown, house.placeholders(CLOCK_WRONG)["drift"])


async def test_clock_of_home_assistant_is_set_late(
    house: House, meter: SimulatedMeter
) -> None:
    """A clock that is wrong for some minutes after the start is no reason."""
    meter.clock_offset = 7200
    await house.set_up()
    meter.clock_offset = 0
    for _ in range(70):
        await house.pass_time(60)
        assert not house.issues


async def test_clock_that_an_action_reads(house: House, meter: SimulatedMeter) -> None:
    """What resync_clock reads counts as well."""
    await house.set_up()
    meter.clock_offset = -90
    await resync_clock(house)
    assert not house.issues
    await house.pass_time(601)
    assert house.issues == {CLOCK_WRONG}
    meter.clock_offset = 0
    await resync_clock(house)
    assert not house.issues
