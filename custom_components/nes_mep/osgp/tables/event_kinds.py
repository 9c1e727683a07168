"""What the entries of the event logs mean: a name for each id.

The guides do not list the ids. Names and arguments are those of the user's manual of
Echelon's ANSI meters (firmware 3.1) and of a head end that reads such meters. An id has
no name where the two differ, or neither has it. Ids up to 63 are those of C12.19, the
others the manufacturer's; many of these are alarms of BT03.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from . import event_arguments as arg
from .event_arguments import ArgumentDecoder, EventDetails

OTHER_EVENT = "other"
"""Name of the events that have none: their number is all that is known."""

_LOAD_SIDE_VOLTAGE = 95
_LOAD_SIDE_VOLTAGE_SINCE = (3, 30, 0)
"""Before that, the two sources differ about where this event is."""


@dataclass(frozen=True, slots=True)
class EventKind:
    """A kind of event: its name, and how to decode its argument.

    by_change has the names that say more, by the change in the details.
    """

    name: str
    decode: ArgumentDecoder = arg.nothing
    by_change: Mapping[str, str] = field(default_factory=dict)


def event_meaning(
    event_id: int, argument: bytes, firmware_version: tuple[int, int, int]
) -> tuple[str, EventDetails]:
    """Return the name of an event, and what its argument says.

    The name is OTHER_EVENT, without details, if the meaning of the id is not known for
    that firmware.
    """
    kind = _KINDS.get(event_id)
    if kind is None or (
        event_id == _LOAD_SIDE_VOLTAGE and firmware_version < _LOAD_SIDE_VOLTAGE_SINCE
    ):
        return OTHER_EVENT, {}
    details = kind.decode(int.from_bytes(argument[:2], "little")) if argument else {}
    return kind.by_change.get(str(details.get("change")), kind.name), details


_LISTS = {
    2: "self_reads",
    3: "load_profile_1",
    7: "load_profile",
    8: "event_log",
    255: "all",
}
_RESTART_CAUSES = {
    3: "power_failure",
    4: "watchdog",
    5: "code_bank_switch",
    6: "flash_refresh",
    7: "unknown",
    8: "brownout",
    9: "id_set",
    10: "measurement_resynchronization",
    11: "boot_rom_switch",
    12: "bad_stack",
    13: "memory_locked",
    14: "clock_correction",
    15: "stack",
}
_RESET_CAUSES = {
    0: "watchdog",
    1: "event_buffer_overflow",
    2: "power_interruption",
    3: "stack",
}
_RAM_CAUSES = {
    1: "load_profile_value",
    3: "control_output_value",
    4: "memory_test",
    5: "clock_code",
    6: "alarm_variable",
}
_CLOCK_CAUSES = {
    0: "corruption",
    1: "initialization",
    2: "stop_mode",
    3: "abnormal_reset",
    4: "boot_stop",
    5: "safe_image",
    6: "boot_stop",
}
_MEASUREMENT_CAUSES = {
    0x1FF: "channel",
    0x200: "missing_interrupts",
    0x400: "gain_l1",
    0x800: "gain_l2",
    0x1000: "gain_l3",
    0x2000: "temperature",
}
_TAMPERS = {1: "cover", 2: "pulse_input_1", 4: "pulse_input_2", 8: "tilt"}
_RELAY_CAUSES = {1: "command", 2: "tariff", 3: "schedule"}
_MBUS_READS = {
    0: "billing_read",
    1: "application_errors",
    2: "device_alarms",
    3: "overflow",
    4: "failed",
    5: "wrong_serial_number",
}
_MBUS_STATES = {
    0: "paired",
    1: "no_slot",
    2: "no_communication",
    3: "baud_rate_changed",
    4: "removed",
    5: "registered",
}
_MANUFACTURER_LOGS = {1: "one_time_read", 2: "mbus_one_time_read", 4: "configuration"}
_REVERSED = {1: "L1", 2: "L2", 4: "L3", 8: "total"}
_GENERAL_CAUSES = {0: "power_down_timeout", 1: "display", 0x8000: "critical_section"}
_ROTATIONS = {0: "L1-L2-L3", 1: "L3-L2-L1", 2: "unknown"}
_DISTORTION = arg.together(
    arg.phases("voltage_phases"),
    arg.phases("current_phases", 3),
    arg.phases("apparent_power_phases", 6),
)
_POWER_QUALITY = arg.together(
    arg.phases("sag_phases"),
    arg.phases("surge_phases", 3),
    arg.phases("overcurrent_phases", 6),
)

_KINDS: Mapping[int, EventKind] = {
    1: EventKind("power_down"),
    2: EventKind("power_up", arg.choice("cause", _RESTART_CAUSES, exceptions=True)),
    3: EventKind("clock_changed", arg.clock_change),
    4: EventKind("clock_changed_new_time"),
    7: EventKind("read_access", arg.table),
    8: EventKind("write_access", arg.table),
    9: EventKind("procedure_invoked", arg.procedure),
    10: EventKind("table_written", arg.table),
    11: EventKind("programmed"),
    12: EventKind("communication_ended"),
    13: EventKind("communication_aborted"),
    14: EventKind("list_reset", arg.choice("list", _LISTS)),
    15: EventKind("list_updated", arg.choice("list", _LISTS)),
    16: EventKind("event_log_cleared"),
    17: EventKind("event_log_updated", arg.number("entries")),
    18: EventKind("alternate_log_cleared"),
    19: EventKind("alternate_log_updated", arg.number("entries")),
    20: EventKind("demand_reset"),
    21: EventKind("self_read"),
    22: EventKind("daylight_saving_on"),
    23: EventKind("daylight_saving_off"),
    24: EventKind("season_changed", arg.number("season", 1)),
    25: EventKind("rate_changed"),
    26: EventKind("special_schedule", arg.number("schedule", 1)),
    27: EventKind("tariff_switched", arg.number("tariff", 1)),
    28: EventKind("pending_table_activated", arg.pending_table),
    29: EventKind("pending_table_cleared", arg.pending_table),
    32: EventKind("test_mode_on"),
    33: EventKind("test_mode_off"),
    34: EventKind("shop_mode_on"),
    35: EventKind("shop_mode_off"),
    36: EventKind("firmware_changed", arg.firmware),
    37: EventKind("configuration_error", arg.choice("cause", {0: "timeout"})),
    38: EventKind("system_reset", arg.choice("cause", _RESET_CAUSES, exceptions=True)),
    39: EventKind("ram_failure", arg.choice("cause", _RAM_CAUSES)),
    40: EventKind(
        "rom_failure", arg.choice("part", {0: "boot_rom", 1: "system_image"})
    ),
    41: EventKind("memory_failure", arg.memory_check),
    42: EventKind("clock_error", arg.choice("cause", _CLOCK_CAUSES)),
    43: EventKind("measurement_error", arg.flags("causes", _MEASUREMENT_CAUSES)),
    44: EventKind("low_battery"),
    45: EventKind("low_loss_potential"),
    46: EventKind("demand_overload"),
    47: EventKind("tamper", arg.flags("causes", _TAMPERS)),
    48: EventKind("reverse_energy", arg.flags("phases", _REVERSED)),
    49: EventKind("backup_incomplete"),
    50: EventKind("disconnect_error", arg.disconnect_error),
    64: EventKind("load_profile_overflow"),
    65: EventKind("self_read_recorded"),
    66: EventKind(
        "disconnect_changed",
        arg.disconnect_change,
        {
            "closed": "disconnect_closed",
            "opened": "disconnect_opened",
            "locked": "disconnect_locked",
        },
    ),
    67: EventKind(
        "control_relay_1_changed",
        arg.together(
            arg.bits(0, 8, arg.choice("change", {1: "closed", 2: "opened"})),
            arg.bits(8, 8, arg.choice("cause", _RELAY_CAUSES)),
        ),
        {"closed": "control_relay_1_closed", "opened": "control_relay_1_opened"},
    ),
    68: EventKind("phase_loss", arg.phases()),
    69: EventKind("phase_inversion", arg.choice("angle", {2: 120, 4: 180, 6: -120})),
    70: EventKind("serial_port_error", arg.number("code")),
    71: EventKind("general_error", arg.choice("cause", _GENERAL_CAUSES)),
    72: EventKind(
        "invalid_password", arg.choice("port", {0: "optical", 1: "power_line"})
    ),
    73: EventKind("remote_communication_inactive"),
    74: EventKind("unused_phase_current", arg.phases()),
    75: EventKind("pulse_input_1_tamper"),
    76: EventKind("pulse_input_2_tamper"),
    77: EventKind("image_error", arg.choice("cause", {0: "checksum", 1: "digest"})),
    78: EventKind(
        "code_bank_changed", arg.choice("cause", {0: "command", 1: "unexpected"})
    ),
    79: EventKind("load_profile_not_filled"),
    80: EventKind(
        "mep_device_changed",
        arg.choice("change", {0: "installed", 1: "removed"}),
        {"installed": "mep_device_installed", "removed": "mep_device_removed"},
    ),
    81: EventKind("mbus_alarm", arg.of_device(arg.choice("status", _MBUS_READS))),
    82: EventKind("mbus_discovery_complete"),
    83: EventKind("phase_rotation_changed", arg.choice("rotation", _ROTATIONS)),
    84: EventKind("prepay_credit_exhausted"),
    85: EventKind("prepay_warning_acknowledged"),
    86: EventKind("event_log_nearly_full"),
    87: EventKind("manufacturer_log_entry", arg.flags("logs", _MANUFACTURER_LOGS)),
    88: EventKind("interface_changed", arg.interface_change),
    89: EventKind("magnetic_tamper"),
    90: EventKind(
        "access_lockout_override",
        arg.choice("change", {0: "gone", 1: "detected"}),
    ),
    91: EventKind("power_quality", _POWER_QUALITY),
    92: EventKind("unread_events"),
    93: EventKind("distortion", _DISTORTION),
    94: EventKind("unread_load_profile"),
    95: EventKind("load_side_voltage", arg.load_side_voltage),
    96: EventKind(
        "mbus_device_status", arg.of_device(arg.choice("status", _MBUS_STATES))
    ),
    97: EventKind(
        "power_limit_changed", arg.choice("limit", {0: "secondary", 1: "primary"})
    ),
    98: EventKind("sag_voltage", arg.phase_value("voltage")),
    99: EventKind("surge_voltage", arg.phase_value("voltage")),
    100: EventKind("maximum_voltage_distortion", arg.phase_value("value")),
    101: EventKind("maximum_current_distortion", arg.phase_value("value")),
    102: EventKind("maximum_apparent_power_distortion", arg.phase_value("value")),
    103: EventKind("average_voltage_distortion", arg.phase_value("value")),
    104: EventKind("average_current_distortion", arg.phase_value("value")),
    105: EventKind("average_apparent_power_distortion", arg.phase_value("value")),
    106: EventKind("disconnect_pulsed", arg.number("pulses")),
    108: EventKind(
        "mbus_device_alarm", arg.of_device(arg.bits(0, 8, arg.number("data")))
    ),
    109: EventKind(
        "mbus_alarm_match", arg.of_device(arg.bits(0, 8, arg.number("data")))
    ),
    110: EventKind(
        "power_threshold",
        arg.choice("change", {0: "exceeded", 1: "restored"}),
        {
            "exceeded": "power_threshold_exceeded",
            "restored": "power_threshold_restored",
        },
    ),
    111: EventKind("dimmer_effect", arg.phases()),
}

EVENT_NAMES = (
    *(
        name
        for kind in _KINDS.values()
        for name in (kind.name, *kind.by_change.values())
    ),
    OTHER_EVENT,
)
"""The names that events can have."""
