"""Recent traffic of the link, without what identifies the meter.

Identifying numbers are replaced by others of the same length, so that everything else
can be decoded as before.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ..errors import DecodeError
from ..mbus.privacy import SERIAL_NUMBER, identifying_spans
from ..mbus.tables import (
    DEVICE_DIMENSIONS_LENGTH,
    EXTENDED_COUNT_OFFSET,
    MBUS_SLOTS,
    READING_HEADER_LENGTH,
    RECURRING_READ_HEADER_LENGTH,
    decode_device_dimensions,
    decode_extended_count,
)
from ..requests import PartialRead, ResponseCode, parse_request
from ..tables.identity import SERIAL_NUMBER_LENGTH
from ..tables.layout import Span
from ..tables.logs import LogKind, decode_log_dimensions, log_dimensions_length
from ..tables.names import parse_table, table_name
from ..trace import ExchangeRecord, TablePart, Trace
from .partial_table import PartialTable

_HARMLESS = frozenset(
    {
        *("BT00", "BT03", "BT15", "BT20", "BT21", "BT22", "BT23", "BT27"),
        *("BT28", "BT50", "BT52", "BT53", "BT54", "BT55", "BT61", "BT62", "BT63"),
        *("BT71", "BT74", "ET09", "ET11", "ET14", "ET21", "ET23", "ET29", "ET36"),
        *("ET42", "ET46", "ET54", "ET55", "ET57", "ET66", "ET79", "ET80", "ET81"),
        *("ET90", "ET97"),
    }
)
"""Tables that do not say whose meter it is. Tables that are neither here nor blanked
below are withheld: the load profile, and what is stored for the bill, because of what
they say about a home."""

_MANUFACTURERS_NUMBER = Span(16, 8)
"""Of BT01, where the optical port has the serial number that the manufacturer gave, BCD;
the MEP shows nothing there."""
_SERIAL_NUMBER = Span(0, SERIAL_NUMBER_LENGTH)
_TRANSCEIVER_ID = Span(4, 6)
_SEQUENCE_NUMBERS = (Span(103, 4), Span(129, 8))

_BT01 = parse_table("BT01")
_ET03 = parse_table("ET03")
_ET04 = parse_table("ET04")
_ET11 = parse_table("ET11")
_ET16 = parse_table("ET16")
_ET36 = parse_table("ET36")
_ET45 = parse_table("ET45")
_ET54 = parse_table("ET54")
_ET74 = parse_table("ET74")

_PACKET_HEAD = 3
_BLANK = ord("X")
_SHORTEST_NAME = 6
"""Shortest number, in characters, that is searched for everywhere; shorter ones match
by chance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactedExchange:
    """An exchange as it can be shown.

    withheld is how many bytes of table data are left out of the reply, at its end.
    """

    record: ExchangeRecord
    reply: bytes | None
    withheld: int


