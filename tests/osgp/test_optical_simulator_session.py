"""The optical port of the simulated meter: published dialogues, services, rights."""

from dataclasses import replace
from itertools import pairwise

import pytest

from tests.simulator import OpticalPort
from tests.simulator.names import table_id
from tests.simulator.optical import Code, Right, State
from tests.simulator.optical.packets import ACK, NAK, Packet
from tests.simulator.optical.probe import (
    Air,
    OpticalProbe,
    full_read,
    log_on,
    partial_read,
    password,
)
from tests.simulator.optical.services import checksum, identity
from tests.simulator.optical.settings import PROVISIONING_KEY, UNIQUE_KEY

from .optical_dialogues import (
    BYTES,
    DIALOGUES,
    PASSWORD,
    PLAIN,
    VECTORS,
    a_port,
    data_of,
    in_session,
    play,
    vectors_port,
)

DAMAGE = [
    right ^ wrong
    for right, wrong in zip(
        DIALOGUES["reply-damaged-then-right"][4][1],
        DIALOGUES["reply-damaged-then-right"][2][1],
        strict=True,
    )
]
AT = next(index for index, mask in enumerate(DAMAGE) if mask)


def probe_of(port: OpticalPort, key: bytes | None = PASSWORD) -> OpticalProbe:
    """Return a client in a session with a port."""
    probe = OpticalProbe(Air(port))
    probe.open(key)
    return probe


def coded(code: int) -> bytes:
    """Return a reply that is a code and nothing else."""
    return bytes([code])


# Published dialogues


@pytest.mark.parametrize("name", ["whole-session", "no-key", "wrong-key"])
def test_whole_dialogues(name: str) -> None:
    """Sessions from the first packet on; that one is refused."""
    port = vectors_port()
    play(Air(port), DIALOGUES[name])
    assert port.session.state is State.BASE
    assert port.keys.refused == (name == "wrong-key")


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("reply-damaged-then-right", f"corrupt:at={AT},mask={DAMAGE[AT]},times=1"),
        ("ack-of-the-meter-lost", "lose_ack:times=1"),
        ("ack-of-the-client-lost", "lose_client_ack:times=0"),
        ("request-lost", "lose_request:times=1"),
    ],
)
def test_dialogues_within_a_session(name: str, fault: str) -> None:
    """What gets lost or damaged is repeated, by who sent it."""
    assert sum(map(bool, DAMAGE)) == 1
    port = vectors_port()
    air = in_session(port)
    port.add_fault(fault)
    play(air, [step for step in DIALOGUES[name] if step != ("client", b"")])
    assert port.session.state is State.SESSION


def test_head_that_echoes() -> None:
    """The client sees its own bytes first, its acknowledgements too."""
    port = vectors_port(shares_uart=False)
    port.echoes = True
    play(Air(port), DIALOGUES["echoing-head"])


def test_session_of_a_real_meter() -> None:
    """The public session with a real 83334, whose client acknowledges nothing."""
    steps = DIALOGUES["public-83334-session"]
    port = a_port(replace(PLAIN, identifies_fully=True, shares_uart=False))
    port.meter.profile = replace(port.meter.profile, serial_number="10233023")
    port.meter.overwrite("BT23", steps[11][1][9:-3])
    port.meter.overwrite("BT28", steps[14][1][9:-3])
    assert len(steps[2][1]) == 37 + 8
    play(Air(port), steps)


def test_frames_of_the_public_unit_test() -> None:
    """The six requests are accepted as they are, and answered as there."""
    port = vectors_port(shares_uart=False, alternates=False)
    air = Air(port)
    replies = []
    for name in (
        "public-ident-request",
        "public-negotiate",
        "public-logon",
        "public-security",
        "public-pread-bt23",
        "public-pread-bt28",
        "request-terminate",
    ):
        answer = air.say(BYTES[name])
        assert answer[:1] == ACK
        replies.append(answer[1:])
        assert air.say(ACK) == b""
    assert replies[0] == BYTES["public-ident-reply"]
    assert replies[1][6:-2] == bytes.fromhex("0000400206")
    assert replies[2] == replies[3] == BYTES["reply-ok"]
    bt23 = data_of("reply-read-bt23")[:8]
    assert replies[4][6:-2] == b"\0\0\x08" + bt23 + bytes([checksum(bt23)])
    assert replies[5][6:-2] == b"\0\0\x08" + bytes(9)  # far beyond the end: zeros
    assert replies[6] == BYTES["public-terminate-reply"]


