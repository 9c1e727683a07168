"""What the client keeps of what went over the link."""

import asyncio
from datetime import UTC

import pytest

from osgp import (
    Access,
    Meter,
    NoReplyError,
    PortError,
    RefusalError,
    SecurityMode,
    Trace,
)
from osgp.requests import FullRead, PartialRead
from osgp.trace import EXCHANGES_KEPT
from tests.driven_clock import driven_clock
from tests.simulator import DEFAULT_KEY, PROFILES, Fault, SimulatedMeter, serve_tcp


def last(meter: Meter) -> tuple[str, str | None, str | None]:
    """Return request, reply and error of the newest exchange."""
    record = list(meter.trace.exchanges)[-1]
    reply = None if record.reply is None else record.reply.hex()
    return record.request.hex(), reply, record.error


async def test_packets_are_plain(meter: Meter, simulated: SimulatedMeter) -> None:
    """Requests and replies are kept without number and digest."""
    data = await meter.request(PartialRead(1, 0, 16))
    assert last(meter) == ("3f00010000000010", f"000010{data.hex()}", None)
    assert data == simulated.table(1)
    (record,) = list(meter.trace.exchanges)[-1:]
    assert record.sent == 1
    assert record.seconds == 0
    assert record.at.tzinfo is UTC


@pytest.mark.parametrize("mode", [SecurityMode.RC4, SecurityMode.TLS])
async def test_other_modes_are_plain_as_well(mode: SecurityMode) -> None:
    """Nothing that was encrypted or proved anything on the line is kept."""
    simulated = SimulatedMeter(PROFILES["gen4"], paced=False, tls="mbedtls")
    async with serve_tcp(simulated) as url:
        meter = await Meter.open(
            Access(url, DEFAULT_KEY, security=mode), clock=driven_clock()
        )
        data = await meter.request(PartialRead(1, 0, 16))
        await meter.close()
    assert last(meter) == ("3f00010000000010", f"000010{data.hex()}", None)


async def test_only_the_newest_are_kept(meter: Meter) -> None:
    """The memory does not grow."""
    for _ in range(EXCHANGES_KEPT + 10):
        await meter.read_clock()
    assert len(list(meter.trace.exchanges)) == EXCHANGES_KEPT
    assert len(meter.trace.tables[52]) == 1
    for offset in range(100):
        await meter.read_table(0, offset % 50, 1 + offset // 50)
    assert len(meter.trace.tables[0]) < 50


async def test_repetitions_are_counted(meter: Meter, simulated: SimulatedMeter) -> None:
    """A request that was sent again is one exchange."""
    simulated.add_fault(Fault(kind="silence", times=1))
    await meter.read_clock()
    assert list(meter.trace.exchanges)[-1].sent == 2


async def test_failures(meter: Meter, simulated: SimulatedMeter) -> None:
    """What came instead of a reply is kept as well."""
    fault = simulated.add_fault(Fault(kind="silence"))
    with pytest.raises(NoReplyError):
        await meter.read_clock()
    fault.remove()
    assert last(meter) == ("3f00340000000007", None, "NoReplyError")

    with pytest.raises(RefusalError):
        await meter.request(FullRead(2047, 10))
    assert last(meter) == ("3007ff000a", "05", None)
    assert meter.trace.refusals == {2047: 5}

    simulated.restart()
    await meter.read_clock()
    replies = [record.reply for record in list(meter.trace.exchanges)[-2:]]
    assert [reply and reply[0] for reply in replies] == [0x0C, 0x00]

    simulated.add_fault(Fault(kind="silence"))
    asking = asyncio.create_task(meter.read_clock())
    await driven_clock().sleep(0.05)
    asking.cancel()
    await asyncio.wait([asking])
    assert last(meter)[1:] == (None, "CancelledError")


async def test_tables(meter: Meter, simulated: SimulatedMeter) -> None:
    """The newest bytes of each part of a table are kept, and for how long."""
    whole = simulated.table(23) or b""
    await meter.read_table(23, 0, len(whole))
    (part,) = meter.trace.tables[23]
    assert (part.offset, part.data) == (0, whole)

    simulated.shift(3600)
    await meter.read_table(23, 0, 44)
    await meter.request(FullRead(23, len(whole)))
    before, newest = meter.trace.tables[23]
    assert (newest.offset, newest.data) == (0, simulated.table(23))
    assert newest.data != part.data
    assert newest.data.startswith(before.data)
    assert newest.at >= before.at > part.at

    # What is laid out anew is not mixed with what was before.
    await meter.read()
    simulated.change_profile("gen3_demand")
    await meter.read()
    parts = meter.trace.tables[23]
    assert all(part.at > newest.at for part in parts)
    assert max(part.offset + len(part.data) for part in parts) > len(whole)


async def test_a_refusal_is_over(meter: Meter, simulated: SimulatedMeter) -> None:
    """A table that is read again is refused no more."""
    simulated.add_fault(Fault(kind="refuse", table=15, code=3, times=1))
    with pytest.raises(RefusalError):
        await meter.read_table(15, 0, 17)
    assert meter.trace.refusals == {15: 3}
    await meter.read_table(15, 0, 17)
    assert not meter.trace.refusals


async def test_repr_tells_no_contents(meter: Meter, simulated: SimulatedMeter) -> None:
    """What is shown of records by accident tells nothing about anybody."""
    await meter.read_table(2051, 0, 30)
    serial = simulated.profile.serial_number.encode()
    (*_, record) = meter.trace.exchanges
    (part,) = meter.trace.tables[2051]
    assert record.reply
    assert serial in record.reply
    assert serial in part.data
    for shown in (repr(record), repr(part), repr(meter.trace)):
        assert serial.decode() not in shown
        assert serial.hex() not in shown
        assert str(serial) not in shown


async def test_trace_outlives_failed_attempts(
    simulated: SimulatedMeter, url: str
) -> None:
    """Attempts to open a meter that come to nothing can be looked at."""
    trace = Trace()
    simulated.add_fault(Fault(kind="silence", table="BT01"))
    with pytest.raises(NoReplyError):
        await Meter.open(Access(url, DEFAULT_KEY), clock=driven_clock(), trace=trace)
    *_, record = trace.exchanges
    assert (record.request[:3].hex(), record.error) == ("3f0001", "NoReplyError")
    failures = len(list(trace.exchanges))

    simulated.clear_faults()
    meter = await Meter.open(
        Access(url, DEFAULT_KEY), clock=driven_clock(), trace=trace
    )
    await meter.close()
    assert meter.trace is trace
    assert len(list(trace.exchanges)) > failures
    with pytest.raises(PortError):
        await meter.read_clock()
