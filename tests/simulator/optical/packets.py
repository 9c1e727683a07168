"""Packets of ANSI C12.18 as they are on the line: bytes in, packets out, and back."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

START = 0xEE
ACK = b"\x06"
NAK = b"\x15"
HEAD = 6  # start, identity, control, sequence, length
OVERHEAD = HEAD + 2  # and the CRC
DEFAULT_SIZE = 64  # of a packet, unless negotiated
CHARACTER_GAP = 0.5  # seconds between two characters of a packet, at the most
QUIET = 0.02  # seconds without a character after which bad input has ended

_MULTI, _FIRST, _TOGGLE = 0x80, 0x40, 0x20
_RESERVED = 0x1F  # the data format in its lowest bits is 0: C12.18


def _shifted(register: int) -> int:
    """Return a register after the eight bits of a byte."""
    for _ in range(8):
        register = register >> 1 ^ (0x8408 if register & 1 else 0)
    return register


_CRC_OF_BYTE = tuple(map(_shifted, range(256)))


def crc16(data: bytes) -> int:
    """Return the CRC-16/X-25 of some bytes."""
    register = 0xFFFF
    for byte in data:
        register = register >> 8 ^ _CRC_OF_BYTE[(register ^ byte) & 0xFF]
    return register ^ 0xFFFF


def sealed(packet: bytes) -> bytes:
    """Return a packet with its CRC."""
    return packet + crc16(packet).to_bytes(2, "little")


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """One packet; ``following`` are the packets of its message still to come."""

    data: bytes
    toggle: bool = False
    multi: bool = False
    first: bool = False
    following: int = 0

    def encode(self) -> bytes:
        """Return its bytes on the line."""
        control = _MULTI * self.multi | _FIRST * self.first | _TOGGLE * self.toggle
        head = bytes((START, 0, control, self.following)) + len(self.data).to_bytes(2)
        return sealed(head + self.data)


def is_head(head: bytes | bytearray, most_data: int) -> bool:
    """Tell whether a packet may begin with these bytes, ``HEAD`` of them."""
    control, following = head[2], head[3]
    multi, first = bool(control & _MULTI), bool(control & _FIRST)
    return (
        head[:2] == bytes((START, 0))
        and not control & _RESERVED
        and (multi or not (first or following))
        and 1 <= int.from_bytes(head[4:HEAD]) <= most_data
    )


def _decoded(packet: bytes) -> Packet:
    control = packet[2]
    return Packet(
        data=packet[HEAD:-2],
        toggle=bool(control & _TOGGLE),
        multi=bool(control & _MULTI),
        first=bool(control & _FIRST),
        following=packet[3],
    )


def cut(message: bytes, size: int, toggle: bool) -> Iterator[Packet]:
    """Cut a message into packets of a size, the first one with a toggle bit."""
    room = size - OVERHEAD
    parts = [message[at : at + room] for at in range(0, len(message), room)]
    for index, part in enumerate(parts):
        yield Packet(
            data=part,
            toggle=toggle ^ bool(index % 2),
            multi=len(parts) > 1,
            first=len(parts) > 1 and index == 0,
            following=len(parts) - 1 - index,
        )


class Signal(Enum):
    """What can come beside a packet."""

    ACK = "the other side has the packet"
    NAK = "it wants the packet again"
    BROKEN = "what began as a packet is none"


type Received = Packet | Signal
"""What the bytes on the line mean."""


class Receiver:
    """Makes packets of bytes; all times are seconds of one clock.

    ``most_data`` are the bytes of data that a packet may hold. A packet that breaks off
    or has a wrong CRC costs everything up to the next silence; where one cannot even
    begin, the next start byte is looked for.
    """

    def __init__(self) -> None:
        """Start with silence."""
        self.most_data = DEFAULT_SIZE - OVERHEAD
        self._packet = bytearray()
        self._last = float("-inf")
        self._is_broken = False
        self._is_deaf = False

    def reset(self) -> None:
        """Forget what came so far."""
        self._packet.clear()
        self._is_broken = self._is_deaf = False

    @property
    def deadline(self) -> float | None:
        """When something happens if no byte comes until then; None for never."""
        if self._packet:
            return self._last + CHARACTER_GAP
        return self._last + QUIET if self._is_broken else None

    def wait(self, until: float) -> list[tuple[float, Received]]:
        """Let time pass without a byte."""
        if (deadline := self.deadline) is None or until < deadline:
            return []
        self.reset()
        return [(deadline, Signal.BROKEN)]

    def feed(
        self, data: bytes, start: float, byte_time: float
    ) -> list[tuple[float, Received]]:
        """Add bytes whose first one began at ``start``; return what came, and when."""
        found = self.wait(start)
        for index, byte in enumerate(data, 1):
            self._last = start + index * byte_time
            if (received := self._take(byte)) is not None:
                found.append((self._last, received))
        return found

    def _take(self, byte: int) -> Received | None:
        if self._is_deaf:
            return None
        if self._packet or byte == START:
            self._packet.append(byte)
            return self._whole()
        if self._is_broken:
            return None
        return _SIGNALS.get(byte)

    def _whole(self) -> Packet | None:
        """Return the packet once its last byte is there."""
        packet = self._packet
        while len(packet) >= HEAD and not is_head(packet[:HEAD], self.most_data):
            self._is_broken = True
            del packet[: _next_start(packet)]
        end = OVERHEAD + int.from_bytes(packet[4:HEAD])
        if len(packet) < HEAD or len(packet) < end:
            return None
        whole = bytes(packet)
        packet.clear()
        if sealed(whole[:-2]) != whole:
            self._is_broken = self._is_deaf = True
            return None
        self._is_broken = False
        return _decoded(whole)


def _next_start(packet: bytearray) -> int:
    """Return where a packet could begin instead; its length if nowhere."""
    found = packet.find(START, 1)
    return found if found > 0 else len(packet)


_SIGNALS = {ACK[0]: Signal.ACK, NAK[0]: Signal.NAK}
