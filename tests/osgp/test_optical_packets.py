"""Packets of the optical port: cutting the stream, damage, parts of messages."""

from typing import Any

from hypothesis import given, strategies as st
import pytest

from osgp.optical.packets import OVERHEAD, Packet, PacketReader, Parts, Signal, crc

from .optical_vectors import OPTICAL_VECTORS, PACKETS, VECTORS

_LONGEST = 56

_packets = st.builds(
    Packet,
    data=st.binary(min_size=1, max_size=_LONGEST),
    toggle=st.booleans(),
    is_part=st.booleans(),
    is_first=st.booleans(),
    sequence=st.integers(0, 255),
)
_received = st.one_of(_packets, st.sampled_from(Signal))


def _reader(longest: int = _LONGEST) -> PacketReader:
    reader = PacketReader()
    reader.longest = longest
    return reader


def _bytes(each: Packet | Signal) -> bytes:
    return each.to_bytes() if isinstance(each, Packet) else each.value


def test_check_values_of_the_crc() -> None:
    """The CRC of the catalogue, low byte first."""
    check = int(OPTICAL_VECTORS["crc"]["check_123456789"], 16)
    assert crc(b"123456789") == check.to_bytes(2, "little")


@pytest.mark.parametrize("vector", PACKETS.values(), ids=PACKETS)
def test_published_packets(vector: dict[str, Any]) -> None:
    """Each published packet is read and written as published; damaged ones are not."""
    line = bytes.fromhex(vector["hex"])
    reader = _reader()
    found = reader.feed(line)
    if not vector.get("crc_ok", True):
        assert found == []
        assert reader.pending
        return
    packet = Packet(
        data=bytes.fromhex(vector["data"]),
        toggle=bool(vector["toggle"]),
        is_part=vector["multi"],
        is_first=vector["first"],
        sequence=vector["sequence"],
    )
    assert found == [packet]
    assert not reader.pending
    assert packet.to_bytes() == line


@pytest.mark.parametrize(("name", "signal"), [("ack", Signal.ACK), ("nak", Signal.NAK)])
def test_published_signals(name: str, signal: Signal) -> None:
    """ACK and NAK are single bytes."""
    assert _reader().feed(bytes.fromhex(VECTORS[name]["hex"])) == [signal]


def test_packet_after_a_false_start() -> None:
    """A stray EE before a packet does not cost the packet."""
    found = _reader().feed(bytes.fromhex(VECTORS["resync-false-start"]["hex"]))
    assert found == [Packet(data=b"\x20")]


@given(sent=st.lists(_received, max_size=6), data=st.data())
def test_packets_arrive_whatever_the_chunks(
    sent: list[Packet | Signal], data: st.DataObject
) -> None:
    """Any cutting of the stream changes nothing."""
    stream = b"".join(map(_bytes, sent))
    reader = _reader()
    found: list[Packet | Signal] = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += reader.feed(stream[:size])
        stream = stream[size:]
    assert found == sent
    assert not reader.pending


@given(st.lists(st.binary(max_size=700), max_size=20))
def test_arbitrary_bytes_are_survived(chunks: list[bytes]) -> None:
    """Garbage never raises, and no more than one packet is ever kept."""
    reader = _reader()
    for chunk in chunks:
        for each in reader.feed(chunk):
            if isinstance(each, Packet):
                assert 0 < len(each.data) <= _LONGEST
                assert each.to_bytes()[-2:] == crc(each.to_bytes()[:-2])
        assert len(reader._received) < _LONGEST + OVERHEAD
    reader.reset()
    assert not reader.pending
    assert reader.feed(Packet(data=b"right").to_bytes()) == [Packet(data=b"right")]


@given(
    packet=_packets,
    places=st.lists(st.integers(0, 8 * 60), min_size=1, max_size=3, unique=True),
)
def test_damage_of_up_to_three_bits_is_found(packet: Packet, places: list[int]) -> None:
    """A damaged packet is none, and a right one after it arrives."""
    line = bytearray(packet.to_bytes())
    for place in {place % (8 * len(line)) for place in places}:
        line[place // 8] ^= 1 << place % 8
    reader = _reader()
    found = reader.feed(bytes(line))
    assert not [each for each in found if isinstance(each, Packet)]
    reader.reset()
    assert packet in reader.feed(packet.to_bytes())


def test_signals_within_a_damaged_packet_are_none() -> None:
    """Data may contain what looks like an ACK."""
    line = bytearray(Packet(data=bytes([6, 0x15] * 10)).to_bytes())
    line[-1] ^= 1
    reader = _reader()
    assert reader.feed(bytes(line) + b"\x06") == []
    reader.reset()
    assert reader.feed(b"\x06") == [Signal.ACK]


def test_packets_longer_than_negotiated_are_none() -> None:
    """So that no length, however damaged, is waited for."""
    packet = Packet(data=bytes(100))
    assert _reader().feed(packet.to_bytes()) == []
    assert _reader(504).feed(packet.to_bytes()) == [packet]


def _cut(message: bytes, size: int) -> list[Packet]:
    pieces = [message[at : at + size] for at in range(0, len(message), size)]
    return [
        Packet(
            data=piece,
            toggle=bool(index % 2),
            is_part=len(pieces) > 1,
            is_first=len(pieces) > 1 and not index,
            sequence=len(pieces) - 1 - index,
        )
        for index, piece in enumerate(pieces)
    ]


@given(st.binary(min_size=1, max_size=500), st.integers(2, 56))
def test_messages_of_several_packets(message: bytes, size: int) -> None:
    """The parts make the message after the last of them, again and again."""
    parts = Parts()
    for _ in range(2):
        *before, last = _cut(message, size)
        assert [parts.add(packet) for packet in before] == [None] * len(before)
        assert parts.pending == bool(before)
        assert parts.add(last) == message
        assert not parts.pending


@given(st.binary(min_size=10, max_size=99), st.integers(0, 4))
def test_a_lost_part_costs_the_message(message: bytes, lost: int) -> None:
    """The rest makes no message, and the next message is whole."""
    parts = Parts()
    packets = _cut(message, 2)
    del packets[lost]
    for packet in packets[:-1]:
        assert parts.add(packet) is None
    last = parts.add(packets[-1])
    # Without the last one, there is not even an end.
    assert last in ((b"",) if packets[-1].sequence == 0 else (None,))
    assert [parts.add(each) for each in _cut(message, 200)] == [message]


def test_data_are_not_shown() -> None:
    """A packet may hold the key."""
    assert "secret" not in repr(Packet(data=b"secret"))
