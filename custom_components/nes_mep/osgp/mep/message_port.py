"""Exchanging one message at a time with a meter at a port."""

from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
import logging

from ..errors import MeterError, NoReplyError, UnverifiedReplyError
from ..host_clock import HOST_CLOCK, HostClock
from ..port import DEFAULT_BAUDRATE, Port
from ..statistics import LinkStatistics
from .framing import LONGEST_MESSAGE, Framer
from .security import Envelope, Exchange

_LOGGER = logging.getLogger(__name__)

_LOCAL_REPLY = 0.5
"""The longest time from the last byte sent to the first byte of the reply, in seconds
(guide, "MEP protocol timing")."""
_NETWORK_REPLY = 1.0
"""The same where a network transport may hold bytes back, there and back."""
_LOCAL_GAP = 0.25
_NETWORK_GAP = 1.0
"""The silence that ends a message (the meter itself pauses 0.025 in long replies)."""

_PATIENCE = 4.5
"""The longest that a reply is waited for in all, in seconds."""
_HEADROOM = 1.25
"""How much longer to wait than replies have lately taken."""
_REPLIES_REMEMBERED = 16

_COPIES = 3
_FIRST_COPIES = 4
"""Copies of a request that is not answered; more while the port may warm up."""
SESSION_ATTEMPTS = 3
"""How often a session is tried until there is believed to be none."""

_REQUESTS_REMEMBERED = 8
"""Requests whose late replies are known for what they are."""
_NO_REPLY = b"\0\x06\x15"
"""What is no reply: alerts, and the signals of an optical port, to which a request may
look like damaged packets."""

_MESSAGES_HELD = 8
"""Received messages that may wait to be opened; a meter never sends this many."""


@dataclass(frozen=True, slots=True)
class _Sent:
    """A request that was sent, the first time at a time by the clock."""

    envelope: Envelope
    at: float


