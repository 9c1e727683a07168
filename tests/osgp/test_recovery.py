"""The recovery ladder against a simulated meter that fails in every way."""

import asyncio
import logging
import socket

import pytest

from osgp import (
    Access,
    KeyRefusedError,
    Meter,
    MeterError,
    NoReplyError,
    PortError,
    RefusalError,
    UnverifiedReplyError,
    parse_table,
)
from osgp.mep import client as client_module
from tests.driven_clock import driven_clock
from tests.simulator import DEFAULT_KEY, PROFILES, Fault, SimulatedMeter, serve_tcp

from .conftest import deaf_server
from .test_meter import assert_true

_ONE_POLL_FAULTS = {
    "lost request": Fault(kind="lose_request", times=1),
    "lost reply": Fault(kind="lose_reply", times=1),
    "two lost replies": Fault(kind="lose_reply", times=2),
    "late reply": Fault(kind="late", seconds=0.15, times=1),
    "doubled replies": Fault(kind="double"),
    "truncated reply": Fault(kind="truncate", times=1),
    "corrupted length": Fault(kind="corrupt", at=0, times=1),
    "corrupted length, low byte": Fault(kind="corrupt", at=1, times=1),
    "corrupted code": Fault(kind="corrupt", at=2, times=1),
    "corrupted value": Fault(kind="corrupt", at=9, times=1),
    "corrupted digest": Fault(kind="corrupt", at=-1, times=1),
    "three corrupted replies": Fault(kind="corrupt", times=3),
    "dropped byte": Fault(kind="drop_byte", times=1),
    "noise before": Fault(kind="insert_noise", count=3, times=1),
    "stale reply before": Fault(kind="stale"),
    "stale reply instead": Fault(kind="stale", replace=True, times=1),
    "alerts around every reply": Fault(kind="alert", count=2),
    "refused once with 0B": Fault(kind="refuse", code=0x0B, times=1),
    "refused once with 0C": Fault(kind="refuse", code=0x0C, times=1),
    "refused twice with 0C": Fault(kind="refuse", code=0x0C, times=2),
    "number jumps": Fault(kind="sequence_jump"),
    "restart": Fault(kind="restart", seconds=0.05),
    "cut connection": Fault(kind="disconnect", times=1),
}


@pytest.mark.parametrize("fault", _ONE_POLL_FAULTS.values(), ids=_ONE_POLL_FAULTS)
async def test_mended_within_the_poll(
    meter: Meter, simulated: SimulatedMeter, fault: Fault
) -> None:
    """Every passing fault is mended by the poll that meets it, with true values."""
    await meter.read()
    for _ in range(3):
        active = simulated.add_fault(fault)
        readings = await meter.read()
        active.remove()
        assert active.hits
        assert not readings.errors
        assert set(readings.values) == set(meter.registers)
        assert_true(meter, readings, simulated)


@pytest.mark.parametrize("code", [0x0B, 0x0C])
@pytest.mark.parametrize("tables", [(23,), (28,), (23, 28)])
async def test_field_bug(
    meter: Meter, simulated: SimulatedMeter, code: int, tables: tuple[int, ...]
) -> None:
    """Meters that refuse full reads of BT23 or BT28 are read nevertheless."""
    for table in tables:
        simulated.add_fault(
            Fault(kind="refuse", table=table, request_code=0x30, code=code)
        )
    for _ in range(10):
        readings = await meter.read()
        assert not readings.errors
        assert_true(meter, readings, simulated)


@pytest.mark.parametrize("returns_last_number", [True, False])
async def test_both_readings_of_the_returned_number(returns_last_number: bool) -> None:
    """0C may carry the last accepted number or the next one."""
    simulated = SimulatedMeter(
        PROFILES["gen3"], paced=False, returns_last_number=returns_last_number
    )
    simulated.freeze()
    async with serve_tcp(simulated) as url:
        meter = await Meter.open(Access(url, DEFAULT_KEY), clock=driven_clock())
        simulated.add_fault(Fault(kind="lose_reply", times=1))
        readings = await meter.read()
        assert_true(meter, readings, simulated)
        assert not (await meter.resync()).sequence_number_changed
        await meter.close()


async def test_sequence_number_wraps(meter: Meter, simulated: SimulatedMeter) -> None:
    """The number after FFFFFFFF is 0."""
    simulated.sequence = 0xFFFFFFFC
    for _ in range(4):
        assert_true(meter, await meter.read(), simulated)
    assert simulated.sequence < 100


