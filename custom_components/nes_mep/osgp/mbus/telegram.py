"""Telegrams of M-Bus meters: the application layer of EN 13757-3.

A telegram is what the meter keeps of an answer: the bytes after the CI field of a
variable (72) or a fixed (73) data structure, without checksum and stop byte.
"""

from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
import math
import struct

from ..tables.fields import TableData
from .units import (
    FIXED_MEDIUMS,
    FIXED_UNITS,
    MEDIUMS,
    UNKNOWN_MEDIUM,
    Form,
    Measure,
    measure,
)

TELEGRAM_NAME = "M-Bus telegram"
TELEGRAM_HEADER_LENGTH = 12
_FIXED_LENGTH = 16
_CONFIGURATION_WORD = slice(10, 12)
ENCRYPTIONS = frozenset({1, 2, 3, 4, 5, 7, 8, 9, 10, 13, 15})
"""Security modes that are encryptions (EN 13757-7)."""
_MOST_EXTENSIONS = 10

_FUNCTIONS = ("instantaneous", "maximum", "minimum", "error")
_INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 6: 6, 7: 8}
"""Data fields with an integer, and their lengths."""
_REAL = 5
_BCD = {9: 1, 0xA: 2, 0xB: 3, 0xC: 4, 0xE: 6}
"""Data fields with BCD digits, and their lengths."""
VARIABLE_DATA = 0xD
_LENGTHS = {0: 0, 8: 0, _REAL: 4, **_INTEGERS, **_BCD}

_FILLER = 0x2F
_SPECIAL = 0xF
_PLAIN_TEXT = 0x7C
_SAME_UNIT_HISTORIC = 0x3E

type MBusValue = float | str | date


@dataclass(frozen=True, slots=True, kw_only=True)
class MBusRecord:
    """A value of an M-Bus meter.

    value is a number in unit; a date or a datetime (the meter's local time) for
    the quantities "date" and "date_time"; a str for numbers and versions that
    identify. function is "instantaneous", "maximum", "minimum" or "error" (the
    value during an error). storage 0 is the present value, others are kept ones;
    tariff 0 is the total. qualifiers are those of the units module.
    """

    quantity: str
    value: MBusValue
    unit: str = ""
    storage: int = 0
    tariff: int = 0
    subunit: int = 0
    function: str = _FUNCTIONS[0]
    qualifiers: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """The key by which the records of a meter differ."""
        return register_key(
            self.quantity,
            self.qualifiers,
            storage=self.storage,
            tariff=self.tariff,
            subunit=self.subunit,
            function=self.function,
        )


def register_key(
    quantity: str,
    qualifiers: tuple[str, ...],
    *,
    storage: int,
    tariff: int,
    subunit: int,
    function: str,
) -> str:
    """Return the key of a register of an M-Bus meter."""
    parts = [quantity, *qualifiers]
    for name, number in (
        ("subunit", subunit),
        ("tariff", tariff),
        ("storage", storage),
    ):
        if number:
            parts.append(f"{name}_{number}")
    if function != _FUNCTIONS[0]:
        parts.append(function)
    return "_".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class MBusTelegram:
    """A decoded telegram.

    manufacturer (three letters) is empty in a fixed data structure, which has no
    version either. encrypted telegrams have no records. unknown_records are the
    bytes of records that are not understood.
    """

    serial_number: str
    manufacturer: str
    version: int
    medium: str
    power_low: bool
    permanent_error: bool
    temporary_error: bool
    encrypted: bool
    records: tuple[MBusRecord, ...]
    unknown_records: tuple[bytes, ...]


