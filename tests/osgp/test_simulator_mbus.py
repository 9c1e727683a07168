"""M-Bus devices behind the simulated meter."""

from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import pairwise
from struct import unpack_from

import pytest

from tests.simulator import PROFILES, SimulatedMeter
from tests.simulator.mbus import GAS, HEAT, OLD_WATER, WATER, MbusDevice
from tests.simulator.mbus.devices import Reading, heat_values
from tests.simulator.mbus.telegram import variable

NOW = datetime(2026, 6, 21, 12, 0, 40, tzinfo=UTC)
SIZE = 517  # ET16 entry

# Whole published frames: OMS specification, volume 2, annex N (as in libmbus,
# test-frames oms_frame1 to 3), and "The M-Bus: A Documentation" rev. 4.8, 6.2.
OMS_GAS = (
    "68 20 20 68 08 FD 72 78563412 9315 33 03 2A 00 0000"
    "0C14 27048502 046D 32371F15 02FD17 0000 89 16"
)
OMS_WATER = (
    "68 29 29 68 08 FD 72 44227592 2423 29 07 1F 00 0000 0C13 27048502"
    "0B3B 270100 4C13 19544401 426C FF0C 02FD17 0000 99 16"
)
OMS_HEAT = (
    "68 3C 3C 68 08 FD 72 78563412 2423 2A 04 26 00 0000 0C06 27048502"
    "0C13 76347000 4C06 19544401 426C FF0C 0B3B 270100 0B2A 973200 0A5A 4304"
    "0A5E 5102 02FD17 0000 C8 16"
)
FIXED = "68 13 13 68 08 05 73 78563412 0A 00 E97E 01000000 35010000 3C 16"


def user_data(frame: str) -> bytes:
    """Return what is between the CI field and the checksum, which must be right."""
    data = bytes.fromhex(frame)
    assert data[0] == data[3] == 0x68
    assert data[1] == data[2] == len(data) - 6
    assert sum(data[4:-2]) & 0xFF == data[-2]
    assert data[-1] == 0x16
    return data[7:-2]


def reading(litres: int, flow: int = 0, due_litres: int = 0) -> Reading:
    """Return a reading at the time and due date of the published examples."""
    return Reading(
        time=datetime(2008, 5, 31, 23, 50, tzinfo=UTC),
        litres=litres,
        flow=flow,
        due=date(2007, 12, 31),
        due_litres=due_litres,
    )


@pytest.mark.parametrize(
    ("frame", "device", "what", "access"),
    [
        (OMS_GAS, replace(GAS, serial="12345678"), reading(28504270), 0x2A),
        (
            OMS_WATER,
            replace(WATER, serial="92752244"),
            reading(2850427, 127, 1445419),
            0x1F,
        ),
        (FIXED, replace(OLD_WATER, serial="12345678"), reading(1, 0, 135), 0x0A),
    ],
)
def test_published_telegrams(
    frame: str, device: MbusDevice, what: Reading, access: int
) -> None:
    """With the readings of the examples the telegrams are those of the examples."""
    assert device.telegram(what, access, 0) == user_data(frame)


def test_published_heat_telegram() -> None:
    """The heat meter's records are those of the example, and two unknown ones."""
    what = reading(703476, 127)
    records = heat_values(2850427, 1445419, 3297, what)
    data = variable("12345678", "HYD", 0x2A, 4, 0x26, 0, records)
    assert data == user_data(OMS_HEAT)
    headers = [record.header.hex() for record in HEAT.records(what)]
    known = [record.header.hex() for record in records]
    assert headers == [*known[:-1], "02ff21", "02fd17", "0f"]


def meter_of(name: str = "mbus") -> SimulatedMeter:
    """Return a meter of a profile whose time stands still."""
    meter = SimulatedMeter(PROFILES[name], paced=False)
    meter.freeze(NOW)
    return meter


def read(meter: SimulatedMeter, number: int) -> bytes:
    """Return a table that is there."""
    data = meter.table(number)
    assert data is not None
    return data


def entry(meter: SimulatedMeter, index: int) -> bytes:
    """Return a device's entry of ET16."""
    return read(meter, 0x810)[SIZE * index : SIZE * (index + 1)]


def bcd(data: bytes) -> int:
    """Return packed BCD, lowest byte first."""
    return int(data[::-1].hex())


