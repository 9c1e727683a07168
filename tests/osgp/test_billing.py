"""Readings that are stored for the bill, against what the simulated meter stored."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from unittest.mock import patch
from zoneinfo import ZoneInfo

import pytest

from osgp import BillingReading, Meter, RefusalError, UnverifiedReplyError
from tests.simulator import PROFILES, Exchange, Fault, SimulatedMeter
from tests.simulator.billing import StoredReading, billing_table
from tests.simulator.names import table_name

_EVERY_PROFILE = pytest.mark.parametrize("profile", PROFILES)
_ZONE = ZoneInfo("Europe/Copenhagen")
_KEYS = {0: "energy_import", 1: "energy_export", 2: "reactive_energy_import"}
_MONTH = 31 * 86400


def _stored(simulated: SimulatedMeter, table: str) -> list[StoredReading]:
    """Return what a table holds, oldest first."""
    profile = simulated.profile
    if table in {"BT25", "ET41"} and (profile.reset_log > 0) != (table == "ET41"):
        return []
    room = {"BT26": profile.self_reads, "ET41": profile.reset_log}.get(table, 1)
    return simulated.billing.of(table)[-room:] if room else []


def _energies(stored: StoredReading) -> dict[str, float]:
    """Return what some registers were, in kWh and kvarh, by key."""
    snapshot, profile = stored.snapshot, stored.snapshot.profile
    return {
        key + tariff: snapshot.tier_value(source, tier)
        * profile.ratios.energy_unit
        / 1000
        for source, key in _KEYS.items()
        for tier, tariff in (
            (None, ""),
            *((tier, f"_tariff_{tier + 1}") for tier in range(profile.tiers)),
        )
    }


def _assert_equal(
    readings: Sequence[BillingReading], stored: Sequence[StoredReading]
) -> None:
    """Compare what was read with what is true."""
    assert len(readings) == len(stored)
    for reading, truth in zip(readings, stored, strict=True):
        time = datetime.fromtimestamp(truth.time, _ZONE).replace(tzinfo=None)
        assert reading.time == time
        assert reading.season == truth.season
        energies = _energies(truth)
        assert {key: reading.energies[key] for key in energies} == energies


def _tables(simulated: SimulatedMeter, since: int) -> list[tuple[str, int | None]]:
    """Return the tables that were asked for, and how many bytes of each."""
    return [
        (table_name(request.table), request.count)
        for request in list(simulated.requests)[since:]
        if request.table is not None
    ]


@_EVERY_PROFILE
async def test_newest(meter: Meter, simulated: SimulatedMeter) -> None:
    """The newest reading is that of the table that serves the bill, month by month."""
    table = billing_table(simulated.profile)
    assert await meter.billing.has_source() == (table is not None)
    for _ in range(3):
        reading = await meter.billing.read_newest()
        if table is None:
            assert reading is None
        else:
            assert reading is not None
            assert reading.source == table
            _assert_equal([reading], _stored(simulated, table)[-1:])
        simulated.shift(_MONTH)


@_EVERY_PROFILE
async def test_all(meter: Meter, simulated: SimulatedMeter) -> None:
    """All readings of all tables, oldest first; a ring goes over its end."""
    readings = await meter.billing.read_all()
    assert all(one.time <= other.time for one, other in pairwise(readings))
    for table in ("BT24", "BT25", "BT26", "ET41"):
        _assert_equal(
            [reading for reading in readings if reading.source == table],
            _stored(simulated, table),
        )
    assert await meter.billing.read_all(3) == readings[-3:]


@pytest.mark.parametrize("profile", ["gen3", "gen3_demand"])
async def test_ring_goes_round(meter: Meter, simulated: SimulatedMeter) -> None:
    """Wherever the newest entry is, twelve months are there."""
    for _ in range(13):
        readings = await meter.billing.read_all()
        own = [reading for reading in readings if reading.source == "BT26"]
        assert len(own) == 12
        _assert_equal(own, _stored(simulated, "BT26"))
        simulated.shift(_MONTH)


async def test_new_meter(meter: Meter, simulated: SimulatedMeter) -> None:
    """A meter without a first billing date has no reading, and then one."""
    simulated.replace_meter(simulated.profile.serial_number)
    assert await meter.billing.has_source()
    assert await meter.billing.read_newest() is None
    assert await meter.billing.read_all() == ()
    simulated.shift(_MONTH)
    reading = await meter.billing.read_newest()
    assert reading is not None
    assert await meter.billing.read_all() == (reading,)


@pytest.mark.parametrize(
    ("profile", "mark"), [("gen3", "BT26"), ("vt", "ET41"), ("fw_3_60", "BT25")]
)
async def test_only_the_mark_is_read(
    meter: Meter, simulated: SimulatedMeter, mark: str
) -> None:
    """While there is no newer reading, a few bytes tell so."""
    first = await meter.billing.read_newest()
    since = len(simulated.requests)
    assert await meter.billing.read_newest() == first
    assert _tables(simulated, since) == [(mark, 5 if mark == "BT25" else 6)]
    simulated.shift(_MONTH)
    assert await meter.billing.read_newest() != first


async def test_one_request_for_a_reading(
    meter: Meter, simulated: SimulatedMeter
) -> None:
    """The energies of a meter without demand fit one reply."""
    await meter.billing.read_newest()
    simulated.shift(_MONTH)
    since = len(simulated.requests)
    await meter.billing.read_newest()
    header, entry, again = _tables(simulated, since)
    assert header == again == ("BT26", 6)
    assert entry[0] == "BT26"


async def test_worked_example(meter: Meter, simulated: SimulatedMeter) -> None:
    """Entries of 226 bytes, the newest at 684, the one before at 458, then 910."""
    simulated.overwrite("BT26", bytes.fromhex("04 0C 03 2F01 00"))
    simulated.overwrite("BT26", bytes.fromhex("1A0201000000 4E61BC00 D2040000"), 684)
    simulated.overwrite("BT26", bytes.fromhex("1A0101000001 10270000 00000000"), 458)
    simulated.overwrite("BT26", bytes.fromhex("190301000000 01000000 02000000"), 910)
    newest = await meter.billing.read_newest()
    assert newest is not None
    assert newest.time == datetime(2026, 2, 1)  # noqa: DTZ001
    assert newest.season == 0
    assert newest.energies["energy_import"] == 12345.678
    assert newest.energies["energy_export"] == 1.234
    own = {
        (reading.time, reading.season): reading.energies["energy_import"]
        for reading in await meter.billing.read_all()
        if reading.source == "BT26"
    }
    assert own[datetime(2026, 1, 1), 1] == 10  # noqa: DTZ001
    assert own[datetime(2025, 3, 1), 0] == 0.001  # noqa: DTZ001


async def test_never_written(meter: Meter, simulated: SimulatedMeter) -> None:
    """An entry without a date is no reading."""
    for index in range(12):
        simulated.overwrite("BT26", bytes(6), 6 + 226 * index)
    simulated.overwrite("BT24", bytes(6))
    assert await meter.billing.read_newest() is None
    assert await meter.billing.read_all() == ()


@pytest.mark.parametrize("profile", ["gen3_demand"])
async def test_season_without_counter(meter: Meter, simulated: SimulatedMeter) -> None:
    """BT24 counts only if its registers are where they are expected."""
    readings = await meter.billing.read_all()
    assert "BT24" in {reading.source for reading in readings}
    data = simulated.table(24)
    assert data is not None
    simulated.overwrite("BT24", data[7:] + b"\0", 6)
    readings = await meter.billing.read_all()
    assert "BT24" not in {reading.source for reading in readings}


@pytest.mark.parametrize("profile", ["gen3_demand"])
async def test_other_configuration(meter: Meter, simulated: SimulatedMeter) -> None:
    """Readings with another billing number than the newest are in another layout."""
    size = 2 + 6 + meter.register_map.length(23)
    last = simulated.table(26)[2]  # type: ignore[index]
    for age in (2, 4):
        index = (last - age) % 12
        simulated.overwrite("BT26", b"\7\0", 6 + size * index)
    readings = await meter.billing.read_all()
    own = [reading for reading in readings if reading.source == "BT26"]
    _assert_equal(own, _stored(simulated, "BT26")[-2:])


@pytest.mark.parametrize("profile", ["gen3", "gen3_demand"])
async def test_billing_number_is_where_it_should_not_be(
    meter: Meter, simulated: SimulatedMeter
) -> None:
    """Whether there is a billing number is told by the date, if not by the guide."""
    data = simulated.table(26)
    assert data is not None
    has_number = simulated.profile.demand is not None
    size = (len(data) - 6) // 12
    entries = [data[6 + size * n :][:size] for n in range(12)]
    moved = [entry[2:] if has_number else b"\1\0" + entry for entry in entries]
    with patch.object(
        simulated, "content", _with(simulated, 26, data[:6] + b"".join(moved))
    ):
        readings = await meter.billing.read_all()
        newest = await meter.billing.read_newest()
    own = [reading for reading in readings if reading.source == "BT26"]
    _assert_equal(own, _stored(simulated, "BT26"))
    assert newest == own[-1]


def _with(simulated: SimulatedMeter, number: int, data: bytes) -> Any:
    """Return what a meter answers with, one table of which has other bytes."""
    content = simulated.content
    return lambda table: data if table == number else content(table)


@pytest.mark.parametrize("code", [0x02, 0x03, 0x05])
@pytest.mark.parametrize("table", ["BT50", "BT54"])
async def test_no_calendar(
    meter: Meter, simulated: SimulatedMeter, table: str, code: int
) -> None:
    """Where the calendar is out of reach, what was stored counts."""
    simulated.add_fault(Fault(kind="refuse", table=table, code=code))
    reading = await meter.billing.read_newest()
    assert reading is not None
    _assert_equal([reading], _stored(simulated, "BT26")[-1:])


@pytest.mark.parametrize("profile", ["gen3", "single_phase"])
async def test_calendar_in_old_format(meter: Meter, simulated: SimulatedMeter) -> None:
    """Of a calendar whose dates are nobody knows where, nothing is concluded."""
    simulated.overwrite("BT54", b"\1", 77)
    is_stored = bool(_stored(simulated, "BT26"))
    assert await meter.billing.has_source() == is_stored


async def test_asked_again(meter: Meter, simulated: SimulatedMeter) -> None:
    """A calendar that is refused for now decides nothing."""
    simulated.add_fault(Fault(kind="refuse", table="BT54", code=0x04))
    with pytest.raises(RefusalError):
        await meter.billing.read_newest()
    simulated.clear_faults()
    assert await meter.billing.read_newest() is not None


@pytest.mark.parametrize("profile", ["gen3_demand", "vt"])
@pytest.mark.parametrize("code", [0x03, 0x04])
async def test_refused(meter: Meter, simulated: SimulatedMeter, code: int) -> None:
    """A table out of reach leaves the others; one refused for now is asked again."""
    simulated.add_fault(Fault(kind="refuse", table="BT24", code=code))
    if code == 0x04:
        with pytest.raises(RefusalError):
            await meter.billing.read_all()
        return
    readings = await meter.billing.read_all()
    assert readings
    assert "BT24" not in {reading.source for reading in readings}


@pytest.mark.parametrize("profile", ["vt"])
async def test_no_dimensions_of_logs(meter: Meter, simulated: SimulatedMeter) -> None:
    """Without ET36 there is no ET41, and BT25 has the last reset."""
    simulated.add_fault(Fault(kind="refuse", table="ET36", code=0x05))
    reading = await meter.billing.read_newest()
    assert reading is not None
    assert reading.source == "BT25"
    _assert_equal([reading], simulated.billing.of("BT25")[-1:])


@pytest.mark.parametrize("times", [1, 9])
async def test_stored_meanwhile(
    meter: Meter, simulated: SimulatedMeter, times: int
) -> None:
    """If the meter stores a reading while others are read, they are read again."""
    await meter.billing.read_newest()
    exchange = simulated.exchange
    left = times

    def store(message: bytes) -> Exchange:
        nonlocal left
        answer = exchange(message)
        if left and answer.request.table == 26 and answer.request.count != 6:
            left -= 1
            simulated.shift(_MONTH)
        return answer

    simulated.shift(_MONTH)
    with patch.object(simulated, "exchange", store):
        if times > 3:
            with pytest.raises(UnverifiedReplyError):
                await meter.billing.read_newest()
            return
        reading = await meter.billing.read_newest()
    assert reading is not None
    _assert_equal([reading], _stored(simulated, "BT26")[-1:])


@pytest.mark.parametrize("profile", ["fw_3_70"])
async def test_unit_is_unknown(meter: Meter, simulated: SimulatedMeter) -> None:
    """Nothing is read on an unknown scale."""
    simulated.add_fault(Fault(kind="refuse", table="ET55", code=0x04))
    simulated.add_fault(Fault(kind="refuse", table="ET42", code=0x04))
    simulated.raise_interface_version()
    await meter.read(["voltage_l1"])
    with pytest.raises(RefusalError):
        await meter.billing.read_newest()
    simulated.clear_faults()
    assert await meter.billing.read_newest() is not None


def test_time_of_self_reads() -> None:
    """The simulated meter stores at the local time of ET04, over summer time too."""
    meter = SimulatedMeter(
        PROFILES["gen3"], paced=False, clock=lambda: datetime(2026, 6, 21, tzinfo=UTC)
    )
    times = [
        datetime.fromtimestamp(each.time, _ZONE) for each in meter.billing.of("BT26")
    ]
    assert {(time.day, time.hour, time.minute) for time in times} == {(1, 0, 0)}
    assert len(times) == 17
