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
    MepUnsupportedSecurityError,
)
from .key import KeyKind, parse_key
from .load_profile import (
    REQUEST_PERIOD,
    LoadProfileBatch,
    LoadProfileDownload,
    LoadProfileInterval,
)
from .load_profile_channels import LoadProfileChannel
from .load_profile_sets import LoadProfileSet, best_data_set
from .meter import Meter, Readings, ResyncResult
from .registers import Register, Value
from .security.modes import SecurityMode
from .subjects import Subject
from .tables.clock import UtcClock
from .tables.events import MeterEvent
from .tables.load_profile_blocks import ChannelStatus, IntervalFlag
from .tables.mbus import MBusDevice
from .tables.mbus_telegram import MBusRecord
from .tls_probe import probe_tls
from .trace import ExchangeRecord, TablePart, Trace

__all__ = [
    "REQUEST_PERIOD",
    "ChannelStatus",
    "ExchangeRecord",
    "IntervalFlag",
    "KeyKind",
    "LinkStatistics",
    "LoadProfileBatch",
    "LoadProfileChannel",
    "LoadProfileDownload",
    "LoadProfileInterval",
    "LoadProfileSet",
    "MBusDevice",
    "MBusRecord",
    "MepAuthenticationError",
    "MepConnectionError",
    "MepDecodeError",
    "MepError",
    "MepProtocolError",
    "MepResponseError",
    "MepSecurityError",
    "MepTimeoutError",
    "MepUnsupportedSecurityError",
    "Meter",
    "MeterEvent",
    "MeterIdentity",
    "Readings",
    "Register",
    "ResyncResult",
    "SecurityMode",
    "Subject",
    "TablePart",
    "Trace",
    "UtcClock",
    "Value",
    "best_data_set",
    "parse_key",
    "probe_tls",
]
