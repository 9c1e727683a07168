"""The simulated optical link: repetitions, duplicates, session times, shared UART."""

from dataclasses import replace
from unittest.mock import patch

import pytest

from tests.simulator import OpticalPort
from tests.simulator.line import Line
from tests.simulator.optical import FirstPacket, State
from tests.simulator.optical.packets import ACK, NAK, Packet
from tests.simulator.optical.probe import Air, OpticalProbe, log_on, partial_read
from tests.simulator.optical.timing import reading_time
from tests.simulator.probe import Probe, framed, signed

from .optical_dialogues import BYTES, PASSWORD, PLAIN, a_port, in_session

IDENT = BYTES["request-ident"]
READ = BYTES["request-read-bt23"]
ALONE = replace(PLAIN, shares_uart=False)


def packet_in(answer: bytes) -> Packet:
    """Return the head of the one packet behind an acknowledgement."""
    assert answer[:2] == ACK + b"\xee"
    control = answer[3]
    return Packet(data=answer[7:-2], toggle=bool(control & 0x20))


# Repetitions


def test_unacknowledged_packet() -> None:
    """It is sent again after 2 s, 3 times; then the session is lost."""
    air = in_session(a_port())
    answer = air.say(READ)
    begin = air.clock.time()
    air.heard.clear()
    air.wait(7.9)
    assert [when - begin for when, _ in air.heard] == pytest.approx([2, 4, 6])
    assert {data for _, data in air.heard} == {answer[1:]}
    assert air.port.session.state is State.SESSION
    assert air.wait(60) == b""
    assert air.port.session.state is State.BASE
    assert air.port.counts["lost_sessions"] == 1


def test_refused_packet() -> None:
    """A NAK brings it at once, as often as silence does."""
    air = in_session(a_port())
    answer = air.say(READ)
    for _ in range(3):
        assert air.say(NAK) == answer[1:]
    assert air.say(NAK) == b""
    assert air.port.session.state is State.BASE


def test_acknowledgement_after_repetitions() -> None:
    """Each packet has its own three repetitions."""
    port = a_port()
    air = in_session(port)
    air.say(Packet(data=partial_read(28, 0, 80)).encode())
    for _ in range(2):
        assert air.wait(2.1)
        assert air.say(NAK)
        assert air.wait(2.1)
        air.say(ACK)
    assert port.session.state is State.SESSION
    assert port.counts["repetitions"] == 6
    assert air.wait(5.9) == b""
    assert port.session.state is State.SESSION


def test_signals_that_nobody_waits_for() -> None:
    """06, 15 and noise between packets do nothing."""
    air = in_session(a_port())
    for data in (ACK, NAK, b"\0", b"\x55", b"UU\x06\x15"):
        assert air.say(data) == b""
        assert air.wait(0.7) == b""
    assert air.say(READ).startswith(ACK)


# Duplicates


def test_duplicate_is_acknowledged_and_dropped() -> None:
    """The same toggle and CRC again: not carried out, answered by a lone 06."""
    port = a_port()
    air = in_session(port)
    assert len(air.say(READ)) > 9
    assert air.say(READ) == ACK
    assert air.say(ACK) == b""
    assert air.say(READ) == ACK
    assert air.wait(1) == b""
    assert [served.table for served in port.requests][-2:] == [None, 23]
    assert port.counts["duplicates"] == 2


def test_wrong_key_is_not_tried_twice() -> None:
    """A repeated Security packet counts once."""
    port = a_port()
    air = in_session(port, key=b"")
    wrong = Packet(data=b"\x51" + b"x" * 20, toggle=True).encode()
    air.say(wrong)
    air.say(wrong)
    assert port.keys.refused == 1


def test_same_toggle_other_request() -> None:
    """Only toggle and CRC together make a duplicate."""
    air = in_session(a_port())
    first = air.say(READ)
    air.say(ACK)
    second = air.say(Packet(data=partial_read(28, 0, 8)).encode())
    assert packet_in(first).toggle != packet_in(second).toggle


def test_next_request_acknowledges_the_reply() -> None:
    """A client that asks again instead of saying 06 has the reply."""
    port = a_port()
    air = in_session(port)
    air.say(READ)
    assert air.say(BYTES["request-read-bt28"]).startswith(ACK + b"\xee")
    air.say(ACK)
    assert air.wait(5) == b""
    assert port.counts["repetitions"] == 0


@pytest.mark.parametrize("alternates", [True, False])
def test_toggle_of_the_meter(alternates: bool) -> None:
    """It changes with each new packet, or never; a repetition keeps it."""
    air = in_session(a_port(replace(PLAIN, alternates=alternates)))
    toggles = []
    for request in (READ, BYTES["request-read-bt28"], READ, BYTES["request-logoff"]):
        answer = air.say(request)
        assert air.say(NAK) == answer[1:]
        air.say(ACK)
        toggles.append(packet_in(answer).toggle)
    assert toggles == ([False, True] * 2 if alternates else [False] * 4)


