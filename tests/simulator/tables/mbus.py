"""M-Bus devices: ET13, ET14, ET16, ET34, ET45, ET57, ET58, ET74."""

from datetime import UTC, datetime

from ..mbus import (
    DATA_TYPE_HEADERS,
    MbusSlot,
    SlotStatus,
    scheduled_reads,
    scheduled_total,
)
from ..profiles import Profile
from .layout import Layout, View, Writer, long_time, ring, table

CONFIGURATION, STATUS, DATA, MORE = 66, 36, 517, 22  # ET11: sizes of entries
DATA_TYPES = 16  # ET11.25
_SLOTS = 4
_LOG_ENTRY = 525
_FIXED = 1 << 1  # ET16.6: the telegram has a fixed structure
_SUCCESS = 4
_COLLECTED, _NEW_ALARM, _NO_ANSWER = 1 << 0, 1 << 2, 1 << 4  # ET14: alarms


def devices(profile: Profile) -> int:
    """Return ET11.0: four M-Bus slots and one or two MEP clients."""
    return _SLOTS + (2 if profile.generation4 else 1)


def _local(view: View, time: int | None) -> bytes:
    if time is None:
        return bytes(6)
    return long_time(datetime.fromtimestamp(time, UTC).astimezone(view.zone))


def _read(view: View, slot: MbusSlot) -> int | None:
    """Return when what ET16 holds was read."""
    in_data = not view.profile.reads_in_log_only
    return slot.last_read(view.time, scheduled=in_data)


def _billing_read(view: View, slot: MbusSlot, time: int) -> bytes:
    """Return one read as ET16 and ET45 keep it: time, flags, length, telegram."""
    telegram = slot.telegram(time, view.zone)
    info = _FIXED if slot.device.fixed else 0
    return _local(view, time) + bytes((info, len(telegram))) + telegram


@table("ET13", Writer.ADVANCED)
def device_configuration(view: View) -> bytes:
    """Schedules, baud rates and customers of the devices."""
    layout = Layout(CONFIGURATION * devices(view.profile))
    for slot in view.state.mbus:
        start = CONFIGURATION * slot.index
        layout.put(start, "BBBBHBB", 0, 0, 0, 0, 60, slot.device.baud, 0xFF)
        layout.text(start + 8, 20, f"{slot.device.name} {slot.device.serial}")
    return layout.done()


@table("ET14")
def device_status(view: View) -> bytes:
    """Handles, states, counters and alarms of the devices."""
    profile = view.profile
    layout = Layout(6 + STATUS * devices(profile))
    occupied = sum(1 << slot.index for slot in view.state.mbus)
    layout.put(5, "B", occupied)
    for slot in view.state.mbus:
        _status(layout, 6 + STATUS * slot.index, view, slot)
    return layout.done()


def _status(layout: Layout, start: int, view: View, slot: MbusSlot) -> None:
    down = slot.down(view.time)
    read, latest = _read(view, slot), slot.last_read(view.time)
    length = 0 if read is None else len(_billing_read(view, slot, read))
    attempts = slot.attempts(view.time)
    alarms = _NO_ANSWER if down else 0
    alarms |= _COLLECTED if read else 0
    alarms |= _NEW_ALARM if slot.status else 0
    attempt = slot.first_read + 3600 * (attempts - 1) if attempts else None
    layout.put(
        start,
        "HBBHIIH",
        slot.device.handle,
        SlotStatus.DOWN if down else SlotStatus.UP,
        slot.device.baud,
        length,
        attempts + len(slot.demanded),
        slot.answers(view.time) + len(slot.demanded),
        alarms,
    )
    if view.profile.since(4, 30):
        layout.put(start + 16, "B", slot.index + 1)
    layout.put(start + 23, "B", slot.status)
    layout.put(start + 24, "6s6s", _local(view, latest), _local(view, attempt))


@table("ET16")
def device_data(view: View) -> bytes:
    """The last read of each device; or its first and on-demand reads only."""
    layout = Layout(DATA * devices(view.profile))
    for slot in view.state.mbus:
        if (time := _read(view, slot)) is not None:
            data = _billing_read(view, slot, time)
            layout.put(DATA * slot.index, f"{len(data)}s", data)
    return layout.done()


@table("ET34", Writer.ADVANCED)
def more_configuration(view: View) -> bytes:
    """Poll rates of the devices."""
    layout = Layout(MORE * devices(view.profile))
    for slot in view.state.mbus:
        layout.put(MORE * slot.index + 4, "H", 60)
    return layout.done()


@table("ET45")
def recurring_reads(view: View) -> bytes:
    """The scheduled reads of all devices but the first of each, oldest overwritten.

    The newest may not have moved there from ET74 yet.
    """
    profile = view.profile
    capacity, waiting = profile.recurring_reads, profile.unmoved_reads
    total = scheduled_total(view.state.mbus, view.time) if capacity else 0
    waiting = min(waiting, total)
    entries = _entries(view, capacity + waiting)
    moved = entries[: len(entries) - waiting][-capacity:] if capacity else []
    return ring(moved, total - waiting, capacity, _LOG_ENTRY)


@table("ET74", since=(3, 60))
def extended_reads(view: View) -> bytes:
    """Where scheduled reads come first, and stay until ET45 has room for them."""
    profile = view.profile
    capacity = profile.extended_reads
    total = scheduled_total(view.state.mbus, view.time) if capacity else 0
    data = ring(_entries(view, capacity), total, capacity, _LOG_ENTRY, header="BHHHH")
    waiting = min(profile.unmoved_reads, total)
    return Layout().put(0, f"{len(data)}s", data).put(7, "H", waiting).done()


def _entries(view: View, limit: int) -> list[bytes]:
    """Return the newest scheduled reads as the logs keep them, oldest first."""
    reads = scheduled_reads(view.state.mbus, view.time, limit)
    entries = []
    for time, slot in reads:
        data = _billing_read(view, slot, time)
        rest = Layout().put(0, "HHBB", 0, slot.device.handle, 0, _SUCCESS)
        rest.add(f"{len(data)}s", data)
        entries.append(Layout().put(0, "H", len(rest)).done() + rest.done())
    return entries


def data_types(view: View) -> list[bytes]:
    """Return the entries of ET57 that are in use."""
    if not view.state.mbus:
        return []
    entries = []
    for number, header in enumerate(DATA_TYPE_HEADERS, 1):
        rest = bytes.fromhex(header)
        kind = 1 | number << 2
        while rest:
            entries.append(bytes((kind, *rest[:3].ljust(3, b"\0"))))
            kind, rest = 3, rest[3:]
    return entries


@table("ET57", Writer.ADVANCED)
def data_type_table(view: View) -> bytes:
    """Which record headers stand for which data type."""
    return b"".join(data_types(view)).ljust(4 * DATA_TYPES, b"\0")


@table("ET58")
def control_status(view: View) -> bytes:
    """Control status of each device: none is monitored."""
    return bytes(20 * devices(view.profile))
