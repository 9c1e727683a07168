"""Sizes and selections of the register tables: BT20, BT21, BT22, BT27, ET11, ET42."""

from ..profiles import Demand, Profile
from .layout import Layout, View, table

_DATE_FIELD = 0b10  # BT21.0: season is bit 0, event date and time bit 1
_SELF_READS = 12
_NO_DEMAND = Demand(sources=(), maxima=(), coincidents=())
_FIXED_SECTION = 41  # ET42: up to the log list
# ET42, ET36: entries and entry size of the logs ET31, ET32, ET38, ET41, ET45, ET75, ET81
_LOGS = ((0, 25), (0, 36), (10, 12), (0, 230), (0, 525), (0, 35), (20, 12))
_ET11_LENGTHS = (((4, 30), 39), ((4, 0), 38), ((3, 50), 32), ((3, 40), 28))


def _flags(demand: Demand | None) -> int:
    """Return BT21.0."""
    flags = 0b01 | _DATE_FIELD
    if demand:
        flags |= 0b1100  # reset counter, lockout
        flags |= demand.cumulative << 4
        flags |= demand.continuous_cumulative << 5
        flags |= demand.time_remaining << 6
    return flags


def demand_record_length(demand: Demand) -> int:
    """Return the bytes of a demand record in BT23."""
    return 5 + 4 * demand.cumulative + 4 * demand.continuous_cumulative + 4


def tier_block_length(profile: Profile) -> int:
    """Return the bytes of the total block, and of each tier block, in BT23."""
    demand = profile.demand or _NO_DEMAND
    return (
        4 * len(profile.summations)
        + len(demand.sources) * demand_record_length(demand)
        + len(demand.coincidents) * 4
    )


@table("BT20")
def maximum_dimensions(view: View) -> bytes:
    """The largest values that BT21 can have."""
    profile = view.profile
    summations = max(profile.max_summations, len(profile.summations))
    present = max(profile.max_present, len(profile.present))
    dimensions = (summations, 8, 16, 1, profile.max_tiers, 8, present)
    return bytes((0x7F, 0x0E, 0xFD, *dimensions))


@table("BT21")
def actual_dimensions(view: View) -> bytes:
    """Counts of summations, demands, coincidents, tiers and present values."""
    profile = view.profile
    demand = profile.demand or _NO_DEMAND
    demands = len(demand.sources)
    return bytes(
        (
            _flags(profile.demand),
            0x0E,
            _SELF_READS,
            len(profile.summations),
            demands,
            len(demand.coincidents),
            1 if demands else 0,
            profile.tiers,
            demands,
            len(profile.present),
        )
    )


@table("BT22")
def register_selection(view: View) -> bytes:
    """Which sources BT23 holds."""
    demand = view.profile.demand or _NO_DEMAND
    flags = sum(flag << index for index, flag in enumerate(demand.maxima))
    return bytes(
        (
            *view.profile.summations,
            *demand.sources,
            *flags.to_bytes((len(demand.sources) + 7) // 8),
            *(source for source, _ in demand.coincidents),
            *(index for _, index in demand.coincidents),
        )
    )


@table("BT27")
def present_selection(view: View) -> bytes:
    """Which sources BT28 holds."""
    demand = view.profile.demand or _NO_DEMAND
    return bytes((*range(88, 88 + len(demand.sources)), *view.profile.present))


@table("ET11")
def manufacturer_dimensions(view: View) -> bytes:
    """Sizes of the MEP and M-Bus tables; its own length grows with the firmware."""
    profile = view.profile
    devices = 6 if profile.generation4 else 5
    transactions = 896 if profile.since(3, 50) else 769
    layout = (
        Layout()
        .put(0, "BBBBB", devices, 66, 36, 5, 6)
        .put(5, "HHH", 517, transactions, 1785)
        .put(11, "BBB", 25, 16, 22)
        .put(14, "I", 0)
        .put(18, "BBBBBBBBB", 10, 10, 65, 120, 6, 10, 10, 16, 80)
        .put(27, "BHH", 10, 261, 769)
        .put(32, "BBBBH", 6, 7, 2, 10, 1250)
        .put(38, "B", 3)
    )
    length = next((n for since, n in _ET11_LENGTHS if profile.since(*since)), 27)
    return layout.done()[:length]


@table("ET42")
def interface_definition(view: View) -> bytes:
    """All dimensions that can change within a firmware, gathered."""
    profile = view.profile
    demand = profile.demand or _NO_DEMAND
    demands, coincidents = len(demand.sources), len(demand.coincidents)
    logs = _LOGS if profile.since(3, 70) else _LOGS[:6]
    flags = bool(demands) | demand.cumulative << 1 | demand.continuous_cumulative << 2
    layout = (
        Layout(_FIXED_SECTION)
        .put(2, "BB", _FIXED_SECTION, len(logs))
        .put(4, "H", compatibility_flags(profile))
        .put(8, "H", 1)
        .put(
            10,
            "BBB",
            (flags | 8) * bool(demands) | 16,
            _SELF_READS,
            len(profile.summations),
        )
        .put(13, "BBB", demands, coincidents, 1 if demands else 0)
        .put(16, "BBB", profile.tiers, demands, len(profile.present))
        .put(19, "BB", demand.minutes if demands else 0, 1 if demands else 0)
        .put(21, "H", tier_block_length(profile))
        .put(37, "BHB", 0b110, 100, 2)
    )
    for entries, size in logs:
        layout.add("BH", entries, size)
    layout.add(f"{demands}s", bytes(demand.sources))
    layout.add(f"{coincidents}s", bytes(source for source, _ in demand.coincidents))
    layout.add("B", 0)  # no entries of ET57 in use
    if profile.since(3, 50):
        layout.add("B", 0)  # no further load profile set
    if profile.since(3, 70):
        unit = profile.ratios.energy_unit
        layout.add("BHBHBB", 8, 20, 0, 0, unit, profile.rollover_digits)
    elif profile.since(3, 60):
        layout.add("BH", 3, 20)
    return layout.put(0, "H", len(layout)).done()


def compatibility_flags(profile: Profile) -> int:
    """Return ET54.0: load profile sets, energy units, display codes, MEP clients."""
    return (
        profile.since(3, 50) << 2
        | profile.since(3, 70) << 6
        | profile.generation4 << 7
        | (profile.generation4 and profile.several_clients) << 8
    )