class Redactor:
    """Redacts what a trace holds; names are further texts that must not appear."""

    def __init__(self, trace: Trace, names: Iterable[str] = ()) -> None:
        """Copy what the trace holds now."""
        self._images = {table: _image(parts) for table, parts in trace.tables.items()}
        self._names = {
            name
            for name in (*(name.encode() for name in names), *self._own_names())
            if len(name) >= _SHORTEST_NAME
        }
        self._meters: dict[bytes, int] = {}

    def tables(self) -> Mapping[str, PartialTable]:
        """Return what is known of each table by its name."""
        images = {
            table: self._blanked(table, image.copy())
            for table, image in sorted(self._images.items())
        }
        return {
            table_name(table): image
            for table, image in images.items()
            if image is not None and len(image)
        }

    def exchanges(
        self, records: Iterable[ExchangeRecord]
    ) -> Iterator[RedactedExchange]:
        """Yield exchanges of the trace as they can be shown."""
        for record in records:
            reply, withheld = self._reply(record)
            yield RedactedExchange(record=record, reply=reply, withheld=withheld)

    def _reply(self, record: ExchangeRecord) -> tuple[bytes | None, int]:
        """Return the reply packet, and how many bytes are missing at its end."""
        reply = record.reply
        if reply is None:
            return None, 0
        if reply[0] == ResponseCode.INVALID_SEQUENCE:
            return reply[:1] + bytes(len(reply) - 1), 0
        if reply[0] != ResponseCode.OK:
            return reply[:1], len(reply) - 1
        head, data = reply[:_PACKET_HEAD], reply[_PACKET_HEAD:]
        request = parse_request(record.request)
        offset = request.offset if isinstance(request, PartialRead) else 0
        # What the bytes mean depends on those around them.
        image = self._image(request.table).copy()
        image.write(offset, data)
        blanked = self._blanked(request.table, image)
        shown = None if blanked is None else blanked.read(offset, len(data))
        return (head, len(data)) if shown is None else (head + shown, 0)

    def _image(self, table: int) -> PartialTable:
        return self._images.get(table, PartialTable())

    def _own_names(self) -> Iterator[bytes]:
        """Yield what identifies the meter itself, which may occur in any table."""
        yield (_bytes(self._image(_ET03), _SERIAL_NUMBER)).partition(b"\0")[0].strip()
        number = _bytes(self._image(_BT01), _MANUFACTURERS_NUMBER).lstrip(b"\0")
        yield number
        yield number.hex().lstrip("0").encode()
        transceiver = _bytes(self._image(_ET04), _TRANSCEIVER_ID)
        if any(transceiver):
            yield transceiver
            yield transceiver.hex().encode()
            yield transceiver.hex().upper().encode()

    def _blanked(self, table: int, image: PartialTable) -> PartialTable | None:
        """Blank what identifies the meter; return None if nothing may be shown."""
        if table == _BT01:
            _overwrite(image, _MANUFACTURERS_NUMBER)
        elif table == _ET03:
            _overwrite(image, _SERIAL_NUMBER)
        elif table == _ET04:
            for span in (_TRANSCEIVER_ID, *_SEQUENCE_NUMBERS):
                _overwrite(image, span)
        elif table in {_ET16, _ET45, _ET74}:
            self._blank_readings(image, table)
        elif table_name(table) not in _HARMLESS:
            return None
        for name in self._names:
            for offset, data in list(image.parts()):
                blanked = data.replace(name, b"X" * len(name))
                if blanked != data:
                    image.write(offset, blanked)
        return image

    def _blank_readings(self, image: PartialTable, table: int) -> None:
        """Blank M-Bus readings; drop everything outside the known readings."""
        try:
            head, entries = (
                self._latest_readings()
                if table == _ET16
                else self._scheduled_readings(table)
            )
        except DecodeError:
            head, entries = Span(0, 0), []
        shown = [head]
        for entry, reading in entries:
            end = self._blank_reading(image, reading)
            shown.append(Span(entry.offset, end - entry.offset))
        place = 0
        for span in shown:
            image.forget(Span(place, span.offset - place))
            place = span.end
        image.forget(Span(place, max(0, len(image) - place)))

    def _latest_readings(self) -> tuple[Span, list[tuple[Span, Span]]]:
        """Return head, entries and readings of ET16, except those of other devices."""
        known = self._image(_ET11).read(0, DEVICE_DIMENSIONS_LENGTH)
        if known is None:
            return Span(0, 0), []
        length = decode_device_dimensions(known).reading_length
        entries = [Span(slot * length, length) for slot in range(MBUS_SLOTS)]
        return Span(0, 0), [(entry, entry) for entry in entries]

    def _scheduled_readings(self, table: int) -> tuple[Span, list[tuple[Span, Span]]]:
        """Return head, entries and readings of ET45, or of ET74, which has its sizes."""
        kind = LogKind.SMALL if table == _ET45 else LogKind.MEDIUM
        head = Span(0, kind.header_length)
        image = self._image(_ET36)
        count = int.from_bytes(_bytes(image, Span(0, 1)))
        known = image.read(0, log_dimensions_length(count))
        log = None if known is None else decode_log_dimensions(known).get("ET45")
        if log is None:
            return head, []
        maximum = log.maximum_entries
        if table == _ET74:
            place = Span(EXTENDED_COUNT_OFFSET, 2)
            maximum = decode_extended_count(_bytes(self._image(_ET54), place))
        skipped = RECURRING_READ_HEADER_LENGTH
        entries = [
            Span(head.end + index * log.entry_length, log.entry_length)
            for index in range(maximum)
        ]
        return head, [
            (entry, Span(entry.offset + skipped, entry.length - skipped))
            for entry in entries
        ]

    def _blank_reading(self, image: PartialTable, reading: Span) -> int:
        """Blank the telegrams of a reading; return where what is understood ends."""
        place = reading.offset + READING_HEADER_LENGTH
        header = image.read(reading.offset, READING_HEADER_LENGTH)
        if header is None:
            return reading.offset
        flags = {
            "big_endian": bool(header[6] & 1),
            "fixed": bool(header[6] & 2),
            "decrypted": bool(header[6] & 4),
        }
        while place < reading.end:
            length = _bytes(image, Span(place, 1))
            if not length:
                return place
            place += 1
            if length == b"\0":
                # After the last telegram there may be remains of older ones.
                for known in list(image.known(place, reading.end)):
                    image.write(known.offset, bytes(known.length))
                return reading.end
            end = min(place + length[0], reading.end)
            telegram = _beginning(image, place, end)
            if len(telegram) < SERIAL_NUMBER.end:
                return place
            for span in identifying_spans(telegram, **flags):
                image.write(place + span.offset, bytes(span.length))
            number = telegram[: SERIAL_NUMBER.end]
            count = self._meters.setdefault(number, len(self._meters) + 1)
            image.write(place, bytes.fromhex(f"{count:08d}")[::-1])
            place += len(telegram)
            if place < end:
                return place
        return reading.end


def _image(parts: Iterable[TablePart]) -> PartialTable:
    image = PartialTable()
    for part in parts:
        image.write(part.offset, part.data)
    return image


def _bytes(image: PartialTable, span: Span) -> bytes:
    """Return the bytes of a span, empty unless all are known."""
    return image.read(span.offset, span.length) or b""


def _beginning(image: PartialTable, start: int, end: int) -> bytes:
    """Return the known bytes from start, up to the next gap."""
    known = next(image.known(start, end), Span(end, 0))
    return _bytes(image, known) if known.offset == start else b""


def _overwrite(image: PartialTable, span: Span) -> None:
    """Overwrite what is known within a span, except zeros."""
    for known in list(image.known(span.offset, span.end)):
        data = _bytes(image, known)
        image.write(known.offset, bytes(_BLANK if each else 0 for each in data))