def test_toggles_of_a_new_session() -> None:
    """After Terminate both sides begin with 0, and nothing is a duplicate."""
    air = Air(a_port(ALONE))
    for _ in range(3):
        assert not packet_in(air.say(IDENT)).toggle
        air.say(ACK)
        air.say(Packet(data=b"\x21", toggle=True).encode())
        air.say(ACK)


def test_terminate_that_nobody_acknowledges() -> None:
    """Who begins a new session has seen the end of the last one."""
    air = Air(a_port(ALONE))
    for _ in range(2):
        assert not packet_in(air.say(IDENT)).toggle
        air.say(ACK)
        air.say(Packet(data=log_on(), toggle=True).encode())
        air.say(ACK)
        assert not packet_in(air.say(Packet(data=b"\x21").encode())).toggle
    assert air.say(IDENT).startswith(ACK + b"\xee")


def test_repeated_terminate() -> None:
    """The last request of a session can be repeated like any other."""
    port = a_port(ALONE)
    air = Air(port)
    air.say(IDENT)
    air.say(ACK)
    goodbye = Packet(data=b"\x21", toggle=True).encode()
    assert len(air.say(goodbye)) > 1
    assert air.say(goodbye) == ACK
    air.say(ACK)
    assert port.session.state is State.BASE


# Messages of several packets


def test_gap_in_a_message() -> None:
    """Packets are acknowledged, the message is dropped, the next one is served."""
    port = a_port()
    air = in_session(port)
    count = len(port.requests)

    def part(following: int, *, toggle: bool, first: bool = False) -> bytes:
        return Packet(
            data=b"\x40\x00\x17",
            toggle=toggle,
            multi=True,
            first=first,
            following=following,
        ).encode()

    assert air.say(part(2, toggle=False, first=True)) == ACK
    assert air.say(part(0, toggle=True)) == ACK
    assert air.say(part(0, toggle=False)) == ACK
    assert len(port.requests) == count
    assert air.say(BYTES["request-read-bt28"]).startswith(ACK + b"\xee")


# Times of a session


@pytest.mark.parametrize("pause", [5.9, 6.1])
def test_traffic_time_out(pause: float) -> None:
    """6 s without a packet end a session without a word."""
    port = a_port()
    air = in_session(port)
    for _ in range(4):
        assert air.wait(pause) == b""
        air.say(READ)
        if pause > 6:
            break
        air.say(ACK)
        assert air.wait(pause) == b""
        air.say(BYTES["request-read-bt28"])
        air.say(ACK)
    assert (port.session.state is State.BASE) == (pause > 6)
    assert port.counts["timed_out_sessions"] == (pause > 6)


def test_noise_keeps_no_session() -> None:
    """Only what is right counts as traffic."""
    port = a_port()
    air = in_session(port)
    for _ in range(7):
        air.wait(1)
        air.say(b"\xee\0\0")
        air.say(ACK)
    assert port.statistics()["state"] == "base"


def test_wait() -> None:
    """Wait stretches the time until the next packet, and only until then."""
    port = a_port()
    air = in_session(port)
    air.say(Packet(data=b"\x70\x1e").encode())
    air.say(ACK)
    air.wait(29)
    assert air.say(BYTES["request-read-bt28"]).startswith(ACK + b"\xee")
    air.say(ACK)
    air.wait(6.1)
    assert port.statistics()["state"] == "base"


def test_lost_session_answers_wrong_state() -> None:
    """After a session was lost, only a new one helps."""
    air = in_session(a_port(ALONE, profile="gen4"))
    air.wait(7)
    assert packet_in(air.say(READ)).data == b"\x0a"
    air.say(ACK)
    assert packet_in(air.say(IDENT)).data[0] == 0


def kept(air: Air, seconds: float) -> float:
    """Read every 5 s until the port falls silent, at most so long."""
    begin = air.clock.time()
    toggle = False
    while air.clock.time() - begin < seconds:
        packet = Packet(data=partial_read(23, 0, 8), toggle=toggle)
        toggle = not toggle
        if not air.say(packet.encode()).startswith(ACK + b"\xee"):
            break
        air.say(ACK)
        air.wait(5)
    return air.clock.time() - begin


def test_session_limit_and_hold_off() -> None:
    """After 600 s the session ends, and for 300 s the port says nothing at all."""
    port = a_port()
    air = in_session(port)
    assert kept(air, 900) == pytest.approx(600)
    assert port.counts["cut_sessions"] == 1
    for _ in range(29):
        assert air.say(IDENT) == b""
        assert air.wait(10) == b""
    air.wait(11)
    assert air.say(IDENT) == NAK
    assert air.say(IDENT).startswith(ACK + b"\xee")


