"""Meters that are read over TLS, with servers that no one here wrote."""

import asyncio
from collections.abc import AsyncIterator
import logging

import pytest

from osgp import (
    Access,
    KeyKind,
    KeyRefusedError,
    Meter,
    MeterError,
    NoReplyError,
    PortError,
    SecurityMode,
    TlsError,
    TlsUnsupportedError,
)
from osgp.mep import client as client_module
from tests.driven_clock import driven_clock
from tests.simulator import DEFAULT_KEY, PROFILES, Exchange, Fault, SimulatedMeter
from tests.simulator.tls import STACKS, TlsPort
from tests.tls.tapped_line import TappedLine, tap

from .test_meter import assert_true

_ADVANCED_KEY = b"Zq4!mNp8#sKd2@wE"
_WRONG_KEY = b"not the right 16"

_every_stack = pytest.mark.parametrize("stack", STACKS)
_generation_4 = pytest.mark.parametrize("profile", ["gen4"])


@pytest.fixture
def stack() -> str:
    """The meter's TLS stack; tests override it by a parameter."""
    return "mbedtls"


@pytest.fixture
def simulated(stack: str, profile: str) -> SimulatedMeter:
    """A meter that requires TLS, answers at once and stands still."""
    meter = SimulatedMeter(
        PROFILES[profile],
        advanced_key=_ADVANCED_KEY,
        paced=False,
        tls=stack,
        tls_required=True,
    )
    meter.freeze()
    return meter


@pytest.fixture
def port(simulated: SimulatedMeter) -> TlsPort:
    """The TLS side of the simulated meter."""
    assert simulated.tls
    return simulated.tls


@pytest.fixture
async def meter(simulated: SimulatedMeter, url: str) -> AsyncIterator[Meter]:
    """An open client of the simulated meter."""
    opened = await _open(url)
    yield opened
    await opened.close()


@pytest.fixture
async def line(url: str) -> AsyncIterator[tuple[TappedLine, str]]:
    """A man in the middle, and the address at which he listens."""
    async with tap(url) as tapped:
        yield tapped


async def _open(
    url: str, key: bytes = DEFAULT_KEY, kind: KeyKind = KeyKind.BASIC
) -> Meter:
    return await Meter.open(
        Access(url, key, security=SecurityMode.TLS, key_kind=kind), clock=driven_clock()
    )


@_every_stack
@_generation_4
async def test_reads(meter: Meter, simulated: SimulatedMeter, port: TlsPort) -> None:
    """Everything is read in one session, and true."""
    number = simulated.sequence
    readings = await meter.read()
    assert not readings.errors
    assert_true(meter, readings, simulated)
    for _ in range(50):
        assert await meter.read() == readings
    assert set(readings.values) == set(meter.registers)
    assert meter.statistics.tls_handshakes == port.handshakes == 1
    assert meter.statistics.sequence_resyncs == 0
    assert simulated.sequence == number


@_every_stack
@_generation_4
async def test_long_tables(meter: Meter, simulated: SimulatedMeter) -> None:
    """A table longer than a reply is read in parts of the size that TLS leaves."""
    assert await meter.read_table(23) == simulated.table(23)
    lengths = [served.reply_length for served in simulated.requests]
    assert max(lengths) == 2 + 476


@_every_stack
async def test_both_keys(url: str, port: TlsPort) -> None:
    """The meter is told which key it is; the other one's name does not fit."""
    for key, kind in (
        (DEFAULT_KEY, KeyKind.BASIC),
        (_ADVANCED_KEY, KeyKind.ADVANCED),
    ):
        meter = await _open(url, key, kind)
        await meter.read_clock()
        await meter.close()
        assert port.identities[-1] in {b"HA" + kind.to_bytes(), b"HA"}
    for key, kind in (
        (DEFAULT_KEY, KeyKind.ADVANCED),
        (_ADVANCED_KEY, KeyKind.BASIC),
    ):
        with pytest.raises(KeyRefusedError, match="basic or the advanced"):
            await _open(url, key, kind)


@_every_stack
@pytest.mark.parametrize("sends_alerts", [True, False])
async def test_wrong_key(url: str, port: TlsPort, sends_alerts: bool) -> None:
    """A wrong key is called so, however the meter says it, and shown nowhere."""
    port.sends_alerts = sends_alerts
    with pytest.raises(KeyRefusedError) as caught:
        await _open(url, _WRONG_KEY)
    assert "not the right" not in str(caught.value)
    assert port.handshakes == 0


