"""A table of which only parts were read."""

from collections.abc import Iterator

from ..tables.layout import Span


class PartialTable:
    """The bytes of a table, with gaps for what is unknown."""

    def __init__(self) -> None:
        """Start with nothing known."""
        self._data = bytearray()
        self._known = bytearray()

    def write(self, offset: int, data: bytes) -> None:
        """Write bytes at an offset."""
        missing = offset + len(data) - len(self._data)
        self._data.extend(bytes(max(0, missing)))
        self._known.extend(bytes(max(0, missing)))
        self._data[offset : offset + len(data)] = data
        self._known[offset : offset + len(data)] = b"\1" * len(data)

    def forget(self, span: Span) -> None:
        """Mark a span as unknown."""
        known = self._known[span.offset : span.end]
        self._known[span.offset : span.end] = bytes(len(known))

    def read(self, offset: int, length: int) -> bytes | None:
        """Return bytes, None if not all of them are known."""
        end = offset + length
        if end > len(self._known) or 0 in self._known[offset:end]:
            return None
        return bytes(self._data[offset:end])

    def known(self, offset: int = 0, end: int | None = None) -> Iterator[Span]:
        """Yield where bytes are known, between two offsets."""
        end = len(self._known) if end is None else min(end, len(self._known))
        while (start := self._known.find(1, offset, end)) >= 0:
            gap = self._known.find(0, start, end)
            offset = end if gap < 0 else gap
            yield Span(start, offset - start)

    def parts(self) -> Iterator[tuple[int, bytes]]:
        """Yield the offset and the bytes of each part that is known."""
        for span in self.known():
            yield span.offset, bytes(self._data[span.offset : span.end])

    def __len__(self) -> int:
        """Return where the last known byte ends."""
        return max((span.end for span in self.known()), default=0)

    def copy(self) -> "PartialTable":
        """Return an independent copy with the same bytes."""
        other = PartialTable()
        other._data[:] = self._data
        other._known[:] = self._known
        return other
