"""The command line, as people run it: a process without Home Assistant."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from datetime import UTC, datetime, timedelta
import io
import json
import os
from pathlib import Path
import re
import sys
from typing import Any

import pytest

from osgp.cli import main
from tests.simulator import DEFAULT_KEY, PROFILES, Fault, SimulatedMeter, serve_tcp

from .conftest import deaf_server

_CLIENT_PARENT = Path(__file__).parents[2] / "custom_components" / "nes_mep"
_KEY = DEFAULT_KEY.decode()
_ADVANCED_KEY = "Zq4!mNp8#sKd2@wE"


async def _process(
    *arguments: str, output: int = asyncio.subprocess.PIPE, buffered: bool = True
) -> tuple[int | None, str, str]:
    """Run the program as a process; return exit code, output and errors."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "osgp.cli", *arguments),
        env={
            **os.environ,
            "PYTHONPATH": str(_CLIENT_PARENT),
            "PYTHONUNBUFFERED": "" if buffered else "1",
            "MEP_KEY": _KEY,
        },
        stdin=asyncio.subprocess.DEVNULL,
        stdout=output,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, errors = await process.communicate()
    return process.returncode, (printed or b"").decode(), errors.decode()


@contextmanager
def _pipe_without_reader() -> Iterator[int]:
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        yield write_end
    finally:
        os.close(write_end)


async def _mep(*arguments: str, key: str | None = _KEY) -> tuple[int, str, str]:
    """Run the program in a thread of its own; return exit code, output and errors."""

    def run() -> int:
        try:
            return main(arguments)
        except SystemExit as end:
            return int(end.code or 0)

    with (
        pytest.MonkeyPatch.context() as patch,
        redirect_stdout(io.StringIO()) as output,
        redirect_stderr(io.StringIO()) as errors,
    ):
        patch.delenv("MEP_KEY", raising=False)
        if key is not None:
            patch.setenv("MEP_KEY", key)
        code = await asyncio.to_thread(run)
    return code, output.getvalue(), errors.getvalue()


async def _json(*arguments: str) -> dict[str, Any]:
    """Run the program with --json and return the one object it prints."""
    code, output, errors = await _mep("--json", *arguments)
    assert (code, errors) == (0, "")
    answer: dict[str, Any] = json.loads(output)
    return answer


async def test_read(simulated: SimulatedMeter, url: str) -> None:
    """One object: serial number, time, and every register in shown units."""
    began = datetime.now(UTC)
    answer = await _json("--port", url, "read")
    truth = simulated.truth()
    assert set(answer) == {"serial_number", "time", "readings"}
    assert answer["serial_number"] == simulated.profile.serial_number
    read_at = datetime.fromisoformat(answer["time"])
    assert began - timedelta(seconds=1) < read_at <= datetime.now(UTC)
    readings = answer["readings"]
    assert readings["energy_import"] == truth[0] / 1000
    assert readings["voltage_l1"] == truth[15] / 1000
    assert readings["power_net"] == truth[8] - truth[9]
    assert readings["energy_import_tariff_1"] == truth["tier0.0"] / 1000
    assert readings["power_outages"] == truth[5]


async def test_read_for_people(url: str) -> None:
    """A table with units; options can follow the command, and the key be one."""
    code, output, _ = await _mep("read", "--port", url, "--key", _KEY, key=None)
    assert code == 0
    lines = {line.split()[0]: line.split()[1:] for line in output.splitlines()[1:]}
    assert lines["energy_import"][1] == "kWh"
    assert lines["voltage_l1"][1] == "V"


