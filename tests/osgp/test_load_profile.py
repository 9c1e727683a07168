"""Downloading the load profile: everything recorded, once, whatever happens."""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

from hypothesis import given, strategies as st
import pytest

from osgp import (
    ChannelStatus,
    LoadProfileDownload,
    LoadProfileInterval,
    LoadProfileSet,
    Meter,
    MeterError,
    MeterIdentity,
    best_data_set,
)
from osgp.link import Link
from osgp.load_profile.channels import load_profile_channels
from osgp.load_profile.data_sets import Pace
from osgp.tables.load_profile import DataSetDimensions
from tests.driven_clock import driven_clock

from .load_profiles import MOMENT, RecordedBlock, RecordedProfile, TablesLink, facts

_IDENTITY = MeterIdentity(
    serial_number="1",
    manufacturer="NES",
    model="83332-3I",
    firmware="3.70.24",
    firmware_version=(3, 70, 24),
)
_HOUR = timedelta(hours=1)


def _download(
    link: TablesLink, start: datetime | None = None, end: datetime | None = None
) -> LoadProfileDownload:
    """Return a download from tables that are bytes."""
    return LoadProfileDownload(
        cast("Link", link), _IDENTITY, facts(), start=start, end=end, period=0
    )


async def _all(download: LoadProfileDownload) -> list[LoadProfileInterval]:
    """Return all intervals of a download."""
    return [interval async for batch in download for interval in batch.intervals]


