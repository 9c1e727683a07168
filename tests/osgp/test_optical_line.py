"""Exchanges at the optical port: every published dialogue, and what gets lost."""

import asyncio

import pytest

from osgp.errors import NoReplyError, PortError, UnverifiedReplyError
from osgp.optical.packets import Packet, Signal
from tests.driven_clock import driven_clock

from .optical_peer import Dialogue, Peer, line_to, requests_in, serve
from .optical_vectors import DIALOGUES

_REQUEST = b"\x3f\x00\x17\x00\x00\x00\x00\x04"


@pytest.mark.parametrize("name", DIALOGUES)
async def test_published_dialogues(name: str) -> None:
    """The client says byte for byte what is published, and understands the answers."""
    steps = DIALOGUES[name]
    dialogue = Dialogue(steps)
    async with serve(dialogue) as url, line_to(url) as (line, _):
        line.take_packets_of(64)
        replies = [
            await line.exchange(request, is_first=request == b"\x20")
            for request in requests_in(steps)
        ]
        # What the meter says once more is answered without being waited for.
        await driven_clock().settle()
    assert dialogue.is_over, dialogue.said
    packets = [line for who, line in steps if who == "meter" and len(line) > 1]
    for reply in replies:
        assert any(reply.startswith(packet[6:-2]) for packet in packets)


async def test_counters_of_a_dialogue() -> None:
    """Damage is counted, and what is asked for again."""
    steps = DIALOGUES["reply-damaged-then-right"]
    async with serve(Dialogue(steps)) as url, line_to(url) as (line, counted):
        await line.exchange(requests_in(steps)[0])
    assert (counted.requests, counted.replies, counted.digest_failures) == (1, 1, 1)
    assert counted.last_reply_time is not None


def _answer(request: bytes) -> bytes:
    return b"\0" + request


async def test_echo() -> None:
    """A head that sends back everything changes nothing."""
    peer = Peer(_answer)
    peer.echoes = True
    async with serve(peer) as url, line_to(url) as (line, counted):
        for number in range(20):
            request = bytes([0x20, number])
            assert await line.exchange(request) == b"\0" + request
    assert counted.requests == counted.replies == len(peer.requests) == 20
    assert peer.signals == [Signal.ACK] * 20


@pytest.mark.parametrize("alternates", [True, False])
async def test_toggles_of_the_meter(alternates: bool) -> None:
    """Meters may alternate or not, also where one reply is like the one before."""
    peer = Peer(lambda request: b"\0\0\2" if request[0] == 0x20 else b"\0")
    peer.alternates = alternates
    async with serve(peer) as url, line_to(url) as (line, counted):
        assert await line.exchange(b"\x20") == b"\0\0\2"
        for number in range(6):
            assert await line.exchange(bytes([0x50, number])) == b"\0"
    assert len(peer.requests) == counted.requests == 7


@pytest.mark.parametrize("alternates", [True, False])
@pytest.mark.parametrize("lost", range(8))
async def test_each_thing_that_the_meter_sends_may_get_lost(
    lost: int, alternates: bool
) -> None:
    """The ACK or the packet: each request is answered, and with its own reply."""
    sent = 0

    def lose(data: bytes) -> bytes:
        nonlocal sent
        sent += 1
        return b"" if sent == lost + 1 else data

    peer = Peer(_answer)
    peer.alternates = alternates
    peer.head = lose
    async with serve(peer) as url, line_to(url) as (line, counted):
        for number in range(4):
            request = bytes([0x30, number])
            assert await line.exchange(request) == b"\0" + request
    assert counted.replies == 4
    assert len(peer.requests) <= 5


async def test_stray_bytes() -> None:
    """Noise around ACKs and packets does no harm, a NAK in it costs a copy."""
    peer = Peer(_answer)
    peer.head = lambda data: b"\0\x11" + data + b"\xff"
    async with serve(peer) as url, line_to(url) as (line, counted):
        for number in range(5):
            request = bytes([0x30, number])
            assert await line.exchange(request) == b"\0" + request
    assert counted.requests == 5


async def test_refused_copies() -> None:
    """After a NAK the same bytes are sent again."""
    refusals = 3
    peer = Peer(_answer)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        copies = []
        for _ in range(refusals):
            copies.append(await reader.readexactly(9))
            writer.write(Signal.NAK.value)
        assert set(copies) == {Packet(data=b"\x20").to_bytes()}
        await peer(reader, writer)

    async with serve(talk) as url, line_to(url) as (line, counted):
        assert await line.exchange(b"\x20", is_first=True) == b"\0\x20"
    assert counted.resent == refusals
    assert counted.timeouts == 0


async def test_silence() -> None:
    """Four copies, some seconds, and an error that says what to do."""
    peer = Peer(_answer)
    peer.head = lambda _: b""
    async with serve(peer) as url, line_to(url) as (line, counted):
        before = driven_clock().time()
        with pytest.raises(NoReplyError, match="head is seated"):
            await line.exchange(_REQUEST)
        assert driven_clock().time() - before == pytest.approx(10, abs=1)
        assert not line.is_live
    assert (peer.copies, counted.resent, counted.timeouts) == (4, 3, 4)


async def test_damage_without_end() -> None:
    """A line that damages every packet is reported as that."""
    peer = Peer(_answer)
    peer.head = lambda data: data[:-1] + b"\x55" if len(data) > 1 else data
    async with serve(peer) as url, line_to(url) as (line, counted):
        with pytest.raises(UnverifiedReplyError, match="damaged each time"):
            await line.exchange(_REQUEST)
    assert counted.digest_failures == 5
    assert peer.signals == [Signal.NAK] * 4


async def test_nothing_is_answered_after_an_end() -> None:
    """A session that was given up gets no acknowledgements."""
    peer = Peer(_answer)
    async with serve(peer) as url, line_to(url) as (line, _):
        await line.exchange(b"\x20")
        line.end()
        line._receive(Packet(data=b"\0", toggle=True).to_bytes())
        await driven_clock().settle()
    assert peer.signals == [Signal.ACK]


async def test_lost_port() -> None:
    """An exchange fails at once when the connection is lost."""

    async def hang_up(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.read(1)
        writer.close()

    async with serve(hang_up) as url, line_to(url) as (line, _):
        with pytest.raises(PortError):
            await line.exchange(_REQUEST)


async def test_noise_without_end() -> None:
    """A flood of what looks like packets does not keep an exchange from ending."""

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        while True:
            writer.write(b"\xee\0\0\0\0\x38" * 3)
            await driven_clock().sleep(0.1)

    async with serve(flood) as url, line_to(url) as (line, _):
        with pytest.raises((NoReplyError, UnverifiedReplyError)):
            await line.exchange(_REQUEST)
