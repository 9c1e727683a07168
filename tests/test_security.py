"""Tests of how the link to a meter is protected, and that it stays protected so."""

from collections.abc import AsyncIterator
import logging
from unittest.mock import patch

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.nes_mep.const import DOMAIN
from custom_components.nes_mep.descriptions import describe_register
from custom_components.nes_mep.link.find_meter import (
    LinkSecurity,
    find_meter,
    is_exposed,
)
from custom_components.nes_mep.osgp import (
    KeyKind,
    KeyRefusedError,
    Meter,
    NoReplyError,
    SecurityMode,
    TlsError,
    parse_key,
)
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir

from .common import make_entry, pass_time, poll, set_up, states, unavailable
from .driven_clock import driven_clock
from .simulator import PROFILES, Fault, SimulatedMeter
from .simulator.tls import STACKS
from .tls.tapped_line import TappedLine, tap
from .values import KEY, Clock

pytestmark = pytest.mark.usefixtures("enable_custom_integrations")

_TLS_CODES = {0x57, 0x58, 0x59, 0x80}


@pytest.fixture
def stack() -> str:
    """Return the TLS stack of the meter; tests give others."""
    return "mbedtls"


@pytest.fixture
def meter(stack: str, clock: Clock) -> SimulatedMeter:
    """Return a simulated meter that takes TLS, and the old mode as well."""
    return SimulatedMeter(
        PROFILES["gen4"], key=KEY.encode()[:16], clock=clock, paced=False, tls=stack
    )


@pytest.fixture
async def line(url: str) -> AsyncIterator[tuple[TappedLine, str]]:
    """Return a man in the middle, and the address at which he listens."""
    async with tap(url) as tapped:
        yield tapped


def tls_entry(meter: SimulatedMeter, port: str) -> MockConfigEntry:
    """Return the entry that the config flow makes for a meter with TLS."""
    made = make_entry(meter, port)
    return MockConfigEntry(
        domain=DOMAIN,
        title=made.title,
        unique_id=made.unique_id,
        minor_version=2,
        data={**made.data, "security": "tls", "key_kind": "basic"},
    )


def codes(meter: SimulatedMeter) -> set[int]:
    """Return the first bytes of all messages that a meter received."""
    return {request.code for request in meter.requests}


def issues(hass: HomeAssistant) -> list[str]:
    """Return the ids of the integration's issues."""
    return [id_ for domain, id_ in ir.async_get(hass).issues if domain == DOMAIN]


def issue_of(entry: MockConfigEntry) -> str:
    """Return the id that the issue of an entry has."""
    return f"tls_refused_{entry.entry_id}"


@pytest.mark.parametrize("mode", SecurityMode)
@pytest.mark.parametrize("kind", KeyKind)
def test_entry_data(mode: SecurityMode, kind: KeyKind) -> None:
    """What an entry keeps is understood again."""
    security = LinkSecurity(mode=mode, key_kind=kind)
    assert LinkSecurity.of_entry(security.entry_data) == security
    assert set(map(type, security.entry_data.values())) == {str}


def test_entry_data_of_old() -> None:
    """Entries from before there was a choice use the digest."""
    assert LinkSecurity.of_entry({"port": "/dev/x", "key": KEY}) == LinkSecurity(
        mode=SecurityMode.DIGEST, key_kind=KeyKind.BASIC
    )


@pytest.mark.parametrize(
    ("port", "exposed"),
    [
        ("/dev/ttyUSB0", False),
        ("COM3", False),
        ("esphome-hass://esphome/01?port_name=mep", False),
        ("socket://127.0.0.1:8888", False),
        ("socket://[::1]:8888", False),
        ("socket://localhost:8888", False),
        ("rfc2217://LOCALHOST:8888", False),
        ("socket://192.168.1.20:8888", True),
        ("SOCKET://192.168.1.20:8888", True),
        ("tcp://[fe80::1]:8888", True),
        ("rfc2217://meter.local:8888?ign_set_control", True),
        ("rfc2217://127.0.0.1@meter.local:8888", True),
    ],
)
def test_exposed(port: str, exposed: bool) -> None:
    """Ports in the network are, except by TLS and within this machine."""
    for mode in SecurityMode:
        expected = exposed and mode is not SecurityMode.TLS
        assert is_exposed(port, LinkSecurity(mode=mode)) is expected


@pytest.mark.parametrize("error", [NoReplyError, TlsError])
@pytest.mark.parametrize("mode", [None, SecurityMode.TLS])
async def test_refused_key_is_the_end(
    error: type[Exception], mode: SecurityMode | None
) -> None:
    """Trouble with the advanced key after a refusal of the basic leads nowhere else."""
    failures = [KeyRefusedError("refused"), error("trouble")]
    with (
        patch.object(Meter, "open", side_effect=failures) as opened,
        pytest.raises(KeyRefusedError, match="refused"),
    ):
        await find_meter("/dev/nowhere", parse_key(KEY), mode, clock=driven_clock())
    assert [call.args[0].security for call in opened.mock_calls] == ["tls", "tls"]


async def test_session_that_dies_is_the_end(line: tuple[TappedLine, str]) -> None:
    """A meter that has begun a session knows TLS: the old mode is not tried then."""
    tapped, url = line
    tapped.answer = lambda message: b"" if message[0] == 0x80 else None
    with pytest.raises(NoReplyError) as caught:
        await find_meter(url, parse_key(KEY), None, clock=driven_clock())
    assert caught.value.had_session
    assert tapped.codes <= _TLS_CODES


