"""What a client should read: the true values behind all tables, as whole numbers."""

from datetime import datetime
from zoneinfo import ZoneInfo

from .billing import billing_table
from .mbus import MbusSlot, SlotStatus
from .profiles import Demand
from .quality import PHASES, PowerQuality
from .registers import Snapshot
from .state import MeterState
from .world import World

type Truth = dict[int | str, int]


def truth(world: World) -> Truth:
    """Return every value; see ``SimulatedMeter.truth`` for the keys."""
    snapshot = world.snapshot()
    time = int(world.meter_time.timestamp())
    return {
        **_registers(snapshot),
        **_demands(snapshot),
        **_clock(world, snapshot),
        **_state(world.state, time),
        **_events(world),
        **_quality(world.quality),
        **_billing(world),
        **{
            f"mbus.{slot.index}.{key}": value
            for slot in world.state.mbus
            for key, value in _mbus(slot, time, world.zone).items()
        },
    }


def _registers(snapshot: Snapshot) -> Truth:
    profile = snapshot.profile
    reported = {*profile.summations, *profile.present, *range(29, 73)}
    if profile.demand:
        reported |= set(profile.demand.present)
    return {
        **{source: snapshot.value(source) for source in sorted(reported)},
        **{
            f"tier{tier}.{source}": snapshot.tier_value(source, tier)
            for tier in range(profile.tiers)
            for source in profile.summations
        },
        "energy_unit": profile.ratios.energy_unit,
        "rollover_digits": profile.rollover_digits,
    }


def _demands(snapshot: Snapshot) -> Truth:
    demand = snapshot.profile.demand
    if demand is None:
        return {"demand_resets": 0}
    values: Truth = {
        "demand_resets": snapshot.demand_resets,
        "demand.remaining": snapshot.demand.remaining(snapshot.time),
    }
    for tier in (None, *range(snapshot.profile.tiers)):
        prefix = "" if tier is None else f"tier{tier}."
        for index, source in enumerate(demand.sources):
            values |= {
                f"{prefix}demand.{source}{key}": value
                for key, value in _demand(snapshot, demand, index, tier).items()
            }
    return values


def _demand(
    snapshot: Snapshot, demand: Demand, index: int, tier: int | None
) -> dict[str, int]:
    source = demand.sources[index]
    peak = snapshot.peak(source, tier)
    cumulative = snapshot.cumulative(source, tier)
    return {
        "": peak.value,
        ".time": peak.time,
        ".cumulative": cumulative,
        ".continuous": cumulative + peak.value,
        **{
            f".coincident.{other}": snapshot.coincident(other, peak)
            for other, its_demand in demand.coincidents
            if its_demand == index
        },
    }


def _billing(world: World) -> Truth:
    """Return the newest reading that is stored for the bill, if there is one.

    One of an earlier configuration cannot be understood.
    """
    table = billing_table(world.profile)
    found = world.billing.of(table) if table else []
    if not found or found[-1].snapshot.profile != world.profile:
        return {}
    stored = found[-1]
    snapshot = stored.snapshot
    return {
        "billing.time": stored.time,
        **{
            f"billing.{prefix}{source}": snapshot.tier_value(source, tier)
            for tier, prefix in (
                (None, ""),
                *((tier, f"tier{tier}.") for tier in range(snapshot.profile.tiers)),
            )
            for source in (0, 1)
        },
    }


def _clock(world: World, snapshot: Snapshot) -> Truth:
    override = snapshot.override
    time = int(world.meter_time.timestamp())
    switch = snapshot.accumulators.next_switch(time)
    return {
        "active_tier": snapshot.tier,
        "next_switch": switch,
        "next_tier": snapshot.accumulators.active_tier(switch),
        "tier_drive": override.drive if override else 0,
        "tier_reason": override.reason if override else 0,
        "season": world.season,
        "dst": int(bool(world.meter_time.astimezone(world.zone).dst())),
        "utc": int(world.meter_time.timestamp()),
    }


def _state(state: MeterState, time: int) -> Truth:
    latest = reversed(state.outages)
    return {
        "disconnect": int(state.disconnect),
        "cut_off": _time(state.cut_off),
        "wiring": state.wiring,
        "rotation": state.rotation,
        "alarms": sum(1 << 8 * byte + bit for byte, bit in state.alarms_at(time)),
        **{
            f"relay.{number}.{key}": value
            for number, operation in state.switchings.items()
            for key, value in (
                ("pending", int(operation.pending(time))),
                ("remaining", operation.remaining(time)),
            )
        },
        "outages": len(state.outages),
        **{
            f"outage.{number}.{key}": value
            for number, outage in enumerate(latest)
            for key, value in (
                ("start", int(outage.start.timestamp())),
                ("end", int(outage.end.timestamp())),
                ("seconds", outage.seconds),
                ("brownout", int(outage.brownout)),
            )
        },
    }


def _events(world: World) -> Truth:
    values: Truth = {}
    for name, log in (
        ("events", world.state.events.primary),
        ("alternate_events", world.state.events.alternate),
    ):
        values[name] = len(log.entries)
        values[f"{name}.total"] = log.total
        if log.entries:
            last = log.entries[-1]
            values[f"{name}.last"] = last.event_id
            values[f"{name}.last.number"] = last.number
            values[f"{name}.last.time"] = int(last.time.timestamp())
    return values


def _time(time: datetime | None) -> int:
    """Return Unix time; 0 for never."""
    return int(time.timestamp()) if time else 0


def _quality(quality: PowerQuality) -> Truth:
    values: Truth = {
        "short_outages": quality.short_outages,
        "frequency_min": quality.lowest.value,
        "frequency_min.time": _time(quality.lowest.time),
        "frequency_max": quality.highest.value,
        "frequency_max.time": _time(quality.highest.time),
    }
    for name, tallies in (
        ("sag", quality.sags),
        ("sag2", quality.second_sags),
        ("surge", quality.surges),
        ("phase_loss", quality.phase_losses),
    ):
        for phase, tally in tallies.items():
            values[f"{name}.{phase}"] = tally.count
            values[f"{name}.{phase}.time"] = _time(tally.last)
            if name != "phase_loss":
                values[f"{name}.{phase}.voltage"] = tally.level
    for phase in PHASES:
        values[f"over_current.{phase}"] = quality.over_currents[phase]
        values[f"phase_lost.{phase}"] = int(phase in quality.lost_phases)
    for (kind, phase), distortion in quality.distortions.items():
        values |= {
            f"thd.{kind}.{phase}": distortion.count,
            f"thd.{kind}.{phase}.time": _time(distortion.last),
            f"thd.{kind}.{phase}.maximum": distortion.maximum,
            f"thd.{kind}.{phase}.maximum_time": _time(distortion.maximum_at),
            f"thd.{kind}.{phase}.average": distortion.average,
        }
    return values


def _mbus(slot: MbusSlot, time: int, zone: ZoneInfo) -> dict[str, int]:
    """Return what the newest stored read of a device says."""
    device = slot.device
    values = {
        "handle": device.handle,
        "status": SlotStatus.DOWN if slot.down(time) else SlotStatus.UP,
        "serial": int(device.serial),
        "medium": device.medium,
        "alarms": slot.status,
    }
    if (read := slot.last_read(time)) is not None:
        values["time"] = read
        for record in slot.records(read, zone):
            if record.name is not None and record.value is not None:
                values[record.name] = record.value
    return {key: int(value) for key, value in values.items()}
