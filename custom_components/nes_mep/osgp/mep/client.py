"""The client's side of the MEP link, with its recovery from errors."""

from dataclasses import replace
from functools import partial
import logging
import secrets
from typing import Final, override

from ..errors import (
    KeyRefusedError,
    NoReplyError,
    PortError,
    TlsError,
    UnverifiedReplyError,
)
from ..host_clock import HostClock
from ..key import KeyKind
from ..link import Link
from ..requests import PartialRead, ReadRequest, ResponseCode, refusal, response_data
from ..statistics import LinkStatistics
from ..trace import ExchangeRecord, Trace
from .message_port import SESSION_ATTEMPTS, MessagePort
from .security import Envelope, Exchange, Security
from .sequence_number import invalid_sequence_number
from .tls_probe import probe_tls_on

_LOGGER = logging.getLogger(__name__)

_SEQUENCE_NUMBERS: Final = 1 << 32

_PROBES: Final = (
    PartialRead(table=52, offset=0, count=6),
    PartialRead(table=1, offset=0, count=16),
)
"""Small reads of the clock, BT52, and of the name, BT01: who may read anything may read
them. A table that is always refused with this code proves nothing by itself."""

_CORRUPTED_LIMIT = 4
_RESYNC_LIMIT = 3
"""How often each rung of the recovery ladder is tried for one request."""

_FRESH_COPIES = 2
"""How often a request is sent with a fresh number after its repetitions stay silent."""

_REOPEN_AFTER_SILENCE = 10.0
"""Seconds without a reply after which the port is reopened."""


