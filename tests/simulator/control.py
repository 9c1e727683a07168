"""Remote control of a simulated meter: one JSON object a line, over TCP.

A request is ``{"command": NAME, ...arguments}``, the answer ``{"ok": true, "result":
...}`` or ``{"ok": false, "error": TEXT}``. ``COMMANDS`` lists what there is, and
``OPTICAL_COMMANDS`` what there is beside it where an optical port is served.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict
import json
import socket
from typing import Any, Self

from .actions import ACTIONS
from .faults import KINDS, Fault
from .meter import SimulatedMeter
from .optical import OPTICAL_COMMANDS, OpticalPort

type _Command = Callable[..., object]


def parse(spec: str) -> tuple[str, dict[str, object]]:
    """Read ``command:name=value,...``; what looks like JSON (7, true, null) is that.

    Raises ValueError for what is not understood.
    """
    command, _, rest = spec.partition(":")
    arguments: dict[str, object] = {}
    for item in filter(None, rest.split(",")):
        name, equals, text = item.partition("=")
        if command not in COMMANDS | OPTICAL_COMMANDS or not equals:
            raise ValueError(f"not understood: {spec!r}")
        try:
            arguments[name] = json.loads(text)
        except ValueError:
            arguments[name] = text
    return command, arguments


def carry_out(
    meter: SimulatedMeter, spec: str, optical: OpticalPort | None = None
) -> object:
    """Carry out a command given as text; ValueError when that cannot be."""
    command, arguments = parse(spec)
    try:
        return _call(meter, optical, command, arguments)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{spec!r}: {error}") from error


def _add_fault(meter: SimulatedMeter, spec: str) -> int:
    """Switch a fault on, given as text; returns its number."""
    return meter.add_fault(Fault.parse(spec)).number


def _remove_fault(meter: SimulatedMeter, fault: int) -> None:
    """Switch a fault off by its number."""
    for active in [a for a in meter.faults if a.number == fault]:
        active.remove()


def _alert(meter: SimulatedMeter, on: bool = True) -> None:
    """Give the meter a reason to send alert sequences, or take it away."""
    meter.alert = on


def _clock_offset(meter: SimulatedMeter, seconds: float) -> None:
    """Set the meter's own clock wrong by so many seconds (positive: ahead)."""
    meter.clock_offset = seconds


def _info(meter: SimulatedMeter) -> dict[str, object]:
    """Return profile, serial number and firmware."""
    profile = meter.profile
    return {
        "profile": profile.name,
        "serial_number": profile.serial_number,
        "firmware": "{}.{:02}.{:02}".format(*profile.firmware),
        "time": meter.time.isoformat(),
    }


def _requests(meter: SimulatedMeter, last: int = 20) -> list[dict[str, object]]:
    """Return the last served requests."""
    return [asdict(served) for served in list(meter.requests)[-last:]]


COMMANDS: dict[str, _Command] = {
    "info": _info,
    "truth": SimulatedMeter.truth,
    "statistics": SimulatedMeter.statistics,
    "requests": _requests,
    "add_fault": _add_fault,
    "remove_fault": _remove_fault,
    "clear_faults": SimulatedMeter.clear_faults,
    "fault_kinds": lambda meter: {name: kind.about for name, kind in KINDS.items()},
    "restart": SimulatedMeter.restart,
    "interface_change": SimulatedMeter.raise_interface_version,
    "alert": _alert,
    "shift": SimulatedMeter.shift,
    "clock_offset": _clock_offset,
    "freeze": lambda meter: meter.freeze(),
    "thaw": SimulatedMeter.thaw,
    **ACTIONS,
}


def _call(
    meter: SimulatedMeter,
    optical: OpticalPort | None,
    command: str,
    arguments: dict[str, Any],
) -> object:
    """Carry out a command on the meter, or on its optical port."""
    if command not in OPTICAL_COMMANDS:
        return COMMANDS[command](meter, **arguments)
    if optical is None:
        raise ValueError("no optical port is served")
    return OPTICAL_COMMANDS[command](optical, **arguments)


def answer(
    meter: SimulatedMeter, line: bytes, optical: OpticalPort | None = None
) -> bytes:
    """Carry out one line and return the line that answers it."""
    try:
        arguments = json.loads(line)
        command = arguments.pop("command")
        reply = {"ok": True, "result": _call(meter, optical, command, arguments)}
    except (ValueError, TypeError, AttributeError) as error:
        reply = {"ok": False, "error": str(error)}
    except KeyError:
        reply = {"ok": False, "error": f"known commands: {', '.join(COMMANDS)}"}
    return json.dumps(reply).encode() + b"\n"


@asynccontextmanager
async def serve_control(
    meter: SimulatedMeter,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    optical: OpticalPort | None = None,
) -> AsyncIterator[tuple[str, int]]:
    """Serve the remote control of a meter, and of its optical port; give its address."""
    clients: set[asyncio.StreamWriter] = set()

    async def client(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        clients.add(writer)
        try:
            while line := await reader.readline():
                writer.write(answer(meter, line, optical))
                await writer.drain()
        except ConnectionError:
            return
        finally:
            clients.discard(writer)
            writer.close()

    server = await asyncio.start_server(client, host, port)
    try:
        address = server.sockets[0].getsockname()
        yield address[0], address[1]
    finally:
        server.close()
        for writer in list(clients):
            writer.transport.abort()
        await server.wait_closed()


def _result(line: bytes) -> Any:
    reply = json.loads(line) if line else {"ok": False, "error": "no answer"}
    if not reply["ok"]:
        raise RuntimeError(reply["error"])
    return reply["result"]


def _line(command: str, arguments: dict[str, object]) -> bytes:
    return json.dumps({"command": command, **arguments}).encode() + b"\n"


class ControlClient:
    """A blocking client of the remote control, for scripts.

    Raises OSError when the simulator is not there, RuntimeError when it refuses.
    """

    def __init__(self, host: str, port: int, timeout: float = 10.0) -> None:
        """Connect."""
        self._socket = socket.create_connection((host, port), timeout)
        self._file = self._socket.makefile("rwb")

    def call(self, command: str, **arguments: object) -> Any:
        """Carry out a command and return its result."""
        self._file.write(_line(command, arguments))
        self._file.flush()
        return _result(self._file.readline())

    def truth(self) -> dict[int | str, int]:
        """Return the meter's registers, as ``SimulatedMeter.truth`` does."""
        return _with_numbers(self.call("truth"))

    def close(self) -> None:
        """Disconnect."""
        self._file.close()
        self._socket.close()

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Disconnect."""
        self.close()


async def call(host: str, port: int, command: str, **arguments: object) -> Any:
    """Carry out one command from asynchronous code and return its result.

    ``truth`` has the keys of ``SimulatedMeter.truth``. Raises as ``ControlClient``.
    """
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(_line(command, arguments))
        result = _result(await reader.readline())
    finally:
        writer.close()
        await writer.wait_closed()
    return _with_numbers(result) if command == "truth" else result


def _with_numbers(truth: dict[str, int]) -> dict[int | str, int]:
    """Return source ids as numbers again, which JSON keys cannot be."""
    return {int(key) if key.isdigit() else key: value for key, value in truth.items()}
