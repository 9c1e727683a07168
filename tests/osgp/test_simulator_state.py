"""State that tests can set: alarms, disconnect, tariff, rollover, exchange, firmware."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
import json
from pathlib import Path
from struct import unpack_from
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.simulator import ALARMS, PROFILES, Disconnect, SimulatedMeter
from tests.simulator.control import answer, carry_out
from tests.simulator.probe import Probe

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parent / "vectors.json").read_text("utf-8")
)
SUMMER = datetime(2026, 6, 21, 12, 0, 30, tzinfo=UTC)
WINTER = datetime(2026, 2, 17, 18, 15, 30, tzinfo=UTC)


def meter_of(name: str = "gen3", now: datetime = SUMMER) -> SimulatedMeter:
    """Return a meter of a profile whose time stands still."""
    meter = SimulatedMeter(PROFILES[name], paced=False)
    meter.freeze(now)
    return meter


def read(meter: SimulatedMeter, number: int) -> bytes:
    """Return a table that is there."""
    data = meter.table(number)
    assert data is not None
    return data


@pytest.mark.parametrize(
    ("name", "length"),
    [("fw_3_00", 8), ("fw_3_50", 8), ("fw_3_60", 9), ("fw_4_10", 9), ("fw_4_30", 10)],
)
def test_alarms(name: str, length: int) -> None:
    """BT03 has a bit for each alarm of the firmware, and 4 + BT00.17 bytes."""
    meter = meter_of(name)
    assert len(read(meter, 3)) == 4 + read(meter, 0)[17] == length
    assert not any(read(meter, 3))
    firmware = meter.profile.firmware[:2]
    for alarm, place in ALARMS.items():
        if place.since > firmware:
            with pytest.raises(ValueError, match=alarm):
                meter.set_alarm(alarm)
            continue
        meter.set_alarm(alarm)
        assert read(meter, 3)[place.byte] == 1 << place.bit
        assert meter.truth()["alarms"] == int.from_bytes(read(meter, 3), "little")
        assert meter.alarm_names() == [alarm]
        meter.set_alarm((place.byte, place.bit), on=False)
        assert not meter.alarms


def test_alarm_places() -> None:
    """Some alarms by the bytes that the guide prints."""
    meter = meter_of("fw_4_30")
    for name in ("clock_error", "low_battery", "reverse_energy", "phase_loss"):
        meter.set_alarm(name)
    meter.set_alarm("power_quality_event")
    meter.set_alarm("control_relay_2_open")
    assert read(meter, 3).hex() == "00402100100000080001"
    with pytest.raises(ValueError, match="byte 10"):
        meter.set_alarm((10, 0))


def test_disconnect_and_wiring() -> None:
    """ET23.94 is the disconnect, ET54.68 the wiring error."""
    meter = meter_of("fw_3_60")
    assert len(read(meter, 0x817)) == 186
    assert len(read(meter_of("fw_4_00"), 0x817)) == 218
    assert read(meter, 0x817)[94] == 0
    meter.disconnect = Disconnect.OPEN
    meter.wiring = 4
    assert read(meter, 0x817)[94] == meter.truth()["disconnect"] == 2
    assert read(meter, 0x836)[68] == meter.truth()["wiring"] == 4


@pytest.mark.parametrize(
    ("now", "local", "flags", "season"),
    [
        (SUMMER, (26, 6, 21, 14, 0, 0), 0b1101000, 1),  # a Sunday
        (WINTER, (26, 2, 17, 19, 15, 0), 0b1100010, 0),
        (
            datetime(2026, 12, 31, 23, 30, tzinfo=UTC),
            (27, 1, 1, 0, 30, 0),
            0b1100101,
            0,
        ),
    ],
)
def test_local_clock(
    now: datetime, local: tuple[int, ...], flags: int, season: int
) -> None:
    """BT55 is local time to the minute, with DST, tier, tier drive and season."""
    meter = meter_of(now=now)
    data = read(meter, 55)
    assert tuple(data[:6]) == local
    assert data[6] == flags
    (tariff,) = unpack_from("<H", data, 7)
    truth = meter.truth()
    assert tariff == truth["active_tier"] | season << 12
    assert truth["season"] == season
    assert truth["dst"] == flags >> 3 & 1 == read(meter, 52)[6] >> 3 & 1


@pytest.mark.parametrize(
    ("zone", "expected", "delta"),
    [
        ("Europe/Copenhagen", (2, 0, 0, 60, 60), 60),
        ("Europe/London", (1, 0, 0, 60, 0), 60),
        ("America/New_York", (2, 0, 0, 60, -300), 0),
        ("UTC", (0, 0, 0, 0, 0), 0),
    ],
)
def test_time_offset(zone: str, expected: tuple[int, ...], delta: int) -> None:
    """BT53 and ET04.63 say when DST comes and goes, and the zone's offset."""
    meter = SimulatedMeter(PROFILES["gen3"], time_zone=zone, paced=False)
    meter.freeze(WINTER)
    assert unpack_from("<BBBBh", read(meter, 53)) == expected
    assert unpack_from("<h", read(meter, 0x804), 63) == (delta,)


