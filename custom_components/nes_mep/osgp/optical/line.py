"""Exchanging messages at the optical port: acknowledged, repeated, one at a time."""

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from ..errors import MeterError, NoReplyError, UnverifiedReplyError
from ..host_clock import HostClock
from ..port import DEFAULT_BAUDRATE, Port
from ..statistics import LinkStatistics
from .packets import OVERHEAD, Packet, PacketReader, Parts, Received, Signal

DEFAULT_SIZE = 64
"""Bytes of the largest packet until something else is negotiated (ANSI C12.18)."""

_SILENCE = 0.5
"""Seconds without a byte, after which the line is free and a packet is at its end."""
_NETWORK_SILENCE = 1.0
_ANSWER = 2.0
"""Seconds in which a packet is acknowledged, and in which the reply begins."""
_NETWORK_ANSWER = 2.5
"""The same where a network transport may hold bytes back, there and back."""
_REPETITION = 0.5
"""How much longer to wait for a reply that the meter repeats because it got lost."""
_TURNAROUND = 0.02
_LONG_TURNAROUND = 0.1
"""Seconds between what was received and a packet that is sent; longer before copies of
a packet, which something that is under way may have called for."""
_LONGEST_NOISE = 3.0
"""Seconds for which to wait for silence on a line that never falls silent."""

_COPIES = 4
_FIRST_COPIES = 5
"""Copies of a packet that is not acknowledged. The first packet of a session wakes the
port of older meters, and is damaged by it."""
_DAMAGED_COPIES = 4
"""How often the meter is asked to repeat a packet."""
_MESSAGES = 3
"""How often a request is made whose reply gets lost."""

_OWN_KEPT = 8
"""What was sent lately, which a head may send back."""


@dataclass(slots=True)
class _Asked:
    """What has come of a request; an empty reply is one that lacks a part."""

    is_acknowledged: bool = False
    is_refused: bool = False
    damaged: int = 0
    reply: bytes | None = None


