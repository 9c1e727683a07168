"""A meter that answers with the tables of a diagnostics file of the integration."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
import json
from pathlib import Path
from typing import Any, Self, override

from .catalogue import EVERY_PROFILE
from .meter import RefusedError, SimulatedMeter
from .names import table_id
from .packet import ReplyCode, Request
from .tables.layout import TableBytes, long_time

FORMAT = 1
_BT01, _BT52, _ET03, _ET04 = map(table_id, ("BT01", "BT52", "ET03", "ET04"))
_GENERAL_LENGTH = 16
_SERIAL_LENGTH = 30
_TRANSCEIVER = slice(4, 10)
_LAST_MOMENT = datetime(2255, 12, 31, 23, 59, 59, tzinfo=UTC)

_LONGEST_FILE = 4 << 20
_TABLE_NUMBERS = range(1 << 12)
_OFFSETS = range(1 << 24)
"""What fits the fields of a request."""


class RecordedTable:
    """The bytes of a table that were read; others are refused."""

    def __init__(self, parts: Mapping[int, bytes]) -> None:
        """Initialize with the parts by their offsets."""
        self._bytes: dict[int, int] = {
            offset + index: byte
            for offset, part in parts.items()
            for index, byte in enumerate(part)
        }
        self._length = max(self._bytes, default=-1) + 1

    def patch(self, offset: int, data: bytes) -> None:
        """Write over what was recorded, and nothing else."""
        for index, byte in enumerate(data, offset):
            if index in self._bytes:
                self._bytes[index] = byte

    def has(self, length: int) -> bool:
        """Tell whether all of its first bytes were recorded."""
        return all(index in self._bytes for index in range(length))

    def __len__(self) -> int:
        """Return where the last recorded byte ends."""
        return self._length

    def __getitem__(self, part: slice) -> bytes:
        """Return a part; RefusedError if not all of it was recorded."""
        wanted = range(*part.indices(len(self)))
        if any(index not in self._bytes for index in wanted):
            raise RefusedError(ReplyCode.TABLE_NOT_POSSIBLE)
        return bytes(self._bytes[index] for index in wanted)

    def __bytes__(self) -> bytes:
        """Return all of it, zeros where nothing was recorded."""
        whole = bytearray(len(self))
        for index, byte in self._bytes.items():
            whole[index] = byte
        return bytes(whole)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What a diagnostics file tells of a meter.

    ``read_at`` is when each table was read, ``refused`` the code that it was refused
    with; ``digest`` tells files apart.
    """

    tables: Mapping[int, Mapping[int, bytes]]
    read_at: Mapping[int, datetime]
    refused: Mapping[int, int]
    digest: bytes

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file, as it was downloaded or only its part "data".

        Raises OSError, and ValueError for what is no diagnostics of a meter: one line
        that says what is wrong with it.
        """
        try:
            text = _contents(path)
            document = json.loads(text)
            return cls.of(document.get("data", document), sha256(text).digest())
        except (
            AttributeError,
            KeyError,
            RecursionError,
            TypeError,
            ValueError,
        ) as error:
            raise ValueError(
                f"{path} holds no diagnostics of a meter that can be replayed: "
                f"{_problem(error)}"
            ) from error

    @classmethod
    def of(cls, data: Mapping[str, Any], digest: bytes) -> Self:
        """Return the part "data".

        Raises AttributeError, KeyError, TypeError or ValueError if it is none.
        """
        if data["format"] != FORMAT:
            raise ValueError(f"format {data['format']!r} is not {FORMAT}")
        tables = {_number(name): found for name, found in data["tables"].items()}
        parts = {number: _parts(found["parts"]) for number, found in tables.items()}
        general = RecordedTable(parts.get(_BT01, {}))
        if not general.has(_GENERAL_LENGTH):
            raise ValueError(f"the first {_GENERAL_LENGTH} bytes of BT01 are missing")
        return cls(
            tables=parts,
            read_at={
                number: _moment(found["read_at"]) for number, found in tables.items()
            },
            refused={
                _number(name): _code(code)
                for name, code in data["refused_tables"].items()
            },
            digest=digest,
        )


def _contents(path: Path) -> bytes:
    """Return the bytes of a file. Raises OSError, and ValueError for too many."""
    if path.exists() and not path.is_file():
        raise ValueError("it is no file")
    with path.open("rb") as file:
        text = file.read(_LONGEST_FILE + 1)
    if len(text) > _LONGEST_FILE:
        raise ValueError(f"it is longer than {_LONGEST_FILE} bytes")
    return text


def _number(name: str) -> int:
    """Return the number of a table."""
    if (number := table_id(name)) not in _TABLE_NUMBERS:
        raise ValueError(f"there is no table {name!r}")
    return number


def _parts(parts: Mapping[str, str]) -> dict[int, bytes]:
    """Return the parts of a table by their offsets."""
    found = {int(offset): bytes.fromhex(part) for offset, part in parts.items()}
    for offset, part in found.items():
        if offset not in _OFFSETS or offset + len(part) > _OFFSETS.stop:
            raise ValueError(f"no table has {len(part)} bytes at {offset}")
    return found


def _moment(text: str) -> datetime:
    """Return a time of ISO 8601 with its zone."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return moment