def test_tariff_dimensions() -> None:
    """BT50: 12 seasons since 3.50, 4 before."""
    assert read(meter_of(), 50).hex() == "03182c1917c8002803"
    assert read(meter_of("fw_3_10"), 50)[2] == 0x24


def test_tier_by_hand() -> None:
    """A tier set by hand shows in BT55 and is the only one that grows."""
    meter = meter_of(now=WINTER)
    calendar = meter.truth()["active_tier"]
    tier = (calendar + 1) % 4
    meter.set_tier(tier)
    before = meter.truth()
    meter.shift(7 * 3600)
    after = meter.truth()
    assert before["active_tier"] == after["active_tier"] == tier
    assert read(meter, 55)[7] == tier | 2 << 6
    grown = {t for t in range(4) if after[f"tier{t}.0"] > before[f"tier{t}.0"]}
    assert grown == {tier}
    assert after[0] - before[0] == after[f"tier{tier}.0"] - before[f"tier{tier}.0"]
    meter.release_tier()
    assert read(meter, 55)[7] >> 6 == 0
    meter.shift(86400)
    later = meter.truth()
    assert sum(later[f"tier{t}.0"] for t in range(4)) == later[0]


def test_tier_until() -> None:
    """Drive 1 lasts to the next switch, drive 3 to a time and has a reason."""
    meter = meter_of(now=WINTER)
    meter.set_tier(3, drive=1)
    meter.shift(86400)
    assert meter.truth()["tier_drive"] == 0
    meter.set_tier(1, drive=3, until=meter.time + timedelta(hours=2), reason=1)
    assert read(meter, 0x836)[44] == meter.truth()["tier_reason"] == 1
    assert read(meter, 55)[7] == 1 | 3 << 6
    meter.shift(2 * 3600)
    assert meter.truth()["tier_drive"] == read(meter, 0x836)[44] == 0
    with pytest.raises(ValueError, match="no tier 4"):
        meter.set_tier(4)


def test_season_by_hand() -> None:
    """A season can be set and given back."""
    meter = meter_of()
    meter.season = 3
    assert read(meter, 55)[8] >> 4 == meter.truth()["season"] == 3
    meter.season = None
    assert meter.season == 1


@pytest.mark.parametrize("digits", range(5, 10))
def test_rollover(digits: int) -> None:
    """An accumulator starts again at 0 after the digits that ET42 gives."""
    profile = replace(PROFILES["gen3"], rollover_digits=digits)
    meter = SimulatedMeter(profile, paced=False)
    meter.freeze(WINTER)
    assert read(meter, 0x82A)[-1] == meter.truth()["rollover_digits"] == digits
    meter.set_energy(0, 10**digits - 100)
    before = meter.truth()
    assert before[0] == 10**digits - 100
    meter.shift(3600)
    after = meter.truth()
    assert 0 <= after[0] < 5000
    assert unpack_from("<i", read(meter, 23)) == (after[0],)
    gained = sum(
        (after[f"tier{t}.0"] - before[f"tier{t}.0"]) % 10**digits for t in range(4)
    )
    assert (after[0] - before[0]) % 10**digits == gained
    with pytest.raises(ValueError, match="cannot be set"):
        meter.set_energy(0, 10**digits)
    with pytest.raises(ValueError, match="source 6"):
        meter.set_energy(6, 0)


def frame(name: str) -> bytes:
    """Return a whole frame of the vectors."""
    return next(bytes.fromhex(f["hex"]) for f in VECTORS["frames"] if f["id"] == name)


