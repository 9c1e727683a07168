"""What errors of the meter client mean to a user of Home Assistant: one table."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypedDict

from ..const import DOMAIN
from ..osgp import (
    KeyRefusedError,
    MeterError,
    MeterPort,
    NoReplyError,
    PortError,
    RefusalError,
    ResponseCode,
    TlsError,
    TlsRequiredError,
    TlsUnsupportedError,
    UnverifiedReplyError,
)


class FailureKind(StrEnum):
    """The kinds of failure, as the event entity of the link names them."""

    AUTHENTICATION_FAILURE = "authentication_failure"
    INVALID_SEQUENCE = "invalid_sequence"
    NO_REPLY = "no_reply"
    CORRUPTED_REPLY = "corrupted_reply"


@dataclass(frozen=True, slots=True)
class Failure:
    """What an error means.

    text is the translation key of the error that Home Assistant shows, and form that of
    the error in a dialog. reason distinguishes failures of the same kind. can_recover
    says whether a new session may help.
    """

    text: str
    form: str
    kind: FailureKind
    reason: str
    can_recover: bool = True


def _refusal(
    text: str,
    kind: FailureKind = FailureKind.NO_REPLY,
    *,
    can_recover: bool = False,
) -> Failure:
    """Describe a refusal: the meter understood the request and declined it."""
    return Failure(text, "refused", kind, "request_refused", can_recover)


_BY_CODE = {
    ResponseCode.NO_PERMISSION: _refusal("table_forbidden"),
    ResponseCode.NOT_POSSIBLE: _refusal("table_unavailable"),
    ResponseCode.TABLE_NOT_POSSIBLE: _refusal("table_absent"),
    ResponseCode.AUTHENTICATION_FAILURE: _refusal(
        "not_readable", FailureKind.AUTHENTICATION_FAILURE, can_recover=True
    ),
    ResponseCode.INVALID_SEQUENCE: _refusal(
        "not_readable", FailureKind.INVALID_SEQUENCE, can_recover=True
    ),
}

_BY_ERROR: tuple[tuple[type[MeterError], Failure], ...] = (
    (
        PortError,
        Failure(
            text="cannot_connect",
            form="cannot_connect",
            kind=FailureKind.NO_REPLY,
            reason="cannot_connect",
        ),
    ),
    (
        NoReplyError,
        Failure(
            text="no_reply",
            form="no_reply",
            kind=FailureKind.NO_REPLY,
            reason="no_reply",
        ),
    ),
    (
        KeyRefusedError,
        Failure(
            text="invalid_auth",
            form="invalid_auth",
            kind=FailureKind.AUTHENTICATION_FAILURE,
            reason="key_refused",
        ),
    ),
    (
        TlsRequiredError,
        Failure(
            text="optical_tls_required",
            form="tls_only",
            kind=FailureKind.AUTHENTICATION_FAILURE,
            reason="tls_required",
            can_recover=False,
        ),
    ),
    (
        TlsUnsupportedError,
        Failure(
            text="tls_refused",
            form="tls_refused",
            kind=FailureKind.AUTHENTICATION_FAILURE,
            reason="tls_refused",
            can_recover=False,
        ),
    ),
    (
        TlsError,
        Failure(
            text="tls_refused",
            form="tls_refused",
            kind=FailureKind.AUTHENTICATION_FAILURE,
            reason="tls_failed",
        ),
    ),
    (RefusalError, _refusal("not_readable")),
    (
        UnverifiedReplyError,
        Failure(
            text="not_readable",
            form="not_verified",
            kind=FailureKind.CORRUPTED_REPLY,
            reason="not_verified",
        ),
    ),
    # Verified but not understood: asking again returns the same.
    (
        MeterError,
        Failure(
            text="not_readable",
            form="not_understood",
            kind=FailureKind.CORRUPTED_REPLY,
            reason="not_understood",
            can_recover=False,
        ),
    ),
)
"""The first match counts."""

_AT_OPTICAL_PORT = {
    "invalid_auth": "optical_key_refused",
    "no_reply": "no_optical_reply",
    "not_verified": "optical_not_verified",
}
"""Texts of errors that mean something else at the optical port."""


def _text_at(port: MeterPort | None, text: str) -> str:
    return _AT_OPTICAL_PORT.get(text, text) if port is MeterPort.OPTICAL else text


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


def error_text(err: MeterError, meter: str, port: MeterPort) -> ErrorText:
    """Return the translated text for an error of the meter client at a meter's port."""
    return {
        "translation_domain": DOMAIN,
        "translation_key": _text_at(port, failure_of(err).text),
        "translation_placeholders": {"meter": meter, "error": str(err)},
    }


def form_error(err: MeterError, port: MeterPort | None) -> str:
    """Return the text that a dialog shows for an error at a meter's port."""
    return _text_at(port, failure_of(err).form)
