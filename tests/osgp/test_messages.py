"""The message of the grid company: by hand, with any bytes, and of each meter."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, strategies as st
import pytest

from osgp import DecodeError, Meter, parse_table
from osgp.tables.messages import (
    DisplayMessage,
    decode_display_texts,
    decode_message,
    display_texts_length,
    message_length,
)
from tests.driven_clock import DrivenClock
from tests.simulator import PROFILES, Message, SimulatedMeter

_GEN3, _GEN4 = (3, 70, 24), (4, 30, 7)
_START = datetime(2026, 11, 1, 6, tzinfo=UTC)
_END = datetime(2026, 11, 30, 22, 30, 15, tzinfo=UTC)

# ET55 from 52 on: id, decimal points, text, LTIME_DATE twice, flags.
_OLD_BYTES = "31363720 04 5350415220313768 1A0B01060000 1A0B1E161E0F 00"
_NEW_BYTES = "3136372020 08 5350415220313768 1A0B01060000 1A0B1E161E0F 00"


def _decode(text: str, firmware: tuple[int, int, int] = _GEN3) -> DisplayMessage | None:
    return decode_message(bytes.fromhex(text), firmware)


def test_by_hand() -> None:
    """Four characters and their points before the text, five on generation 4."""
    expected = DisplayMessage("16.7", "SPAR 17h", _START, _END, is_dismissed=False)
    # Bit 2 of four, and bit 3 of five, is the point after the second character.
    assert _decode(_OLD_BYTES) == expected
    assert _decode(_NEW_BYTES, _GEN4) == expected
    assert (message_length(_GEN3), message_length(_GEN4)) == (26, 27)


def test_shown() -> None:
    """From its start to its end, unless it was dismissed or cancelled."""
    message = _decode(_OLD_BYTES)
    assert message is not None
    second = timedelta(seconds=1)
    assert message.is_shown(_START)
    assert message.is_shown(_END - second)
    assert not message.is_shown(_START - second)
    assert not message.is_shown(_END)
    # Bit 1 of the flags; bits 0 and 2 are about the push button and the display.
    dismissed, kept = _decode(_OLD_BYTES[:-2] + "02"), _decode(_OLD_BYTES[:-2] + "05")
    assert dismissed is not None
    assert kept is not None
    assert not dismissed.is_shown(_START)
    assert kept.is_shown(_START)
    cancelled = _decode(_OLD_BYTES.replace("1A0B1E161E0F", "190B1E161E0F"))
    assert cancelled is not None
    assert not cancelled.is_shown(_START)


@pytest.mark.parametrize(
    "text",
    [
        "00" * 26,
        "FF" * 26,
        # Nothing but blanks in the text.
        "31363720 04 2020202020202020 1A0B01060000 1A0B1E161E0F 00",
        # 31 November.
        "31363720 04 5350415220313768 1A0B01060000 1A0B1F161E0F 00",
    ],
)
def test_none(text: str) -> None:
    """Where text or dates are not there, there never was a message."""
    assert _decode(text) is None


@given(st.binary(max_size=30), st.sampled_from([_GEN3, _GEN4]))
def test_any_bytes(data: bytes, firmware: tuple[int, int, int]) -> None:
    """Any bytes are a message, none, or too few."""
    try:
        message = decode_message(data, firmware)
    except DecodeError:
        assert len(data) < message_length(firmware)
        return
    if message is not None:
        assert message.text
        assert message.id.isprintable()
        assert message.is_shown(message.start) or (
            message.is_dismissed or message.end <= message.start
        )


def test_display_texts_by_hand() -> None:
    """Eight characters each; the guide has three, and more than eight make no sense."""
    data = b" 123 kWh" + bytes(8) + b"A\0BCDEFG"
    assert display_texts_length(b"\3") == len(data)
    assert decode_display_texts(data) == ("123 kWh", "", "A")
    with pytest.raises(DecodeError):
        display_texts_length(b"\x09")
    with pytest.raises(DecodeError):
        decode_display_texts(data[:20])


@pytest.mark.parametrize("profile", PROFILES)
async def test_display_texts(meter: Meter, simulated: SimulatedMeter) -> None:
    """Only later firmware has them, and only it is asked."""
    since = len(simulated.requests)
    values = await meter.read_slow_table("display_texts")
    if not simulated.profile.since(4, 2):
        assert values is None
        assert len(simulated.requests) == since
        return
    assert values == {
        f"display_text_{number}": text.strip() or None
        for number, text in enumerate(simulated.profile.display_texts, 1)
    }


@pytest.mark.parametrize("profile", PROFILES)
async def test_every_meter(
    meter: Meter, simulated: SimulatedMeter, host_clock: DrivenClock
) -> None:
    """A message comes and goes; before the first one, the meter says nothing of it."""
    host_clock.began = datetime(2026, 10, 31, tzinfo=UTC)
    simulated.message = None
    assert await meter.read_slow_table("message") == {}
    simulated.message = Message(text="SPAR 17h", start=_START, end=_END, code="A1")
    assert await meter.read_slow_table("message") == {"message": None}
    host_clock.move(2 * 86400)
    assert await meter.read_slow_table("message") == {
        "message": "SPAR 17h",
        "message.from": _START,
        "message.until": _END,
        "message.id": "A1",
    }
    host_clock.move(30 * 86400)
    assert await meter.read_slow_table("message") == {"message": None}
    # What else is in the table stays where it was.
    data = await meter.read_table(parse_table("ET55"))
    simulated.message = None
    other = await meter.read_table(parse_table("ET55"))
    assert (data[:52], data[79:]) == (other[:52], other[79:])
