"""What happened to the simulated meter, as its load profile shows it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from struct import unpack_from

import pytest

from tests.simulator import EVERY_PROFILE, Interval, SimulatedMeter, mbus_source
from tests.simulator.control import carry_out
from tests.simulator.mbus import GAS, OLD_WATER
from tests.simulator.meter_clock import ClockStep, MeterClock
from tests.simulator.profiles import GEN3
from tests.simulator.registers import Snapshot

from .load_profile_reader import (
    BACK,
    DST,
    FORWARD,
    HOUR,
    NOW,
    POWER_FAIL,
    QUARTER,
    TINY,
    at,
    decode,
    element_of,
    meter_of,
    read,
    with_set,
)


def in_hour(meter: SimulatedMeter, first: datetime, count: int = 5) -> list[Interval]:
    """Return intervals from the one on that ends at a time, by their end."""
    after = first - timedelta(seconds=1)
    length = timedelta(seconds=meter.profile.data_sets[0].seconds)
    until = first + (count - 1) * length
    return meter.load_profile.intervals(0, after, until)


def same(meter: SimulatedMeter) -> None:
    """The tables say what the meter's own list does."""
    found = decode(meter, 0, 6)
    assert found == {
        i.end: (i.common, i.statuses, i.values)
        for i in meter.load_profile.intervals(after=min(found) - timedelta(seconds=1))
    }


def test_outage() -> None:
    """Energies stand still, missed intervals are filled in, and all are flagged."""
    undisturbed = meter_of()
    meter = meter_of()
    meter.add_outage(at(10, 5), at(11, 20))
    found = in_hour(meter, at(10), 8)
    assert [i.end for i in found] == [at(10) + n * QUARTER for n in range(8)]
    fail = POWER_FAIL
    assert [i.common for i in found] == [0, fail, fail, fail, fail, fail, fail, 0]
    values = [i.values[0] for i in found]
    still = meter.register_truth(0, at(10, 5))
    assert values[1:6] == [still] * 5
    assert meter.register_truth(0, at(11, 20)) == still
    assert values[6] > still
    lost = undisturbed.register_truth(0, at(11, 20)) - (
        undisturbed.register_truth(0, at(10, 5))
    )
    assert undisturbed.truth()[0] - meter.truth()[0] == lost
    assert meter.truth()[0] == sum(meter.truth()[f"tier{t}.0"] for t in range(4))
    assert meter.register_truth(4, at(11, 19)) == 86_412
    assert meter.register_truth(4, at(11, 20)) == meter.truth()[4] == 86_412 + 75 * 60
    same(meter)
    meter.add_outage(at(11), at(12))  # one that overlaps
    assert meter.register_truth(0, at(12)) == still
    meter.add_outage(at(13, 1), at(13, 1) + timedelta(seconds=20))
    assert [i.common for i in in_hour(meter, at(13), 3)] == [0, fail, 0]


def test_momentary_values_in_an_outage() -> None:
    """A filled in interval has no voltage: skipped and 0, or just 0."""
    data_set = replace(TINY, sources=(15, 0))
    meter = with_set(data_set)
    meter.add_outage(at(17, 20), at(18, 10))
    found = in_hour(meter, at(17, 30), 4)
    assert [i.statuses for i in found] == [(4, 0), (4, 0), (4, 0), (0, 0)]
    assert [i.values[0] > 0 for i in found] == [False, False, False, True]
    assert read(meter, 0x804)[71] == 8
    plain = meter_of(replace(GEN3, load_profile=(data_set,), skipped_status=False))
    plain.add_outage(at(17, 20), at(18, 10))
    found = in_hour(plain, at(17, 30), 4)
    assert [i.statuses for i in found] == [(0, 0)] * 4
    assert found[0].values[0] == 0
    assert read(plain, 0x804)[71] == 0


