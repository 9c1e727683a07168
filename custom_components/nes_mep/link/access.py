"""What the data of an entry say about how its meter is reached."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from homeassistant.const import CONF_PORT

from ..const import (
    CONF_BAUDRATE,
    CONF_KEY,
    CONF_KEY_KIND,
    CONF_METER_PORT,
    CONF_SECURITY,
)
from ..osgp import (
    DEFAULT_BAUDRATE,
    Access,
    KeyKind,
    MeterPort,
    OpticalMemory,
    SecurityMode,
    parse_key,
    parse_optical_key,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkSecurity:
    """The security mode of a link, and which of the meter's keys it uses.

    Only TLS distinguishes the kinds of key; the other modes work with both.
    """

    mode: SecurityMode = SecurityMode.DIGEST
    key_kind: KeyKind = KeyKind.BASIC

    @classmethod
    def of_entry(cls, data: Mapping[str, Any]) -> Self:
        """Return what the data of an entry say; digest mode if they say nothing."""
        return cls(
            mode=SecurityMode(data.get(CONF_SECURITY, SecurityMode.DIGEST)),
            key_kind=KeyKind[data.get(CONF_KEY_KIND, KeyKind.BASIC.name).upper()],
        )

    @property
    def entry_data(self) -> dict[str, str]:
        """What an entry stores of it."""
        return {
            CONF_SECURITY: self.mode.value,
            CONF_KEY_KIND: self.key_kind.name.lower(),
        }


def meter_port_of(data: Mapping[str, Any]) -> MeterPort:
    """Return the port of the meter that is read: the MEP if the data name none."""
    return MeterPort(data.get(CONF_METER_PORT, MeterPort.MEP))


def key_of(data: Mapping[str, Any]) -> bytes:
    """Return the bytes of the key, which is of another kind at each port."""
    is_optical = meter_port_of(data) is MeterPort.OPTICAL
    return (parse_optical_key if is_optical else parse_key)(data[CONF_KEY])


def access_of(data: Mapping[str, Any], memory: OpticalMemory) -> Access:
    """Return how to reach the meter of an entry; memory is that of its optical port."""
    security = LinkSecurity.of_entry(data)
    return Access(
        data[CONF_PORT],
        key_of(data),
        port=meter_port_of(data),
        baudrate=data.get(CONF_BAUDRATE, DEFAULT_BAUDRATE),
        security=security.mode,
        key_kind=security.key_kind,
        optical_memory=memory,
    )