async def test_tariffs(simulated: SimulatedMeter, url: str) -> None:
    """For people, tariffs above the last that has counted are left out."""
    simulated.replace_meter("20260001")
    _, output, _ = await _mep("--port", url, "read")
    assert "energy_import " in output
    assert "_tariff_" not in output

    simulated.set_energy(0, 5000)  # of the first tariff, since the others are at 0
    _, output, _ = await _mep("--port", url, "read")
    assert re.search(r"energy_import_tariff_1 +5\.0 kWh\n", output)
    assert re.search(r"energy_export_tariff_1 +0\.0 kWh\n", output)
    assert "_tariff_2" not in output
    assert "18 registers of unused tariffs are left out: --all shows them" in output

    _, output, _ = await _mep("--port", url, "read", "--all")
    assert "energy_import_tariff_4" in output
    assert "left out" not in output
    readings = (await _json("--port", url, "read"))["readings"]
    assert readings["energy_import_tariff_4"] == 0


async def test_read_in_part(simulated: SimulatedMeter, url: str) -> None:
    """A table that fails is told beside the others' readings."""
    simulated.add_fault(Fault(kind="refuse", table="BT28", code=4))
    answer = await _json("--port", url, "read")
    assert "BT28" in answer["errors"]
    assert "energy_import" in answer["readings"]
    code, output, _ = await _mep("--port", url, "read")
    assert code == 0
    assert "The meter refuses BT28" in output


async def test_info(simulated: SimulatedMeter, url: str) -> None:
    """Who the meter is and its dimensions."""
    answer = await _json("--port", url, "info")
    assert answer["serial_number"] == simulated.profile.serial_number
    assert answer["firmware"] == "3.70.24"
    assert answer["dimensions"]["summations"] == 11
    assert answer["selection"]["summations"][:4] == [0, 1, 2, 3]
    assert "energy_import" in answer["registers"]


@pytest.mark.parametrize("profile", ["gen4", "gen3_demand"])
async def test_info_for_people(
    simulated: SimulatedMeter, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Groups below headings, in lines that fit the terminal."""
    monkeypatch.setenv("COLUMNS", "80")
    code, output, _ = await _mep("--port", url, "info")
    assert code == 0
    assert output.split()[:2] == ["serial_number", simulated.profile.serial_number]
    assert max(map(len, output.splitlines())) <= 80
    head, *groups = output.split("\n\n")
    assert "energy_unit" in head
    assert [group.split()[0] for group in groups] == [
        *("dimensions", "selection", "present_selection", "registers")
    ]
    words = " ".join(groups[-1].split())
    assert "BT23 energy_import (and tariffs 1 to " in words
    assert "frequency," in words


async def test_clock(simulated: SimulatedMeter, url: str) -> None:
    """The meter's time, and how far it is off."""
    simulated.thaw()
    simulated.clock_offset = 3600
    answer = await _json("--port", url, "clock")
    assert answer["drift"] == pytest.approx(3600, abs=60)
    assert datetime.fromisoformat(answer["meter_time"]).utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("arguments", "key"),
    [
        (("--security", "tls"), _KEY),
        (("--security", "tls", "--key-kind", "advanced"), _ADVANCED_KEY),
        (("--security", "rc4"), _KEY),
        (("--security", "digest"), _ADVANCED_KEY),
        (("--security", "tls"), _ADVANCED_KEY),
        ((), _KEY),
        ((), _ADVANCED_KEY),
        (("--security", "automatic", "--key-kind", "advanced"), _ADVANCED_KEY),
    ],
)
async def test_security(arguments: tuple[str, ...], key: str) -> None:
    """The mode and the key are those that were named."""
    simulated = SimulatedMeter(
        PROFILES["gen4"],
        advanced_key=_ADVANCED_KEY.encode(),
        paced=False,
        tls="mbedtls",
        tls_required="tls" in arguments,
    )
    async with serve_tcp(simulated) as url:
        code, output, errors = await _mep("--port", url, *arguments, "clock", key=key)
    assert (code, errors) == (0, "")
    assert "meter_time" in output


async def test_meter_that_requires_tls() -> None:
    """A meter that is asked in an old mode may require TLS: that is said."""
    simulated = SimulatedMeter(
        PROFILES["gen4"], paced=False, tls="mbedtls", tls_required=True
    )
    async with serve_tcp(simulated) as url:
        code, _, errors = await _mep("--port", url, "--security", "digest", "read")
    assert code == 1
    assert errors == (
        "nes-meter: A reply's digest does not match the request. "
        "The meter may require TLS: try --security tls\n"
    )