def _code(code: object) -> int:
    """Return a response code."""
    if not isinstance(code, int) or code not in range(256):
        raise ValueError(f"{code!r} is no response code")
    return code


def _problem(error: Exception) -> str:
    """Say in one short line of ASCII what is wrong."""
    match error:
        case KeyError():
            text = f"{error} is missing"
        case RecursionError():
            text = "it is nested too deeply"
        case AttributeError() | TypeError():
            text = f"a value is of the wrong kind ({error})"
        case _:
            text = str(error)
    line = " ".join(text.encode("ascii", "backslashreplace").decode().split())
    return line if len(line) <= 200 else f"{line[:200]}..."


class ReplayedMeter(SimulatedMeter):
    """A meter whose registers stand as recorded, while its clock goes on.

    The file has blanks for what identifies it; in their place it gets numbers that
    are the same for the same file.
    """

    def __init__(self, recording: Recording, **options: Any) -> None:
        """Switch it on; the options are those of any simulated meter."""
        general = RecordedTable(recording.tables[_BT01])[0:_GENERAL_LENGTH]
        generation = "gen4" if general[14] >> 4 >= 4 else "gen3"
        number = f"R{int.from_bytes(recording.digest) % 10**7:07}"
        self._recording = recording
        self._recorded = {
            table: RecordedTable(parts) for table, parts in recording.tables.items()
        }
        self._identify(number, recording.digest[:6])
        super().__init__(EVERY_PROFILE[generation], serial_number=number, **options)

    def _identify(self, serial_number: str, transceiver: bytes) -> None:
        """Fill the blanks; what the meter had left empty stays so."""
        if (utility := self._recorded.get(_ET03)) and any(bytes(utility)):
            utility.patch(0, serial_number.encode().ljust(_SERIAL_LENGTH, b"\0"))
        if (system := self._recorded.get(_ET04)) and any(bytes(system)[_TRANSCEIVER]):
            system.patch(_TRANSCEIVER.start, transceiver)

    @override
    def content(self, number: int) -> TableBytes | None:
        if number == _BT52 and number in self._recorded:
            return self._running_clock()
        return self._recorded.get(number)

    @override
    def _existing(self, request: Request) -> tuple[int, TableBytes]:
        number = request.table
        if number is not None and number not in self._recorded:
            code = self._recording.refused.get(number, ReplyCode.TABLE_NOT_POSSIBLE)
            if code in ReplyCode:
                raise RefusedError(ReplyCode(code))
        return super()._existing(request)

    def _running_clock(self) -> bytes:
        """Return BT52 with a clock that is as wrong as it was."""
        recorded = bytes(self._recorded[_BT52])
        try:
            year, month, day, hour, minute, second = recorded[:6]
            then = datetime(2000 + year, month, day, hour, minute, second, tzinfo=UTC)
        except ValueError:
            # What is no date and time stands still.
            return recorded
        passed = (self.time - self._recording.read_at[_BT52]).total_seconds()
        now = min(then + timedelta(seconds=max(0, round(passed))), _LAST_MOMENT)
        if len(recorded) == 6:
            return long_time(now)
        weekday = recorded[6] & ~7 | now.isoweekday() % 7
        return long_time(now) + bytes([weekday]) + recorded[7:]
