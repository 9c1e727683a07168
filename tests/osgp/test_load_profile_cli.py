"""The history command: the load profile for people, as a table, and as JSON."""

import asyncio
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
import csv
from datetime import UTC, datetime, timedelta
import io
import json
from pathlib import Path
from typing import override

import pytest

from osgp.cli import main
from tests.simulator import DEFAULT_KEY, Fault, SimulatedMeter
from tests.simulator.catalogue import EVERY_PROFILE

_NOON = datetime(2026, 2, 17, 12, 7, 30, tzinfo=UTC)
_KEY = DEFAULT_KEY.decode()
_LAST_HOUR = ("--from", "2026-02-17T11:00Z")


@pytest.fixture
def simulated() -> SimulatedMeter:
    """A meter with quarter-hours, whose time stands still."""
    meter = SimulatedMeter(EVERY_PROFILE["gen3"], paced=False)
    meter.freeze(_NOON)
    return meter


class _Terminal(io.StringIO):
    """A stream that people look at."""

    @override
    def isatty(self) -> bool:
        """Say so."""
        return True


async def _history(
    url: str,
    *arguments: str,
    options: Sequence[str] = (),
    pace: str = "0",
    errors: io.StringIO | None = None,
) -> tuple[int, str, str]:
    """Run the history command; return exit code, output and errors."""

    def run() -> int:
        command = ("--port", url, "--key", _KEY, *options, "history", "--pace", pace)
        try:
            return main((*command, *arguments))
        except SystemExit as end:
            return int(end.code or 0)

    with (
        redirect_stdout(io.StringIO()) as output,
        redirect_stderr(errors or io.StringIO()) as written,
    ):
        code = await asyncio.to_thread(run)
    return code, output.getvalue(), written.getvalue()


def _readings(simulated: SimulatedMeter, after: datetime) -> dict[str, float]:
    """Return the true imports, in kWh, by the end of the interval."""
    return {
        interval.end.isoformat(): interval.truth[0] / 1000
        for interval in simulated.load_profile.intervals(0, after)
    }


async def test_for_people(simulated: SimulatedMeter, url: str) -> None:
    """A table, oldest first, with what is remarkable."""
    end = datetime(2026, 2, 17, 11, 30, tzinfo=UTC)
    simulated.load_profile.mark(
        end - timedelta(minutes=15), end, "skipped", channel=1, common=2
    )
    code, output, errors = await _history(url, *_LAST_HOUR)
    assert (code, errors) == (0, "")
    head, *rows = [line.split() for line in output.splitlines()]
    assert head[:4] == ["end", "seconds", "energy_import", "energy_export"]
    assert head[-1] == "remarks"
    truth = _readings(simulated, _NOON.replace(hour=11, minute=0, second=0))
    assert {row[0]: float(row[2]) for row in rows} == truth
    assert [row[0] for row in rows] == sorted(truth)
    assert " ".join(rows[1][-3:]) == "power_failure; energy_export: skipped"


async def test_csv(simulated: SimulatedMeter, url: str, tmp_path: Path) -> None:
    """A file with a row for each interval of a time."""
    file = tmp_path / "history.csv"
    day = ("--from", "2026-02-16T00:00Z", "--to", "2026-02-17T00:00+00:00")
    code, output, errors = await _history(url, *day, "--csv", str(file))
    assert (code, output, errors) == (0, "", "")
    with file.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    truth = _readings(simulated, datetime(2026, 2, 16, tzinfo=UTC))
    assert len(rows) == 96
    for row in rows:
        assert float(row["energy_import"]) == truth[row["end"]]
        assert (row["seconds"], row["remarks"]) == ("900", "")


