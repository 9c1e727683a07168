"""Tests of the modes of security in the flows, against simulated meters."""

import asyncio

import pytest

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from .common import make_entry, set_up, silent_port, unavailable
from .driven_clock import DrivenClock
from .simulator import PROFILES, Fault, SimulatedMeter, serve_tcp
from .test_config_flow import NEW, OTHER_KEY, start
from .tls.tapped_line import tap
from .values import KEY, Clock

pytestmark = pytest.mark.usefixtures("enable_custom_integrations")

ADVANCED_KEY = "Zq4!mNp8#sKd2@wE"
TLS = {"security": "tls", "key_kind": "basic"}
TLS_CODES = {0x57, 0x58, 0x59, 0x80}


@pytest.fixture
def tls_meter(clock: Clock) -> SimulatedMeter:
    """Return a simulated meter that requires TLS."""
    return SimulatedMeter(
        PROFILES["gen4"],
        key=KEY.encode()[:16],
        advanced_key=ADVANCED_KEY.encode(),
        clock=clock,
        paced=False,
        tls="mbedtls",
        tls_required=True,
    )


def codes(meter: SimulatedMeter) -> set[int]:
    """Return the first bytes of all messages that a meter received."""
    return {request.code for request in meter.requests}


@pytest.mark.parametrize(("key", "kind"), [(KEY, "basic"), (ADVANCED_KEY, "advanced")])
async def test_user_has_a_meter_with_tls(
    hass: HomeAssistant,
    tls_meter: SimulatedMeter,
    socket_enabled: None,
    key: str,
    kind: str,
) -> None:
    """TLS is taken where the meter knows it, with either key, and nothing else sent."""
    async with serve_tcp(tls_meter) as meter_url, tap(meter_url) as (line, url):
        result = await hass.config_entries.flow.async_configure(
            await start(hass), {"port": url, "key": key}
        )
        await hass.async_block_till_done(wait_background_tasks=True)

        assert result["type"] is FlowResultType.CREATE_ENTRY
        assert result["data"] == {
            "port": url,
            "key": key,
            "baudrate": 9600,
            "security": "tls",
            "key_kind": kind,
        }
        assert result["minor_version"] == 2
        assert result["result"].state is ConfigEntryState.LOADED
        await hass.config_entries.async_unload(result["result"].entry_id)
    assert line.codes == TLS_CODES


async def test_user_has_a_wrong_key_for_tls(
    hass: HomeAssistant, tls_meter: SimulatedMeter, socket_enabled: None
) -> None:
    """A key that is refused in TLS is not tried in the old mode."""
    assert tls_meter.tls
    tls_meter.tls.required = False
    async with serve_tcp(tls_meter) as url:
        form = await hass.config_entries.flow.async_configure(
            await start(hass), {"port": url, "key": OTHER_KEY}
        )

    assert form["errors"] == {"key": "invalid_auth"}
    assert codes(tls_meter) <= TLS_CODES


