"""Every fault of the simulated meter does what it says, and nothing else."""

from datetime import UTC, datetime

import pytest

from tests.simulator import KINDS, PROFILES, Fault, SimulatedMeter
from tests.simulator.probe import Probe, covered_request, signed, verified

NOW = datetime(2026, 2, 17, 18, 15, 30, tzinfo=UTC)


@pytest.fixture
def probe() -> Probe:
    """Return a client of a meter whose time stands still."""
    return Probe(SimulatedMeter(PROFILES["gen3"], paced=False, clock=lambda: NOW))


def good_frame(probe: Probe, covered: bytes) -> bytes:
    """Return what an untroubled meter would answer."""
    twin = SimulatedMeter(PROFILES["gen3"], paced=False, clock=lambda: NOW)
    twin.sequence = probe.meter.sequence
    (frame,) = twin.exchange(signed(covered)).frames
    return frame


@pytest.mark.parametrize("code", [0x0B, 0x0C])
@pytest.mark.parametrize("table", [23, 28])
def test_field_bug(probe: Probe, table: int, code: int) -> None:
    """Full reads of one table are refused, with a good digest; partial reads work."""
    handle = probe.meter.add_fault(
        Fault(kind="refuse", table=table, request_code=0x30, code=code)
    )
    sequence = probe.meter.sequence
    for _ in range(3):
        body = probe.read_full(table)
        assert body[0] == code
        if code == 0x0C:
            assert body[1:] == (sequence + 1).to_bytes(4)
    assert probe.read(table) == probe.meter.table(table)
    assert probe.read_full(51 - table)[0] == 0
    assert handle.hits == 3
    handle.remove()
    assert probe.read_full(table)[0] == 0


def test_unsigned_requests_are_never_served(probe: Probe) -> None:
    """A fault does not make the meter accept what it must refuse."""
    probe.meter.add_fault("refuse:code=0x05")
    covered = covered_request(0x3F, 52, 1, 0, 7)
    assert probe.ask(covered)[0] == 0x0C
    exchange = probe.meter.exchange(signed(covered, bytes(16)))
    assert exchange.reply_code == 0x0B


def test_lost_request_and_lost_reply(probe: Probe) -> None:
    """A lost request leaves the number alone, a lost reply does not."""
    covered = probe.covered(52, 0, 7)
    probe.meter.add_fault(Fault(kind="lose_request", times=1))
    assert probe.frames(covered) == []
    assert probe.ask(covered)[0] == 0
    covered = probe.covered(52, 0, 7)
    probe.meter.add_fault(Fault(kind="lose_reply", times=1))
    assert probe.frames(covered) == []
    assert probe.ask(covered) == b"\x0c" + (probe.meter.sequence + 1).to_bytes(4)


def test_silence(probe: Probe) -> None:
    """Silence lasts for its seconds, or until it is cleared."""
    time = 100.0
    probe.meter.monotonic = lambda: time
    covered = probe.covered(52, 0, 7)
    probe.meter.add_fault("silence:seconds=30")
    for time in (100.0, 110.0, 129.9):  # noqa: B007
        assert probe.frames(covered) == []
    time = 130.1
    assert probe.ask(covered)[0] == 0
    probe.meter.add_fault("silence")
    for time in (200.0, 900.0):  # noqa: B007
        assert probe.frames(covered) == []
    probe.meter.clear_faults()
    assert probe.read(52)


def test_restart(probe: Probe) -> None:
    """After a restart the number is another one, and the meter silent at first."""
    time = 0.0
    probe.meter.monotonic = lambda: time
    before = probe.meter.sequence
    covered = probe.covered(52, 0, 7)
    probe.meter.add_fault("restart:seconds=5")
    assert probe.frames(covered) == []
    assert probe.meter.sequence != before
    time = 4.9
    assert probe.frames(covered) == []
    time = 5.1
    assert probe.ask(covered)[0] == 0x0C
    assert probe.read(52)


def test_sequence_jump(probe: Probe) -> None:
    """The number jumps by 25 and the interface version by 1, once."""
    sequence, version = probe.meter.sequence, probe.read(0x804, 116, 1)[0]
    assert probe.meter.sequence == sequence + 1
    probe.meter.add_fault("sequence_jump")
    body = probe.ask(probe.covered(52, 0, 7))
    assert body == b"\x0c" + (sequence + 1 + 25 + 1).to_bytes(4)
    assert probe.read(0x804, 116, 1)[0] == version + 1


def test_change_key(probe: Probe) -> None:
    """The old key is refused from then on, the new one works."""
    new = b"another key 1234"
    probe.meter.add_fault(Fault(kind="change_key", new_key=new))
    covered = probe.covered(52, 0, 7)
    (frame,) = probe.frames(covered)
    assert verified(covered, frame, new) == b"\x0b"
    assert Probe(probe.meter, key=new).read(52)


