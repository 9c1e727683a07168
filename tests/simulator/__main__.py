"""``python -m tests.simulator``: a simulated meter as a program."""

from argparse import ArgumentParser, ArgumentTypeError, Namespace, RawTextHelpFormatter
import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
import json
from pathlib import Path
import signal
import sys

from .actions import ACTIONS
from .catalogue import EVERY_PROFILE
from .control import ControlClient, carry_out, parse, serve_control
from .faults import KINDS, Fault
from .meter import DEFAULT_KEY, SimulatedMeter
from .optical import (
    OPTICAL_COMMANDS,
    OPTICAL_KINDS,
    PASSWORD_LENGTH,
    READ_KEY,
    OpticalFault,
    OpticalPort,
    OpticalSettings,
    parse_settings,
)
from .replay import Recording, ReplayedMeter
from .serve import serve_pty, serve_tcp
from .tls import STACKS


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not port.isdigit():
        raise ArgumentTypeError("expected HOST:PORT")
    return host or "127.0.0.1", int(port)


def _key(text: str) -> bytes:
    """Read a key: ASCII characters, or hex digits behind 0x; 16 bytes are used."""
    try:
        key = bytes.fromhex(text[2:]) if text.startswith("0x") else text.encode("ascii")
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error
    if len(key) < 16:
        raise ArgumentTypeError("a key has at least 16 characters")
    return key[:16]


def _read_key(text: str) -> bytes:
    """Read a key of the optical port: up to 20 ASCII characters, or hex behind 0x."""
    try:
        key = bytes.fromhex(text[2:]) if text.startswith("0x") else text.encode("ascii")
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error
    if not 1 <= len(key) <= PASSWORD_LENGTH:
        raise ArgumentTypeError(f"a key has 1 to {PASSWORD_LENGTH} characters")
    return key


def _argument[Value](read: Callable[[str], Value]) -> Callable[[str], Value]:
    """Return a reader of an option that says what it does not understand."""

    def convert(text: str) -> Value:
        try:
            return read(text)
        except ValueError as error:
            raise ArgumentTypeError(str(error)) from error

    return convert


def _meter(options: Namespace) -> SimulatedMeter:
    """Return the meter that the options describe."""
    common = {
        "key": options.key,
        "paced": not options.no_pacing,
        "baud": options.baud,
        "tls": options.tls,
        "tls_required": options.tls_required,
    }
    if options.replay:
        return ReplayedMeter(options.replay, **common)
    return SimulatedMeter(
        EVERY_PROFILE[options.profile],
        seed=options.seed,
        serial_number=options.serial,
        time_zone=options.time_zone,
        **common,
    )


def _parser() -> ArgumentParser:
    kinds, optical_kinds = (
        "\n".join(f"  {name:15} {kind.about}" for name, kind in known.items())
        for known in (KINDS, OPTICAL_KINDS)
    )
    profiles = "\n".join(
        f"  {p.name:14} {p.description}" for p in EVERY_PROFILE.values()
    )
    parser = ArgumentParser(
        prog="python -m tests.simulator",
        description="A simulated NES smart meter with a MEP and an optical port.",
        epilog=f"profiles:\n{profiles}\n\n"
        f"actions (--do name:argument=value,...):\n  {', '.join(ACTIONS)}\n"
        f"  on the optical port: {', '.join(OPTICAL_COMMANDS)}\n"
        "example: --do alarm:name=low_battery --do tier:tier=2 --do mbus_read:index=0\n\n"
        f"kinds of faults (--fault kind:name=value,...):\n{kinds}\n\n"
        "fields of every kind: table, request_code, times, skip, probability\n"
        "example: --fault refuse:table=BT23,request_code=0x30,code=0x0B\n\n"
        f"kinds on the optical port (--optical-fault, per packet):\n{optical_kinds}",
        formatter_class=RawTextHelpFormatter,
    )
    add = parser.add_argument
    add("--listen", type=_address, metavar="HOST:PORT", help="serve on a TCP port")
    add("--pty", type=Path, metavar="PATH", help="serve on a pty, linked from PATH")
    add(
        "--link",
        choices=("mep", "optical"),
        default="mep",
        help="which port of the meter --listen and --pty mean (mep)",
    )
    add("--optical", type=_address, metavar="HOST:PORT", help="the optical port too")
    add("--optical-pty", type=Path, metavar="PATH", help="the optical port, on a pty")
    add("--control", type=_address, metavar="HOST:PORT", help="remote control port")
    add("--profile", choices=EVERY_PROFILE, default="gen3", help="kind of meter (gen3)")
    add(
        "--replay",
        type=Path,
        metavar="FILE",
        help="answer with the tables of a diagnostics file of the integration, "
        "on a free port unless told another",
    )
    add("--key", type=_key, default=DEFAULT_KEY, help="basic key: ASCII, or 0x and hex")
    add("--serial", metavar="NUMBER", help="serial number, instead of the profile's")
    add("--baud", type=int, default=9600, help="speed of the line (9600)")
    add("--no-pacing", action="store_true", help="answer at once, whatever the speed")
    add(
        "--fault",
        type=_argument(Fault.parse),
        action="append",
        default=[],
        metavar="SPEC",
        help="switch a fault on, see below; can be given several times",
    )
    add(
        "--do",
        action="append",
        default=[],
        metavar="ACTION",
        help="let something happen at the start, see below; several times",
    )
    add(
        "--send",
        type=_address,
        metavar="HOST:PORT",
        help="let a running simulator (its --control) do the --do, print the results",
    )
    add("--tls", choices=STACKS, help="speak TLS too, with this stack (has TLS: 4.x)")
    add("--tls-required", action="store_true", help="with --tls: speak nothing else")
    add("--read-key", type=_read_key, default=READ_KEY, help="RK of the optical port")
    add(
        "--optical-set",
        type=_argument(parse_settings),
        default=OpticalSettings(),
        metavar="NAME=VALUE,...",
        help="how the optical port behaves, e.g. packet_size=512,first_packet=lost",
    )
    add(
        "--optical-fault",
        type=_argument(OpticalFault.parse),
        action="append",
        default=[],
        metavar="SPEC",
        help="switch a fault on the optical port on; several times",
    )
    add("--time-zone", metavar="ZONE", help="time zone, instead of the profile's")
    add("--seed", type=int, default=1, help="another seed, another household")
    add("--list-profiles", action="store_true", help="print the profiles and end")
    return parser