async def test_one_refusal_does_not_condemn_the_key(
    url: str, simulated: SimulatedMeter
) -> None:
    """A handshake that was damaged on its way is refused in the same words."""
    simulated.add_fault(Fault(kind="refuse", code=0x03, request_code=0x59, times=1))
    meter = await _open(url)
    assert meter.statistics.authentication_failures == 0
    await meter.close()


async def test_alert_that_says_nothing_of_the_key(
    line: tuple[TappedLine, str],
) -> None:
    """Another alert, again and again, is no proof that the key is wrong."""
    tapped, url = line
    alert = bytes.fromhex("0015030300020250")
    tapped.answer = lambda message: alert if message[0] == 0x59 else None
    with pytest.raises(TlsError, match="internal error"):
        await _open(url)


async def test_key_changed(
    meter: Meter, simulated: SimulatedMeter, port: TlsPort
) -> None:
    """A changed key is told at the next handshake; a working one is not forgotten."""
    simulated.key = b"another key 1234"
    port.forget()
    with pytest.raises(KeyRefusedError):
        await meter.read()
    assert meter.statistics.authentication_failures
    simulated.key = DEFAULT_KEY
    assert_true(meter, await meter.read(), simulated)


_ONE_POLL_FAULTS = {
    "lost request": Fault(kind="lose_request", times=1),
    "lost reply": Fault(kind="lose_reply", times=1),
    "two lost replies": Fault(kind="lose_reply", times=2),
    "late reply": Fault(kind="late", seconds=0.15, times=1),
    "doubled replies": Fault(kind="double"),
    "truncated reply": Fault(kind="truncate", times=1),
    "corrupted length": Fault(kind="corrupt", at=0, times=1),
    "corrupted length, low byte": Fault(kind="corrupt", at=1, times=1),
    "corrupted code": Fault(kind="corrupt", at=2, times=1),
    "corrupted record": Fault(kind="corrupt", at=3, times=1),
    "corrupted value": Fault(kind="corrupt", at=20, times=1),
    "corrupted tag": Fault(kind="corrupt", at=-1, times=1),
    "dropped byte": Fault(kind="drop_byte", times=1),
    "noise before": Fault(kind="insert_noise", count=3, times=1),
    "stale reply before": Fault(kind="stale", times=1),
    "stale reply instead": Fault(kind="stale", replace=True, times=1),
    "alerts around every reply": Fault(kind="alert", count=2),
    "restart": Fault(kind="restart", seconds=0.05),
    "cut connection": Fault(kind="disconnect", times=1),
    "hello refused once": Fault(kind="refuse", code=0x01, request_code=0x58, times=1),
    "handshake lost": Fault(kind="lose_reply", request_code=0x59, times=1),
}


@_every_stack
@pytest.mark.parametrize("fault", _ONE_POLL_FAULTS.values(), ids=_ONE_POLL_FAULTS)
async def test_mended_within_the_poll(
    meter: Meter, simulated: SimulatedMeter, port: TlsPort, fault: Fault
) -> None:
    """Every passing fault is mended by the poll that meets it, with true values."""
    await meter.read()
    active = simulated.add_fault(fault)
    if fault.request_code:
        port.forget()
    readings = await meter.read()
    active.remove()
    assert active.hits
    assert not readings.errors
    assert set(readings.values) == set(meter.registers)
    assert_true(meter, readings, simulated)


async def test_no_session(meter: Meter, port: TlsPort) -> None:
    """A meter that lost the session says so, and no time is lost with it."""
    port.forget()
    assert await meter.read_clock()
    assert meter.statistics.tls_handshakes == 2
    assert meter.statistics.timeouts == 0


async def test_resync(meter: Meter, simulated: SimulatedMeter) -> None:
    """A resynchronisation is a new session; there are no numbers to compare."""
    result = await meter.resync()
    assert result.attempts == 3
    assert not result.sequence_number_changed
    assert result.meter_time == simulated.time.replace(microsecond=0)
    assert meter.statistics.tls_handshakes == 2


async def test_changed_dimensions(meter: Meter, simulated: SimulatedMeter) -> None:
    """Without sequence numbers the interface version tells of a change."""
    for _ in range(2):
        await meter.read()
    before = set(meter.registers)
    simulated.change_profile(PROFILES["fw_4_00"])
    readings = await meter.read()
    assert set(meter.registers) != before
    assert_true(meter, readings, simulated)
    assert meter.statistics.tls_handshakes == 1


