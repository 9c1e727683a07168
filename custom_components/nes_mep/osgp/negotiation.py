"""Finding the security mode, and the kind of key, in which to read a meter."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
import logging

from .errors import KeyRefusedError, MeterError, NoReplyError, TlsError
from .key import KeyKind
from .mep.security.modes import SecurityMode
from .meter import Meter

_LOGGER = logging.getLogger(__name__)

_NO_SESSION = (TlsError, NoReplyError)
"""How a meter that does not support TLS may answer: a refusal, nonsense or silence."""

type Opener = Callable[[SecurityMode, KeyKind], Awaitable[Meter]]
"""Opens a meter in a security mode, with a kind of key, or raises MeterError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedMeter:
    """An open meter, and how the link to it is protected.

    refused_tls says whether TLS was tried before, and the meter did answer.
    """

    meter: Meter
    mode: SecurityMode
    key_kind: KeyKind
    refused_tls: bool = False


async def negotiate(
    open_in: Opener, mode: SecurityMode | None = None, key_kind: KeyKind | None = None
) -> OpenedMeter:
    """Open a meter in a security mode or, for None, in the best that it accepts.

    TLS is tried first, because it reveals nothing, and digest mode only if there was no
    session. A meter that refuses the key in TLS, or falls silent in a session, supports
    TLS: digest mode is not tried then. Without a kind of key, TLS tries both; the other
    modes need none. Raises MeterError.
    """
    refused_tls = False
    if mode is None:
        try:
            return await _open_by_tls(open_in, key_kind)
        except _NO_SESSION as err:
            if err.had_session:
                raise
            _LOGGER.debug("The meter is not read over TLS: %s", err)
            refused_tls = err.had_reply or not isinstance(err, NoReplyError)
        mode = SecurityMode.DIGEST
    if mode is SecurityMode.TLS:
        return await _open_by_tls(open_in, key_kind)
    try:
        opened = await _open(open_in, mode, key_kind or KeyKind.BASIC)
    except MeterError as err:
        err.had_reply |= refused_tls
        raise
    return replace(opened, refused_tls=refused_tls)


async def _open_by_tls(open_in: Opener, key_kind: KeyKind | None) -> OpenedMeter:
    """Open a meter over TLS; without a kind of key, try both."""
    if key_kind is not None:
        return await _open(open_in, SecurityMode.TLS, key_kind)
    try:
        return await _open(open_in, SecurityMode.TLS, KeyKind.BASIC)
    except KeyRefusedError as refusal:
        try:
            return await _open(open_in, SecurityMode.TLS, KeyKind.ADVANCED)
        except _NO_SESSION:
            raise refusal from None


async def _open(open_in: Opener, mode: SecurityMode, key_kind: KeyKind) -> OpenedMeter:
    """Open a meter in a mode."""
    return OpenedMeter(
        meter=await open_in(mode, key_kind), mode=mode, key_kind=key_kind
    )