async def test_user_has_a_meter_that_ignores_tls(
    hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """A meter that does not react to TLS at all is read in the old mode."""
    meter.add_fault(Fault(kind="silence", request_code=0x58))

    result = await hass.config_entries.flow.async_configure(
        await start(hass), {"port": url, "key": KEY}
    )
    await hass.async_block_till_done(wait_background_tasks=True)

    assert result["data"] == {"port": url, "key": KEY, **NEW}
    assert result["description"] is None
    assert result["result"].state is ConfigEntryState.LOADED


@pytest.mark.parametrize(
    "answers", [[b"\x01"], [b"\x0a"], [b"?" * 40] * 9, [b"?" * 40], [b"\0" * 40]]
)
async def test_user_is_told_that_tls_was_not_used(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, answers: list[bytes]
) -> None:
    """A meter that answers TLS with anything is read in the old mode, and it is said.

    Who is on the line may answer at first, and be silent after that.
    """
    left = iter(answers)
    async with tap(url) as (line, tapped):
        line.answer = lambda message: (
            next(left, b"") if message[0] in TLS_CODES else None
        )
        result = await hass.config_entries.flow.async_configure(
            await start(hass), {"port": tapped, "key": KEY}
        )
        await hass.async_block_till_done(wait_background_tasks=True)
        await hass.config_entries.async_unload(result["result"].entry_id)

    assert result["data"] == {"port": tapped, "key": KEY, **NEW}
    assert result["description"] == "refused_tls"


@pytest.mark.parametrize("answer", [b"\x01", b"\x0a", b""])
@pytest.mark.parametrize(
    ("choice", "error"),
    [("automatic", None), ("digest", {"key": "key_used_in_tls"})],
)
async def test_user_adds_a_meter_with_tls_again(
    hass: HomeAssistant,
    tls_meter: SimulatedMeter,
    socket_enabled: None,
    host_clock: DrivenClock,
    answer: bytes,
    choice: str,
    error: dict[str, str] | None,
) -> None:
    """No message of the old mode goes out with a key that an entry uses in TLS."""
    assert tls_meter.tls
    tls_meter.tls.required = False
    async with (
        serve_tcp(tls_meter, timers=host_clock) as url,
        tap(url) as (line, tapped),
    ):
        entry = make_entry(tls_meter, url)
        entry.add_to_hass(hass)
        hass.config_entries.async_update_entry(entry, data={**entry.data, **TLS})
        line.answer = lambda message: answer if message[0] in TLS_CODES else None

        form = await hass.config_entries.flow.async_configure(
            await start(hass),
            {
                "port": tapped,
                "key": KEY.encode()[:16].hex(),
                "advanced": {"security": choice},
            },
        )

        silence = {"base": "no_reply"}
        refusal = {"base": "tls_refused"}
        assert form["errors"] == (error or (refusal if answer else silence))
        assert line.codes <= TLS_CODES


@pytest.mark.parametrize("mode", ["digest", "rc4"])
async def test_user_chooses_the_old_mode(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, mode: str
) -> None:
    """What is chosen is used from the first message on."""
    result = await hass.config_entries.flow.async_configure(
        await start(hass), {"port": url, "key": KEY, "advanced": {"security": mode}}
    )
    await hass.async_block_till_done(wait_background_tasks=True)

    assert result["data"]["security"] == mode
    assert result["result"].state is ConfigEntryState.LOADED
    assert not unavailable(hass, result["result"])
    assert not codes(meter) & TLS_CODES


async def test_user_insists_on_a_mode_that_does_not_work(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    tls_meter: SimulatedMeter,
) -> None:
    """TLS that is chosen is not replaced, and neither is the old mode."""
    flow_id = await start(hass)
    form = await hass.config_entries.flow.async_configure(
        flow_id, {"port": url, "key": KEY, "advanced": {"security": "tls"}}
    )
    assert form["errors"] == {"base": "tls_refused"}
    assert codes(meter) == {0x58}

    async with serve_tcp(tls_meter) as tls_url:
        form = await hass.config_entries.flow.async_configure(
            flow_id, {"port": tls_url, "key": KEY, "advanced": {"security": "digest"}}
        )
    assert form["errors"] == {"base": "not_verified"}
    assert not codes(tls_meter) & TLS_CODES


async def test_user_is_warned_of_an_open_network(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    tls_meter: SimulatedMeter,
    foreign: None,
) -> None:
    """The old mode in a network is told of once, and set up all the same; TLS is not."""
    warning = await hass.config_entries.flow.async_configure(
        await start(hass), {"port": url, "key": KEY}
    )
    assert warning["type"] is FlowResultType.FORM
    assert warning["step_id"] == "unencrypted"

    result = await hass.config_entries.flow.async_configure(warning["flow_id"], {})
    await hass.async_block_till_done(wait_background_tasks=True)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"] == {"port": url, "key": KEY, **NEW}

    async with serve_tcp(tls_meter) as tls_url:
        result = await hass.config_entries.flow.async_configure(
            await start(hass), {"port": tls_url, "key": KEY}
        )
        await hass.async_block_till_done(wait_background_tasks=True)
        assert result["type"] is FlowResultType.CREATE_ENTRY
        await hass.config_entries.async_unload(result["result"].entry_id)


async def test_reauth_keeps_the_mode(
    hass: HomeAssistant, tls_meter: SimulatedMeter, socket_enabled: None
) -> None:
    """A new key is proved in TLS, and may be of the other kind."""
    assert tls_meter.tls
    tls_meter.tls.required = False
    async with serve_tcp(tls_meter) as meter_url, tap(meter_url) as (line, url):
        entry = make_entry(tls_meter, url)
        entry.add_to_hass(hass)
        hass.config_entries.async_update_entry(entry, data={**entry.data, **TLS})
        await hass.config_entries.async_setup(entry.entry_id)
        flow = await entry.start_reauth_flow(hass)

        result = await hass.config_entries.flow.async_configure(
            flow["flow_id"], {"key": ADVANCED_KEY}
        )
        await hass.async_block_till_done(wait_background_tasks=True)

        assert result["reason"] == "reauth_successful"
        assert entry.data == {
            "port": url,
            "key": ADVANCED_KEY,
            "security": "tls",
            "key_kind": "advanced",
        }
        assert entry.state is ConfigEntryState.LOADED
        assert line.codes == TLS_CODES
        await hass.config_entries.async_unload(entry.entry_id)


async def test_reconfigure(
    hass: HomeAssistant, meter: SimulatedMeter, path: str, url: str
) -> None:
    """Port and mode change; the key stays if none is entered, and is not shown.

    A serial port can be opened once only, so the entry must have been unloaded.
    """
    entry = await set_up(hass, make_entry(meter, path))
    form = await entry.start_reconfigure_flow(hass)
    assert form["step_id"] == "reconfigure"
    assert form["description_placeholders"] == {"meter": entry.title}
    suggested = {
        field.schema: field.description and field.description["suggested_value"]
        for field in form["data_schema"].schema
    }
    assert suggested == {
        "port": path,
        "key": None,
        "meter_port": None,
        "security": "digest",
        "baudrate": "9600",
    }

    states: list[ConfigEntryState] = []
    stop = entry.async_on_state_change(lambda: states.append(entry.state))
    for user_input, errors in (
        ({"port": path, "security": "rc4", "key": "no"}, {"key": "invalid_key_format"}),
        ({"port": "socket://[", "security": "rc4"}, {"port": "invalid_port"}),
    ):
        form = await hass.config_entries.flow.async_configure(
            form["flow_id"], user_input
        )
        assert form["errors"] == errors
        await hass.async_block_till_done(wait_background_tasks=True)
    stop()
    assert not states

    for user_input, errors in (
        ({"port": path, "security": "tls"}, {"base": "tls_refused"}),
        ({"port": "/dev/nothing", "security": "rc4"}, {"base": "cannot_connect"}),
    ):
        form = await hass.config_entries.flow.async_configure(
            form["flow_id"], user_input
        )
        assert form["errors"] == errors
        await hass.async_block_till_done(wait_background_tasks=True)
        assert entry.state is ConfigEntryState.LOADED
        assert not unavailable(hass, entry)

    result = await hass.config_entries.flow.async_configure(
        form["flow_id"], {"port": path, "security": "rc4"}
    )
    await hass.async_block_till_done(wait_background_tasks=True)

    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "reconfigure_successful"
    assert entry.data == {
        "port": path,
        "key": KEY,
        "baudrate": 9600,
        "security": "rc4",
        "key_kind": "basic",
    }
    assert entry.state is ConfigEntryState.LOADED
    assert not unavailable(hass, entry)


async def test_reconfigure_to_another_meter(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, tls_meter: SimulatedMeter
) -> None:
    """The entry stays what it was, and its meter is read on."""
    entry = await set_up(hass, make_entry(meter, url))
    before = dict(entry.data)
    form = await entry.start_reconfigure_flow(hass)

    async with serve_tcp(tls_meter) as other_url:
        tls_meter.profile = PROFILES["ct"]
        result = await hass.config_entries.flow.async_configure(
            form["flow_id"], {"port": other_url, "security": "tls"}
        )
    await hass.async_block_till_done(wait_background_tasks=True)

    assert result["reason"] == "wrong_meter"
    assert entry.data == before
    assert entry.state is ConfigEntryState.LOADED


async def test_reconfigure_to_the_port_of_another_entry(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, tls_meter: SimulatedMeter
) -> None:
    """A port that another entry uses is left alone."""
    entry = await set_up(hass, make_entry(meter, url))
    other = make_entry(tls_meter, "/dev/other")
    other.add_to_hass(hass)
    form = await entry.start_reconfigure_flow(hass)

    requests = len(meter.requests)
    form = await hass.config_entries.flow.async_configure(
        form["flow_id"], {"port": "/dev/other ", "security": "digest"}
    )

    assert form["errors"] == {"port": "port_in_use"}
    assert len(meter.requests) == requests
    assert entry.state is ConfigEntryState.LOADED


async def test_reconfigure_warns_of_an_open_network(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, foreign: None
) -> None:
    """The meter is read as before while the warning is shown."""
    entry = await set_up(hass, make_entry(meter, url))
    new_url = url.replace("socket", "tcp")
    form = await entry.start_reconfigure_flow(hass)

    warning = await hass.config_entries.flow.async_configure(
        form["flow_id"], {"port": new_url, "security": "digest"}
    )
    await hass.async_block_till_done(wait_background_tasks=True)
    assert warning["step_id"] == "unencrypted"
    assert entry.state is ConfigEntryState.LOADED
    assert entry.data["port"] == url

    result = await hass.config_entries.flow.async_configure(warning["flow_id"], {})
    await hass.async_block_till_done(wait_background_tasks=True)
    assert result["reason"] == "reconfigure_successful"
    assert entry.data["port"] == new_url
    assert entry.state is ConfigEntryState.LOADED


async def test_reconfigure_during_the_setup(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    socket_enabled: None,
) -> None:
    """An entry that waits for a silent meter can be led to the right port meanwhile."""
    async with silent_port() as nobody:
        entry = make_entry(meter, nobody)
        entry.add_to_hass(hass)
        begun = asyncio.Event()
        entry.async_on_state_change(begun.set)
        setup = asyncio.ensure_future(hass.config_entries.async_setup(entry.entry_id))
        await begun.wait()
        form = await entry.start_reconfigure_flow(hass)

        result = await hass.config_entries.flow.async_configure(
            form["flow_id"], {"port": url, "security": "digest"}
        )
        assert entry.state is ConfigEntryState.SETUP_IN_PROGRESS
        await setup
        await hass.async_block_till_done(wait_background_tasks=True)

    assert result["reason"] == "reconfigure_successful"
    assert entry.state is ConfigEntryState.LOADED


@pytest.mark.parametrize("answer", [b"\x01", b"\x0a", b"\xff" * 20])
async def test_reconfigure_does_not_go_down(
    hass: HomeAssistant,
    tls_meter: SimulatedMeter,
    socket_enabled: None,
    answer: bytes,
) -> None:
    """A man in the middle of an entry with TLS gets no digest out of the flow."""
    assert tls_meter.tls
    tls_meter.tls.required = False
    async with serve_tcp(tls_meter) as url, tap(url) as (line, tapped):
        entry = make_entry(tls_meter, tapped)
        entry.add_to_hass(hass)
        hass.config_entries.async_update_entry(entry, data={**entry.data, **TLS})
        line.answer = lambda message: answer if message[0] in TLS_CODES else None
        form = await entry.start_reconfigure_flow(hass)

        form = await hass.config_entries.flow.async_configure(
            form["flow_id"], {"port": tapped, "security": "tls"}
        )
        await hass.async_block_till_done(wait_background_tasks=True)

        assert form["errors"] == {"base": "tls_refused"}
        assert entry.data["security"] == "tls"
        assert line.codes <= TLS_CODES
        await hass.config_entries.async_unload(entry.entry_id)
