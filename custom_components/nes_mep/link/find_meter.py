"""How the link to a meter is protected: as entries keep it, and how it is found out."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
import logging
from typing import Any, Self
from urllib.parse import urlsplit

from ..const import CONF_KEY_KIND, CONF_SECURITY
from ..osgp import (
    HostClock,
    KeyKind,
    KeyRefusedError,
    Meter,
    MeterIdentity,
    NoReplyError,
    SecurityMode,
    TlsError,
)

_LOGGER = logging.getLogger(__name__)

_PLAIN_SCHEMES = frozenset({"rfc2217", "socket", "tcp"})
"""Ports in the network whose bytes travel as they are."""

_NO_SESSION = (TlsError, NoReplyError)
"""What a meter that does not know TLS may lead to: a refusal, nonsense or silence."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkSecurity:
    """The mode of security of a link, and which of the meter's keys it uses.

    Only TLS tells the kinds of keys apart; the other modes work with both.
    """

    mode: SecurityMode = SecurityMode.DIGEST
    key_kind: KeyKind = KeyKind.BASIC

    @classmethod
    def of_entry(cls, data: Mapping[str, Any]) -> Self:
        """Return what the data of an entry say; without a word, the old mode."""
        return cls(
            mode=SecurityMode(data.get(CONF_SECURITY, SecurityMode.DIGEST)),
            key_kind=KeyKind[data.get(CONF_KEY_KIND, KeyKind.BASIC.name).upper()],
        )

    @property
    def entry_data(self) -> dict[str, str]:
        """What an entry keeps of it."""
        return {
            CONF_SECURITY: self.mode.value,
            CONF_KEY_KIND: self.key_kind.name.lower(),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundMeter:
    """The meter behind a port, and how the link to it is protected."""

    identity: MeterIdentity
    security: LinkSecurity


async def find_meter(
    port: str, key: bytes, mode: SecurityMode | None, *, clock: HostClock
) -> FoundMeter:
    """Return the meter behind a port, in a mode or, for None, in the best it takes.

    TLS is tried first, for it reveals nothing, and the old mode only if there is no
    session. A meter that refuses the key in TLS, or falls silent in a session, knows
    TLS: that is the end.
    Raises MeterError.
    """
    if mode is None:
        try:
            return await _find_by_tls(port, key, clock)
        except _NO_SESSION as err:
            if err.had_session:
                raise
            _LOGGER.debug("The meter is not read over TLS: %s", err)
        mode = SecurityMode.DIGEST
    if mode is SecurityMode.TLS:
        return await _find_by_tls(port, key, clock)
    return await _find(port, key, LinkSecurity(mode=mode), clock)


async def _find_by_tls(port: str, key: bytes, clock: HostClock) -> FoundMeter:
    """Return the meter behind a port, and learn which of its keys this is."""
    basic, advanced = (
        LinkSecurity(mode=SecurityMode.TLS, key_kind=kind)
        for kind in (KeyKind.BASIC, KeyKind.ADVANCED)
    )
    try:
        return await _find(port, key, basic, clock)
    except KeyRefusedError as refusal:
        try:
            return await _find(port, key, advanced, clock)
        except _NO_SESSION:
            raise refusal from None


async def _find(
    port: str, key: bytes, security: LinkSecurity, clock: HostClock
) -> FoundMeter:
    """Return the meter behind a port."""
    meter = await Meter.open(
        port, key, security=security.mode, key_kind=security.key_kind, clock=clock
    )
    await meter.close()
    return FoundMeter(identity=meter.identity, security=security)


def is_exposed(port: str, security: LinkSecurity) -> bool:
    """Return whether others in the network can see or change what the meter says."""
    if security.mode is SecurityMode.TLS:
        return False
    address = urlsplit(port)
    if address.scheme not in _PLAIN_SCHEMES:
        return False
    host = address.hostname or ""
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"
