"""A session at the optical port: how it begins, goes on and ends."""

from collections.abc import Awaitable, Callable
import logging
from typing import Final, Self

from ..errors import (
    KeyRefusedError,
    MeterError,
    NoReplyError,
    TlsRequiredError,
    UnverifiedReplyError,
)
from ..host_clock import HostClock
from ..requests import ReadRequest, ResponseCode
from . import services
from .line import Line
from .services import SMALLEST_TERMS, FurtherCode, Terms

_LOGGER = logging.getLogger(__name__)

_ASKED_TERMS: Final = Terms(512, 4)
"""Room for whole tables; a meter takes less where it has less."""

_BUSY_PAUSE = 1.0
_BUSY_REPETITIONS = 3
_BUSY_KEY_REPETITIONS = 1
"""A busy meter refuses no key; but none knows whether it counts them."""
_REPETITIONS = 2
"""How often a read is repeated whose reply has a wrong checksum or length."""


class SessionLostError(MeterError):
    """The meter is in another state than expected: there is no session, or an old one."""


class Session:
    """A session at a line, which is begun, used for reads, and ended.

    It is over when anything but a refusal is raised. terms are those of its packets,
    and began_at is when it began, by the clock. has_ended says whether the meter has
    agreed to its end.
    """

    def __init__(self, line: Line, clock: HostClock) -> None:
        """Initialize with a line at which nothing has begun."""
        self.terms = SMALLEST_TERMS
        self.began_at = clock.time()
        self.has_ended = False
        self._line = line
        self._clock = clock

    async def begin(self, show_key: Callable[[Self], Awaitable[None]]) -> None:
        """Open the session, and show the key by show_key.

        Raises SessionLostError, NoReplyError, TlsRequiredError, what show_key raises,
        and other children of MeterError.
        """
        await self._line.begin()
        try:
            await self._identify()
            await self._negotiate()
            await self._logon()
            await show_key(self)
        except MeterError:
            await self.abandon()
            raise

    async def _identify(self) -> None:
        reply = await self._line.exchange(services.IDENTIFICATION, is_first=True)
        if reply[0] != ResponseCode.OK:
            raise SessionLostError(
                f"The optical port does not identify itself (0x{reply[0]:02X})"
            )

    async def _negotiate(self) -> None:
        """Ask for large packets; a port that knows nothing of it has small ones."""
        reply = await self._line.exchange(services.negotiate(_ASKED_TERMS))
        self.terms = services.agreed_terms(_ASKED_TERMS, reply)
        self._line.take_packets_of(self.terms.size)

    async def _logon(self) -> None:
        """Log on, which needs no key."""
        try:
            reply = await self._ask(services.logon())
        except NoReplyError as err:
            raise NoReplyError(
                "The optical port identifies itself and does not answer a logon: it "
                "may require TLS, which cannot be read there"
            ) from err
        if reply[0] != ResponseCode.OK:
            raise TlsRequiredError(
                "The optical port identifies itself and refuses a logon "
                f"(0x{reply[0]:02X}): it may require TLS, which cannot be read there"
            )

    async def show_key(self, key: bytes) -> None:
        """Show the key, once more to a busy meter.

        Raises KeyRefusedError, RefusalError while the meter is busy, SessionLostError,
        and NoReplyError if the meter takes it and says nothing.
        """
        code: int = FurtherCode.BUSY
        for _ in range(1 + _BUSY_KEY_REPETITIONS):
            reply = await self._line.exchange(
                services.security(key), is_secret=True, messages=1
            )
            code = reply[0]
            if code != FurtherCode.BUSY:
                break
            await self._clock.sleep(_BUSY_PAUSE)
        match code:
            case ResponseCode.OK:
                return
            case FurtherCode.BUSY:
                raise services.refusal("the key", code)
            case ResponseCode.NO_SESSION:
                raise SessionLostError("The meter has ended the session")
            case ResponseCode.UNSUPPORTED:
                reason = "It may require TLS, which cannot be read there"
            case _:
                reason = "It is the read-only key (RK), not the key of the MEP"
        raise KeyRefusedError(
            f"The meter refuses the key at its optical port (0x{code:02X}): compare "
            f"it with the grid company's letter. {reason}. It is not tried again: that "
            "would raise an alarm, and can lock the port"
        )

    async def read(self, request: ReadRequest) -> bytes:
        """Return the response to a read, without its checksum.

        Raises SessionLostError, RefusalError while the meter is busy, and other
        children of MeterError where the line does not work. Other refusals are
        returned.
        """
        repetitions = 0
        while True:
            reply = await self._ask(services.read(request))
            if reply[0] in services.BUSY:
                raise services.refusal(request, reply[0])
            try:
                if reply[0] != ResponseCode.UNRECOGNIZED or repetitions:
                    return services.read_reply(request, reply)
            except UnverifiedReplyError:
                self._line.note_damage()
                if repetitions == _REPETITIONS:
                    raise
                await self._line.drain()
            repetitions += 1

    async def wait(self, seconds: int) -> bool:
        """Ask the meter to keep the session without traffic; return whether it does."""
        reply = await self._ask(services.wait(seconds))
        return reply[0] == ResponseCode.OK

    async def end(self) -> None:
        """Log off and terminate, as far as the line works; never raises."""
        await self._say(services.LOGOFF)
        await self.abandon()

    async def abandon(self) -> None:
        """Terminate, if the line works; never raises."""
        self.has_ended = await self._say(services.TERMINATE)
        self._line.end()

    async def _say(self, message: bytes) -> bool:
        """Make a request once, and return whether it was answered."""
        if not self._line.is_live:
            return False
        try:
            await self._line.exchange(message, messages=1)
        except MeterError as err:
            _LOGGER.debug("A session did not end as it should: %s", err)
            return False
        return True

    async def _ask(self, message: bytes) -> bytes:
        """Return the reply to a request, patiently while the meter is busy.

        Raises SessionLostError, and other children of MeterError where the line does
        not work.
        """
        repetitions = 0
        while True:
            reply = await self._line.exchange(message)
            if reply[0] in services.NO_SESSION:
                raise SessionLostError(f"There is no session (0x{reply[0]:02X})")
            if reply[0] not in services.BUSY or repetitions == _BUSY_REPETITIONS:
                return reply
            repetitions += 1
            await self._clock.sleep(_BUSY_PAUSE)
