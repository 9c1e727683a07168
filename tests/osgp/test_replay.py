"""Meters that answer with what a diagnostics file recorded."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
import json
from pathlib import Path
import sys
from typing import Any

from hypothesis import HealthCheck, given, settings, strategies as st
import pytest

from osgp import Access, Meter, RefusalError
from tests.driven_clock import driven_clock
from tests.simulator import DEFAULT_KEY, SimulatedMeter, serve_tcp
from tests.simulator.replay import Recording, ReplayedMeter

_ROOT = Path(__file__).parents[2]
_RECORDED = sorted((_ROOT / "tests" / "diagnostics").glob("*.json"))
"""Diagnostics files of meters that go on being read; see CONTRIBUTING.md."""


def document(meter: SimulatedMeter, **parts: dict[str, str]) -> dict[str, Any]:
    """Return a file with some whole tables of a meter, and given parts of others."""
    whole = {
        name: {"0": (meter.table(number) or b"").hex()}
        for name, number in {
            "BT01": 1,
            "BT15": 15,
            "BT21": 21,
            "BT22": 22,
            "BT23": 23,
            "BT27": 27,
            "BT28": 28,
            "BT52": 52,
        }.items()
    }
    whole["ET03"] = {"0": "58" * 8 + "00" * 22}
    whole["ET04"] = {"0": "00000000" + "58" * 6 + "00" * 107}
    return {
        "home_assistant": {},
        "data": {
            "format": 1,
            "tables": {
                name: {"read_at": "2026-06-21T12:00:00.000+00:00", "parts": found}
                for name, found in (whole | parts).items()
            },
            "refused_tables": {"BT74": 3, "BT75": 0x77},
        },
    }


@pytest.fixture
def file(simulated: SimulatedMeter, tmp_path: Path) -> Path:
    """A diagnostics file."""
    path = tmp_path / "diagnostics.json"
    path.write_text(json.dumps(document(simulated, BT64={"0": "0102", "4": "0506"})))
    return path


def append(file: Path, text: str) -> None:
    """Make another file of one."""
    file.write_text(file.read_text() + text)


def recorded_registers(file: Path) -> dict[str, dict[str, int]]:
    """Return where the meter had its registers, by key."""
    return dict(json.loads(file.read_text("utf-8"))["data"]["registers"])


@asynccontextmanager
async def replayed(file: Path) -> AsyncIterator[Meter]:
    """Give an open client of the meter that a file makes."""
    recorded = ReplayedMeter(Recording.load(file), paced=False)
    async with serve_tcp(recorded) as url:
        meter = await Meter.open(Access(url, DEFAULT_KEY), clock=driven_clock())
        yield meter
        await meter.close()


@pytest.mark.parametrize("profile", ["gen3", "gen4"])
async def test_registers(file: Path, meter: Meter, simulated: SimulatedMeter) -> None:
    """All registers read as those of the meter that was recorded."""
    async with replayed(file) as again:
        assert again.identity.firmware == meter.identity.firmware
        assert (await again.read()).values == (await meter.read()).values


@pytest.mark.parametrize("path", _RECORDED, ids=lambda path: path.stem)
async def test_recorded_meter(path: Path) -> None:
    """A meter that was recorded has its registers where it had them; all are read."""
    recorded = recorded_registers(path)
    async with replayed(path) as meter:
        readings = await meter.read()
        places = {
            key: {"table": register.table, "offset": register.offset}
            for key, register in meter.registers.items()
        }
    assert not readings.errors
    assert readings.values.keys() == places.keys()
    assert recorded
    assert recorded.items() <= places.items()


async def test_identity(file: Path, simulated: SimulatedMeter) -> None:
    """A file always makes the same meter, and another file another."""
    numbers = []
    for text in ("\n", "\n\n"):
        async with replayed(file) as meter:
            numbers.append(meter.identity.serial_number)
            system = await meter.read_system_information()
            assert system.transceiver_id != "58" * 6
        append(file, text)
    first, second = numbers
    assert first.startswith("R")
    assert first[1:].isdigit()
    assert first != second


async def test_empty_serial_number(simulated: SimulatedMeter, tmp_path: Path) -> None:
    """A meter without a number of its own has none here either."""
    path = tmp_path / "diagnostics.json"
    path.write_text(json.dumps(document(simulated, ET03={"0": "00" * 30})))
    async with replayed(path) as meter:
        assert len(meter.identity.serial_number) == 12


async def test_what_was_not_recorded(file: Path) -> None:
    """It is refused; nothing is made up."""
    async with replayed(file) as meter:
        assert await meter.read_table(64, 0, 2) == b"\1\2"
        assert await meter.read_table(64, 4) == b"\5\6"
        for table, offset, count, code in (
            (64, 1, 2, 5),
            (64, 5, 2, 5),
            (74, 0, 1, 3),
            (75, 0, 1, 5),
            (76, 0, 1, 5),
        ):
            with pytest.raises(RefusalError) as caught:
                await meter.read_table(table, offset, count)
            assert caught.value.code == code


def hostile(simulated: SimulatedMeter, **changes: object) -> dict[str, Any]:
    """Return the part "data" of a file with other values of some tables and keys."""
    data: dict[str, Any] = document(simulated)["data"]
    for name, change in changes.items():
        if name in data:
            data[name] = change
        else:
            data["tables"][name] = change
    return data


_READ_AT = "2026-06-21T12:00:00+00:00"

HOSTILE: dict[str, tuple[dict[str, object], str]] = {
    "format": ({"format": "2\n3"}, r"format '2\\n3' is not 1"),
    "tables": ({"tables": []}, "wrong kind"),
    "no_parts": ({"BT64": {"read_at": _READ_AT}}, "'parts' is missing"),
    "no_time": ({"BT64": {"parts": {}}}, "'read_at' is missing"),
    "time": ({"BT64": {"parts": {}, "read_at": "x" * 9999}}, "Invalid isoformat"),
    "zone": ({"BT64": {"parts": {}, "read_at": "2026-06-21"}}, "no time zone"),
    "number": ({"BT64": {"parts": {}, "read_at": 5}}, "wrong kind"),
    "empty": ({"BT01": {"parts": {}, "read_at": _READ_AT}}, "bytes of BT01"),
    "gap": (
        {"BT01": {"parts": {"0": "00", "9": "00" * 9}, "read_at": _READ_AT}},
        "bytes of BT01",
    ),
    "far": (
        {"BT64": {"parts": {"1000000000000": "00"}, "read_at": _READ_AT}},
        "1 bytes at 1000000000000",
    ),
    "negative": (
        {"BT64": {"parts": {"-1": "0000"}, "read_at": _READ_AT}},
        "2 bytes at -1",
    ),
    "hex": ({"BT64": {"parts": {"0": "0"}, "read_at": _READ_AT}}, "hex"),
    "table": ({"BT5000": {"parts": {}, "read_at": _READ_AT}}, "no table 'BT5000'"),
    "name": ({"\ud800": {"parts": {}, "read_at": _READ_AT}}, "invalid literal"),
    "code": ({"refused_tables": {"BT74": "3"}}, "no response code"),
    "codes": ({"refused_tables": {"BT74": [[]]}}, "no response code"),
    "large_code": ({"refused_tables": {"BT74": 256}}, "no response code"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files(simulated: SimulatedMeter, tmp_path: Path, name: str) -> None:
    """What is wrong is said in one line."""
    changes, message = HOSTILE[name]
    path = tmp_path / "other.json"
    path.write_text(json.dumps(hostile(simulated, **changes)))
    with pytest.raises(ValueError, match=message) as caught:
        Recording.load(path)
    line = str(caught.value)
    assert line.startswith(f"{path} holds no diagnostics of a meter")
    assert line.isascii()
    assert line.isprintable()
    assert len(line) < 500


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "5",
        "null",
        "\x00",
        "\xff",
        "[" * 200_000,
        '{"data":' * 200_000,
        "9" * 5000,
        " " * (5 << 20),
        '{"data": {"format": 2, "tables": {}}}',
        '{"data": {"format": 1, "tables": {}, "refused_tables": {}}}',
        '{"data": {"format": 1, "tables": {"BT01": {"parts": {}}}}}',
    ],
    ids=lambda text: text[:8],
)
def test_other_files(tmp_path: Path, text: str) -> None:
    """Anything else is said to be no diagnostics of a meter."""
    path = tmp_path / "other.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=r"other\.json holds no diagnostics"):
        Recording.load(path)
    with pytest.raises(ValueError, match="no file"):
        Recording.load(tmp_path)


@pytest.mark.parametrize(
    "read_at", ["0001-01-01T00:00+00:00", "9999-12-31T23:59+00:00"]
)
@pytest.mark.parametrize("clock", ["", "1a", "000000000000", "ff0c1f173b3b00"])
def test_clock_that_cannot_run(
    simulated: SimulatedMeter, tmp_path: Path, read_at: str, clock: str
) -> None:
    """What is no date and time stands; no clock leaves the years that it can show."""
    data = hostile(simulated, BT52={"parts": {"0": clock}, "read_at": read_at})
    meter = ReplayedMeter(Recording.of(data, bytes(32)))
    shown = meter.table(52)
    assert shown is not None
    assert shown[:6] == bytes.fromhex(clock)[:6]


def test_table_with_a_far_end(simulated: SimulatedMeter) -> None:
    """As far as a request reaches, which is no reason to take long."""
    far = {"parts": {"0": "01", str((1 << 24) - 1): "02"}, "read_at": _READ_AT}
    data = hostile(simulated, ET03=far, ET04=far, BT64=far)
    meter = ReplayedMeter(Recording.of(data, bytes(32)))
    assert len(meter.table(64) or b"") == 1 << 24


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
_SOME_OFFSETS = st.integers(-1, 1 << 25).map(str) | st.text(max_size=4)
_SOME_TABLES = st.sampled_from(["BT01", "BT52", "ET03", "ET04", "BT64"]) | st.text(
    max_size=6
)
_PARTS = st.dictionaries(_SOME_OFFSETS, st.binary(max_size=20).map(bytes.hex) | _JSON)
_DATA = st.fixed_dictionaries(
    {
        "format": st.just(1),
        "tables": st.dictionaries(
            _SOME_TABLES,
            st.fixed_dictionaries(
                {
                    "parts": _PARTS | _JSON,
                    "read_at": st.datetimes().map(lambda time: f"{time.isoformat()}Z")
                    | _JSON,
                }
            )
            | _JSON,
        ),
        "refused_tables": st.dictionaries(_SOME_TABLES, st.integers() | _JSON),
    }
)


@given(_JSON | _DATA, st.binary(min_size=15, max_size=18))
@settings(
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
def test_arbitrary_files(tmp_path: Path, data: Any, general: bytes) -> None:
    """A file makes a meter, or it is said what is wrong with it."""
    match data:
        case {"tables": {**tables}} if len(general) > 15:
            whole = {"parts": {"0": general.hex()}, "read_at": _READ_AT}
            data = {**data, "tables": {**tables, "BT01": whole}}
    path = tmp_path / "any.json"
    path.write_text(json.dumps(data))
    try:
        recording = Recording.load(path)
    except ValueError as error:
        problem = str(error)
    else:
        problem = ""
    if problem:
        assert "any.json holds no diagnostics" in problem
        return
    meter = ReplayedMeter(recording)
    for number in recording.tables:
        assert meter.table(number) is not None


async def run(*arguments: str) -> asyncio.subprocess.Process:
    """Start the program."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.simulator", *arguments),
        cwd=_ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_program(file: Path, tmp_path: Path) -> None:
    """It says its key and where the meter is: on a port and on a pseudo-terminal."""
    path = tmp_path / "meter"
    clock = driven_clock()
    clock.grace = 60  # another process answers when it has the processor
    for options in ((), ("--pty", str(path))):
        process = await run("--replay", str(file), "--no-pacing", *options)
        assert process.stdout
        key = (await process.stdout.readline()).decode().strip().removeprefix("key ")
        line = (await process.stdout.readline()).decode().strip()
        port = line.rpartition(" on ")[2]
        meter = await Meter.open(Access(port, key.encode()), clock=clock)
        assert (await meter.read()).values["energy_import"] > 0
        assert line.startswith(f"meter {meter.identity.serial_number} on ")
        await meter.close()
        process.terminate()
        assert await process.wait() == 0
    assert port == str(path)

    process = await run("--replay", str(tmp_path / "nowhere.json"))
    _, error = await process.communicate()
    assert process.returncode == 2
    assert b"nowhere.json" in error
    assert error.count(b"\n") == 1
