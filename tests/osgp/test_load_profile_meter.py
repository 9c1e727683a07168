"""The load profile of simulated meters: every value is the truth, or says why not."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from osgp import (
    ChannelStatus,
    IntervalFlag,
    LoadProfileDownload,
    LoadProfileInterval,
    LoadProfileSet,
    Meter,
    MeterError,
    RefusalError,
)
from tests.driven_clock import driven_clock
from tests.simulator import Fault, SimulatedMeter
from tests.simulator.catalogue import EVERY_PROFILE
from tests.simulator.load_profile.memory import STATUS

_NOON = datetime(2026, 2, 17, 12, 7, 30, tzinfo=UTC)
_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_SEVERAL = 700
"""Intervals that are compared of data sets with many."""


@pytest.fixture
def profile() -> str:
    """A meter with 100 blocks of an hour as its last data set."""
    return "lp_sets"


@pytest.fixture
def simulated(profile: str) -> SimulatedMeter:
    """A meter whose time stands still, at a moment within an interval."""
    meter = SimulatedMeter(EVERY_PROFILE[profile], paced=False)
    meter.freeze(_NOON)
    return meter


def _download(meter: Meter, data_set: int | None = None) -> LoadProfileDownload:
    return meter.load_profile(data_set=data_set, period=0)


async def _all(
    download: AsyncIterator[object] | LoadProfileDownload,
) -> list[LoadProfileInterval]:
    assert isinstance(download, LoadProfileDownload)
    return [interval async for batch in download for interval in batch.intervals]


def _truth(
    simulated: SimulatedMeter,
    data_set: LoadProfileSet,
    start: datetime | None = None,
    end: datetime | None = None,
) -> list[tuple[datetime, dict[str, float]]]:
    """Return end and true registers, in shown units, of all intervals, newest first."""
    unit = simulated.truth()["energy_unit"]
    thousandths = dict.fromkeys(("A", "V", "power_factor_l1"), 1 / 1000)
    factors = {"kWh": unit / 1000, "kvarh": unit / 1000, **thousandths}
    return [
        (
            interval.end,
            {
                channel.key: round(raw * factors.get(channel.unit or channel.key, 1), 6)
                for channel, raw in zip(data_set.channels, interval.truth, strict=True)
                if "outage_duration" not in channel.key
            },
        )
        for interval in simulated.load_profile.intervals(
            data_set.number - 1, start, end
        )[::-1]
    ]


def _read(
    intervals: list[LoadProfileInterval],
) -> list[tuple[datetime, dict[str, float]]]:
    """Return the same of what was read."""
    return [
        (
            interval.end,
            {
                key: round(value, 6)
                for key, value in interval.values.items()
                if "outage_duration" not in key
            },
        )
        for interval in intervals
    ]


@pytest.mark.parametrize(
    "profile",
    [
        *("ct", "gen4", "vt", "fw_3_00", "fw_3_50", "mbus_log"),
        *("lp_7min", "lp_20min", "lp_2h", "lp_day", "lp_sets", "lp_tiny"),
        "lp_ansi_90min",
    ],
)
async def test_every_value(meter: Meter, simulated: SimulatedMeter) -> None:
    """What a meter has recorded, in all data sets, is the truth."""
    sets = await meter.read_load_profile_sets()
    assert [each.number for each in sets] == [
        number + 1
        for number, each in enumerate(simulated.load_profile.data_sets)
        if each.blocks
    ]
    for each in sets:
        start = None if each.span < 12 * _DAY else _NOON - _SEVERAL * each.interval
        intervals = await _all(
            meter.load_profile(start, data_set=each.number, period=0)
        )
        truth = _truth(simulated, each, start)
        ordinary = [
            number for number, each in enumerate(intervals) if not each.statuses
        ]
        assert len(intervals) == len(truth)
        assert len(ordinary) > len(truth) / 2
        read = _read(intervals)
        for number in ordinary:
            assert read[number] == _comparable(truth[number], read[number])


@pytest.mark.parametrize("profile", ["lp_ansi_90min"])
async def test_unknown_length(meter: Meter, simulated: SimulatedMeter) -> None:
    """Whether 84 is a day or 84 minutes, ET21 and ET42 tell; else it is not used."""
    sets = await meter.read_load_profile_sets()
    lengths = [each.interval for each in sets]
    assert lengths == [timedelta(minutes=90), timedelta(minutes=84)]
    simulated.add_fault(Fault(kind="refuse", table="ET21", code=5))
    assert await meter.read_load_profile_sets() == sets
    simulated.add_fault(Fault(kind="refuse", table="ET42", code=5))
    assert await meter.read_load_profile_sets() == ()


def _comparable(
    truth: tuple[datetime, dict[str, float]], read: tuple[datetime, dict[str, float]]
) -> tuple[datetime, dict[str, float]]:
    """Return the truth about what was read; M-Bus values have no unit to compare."""
    return truth[0], {key: truth[1][key] for key in read[1]}


@pytest.mark.parametrize("profile", ["gen3"])
@pytest.mark.parametrize(
    ("start", "end"),
    [
        (_NOON - 6 * _HOUR, None),
        (_NOON - 4 * _DAY, _NOON - 3 * _DAY),
        (None, _NOON - 85 * _DAY),
        (_NOON - 400 * _DAY, _NOON - 88 * _DAY),
        (_NOON - 400 * _DAY, _NOON - 300 * _DAY),
        (_NOON, None),
        (_NOON + _DAY, _NOON + 2 * _DAY),
        (_NOON - _DAY, _NOON - 2 * _DAY),
        (None, datetime.min.replace(tzinfo=UTC)),
        (datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)),
    ],
)
async def test_a_time(
    meter: Meter,
    simulated: SimulatedMeter,
    start: datetime | None,
    end: datetime | None,
) -> None:
    """Only what was asked for is brought, and little else is read."""
    (data_set,) = await meter.read_load_profile_sets()
    before = len(simulated.requests)
    intervals = await _all(meter.load_profile(start, end, period=0))
    truth = _truth(simulated, data_set, start, end)
    assert _read(intervals) == truth
    requests = list(simulated.requests)[before:]
    # Five to begin, some to find the time and the checks, and full replies.
    assert len(requests) <= 5 + 8 + len(truth) / 20 * 1.2 + 2


@pytest.mark.parametrize("profile", ["lp_none"])
async def test_no_load_profile(meter: Meter, simulated: SimulatedMeter) -> None:
    """A meter that records nothing, and one that does not know of such a thing."""
    assert await meter.read_load_profile_sets() == ()
    assert await _all(_download(meter)) == []
    simulated.add_fault(Fault(kind="refuse", table="BT61", code=5))
    with pytest.raises(RefusalError, match="BT61"):
        await _all(_download(meter))


async def test_data_set(meter: Meter) -> None:
    """The set that tells most about energy, unless another is asked for."""
    batch = await anext(_download(meter))
    assert batch.data_set.number == 1
    assert batch.data_set.keys[:2] == ("energy_import", "energy_export")
    with pytest.raises(ValueError, match="does not use data set 3"):
        await anext(_download(meter, 3))


@pytest.mark.parametrize("profile", ["lp_mbus"])
async def test_mbus(meter: Meter, simulated: SimulatedMeter) -> None:
    """Channels of M-Bus meters by slot and register; a missing one has no value."""
    _, data_set = await meter.read_load_profile_sets()
    assert data_set.keys == (
        "energy_import",
        "mbus_1_volume",
        "mbus_2_volume",
        "mbus_3_energy",
        "mbus_4_volume",
    )
    assert [each.unit for each in data_set.channels[1:]] == ["m³", "m³", "kWh", "m³"]
    intervals = await _all(_download(meter, 2))
    for interval, truth in zip(
        intervals, simulated.load_profile.intervals(1)[::-1], strict=True
    ):
        gas, water, heat = (int(f"{raw:x}") for raw in truth.truth[1:4])
        assert interval.values["mbus_1_volume"] == gas / 100
        assert interval.values["mbus_2_volume"] == water / 1000
        assert interval.values["mbus_3_energy"] == heat
        assert "mbus_4_volume" not in interval.values
        assert interval.statuses["mbus_4_volume"] is ChannelStatus.DEVICE_MISSING


@pytest.mark.parametrize("profile", ["lp_mbus"])
@pytest.mark.parametrize("tables", [("ET57",), ("ET11",), ("ET21", "ET42")])
async def test_mbus_without_meaning(
    meter: Meter, simulated: SimulatedMeter, tables: tuple[str, ...]
) -> None:
    """While the meter does not say what is recorded, the channels have no registers."""
    for table in tables:
        simulated.add_fault(Fault(kind="refuse", table=table, code=5))
    _, data_set = await meter.read_load_profile_sets()
    assert data_set.keys[1:3] == ("mbus_1_type_1", "mbus_2_type_2")


@pytest.mark.parametrize("profile", ["lp_mbus"])
async def test_mbus_of_an_ansi_load_profile(
    meter: Meter, simulated: SimulatedMeter
) -> None:
    """Where the meter does not tell that a value is missing, none can be used."""
    first, second = simulated.profile.load_profile
    simulated.configure_load_profile(first, replace(second, compliant=True))
    _, data_set = await meter.read_load_profile_sets()
    assert data_set.keys[:2] == ("energy_import", "mbus_1_type_1")


@pytest.mark.parametrize("profile", ["lp_mbus"])
async def test_hidden_mapping(meter: Meter, simulated: SimulatedMeter) -> None:
    """Without ET66, mapped channels keep their ids, and the others their names."""
    simulated.add_fault(Fault(kind="refuse", table="ET66", code=5))
    _, data_set = await meter.read_load_profile_sets()
    assert data_set.keys == ("energy_import", *(f"source_{n}" for n in range(112, 116)))


@pytest.mark.parametrize(
    ("profile", "limit"),
    [
        ("gen3", 100_000),
        ("ct", 1_000_000),
        ("vt", 10_000_000),
        ("lp_sets", 100_000),
        ("lp_mbus", 100_000),
        ("fw_3_60", None),
        ("fw_3_10", None),
    ],
)
async def test_energy_limit(
    meter: Meter, simulated: SimulatedMeter, limit: float | None
) -> None:
    """Where energy registers start again, as far as the meter says it."""
    assert await meter.read_energy_limit() == limit
    simulated.add_fault(Fault(kind="refuse", table="ET42", code=5))
    assert await meter.read_energy_limit() is None


@pytest.mark.parametrize("name", STATUS)
async def test_status(meter: Meter, simulated: SimulatedMeter, name: str) -> None:
    """Values with a status: those that can be used are the truth, others are none."""
    until = _NOON - 2 * _HOUR
    simulated.load_profile.mark(
        until - _HOUR, until, name, channel=1, common=2, data_set=0
    )
    download = meter.load_profile(until - 2 * _HOUR, until, data_set=1, period=0)
    intervals = await _all(download)
    marked, ordinary = intervals[:2], intervals[2:]
    assert [each.statuses for each in ordinary] == [{}, {}]
    data_set = (await meter.read_load_profile_sets())[0]
    truth = dict(_truth(simulated, data_set))
    for each in marked:
        assert each.flags is IntervalFlag.POWER_FAILURE
        (status,) = each.statuses.values()
        assert list(each.statuses) == ["energy_export"]
        assert status.value == STATUS[name]
        assert each.values["energy_import"] == truth[each.end]["energy_import"]
        if name in {"partial", "long"}:
            assert each.values["energy_export"] == truth[each.end]["energy_export"]
        else:
            assert "energy_export" not in each.values


async def test_what_was_not_recorded(meter: Meter, simulated: SimulatedMeter) -> None:
    """Intervals without simple status are left out, whatever bytes they have."""
    simulated.load_profile.lose(_NOON - 5 * _HOUR, _NOON - 3 * _HOUR)
    simulated.load_profile.lose(_NOON - 3 * _DAY, _NOON - 2 * _DAY)
    data_set = (await meter.read_load_profile_sets())[0]
    intervals = await _all(_download(meter, 1))
    ends = {interval.end for interval in intervals}
    assert _NOON.replace(hour=8, minute=0, second=0) not in ends
    assert _read(intervals) == _truth(simulated, data_set)


@pytest.mark.parametrize("profile", ["gen3", "lp_gaps"])
async def test_outage_and_clock(meter: Meter, simulated: SimulatedMeter) -> None:
    """An outage and a clock that was set are flagged; no value is wrong."""
    simulated.add_outage(_NOON - 20 * _HOUR, _NOON - 17 * _HOUR)
    simulated.set_clock(2400, _NOON - 10 * _HOUR)
    simulated.set_clock(-2400, _NOON - 5 * _HOUR)
    (data_set,) = await meter.read_load_profile_sets()
    intervals = await _all(meter.load_profile(_NOON - _DAY, period=0))
    assert _read(intervals) == _truth(simulated, data_set, _NOON - _DAY)
    flags = IntervalFlag.NONE
    for interval in intervals:
        flags |= interval.flags
        forward = IntervalFlag.CLOCK_SET_FORWARD in interval.flags
        partial = ChannelStatus.PARTIAL_INTERVAL in interval.statuses.values()
        assert forward == partial
        back = IntervalFlag.CLOCK_SET_BACK in interval.flags
        assert back == (ChannelStatus.LONG_INTERVAL in interval.statuses.values())
    assert flags == (
        IntervalFlag.POWER_FAILURE
        | IntervalFlag.CLOCK_SET_FORWARD
        | IntervalFlag.CLOCK_SET_BACK
    )


async def test_recording_goes_on(meter: Meter, simulated: SimulatedMeter) -> None:
    """Blocks that are overwritten during the download end it, a little earlier."""
    data_set = (await meter.read_load_profile_sets())[-1]
    truth = _truth(simulated, data_set)
    download = _download(meter, data_set.number)
    intervals = list((await anext(download)).intervals)
    simulated.shift(3 * 3600)
    intervals += await _all(download)
    assert _read(intervals) == truth[: len(intervals)]
    kept = _truth(simulated, data_set)
    assert len(intervals) == len([each for each in truth if each in kept])
    assert len(intervals) == len(truth) - 3 * 12


async def test_recording_goes_on_everywhere(
    meter: Meter, simulated: SimulatedMeter
) -> None:
    """The same when time flies from one request to the next."""
    task = asyncio.create_task(_all(_download(meter, 4)))
    while not task.done():
        simulated.shift(97)
        await asyncio.sleep(0)
    intervals = await task
    assert len(intervals) > 500
    for newer, older in pairwise(intervals):
        assert newer.end - older.end == timedelta(minutes=5)
    for each in intervals:
        raw = simulated.load_profile.interval_truth(3, 0, each.end)
        assert each.values["energy_import"] == raw / 1000


async def test_reconfigured(meter: Meter, simulated: SimulatedMeter) -> None:
    """Another configuration during the download ends it; the next one knows it."""
    download = _download(meter, 4)
    first = await anext(download)
    simulated.configure_load_profile(EVERY_PROFILE["lp_60min"].load_profile[0])
    assert await _all(download) == []
    assert first.intervals
    simulated.shift(5 * 3600)
    (data_set,) = await meter.read_load_profile_sets()
    assert data_set.interval == _HOUR
    intervals = await _all(_download(meter))
    assert _read(intervals) == _truth(simulated, data_set)
    assert len(intervals) == 5


async def test_going_on_after_errors(meter: Meter, simulated: SimulatedMeter) -> None:
    """An error stops a download; it goes on where it stopped, reading nothing twice."""
    data_set = (await meter.read_load_profile_sets())[-1]
    simulated.add_fault(Fault(kind="refuse", table="BT67", code=4, skip=12, times=2))
    simulated.add_fault(Fault(kind="refuse", table="BT63", code=4, skip=2, times=1))
    simulated.add_fault(Fault(kind="refuse", table="ET21", code=5, times=1))
    simulated.requests.clear()
    download = _download(meter, data_set.number)
    intervals: list[LoadProfileInterval] = []
    errors: list[MeterError] = []
    while True:
        try:
            intervals += await _all_into(download, intervals)
        except MeterError as err:
            errors.append(err)
        else:
            break
    assert len(errors) == 3
    assert _read(intervals) == _truth(simulated, data_set)
    served = [
        (request.offset, request.count)
        for request in simulated.requests
        if request.table == 67 and request.reply_code == 0
    ]
    assert len(served) == len(set(served))


async def _all_into(
    download: LoadProfileDownload, intervals: list[LoadProfileInterval]
) -> list[LoadProfileInterval]:
    """Add the intervals of a download to a list that survives its errors."""
    async for batch in download:
        intervals += batch.intervals
    return []


@pytest.mark.parametrize(
    "kind", ["lose_request", "lose_reply", "corrupt", "truncate", "drop_byte", "stale"]
)
async def test_faults(meter: Meter, simulated: SimulatedMeter, kind: str) -> None:
    """A link that damages messages slows a download and does not change a value."""
    data_set = (await meter.read_load_profile_sets())[-1]
    simulated.add_fault(Fault(kind=kind, probability=0.1))
    download = _download(meter, data_set.number)
    intervals: list[LoadProfileInterval] = []
    for _ in range(20):
        try:
            await _all_into(download, intervals)
        except MeterError:
            continue
        break
    assert _read(intervals) == _truth(simulated, data_set)


@pytest.mark.parametrize("profile", ["gen3"])
async def test_polls_come_between(meter: Meter, simulated: SimulatedMeter) -> None:
    """Each request of a poll waits for one message of the download at most."""
    await meter.read()
    await meter.read()
    download = _download(meter)
    intervals = list((await anext(download)).intervals)
    task = asyncio.create_task(_all(download))
    for _ in range(10):
        for _ in range(50):  # some parts later
            await asyncio.sleep(0)
        before = len(simulated.requests)
        readings = await meter.read()
        assert not readings.errors
        tables = [request.table for request in list(simulated.requests)[before:]]
        polls = [index for index, table in enumerate(tables) if table in {23, 28}]
        assert len(polls) == 2
        assert polls[0] <= 1
        assert polls[1] - polls[0] - 1 <= 1
    assert not task.done()
    intervals += await task
    assert len(intervals) == len(simulated.load_profile.intervals())


@pytest.mark.parametrize("profile", ["gen3"])
async def test_pace(meter: Meter, simulated: SimulatedMeter) -> None:
    """Without another wish, a second lies between two requests."""
    clock = driven_clock()
    simulated.requests.clear()
    began = clock.time()
    await _all(meter.load_profile(_NOON - _DAY))
    assert clock.time() - began == pytest.approx(len(simulated.requests) - 1, abs=0.1)
