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
from shutil import copytree
import subprocess
import sys
from tempfile import TemporaryDirectory
from typing import Any

import yaml  # type: ignore[import-untyped]

from .esphome_proxy import read_through_proxy
from .process import ToolError, cancel_on_signals

ROOT = Path(__file__).parents[1]
ESPHOME = Path(sys.executable).with_name("esphome")
PROJECT = "nes-mep"
ADDRESS = "github://nes-mep/ha-nes-mep/esphome/{}.yaml@main"
OWN = "own.example.yaml"
SECRETS = "secrets.example.yaml"
ENTITIES = {"Restart", "Factory reset", "WiFi signal", "Last restart", "Restart reason"}


# What a tag like !secret would look up stays a name.
yaml.add_multi_constructor(
    "!", lambda _loader, _tag, node: node.value, Loader=yaml.SafeLoader
)


def load(text: str) -> dict[str, Any]:
    """Return a configuration as plain data."""
    content: dict[str, Any] = yaml.safe_load(text)
    return content


def boards(folder: Path) -> list[str]:
    """Return the names of the boards that have a file in a folder like esphome/."""
    return sorted(
        path.stem for path in folder.glob("*.yaml") if not path.match("*.example.yaml")
    )


def _broken_promises_of_line(config: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the serial port of a validated configuration."""
    [uart] = config["uart"]
    framing = [uart[key] for key in ("baud_rate", "data_bits", "parity", "stop_bits")]
    if framing != [9600, 8, "NONE", 1]:
        yield f"the line is {framing}, not 9600 8N1"
    [proxy] = config["serial_proxy"]
    if proxy["uart_id"] != uart["id"]:
        yield "the proxy is not that of the port at the meter"
    is_mep = proxy["port_type"] == "RS232"
    if is_mep != (proxy["name"] == "MEP") or is_mep != ("rts_pin" in proxy):
        yield "MEP is RS-232 with ENABLE, and the optical port is neither"
    if is_mep and not proxy["rts_pin"]["inverted"]:
        yield "ENABLE is not RTS, inverted"
    logger = config["logger"]
    if logger["baud_rate"] and logger["hardware_uart"] == "UART0":
        log_pins = {1, 3} if config["esp32"]["variant"] == "ESP32" else {20, 21}
        if log_pins & {uart["tx_pin"]["number"], uart["rx_pin"]["number"]}:
            yield "the log goes to the meter"


def _entities(config: dict[str, Any]) -> set[str]:
    """Return the names of the entities of a validated configuration."""
    return {
        part["name"]
        for platform in ("button", "sensor", "switch", "text_sensor")
        for entity in config.get(platform, ())
        for part in (entity, entity.get("reset_reason", {}))
        if "name" in part
    }


def _broken_promises(board: str, config: dict[str, Any]) -> Iterator[str]:
    """Yield what esphome/README.md promises and a validated configuration breaks."""
    yield from _broken_promises_of_line(config)
    esphome = config["esphome"]
    if esphome["project"]["name"] != f"{PROJECT}.{board}":
        yield f"the project is {esphome['project']['name']}"
    if not esphome["name_add_mac_suffix"]:
        yield "two boards would have the same name"
    if config["dashboard_import"]["package_import_url"] != ADDRESS.format(board):
        yield "ESPHome Device Builder would import another file"
    if config["api"]["encryption"]:
        yield "the key of the API is not set by whoever adds the board"
    if "networks" in config["wifi"] or "captive_portal" not in config:
        yield "the WiFi is not that of whoever sets the board up"
    # The pages of a web server would take firmware from anybody, all the time.
    if "web_server" in config:
        yield "there is a web server"
    if {entry["platform"] for entry in config["ota"]} != {"esphome", "web_server"}:
        yield "updates do not come from ESPHome and from the page of the board's own WiFi"
    if ("improv_serial" in config) != ("esp32" in config):
        yield "WiFi is not set up over USB, or there is no USB"
    expected = ENTITIES | (
        {"ENABLE"} if "rts_pin" in config["serial_proxy"][0] else set()
    )
    if missing := expected - _entities(config):
        yield f"entities are missing: {', '.join(sorted(missing))}"


def _broken_promises_of_own(config: dict[str, Any]) -> Iterator[str]:
    """Yield what a validated configuration with keys of one's own breaks."""
    if not config["api"]["encryption"]["key"]:
        yield "the API is not encrypted"
    [update] = [entry for entry in config["ota"] if entry["platform"] == "esphome"]
    if not update["encryption"]["key"]:
        yield "updates over the air are open"
    if not config["wifi"]["ap"]["password"]:
        yield "there is no fallback network with a password"
    if config["esphome"]["name_add_mac_suffix"]:
        yield "the name has a suffix"


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


def _raise_if_broken(name: str, broken: Iterator[str]) -> None:
    """Raise ToolError if a configuration breaks a promise."""
    if text := "; ".join(broken):
        raise ToolError(f"{name}: {text}.")


def check_board(folder: Path, board: str) -> dict[str, Any]:
    """Check the configuration of a board, make its C++, and return it validated."""
    config = load(_esphome(folder, "config", f"{board}.yaml"))
    _raise_if_broken(board, _broken_promises(board, config))
    # ESPHome fetches Improv's library while it writes the C++, and no other.
    (folder / "generate.yaml").write_text(
        f"packages:\n  board: !include {board}.yaml\nimprov_serial: !remove\n"
    )
    _esphome(folder, "compile", "--only-generate", "generate.yaml")
    return config


def check_own(folder: Path, board: str) -> None:
    """Check the example of a configuration with keys of one's own, for a board."""
    (folder / "secrets.yaml").write_text(_secrets((folder / SECRETS).read_text()))
    text, found = re.subn(
        re.escape(ADDRESS.format("dabbler")),
        f"!include {board}.yaml",
        (folder / OWN).read_text(),
    )
    if not found:
        raise ToolError(f"{OWN} does not include {ADDRESS.format('dabbler')}.")
    (folder / "own.yaml").write_text(text)
    config = load(_esphome(folder, "config", "own.yaml"))
    _raise_if_broken(OWN, _broken_promises_of_own(config))


async def main() -> None:
    """Check, and read through the proxies if asked to."""
    parser = ArgumentParser(prog="scripts/check-esphome", description=__doc__)
    parser.add_argument(
        "--live",
        nargs="*",
        metavar="BOARD",
        help="read a simulated meter through the proxy of these boards, or of each",
    )
    arguments = parser.parse_args()
    cancel_on_signals()
    with TemporaryDirectory(prefix="esphome-") as name:
        folder = Path(name) / "esphome"
        copytree(ROOT / "esphome", folder)
        found = {board: check_board(folder, board) for board in boards(folder)}
        for board in found:
            check_own(folder, board)
        print(f"valid: {', '.join(found)}", flush=True)
        if arguments.live is not None:
            for board in arguments.live or found:
                proxy = found[board]["serial_proxy"][0]
                await read_through_proxy(board, proxy, folder)
                print(f"read a meter through the proxy of {board}", flush=True)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except ToolError as error:
        sys.exit(str(error))
    except asyncio.CancelledError:
        sys.exit(130)
