"""What can happen to a meter, as commands of the remote control and of ``--do``.

Times are ISO 8601 (without zone: UTC), phases 1 to 3, voltages mV.
"""

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime

from .alarms import Disconnect
from .catalogue import EVERY_PROFILE
from .events import NO_USER
from .messages import Message
from .meter import SimulatedMeter

type Action = Callable[..., object]


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _moment(text: str | None) -> datetime | None:
    return None if text is None else _time(text)


def _alarm(
    meter: SimulatedMeter,
    name: str | None = None,
    byte: int = 0,
    bit: int = 0,
    on: bool = True,
) -> list[str]:
    """Set or clear an alarm by name, or by byte and bit; returns those that are set."""
    meter.set_alarm((byte, bit) if name is None else name, on)
    return meter.alarm_names()


def _disconnect(meter: SimulatedMeter, state: str) -> None:
    """Move the load disconnect: closed, closing, open or opening."""
    try:
        meter.disconnect = Disconnect[state.upper()]
    except KeyError as error:
        raise ValueError(f"no state {state!r}") from error


def _cut_off(meter: SimulatedMeter, time: str | None = None) -> None:
    """Cut the load off because of its power."""
    meter.cut_off(_moment(time))


def _relay(
    meter: SimulatedMeter, number: int = 1, opens: bool = True, after: int = 0
) -> None:
    """Open or close a control relay, now or after some seconds."""
    meter.switch_relay(number, opens, after)


def _message(
    meter: SimulatedMeter,
    text: str | None,
    start: str = "2025-01-01",
    end: str = "2099-12-31",
    code: str = "",
    dismissed: bool = False,
) -> None:
    """Show a message of the grid company, 8 characters long; null removes it."""
    meter.message = (
        None
        if text is None
        else Message(
            text=text,
            start=_time(start),
            end=_time(end),
            code=code,
            dismissed=dismissed,
        )
    )


def _wiring(meter: SimulatedMeter, error: int) -> None:
    """Set the wiring error: 0 none, 1 low, 2 high voltage, 4 phases in phase."""
    meter.wiring = error


def _rotation(meter: SimulatedMeter, rotation: int) -> None:
    """Set the phase rotation: 0 L1L2L3, 1 L3L2L1, 2 unknown."""
    meter.rotation = rotation


def _outage(
    meter: SimulatedMeter, start: str, end: str, brownout: bool = False
) -> None:
    """Let the power have been away."""
    meter.add_outage(_time(start), _time(end), brownout=brownout)


def _event(
    meter: SimulatedMeter,
    event_id: int,
    argument: str = "",
    user: int = NO_USER,
    time: str | None = None,
    alternate: bool = False,
) -> int:
    """Log an event (argument in hex digits); returns its sequence number."""
    data = bytes.fromhex(argument)
    event = meter.log_event(event_id, data, user, _moment(time), alternate=alternate)
    return event.number


def _tier(
    meter: SimulatedMeter,
    tier: int | None,
    drive: int = 2,
    until: str | None = None,
    reason: int = 0,
) -> None:
    """Set the tier by hand; null gives it back to the calendar."""
    if tier is None:
        meter.release_tier()
    else:
        meter.set_tier(tier, drive, _moment(until), reason)


def _season(meter: SimulatedMeter, season: int | None) -> None:
    """Set the season; null gives it back to the calendar."""
    meter.season = season


def _phase_loss(meter: SimulatedMeter, phase: int, on: bool = True) -> None:
    """Start or end the loss of a phase."""
    (meter.lose_phase if on else meter.restore_phase)(phase)


def _set_clock(meter: SimulatedMeter, seconds: float, time: str | None = None) -> float:
    """Set the clock forward or back; returns how far it is ahead then."""
    meter.set_clock(seconds, _moment(time))
    return meter.clock_offset


def _stop(
    meter: SimulatedMeter,
    after: str | None = None,
    until: str | None = None,
    opt_out: bool = False,
) -> None:
    """Switch the load profile off, for a time or until it is resumed."""
    meter.load_profile.stop(_moment(after), _moment(until), opt_out=opt_out)


def _resume(meter: SimulatedMeter, time: str | None = None) -> None:
    """Switch the load profile on again."""
    meter.load_profile.resume(_moment(time))


def _lose(
    meter: SimulatedMeter, after: str, until: str, data_set: int | None = None
) -> None:
    """Let load profile intervals not have been recorded."""
    meter.load_profile.lose(_time(after), _time(until), data_set)


def _mark(
    meter: SimulatedMeter,
    after: str,
    until: str,
    status: int | str = 0,
    common: int = 0,
    channel: int | None = None,
    data_set: int | None = None,
) -> None:
    """Give load profile intervals a status."""
    meter.load_profile.mark(
        _time(after),
        _time(until),
        status,
        common=common,
        channel=channel,
        data_set=data_set,
    )


def _configure(meter: SimulatedMeter, profile: str) -> None:
    """Give the load profile the data sets of another profile; it begins anew."""
    if profile not in EVERY_PROFILE:
        raise ValueError(f"no profile {profile!r}")
    meter.configure_load_profile(*EVERY_PROFILE[profile].load_profile)


def _intervals(
    meter: SimulatedMeter,
    data_set: int = 0,
    after: str | None = None,
    until: str | None = None,
) -> list[dict[str, object]]:
    """Return the recorded intervals that end in a time."""
    found = meter.load_profile.intervals(data_set, _moment(after), _moment(until))
    return [asdict(interval) | {"end": interval.end.isoformat()} for interval in found]


def _load_profile(meter: SimulatedMeter, data_set: int = 0) -> dict[str, int]:
    """Return the state of a data set."""
    return meter.load_profile.truth(data_set)


def _interval_truth(
    meter: SimulatedMeter, data_set: int, channel: int, end: str
) -> int:
    """Return the register of a channel at an interval's end."""
    return meter.load_profile.interval_truth(data_set, channel, _time(end))


def _register_truth(meter: SimulatedMeter, source: int, time: str) -> int:
    """Return a register at a past time."""
    return meter.register_truth(source, _time(time))


ACTIONS: dict[str, Action] = {
    "alarm": _alarm,
    "disconnect": _disconnect,
    "cut_off": _cut_off,
    "relay": _relay,
    "wiring": _wiring,
    "message": _message,
    "rotation": _rotation,
    "outage": _outage,
    "event": _event,
    "clear_events": SimulatedMeter.clear_events,
    "tier": _tier,
    "season": _season,
    "sag": SimulatedMeter.sag,
    "surge": SimulatedMeter.surge,
    "over_current": SimulatedMeter.over_current,
    "phase_loss": _phase_loss,
    "frequency": SimulatedMeter.frequency_extreme,
    "thd": SimulatedMeter.thd,
    "drp_drc": SimulatedMeter.drp_drc,
    "mbus_read": SimulatedMeter.read_mbus,
    "mbus_set": SimulatedMeter.set_mbus,
    "mbus_down": SimulatedMeter.mbus_down,
    "mbus_status": SimulatedMeter.mbus_status,
    "set_energy": SimulatedMeter.set_energy,
    "replace_meter": SimulatedMeter.replace_meter,
    "set_clock": _set_clock,
    "load_profile": _load_profile,
    "load_profile_stop": _stop,
    "load_profile_resume": _resume,
    "load_profile_lose": _lose,
    "load_profile_mark": _mark,
    "load_profile_configure": _configure,
    "intervals": _intervals,
    "interval_truth": _interval_truth,
    "register_truth": _register_truth,
    "change_profile": SimulatedMeter.change_profile,
}
