"""Names and defaults of the integration."""

from typing import Final

DOMAIN: Final = "nes_mep"

CONF_KEY: Final = "key"
CONF_METER_PORT: Final = "meter_port"
CONF_SECURITY: Final = "security"
CONF_KEY_KIND: Final = "key_kind"
CONF_BAUDRATE: Final = "baudrate"

CONF_RESYNC_AUTOMATICALLY: Final = "resync_automatically"
CONF_IMPORT_HISTORY: Final = "import_history"
CONF_IMPORT_COSTS: Final = "import_costs"
CONF_SHOW_ALL_REGISTERS: Final = "show_all_registers"

CONF_PEAK_INTERVAL: Final = "peak_interval"
CONF_PEAK_COUNT: Final = "peak_count"
CONF_PEAK_DIFFERENT_DAYS: Final = "peak_different_days"
CONF_PEAK_FIRST_HOUR: Final = "peak_first_hour"
CONF_PEAK_END_HOUR: Final = "peak_end_hour"
CONF_PEAK_WEEKDAYS: Final = "peak_weekdays"

BAUDRATES: Final = (2400, 4800, 9600, 14400, 19200, 28800, 38400, 57600, 115200)
"""What the meter's port can be set to (ET13.6); 9600 by default."""

DEFAULT_SCAN_INTERVAL: Final = 10
"""Seconds between two polls."""
SCAN_INTERVAL_BESIDE_MEP: Final = 60
"""The same where the MEP is dead while the meter is read at its optical port."""
MIN_SCAN_INTERVAL: Final = 2
MAX_SCAN_INTERVAL: Final = 3600

DEFAULT_RESYNC_AUTOMATICALLY: Final = True
DEFAULT_IMPORT_HISTORY: Final = True
DEFAULT_IMPORT_COSTS: Final = False
DEFAULT_SHOW_ALL_REGISTERS: Final = False