REPLIES = {
    "request-read-bt00-19": ("reply-read-bt00-19", 0),
    "request-read-bt01-24": ("reply-read-bt01-24", 1),
    "request-read-et03-partial": ("reply-read-et03-partial", 0),
    "request-read-bt21": ("reply-read-bt21", 1),
    "request-read-bt23": ("reply-read-bt23", 0),
    "request-read-bt28": ("reply-read-bt28", 1),
    "request-read-pending-bt54": ("reply-read-pending-bt54", 0),
    "request-wait-30s": ("reply-ok", 0),
}


@pytest.mark.parametrize("request_name", REPLIES)
def test_vectors_of_reads(request_name: str) -> None:
    """Each read is answered byte for byte, whatever toggle comes next."""
    reply, toggle = REPLIES[request_name]
    port = vectors_port()
    calendar = port.meter.table(54)
    assert calendar is not None
    descriptor = data_of("reply-read-pending-bt54")[:6]
    patched = calendar[:3] + data_of("reply-read-pending-bt54")[6:] + calendar[7:]
    port.session.pending[54] = descriptor + patched
    air = in_session(port)
    if toggle:
        air.say(BYTES["request-logoff"])
        air.say(ACK)
        air.say(Packet(data=log_on(), toggle=True).encode())
        air.say(ACK)
        air.say(Packet(data=password(PASSWORD)).encode())
        air.say(ACK)
    assert air.say(BYTES[request_name]) == ACK + BYTES[reply]


def test_vector_of_a_full_read() -> None:
    """A whole table in four packets, each acknowledged."""
    port = vectors_port(packet_size=64, most_packets=4)
    air = Air(port)
    for name in ("request-ident", "request-ident", "request-negotiate-61-big"):
        air.say(BYTES[name])
        air.say(ACK)
    air.say(BYTES["request-logon"])
    air.say(ACK)
    air.say(BYTES["request-security"])
    air.say(ACK)
    air.say(Packet(data=partial_read(0, 0, 1)).encode())
    air.say(ACK)
    answer = air.say(BYTES["request-read-bt23-full"])[1:]
    for number in range(1, 5):
        name = f"reply-read-bt23-full-packet-{number}-of-4"
        packet = Packet(data=BYTES[name][6:-2], toggle=number % 2 == 0).encode()
        assert answer[6:-2] == packet[6:-2]
        assert answer[3] == 4 - number
        answer = air.say(ACK)
    assert answer == b""


def test_vector_past_the_end() -> None:
    """What lies beyond the end of a table is zero, and no error."""
    air = in_session(vectors_port())
    answer = air.say(Packet(data=partial_read(21, 0, 16)).encode())
    assert answer == ACK + BYTES["reply-read-past-the-end-zero-filled"]


def test_checksums() -> None:
    """The checksum makes the sum of the data 0."""
    for example in VECTORS["checksum"]["examples"]:
        data = bytes.fromhex(example["data"])
        assert checksum(data) == int(example["checksum"], 16)
    assert BYTES["reply-empty-table"][6:-2] == b"\0\0\0" + bytes([checksum(b"")])


# States