def test_outage_that_stays_out() -> None:
    """Where nothing is filled in, bits are missing, and whole blocks."""
    meter = meter_of("lp_gaps")
    before = meter.load_profile.truth()["total"]
    meter.add_outage(at(10, 5), at(11, 20))
    found = in_hour(meter, at(10), 8)
    assert [i.end for i in found] == [at(10), at(11, 30), at(11, 45)]
    assert [i.common for i in found] == [0, POWER_FAIL, 0]
    same(meter)
    element = element_of(meter)
    assert element.last_interval + 1 - element.valid_intervals == 5
    start = at(10) - timedelta(days=6)
    meter.add_outage(start, start + timedelta(days=4))
    assert meter.load_profile.truth()["total"] == before - 3
    ends = meter.load_profile.ends()
    assert sum(start < end < start + timedelta(days=4) for end in ends) == 0
    assert len(ends) > 29 * 96 - 5 - 4 * 96
    same(meter)


@pytest.mark.parametrize(
    ("name", "seconds", "ends", "common", "status"),
    [
        ("gen3", 300, 4, [0, FORWARD, 0], [0, 2, 0]),
        ("gen3", 900, 4, [0, FORWARD, FORWARD], [0, 2, 2]),
        ("gen3", 2400, 5, [0, *[FORWARD] * 4], [0, 2, 2, 2, 2]),
        ("lp_gaps", 2400, 5, [0, FORWARD, FORWARD], [0, 2, 2]),
        ("gen3", -300, 4, [0, BACK, 0], [0, 3, 0]),
        ("gen3", -3000, 4, [0, BACK, 0], [0, 3, 0]),
    ],
)
def test_clock_was_set(
    name: str, seconds: int, ends: int, common: list[int], status: list[int]
) -> None:
    """Forward makes intervals partial, back makes one long; registers are exact."""
    meter = meter_of(name)
    meter.set_clock(seconds, at(10, 7))
    assert meter.clock_offset == seconds
    found = in_hour(meter, at(10), ends)[: len(common)]
    assert [i.common for i in found] == common
    assert [i.statuses for i in found] == [(s,) * 4 for s in status]
    same(meter)
    jump = timedelta(seconds=seconds)
    for interval in found:
        true = interval.end
        if seconds < 0 and interval.end > at(10, 7):
            true -= jump
        elif interval.end > at(10, 7):
            true = max(at(10, 7), interval.end - jump)
        expected = Snapshot(meter.profile, 1, int(true.timestamp())).value(0)
        assert interval.values[0] == expected


def test_clock_that_was_always_wrong() -> None:
    """Intervals end by the meter's clock."""
    meter = meter_of()
    meter.clock_offset = 130
    (newest,) = in_hour(meter, at(18, 30))
    true = int(newest.end.timestamp()) - 130
    assert newest.values[0] == Snapshot(meter.profile, 1, true).value(0)
    meter.set_clock(-130)
    assert meter.clock_offset == 0
    assert in_hour(meter, at(18, 30)) == [newest]


def test_clock_steps() -> None:
    """A clock shows a time first when it is reached, or set over."""
    clock = MeterClock(0, (ClockStep(1000, 60), ClockStep(2000, -60)))
    assert [clock.true_time(t) for t in (900, 999, 1000, 1030, 1060, 2059)] == [
        *(900, 999, 1000, 1000, 1000, 1999)
    ]
    assert clock.true_time(2070) == 2070
    assert [clock.reached(t) for t in (999, 1000, 1999, 2030, 2100)] == [
        *(999, 1060, 2059, 2060, 2100)
    ]


def test_daylight_saving_time() -> None:
    """The flag follows the zone; intervals are counted in UTC and do not move."""
    for day, before, after in ((29, 0, DST), (25, DST, 0)):
        month = 3 if day == 29 else 10
        now = datetime(2026, month, day, 3, 0, 10, tzinfo=UTC)
        meter = meter_of(now=now)
        change = datetime(2026, month, day, 1, tzinfo=UTC)
        found = meter.load_profile.intervals(0, change - HOUR, change + HOUR)
        assert [i.end - change for i in found] == [n * QUARTER for n in range(-3, 5)]
        assert [i.common for i in found] == [before] * 4 + [after] * 4
        same(meter)
        assert read(meter, 0x815)[27] == after


