"""The client's side of the optical link: sessions as they are needed, and no longer."""

import asyncio
from contextlib import suppress
import logging
from typing import Final, override

from ..errors import (
    KeyRefusedError,
    MeterError,
    NoReplyError,
    PortError,
    RefusalError,
    UnverifiedReplyError,
)
from ..host_clock import HostClock
from ..link import Link
from ..requests import PartialRead, ReadRequest, response_data
from ..statistics import LinkStatistics
from ..tables.identity import GENERAL_LENGTH, decode_general_information
from ..tables.status import HARDWARE_LENGTH, decode_has_mep
from ..trace import ExchangeRecord, Trace
from .lengths import ReplyLengths
from .line import Line
from .memory import OpticalMemory
from .packets import OVERHEAD
from .services import READ_OVERHEAD, SMALLEST_TERMS
from .session import Session, SessionLostError

_LOGGER = logging.getLogger(__name__)

_BT01: Final = PartialRead(table=1, offset=0, count=GENERAL_LENGTH)
_ET29: Final = PartialRead(table=2048 + 29, offset=0, count=HARDWARE_LENGTH)
_SHARED_PORT_MAJORS: Final = (2, 3)
"""Generations whose MEP is dead while there is a session, as one UART serves both."""

_UNANSWERED_KEYS = 2
"""How often a key is shown that was never accepted, and to which there was no answer."""
_BEGINNINGS = 3
"""How often a session is begun that the meter says is in another state."""

_LONGEST_SESSION = 520.0
"""Seconds, well below the 540 after which others in the field log off: some time later
the meter ends a session itself, and ignores the port for minutes."""
_LONGEST_SHARED_SESSION = 30.0
"""The same where a session silences the MEP: a device there counts as gone after a minute
of silence (ET51.1), and whoever reads it has to get through meanwhile."""
_MEP_TURN = 15.0
"""Seconds that the MEP has to itself after a session longer than that."""
_TRAFFIC_TIMEOUT = 7.0
"""Seconds without traffic after which the meter has forgotten a session (C12.18: 6)."""
_SHORT_REST = 2.0
"""Seconds without a request after which a session that blocks the MEP is ended."""
_REST = 3.5
"""The same for others; the longest pause seen in the field is 5."""
_LONG_REST = 60.0
"""The same if the meter knows how to wait."""

_HOLD_OFFS: Final = (0.0, 60.0, 300.0)
"""Seconds of peace after beginnings that failed by silence: the meter may ignore the port
after a session, and every further attempt may prolong that."""

_FAREWELL = 6.0
"""The longest that logging off may take when the port is closed, in seconds."""


