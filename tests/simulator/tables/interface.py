"""Dimensions that can change within a firmware: ET36 and ET42."""

from dataclasses import dataclass

from ..load_profile.data_set import DataSet
from ..mbus import scheduled_total
from ..names import table_id
from ..profiles import Profile
from .dimensions import (
    NO_DEMAND,
    compatibility_flags,
    registers_length,
    tier_block_length,
)
from .layout import Layout, View, table
from .mbus import data_types

_FIXED_SECTION = 41  # ET42: up to the log list


@dataclass(frozen=True, slots=True)
class Log:
    """A log as ET36 describes it; sizes in bytes."""

    name: str
    size: int
    maximum: int
    entries: int = 0
    length_included: bool = False


def logs(profile: Profile) -> list[Log]:
    """Return the logs of ET36 and ET42 in their order."""
    registers = registers_length(profile)
    bidn = 2 if profile.demand else 0
    reads = profile.recurring_reads
    found = [
        Log("ET31", registers + 12 + bidn, 255, 2),
        Log("ET32", 525, 255, 8, length_included=True),
        Log("ET38", 35, 255, 10),
        Log("ET41", registers + 11, 255, profile.reset_log, length_included=True),
        Log("ET45", 525, 253, reads, length_included=True),
    ]
    if profile.since(3, 60):
        found.append(Log("ET75", 143, 253))
    if profile.since(3, 70):
        found.append(Log("ET81", 12, 253, profile.outage_log))
    return found


@table("ET36")
def log_dimensions(view: View) -> bytes:
    """Table, entry size and entries of each log, and which have unread entries."""
    described = logs(view.profile)
    layout = Layout().put(0, "B", len(described))
    for log in described:
        layout.add("HHHHB", table_id(log.name), log.size, log.maximum, log.entries, 0)
        layout.put(len(layout) - 1, "B", log.length_included).add("8x")
    used = {
        "ET45": scheduled_total(view.state.mbus, view.time),
        "ET81": len(view.state.outages),
    }
    unread = sum(
        bool(log.entries and used.get(log.name)) << bit
        for bit, log in enumerate(described)
    )
    return layout.add("B", unread).done()


def _data_set(data_set: DataSet) -> bytes:
    """Return the dimensions of a load profile data set as ET42 has them."""
    size = data_set.interval_size if data_set.blocks else 0
    return (
        Layout()
        .put(0, "IH", data_set.block_size, data_set.blocks)
        .put(6, "BB", data_set.channels, data_set.interval)
        .put(8, "BB", size, data_set.compliant << 3)
        .put(10, "HBB", data_set.intervals, *data_set.start)
        .done()
    )


@table("ET42")
def interface_definition(view: View) -> bytes:
    """All dimensions that can change within a firmware, gathered."""
    profile = view.profile
    demand = profile.demand or NO_DEMAND
    demands, coincidents = len(demand.sources), len(demand.coincidents)
    described = logs(profile)
    types = data_types(view)
    first, *further = profile.data_sets
    flags = bool(demands) | demand.cumulative << 1 | demand.continuous_cumulative << 2
    layout = (
        Layout(_FIXED_SECTION)
        .put(2, "BB", _FIXED_SECTION, len(described))
        .put(4, "H", compatibility_flags(profile))
        .put(8, "H", 1 + len(view.state.former))
        .put(
            10,
            "BBB",
            (flags | 8) * bool(demands) | 16,
            profile.self_reads,
            len(profile.summations),
        )
        .put(13, "BBB", demands, coincidents, 1 if demands else 0)
        .put(16, "BBB", profile.tiers, len(demand.present), len(profile.present))
        .put(19, "BB", demand.minutes if demands else 0, 1 if demands else 0)
        .put(21, "H", tier_block_length(profile))
        .put(23, "14s", _data_set(first))
        .put(37, "BHB", 0b110, profile.event_log, 2)
    )
    for log in described:
        layout.add("BH", log.entries, log.size)
    layout.add(f"{demands}s", bytes(demand.sources))
    layout.add(f"{coincidents}s", bytes(source for source, _ in demand.coincidents))
    layout.add(f"{first.channels}H", *first.sources)
    layout.add("B", len(types))
    for entry in types:
        layout.add("4s", entry)
    if profile.since(3, 50):
        layout.add("B", sum(bool(s.blocks) << bit for bit, s in enumerate(further)))
        for data_set in further:
            if data_set.blocks:
                layout.add("14s", _data_set(data_set))
                layout.add(f"{data_set.channels}H", *data_set.sources)
    if profile.since(3, 70):
        unit = profile.ratios.energy_unit
        alternate = profile.alternate_event_log
        extended, digits = profile.extended_reads, profile.rollover_digits
        layout.add("BHBHBB", 8, extended, 0, alternate, unit, digits)
    elif profile.since(3, 60):
        layout.add("BH", 3, profile.extended_reads)
    return layout.put(0, "H", len(layout)).done()
