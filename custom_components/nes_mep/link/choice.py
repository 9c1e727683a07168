"""How a person says that a meter is reached, and what is wrong with that."""

from dataclasses import dataclass, field

from homeassistant.const import CONF_PORT

from ..const import CONF_KEY
from ..osgp import (
    DEFAULT_BAUDRATE,
    MeterPort,
    SecurityMode,
    parse_key,
    parse_optical_key,
)
from .port import parse_port


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkChoice:
    """How a meter is to be reached, as it was entered.

    port is a device path or a serialx URL, and meter_port the port of the meter, None to
    detect it. mode, None for the best, and baudrate are of the MEP.
    """

    port: str
    key: str = field(repr=False)
    meter_port: MeterPort | None
    mode: SecurityMode | None = None
    baudrate: int = DEFAULT_BAUDRATE

    @property
    def is_optical(self) -> bool:
        """Whether the meter is to be read at its optical port."""
        return self.meter_port is MeterPort.OPTICAL

    @property
    def parsed_key(self) -> bytes:
        """The bytes of the key. Raises ValueError."""
        parse = parse_optical_key if self.is_optical else parse_key
        return parse(self.key)

    @property
    def errors(self) -> dict[str, str]:
        """What is wrong with the texts, by field."""
        errors: dict[str, str] = {}
        try:
            parse_port(self.port)
        except ValueError:
            errors[CONF_PORT] = "invalid_port"
        if not self._has_key:
            errors[CONF_KEY] = (
                "invalid_optical_key" if self.is_optical else "invalid_key_format"
            )
        return errors

    @property
    def _has_key(self) -> bool:
        """Whether the text of the key is one."""
        try:
            return bool(self.parsed_key)
        except ValueError:
            return False
