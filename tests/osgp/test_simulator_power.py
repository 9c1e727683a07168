"""ET09, ET81 and ET36 of the simulated meter, at the offsets that the guide prints."""

from datetime import UTC, datetime, timedelta
from struct import unpack_from

import pytest

from tests.simulator import PROFILES, SimulatedMeter, with_firmware
from tests.simulator.profiles import GEN3, GEN4

NOW = datetime(2026, 6, 21, 12, 0, 30, tzinfo=UTC)


def meter_of(name: str = "gen4") -> SimulatedMeter:
    """Return a meter of a profile whose time stands still."""
    meter = SimulatedMeter(PROFILES[name], paced=False)
    meter.freeze(NOW)
    return meter


def read(meter: SimulatedMeter, number: int) -> bytes:
    """Return a table that is there."""
    data = meter.table(number)
    assert data is not None
    return data


def moment(data: bytes, offset: int) -> datetime | None:
    """Return an LTIME_DATE; None for zeros."""
    parts = data[offset : offset + 6]
    if not any(parts):
        return None
    year, month, day, hour, minute, second = parts
    return datetime(2000 + year, month, day, hour, minute, second, tzinfo=UTC)


@pytest.mark.parametrize(
    ("firmware", "length"),
    [
        ((3, 0), 144),
        ((3, 10), 147 + 210),
        ((3, 60), 357),
        ((3, 70), 477),
        ((4, 0), 477),
        ((4, 10), 518),
        ((4, 20), 518),
        ((4, 21), 519),
        ((4, 30), 519),
    ],
)
def test_quality_length(firmware: tuple[int, int], length: int) -> None:
    """ET09 ends with the firmware's last field; ET04.53 sizes the outages."""
    base = GEN4 if firmware >= (4, 0) else GEN3
    meter = SimulatedMeter(with_firmware(base, *firmware))
    records = read(meter, 0x804)[53]
    assert records == 10
    assert len(read(meter, 0x809)) == 18 * records + length
    assert read(meter_of("fw_3_50"), 0x804)[53] == 4
    assert len(read(meter_of("fw_3_50"), 0x809)) == 18 * 4 + 357


def test_outage_records() -> None:
    """ET09 lists outages newest first, and loses the oldest."""
    meter = meter_of()
    data = read(meter, 0x809)
    assert unpack_from("<H", data) == (meter.quality.long_outage,)
    assert moment(data, 6) == datetime(2024, 12, 11, 9, 4, 39, tzinfo=UTC)
    assert data[12] == 8  # brown-out
    assert moment(data, 14) == datetime(2024, 12, 11, 9, 2, 47, tzinfo=UTC)
    assert unpack_from("<I", data, 20) == (112,)
    assert [unpack_from("<I", data, 20 + 18 * i)[0] for i in range(3)] == [
        112,
        7100,
        79200,
    ]
    assert not any(data[6 + 3 * 18 : 6 + 10 * 18 - 18])
    for number in range(12):
        start = NOW - timedelta(hours=20 - number)
        meter.add_outage(start, start + timedelta(minutes=5, seconds=number))
    data = read(meter, 0x809)
    assert moment(data, 14) == NOW - timedelta(hours=9)
    assert data[12] == 3
    assert unpack_from("<I", data, 20 + 18 * 9) == (302,)
    truth = meter.truth()
    assert (truth["outages"], truth[5]) == (15, 15)
    assert truth[4] == 86412 + 12 * 300 + 66
    assert truth["outage.0.seconds"] == 311
    registers = read(meter, 23)
    assert unpack_from("<ii", registers, 16) == (truth[4], truth[5])


def test_short_outage() -> None:
    """One below the threshold is only counted."""
    meter = meter_of()
    before = meter.truth()
    meter.add_outage(NOW, NOW + timedelta(seconds=59))
    after = meter.truth()
    assert after["short_outages"] == before["short_outages"] + 1
    assert unpack_from("<I", read(meter, 0x809), 180 + 135) == (after["short_outages"],)
    assert after["outages"] == before["outages"]
    with pytest.raises(ValueError, match="after its start"):
        meter.add_outage(NOW, NOW - timedelta(seconds=1))


