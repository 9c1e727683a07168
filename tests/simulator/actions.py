"""What can happen to a meter, as commands of the remote control and of ``--do``.

Times are ISO 8601 (without zone: UTC), phases 1 to 3, voltages mV.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from .alarms import Disconnect
from .events import NO_USER
from .meter import SimulatedMeter

type Action = Callable[..., object]


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


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


def _wiring(meter: SimulatedMeter, error: int) -> None:
    """Set the wiring error: 0 none, 1 low, 2 high voltage, 4 phases in phase."""
    meter.wiring = error


def _outage(
    meter: SimulatedMeter, start: str, end: str, brownout: bool = False
) -> None:
    """Let the power have been away."""
    first, last = _moment(start), _moment(end)
    assert first is not None
    assert last is not None
    meter.add_outage(first, last, brownout=brownout)


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
    """Begin or end the loss of a phase."""
    (meter.lose_phase if on else meter.restore_phase)(phase)


ACTIONS: dict[str, Action] = {
    "alarm": _alarm,
    "disconnect": _disconnect,
    "wiring": _wiring,
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
    "change_profile": SimulatedMeter.change_profile,
}
