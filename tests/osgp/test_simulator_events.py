"""The event logs of the simulated meter."""

from datetime import UTC, datetime, timedelta
from struct import unpack_from

import pytest

from tests.simulator import PROFILES, Event, SimulatedMeter

NOW = datetime(2026, 6, 21, 12, 0, 30, tzinfo=UTC)


def meter_of(name: str = "gen3") -> SimulatedMeter:
    """Return a meter of a profile whose time stands still."""
    meter = SimulatedMeter(PROFILES[name], paced=False)
    meter.freeze(NOW)
    return meter


def entries(data: bytes) -> list[tuple[int, bytes, int, int, bytes]]:
    """Return number, time, user, id and argument of a log's entries, oldest first."""
    _, valid, last, _, _ = unpack_from("<BHHIH", data)
    size = (len(data) - 11) // 14
    found = []
    for place in range(last - valid + 1, last + 1):
        start = 11 + place % size * 14
        time = data[start : start + 6]
        number, user, event, argument = unpack_from("<HHH2s", data, start + 6)
        found.append((number, time, user, event & 0xFFF, argument))
    return found


def read(meter: SimulatedMeter, number: int = 74) -> bytes:
    """Return a table that is there."""
    data = meter.table(number)
    assert data is not None
    return data


def test_dimensions() -> None:
    """BT71: two bytes of argument, 100 entries; BT70 has the maxima."""
    meter = meter_of()
    assert unpack_from("<BBBBBHH", read(meter, 71)) == (6, 8, 19, 2, 2, 100, 0)
    assert unpack_from("<BBBBBHH", read(meter, 70)) == (6, 64, 152, 2, 2, 200, 0)
    assert len(read(meter)) == 11 + 100 * 14


def test_first_events() -> None:
    """A used meter has some entries, among them its outages."""
    meter = meter_of()
    data = read(meter)
    assert unpack_from("<BHHIH", data) == (0b100, 8, 7, 8, 8)
    found = entries(data)
    assert [entry[0] for entry in found] == list(range(1, 9))
    assert [entry[3] for entry in found] == [88, *(1, 2) * 3, 28]
    assert found[5][1] == bytes([24, 12, 11, 9, 2, 47])
    assert (found[0][2], found[1][2]) == (0xFFFE, 0xFFFF)
    truth = meter.truth()
    assert (truth["events"], truth["events.last"]) == (8, 28)


def test_log_event() -> None:
    """A new entry is behind the last one, with the meter's clock."""
    meter = meter_of()
    meter.clock_offset = 90
    event = meter.log_event(0x123, b"\x07", user=0xFFFD)
    assert event == Event(9, NOW + timedelta(seconds=90), 0x123, b"\x07\0", 0xFFFD)
    newest = entries(read(meter))[-1]
    assert newest == (9, bytes([26, 6, 21, 12, 2, 0]), 0xFFFD, 0x123, b"\x07\0")
    truth = meter.truth()
    assert truth["events.last.number"] == 9
    assert truth["events.last.time"] == truth["utc"]
    for event_id, argument in ((0x1000, b""), (1, b"abc")):
        with pytest.raises(ValueError, match=r"12 bits|2 bytes"):
            meter.log_event(event_id, argument)


def test_log_is_circular() -> None:
    """New entries replace the oldest ones; the numbers go on, here over 16 bits."""
    meter = meter_of()
    meter.state.events.last_number = 0xFFC0
    for number in range(250):
        meter.log_event(number)
    data = read(meter)
    last = 0xFFC0 + 250
    assert unpack_from("<BHHIH", data) == (0b110, 100, 257 % 100, last, 100)
    found = entries(data)
    assert [entry[3] for entry in found] == list(range(150, 250))
    assert found[-1][0] == last & 0xFFFF
    assert meter.truth()["events.total"] == 258


def test_alternate_log() -> None:
    """ET79 shares the sequence numbers; it may be off, and 3.60 does not have it."""
    meter = meter_of("fw_3_70")
    assert unpack_from("<H", read(meter, 0x836), 80) == (40,)
    first = meter.log_event(5)
    second = meter.log_event(6, alternate=True)
    third = meter.log_event(7)
    assert (second.number, third.number) == (first.number + 1, first.number + 2)
    assert [entry[3] for entry in entries(read(meter, 0x84F))] == [9, 10, 6]
    assert [entry[0] for entry in entries(read(meter))[-2:]] == [
        first.number,
        third.number,
    ]
    off = meter_of()
    assert read(off, 0x84F) == bytes(11)
    with pytest.raises(ValueError, match="switched off"):
        off.log_event(1, alternate=True)
    assert meter_of("fw_3_60").table(0x84F) is None


@pytest.mark.parametrize(("name", "number"), [("fw_3_60", 1), ("fw_3_70", 11)])
def test_clearing(name: str, number: int) -> None:
    """A cleared log is empty; with 3.70 the sequence goes on."""
    meter = meter_of(name)
    meter.clear_events()
    assert unpack_from("<BHHIH", read(meter)) == (0b100, 0, 0, 0, 0)
    assert "events.last" not in meter.truth()
    assert meter.log_event(1).number == number


def test_outage_is_logged() -> None:
    """A long outage leaves power down and power up."""
    meter = meter_of()
    meter.add_outage(NOW - timedelta(hours=2), NOW - timedelta(hours=1))
    assert [entry[3] for entry in entries(read(meter))[-2:]] == [1, 2]
