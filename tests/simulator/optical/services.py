"""What the meter does for each request of a session, and what it answers."""

from collections.abc import Callable
from dataclasses import dataclass

from ..tables import TABLES, TableBytes, Writer
from .access import PENDING, Right, needed
from .codes import PASSWORD_LENGTH, Code, RefusedError, Service, State
from .packets import OVERHEAD
from .session import Session

_STANDARD, _VERSION_2006 = 0, bytes((2, 0))
_REAL_83334 = bytes.fromhex("001000070f11")  # what its serial number follows
_SERIAL_LENGTH = 30
_BAUD_9600 = 6
_MOST_BAUD_CODES = 11
_DESCRIPTOR = 6  # bytes of a pending table's event descriptor
_IDENTITY = 1  # BT01
_IDENTITY_BY_MEP = 16
_BCD_DIGITS = 16
_OK = bytes([Code.OK])


def checksum(data: bytes) -> int:
    """Return the two's complement of the sum of table data."""
    return -sum(data) & 0xFF


def _identify(session: Session, request: bytes) -> bytes:
    session.state = State.IDENTIFIED
    if not session.settings.identifies_fully:
        return _OK + bytes([_STANDARD]) + _VERSION_2006 + b"\0"
    serial = session.meter.profile.serial_number.encode("ascii")
    return _OK + _REAL_83334 + serial[:_SERIAL_LENGTH].ljust(_SERIAL_LENGTH)


def _negotiate(session: Session, request: bytes) -> bytes:
    settings = session.settings
    codes = request[4:]
    size, packets = int.from_bytes(request[1:3]), request[3]
    if not settings.negotiates:
        raise RefusedError(Code.NOT_SUPPORTED)
    if size <= OVERHEAD or not packets or (codes and _BAUD_9600 not in codes):
        raise RefusedError(Code.NOT_POSSIBLE)
    session.packet_size = min(size, settings.packet_size)
    session.packets = min(packets, settings.most_packets)
    answer = session.packet_size.to_bytes(2) + bytes([session.packets])
    return _OK + answer + bytes([_BAUD_9600] if codes else [])


def _log_on(session: Session, request: bytes) -> bytes:
    if session.settings.requires_tls:
        raise RefusedError(session.settings.tls_code)
    session.state = State.SESSION
    session.user = int.from_bytes(request[1:3])
    return _OK


def _check_key(session: Session, request: bytes) -> bytes:
    session.right = session.keys.try_password(request[1:])
    if session.right is Right.NONE:
        session.meter.set_alarm("invalid_password")
        raise RefusedError(session.settings.wrong_key_code)
    return _OK


def _read(session: Session, request: bytes) -> bytes:
    table = int.from_bytes(request[1:3])
    data, descriptor = _existing(session, table)
    offset, count = 0, len(descriptor) + len(data)
    if request[0] == Service.PARTIAL_READ:
        offset, count = int.from_bytes(request[3:6]), int.from_bytes(request[6:8])
    if count > session.most_data - 4:  # code, count and checksum
        raise RefusedError(Code.NOT_POSSIBLE)
    part = data[offset : offset + max(0, count - len(descriptor))]
    reply = (descriptor + bytes(part))[:count].ljust(count, b"\0")
    return _OK + count.to_bytes(2) + reply + bytes([checksum(reply)])


def _existing(session: Session, table: int) -> tuple[TableBytes, bytes]:
    """Return a table that the client may read, and the descriptor of a pending one."""
    settings = session.settings
    if table & ~PENDING in settings.hardware_lock or session.right < needed(
        table, unlisted=settings.unlisted
    ):
        raise RefusedError(Code.NO_PERMISSION)
    if table & PENDING:
        pending = session.pending.get(table & ~PENDING)
        if pending is None:
            raise RefusedError(Code.NO_SUCH_TABLE)
        return pending[_DESCRIPTOR:], pending[:_DESCRIPTOR]
    if (data := session.meter.content(table)) is None:
        raise RefusedError(Code.NO_SUCH_TABLE)
    if table == _IDENTITY and len(data) == _IDENTITY_BY_MEP:
        data = identity(bytes(data), session.meter.profile.serial_number)
    return data, b""