async def test_table_refused_for_good(meter: Meter, simulated: SimulatedMeter) -> None:
    """0B for one table, with a key that still works, is no failed key."""
    simulated.add_fault(Fault(kind="refuse", table="BT28", code=0x0B))
    readings = await meter.read()
    error = readings.errors["BT28"]
    assert isinstance(error, RefusalError)
    assert error.code == 0x0B
    assert "energy_import" in readings.values


async def test_number_refused_for_good(meter: Meter, simulated: SimulatedMeter) -> None:
    """A meter that refuses every number is given up with a plain error."""
    simulated.add_fault(Fault(kind="refuse", code=0x0C))
    with pytest.raises(RefusalError, match="invalid sequence number"):
        await meter.read()


async def test_corrupted_for_good(meter: Meter, simulated: SimulatedMeter) -> None:
    """Replies that are never genuine end in an error, not in values."""
    simulated.add_fault(Fault(kind="corrupt", at=5))
    with pytest.raises(UnverifiedReplyError):
        await meter.read()
    assert meter.statistics.digest_failures >= 4
    simulated.clear_faults()
    assert_true(meter, await meter.read(), simulated)


async def test_silence_and_recovery(meter: Meter, simulated: SimulatedMeter) -> None:
    """Silence ends in an error that says what to check, and is over when it is."""
    simulated.add_fault(Fault(kind="silence"))
    with pytest.raises(NoReplyError, match="ENABLE"):
        await meter.read()
    assert meter.statistics.timeouts
    assert meter.statistics.last_error
    simulated.clear_faults()
    assert_true(meter, await meter.read(), simulated)