def log(meter: SimulatedMeter, *, is_extended: bool = False) -> list[tuple[int, bytes]]:
    """Return handle and read of the entries of ET45, or of ET74, oldest first."""
    data, dimensions = read(meter, 0x82D), read(meter, 0x824)
    _, valid, last, _, _ = unpack_from("<BBBHB", data)
    (size,) = unpack_from("<H", dimensions, 71)
    (count,) = unpack_from("<H", dimensions, 75)
    head = 6
    if is_extended:
        data, head = read(meter, 0x84A), 9
        _, valid, last, _, _ = unpack_from("<BHHHH", data)
        (count,) = unpack_from("<H", read(meter, 0x836), 69)
    assert len(data) == head + size * count
    found = []
    for place in range(last - valid + 1, last + 1):
        start = head + place % count * size
        length, _, handle, _, result = unpack_from("<HHHBB", data, start)
        assert result == 4
        found.append((handle, data[start + 8 : start + 2 + length]))
    return found


@pytest.mark.parametrize("name", PROFILES)
def test_sizes(name: str) -> None:
    """The tables have the sizes of ET11; empty slots are zeros."""
    meter = meter_of(name)
    sizes = read(meter, 0x80B)
    devices = sizes[0]
    assert devices == (6 if meter.profile.generation4 else 5)
    assert len(read(meter, 0x80D)) == devices * sizes[1] == devices * 66
    assert len(read(meter, 0x80E)) == 6 + devices * sizes[2]
    assert len(read(meter, 0x810)) == devices * unpack_from("<H", sizes, 5)[0]
    assert len(read(meter, 0x822)) == devices * sizes[13]
    assert len(read(meter, 0x839)) == 4 * sizes[25]
    assert len(read(meter, 0x83A)) == devices * 20
    if not meter.mbus:
        assert not any(read(meter, 0x80E) + read(meter, 0x810) + read(meter, 0x82D))
        assert not any(read(meter, 0x839))
    module = bool(read(meter, 0x81D)[1] & 1)
    assert module == (name not in {"fw_2_10", "fw_3_00"})


def test_status() -> None:
    """ET14 has handle, state, counters and alarms at the guide's offsets."""
    meter = meter_of()
    data, truth = read(meter, 0x80E), meter.truth()
    assert data[5] == 0b1111
    for index in range(4):
        handle, state, baud, length, tried, answered, alarms = unpack_from(
            "<HBBHIIH", data, 6 + 36 * index
        )
        assert handle == truth[f"mbus.{index}.handle"]
        assert state == truth[f"mbus.{index}.status"] == (2 if index == 3 else 1)
        assert baud == 4
        assert length == 8 + entry(meter, index)[7]
        assert (tried > answered) == (index == 3)
        assert alarms == (1 | (16 if index == 3 else 0))
        assert answered > 900
    assert data[6 + 24 : 6 + 30] == bytes([26, 6, 21, 14, 0, 5])
    down = 6 + 36 * 3
    assert data[down + 30 : down + 36] == bytes([26, 6, 21, 14, 0, 26])
    assert data[down + 24 : down + 28] == bytes([25, 2, 11, 14])


def test_data() -> None:
    """ET16 has one telegram a device: CI 72, and CI 73 for the last one."""
    meter = meter_of()
    truth = meter.truth()
    for index, medium in enumerate((3, 7, 4)):
        data = entry(meter, index)
        assert data[:6] == bytes([26, 6, 21, 14, 0, 5 + 7 * index])
        assert data[6] == 0
        assert data[7 + data[7]] == 0
        assert not any(data[8 + data[7] :])
        assert bcd(data[8:12]) == truth[f"mbus.{index}.serial"]
        assert data[15] == medium == truth[f"mbus.{index}.medium"]
    assert bcd(entry(meter, 0)[22:26]) * 10 == truth["mbus.0.volume"]
    assert bcd(entry(meter, 1)[22:26]) == truth["mbus.1.volume"]
    assert bcd(entry(meter, 2)[22:26]) * 1000 == truth["mbus.2.energy"]
    assert bcd(entry(meter, 2)[28:32]) == truth["mbus.2.volume"]
    old = entry(meter, 3)
    assert (old[6], old[7]) == (0b10, 17)
    assert bcd(old[16:20]) == truth["mbus.3.volume"]
    assert bcd(old[20:24]) == truth["mbus.3.due.volume"]
    assert truth["mbus.3.time"] < NOW.timestamp() - 300 * 86400
    assert not any(entry(meter, 4))


def test_readings_grow() -> None:
    """Registers never fall, and gas is for the winter."""
    meter = meter_of()
    meter.freeze(datetime(2025, 7, 1, tzinfo=UTC))
    months = []
    for _ in range(12):
        months.append([meter.truth()[f"mbus.{i}.volume"] for i in range(3)])
        meter.shift(30 * 86400)
    used = [
        [b - a for a, b in zip(first, second, strict=True)]
        for first, second in pairwise(months)
    ]
    assert min(map(min, used)) > 0
    assert used[6][0] > 2 * used[0][0]
    meter.freeze(NOW)
    day = []
    for _ in range(24):
        meter.shift(3600)
        day.append(meter.truth()["mbus.1.volume"])
    assert day == sorted(day)
    assert 200 < day[-1] - day[0] < 500


