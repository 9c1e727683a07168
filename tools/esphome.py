"""`scripts/check-esphome`: are the configurations in esphome/ what we say they are?

It runs with ESPHome's own Python, where Home Assistant is not.
"""

from argparse import ArgumentParser
import asyncio
from base64 import b64encode
from collections.abc import Iterator
import os
from pathlib import Path
import re
import subprocess
import sys
from tempfile import TemporaryDirectory
from typing import Any

import yaml  # type: ignore[import-untyped]

from .esphome_proxy import read_through_proxy
from .process import ToolError, cancel_on_signals

ROOT = Path(__file__).parents[1]
ESPHOME = Path(sys.executable).with_name("esphome")
EXAMPLE = "secrets.example.yaml"


# What a tag like !secret would look up stays a name.
yaml.add_multi_constructor(
    "!", lambda _loader, _tag, node: node.value, Loader=yaml.SafeLoader
)


def load(text: str) -> dict[str, Any]:
    """Return a configuration as plain data."""
    content: dict[str, Any] = yaml.safe_load(text)
    return content


def _broken_promises(config: dict[str, Any]) -> Iterator[str]:
    """Yield what esphome/README.md promises and a validated configuration breaks."""
    [uart] = config["uart"]
    framing = [uart[key] for key in ("baud_rate", "data_bits", "parity", "stop_bits")]
    if framing != [9600, 8, "NONE", 1]:
        yield f"the line is {framing}, not 9600 8N1"
    [proxy] = config["serial_proxy"]
    if proxy["uart_id"] != uart["id"] or proxy["port_type"] != "RS232":
        yield "the proxy is not that of the RS-232 port at the meter"
    if not proxy["rts_pin"]["inverted"]:
        yield "ENABLE is not RTS, inverted"
    if config["logger"]["baud_rate"] != 0:
        yield "the log goes to a serial line"
    if not config["api"]["encryption"]["key"]:
        yield "the API is not encrypted"
    [update] = [entry for entry in config["ota"] if entry["platform"] == "esphome"]
    if not update["encryption"]["key"]:
        yield "updates over the air are open"
    if not config["wifi"]["ap"]["password"] or "captive_portal" not in config:
        yield "there is no fallback network with a password"


def _secrets(text: str) -> str:
    """Return throw-away secrets with the names of the example."""
    key = b64encode(os.urandom(32)).decode()
    return "".join(
        f"{name}: {key if name.endswith('_key') else 'throw-away'}\n"
        for name in re.findall(r"^(\w+):", text, re.MULTILINE)
    )


def _esphome(folder: Path, *arguments: str) -> str:
    """Run ESPHome and return what it prints; a warning is an error here."""
    result = subprocess.run(
        [ESPHOME, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    if result.returncode or "WARNING" in result.stderr:
        raise ToolError(
            f"{result.stdout}\n{result.stderr}\n"
            f"esphome {' '.join(arguments)} found something (see above)."
        )
    return result.stdout


def check(folder: Path) -> list[str]:
    """Check every configuration in a copy of esphome/; return their names."""
    (folder / "secrets.yaml").write_text(_secrets((folder / EXAMPLE).read_text()))
    boards = sorted(
        path.name for path in folder.glob("*.yaml") if not path.match("secrets*")
    )
    for board in boards:
        config = load(_esphome(folder, "config", board))
        if broken := "; ".join(_broken_promises(config)):
            raise ToolError(f"{board}: {broken}.")
        _esphome(folder, "compile", "--only-generate", board)
    return boards


async def main() -> None:
    """Check, and read through a proxy if asked to."""
    parser = ArgumentParser(prog="scripts/check-esphome", description=__doc__)
    parser.add_argument(
        "--live", action="store_true", help="read a simulated meter through a proxy"
    )
    arguments = parser.parse_args()
    cancel_on_signals()
    with TemporaryDirectory(prefix="esphome-") as name:
        folder = Path(name)
        for path in (ROOT / "esphome").glob("*.yaml"):
            (folder / path.name).write_bytes(path.read_bytes())
        boards = check(folder)
        print(f"valid: {', '.join(boards)}")
        if arguments.live:
            # They differ in pins only, which this machine has none of.
            board = boards[0]
            await read_through_proxy(load((folder / board).read_text()), folder)
            print(f"read a meter through the proxy of {board}")


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except ToolError as error:
        sys.exit(str(error))
    except asyncio.CancelledError:
        sys.exit(130)