def test_worked_example_of_totals() -> None:
    """A meter with the example's readings answers as the example, byte by byte."""
    meter = meter_of()
    for source, value in ((0, 12345678), (1, 1234), (109, 0), (108, 98765)):
        meter.set_energy(source, value)
    meter.set_energy(111, 0)
    meter.set_energy(110, 2000)
    request = frame("example-bt23-no-demand-totals")
    meter.sequence = 0x0A0B0C10
    reply = meter.exchange(request[2:]).frames
    assert reply == [frame("example-bt23-no-demand-totals-reply")]


def test_guide_example_of_totals() -> None:
    """A new meter with three outages answers as on page 16 of the guide."""
    meter = SimulatedMeter(PROFILES["gen3"], key=bytes([1]) * 16, paced=False)
    meter.freeze(WINTER)
    meter.replace_meter("4711")
    meter.quality.long_outage = 0
    meter.state.errors = 6
    for seconds in (3, 3, 2):
        meter.add_outage(WINTER, WINTER + timedelta(seconds=seconds))
    meter.sequence = 0x77635B90
    (reply,) = meter.exchange(frame("guide-bt23-second-read")[2:]).frames
    assert reply == frame("guide-bt23-second-read-reply")


def test_meter_exchange() -> None:
    """The new meter has another number, registers from 0, and nothing behind it."""
    meter = meter_of("fw_4_30")
    transceiver, sequence = read(meter, 0x804)[4:10], meter.sequence
    meter.set_alarm("low_battery")
    meter.set_energy(0, 77)
    meter.replace_meter("30000001")
    assert read(meter, 0x803)[:30].rstrip(b"\0") == b"30000001"
    assert read(meter, 0x804)[4:10] != transceiver
    assert meter.sequence != sequence
    assert not any(read(meter, 23)[1 : 1 + 76])
    truth = meter.truth()
    assert truth["outages"] == truth["events"] == truth["alarms"] == 0
    assert truth["demand.8"] == truth["demand_resets"] == 0
    meter.shift(40 * 86400)
    truth = meter.truth()
    assert truth[0] > 0
    assert truth["demand_resets"] == 1
    assert truth["demand.8"] > 0
    assert truth["demand.8.cumulative"] > truth["demand.8"] / 2
    assert sum(truth[f"tier{tier}.0"] for tier in range(8)) == truth[0]


def test_profile_change() -> None:
    """The interface changes under the client: version + 1, number + 25."""
    meter = meter_of("fw_3_00")
    probe = Probe(meter)
    serial, before = read(meter, 0x803), meter.truth()
    sequence, version = meter.sequence, read(meter, 0x804)[116]
    meter.set_alarm("low_battery")
    meter.change_profile("fw_3_60")
    assert meter.sequence == sequence + 25 & 0xFFFFFFFF
    assert read(meter, 0x804)[116] == version + 1
    assert read(meter, 0x803) == serial
    assert meter.alarm_names() == ["low_battery"]
    assert meter.truth()[0] == before[0]
    late = probe.covered(52, 0, 7)[:-4] + (sequence + 1).to_bytes(4)
    number = (sequence + 26).to_bytes(4)
    assert probe.ask(late) == b"\x0c" + number
    assert read(meter, 21)[3:] == bytes([15, 4, 8, 1, 4, 8, 41])
    with pytest.raises(ValueError, match="no profile"):
        meter.change_profile("fw_9_99")


COPENHAGEN = ZoneInfo("Europe/Copenhagen")
DEMAND_METERS = ("gen3_demand", "fw_3_10", "fw_3_60", "fw_4_30", "vt")