async def test_json(simulated: SimulatedMeter, url: str) -> None:
    """An object a line, newest first."""
    code, output, errors = await _history(url, *_LAST_HOUR, options=("--json",))
    assert (code, errors) == (0, "")
    lines = [json.loads(line) for line in output.splitlines()]
    truth = _readings(simulated, _NOON.replace(hour=11, minute=0, second=0))
    assert {line["end"]: line["values"]["energy_import"] for line in lines} == truth
    assert [line["end"] for line in lines] == sorted(truth, reverse=True)
    assert (lines[0]["seconds"], lines[0]["flags"], lines[0]["statuses"]) == (
        900,
        [],
        {},
    )


async def test_nothing(url: str) -> None:
    """A time without intervals is no error."""
    code, output, errors = await _history(url, "--from", "2026-02-18T00:00Z")
    assert (code, errors) == (0, "")
    assert output == "No interval of this period is recorded\n"


async def test_local_time(simulated: SimulatedMeter, url: str) -> None:
    """A time without zone is that of the computer."""
    local = _NOON.astimezone().replace(tzinfo=None) - timedelta(hours=1)
    code, output, _ = await _history(url, "--from", local.isoformat(" "))
    assert code == 0
    assert len(output.splitlines()) == 1 + 4


async def test_progress(url: str) -> None:
    """On a terminal, a bar grows and goes away."""
    terminal = _Terminal()
    code, _, errors = await _history(
        url, "--from", "2026-02-05T00:00Z", options=("--json",), errors=terminal
    )
    assert code == 0
    bars = [line for line in errors.split("\r\x1b[K") if line]
    assert len(bars) > 3
    assert bars[0].startswith("[####....")
    assert "100 %" in bars[-1]
    assert "0:00 left" in bars[-1]
    assert errors.endswith("\r\x1b[K")


async def test_error_in_one_line(
    simulated: SimulatedMeter, url: str, tmp_path: Path
) -> None:
    """What was read before an error is kept, and the error says how to go on."""
    simulated.add_fault(Fault(kind="refuse", table="BT64", code=4, skip=12))
    file = tmp_path / "history.csv"
    code, output, errors = await _history(url, "--csv", str(file))
    assert (code, output) == (1, "")
    assert errors.count("\n") == 1
    assert "nes-meter: The meter refuses BT64" in errors
    rows = file.read_text(encoding="utf-8").splitlines()[1:]
    assert f"{len(rows)} intervals were read" in errors
    simulated.clear_faults()
    rest = errors.split("--to ")[1].split()[0]
    code, output, _ = await _history(url, "--to", rest, options=("--json",))
    assert code == 0
    assert len(rows) + len(output.splitlines()) == len(
        simulated.load_profile.intervals()
    )


async def test_error_at_once(simulated: SimulatedMeter, url: str) -> None:
    """A meter without load profile."""
    simulated.add_fault(Fault(kind="refuse", table="BT61", code=5))
    code, output, errors = await _history(url)
    assert (code, output) == (1, "")
    assert errors.startswith("nes-meter: The meter refuses BT61")


async def test_file_that_cannot_be_written(url: str, tmp_path: Path) -> None:
    """That is found out before anything is downloaded."""
    code, output, errors = await _history(url, "--csv", str(tmp_path / "no" / "file"))
    assert (code, output) == (1, "")
    assert "cannot be written" in errors
    assert errors.count("\n") == 1


async def test_data_set_that_is_not_used(url: str) -> None:
    """The error names it."""
    code, _, errors = await _history(url, "--set", "2")
    assert code == 1
    assert errors == "nes-meter: The meter does not use data set 2\n"


@pytest.mark.parametrize(
    "arguments", [("--from", "yesterday"), ("--set", "5"), ("--csv",)]
)
async def test_wrong_usage(arguments: tuple[str, ...]) -> None:
    """A command line that makes no sense is explained."""
    code, _, errors = await _history("/dev/no-such-port", *arguments)
    assert code == 2
    assert "usage: nes-meter" in errors


async def test_wrong_pace() -> None:
    """A pace is no negative time."""
    code, _, errors = await _history("/dev/no-such-port", pace="-1")
    assert code == 2
    assert "must not be negative" in errors