KNOWN = {
    State.BASE: {0x20, 0x21},
    State.IDENTIFIED: {0x50, 0x21, 0x70, *range(0x60, 0x6C)},
    State.SESSION: {0x51, 0x30, 0x3F, 0x40, 0x4F, 0x70, 0x52, 0x21},
}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("answers", [True, False])
def test_what_is_allowed_in_each_state(state: State, answers: bool) -> None:
    """0A for what is known and not allowed now, 02 for what is not known at all."""
    for service in range(256):
        port = a_port(replace(PLAIN, shares_uart=False, answers_in_base=answers))
        probe = OpticalProbe(Air(port))
        if state is not State.BASE:
            probe.ask(b"\x20")
        if state is State.SESSION:
            probe.ask(log_on())
        request = bytes([service])
        if not any(service in services for services in KNOWN.values()):
            assert probe.ask(request) == coded(Code.NOT_SUPPORTED)
        elif service in KNOWN[state]:
            assert probe.ask(request)[0] in {Code.OK, Code.ERROR}
        elif state is State.BASE and not answers:
            assert probe.send(request) == ACK
        else:
            assert probe.ask(request) == coded(Code.WRONG_STATE)


def test_a_session_from_end_to_end() -> None:
    """Each service moves the session on, or back."""
    port = a_port()
    probe = OpticalProbe(Air(port))
    seen = [port.session.state]
    assert probe.send(b"\x20") == NAK
    probe.toggle = False
    for request in (b"\x20", log_on(7), b"\x52", log_on(8), b"\x21"):
        assert probe.ask(request)[0] == Code.OK
        seen.append(port.session.state)
    s = State
    assert seen == [s.BASE, s.IDENTIFIED, s.SESSION, s.IDENTIFIED, s.SESSION, s.BASE]
    assert port.session.user is None
    assert port.counts["sessions"] == 1


def test_rights_end_with_the_session() -> None:
    """After Logoff, a Logon alone gives no rights."""
    probe = probe_of(a_port())
    assert probe.read(23, 0, 8)[0] == Code.OK
    probe.ask(b"\x52")
    probe.ask(log_on())
    assert probe.read(23, 0, 8) == coded(Code.NO_PERMISSION)


# Identification and Negotiate


def test_identification() -> None:
    """37 bytes with the serial number, as a real 83334 has it."""
    probe = OpticalProbe(Air(a_port(replace(PLAIN, identifies_fully=True))))
    probe.send(b"\x20")
    probe.toggle = False
    reply = probe.ask(b"\x20")
    assert len(reply) == 37
    assert reply[:7].hex() == "00001000070f11"
    assert reply[7:].decode() == "20260217".ljust(30)


@pytest.mark.parametrize(
    ("limits", "request_", "reply"),
    [
        ((64, 2), "610040020 6", "0000400206"),
        ((64, 2), "6000400 2", "00004002"),
        ((64, 2), "6102000406", "0000400206"),
        ((128, 1), "6102000406", "0000800106"),
        ((512, 4), "6102000406", "0002000406"),
        ((512, 4), "61040 0ff06", "0002000406"),
        ((512, 4), "610040010 6", "0000400106"),
        ((512, 4), "63008002 0a 0b 06", "0000800206"),
        ((512, 4), "61008002 0a", "04"),
        ((512, 4), "61000802 06", "04"),
        ((512, 4), "61008000 06", "04"),
        ((512, 4), "62008002 06", "01"),
        ((512, 4), "6c008002 06", "02"),
    ],
)
def test_negotiate(limits: tuple[int, int], request_: str, reply: str) -> None:
    """The port gives what is asked for, never more, up to its own limits."""
    size, packets = limits
    port = a_port(
        replace(PLAIN, shares_uart=False, packet_size=size, most_packets=packets)
    )
    probe = OpticalProbe(Air(port))
    probe.ask(b"\x20")
    request = bytes.fromhex(request_.replace(" ", ""))
    assert probe.ask(request).hex() == reply
    agreed = bytes.fromhex(reply)
    if len(agreed) > 1:
        assert port.session.packet_size == int.from_bytes(agreed[1:3])
        assert port.session.packets == agreed[3]


