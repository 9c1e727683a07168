"""Every fault of the simulated optical port does what it says, and nothing else."""

from collections.abc import Callable
from dataclasses import replace
from random import Random

import pytest

from tests.simulator import OpticalPort
from tests.simulator.optical import OPTICAL_KINDS, OpticalFault, State
from tests.simulator.optical.noise import Noise
from tests.simulator.optical.packets import ACK, NAK, Packet
from tests.simulator.optical.probe import Air, partial_read

from .optical_dialogues import BYTES, PLAIN, a_port, in_session, vectors_port

IDENT = BYTES["request-ident"]
READ = BYTES["request-read-bt23"]
REPLY = BYTES["reply-read-bt23"]
OTHER = BYTES["request-read-bt28"]


@pytest.fixture
def air() -> Air:
    """Return the air between a client in a session and a meter with known tables."""
    return in_session(vectors_port())


@pytest.mark.parametrize(
    ("spec", "change"),
    [
        ("corrupt:at=20,mask=0x10", lambda p: p[:20] + bytes([p[20] ^ 16]) + p[21:]),
        ("truncate:at=30", lambda p: p[:30]),
        ("drop_byte:at=9", lambda p: p[:9] + p[10:]),
        ("insert_noise:data=00", lambda p: b"\0" + p),
        ("insert_noise:data=ee00,at=7", lambda p: p[:7] + b"\xee\0" + p[7:]),
        ("double", lambda p: p + p),
        ("lose_reply", lambda p: b""),
    ],
)
def test_changed_packets(air: Air, spec: str, change: Callable[[bytes], bytes]) -> None:
    """One packet is changed, the repetition after 2 s is right."""
    air.port.add_fault(f"{spec}{',' if ':' in spec else ':'}times=1")
    assert air.say(READ) == ACK + change(REPLY)
    assert air.wait(2.1) == REPLY
    air.say(ACK)
    assert air.wait(5) == b""
    assert air.port.requests[-1].table == 23


def test_right_packet_of_a_wrong_request(air: Air) -> None:
    """A packet of an earlier reply comes before the right one, or instead of it."""
    air.say(READ)
    air.say(ACK)
    fault = air.port.add_fault("stale")
    answer = air.say(OTHER)
    assert answer.startswith(ACK + REPLY + b"\xee")
    air.say(ACK)
    fault.remove()
    air.port.add_fault("stale:replace=true,times=1")
    air.say(READ)
    assert air.wait(2.1) == REPLY


def test_lost_acknowledgement(air: Air) -> None:
    """The request is carried out, only the 06 is missing."""
    air.port.add_fault("lose_ack:times=1")
    assert air.say(READ) == REPLY
    assert air.say(READ) == ACK  # a duplicate
    assert air.say(ACK) == b""


def test_lost_acknowledgement_of_the_client(air: Air) -> None:
    """The meter sends the packet again."""
    air.port.add_fault("lose_client_ack:times=1")
    assert air.say(READ) == ACK + REPLY
    assert air.say(ACK) == b""
    assert air.wait(2.1) == REPLY
    assert air.say(ACK) == b""
    assert air.wait(5.9) == b""


def test_lost_request(air: Air) -> None:
    """The meter never saw it: no 06, no reply, no trace."""
    count = len(air.port.requests)
    air.port.add_fault("lose_request:times=2")
    assert air.say(READ) == air.say(READ) == b""
    assert len(air.port.requests) == count
    assert air.say(READ) == ACK + REPLY


@pytest.mark.parametrize(
    ("spec", "before"),
    [
        ("stray", b"\0" + ACK),
        ("stray:count=3", b"\0\0\0" + ACK),
        ("stray:replace=true", b"\0"),
        ("stray:data=ee55", b"\xee\x55" + ACK),
    ],
)
def test_stray_bytes(air: Air, spec: str, before: bytes) -> None:
    """Noise comes before the acknowledgement, or in its place."""
    air.port.add_fault(spec)
    assert air.say(READ) == before + REPLY


def test_right_packet_refused(air: Air) -> None:
    """A packet that was right is answered 15 and not carried out."""
    count = len(air.port.requests)
    air.port.add_fault("nak:times=1")
    assert air.say(READ) == NAK
    assert len(air.port.requests) == count
    assert air.say(READ) == ACK + REPLY