async def test_table_and_raw(simulated: SimulatedMeter, url: str) -> None:
    """Bytes of tables, by name and number, in part and whole, and a raw request."""
    truth = simulated.table(21)
    assert truth
    answer = await _json("--port", url, "table", "BT21")
    assert answer["data"] == truth.hex()
    answer = await _json("--port", url, "table", "21", "--offset", "3", "--count", "2")
    assert answer == {"offset": 3, "data": truth[3:5].hex()}
    answer = await _json("--port", url, "raw", "3f001500000300 02")
    assert answer == {"data": truth[3:5].hex()}
    code, output, _ = await _mep("--port", url, "table", "ET03", "--count", "30")
    assert code == 0
    assert simulated.profile.serial_number in output


async def test_watch(simulated: SimulatedMeter, url: str) -> None:
    """One line a poll; a failed poll is a line too, and the next one goes on."""
    # Opening takes 13 requests and a poll 2. In the second poll, the interface version is refused,
    # and each of both tables, at first all of it and then the half.
    simulated.add_fault(Fault(kind="refuse", code=4, skip=15, times=5))
    code, output, errors = await _mep(
        *("--port", url, "--security", "digest", "--json"),
        *("watch", "--interval", "0.1", "--count", "3"),
    )
    assert (code, errors) == (0, "")
    first, second, third = map(json.loads, output.splitlines())
    assert first["readings"] == third["readings"]
    assert second["error"]["type"] == "RefusalError"
    assert "not possible now" in second["error"]["message"]
    assert datetime.fromisoformat(second["time"])


async def test_watch_begins_without_a_meter() -> None:
    """A port that does not open is a failed poll as well, and the exit code tells."""
    code, output, errors = await _mep(
        *("--port", "/dev/no-such-port", "--json", "watch"),
        *("--interval", "0.1", "--count", "2"),
    )
    assert code == 1
    lines = [json.loads(line) for line in output.splitlines()]
    assert [line["error"]["type"] for line in lines] == ["PortError"] * 2
    assert errors.startswith("nes-meter: The port /dev/no-such-port does not open")


async def test_watch_for_people(url: str) -> None:
    """Polls one below the other where the output is no terminal."""
    code, output, _ = await _mep(
        *("--port", url, "watch", "--interval", "0.1", "--count", "2")
    )
    assert code == 0
    assert output.count("Meter ") == 2
    assert "\x1b" not in output


@pytest.mark.parametrize(
    ("port", "key", "words"),
    [
        ("/dev/no-such-port", _KEY, "does not open"),
        ("/dev/no-such-port", "short", "16 to 20 characters"),
        ("/dev/no-such-port", None, "No key: give --key or set MEP_KEY"),
    ],
)
async def test_errors_in_one_line(port: str, key: str | None, words: str) -> None:
    """An error is one line that says what is wrong; the exit code is 1."""
    code, output, errors = await _mep("--port", port, "read", key=key)
    assert (code, output) == (1, "")
    assert words in errors
    assert errors.count("\n") == 1


async def test_wrong_key(url: str) -> None:
    """A refused key is told, and not repeated."""
    code, _, errors = await _mep("--port", url, "read", key="not the right key")
    assert code == 1
    assert "refuses the key" in errors
    assert "not the right" not in errors


async def test_silent_port() -> None:
    """Silence is told with what to check."""
    async with deaf_server() as url:
        code, _, errors = await _mep("--port", url, "--security", "digest", "read")
    assert code == 1
    assert "ENABLE" in errors
    assert "optical port" in errors


