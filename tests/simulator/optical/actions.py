"""What can be done to an optical port from outside: commands of the remote control."""

from collections.abc import Callable
from dataclasses import asdict, fields, replace
from enum import Enum
import json

from .access import Right
from .faults import OPTICAL_KINDS
from .noise import KINDS
from .port import OpticalPort
from .settings import FirstPacket, OpticalSettings

_NAMES = {field.name for field in fields(OpticalSettings)}
_ENUMS: dict[str, type[Enum]] = {"first_packet": FirstPacket, "unlisted": Right}


def changed(settings: OpticalSettings, **values: object) -> OpticalSettings:
    """Return settings with some other values, as JSON has them; enums by their name.

    Raises ValueError for what is not understood.
    """
    if unknown := values.keys() - _NAMES:
        names = ", ".join(sorted(_NAMES))
        raise ValueError(f"no setting {', '.join(sorted(unknown))}; there are {names}")
    for name, value in values.items():
        if name in _ENUMS:
            values[name] = _member(_ENUMS[name], str(value))
        elif name == "hardware_lock":
            values[name] = frozenset(value if isinstance(value, list) else [value])
    return replace(settings, **values)  # type: ignore[arg-type]


def _member(kind: type[Enum], name: str) -> Enum:
    try:
        return kind[name.upper()]
    except KeyError as error:
        known = ", ".join(member.name.lower() for member in kind)
        raise ValueError(f"{name!r} is none of {known}") from error


def parse_settings(text: str) -> OpticalSettings:
    """Read ``name=value,...``; values as in JSON, enums by their name."""
    values: dict[str, object] = {}
    for item in filter(None, text.split(",")):
        name, equals, value = item.partition("=")
        if not equals:
            raise ValueError(f"not understood: {item!r}")
        try:
            values[name] = json.loads(value)
        except ValueError:
            values[name] = value
    return changed(OpticalSettings(), **values)


def _set(port: OpticalPort, **values: object) -> None:
    """Change settings while the port is in use."""
    port.settings = changed(port.settings, **values)


def _add_fault(port: OpticalPort, spec: str) -> int:
    """Switch a fault on, given as text; returns its number."""
    return port.add_fault(spec).number


def _remove_fault(port: OpticalPort, fault: int) -> None:
    """Switch a fault off by its number."""
    for active in [a for a in port.faults if a.number == fault]:
        active.remove()


def _head(port: OpticalPort, attached: bool = True) -> None:
    """Take the head off the meter, or put it back."""
    port.is_attached = attached


def _echo(port: OpticalPort, on: bool = True) -> None:
    """Let the head see its own light, or not."""
    port.echoes = on


def _noise(port: OpticalPort, rate: float, kind: str | None = None) -> None:
    """Damage so much of all bytes, in all ways or in one."""
    if kind is not None and kind not in KINDS:
        raise ValueError(f"{kind!r} is none of {', '.join(KINDS)}")
    port.noise.rate = rate
    port.noise.kinds = KINDS if kind is None else (kind,)


def _requests(port: OpticalPort, last: int = 20) -> list[dict[str, object]]:
    """Return the last served requests."""
    return [asdict(served) for served in list(port.requests)[-last:]]


OPTICAL_COMMANDS: dict[str, Callable[..., object]] = {
    "optical_statistics": OpticalPort.statistics,
    "optical_requests": _requests,
    "optical_set": _set,
    "optical_add_fault": _add_fault,
    "optical_remove_fault": _remove_fault,
    "optical_clear_faults": OpticalPort.clear_faults,
    "optical_fault_kinds": lambda port: {
        name: kind.about for name, kind in OPTICAL_KINDS.items()
    },
    "optical_head": _head,
    "optical_echo": _echo,
    "optical_noise": _noise,
    "optical_restart": OpticalPort.restart,
}