def test_doubled_request(air: Air) -> None:
    """A packet that comes twice is acknowledged twice and carried out once."""
    air.port.add_fault("double_request:times=1")
    assert sorted(air.say(READ).split(REPLY)) == [ACK, ACK]
    assert [served.table for served in air.port.requests].count(23) == 1


def test_pause_inside_a_packet(air: Air) -> None:
    """The packet stops for 600 ms and goes on; it is not repeated meanwhile."""
    air.port.add_fault("pause:at=12,times=1")
    begin = air.clock.time()
    air.heard.clear()
    assert air.say(READ) == ACK + REPLY[:12]
    assert air.wait(0.59) == b""
    assert air.wait(0.02) == REPLY[12:]
    assert air.heard[-1][0] - begin == pytest.approx(0.6)
    assert air.wait(1.9) == b""
    assert air.wait(0.2) == REPLY


def test_late_reply(air: Air) -> None:
    """The 06 comes at once, the reply later."""
    air.port.add_fault("late:seconds=1.8,times=1")
    assert air.say(READ) == ACK
    assert air.wait(1.79) == b""
    assert air.wait(0.02) == REPLY


def test_cut_connection(air: Air) -> None:
    """The connection is cut within the reply."""
    air.port.add_fault("disconnect:at=4,times=1")
    assert air.say(READ) == ACK + REPLY[:4]
    assert air.cuts == 1


def test_silence(air: Air) -> None:
    """It lasts for its seconds; a session does not survive a long one."""
    air.port.add_fault("silence:seconds=3")
    assert air.say(READ) == b""
    assert air.wait(2.9) == b""
    assert air.say(READ) == b""
    air.wait(0.2)
    assert air.say(READ) == ACK + REPLY


def test_mains_failure(air: Air) -> None:
    """The session is gone, and the meter silent for a while."""
    air.port.add_fault("restart:seconds=5")
    assert air.say(READ) == b""
    air.wait(4.9)
    assert air.say(IDENT) == b""
    air.wait(0.2)
    assert air.say(IDENT) == NAK
    assert air.port.session.state is State.BASE


def test_changed_key(air: Air) -> None:
    """The grid company gives the meter another key; a session goes on."""
    air.port.add_fault(OpticalFault(kind="change_key", new_key=b"another key"))
    assert air.say(READ) == ACK + REPLY
    air.say(ACK)
    old = Packet(data=BYTES["request-security"][6:-2], toggle=True)
    assert air.say(old.encode())[7] == 3
    air.say(ACK)
    new = Packet(data=b"\x51" + b"another key".ljust(20, b"\0"))
    assert air.say(new.encode())[7] == 0


def test_filters(air: Air) -> None:
    """A fault hits packets of its table only, after some, so many."""
    fault = air.port.add_fault("lose_reply:table=BT28,skip=1,times=2")
    lost = []
    toggle = False
    for table in (28, 23, 28, 23, 28, 28):
        request = Packet(data=partial_read(table, 0, 8), toggle=toggle)
        toggle = not toggle
        lost.append(air.say(request.encode()) == ACK)
        air.wait(2.1)
        air.say(ACK)
    assert fault.hits == 2
    assert lost == [False, False, True, False, False, False]


def test_probability() -> None:
    """The same seed, the same packets."""
    hits = []
    for seed in (5, 5, 6):
        port = vectors_port()
        port.random.seed(seed)
        air = in_session(port)
        fault = port.add_fault("lose_reply:probability=0.25")
        toggle = False
        for _ in range(200):
            air.say(Packet(data=partial_read(23, 0, 8), toggle=toggle).encode())
            toggle = not toggle
        hits.append(fault.hits)
    assert hits[0] == hits[1] != hits[2]
    assert 30 < hits[0] < 70


def test_specs() -> None:
    """Kinds are those of the optical port, and only those."""
    fault = OpticalFault.parse("pause:table=ET04,seconds=.7,at=3")
    assert (fault.table, fault.seconds, fault.at) == (0x804, 0.7, 3)
    for kind in ("sequence_jump", "alert"):
        with pytest.raises(ValueError, match="unknown fault"):
            OpticalFault.parse(kind)


