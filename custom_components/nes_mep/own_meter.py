"""Making sure that it is the meter of a config entry that answers."""

from homeassistant.config_entries import ConfigEntry
from homeassistant.exceptions import ConfigEntryError

from .const import DOMAIN
from .osgp import Meter, parse_table
from .osgp.tables.identity import (
    SERIAL_NUMBER_LENGTH,
    decode_serial_number,
    decode_transceiver_id,
)

_ET03 = parse_table("ET03")
_ET04 = parse_table("ET04")


class OwnMeter:
    """Tells whether the same meter answers as before, whenever its session began anew.

    The meter may have been exchanged: readings of another one would appear in the
    statistics as consumption.
    """

    def __init__(self, entry: ConfigEntry, meter: Meter) -> None:
        """Take a meter that was just opened.

        Raises ConfigEntryError, translated, if it is not the one of the entry.
        """
        self._entry = entry
        self._meter = meter
        self._require(meter.identity.serial_number)
        self._verified_sessions = self._sessions

    @property
    def _sessions(self) -> int:
        """How often the session with the meter began anew."""
        statistics = self._meter.statistics
        return (
            statistics.sequence_resyncs + statistics.reopens + statistics.tls_handshakes
        )

    async def async_verify(self) -> None:
        """Ask the meter who it is, if the session began anew since the last time.

        Raises MeterError, and ConfigEntryError for another meter.
        """
        if (sessions := self._sessions) != self._verified_sessions:
            self._require(await _read_serial_number(self._meter))
            self._verified_sessions = sessions

    def _require(self, serial_number: str) -> None:
        """Raise ConfigEntryError, translated, if that is not the meter of the entry."""
        if serial_number != self._entry.unique_id:
            raise ConfigEntryError(
                translation_domain=DOMAIN,
                translation_key="wrong_meter",
                translation_placeholders={
                    "meter": self._entry.title,
                    "serial_number": serial_number,
                },
            )


async def _read_serial_number(meter: Meter) -> str:
    """Read what MeterIdentity.serial_number is when a meter is opened. Raises MeterError."""
    number = decode_serial_number(
        await meter.read_table(_ET03, 0, SERIAL_NUMBER_LENGTH)
    )
    if number:
        return number
    return decode_transceiver_id(await meter.read_table(_ET04, 4, 6))
