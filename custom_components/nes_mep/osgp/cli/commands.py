"""Command line: a meter without Home Assistant."""

import argparse
import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime
import json
import logging
import os
import sys
from typing import Any

from ..errors import MeterError
from ..key import KeyKind, parse_key
from ..mep.security.modes import SecurityMode
from ..meter import Meter, Readings
from ..port import DEFAULT_BAUDRATE
from ..requests import parse_request
from ..tables.names import parse_table
from .history import add_history_arguments, history

_CLEAR_SCREEN = "\x1b[H\x1b[2J"
_BYTES_PER_LINE = 16


def _parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="mep", description="Read an NES/Echelon meter over its MEP."
    )
    parser.add_argument(
        "--port",
        required=True,
        metavar="URL",
        help="serial device or URL: /dev/ttyUSB0, socket://host:port, "
        "rfc2217://host:port",
    )
    parser.add_argument(
        "--key",
        default=os.environ.get("MEP_KEY", ""),
        help="MEP key: 16 to 20 characters, or 32 or 40 hex digits "
        "(default: the environment variable MEP_KEY)",
    )
    parser.add_argument(
        "--security",
        type=SecurityMode,
        choices=list(SecurityMode),
        default=SecurityMode.DIGEST,
        help="how messages are protected: tls, or the old mode, which is weak "
        "(default: digest)",
    )
    parser.add_argument(
        "--key-kind",
        choices=[kind.name.lower() for kind in KeyKind],
        default=KeyKind.BASIC.name.lower(),
        help="which key it is; only tls needs to know (default: basic)",
    )
    parser.add_argument("--baudrate", type=_positive_int, default=DEFAULT_BAUDRATE)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--debug", action="store_true", help="show all messages as hex")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("info", help="who the meter is and what it has")
    commands.add_parser("read", help="all registers, once")
    watch = commands.add_parser("watch", help="all registers, again and again")
    watch.add_argument("--interval", type=_seconds, default=10.0, metavar="SECONDS")
    watch.add_argument("--count", type=_positive_int, metavar="N", help="polls")
    commands.add_parser("clock", help="the meter's clock")
    add_history_arguments(
        commands.add_parser("history", help="what the load profile has recorded")
    )
    table = commands.add_parser("table", help="bytes of a table")
    table.add_argument("table", type=_table, metavar="NAME", help="BT23, ET03, 23")
    table.add_argument("--offset", type=_natural_int, default=0, metavar="N")
    table.add_argument("--count", type=_positive_int, metavar="N")
    raw = commands.add_parser("raw", help="the answer to any read request")
    raw.add_argument("packet", metavar="HEX", help="such as 3f0034000000000007")
    return parser


def _positive_int(text: str) -> int:
    if (value := int(text)) <= 0:
        raise argparse.ArgumentTypeError("must be more than 0")
    return value


def _natural_int(text: str) -> int:
    if (value := int(text)) < 0:
        raise argparse.ArgumentTypeError("must not be negative")
    return value


def _seconds(text: str) -> float:
    if not (value := float(text)) > 0:
        raise argparse.ArgumentTypeError("must be more than 0")
    return value


def _table(text: str) -> int:
    try:
        return parse_table(text)
    except ValueError as err:
        raise argparse.ArgumentTypeError(str(err)) from err


async def _open(arguments: argparse.Namespace) -> Meter:
    """Open the meter that the command line names."""
    return await Meter.open(
        arguments.port,
        parse_key(arguments.key),
        baudrate=arguments.baudrate,
        security=arguments.security,
        key_kind=KeyKind[arguments.key_kind.upper()],
    )


@asynccontextmanager
async def _opened(arguments: argparse.Namespace) -> AsyncIterator[Meter]:
    """Open the meter that the command line names, and close it in the end."""
    meter = await _open(arguments)
    try:
        yield meter
    finally:
        await meter.close()


async def _info(arguments: argparse.Namespace) -> None:
    async with _opened(arguments) as meter:
        system = await meter.read_system_information()
        facts = meter.register_map
        _print(
            {
                **asdict(meter.identity),
                **asdict(system),
                "dimensions": asdict(facts.dimensions),
                "selection": asdict(facts.selection),
                "present_selection": asdict(facts.present_selection),
                "energy_unit": facts.energy_unit,
                "registers": list(meter.registers),
            },
            as_json=arguments.json,
        )