def test_sags_and_surges() -> None:
    """With P = 10 the sag counters are at 192, 200, 208, the surges' at 216...232."""
    meter = meter_of()
    for phase in (1, 2, 2, 3, 3, 3):
        meter.sag(phase, 190000 + phase)
        meter.surge(phase, 260000 + phase)
    data, truth = read(meter, 0x809), meter.truth()
    for index, phase in enumerate((1, 2, 3)):
        for name, start, level in (("sag", 186, 291), ("surge", 210, 303)):
            offset = start + 8 * index
            assert moment(data, offset) == NOW
            count = unpack_from("<H", data, offset + 6)
            assert count == (truth[f"{name}.{phase}"],)
            voltage = unpack_from("<i", data, level + 4 * index)
            assert voltage == (truth[f"{name}.{phase}.voltage"],)
    counters = [unpack_from("<H", data, offset)[0] for offset in (192, 200, 208)]
    assert counters == [2 + 1, 2, 1 + 3]
    with pytest.raises(ValueError, match="phases"):
        meter.sag(4)


def test_frequency_extremes() -> None:
    """With P = 10 the frequency extremes are at 234 and 244."""
    meter = meter_of()
    data = read(meter, 0x809)
    assert unpack_from("<i", data, 234) == (49763,)
    assert unpack_from("<i", data, 244) == (50184,)
    meter.frequency_extreme(49000)
    meter.frequency_extreme(50001)
    data, truth = read(meter, 0x809), meter.truth()
    assert unpack_from("<i", data, 234) == (49000,) == (truth["frequency_min"],)
    assert moment(data, 238) == NOW
    assert unpack_from("<i", data, 244) == (50184,)
    assert moment(data, 248) == datetime.fromtimestamp(truth["frequency_max.time"], UTC)


def test_currents_and_phase_losses() -> None:
    """Over-current at S + 74, phase loss at S + 86 to S + 110."""
    meter = meter_of()
    meter.over_current(3)
    meter.lose_phase(2)
    meter.lose_phase(3)
    data, truth = read(meter, 0x809), meter.truth()
    assert unpack_from("<3I", data, 254) == (0, 1, 1)
    assert data[266] == 0b110
    assert [truth[f"phase_lost.{phase}"] for phase in (1, 2, 3)] == [0, 1, 1]
    assert [unpack_from("<H", data, 273 + 8 * i)[0] for i in range(3)] == [0, 1, 2]
    assert [moment(data, 267 + 8 * i) for i in range(3)] == [None, NOW, NOW]
    meter.restore_phase(2)
    assert read(meter, 0x809)[266] == 0b100


def test_distortions() -> None:
    """THD records of 70 bytes from S + 147 on: voltage, current, apparent power."""
    meter = meter_of()
    meter.thd("apparent", 3, 99, 88)
    data, truth = read(meter, 0x809), meter.truth()
    for number, kind in enumerate(("voltage", "current", "apparent")):
        for phase in (1, 2, 3):
            offset = 180 + 147 + 70 * number + 4 + 22 * (phase - 1)
            key = f"thd.{kind}.{phase}"
            assert unpack_from("<H", data, offset) == (truth[key],)
            assert unpack_from("<H", data, offset + 8) == (truth[f"{key}.maximum"],)
            assert unpack_from("<H", data, offset + 16) == (truth[f"{key}.average"],)
            time = truth[f"{key}.time"]
            expected = datetime.fromtimestamp(time, UTC) if time else None
            assert moment(data, offset + 2) == moment(data, offset + 10) == expected
    assert truth["thd.current.1"] == 2