def identity(data: bytes, serial_number: str) -> bytes:
    """Return BT01 as this port has it (page 19); the MEP has its end reserved.

    Bytes 12 and 13 are the application firmware, coded as the two behind them, and
    bytes 16 to 23 the manufacturer's serial number, BCD.
    """
    digits = "".join(filter(str.isdigit, serial_number))[-_BCD_DIGITS:]
    return data[:12] + data[14:16] * 2 + bytes.fromhex(digits.zfill(_BCD_DIGITS))


def _write(session: Session, request: bytes) -> bytes:
    table = int.from_bytes(request[1:3])
    at = 6 if request[0] == Service.PARTIAL_WRITE else 3
    offset = int.from_bytes(request[3:at])
    count, data = int.from_bytes(request[at : at + 2]), request[at + 2 : -1]
    if session.right < Right.PROVISIONING:
        raise RefusedError(Code.NO_PERMISSION)
    known = session.meter.content(table)
    if known is None or table not in TABLES:
        raise RefusedError(Code.NO_SUCH_TABLE)
    if TABLES[table].writer is Writer.NONE:
        raise RefusedError(Code.NO_PERMISSION)
    if count != len(data) or checksum(data) != request[-1]:
        raise RefusedError(Code.ERROR)
    session.meter.overwrite(table, data, offset)
    return _OK


def _wait(session: Session, request: bytes) -> bytes:
    session.time_out = float(request[1])
    return _OK


def _log_off(session: Session, request: bytes) -> bytes:
    session.state = State.IDENTIFIED
    session.right = Right.NONE
    return _OK


def _terminate(session: Session, request: bytes) -> bytes:
    session.state = State.BASE
    return _OK


@dataclass(frozen=True, slots=True)
class _Entry:
    """A service: what carries it out, where it is allowed, how long a request is."""

    handler: Callable[[Session, bytes], bytes]
    states: frozenset[State]
    length: int
    longest: int | None = None

    def fits(self, request: bytes) -> bool:
        """Tell whether a request is as long as it has to be."""
        return self.length <= len(request) <= (self.longest or self.length)


_BASE = frozenset({State.BASE})
_IDENTIFIED = frozenset({State.IDENTIFIED})
_SESSION = frozenset({State.SESSION})
_LONG = 0xFFFF

_SERVICES: dict[int, _Entry] = {
    Service.IDENTIFICATION: _Entry(_identify, _BASE, 1),
    Service.TERMINATE: _Entry(_terminate, frozenset(State), 1),
    Service.FULL_READ: _Entry(_read, _SESSION, 3),
    Service.PARTIAL_READ: _Entry(_read, _SESSION, 8),
    Service.FULL_WRITE: _Entry(_write, _SESSION, 6, _LONG),
    Service.PARTIAL_WRITE: _Entry(_write, _SESSION, 9, _LONG),
    Service.LOGON: _Entry(_log_on, _IDENTIFIED, 13),
    Service.SECURITY: _Entry(_check_key, _SESSION, 1 + PASSWORD_LENGTH),
    Service.LOGOFF: _Entry(_log_off, _SESSION, 1),
    Service.WAIT: _Entry(_wait, _IDENTIFIED | _SESSION, 2),
    **{
        Service.NEGOTIATE + codes: _Entry(_negotiate, _IDENTIFIED, 4 + codes)
        for codes in range(_MOST_BAUD_CODES + 1)
    },
}


def serve(session: Session, request: bytes) -> bytes:
    """Carry a request out and return the reply to it; empty for none."""
    service = _SERVICES.get(request[0])
    if service is None:
        return bytes([Code.NOT_SUPPORTED])
    if session.state not in service.states:
        silent = session.state is State.BASE and not session.settings.answers_in_base
        return b"" if silent else bytes([Code.WRONG_STATE])
    if not service.fits(request):
        return bytes([Code.ERROR])
    try:
        return service.handler(session, request)
    except RefusedError as refused:
        return bytes([refused.code])
