"""M-Bus meters behind the meter: tables, telegrams and units."""
