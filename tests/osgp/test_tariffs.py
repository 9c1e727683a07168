"""The tariffs of the simulated meter, as its calendar and its clock tell them."""

from datetime import UTC, datetime, timedelta

import pytest

from osgp import DecodeError, Meter, RefusalError, Tariffs, parse_table
from tests.driven_clock import DrivenClock
from tests.simulator import PROFILES, Fault, SimulatedMeter
from tests.simulator.names import table_name
from tests.simulator.tables.status import CALENDAR

_DAY = timedelta(days=1)


async def _read(meter: Meter) -> Tariffs:
    tariffs = await meter.read_tariffs()
    assert tariffs is not None
    return tariffs


def _tables(simulated: SimulatedMeter, since: int) -> list[str]:
    return [
        table_name(request.table)
        for request in list(simulated.requests)[since:]
        if request.table is not None
    ]


def _to(simulated: SimulatedMeter, text: str) -> datetime:
    """Move on to a time, in UTC."""
    time = datetime.fromisoformat(text).replace(tzinfo=UTC)
    simulated.shift((time - simulated.time).total_seconds())
    return time


@pytest.mark.parametrize("profile", PROFILES)
async def test_true_for_days(meter: Meter, simulated: SimulatedMeter) -> None:
    """What the calendar says of the days ahead is what the meter does then."""
    tariffs = await _read(meter)
    assert tariffs.follows_calendar
    assert tariffs.schedule.tiers == set(simulated.profile.tariff)
    start = simulated.time
    end = start + 2 * _DAY
    expected = {}
    while simulated.time < end:
        expected[simulated.time] = simulated.snapshot().tier
        simulated.shift(1800)
    for time, tier in expected.items():
        assert tariffs.schedule.tier_at(time) == tier
    spans = tariffs.schedule.spans(start, end)
    for time, tier in expected.items():
        assert [s.tier for s in spans if s.start <= time < s.end] == [tier]


@pytest.mark.parametrize(
    "around",
    # Summer time begins and ends at 01:00 UTC; seasons change with April and October.
    ["2026-03-29T00:00", "2026-10-24T23:00", "2026-03-31T21:00", "2026-09-30T20:30"],
)
async def test_changes_of_clock_and_season(
    meter: Meter, simulated: SimulatedMeter, around: str
) -> None:
    """Before, after, and seen from either side."""
    middle = _to(simulated, around)
    simulated.shift(-_DAY.total_seconds())
    before = await _read(meter)
    simulated.shift(2 * _DAY.total_seconds())
    after = await _read(meter)
    assert after.follows_calendar
    simulated.shift((middle - simulated.time).total_seconds() - 43200)
    while simulated.time < middle + _DAY:
        tier = simulated.snapshot().tier
        assert before.schedule.tier_at(simulated.time) == tier
        assert after.schedule.tier_at(simulated.time) == tier
        simulated.shift(1800)


async def test_next_switch(meter: Meter, simulated: SimulatedMeter) -> None:
    """The next switch comes true, again and again."""
    for _ in range(10):
        tariffs = await _read(meter)
        assert tariffs.next_switch is not None
        left = (tariffs.next_switch.time - simulated.time).total_seconds()
        simulated.shift(left - 1)
        assert (await _read(meter)).tier == tariffs.tier
        simulated.shift(1)
        assert (await _read(meter)).tier == tariffs.next_switch.tier


async def test_override(meter: Meter, simulated: SimulatedMeter) -> None:
    """Only a tier that the calendar ends has a next switch."""
    _to(simulated, "2026-02-17T12:10")  # 13:10, tier 3 until 14:00, then 1
    two = datetime(2026, 2, 17, 13, tzinfo=UTC)
    assert (await _read(meter)).next_switch is not None
    simulated.set_tier(0, drive=1)
    tariffs = await _read(meter)
    assert (tariffs.tier, tariffs.follows_calendar) == (0, False)
    assert tariffs.next_switch is not None
    assert (tariffs.next_switch.time, tariffs.next_switch.tier) == (two, 1)
    # By hand, the meter has the tier already that the calendar switches to at 14:00.
    simulated.set_tier(1, drive=1)
    switch = (await _read(meter)).next_switch
    assert switch is not None
    assert (switch.time, switch.tier) == (two + timedelta(hours=3), 2)
    for drive in (2, 3):
        simulated.set_tier(0, drive=drive)
        tariffs = await _read(meter)
        assert (tariffs.tier, tariffs.next_switch) == (0, None)
    simulated.release_tier()
    assert (await _read(meter)).follows_calendar


