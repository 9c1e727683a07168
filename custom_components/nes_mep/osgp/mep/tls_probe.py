"""Finding out whether a meter accepts TLS, without reading anything.

A handshake proves the key to both sides and reveals nothing of it to a listener.
"""

from contextlib import suppress
import logging

from ..errors import (
    KeyRefusedError,
    MeterError,
    NoReplyError,
    PortError,
    TlsUnsupportedError,
)
from ..host_clock import HOST_CLOCK, HostClock
from ..key import KeyKind
from ..port import DEFAULT_BAUDRATE
from ..statistics import LinkStatistics
from .message_port import MessagePort
from .security import Exchange
from .security.tls import TlsSecurity

_LOGGER = logging.getLogger(__name__)

_ATTEMPTS = 3

_HOPELESS = (PortError, NoReplyError, TlsUnsupportedError)
"""After these, another attempt, or the other key, would end the same way."""


async def probe_tls(
    url: str,
    key: bytes,
    *,
    baudrate: int = DEFAULT_BAUDRATE,
    clock: HostClock = HOST_CLOCK,
) -> KeyKind | None:
    """Open a port and return as which kind of key the meter accepts a key in TLS.

    None means that no session could be established, for whatever reason.
    """
    port = MessagePort(url, statistics=LinkStatistics(), clock=clock, baudrate=baudrate)
    try:
        return await probe_tls_on(port, key)
    finally:
        await port.close()


async def probe_tls_on(port: MessagePort, key: bytes) -> KeyKind | None:
    """Do the same on a port that others use too, in turn with them.

    A session is ended as soon as it is established, so that the meter can be asked in
    the old mode as before.
    """
    try:
        await port.open()
        for kind in KeyKind:
            if await _takes(port, TlsSecurity(key, kind)):
                return kind
    except _HOPELESS as err:
        _LOGGER.debug("The meter takes no TLS: %s", err)
    return None


async def _takes(port: MessagePort, security: TlsSecurity) -> bool:
    """Return whether a session can be established; raise errors that will not pass."""

    async def talk(exchange: Exchange) -> None:
        try:
            await security.establish(exchange)
        finally:
            if farewell := security.farewell():
                with suppress(MeterError):
                    await exchange(farewell)

    for _ in range(_ATTEMPTS):
        try:
            await port.converse(talk)
        except _HOPELESS:
            raise
        except KeyRefusedError:
            return False
        except MeterError as err:
            _LOGGER.debug("There is no TLS session: %s", err)
        else:
            return True
    return False
