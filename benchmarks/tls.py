"""What TLS costs, and what gets through when a server's flights are spoiled.

    .dev/next/bin/python -m benchmarks.tls [--reads 1000] [--polls 5] [--every 1]

Against OpenSSL and mbed TLS behind simulated meters, over TCP on the loopback:

- table reads in one session, without the pace of a line;
- every byte of every flight of the server spoiled (one bit flipped, cut off, a byte
  inserted, the rest repeated) as often as the client asks: each must end in an error;
- the same bytes spoiled once on the line, length included: each must be mended, with
  true values;
- the time of a poll at 9600 baud in each mode, with and without a new session.
"""

import argparse
import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
import time

from custom_components.nes_mep.osgp import Access, Meter, MeterError, SecurityMode
from tests.driven_clock import driven_clock
from tests.simulator import DEFAULT_KEY, PROFILES, Fault, SimulatedMeter, serve_tcp
from tests.simulator.tls import STACKS
from tests.tls.mbedtls import mbedtls_version
from tests.tls.tapped_line import tap

_LONGEST = 5.0  # seconds after which a read counts as hanging
_POLL = (
    *("energy_import", "energy_export", "power_import", "power_export"),
    *("voltage_l1", "voltage_l2", "voltage_l3"),
    *("current_l1", "current_l2", "current_l3"),
)
_FLIGHTS = {"first flight": 0x58, "second flight": 0x59, "reply": 0x80}
_CODES_SEEN = {"first flight": 0x58, "second flight": 0x59, "reply": 0x3F}


def _simulated(stack: str, *, paced: bool = False) -> SimulatedMeter:
    meter = SimulatedMeter(PROFILES["gen4"], paced=paced, tls=stack)
    meter.freeze()
    return meter


async def _open(url: str, mode: SecurityMode = SecurityMode.TLS) -> Meter:
    return await Meter.open(
        Access(url, DEFAULT_KEY, security=mode), clock=driven_clock()
    )


async def _measure_reads(stack: str, count: int) -> None:
    """Print what many reads in one session take."""
    simulated = _simulated(stack)
    table = simulated.table(23)
    assert table
    async with serve_tcp(simulated) as url:
        meter = await Meter.open(Access(url, DEFAULT_KEY, security=SecurityMode.TLS))
        start = time.perf_counter()
        wrong = 0
        for index in range(count):
            offset = index * 4 % (len(table) - 4)
            wrong += await meter.read_table(23, offset, 4) != table[offset : offset + 4]
        seconds = time.perf_counter() - start
        sessions = meter.statistics.tls_handshakes
        await meter.close()
    print(
        f"  {count} reads in {sessions} session: {wrong} wrong, "
        f"{seconds / count * 1e3:.2f} ms each, the meter's part included"
    )


def _spoiled(length: int) -> Iterator[tuple[str, Callable[[bytes], bytes]]]:
    """Yield names and functions that spoil a message at each of its bytes."""
    for at in range(length):
        yield (
            "flip",
            lambda m, at=at: m[:at] + bytes([m[at] ^ 1 << at % 8]) + m[at + 1 :],
        )
        yield "cut", lambda m, at=at: m[:at]
        yield "insert", lambda m, at=at: m[:at] + b"\0" + m[at:]
        yield "repeat", lambda m, at=at: m + m[at:]


