"""A tariff calendar in bytes, and its days as they were worked out by hand from them."""

CALENDAR_ID = 0x0001_2F05

# Non-recurring dates: UINT16 of year (7 bits), month (4), day (5); then the action.
_HOLIDAYS = (
    "1A1A 14"  # 0x1A1A: year 26, month 4, day 3 (Good Friday 2026): special schedule 1
    "1A32 13"  # 0x321A: year 26, month 4, day 6 (Easter Monday): special schedule 0
)
# Recurring dates: UINT16 of month (4 bits), offset (4), weekday (3), day (5).
_RECURRING = (
    "63C8 81"  # 0xC863: month 3, offset 6 (last), Sunday, 25: summer time; new format
    "6AC8 02"  # 0xC86A: the same in month 10: end of summer time
    "040F 04"  # 0x0F04: 1 April: season 1
    "2A09 03"  # 0x092A: month 10, offset 2 (first on or after), Monday, 1: season 0
    "7CCF 13"  # 0xCF7C: 25 December, offset 7 (and the day after): special schedule 0
    "A50F 13"  # 0x0FA5: 1 May, offset 10 (Saturday to Monday): special schedule 0
    "C10F 14"  # 0x0FC1: 1 January, offset 12 (either to Monday): special schedule 1
    "16C5 13"  # 0xC516: month 6, offset 1 (before), Friday, 24: special schedule 0
    "0D0F 40"  # the first of every month: a self-read
)
# Tier switches: UINT16 of tier (3 bits), filler (2), minute (6), hour (5); schedule.
_SCHEDULES = (
    "0000 00 0130 00 0288 00 00A8 00",  # 00:00 0, 06:00 1, 17:00 2, 21:00 0
    "0000 01",  # 00:00 0 and nothing else: the next entry is not later
    "0000 02 C133 02 00B0 02",  # 00:00 0, 06:30 1, 22:00 0
    "0000 03 0148 03 0070 03",  # 00:00 0, 09:00 1, 14:00 0
    "0300 04 0060 04",  # 00:00 3, 12:00 0
    "0000 05 C113 05 0020 05",  # 00:00 0, 02:30 1, 04:00 0
)
# Seasons: schedule on Saturday, on Sunday, on workdays, special schedules 0 and 1.
_SEASONS = (
    "01 05 00 01 04"  # season 0
    "03 01 02 01 04"  # season 1
)


def _calendar_bytes() -> bytes:
    """Return BT54: each part filled with zeros to the length that BT50 gives it."""
    switches = b"".join(bytes.fromhex(each).ljust(30, b"\0") for each in _SCHEDULES)
    return (
        bytes.fromhex(_HOLIDAYS).ljust(75, b"\0")
        + bytes.fromhex(_RECURRING).ljust(69, b"\0")
        + switches.ljust(600, b"\0")
        + bytes.fromhex(_SEASONS).ljust(60, b"\0")
        + CALENDAR_ID.to_bytes(4, "little")
    )


CALENDAR = _calendar_bytes()

# Switches by local time. Each day begins with the tier at midnight.
_WINTER_WORKDAY = {"00:00": 0, "06:00": 1, "17:00": 2, "21:00": 0}
_SUMMER_WORKDAY = {"00:00": 0, "06:30": 1, "22:00": 0}
_SUMMER_SATURDAY = {"00:00": 0, "09:00": 1, "14:00": 0}
_WINTER_SUNDAY = {"00:00": 0, "02:30": 1, "04:00": 0}
_SPECIAL_1 = {"00:00": 3, "12:00": 0}
_CHEAP = {"00:00": 0}

DAYS = {
    # Season 0 has begun on Monday 6 October 2025, the first Monday of that month.
    "2026-03-27": ("+01:00", _WINTER_WORKDAY),  # a Friday: schedule 0
    "2026-03-28": ("+01:00", _CHEAP),  # Saturday: schedule 1
    "2026-03-31": ("+02:00", _WINTER_WORKDAY),  # Tuesday: summer time, season 0 still
    "2026-04-01": ("+02:00", _SUMMER_WORKDAY),  # Wednesday: season 1 begins
    "2026-04-03": ("+02:00", _SPECIAL_1),  # Good Friday, of this year only
    "2026-04-04": ("+02:00", _SUMMER_SATURDAY),
    "2026-04-05": ("+02:00", _CHEAP),  # Sunday of season 1: schedule 1
    "2026-04-06": ("+02:00", _CHEAP),  # Easter Monday: special schedule 0 is 1
    "2026-05-01": ("+02:00", _CHEAP),  # a Friday, so the holiday is not moved
    "2026-06-19": ("+02:00", _CHEAP),  # the Friday before Wednesday 24 June
    "2026-06-24": ("+02:00", _SUMMER_WORKDAY),  # which is itself a day like any other
    "2026-10-04": ("+02:00", _CHEAP),  # Sunday: season 1 still, so schedule 1 and not 5
    "2026-10-05": ("+02:00", _WINTER_WORKDAY),  # the first Monday: season 0
    "2026-10-26": ("+01:00", _WINTER_WORKDAY),  # Monday, after the end of summer time
    "2026-11-01": (
        "+01:00",
        _WINTER_SUNDAY,
    ),  # schedule 5; the self-read changes nothing
    "2026-12-25": ("+01:00", _CHEAP),  # a Friday
    "2027-01-01": ("+01:00", _SPECIAL_1),  # a Friday
    "2027-04-06": ("+02:00", _SUMMER_WORKDAY),  # Easter Monday was that of 2026
    "2027-05-01": ("+02:00", _SUMMER_SATURDAY),  # a Saturday: the holiday moves
    "2027-05-03": ("+02:00", _CHEAP),  # to this Monday
    "2027-12-26": ("+01:00", _CHEAP),  # a Sunday, but the day after 25 December
}
# On these two days the local times differ in their offset, so they are in UTC.
CHANGES_OF_THE_CLOCK = {
    # Sunday, schedule 5. 02:00 becomes 03:00, so the switch of 02:30 is at 03:00.
    ("2026-03-28T23:00", "2026-03-29T22:00"): {
        "2026-03-28T23:00": 0,  # 00:00 +01:00
        "2026-03-29T01:00": 1,  # 03:00 +02:00
        "2026-03-29T02:00": 0,  # 04:00 +02:00
    },
    # Sunday, schedule 5. 03:00 becomes 02:00, so 02:30 comes twice.
    ("2026-10-24T22:00", "2026-10-25T23:00"): {
        "2026-10-24T22:00": 0,  # 00:00 +02:00
        "2026-10-25T00:30": 1,  # 02:30 +02:00
        "2026-10-25T01:00": 0,  # 02:00 +01:00
        "2026-10-25T01:30": 1,  # 02:30 +01:00
        "2026-10-25T03:00": 0,  # 04:00 +01:00
    },
}
