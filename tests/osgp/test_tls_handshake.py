"""The TLS client against the guide's example, OpenSSL and mbed TLS."""

from collections.abc import Iterator

import pytest

from osgp import MeterError, UnverifiedReplyError
from osgp.mep.security.tls_handshake import ClientHandshake
from osgp.mep.security.tls_records import Record, TlsAlertError, parse_records
from tests.tls import ServerSettings, TlsServer, WrongKeyError
from tests.tls.handshakes import IDENTITY, KEY, STACKS, Stack, client, meet, settings
from tests.tls.mbedtls import mbedtls_version

from .vectors import VECTORS

_GUIDE = [bytes.fromhex(message["frame"]) for message in VECTORS["tls"]["messages"]]
_HELLO, _SERVER_HELLO, _EXCHANGE, _SERVER_FINISHED, _REQUEST, _REPLY = (
    frame[3:] for frame in _GUIDE
)
_GUIDE_IDENTITY = bytes.fromhex(VECTORS["tls"]["psk_identity"])

_HANDSHAKE, _CHANGE, _ALERT = 22, 20, 21
_SERVER_DONE = Record(_HANDSHAKE, bytes.fromhex("0e000000"))
_RANDOM = bytes(range(32))

_every_stack = pytest.mark.parametrize("stack", STACKS.values(), ids=STACKS)


@pytest.fixture(params=[True, False], ids=["extended", "plain"])
def server(stack: Stack, request: pytest.FixtureRequest) -> TlsServer:
    """A server with and without the extended master secret."""
    return stack(settings(extended_master_secret=request.param))


def _flight(*messages: bytes) -> bytes:
    """Return handshake messages, one a record."""
    return b"".join(Record(_HANDSHAKE, message).to_bytes() for message in messages)


def _message(kind: int, body: bytes) -> bytes:
    return kind.to_bytes() + len(body).to_bytes(3) + body


def _server_hello(
    *,
    version: str = "0303",
    session_id: bytes = b"",
    suite: str = "00a9",
    compression: str = "00",
    extensions: str = "ff01000100",
    rest: str = "",
) -> bytes:
    listed = bytes.fromhex(extensions)
    return _message(
        2,
        bytes.fromhex(version)
        + _RANDOM
        + len(session_id).to_bytes()
        + session_id
        + bytes.fromhex(suite + compression)
        + len(listed).to_bytes(2)
        + listed
        + bytes.fromhex(rest),
    )


# The guide's example


def test_guide_frames() -> None:
    """Every message of the example is one MEP code and whole records."""
    kinds = [[record.content_type for record in parse_records(f[3:])] for f in _GUIDE]
    assert kinds == [[22], [22, 22], [22, 20, 22], [20, 22], [23], [23]]
    assert [frame[2] for frame in _GUIDE] == [0x58, 0, 0x59, 0, 0x80, 0]
    for frame in _GUIDE:
        assert int.from_bytes(frame[:2]) == len(frame) - 2


def test_guide_client_hello() -> None:
    """Our hello is the guide's, apart from the random and the one extension."""
    ours = bytearray(client().hello)
    assert ours[-8:].hex() == "0100000400170000"  # after the compression method 00
    theirs = bytearray(_HELLO)
    ours[11:43] = theirs[11:43]
    lengths = (slice(3, 5), slice(6, 9))
    for where in lengths:
        grown = int.from_bytes(theirs[where]) + 6
        theirs[where] = grown.to_bytes(where.stop - where.start)
    assert ours[:-6] == theirs
    assert len(ours) < 476


def test_guide_server_flight() -> None:
    """The example's first flight is understood and answered in the same form."""
    handshake = client(identity=_GUIDE_IDENTITY)
    ours = parse_records(handshake.answer(_SERVER_HELLO))
    exchange, change, finished = parse_records(_EXCHANGE)
    assert ours[:2] == [exchange, change]
    assert ours[2].content_type == finished.content_type
    assert len(ours[2].fragment) == len(finished.fragment)
    assert ours[2].fragment[:8] == finished.fragment[:8] == bytes(8)
    # Its Finished belongs to another client's random and key.
    with pytest.raises(UnverifiedReplyError, match="forged"):
        handshake.finish(_SERVER_FINISHED)


def test_guide_records() -> None:
    """Lengths and nonces of the example's data are those of ours."""
    (request,) = parse_records(_REQUEST)
    assert len(request.fragment) == 8 + len(bytes.fromhex("3f084600008e0001")) + 16
    assert int.from_bytes(request.fragment[:8]) == 1
    (reply,) = parse_records(_REPLY)
    assert len(reply.fragment) == 8 + len(bytes.fromhex("00000102")) + 16


# Servers that no one here wrote


def test_the_library_of_the_meters() -> None:
    """The tests run against the family of mbed TLS that meters have in them."""
    assert "TLS 2." in mbedtls_version()