def test_new_sessions_have_new_limits() -> None:
    """Logoff and Terminate before the limit, and the time begins anew."""
    port = a_port()
    for _ in range(4):
        air = in_session(port)
        assert kept(air, 540) >= 540
        air.say(Packet(data=b"\x52").encode())
        air.say(ACK)
        air.say(Packet(data=b"\x21", toggle=True).encode())
        air.say(ACK)
    assert port.counts["cut_sessions"] == 0


@pytest.mark.parametrize(
    ("profile", "limits", "cut"),
    [
        ("gen3", None, True),
        ("gen3", False, False),
        ("gen4", None, False),
        ("gen4", True, True),
    ],
)
def test_who_limits_sessions(profile: str, limits: bool | None, cut: bool) -> None:
    """The D.O.S. timer runs where the UART is shared, or as it is configured."""
    settings = replace(PLAIN, limits_sessions=limits, session_limit=60, hold_off=20)
    port = a_port(settings, profile=profile)
    assert (kept(in_session(port), 100) < 100) == cut


def test_session_that_timed_out_causes_no_hold_off() -> None:
    """A session that ended by silence leaves the port open."""
    port = a_port(replace(ALONE, limits_sessions=True))
    air = in_session(port)
    air.wait(650)
    assert air.say(IDENT).startswith(ACK + b"\xee")


def test_mains_failure() -> None:
    """A restart of the meter ends the session; the port is silent meanwhile."""
    port = a_port(ALONE)
    air = in_session(port)
    port.meter.restart(3)
    assert air.say(READ) == b""
    assert air.wait(2.9) == b""
    air.wait(0.2)
    assert packet_in(air.say(READ)).data == b"\x0a"


# The shared UART


@pytest.mark.parametrize(
    ("first", "answer"),
    [(FirstPacket.REFUSED, NAK), (FirstPacket.LOST, b""), (FirstPacket.TAKEN, None)],
)
def test_first_packet(first: FirstPacket, answer: bytes | None) -> None:
    """It is refused, lost or taken; the same bytes again always work."""
    air = Air(a_port(replace(PLAIN, first_packet=first)))
    if answer is not None:
        assert air.say(IDENT) == answer
        assert air.wait(2) == b""
    assert air.say(IDENT).startswith(ACK + b"\xee")


def test_first_packet_of_each_session() -> None:
    """Idle means MEP: each session has to switch, and so has who comes too late."""
    port = a_port()
    air = Air(port)
    assert air.say(IDENT) == NAK
    air.wait(6.5)
    assert air.say(IDENT) == NAK
    air.say(IDENT)
    air.say(ACK)
    air.say(Packet(data=b"\x21", toggle=True).encode())
    air.say(ACK)
    assert air.say(IDENT) == NAK


def test_separate_ports() -> None:
    """On generation 4 the first packet is served, and the MEP never notices."""
    port = a_port(profile="gen4")
    assert not port.shares_uart
    assert Air(port).say(IDENT).startswith(ACK + b"\xee")
    assert not port.meter.uart_is_taken()


def mep_of(air: Air) -> tuple[Line, list[bytes]]:
    """Return the MEP's line beside an optical port's, and what it writes."""
    written: list[bytes] = []
    line = Line(air.port.meter, air.clock)
    line.connect(written.append, lambda: None)
    return line, written


def ask_mep(line: Line, port: OpticalPort) -> None:
    """Ask for the clock by the MEP."""
    line.feed(framed(signed(Probe(port.meter).covered(52, 0, 7))))


@pytest.mark.parametrize("profile", ["gen3", "gen4"])
def test_mep_during_a_session(profile: str) -> None:
    """With a shared UART the MEP is dead until the session is over."""
    port = a_port(profile=profile)
    air = in_session(port)
    line, written = mep_of(air)
    ask_mep(line, port)
    assert bool(written) == (profile == "gen4")
    air.say(Packet(data=b"\x21").encode())
    air.say(ACK)
    ask_mep(line, port)
    assert written
    line.close()


def test_mep_after_a_lost_session() -> None:
    """It comes back when the session's time is over."""
    port = a_port()
    air = in_session(port)
    line, written = mep_of(air)
    air.wait(5)
    ask_mep(line, port)
    assert not written
    air.wait(2)
    ask_mep(line, port)
    assert written
    line.close()


