"""An established TLS session: every record in its place, or the end."""

import pytest

from osgp import MeterError, UnverifiedReplyError
from osgp.mep.security.tls_records import (
    ContentType,
    Record,
    RecordCipher,
    TlsAlertError,
    parse_records,
)
from osgp.mep.security.tls_session import TlsSession
from tests.tls import MbedTlsServer, OpenSslServer
from tests.tls.handshakes import STACKS, Meeting, Stack, meet, settings

_REQUEST = bytes.fromhex("3f0034000000 0006")
_REPLY = bytes.fromhex("000006") + bytes(6)

pytestmark = pytest.mark.parametrize("stack", STACKS.values(), ids=STACKS)


@pytest.fixture
def meeting(stack: Stack) -> Meeting:
    """A session that was just established."""
    return meet(stack(settings()))


def _assert_over(session: TlsSession) -> None:
    assert not session.ready
    with pytest.raises(UnverifiedReplyError):
        session.seal(_REQUEST)
    with pytest.raises(UnverifiedReplyError):
        session.open(b"")


def test_reply_to_an_earlier_request(meeting: Meeting) -> None:
    """A repeated reply does not answer the next request."""
    first = meeting.ask(_REQUEST, _REPLY)
    assert meeting.session.open(first) == _REPLY
    second = meeting.ask(_REQUEST, _REPLY)
    with pytest.raises(UnverifiedReplyError, match="out of order"):
        meeting.session.open(first)
    with pytest.raises(UnverifiedReplyError):
        meeting.session.open(second)
    _assert_over(meeting.session)


def test_reply_before_its_turn(meeting: Meeting) -> None:
    """A record that jumped ahead is refused."""
    ahead = meeting.ask(_REQUEST, _REPLY), meeting.server.encrypt(_REPLY)
    with pytest.raises(UnverifiedReplyError, match="out of order"):
        meeting.session.open(ahead[1])
    _assert_over(meeting.session)


def test_unasked_reply(meeting: Meeting) -> None:
    """A record without a request is refused, and ends the session."""
    with pytest.raises(UnverifiedReplyError, match="no request is pending"):
        meeting.session.open(meeting.server.encrypt(_REPLY))


def test_unanswered_request(meeting: Meeting) -> None:
    """A late reply to it could be taken for the next one's: the session is over."""
    meeting.session.seal(_REQUEST)
    assert not meeting.session.ready
    with pytest.raises(UnverifiedReplyError, match="not answered"):
        meeting.session.seal(_REQUEST)


def test_request_sent_back(meeting: Meeting) -> None:
    """The client's own record is no reply: each direction has its own keys."""
    request = meeting.session.seal(_REQUEST)
    with pytest.raises(UnverifiedReplyError):
        meeting.session.open(request)
    _assert_over(meeting.session)


def test_not_one_record(meeting: Meeting) -> None:
    """A reply is one record of data: no more, no less, nothing else."""
    reply = meeting.ask(_REQUEST, _REPLY)
    (record,) = parse_records(reply)
    other_types = [
        Record(kind, record.fragment).to_bytes()
        for kind in ContentType
        if kind != ContentType.APPLICATION_DATA
    ]
    for damaged in (
        b"",
        reply + reply,
        reply + b"\0",
        reply[:-1],
        Record(record.content_type, record.fragment[:-1]).to_bytes(),
        Record(record.content_type, record.fragment[:23]).to_bytes(),
        Record(record.content_type, b"").to_bytes(),
        reply[:1] + b"\x03\x02" + reply[3:],
        *other_types,
    ):
        fresh = meet(type(meeting.server)(settings()))
        fresh.ask(_REQUEST, _REPLY)
        with pytest.raises(UnverifiedReplyError):
            fresh.session.open(damaged)
        _assert_over(fresh.session)


def test_every_alteration_of_a_reply(stack: Stack) -> None:
    """No altered reply is accepted."""
    meeting = meet(stack(settings()))
    for position in range(len(meeting.ask(_REQUEST, _REPLY))):
        fresh = meet(stack(settings()))
        reply = bytearray(fresh.ask(_REQUEST, _REPLY))
        reply[position] ^= 1 << position % 8
        with pytest.raises(MeterError):
            fresh.session.open(bytes(reply))
        _assert_over(fresh.session)


def test_end_of_session(meeting: Meeting) -> None:
    """The server's alert is understood, and believed because it is encrypted."""
    meeting.session.seal(_REQUEST)
    server = meeting.server
    assert isinstance(server, OpenSslServer | MbedTlsServer)
    with pytest.raises(TlsAlertError, match="close notify"):
        meeting.session.open(server.close())
    _assert_over(meeting.session)


def test_empty_reply(stack: Stack) -> None:
    """A genuine record with nothing in it is no reply."""
    one, two = (RecordCipher(bytes(32), bytes(4)) for _ in range(2))
    session = TlsSession(RecordCipher(bytes(32), bytes(4)), one)
    session.seal(_REQUEST)
    with pytest.raises(UnverifiedReplyError, match="empty"):
        session.open(two.encrypt(ContentType.APPLICATION_DATA, b"").to_bytes())
