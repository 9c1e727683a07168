"""The simulated line: pacing, TCP port, pseudo-terminal, remote control, program."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
import json
from pathlib import Path
import sys

import pytest
import serialx

from tests.simulator import (
    PROFILES,
    Pace,
    SimulatedMeter,
    poll_time,
    serve_pty,
    serve_tcp,
)
from tests.simulator.control import ControlClient, call, serve_control
from tests.simulator.line import Line
from tests.simulator.probe import Probe, framed, read_frame, signed, verified

pytestmark = pytest.mark.usefixtures("socket_enabled")

type Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
def meter() -> SimulatedMeter:
    """Return a meter that answers at once."""
    return SimulatedMeter(PROFILES["gen3"], paced=False)


async def connect(url: str) -> Streams:
    """Connect to a TCP URL of the simulator."""
    host, _, port = url.removeprefix("socket://").rpartition(":")
    return await asyncio.open_connection(host, int(port))


async def read_clock(meter: SimulatedMeter, streams: Streams) -> bytes:
    """Read BT52 and return the reply's body."""
    reader, writer = streams
    covered = Probe(meter).covered(52, 0, 7)
    writer.write(framed(signed(covered)))
    return verified(covered, await read_frame(reader))


def test_pace_of_a_reply() -> None:
    """Bytes follow the baud rate, with 25 ms after each 117 bytes but the last."""
    pace = Pace(9600)
    byte = 10 / 9600
    assert pace.reply_time(1) == pytest.approx(byte)
    assert pace.reply_time(117) == pytest.approx(117 * byte)
    assert pace.reply_time(118) == pytest.approx(118 * byte + 0.025)
    assert pace.reply_time(234) == pytest.approx(234 * byte + 0.025)
    assert pace.reply_time(478) == pytest.approx(478 * byte + 4 * 0.025)
    assert Pace(0).reply_time(478) == 0


@pytest.mark.parametrize("baud", [300, 9600, 115200])
@pytest.mark.parametrize("length", [1, 9, 10, 117, 118, 233, 478])
def test_chunks(baud: int, length: int) -> None:
    """Chunks cover all bytes in order; none is written before its last byte is due."""
    pace = Pace(baud)
    chunks = list(pace.chunks(length))
    assert [first for _, first, _ in chunks] == [0, *(end for _, _, end in chunks[:-1])]
    assert chunks[-1][2] == length
    assert [time for time, _, _ in chunks] == [pace.due(e - 1) for _, _, e in chunks]
    assert len(chunks) <= pace.reply_time(length) / 0.01 * 1.3 + 6


def test_time_of_a_poll() -> None:
    """Requests wait for each other and for the 100 ms between them."""
    pace = Pace(9600)
    assert poll_time([(22, 20)], pace) == pytest.approx(42 / 960)
    short = poll_time([(22, 20), (22, 20)], pace)
    assert short == pytest.approx(22 / 960 + 0.1 + 20 / 960)
    long = poll_time([(22, 233)] * 3, pace)
    assert long == pytest.approx(3 * (255 / 960 + 0.025))


