"""Command line: downloading the load profile."""

import argparse
import asyncio
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
import csv
from datetime import UTC, datetime
import json
from pathlib import Path
import sys
from typing import TextIO

from ..errors import MeterError
from ..load_profile.download import REQUEST_PERIOD, LoadProfileInterval
from ..meter import Meter

_CLEAR_LINE = "\r\x1b[K"
_BAR_WIDTH = 30
_COLUMN_WIDTH = 12


def add_history_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the history command."""
    for name, what in (("from", "after"), ("to", "not after")):
        parser.add_argument(
            f"--{name}",
            type=_time,
            metavar="TIME",
            help=f"intervals that end {what} this time: 2026-02-17, "
            "2026-02-17T18:00 (local time), 2026-02-17T17:00Z",
        )
    parser.add_argument(
        "--csv", type=Path, metavar="FILE", help="write a table, oldest first"
    )
    parser.add_argument(
        "--set",
        type=int,
        choices=range(1, 5),
        help="data set (default: the one that records most of the energies)",
    )
    parser.add_argument(
        "--pace",
        type=_pace,
        default=REQUEST_PERIOD,
        metavar="SECONDS",
        help="seconds per request (default: %(default)s, as the guide recommends)",
    )


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError as err:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time") from err
    return time if time.tzinfo else time.astimezone()


def _pace(text: str) -> float:
    if not (value := float(text)) >= 0:
        raise argparse.ArgumentTypeError("must not be negative")
    return value


class _ProgressBar:
    """A line that shows the progress of a download, if the stream is a terminal."""

    def __init__(self, stream: TextIO) -> None:
        """Start now."""
        self._stream = stream if stream.isatty() else None
        self._time = asyncio.get_running_loop().time
        self._begun_at = self._time()

    def show(self, done: int, total: int) -> None:
        """Show that done of total intervals were read."""
        if self._stream is None or not done:
            return
        filled = _BAR_WIDTH * done // total
        left = (self._time() - self._begun_at) / done * (total - done)
        minutes, seconds = divmod(round(left), 60)
        self._stream.write(
            f"{_CLEAR_LINE}[{'#' * filled}{'.' * (_BAR_WIDTH - filled)}] "
            f"{100 * done // total} %, {done} of {total} intervals, "
            f"{minutes}:{seconds:02} left"
        )
        self._stream.flush()

    def clear(self) -> None:
        """Clear the line."""
        if self._stream:
            self._stream.write(_CLEAR_LINE)
            self._stream.flush()


async def history(meter: Meter, arguments: argparse.Namespace) -> None:
    """Download intervals and print them, or write them to a file.

    What was read before an error is not lost. Raises MeterError, and ValueError when
    the file cannot be written.
    """
    download = meter.load_profile(
        getattr(arguments, "from"),
        arguments.to,
        data_set=arguments.set,
        period=arguments.pace,
    )
    intervals: list[LoadProfileInterval] = []
    with ExitStack() as stack:
        file = _opened(arguments.csv, stack)
        bar = _ProgressBar(sys.stderr)
        try:
            async for batch in download:
                intervals += batch.intervals
                bar.clear()
                if arguments.json:
                    _print_json(batch.intervals)
                bar.show(batch.done, batch.total)
        except MeterError as err:
            if not intervals:
                raise
            raise MeterError(
                f"{err}; {len(intervals)} intervals were read, and "
                f"--to {_iso(intervals[-1].end - intervals[-1].length)} continues"
            ) from err
        finally:
            bar.clear()
            intervals.reverse()
            if file:
                csv.writer(file).writerows(_rows(intervals))
            elif intervals and not arguments.json:
                _print_rows(_rows(intervals))
    if not intervals and not arguments.json:
        sys.stdout.write("No interval of this period is recorded\n")


def _opened(path: Path | None, stack: ExitStack) -> TextIO | None:
    """Open the file to write, before the meter is asked anything."""
    if path is None:
        return None
    try:
        return stack.enter_context(path.open("w", encoding="utf-8", newline=""))
    except OSError as err:
        raise ValueError(f"{path} cannot be written: {err.strerror}") from err


def _rows(intervals: Sequence[LoadProfileInterval]) -> Iterator[list[str]]:
    """Return a table: the column names, and a row for each interval."""
    keys = list(
        dict.fromkeys(
            key for each in intervals for key in (*each.values, *each.statuses)
        )
    )
    yield ["end", "seconds", *keys, "remarks"]
    for each in intervals:
        yield [
            _iso(each.end),
            f"{each.length.total_seconds():.0f}",
            *(str(each.values.get(key, "")) for key in keys),
            "; ".join(
                [
                    *_flags(each),
                    *(f"{key}: {status}" for key, status in _statuses(each).items()),
                ]
            ),
        ]


def _print_rows(rows: Iterable[list[str]]) -> None:
    """Print a table for people."""
    widths: list[int] = []
    for row in rows:
        widths = widths or [max(len(cell), _COLUMN_WIDTH) for cell in row]
        widths[0] = max(widths[0], len(row[0]))
        cells = (f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True))
        sys.stdout.write("  ".join(cells).rstrip() + "\n")


def _print_json(intervals: Iterable[LoadProfileInterval]) -> None:
    """Print one JSON object a line and interval."""
    for each in intervals:
        facts = {
            "end": _iso(each.end),
            "seconds": each.length.total_seconds(),
            "values": each.values,
            "flags": _flags(each),
            "statuses": _statuses(each),
        }
        sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def _flags(interval: LoadProfileInterval) -> list[str]:
    return [str(flag.name).lower() for flag in interval.flags]


def _statuses(interval: LoadProfileInterval) -> dict[str, str]:
    return {key: status.name.lower() for key, status in interval.statuses.items()}


def _iso(time: datetime) -> str:
    return time.astimezone(UTC).isoformat()
