"""The meter and what happens around it: time, mains, tariff, devices, the fitter."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from .alarms import ALARMS, Bit, Disconnect, alarm_bit
from .billing import Billing
from .catalogue import EVERY_PROFILE
from .events import NO_USER, Event
from .load_profile.data_set import MAPPED_IDS, DataSet, mapped_sources
from .load_profile.handle import LoadProfile
from .load_profile.history import History
from .mbus import MbusSlot
from .messages import Message
from .meter_clock import ClockStep, MeterClock
from .profiles import Profile
from .quality import PHASES, Outage, PowerQuality
from .registers import ENERGIES, Snapshot, TierOverride
from .relays import Switching
from .state import MeterState, changed_state, new_state, used_state

_MOST_TIERS = 8


class World:
    """A meter of one profile without its port: what it measures and remembers.

    ``clock`` gives the true time (aware); the load follows it. ``clock_offset`` is by
    how many seconds the meter's own clock is ahead of it. Times that a method is not
    given are those of the meter's own clock; phases are 1, 2, 3, voltages mV.
    """

    def __init__(
        self, profile: Profile, clock: Callable[[], datetime], seed: int
    ) -> None:
        """Install a meter that had been at work for some months."""
        self.profile = profile
        self.state: MeterState = used_state(profile)
        self.clock_offset = 0.0
        self._seed = seed
        self._clock = clock
        self._shift = timedelta()
        self._frozen: datetime | None = None
        self._snapshot: Snapshot | None = None

    # Time

    @property
    def time(self) -> datetime:
        """The true time as the meter's world sees it, aware, UTC."""
        return self._frozen or self._clock().astimezone(UTC) + self._shift

    @property
    def meter_time(self) -> datetime:
        """The time on the meter's own clock, aware, UTC."""
        return self.time + timedelta(seconds=self.clock_offset)

    @property
    def zone(self) -> ZoneInfo:
        """The meter's time zone."""
        return ZoneInfo(self.profile.time_zone)

    def freeze(self, time: datetime | None = None) -> None:
        """Stop the world's time, now or at a given time; registers stand still."""
        self._frozen = time or self.time

    def thaw(self) -> None:
        """Let time run again."""
        self._frozen = None

    def shift(self, seconds: float) -> None:
        """Move the world's time (a frozen one too); energies follow."""
        self._shift += timedelta(seconds=seconds)
        if self._frozen:
            self._frozen += timedelta(seconds=seconds)

    def set_clock(self, seconds: float, time: datetime | None = None) -> None:
        """Set the meter's clock forward, or back, now or at a time that it showed.

        From then on ``clock_offset`` has so many seconds more. Setting that attribute
        instead says that the clock was always wrong.
        """
        true = self.time.timestamp()
        if time is not None:
            true = self.meter_clock.true_time(time.timestamp())
        self.state.clock_steps.append(ClockStep(true, seconds))
        self.clock_offset += seconds

    @property
    def meter_clock(self) -> MeterClock:
        """The meter's clock through all times."""
        return MeterClock(self.clock_offset, tuple(self.state.clock_steps))

    # The past

    @property
    def history(self) -> History:
        """What the load profile's tables hold now."""
        now = self.time.timestamp()
        return History(self.profile, self._seed, self.state, self.meter_clock, now)

    @property
    def load_profile(self) -> LoadProfile:
        """The load profile: what is in it, and what went wrong with it."""
        return LoadProfile(self.history, self.state.load_profile, self.meter_time)

    def register_truth(self, source: int, time: datetime) -> int:
        """Return a register at a past time, in register units (0..111, 185...).

        Tariff, outages, presets and the meter's installation are what they were then.
        """
        return self.history.snapshot(time.timestamp()).value(source)

    @property
    def billing(self) -> Billing:
        """What was stored for the bill."""
        return Billing(self.profile, self.state, self.history)

    # Registers

    def snapshot(self) -> Snapshot:
        """Return all registers at the present second."""
        second = int(self.time.timestamp())
        registers = self.state.registers(self.meter_clock)
        now = Snapshot(self.profile, self._seed, second, registers)
        if self._snapshot != now:
            self._snapshot = now
        return self._snapshot

    def set_energy(self, source: int, value: int) -> None:
        """Turn an energy register to a value, in register units.

        Sources are those of one accumulator (0, 1, 108..111, apparent energies); sums
        move with it, and the first tiers as far as they have to. ValueError for other
        sources and for values that the register cannot hold.
        """
        channels = ENERGIES.get(source, ())
        snapshot = self.snapshot()
        if len(channels) != 1 or not 0 <= value < snapshot.modulus:
            raise ValueError(f"source {source} cannot be set to {value}")
        (channel,) = channels
        deltas = list(self.state.presets.get(channel, (0,) * _MOST_TIERS))
        surplus = snapshot.counts(channel, None) - value
        for tier in range(self.profile.tiers):
            cut = min(surplus, snapshot.counts(channel, tier))
            deltas[tier] -= cut
            surplus -= cut
        self.state.presets[channel] = tuple(deltas)

    # Tariff

    @property
    def season(self) -> int:
        """The active season, 0-based; settable, None gives it back to the calendar."""
        if self.state.season is not None:
            return self.state.season
        return self.profile.seasons[self.meter_time.astimezone(self.zone).month - 1]

    @season.setter
    def season(self, season: int | None) -> None:
        self.state.season = season

    def set_tier(
        self,
        tier: int,
        drive: int = 2,
        until: datetime | None = None,
        reason: int = 0,
    ) -> None:
        """Override the tariff calendar; energy is counted in this tier from now on.

        ``drive`` as in BT55: 1 until the next switch of the calendar, 2 for good,
        3 until a time or for a ``reason`` (bits of ET54.44). ValueError for a tier or
        drive that the meter does not know.
        """
        if not (0 <= tier < self.profile.tiers and 1 <= drive <= 3):
            raise ValueError(f"no tier {tier} with drive {drive}")
        now = int(self.time.timestamp())
        end = int(until.timestamp()) if until else None
        if drive == 1:
            end = self.snapshot().accumulators.next_switch(now)
        self.state.override_tier(TierOverride(tier, now, end, drive, reason))

    def release_tier(self) -> None:
        """Give the tariff back to the calendar."""
        self.state.release_tier(int(self.time.timestamp()))

    # State of the meter

    @property
    def alarms(self) -> set[Bit]:
        """The alarms that are set in BT03, as (byte, bit)."""
        return self.state.alarms

    def set_alarm(self, alarm: str | Bit, on: bool = True) -> None:
        """Set or clear an alarm by a name of ``ALARMS`` or its place.

        Raises ValueError for what the firmware's BT03 does not have.
        """
        bit = alarm_bit(alarm, self.profile.firmware[:2])
        (self.alarms.add if on else self.alarms.discard)(bit)

    def alarm_names(self) -> list[str]:
        """Return the names of the alarms that are set."""
        return [n for n, a in ALARMS.items() if (a.byte, a.bit) in self.alarms]

    @property
    def disconnect(self) -> Disconnect:
        """State of the load disconnect, settable."""
        return self.state.disconnect

    @disconnect.setter
    def disconnect(self, state: Disconnect) -> None:
        self.state.disconnect = Disconnect(state)

    def cut_off(self, time: datetime | None = None) -> None:
        """Open the load disconnect because too much power is used."""
        self.disconnect = Disconnect.OPEN
        self.state.cut_off = self._when(time)

    def switch_relay(self, number: int, opens: bool, after: int = 0) -> None:
        """Open or close a control relay, now or after so many seconds.

        ValueError for a relay that the meter does not have.
        """
        if number not in self.profile.relays:
            raise ValueError(f"no control relay {number}")
        now = int(self.meter_time.timestamp())
        self.state.alarms = self.state.alarms_at(now)
        self.state.switchings[number] = Switching(number, opens, now + after, after)

    @property
    def wiring(self) -> int:
        """The wiring error of ET54.68, settable; only 3.60 and later report it."""
        return self.state.wiring

    @wiring.setter
    def wiring(self, error: int) -> None:
        self.state.wiring = error

    @property
    def message(self) -> Message | None:
        """The grid company's message on the display, settable."""
        return self.state.message

    @message.setter
    def message(self, message: Message | None) -> None:
        self.state.message = message

    @property
    def rotation(self) -> int:
        """The phase rotation of ET04.73, settable: 0 L1L2L3, 1 L3L2L1, 2 unknown."""
        return self.state.rotation

    @rotation.setter
    def rotation(self, rotation: int) -> None:
        self.state.rotation = rotation

    # Mains

    @property
    def quality(self) -> PowerQuality:
        """What ET09 holds, apart from the outages."""
        return self.state.quality

    @property
    def outages(self) -> list[Outage]:
        """All long outages, oldest first."""
        return self.state.outages

    def add_outage(
        self, start: datetime, end: datetime, *, brownout: bool = False
    ) -> None:
        """Let the power have been away, in the meter's time.

        It appears in ET09, ET81, the event log (power down, power up) and the outage
        registers; one shorter than ``quality.long_outage`` only in ET09's counter of
        short ones. Meanwhile the energy registers stood still, so that they are lower
        now; the load profile shows it. ValueError when it ends before it starts.
        """
        if end < start:
            raise ValueError("an outage ends after its start")
        self.state.add_outage(
            Outage(start.astimezone(UTC), end.astimezone(UTC), brownout)
        )

    def sag(
        self,
        phase: int,
        voltage: int = 195000,
        time: datetime | None = None,
        *,
        second: bool = False,
    ) -> None:
        """Count a voltage sag, of the second threshold (4.10+) if asked for."""
        tallies = self.quality.second_sags if second else self.quality.sags
        tallies[_phase(phase)].add(self._when(time), voltage)

    def surge(
        self, phase: int, voltage: int = 258000, time: datetime | None = None
    ) -> None:
        """Count a surge (swell)."""
        self.quality.surges[_phase(phase)].add(self._when(time), voltage)

    def over_current(self, phase: int) -> None:
        """Count an over-current event."""
        self.quality.over_currents[_phase(phase)] += 1

    def lose_phase(self, phase: int, time: datetime | None = None) -> None:
        """Count a phase loss that goes on; the registers are not changed."""
        self.quality.phase_losses[_phase(phase)].add(self._when(time))
        self.quality.lost_phases.add(phase)

    def restore_phase(self, phase: int) -> None:
        """End a phase loss."""
        self.quality.lost_phases.discard(_phase(phase))

    def frequency_extreme(self, value: int, time: datetime | None = None) -> None:
        """Note a frequency in mHz, if it is the lowest or the highest so far."""
        self.quality.frequency(value, self._when(time))

    def thd(
        self,
        kind: str,
        phase: int,
        maximum: int,
        average: int,
        time: datetime | None = None,
    ) -> None:
        """Note a THD event: voltage, current or apparent; values in 1/1000."""
        self.quality.thd(kind, _phase(phase), maximum, average, self._when(time))

    def drp_drc(self, drp: int, drc: int, time: datetime | None = None) -> None:
        """Note a DRP/DRC event (3.70+), in 1/1000."""
        self.quality.transgression(drp, drc, self._when(time))

    # Events

    def log_event(
        self,
        event_id: int,
        argument: bytes = b"",
        user: int = NO_USER,
        time: datetime | None = None,
        *,
        alternate: bool = False,
    ) -> Event:
        """Write an entry into the primary (BT74) or the alternate log (ET79).

        Raises ValueError for what an entry cannot hold or a log that is off.
        """
        return self.state.events.add(
            event_id, self._when(time), argument, user, alternate=alternate
        )

    def clear_events(self, *, alternate: bool = False) -> None:
        """Clear a log; before 3.70 its numbers begin anew."""
        events = self.state.events
        (events.alternate if alternate else events.primary).clear()
        if not self.profile.since(3, 70):
            events.last_number = 0

    # M-Bus devices

    @property
    def mbus(self) -> dict[int, MbusSlot]:
        """The occupied slots by their index (as in ET13, ET14, ET16)."""
        return {slot.index: slot for slot in self.state.mbus}

    def read_mbus(self, index: int) -> bool:
        """Read a device on demand, into ET16; False when it does not answer.

        Raises ValueError for an empty slot.
        """
        now = int(self.meter_time.timestamp())
        slot = self.state.slot(index)
        if slot.down(now):
            return False
        slot.demanded.append(now)
        return True

    def set_mbus(self, index: int, litres: int) -> None:
        """Turn a device's register until it reads so many litres now."""
        slot = self.state.slot(index)
        now = int(self.meter_time.timestamp())
        slot.offset = litres - slot.device.consumption.litres(now)

    def mbus_down(self, index: int, down: bool = True) -> None:
        """Let a device stop to answer, or answer again."""
        self.state.slot(index).set_down(int(self.meter_time.timestamp()), down)

    def mbus_status(self, index: int, status: int) -> None:
        """Set the status byte that a device sends (bit 2: low power, ...)."""
        self.state.slot(index).status = status

    # The fitter

    def replace_meter(self, serial_number: str) -> None:
        """Put another meter of the same kind in its place, all registers at 0."""
        transceiver = bytes(255 - byte for byte in self.profile.transceiver_id)
        self.profile = replace(
            self.profile, serial_number=serial_number, transceiver_id=transceiver
        )
        self.state = new_state(self.profile, self.time)

    def adopt_profile(self, profile: Profile | str) -> None:
        """Give the same meter the firmware and configuration of a profile.

        Raises ValueError for a name that is not one of ``EVERY_PROFILE``.
        """
        if isinstance(profile, str):
            if profile not in EVERY_PROFILE:
                raise ValueError(f"no profile {profile!r}")
            profile = EVERY_PROFILE[profile]
        before = self.profile.used_data_sets
        self.state.former.append((self.meter_time.timestamp(), self.profile))
        self.profile = replace(
            profile,
            serial_number=self.profile.serial_number,
            transceiver_id=self.profile.transceiver_id,
            time_zone=self.profile.time_zone,
        )
        self.state = changed_state(self.state, self.profile)
        if self.profile.used_data_sets != before:
            self.state.load_profile.restart(self.meter_time)

    def configure_load_profile(self, *data_sets: DataSet) -> None:
        """Give the load profile other data sets, from now on; what it has is lost.

        Raises ValueError for more sets, or mapped ids, than the meter has.
        """
        if len(data_sets) > len(self.profile.data_sets):
            raise ValueError(f"no {len(data_sets)} data sets with this firmware")
        if len(mapped_sources(data_sets)) > MAPPED_IDS:
            raise ValueError(f"there are {MAPPED_IDS} mapped ids")
        self.profile = replace(self.profile, load_profile=data_sets)
        self.state.load_profile.restart(self.meter_time)

    def _when(self, time: datetime | None) -> datetime:
        return self.meter_time if time is None else time.astimezone(UTC)


def _phase(phase: int) -> int:
    if phase not in PHASES:
        raise ValueError(f"phases are 1, 2, 3, not {phase}")
    return phase