@pytest.mark.parametrize("name", DEMAND_METERS)
def test_demand_registers(name: str) -> None:
    """Records, event times and coincident values are where BT21 and BT22 say."""
    meter = meter_of(name, WINTER)
    truth, data, selection = meter.truth(), read(meter, 23), read(meter, 22)
    flags, _, _, s, n, c, _, tiers, _, _ = read(meter, 21)
    assert flags & 0b110110 == 0b110110
    first = 4 * s + 17 * n
    block = first + 4 * c
    assert data[0] == truth["demand_resets"]
    shift = s + n + (n + 7) // 8
    others, owners = selection[shift : shift + c], selection[shift + c :]
    for tier in (None, *range(tiers)):
        prefix = "" if tier is None else f"tier{tier}."
        start = 1 + block * (0 if tier is None else 1 + tier)
        for index in range(n):
            key = f"{prefix}demand.{selection[s + index]}"
            record = unpack_from("<5B3i", data, start + 4 * s + 17 * index)
            moment = datetime.fromtimestamp(truth[f"{key}.time"], COPENHAGEN)
            assert record[:5] == (moment.year - 2000, *moment.timetuple()[1:5])
            keys = (f"{key}.cumulative", f"{key}.continuous", key)
            assert record[5:] == tuple(truth[k] for k in keys)
        for index, (other, owner) in enumerate(zip(others, owners, strict=True)):
            key = f"{prefix}demand.{selection[s + owner]}.coincident.{other}"
            assert unpack_from("<i", data, start + first + 4 * index) == (truth[key],)


def test_previous_demand() -> None:
    """The previous demand is what the present one came to."""
    meter = meter_of("fw_3_60", WINTER.replace(minute=29, second=59))
    building = meter.truth()
    meter.shift(1)
    truth = meter.truth()
    for index in range(4):
        assert truth[88 + index] == 0
        assert abs(truth[96 + index] - building[88 + index]) < 10
    assert read(meter, 27)[:8] == bytes([88, 89, 90, 91, 96, 97, 98, 99])


def test_ratios_on_demands() -> None:
    """BT23's demands include the ratios, BT28's do not; energies are in 100 Wh."""
    meter = meter_of("vt", WINTER.replace(minute=45, second=0))
    truth = meter.truth()
    month = meter.snapshot()
    assert truth[81] == 200 * truth[8]
    assert truth[197] == 20 * truth[12]
    at_peak = month.at(truth["demand.8.time"])
    assert truth["demand.8.coincident.20"] == 200 * at_peak.value(20)
    assert truth["demand.8.coincident.12"] == 20 * at_peak.value(12)
    assert truth["demand.10.coincident.15"] == 10 * at_peak.at(
        truth["demand.10.time"]
    ).value(15)
    before = at_peak.at(truth["demand.8.time"] - 900)
    energy = (at_peak.value(0) - before.value(0)) * 100
    assert energy == pytest.approx(truth["demand.8"] / 4, abs=100)
    previous = at_peak.demand.previous(8, at_peak.time)
    assert previous == truth["demand.8"] // 200


def test_actions() -> None:
    """What can happen can be asked for by name, as text or over the remote control."""
    meter = meter_of("mbus")
    assert carry_out(meter, "alarm:name=low_battery") == ["low_battery"]
    carry_out(meter, "alarm:byte=4,bit=4")
    carry_out(meter, "disconnect:state=open")
    carry_out(meter, "wiring:error=2")
    carry_out(meter, "tier:tier=2")
    carry_out(meter, "season:season=2")
    carry_out(meter, "outage:start=2026-06-20T10:00:00,end=2026-06-20T13:00:00+02:00")
    assert carry_out(meter, "event:event_id=2053,argument=0102") == 13
    carry_out(meter, "sag:phase=2,voltage=180000")
    carry_out(meter, "phase_loss:phase=3")
    carry_out(meter, "frequency:value=49000")
    carry_out(meter, "mbus_set:index=1,litres=500000")
    assert carry_out(meter, "mbus_read:index=1") is True
    assert carry_out(meter, "mbus_read:index=3") is False
    truth = meter.truth()
    assert truth["alarms"] == 1 << 16 | 1 << 36
    assert truth["disconnect"] == truth["wiring"] == truth["season"] == 2
    assert (truth["outage.0.seconds"], truth["outages"]) == (3600, 4)
    assert truth["events.last"] == 2053
    assert (truth["sag.2.voltage"], truth["phase_lost.3"]) == (180000, 1)
    assert (truth["frequency_min"], truth["mbus.1.volume"]) == (49000, 500000)
    carry_out(meter, "tier:tier=null")
    assert meter.truth()["tier_drive"] == 0
    for spec in ("alarm:name=none", "disconnect:state=ajar", "mbus_set:index=1", "x:y"):
        with pytest.raises(ValueError, match=r"none|ajar|litres|x:y"):
            carry_out(meter, spec)
    line = b'{"command": "replace_meter", "serial_number": "5"}'
    assert json.loads(answer(meter, line)) == {"ok": True, "result": None}
    assert meter.profile.serial_number == "5"
