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
_SERIAL_LENGTH = 30
_TRANSCEIVER = slice(4, 10)


class RecordedTable:
    """The bytes of a table that were read; others are refused."""

    def __init__(self, parts: Mapping[int, bytes]) -> None:
        """Take the parts by their offsets."""
        self._bytes: dict[int, int] = {
            offset + index: byte
            for offset, part in parts.items()
            for index, byte in enumerate(part)
        }

    def patch(self, offset: int, data: bytes) -> None:
        """Write over what was recorded, and nothing else."""
        for index, byte in enumerate(data, offset):
            if index in self._bytes:
                self._bytes[index] = byte

    def __len__(self) -> int:
        """Return where the last recorded byte ends."""
        return max(self._bytes, default=-1) + 1

    def __getitem__(self, part: slice) -> bytes:
        """Return a part; RefusedError if not all of it was recorded."""
        wanted = range(*part.indices(len(self)))
        if any(index not in self._bytes for index in wanted):
            raise RefusedError(ReplyCode.TABLE_NOT_POSSIBLE)
        return bytes(self._bytes[index] for index in wanted)

    def __bytes__(self) -> bytes:
        """Return all of it, zeros where nothing was recorded."""
        return bytes(self._bytes.get(index, 0) for index in range(len(self)))


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

        Raises OSError, and ValueError for what is no diagnostics of a meter.
        """
        text = path.read_bytes()
        try:
            document = json.loads(text)
            return cls.of(document.get("data", document), sha256(text).digest())
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{path} holds no diagnostics of a meter that can be replayed "
                f"({type(error).__name__}: {error})"
            ) from error

    @classmethod
    def of(cls, data: Mapping[str, Any], digest: bytes) -> Self:
        """Take the part "data"; a KeyError or ValueError if it is none."""
        if data["format"] != FORMAT:
            raise ValueError(f"format {data['format']} is not {FORMAT}")
        tables = {table_id(name): found for name, found in data["tables"].items()}
        if _BT01 not in tables:
            raise ValueError("the meter was never read")
        return cls(
            tables={
                number: {
                    int(offset): bytes.fromhex(part)
                    for offset, part in found["parts"].items()
                }
                for number, found in tables.items()
            },
            read_at={
                number: datetime.fromisoformat(found["read_at"])
                for number, found in tables.items()
            },
            refused={
                table_id(name): code for name, code in data["refused_tables"].items()
            },
            digest=digest,
        )


class ReplayedMeter(SimulatedMeter):
    """A meter whose registers stand as recorded, while its clock goes on.

    The file has blanks for what identifies it; in their place it gets numbers that
    are the same for the same file.
    """

    def __init__(self, recording: Recording, **options: Any) -> None:
        """Switch it on; the options are those of any simulated meter."""
        general = RecordedTable(recording.tables[_BT01])[0:16]
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
    def _content(self, number: int) -> TableBytes | None:
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
        year, month, day, hour, minute, second = recorded[:6]
        then = datetime(2000 + year, month, day, hour, minute, second, tzinfo=UTC)
        passed = self.time - self._recording.read_at[_BT52]
        now = then + timedelta(seconds=round(passed.total_seconds()))
        if len(recorded) == 6:
            return long_time(now)
        weekday = recorded[6] & ~7 | now.isoweekday() % 7
        return long_time(now) + bytes([weekday]) + recorded[7:]