def test_negotiate_not_supported() -> None:
    """A port without Negotiate says so and keeps to one packet of 64 bytes."""
    port = a_port(replace(PLAIN, shares_uart=False, negotiates=False))
    air = Air(port)
    probe = OpticalProbe(air)
    probe.ask(b"\x20")
    assert probe.ask(bytes.fromhex("6100400206")) == coded(Code.NOT_SUPPORTED)
    assert (port.session.packet_size, port.session.packets) == (64, 1)


@pytest.mark.parametrize(
    ("size", "packets", "room"),
    [(64, 1, 52), (64, 2, 108), (128, 1, 116), (512, 1, 500), (512, 4, 2012)],
)
def test_size_of_a_read(size: int, packets: int, room: int) -> None:
    """As much as fits is read, in as many packets as it takes; one more is refused."""
    port = a_port(
        replace(PLAIN, shares_uart=False, packet_size=size, most_packets=packets)
    )
    probe = OpticalProbe(Air(port))
    probe.ask(b"\x20")
    probe.ask(b"\x61" + size.to_bytes(2) + bytes([packets, 6]))
    probe.size = size
    probe.ask(log_on())
    probe.ask(password(PASSWORD))
    table = port.meter.table(64)
    assert table is not None
    reply = probe.read(64, 0, room)
    assert reply[3:-1] == table[:room]
    assert sum(reply[3:]) % 256 == 0
    assert len(probe.packets) == packets
    assert [p.following for p in probe.packets] == list(range(packets))[::-1]
    assert [p.multi for p in probe.packets] == [packets > 1] * packets
    assert [p.first for p in probe.packets] == [packets > 1] + [False] * (packets - 1)
    toggles = [p.toggle for p in probe.packets]
    assert all(a != b for a, b in pairwise(toggles))
    assert probe.read(64, 0, room + 1) == coded(Code.NOT_POSSIBLE)
    assert probe.ask(full_read(64)) == coded(Code.NOT_POSSIBLE)
    probe.close()
    probe.ask(b"\x20")
    assert (port.session.packet_size, port.session.packets) == (64, 1)


# Tables and rights


@pytest.mark.parametrize("profile", ["gen3", "gen4"])
def test_tables_are_those_of_the_meter(profile: str) -> None:
    """Every table is read as it is, in pieces, or refused for want of rights."""
    port = a_port(profile=profile, settings=replace(PLAIN, shares_uart=False))
    probe = probe_of(port, UNIQUE_KEY)
    read = 0
    for number in (*range(100), *range(2048, 2148)):
        data = port.meter.content(number)
        if number == 1 and data is not None:
            data = identity(bytes(data), port.meter.profile.serial_number)
        reply = probe.read(number, 0, 52)
        if data is None:
            assert reply == coded(Code.NO_SUCH_TABLE)
        else:
            assert reply[3:-1] == bytes(data[:52]).ljust(52, b"\0")
            middle = len(data) // 2
            assert probe.read(number, middle, 9)[3:-1] == bytes(
                data[middle : middle + 9]
            ).ljust(9, b"\0")
            read += 1
    assert read > 40


def test_manufacturer_identification() -> None:
    """BT01 has more than by MEP: application firmware and a serial number in BCD."""
    port = a_port()
    by_mep = port.meter.table(1)
    assert by_mep is not None
    probe = probe_of(port, None)
    reply = probe.ask(full_read(1))
    data = reply[3:-1]
    assert len(data) == 24
    assert (data[:12], data[14:16]) == (by_mep[:12], by_mep[14:16])
    assert data[12:14] == data[14:16]
    assert data[16:].hex() == "0000000020260217"
    assert probe.read(1, 16, 8)[3:-1] == data[16:]


def test_full_read_tells_the_length() -> None:
    """A full read has the true length."""
    port = vectors_port()
    probe = probe_of(port)
    assert probe.ask(full_read(21)) == b"\0\0\x0a" + data_of("reply-read-bt21") + bytes(
        [0x9D]
    )
    assert probe.read(21, 300, 4) == b"\0\0\x04" + bytes(5)
    assert probe.read(21, 0, 0) == b"\0\0\0\0"