class MepClient(Link):
    """The link through the MEP.

    One request is asked until it is answered or each rung of the ladder was tried: the
    same bytes again after silence (the port does that), then a fresh number, a new
    session where there are sessions, the next sequence number after a reply that
    cannot be verified, the meter's own number after "invalid sequence number", the
    clock or the name after "authentication failure" to learn whether the key still
    works, and a reopened port. The security mode never changes.
    """

    def __init__(
        self,
        port: MessagePort,
        security: Security,
        *,
        statistics: LinkStatistics,
        trace: Trace,
        clock: HostClock,
    ) -> None:
        """Initialize with a port and a security mode; nothing is sent yet."""
        super().__init__(statistics=statistics, trace=trace, clock=clock)
        self._port = port
        self._security = security
        self._sequence_jumps = 0
        self._sequence_number = secrets.randbelow(_SEQUENCE_NUMBERS)
        self._believed_number = self._sequence_number
        self._starts_anew = False
        self._replied_at = clock.time()

    @property
    @override
    def is_answering(self) -> bool:
        return self._port.is_answering

    @property
    @override
    def has_heard(self) -> bool:
        return self._port.has_heard

    @property
    @override
    def reply_capacity(self) -> int:
        return self._security.reply_capacity

    @override
    def protected_span(self, offset: int, count: int) -> tuple[int, int]:
        return self._security.protected_span(offset, count)

    @property
    @override
    def sessions(self) -> int:
        counted = self.statistics
        return counted.sequence_resyncs + counted.reopens + counted.tls_handshakes

    @property
    @override
    def restarts(self) -> int | None:
        """How often the meter changed its sequence number on its own.

        Numbers that it refused because a reply was lost do not count.
        """
        return self._sequence_jumps if self._security.numbered else None

    @override
    async def close(self) -> None:
        await self._port.close(self._security.farewell())

    @override
    def forget_session(self) -> None:
        """Start a new session with the next request.

        That request starts a new session, or carries a random number and so learns the
        meter's own, which counts as a jump only if it is not the one expected before.
        """
        self._starts_anew = True

    @override
    async def probe_tls(self, key: bytes) -> KeyKind | None:
        return await probe_tls_on(self._port, key)

    @override
    async def request(self, request: ReadRequest) -> bytes:
        data = await self._recorded(request, self._data(request))
        self._replied_at = self.clock.time()
        return data

    async def _data(self, request: ReadRequest) -> bytes:
        """Return the table data of a verified response."""
        return response_data(request, await self._ask(request))

    async def _ask(self, request: ReadRequest) -> bytes:
        """Climb the ladder until there is a verified response packet."""
        packet = await self._ask_with_valid_number(request)
        if packet[0] != ResponseCode.AUTHENTICATION_FAILURE:
            return packet
        self.statistics.authentication_failures += 1
        await self._prove_key()
        packet = await self._ask_with_valid_number(request)
        if packet[0] == ResponseCode.AUTHENTICATION_FAILURE:
            self.statistics.authentication_failures += 1
            raise refusal(request, packet[0])
        return packet

    async def _prove_key(self) -> None:
        """Read the clock or the name, or raise KeyRefusedError.

        One refusal proves little: a request that was damaged on its way is refused
        in the same words.
        """
        for probe in _PROBES:
            packet = await self._ask_with_valid_number(probe)
            if packet[0] != ResponseCode.AUTHENTICATION_FAILURE:
                return
            self.statistics.authentication_failures += 1
        raise KeyRefusedError(
            "The meter refuses the key: compare it with the grid company's letter "
            "(16 to 20 characters, case matters)"
        )

    async def _ask_with_valid_number(self, request: ReadRequest) -> bytes:
        """Return a response packet, any but "invalid sequence number"."""
        packet = request.to_bytes()
        for _ in range(_RESYNC_LIMIT):
            reply = await self._ask_for_genuine_reply(packet)
            if (number := invalid_sequence_number(reply)) is None:
                return reply
            # Whether the meter returns its present number or the next one differs
            # between meters; the one after the returned is valid for both.
            self.statistics.sequence_resyncs += 1
            self._sequence_jumps += not _continues(self._believed_number, number)
            self._sequence_number = self._believed_number = number
        raise refusal(request, ResponseCode.INVALID_SEQUENCE)

    async def _ask_for_genuine_reply(self, packet: bytes) -> bytes:
        """Return the response packet of a reply that was verified."""
        reopened = is_fresh = False
        corrupted = 0
        await self._port.open()
        while True:
            try:
                return await self._port.converse(
                    partial(
                        self._exchange,
                        packet=packet,
                        copies=_FRESH_COPIES if is_fresh else 0,
                    )
                )
            except UnverifiedReplyError:
                corrupted += 1
                if corrupted == _CORRUPTED_LIMIT:
                    raise
            except NoReplyError:
                # Some meters never answer a repeated number: ask with the next one.
                if self._security.numbered and not is_fresh:
                    is_fresh = True
                    continue
                silence = self.clock.time() - self._replied_at
                if reopened or silence < _REOPEN_AFTER_SILENCE:
                    raise
                reopened = True
                self._replied_at += silence
                await self._reopen()
            except PortError:
                if reopened:
                    raise
                reopened = True
                await self._reopen()

    async def _reopen(self) -> None:
        """Reopen the port; a session may be lost."""
        self._security.forget()
        await self._port.reopen()

    async def _exchange(
        self, exchange: Exchange, *, packet: bytes, copies: int
    ) -> bytes:
        """Return the packet of a genuine reply, in a new session where one is needed.

        A session does not survive a request without a genuine reply. Where there are
        sessions, the request is then asked in a new one, as often as the port would
        repeat it where there are none.
        """
        attempts = 0
        while True:
            attempts += 1
            try:
                return await self._attempt(exchange, packet, copies)
            except (NoReplyError, UnverifiedReplyError, TlsError) as err:
                if self._security.established:
                    raise
                _LOGGER.debug("There is no session: %s", err)
                if attempts < SESSION_ATTEMPTS:
                    continue
                if isinstance(err, UnverifiedReplyError):
                    raise TlsError(f"No TLS session could be kept: {err}") from err
                raise

    async def _attempt(self, exchange: Exchange, packet: bytes, copies: int) -> bytes:
        """Return the packet of a genuine reply; record the outcome in the trace."""
        began, began_at = self.clock.time(), self.clock.now()
        sent = self.statistics.requests
        reply: bytes | None = None
        error: str | None = None
        try:
            if self._starts_anew:
                self._security.forget()
            if not self._security.established:
                await self._establish(exchange)
            envelope = self._seal(packet)
            reply = await exchange(
                replace(envelope, copies=copies) if copies else envelope
            )
        except BaseException as err:
            error = type(err).__name__
            raise
        finally:
            self.trace.add(
                ExchangeRecord(
                    at=began_at,
                    seconds=self.clock.time() - began,
                    sent=self.statistics.requests - sent,
                    request=packet,
                    reply=reply,
                    error=error,
                )
            )
        return reply

    async def _establish(self, exchange: Exchange) -> None:
        """Start a session, and count it."""
        try:
            await self._security.establish(exchange)
        except KeyRefusedError:
            self.statistics.authentication_failures += 1
            raise
        self.statistics.tls_handshakes += 1

    def _seal(self, packet: bytes) -> Envelope:
        """Wrap a packet with the next sequence number."""
        self._sequence_number = (self._sequence_number + 1) % _SEQUENCE_NUMBERS
        if self._starts_anew:
            self._starts_anew = False
            self._sequence_number = secrets.randbelow(_SEQUENCE_NUMBERS)
        else:
            self._believed_number = self._sequence_number
        return self._security.seal(packet, self._sequence_number)


def _continues(sent: int, returned: int) -> bool:
    """Return whether a returned number says that the sent one had been accepted.

    Meters return the last accepted number or the next one.
    """
    return (returned - sent) % _SEQUENCE_NUMBERS in (0, 1)
