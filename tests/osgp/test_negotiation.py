"""The mode of security that a meter is opened in, when none or one is named."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

import pytest

from osgp import (
    KeyKind,
    KeyRefusedError,
    Meter,
    MeterError,
    NoReplyError,
    PortError,
    SecurityMode,
    TlsError,
    TlsUnsupportedError,
    UnverifiedReplyError,
    negotiate,
)

type Attempt = tuple[SecurityMode, KeyKind]

_TLS: Attempt = (SecurityMode.TLS, KeyKind.BASIC)
_TLS_ADVANCED: Attempt = (SecurityMode.TLS, KeyKind.ADVANCED)
_DIGEST: Attempt = (SecurityMode.DIGEST, KeyKind.BASIC)
_RC4: Attempt = (SecurityMode.RC4, KeyKind.BASIC)
_METER = cast("Meter", object())


@dataclass
class _Port:
    """A port whose meter answers as it is told; other attempts succeed."""

    failures: Mapping[Attempt, MeterError]
    attempts: list[Attempt] = field(default_factory=list)

    async def open_in(self, mode: SecurityMode, kind: KeyKind) -> Meter:
        self.attempts.append((mode, kind))
        if failure := self.failures.get((mode, kind)):
            raise failure
        return _METER


def _in_session(err: MeterError) -> MeterError:
    err.had_session = True
    return err


@pytest.mark.parametrize(
    ("mode", "kind", "failures", "attempts"),
    [
        (None, None, {}, [_TLS]),
        (None, None, {_TLS: KeyRefusedError()}, [_TLS, _TLS_ADVANCED]),
        (None, None, {_TLS: TlsUnsupportedError()}, [_TLS, _DIGEST]),
        (None, None, {_TLS: TlsError()}, [_TLS, _DIGEST]),
        (None, None, {_TLS: NoReplyError()}, [_TLS, _DIGEST]),
        (None, KeyKind.ADVANCED, {}, [_TLS_ADVANCED]),
        (SecurityMode.TLS, None, {_TLS: KeyRefusedError()}, [_TLS, _TLS_ADVANCED]),
        (SecurityMode.TLS, KeyKind.ADVANCED, {}, [_TLS_ADVANCED]),
        (SecurityMode.DIGEST, None, {}, [_DIGEST]),
        (SecurityMode.RC4, None, {}, [_RC4]),
    ],
)
async def test_found(
    mode: SecurityMode | None,
    kind: KeyKind | None,
    failures: Mapping[Attempt, MeterError],
    attempts: list[Attempt],
) -> None:
    """The last attempt opened the meter, and the ones before were due."""
    port = _Port(failures)
    opened = await negotiate(port.open_in, mode, kind)
    assert port.attempts == attempts
    assert opened.meter is _METER
    assert (opened.mode, opened.key_kind) == attempts[-1]
    assert opened.refused_tls == (
        attempts == [_TLS, _DIGEST] and isinstance(failures[_TLS], TlsError)
    )


async def test_silence_after_a_reply() -> None:
    """Who begins to answer in TLS, and then does not, has not just ignored it."""
    err = NoReplyError()
    err.had_reply = True
    port = _Port({_TLS: err})
    opened = await negotiate(port.open_in)
    assert opened.mode is SecurityMode.DIGEST
    assert opened.refused_tls


@pytest.mark.parametrize(
    ("mode", "kind", "failures", "attempts"),
    [
        (None, None, {_TLS: PortError()}, [_TLS]),
        (None, None, {_TLS: UnverifiedReplyError()}, [_TLS]),
        (None, None, {_TLS: _in_session(NoReplyError())}, [_TLS]),
        (None, None, {_TLS: _in_session(TlsError())}, [_TLS]),
        (None, KeyKind.BASIC, {_TLS: KeyRefusedError()}, [_TLS]),
        (
            None,
            None,
            {_TLS: NoReplyError(), _DIGEST: KeyRefusedError()},
            [_TLS, _DIGEST],
        ),
        (
            None,
            None,
            {_TLS: KeyRefusedError(), _TLS_ADVANCED: KeyRefusedError()},
            [_TLS, _TLS_ADVANCED],
        ),
        (SecurityMode.TLS, None, {_TLS: TlsUnsupportedError()}, [_TLS]),
        (SecurityMode.TLS, None, {_TLS: NoReplyError()}, [_TLS]),
        (SecurityMode.DIGEST, None, {_DIGEST: UnverifiedReplyError()}, [_DIGEST]),
    ],
)
async def test_not_found(
    mode: SecurityMode | None,
    kind: KeyKind | None,
    failures: Mapping[Attempt, MeterError],
    attempts: list[Attempt],
) -> None:
    """Whoever knows TLS is never asked in an older mode; the last error is raised."""
    port = _Port(failures)
    with pytest.raises(MeterError) as caught:
        await negotiate(port.open_in, mode, kind)
    assert port.attempts == attempts
    assert caught.value is failures[attempts[-1]]


@pytest.mark.parametrize(
    ("first", "had_reply"), [(NoReplyError, False), (TlsUnsupportedError, True)]
)
async def test_reply_before_silence(first: type[MeterError], had_reply: bool) -> None:
    """Who was silent in the end has answered all the same, if it did so in TLS."""
    port = _Port({_TLS: first(), _DIGEST: NoReplyError()})
    with pytest.raises(NoReplyError) as caught:
        await negotiate(port.open_in)
    assert caught.value.had_reply is had_reply


@pytest.mark.parametrize("error", [NoReplyError, TlsError])
@pytest.mark.parametrize("mode", [None, SecurityMode.TLS])
async def test_refused_key_is_the_end(
    error: type[MeterError], mode: SecurityMode | None
) -> None:
    """Trouble with the advanced key after a refusal of the basic leads nowhere else."""
    refusal = KeyRefusedError()
    port = _Port({_TLS: refusal, _TLS_ADVANCED: error()})
    with pytest.raises(KeyRefusedError) as caught:
        await negotiate(port.open_in, mode)
    assert caught.value is refusal
    assert port.attempts == [_TLS, _TLS_ADVANCED]