TABLES = ("BT00", "BT01", "ET03", "BT23", "BT52", "ET04", "ET21", "BT04", "ET51")
RIGHTS = {
    None: "+++------",
    PASSWORD: "++++++---",
    PROVISIONING_KEY: "+++++++++",
    UNIQUE_KEY: "+++++++++",
}


@pytest.mark.parametrize("key", RIGHTS)
def test_rights(key: bytes | None) -> None:
    """Each key reads what the guide lists for it."""
    probe = probe_of(a_port(), key)
    seen = ""
    for name in TABLES:
        code = probe.read(table_id(name), 0, 4)[0]
        assert code in {Code.OK, Code.NO_PERMISSION, Code.NO_SUCH_TABLE}
        seen += "-" if code == Code.NO_PERMISSION else "+"
    assert seen == RIGHTS[key]


def test_unlisted_tables() -> None:
    """Tables for which the guide prints no access can be closed to RK."""
    port = a_port(replace(PLAIN, unlisted=Right.PROVISIONING))
    probe = probe_of(port)
    for name, code in (("BT52", 3), ("ET04", 3), ("ET29", 3), ("BT23", 0), ("ET16", 0)):
        assert probe.read(table_id(name), 0, 4)[0] == code


def test_hardware_lock_and_absent_tables() -> None:
    """03 comes before the meter looks whether it has the table."""
    port = a_port(replace(PLAIN, hardware_lock=frozenset({23})))
    probe = probe_of(port, None)
    assert probe.read(3000, 0, 4) == coded(Code.NO_PERMISSION)
    probe.ask(password(UNIQUE_KEY))
    assert probe.read(3000, 0, 4) == coded(Code.NO_SUCH_TABLE)
    assert probe.read(0x1000 | 54, 0, 4) == coded(Code.NO_SUCH_TABLE)
    assert probe.read(23, 0, 4) == coded(Code.NO_PERMISSION)


@pytest.mark.parametrize(
    "request_",
    ["30", "300017ff", "3f0017000000", "5001", "51aa", "70", "7001ff", "20ff"],
)
def test_malformed_requests(request_: str) -> None:
    """A request that is too short or too long is an error, wherever it is allowed."""
    port = a_port(replace(PLAIN, shares_uart=False))
    probe = OpticalProbe(Air(port))
    request = bytes.fromhex(request_)
    if request[0] != 0x20:
        probe.ask(b"\x20")
        if request[0] != 0x50:
            probe.ask(log_on())
    assert probe.ask(request) == coded(Code.ERROR)
    assert port.keys.refused == 0


# Keys


def test_short_keys_are_filled_with_nul() -> None:
    """A key of 16 characters is NUL-padded; blanks are another key."""
    port = a_port(read_only_key=b"0123456789abcdef")
    probe = probe_of(port, None)
    padded = BYTES["request-security-16-characters-nul-padded"][6:-2]
    assert probe.ask(padded) == coded(Code.OK)
    assert probe.ask(b"\x51" + b"0123456789abcdef".ljust(20)) == coded(3)


@pytest.mark.parametrize("code", [Code.NO_PERMISSION, Code.ERROR])
def test_wrong_key(code: int) -> None:
    """A wrong key is counted and sets an alarm, and takes rights away."""
    port = a_port(replace(PLAIN, wrong_key_code=code))
    probe = probe_of(port)
    assert port.meter.alarm_names() == []
    assert probe.ask(password(b"x" * 20)) == coded(code)
    assert port.keys.refused == 1
    assert port.meter.alarm_names() == ["invalid_password"]
    assert (5, 0) in port.meter.alarms
    assert port.session.right is Right.NONE
    assert probe.ask(password(PASSWORD)) == coded(Code.OK)
    assert port.keys.refused == 1