async def test_read_seldom(
    meter: Meter, simulated: SimulatedMeter, host_clock: DrivenClock
) -> None:
    """Once a day, and when the season or the active calendar has changed."""
    calendar = {"BT50", "BT53", "BT54", "ET04"}

    async def asked() -> set[str]:
        since = len(simulated.requests)
        await _read(meter)
        return set(_tables(simulated, since))

    assert await asked() == calendar | {"BT55", "ET23"}
    host_clock.move(60)
    assert await asked() == {"BT55"}
    host_clock.move(3600)
    assert await asked() == {"BT55", "ET23"}
    simulated.overwrite("ET23", (CALENDAR + 1).to_bytes(4, "little"), 95)
    host_clock.move(1800)
    assert await asked() == {"BT55"}
    host_clock.move(1800)
    assert await asked() == calendar | {"BT55", "ET23"}
    simulated.season = 1
    assert await asked() == calendar | {"BT55", "ET23"}
    host_clock.move(86400)
    assert await asked() == calendar | {"BT55", "ET23"}


async def test_other_calendar_in_force(
    meter: Meter, simulated: SimulatedMeter, host_clock: DrivenClock
) -> None:
    """A tier that is not the calendar's is no prediction, and a reason to read again."""
    tariffs = await _read(meter)
    # The switches: 00:00 tier 6 all day long.
    simulated.overwrite("BT54", bytes.fromhex("0600 00") + bytes(27), 144)
    simulated.set_tier(6 % simulated.profile.tiers, drive=1)
    simulated.overwrite("BT55", bytes([6]), 7)
    again = await _read(meter)
    assert again.schedule == tariffs.schedule
    assert (again.follows_calendar, again.next_switch) == (False, None)
    host_clock.move(3600)
    again = await _read(meter)
    assert again.schedule.tiers == {6}
    assert again.follows_calendar


@pytest.mark.parametrize("code", [0x02, 0x03, 0x05])
@pytest.mark.parametrize("table", ["BT50", "BT53", "BT54", "ET23"])
async def test_out_of_reach(
    meter: Meter, simulated: SimulatedMeter, table: str, code: int
) -> None:
    """Without one of its tables there is no calendar."""
    simulated.add_fault(Fault(kind="refuse", table=table, code=code))
    assert await meter.read_tariffs() is None


@pytest.mark.parametrize("table", ["BT50", "BT53", "BT54", "BT55", "ET23"])
async def test_refused_for_now(
    meter: Meter, simulated: SimulatedMeter, table: str
) -> None:
    """A table that is refused for now is asked for again."""
    simulated.add_fault(Fault(kind="refuse", table=table, code=0x04))
    with pytest.raises(RefusalError):
        await meter.read_tariffs()
    simulated.clear_faults()
    await _read(meter)


@pytest.mark.parametrize(
    ("table", "data", "offset"),
    [
        ("BT50", "2903", 7),  # the sizes do not add up
        ("BT54", "1F0093", 75),  # special schedule 0 every so many days
        ("BT54", "0008", 144),  # the first switch of a day is at 01:00
        ("BT53", "18", 0),  # 24 o'clock
    ],
)
async def test_makes_no_sense(
    meter: Meter, simulated: SimulatedMeter, table: str, data: str, offset: int
) -> None:
    """A calendar that cannot be understood is none, until it can be."""
    before = await meter.read_table(parse_table(table))
    simulated.overwrite(table, bytes.fromhex(data), offset)
    assert await meter.read_tariffs() is None
    simulated.overwrite(table, before)
    await _read(meter)


async def test_no_time(meter: Meter, simulated: SimulatedMeter) -> None:
    """A clock without a date says nothing about the tariffs ahead."""
    simulated.overwrite("BT55", bytes(6), 0)
    with pytest.raises(DecodeError):
        await meter.read_tariffs()
