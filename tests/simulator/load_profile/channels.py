"""Values of load profile channels that are not registers of the meter: M-Bus."""

from zoneinfo import ZoneInfo

from ..mbus import DATA_TYPE_HEADERS
from ..state import MeterState
from .memory import STATUS

SKIPPED = STATUS["skipped"]
_MISSING = STATUS["missing"]


def mbus_value(
    state: MeterState, zone: ZoneInfo, source: int, time: int
) -> tuple[int, int]:
    """Return the first four bytes of a device's record as INT32, and the status.

    ``source`` is an extended source id; the device is asked at the interval's end. One
    that is down keeps its last value, one that is not there, or has no such record, has
    none.
    """
    index, data_type = source >> 8 & 0xF, source & 0x1F
    slot = next((slot for slot in state.mbus if slot.index == index), None)
    if slot is None or not 1 <= data_type <= len(DATA_TYPE_HEADERS):
        return 0, _MISSING if slot is None else SKIPPED
    status, read = 0, time
    if slot.down(time):
        answered = slot.last_read(time)
        if answered is None:
            return 0, _MISSING
        status, read = _MISSING, answered
    header = bytes.fromhex(DATA_TYPE_HEADERS[data_type - 1])
    for record in slot.records(read, zone):
        if record.header == header:
            return int.from_bytes(record.data[:4], "little"), status
    return 0, SKIPPED
