"""The simulated optical port over TCP, a pseudo-terminal, remote control, as a program."""

import asyncio
import json
from pathlib import Path
import sys
from typing import Any

import pytest
import serialx

from tests.driven_clock import driven_clock
from tests.simulator import OpticalSettings, serve_pty, serve_tcp
from tests.simulator.control import call, serve_control
from tests.simulator.optical import FirstPacket, Right, State, parse_settings
from tests.simulator.optical.packets import ACK, NAK

from .optical_dialogues import BYTES, DIALOGUES, PASSWORD, a_port, vectors_port

pytestmark = pytest.mark.usefixtures("socket_enabled")

IDENT = BYTES["request-ident"]


async def connect(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to a TCP URL of the simulator."""
    host, _, port = url.removeprefix("socket://").rpartition(":")
    return await asyncio.open_connection(host, int(port))


async def test_whole_session_by_tcp() -> None:
    """A session byte for byte, over TCP."""
    port = vectors_port()
    async with serve_tcp(port, timers=driven_clock()) as url:
        reader, writer = await connect(url)
        for who, data in DIALOGUES["whole-session"]:
            if who == "client":
                writer.write(data)
            else:
                assert await reader.readexactly(len(data)) == data
        await driven_clock().settle()
        assert port.session.state is State.BASE
        writer.close()


async def test_both_ports_of_a_meter() -> None:
    """The MEP and the optical port of one meter are served side by side."""
    port = a_port(profile="gen4")
    async with (
        serve_tcp(port.meter, timers=driven_clock()) as mep,
        serve_tcp(port, timers=driven_clock()) as optical,
    ):
        assert mep != optical
        reader, writer = await connect(optical)
        writer.write(IDENT)
        assert await reader.readexactly(1) == ACK
        writer.close()


async def test_repetition_by_tcp() -> None:
    """What is not acknowledged comes again when its time has come."""
    async with serve_tcp(vectors_port(), timers=driven_clock()) as url:
        reader, writer = await connect(url)
        writer.write(IDENT)
        assert await reader.readexactly(1) == NAK
        writer.write(IDENT)
        reply = ACK + BYTES["reply-ident"] * 4
        assert await reader.readexactly(len(reply)) == reply
        assert driven_clock().time() == pytest.approx(6)
        writer.close()


async def test_pseudo_terminal() -> None:
    """It is served on a pty too."""
    async with serve_pty(vectors_port()) as path:
        reader, writer = await serialx.open_serial_connection(path, baudrate=9600)
        writer.write(IDENT)
        assert await reader.readexactly(1) == NAK
        writer.write(IDENT)
        reply = ACK + BYTES["reply-ident"]
        assert await reader.readexactly(len(reply)) == reply
        writer.close()


async def test_remote_control() -> None:
    """Another process asks for the state of the port and changes it."""
    port = vectors_port()
    async with serve_control(port.meter, optical=port) as address:

        async def control(command: str, **arguments: object) -> Any:
            return await call(*address, f"optical_{command}", **arguments)

        assert (await control("statistics"))["state"] == "base"
        assert (await control("statistics"))["refused_keys"] == 0
        assert await control("requests") == []
        number = await control("add_fault", spec="lose_ack:table=BT23")
        assert [active.number for active in port.faults] == [number]
        await control("remove_fault", fault=number)
        assert not port.faults
        await control("noise", rate=1e-3, kind="flip")
        assert (port.noise.rate, port.noise.kinds) == (1e-3, ("flip",))
        await control("clear_faults")
        assert port.noise.rate == 0
        assert "lose_client_ack" in await control("fault_kinds")
        await control("head", attached=False)
        await control("echo")
        assert (port.is_attached, port.echoes) == (False, True)
        await control("set", first_packet="lost", hardware_lock=[23], lock_after=3)
        assert port.settings.first_packet is FirstPacket.LOST
        assert port.settings.hardware_lock == {23}
        await control("restart", seconds=5)
        assert port.is_deaf
        for command, arguments, error in (
            ("noise", {"rate": 1, "kind": "fog"}, "'fog' is none of flip"),
            ("set", {"colour": 1}, "no setting colour"),
            ("set", {"unlisted": "all"}, "none of none, read_only"),
            ("add_fault", {"spec": "alert"}, "unknown fault"),
        ):
            with pytest.raises(RuntimeError, match=error):
                await control(command, **arguments)
    async with serve_control(port.meter) as address:
        with pytest.raises(RuntimeError, match="no optical port"):
            await control("statistics")


def test_settings_as_text() -> None:
    """Settings are read as JSON has them, enums by their names."""
    assert parse_settings("") == OpticalSettings()
    assert parse_settings(
        "shares_uart=false,packet_size=512,traffic_time_out=7.5,first_packet=taken,"
        "unlisted=provisioning,hardware_lock=23"
    ) == OpticalSettings(
        shares_uart=False,
        packet_size=512,
        traffic_time_out=7.5,
        first_packet=FirstPacket.TAKEN,
        unlisted=Right.PROVISIONING,
        hardware_lock=frozenset({23}),
    )
    with pytest.raises(ValueError, match="not understood"):
        parse_settings("negotiates")


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


@pytest.mark.parametrize(
    "arguments",
    [("--link", "optical", "--listen"), ("--pty", "{pty}", "--optical")],
)
async def test_program(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """The program serves the optical port alone, or beside the MEP."""
    places = [text.format(pty=tmp_path / "mep") for text in arguments]
    program = await _program(
        *places,
        "127.0.0.1:0",
        *("--no-pacing", "--serial", "4711", "--read-key", PASSWORD.decode()),
        *("--optical-set", "first_packet=taken", "--optical-fault", "stray"),
        *("--do", "optical_echo"),
    )
    try:
        assert program.stdout
        if "--pty" in arguments:
            line = (await program.stdout.readline()).decode()
            assert line.startswith("meter 4711 on ")
        line = (await program.stdout.readline()).decode()
        assert line.startswith("optical port of meter 4711 on socket://")
        reader, writer = await connect(line.split()[-1])
        writer.write(IDENT)
        heard = IDENT + b"\0" + ACK
        assert await reader.readexactly(len(heard)) == heard
        writer.close()
    finally:
        program.terminate()
        assert await program.wait() == 0


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["--help"], 0, "lose_client_ack"),
        (["--optical", "127.0.0.1:0", "--read-key", "x" * 21], 2, "1 to 20 characters"),
        (["--optical", "127.0.0.1:0", "--read-key", "0xzz"], 2, "hexadecimal"),
        (["--optical", "127.0.0.1:0", "--optical-fault", "alert"], 2, "unknown fault"),
        (["--optical", "127.0.0.1:0", "--optical-set", "a=1"], 2, "no setting a"),
    ],
)
async def test_program_options(arguments: list[str], code: int, text: str) -> None:
    """Options are explained, and refused when they are wrong."""
    program = await _program(*arguments)
    output, errors = await program.communicate()
    assert program.returncode == code
    assert text in (output + errors).decode()


async def test_program_sends() -> None:
    """A second program changes the optical port of the first one."""
    port = vectors_port()
    async with serve_control(port.meter, optical=port) as (host, number):
        program = await _program(
            *("--send", f"{host}:{number}", "--do", "optical_head:attached=false"),
            *("--do", "optical_statistics"),
        )
        output, _ = await program.communicate()
    assert program.returncode == 0
    assert not port.is_attached
    assert json.loads(output.splitlines()[1])["state"] == "base"
