"""How many wrong values get through when replies are damaged on their way.

    .dev/next/bin/python -m benchmarks.faults [--count 1200000]

First, simulated meters of every profile are opened, polled and asked for all slow
readings and the load profile, to learn which reads there are. Then the genuine
replies to these reads are damaged in so many ways, and handed to the client as it
receives them. What it accepts must be the truth.

Last, changes that somebody on the line can choose: what the digest cannot find.
"""

import argparse
import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from typing import override

from custom_components.nes_mep.descriptions import DEFAULT_REGISTERS
from custom_components.nes_mep.osgp import (
    Access,
    Meter,
    MeterError,
    RefusalError,
    SecurityMode,
    Trace,
)
from custom_components.nes_mep.osgp.mep.framing import Framer
from custom_components.nes_mep.osgp.mep.security import Envelope
from custom_components.nes_mep.osgp.mep.security.modes import make_security
from custom_components.nes_mep.osgp.mep.security.tls import TlsSecurity
from custom_components.nes_mep.osgp.mep.security.tls_records import (
    ContentType,
    RecordCipher,
)
from custom_components.nes_mep.osgp.mep.security.tls_session import TlsSession
from custom_components.nes_mep.osgp.requests import PartialRead, response_data
from tests.driven_clock import driven_clock
from tests.simulator import DEFAULT_KEY, EVERY_PROFILE, SimulatedMeter, serve_tcp
from tests.simulator.protection import open_signed

_COUNTS = {
    SecurityMode.DIGEST: 1_200_000,
    SecurityMode.RC4: 1_000_000,
    SecurityMode.TLS: 1_000_000,
}
_CHUNK = 20_000
_DAMAGES_OF_ONE = 44
"""How often the reply to one request is damaged before the next request."""
_SAMPLES = 8
"""Reads kept of each length."""

_NOW = datetime(2026, 2, 17, 18, 40, 30, tzinfo=UTC)

_HEAD = 5
"""Bytes before the data in a frame in digest mode: length, response code, count."""
_DIGEST = 8


@dataclass(frozen=True, slots=True)
class Read:
    """A read that the client makes, and what the meter answers."""

    request: PartialRead
    data: bytes


# Which reads there are


