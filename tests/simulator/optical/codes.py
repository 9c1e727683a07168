"""What can be asked for and answered on the optical port (ANSI C12.18)."""

from enum import Enum, IntEnum

PASSWORD_LENGTH = 20


class Service(IntEnum):
    """The first byte of a request."""

    IDENTIFICATION = 0x20
    TERMINATE = 0x21
    FULL_READ = 0x30
    PARTIAL_READ = 0x3F
    FULL_WRITE = 0x40
    PARTIAL_WRITE = 0x4F
    LOGON = 0x50
    SECURITY = 0x51
    LOGOFF = 0x52
    NEGOTIATE = 0x60  # and up to 0x6B: with so many codes of speeds
    WAIT = 0x70


class Code(IntEnum):
    """The first byte of a reply."""

    OK = 0x00
    ERROR = 0x01
    NOT_SUPPORTED = 0x02
    NO_PERMISSION = 0x03
    NOT_POSSIBLE = 0x04
    NO_SUCH_TABLE = 0x05
    BUSY = 0x06
    NOT_READY = 0x07
    LOCKED = 0x08
    RENEGOTIATE = 0x09
    WRONG_STATE = 0x0A


class State(Enum):
    """How far a session has come."""

    BASE = "base"
    IDENTIFIED = "identified"
    SESSION = "session"


class RefusedError(Exception):
    """The meter answers with a response code and nothing else."""

    def __init__(self, code: int) -> None:
        """Keep the code."""
        super().__init__(code)
        self.code = code
