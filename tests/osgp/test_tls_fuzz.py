"""Every byte of every server flight, spoiled: nothing of it is believed."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from osgp import MeterError
from tests.tls.alterations import alterations
from tests.tls.handshakes import STACKS, client, meet, settings

_REQUEST = bytes.fromhex("3f0034000000 0006")
_REPLY = bytes.fromhex("000006") + bytes(6)
_RANDOM = bytes(range(32))


@dataclass(frozen=True)
class _Recorded:
    """What a server said to a client whose random is fixed."""

    first_flight: bytes
    second_flight: bytes
    reply: bytes

    def replay(
        self,
        first_flight: bytes | None = None,
        second_flight: bytes | None = None,
        reply: bytes | None = None,
    ) -> bytes:
        """Let the client hear it again, with parts replaced."""
        handshake = client()
        handshake.answer(first_flight or self.first_flight)
        session = handshake.finish(
            self.second_flight if second_flight is None else second_flight
        )
        session.seal(_REQUEST)
        return session.open(self.reply if reply is None else reply)


@pytest.fixture(params=[True, False], ids=["extended", "plain"])
def extended(request: pytest.FixtureRequest) -> bool:
    """Whether the master secret is the extended one."""
    value: bool = request.param
    return value


@pytest.fixture(params=STACKS)
def recorded(
    request: pytest.FixtureRequest, extended: bool, monkeypatch: pytest.MonkeyPatch
) -> _Recorded:
    """A genuine conversation, which the client accepts when it is replayed."""
    module = "osgp.mep.security.tls_handshake.token_bytes"
    monkeypatch.setattr(module, lambda _: _RANDOM)
    meeting = meet(STACKS[request.param](settings(extended_master_secret=extended)))
    recorded = _Recorded(
        meeting.first_flight, meeting.second_flight, meeting.ask(_REQUEST, _REPLY)
    )
    assert recorded.replay() == _REPLY
    return recorded


def _assert_refused(replay: Callable[[bytes], bytes], flight: bytes) -> None:
    tried = 0
    for altered in alterations(flight):
        tried += 1
        with pytest.raises(MeterError):
            replay(altered)
    assert tried > 10 * len(flight)


def test_first_flight(recorded: _Recorded) -> None:
    """What the client would misunderstand, the server's Finished contradicts."""
    _assert_refused(
        lambda altered: recorded.replay(first_flight=altered or b"\0"),
        recorded.first_flight,
    )


def test_second_flight(recorded: _Recorded) -> None:
    """No altered Finished is accepted."""
    _assert_refused(
        lambda altered: recorded.replay(second_flight=altered), recorded.second_flight
    )


def test_reply(recorded: _Recorded) -> None:
    """No altered reply is accepted."""
    _assert_refused(lambda altered: recorded.replay(reply=altered), recorded.reply)
