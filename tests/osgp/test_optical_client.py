"""Sessions at the optical port: how they begin, stay, end, and are found again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
import logging
import os

import pytest

from osgp.errors import (
    KeyRefusedError,
    NoReplyError,
    PortError,
    RefusalError,
    TlsRequiredError,
    UnverifiedReplyError,
)
from osgp.key import OpticalKey
from osgp.optical.client import OpticalClient
from osgp.optical.line import Line
from osgp.optical.memory import OpticalMemory
from osgp.optical.services import checksum
from osgp.port import Port
from osgp.requests import ANY_LENGTH, FullRead, PartialRead
from osgp.statistics import LinkStatistics
from osgp.trace import Trace
from tests.driven_clock import driven_clock

from .optical_peer import Peer, serve

_KEY = OpticalKey(b"0123456789abcdefghij")
_BT23 = PartialRead(table=23, offset=0, count=4)
_ET29 = 2048 + 29


def _ok(data: bytes) -> bytes:
    return b"\0" + len(data).to_bytes(2) + data + bytes([checksum(data)])


class _Meter:
    """Answers requests as a meter does, with what a test changes.

    codes has the response codes, other than 0, of services by their number.
    """

    def __init__(self, generation: int = 4, options: bytes = b"\0\x04\0") -> None:
        self.tables = {
            1: b"NES 83334-3I" + bytes(2) + bytes([generation << 4, 0x20]),
            23: bytes(range(200)),
            _ET29: options,
        }
        self.codes: dict[int, int] = {}
        self.silent: set[int] = set()
        self.terms = b"\2\0\4\6"
        self.peer = Peer(self.answer)

    def answer(self, request: bytes) -> bytes | None:
        service = request[0]
        if service in self.silent:
            return None
        if code := self.codes.get(service):
            return bytes([code])
        if service == 0x61:
            return b"\0" + self.terms
        if service in (0x30, 0x3F):
            table = self.tables.get(int.from_bytes(request[1:3]))
            if table is None:
                return b"\3"
            if service == 0x30:
                return _ok(table)
            offset, count = int.from_bytes(request[3:6]), int.from_bytes(request[6:8])
            return _ok(table[offset : offset + count].ljust(count, b"\0"))
        return b"\0"

    @property
    def services(self) -> str:
        """The numbers of all services that were requested, in hex."""
        return " ".join(f"{request[0]:02x}" for request in self.peer.requests)

    def count(self, service: int) -> int:
        return sum(request[0] == service for request in self.peer.requests)


@asynccontextmanager
async def _client(meter: _Meter) -> AsyncIterator[OpticalClient]:
    async with serve(meter.peer) as url:
        statistics = LinkStatistics()
        clock = driven_clock()
        client = OpticalClient(
            Line(url, statistics=statistics, clock=clock),
            _KEY,
            statistics=statistics,
            trace=Trace(),
            clock=clock,
            memory=OpticalMemory(),
        )
        try:
            yield client
        finally:
            await client.close()


_BEGIN = "20 61 50 51"
_END = "52 21"


async def test_a_session() -> None:
    """It begins with the first request, and closing logs off."""
    meter = _Meter()
    async with _client(meter) as client:
        assert client.reply_capacity == 52
        assert await client.request(_BT23) == bytes(range(4))
        assert client.reply_capacity == 504 * 4 - 4
        assert client.sessions == 1
        assert client.is_answering
    # The first of the reads asks for the generation.
    assert meter.services == f"{_BEGIN} 3f 3f {_END}"


async def test_full_read_without_a_length() -> None:
    """A whole table is as long as the meter says."""
    meter = _Meter()
    async with _client(meter) as client:
        data = await client.request(FullRead(23, ANY_LENGTH))
        assert data == meter.tables[23]
        assert meter.peer.requests[-1] == b"\x30\0\x17"
        assert await client.read_to_end(23, 190) == meter.tables[23][190:]
        assert await client.read_within(23, 190, 50) == meter.tables[23][190:]


@pytest.mark.parametrize(
    ("terms", "capacity"),
    [
        (b"\2\0\4\6", 2012),
        (b"\2\0\1\6", 500),
        (b"\0\x40\2\6", 108),
        (b"\0\x40\2", 108),
        (b"\x10\0\x20\6", 2012),
        (b"\0\7\2\6", 52),
        (b"\0\x40\0\6", 52),
    ],
)
async def test_terms(terms: bytes, capacity: int) -> None:
    """What the meter answers is used, and never more than was asked for."""
    meter = _Meter()
    meter.terms = terms
    async with _client(meter) as client:
        await client.request(_BT23)
        assert client.reply_capacity == capacity


async def test_negotiation_refused() -> None:
    """Without it there are small packets."""
    meter = _Meter()
    meter.codes[0x61] = 2
    async with _client(meter) as client:
        await client.request(_BT23)
        assert client.reply_capacity == 52


async def test_another_baud_rate() -> None:
    """A meter that wants another baud rate, which was not offered, is left alone."""
    meter = _Meter()
    meter.terms = b"\2\0\4\x0a"
    async with _client(meter) as client:
        with pytest.raises(UnverifiedReplyError, match="9600"):
            await client.request(_BT23)
    assert meter.services == "20 61 21"


@pytest.mark.parametrize("code", [1, 2, 3, 5, 7, 9])
async def test_a_refused_key_is_shown_once(code: int) -> None:
    """Whatever the code, nothing is sent any more after a refusal."""
    meter = _Meter()
    meter.codes[0x51] = code
    async with _client(meter) as client:
        for _ in range(5):
            with pytest.raises(KeyRefusedError, match="compare it") as raised:
                await client.request(_BT23)
            assert "0123" not in str(raised.value)
            await driven_clock().sleep(100)
        assert client.statistics.authentication_failures == 1
    assert meter.services == f"{_BEGIN} 21"


async def test_a_key_without_an_answer() -> None:
    """A meter that falls silent when shown the key is not shown it for ever."""
    meter = _Meter()
    meter.silent.add(0x51)
    async with _client(meter) as client:
        with pytest.raises(NoReplyError):
            await client.request(_BT23)
        assert meter.count(0x51) == 1
        with pytest.raises(NoReplyError, match="asked again in"):
            await client.request(_BT23)
        assert meter.count(0x51) == 1
        await driven_clock().sleep(61)
        for _ in range(3):
            with pytest.raises(KeyRefusedError):
                await client.request(_BT23)
            await driven_clock().sleep(400)
    assert meter.count(0x51) == 2


async def test_a_busy_meter_is_shown_the_key_again() -> None:
    """Busy is no refusal: once more at once, and then after a pause."""
    meter = _Meter()
    meter.codes[0x51] = 6
    async with _client(meter) as client:
        for _ in range(3):
            with pytest.raises(NoReplyError):
                await client.request(_BT23)
        assert meter.count(0x51) == 2
        del meter.codes[0x51]
        await driven_clock().sleep(61)
        assert await client.request(_BT23) == bytes(range(4))


async def test_tls_only_port() -> None:
    """A port that refuses everything but its identification is reported as that."""
    meter = _Meter()
    meter.codes[0x50] = 2
    async with _client(meter) as client:
        with pytest.raises(TlsRequiredError, match="TLS"):
            await client.request(_BT23)
    assert meter.services == "20 61 50 21"


async def test_refusals() -> None:
    """What the key does not reach is refused, and the session goes on."""
    meter = _Meter()
    async with _client(meter) as client:
        with pytest.raises(RefusalError) as raised:
            await client.request(PartialRead(table=52, offset=0, count=6))
        assert raised.value.code == 3
        await client.request(_BT23)
        assert client.trace.refusals == {52: 3}
        assert client.sessions == 1


@pytest.mark.parametrize("code", [6, 7, 8])
async def test_busy(code: int) -> None:
    """A busy meter is asked again, a few times."""
    meter = _Meter()
    async with _client(meter) as client:
        await client.request(_BT23)
        meter.codes[0x3F] = code
        before = len(meter.peer.requests)
        with pytest.raises(RefusalError, match="busy"):
            await client.request(_BT23)
        assert len(meter.peer.requests) - before == 4
        del meter.codes[0x3F]
        await client.request(_BT23)
        assert client.sessions == 1


@pytest.mark.parametrize("code", [9, 10])
async def test_session_that_the_meter_has_ended(code: int) -> None:
    """A new one begins at once, and the request is answered."""
    meter = _Meter()
    async with _client(meter) as client:
        await client.request(_BT23)
        answer = meter.answer

        def forget(request: bytes) -> bytes | None:
            meter.peer._answer = answer
            return bytes([code])

        meter.peer._answer = forget
        before = driven_clock().time()
        assert await client.request(_BT23) == bytes(range(4))
        assert driven_clock().time() - before < 2
        assert client.sessions == 2


async def test_old_session_of_the_meter() -> None:
    """A meter that still has a session from before is told to end it."""
    meter = _Meter()
    meter.codes[0x20] = 10
    answer = meter.answer

    def until_terminated(request: bytes) -> bytes | None:
        if request == b"\x21":
            meter.codes.clear()
        return answer(request)

    meter.peer._answer = until_terminated
    async with _client(meter) as client:
        await client.request(_BT23)
    assert meter.services.startswith(f"20 21 {_BEGIN}")


async def test_lost_session() -> None:
    """After silence the meter gets time to forget the session."""
    meter = _Meter()
    async with _client(meter) as client:
        await client.request(_BT23)
        head, meter.peer.head = meter.peer.head, lambda _: b""
        before = driven_clock().time()

        async def put_back() -> None:
            await driven_clock().sleep(12)
            meter.peer.head = head

        back = asyncio.create_task(put_back())
        assert await client.request(_BT23) == bytes(range(4))
        await back
        assert client.sessions == 2
        assert driven_clock().time() - before > 10 + 7


async def test_hold_off() -> None:
    """After two failed beginnings the port is left in peace, ever longer."""
    meter = _Meter()
    meter.peer.head = lambda _: b""
    clock = driven_clock()
    began = []
    async with _client(meter) as client:
        copies = 0
        while clock.time() < 1300:
            with pytest.raises(NoReplyError):
                await client.request(_BT23)
            if meter.peer.copies != copies:
                copies = meter.peer.copies
                began.append(clock.time())
            await clock.sleep(10)
        meter.peer.head = bytes
        await clock.sleep(300)
        assert await client.request(_BT23) == bytes(range(4))
    pauses = [later - each for each, later in pairwise(began)]
    assert pauses[0] < 40
    assert 60 < pauses[1] < 100
    assert all(300 < pause < 340 for pause in pauses[2:])
    assert len(pauses) >= 4


async def test_sessions_are_renewed() -> None:
    """A session that is used all the time ends by logging off, before 540 s."""
    meter = _Meter()
    clock = driven_clock()
    ended: list[float] = []
    began: list[float] = []
    answer = meter.answer

    def note(request: bytes) -> bytes | None:
        if request == b"\x52":
            ended.append(clock.time())
        if request[0] == 0x51:
            began.append(clock.time())
        return answer(request)

    meter.peer._answer = note
    async with _client(meter) as client:
        while clock.time() < 1800:
            await client.request(_BT23)
            await clock.sleep(2)
        assert client.sessions == 4
        assert client.statistics.sequence_resyncs == 0
    assert all(
        510 < end - begin < 540 for begin, end in zip(began, ended[:-1], strict=False)
    )


@pytest.mark.parametrize(
    ("generation", "options", "pause"),
    [
        (4, b"\0\x04\0", 60),
        (3, b"\0\0\0", 60),
        (3, b"\0\x04\0", 2),
        (2, b"\0\x04\0", 2),
    ],
)
async def test_resting_sessions(generation: int, options: bytes, pause: float) -> None:
    """One that blocks the MEP ends at once; others wait, with the meter's consent."""
    meter = _Meter(generation, options)
    clock = driven_clock()
    async with _client(meter) as client:
        await client.request(_BT23)
        await clock.sleep(pause - 0.5)
        assert meter.count(0x21) == 0
        await clock.sleep(1)
        assert meter.count(0x21) == 1
        assert meter.count(0x70) == (pause > 10)
        await client.request(_BT23)
        assert client.sessions == 2


