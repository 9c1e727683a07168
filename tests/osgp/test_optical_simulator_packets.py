"""Packets on the simulated optical port: CRC, head, silence, and any bytes at all."""

from binascii import crc_hqx

from hypothesis import given, settings, strategies as st
import pytest

from tests.simulator.optical.packets import (
    ACK,
    NAK,
    QUIET,
    Packet,
    Received,
    Receiver,
    Signal,
    crc16,
    cut,
    sealed,
)
from tests.simulator.optical.probe import Air

from .optical_dialogues import BYTES, PACKETS, a_port, in_session

BYTE = 10 / 9600
REQUEST = BYTES["request-read-bt23"]


def received(data: bytes, *, size: int = 64, silence: float = 1.0) -> list[Received]:
    """Return what some bytes mean, and the silence after them."""
    receiver = Receiver()
    receiver.most_data = size - 8
    found = receiver.feed(data, 10.0, BYTE)
    found += receiver.wait(10.0 + len(data) * BYTE + silence)
    return [item for _, item in found]


def test_crc() -> None:
    """CRC-16/X-25: the published check values, and another implementation."""
    assert crc16(b"123456789") == 0x906E
    assert sealed(bytes.fromhex("ee0000000001 20"))[-2:].hex() == "1310"
    mirrored = bytes(int(f"{byte:08b}"[::-1], 2) for byte in b"123456789")
    other = int(f"{crc_hqx(mirrored, 0xFFFF):016b}"[::-1], 2) ^ 0xFFFF
    assert crc16(b"123456789") == other


@given(st.binary(max_size=200))
def test_crc_of_anything(data: bytes) -> None:
    """Both ways to compute it agree."""
    mirrored = bytes(int(f"{byte:08b}"[::-1], 2) for byte in data)
    other = int(f"{crc_hqx(mirrored, 0xFFFF):016b}"[::-1], 2) ^ 0xFFFF
    assert crc16(data) == other


@pytest.mark.parametrize(
    "vector",
    [v for v in PACKETS if not v["name"].startswith("damaged")],
    ids=lambda vector: vector["name"],
)
def test_vectors(vector: dict[str, object]) -> None:
    """Each packet is built from its fields and understood as these."""
    data = bytes.fromhex(str(vector["hex"]))
    packet = Packet(
        data=bytes.fromhex(str(vector["data"])),
        toggle=bool(vector["toggle"]),
        multi=bool(vector["multi"]),
        first=bool(vector["first"]),
        following=int(str(vector["sequence"])),
    )
    assert packet.encode() == data
    assert received(data) == [packet]


def test_acknowledgements() -> None:
    """06 and 15 between packets; anything else there is noise."""
    assert BYTES["ack"] == ACK
    assert BYTES["nak"] == NAK
    assert received(b"\x06\x15\x00\x55\x06") == [Signal.ACK, Signal.NAK, Signal.ACK]


@pytest.mark.parametrize("name", ["damaged-bit", "damaged-cut"])
def test_damaged_vectors(name: str) -> None:
    """They are broken, once."""
    assert received(BYTES[name]) == [Signal.BROKEN]


def test_false_start() -> None:
    """A start byte that begins nothing costs only itself."""
    ident = Packet(data=b"\x20")
    assert received(BYTES["resync-false-start"]) == [ident]
    assert received(b"\xee" + BYTES["request-ident"]) == [ident]
    assert received(b"\xee\xee\xee\x06" + BYTES["request-ident"]) == [ident]


def head(text: str) -> bytes:
    """Return a packet with a right CRC and an odd head."""
    return sealed(bytes.fromhex(text))


@pytest.mark.parametrize(
    "data",
    [
        head("ee 05 00 00 0001 20"),  # identity
        head("ee 00 01 00 0001 20"),  # data format
        head("ee 00 10 00 0001 20"),  # reserved bits
        head("ee 00 40 00 0001 20"),  # first packet of no message
        head("ee 00 00 01 0001 20"),  # sequence number of a single packet
        head("ee 00 00 00 0000"),  # length 0
        head("ee 00 00 00 0039" + "00" * 57),  # longer than a packet of 64 bytes
        head("ee 00 00 00 0001 20")[:-1] + b"\0",  # CRC
    ],
)
def test_bad_packets(data: bytes) -> None:
    """The meter refuses them, after a short silence."""
    receiver = Receiver()
    assert receiver.feed(data, 10.0, BYTE) == []
    end = 10.0 + len(data) * BYTE
    assert receiver.deadline == pytest.approx(end + QUIET)
    assert receiver.wait(end + QUIET / 2) == []
    assert [item for _, item in receiver.wait(end + QUIET)] == [Signal.BROKEN]
    assert receiver.wait(end + 9) == []
    assert receiver.feed(REQUEST, end + 9, BYTE)