def test_recurring_log() -> None:
    """ET45 is circular; its newest entries are what ET16 holds."""
    meter = meter_of()
    data = read(meter, 0x82D)
    flags, valid, last, number, unread = unpack_from("<BBBHB", data)
    assert (flags, valid, unread) == (0b110, 12, 12)
    found = log(meter)
    assert [handle for handle, _ in found] == [3, 4, 7] * 4
    for index, handle in enumerate((3, 4, 7)):
        newest = [read for h, read in found if h == handle][-1]
        assert newest == entry(meter, index)[: len(newest)]
    meter.shift(3600)
    _, _, later, next_number, _ = unpack_from("<BBBHB", read(meter, 0x82D))
    assert later == (last + 3) % 12
    assert next_number == (number + 3) & 0xFFFF
    assert log(meter)[:-3] == found[3:]


def test_log_only() -> None:
    """Where ET54.0.0 is set, ET16 has the first and on-demand reads only."""
    meter = meter_of("mbus_log")
    assert read(meter, 0x836)[0] & 1 == read(meter, 0x82A)[4] & 1 == 1
    assert read(meter, 0x80E)[5] == 0b1010
    first = entry(meter, 1)
    assert first[:3] == bytes([25, 1, 4])
    assert not any(entry(meter, 0))
    waiting = log(meter, is_extended=True)
    newest = dict(waiting)[GAS.handle]
    truth = meter.truth()
    assert bcd(newest[22:26]) * 10 == truth["mbus.1.volume"]
    # The newest three have not moved to ET45 yet.
    assert unpack_from("<H", read(meter, 0x84A), 7) == (3,)
    assert log(meter)[-2:] == waiting[-5:-3]
    assert meter.read_mbus(1)
    assert entry(meter, 1)[:6] == bytes([26, 6, 21, 14, 0, 40])
    assert meter.truth()["mbus.1.time"] == NOW.timestamp()


def test_commands() -> None:
    """Devices fall silent and come back, their registers can be turned."""
    meter = meter_of()
    meter.mbus_down(0)
    before = entry(meter, 0)
    meter.shift(7200)
    assert entry(meter, 0) == before
    assert meter.truth()["mbus.0.status"] == read(meter, 0x80E)[8] == 2
    assert [handle for handle, _ in log(meter)][-4:] == [4, 7, 4, 7]
    assert not meter.read_mbus(0)
    meter.mbus_down(0, False)
    assert meter.read_mbus(0)
    assert entry(meter, 0) != before
    assert meter.truth()["mbus.0.status"] == 1
    meter.set_mbus(1, 99_999_990)
    meter.mbus_status(1, 0b100)
    meter.read_mbus(1)
    assert bcd(entry(meter, 1)[22:26]) == 99_999_990 == meter.truth()["mbus.1.volume"]
    assert entry(meter, 1)[17] == read(meter, 0x80E)[6 + 36 + 23] == 0b100
    meter.shift(4 * 3600)
    assert bcd(entry(meter, 1)[22:26]) == meter.truth()["mbus.1.volume"] < 200
    with pytest.raises(ValueError, match="slot 4"):
        meter.read_mbus(4)


def test_data_types() -> None:
    """ET57 has record headers, the longest in two entries; ET42 repeats them."""
    meter = meter_of()
    types, definition = read(meter, 0x839), read(meter, 0x82A)
    entries = ("050c1400", "090c1300", "0d0c0600", "118c8040", "037f2100")
    assert types[:20].hex() == "".join(entries)
    assert not any(types[20:])
    channels = 2 * definition[29]
    offset = definition[2] + 3 * definition[3] + channels
    assert definition[offset] == 5
    assert definition[offset + 1 : offset + 21] == types[:20]


def test_configuration() -> None:
    """ET13 has baud rate and customer, ET34 the poll rate."""
    meter = meter_of()
    data = read(meter, 0x80D)
    assert data[66 + 6] == 4
    assert data[66 + 8 : 66 + 28].rstrip(b"\0") == b"water 92752244"
    assert unpack_from("<H", read(meter, 0x822), 22 + 4) == (60,)


def test_slots_follow_the_profile() -> None:
    """After a change of the profile the devices are those of the new one."""
    meter = meter_of()
    meter.change_profile("gen3")
    assert not meter.mbus
    meter.change_profile("mbus_log")
    assert list(meter.mbus) == [1, 3]
