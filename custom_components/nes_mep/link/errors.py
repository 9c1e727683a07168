"""What the errors of the meter client mean to a user of Home Assistant: one table."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypedDict

from ..const import DOMAIN
from ..osgp import (
    KeyRefusedError,
    MeterError,
    NoReplyError,
    PortError,
    RefusalError,
    ResponseCode,
    TlsError,
    TlsUnsupportedError,
    UnverifiedReplyError,
)


class FailureKind(StrEnum):
    """How a link fails, in the words of its event entity."""

    AUTHENTICATION_FAILURE = "authentication_failure"
    INVALID_SEQUENCE = "invalid_sequence"
    NO_REPLY = "no_reply"
    CORRUPTED_REPLY = "corrupted_reply"


@dataclass(frozen=True, slots=True)
class Failure:
    """What an error means.

    text is the translation key of the error that Home Assistant shows. reason tells
    apart what has the same kind. can_mend says whether another session may help.
    """

    text: str
    kind: FailureKind
    reason: str
    can_mend: bool = True


_BY_CODE = {
    ResponseCode.NO_PERMISSION: Failure(
        "table_forbidden", FailureKind.NO_REPLY, "request_refused", can_mend=False
    ),
    ResponseCode.NOT_POSSIBLE: Failure(
        "table_unavailable", FailureKind.NO_REPLY, "request_refused", can_mend=False
    ),
    ResponseCode.TABLE_NOT_POSSIBLE: Failure(
        "table_absent", FailureKind.NO_REPLY, "request_refused", can_mend=False
    ),
    ResponseCode.AUTHENTICATION_FAILURE: Failure(
        "not_readable", FailureKind.AUTHENTICATION_FAILURE, "request_refused"
    ),
    ResponseCode.INVALID_SEQUENCE: Failure(
        "not_readable", FailureKind.INVALID_SEQUENCE, "request_refused"
    ),
}

# The first that fits counts.
_BY_ERROR: tuple[tuple[type[MeterError], Failure], ...] = (
    (
        PortError,
        Failure("cannot_connect", FailureKind.NO_REPLY, "cannot_connect"),
    ),
    (NoReplyError, Failure("no_reply", FailureKind.NO_REPLY, "no_reply")),
    (
        KeyRefusedError,
        Failure("invalid_auth", FailureKind.AUTHENTICATION_FAILURE, "key_refused"),
    ),
    (
        TlsUnsupportedError,
        Failure(
            "tls_refused",
            FailureKind.AUTHENTICATION_FAILURE,
            "tls_refused",
            can_mend=False,
        ),
    ),
    (
        TlsError,
        Failure("tls_refused", FailureKind.AUTHENTICATION_FAILURE, "tls_failed"),
    ),
    # The meter understood and has its reasons, busy for example: no readings came.
    (
        RefusalError,
        Failure(
            "not_readable", FailureKind.NO_REPLY, "request_refused", can_mend=False
        ),
    ),
    (
        UnverifiedReplyError,
        Failure("not_readable", FailureKind.CORRUPTED_REPLY, "not_verified"),
    ),
    # Verified but not understood: asking again brings the same.
    (
        MeterError,
        Failure(
            "not_readable",
            FailureKind.CORRUPTED_REPLY,
            "not_understood",
            can_mend=False,
        ),
    ),
)


def failure_of(err: MeterError) -> Failure:
    """Return what an error means."""
    if isinstance(err, RefusalError) and err.code in _BY_CODE:
        return _BY_CODE[ResponseCode(err.code)]
    return next(failure for kind, failure in _BY_ERROR if isinstance(err, kind))


class ErrorText(TypedDict):
    """The translated text of an error of Home Assistant."""

    translation_domain: str
    translation_key: str
    translation_placeholders: dict[str, str]


def error_text(err: MeterError, meter: str) -> ErrorText:
    """Return the translated text for an error of the meter client about a meter."""
    return {
        "translation_domain": DOMAIN,
        "translation_key": failure_of(err).text,
        "translation_placeholders": {"meter": meter, "error": str(err)},
    }
