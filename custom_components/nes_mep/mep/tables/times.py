"""Times that a meter keeps of things that may never have happened."""

from datetime import datetime, tzinfo

from ..errors import MepDecodeError
from .data import TableData

DATE_TIME_LENGTH = 6


def optional_date_time(
    table: TableData, offset: int, zone: tzinfo | None
) -> datetime | None:
    """Return a LTIME_DATE, or None where the six bytes are no date and time.

    Meters fill the times of what never happened with zeros. Raises MepDecodeError
    where the bytes do not reach.
    """
    table.raw(offset, DATE_TIME_LENGTH)
    try:
        return table.date_time(offset, zone)
    except MepDecodeError:
        return None