def decode_telegram(
    data: bytes,
    *,
    fixed: bool = False,
    big_endian: bool = False,
    decrypted: bool = False,
) -> MBusTelegram:
    """Decode a telegram with a variable or a fixed data structure.

    big_endian (mode 2) says that numbers have their most significant byte first.
    decrypted says that the records were decrypted before they were stored, so that the
    configuration word in the header no longer means encryption. A telegram may end
    inside a record. Raises DecodeError where the header is not complete.
    """
    table = TableData(TELEGRAM_NAME, data)
    if fixed:
        return _decode_fixed(table, big_endian=big_endian)
    manufacturer = int.from_bytes(_ordered(table.raw(4, 2), big_endian), "little")
    table.raw(0, TELEGRAM_HEADER_LENGTH)
    encrypted = not decrypted and _is_encrypted(data, big_endian=big_endian)
    records, unknown = (
        ((), ())
        if encrypted
        else decode_records(data[TELEGRAM_HEADER_LENGTH:], big_endian=big_endian)
    )
    return MBusTelegram(
        serial_number=_serial_number(table, big_endian=big_endian),
        manufacturer=_manufacturer(manufacturer),
        version=table.uint(6),
        medium=MEDIUMS.get(table.uint(7), UNKNOWN_MEDIUM),
        power_low=table.bit(9, 2),
        permanent_error=table.bit(9, 3),
        temporary_error=table.bit(9, 4),
        encrypted=encrypted,
        records=records,
        unknown_records=unknown,
    )


def security_mode(telegram: bytes, *, big_endian: bool = False) -> int:
    """Return bits 8 to 12 of the configuration word of a variable telegram."""
    word = _ordered(telegram[_CONFIGURATION_WORD], big_endian)
    return int.from_bytes(word, "little") >> 8 & 0x1F


def _is_encrypted(telegram: bytes, *, big_endian: bool) -> bool:
    """Return whether the records of a variable telegram are encrypted.

    Mode 0 is plain, whatever the other bits of the word are. Makers of old meters use
    the word for something else, so that it names a mode that does not exist; others
    scramble the records in such a mode of their own. It is plain where all bytes are
    records that are understood.
    """
    mode = security_mode(telegram, big_endian=big_endian)
    if mode == 0 or mode in ENCRYPTIONS:
        return mode != 0
    _, unknown = decode_records(
        telegram[TELEGRAM_HEADER_LENGTH:], big_endian=big_endian
    )
    return bool(unknown)


def _serial_number(table: TableData, *, big_endian: bool) -> str:
    return _ordered(table.raw(0, 4), big_endian)[::-1].hex().upper()


def _manufacturer(number: int) -> str:
    """Return the three letters, of five bits each."""
    return "".join(chr(64 + (number >> shift & 0x1F)) for shift in (10, 5, 0))


def _ordered(raw: bytes, big_endian: bool) -> bytes:
    """Return bytes with the least significant one first."""
    return raw[::-1] if big_endian else raw


