"""What every link to a meter offers, whichever port of the meter it uses."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable

from .errors import DecodeError, MeterError, RefusalError
from .host_clock import HostClock
from .key import KeyKind
from .requests import ANY_LENGTH, FullRead, PartialRead, ReadRequest, ResponseCode
from .statistics import LinkStatistics
from .tables.names import table_name
from .trace import Trace

_TABLE_LIMIT = 1 << 24
"""Where every table ends, since the offset in a request has three bytes."""

_PARTIAL_READ_REFUSED = frozenset(
    {
        ResponseCode.UNRECOGNIZED,
        ResponseCode.UNSUPPORTED,
        ResponseCode.AUTHENTICATION_FAILURE,
    }
)


class Link(ABC):
    """Reads bytes of a meter's tables, and recovers from what goes wrong on the way.

    statistics counts what happens, trace records the last exchanges, and clock is used
    for all waits.
    """

    pads_tables = False
    """Whether a read beyond the end of a table returns zeros, which look like values:
    then the end has to be known."""
    watches_sessions = False
    """Whether each new session may find another layout of the tables, and nothing else
    says so."""

    def __init__(
        self, *, statistics: LinkStatistics, trace: Trace, clock: HostClock
    ) -> None:
        """Initialize what all links have; nothing is sent yet."""
        self.statistics = statistics
        self.trace = trace
        self.clock = clock

    @property
    @abstractmethod
    def reply_capacity(self) -> int:
        """Bytes of table data that fit one reply."""

    @property
    @abstractmethod
    def is_answering(self) -> bool:
        """Whether the meter has answered since the port was opened."""

    @property
    def has_heard(self) -> bool:
        """Whether anything was received that may be a reply, genuine or not."""
        return self.statistics.bytes_received > 0

    @property
    @abstractmethod
    def sessions(self) -> int:
        """How many sessions have begun; a new one may be with another meter."""

    @property
    @abstractmethod
    def restarts(self) -> int | None:
        """How often the meter restarted on its own, which may mean new dimensions.

        None if the link cannot tell.
        """

    @property
    def asked(self) -> int:
        """How many reads the meter was asked for, as those count who space them."""
        return self.statistics.requests

    @property
    def silences_mep(self) -> bool:
        """Whether the meter's MEP is dead while there is a session of this link."""
        return False

    @abstractmethod
    async def request(self, request: ReadRequest) -> bytes:
        """Return the table data that the meter answers to a request.

        Raises RefusalError if the meter refuses it, and every other child of MeterError
        if no verified reply was obtained.
        """

    async def _recorded(self, request: ReadRequest, answer: Awaitable[bytes]) -> bytes:
        """Return the table data that answers a request; record it, or the error."""
        try:
            data = await answer
        except MeterError as err:
            self.statistics.last_error = str(err)
            if isinstance(err, RefusalError):
                self.trace.refuse(request.table, err.code)
            raise
        if isinstance(request, PartialRead):
            self.trace.keep(
                request.table, request.offset, request.count, data, self.clock.now()
            )
        else:
            self.trace.keep(request.table, 0, request.length, data, self.clock.now())
        return data

    async def read(
        self, table: int, offset: int, count: int, *, table_length: int | None = None
    ) -> bytes:
        """Return count bytes of a table, fewer if the table ends before.

        What does not fit one reply is read in several. With table_length, the
        length of the whole table, a meter that refuses partial reads is asked for
        the full table, if that fits a reply. Raises MeterError, and DecodeError for a
        place that no table has, as impossible dimensions may name it.
        """
        if offset + count > _TABLE_LIMIT:
            raise DecodeError(
                table_name(table), offset, count, "no table is as long as that"
            )
        capacity = self.reply_capacity
        parts: list[bytes] = []
        place, end = offset, offset + count
        while place < end:
            asked, size = self.protected_span(place, min(capacity, end - place))
            try:
                data = await self.request(PartialRead(table, asked, size))
            except RefusalError as err:
                if (
                    err.code not in _PARTIAL_READ_REFUSED
                    or table_length is None
                    or table_length > capacity
                ):
                    raise
                whole = await self.request(FullRead(table, table_length))
                return whole[offset:end]
            parts.append(data[place - asked :])
            place = asked + size
            if len(data) < size:
                break
        return b"".join(parts)

    async def read_within(self, table: int, offset: int, count: int) -> bytes:
        """Return bytes of a table whose length is not known, fewer if it ends before.

        Raises MeterError, and RefusalError where tables are padded and this one fits no
        reply as a whole, but might end before.
        """
        if not self.pads_tables:
            return await self.read(table, offset, count)
        try:
            whole = await self.request(FullRead(table, ANY_LENGTH))
        except RefusalError as err:
            fits = offset + count <= self.reply_capacity
            if err.code != ResponseCode.NOT_POSSIBLE or not fits:
                raise
            return await self.read(table, offset, count)
        return whole[offset : offset + count]

    def protected_span(self, offset: int, count: int) -> tuple[int, int]:
        """Return offset and count to ask for, so that damage to any byte is found."""
        return offset, count

    async def read_to_end(self, table: int, offset: int) -> bytes:
        """Return the bytes of a table of unknown length from an offset on.

        A read beyond the end is refused by some meters and cut by others, so the end is
        approached in ever smaller steps. Raises MeterError, and RefusalError if not
        even one byte can be read. Where tables are padded, the whole table is read, and
        refused if it fits no reply.
        """
        if self.pads_tables:
            return (await self.request(FullRead(table, ANY_LENGTH)))[offset:]
        data = bytearray()
        size = self.reply_capacity
        while size:
            try:
                part = await self.request(PartialRead(table, offset + len(data), size))
            except RefusalError:
                if size == 1 and not data:
                    raise
                size //= 2
                continue
            data += part
            if len(part) < size:
                break
        return bytes(data)

    async def probe_tls(self, key: bytes) -> KeyKind | None:
        """Return as which kind of key the meter accepts a key in TLS, None for no TLS.

        The security mode of the link does not change.
        """
        return None

    @abstractmethod
    def forget_session(self) -> None:
        """Start a new session with the next request."""

    @abstractmethod
    async def close(self) -> None:
        """End the session, if there is one, and close the port for good."""