async def test_polls_in_a_waiting_session() -> None:
    """A poll each 10 s needs no new session if the meter knows how to wait."""
    meter = _Meter()
    async with _client(meter) as client:
        for _ in range(20):
            await client.request(_BT23)
            await driven_clock().sleep(10)
        assert client.sessions == 1
        assert meter.count(0x70) == 20


async def test_meter_that_cannot_wait() -> None:
    """Then each poll has its session, and the meter is not asked again."""
    meter = _Meter()
    meter.codes[0x70] = 2
    async with _client(meter) as client:
        for _ in range(3):
            await client.request(_BT23)
            await driven_clock().sleep(10)
        assert client.sessions == 3
    assert meter.count(0x70) == 1
    assert meter.services.count(_END) == 3


async def test_meter_that_only_says_it_waits() -> None:
    """A session that does not last as agreed is not asked to wait again."""
    meter = _Meter()
    async with _client(meter) as client:
        await client.request(_BT23)
        await driven_clock().sleep(10)
        meter.codes[0x3F] = 10
        answer = meter.answer

        def until_terminated(request: bytes) -> bytes | None:
            if request == b"\x21":
                meter.codes.clear()
            return answer(request)

        meter.peer._answer = until_terminated
        for _ in range(3):
            await client.request(_BT23)
            await driven_clock().sleep(10)
        assert meter.count(0x70) == 1


