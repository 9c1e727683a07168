"""Access to the little-endian fields of a table (guide, "Data types")."""

from dataclasses import dataclass
from datetime import datetime, tzinfo

from ..errors import DecodeError

_CENTURY = 2000

DATE_TIME_LENGTH = 6


@dataclass(frozen=True, slots=True)
class TableData:
    """Bytes of a table from an offset on.

    name is the table's name, as errors quote it. All offsets are those of the table,
    also when the bytes begin inside it. Every accessor raises DecodeError if there are
    too few bytes.
    """

    name: str
    data: bytes
    start: int = 0

    def raw(self, offset: int, length: int) -> bytes:
        """Return length bytes."""
        begin = offset - self.start
        if not self.has(offset, length):
            raise self.error(
                offset,
                length,
                f"only {len(self.data)} bytes from {self.start} on are there",
            )
        return self.data[begin : begin + length]

    def has(self, offset: int, length: int) -> bool:
        """Return whether the bytes of a field are there."""
        return self.start <= offset and offset + length <= self.start + len(self.data)

    def uint(self, offset: int, length: int = 1) -> int:
        """Return an unsigned number."""
        return int.from_bytes(self.raw(offset, length), "little")

    def int32(self, offset: int) -> int:
        """Return a signed number of four bytes."""
        return int.from_bytes(self.raw(offset, 4), "little", signed=True)

    def bit(self, offset: int, number: int) -> bool:
        """Return a bit of a byte, counted from the lowest."""
        return bool(self.uint(offset) >> number & 1)

    def text(self, offset: int, length: int) -> str:
        """Return ASCII text, which ends at the first NUL and loses its padding.

        Bytes that are not printable ASCII characters are shown in hex.
        """
        raw = self.raw(offset, length).partition(b"\0")[0].strip()
        return "".join(
            chr(byte) if 0x20 <= byte < 0x7F else f"\\x{byte:02x}" for byte in raw
        )

    def date_time(self, offset: int, zone: tzinfo | None) -> datetime:
        """Return a LTIME_DATE: year - 2000, month, day, hour, minute, second."""
        year, month, day, hour, minute, second = self.raw(offset, 6)
        try:
            return datetime(
                _CENTURY + year, month, day, hour, minute, second, tzinfo=zone
            )
        except ValueError as err:
            raise self.error(offset, 6, f"no date and time: {err}") from err

    def event_time(self, offset: int) -> datetime | None:
        """Return a STIME_DATE: year - 2000, month, day, hour, minute, as it is.

        Return None if it is no date and time, as where all is zero: what it is the time
        of has not happened yet.
        """
        year, month, day, hour, minute = self.raw(offset, 5)
        try:
            # In the meter's local time, whose zone the field does not name.
            return datetime(_CENTURY + year, month, day, hour, minute)  # noqa: DTZ001
        except ValueError:
            return None

    def limited(self, offset: int, maximum: int, length: int = 1) -> int:
        """Return an unsigned number that the guide limits.

        Raises DecodeError for a greater one: what it is the size of cannot be so large.
        """
        number = self.uint(offset, length)
        if number > maximum:
            raise self.error(offset, length, f"{number} is more than {maximum}")
        return number

    def error(self, offset: int, length: int, problem: str) -> DecodeError:
        """Return the error for a place in this table."""
        return DecodeError(self.name, offset, length, problem)


def optional_date_time(
    table: TableData, offset: int, zone: tzinfo | None
) -> datetime | None:
    """Return a LTIME_DATE, or None if the six bytes are not a date and time.

    Meters fill the times of what never happened with zeros. Raises DecodeError if there
    are too few bytes.
    """
    table.raw(offset, DATE_TIME_LENGTH)
    try:
        return table.date_time(offset, zone)
    except DecodeError:
        return None
