"""A minimal client with the simulator's own digest, to test the simulator with."""

import asyncio
from dataclasses import dataclass

from .digest import digest
from .meter import DEFAULT_KEY, SimulatedMeter
from .packet import DIGEST_LENGTH, RequestCode


def covered_request(
    code: int,
    table: int,
    sequence: int,
    offset: int = 0,
    count: int | None = None,
    data: bytes = b"",
) -> bytes:
    """Return body and sequence number of a request."""
    body = bytes([code]) + table.to_bytes(2)
    if code in {RequestCode.PARTIAL_READ, RequestCode.PARTIAL_WRITE}:
        body += offset.to_bytes(3)
    if count is not None:
        body += count.to_bytes(2)
    return body + data + (sequence & 0xFFFFFFFF).to_bytes(4)


def signed(covered: bytes, key: bytes = DEFAULT_KEY) -> bytes:
    """Return a request message without its length field."""
    return covered + digest(key, covered)


def framed(message: bytes) -> bytes:
    """Return a message with its length field."""
    return len(message).to_bytes(2) + message


def verified(covered: bytes, frame: bytes, key: bytes = DEFAULT_KEY) -> bytes:
    """Return the body of a reply frame; ValueError when its digest is wrong."""
    length, body = int.from_bytes(frame[:2]), frame[2:-DIGEST_LENGTH]
    if length != len(frame) - 2 or digest(key, covered, body) != frame[-8:]:
        raise ValueError(f"not a good reply: {frame.hex()}")
    return body


@dataclass
class Probe:
    """Asks a meter directly, without a line; numbers count on from the meter's."""

    meter: SimulatedMeter
    key: bytes = DEFAULT_KEY

    def covered(
        self,
        table: int,
        offset: int = 0,
        count: int | None = None,
        *,
        code: int = RequestCode.PARTIAL_READ,
        data: bytes = b"",
    ) -> bytes:
        """Return the next request in order."""
        sequence = self.meter.sequence + 1
        return covered_request(code, table, sequence, offset, count, data)

    def frames(self, covered: bytes) -> list[bytes]:
        """Send a request and return the frames that come back."""
        return self.meter.exchange(signed(covered, self.key)).frames

    def ask(self, covered: bytes) -> bytes:
        """Send a request and return the body of the one good reply."""
        (frame,) = self.frames(covered)
        return verified(covered, frame, self.key)

    def read(self, table: int, offset: int = 0, count: int | None = None) -> bytes:
        """Read a part of a table; ValueError for a refusal."""
        if count is None:
            count = len(self.meter.table(table) or b"") - offset
        body = self.ask(self.covered(table, offset, count))
        if body[0]:
            raise ValueError(f"refused: {body.hex()}")
        return body[3:]

    def read_full(self, table: int, length: int | None = 512) -> bytes:
        """Read a table with a full read and return the reply's body."""
        return self.ask(self.covered(table, count=length, code=RequestCode.FULL_READ))


async def read_frame(reader: asyncio.StreamReader) -> bytes:
    """Return the next frame (length field included) that is no alert."""
    while not (length := await reader.readexactly(2)).strip(b"\0"):
        pass
    return length + await reader.readexactly(int.from_bytes(length))