@pytest.mark.parametrize("kind", OPTICAL_KINDS)
def test_every_kind_is_survived(kind: str) -> None:
    """Whatever happened, a new session works once the faults are cleared."""
    port = vectors_port(shares_uart=False)
    air = in_session(port)
    port.add_fault(OpticalFault(kind=kind, new_key=port.key))
    for request in (READ, OTHER, BYTES["request-logoff"]) * 2:
        air.say(request)
        air.wait(1)
        air.say(ACK)
        air.wait(3)
    port.clear_faults()
    air.wait(30)
    assert air.say(IDENT) == ACK + BYTES["reply-ident"]


# Noise


@pytest.mark.parametrize(
    ("kind", "lengths"), [("flip", {1}), ("lose", {0}), ("double", {2})]
)
def test_kinds_of_noise(kind: str, lengths: set[int]) -> None:
    """A damaged byte has one other bit, is missing, or is there twice."""
    noise = Noise(Random(1))  # noqa: S311
    noise.rate, noise.kinds = 1.0, (kind,)
    for byte in range(256):
        damaged = noise.damaged(bytes([byte]))
        assert len(damaged) in lengths
        assert kind != "flip" or (damaged[0] ^ byte).bit_count() == 1
        assert kind != "double" or damaged == bytes([byte, byte])


def test_rate_of_noise() -> None:
    """So much of all bytes is damaged, the same with the same seed."""
    found = []
    for _ in range(2):
        noise = Noise(Random(7))  # noqa: S311
        noise.rate = 1e-2
        found.append(noise.damaged(bytes(100_000)))
        assert noise.hits == pytest.approx(1000, abs=120)
    assert found[0] == found[1]


@pytest.mark.parametrize("rate", [1e-3, 2e-2])
def test_noise_never_makes_another_request(rate: float) -> None:
    """With noise both ways, what is carried out is what was asked, and it goes on."""
    port = a_port(replace(PLAIN, shares_uart=False))
    air = in_session(port)
    port.requests.clear()
    port.noise.rate = rate
    toggle = False
    for _ in range(600):
        request = Packet(data=partial_read(23, 0, 44), toggle=toggle)
        for _ in range(4):
            if air.say(request.encode()).startswith(ACK):
                toggle = not toggle
                break
            air.wait(0.6)
        air.say(ACK)
        air.wait(0.6)
        if port.session.state is State.BASE:
            break
    assert port.noise.hits > 10
    asked = {(s.code, s.table, s.offset, s.count) for s in port.requests}
    assert asked == {(0x3F, 23, 0, 44)}
    port.clear_faults()
    air.wait(20)
    assert air.say(IDENT) == ACK + BYTES["reply-ident"]


# The head


def test_head_that_is_taken_off() -> None:
    """Bytes go nowhere, in both directions, until it is back."""
    port = vectors_port(shares_uart=False)
    air = in_session(port)
    port.is_attached = False
    assert air.say(READ) == b""
    assert air.wait(600) == b""
    port.is_attached = True
    assert air.say(READ)[7] == 0x0A
    air.say(ACK)
    assert air.say(IDENT).startswith(ACK)


def test_head_that_falls_off_during_a_reply() -> None:
    """The rest of a reply is lost; the meter repeats it for a while."""
    port = vectors_port()
    port.pace = replace(port.pace, baud=9600)
    air = in_session_paced(port)
    air.line.feed(READ)
    air.wait(0.035)
    port.is_attached = False
    assert air.wait(1.5) == b""
    port.is_attached = True
    assert air.wait(2.6) == REPLY


def in_session_paced(port: OpticalPort) -> Air:
    """Return the air of a session, each step of which takes its time."""
    air = Air(port)
    air.line.feed(IDENT)
    air.wait(0.2)
    for name in (
        "request-ident",
        "request-negotiate-61",
        "request-logon",
        "request-security",
    ):
        air.line.feed(BYTES[name])
        air.wait(0.2)
        air.line.feed(ACK)
        air.wait(0.1)
    return air


def test_echo() -> None:
    """A head that sees its own light brings every byte back, before the answer."""
    port = vectors_port()
    air = in_session(port)
    port.echoes = True
    assert air.say(READ) == READ + ACK + REPLY
    assert air.say(ACK) == ACK
    assert air.say(b"\x55") == b"\x55"
    port.is_attached = False
    assert air.say(OTHER) == b""
