"""RTS and DTR, which drive the meter's ENABLE, on ports that have one, both or none."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import override

import pytest
from serialx import ModemPins, SerialException, register_uri_handler
from serialx.platforms.serial_socket import SocketSerial, SocketSerialTransport

from osgp import Access, Meter
from osgp.mep import client as client_module
from tests.driven_clock import driven_clock
from tests.simulator import DEFAULT_KEY, Fault, SimulatedMeter

from .test_meter import assert_true

_LINES = ("rts", "dtr")


class _Board:
    """A serial proxy with a meter that is silent while ENABLE is not driven.

    Like ESPHome's: it takes the states of both lines in one request, and refuses it
    as a whole if it would raise a line that the board does not have.
    """

    def __init__(self, lines: tuple[str, ...], *, tells: bool) -> None:
        """Have these lines, all low; tell, or keep quiet about, what is refused."""
        self.lines = dict.fromkeys(lines, False)
        self.tells = tells
        self.answers = True
        self.changes: list[bool] = []

    @property
    def enabled(self) -> bool:
        """Whether any line drives ENABLE."""
        return any(self.lines.values())

    def request(self, wanted: dict[str, bool]) -> None:
        """Set the lines."""
        if any(on and line not in self.lines for line, on in wanted.items()):
            if self.tells:
                raise SerialException("Operation is not supported")
            return
        before = self.enabled
        self.lines = {line: wanted[line] for line in self.lines}
        if self.enabled != before:
            self.changes.append(self.enabled)


@contextmanager
def _proxied(board: _Board) -> Iterator[None]:
    """Let proxied://host:port lead to a TCP port through this board."""

    class Transport(SocketSerialTransport):
        """Asks for the states that it was last told, refused ones among them."""

        wanted = dict.fromkeys(_LINES, False)

        @override
        async def _set_modem_pins(self, modem_pins: ModemPins) -> None:
            told = {line: getattr(modem_pins, line).to_bool() for line in _LINES}
            self.wanted = {
                line: before if told[line] is None else told[line]
                for line, before in self.wanted.items()
            }
            board.request(self.wanted)
            if not board.answers:
                await asyncio.Event().wait()

        @override
        def write(self, data: bytes | bytearray | memoryview) -> None:
            if board.enabled:
                super().write(data)

    unregister = register_uri_handler(
        scheme="proxied://",
        unique_scheme="proxied-board://",
        sync_cls=SocketSerial,
        async_transport_cls=Transport,
    )
    try:
        yield
    finally:
        unregister()


@pytest.mark.parametrize(
    ("lines", "tells"),
    [
        (("rts",), True),
        (("dtr",), True),
        (("rts", "dtr"), True),
        # serialx before 1.10 does not wait for the answer.
        (("rts",), False),
        (("rts", "dtr"), False),
    ],
)
async def test_enable_is_driven_and_restarted(
    simulated: SimulatedMeter,
    url: str,
    monkeypatch: pytest.MonkeyPatch,
    lines: tuple[str, ...],
    tells: bool,
) -> None:
    """Whatever line ENABLE hangs on is raised, and dropped to restart the port."""
    monkeypatch.setattr(client_module, "_REOPEN_AFTER_SILENCE", 0.0)
    board = _Board(lines, tells=tells)
    with _proxied(board):
        meter = await Meter.open(
            Access(url.replace("socket://", "proxied://"), DEFAULT_KEY),
            clock=driven_clock(),
        )
        assert board.changes == [True]
        assert all(board.lines.values())
        simulated.add_fault(Fault(kind="lose_request", times=5))
        assert_true(meter, await meter.read(), simulated)
        await meter.close()
    assert board.changes == [True, False, True]
    assert all(board.lines.values())


async def test_lines_are_not_waited_for(simulated: SimulatedMeter, url: str) -> None:
    """A server that never confirms a line, as some RFC 2217 ones, is used all the same."""
    board = _Board(_LINES, tells=True)
    board.answers = False
    with _proxied(board):
        meter = await Meter.open(
            Access(url.replace("socket://", "proxied://"), DEFAULT_KEY),
            clock=driven_clock(),
        )
        assert_true(meter, await meter.read(), simulated)
        await meter.close()
