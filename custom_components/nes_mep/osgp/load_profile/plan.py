"""Which bytes of a load profile to ask for, and in which order."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..tables.load_profile_blocks import BlockLayout


@dataclass(frozen=True, slots=True, kw_only=True)
class Ring:
    """The blocks of a data set as a circular queue, at one moment.

    A block's age is 0 for the newest block at that moment, and so on backwards, up to
    the number of valid blocks.
    """

    layout: BlockLayout
    blocks: int
    valid_blocks: int
    last_block: int

    def block_offset(self, age: int) -> int:
        """Return where a block begins in its table."""
        return (self.last_block - age) % self.blocks * self.layout.block_size


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted of a block: intervals by index, and perhaps the header."""

    age: int
    indices: range
    header: bool


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes that must not be split: an interval of a block, or its header (None)."""

    offset: int
    length: int
    age: int
    index: int | None
    completes_block: bool


@dataclass(frozen=True, slots=True)
class Part:
    """Consecutive pieces that fit into one reply; the last in the table comes first."""

    offset: int
    length: int
    pieces: tuple[Piece, ...]


def plan_parts(wanted: Iterable[Wanted], ring: Ring, capacity: int) -> Iterator[Part]:
    """Return the fewest parts that cover what is wanted, newest first.

    Blocks are given newest first. No part is longer than capacity, and none includes
    bytes that are not wanted.
    """
    pieces: list[Piece] = []
    for piece in _pieces(wanted, ring):
        if pieces and not (
            piece.offset + piece.length == pieces[-1].offset
            and pieces[0].offset + pieces[0].length - piece.offset <= capacity
        ):
            yield _part(pieces)
            pieces = []
        pieces.append(piece)
    if pieces:
        yield _part(pieces)


def _part(pieces: list[Piece]) -> Part:
    first, last = pieces[-1], pieces[0]
    length = last.offset + last.length - first.offset
    return Part(first.offset, length, tuple(pieces))


def _pieces(wanted: Iterable[Wanted], ring: Ring) -> Iterator[Piece]:
    """Return the pieces of blocks, newest block first, each block backwards."""
    layout = ring.layout
    for block in wanted:
        begin = ring.block_offset(block.age)
        for index in reversed(block.indices):
            yield Piece(
                offset=begin + layout.interval_offset(index),
                length=layout.interval_size,
                age=block.age,
                index=index,
                completes_block=index == block.indices.start and not block.header,
            )
        if block.header:
            yield Piece(
                offset=begin,
                length=layout.intervals_offset,
                age=block.age,
                index=None,
                completes_block=True,
            )
