"""Cutting the stream of bytes into messages."""

from hypothesis import given, strategies as st
import pytest

from osgp.mep.framing import LONGEST_MESSAGE, Framer

from .vectors import FRAMES

_messages = st.lists(st.binary(min_size=1, max_size=LONGEST_MESSAGE), max_size=5)


def _frame(message: bytes) -> bytes:
    return len(message).to_bytes(2) + message


@pytest.mark.parametrize("identifier", FRAMES)
def test_published_frames(identifier: str) -> None:
    """Each published frame is one message, the alert sequence is none."""
    framer = Framer()
    frame = bytes.fromhex(FRAMES[identifier]["hex"])
    messages = framer.feed(frame)
    assert messages == ([] if identifier == "alert" else [frame[2:]])
    assert framer.alerts == (identifier == "alert")
    assert not framer.pending


@given(messages=_messages, data=st.data())
def test_messages_arrive_whatever_the_chunks(
    messages: list[bytes], data: st.DataObject
) -> None:
    """Any cutting of the stream, and alerts between messages, change nothing."""
    alerts = [data.draw(st.integers(0, 2)) for _ in messages]
    stream = b"".join(
        bytes(2 * count) + _frame(message)
        for count, message in zip(alerts, messages, strict=True)
    )
    framer = Framer()
    received: list[bytes] = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        received += framer.feed(stream[:size])
        stream = stream[size:]
    assert received == messages
    assert framer.alerts == sum(alerts)
    assert not framer.pending


@given(st.lists(st.binary(max_size=700), max_size=20))
def test_arbitrary_bytes_are_survived(chunks: list[bytes]) -> None:
    """Garbage never raises, and no more than one message is ever kept."""
    framer = Framer()
    for chunk in chunks:
        for message in framer.feed(chunk):
            assert 0 < len(message) <= LONGEST_MESSAGE
        assert len(framer._received) < LONGEST_MESSAGE + 2
    framer.reset()
    assert not framer.pending
    assert framer.feed(_frame(b"good")) == [b"good"]


def test_impossible_length_is_passed_over() -> None:
    """A message behind a byte of noise is found at once."""
    framer = Framer()
    assert framer.feed(b"\x55" + _frame(b"good")) == [b"good"]
    assert framer.feed(b"\x15") == []
    assert not framer.pending


def test_partial_message_is_dropped_after_silence() -> None:
    """What is left of a broken reply does not swallow the next one."""
    framer = Framer()
    assert framer.feed(_frame(b"broken reply")[:7]) == []
    assert framer.pending
    framer.reset()
    assert framer.feed(_frame(b"good")) == [b"good"]


def test_a_flood_costs_little() -> None:
    """Of endless bytes, few messages are cut, and the rest is dropped."""
    for flood in (b"\x01\xdc" + bytes([7] * 476), b"\0\1x", b"\xff", b"\0\0", b"\1"):
        framer = Framer()
        for _ in range(4):
            messages = framer.feed(flood * (262144 // len(flood)))
            assert len(messages) <= 8
            assert len(framer._received) <= LONGEST_MESSAGE + 2
            assert framer.alerts <= 4 * 2048
        framer.reset()
        assert framer.feed(_frame(b"good")) == [b"good"]