class MessagePort:
    """Sends requests over a port and verifies the replies, one at a time.

    The wait for a reply adapts to how late replies have been. A late reply to an
    earlier request is known by its digest, and neither shortens the wait for the
    present one nor spoils it. What arrives while nobody waits is dropped. has_heard says
    whether anything came that may be from an MEP.
    """

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
        self.has_heard = False
        self._port = Port(
            url, self._receive, statistics=statistics, clock=clock, baudrate=baudrate
        )
        is_network = self._port.is_network
        self._usual_wait = _NETWORK_REPLY if is_network else _LOCAL_REPLY
        self._gap = _NETWORK_GAP if is_network else _LOCAL_GAP
        self._statistics = statistics
        self._clock = clock
        self._framer = Framer()
        self._is_listening = False
        self._messages: deque[bytes] = deque(maxlen=_MESSAGES_HELD)
        self._received_at = 0.0
        self._earlier: deque[_Sent] = deque(maxlen=_REQUESTS_REMEMBERED)
        self._unanswered: _Sent | None = None
        self._delays: deque[float] = deque(maxlen=_REPLIES_REMEMBERED)
        self._suspected_delay = 0.0

    async def open(self) -> None:
        """Open the port if it is not open, or raise PortError."""
        if await self._port.open():
            self._start_anew()

    async def reopen(self) -> None:
        """Reopen the port and restart the meter's side, or raise PortError."""
        self._start_anew()
        await self._port.reopen()

    def _start_anew(self) -> None:
        """Expect nothing from before the port was opened."""
        self.is_answering = False
        self._unanswered = None
        self._earlier.clear()

    async def close(self, farewell: Envelope | None = None) -> None:
        """Close the port for good; an exchange that is under way fails.

        A farewell is sent before, once, whether or not the meter answers it.
        """
        self._port.give_up()
        if farewell is not None:
            async with self._port.turn:
                self._unanswered = None
                with suppress(MeterError), self._port.last_exchange():
                    await self._exchange(farewell)
        await self._port.close()
        self.is_answering = False

    async def converse[T](self, talk: Callable[[Exchange], Awaitable[T]]) -> T:
        """Return what a talk returns that has the port for itself, in its turn.

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
        with self._listening():
            await self._drain()
            return await self._ask(envelope)

    async def _ask(self, envelope: Envelope) -> bytes:
        """Send a request, repeatedly where allowed, until the genuine reply arrives."""
        frame = len(envelope.message).to_bytes(2) + envelope.message
        sent: _Sent | None = None
        copies = _COPIES if self.is_answering else _FIRST_COPIES
        if not envelope.repeatable:
            copies = 1
        for copy in range(envelope.copies or copies):
            self._statistics.requests += 1
            self._statistics.resent += copy > 0
            sent_at = self._port.write(frame)
            if sent is None:
                sent = _Sent(envelope, sent_at)
                if envelope.repeatable:
                    self._earlier.append(sent)
            packet = await self._reply(envelope, sent_at + self._wait(envelope))
            if packet is not None:
                self.is_answering = True
                self._note_reply(self._received_at - sent.at, is_certain=copy == 0)
                # Over a network, the last byte may leave sooner than at the meter.
                took = max(0.0, self._received_at - sent_at)
                self._statistics.last_reply_time = round(took * 1000, 1)
                return packet
            self._statistics.timeouts += 1
        if not envelope.repeatable:
            self._unanswered = sent
        raise NoReplyError(
            f"The meter at {self._port.name} does not answer: check the wiring and the "
            "ENABLE pin; while the optical port is read, it is silent too"
        )

    def _wait(self, envelope: Envelope) -> float:
        """Return how long to wait for the reply to a request.

        One that cannot be repeated is waited for with patience, until it is known how
        soon this meter answers.
        """
        if not (envelope.repeatable or self._delays):
            return _PATIENCE
        longest = max(self._suspected_delay, *self._delays, 0.0)
        return min(max(self._usual_wait, _HEADROOM * longest), _HEADROOM * _PATIENCE)

    def _note_reply(self, delay: float, *, is_certain: bool) -> None:
        """Learn how late a reply was; not certain if it may answer a later copy."""
        self._statistics.replies += 1
        if is_certain:
            self._delays.append(delay)
            self._suspected_delay = 0.0
        else:
            self._suspected_delay = min(delay, _PATIENCE)
        is_slow = max(self._delays, default=0.0) > self._usual_wait
        self._statistics.hint = "slow link" if is_slow else None

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """Keep what arrives; drop it before and after."""
        self._forget_received()
        self._is_listening = True
        try:
            yield
        finally:
            self._is_listening = False
            self._forget_received()

    def _forget_received(self) -> None:
        self._framer.reset()
        self._messages.clear()

    async def _drain(self) -> None:
        """Wait for the reply to a message that cannot be repeated, if it may come yet.

        A new session would take it for a reply to one of its own messages.
        """
        unanswered, self._unanswered = self._unanswered, None
        if unanswered is None:
            return
        until = unanswered.at + _PATIENCE
        while not self._messages and await self._news(until):
            if not self._port.is_usable:
                raise self._port.lost()
        if self._messages:
            self._statistics.late_replies += 1
            self._delays.append(self._received_at - unanswered.at)
            await self._news(self._clock.time() + self._gap)
        self._forget_received()

    def _receive(self, data: bytes) -> None:
        """Process received bytes."""
        self._received_at = self._clock.time()
        alerts = self._framer.alerts
        room = _MESSAGES_HELD - len(self._messages)
        messages = self._framer.feed(data, room)
        self.has_heard |= bool(messages or data.strip(_NO_REPLY))
        self._statistics.alerts += self._framer.alerts - alerts
        if self._is_listening:
            self._messages.extend(messages)
            if messages:
                self._port.news.set()

    async def _reply(self, envelope: Envelope, start_by: float) -> bytes | None:
        """Return the packet of the genuine reply, or None after silence."""
        end_by = start_by + self._port.duration(LONGEST_MESSAGE) + 4 * self._gap
        failure: UnverifiedReplyError | None = None
        while True:
            while self._messages:
                message = self._messages.popleft()
                if _LOGGER.isEnabledFor(logging.DEBUG):
                    _LOGGER.debug("Received %s", message.hex())
                try:
                    return envelope.open(message)
                except UnverifiedReplyError as err:
                    if self._is_late(message, envelope):
                        continue
                    # The wait goes on: the right one may follow.
                    self._statistics.digest_failures += 1
                    failure = failure or err
            if not self._port.is_usable:
                raise self._port.lost()
            limit = start_by
            if self._framer.pending:
                limit = min(max(limit, self._received_at + self._gap), end_by)
            if await self._news(limit):
                continue
            if self._framer.pending:
                self._framer.reset()
                failure = failure or UnverifiedReplyError("A reply is incomplete")
            if failure:
                raise failure
            return None

    def _is_late(self, message: bytes, present: Envelope) -> bool:
        """Return whether a message is the genuine reply to an earlier request."""
        for sent in reversed(self._earlier):
            if sent.envelope is present:
                continue
            with suppress(UnverifiedReplyError):
                sent.envelope.open(message)
                self._statistics.late_replies += 1
                self._suspected_delay = min(self._received_at - sent.at, _PATIENCE)
                return True
        return False

    async def _news(self, limit: float) -> bool:
        """Wait until something arrives; return False if the time comes before that."""
        if (left := limit - self._clock.time()) <= 0:
            return False
        self._port.news.clear()
        with suppress(TimeoutError):
            async with self._clock.timeout(left):
                await self._port.news.wait()
        # What arrived in part may have moved the limit.
        return True