async def test_long_silence_reopens_the_port(
    meter: Meter, simulated: SimulatedMeter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After long silence the port is opened anew; once, then the error is told."""
    monkeypatch.setattr(client_module, "_REOPEN_AFTER_SILENCE", 0.0)
    simulated.add_fault(Fault(kind="silence"))
    with pytest.raises(NoReplyError):
        await meter.read_clock()
    assert meter.statistics.reopens == 1
    simulated.clear_faults()
    assert await meter.read_clock()


async def test_pty_reopens(
    simulated: SimulatedMeter, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A local port reopens too, whether or not it has control lines."""
    monkeypatch.setattr(client_module, "_REOPEN_AFTER_SILENCE", 0.0)
    meter = await Meter.open(Access(path, DEFAULT_KEY), clock=driven_clock())
    simulated.add_fault(Fault(kind="lose_request", times=5))
    assert_true(meter, await meter.read(), simulated)
    assert meter.statistics.reopens == 1
    await meter.close()


@pytest.mark.parametrize("bare", [True, False])
async def test_wrong_key(simulated: SimulatedMeter, url: str, bare: bool) -> None:
    """A wrong key is told from silence and from noise, and not repeated."""
    simulated.bare_authentication_failure = bare
    with pytest.raises(KeyRefusedError) as caught:
        await Meter.open(Access(url, b"not the right 16"), clock=driven_clock())
    assert "not the right" not in str(caught.value)


async def test_key_changed(meter: Meter, simulated: SimulatedMeter) -> None:
    """A key that stops working is told as such; a working one is not forgotten."""
    simulated.key = b"another key 1234"
    with pytest.raises(KeyRefusedError):
        await meter.read()
    simulated.key = DEFAULT_KEY
    assert_true(meter, await meter.read(), simulated)


@pytest.mark.parametrize("table", ["BT52", "BT01"])
async def test_key_is_not_refused_with_a_single_table(
    meter: Meter, simulated: SimulatedMeter, table: str
) -> None:
    """Not even where that is one of those that prove the key."""
    simulated.add_fault(Fault(kind="refuse", table=table, code=0x0B))
    with pytest.raises(RefusalError) as caught:
        await meter.read_table(parse_table(table), 0, 6)
    assert caught.value.code == 0x0B
    simulated.add_fault(Fault(kind="refuse", table="BT23", code=0x0B, times=1))
    assert_true(meter, await meter.read(), simulated)


async def test_port_that_does_not_open() -> None:
    """A missing device and a closed network port are the same kind of error."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = f"socket://127.0.0.1:{unused.getsockname()[1]}"
        for port in ("/dev/no-such-port", closed, "nonsense://port", "socket://host"):
            with pytest.raises(PortError, match="does not open"):
                await Meter.open(Access(port, DEFAULT_KEY), clock=driven_clock())


async def test_errors_show_no_secrets_of_the_port() -> None:
    """User names, passwords and options of a URL stay out of errors."""
    with pytest.raises(PortError) as caught:
        await Meter.open(
            Access("esphome://user:secret@127.0.0.1:1/?key=secret", DEFAULT_KEY),
            clock=driven_clock(),
        )
    assert "secret" not in str(caught.value)


async def test_transport_that_never_answers() -> None:
    """A port that accepts and is silent ends in a timeout, not in a hang."""
    async with deaf_server() as url:
        with pytest.raises(NoReplyError):
            await Meter.open(Access(url, DEFAULT_KEY), clock=driven_clock())


async def test_babbling_transport() -> None:
    """Endless nonsense is no reply and no reason to wait for ever."""
    clock = driven_clock()

    async def babble(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while not reader.at_eof():
            writer.write(b"\x01\xf0" + bytes(range(100)))
            await clock.sleep(0.01)
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    async with server:
        url = "socket://{}:{}".format(*server.sockets[0].getsockname())
        with pytest.raises(MeterError):
            await Meter.open(Access(url, DEFAULT_KEY), clock=driven_clock())


async def test_meter_switched_off_and_on(simulated: SimulatedMeter) -> None:
    """The same client goes on when the other end is back."""
    async with serve_tcp(simulated) as url:
        meter = await Meter.open(Access(url, DEFAULT_KEY), clock=driven_clock())
    with pytest.raises(PortError):
        await meter.read()
    with pytest.raises(PortError):
        await meter.read()
    port = int(url.rpartition(":")[2])
    simulated.restart()
    async with serve_tcp(simulated, port=port):
        assert_true(meter, await meter.read(), simulated)
        await meter.close()


async def test_concurrent_readers_take_turns(
    meter: Meter, simulated: SimulatedMeter
) -> None:
    """Many readers share the line message by message, none is starved."""
    simulated.requests.clear()
    reads = [meter.read(), meter.read_table(21), meter.read_clock(), meter.read()]
    results = await asyncio.gather(*reads)
    assert results[0] == results[3]
    assert meter.statistics.sequence_resyncs == 1
    tables = [request.table for request in simulated.requests]
    assert tables[:4] == [23, 21, 52, 23]


async def test_cancelled_read_leaves_the_line_usable(
    meter: Meter, simulated: SimulatedMeter
) -> None:
    """A reply to a cancelled request is not taken for the next one's."""
    simulated.add_fault(Fault(kind="late", seconds=0.05))
    for _ in range(5):
        reading = asyncio.ensure_future(meter.read())
        await driven_clock().sleep(0.02)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
    assert_true(meter, await meter.read(), simulated)


async def test_close_ends_what_is_under_way(
    meter: Meter, simulated: SimulatedMeter
) -> None:
    """Closing fails a read at once; closed stays closed; twice does not matter."""
    simulated.add_fault(Fault(kind="silence"))
    reading = asyncio.ensure_future(meter.read_clock())
    await driven_clock().sleep(0.02)
    await meter.close()
    with pytest.raises(PortError):
        await reading
    await meter.close()
    with pytest.raises(PortError, match="was closed"):
        await meter.read_clock()


async def test_resync(meter: Meter, simulated: SimulatedMeter) -> None:
    """A resynchronisation starts the session anew and tells what it found."""
    simulated.clock_offset = 30
    result = await meter.resync()
    assert result.attempts == 2
    assert not result.sequence_number_changed
    assert 28 < (result.meter_time - simulated.time).total_seconds() <= 30
    simulated.restart()
    result = await meter.resync()
    assert result.sequence_number_changed
    assert_true(meter, await meter.read(), simulated)


async def test_counters(meter: Meter, simulated: SimulatedMeter) -> None:
    """Each rung of the ladder is counted."""
    for fault in (
        Fault(kind="lose_reply", times=1),
        Fault(kind="alert", times=1),
        Fault(kind="refuse", code=0x0B, times=1),
        Fault(kind="corrupt", at=6, times=1),
        Fault(kind="disconnect", times=1),
    ):
        simulated.add_fault(fault)
        await meter.read_clock()
        simulated.clear_faults()
    counted = meter.statistics
    assert counted.resent == counted.timeouts == 1
    assert counted.alerts == 2
    assert counted.authentication_failures == 1
    assert counted.digest_failures == 1
    assert counted.reopens == 1
    assert counted.bytes_sent == 22 * counted.requests
    assert counted.last_reply_time is not None


async def test_debug_log_holds_messages_and_no_key(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Every message is logged at debug, the key nowhere."""
    caplog.set_level(logging.DEBUG)
    meter = await Meter.open(Access(url, DEFAULT_KEY), clock=driven_clock())
    await meter.close()
    assert "Sent 00143f0803" in caplog.text
    assert "Received " in caplog.text
    assert DEFAULT_KEY.decode() not in caplog.text
    assert DEFAULT_KEY.hex() not in caplog.text
