"""TLS is required, in a house whose entry has an old mode."""

from typing import Any

import pytest

from custom_components.nes_mep.issues import TLS_REQUIRED
from homeassistant.config_entries import ConfigEntryState
from homeassistant.data_entry_flow import FlowResultType

from ..simulator import Fault, SimulatedMeter
from ..tls.tapped_line import TappedLine
from .house import House

_OLD_MODE = {0x30, 0x3F}
_TLS = {0x57, 0x58, 0x59, 0x80}


def instead_of_old_mode(answer: bytes) -> Any:
    """Return what answers requests of the old mode, and leaves TLS to the meter."""
    return lambda message: answer if message[0] in _OLD_MODE else None


ANSWERS = {
    "nothing": b"",
    "failure": b"\x01",
    "refusal": b"\x03",
    "no session": b"\x0a",
    "key refused": b"\x0b",
    "key refused, signed": b"\x0b" + bytes(8),
    "nonsense": b"\x15\x03\x03\x00\x02\x02\x28",
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
async def test_tls_is_required(
    house: House, line: tuple[TappedLine, str], answer: bytes
) -> None:
    """However a meter answers the old mode then, TLS is found, and switched to."""
    tapped, url = line
    entry = await house.set_up(url=url)
    tapped.answer = instead_of_old_mode(answer)
    for _ in range(2):
        await house.pass_time(90)
        assert not house.issues
        assert not tapped.codes & _TLS
    await house.pass_time(300)
    assert house.issues == {TLS_REQUIRED}
    assert not house.reauths
    # Nothing but a handshake was needed, and one was enough.
    assert tapped.codes & _TLS == {0x57, 0x58, 0x59}
    assert sum(message[0] == 0x58 for message in tapped.requests) == 1
    assert "it supports TLS" in str(entry.runtime_data.coordinator.last_exception)
    assert entry.data["security"] == "digest"

    tapped.requests.clear()
    result = await house.fix(TLS_REQUIRED)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert entry.state is ConfigEntryState.LOADED
    assert entry.data["security"] == "tls"
    assert entry.data["key_kind"] == "basic"
    assert not house.issues
    assert not house.unavailable
    assert tapped.codes <= _TLS


@pytest.mark.parametrize("mode", ["digest", "rc4"])
async def test_tls_is_required_at_the_start(
    house: House, meter: SimulatedMeter, mode: str
) -> None:
    """It is found while the meter cannot be set up, and known after a restart."""
    assert meter.tls
    meter.tls.required = True
    entry = await house.set_up(mode)
    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert not house.issues
    await house.pass_time(200)
    assert not meter.tls.handshakes
    await house.pass_time(200)
    assert house.issues == {TLS_REQUIRED}
    assert meter.tls.handshakes == 1
    assert entry.reason
    assert "it supports TLS" in entry.reason

    # As after a restart: it is raised by the first attempt, and nothing is tried.
    await house.reload(without=TLS_REQUIRED)
    assert house.issues == {TLS_REQUIRED}
    assert meter.tls.handshakes == 1

    await house.fix(TLS_REQUIRED)
    assert entry.state is ConfigEntryState.LOADED
    assert not house.issues


async def test_key_is_refused_at_the_start_but_for_tls(
    house: House, line: tuple[TappedLine, str]
) -> None:
    """A key that is right in TLS is not asked for again."""
    tapped, url = line
    tapped.answer = instead_of_old_mode(b"\x0b")
    entry = await house.set_up(url=url)
    for _ in range(2):
        assert entry.state is ConfigEntryState.SETUP_RETRY
        assert not house.issues
        await house.pass_time(31)
    assert house.issues == {TLS_REQUIRED}
    assert not house.reauths
    await house.fix(TLS_REQUIRED)
    assert entry.state is ConfigEntryState.LOADED


async def test_old_mode_works_again(house: House, meter: SimulatedMeter) -> None:
    """A meter that requires TLS no more is read again, and the issue is gone."""
    entry = await house.set_up()
    assert meter.tls
    meter.tls.required = True
    await house.pass_time(11)
    await house.pass_time(300)
    assert house.issues == {TLS_REQUIRED}
    meter.tls.required = False
    await house.pass_time(11)
    assert not house.issues
    assert not house.unavailable
    assert entry.data["security"] == "digest"


@pytest.mark.parametrize("reason", ["not_proven", "wrong_meter"])
async def test_switch_is_not_proven(
    house: House, meter: SimulatedMeter, reason: str
) -> None:
    """Nothing is changed unless the same meter was read over TLS."""
    entry = await house.set_up()
    assert meter.tls
    meter.tls.required = True
    await house.pass_time(11)
    await house.pass_time(300)
    side = meter.tls
    if reason == "not_proven":
        meter.tls = None
        meter.add_fault(Fault(kind="refuse", code=0x0B))
    else:
        meter.replace_meter("99999999")
    data = dict(entry.data)
    result = await house.fix(TLS_REQUIRED)
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == reason
    assert entry.data == data
    assert house.issues == {TLS_REQUIRED}

    # What is being set up right now is left to that.
    form = await house.start_fix(TLS_REQUIRED)
    state = entry.state
    entry.mock_state(house.hass, ConfigEntryState.SETUP_IN_PROGRESS)
    result = await house.submit(form)
    entry.mock_state(house.hass, state)
    assert result["reason"] == "not_proven"
    meter.tls = side


async def test_silence_has_other_reasons(
    house: House, line: tuple[TappedLine, str]
) -> None:
    """TLS is tried now and then, not all the time, and nothing is told."""
    tapped, url = line
    await house.set_up(url=url)
    tapped.answer = lambda _: b""
    for _ in range(8):
        await house.pass_time(900)
    assert not house.issues
    assert 1 <= sum(message[0] == 0x58 for message in tapped.requests) <= 3