async def test_wrong_checksum() -> None:
    """Such a value is read again, and never used."""
    meter = _Meter()
    answer = meter.answer
    wrong = 2

    def falsify(request: bytes) -> bytes | None:
        nonlocal wrong
        reply = answer(request)
        if request[0] == 0x3F and request[2] == 23 and wrong and reply:
            wrong -= 1
            return reply[:3] + b"\xff" + reply[4:]
        return reply

    meter.peer._answer = falsify
    async with _client(meter) as client:
        assert await client.request(_BT23) == bytes(range(4))
        assert client.statistics.digest_failures == 2
        wrong = 1000
        with pytest.raises(UnverifiedReplyError, match="checksum"):
            await client.request(_BT23)


async def test_reply_to_another_read() -> None:
    """A reply of another length than was asked for is no answer."""
    meter = _Meter()
    meter.tables[23] = bytes(4)
    answer = meter.answer
    meter.peer._answer = lambda request: (
        _ok(bytes(9)) if request[1:3] == b"\0\x17" else answer(request)
    )
    async with _client(meter) as client:
        with pytest.raises(UnverifiedReplyError, match="answers another read"):
            await client.request(_BT23)


async def test_cancelled_request() -> None:
    """What was cut short does not answer the next request; the session is ended."""
    meter = _Meter()
    async with _client(meter) as client:
        await client.request(_BT23)
        meter.silent.add(0x3F)
        request = asyncio.create_task(client.request(_BT23))
        await driven_clock().sleep(1)
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
    assert meter.services.endswith("21")


