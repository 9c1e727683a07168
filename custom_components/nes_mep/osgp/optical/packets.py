"""Packets of the optical port, from and to bytes; their acknowledgements.

A packet is EE, identity, control, sequence, length (2), data, CRC (2, low byte first).
ACK and NAK are single bytes between packets.
"""

from binascii import crc_hqx
from dataclasses import dataclass
from enum import Enum
from typing import Final, override

_START: Final = 0xEE
_HEADER_LENGTH: Final = 6
_CRC_LENGTH: Final = 2
OVERHEAD: Final = _HEADER_LENGTH + _CRC_LENGTH
"""Bytes of a packet that are not data."""

_SEVERAL = 0x80
_FIRST = 0x40
_TOGGLE = 0x20
_NEVER_SET = 0x1F
"""Bits of the control byte; the last are reserved, or name other formats of data."""

_MIRRORED: Final = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
"""Each byte with its bits in reverse order."""


class Signal(Enum):
    """What stands between packets."""

    ACK = b"\x06"
    NAK = b"\x15"


_SIGNALS: Final = {signal.value[0]: signal for signal in Signal}


def crc(data: bytes | bytearray) -> bytes:
    """Return the CRC-16/X-25 of bytes, as it stands on the line."""
    # The standard library has the same CRC with all bits in reverse order.
    mirrored = crc_hqx(data.translate(_MIRRORED), 0xFFFF) ^ 0xFFFF
    return mirrored.to_bytes(2).translate(_MIRRORED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """A packet: a whole message, or one of the parts of a message.

    toggle alternates from one new packet to the next. sequence is how many packets of
    the message follow, and is_part and is_first say whether it is one of several, and
    the first of them. data has 1 to 65535 bytes. Its repr does not show them, because
    one of them is the key.
    """

    data: bytes
    toggle: bool = False
    is_part: bool = False
    is_first: bool = False
    sequence: int = 0

    def to_bytes(self) -> bytes:
        """Return the packet as it goes over the line."""
        control = (
            _SEVERAL * self.is_part | _FIRST * self.is_first | _TOGGLE * self.toggle
        )
        body = bytes([_START, 0, control, self.sequence])
        body += len(self.data).to_bytes(2) + self.data
        return body + crc(body)

    @override
    def __repr__(self) -> str:
        """Return a text without the data."""
        return (
            f"<Packet of {len(self.data)} bytes, toggle {self.toggle:d}, "
            f"sequence {self.sequence}>"
        )


type Received = Packet | Signal


class PacketReader:
    """Cuts the bytes that arrive, in any chunks, into packets and signals.

    A packet that is damaged is dropped, and a right one that follows it is found. What
    stands between a damaged packet and the next right one, or silence, is no signal.
    No more than one packet is kept.
    """

    def __init__(self) -> None:
        """Start with nothing received."""
        self.longest = 0
        """The longest packet that may arrive, in bytes of data."""
        self._received = bytearray()
        self._is_damaged = False

    @property
    def pending(self) -> bool:
        """Whether a packet has begun that is not whole, or was damaged."""
        return bool(self._received) or self._is_damaged

    def reset(self) -> None:
        """Drop what is pending, after silence."""
        self._received.clear()
        self._is_damaged = False

    def feed(self, data: bytes) -> list[Received]:
        """Add received bytes and return what they complete."""
        found: list[Received] = []
        self._received += data
        while self._received and (taken := self._take(found)):
            del self._received[:taken]
        return found

    def _take(self, found: list[Received]) -> int:
        """Parse what is at the front; return how many bytes, 0 to wait for more."""
        received = self._received
        if received[0] != _START:
            end = received.find(_START)
            between = received if end < 0 else received[:end]
            if not self._is_damaged:
                found += [_SIGNALS[byte] for byte in between if byte in _SIGNALS]
            return len(between)
        if not self._is_possible():
            self._is_damaged = True
            return 1
        if len(received) < _HEADER_LENGTH:
            return 0
        end = _HEADER_LENGTH + int.from_bytes(received[4:6])
        if len(received) < end + _CRC_LENGTH:
            return 0
        if crc(received[:end]) != received[end : end + _CRC_LENGTH]:
            self._is_damaged = True
            return 1
        self._is_damaged = False
        control = received[2]
        found.append(
            Packet(
                data=bytes(received[_HEADER_LENGTH:end]),
                toggle=bool(control & _TOGGLE),
                is_part=bool(control & _SEVERAL),
                is_first=bool(control & _FIRST),
                sequence=received[3],
            )
        )
        return end + _CRC_LENGTH

    def _is_possible(self) -> bool:
        """Return whether what has arrived can be the beginning of a packet."""
        header = self._received[:_HEADER_LENGTH]
        if any(header[1:2]) or any(byte & _NEVER_SET for byte in header[2:3]):
            return False
        if len(header) < _HEADER_LENGTH:
            return True
        return 0 < int.from_bytes(header[4:6]) <= self.longest


class Parts:
    """The packets of one message, as they arrive."""

    def __init__(self) -> None:
        """Start with none."""
        self._data = bytearray()
        self._due: int | None = None
        self._has_gap = False

    @property
    def pending(self) -> bool:
        """Whether a message has begun that is not whole."""
        return self._due is not None

    def clear(self) -> None:
        """Forget the packets of a message that is not whole."""
        self._data.clear()
        self._due = None
        self._has_gap = False

    def add(self, packet: Packet) -> bytes | None:
        """Add a packet; return the message after its last one.

        It is empty if a packet was lost on the way.
        """
        if packet.is_first or not packet.is_part:
            self.clear()
            self._has_gap = packet.sequence > 0 and not packet.is_part
        else:
            self._has_gap |= packet.sequence != self._due
        self._data += packet.data
        self._due = packet.sequence - 1
        if packet.is_part and packet.sequence:
            return None
        message = b"" if self._has_gap else bytes(self._data)
        self.clear()
        return message