@pytest.mark.parametrize("stack", STACKS)
async def test_entry_with_tls(
    hass: HomeAssistant, meter: SimulatedMeter, line: tuple[TappedLine, str]
) -> None:
    """An entry with TLS reads over TLS, and ends its session when it is unloaded."""
    tapped, url = line
    entry = await set_up(hass, tls_entry(meter, url))
    await poll(hass)

    assert entry.state is ConfigEntryState.LOADED
    assert not unavailable(hass, entry)
    assert not issues(hass)
    assert meter.tls
    assert meter.tls.handshakes == 1
    await hass.config_entries.async_unload(entry.entry_id)
    assert tapped.codes == _TLS_CODES
    assert not meter.tls.established


async def test_entry_of_old(
    hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """An entry from before there was a choice is read on as it was."""
    entry = await set_up(hass, make_entry(meter, url))
    await poll(hass)

    assert entry.minor_version == 1
    assert entry.state is ConfigEntryState.LOADED
    assert not unavailable(hass, entry)
    assert not codes(meter) & _TLS_CODES


async def test_tls_is_gone_at_the_start(
    hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """A meter that knows only the digest gets none; it is told, until TLS is back."""
    side, meter.tls = meter.tls, None
    entry = await set_up(hass, tls_entry(meter, url))
    await poll(hass)

    assert entry.state is ConfigEntryState.SETUP_RETRY
    assert entry.reason.startswith(
        f"No TLS session with {entry.title} could be established. "
    )
    assert codes(meter) == {0x58}
    assert issues(hass) == [issue_of(entry)]
    issue = ir.async_get(hass).async_get_issue(DOMAIN, issue_of(entry))
    assert issue.is_fixable
    assert issue.translation_placeholders == {"meter": entry.title}

    meter.tls = side
    await poll(hass, 60)
    assert entry.state is ConfigEntryState.LOADED
    assert not issues(hass)


async def test_entry_is_removed(
    hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """The issue goes with its entry."""
    meter.tls = None
    entry = await set_up(hass, tls_entry(meter, url))
    assert issues(hass)

    await hass.config_entries.async_remove(entry.entry_id)

    assert not issues(hass)


async def test_tls_goes_away(
    hass: HomeAssistant, meter: SimulatedMeter, line: tuple[TappedLine, str]
) -> None:
    """The sensors become unavailable, whatever else the meter would answer."""
    tapped, url = line
    entry = await set_up(hass, tls_entry(meter, url))
    before = states(hass, entry)
    side, meter.tls = meter.tls, None

    for _ in range(4):
        await poll(hass)
        averages = {"interval_power_import", "last_interval_power_import"}
        assert unavailable(hass, entry) == averages | set(
            filter(describe_register, before)
        )
        assert issues(hass) == [issue_of(entry)]
    assert not hass.config_entries.flow.async_progress()
    assert tapped.codes <= _TLS_CODES

    meter.tls = side
    await poll(hass)
    assert states(hass, entry) == before
    assert not issues(hass)


async def test_sessions_break(
    hass: HomeAssistant, meter: SimulatedMeter, line: tuple[TappedLine, str]
) -> None:
    """Sessions that break are told of when it lasts, and not when it is over before."""
    tapped, url = line
    entry = await set_up(hass, tls_entry(meter, url))
    assert meter.tls
    fault = Fault(kind="refuse", code=0x0A, request_code=0x59)
    for polls in (2, 3):
        meter.add_fault(fault)
        meter.tls.forget()
        for _ in range(polls):
            assert not issues(hass)
            await poll(hass)
            assert unavailable(hass, entry)
        assert issues(hass) == ([issue_of(entry)] if polls == 3 else [])
        meter.clear_faults()
        await poll(hass)
        assert not unavailable(hass, entry)
        assert not issues(hass)
    assert tapped.codes <= _TLS_CODES


async def test_silence_is_no_refusal(
    hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """A meter that is silent, as while its optical port is read, refuses nothing."""
    entry = await set_up(hass, tls_entry(meter, url))
    meter.add_fault(Fault(kind="silence"))
    for _ in range(4):
        await poll(hass)
    assert unavailable(hass, entry)
    assert not issues(hass)


@pytest.mark.parametrize(
    "answer",
    [
        b"\x01",
        b"\x02",
        b"\x03",
        b"\x0a",
        b"\x0b",
        b"\x0c\x12\x34\x56\x78",
        b"",
        b"\x00",
        b"\xff" * 20,
    ],
    ids=bytes.hex,
)
async def test_no_way_down(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    line: tuple[TappedLine, str],
    answer: bytes,
) -> None:
    """A man in the middle who lets only the old mode through never gets to see it."""
    tapped, url = line
    entry = await set_up(hass, tls_entry(meter, url))
    assert entry.state is ConfigEntryState.LOADED
    tapped.answer = lambda message: answer if message[0] in _TLS_CODES else None
    for _ in range(4):
        await poll(hass)
    await hass.config_entries.async_reload(entry.entry_id)
    await hass.async_block_till_done(wait_background_tasks=True)

    assert entry.state is not ConfigEntryState.LOADED
    assert tapped.codes <= _TLS_CODES
    await hass.config_entries.async_unload(entry.entry_id)


async def test_key_stays_inside(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The key is in no log, be it accepted, refused or tried over a broken line."""
    caplog.set_level(logging.DEBUG)
    right = meter.key
    entry = await set_up(hass, tls_entry(meter, url))
    assert meter.tls
    meter.add_fault(Fault(kind="corrupt", at=-1))
    await poll(hass)
    meter.clear_faults()
    meter.key = b"changed in Jan 7"
    meter.tls.forget()
    for _ in range(3):
        await pass_time(hass, driven_clock(), 31)
    assert hass.config_entries.flow.async_progress()

    assert "Sent " in caplog.text
    for secret in (KEY, KEY[:16], right.hex()):
        assert secret not in caplog.text
    await hass.config_entries.async_unload(entry.entry_id)
