"""Exchanging one message at a time with a meter at a port."""

from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
import logging

from ..errors import MeterError, NoReplyError, UnverifiedReplyError
from ..host_clock import HOST_CLOCK, HostClock
from ..port import DEFAULT_BAUDRATE, Port
from ..statistics import LinkStatistics
from .framing import LONGEST_MESSAGE, Framer
from .security import Envelope, Exchange

_LOGGER = logging.getLogger(__name__)

_COPIES = 3
_FIRST_COPIES = 5
"""Copies of a request that is not answered; more while the port may warm up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Limits:
    """Time limits of a reply, in seconds.

    reply is the longest time from the last byte sent to the first byte of the
    reply (guide, "MEP protocol timing": 0.5), gap the silence that ends a message
    (the meter itself pauses 0.025 in long replies).
    """

    reply: float
    gap: float


_LOCAL = _Limits(reply=0.5, gap=0.25)
_NETWORK = _Limits(reply=1.0, gap=1.0)
"""A network transport may delay bytes in both directions."""


class MessagePort:
    """Sends requests over a port and verifies the replies, one at a time."""

    def __init__(
        self,
        url: str,
        *,
        statistics: LinkStatistics,
        clock: HostClock = HOST_CLOCK,
        baudrate: int = DEFAULT_BAUDRATE,
    ) -> None:
        """Initialize with a device path or a serialx URL; nothing is opened yet."""
        self.is_answering = False
        self._port = Port(
            url, self._receive, statistics=statistics, clock=clock, baudrate=baudrate
        )
        self._limits = _NETWORK if self._port.is_network else _LOCAL
        self._statistics = statistics
        self._clock = clock
        self._framer = Framer()
        self._messages: deque[bytes] = deque()
        self._received_at = 0.0

    async def open(self) -> None:
        """Open the port if it is not open, or raise PortError."""
        if await self._port.open():
            self.is_answering = False

    async def reopen(self) -> None:
        """Reopen the port and restart the meter's side, or raise PortError."""
        self.is_answering = False
        await self._port.reopen()

    async def close(self, farewell: Envelope | None = None) -> None:
        """Close the port for good; an exchange in progress fails.

        A farewell is sent once before, whether or not the meter answers it.
        """
        self._port.give_up()
        if farewell is not None:
            async with self._port.turn:
                with suppress(MeterError), self._port.last_exchange():
                    await self._exchange(farewell)
        await self._port.close()
        self.is_answering = False

    @property
    def copies(self) -> int:
        """How many copies of a request are sent before silence counts as an error."""
        return _COPIES if self.is_answering else _FIRST_COPIES

    async def converse[T](self, talk: Callable[[Exchange], Awaitable[T]]) -> T:
        """Call talk in its turn, with the port to itself, and return its result.

        The exchange that it is given sends a request and returns the packet of the
        genuine reply; a request that is not answered is sent again if it is
        repeatable. It raises NoReplyError after silence, UnverifiedReplyError when
        something arrived that does not answer the request, TlsError when the answer
        ends the session, and PortError when the port is lost or not open.
        """
        async with self._port.turn:
            return await talk(self._exchange)

    async def _exchange(self, envelope: Envelope) -> bytes:
        """Send a request and return the packet of the genuine reply to it."""
        if not self._port.is_usable:
            raise self._port.lost()
        self._framer.reset()
        self._messages.clear()
        frame = len(envelope.message).to_bytes(2) + envelope.message
        for copy in range(self.copies if envelope.repeatable else 1):
            self._statistics.requests += 1
            self._statistics.resent += copy > 0
            sent_at = self._port.write(frame)
            packet = await self._reply(envelope, sent_at)
            if packet is not None:
                self.is_answering = True
                self._statistics.replies += 1
                # Over a network, the last byte may leave sooner than at the meter.
                took = max(0.0, self._received_at - sent_at)
                self._statistics.last_reply_time = round(took * 1000, 1)
                return packet
            self._statistics.timeouts += 1
        raise NoReplyError(
            f"The meter at {self._port.name} does not answer: check the wiring and the "
            "ENABLE pin; while the optical port is read, it is silent too"
        )

    def _receive(self, data: bytes) -> None:
        """Process received bytes."""
        self._received_at = self._clock.time()
        alerts = self._framer.alerts
        self._messages.extend(self._framer.feed(data))
        self._statistics.alerts += self._framer.alerts - alerts
        if self._messages:
            self._port.news.set()

    async def _reply(self, envelope: Envelope, sent_at: float) -> bytes | None:
        """Return the packet of the genuine reply, or None after silence."""
        start_by = sent_at + self._limits.reply
        end_by = start_by + self._port.duration(LONGEST_MESSAGE) + 4 * self._limits.gap
        failure: UnverifiedReplyError | None = None
        while True:
            while self._messages:
                message = self._messages.popleft()
                if _LOGGER.isEnabledFor(logging.DEBUG):
                    _LOGGER.debug("Received %s", message.hex())
                try:
                    return envelope.open(message)
                except UnverifiedReplyError as err:
                    # The reply to an earlier request, or a damaged one. The wait
                    # goes on: the right one may follow.
                    self._statistics.digest_failures += 1
                    failure = failure or err
            if not self._port.is_usable:
                raise self._port.lost()
            limit = start_by
            if self._framer.pending:
                limit = min(max(limit, self._received_at + self._limits.gap), end_by)
            if (left := limit - self._clock.time()) <= 0:
                if self._framer.pending:
                    self._framer.reset()
                    failure = failure or UnverifiedReplyError("A reply breaks off")
                if failure:
                    raise failure
                return None
            self._port.news.clear()
            try:
                async with self._clock.timeout(left):
                    await self._port.news.wait()
            except TimeoutError:
                continue
