"""Bytes from the client to request messages, with the meter's time limit."""

from dataclasses import dataclass, field

from .packet import MAX_MESSAGE

BYTE_GAP = 0.05  # seconds of silence after which the meter forgets a partial request


@dataclass(frozen=True, slots=True)
class RequestBytes:
    """A request message without its length field, and when its last byte came."""

    message: bytes
    complete: float


@dataclass(slots=True)
class Assembler:
    """Collects one client's bytes; a message longer than allowed is thrown away."""

    dropped: int = 0  # messages forgotten because of a gap or of their length
    _buffer: bytearray = field(default_factory=bytearray)
    _last: float = 0.0
    _deaf: bool = False

    def feed(self, data: bytes, start: float, byte_time: float) -> list[RequestBytes]:
        """Add bytes whose first one began at ``start`` and return whole messages.

        ``byte_time`` is the time of one byte in seconds, 0 when time is no matter.
        """
        if start - self._last > BYTE_GAP:
            self.dropped += bool(self._buffer)
            self._buffer.clear()
            self._deaf = False
        self._last = start + len(data) * byte_time
        if self._deaf:
            return []
        before = len(self._buffer)
        self._buffer += data
        messages: list[RequestBytes] = []
        position = 0
        while len(self._buffer) - position >= 2:
            length = int.from_bytes(self._buffer[position : position + 2])
            if length > MAX_MESSAGE:
                self.dropped += 1
                self._deaf = True
                self._buffer.clear()
                return messages
            end = position + 2 + length
            if end > len(self._buffer):
                break
            if length:
                message = bytes(self._buffer[position + 2 : end])
                complete = start + (end - before) * byte_time
                messages.append(RequestBytes(message, complete))
            position = end
        del self._buffer[:position]
        return messages