def test_lock_after_wrong_keys() -> None:
    """After so many wrong keys in a row the port is deaf, for its time."""
    port = a_port(replace(PLAIN, lock_after=2, lock_time=900, shares_uart=False))
    probe = probe_of(port)
    air = probe.air
    wrong = password(b"x" * 20)
    assert probe.ask(wrong) == coded(3)
    assert probe.ask(password(PASSWORD)) == coded(0)  # not in a row
    assert probe.ask(wrong) == coded(3)
    assert not port.is_deaf
    assert probe.ask(wrong) == coded(3)
    assert port.is_deaf
    assert port.keys.refused == 3
    for _ in range(8):
        assert air.say(BYTES["request-ident"]) == b""
        assert air.wait(100) == b""
    air.wait(100)
    assert air.say(BYTES["request-ident"]).startswith(ACK)


def test_keys_are_not_shown() -> None:
    """Nothing that a failed test prints has a key in it."""
    port = a_port()
    assert PASSWORD.decode() not in repr(port.keys) + repr(port.session)


def test_port_that_requires_tls() -> None:
    """It identifies itself and refuses the Logon."""
    port = a_port(replace(PLAIN, requires_tls=True, shares_uart=False))
    probe = OpticalProbe(Air(port))
    assert probe.ask(b"\x20")[0] == Code.OK
    assert probe.ask(log_on()) == coded(3)
    assert probe.ask(password(PASSWORD)) == coded(Code.WRONG_STATE)
    assert port.keys.refused == 0


# Writes


def test_writes() -> None:
    """Only MK and PK write, and only with a right checksum."""
    port = a_port()
    probe = probe_of(port)
    partial = BYTES["request-write-partial"][6:-2]
    assert probe.ask(partial) == coded(Code.NO_PERMISSION)
    assert probe.ask(BYTES["request-write-full"][6:-2]) == coded(Code.NO_PERMISSION)
    probe.ask(password(UNIQUE_KEY))
    assert probe.ask(partial[:-1] + b"\0") == coded(Code.ERROR)
    assert probe.read(2098, 30, 1)[3] == 0
    assert probe.ask(partial) == coded(Code.OK)
    assert probe.read(2098, 30, 1)[3] == 1
    assert probe.ask(b"\x4f\x00\x1c\0\0\0\0\x01\x01\xff") == coded(Code.NO_PERMISSION)
    assert probe.ask(b"\x4f\x0f\xff\0\0\0\0\x01\x01\xff") == coded(Code.NO_SUCH_TABLE)


def test_long_write_in_several_packets() -> None:
    """A request that does not fit one packet comes in parts."""
    port = a_port()
    probe = probe_of(port, UNIQUE_KEY)
    data = bytes(range(1, 101))
    request = b"\x4f\x08\x03\0\0\0" + len(data).to_bytes(2) + data
    assert probe.ask(request + bytes([checksum(data)])) == coded(Code.OK)
    assert (port.meter.table(2051) or b"")[:100] == data
    assert (port.requests[-1].code, port.requests[-1].table) == (0x4F, 2051)


# Response codes


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (Code.OK, "ok"),
        (Code.ERROR, "err"),
        (Code.NOT_SUPPORTED, "sns"),
        (Code.NO_PERMISSION, "isc"),
        (Code.NOT_POSSIBLE, "onp"),
        (Code.NO_SUCH_TABLE, "iar"),
        (Code.BUSY, "bsy"),
        (Code.NOT_READY, "dnr"),
        (Code.LOCKED, "dlk"),
        (Code.RENEGOTIATE, "rno"),
        (Code.WRONG_STATE, "isss"),
    ],
)
def test_vectors_of_response_codes(code: int, name: str) -> None:
    """Any code can be had for a request; only 09 changes the session."""
    port = vectors_port()
    air = in_session(port)
    port.add_fault(f"refuse:table=BT23,code={code}")
    assert air.say(BYTES["request-read-bt23"]) == ACK + BYTES[f"reply-{name}"]
    air.say(ACK)
    identified = code == Code.RENEGOTIATE
    assert (port.session.state is State.IDENTIFIED) == identified
    port.clear_faults()
    answer = air.say(BYTES["request-read-bt28"])
    assert answer[7] == (Code.WRONG_STATE if identified else Code.OK)