@pytest.mark.parametrize(
    ("spec", "change"),
    [
        ("double", lambda f: [f, f]),
        ("truncate:at=5", lambda f: [f[:5]]),
        ("corrupt:at=0,mask=0x80", lambda f: [bytes([f[0] ^ 0x80]) + f[1:]]),
        ("corrupt:at=19,mask=1", lambda f: [f[:19] + bytes([f[19] ^ 1])]),
        ("drop_byte:at=4", lambda f: [f[:4] + f[5:]]),
        ("insert_noise:data=a5c3", lambda f: [b"\xa5\xc3" + f]),
        ("insert_noise:data=77,at=3", lambda f: [f[:3] + b"\x77" + f[3:]]),
        ("alert", lambda f: [b"\0\0", f, b"\0\0"]),
        ("alert:count=2", lambda f: [b"\0\0"] * 2 + [f] + [b"\0\0"] * 2),
        ("late:seconds=3", lambda f: [f]),
    ],
)
def test_changed_replies(probe: Probe, spec: str, change: object) -> None:
    """What goes onto the wire is the good reply, changed in one way."""
    assert callable(change)
    covered = probe.covered(52, 0, 7)
    good = good_frame(probe, covered)
    probe.meter.add_fault(f"{spec}{',' if ':' in spec else ':'}times=1")
    exchange = probe.meter.exchange(signed(covered))
    assert exchange.frames == change(good)
    assert exchange.delay == (3 if spec.startswith("late") else 0)
    assert probe.read(52)


@pytest.mark.parametrize("kind", ["corrupt", "truncate", "drop_byte", "disconnect"])
def test_random_damage_is_always_damage(probe: Probe, kind: str) -> None:
    """Damage at random places never leaves a reply that still verifies."""
    probe.meter.add_fault(Fault(kind=kind))
    for _ in range(300):
        covered = probe.covered(28)
        exchange = probe.meter.exchange(signed(covered))
        (frame,) = exchange.frames
        with pytest.raises(ValueError, match="not a good reply"):
            verified(covered, frame)
        assert exchange.disconnect == (kind == "disconnect")


@pytest.mark.parametrize("replaced", [False, True])
def test_stale(probe: Probe, replaced: bool) -> None:
    """A good reply to an earlier request of another table comes first, or instead."""
    probe.meter.add_fault(Fault(kind="stale", table="BT23", replace=replaced))
    earlier = probe.covered(28, 0, 88)
    (reply,) = probe.frames(earlier)
    covered = probe.covered(23, 0, 88)
    frames = probe.frames(covered)
    assert frames[0] == reply
    with pytest.raises(ValueError, match="not a good reply"):
        verified(covered, frames[0])
    if replaced:
        assert len(frames) == 1
    else:
        assert verified(covered, frames[1])[0] == 0


def test_filters(probe: Probe) -> None:
    """A fault leaves the first ones alone, then hits so often, only its requests."""
    fault = probe.meter.add_fault("lose_reply:table=BT52,skip=1,times=2")
    lost = []
    for table in (52, 28, 52, 28, 52, 52):
        lost.append(not probe.frames(probe.covered(table, 0, 7)))  # noqa: PERF401
    assert lost == [False, False, True, False, True, False]
    assert (fault.seen, fault.hits) == (4, 2)


def test_probability(probe: Probe) -> None:
    """A fault with a probability hits about so many, the same with the same seed."""
    hits = []
    for _ in range(2):
        meter = SimulatedMeter(PROFILES["gen3"], paced=False, clock=lambda: NOW, seed=4)
        fault = meter.add_fault(Fault(kind="double", probability=0.25))
        for _ in range(400):
            Probe(meter).frames(Probe(meter).covered(52, 0, 7))
        hits.append(fault.hits)
    assert hits[0] == hits[1]
    assert 60 < hits[0] < 140


def test_specs() -> None:
    """Fault texts are read, or refused with what is wrong."""
    spec = "corrupt:table=ET04,request_code=0x3F,at=3,mask=0xff,probability=.5"
    assert Fault.parse(spec) == Fault(
        kind="corrupt",
        table=0x804,
        request_code=0x3F,
        at=3,
        mask=255,
        probability=0.5,
    )
    assert Fault.parse("stale:replace=true").replace
    for wrong, error in (
        ("nonsense", "unknown fault"),
        ("late:secs=3", "not understood"),
        ("late:seconds", "not understood"),
        ("late:seconds=x", "could not convert"),
    ):
        with pytest.raises(ValueError, match=error):
            Fault.parse(wrong)
    assert "6e65" not in repr(Fault(kind="change_key", new_key=b"new" * 6))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_survived(probe: Probe, kind: str) -> None:
    """Whatever happened, the meter serves again once the faults are cleared."""
    probe.meter.add_fault(Fault(kind=kind, new_key=probe.key))
    for _ in range(5):
        probe.frames(probe.covered(28, 0, 8))
    probe.meter.clear_faults()
    assert probe.read(28) == probe.meter.table(28)