def _run[T](coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(coroutine)


@st.composite
def _recorded(draw: st.DrawFn) -> RecordedProfile:
    """Make a profile with a past: holes, pauses between blocks, old bytes."""
    profile = RecordedProfile(
        sources=draw(st.sampled_from([(0,), (0, 1), (0, 1, 2), tuple(range(16))])),
        minutes=draw(st.sampled_from([1, 20, 60])),
        blocks=draw(st.integers(1, 9)),
        intervals=draw(st.integers(1, 30)),
    )
    begin = MOMENT
    for number in range(draw(st.integers(0, 25))):
        indices = draw(st.sets(st.integers(0, profile.intervals - 1), min_size=1))
        if draw(st.booleans()):
            indices = set(range(profile.intervals))
        profile.recorded.append(
            RecordedBlock(
                begin,
                {
                    index: tuple(
                        1000 * number + index + channel
                        for channel in range(len(profile.sources))
                    )
                    for index in indices
                },
            )
        )
        pause = draw(st.sampled_from([0, 0, 0, 1, 7, 1000]))
        begin += (profile.intervals + pause) * profile.interval
    return profile


@given(
    profile=_recorded(),
    capacity=st.integers(80, 465),
    limits=st.tuples(
        st.integers(-100, 900) | st.none(), st.integers(-100, 900) | st.none()
    ),
    whole=st.booleans(),
)
def test_any_profile_and_any_time(
    profile: RecordedProfile,
    capacity: int,
    limits: tuple[int | None, int | None],
    whole: bool,
) -> None:
    """What was recorded in a time comes exactly once, newest first, unchanged."""
    start, end = (
        None if whole or each is None else MOMENT + each * profile.interval / 2
        for each in limits
    )
    client = TablesLink(profile.tables(), capacity)
    intervals = _run(_all(_download(client, start, end)))
    assert [interval.end for interval in intervals] == profile.ends(start, end)
    recorded = {
        block.begin + (index + 1) * profile.interval: values
        for block in profile.valid
        for index, values in block.values.items()
    }
    for interval in intervals:
        assert interval.values["energy_import"] == recorded[interval.end][0] / 1000
        assert len(interval.values) == len(profile.sources)
        assert interval.length == profile.interval
    blocks = [count for table, _, count in client.reads if table == 64]
    assert all(count <= capacity for count in blocks)


@given(profile=_recorded(), steps=st.lists(st.integers(1, 4), max_size=6))
def test_what_is_recorded_meanwhile(profile: RecordedProfile, steps: list[int]) -> None:
    """Growing and overwritten blocks: nothing wrong, nothing twice, no gap."""
    if not profile.recorded:
        return
    before = profile.ends()
    client = TablesLink(profile.tables(), 100)
    truth = {
        block.begin + (index + 1) * profile.interval: values[0] / 1000
        for block in profile.recorded
        for index, values in block.values.items()
    }
    due = list(steps)
    read = client.read

    async def read_and_record(table: int, offset: int, count: int) -> bytes:
        data = await read(table, offset, count)
        if table == 64 and due:
            due[0] -= 1
            if not due[0]:
                due.pop(0)
                _record(profile)
                client.tables = profile.tables()
        return data

    client.read = read_and_record  # type: ignore[method-assign]
    intervals = _run(_all(_download(client)))
    ends = [interval.end for interval in intervals]
    assert ends == before[: len(ends)]
    assert len(ends) >= len([end for end in profile.ends() if end in before])
    for interval in intervals:
        assert interval.values["energy_import"] == truth[interval.end]


def _record(profile: RecordedProfile) -> None:
    """Record one more interval, in a new block where the newest one is full."""
    newest = profile.recorded[-1]
    index = max(newest.values) + 1
    values = (7_000_000,) * len(profile.sources)
    if index < profile.intervals:
        newest.values[index] = values
        return
    begin = newest.begin + profile.intervals * profile.interval
    profile.recorded.append(RecordedBlock(begin, {0: values}))


def _days(blocks: int = 10, recorded: int = 10) -> RecordedProfile:
    """Return a profile of days of quarter-hours with two channels."""
    profile = RecordedProfile(sources=(0, 1), minutes=15, blocks=blocks, intervals=96)
    for day in range(recorded):
        begin = MOMENT + timedelta(days=day)
        profile.recorded.append(
            RecordedBlock(begin, {index: (96 * day + index, 0) for index in range(96)})
        )
    return profile


@pytest.mark.parametrize("blocks", [9, 12])
async def test_every_time(blocks: int) -> None:
    """Between blocks, within them and around them, however they are apart."""
    profile = RecordedProfile(sources=(0,), minutes=60, blocks=blocks, intervals=3)
    begin = MOMENT
    for pause in (0, 7, 0, 0, 30, 1, 0, 2, 0):
        profile.recorded.append(RecordedBlock(begin, dict.fromkeys(range(3), (1,))))
        begin += (3 + pause) * _HOUR
    last = 9 * (profile.header_size + 3 * profile.interval_size)
    for step in range(-3, 2 * (begin - MOMENT) // _HOUR + 3):
        time = MOMENT + step * _HOUR / 2
        for start, end in ((time, None), (None, time), (time, time + 5 * _HOUR)):
            client = TablesLink(profile.tables())
            intervals = await _all(_download(client, start, end))
            assert [each.end for each in intervals] == profile.ends(start, end)
            assert all(
                offset + count <= last
                for table, offset, count in client.reads
                if table == 64
            )


async def test_time_is_found_by_few_headers() -> None:
    """Six hours of the past take the header of the newest block and of their own."""
    profile = _days()
    client = TablesLink(profile.tables())
    start = MOMENT + timedelta(days=4, hours=3)
    intervals = await _all(_download(client, start, start + 6 * _HOUR))
    assert len(intervals) == 24
    blocks = [read for read in client.reads if read[0] == 64]
    assert [count for _, _, count in blocks] == [17, 17, 240]


async def test_whole_past_in_the_fewest_requests() -> None:
    """Replies are full: no byte is asked for twice, and checks are few."""
    profile = _days()
    client = TablesLink(profile.tables())
    batches = [batch async for batch in _download(client)]
    blocks = [count for table, _, count in client.reads if table == 64]
    assert sum(blocks) == len(profile.tables()[64]) + 17
    assert len(blocks) <= sum(blocks) / 455 + 2
    assert len([read for read in client.reads if read[0] == 63]) == 2 + len(batches)
    assert batches[-1].done == batches[-1].total == 960
    assert [batch.done for batch in batches] == sorted(batch.done for batch in batches)


async def test_clock_set_back() -> None:
    """Of a time that the clock went through twice, the later record holds."""
    profile = _days(recorded=2)
    profile.recorded[1].begin -= 2 * _HOUR
    intervals = await _all(_download(TablesLink(profile.tables())))
    repeated = [each for each in intervals if each.statuses]
    assert {each.end for each in repeated} == {
        MOMENT + timedelta(days=1) - index * profile.interval for index in range(8)
    }
    for each in repeated:
        assert not each.values
        assert set(each.statuses.values()) == {ChannelStatus.TIME_REPEATED}
    ends = [each.end for each in intervals if each.values]
    assert ends == sorted(set(ends), reverse=True)


async def test_times_after_the_clock_was_set_back() -> None:
    """Also what older blocks say about a later time is not what was asked for."""
    profile = _days(recorded=3)
    for block in profile.recorded[1:]:
        block.begin -= 20 * _HOUR
    end = MOMENT + 10 * _HOUR
    intervals = await _all(_download(TablesLink(profile.tables()), end=end))
    assert intervals[0].end == end
    assert max(each.end for each in intervals) == end
    assert len([each for each in intervals if each.values]) == 40


@pytest.mark.parametrize("day", [0, 1, 2])
async def test_block_that_makes_no_sense(day: int) -> None:
    """A block whose header was destroyed hides its own intervals only."""
    profile = _days(recorded=3)
    tables = profile.tables()
    begin = day * (profile.header_size + 96 * profile.interval_size)
    data = bytearray(tables[64])
    data[begin : begin + 5] = b"\xff" * 5
    tables[64] = bytes(data)
    expected = [
        end
        for end in profile.ends()
        if not timedelta(days=day) < end - MOMENT <= timedelta(days=day + 1)
    ]
    client = TablesLink(tables)
    assert [each.end for each in await _all(_download(client))] == expected
    start = MOMENT + timedelta(days=1, hours=12)
    intervals = await _all(_download(TablesLink(tables), start))
    assert [each.end for each in intervals] == [end for end in expected if end > start]


async def test_cleared_meanwhile() -> None:
    """A load profile that is cleared during a download ends it."""
    profile = _days()
    client = TablesLink(profile.tables())
    download = _download(client)
    first = await anext(download)
    profile.recorded = [RecordedBlock(MOMENT + timedelta(days=20), {0: (5, 5)})]
    client.tables = profile.tables()
    rest = await _all(download)
    assert first.intervals
    assert rest == []


async def test_layout_of_a_meter_that_hides_it() -> None:
    """Without ET21, the layout is computed."""
    profile = _days(recorded=2)
    tables = profile.tables()
    del tables[2048 + 21]
    assert len(await _all(_download(TablesLink(tables)))) == 192


async def test_short_reply() -> None:
    """A table that ends early is an error, each time."""
    profile = _days()
    client = TablesLink(profile.tables())
    client.tables[64] = client.tables[64][:100]

    async def cut(table: int, offset: int, count: int) -> bytes:
        return client.tables[table][offset : offset + count]

    client.read = cut  # type: ignore[method-assign]
    download = _download(client)
    for _ in range(2):
        with pytest.raises(MeterError, match="BT64"):
            await anext(download)


async def test_nothing_recorded() -> None:
    """A profile without blocks, and one without data sets."""
    profile = _days(recorded=0)
    assert await _all(_download(TablesLink(profile.tables()))) == []
    empty = {61: bytes.fromhex("00000000 000C 20 0000 0000 00 00")}
    assert await _all(_download(TablesLink(empty))) == []


@pytest.mark.parametrize("naive", ["start", "end"])
async def test_naive_times(meter: Meter, naive: str) -> None:
    """A time without zone is refused at once."""
    with pytest.raises(ValueError, match="time zone"):
        meter.load_profile(**{naive: MOMENT.replace(tzinfo=None)})  # type: ignore[arg-type]


async def test_pace() -> None:
    """Requests of others count, up to a limit, and the first one waits for none."""
    clock = driven_clock()
    link = SimpleNamespace(asked=0, clock=clock)
    pace = Pace(link, 1.0)
    waits: list[float] = []
    for requests, elapsed in (
        (1, 0.0),
        (1, 0.25),
        (3, 0.5),
        (50, 0.0),
        (1, 9.0),
        (0, 0.0),
    ):
        began = clock.time()
        await pace.wait()
        waits.append(clock.time() - began)
        link.asked += requests
        clock.move(elapsed)
    assert waits == [0.0, 1.0, 0.75, 2.5, 5.0, 0.0]


def _set(number: int, keys: str, **changes: Any) -> LoadProfileSet:
    """Return a data set with channels."""
    sources = {"i": 0, "e": 1, "p": 8}
    plain = LoadProfileSet(
        number=number,
        channels=load_profile_channels(
            tuple(sources[key] for key in keys), {}, facts()
        ),
        interval=timedelta(minutes=15),
        intervals_per_block=96,
        blocks=60,
        valid_blocks=1,
        active=True,
        dimensions=DataSetDimensions(
            blocks=60, intervals=96, channels=len(keys), interval=timedelta(minutes=15)
        ),
    )
    return replace(plain, **changes)


@pytest.mark.parametrize(
    ("sets", "number"),
    [
        ([], None),
        ([_set(1, "p"), _set(2, "i")], 2),
        ([_set(1, "i"), _set(2, "ie")], 2),
        ([_set(1, "ie", active=False), _set(2, "ie")], 2),
        ([_set(1, "ie", interval=timedelta(minutes=7)), _set(2, "ie", blocks=2)], 2),
        ([_set(1, "ie", interval=timedelta(hours=2)), _set(2, "ie", blocks=2)], 2),
        ([_set(1, "ie"), _set(2, "ie", interval=_HOUR)], 2),
        ([_set(1, "iep"), _set(2, "ie")], 1),
        ([_set(3, "p"), _set(4, "p")], 3),
    ],
)
def test_best_data_set(sets: list[LoadProfileSet], number: int | None) -> None:
    """The one that tells most, and reaches back the farthest."""
    best = best_data_set(sets, ("energy_import", "energy_export"))
    assert (best and best.number) == number