def _optical(options: Namespace, meter: SimulatedMeter) -> OpticalPort:
    """Return the meter's optical port as the options describe it."""
    optical = OpticalPort(
        meter, options.optical_set, read_only_key=options.read_key, seed=options.seed
    )
    for fault in options.optical_fault:
        optical.add_fault(fault)
    return optical


def _point(link: Path, path: str) -> None:
    link.unlink(missing_ok=True)
    link.symlink_to(path)


async def _serve(
    stack: AsyncExitStack,
    port: SimulatedMeter | OpticalPort,
    name: str,
    address: tuple[str, int] | None,
    link: Path | None,
) -> None:
    """Serve a port where it is asked for, and say where."""
    if address:
        url = await stack.enter_async_context(serve_tcp(port, *address))
        _say(f"{name} on {url}")
    if link:
        path = await stack.enter_async_context(serve_pty(port))
        stack.callback(link.unlink, missing_ok=True)
        _point(link, path)
        _say(f"{name} on {link}")


async def _run(options: Namespace) -> None:
    meter = _meter(options)
    optical = _optical(options, meter)
    for fault in options.fault:
        meter.add_fault(fault)
    for action in options.do:
        carry_out(meter, action, optical)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    name = f"meter {meter.profile.serial_number}"
    optical_name = f"optical port of {name}"
    async with AsyncExitStack() as stack:
        await _serve(stack, meter, name, options.listen, options.pty)
        await _serve(stack, optical, optical_name, options.optical, options.optical_pty)
        if options.control:
            host, port = await stack.enter_async_context(
                serve_control(meter, *options.control, optical=optical)
            )
            _say(f"control on {host}:{port}")
        await stop.wait()


def _send(address: tuple[str, int], actions: list[str]) -> None:
    """Let a running simulator carry out actions; its answers are printed as JSON."""
    with ControlClient(*address) as client:
        for action in actions:
            command, arguments = parse(action)
            _say(json.dumps(client.call(command, **arguments)))


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _places(options: Namespace) -> bool:
    """Tell whether it is said where anything is to be served."""
    return any((options.listen, options.pty, options.optical, options.optical_pty))


def main() -> None:
    """Run the program."""
    parser = _parser()
    options = parser.parse_args()
    if options.list_profiles:
        for profile in EVERY_PROFILE.values():
            _say(f"{profile.name:12} {profile.description}")
        return
    if options.send:
        try:
            _send(options.send, options.do)
        except (OSError, RuntimeError, ValueError) as error:
            parser.exit(1, f"{parser.prog}: {error}\n")
        return
    if options.replay:
        try:
            options.replay = Recording.load(options.replay)
        except (OSError, ValueError) as error:
            parser.exit(2, f"{parser.prog}: {error}\n")
        if not _places(options):
            options.listen = ("127.0.0.1", 0)
        # What is replayed is nobody's meter, so its key is no secret.
        _say(f"key {options.key.decode('ascii', 'backslashreplace')}")
    if not _places(options):
        parser.error("--listen or --pty is needed, or --optical or --optical-pty")
    if options.link == "optical":
        options.optical = options.listen or options.optical
        options.optical_pty = options.pty or options.optical_pty
        options.listen = options.pty = None
    try:
        asyncio.run(_run(options))
    except (OSError, ValueError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")


if __name__ == "__main__":
    main()