@_every_stack
def test_handshake_and_data(server: TlsServer) -> None:
    """A handshake succeeds, and data of every length goes both ways."""
    meeting = meet(server)
    for length in (1, 4, 7, 100, 446):
        request, reply = bytes([length % 256]) * length, bytes(range(256)) * 2
        records = meeting.ask(request, reply[:length])
        assert meeting.session.open(records) == reply[:length]
        assert meeting.session.ready


def test_identity_with_zeros() -> None:
    """The meters' library receives all bytes of the identity."""
    seen = []

    def find_key(identity: bytes) -> bytes:
        seen.append(identity)
        return KEY

    server = STACKS["mbedtls"](ServerSettings(find_key=find_key))
    handshake = client(identity=b"\0\0\0")
    flight = server.handshake(handshake.answer(server.handshake(handshake.hello)))
    assert handshake.finish(flight).ready
    assert seen == [b"\0\0\0"]


@_every_stack
def test_every_handshake_has_its_own_keys(stack: Stack) -> None:
    """The same request is encrypted in another way in another session."""
    sessions = [meet(stack(settings())).session for _ in range(2)]
    first, second = (session.seal(b"\x3f") for session in sessions)
    assert first[:13] == second[:13]  # header and nonce
    assert first[13:] != second[13:]


@_every_stack
@pytest.mark.parametrize("cut", [1, 3, 4, 5, 40, 60])
def test_messages_cut_and_joined(server: TlsServer, cut: int) -> None:
    """Handshake messages may be spread over records, and share them."""
    handshake = client()
    flight = server.handshake(handshake.hello)
    joined = b"".join(record.fragment for record in parse_records(flight))
    again = _flight(joined[:cut], joined[cut:])
    second = server.handshake(handshake.answer(again))
    assert handshake.finish(second).ready


@_every_stack
def test_wrong_key_and_unknown_identity(stack: Stack) -> None:
    """The server refuses with an alert, which the client understands."""
    unknown = ServerSettings(find_key=lambda _: None)
    for key, answers, name in (
        (b"another key 1234", settings(), "bad record mac"),
        (KEY, unknown, "unknown psk identity"),
    ):
        server, handshake = stack(answers), client(key)
        flight = handshake.answer(server.handshake(handshake.hello))
        with pytest.raises(WrongKeyError) as caught:
            server.handshake(flight)
        with pytest.raises(TlsAlertError, match=name):
            handshake.finish(caught.value.records)


@_every_stack
def test_man_in_the_middle_without_the_key(stack: Stack) -> None:
    """A server that has another key proves nothing."""
    impostor = stack(ServerSettings(find_key=lambda _: b"another key 1234"))
    accomplice = client(b"another key 1234")
    first = impostor.handshake(accomplice.hello)
    second = impostor.handshake(accomplice.answer(first))
    handshake = client()
    handshake.answer(first)
    with pytest.raises(UnverifiedReplyError, match="forged"):
        handshake.finish(second)


# What a server must not say


def _bad_first_flights() -> Iterator[tuple[str, bytes]]:
    done = _SERVER_DONE.to_bytes()
    good = _server_hello()
    hellos = {
        "version 1.1": _server_hello(version="0302"),
        "version 1.3": _server_hello(version="0304"),
        "another suite": _server_hello(suite="00a8"),
        "no suite": _server_hello(suite="0000"),
        "the signal as suite": _server_hello(suite="00ff"),
        "compression": _server_hello(compression="01"),
        "long session id": _server_hello(session_id=bytes(33)),
        "no extensions": _server_hello(extensions=""),
        "unasked extension": _server_hello(extensions="ff01000100000f000101"),
        "tickets": _server_hello(extensions="ff0100010000230000"),
        "encrypt then mac": _server_hello(extensions="ff0100010000160000"),
        "extension twice": _server_hello(extensions="ff01000100ff01000100"),
        "renegotiation of something": _server_hello(extensions="ff0100020100"),
        "filled extended master secret": _server_hello(
            extensions="ff0100010000170001aa"
        ),
        "extension cut off": _server_hello(extensions="ff01000200"),
        "bytes behind": _server_hello(rest="00"),
        "cut off": good[:3] + bytes.fromhex("10") + good[4:20],
    }
    for name, hello in hellos.items():
        yield name, _flight(hello) + done
    yield "nothing", b""
    yield "hello alone", _flight(good)
    yield "done alone", done
    yield "done with content", _flight(good, _message(14, b"\0"))
    yield "done twice", _flight(good) + done + done
    yield "hello twice", _flight(good, good) + done
    yield "wrong order", done + _flight(good)
    yield "certificate", _flight(good, _message(11, bytes(3))) + done
    yield "two hints", _flight(good, *[_message(12, bytes(2))] * 2) + done
    yield "hint too long", _flight(good, _message(12, bytes(3))) + done
    yield "hint too short", _flight(good, _message(12, b"\0\5ab")) + done
    yield "hello request", _flight(_message(0, b""), good) + done
    yield "message cut off", _flight(good + b"\x0e\0\0")
    yield "empty record", _flight(good, b"") + done
    yield "early change of cipher", _flight(good) + done + bytes.fromhex("140303000101")
    yield "early data", _flight(good) + done + bytes.fromhex("170303000101")
    yield "unknown record", _flight(good) + done + bytes.fromhex("180303000101")
    yield "record of TLS 1.1", _flight(good) + bytes.fromhex("16030200040e000000")
    yield "record too long", _flight(good) + bytes.fromhex("16030300050e000000")
    yield "header cut off", _flight(good) + done + b"\x16\x03"


