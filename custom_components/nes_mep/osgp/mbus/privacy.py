"""Where M-Bus telegrams identify the meter that they come from."""

from collections.abc import Iterator
from itertools import pairwise

from ..tables.layout import Span
from .telegram import (
    ENCRYPTIONS,
    TELEGRAM_HEADER_LENGTH,
    VARIABLE_DATA,
    decode_record_header,
    record_boundaries,
    security_mode,
)
from .units import Form

SERIAL_NUMBER = Span(0, 4)


def identifying_spans(
    telegram: bytes,
    *,
    fixed: bool = False,
    big_endian: bool = False,
    decrypted: bool = False,
) -> Iterator[Span]:
    """Yield what identifies a meter, except the serial number in its header.

    These are records with digits or texts that are not measures and, in records that
    are not understood, the serial number again. Encrypted records yield nothing. The
    flags are those of decode_telegram.
    """
    mode = 0 if decrypted else security_mode(telegram, big_endian=big_endian)
    if fixed or mode in ENCRYPTIONS:
        return
    number = telegram[: SERIAL_NUMBER.end][::-1].hex()
    records = telegram[TELEGRAM_HEADER_LENGTH:]
    for start, end in pairwise(record_boundaries(records)):
        offset = TELEGRAM_HEADER_LENGTH + start
        raw = records[start:end]
        header = decode_record_header(raw)
        if header is None or header.measure is None:
            for span in serial_number_spans(raw, number):
                yield Span(offset + span.offset, span.length)
        elif header.measure.form is Form.IDENTIFIER:
            # The length byte of variable data is not part of the text.
            skipped = header.length + (header.data_field == VARIABLE_DATA)
            yield Span(offset + skipped, max(0, len(raw) - skipped))


def serial_number_spans(record: bytes, number: str) -> Iterator[Span]:
    """Yield where a serial number occurs in a record that is not understood."""
    packed, digits = bytes.fromhex(number), number.encode()
    for form in (packed, packed[::-1], digits, digits[::-1]):
        place = record.find(form)
        while place >= 0:
            yield Span(place, len(form))
            place = record.find(form, place + 1)
