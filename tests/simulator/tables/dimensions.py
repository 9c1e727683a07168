"""Sizes and selections of the register tables: BT20, BT21, BT22, BT27, ET11."""

from ..profiles import Demand, Profile
from .layout import Layout, View, table
from .mbus import CONFIGURATION, DATA, DATA_TYPES, MORE, STATUS, devices

_DATE_FIELD = 0b10  # BT21.0: season is bit 0, event date and time bit 1
NO_DEMAND = Demand(sources=(), maxima=(), coincidents=())
MODULES, MODULE_RECORD = 6, 7  # ET11.32, 33: entries of ET54, and their length
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
    demand = profile.demand or NO_DEMAND
    return (
        4 * len(profile.summations)
        + len(demand.sources) * demand_record_length(demand)
        + len(demand.coincidents) * 4
    )


def registers_length(profile: Profile) -> int:
    """Return the bytes of BT23."""
    return bool(profile.demand) + tier_block_length(profile) * (1 + profile.tiers)


@table("BT20")
def maximum_dimensions(view: View) -> bytes:
    """The largest values that BT21 can have."""
    profile = view.profile
    summations = max(profile.max_summations, len(profile.summations))
    present = max(profile.max_present, len(profile.present))
    if not profile.since(3, 10):  # no demand yet
        dimensions = (summations, 0, 0, 0, profile.max_tiers, 0, present)
        # Without BT21, that is what the meter has.
        most = 0xD6 if profile.since(2, 12) else profile.self_reads
        return bytes((0b11, 0x0E, most, *dimensions))
    dimensions = (summations, 8, 16, 1, profile.max_tiers, 8, present)
    return bytes((0x7F, 0x0E, 0xFD, *dimensions))


@table("BT21", since=(2, 12))
def actual_dimensions(view: View) -> bytes:
    """Counts of summations, demands, coincidents, tiers and present values."""
    profile = view.profile
    demand = profile.demand or NO_DEMAND
    demands = len(demand.sources)
    return bytes(
        (
            _flags(profile.demand),
            0x0E,
            profile.self_reads,
            len(profile.summations),
            demands,
            len(demand.coincidents),
            1 if demands else 0,
            profile.tiers,
            len(demand.present),
            len(profile.present),
        )
    )


@table("BT22", since=(2, 12))
def register_selection(view: View) -> bytes:
    """Which sources BT23 holds."""
    demand = view.profile.demand or NO_DEMAND
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


@table("BT27", since=(2, 12))
def present_selection(view: View) -> bytes:
    """Which sources BT28 holds."""
    demand = view.profile.demand or NO_DEMAND
    return bytes((*demand.present, *view.profile.present))


@table("ET11")
def manufacturer_dimensions(view: View) -> bytes:
    """Sizes of the MEP and M-Bus tables; its own length grows with the firmware."""
    profile = view.profile
    transactions = 896 if profile.since(3, 50) else 769
    layout = (
        Layout()
        .put(0, "BBBBB", devices(profile), CONFIGURATION, STATUS, 5, 6)
        .put(5, "HHH", DATA, transactions, 1785)
        .put(11, "BBB", 25, 16, MORE)
        .put(14, "I", 0)
        .put(18, "BBBBBBBBB", 10, 10, 65, 120, 6, 10, 10, DATA_TYPES, 80)
        .put(27, "BHH", 10, 261, 769)
        .put(32, "BBBBH", MODULES, MODULE_RECORD, 2, 10, 1250)
        .put(38, "B", 3)
    )
    length = next((n for since, n in _ET11_LENGTHS if profile.since(*since)), 27)
    return layout.done()[:length]


def compatibility_flags(profile: Profile) -> int:
    """Return ET54.0: M-Bus reads, load profile sets, energy units, MEP clients."""
    return (
        profile.reads_in_log_only
        | profile.since(3, 50) << 2
        | profile.since(3, 70) << 6
        | profile.generation4 << 7
        | (profile.generation4 and profile.several_clients) << 8
    )