@pytest.mark.parametrize(
    "arguments",
    [
        ("read", "surplus"),
        ("table", "XY99"),
        ("table", "BT23", "--count", "0"),
        ("table", "BT23", "--offset", "-1"),
        ("watch", "--interval", "0"),
        (),
    ],
)
async def test_wrong_usage(arguments: tuple[str, ...]) -> None:
    """A command line that makes no sense is explained; nothing is opened."""
    code, _, errors = await _mep("--port", "/dev/no-such-port", *arguments)
    assert code == 2
    assert "usage: nes-meter" in errors


@pytest.mark.parametrize("port", ["192.168.1.20:8888", "meter.local:23", "[::1]:99"])
async def test_port_without_protocol(port: str) -> None:
    """A port in the network needs a protocol: that is said."""
    code, _, errors = await _mep("--port", port, "read")
    assert code == 2
    assert f"socket://{port}" in errors


async def test_no_port() -> None:
    """Without a port, that is said."""
    code, _, errors = await _mep("read")
    assert code == 2
    assert "No port: give --port" in errors


async def test_raw_example(simulated: SimulatedMeter, url: str) -> None:
    """What the help of raw names as an example is accepted."""
    _, output, _ = await _mep("--port", url, "raw", "--help")
    found = re.search(r"such as (\w+)", output)
    assert found
    code, output, _ = await _mep("--port", url, "raw", found[1])
    assert code == 0
    assert output.startswith("data ")


@pytest.mark.parametrize("packet", ["40000700061108", "zz", "3f00"])
async def test_raw_sends_reads_only(packet: str) -> None:
    """Whatever is no read request is not sent."""
    code, _, errors = await _mep("--port", "/dev/no-such-port", "raw", packet)
    assert code == 1
    assert "does not open" not in errors


async def test_terminal(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal, a poll takes the place of the one before."""
    screen = io.StringIO()
    monkeypatch.setattr(screen, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdout", screen)
    arguments = ("--port", url, "--key", _KEY, "watch", "--count", "1")
    assert await asyncio.to_thread(main, arguments) == 0
    assert screen.getvalue().startswith("\x1b[H\x1b[2JMeter ")


async def test_process_with_debugging(simulated: SimulatedMeter, url: str) -> None:
    """The program runs by itself, without Home Assistant, and can show messages."""
    code, output, errors = await _process("--port", url, "--debug", "clock")
    assert code == 0
    assert "meter_time" in output
    assert "Sent 0014" in errors
    assert _KEY not in errors
    code, output, errors = await _process("--port", "/dev/no-such-port", "read")
    assert (code, output) == (1, "")
    assert errors.startswith("nes-meter: ")


@pytest.mark.parametrize(
    "arguments",
    [
        ("read",),
        ("--json", "read"),
        ("info",),
        ("table", "BT23"),
        ("history", "--from", "2026-02-17", "--pace", "0"),
        ("--json", "history", "--from", "2026-02-17", "--pace", "0"),
        ("watch", "--interval", "0.01"),
    ],
)
@pytest.mark.parametrize("buffered", [False, True])
async def test_nobody_reads_the_output(
    simulated: SimulatedMeter, url: str, arguments: tuple[str, ...], *, buffered: bool
) -> None:
    """A pipe that nobody reads any more, as after `| head`, ends the program quietly."""
    simulated.freeze(datetime(2026, 2, 17, 12, tzinfo=UTC))
    with _pipe_without_reader() as pipe:
        code, _, errors = await _process(
            "--port", url, *arguments, output=pipe, buffered=buffered
        )
    assert (code, errors) == (141, "")


async def test_nobody_reads_the_help() -> None:
    """The same without a meter."""
    with _pipe_without_reader() as pipe:
        code, _, errors = await _process("--help", output=pipe)
    assert (code, errors) == (141, "")


async def test_nobody_reads_the_errors() -> None:
    """Nor does an error that cannot be printed lead to another one."""
    with _pipe_without_reader() as pipe:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "osgp.cli", "--port", "/dev/none", "read"),
            env={**os.environ, "PYTHONPATH": str(_CLIENT_PARENT), "MEP_KEY": _KEY},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=pipe,
        )
        assert await process.wait() == 141
