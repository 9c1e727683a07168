"""The optical port of the simulated meter (ANSI C12.18), written from the guides alone.

In a test::

    optical = OpticalPort(SimulatedMeter(PROFILES["gen3"], paced=False))
    async with serve_tcp(optical, timers=driven_clock()) as url:
        ...
"""

from .access import Keys, Right
from .actions import OPTICAL_COMMANDS, parse_settings
from .codes import PASSWORD_LENGTH, Code, Service, State
from .faults import OPTICAL_KINDS, OpticalFault
from .line import OpticalLine
from .port import OpticalPort
from .settings import READ_KEY, FirstPacket, OpticalSettings

__all__ = [
    "OPTICAL_COMMANDS",
    "OPTICAL_KINDS",
    "PASSWORD_LENGTH",
    "READ_KEY",
    "Code",
    "FirstPacket",
    "Keys",
    "OpticalFault",
    "OpticalLine",
    "OpticalPort",
    "OpticalSettings",
    "Right",
    "Service",
    "State",
    "parse_settings",
]