_BAD_FIRST_FLIGHTS = dict(_bad_first_flights())


@pytest.mark.parametrize(
    "flight", _BAD_FIRST_FLIGHTS.values(), ids=_BAD_FIRST_FLIGHTS.keys()
)
def test_bad_first_flight(flight: bytes) -> None:
    """Each of these is refused, and does not keep a good one from being answered."""
    handshake = client()
    with pytest.raises(UnverifiedReplyError):
        handshake.answer(flight)
    assert handshake.answer(_flight(_server_hello()) + _SERVER_DONE.to_bytes())


def test_hint_is_ignored() -> None:
    """A server may say which identity it would like (RFC 4279)."""
    hint = _message(12, b"\0\4hint")
    flight = _flight(_server_hello(), hint) + _SERVER_DONE.to_bytes()
    assert client().answer(flight)


@pytest.mark.parametrize(
    ("fragment", "name"),
    [
        ("0228", "handshake failure"),
        ("0246", "protocol version"),
        ("0164", "no renegotiation"),
        ("02c8", "alert 200"),
        ("02", "unreadable"),
        ("", "unreadable"),
        ("0328", "unreadable"),
    ],
)
def test_alerts(fragment: str, name: str) -> None:
    """An alert, fatal or not, ends the handshake in words."""
    alert = Record(_ALERT, bytes.fromhex(fragment)).to_bytes()
    with pytest.raises(TlsAlertError, match=name):
        client().answer(alert)
    handshake = client()
    handshake.answer(_flight(_server_hello()) + _SERVER_DONE.to_bytes())
    with pytest.raises(TlsAlertError, match=name):
        handshake.finish(alert)


def _half_way(server: TlsServer) -> tuple[ClientHandshake, bytes]:
    """Return a client that waits for the last flight, and that flight."""
    handshake = client()
    flight = handshake.answer(server.handshake(handshake.hello))
    return handshake, server.handshake(flight)


@_every_stack
def test_bad_second_flight(stack: Stack) -> None:
    """Records left out, added or out of order; then even the good one is too late."""
    change = bytes.fromhex("140303000101")
    alterations = [
        lambda change, finished: b"",
        lambda change, finished: change,
        lambda change, finished: finished,
        lambda change, finished: finished + change,
        lambda change, finished: change + change + finished,
        lambda change, finished: change + finished + finished,
        lambda change, finished: change + finished + change,
        lambda change, finished: bytes.fromhex("140303000102") + finished,
        lambda change, finished: bytes.fromhex("14030300020101") + finished,
        lambda change, finished: change + b"\x17" + finished[1:],
        lambda change, finished: change + _SERVER_DONE.to_bytes(),
        lambda change, finished: change + bytes.fromhex("1603030000"),
    ]
    for alter in alterations:
        handshake, flight = _half_way(stack(settings()))
        assert flight.startswith(change)
        with pytest.raises(UnverifiedReplyError):
            handshake.finish(alter(change, flight[len(change) :]))
        with pytest.raises(UnverifiedReplyError, match="handshake is over"):
            handshake.finish(flight)


def test_finish_needs_answer() -> None:
    """A second flight without a first one is refused."""
    with pytest.raises(UnverifiedReplyError):
        client().finish(_SERVER_FINISHED)


@_every_stack
def test_server_that_saw_another_handshake(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Finished of the right key over other messages is refused."""
    module = "osgp.mep.security.tls_handshake.token_bytes"
    monkeypatch.setattr(module, lambda _: _RANDOM)
    server = stack(settings(extended_master_secret=False))
    handshake, other = client(), client(identity=b"XY\0")
    first = server.handshake(handshake.hello)
    second = server.handshake(handshake.answer(first))
    other.answer(first)  # the same keys, but another identity in the messages
    with pytest.raises(UnverifiedReplyError, match="handshake was changed"):
        other.finish(second)
    assert handshake.finish(second).ready


# Nothing shows


@_every_stack
def test_nothing_shows_secrets(stack: Stack) -> None:
    """Neither the objects nor an error's frames show the key or what it makes."""
    handshake = client(b"another key 1234")
    server = stack(settings())
    flight = handshake.answer(server.handshake(handshake.hello))
    with pytest.raises(WrongKeyError) as refused:
        server.handshake(flight)
    with pytest.raises(MeterError) as caught:
        handshake.finish(refused.value.records)
    shown = [repr(handshake), str(caught.value)]
    frame = caught.value.__traceback__
    while frame:
        if "nes_mep" in frame.tb_frame.f_code.co_filename:
            shown += map(repr, frame.tb_frame.f_locals.values())
        frame = frame.tb_next
    for text in shown:
        assert "another key" not in text
    assert IDENTITY != KEY