async def _fuzz_messages(stack: str, every: int) -> None:
    """Spoil each flight for good; a read that succeeds has accepted a forgery."""
    simulated = _simulated(stack)
    async with serve_tcp(simulated) as url, tap(url) as (line, tapped):
        genuine = await _open(tapped)
        clock = await genuine.read_table(52, 0, 6)
        lengths = {
            name: max(
                len(reply)
                for request, reply in zip(line.requests, line.replies, strict=True)
                if request[0] == code
            )
            for name, code in _FLIGHTS.items()
        }
        lengths["reply"] = len(line.replies[-1])
        await genuine.close()
        for name, code in _FLIGHTS.items():
            results: Counter[str] = Counter()
            slowest = 0.0
            for number, (_, spoil) in enumerate(_spoiled(lengths[name])):
                if number // 4 % every:
                    continue
                line.change_reply = bytes
                meter = await _open(tapped)
                line.change_reply = lambda reply, spoil=spoil, code=code: (
                    spoil(reply) if line.requests[-1][0] == code else reply
                )
                if code != 0x80:
                    simulated.tls.forget()  # type: ignore[union-attr]
                start = time.perf_counter()
                try:
                    async with asyncio.timeout(_LONGEST):
                        data = await meter.read_table(52, 0, 6)
                    results["accepted" if data == clock else "WRONG"] += 1
                except TimeoutError as error:
                    hung = not isinstance(error, MeterError)
                    results["HUNG" if hung else "refused"] += 1
                except MeterError:
                    results["refused"] += 1
                slowest = max(slowest, time.perf_counter() - start)
                line.change_reply = bytes
                await meter.close()
            print(
                f"  {name}, {lengths[name]} bytes: {dict(results)}, "
                f"slowest {slowest * 1e3:.0f} ms"
            )


async def _fuzz_line(stack: str, every: int) -> None:
    """Spoil each byte on the line once; every read must be mended."""
    simulated = _simulated(stack)
    async with serve_tcp(simulated) as url:
        meter = await _open(url)
        clock = await meter.read_table(52, 0, 6)
        for name, code in _CODES_SEEN.items():
            results: Counter[str] = Counter()
            slowest = 0.0
            length = {0x58: 102, 0x59: 54, 0x3F: 41}[code]
            for at in range(0, length, every):
                for kind in ("corrupt", "truncate", "drop_byte", "insert_noise"):
                    simulated.tls.forget()  # type: ignore[union-attr]
                    fault = Fault(kind=kind, at=at, request_code=code, times=1)
                    if kind == "corrupt":
                        fault = replace(fault, mask=1 << at % 8)
                    active = simulated.add_fault(fault)
                    start = time.perf_counter()
                    try:
                        async with asyncio.timeout(_LONGEST):
                            data = await meter.read_table(52, 0, 6)
                        results["mended" if data == clock else "WRONG"] += 1
                    except TimeoutError as error:
                        hung = not isinstance(error, MeterError)
                        results["HUNG" if hung else "failed"] += 1
                    except MeterError:
                        results["failed"] += 1
                    slowest = max(slowest, time.perf_counter() - start)
                    active.remove()
            print(
                f"  {name} on the line: {dict(results)}, slowest {slowest * 1e3:.0f} ms"
            )
        await meter.close()


async def _measure_polls(polls: int) -> None:
    """Print the time of polls at 9600 baud."""
    for mode in SecurityMode:
        simulated = _simulated("mbedtls", paced=True)
        async with serve_tcp(simulated) as url:
            meter = await Meter.open(Access(url, DEFAULT_KEY, security=mode))
            await meter.read(_POLL)
            await meter.read(_POLL)
            seconds = []
            before = len(simulated.requests)
            for fresh in (*[False] * polls, True):
                await asyncio.sleep(0.2)
                if fresh and simulated.tls:
                    simulated.tls.forget()
                start = time.perf_counter()
                await meter.read(_POLL)
                seconds.append(time.perf_counter() - start)
            served = list(simulated.requests)[before:]
            await meter.close()
        count = len(served) // (polls + 1)
        sizes = sum(s.request_length + s.reply_length for s in served[:count])
        text = f"{mode}: {count} requests, {sizes} bytes, {min(seconds[:-1]):.3f} s"
        if mode is SecurityMode.TLS:
            text += f"; in a new session {seconds[-1]:.3f} s"
        print(f"  {text}")


async def _run(options: argparse.Namespace) -> None:
    for stack in STACKS:
        print(stack if stack == "openssl" else mbedtls_version())
        await _measure_reads(stack, options.reads)
        await _fuzz_messages(stack, options.every)
        await _fuzz_line(stack, options.every)
    print("a poll at 9600 baud")
    await _measure_polls(options.polls)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--reads", type=int, default=1000, help="table reads")
    parser.add_argument("--polls", type=int, default=5, help="polls of each mode")
    parser.add_argument("--every", type=int, default=1, help="spoil every Nth byte")
    asyncio.run(_run(parser.parse_args()))


if __name__ == "__main__":
    main()
