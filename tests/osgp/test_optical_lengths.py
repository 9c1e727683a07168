"""Replies that differ in length, so that none answers another read."""

from hypothesis import given, strategies as st

from osgp.optical.lengths import ReplyLengths
from osgp.requests import ANY_LENGTH, FullRead, PartialRead

_CAPACITY = 108


def asked(lengths: ReplyLengths, table: int, offset: int, count: int) -> PartialRead:
    """Return what is asked for in place of a read; the reply to it comes."""
    read = lengths.distinct(PartialRead(table, offset, count), _CAPACITY)
    lengths.note(read, read.count)
    return read


def test_neighbours() -> None:
    """A read as long as one of the last two replies of other tables has more bytes."""
    lengths = ReplyLengths()
    assert asked(lengths, 23, 0, 40) == PartialRead(23, 0, 40)
    assert asked(lengths, 28, 8, 40) == PartialRead(28, 7, 41)
    assert asked(lengths, 28, 60, 40) == PartialRead(28, 58, 42)
    assert asked(lengths, 23, 0, 40) == PartialRead(23, 0, 40)


def test_never_beyond_the_end() -> None:
    """Bytes behind are read only where somebody has read further before."""
    lengths = ReplyLengths()
    lengths.note(FullRead(23, ANY_LENGTH), 40)
    assert asked(lengths, 28, 0, 40) == PartialRead(28, 0, 40)
    assert asked(lengths, 23, 0, 40) == PartialRead(23, 0, 40)
    assert asked(lengths, 23, 0, 39) == PartialRead(23, 0, 39)
    lengths.note(PartialRead(28, 0, 39), 39)
    assert asked(lengths, 23, 0, 39) == PartialRead(23, 0, 40)


def test_never_more_than_fits() -> None:
    """A read that fills a reply stays as it is."""
    lengths = ReplyLengths()
    asked(lengths, 23, 50, _CAPACITY)
    assert asked(lengths, 28, 50, _CAPACITY) == PartialRead(28, 50, _CAPACITY)


@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.integers(2, 300), st.integers(1, 100)),
        min_size=2,
    )
)
def test_any_reads(reads: list[tuple[int, int, int]]) -> None:
    """The bytes wanted are among those read, and the reply is no earlier one."""
    lengths = ReplyLengths()
    last: tuple[int, int] = (0, 0)
    for table, offset, count in reads:
        read = asked(lengths, table, offset, count)
        assert read.offset <= offset
        assert read.offset + read.count >= offset + count
        assert read.count != last[1]
        last = table, read.count
