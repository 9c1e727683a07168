"""Command line: a meter without Home Assistant."""

import argparse
import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime
import logging
import os
import sys
from typing import Any

from ..access import Access, MeterPort
from ..errors import (
    KeyRefusedError,
    MeterError,
    NoReplyError,
    RefusalError,
    UnverifiedReplyError,
)
from ..key import KeyKind, parse_key, parse_optical_key
from ..mep.security.modes import SecurityMode
from ..meter import Meter
from ..negotiation import negotiate
from ..refusals import is_out_of_reach
from ..requests import parse_request
from ..tables.names import table_name
from .arguments import KEY_VARIABLES, PROGRAM, parse_arguments
from .history import history
from .output import print_facts, print_failure, print_readings, tariffs_together

_BROKEN_PIPE = 128 + 13
"""Exit code of programs that SIGPIPE ends, as shells report it."""

_CLEAR_SCREEN = "\x1b[H\x1b[2J"
_BYTES_PER_LINE = 16


async def _open(arguments: argparse.Namespace) -> Meter:
    """Open the meter that the command line names."""
    if not arguments.key:
        variable = KEY_VARIABLES[arguments.link]
        raise ValueError(f"No key: give --key or set {variable}")
    if arguments.link is MeterPort.OPTICAL:
        optical_key = parse_optical_key(arguments.key)
        return await Meter.open(
            Access(arguments.port, optical_key, port=arguments.link)
        )
    return await _open_mep(arguments)


async def _open_mep(arguments: argparse.Namespace) -> Meter:
    """Open the meter at its MEP, in the security mode that it has."""
    key = parse_key(arguments.key)

    async def open_in(mode: SecurityMode, kind: KeyKind) -> Meter:
        return await Meter.open(
            Access(
                arguments.port,
                key,
                baudrate=arguments.baudrate,
                security=mode,
                key_kind=kind,
            )
        )

    try:
        opened = await negotiate(open_in, arguments.security, arguments.key_kind)
    except (KeyRefusedError, NoReplyError, UnverifiedReplyError) as err:
        if arguments.security in (None, SecurityMode.TLS):
            raise
        # How a meter refuses the old modes once it requires TLS is not documented.
        raise type(err)(
            f"{err}. The meter may require TLS: try --security tls"
        ) from err
    return opened.meter


@asynccontextmanager
async def _opened(arguments: argparse.Namespace) -> AsyncIterator[Meter]:
    """Open the meter that the command line names, and close it at the end."""
    meter = await _open(arguments)
    try:
        yield meter
    finally:
        await meter.close()


async def _info(arguments: argparse.Namespace) -> None:
    async with _opened(arguments) as meter:
        system = await _system_information(meter)
    facts = meter.register_map
    known = {
        **asdict(meter.identity),
        **system,
        "dimensions": asdict(facts.dimensions),
        "selection": facts.selection and asdict(facts.selection),
        "present_selection": facts.present_selection
        and asdict(facts.present_selection),
        "energy_unit": facts.energy_unit,
        "registers": list(meter.registers),
    }
    if not arguments.json:
        by_table: dict[str, list[str]] = {}
        for key, register in meter.registers.items():
            by_table.setdefault(table_name(register.table), []).append(key)
        known["registers"] = {
            table: tariffs_together(keys) for table, keys in by_table.items()
        }
    print_facts(known, as_json=arguments.json)


async def _system_information(meter: Meter) -> dict[str, Any]:
    """Return the fields of ET04, none where it is out of reach of the key."""
    try:
        return asdict(await meter.read_system_information())
    except RefusalError as err:
        if not is_out_of_reach(err):
            raise
        return {}


async def _read(arguments: argparse.Namespace) -> None:
    async with _opened(arguments) as meter:
        readings = await meter.read()
    print_readings(meter, readings, as_json=arguments.json, all_tariffs=arguments.all)


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
                print_failure(err, as_json=arguments.json)
                if isinstance(err, KeyRefusedError) and not _may_try_again(arguments):
                    break
            else:
                if sys.stdout.isatty() and not arguments.json:
                    sys.stdout.write(_CLEAR_SCREEN)
                print_readings(
                    meter, readings, as_json=arguments.json, all_tariffs=arguments.all
                )
            polls += 1
            if polls == arguments.count:
                break
            await asyncio.sleep(max(0.0, due - loop.time()))
    finally:
        if meter:
            await meter.close()
    if failure:
        raise failure


def _may_try_again(arguments: argparse.Namespace) -> bool:
    """Return whether a refused key may be shown again without a person's decision."""
    return arguments.link is not MeterPort.OPTICAL


async def _clock(arguments: argparse.Namespace) -> None:
    async with _opened(arguments) as meter:
        clock = await meter.read_clock()
        drift = clock.time - datetime.now(UTC)
    print_facts(
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
        print_facts({"offset": arguments.offset, "data": data.hex()}, as_json=True)
        return
    for start in range(0, len(data), _BYTES_PER_LINE):
        line = data[start : start + _BYTES_PER_LINE]
        text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in line)
        print(f"{arguments.offset + start:6d}  {line.hex(' '):47}  {text}")


async def _raw(arguments: argparse.Namespace) -> None:
    request = parse_request(bytes.fromhex(arguments.packet))
    async with _opened(arguments) as meter:
        data = await meter.request(request)
    print_facts({"data": data.hex()}, as_json=arguments.json)


_COMMANDS = {
    "info": _info,
    "read": _read,
    "watch": _watch,
    "clock": _clock,
    "history": _history,
    "table": _read_table,
    "raw": _raw,
}


def _run(argv: Sequence[str] | None) -> int:
    """Run a command and return the exit code."""
    arguments = parse_arguments(argv)
    if arguments.debug:
        logging.basicConfig(level=logging.DEBUG, format="%(asctime)s %(message)s")
    try:
        asyncio.run(_COMMANDS[arguments.command](arguments))
    except (MeterError, ValueError) as err:
        print(f"{PROGRAM}: {err}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return 0 only when the meter was read."""
    try:
        try:
            return _run(argv)
        finally:
            print(end="", flush=True)
    except BrokenPipeError:
        # Nobody reads the rest, which Python would try to write again when it exits.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (1, 2):
            os.dup2(nowhere, stream)
        return _BROKEN_PIPE