class Line:
    """Sends requests to the optical port and returns the replies to them.

    What arrives between exchanges is acknowledged and dropped while there is a session,
    and ignored otherwise. A head that sends back what it sends is noticed.
    """

    def __init__(
        self, url: str, *, statistics: LinkStatistics, clock: HostClock
    ) -> None:
        """Initialize with a device path or a serialx URL; nothing is opened yet."""
        # Many heads are fed by RTS, and some by the difference between it and DTR.
        self._port = Port(
            url,
            self._receive,
            statistics=statistics,
            clock=clock,
            baudrate=DEFAULT_BAUDRATE,
            dtr=False,
        )
        self.is_answering = False
        is_network = self._port.is_network
        self._silence = _NETWORK_SILENCE if is_network else _SILENCE
        self._answer_time = _NETWORK_ANSWER if is_network else _ANSWER
        self._turnaround = 0.0 if is_network else _TURNAROUND
        self._statistics = statistics
        self._clock = clock
        self._received_at = float("-inf")
        self._reader = PacketReader()
        self._parts = Parts()
        self._start_anew()

    # The port

    @property
    def name(self) -> str:
        """The port as errors show it."""
        return self._port.name

    async def open(self) -> bool:
        """Open the port if it is not open; return whether that was necessary.

        Raises PortError.
        """
        if not await self._port.open():
            return False
        self.is_answering = False
        return True

    async def reopen(self) -> None:
        """Close and open the port, or raise PortError; not within a turn."""
        self.is_answering = False
        await self._port.reopen()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Have the line for oneself, first come, first served."""
        async with self._port.turn:
            yield

    async def close(
        self, farewell: Callable[[], Awaitable[None]], patience: float
    ) -> None:
        """Close the port for good, after a farewell of so many seconds at most.

        An exchange that is under way fails.
        """
        self._port.give_up()
        async with self._port.turn:
            with suppress(MeterError, TimeoutError), self._port.last_exchange():
                async with self._clock.timeout(patience):
                    await farewell()
        await self._port.close()
        self.is_answering = False

    # Sessions

    async def begin(self) -> None:
        """Wait for silence, and start with new packets, of the smallest size.

        Raises PortError.
        """
        self._start_anew()
        await self.drain()
        self.is_live = True

    def take_packets_of(self, size: int) -> None:
        """Expect packets of up to so many bytes from now on, which were negotiated."""
        self._reader.longest = size - OVERHEAD

    def end(self) -> None:
        """Answer nothing any more."""
        self.is_live = False

    def note_damage(self) -> None:
        """Count a reply that turned out to be damaged."""
        self._statistics.digest_failures += 1

    async def drain(self) -> None:
        """Receive and drop what is still under way. Raises PortError."""
        await self.rest(self._clock.time(), _LONGEST_NOISE)

    async def rest(self, until: float, patience: float) -> None:
        """Wait until a time by the clock, and until nothing arrives any more.

        patience is the seconds after which the latter is given up. Raises PortError.
        """
        latest = max(until, self._clock.time()) + patience
        while True:
            self._check()
            quiet_at = max(until, min(latest, self._received_at + self._silence))
            if self._clock.time() >= quiet_at:
                return
            await self._news(quiet_at)

    def _start_anew(self) -> None:
        """Forget everything about the session."""
        self.is_live = False
        self._is_echoing = False
        self._toggle = False
        self._has_constant_toggle = False
        self._last: Packet | None = None
        self._own: deque[Received] = deque(maxlen=_OWN_KEPT)
        self._asked: _Asked | None = None
        self._awaited_since = 0.0
        self._reader.reset()
        self._parts.clear()
        self.take_packets_of(DEFAULT_SIZE)

    # Exchanges

    async def exchange(
        self,
        message: bytes,
        *,
        is_first: bool = False,
        is_secret: bool = False,
        messages: int = _MESSAGES,
    ) -> bytes:
        """Send a request in one packet and return the reply, one byte at least.

        If the reply gets lost although the request was acknowledged, it is made up to
        so many times. The session is over after every error: NoReplyError after
        silence, UnverifiedReplyError if packets arrive damaged each time, PortError.
        """
        copies = _FIRST_COPIES if is_first else _COPIES
        is_answered = False
        try:
            for repetition in range(messages):
                reply = await self._ask(message, copies, is_secret)
                if not reply:
                    # Parts of it may still be under way.
                    await self.drain()
                    continue
                if repetition:
                    # The reply to the first request may have been late, not lost.
                    now = self._clock.time()
                    await self.rest(now + self._answer_time, self._answer_time)
                is_answered = True
                return reply
        finally:
            self._asked = None
            self.is_live &= is_answered
        raise NoReplyError(
            f"The optical port at {self.name} accepts requests and does not answer"
        )

    async def _ask(self, message: bytes, copies: int, is_secret: bool) -> bytes | None:
        """Make a request once; return the reply, empty or None if it gets lost."""
        packet = Packet(data=message, toggle=self._toggle)
        self._toggle = not self._toggle
        self._parts.clear()
        self._asked = asked = _Asked()
        sent_at = await self._deliver(packet, asked, copies, is_secret)
        patience = 2 * self._answer_time + _REPETITION
        await self._listen(asked, patience, lambda: asked.reply is not None)
        self._asked = None
        if asked.reply:
            self._note_reply(sent_at)
        self._statistics.timeouts += asked.reply is None
        return asked.reply

    async def _deliver(
        self, packet: Packet, asked: _Asked, copies: int, is_secret: bool
    ) -> float:
        """Send a packet until it is acknowledged; return when it was sent first.

        An answer acknowledges it too.
        """
        began_at: float | None = None
        for copy in range(copies):
            await self._turn_around(_LONG_TURNAROUND if copy else self._turnaround)
            asked.is_refused = False
            self._statistics.requests += 1
            self._statistics.resent += copy > 0
            self._own.append(packet)
            sent_at = self._port.write(packet.to_bytes(), is_secret=is_secret)
            self._awaited_since = sent_at
            began_at = sent_at if began_at is None else began_at
            await self._listen(
                asked,
                self._answer_time,
                lambda: asked.is_acknowledged or asked.is_refused,
            )
            if asked.is_acknowledged:
                return began_at
            self._statistics.timeouts += not asked.is_refused
        raise NoReplyError(
            f"The optical port at {self.name} does not answer: check how the head is "
            "seated, and that it can send as well as receive"
        )

    async def _turn_around(self, pause: float) -> None:
        """Wait until the other side has certainly finished."""
        if self._reader.pending:
            await self.drain()
            self._reader.reset()
        while (left := self._received_at + pause - self._clock.time()) > 0:
            await self._clock.sleep(left)
        self._check()

    async def _listen(
        self, asked: _Asked, patience: float, is_done: Callable[[], bool]
    ) -> None:
        """Wait until something is done, or the meter stays silent for so many seconds.

        A damaged packet is asked for again. Raises UnverifiedReplyError if that happens
        too often.
        """
        longest = self._port.duration(self._reader.longest + OVERHEAD)
        while not is_done():
            self._check()
            now = self._clock.time()
            due = self._awaited_since + patience
            if self._reader.pending:
                due = min(self._received_at + self._silence, due + longest)
                if now >= due:
                    self._ask_to_repeat(asked)
                    continue
            if now >= due:
                return
            await self._news(due)

    def _ask_to_repeat(self, asked: _Asked) -> None:
        """Ask for a damaged packet again.

        A head that sends back what it sends may have damaged the request instead, to
        which this would not be an answer.
        """
        self._reader.reset()
        self.note_damage()
        if self._is_echoing and not asked.is_acknowledged:
            return
        asked.damaged += 1
        if asked.damaged > _DAMAGED_COPIES:
            raise UnverifiedReplyError(
                f"What arrives from the optical port at {self.name} is damaged each "
                "time: check how the head is seated, and keep light away from it"
            )
        self._awaited_since = self._signal(Signal.NAK)

    def _note_reply(self, sent_at: float) -> None:
        self.is_answering = True
        self._statistics.replies += 1
        took = max(0.0, self._received_at - sent_at)
        self._statistics.last_reply_time = round(took * 1000, 1)

    # What arrives

    def _receive(self, data: bytes) -> None:
        """Process received bytes; never raises."""
        self._received_at = self._clock.time()
        if self.is_live:
            for each in self._reader.feed(data):
                if self._is_own(each):
                    continue
                if isinstance(each, Packet):
                    with suppress(MeterError):  # whoever waits will notice
                        self._take(each)
                elif self._asked and each is Signal.ACK:
                    self._asked.is_acknowledged = True
                elif self._asked:
                    self._asked.is_refused = True
        self._port.news.set()

    def _is_own(self, each: Received) -> bool:
        """Return whether it is what the head has sent itself.

        A packet of a client is like none of a meter. An ACK is like the meter's, and
        is only taken for the own one if the head was seen to send back packets.
        """
        if each not in self._own:
            return False
        if isinstance(each, Packet):
            self._is_echoing = True
        elif not self._is_echoing:
            return False
        while self._own.popleft() != each:
            pass
        return True

    def _take(self, packet: Packet) -> None:
        """Acknowledge a right packet, and use it unless it is a repetition.

        Raises PortError.
        """
        is_repetition = packet == self._last and self._repeats()
        if self._last is not None and packet != self._last:
            self._has_constant_toggle |= packet.toggle == self._last.toggle
        self._last = packet
        sent_at = self._signal(Signal.ACK)
        if is_repetition or self._asked is None or self._asked.reply is not None:
            self._statistics.late_replies += 1
            return
        self._asked.is_acknowledged = True
        self._awaited_since = sent_at
        self._asked.reply = self._parts.add(packet)

    def _repeats(self) -> bool:
        """Return whether a packet like the last one is the last one once more.

        It is, unless a reply is due from a meter whose packets all have the same
        toggle.
        """
        is_due = self._asked is not None and self._asked.is_acknowledged
        is_new = is_due and self._has_constant_toggle and not self._parts.pending
        return not is_new

    def _signal(self, signal: Signal) -> float:
        """Send ACK or NAK; return when it leaves. Raises PortError."""
        self._own.append(signal)
        return self._port.write(signal.value)

    # Waiting

    def _check(self) -> None:
        """Raise PortError if the port is lost or closed."""
        if not self._port.is_usable:
            raise self._port.lost()

    async def _news(self, limit: float) -> None:
        """Wait until something arrives, or a time by the clock."""
        self._port.news.clear()
        with suppress(TimeoutError):
            async with self._clock.timeout(limit - self._clock.time()):
                await self._port.news.wait()
