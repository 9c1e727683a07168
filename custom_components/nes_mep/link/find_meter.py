"""Finding the meter behind a port, and the security of its link."""

from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

from ..osgp import (
    DEFAULT_BAUDRATE,
    Access,
    HostClock,
    Meter,
    MeterIdentity,
    MeterPort,
    OpticalMemory,
    SecurityMode,
    negotiate,
)
from .access import LinkSecurity
from .port import NETWORK_SCHEMES


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundMeter:
    """The meter behind a port, and how the link to its MEP is protected.

    refused_tls says whether TLS was tried before, and the meter did answer. silences_mep
    says whether the MEP is dead while the meter is read, at its optical port.
    """

    identity: MeterIdentity
    security: LinkSecurity = field(default_factory=LinkSecurity)
    refused_tls: bool = False
    silences_mep: bool = False


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
            Access(port, key, baudrate=baudrate, security=mode, key_kind=kind),
            clock=clock,
        ),
        mode,
    )
    await opened.meter.close()
    return FoundMeter(
        identity=opened.meter.identity,
        security=LinkSecurity(mode=opened.mode, key_kind=opened.key_kind),
        refused_tls=opened.refused_tls,
    )


async def find_at_optical_port(
    port: str, key: bytes, *, memory: OpticalMemory, clock: HostClock
) -> FoundMeter:
    """Return the meter whose optical port is behind a port. Raises MeterError."""
    meter = await Meter.open(
        Access(port, key, port=MeterPort.OPTICAL, optical_memory=memory), clock=clock
    )
    silences_mep = meter.silences_mep
    await meter.close()
    return FoundMeter(identity=meter.identity, silences_mep=silences_mep)


def is_exposed(port: str, security: LinkSecurity) -> bool:
    """Return whether others on the network can see or change the readings."""
    return security.mode is not SecurityMode.TLS and is_in_open_network(port)


def is_in_open_network(port: str) -> bool:
    """Return whether others on the network can see or change what a port carries."""
    address = urlsplit(port)
    if address.scheme not in NETWORK_SCHEMES:
        return False
    host = address.hostname or ""
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"
