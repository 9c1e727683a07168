"""The client as a package of its own: what is in it, and that it runs by itself."""

import asyncio
from contextlib import chdir
from email.message import Message
from email.parser import Parser
import json
import os
from pathlib import Path
import shutil
import sys
from zipfile import ZipFile

from hatchling.build import build_sdist, build_wheel
import pytest

from tests.imports import CLIENT, INTEGRATION
from tests.simulator import DEFAULT_KEY, SimulatedMeter

_ROOT = INTEGRATION.parents[1]
_VERSION = json.loads((INTEGRATION / "manifest.json").read_text("utf-8"))["version"]
_PACKAGE = f"nes_meter-{_VERSION}"
_WHEEL = f"{_PACKAGE}-py3-none-any.whl"

_RUN = """
from importlib.metadata import entry_points
import sys
[script] = entry_points(group="console_scripts", name="nes-meter")
code = script.load()()
assert "homeassistant" not in sys.modules
sys.exit(code)
"""


def _names(wheel: Path) -> list[str]:
    with ZipFile(wheel) as file:
        return sorted(file.namelist())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the source distribution and the wheel made of that."""
    folder = tmp_path_factory.mktemp("package")
    with chdir(_ROOT):
        source = folder / build_sdist(str(folder))
    shutil.unpack_archive(source, folder, filter="data")
    with chdir(folder / _PACKAGE):
        build_wheel(str(folder))
    return folder


@pytest.fixture(scope="module")
def installed(folder: Path) -> Path:
    """Return a folder that holds what the wheel does, as an installation would."""
    installed = folder / "installed"
    shutil.unpack_archive(folder / _WHEEL, installed, "zip")
    return installed


@pytest.fixture(scope="module")
def metadata(installed: Path) -> Message:
    """Return what the wheel says of itself."""
    text = (installed / f"{_PACKAGE}.dist-info" / "METADATA").read_text("utf-8")
    return Parser().parsestr(text)


async def _run(installed: Path, *arguments: str) -> tuple[int | None, str, str]:
    """Run the command of the package; return exit code, output and errors."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-c", _RUN, *arguments),
        env={
            **os.environ,
            "PYTHONPATH": str(installed),
            "MEP_KEY": DEFAULT_KEY.decode(),
        },
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    return process.returncode, output.decode(), errors.decode()


def test_content(folder: Path) -> None:
    """The client, all of it, that it is typed, and nothing else."""
    names = _names(folder / _WHEEL)
    modules = [name for name in names if not name.startswith(f"{_PACKAGE}.dist-info/")]
    assert modules == sorted(
        str(Path("nes_meter") / path.relative_to(CLIENT))
        for path in (*CLIENT.rglob("*.py"), CLIENT / "py.typed")
    )
    assert f"{_PACKAGE}.dist-info/licenses/LICENSE" in names


def test_repository_makes_the_same_wheel(folder: Path, tmp_path: Path) -> None:
    """A wheel made without a source distribution has nothing more, nothing less."""
    with chdir(_ROOT):
        build_wheel(str(tmp_path))
    assert _names(tmp_path / _WHEEL) == _names(folder / _WHEEL)


def test_metadata(metadata: Message) -> None:
    """The version is the integration's; it needs two packages and Python 3.12."""
    assert metadata["Name"] == "nes-meter"
    assert metadata["Version"] == _VERSION
    assert metadata["Requires-Python"] == ">=3.12"
    needed = {each.partition(">")[0] for each in metadata.get_all("Requires-Dist", [])}
    assert needed == {"cryptography", "serialx"}


async def test_help(installed: Path) -> None:
    """The command explains itself."""
    code, output, errors = await _run(installed, "--help")
    assert (code, errors) == (0, "")
    assert "--port" in output


async def test_read(installed: Path, simulated: SimulatedMeter, url: str) -> None:
    """The command reads a meter."""
    code, output, errors = await _run(installed, "--port", url, "--json", "read")
    assert (code, errors) == (0, "")
    readings = json.loads(output)["readings"]
    assert readings["energy_import"] == simulated.truth()[0] / 1000
