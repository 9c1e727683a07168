"""Which of a meter's ports is read, and the link through it."""

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from enum import StrEnum
from typing import Final

from .host_clock import HostClock
from .key import KeyKind
from .link import Link
from .mep.client import MepClient
from .mep.message_port import MessagePort
from .mep.security.modes import SecurityMode, make_security
from .optical.client import OpticalClient
from .optical.line import Line
from .optical.memory import OpticalMemory
from .port import DEFAULT_BAUDRATE
from .statistics import LinkStatistics
from .trace import Trace


class MeterPort(StrEnum):
    """The ports of a meter, as configurations name them."""

    MEP = "mep"
    OPTICAL = "optical"


@dataclass(frozen=True, slots=True)
class Access:
    """How to reach a meter.

    url is a device path or a serialx URL, and port the port of the meter at its other
    end. key has the 16 bytes of the MEP key, or up to 20 of the key of the optical port.
    Of the MEP only are its baudrate, the one security mode that is used, and which key
    it is, which TLS needs to know. optical_memory is what is known of the optical port,
    the same for all links to it.
    """

    url: str
    key: bytes = field(repr=False)
    _: KW_ONLY
    port: MeterPort = MeterPort.MEP
    baudrate: int = DEFAULT_BAUDRATE
    security: SecurityMode = SecurityMode.DIGEST
    key_kind: KeyKind = KeyKind.BASIC
    optical_memory: OpticalMemory = field(default_factory=OpticalMemory)

    def link(self, *, trace: Trace, clock: HostClock) -> Link:
        """Return a link, which has sent nothing yet."""
        return _LINKS[self.port](self, trace, clock)


def _mep_link(access: Access, trace: Trace, clock: HostClock) -> Link:
    statistics = LinkStatistics()
    return MepClient(
        MessagePort(
            access.url, statistics=statistics, clock=clock, baudrate=access.baudrate
        ),
        make_security(access.security, access.key, access.key_kind),
        statistics=statistics,
        trace=trace,
        clock=clock,
    )


def _optical_link(access: Access, trace: Trace, clock: HostClock) -> Link:
    statistics = LinkStatistics()
    return OpticalClient(
        Line(access.url, statistics=statistics, clock=clock),
        access.key,
        statistics=statistics,
        trace=trace,
        clock=clock,
        memory=access.optical_memory,
    )


_LINKS: Final[Mapping[MeterPort, Callable[[Access, Trace, HostClock], Link]]] = {
    MeterPort.MEP: _mep_link,
    MeterPort.OPTICAL: _optical_link,
}