def test_largest_packet() -> None:
    """A packet may be as long as was negotiated."""
    for size in (64, 128, 512):
        data = bytes(size - 8)
        assert received(Packet(data=data).encode(), size=size) == [Packet(data=data)]
        longer = Packet(data=data + b"\0").encode()
        assert Signal.BROKEN in received(longer, size=size)


@pytest.mark.parametrize("at", range(1, len(REQUEST)))
def test_pause_inside_a_packet(at: int) -> None:
    """500 ms may pass between two characters, and no more."""
    for pause, is_whole in ((0.49, True), (0.51, False)):
        receiver = Receiver()
        found = receiver.feed(REQUEST[:at], 10.0, BYTE)
        found += receiver.feed(REQUEST[at:], 10.0 + at * BYTE + pause, BYTE)
        kinds = [item for _, item in found]
        if is_whole:
            assert len(kinds) == 1
            assert isinstance(kinds[0], Packet)
        else:
            assert kinds[0] is Signal.BROKEN
            assert found[0][0] == pytest.approx(10.0 + at * BYTE + 0.5)
            assert not any(isinstance(item, Packet) for item in kinds)


def test_bad_packet_costs_what_follows_at_once() -> None:
    """Input is thrown away until there is silence."""
    bad = REQUEST[:-1] + b"\0"
    assert received(bad + REQUEST + ACK) == [Signal.BROKEN]


@given(
    data=st.binary(min_size=1, max_size=3000),
    size=st.sampled_from([9, 64, 128, 512]),
    toggle=st.booleans(),
)
def test_messages_of_several_packets(data: bytes, size: int, toggle: bool) -> None:
    """Pieces in order, counted down, with toggles that alternate."""
    data = data[: 255 * (size - 8)]
    packets = list(cut(data, size, toggle))
    assert b"".join(packet.data for packet in packets) == data
    assert [p.following for p in packets] == list(range(len(packets)))[::-1]
    for index, packet in enumerate(packets):
        assert packet.toggle == toggle ^ (index % 2 == 1)
        assert len(packet.encode()) <= size
        assert received(packet.encode(), size=size) == [packet]


def _is_answer(data: bytes) -> bool:
    """Tell whether bytes are acknowledgements and whole packets."""
    while data:
        if data[:1] in {ACK, NAK}:
            data = data[1:]
            continue
        length = 8 + int.from_bytes(data[4:6])
        if data[0] != 0xEE or sealed(data[: length - 2]) != data[:length]:
            return False
        data = data[length:]
    return True


_PIECE = st.one_of(
    st.binary(max_size=80),
    st.sampled_from(list(BYTES.values())),
    st.tuples(st.binary(min_size=1, max_size=56), st.booleans(), st.booleans()).map(
        lambda packet: Packet(
            data=packet[0], toggle=packet[1], multi=packet[2], first=packet[2]
        ).encode()
    ),
    st.tuples(
        st.sampled_from(list(BYTES.values())), st.integers(0, 500), st.integers(0, 255)
    ).map(lambda hit: _hit(*hit)),
)


def _hit(data: bytes, at: int, mask: int) -> bytes:
    changed = bytearray(data)
    changed[at % len(data)] ^= mask
    return bytes(changed)


@settings(max_examples=150, deadline=None)
@given(
    pieces=st.lists(st.tuples(_PIECE, st.sampled_from([0.0, 0.01, 0.6, 2.5, 7.0]))),
    is_open=st.booleans(),
    profile=st.sampled_from(["gen3", "gen4"]),
)
def test_any_bytes(
    pieces: list[tuple[bytes, float]], is_open: bool, profile: str
) -> None:
    """Whatever comes, the port never fails, and never says what is no answer."""
    port = a_port(profile=profile)
    air = in_session(port) if is_open else Air(port)
    air.heard.clear()
    for data, pause in pieces:
        air.say(data)
        air.wait(pause)
    air.wait(20)
    assert _is_answer(b"".join(data for _, data in air.heard))
    assert not port.is_awaiting
    assert air.clock.next_alarm() is None
    answers = [air.say(BYTES["request-ident"]) for _ in range(2)]
    assert answers[1].startswith(ACK)
