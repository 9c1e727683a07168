"""How many damaged packets get through the checks of the optical port.

    .dev/next/bin/python -m benchmarks.optical_faults [--count 1000000]

Replies to reads of some lengths are damaged, each of them at one place at least: by bit
errors at several rates, as of a head that is badly seated, and by bursts, as of light.
Then they are handed to the client as it receives them. Of those that pass the CRC, the
checksum over the data is to find the rest; what it does not find is a wrong value.

That is rare: so what passes the CRC is also counted by itself, for replies of all kinds
of damage, and the share of it that the checksum lets pass.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from itertools import accumulate
from math import comb
from random import Random

from custom_components.nes_mep.osgp import MeterError
from custom_components.nes_mep.osgp.optical.packets import Packet, PacketReader, Parts
from custom_components.nes_mep.osgp.optical.services import checksum, read_reply
from custom_components.nes_mep.osgp.requests import PartialRead, response_data

_COUNT = 1_000_000
_CHUNK = 50_000
_LENGTHS = (4, 40, 44, 220)
"""Bytes of data: one register, what is read of BT28 and BT23 in one go, all of BT23."""
_RATES = (1e-5, 1e-4, 1e-3)
_COUNTS = range(1, 24)
"""Bit errors in a packet; at these rates there are hardly ever more."""
_LONGEST_BURST = 40
_SIZE = 504

type Damage = Callable[[Random, bytearray], None]
"""Changes a packet, at one place at least."""


@cache
def _shares(bits: int, rate: float) -> Sequence[float]:
    """Return how likely 1, 2, 3 and more bit errors are, each with those before."""
    return tuple(
        accumulate(
            comb(bits, count) * rate**count * (1 - rate) ** (bits - count)
            for count in _COUNTS
        )
    )


def _bit_errors(random: Random, line: bytearray, *, rate: float) -> None:
    """Turn bits at a rate; that there are none at all is left out."""
    bits = 8 * len(line)
    (count,) = random.choices(_COUNTS, cum_weights=_shares(bits, rate))
    for place in random.sample(range(bits), count):
        line[place // 8] ^= 1 << place % 8


def _burst(random: Random, line: bytearray) -> None:
    """Replace some bytes in a row by any others."""
    before = bytes(line)
    while line == before:
        start = random.randrange(len(line))
        end = min(len(line), start + random.randint(2, _LONGEST_BURST))
        line[start:end] = random.randbytes(end - start)


def _dark(random: Random, line: bytearray) -> None:
    """Lose the light for a while: all bits of some bytes are alike."""
    before = bytes(line)
    while line == before:
        start = random.randrange(len(line))
        end = min(len(line), start + random.randint(1, _LONGEST_BURST))
        line[start:end] = bytes([random.choice((0, 0xFF))]) * (end - start)


DAMAGES: dict[str, Damage] = {
    **{f"bit errors, {rate:g}": partial(_bit_errors, rate=rate) for rate in _RATES},
    "bursts": _burst,
    "light lost": _dark,
}


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply to a read as it goes over the line."""

    request: PartialRead
    data: bytes
    line: bytes


def replies(random: Random) -> Iterator[Reply]:
    """Return replies of all lengths in turn, without end; half of the registers stand at 0."""
    while True:
        for length in _LENGTHS:
            data = random.randbytes(length // 2).ljust(length, b"\0")
            reply = b"\0" + len(data).to_bytes(2) + data + bytes([checksum(data)])
            line = Packet(data=reply, toggle=bool(random.getrandbits(1))).to_bytes()
            yield Reply(PartialRead(23, 0, length), data, line)


def passed(line: bytes) -> list[bytes]:
    """Return the messages in packets whose CRC is right."""
    reader, parts = PacketReader(), Parts()
    reader.longest = _SIZE
    packets = [each for each in reader.feed(line) if isinstance(each, Packet)]
    return [message for each in packets if (message := parts.add(each))]


def accepted(reply: Reply, message: bytes) -> bool:
    """Return whether the client takes a message for an answer, and for a wrong one."""
    with suppress(MeterError):
        return response_data(reply.request, read_reply(message)) != reply.data
    return False


def try_damage(name: str, count: int, seed: int) -> tuple[int, int]:
    """Damage so many replies; return how many passed the CRC, and how many in all."""
    random = Random(f"{name}{seed}")  # noqa: S311
    damage = DAMAGES[name]
    genuine = replies(random)
    right_crc = wrong = 0
    for _ in range(count):
        reply = next(genuine)
        line = bytearray(reply.line)
        damage(random, line)
        for message in passed(bytes(line)):
            right_crc += 1
            wrong += accepted(reply, message)
    return right_crc, wrong


def share_of_checksum(name: str, count: int, seed: int) -> int:
    """Return how many damaged replies of so many would pass, if the CRC were right."""
    random = Random(f"{name}{seed}")  # noqa: S311
    genuine = replies(random)
    wrong = 0
    for _ in range(count):
        reply = next(genuine)
        line = bytearray(reply.line)
        DAMAGES[name](random, line)
        wrong += accepted(reply, bytes(line[6:-2]))
    return wrong


def main() -> None:
    """Run the campaign and print how many wrong values were accepted."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=_COUNT, help="of each damage")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    chunks = max(1, options.count // _CHUNK)
    size = options.count // chunks
    print(f"{'damage':18} {'packets':>9} {'right CRC':>9} {'checksum':>9} {'wrong':>6}")
    with ProcessPoolExecutor(options.workers) as pool:
        for name in DAMAGES:
            tried = list(
                pool.map(partial(try_damage, name), [size] * chunks, range(chunks))
            )
            right_crc, wrong = (sum(column) for column in zip(*tried, strict=True))
            share = pool.submit(share_of_checksum, name, _CHUNK, 0).result() / _CHUNK
            print(
                f"{name:18} {size * chunks:9} {right_crc:9} {share:9.2%} {wrong:6}",
                flush=True,
            )


if __name__ == "__main__":
    main()
