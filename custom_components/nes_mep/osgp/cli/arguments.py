"""Command line: the arguments."""

import argparse
from collections.abc import Sequence
import os
import re

from ..access import MeterPort
from ..key import KeyKind
from ..mep.security.modes import SecurityMode
from ..port import DEFAULT_BAUDRATE
from ..tables.names import parse_table
from .history import add_history_arguments

PROGRAM = "nes-meter"

KEY_VARIABLES = {MeterPort.MEP: "MEP_KEY", MeterPort.OPTICAL: "OPTICAL_KEY"}
"""The environment variables of the keys: none is ever shown to the other port."""

_AUTOMATIC = "automatic"


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line; security and key_kind are None for "find out".

    Raises SystemExit, after an explanation, if it is invalid.
    """
    parser = _parser()
    arguments = parser.parse_args(argv, _defaults())
    if arguments.port is None:
        parser.error("No port: give --port")
    arguments.link = MeterPort(arguments.link)
    if arguments.key is None:
        arguments.key = os.environ.get(KEY_VARIABLES[arguments.link])
    mode, kind = arguments.security, arguments.key_kind
    arguments.security = None if mode == _AUTOMATIC else SecurityMode(mode)
    arguments.key_kind = None if kind is None else KeyKind[kind.upper()]
    return arguments


def _defaults() -> argparse.Namespace:
    """Return the defaults of the options of every command."""
    return argparse.Namespace(
        port=None,
        link=MeterPort.MEP,
        key=None,
        security=_AUTOMATIC,
        key_kind=None,
        baudrate=DEFAULT_BAUDRATE,
        json=False,
        debug=False,
    )


def _options() -> argparse.ArgumentParser:
    """Return the options of every command, without defaults.

    So they can stand before the command and after it.
    """
    options = argparse.ArgumentParser(
        add_help=False, argument_default=argparse.SUPPRESS
    )
    options.add_argument(
        "--port",
        type=_port,
        metavar="URL",
        help="serial device or URL: /dev/ttyUSB0, socket://host:port, "
        "rfc2217://host:port",
    )
    options.add_argument(
        "--link",
        choices=[port.value for port in MeterPort],
        help="the port of the meter that is read (default: mep)",
    )
    options.add_argument(
        "--key",
        help="MEP key: 16 to 20 characters, or 32 or 40 hex digits (default: the "
        "environment variable MEP_KEY); or the key of the optical port, such as RK: up "
        "to 20 characters, or 40 hex digits (default: OPTICAL_KEY)",
    )
    options.add_argument(
        "--security",
        choices=[_AUTOMATIC, *(mode.value for mode in SecurityMode)],
        help="how messages are protected: tls, or the old modes, which are weak; "
        "automatic takes tls where the meter knows it, and digest elsewhere "
        "(default: automatic; only for the MEP)",
    )
    options.add_argument(
        "--key-kind",
        choices=[kind.name.lower() for kind in KeyKind],
        help="which key it is; only tls needs to know (default: find out)",
    )
    options.add_argument("--baudrate", type=_positive_int)
    options.add_argument("--json", action="store_true", help="print JSON")
    options.add_argument(
        "--debug", action="store_true", help="show all messages as hex"
    )
    return options


def _parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    options = _options()
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Read an NES/Echelon meter over its MEP or its optical port.",
        parents=[options],
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=text, parents=[options])

    command("info", "the identity of the meter and what it has")
    read = command("read", "the registers, once")
    watch = command("watch", "the registers, again and again")
    for each in (read, watch):
        each.add_argument(
            "--all", action="store_true", help="include tariffs that were never used"
        )
    watch.add_argument("--interval", type=_seconds, default=10.0, metavar="SECONDS")
    watch.add_argument("--count", type=_positive_int, metavar="N", help="polls")
    command("clock", "the meter's clock")
    add_history_arguments(command("history", "what the load profile has recorded"))
    table = command("table", "bytes of a table")
    table.add_argument("table", type=_table, metavar="NAME", help="BT23, ET03, 23")
    table.add_argument("--offset", type=_natural_int, default=0, metavar="N")
    table.add_argument("--count", type=_positive_int, metavar="N")
    raw = command("raw", "the answer to any read request")
    raw.add_argument(
        "packet", metavar="HEX", help="such as 3f00340000000006: 6 bytes of BT52"
    )
    return parser


def _port(text: str) -> str:
    if re.fullmatch(r"[\w.-]+:\d+|\[[0-9a-fA-F:]+\]:\d+", text):
        raise argparse.ArgumentTypeError(
            f"{text} is not a device; for a network port, write socket://{text}"
        )
    return text


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
