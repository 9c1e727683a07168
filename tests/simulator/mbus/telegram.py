"""M-Bus telegrams from their records (EN 13757-3), without the frame around them.

The meter keeps what follows the CI field: the header, the records, and a final 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

# ET57: data record headers of the data types 1 to 4, the last one in two entries.
DATA_TYPE_HEADERS = ("0C14", "0C13", "0C06", "8C80407F21")


@dataclass(frozen=True, slots=True)
class Record:
    """One data record; ``name`` and ``value`` are what a client should make of it.

    Values are thousandths of m3, kWh, W, m3/h and degrees Celsius.
    """

    header: bytes  # DIF, DIFE, VIF, VIFE
    data: bytes
    name: str | None = None
    value: int | None = None

    def __bytes__(self) -> bytes:
        """Return it as it is sent."""
        return self.header + self.data


def bcd(header: str, digits: int, number: int, name: str, scale: int = 1) -> Record:
    """Return a record of BCD digits; the value is ``number`` times ``scale``."""
    number %= 10**digits
    data = bytes.fromhex(f"{number:0{digits}d}")[::-1]
    return Record(bytes.fromhex(header), data, name, number * scale)


def integer(header: str, length: int, number: int, name: str | None = None) -> Record:
    """Return a record of a little-endian integer, signed."""
    data = number.to_bytes(length, "little", signed=True)
    return Record(bytes.fromhex(header), data, name, number if name else None)


def moment(header: str, time: datetime) -> Record:
    """Return a record of date and time (type F, 4 bytes)."""
    year = time.year - 2000
    data = bytes(
        (
            time.minute,
            time.hour | 1 << 5,  # the century: 2000
            time.day | (year & 0b111) << 5,
            time.month | (year >> 3) << 4,
        )
    )
    return Record(bytes.fromhex(header), data)


def day(header: str, when: date) -> Record:
    """Return a record of a date (type G, 2 bytes)."""
    year = when.year - 2000
    data = bytes((when.day | (year & 0b111) << 5, when.month | (year >> 3) << 4))
    return Record(bytes.fromhex(header), data)


def raw(header: str, data: str) -> Record:
    """Return a record of given bytes, which nobody can name."""
    return Record(bytes.fromhex(header), bytes.fromhex(data))


def manufacturer_code(name: str) -> int:
    """Return the number of a manufacturer's three letters."""
    first, second, third = (ord(letter) - 64 for letter in name)
    return (first * 32 + second) * 32 + third


def serial_bytes(serial: str) -> bytes:
    """Return eight digits as packed BCD, lowest byte first."""
    return bytes.fromhex(serial)[::-1]


def variable(
    serial: str,
    manufacturer: str,
    version: int,
    medium: int,
    access: int,
    status: int,
    records: Sequence[Record],
) -> bytes:
    """Return the user data of a telegram with CI 72."""
    return (
        serial_bytes(serial)
        + manufacturer_code(manufacturer).to_bytes(2, "little")
        + bytes((version, medium, access & 0xFF, status, 0, 0))
        + b"".join(map(bytes, records))
    )


def fixed(
    serial: str, access: int, status: int, medium_unit: bytes, counters: Sequence[int]
) -> bytes:
    """Return the user data of a telegram with CI 73, counters in BCD."""
    return (
        serial_bytes(serial)
        + bytes((access & 0xFF, status))
        + medium_unit
        + b"".join(bytes.fromhex(f"{c % 10**8:08d}")[::-1] for c in counters)
    )
