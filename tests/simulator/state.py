"""What a meter remembers apart from the sums of its load: it can be set by tests."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from .alarms import Bit, Disconnect
from .events import EventLogs, past_events
from .load import ANCHOR, Channel
from .load_profile.memory import LoadProfileMemory
from .mbus import MbusSlot
from .messages import Message
from .meter_clock import ClockStep, MeterClock
from .profiles import Profile
from .quality import OLD_OUTAGES, Outage, PowerQuality, past_quality
from .registers import ERRORS, RegisterState, TierOverride
from .relays import Switching, settled


@dataclass(slots=True, kw_only=True)
class MeterState:
    """Alarms, logs, power quality, tariff, M-Bus devices, the past.

    ``outages`` are all long ones, oldest first; ``power_cuts`` those, short ones too,
    in which the energy registers stood still. ``season`` overrides the calendar.
    ``switchings`` are the last operations of the control relays at a random time.
    ``cut_off`` is when the load was last cut off because of its power.
    ``message`` is that of the grid company. ``wiring`` is the wiring error of ET54.68,
    ``rotation`` that of ET04.73. ``former`` are earlier configurations and until when
    they held, by the meter's clock.
    """

    events: EventLogs
    mbus: list[MbusSlot]
    load_profile: LoadProfileMemory
    clock_steps: list[ClockStep] = field(default_factory=list)
    power_cuts: list[Outage] = field(default_factory=list)
    quality: PowerQuality = field(default_factory=PowerQuality)
    outages: list[Outage] = field(default_factory=list)
    alarms: set[Bit] = field(default_factory=set)
    disconnect: Disconnect = Disconnect.CLOSED
    switchings: dict[int, Switching] = field(default_factory=dict)
    cut_off: datetime | None = None
    wiring: int = 0
    message: Message | None = None
    rotation: int = 0
    season: int | None = None
    errors: int = 0
    overrides: list[TierOverride] = field(default_factory=list)
    presets: dict[Channel, tuple[int, ...]] = field(default_factory=dict)
    started: int | None = None
    former: list[tuple[float, Profile]] = field(default_factory=list)

    def registers(self, clock: MeterClock, until: float | None = None) -> RegisterState:
        """Return what the registers depend on, now or at a time of the meter's clock."""
        outages = [
            outage
            for outage in self.outages
            if until is None or outage.end.timestamp() <= until
        ]
        return RegisterState(
            outages=len(outages),
            outage_seconds=sum(outage.seconds for outage in outages),
            cuts=self._cuts(clock),
            overrides=tuple(self.overrides),
            presets=tuple(self.presets.items()),
            started=self.started,
            errors=self.errors,
        )

    def _cuts(self, clock: MeterClock) -> tuple[tuple[int, int], ...]:
        """Return when the power was off, in true time, without overlaps."""
        cuts: list[tuple[int, int]] = []
        for cut in sorted(self.power_cuts, key=lambda cut: cut.start):
            start, end = (
                clock.true_time(time.timestamp()) for time in (cut.start, cut.end)
            )
            if cuts and start <= cuts[-1][1]:
                cuts[-1] = (cuts[-1][0], max(cuts[-1][1], end))
            else:
                cuts.append((start, end))
        return tuple(cuts)

    def alarms_at(self, time: int) -> set[Bit]:
        """Return the bits of BT03 at a time of the meter's clock."""
        return settled(self.alarms, self.switchings.values(), time)

    def override_tier(self, override: TierOverride) -> None:
        """Set a tier by hand; one that was in effect ends."""
        self.release_tier(override.start)
        self.overrides.append(override)

    def release_tier(self, time: int) -> None:
        """Let the calendar rule again."""
        self.overrides = [
            replace(o, end=time) if o.holds(time) else o for o in self.overrides
        ]

    def add_outage(self, outage: Outage) -> None:
        """Remember an outage where the meter does, by its length."""
        self.power_cuts.append(outage)
        if outage.seconds < self.quality.long_outage:
            self.quality.short_outages += 1
            return
        self.outages.append(outage)
        self.events.add_outage(outage)

    def slot(self, index: int) -> MbusSlot:
        """Return an occupied M-Bus slot; ValueError when it is empty."""
        for slot in self.mbus:
            if slot.index == index:
                return slot
        raise ValueError(f"no M-Bus device in slot {index}")


def _slots(profile: Profile) -> list[MbusSlot]:
    return [
        MbusSlot(index, device) for index, device in enumerate(profile.mbus) if device
    ]


def used_state(profile: Profile) -> MeterState:
    """Return the state of a meter that had been at work for some months."""
    return MeterState(
        events=past_events(profile.event_log, profile.alternate_event_log),
        mbus=_slots(profile),
        load_profile=LoadProfileMemory(ANCHOR),
        quality=past_quality(),
        outages=list(OLD_OUTAGES),
        errors=ERRORS,
        message=profile.message,
    )


def new_state(profile: Profile, time: datetime) -> MeterState:
    """Return the state of a meter that is installed at a time, registers at 0."""
    return MeterState(
        events=EventLogs(profile.event_log, profile.alternate_event_log),
        mbus=_slots(profile),
        load_profile=LoadProfileMemory(int(time.timestamp())),
        started=int(time.timestamp()),
    )


def changed_state(state: MeterState, profile: Profile) -> MeterState:
    """Return a meter's state after its configuration became that of a profile.

    Logs whose size changes begin anew; M-Bus devices are those of the profile.
    """
    sizes = (profile.event_log, profile.alternate_event_log)
    if (state.events.primary.size, state.events.alternate.size) != sizes:
        number = state.events.last_number
        state.events = EventLogs(*sizes)
        state.events.last_number = number
    state.mbus = _slots(profile)
    return state