def _decode_fixed(table: TableData, *, big_endian: bool) -> MBusTelegram:
    """Decode a fixed data structure, 16 bytes with two counters."""
    table.raw(0, _FIXED_LENGTH)
    medium_and_units = table.uint(6, 2)
    codes = [medium_and_units & 0x3F, medium_and_units >> 8 & 0x3F]
    medium = medium_and_units >> 6 & 3 | medium_and_units >> 12 & 0xC
    binary, stored = table.bit(5, 0), int(table.bit(5, 1))
    storages = [stored, stored]
    subunits = [0, 1]
    if codes[1] == _SAME_UNIT_HISTORIC:
        codes[1], storages[1], subunits[1] = codes[0], 1, 0
    records: list[MBusRecord] = []
    unknown: list[bytes] = []
    for counter in range(2):
        raw = table.raw(8 + 4 * counter, 4)
        number = decode_number(4 if binary else 0xC, _ordered(raw, big_endian))
        unit = FIXED_UNITS.get(codes[counter])
        if unit is None or number is None:
            unknown.append(raw)
        else:
            records.append(
                MBusRecord(
                    quantity=unit.quantity,
                    value=unit.scale(number),
                    unit=unit.unit,
                    storage=storages[counter],
                    subunit=subunits[counter],
                )
            )
    return MBusTelegram(
        serial_number=_serial_number(table, big_endian=big_endian),
        manufacturer="",
        version=0,
        medium=FIXED_MEDIUMS.get(medium, UNKNOWN_MEDIUM),
        power_low=table.bit(5, 2),
        permanent_error=table.bit(5, 3),
        temporary_error=table.bit(5, 4),
        encrypted=False,
        records=tuple(records),
        unknown_records=tuple(unknown),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordHeader:
    """A data record header: which register a record holds.

    measure is None where the value information is not known. data_field is the
    code of the form of the data; length is that of the header in bytes.
    """

    measure: Measure | None
    data_field: int
    storage: int
    tariff: int
    subunit: int
    function: str
    length: int


def decode_record_header(data: bytes) -> RecordHeader | None:
    """Decode the data record header at the start of data.

    The result is None if data ends before the header does or the header has more
    extensions than the standard allows, and for special functions, which are not
    records.
    """
    information = _chain(data)
    if information is None or data[0] & 0xF == _SPECIAL:
        return None
    storage, tariff, subunit = data[0] >> 6 & 1, 0, 0
    for index, extension in enumerate(information[1:]):
        storage |= (extension & 0xF) << 4 * index + 1
        tariff |= (extension >> 4 & 3) << 2 * index
        subunit |= (extension >> 6 & 1) << index
    codes = _chain(data[len(information) :])
    if codes is None:
        return None
    length, meaning = len(information) + len(codes), measure(codes)
    if codes[0] & 0x7F == _PLAIN_TEXT:
        # The unit is plain text between the code and its extensions.
        text = len(information) + 1
        if len(data) <= text:
            return None
        text += 1 + data[text]
        extensions = _chain(data[text:]) if codes[0] & 0x80 else b""
        if len(data) < text or extensions is None:
            return None
        length, meaning = text + len(extensions), None
    return RecordHeader(
        measure=meaning,
        data_field=data[0] & 0xF,
        storage=storage,
        tariff=tariff,
        subunit=subunit,
        function=_FUNCTIONS[data[0] >> 4 & 3],
        length=length,
    )


def _chain(data: bytes) -> bytes | None:
    """Return a code with its extensions, each of which says whether one follows."""
    for length, code in enumerate(data[: _MOST_EXTENSIONS + 1], 1):
        if not code & 0x80:
            return data[:length]
    return None


def decode_records(
    data: bytes, *, big_endian: bool = False
) -> tuple[tuple[MBusRecord, ...], tuple[bytes, ...]]:
    """Decode data records; return those that are understood, and the others' bytes.

    What comes after a record whose length is not known, and manufacturer specific
    data, is one unknown record. A single zero at the end is the terminator that
    the meter adds.
    """
    records: list[MBusRecord] = []
    unknown: list[bytes] = []
    for start, end in pairwise(record_boundaries(data)):
        raw = data[start:end]
        if raw[0] == _FILLER or (raw == b"\0" and end == len(data)):
            continue
        record = _decode_record(raw, big_endian=big_endian)
        if record is None:
            unknown.append(raw)
        else:
            records.append(record)
    return tuple(records), tuple(unknown)


def record_boundaries(data: bytes) -> list[int]:
    """Return where records begin, and the end of the last one."""
    boundaries = [0]
    while boundaries[-1] < len(data):
        position = boundaries[-1]
        length = 1 if data[position] == _FILLER else _record_length(data[position:])
        end = len(data) if length is None else position + length
        boundaries.append(min(end, len(data)))
    return boundaries


def _record_length(data: bytes) -> int | None:
    header = decode_record_header(data)
    if header is None:
        return None
    if header.data_field != VARIABLE_DATA:
        return header.length + _LENGTHS[header.data_field]
    if header.length >= len(data):
        return None
    length = _variable_length(data[header.length])
    return None if length is None else header.length + 1 + length


def _variable_length(code: int) -> int | None:
    """Return how many bytes follow the length code of variable data."""
    if code < 0xC0:
        return code
    if code >> 4 in {0xC, 0xD, 0xE} and (code & 0xF <= 9 or code >> 4 == 0xE):
        return code & 0xF
    return None


def _decode_record(raw: bytes, *, big_endian: bool) -> MBusRecord | None:
    """Return the value of a whole record, or None if it is not understood."""
    header = decode_record_header(raw)
    if header is None or header.measure is None or _record_length(raw) != len(raw):
        return None
    if big_endian and header.data_field == VARIABLE_DATA:
        return None
    data = _ordered(raw[header.length :], big_endian)
    value = _value(header.measure, header.data_field, data)
    if value is None:
        return None
    return MBusRecord(
        quantity=header.measure.quantity,
        value=value,
        unit=header.measure.unit,
        storage=header.storage,
        tariff=header.tariff,
        subunit=header.subunit,
        function=header.function,
        qualifiers=header.measure.qualifiers,
    )


def _value(meaning: Measure, data_field: int, data: bytes) -> MBusValue | None:
    match meaning.form:
        case Form.NUMBER:
            number = decode_number(data_field, data)
            return None if number is None else meaning.scale(number)
        case Form.FLAGS:
            return int.from_bytes(data, "little") if data_field in _INTEGERS else None
        case Form.DATE:
            return _date(data) if data_field == 2 else None
        case Form.DATE_TIME:
            return _date_time(data) if data_field in {4, 6} else None
        case Form.IDENTIFIER:
            return _identifier(data_field, data)


def number_length(data_field: int) -> int:
    """Return how many bytes a number of a data field has, 0 if it holds none."""
    is_number = data_field in {*_INTEGERS, *_BCD, _REAL}
    return _LENGTHS[data_field] if is_number else 0


def decode_number(data_field: int, data: bytes) -> float | None:
    """Return a number, or None if the data is not a number or marked as invalid."""
    if data_field in _INTEGERS:
        number = int.from_bytes(data, "little", signed=True)
        return None if number == -(1 << 8 * len(data) - 1) else number
    if data_field in _BCD:
        return _bcd(data)
    if data_field == _REAL:
        real: float = struct.unpack("<f", data)[0]
        return real if math.isfinite(real) else None
    return None


def _bcd(data: bytes) -> int | None:
    """Return the number of BCD digits; F as the first digit stands for minus."""
    digits = data[::-1].hex()
    negative = digits.startswith("f")
    digits = digits.removeprefix("f")
    if not digits.isdecimal():
        return None
    return -int(digits) if negative else int(digits)


def _identifier(data_field: int, data: bytes) -> str | None:
    """Return digits or text that identify something."""
    if data_field == VARIABLE_DATA:
        text = data[:0:-1]
        readable = data[0] < 0xC0 and text.isascii()
        return text.decode("ascii").strip() if readable else None
    if data_field in _BCD:
        digits = data[::-1].hex()
        return digits if digits.isdecimal() else None
    if data_field in _INTEGERS:
        return str(int.from_bytes(data, "little"))
    return None


def _date_parts(bits: int, century: int = 0) -> tuple[int, int, int]:
    """Return year, month and day of the 16 bits of a date.

    Years without a century are those from 1981 to 2080. Raises ValueError for
    years that a century does not have.
    """
    year = bits >> 5 & 7 | bits >> 9 & 0x78
    if year > 99:
        raise ValueError(year)
    if not century and year <= 80:
        century = 1
    return 1900 + 100 * century + year, bits >> 8 & 0xF, bits & 0x1F


def _date(data: bytes) -> date | None:
    """Return a date (type G)."""
    try:
        return date(*_date_parts(int.from_bytes(data, "little")))
    except ValueError:
        return None


def _date_time(data: bytes) -> datetime | None:
    """Return a local date and time, of four (type F) or six bytes (type I)."""
    second = 0
    if len(data) == 6:
        second, data = data[0] & 0x3F, data[1:]
        century = 1
    else:
        century = data[1] >> 5 & 3
    minute, hour = data[0] & 0x3F, data[1] & 0x1F
    if data[0] & 0x80:
        return None
    try:
        parts = _date_parts(int.from_bytes(data[2:4], "little"), century)
        # In the meter's local time, of which the telegram names no zone.
        return datetime(*parts, hour, minute, second, tzinfo=None)  # noqa: DTZ001
    except ValueError:
        return None
