"""Finding the meter behind a port, and the security of its link."""

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from ..osgp import (
    DEFAULT_BAUDRATE,
    HostClock,
    Meter,
    MeterIdentity,
    SecurityMode,
    negotiate,
)
from .access import LinkSecurity
from .port import NETWORK_SCHEMES


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundMeter:
    """The meter behind a port, and how the link to it is protected.

    refused_tls says whether TLS was tried before, and the meter did answer.
    """

    identity: MeterIdentity
    security: LinkSecurity
    refused_tls: bool


async def find_meter(
    port: str,
    key: bytes,
    mode: SecurityMode | None,
    *,
    baudrate: int = DEFAULT_BAUDRATE,
    clock: HostClock,
) -> FoundMeter:
    """Return the meter behind a port, in a mode or, for None, the best that it accepts.

    TLS also finds out which of the meter's keys this is. Raises MeterError.
    """
    opened = await negotiate(
        lambda mode, kind: Meter.open(
            port, key, baudrate=baudrate, security=mode, key_kind=kind, clock=clock
        ),
        mode,
    )
    await opened.meter.close()
    return FoundMeter(
        identity=opened.meter.identity,
        security=LinkSecurity(mode=opened.mode, key_kind=opened.key_kind),
        refused_tls=opened.refused_tls,
    )


def is_exposed(port: str, security: LinkSecurity) -> bool:
    """Return whether others on the network can see or change the readings."""
    if security.mode is SecurityMode.TLS:
        return False
    address = urlsplit(port)
    if address.scheme not in NETWORK_SCHEMES:
        return False
    host = address.hostname or ""
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"