async def _read(arguments: argparse.Namespace) -> None:
    async with _opened(arguments) as meter:
        _print_readings(meter, await meter.read(), as_json=arguments.json)


async def _watch(arguments: argparse.Namespace) -> None:
    """Poll until the count is reached; raise the error of a failed last poll."""
    loop = asyncio.get_running_loop()
    polls = 0
    meter: Meter | None = None
    try:
        while True:
            due = loop.time() + arguments.interval
            failure: MeterError | None = None
            try:
                if meter is None:
                    meter = await _open(arguments)
                readings = await meter.read()
            except MeterError as err:
                failure = err
                _print_failure(err, as_json=arguments.json)
            else:
                if sys.stdout.isatty() and not arguments.json:
                    sys.stdout.write(_CLEAR_SCREEN)
                _print_readings(meter, readings, as_json=arguments.json)
            polls += 1
            if polls == arguments.count:
                break
            await asyncio.sleep(max(0.0, due - loop.time()))
    finally:
        if meter:
            await meter.close()
    if failure:
        raise failure


async def _clock(arguments: argparse.Namespace) -> None:
    async with _opened(arguments) as meter:
        clock = await meter.read_clock()
        drift = clock.time - datetime.now(UTC)
        _print(
            {
                "meter_time": clock.time.isoformat(),
                "drift": round(drift.total_seconds(), 1),
            },
            as_json=arguments.json,
        )


async def _history(arguments: argparse.Namespace) -> None:
    async with _opened(arguments) as meter:
        await history(meter, arguments)


async def _read_table(arguments: argparse.Namespace) -> None:
    async with _opened(arguments) as meter:
        data = await meter.read_table(
            arguments.table, arguments.offset, arguments.count
        )
    if arguments.json:
        _print({"offset": arguments.offset, "data": data.hex()}, as_json=True)
        return
    for start in range(0, len(data), _BYTES_PER_LINE):
        line = data[start : start + _BYTES_PER_LINE]
        text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in line)
        print(f"{arguments.offset + start:6d}  {line.hex(' '):47}  {text}")


async def _raw(arguments: argparse.Namespace) -> None:
    request = parse_request(bytes.fromhex(arguments.packet))
    async with _opened(arguments) as meter:
        data = await meter.request(request)
    _print({"data": data.hex()}, as_json=arguments.json)


_COMMANDS = {
    "info": _info,
    "read": _read,
    "watch": _watch,
    "clock": _clock,
    "history": _history,
    "table": _read_table,
    "raw": _raw,
}


def _print(facts: Mapping[str, Any], *, as_json: bool) -> None:
    """Print facts as one JSON object, or one a line."""
    if as_json:
        print(json.dumps(facts, default=_plain), flush=True)
        return
    width = max(map(len, facts))
    for name, value in facts.items():
        if isinstance(value, Mapping):
            value = ", ".join(f"{key} {part}" for key, part in value.items())
        elif isinstance(value, list | tuple):
            value = ", ".join(map(str, value))
        print(f"{name:{width}}  {value}")


def _plain(value: object) -> str:
    """Return what JSON has no form for: times, in ISO 8601."""
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _print_readings(meter: Meter, readings: Readings, *, as_json: bool) -> None:
    """Print the values of one poll, and the tables that could not be read."""
    if as_json:
        facts: dict[str, Any] = {
            "serial_number": meter.identity.serial_number,
            "time": _now(),
            "readings": readings.values,
        }
        if readings.errors:
            facts["errors"] = {name: str(err) for name, err in readings.errors.items()}
        _print(facts, as_json=True)
        return
    print(f"Meter {meter.identity.serial_number} at {_now()}")
    for key, value in readings.values.items():
        print(f"  {key:32} {value!s:>14} {meter.registers[key].unit or ''}")
    for err in readings.errors.values():
        print(f"  {err}")


def _print_failure(err: MeterError, *, as_json: bool) -> None:
    """Print the error of a poll that failed."""
    if as_json:
        failure = {"type": type(err).__name__, "message": str(err)}
        _print({"time": _now(), "error": failure}, as_json=True)
    else:
        print(f"{_now()}  {err}", file=sys.stderr)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return 0 only when the meter was read."""
    arguments = _parser().parse_args(argv)
    if arguments.debug:
        logging.basicConfig(level=logging.DEBUG, format="%(asctime)s %(message)s")
    try:
        asyncio.run(_COMMANDS[arguments.command](arguments))
    except (MeterError, ValueError) as err:
        print(f"mep: {err}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0
