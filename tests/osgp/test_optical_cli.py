"""The command line at the optical port: the same output as at the MEP."""

import asyncio
from contextlib import redirect_stderr, redirect_stdout
import io
import json

import pytest

from osgp.cli import main
from tests.simulator import (
    DEFAULT_KEY,
    PROFILES,
    OpticalPort,
    SimulatedMeter,
    serve_tcp,
)
from tests.simulator.optical import READ_KEY

_KEY = READ_KEY.decode()


@pytest.fixture
def optical() -> OpticalPort:
    """The optical port of a meter whose registers stand still."""
    simulated = SimulatedMeter(PROFILES["gen4"], paced=False)
    simulated.freeze()
    return OpticalPort(simulated)


async def _run(*arguments: str, **variables: str) -> tuple[int, str, str]:
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
        patch.setenv("MEP_KEY", DEFAULT_KEY.decode())
        patch.delenv("OPTICAL_KEY", raising=False)
        for name, value in variables.items():
            patch.setenv(name, value)
        code = await asyncio.to_thread(run)
    return code, output.getvalue(), errors.getvalue()


async def test_reading_is_that_of_the_mep(optical: OpticalPort) -> None:
    """The same registers, by a key of the command line or the environment."""
    async with serve_tcp(optical.meter) as url:
        code, at_mep, _ = await _run("--json", "read", "--port", url)
    assert code == 0
    async with serve_tcp(optical) as url:
        link = ("--json", "--link", "optical", "--port", url)
        for arguments, variables in (
            ((*link, "--key", _KEY, "read"), {}),
            ((*link, "read"), {"OPTICAL_KEY": _KEY}),
        ):
            code, output, errors = await _run(*arguments, **variables)
            assert (code, errors) == (0, "")
            assert json.loads(output)["readings"] == json.loads(at_mep)["readings"]


async def test_info_without_what_is_out_of_reach(optical: OpticalPort) -> None:
    """A key that does not reach ET04 shows the rest."""
    optical.settings = type(optical.settings)(hardware_lock=frozenset({2048 + 4}))
    async with serve_tcp(optical) as url:
        code, output, errors = await _run(
            "--json", "--link", "optical", "--port", url, "--key", _KEY, "info"
        )
    assert (code, errors) == (0, "")
    assert json.loads(output)["model"]
    assert "maximum_current" not in json.loads(output)


async def test_the_key_of_the_mep_is_not_shown(optical: OpticalPort) -> None:
    """Its environment variable is that of the other port."""
    async with serve_tcp(optical) as url:
        code, _, errors = await _run("--link", "optical", "--port", url, "read")
    assert code == 1
    assert "OPTICAL_KEY" in errors
    assert not optical.requests


async def test_watching_ends_with_a_refused_key(optical: OpticalPort) -> None:
    """It is tried once, however often the meter was to be polled."""
    async with serve_tcp(optical) as url:
        code, output, _ = await _run(
            *("--json", "--link", "optical", "--port", url, "--key", "wrong"),
            *("watch", "--count", "5", "--interval", "0.1"),
        )
    assert code == 1
    assert len(output.splitlines()) == 1
    assert optical.keys.refused == 1
