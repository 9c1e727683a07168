"""Every way to spoil a message in one place."""

from collections.abc import Iterator


def alterations(message: bytes) -> Iterator[bytes]:
    """Yield a message with one byte changed, left out, added or repeated, or cut off.

    Every bit of every byte is flipped, and every byte is set to 00 and FF. What
    happens to be the message itself is left out.
    """
    for position, byte in enumerate(message):
        before, after = message[:position], message[position + 1 :]
        values = {byte ^ 1 << bit for bit in range(8)} | {0, 0xFF}
        for value in sorted(values - {byte}):
            yield before + bytes([value]) + after
        yield before  # cut off
        for inserted in {b"\0", b"\xff", bytes([byte])}:
            yield before + inserted + message[position:]
        if before + after != message:
            yield before + after
        # What is behind the byte is repeated as well: a record, a whole flight.
        yield message + message[position:]
    yield message + b"\0"