def test_transgressions_and_second_sag() -> None:
    """DRP/DRC records at S + 357 (twelve of them), the second sag at S + 477."""
    meter = meter_of()
    for number in range(13):
        meter.drp_drc(number, 1)
    meter.sag(2, 150000, second=True)
    data, truth = read(meter, 0x809), meter.truth()
    assert unpack_from("<HH", data, 537) == (12, 1)
    assert unpack_from("<HH", data, 537 + 110) == (1, 1)
    assert unpack_from("<HB", data, 657) == (2, 15)
    counts = [unpack_from("<H", data, 657 + 9 + 8 * i)[0] for i in range(3)]
    assert counts == [1, 1, 0] == [truth[f"sag2.{phase}"] for phase in (1, 2, 3)]
    assert unpack_from("<3i", data, 657 + 27) == (171220, 150000, 0)
    assert unpack_from("<H", data, 657 + 39) == (600,)


def test_outage_log() -> None:
    """ET81 is circular, in local time, with the size that ET36 gives."""
    meter = meter_of("fw_4_30")
    dimensions = read(meter, 0x824)
    assert dimensions[0] == 7
    assert unpack_from("<H", dimensions, 103) == (0x851,)
    assert unpack_from("<HHH", dimensions, 105) == (12, 253, 5)
    assert dimensions[120] == 1 << 6
    data = read(meter, 0x851)
    assert data[:6] == bytes([0b100, 3, 2, 3, 0, 3])
    assert data[6:12] == bytes([24, 9, 2, 8, 14, 5])  # CEST
    assert data[6 + 24 : 12 + 24] == bytes([24, 12, 11, 10, 2, 47])  # CET
    for hour in range(4):
        start = NOW + timedelta(hours=hour)
        meter.add_outage(start, start + timedelta(minutes=2))
    data = read(meter, 0x851)
    assert data[:6] == bytes([0b110, 5, 1, 7, 0, 5])
    assert data[6 + 12 : 12 + 12] == bytes([26, 6, 21, 17, 0, 30])  # the newest
    assert data[6 + 24 : 12 + 24] == bytes([24, 12, 11, 10, 2, 47])  # the oldest
    assert data[12 + 12 : 18 + 12] == bytes([26, 6, 21, 17, 2, 30])


def test_outage_log_variants() -> None:
    """Before 3.70 there is none; it can be unconfigured, or give no index."""
    assert meter_of("fw_3_60").table(0x851) is None
    assert read(meter_of("fw_3_60"), 0x824)[0] == 6
    assert read(meter_of("fw_3_00"), 0x824)[0] == 5
    without = meter_of("fw_4_00")
    assert read(without, 0x851) == bytes(6)
    assert unpack_from("<H", read(without, 0x824), 109) == (0,)
    assert read(meter_of("fw_4_10"), 0x851)[1:3] == bytes([3, 0])


@pytest.mark.parametrize("name", PROFILES)
def test_logs_in_interface_definition(name: str) -> None:
    """ET42 repeats entries and sizes of the logs of ET36, ET54 that of ET79."""
    meter = meter_of(name)
    short, long = read(meter, 0x82A), read(meter, 0x824)
    fixed, count = short[2], short[3]
    assert count == long[0]
    assert len(long) == 1 + 17 * count + 1
    for number in range(count):
        entries, size = unpack_from("<BH", short, fixed + 3 * number)
        assert unpack_from("<H", long, 3 + 17 * number) == (size,)
        assert unpack_from("<H", long, 7 + 17 * number) == (entries,)
    dimensions = read(meter, 71 if meter.profile.since(2, 12) else 70)
    assert unpack_from("<H", short, 38) == unpack_from("<H", dimensions, 5)
    if meter.profile.since(3, 70):
        alternate = unpack_from("<H", read(meter, 0x836), 80)
        assert unpack_from("<H", short, len(short) - 4) == alternate
        assert len(read(meter, 0x84F)) == 11 + 14 * alternate[0]
    assert read(meter, 0)[13] == 10