class _Recorder(Trace):
    """Keeps the reads of a meter, a few of each length."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: dict[int, list[Read]] = {}

    @override
    def keep(
        self, table: int, offset: int, count: int, data: bytes, at: datetime
    ) -> None:
        super().keep(table, offset, count, data, at)
        same = self.reads.setdefault(len(data), [])
        if len(same) < _SAMPLES:
            same.append(Read(PartialRead(table, offset, count), data))


async def _use(meter: Meter, random: Random) -> None:
    """Read what entities, slow readings and imports of the past read."""
    keys = sorted(meter.registers)
    await meter.read(DEFAULT_REGISTERS)
    await meter.read()
    for _ in range(20):
        await meter.read(random.sample(keys, random.randint(1, len(keys))))
    await meter.read_serial_number()
    await meter.read_system_information()
    for slow in (
        *(partial(meter.read_slow_table, name) for name in meter.slow_tables),
        meter.read_events,
        meter.read_mbus_devices,
        meter.read_energy_limit,
        meter.read_load_profile_sets,
    ):
        with suppress(RefusalError):
            await slow()
    for hours in (1, 7, 30, 100):
        start = _NOW - timedelta(hours=hours)
        with suppress(RefusalError):
            async for _ in meter.load_profile(start, period=0.0):
                pass


async def collect_reads(
    mode: SecurityMode, profiles: Iterable[str]
) -> Mapping[int, list[Read]]:
    """Return the reads of meters of these profiles, by the length of the data."""
    recorder = _Recorder()
    for name in profiles:
        simulated = SimulatedMeter(
            EVERY_PROFILE[name],
            paced=False,
            tls="openssl" if mode is SecurityMode.TLS else None,
        )
        simulated.freeze(_NOW)
        clock = driven_clock()
        async with serve_tcp(simulated, timers=clock) as url:
            meter = await Meter.open(
                Access(url, DEFAULT_KEY, security=mode), trace=recorder, clock=clock
            )
            await _use(meter, Random(1))  # noqa: S311
            await meter.close()
    return recorder.reads


# Genuine replies


@dataclass(frozen=True, slots=True)
class Reply:
    """A genuine reply as it goes over the line, and what else was seen there.

    replays are genuine replies to the same read before, when the meter said something
    else, and to another read. ask returns a request to which this, and no other, is
    the reply.
    """

    read: Read
    frame: bytes
    replays: tuple[bytes, bytes]
    ask: Callable[[], Envelope]


def _frame(message: bytes) -> bytes:
    return len(message).to_bytes(2) + message


def _before(random: Random, read: Read) -> Read:
    return Read(read.request, random.randbytes(len(read.data)))


def _body(data: bytes) -> bytes:
    return b"\0" + len(data).to_bytes(2) + data


def _signed_reply(mode: SecurityMode, random: Random, read: Read, other: Read) -> Reply:
    """Let a meter answer three requests, of which the last one is still waited for."""
    key = random.randbytes(16)
    security = make_security(mode, key)
    number = random.getrandbits(31)
    frames: list[bytes] = []
    for asked in (_before(random, read), other, read):
        number += 1
        envelope = security.seal(asked.request.to_bytes(), number)
        meter = open_signed(envelope.message, (key,))
        frames.append(_frame(meter.seal(_body(asked.data))))
    return Reply(read, frames[2], (frames[0], frames[1]), lambda: envelope)


def _tls_reply(random: Random, read: Read, other: Read) -> Reply:
    """Do the same in a TLS session."""
    key, salt = random.randbytes(32), random.randbytes(4)
    meter = RecordCipher(key, salt)
    messages = [
        b"\0" + meter.encrypt(ContentType.APPLICATION_DATA, _body(each.data)).to_bytes()
        for each in (_before(random, read), other, read)
    ]
    security = TlsSecurity(key[:16])

    def ask() -> Envelope:
        # A message that is not genuine ends the session, so each has one of its own.
        security._session = TlsSession(  # noqa: SLF001
            RecordCipher(key, salt), RecordCipher(key, salt)
        )
        for message in messages[:2]:
            security.seal(read.request.to_bytes(), 0).open(message)
        return security.seal(read.request.to_bytes(), 0)

    first, second, third = map(_frame, messages)
    return Reply(read, third, (first, second), ask)


# Damage


type Damage = Callable[[Random, bytearray, Reply], bytes | bytearray]
"""Returns what arrives in place of a frame, which it may change."""


def _bits(random: Random, frame: bytearray, _: Reply, *, count: int) -> bytearray:
    for _ in range(count):
        frame[random.randrange(len(frame))] ^= 1 << random.randrange(8)
    return frame


def _bytes(random: Random, frame: bytearray, _: Reply, *, count: int) -> bytearray:
    for _ in range(count):
        frame[random.randrange(len(frame))] = random.randrange(256)
    return frame


def _pair(
    random: Random, frame: bytearray, _: Reply, *, distances: range, sign: int
) -> bytearray:
    distance = min(random.choice(distances), len(frame) - 3)
    place = random.randrange(2, len(frame) - distance)
    change = random.randrange(1, 256)
    frame[place] = frame[place] + change & 0xFF
    frame[place + distance] = frame[place + distance] + sign * change & 0xFF
    return frame


def _end_of_data(random: Random, frame: bytearray, _: Reply) -> bytearray:
    """Change the last byte of the data and the first of the digest alike."""
    change = random.randrange(1, 256)
    frame[-_DIGEST - 1] ^= change
    frame[-_DIGEST] ^= change
    return frame


def _swap(random: Random, frame: bytearray, _: Reply) -> bytearray:
    first, second = random.sample(range(2, len(frame)), 2)
    frame[first], frame[second] = frame[second], frame[first]
    return frame


def _resized(random: Random, frame: bytearray) -> bytearray:
    """Let the length of the message fit again, or not."""
    if random.getrandbits(1):
        frame[:2] = max(0, len(frame) - 2).to_bytes(2)
    return frame


def _double(random: Random, frame: bytearray, _: Reply) -> bytearray:
    place = random.randrange(2, len(frame))
    frame.insert(place, frame[place])
    return _resized(random, frame)


def _lose(random: Random, frame: bytearray, _: Reply) -> bytearray:
    place = random.randrange(2, len(frame))
    del frame[place : place + random.choice((1, 1, 2, 8))]
    return _resized(random, frame)


def _insert(random: Random, frame: bytearray, _: Reply) -> bytearray:
    place = random.randrange(len(frame))
    frame[place:place] = random.randbytes(random.choice((1, 1, 2, 8)))
    return _resized(random, frame)


def _cut(random: Random, frame: bytearray, _: Reply) -> bytearray:
    del frame[random.randrange(2, len(frame)) :]
    return _resized(random, frame)


def _span(random: Random, frame: bytearray) -> slice:
    start = random.randrange(2, len(frame))
    return slice(start, min(start + random.randint(2, 40), len(frame)))


def _fill(random: Random, frame: bytearray, _: Reply, *, value: int) -> bytearray:
    span = _span(random, frame)
    frame[span] = bytes([value]) * (span.stop - span.start)
    return frame


def _burst(random: Random, frame: bytearray, _: Reply) -> bytearray:
    span = _span(random, frame)
    frame[span] = random.randbytes(span.stop - span.start)
    return frame


def _replay(_: Random, __: bytearray, reply: Reply, *, which: int) -> bytes:
    return reply.replays[which]


def _splice(random: Random, frame: bytearray, reply: Reply) -> bytearray:
    """Let one reply go over into another."""
    place = random.randrange(2, len(frame))
    frame[place:] = random.choice(reply.replays)[place:]
    return _resized(random, frame)


def _alter(random: Random, frame: bytearray, _: Reply, *, places: slice) -> bytearray:
    frame[places] = random.randbytes(places.stop - places.start)
    return frame


DAMAGES: Mapping[str, Damage] = {
    "one bit": partial(_bits, count=1),
    "two bits": partial(_bits, count=2),
    "one byte": partial(_bytes, count=1),
    "two bytes": partial(_bytes, count=2),
    "equal changes, 8 apart": partial(_pair, distances=range(8, 9), sign=1),
    "opposite changes, 8 apart": partial(_pair, distances=range(8, 9), sign=-1),
    "equal changes, 1 to 24 apart": partial(_pair, distances=range(1, 25), sign=1),
    "end of data, start of digest": _end_of_data,
    "two bytes swapped": _swap,
    "a byte doubled": _double,
    "bytes lost": _lose,
    "bytes inserted": _insert,
    "cut off": _cut,
    "zeros": partial(_fill, value=0),
    "ones": partial(_fill, value=0xFF),
    "burst": _burst,
    "replay of the same read": partial(_replay, which=0),
    "reply to another read": partial(_replay, which=1),
    "two replies mixed": _splice,
    "length altered": partial(_alter, places=slice(0, 2)),
    "response code altered": partial(_alter, places=slice(2, 3)),
    "count altered": partial(_alter, places=slice(3, 5)),
}
"""The kinds of damage; none knows the key or aims at a weakness of the digest."""


def forge(random: Random, frame: bytearray, _: Reply) -> bytearray:
    """Change data so that the digest still fits if one guess of two bits is right.

    Two neighbours plus 0x80 change one cell of the digest; eight bytes later, that cell
    has moved by one bit to the left or right, and a change of the byte there undoes it.
    """
    place = random.randrange(_HEAD, len(frame) - _DIGEST - 8)
    frame[place] ^= 0x80
    frame[place + 1] ^= 0x80
    frame[place + 8] ^= random.choice((0x01, 0x40))
    return frame


# What is accepted


def accepted(reply: Reply, received: bytes) -> list[bytes]:
    """Return the data that the client accepts of what it receives for a reply."""
    found: list[bytes] = []
    envelope = reply.ask()
    for message in Framer().feed(received):
        with suppress(MeterError):
            found.append(response_data(reply.read.request, envelope.open(message)))
    return found


def _replies(
    mode: SecurityMode, reads: Mapping[int, list[Read]], random: Random
) -> Iterator[Reply]:
    """Return replies to reads of all lengths in turn, without end."""
    lengths = sorted(reads)
    others = [read for same in reads.values() for read in same]
    while True:
        random.shuffle(lengths)
        for length in lengths:
            read = random.choice(reads[length])
            other = random.choice(others)
            # What says the same would be true.
            while other.data == read.data:
                other = random.choice(others)
            if mode is SecurityMode.TLS:
                yield _tls_reply(random, read, other)
            else:
                yield _signed_reply(mode, random, read, other)


@dataclass(frozen=True, slots=True)
class Tally:
    """How often each kind of damage was tried, was harmless, and deceived the client.

    It is harmless if the true data were accepted.
    """

    tried: Counter[str]
    harmless: Counter[str]
    wrong: Counter[str]


def try_damages(
    mode: SecurityMode,
    reads: Mapping[int, list[Read]],
    damages: Mapping[str, Damage],
    count: int,
    seed: int,
) -> Tally:
    """Damage so many replies to reads, by all kinds of damage in turn."""
    random = Random(seed)  # noqa: S311
    tally = Tally(Counter(), Counter(), Counter())
    names = list(damages)
    for reply in _replies(mode, reads, random):
        for _ in range(_DAMAGES_OF_ONE):
            if (done := tally.tried.total()) == count:
                return tally
            name = names[done % len(names)]
            received: bytes | bytearray = reply.frame
            while received == reply.frame:
                received = damages[name](random, bytearray(reply.frame), reply)
            data = accepted(reply, bytes(received))
            tally.tried[name] += 1
            tally.harmless[name] += bool(data) and set(data) == {reply.read.data}
            tally.wrong[name] += not set(data) <= {reply.read.data}
    raise AssertionError


def try_in_parallel(
    mode: SecurityMode,
    reads: Mapping[int, list[Read]],
    damages: Mapping[str, Damage],
    count: int,
    workers: int,
) -> Tally:
    """Do the same in several processes."""
    chunks = [min(_CHUNK, count - start) for start in range(0, count, _CHUNK)]
    total = Tally(Counter(), Counter(), Counter())
    with ProcessPoolExecutor(workers) as pool:
        work = partial(try_damages, mode, reads, damages)
        for tally in pool.map(work, chunks, range(len(chunks))):
            total.tried.update(tally.tried)
            total.harmless.update(tally.harmless)
            total.wrong.update(tally.wrong)
    return total


def main() -> int:
    """Run the campaign; return 1 if a wrong value was accepted."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--count", type=int, default=_COUNTS[SecurityMode.DIGEST], help="digest replies"
    )
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    wrong = 0
    forged: list[str] = []
    for mode, most in _COUNTS.items():
        reads = asyncio.run(collect_reads(mode, EVERY_PROFILE))
        count = most * options.count // _COUNTS[SecurityMode.DIGEST]
        tally = try_in_parallel(mode, reads, DAMAGES, count, options.workers)
        wrong += tally.wrong.total()
        print(
            f"{mode}: reads of {len(reads)} lengths, {min(reads)} to {max(reads)} bytes"
            f"\n{'damage':30} {'replies':>9} {'harmless':>9} {'wrong':>6}"
        )
        for name in (*DAMAGES, "all"):
            numbers = [
                counts.total() if name == "all" else counts[name]
                for counts in (tally.tried, tally.harmless, tally.wrong)
            ]
            print("{:30} {:9} {:9} {:6}".format(name, *numbers))
        print(flush=True)
        long = {length: same for length, same in reads.items() if length > 8}
        tally = try_in_parallel(
            mode, long, {"forged": forge}, count // 20, options.workers
        )
        share = tally.wrong.total() / max(1, tally.tried.total())
        forged.append(f"{mode} {share:.1%}")
    print(f"Chosen changes that are accepted, without the key: {', '.join(forged)}")
    print(f"Wrong values accepted after damage: {wrong}")
    return int(wrong > 0)


if __name__ == "__main__":
    raise SystemExit(main())
