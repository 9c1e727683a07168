"""When which byte is on the wire (guide, page 21). Pure functions, all in seconds."""

from collections.abc import Iterator
from dataclasses import dataclass

BITS_PER_BYTE = 10  # start bit, 8 data bits, stop bit
SEGMENT = 117  # bytes of a reply between two pauses
PAUSE = 0.025
REQUEST_INTERVAL = 0.1  # from one served request to the next, at the earliest
CHUNK_TIME = 0.01  # bytes that fall due within this time are written at once


@dataclass(frozen=True, slots=True)
class Pace:
    """The speed of a line; ``baud`` 0 stands for a line without any delay."""

    baud: int = 9600

    @property
    def byte_time(self) -> float:
        """Seconds that one byte takes."""
        return BITS_PER_BYTE / self.baud if self.baud else 0.0

    @property
    def request_interval(self) -> float:
        """Seconds between two served requests, at the least."""
        return REQUEST_INTERVAL if self.baud else 0.0

    def due(self, index: int) -> float:
        """Return when byte ``index`` of a reply has arrived, from the reply's start."""
        if not self.baud:
            return 0.0
        return (index + 1) * self.byte_time + index // SEGMENT * PAUSE

    def reply_time(self, length: int) -> float:
        """Return how long a reply of that many bytes (length field too) takes."""
        return self.due(length - 1) if length else 0.0

    def chunks(self, length: int) -> Iterator[tuple[float, int, int]]:
        """Yield (time, first, end): bytes first..end-1 have arrived at that time."""
        if not self.baud:
            if length:
                yield 0.0, 0, length
            return
        size = max(1, int(CHUNK_TIME / self.byte_time))
        first = 0
        while first < length:
            segment_end = (first // SEGMENT + 1) * SEGMENT
            end = min(first + size, segment_end, length)
            yield self.due(end - 1), first, end
            first = end

    def exchange_time(self, request_length: int, reply_length: int) -> float:
        """Return the least time of one exchange, both lengths with length field."""
        return request_length * self.byte_time + self.reply_time(reply_length)


def poll_time(exchanges: list[tuple[int, int]], pace: Pace) -> float:
    """Return the least time of several exchanges one after the other.

    ``exchanges`` are (request bytes, reply bytes) as they are on the wire, length
    fields and digests included. The client is taken to send the next request in the
    moment in which the last byte of a reply has arrived.
    """
    clock = 0.0
    earliest = 0.0
    for request_length, reply_length in exchanges:
        served = max(clock + request_length * pace.byte_time, earliest)
        earliest = served + pace.request_interval
        clock = served + pace.reply_time(reply_length)
    return clock