class OpticalClient(Link):
    """The link through the optical port.

    A session begins with the first request, and ends by logging off when there are no
    further ones, or before the meter would end it. A request whose session is lost is
    made once more in a new one. A key that was refused is never shown again, and no
    request is made any more.
    """

    watches_sessions = True
    pads_tables = True
    restarts = None

    def __init__(
        self,
        line: Line,
        key: bytes,
        *,
        statistics: LinkStatistics,
        trace: Trace,
        clock: HostClock,
        memory: OpticalMemory,
    ) -> None:
        """Initialize with a line, a key, and what is known; nothing is sent yet."""
        super().__init__(statistics=statistics, trace=trace, clock=clock)
        self._line = line
        self._key = key
        self._memory = memory
        self._shown = memory.of_key(key)
        self._session: Session | None = None
        self._sessions = 0
        self._asked = 0
        self._terms = SMALLEST_TERMS
        self._lengths = ReplyLengths()
        self._starts_anew = False
        self._may_stay: bool | None = None
        self._may_wait = True
        self._is_waiting = False
        self._asked_at = clock.time()
        self._mep_until = clock.time()
        self._keeper: asyncio.Task[None] | None = None

    @property
    @override
    def is_answering(self) -> bool:
        # What follows a beginning that failed by silence would fail as well.
        return self._line.is_answering and not self._memory.failures

    @property
    @override
    def reply_capacity(self) -> int:
        terms = self._terms
        return (terms.size - OVERHEAD) * terms.packets - READ_OVERHEAD

    @property
    @override
    def sessions(self) -> int:
        return self._sessions

    @property
    @override
    def asked(self) -> int:
        # What a session needs to begin and to end does not count: a download would wait
        # for that, let the session end meanwhile, and begin another one for each part.
        return self._asked

    @property
    @override
    def silences_mep(self) -> bool:
        return self._may_stay is False

    @override
    def forget_session(self) -> None:
        self._starts_anew = True

    @override
    async def close(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
        await self._line.close(self._farewell, _FAREWELL)

    @override
    async def request(self, request: ReadRequest) -> bytes:
        return await self._recorded(request, self._ask(request))

    async def _ask(self, request: ReadRequest) -> bytes:
        """Return the data of a response, in a new session where one is needed."""
        if self._shown.refusal is not None:
            raise KeyRefusedError(self._shown.refusal)
        for is_last in (False, True):
            self._raise_if_held_off()
            try:
                await self._open_port()
                async with self._line.turn():
                    try:
                        data = await self._ask_in_turn(request, is_last=is_last)
                    finally:
                        self._asked_at = self.clock.time()
                        self._keep()
            except PortError:
                if is_last:
                    raise
            else:
                if data is not None:
                    return data
        raise AssertionError

    async def _open_port(self) -> None:
        """Open the port, anew after silence. Raises PortError."""
        if self._memory.failures:
            await self._line.reopen()
        elif await self._line.open() and self._session is not None:
            self._lose()

    async def _ask_in_turn(
        self, request: ReadRequest, *, is_last: bool
    ) -> bytes | None:
        """Return the data of a response, None if the session was lost meanwhile.

        The last time, that is an error.
        """
        session = await self._present_session()
        try:
            if self._may_stay is None:
                self._may_stay = await _has_port_of_its_own(session)
            data = await self._read_data(session, request)
        except RefusalError:
            raise
        except SessionLostError as err:
            await self._lose_to(session)
            if is_last:
                raise NoReplyError(f"The meter keeps no session. {err}") from err
            return None
        except (NoReplyError, UnverifiedReplyError):
            self._lose()
            if is_last:
                raise
            return None
        except BaseException:
            # The reply to half a request would answer the next one.
            self._lose()
            raise
        self._is_waiting = False
        return data

    async def _read_data(self, session: Session, request: ReadRequest) -> bytes:
        """Return the data that answers a read, in a reply that answers no other one."""
        if not isinstance(request, PartialRead):
            data = response_data(request, await self._read(session, request))
            self._lengths.note(request, len(data))
            return data
        asked = self._lengths.distinct(request, self.reply_capacity)
        data = response_data(asked, await self._read(session, asked))
        self._lengths.note(asked, len(data))
        begin = request.offset - asked.offset
        return data[begin : begin + request.count]

    async def _read(self, session: Session, request: ReadRequest) -> bytes:
        """Return the response to a read; record the outcome in the trace."""
        began, began_at = self.clock.time(), self.clock.now()
        sent = self.statistics.requests
        reply: bytes | None = None
        error: str | None = None
        self._asked += 1
        try:
            reply = await session.read(request)
        except BaseException as err:
            error = type(err).__name__
            raise
        finally:
            self.trace.add(
                ExchangeRecord(
                    at=began_at,
                    seconds=self.clock.time() - began,
                    sent=self.statistics.requests - sent,
                    request=request.to_bytes(),
                    reply=reply,
                    error=error,
                )
            )
        return reply

    # Sessions

    async def _present_session(self) -> Session:
        """Return the session, or begin one. Raises MeterError."""
        if self._session is not None:
            age = self.clock.time() - self._session.began_at
            if self._starts_anew or age >= self._longest_session:
                await self._end(self._session)
        self._starts_anew = False
        if self._session is None:
            self._raise_if_held_off()
            try:
                self._session = await self._begin()
            except (NoReplyError, UnverifiedReplyError):
                self._hold_off()
                raise
            self._memory.failures = 0
            self._sessions += 1
            self._is_waiting = False
            self._terms = self._session.terms
        return self._session

    @property
    def _longest_session(self) -> float:
        """How many seconds a session may last."""
        return _LONGEST_SHARED_SESSION if self.silences_mep else _LONGEST_SESSION

    async def _begin(self) -> Session:
        """Open a session, again where the meter had an old one.

        Raises NoReplyError and other children of MeterError.
        """
        await self._line.rest(max(self._memory.forgotten_at, self._mep_until), 0.0)
        for beginning in range(1, 1 + _BEGINNINGS):
            session = Session(self._line, self.clock)
            try:
                await session.begin(self._show_key)
            except SessionLostError as err:
                if beginning == _BEGINNINGS:
                    raise NoReplyError(f"The meter begins no session: {err}") from err
            except BaseException:
                self._note_end(session)
                raise
            else:
                return session
        raise AssertionError

    async def _show_key(self, session: Session) -> None:
        """Show the key, which is never shown again once it was refused.

        Where it was never accepted, no answer twice is taken as a refusal.
        """
        # If this is cancelled, nobody knows whether the meter refused it.
        self._shown.unanswered += 1
        try:
            await session.show_key(self._key)
        except KeyRefusedError as err:
            self._refuse_key(str(err))
            raise
        except SessionLostError:
            self._shown.unanswered -= 1
            raise
        except RefusalError as err:
            self._shown.unanswered -= 1
            self._pause_before_key()
            raise NoReplyError(str(err)) from err
        except MeterError as err:
            if self._shown.is_proven:
                raise
            self._pause_before_key()
            if self._shown.unanswered < _UNANSWERED_KEYS:
                raise
            reason = (
                "The meter answers at its optical port until it is shown the key: "
                "compare it with the grid company's letter. The port may also require "
                "TLS, which cannot be read there"
            )
            self._refuse_key(reason)
            raise KeyRefusedError(reason) from err
        self._shown.is_proven = True
        self._shown.unanswered = 0

    def _pause_before_key(self) -> None:
        """Show the key after a pause only: it crosses the air each time."""
        self._memory.failures = max(self._memory.failures, 1)

    def _refuse_key(self, reason: str) -> None:
        self.statistics.authentication_failures += 1
        self._memory.refuse(self._shown, reason)

    async def _end(self, session: Session) -> None:
        """End the session by logging off."""
        self._session = None
        age = self.clock.time() - session.began_at
        try:
            await session.end()
        finally:
            self._note_end(session)
            if self.silences_mep and age > _MEP_TURN:
                self._mep_until = self.clock.time() + _MEP_TURN

    def _lose(self) -> None:
        """Give the session up: the meter may still have it for a while."""
        self._note_loss()
        self._line.end()
        self._memory.forgotten_at = self.clock.time() + _TRAFFIC_TIMEOUT

    async def _lose_to(self, session: Session) -> None:
        """Give a session up of which the meter says that it has ended."""
        self._note_loss()
        await session.abandon()
        self._note_end(session)

    def _note_loss(self) -> None:
        self._session = None
        self.statistics.sequence_resyncs += 1
        # It did not last as long as the meter had agreed to.
        self._may_wait &= not self._is_waiting

    def _note_end(self, session: Session) -> None:
        """Give the meter time to forget a session that it did not end."""
        rest = 0.0 if session.has_ended else _TRAFFIC_TIMEOUT
        self._memory.forgotten_at = self.clock.time() + rest

    async def _farewell(self) -> None:
        """End what session the meter may have."""
        if self._session is not None:
            await self._end(self._session)
        elif self.clock.time() < self._memory.forgotten_at:
            await self._line.begin()
            session = Session(self._line, self.clock)
            await session.abandon()
            self._note_end(session)

    # Silence

    def _hold_off(self) -> None:
        """Leave the port in peace for a while."""
        memory = self._memory
        pause = _HOLD_OFFS[min(memory.failures, len(_HOLD_OFFS) - 1)]
        memory.failures += 1
        memory.peace_until = self.clock.time() + pause

    def _raise_if_held_off(self) -> None:
        """Raise NoReplyError while the port is left in peace."""
        left = self._memory.peace_until - self.clock.time()
        if left > 0:
            raise NoReplyError(
                "The optical port is silent: the meter may ignore it for some minutes "
                "after a session, or the head has moved. It is asked again in "
                f"{left:.0f} s"
            )

    # Pauses between requests

    def _keep(self) -> None:
        """Look after the session, if there is one, from now on; within a turn."""
        if self._keeper is not None:
            self._keeper.cancel()
        self._keeper = None
        if self._session is not None:
            self._keeper = asyncio.create_task(self._keep_session())
            self._keeper.add_done_callback(_log_failure)

    async def _keep_session(self) -> None:
        """End the session when there was no request for a while, or it is old."""
        while (session := self._session) is not None:
            if (left := self._rest_left(session)) > 0:
                await self.clock.sleep(left)
                continue
            async with self._line.turn():
                if self._session is not session or self._rest_left(session) > 0:
                    continue
                try:
                    if not await self._let_wait(session):
                        await self._end(session)
                except SessionLostError:
                    await self._lose_to(session)
                except BaseException:
                    self._lose()
                    raise

    def _rest_left(self, session: Session) -> float:
        """Return for how many seconds a session may still rest."""
        if not self._may_stay:
            rest = _SHORT_REST
        elif self._is_waiting:
            rest = _LONG_REST
        else:
            rest = _REST
        left = self._asked_at + rest - self.clock.time()
        return min(left, session.began_at + self._longest_session - self.clock.time())

    async def _let_wait(self, session: Session) -> bool:
        """Ask the meter to keep the session over a longer pause; return whether it does.

        Raises MeterError.
        """
        ends_at = session.began_at + _LONGEST_SESSION
        if self._is_waiting or self.clock.time() + _LONG_REST > ends_at:
            return False
        if self._may_stay and self._may_wait:
            self._may_wait = await session.wait(round(_LONG_REST + _TRAFFIC_TIMEOUT))
            self._is_waiting = self._may_wait
        return self._is_waiting


def _log_failure(keeper: asyncio.Task[None]) -> None:
    if not keeper.cancelled() and (err := keeper.exception()):
        _LOGGER.debug("The session was given up: %s", err)


async def _has_port_of_its_own(session: Session) -> bool:
    """Return whether a session may stay, because it does not block the meter's MEP.

    Raises MeterError.
    """
    with suppress(RefusalError):
        data = response_data(_BT01, await session.read(_BT01))
        major = decode_general_information(data).firmware_version[0]
        if major not in _SHARED_PORT_MAJORS:
            return True
        data = response_data(_ET29, await session.read(_ET29))
        return not decode_has_mep(data)
    return False
