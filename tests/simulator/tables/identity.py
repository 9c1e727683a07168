"""Who the meter is: BT00, BT01, ET03, ET04."""

from ..alarms import status_bytes
from ..names import EXTENDED
from ..profiles import Profile
from .clock import offsets
from .layout import LARGE_TABLES, TABLES, Layout, View, Writer, table

_UTILITY_CRC = 0x5A17


def firmware_word(profile: Profile) -> int:
    """Return the version: 4 bits major, 7 bits minor, 5 bits build."""
    major, minor, build = profile.firmware
    return major << 12 | minor << 5 | build


def _table_set(numbers: list[int], length: int) -> bytes:
    return sum(1 << number for number in numbers).to_bytes(length, "little")


@table("BT00")
def general_configuration(view: View) -> bytes:
    """Byte order, date format, manufacturer, and the sets of tables in use."""
    profile = view.profile
    extended = 20 if profile.generation4 else 13
    numbers = [n for n, table in TABLES.items() if profile.since(*table.since)]
    numbers += [n for n, large in LARGE_TABLES.items() if profile.since(*large.since)]
    basic_set = _table_set([n for n in numbers if n < EXTENDED], 10)
    extended_set = _table_set(
        [n - EXTENDED for n in numbers if n >= EXTENDED], extended
    )
    alarms = status_bytes(profile.firmware[:2])
    pending = 4 if profile.generation4 else 2
    return (
        Layout()
        .put(0, "BBB", 0b0010, 0b0000_1010, 0x88)
        .text(3, 4, profile.manufacturer)
        .put(7, "BBBB", 2, 0, 255, 12)
        .put(11, "BBBBBBBB", 1, 0, 10, extended, 2, 12, alarms, pending)
        .add("10s", basic_set)
        .add(f"{extended}s", extended_set)
        .add("2s12s", bytes(2), bytes(12))
        .done()
    )


@table("BT01")
def manufacturer(view: View) -> bytes:
    """Manufacturer, model and firmware version (high byte first)."""
    profile = view.profile
    return (
        Layout()
        .text(0, 4, profile.manufacturer)
        .text(4, 8, profile.model, b" ")
        .put(12, "BB", *profile.hardware)
        .put(14, "2s", firmware_word(profile).to_bytes(2))
        .done()
    )


@table("ET03", Writer.ADVANCED)
def utility_information(view: View) -> bytes:
    """The grid company's serial number."""
    return (
        Layout(143)
        .text(0, 30, view.profile.serial_number)
        .put(137, "H", _UTILITY_CRC)
        .done()
    )


@table("ET04", Writer.ADVANCED)
def system_information(view: View) -> bytes:
    """Transceiver id, program id, ratings, sequence numbers, IDT version."""
    profile = view.profile
    zone = offsets(view.zone, view.clock.year)
    layout = (
        Layout(139 if profile.generation4 else 123)
        .put(4, "6s", profile.transceiver_id)
        .put(10, "BB", 1, 17)
        .put(13, "B", 50)
        .put(14, "8s", profile.program_id)
        .text(22, 30, "&3.2@0NES MEP,,,,")
        .put(53, "BBB", profile.outage_records, 4, 4)
        .put(56, "HHH", 16, 100, 230)
        .put(62, "B", sum(1 << phase - 1 for phase in profile.missing_phases))
        .put(63, "h", zone.off - zone.on)
        .put(65, "BB", *profile.self_read_time)
        .put(71, "B", profile.skipped_status << 3)
        .put(73, "B", 2 if profile.single_phase else view.state.rotation)
        .put(88, "H", 1000)
        .put(90, "B", 4)
        .put(111, "B", 61)
        .put(116, "B", view.interface_version)
    )
    if not profile.generation4:
        layout.put(103, "I", view.sequence).put(110, "B", 72)
    else:
        layout.put(129 if profile.mep_port == 1 else 133, "I", view.sequence)
    return layout.done()