@pytest.mark.parametrize("noise", [b"\xee", b"\x55\x55"])
def test_start_byte_takes_the_uart(noise: bytes) -> None:
    """One start byte is enough to silence the MEP, for as long as a session may be."""
    port = a_port()
    air = Air(port)
    line, written = mep_of(air)
    air.say(noise)
    ask_mep(line, port)
    assert bool(written) == (noise != b"\xee")
    assert air.wait(0.6) == (NAK if noise == b"\xee" else b"")
    air.wait(6)
    written.clear()
    ask_mep(line, port)
    assert written
    line.close()


def test_mains_failure_on_both_ports() -> None:
    """It is one meter: what restarts is silent on both."""
    port = a_port(ALONE)
    air = in_session(port)
    line, written = mep_of(air)
    port.restart(2)
    ask_mep(line, port)
    assert not written
    assert air.say(READ) == b""
    line.close()


@pytest.mark.parametrize(
    ("profile", "shines"), [("gen3", True), ("gen3", False), ("gen4", False)]
)
def test_mep_shines_out(profile: str, shines: bool) -> None:
    """What the MEP sends is seen at the optical port, where they share a UART."""
    port = a_port(replace(PLAIN, shines_out=shines), profile=profile)
    air = Air(port)
    line, written = mep_of(air)
    ask_mep(line, port)
    assert written
    assert b"".join(data for _, data in air.heard) == (written[0] if shines else b"")
    line.close()


def test_values_are_equal_by_both_ports() -> None:
    """One meter, two ports: the same bytes at the same moment."""
    port = a_port(profile="gen4")
    mep = Probe(port.meter)
    optical = OpticalProbe(Air(port))
    optical.open(PASSWORD)
    for table, length in ((23, 44), (28, 52), (52, 7), (2048 + 9, 50), (64, 52)):
        assert optical.read(table, 0, length)[3:-1] == mep.read(table, 0, length)


# Pacing


def test_history_is_added_up_before() -> None:
    """The registers are ready when a client asks; else the first reply comes late."""
    port = a_port()
    with patch.object(port.meter, "table", wraps=port.meter.table) as table:
        Air(port)
    table.assert_called_once_with(23)


def test_bytes_take_their_time() -> None:
    """A request of 16 bytes and a reply of 52 take 73 ms with their 06, and a bit."""
    port = a_port(replace(ALONE, reply_delay=0.0))
    port.pace = replace(port.pace, baud=9600)
    air = Air(port)
    byte = 10 / 9600

    def said(data: bytes) -> float:
        """Say something and return how long it takes until all was heard."""
        begin = air.clock.time()
        air.heard.clear()
        air.line.feed(data)
        air.wait(1)
        air.line.feed(ACK)
        air.wait(0.1)
        return air.heard[-1][0] - begin

    assert said(IDENT) == pytest.approx((len(IDENT) + 1 + 13) * byte)
    said(Packet(data=log_on(), toggle=True).encode())
    said(Packet(data=b"\x51" + PASSWORD).encode())
    assert said(BYTES["request-read-bt28"]) == pytest.approx((16 + 1 + 52) * byte)
    port.settings = replace(port.settings, reply_delay=1.5)
    assert said(READ) == pytest.approx((16 + 1) * byte)
    air.wait(1)
    assert said(BYTES["request-read-bt28"]) == pytest.approx((16 + 1) * byte)


@pytest.mark.parametrize(
    ("size", "packets", "counts"),
    [(64, 1, [40, 44]), (64, 2, [40, 80, 108]), (512, 1, [220, 500]), (512, 4, [2012])],
)
def test_reading_time(size: int, packets: int, counts: list[int]) -> None:
    """Reads take what their bytes take, whatever the packet size."""
    settings = replace(ALONE, packet_size=size, most_packets=packets, reply_delay=0.0)
    port = a_port(settings)
    air = Air(port)
    probe = OpticalProbe(air)
    probe.ask(IDENT[6:-2])
    probe.ask(b"\x61" + size.to_bytes(2) + bytes([packets, 6]))
    probe.size = size
    probe.ask(log_on())
    probe.ask(b"\x51" + PASSWORD)
    port.pace = replace(port.pace, baud=9600)
    begin = air.clock.time()
    for count in counts:
        air.heard.clear()
        air.line.feed(probe.packet(partial_read(64, 0, count)))
        due = 1  # the acknowledgement of the request
        for length in packet_lengths(count + 4, size):
            due += length
            while sum(len(data) for _, data in air.heard) < due:
                air.clock.ring()
            air.line.feed(ACK)
        while air.clock.next_alarm():
            air.clock.ring()
    spent = air.clock.time() - begin
    assert spent == pytest.approx(reading_time(counts, port.pace, size), rel=0.01)


def packet_lengths(message: int, size: int) -> list[int]:
    """Return how long the packets of a message are on the wire."""
    whole, rest = divmod(message, size - 8)
    return [size] * whole + ([rest + 8] if rest else [])