class FakeLoop:
    """An event loop whose time passes only when it is told to."""

    def __init__(self) -> None:
        """Start at a time that is not 0."""
        self.now = 1000.0
        self._timers: list[tuple[float, asyncio.TimerHandle]] = []
        self._real = asyncio.new_event_loop()

    def time(self) -> float:
        """Return the time."""
        return self.now

    def call_at(self, when: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        """Remember a timer."""
        handle = asyncio.TimerHandle(when, callback, (), self._real)
        self._timers.append((when, handle))
        return handle

    def call_later(
        self, delay: float, callback: Callable[[], None]
    ) -> asyncio.TimerHandle:
        """Remember a timer."""
        return self.call_at(self.now + delay, callback)

    def run(self, until: float, lateness: float = 0.0) -> None:
        """Let time pass; each timer fires so much too late."""
        while True:
            self._timers = [t for t in self._timers if not t[1].cancelled()]
            due = min(self._timers, key=lambda t: t[0], default=None)
            if due is None or due[0] > until:
                break
            self._timers.remove(due)
            self.now = max(self.now, due[0] + lateness)
            due[1]._run()
        self.now = max(self.now, until)

    def close(self) -> None:
        """Close the real loop that timers need."""
        self._real.close()


type Written = list[tuple[float, bytes]]
type Paced = tuple[SimulatedMeter, FakeLoop, Line, Written]


@pytest.fixture
def paced() -> Iterator[Paced]:
    """Return a paced meter on a line with a time of its own, and what it writes."""
    loop = FakeLoop()
    meter = SimulatedMeter(PROFILES["gen3"])
    line = Line(meter, loop)  # type: ignore[arg-type]
    written: Written = []
    line.connect(lambda data: written.append((loop.now, data)), lambda: None)
    yield meter, loop, line, written
    line.close()
    loop.close()


@pytest.mark.parametrize("lateness", [0.0, 0.004])
def test_exchange_on_schedule(paced: Paced, lateness: float) -> None:
    """A reply ends when it should; timers that fire late do not add up."""
    meter, loop, line, written = paced
    line.feed(framed(signed(Probe(meter).covered(23, 0, 220))))
    loop.run(1010.0, lateness)
    assert sum(len(data) for _, data in written) == 233
    ideal = 1000.0 + meter.pace.exchange_time(22, 233)
    assert written[-1][0] == pytest.approx(ideal + lateness, abs=1e-6)
    assert written[0][0] > 1000.0 + 22 / 960


def test_one_request_in_100_ms(paced: Paced) -> None:
    """A request that comes too soon after another is answered later."""
    meter, loop, line, written = paced
    line.feed(framed(signed(Probe(meter).covered(52, 0, 7))))
    loop.run(1000.0 + 42 / 960)
    line.feed(framed(signed(Probe(meter).covered(52, 0, 7))))
    loop.run(1010.0)
    ideal = 1000.0 + poll_time([(22, 20), (22, 20)], meter.pace)
    assert written[-1][0] == pytest.approx(ideal, abs=1e-6)


def test_late_reply(paced: Paced) -> None:
    """A late reply comes its seconds later."""
    meter, loop, line, written = paced
    meter.add_fault("late:seconds=2.5")
    line.feed(framed(signed(Probe(meter).covered(52, 0, 7))))
    loop.run(1010.0)
    assert written[-1][0] == pytest.approx(1002.5 + 42 / 960, abs=1e-6)


def test_alerts(paced: Paced) -> None:
    """Alerts come once a second, but not within a second of a frame."""
    meter, loop, line, written = paced
    meter.alert = True
    loop.run(1002.5)
    assert written == [(1000.0 + n, b"\0\0") for n in range(3)]
    line.feed(framed(signed(Probe(meter).covered(52, 0, 7))))
    loop.run(1004.5)
    frame_complete = 1002.5 + 22 / 960
    assert written[-1][0] == pytest.approx(frame_complete + 1)
    assert written[-1][1] == b"\0\0"
    meter.alert = False
    count = len(written)
    loop.run(1020.0)
    assert len(written) == count


async def test_tcp_takes_one_client_at_a_time(meter: SimulatedMeter) -> None:
    """A new client takes over from the old one, which is cut off."""
    async with serve_tcp(meter) as url:
        old = await connect(url)
        assert (await read_clock(meter, old))[0] == 0
        new = await connect(url)
        assert (await read_clock(meter, new))[0] == 0
        with suppress(ConnectionError):
            assert await old[0].read() == b""
        for _, writer in (old, new):
            writer.close()
        again = await connect(url)
        assert (await read_clock(meter, again))[0] == 0
        again[1].close()


async def test_disconnect_in_mid_reply(meter: SimulatedMeter) -> None:
    """The connection is cut within a reply; a new one works."""
    meter.add_fault("disconnect:at=7,times=1")
    async with serve_tcp(meter) as url:
        reader, writer = await connect(url)
        writer.write(framed(signed(Probe(meter).covered(52, 0, 7))))
        assert len(await reader.read()) == 7
        writer.close()
        again = await connect(url)
        assert (await read_clock(meter, again))[0] == 0
        again[1].close()


@pytest.mark.parametrize("place", ["tcp", "pty"])
async def test_serialx_can_open_it_again(meter: SimulatedMeter, place: str) -> None:
    """Home Assistant's serial library reads the meter, twice, over both."""
    async with serve_tcp(meter) as url, serve_pty(meter) as path:
        for _ in range(2):
            streams = await serialx.open_serial_connection(
                url if place == "tcp" else path, baudrate=9600
            )
            for _ in range(3):
                assert (await read_clock(meter, streams))[0] == 0
            streams[1].close()
            await streams[1].wait_closed()
    assert meter.statistics()["replies"] == 6
    assert (meter.bytes_received, meter.bytes_sent) == (6 * 22, 6 * 20)


async def test_pty_passes_every_byte(meter: SimulatedMeter) -> None:
    """No byte of a pty is an end of line, an interrupt or an echo."""
    odd = bytes(range(256))
    meter.add_fault(f"insert_noise:data={odd.hex()}")
    async with serve_pty(meter) as path:
        reader, writer = await serialx.open_serial_connection(path, baudrate=9600)
        writer.write(framed(signed(Probe(meter).covered(52, 0, 7))))
        assert await reader.readexactly(len(odd)) == odd
        writer.close()


async def test_remote_control(meter: SimulatedMeter) -> None:
    """Another process adds and clears faults, asks for the truth, shifts time."""
    meter.freeze()
    async with serve_control(meter) as address:
        assert await call(*address, "truth") == meter.truth()
        number = await call(*address, "add_fault", spec="refuse:table=BT23")
        assert meter.faults[0].fault.table == 23
        await call(*address, "remove_fault", fault=number)
        assert not meter.faults
        before = meter.truth()[0]
        await call(*address, "shift", seconds=86400)
        assert meter.truth()[0] > before
        await call(*address, "clock_offset", seconds=12.0)
        assert meter.clock_offset == 12.0
        with pytest.raises(RuntimeError, match="unknown fault"):
            await call(*address, "add_fault", spec="flood")
        with pytest.raises(RuntimeError, match="known commands"):
            await call(*address, "explode")
        truth = await asyncio.to_thread(_blocking_truth, *address)
        assert truth == meter.truth()


def _blocking_truth(host: str, port: int) -> dict[int | str, int]:
    with ControlClient(host, port) as control:
        assert control.call("info")["profile"] == "gen3"
        return control.truth()


async def _program(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.simulator",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )


async def _line_of(stream: asyncio.StreamReader | None) -> str:
    assert stream
    return (await stream.readline()).decode().strip()


async def test_program(tmp_path: Path) -> None:
    """The program serves on a linked pty and ends cleanly when it is told to."""
    link = tmp_path / "meter"
    program = await _program(
        "--pty", str(link), "--no-pacing", "--serial", "4711", "--fault", "double"
    )
    try:
        assert await _line_of(program.stdout) == f"meter 4711 on {link}"
        assert link.is_symlink()
        program.terminate()
        assert await program.wait() == 0
        assert not link.is_symlink()
    finally:
        if program.returncode is None:
            program.kill()


async def test_program_sends(meter: SimulatedMeter) -> None:
    """A second program lets the meter of the first one do things."""
    async with serve_control(meter) as (host, port):
        program = await _program(
            "--send", f"{host}:{port}", "--do", "alarm:name=phase_loss", "--do", "info"
        )
        output, _ = await program.communicate()
    assert program.returncode == 0
    alarms, info = map(json.loads, output.splitlines())
    assert alarms == ["phase_loss"] == meter.alarm_names()
    assert info["profile"] == "gen3"


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["--list-profiles"], 0, "gen3_demand"),
        (["--help"], 0, "sequence_jump"),
        ([], 2, "--listen or --pty"),
        (["--listen", "127.0.0.1:0", "--key", "short"], 2, "16 characters"),
        (["--listen", "127.0.0.1:0", "--fault", "flood"], 2, "unknown fault"),
        (["--listen", "127.0.0.1:0", "--do", "explode"], 1, "explode"),
        (["--listen", "127.0.0.1:0", "--do", "tier:tier=9"], 1, "no tier 9"),
        (["--send", "127.0.0.1:1", "--do", "truth"], 1, "refused"),
    ],
)
async def test_program_options(arguments: list[str], code: int, text: str) -> None:
    """Options are explained, and refused when they are wrong."""
    program = await _program(*arguments)
    output, errors = await program.communicate()
    assert program.returncode == code
    assert text in (output + errors).decode()