def test_meter_exchange() -> None:
    """The new meter begins at 0, with an empty load profile."""
    meter = meter_of(now=at(10, 7))
    meter.replace_meter("87654321")
    assert meter.load_profile.ends() == []
    meter.freeze(NOW)
    found = meter.load_profile.intervals()
    assert found[0].end == at(10, 15)
    assert [i.common for i in found[:2]] == [POWER_FAIL, 0]
    assert found[0].values[0] < 1000
    same(meter)
    assert found[-1].values[0] <= meter.truth()[0]


def test_lost_intervals() -> None:
    """What was not recorded has simple status 0, and its place has old bytes."""
    meter = meter_of()
    meter.load_profile.lose(at(10), at(11))
    ends = [i.end for i in in_hour(meter, at(10), 6)]
    assert ends == [at(10), at(11, 15)]
    same(meter)
    assert at(10, 15) not in decode(meter, 0, 1)
    other = meter_of("gen4")
    other.load_profile.lose(at(10), at(11), 1)
    assert at(10, 30) in other.load_profile.ends(0)
    assert at(11) not in other.load_profile.ends(1)


def test_switched_off() -> None:
    """BT63 bit 5: no interval is added until it is switched on again."""
    meter = meter_of()
    meter.load_profile.stop(at(10, 5))
    assert element_of(meter).flags == 0b110
    assert meter.load_profile.truth()["active"] == 0
    assert meter.load_profile.ends()[-1] == at(10)
    meter.load_profile.resume(at(12, 50))
    assert element_of(meter).flags == 0b100110
    assert [i.end for i in in_hour(meter, at(10), 14)] == [at(10), at(13), at(13, 15)]
    same(meter)


def test_opted_out() -> None:
    """ET54.19; with 3.70 zeros with a status are recorded, before that nothing."""
    meter = meter_of()
    meter.load_profile.stop(at(10), opt_out=True)
    assert read(meter, 0x836)[19] == 1
    zero = in_hour(meter, at(10, 15), 1)[0]
    assert (zero.statuses, zero.values) == ((12,) * 4, (0,) * 4)
    assert zero.truth[0] > 0
    meter.load_profile.resume(at(11))
    assert read(meter, 0x836)[19] == 0
    assert [i.statuses[0] for i in in_hour(meter, at(10, 45), 3)] == [12, 12, 0]
    older = meter_of("fw_3_60")
    older.load_profile.stop(at(10), opt_out=True)
    assert older.load_profile.ends()[-1] == at(10)


def test_marks() -> None:
    """Any status can be had; the one of higher precedence is shown."""
    meter = meter_of()
    profile = meter.load_profile
    profile.mark(at(10), at(10, 15), "test", channel=1)
    profile.mark(at(10), at(10, 15), "not_current", channel=1)
    profile.mark(at(10, 15), at(10, 30), "skipped", common=FORWARD)
    profile.mark(at(10, 30), at(10, 45), 8, channel=0)
    first, second, third = in_hour(meter, at(10, 15), 3)
    assert first.statuses == (0, 11, 0, 0)
    assert first.values == first.truth
    assert (second.common, second.statuses, second.values) == (
        FORWARD,
        (4,) * 4,
        (0,) * 4,
    )
    assert third.values[0] != third.truth[0]
    assert third.values[1:] == third.truth[1:]
    same(meter)
    ansi = meter_of("lp_ansi")
    assert read(ansi, 0x815)[93] == 8
    for minute, status in ((10, 8), (20, 11), (30, 15), (40, 9), (50, 10)):
        ansi.load_profile.mark(at(10, minute - 10), at(10, minute), status)
    assert [i.statuses[0] for i in in_hour(ansi, at(10, 10), 5)] == [4, 4, 4, 0, 0]
    wrong: tuple[tuple[str | int, int], ...] = (("none", 0), (6, 0), (1, 16))
    for name, common in wrong:
        with pytest.raises(ValueError, match="no status"):
            profile.mark(at(10), at(11), name, common=common)


