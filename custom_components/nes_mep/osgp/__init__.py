"""Client for the MEP and the optical port of NES/Echelon (OSGP) meters.

It does not need Home Assistant and can be used by itself. The protocol is that of the
MEP Client Developer's Guide of the OSGP Alliance ("the guide") and of its Optical Port
Programmer's Guide.
"""

from .access import Access, MeterPort
from .billing import BillingReading
from .diagnostics.redaction import RedactedExchange, Redactor
from .diagnostics.survey import survey
from .discovery import MeterIdentity
from .errors import (
    DecodeError,
    KeyRefusedError,
    MeterError,
    NoReplyError,
    PortError,
    RefusalError,
    TlsError,
    TlsRequiredError,
    TlsUnsupportedError,
    UnverifiedReplyError,
)
from .host_clock import HOST_CLOCK, HostClock
from .key import KeyKind, parse_key, parse_optical_key
from .layout import Readings
from .load_profile.channels import LoadProfileChannel
from .load_profile.data_sets import LoadProfileSet, best_data_set
from .load_profile.download import (
    REQUEST_PERIOD,
    LoadProfileBatch,
    LoadProfileDownload,
    LoadProfileInterval,
)
from .mbus.privacy import serial_number_spans
from .mbus.tables import MBusDevice
from .mbus.telegram import MBusRecord
from .mbus.units import UNITS as MBUS_UNITS
from .mep.security.modes import SecurityMode
from .mep.tls_probe import probe_tls
from .meter import Meter, ResyncResult
from .negotiation import OpenedMeter, negotiate
from .optical.memory import OpticalMemory
from .optical.probe import probe_optical
from .pasting import pasted_text
from .port import DEFAULT_BAUDRATE
from .refusals import is_out_of_reach
from .registers import Register, Value
from .requests import ResponseCode
from .slow_table import SlowTable
from .statistics import LinkStatistics
from .tables.clock import UtcClock
from .tables.event_kinds import EVENT_NAMES
from .tables.events import MeterEvent
from .tables.identity import SystemInformation
from .tables.load_profile_blocks import ChannelStatus, IntervalFlag
from .tables.names import parse_table, table_name
from .tariff_schedule import TariffSpan
from .tariffs import Tariffs
from .trace import ExchangeRecord, TablePart, Trace

__all__ = [
    "DEFAULT_BAUDRATE",
    "EVENT_NAMES",
    "HOST_CLOCK",
    "MBUS_UNITS",
    "REQUEST_PERIOD",
    "Access",
    "BillingReading",
    "ChannelStatus",
    "DecodeError",
    "ExchangeRecord",
    "HostClock",
    "IntervalFlag",
    "KeyKind",
    "KeyRefusedError",
    "LinkStatistics",
    "LoadProfileBatch",
    "LoadProfileChannel",
    "LoadProfileDownload",
    "LoadProfileInterval",
    "LoadProfileSet",
    "MBusDevice",
    "MBusRecord",
    "Meter",
    "MeterError",
    "MeterEvent",
    "MeterIdentity",
    "MeterPort",
    "NoReplyError",
    "OpenedMeter",
    "OpticalMemory",
    "PortError",
    "Readings",
    "RedactedExchange",
    "Redactor",
    "RefusalError",
    "Register",
    "ResponseCode",
    "ResyncResult",
    "SecurityMode",
    "SlowTable",
    "SystemInformation",
    "TablePart",
    "TariffSpan",
    "Tariffs",
    "TlsError",
    "TlsRequiredError",
    "TlsUnsupportedError",
    "Trace",
    "UnverifiedReplyError",
    "UtcClock",
    "Value",
    "best_data_set",
    "is_out_of_reach",
    "negotiate",
    "parse_key",
    "parse_optical_key",
    "parse_table",
    "pasted_text",
    "probe_optical",
    "probe_tls",
    "serial_number_spans",
    "survey",
    "table_name",
]
