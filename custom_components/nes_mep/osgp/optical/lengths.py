"""Reads whose replies differ in length, as nothing else says which read a reply answers."""

from ..requests import PartialRead, ReadRequest

_MOST_MORE = 2
"""Bytes that are read in addition: there are two lengths to avoid."""


class ReplyLengths:
    """Makes the reply to a read longer or shorter than the last ones before it.

    Those are the last reply, and the last one of another table than that.
    """

    def __init__(self) -> None:
        """Start with no reply known."""
        self._table = -1
        self._length = 0
        self._length_of_other = 0
        self._ends: dict[int, int] = {}
        """How far each table goes on, as those who read it know."""

    def distinct(self, request: PartialRead, capacity: int) -> PartialRead:
        """Return a read of the same bytes whose reply cannot be one of the last ones.

        It has a byte or two more, from before or behind those bytes, but never from
        beyond the end of the table. capacity is what fits one reply. Where there are
        no such bytes, it is the same read.
        """
        taken = {self._length, self._length_of_other}
        end = request.offset + request.count
        behind = max(self._ends.get(request.table, 0) - end, 0)
        for more in range(min(_MOST_MORE, capacity - request.count) + 1):
            before = min(more, request.offset)
            if more - before <= behind and request.count + more not in taken:
                return PartialRead(
                    request.table, request.offset - before, request.count + more
                )
        return request

    def note(self, request: ReadRequest, length: int) -> None:
        """Record the length of the data that answered a read."""
        if request.table != self._table:
            self._length_of_other = self._length
        self._table, self._length = request.table, length
        begin = request.offset if isinstance(request, PartialRead) else 0
        end = max(self._ends.get(request.table, 0), begin + length)
        self._ends[request.table] = end