def test_reconfiguration() -> None:
    """Another configuration starts empty, with other ids; the IDT version rises."""
    meter = meter_of()
    version, identity = meter.interface_version, read(meter, 0x815)[78:82]
    meter.configure_load_profile(TINY, replace(TINY, sources=(0, 1, 2)))
    assert meter.interface_version == version + 1
    assert read(meter, 0x815)[78:82] != identity
    assert decode(meter) == decode(meter, 1) == {}
    meter.freeze(at(18, 50))
    assert list(decode(meter)) == list(decode(meter, 1)) == [at(18, 45)]
    with pytest.raises(ValueError, match="data sets"):
        meter_of("fw_3_10").configure_load_profile(TINY, TINY)
    meter.change_profile("gen4")
    assert meter.load_profile.ends() == []
    meter.change_profile("fw_4_10")  # records the same
    meter.freeze(at(19, 5))
    assert meter.load_profile.ends() == [at(18, 45) + QUARTER]


def test_mbus_channels() -> None:
    """An M-Bus channel has the first four bytes of the record, as they are."""
    meter = meter_of("lp_mbus")
    found = decode(meter, 1, 2)
    newest = max(found)
    _, statuses, values = found[newest]
    gas = meter.mbus[0].device.consumption.litres(int(newest.timestamp()))
    assert f"{values[1]:08x}" == f"{gas // 10:08d}"
    assert statuses == (0, 0, 0, 0, 10)
    assert values[4] == 0
    placeholders = read(meter, 0x815)[131 + 38 : 131 + 38 + 32]
    assert unpack_from("<5i", placeholders) == (0, *values[1:])
    meter.mbus_down(0)
    meter.freeze(NOW + HOUR)
    _, statuses, values = decode(meter, 1, 1)[newest + HOUR]
    assert statuses[1] == 10
    assert values[1] > 0
    meter.add_outage(NOW, NOW + 2 * HOUR)
    meter.freeze(NOW + 3 * HOUR)
    _, statuses, values = decode(meter, 1, 1)[newest + HOUR]
    assert (statuses[2], values[2]) == (4, 0)
    assert mbus_source(3, 2) == 0x4302


def test_truth_has_no_interval_there() -> None:
    """Only ends of intervals have one."""
    profile = meter_of().load_profile
    for data_set, end in ((0, at(10, 7)), (1, at(10))):
        with pytest.raises(ValueError, match="no interval"):
            profile.interval_truth(data_set, 0, end)


def test_remote_control() -> None:
    """All of it can be had as commands, with times as text."""
    meter = meter_of()
    day = "2026-02-17T"
    value = carry_out(meter, f"interval_truth:data_set=0,channel=0,end={day}10:15")
    assert value == carry_out(meter, f"register_truth:source=0,time={day}10:15Z")
    carry_out(meter, f"load_profile_lose:after={day}10:00,until={day}10:15")
    carry_out(meter, f"load_profile_mark:after={day}10:15,until={day}10:30,status=test")
    carry_out(meter, f"load_profile_stop:after={day}10:45")
    carry_out(meter, f"load_profile_resume:time={day}11:00")
    found = carry_out(meter, f"intervals:after={day}10:00,until={day}11:15")
    assert isinstance(found, list)
    assert [i["end"][11:16] for i in found] == ["10:30", "10:45", "11:15"]
    assert [i["statuses"][0] for i in found] == [5, 0, 0]
    assert carry_out(meter, f"set_clock:seconds=60,time={day}12:00") == 60
    carry_out(meter, "load_profile_configure:profile=lp_tiny")
    assert element_of(meter).blocks == 3
    with pytest.raises(ValueError, match="no profile"):
        carry_out(meter, "load_profile_configure:profile=lp_nothing")


def test_mbus_channels_without_value() -> None:
    """No such record is skipped, a device that never answered is missing."""
    sources = (mbus_source(0, 2), mbus_source(0, 9), mbus_source(1, 1))
    silent = replace(OLD_WATER, commissioned=2**31, down_since=0)
    meter = meter_of(
        replace(
            EVERY_PROFILE["mbus"],
            mbus=(GAS, silent),
            load_profile=(replace(TINY, sources=sources),),
        )
    )
    (newest,) = in_hour(meter, at(18, 30))
    assert (newest.statuses, newest.values) == ((4, 4, 10), (0, 0, 0))
    assert meter.load_profile.data_sets[0].sources == sources
