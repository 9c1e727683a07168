"""Client for the MEP (Multipurpose Expansion Port) of NES/Echelon (OSGP) meters.

It knows nothing of Home Assistant and can be used by itself. The protocol is that
of the MEP Client Developer's Guide of the OSGP Alliance ("the guide").
"""

from .client import LinkStatistics
from .discovery import MeterIdentity
from .errors import (
    MepAuthenticationError,
    MepConnectionError,
    MepDecodeError,
    MepError,
    MepProtocolError,
    MepResponseError,
    MepSecurityError,
    MepTimeoutError,
)
from .key import parse_key
from .meter import Meter, Readings, ResyncResult
from .registers import Register
from .tables.clock import UtcClock

__all__ = [
    "LinkStatistics",
    "MepAuthenticationError",
    "MepConnectionError",
    "MepDecodeError",
    "MepError",
    "MepProtocolError",
    "MepResponseError",
    "MepSecurityError",
    "MepTimeoutError",
    "Meter",
    "MeterIdentity",
    "Readings",
    "Register",
    "ResyncResult",
    "UtcClock",
    "parse_key",
]
