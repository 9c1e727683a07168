"""Power outages: the log ET81, and the records at the start of ET09."""

from dataclasses import dataclass
from datetime import UTC, datetime

from .fields import DATE_TIME_LENGTH, TableData, optional_date_time
from .logs import LogDimensions, LogHeader, LogKind

OUTAGE_RECORDS_OFFSET = 6
"""Where the outage records of ET09 begin."""
OUTAGE_RECORD_LENGTH = 18
_OUTAGE_ENTRY_LENGTH = 2 * DATE_TIME_LENGTH


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A power outage, from start to end.

    The times are aware (UTC) or naive (the meter's local time), as the table has
    them. duration is in seconds, and None where local times do not give it, as
    over the end of daylight saving time.
    """

    start: datetime
    end: datetime
    duration: int | None


def outage_log_length(dimensions: LogDimensions) -> int:
    """Return the length of ET81; dimensions are those of ET36."""
    return LogKind.SMALL.header_length + dimensions.entries * dimensions.entry_length


def decode_outage_log(
    data: bytes, header: LogHeader, dimensions: LogDimensions
) -> tuple[Outage, ...]:
    """Decode ET81, outage_log_length() bytes, newest outage last.

    The guide lists the index of the last entry as fixed to 0, so the entries are
    ordered by their times and the newest valid_entries of the header are taken.
    """
    table = TableData("ET81", data)
    if dimensions.entries and dimensions.entry_length < _OUTAGE_ENTRY_LENGTH:
        raise table.error(
            0, len(data), f"entries of {dimensions.entry_length} bytes are too short"
        )
    outages: list[Outage] = []
    for index in range(dimensions.entries):
        offset = LogKind.SMALL.header_length + index * dimensions.entry_length
        start = optional_date_time(table, offset, None)
        end = optional_date_time(table, offset + DATE_TIME_LENGTH, None)
        if start is not None and end is not None:
            duration = int((end - start).total_seconds())
            outages.append(
                Outage(
                    start=start, end=end, duration=duration if duration >= 0 else None
                )
            )
    outages.sort(key=lambda outage: outage.start)
    return tuple(outages[max(0, len(outages) - header.valid_entries) :])


def decode_outage_records(
    data: bytes, outage_records: int, start: int = 0
) -> tuple[Outage, ...]:
    """Decode the outage records of ET09, newest outage last.

    data begins at the offset start of the table, at most 6; outage_records is
    ET04.53. Records that were never written are left out.
    """
    table = TableData("ET09", data, start=start)
    outages: list[Outage] = []
    for record in range(outage_records):
        offset = OUTAGE_RECORDS_OFFSET + OUTAGE_RECORD_LENGTH * record
        power_on = optional_date_time(table, offset, UTC)
        power_off = optional_date_time(table, offset + 8, UTC)
        duration = table.uint(offset + 14, 4)
        if power_on is not None and power_off is not None:
            outages.append(Outage(start=power_off, end=power_on, duration=duration))
    return tuple(reversed(outages))