async def test_closing_is_bounded() -> None:
    """A meter that does not answer any more does not keep the port open."""
    meter = _Meter()
    async with _client(meter) as client:
        await client.request(_BT23)
        meter.peer.head = lambda _: b""
        before = driven_clock().time()
        await client.close()
        assert driven_clock().time() - before < 7
        with pytest.raises(PortError):
            await client.request(_BT23)


async def test_closing_during_a_request() -> None:
    """The request fails, and the session is ended."""
    meter = _Meter()
    async with _client(meter) as client:
        await client.request(_BT23)
        meter.silent.add(0x3F)
        request = asyncio.create_task(client.request(_BT23))
        await driven_clock().sleep(1)
        await client.close()
        with pytest.raises(PortError):
            await request
    assert meter.services.endswith("21")


async def test_new_session_on_demand() -> None:
    """A session that is to be forgotten is ended before the next begins."""
    meter = _Meter()
    async with _client(meter) as client:
        await client.request(_BT23)
        client.forget_session()
        await client.request(_BT23)
        assert client.sessions == 2
    assert f"{_END} {_BEGIN}" in meter.services


async def test_the_key_is_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    """Neither logs nor the trace nor any repr have it."""
    caplog.set_level(logging.DEBUG)
    meter = _Meter()
    meter.peer.echoes = True
    async with _client(meter) as client:
        await client.request(_BT23)
        trace = [(each, each.request, each.reply) for each in client.trace.exchanges]
        shown = f"{vars(client)} {vars(client._line)} {trace}"
    ours = [each for each in caplog.records if each.name.startswith("osgp")]
    logged = " ".join(each.getMessage() for each in ours)
    for text in (shown, logged):
        assert _KEY.decode() not in text
        assert _KEY.hex() not in text
    assert ours


async def test_serial_ports_do_not_log_the_key(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Neither does the library below, which logs what it writes."""
    caplog.set_level(logging.DEBUG)
    master, slave = os.openpty()
    port = Port(os.ttyname(slave), lambda _: None, statistics=LinkStatistics())
    try:
        await port.open()
        port.write(b"something", is_secret=False)
        port.write(_KEY, is_secret=True)
    finally:
        await port.close()
        os.close(master)
        os.close(slave)
    logged = " ".join(each.getMessage() for each in caplog.records)
    assert "something" in logged
    assert _KEY.decode() not in logged