@_generation_4
@pytest.mark.parametrize("answered", range(1, 4))
async def test_layout_changes_in_mid_poll(
    meter: Meter,
    simulated: SimulatedMeter,
    monkeypatch: pytest.MonkeyPatch,
    answered: int,
) -> None:
    """What was read at the old places does not count."""
    await meter.read()
    exchange, left = simulated.exchange, iter(range(answered - 1, -100, -1))

    def change_layout(message: bytes) -> Exchange:
        if next(left) == 0:
            simulated.change_profile(PROFILES["fw_4_10"])
        return exchange(message)

    monkeypatch.setattr(simulated, "exchange", change_layout)
    readings = await meter.read()
    assert not readings.errors
    assert set(readings.values) == set(meter.registers)
    assert_true(meter, readings, simulated)


async def test_long_silence_reopens_the_port(
    simulated: SimulatedMeter, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After long silence the port is opened anew, and a new session is made."""
    meter = await _open(path)
    monkeypatch.setattr(client_module, "_REOPEN_AFTER_SILENCE", 0.0)
    simulated.add_fault(Fault(kind="lose_request", times=3))
    assert_true(meter, await meter.read(), simulated)
    assert meter.statistics.reopens == 1
    await meter.close()


async def test_silence(meter: Meter, simulated: SimulatedMeter) -> None:
    """Silence is told as such, after as many tries as without TLS."""
    simulated.add_fault(Fault(kind="silence"))
    with pytest.raises(NoReplyError, match="ENABLE"):
        await meter.read_clock()
    # Three handshakes, and three more through the port that was opened anew.
    assert meter.statistics.timeouts == 6
    assert meter.statistics.reopens == 1
    simulated.clear_faults()
    assert_true(meter, await meter.read(), simulated)


async def test_damage_for_good(meter: Meter, simulated: SimulatedMeter) -> None:
    """Replies that are never genuine end in an error of security, not in values."""
    simulated.add_fault(Fault(kind="corrupt", at=-1))
    with pytest.raises(TlsError, match="No TLS session could be kept"):
        await meter.read_clock()
    simulated.clear_faults()
    assert_true(meter, await meter.read(), simulated)


async def test_concurrent_readers_share_a_session(
    meter: Meter, simulated: SimulatedMeter
) -> None:
    """Many readers take turns, also when the session is made anew between."""
    reads = [meter.read(), meter.read_table(21), meter.read_clock(), meter.read()]
    results = await asyncio.gather(*reads)
    assert results[0] == results[3]
    assert meter.statistics.tls_handshakes == 1
    simulated.add_fault(Fault(kind="lose_reply", times=1, skip=3))
    reads = [meter.read(), meter.read_table(21), meter.read_clock(), meter.read()]
    results = await asyncio.gather(*reads)
    assert results[0] == results[3]
    assert meter.statistics.tls_handshakes == 2


async def test_cancelled_read_does_not_answer_another(
    meter: Meter, simulated: SimulatedMeter
) -> None:
    """A late reply to a cancelled request is not taken for the next one's."""
    simulated.add_fault(Fault(kind="late", seconds=0.05))
    for _ in range(5):
        reading = asyncio.ensure_future(meter.read())
        await driven_clock().sleep(0.02)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        clock = await meter.read_clock()
        assert clock.time == simulated.time.replace(microsecond=0)
    assert_true(meter, await meter.read(), simulated)


async def test_close_ends_the_session(
    url: str, simulated: SimulatedMeter, port: TlsPort
) -> None:
    """The meter is told, so that it may be read in another way."""
    port.required = False
    meter = await _open(url)
    assert port.established
    await meter.close()
    assert not port.established
    assert simulated.requests[-1].code == 0x57
    await meter.close()
    assert simulated.requests[-2].code != 0x57
    with pytest.raises(PortError, match="was closed"):
        await meter.read_clock()
    digest = await Meter.open(Access(url, DEFAULT_KEY), clock=driven_clock())
    await digest.close()
    assert simulated.requests[-1].code == 0x3F


async def test_close_does_not_wait_for_a_silent_meter(
    meter: Meter, simulated: SimulatedMeter
) -> None:
    """Closing fails what is under way; that nobody answers does not matter."""
    simulated.add_fault(Fault(kind="silence"))
    reading = asyncio.ensure_future(meter.read_clock())
    await driven_clock().sleep(0.02)
    await meter.close()
    with pytest.raises(PortError):
        await reading


async def test_meter_without_tls(url: str, simulated: SimulatedMeter) -> None:
    """A meter that knows digest only is told from one with another key."""
    simulated.tls = None
    with pytest.raises(TlsUnsupportedError, match="may not support TLS"):
        await _open(url)
    assert {request.code for request in simulated.requests} == {0x58}


async def test_digest_where_tls_is_required(url: str) -> None:
    """A meter that requires TLS is not read by digest."""
    with pytest.raises(MeterError):
        await Meter.open(Access(url, DEFAULT_KEY), clock=driven_clock())


# No way down

_TLS_CODES = {0x57, 0x58, 0x59, 0x80}
_WAYS_DOWN = {
    "unrecognised": b"\x01",
    "unsupported": b"\x02",
    "no permission": b"\x03",
    "no session": b"\x0a",
    "authentication failure": b"\x0b",
    "invalid sequence number": b"\x0c\x12\x34\x56\x78",
    "silence": b"",
    "empty success": b"\x00",
    "nonsense": b"\xff" * 20,
}


@pytest.fixture
def lenient(port: TlsPort) -> TlsPort:
    """A meter that would answer digest requests too, with the same key."""
    port.required = False
    return port


@pytest.mark.parametrize("answer", _WAYS_DOWN.values(), ids=_WAYS_DOWN)
@pytest.mark.usefixtures("lenient")
async def test_downgrade_at_the_start(
    line: tuple[TappedLine, str], answer: bytes
) -> None:
    """Whatever TLS is answered with, nothing but TLS is ever sent."""
    tapped, url = line
    tapped.answer = lambda message: answer if message[0] in _TLS_CODES else None
    with pytest.raises(MeterError):
        await _open(url)
    assert tapped.codes <= _TLS_CODES
    assert len(tapped.requests) <= 12


@pytest.mark.parametrize("code", [{0x59}, {0x80}, _TLS_CODES])
@pytest.mark.parametrize("answer", _WAYS_DOWN.values(), ids=_WAYS_DOWN)
@pytest.mark.usefixtures("lenient")
async def test_downgrade_in_the_middle(
    line: tuple[TappedLine, str], answer: bytes, code: set[int]
) -> None:
    """Also after a session, at every step, and for as long as one tries."""
    tapped, url = line
    meter = await _open(url)
    await meter.read()
    # A reset of the session first, so that a handshake follows.
    resets = [b"\x0a"]
    tapped.answer = lambda message: (
        answer
        if message[0] in code
        else resets.pop()
        if message[0] == 0x80 and resets
        else None
    )
    for _ in range(2):
        with pytest.raises(MeterError):
            await meter.read_clock()
    await meter.close()
    assert tapped.codes <= _TLS_CODES


# What others can see


async def test_secrets_stay_inside(
    url: str, simulated: SimulatedMeter, caplog: pytest.LogCaptureFixture
) -> None:
    """No log, error or frame of ours shows the key; readings are not in the log."""
    caplog.set_level(logging.DEBUG)
    shown = []
    for key in (DEFAULT_KEY, _WRONG_KEY):
        try:
            meter = await _open(url, key)
            await meter.read()
            simulated.add_fault(Fault(kind="corrupt", at=-1))
            await meter.read_clock()
        except MeterError as err:
            shown += _shown_by(err)
        simulated.clear_faults()
    assert shown
    shown.append(caplog.text)
    serial = simulated.profile.serial_number.encode()
    for text in shown:
        for key in (DEFAULT_KEY, _WRONG_KEY):
            assert key.hex() not in text
    assert "Sent " in caplog.text
    for secret in (DEFAULT_KEY, _WRONG_KEY):
        assert secret.decode() not in caplog.text
    assert serial.hex() not in caplog.text


def _shown_by(error: BaseException | None) -> list[str]:
    """Return what a traceback with local variables would show of the security."""
    shown = []
    while error:
        shown.append(repr(error))
        frame = error.__traceback__
        while frame:
            if "security" in frame.tb_frame.f_code.co_filename:
                shown += map(repr, frame.tb_frame.f_locals.values())
            frame = frame.tb_next
        error = error.__cause__
    for text in shown:
        assert DEFAULT_KEY.decode() not in text
        assert _WRONG_KEY.decode() not in text
    return shown


@_every_stack
async def test_damage_everywhere(
    meter: Meter, simulated: SimulatedMeter, url: str
) -> None:
    """Random damage on every second message lets no wrong value through."""
    simulated.add_fault(Fault(kind="corrupt", probability=0.2))
    simulated.add_fault(Fault(kind="drop_byte", probability=0.1))
    read = 0
    for _ in range(12):
        try:
            readings = await meter.read()
        except MeterError:
            continue
        read += 1
        assert_true(meter, readings, simulated)
    assert read
