"""The alarms of BT03 (Optical Port Programmer's Guide, pages 45 to 47)."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import IntEnum

type Bit = tuple[int, int]
"""Byte of BT03, and bit in it."""

_DEFINED_FROM = 4  # BT03: the manufacturer's alarms, BT00.17 bytes, begin here
_BYTES = (((4, 30), 6), ((3, 60), 5))


class Disconnect(IntEnum):
    """The commanded state of the load disconnect contactor, ET23.94."""

    CLOSED = 0
    CLOSING = 1
    OPEN = 2
    OPENING = 3


@dataclass(frozen=True, slots=True)
class Alarm:
    """Where an alarm is, and the first firmware that has it."""

    byte: int
    bit: int
    since: tuple[int, int] = (0, 0)


def _run(
    byte: int, *names: str, first: int = 0, since: tuple[int, int] = (0, 0)
) -> dict[str, Alarm]:
    return {name: Alarm(byte, bit, since) for bit, name in enumerate(names, first)}


ALARMS: dict[str, Alarm] = {
    **_run(0, "metering_mode", "test_mode", "meter_shop_mode"),
    **_run(1, "unprogrammed", "configuration_error", "system_reset", "ram_failure"),
    **_run(1, "rom_failure", "nvm_failure", "clock_error", first=4),
    **_run(1, "measurement_error", first=7),
    **_run(2, "low_battery", "low_loss_potential", "demand_overload", "power_failure"),
    **_run(2, "cover_removed", "reverse_energy", "data_backup_incomplete", first=4),
    **_run(2, "disconnect_switch_error", first=7),
    **_run(
        3,
        "load_profile_2_unread",
        "load_profile_3_unread",
        "load_profile_4_unread",
        since=(3, 50),
    ),
    **_run(3, "neutral_current_deviation", first=3, since=(3, 60)),
    **_run(4, "load_profile_overflow", "self_read", "disconnect_changed"),
    **_run(4, "control_relay_1_open", "phase_loss", "phase_inversion", first=3),
    **_run(4, "plc_configuration_failure", "general_error", first=6),
    **_run(5, "invalid_password", "remote_communication_inactive"),
    **_run(5, "current_on_unused_phase", "pulse_input_1_tamper", first=2),
    **_run(5, "pulse_input_2_tamper", "software_crc_error", first=4),
    **_run(5, "code_bank_changed", "load_profile_backfill_failed", first=6),
    **_run(6, "mep_changed", "mbus_alarm", "mbus_discovery_complete"),
    **_run(6, "phase_rotation_changed", "prepay_credit_exhausted", first=3),
    **_run(6, "prepay_warning_acknowledged", first=5),
    **_run(
        6, "event_log_overflow", "manufacturer_log_entry", first=6, since=(3, 1)
    ),  # "2.12 and 3.01"; a 3.00 meter has them reserved
    **_run(7, "dimension_change", "magnetic_tamper", "access_lockout_override"),
    **_run(7, "power_quality_event", "event_log_unread", first=3),
    **_run(7, "thd_state_changed", first=5),
    **_run(7, "load_profile_1_unread", first=6, since=(3, 10)),
    **_run(7, "load_side_voltage", first=7, since=(3, 30)),
    **_run(8, "unbalanced_voltage", since=(3, 60)),
    **_run(8, "password_table_written", first=1, since=(3, 70)),
    **_run(8, "key_expiry_pending", first=2, since=(3, 80)),
    **_run(8, "p2p_security", "firmware_separation_violation", first=3, since=(4, 10)),
    **_run(8, "modem_error", first=5, since=(4, 10)),
    **_run(8, "g3_alarm", "g3_event_logged", first=6, since=(4, 20)),
    **_run(9, "control_relay_2_open", since=(4, 30)),
}


def status_bytes(firmware: tuple[int, int]) -> int:
    """Return BT00.17, the bytes of manufacturer-defined alarms.

    The guide prints 4, which is right up to 3.5x; later alarms need 5, then 6.
    """
    return next((count for since, count in _BYTES if firmware >= since), 4)


def alarm_bit(alarm: str | Bit, firmware: tuple[int, int]) -> Bit:
    """Return byte and bit of an alarm given by name or place.

    Raises ValueError for a name or place that BT03 of this firmware lacks.
    """
    if isinstance(alarm, str):
        if (known := ALARMS.get(alarm)) is None or firmware < known.since:
            raise ValueError(f"no alarm {alarm!r} with firmware {firmware}")
        return known.byte, known.bit
    byte, bit = alarm
    if not (0 <= byte < _DEFINED_FROM + status_bytes(firmware) and 0 <= bit < 8):
        raise ValueError(f"BT03 has no byte {byte} bit {bit} with firmware {firmware}")
    return byte, bit


def alarm_field(alarms: AbstractSet[Bit], firmware: tuple[int, int]) -> bytes:
    """Return the whole of BT03."""
    field = bytearray(_DEFINED_FROM + status_bytes(firmware))
    for byte, bit in alarms:
        if byte < len(field):
            field[byte] |= 1 << bit
    return bytes(field)
