"""The errors of the meter client."""


class MeterError(Exception):
    """Base of every error that the meter client raises.

    had_session says, for an error of opening a meter, whether there had been a
    secured session: then the meter knows that mode, whatever went wrong later.
    had_reply says whether anything had been received in reply, genuine or not.
    """

    had_session = False
    had_reply = False


class PortError(MeterError):
    """The port does not open, or it was lost and does not open again."""


class NoReplyError(MeterError, TimeoutError):
    """The port is open, and the meter does not answer."""


class KeyRefusedError(MeterError):
    """The meter refused the key: even its clock cannot be read with it."""


class TlsError(MeterError):
    """The secured session cannot be established or was broken."""


class TlsUnsupportedError(TlsError):
    """The meter refuses to begin a secured session; it may not know this mode."""


class TlsRequiredError(MeterError):
    """The optical port identifies itself and refuses everything that is not in TLS.

    How TLS is used at that port is not published, so it cannot be read.
    """


class UnverifiedReplyError(MeterError):
    """What arrives cannot be verified or does not fit what was asked."""


class RefusalError(MeterError):
    """The meter understood the request and refused it.

    code is the response code (guide, "MEP protocol", response codes) and request
    says what was asked, for example "BT23 at 0, 44 bytes".
    """

    def __init__(self, code: int, request: str, meaning: str) -> None:
        """Make the error from the response code and what was asked."""
        super().__init__(f"The meter refuses {request}: {meaning} (0x{code:02X})")
        self.code = code
        self.request = request


class DecodeError(MeterError):
    """A table holds fewer bytes than needed, or an impossible value."""

    def __init__(self, table: str, offset: int, length: int, problem: str) -> None:
        """Make the error from the place in the table and what is wrong there."""
        super().__init__(f"{table} at {offset} ({length} bytes): {problem}")
        self.table = table
        self.offset = offset
        self.length = length
