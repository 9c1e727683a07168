"""From a stream of bytes to MEP messages (guide, "MEP protocol").

A message is its length (2 bytes, big-endian) and that many bytes. A length of
zero is the alert sequence. There is no start mark and no checksum: a message that
lost its beginning is found again by its impossible length or by the silence after
it, and whether a message is what it seems is for the digest to say.
"""

LONGEST_MESSAGE = 512
"""More than any meter sends (476); a larger length is not the start of a message."""

_HIGHEST_START = LONGEST_MESSAGE >> 8
"""The highest first byte of a possible length; no message begins with another."""

_MOST_BYTES = 4096
"""More than a meter sends at once: of a longer chunk, the rest is dropped."""


class Framer:
    """Cuts received bytes, in chunks of any size, into messages."""

    def __init__(self) -> None:
        """Start between two messages."""
        self.alerts = 0
        self._received = bytearray()

    @property
    def pending(self) -> bool:
        """Whether a message has begun and is not complete."""
        return bool(self._received)

    def feed(self, data: bytes, most: int = 8) -> list[bytes]:
        """Add received bytes and return the messages that they complete.

        No more than so many: what comes after them, and what is more than a meter
        sends at once, is dropped, so that neither work nor memory grows with a flood.
        """
        received = self._received
        received += data[:_MOST_BYTES]
        messages: list[bytes] = []
        start = 0
        while len(received) > start and len(messages) < most:
            if received[start] > _HIGHEST_START:
                start += 1
                continue
            if len(received) - start < 2:
                break
            length = received[start] << 8 | received[start + 1]
            if length > LONGEST_MESSAGE:
                start += 1
            elif length == 0:
                self.alerts += 1
                start += 2
            elif len(received) - start - 2 >= length:
                messages.append(bytes(received[start + 2 : start + 2 + length]))
                start += 2 + length
            else:
                break
        if len(messages) >= most or len(data) > _MOST_BYTES:
            received.clear()
        else:
            del received[:start]
        return messages

    def reset(self) -> None:
        """Drop the partial message: the line was silent inside it, or it is old."""
        self._received.clear()
