"""Tests of the flows with the optical port, against simulated meters at both ports."""

from collections.abc import AsyncIterator, Callable
import logging
from typing import Any

import pytest

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from .common import entity_ids, make_entry, pass_time, set_up, silent_port, unavailable
from .driven_clock import DrivenClock
from .optical import make_optical_entry, served
from .simulator import PROFILES, OpticalPort, OpticalSettings, SimulatedMeter, serve_tcp
from .simulator.line import Line
from .simulator.optical import READ_KEY, OpticalLine
from .test_config_flow import NEW, start
from .values import KEY

pytestmark = pytest.mark.usefixtures("enable_custom_integrations")

RK = READ_KEY.decode()
WRONG_KEY = "Rk-of-another-meter!"
OPTICAL = {"meter_port": "optical"}


@pytest.fixture
async def at_head(
    socket_enabled: None, meter: SimulatedMeter, host_clock: DrivenClock
) -> AsyncIterator[tuple[OpticalPort, str]]:
    """Serve the optical port of the meter, whose sessions silence its MEP."""
    async with served(meter, host_clock) as port_and_url:
        yield port_and_url


@pytest.fixture
def optical(at_head: tuple[OpticalPort, str]) -> OpticalPort:
    """Return the optical port."""
    return at_head[0]


@pytest.fixture
def head(at_head: tuple[OpticalPort, str]) -> str:
    """Return the address of the head at the optical port."""
    return at_head[1]


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Return what the simulated meter hears from now on, at either port."""
    heard: list[bytes] = []

    def spy(feed: Callable[[Any, bytes], None]) -> Callable[[Any, bytes], None]:
        def feed_and_note(line: Any, data: bytes) -> None:
            heard.append(data)
            feed(line, data)

        return feed_and_note

    for line in (Line, OpticalLine):
        monkeypatch.setattr(line, "feed", spy(line.feed))
    return heard


async def submit(
    hass: HomeAssistant, flow_id: str, **user_input: Any
) -> dict[str, Any]:
    """Submit a form, and return what came of it once everything has settled."""
    result = await hass.config_entries.flow.async_configure(flow_id, user_input)
    await hass.async_block_till_done(wait_background_tasks=True)
    return dict(result)


async def test_user_chooses_the_optical_port(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    optical: OpticalPort,
    head: str,
    heard: list[bytes],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The meter is read there every minute, and no byte of the MEP's is sent."""
    caplog.set_level(logging.DEBUG)
    result = await submit(
        hass, await start(hass), port=f"{head} ", key=f"{RK}\n", **OPTICAL
    )

    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["title"] == f"{meter.profile.model} {meter.profile.serial_number}"
    assert result["data"] == {"port": head, "key": f"{RK}\n", **OPTICAL}
    assert result["options"] == {"scan_interval": 60}
    assert result["description"] == "beside_mep"
    entry = result["result"]
    assert entry.unique_id == meter.profile.serial_number
    assert entry.state is ConfigEntryState.LOADED
    assert not unavailable(hass, entry)
    assert {data[:1] for data in heard} <= {b"\xee", b"\x06", b"\x15"}
    assert not meter.requests
    assert not optical.keys.refused
    assert not any(key in caplog.text for key in (RK, READ_KEY.hex(), str(READ_KEY)))


@pytest.mark.parametrize("profile", ["gen4"])
async def test_user_has_a_meter_whose_ports_are_independent(
    hass: HomeAssistant, head: str
) -> None:
    """It is polled as often as others."""
    result = await submit(hass, await start(hass), port=head, key=RK, **OPTICAL)

    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["options"] == {}
    assert result["description"] == "optical"


async def test_optical_port_is_detected(
    hass: HomeAssistant, head: str, heard: list[bytes]
) -> None:
    """The key is asked for before it is shown, and may stay as it was entered."""
    form = await submit(hass, await start(hass), port=head, key=RK)
    assert form["step_id"] == "optical"
    assert not form["errors"]
    (field,) = form["data_schema"].schema
    assert field.description == {"suggested_value": RK}
    assert not any(READ_KEY in data for data in heard)

    result = await submit(hass, form["flow_id"], key=RK)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"] == {"port": head, "key": RK, **OPTICAL}
    assert result["result"].state is ConfigEntryState.LOADED


async def test_key_of_another_mep_at_a_head(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, head: str, heard: list[bytes]
) -> None:
    """The optical port is found, and the key is not shown to it."""
    await set_up(hass, make_entry(meter, url))
    form = await submit(hass, await start(hass), port=head, key=KEY)
    assert form["step_id"] == "optical"
    form = await submit(hass, form["flow_id"], key=KEY)
    assert form["errors"] == {"key": "key_of_mep"}
    assert not any(KEY.encode() in data for data in heard)


async def test_head_that_sees_its_own_light_is_not_detected(
    hass: HomeAssistant, optical: OpticalPort, head: str
) -> None:
    """Its echo may be an MEP's answer, for all that is known; choosing the port helps."""
    optical.echoes = True
    flow_id = await start(hass)
    form = await submit(hass, flow_id, port=head, key=RK)
    assert form["errors"] == {"base": "not_verified"}
    result = await submit(hass, flow_id, port=head, key=RK, **OPTICAL)
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_nothing_is_detected_where_an_mep_answers(
    hass: HomeAssistant, url: str, heard: list[bytes]
) -> None:
    """Whatever the MEP answers, no packet of the optical port is sent."""
    flow_id = await start(hass)
    form = await submit(hass, flow_id, port=url, key=WRONG_KEY)
    assert form["errors"] == {"key": "invalid_auth"}
    result = await submit(hass, flow_id, port=url, key=KEY)
    assert result["data"] == {"port": url, "key": KEY, **NEW}
    assert not any(data.startswith(b"\xee") for data in heard)


@pytest.mark.parametrize("detected", [False, True])
async def test_wrong_key_is_shown_once(
    hass: HomeAssistant,
    optical: OpticalPort,
    head: str,
    heard: list[bytes],
    detected: bool,
) -> None:
    """The meter counts one wrong key, however often it is entered."""
    flow_id = await start(hass)
    given: dict[str, str] = {"port": head, **OPTICAL}
    if detected:
        await submit(hass, flow_id, port=head, key=KEY)
        given = {}

    form = await submit(hass, flow_id, key=WRONG_KEY, **given)
    assert form["errors"] == {"key": "optical_key_refused"}
    heard.clear()
    form = await submit(hass, flow_id, key=f" {WRONG_KEY}", **given)
    assert form["errors"] == {"key": "optical_key_refused_before"}
    assert not heard
    assert optical.keys.refused == 1

    result = await submit(hass, flow_id, key=RK, **given)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert optical.keys.refused == 1


@pytest.mark.parametrize(
    ("user_input", "errors"),
    [
        ({"key": "short"}, {"key": "invalid_key_format"}),
        ({"key": "short", "meter_port": "mep"}, {"key": "invalid_key_format"}),
        ({"key": "k" * 21, **OPTICAL}, {"key": "invalid_optical_key"}),
        ({"key": "nøgle", **OPTICAL}, {"key": "invalid_optical_key"}),
        ({"port": "socket://[", **OPTICAL}, {"port": "invalid_port"}),
        ({"port": "/dev/nothing", **OPTICAL}, {"base": "cannot_connect"}),
        ({"port": "silent"}, {"base": "no_reply"}),
        ({"port": "silent", "meter_port": "mep"}, {"base": "no_reply"}),
        ({"port": "silent", **OPTICAL}, {"base": "no_optical_reply"}),
    ],
)
async def test_user_corrects_a_mistake(
    hass: HomeAssistant,
    optical: OpticalPort,
    head: str,
    user_input: dict[str, str],
    errors: dict[str, str],
) -> None:
    """The form says what is wrong in the words of the port, and can be corrected."""
    right = {"port": head, "key": RK}
    flow_id = await start(hass)
    async with silent_port() as silent:
        given = right | user_input
        if given["port"] == "silent":
            given["port"] = silent
        form = await submit(hass, flow_id, **given)
    assert form["errors"] == errors
    result = await submit(hass, flow_id, **right, **OPTICAL)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert not optical.keys.refused


async def test_user_seats_the_head_meanwhile(
    hass: HomeAssistant, optical: OpticalPort, head: str
) -> None:
    """Who submits again is answered by the meter, however often it was silent."""
    flow_id = await start(hass)
    optical.is_attached = False
    for _ in range(3):
        form = await submit(hass, flow_id, port=head, key=RK, **OPTICAL)
        assert form["errors"] == {"base": "no_optical_reply"}
    optical.is_attached = True
    result = await submit(hass, flow_id, port=head, key=RK, **OPTICAL)
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_port_that_takes_tls_only(
    hass: HomeAssistant, optical: OpticalPort, head: str, heard: list[bytes]
) -> None:
    """It is told, and the key is not shown."""
    optical.settings = OpticalSettings(requires_tls=True)
    form = await submit(hass, await start(hass), port=head, key=RK, **OPTICAL)
    assert form["errors"] == {"base": "tls_only"}
    assert not any(READ_KEY in data for data in heard)


async def test_key_of_the_mep_is_not_shown(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, head: str, heard: list[bytes]
) -> None:
    """A key that an entry uses at the MEP is known not to be the read-only key."""
    entry = await set_up(hass, make_entry(meter, url))
    heard.clear()
    form = await submit(hass, await start(hass), port=head, key=KEY, **OPTICAL)
    assert form["errors"] == {"key": "key_of_mep"}
    form = await submit(hass, await start(hass), port=url, key=RK, **OPTICAL)
    assert form["errors"] == {"port": "port_in_use"}
    flow = await entry.start_reconfigure_flow(hass)
    form = await submit(
        hass, flow["flow_id"], port=head, key=KEY, security="digest", **OPTICAL
    )
    assert form["errors"] == {"key": "key_of_mep"}
    assert not heard


async def test_meter_that_is_set_up_at_its_mep(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, head: str
) -> None:
    """It does not get a second entry."""
    await set_up(hass, make_entry(meter, url))
    result = await submit(hass, await start(hass), port=head, key=RK, **OPTICAL)
    assert result["reason"] == "already_configured"


async def test_user_is_warned_before_the_key_crosses_a_network(
    hass: HomeAssistant, foreign: None, head: str, heard: list[bytes]
) -> None:
    """Nothing is sent before the user agrees, who is asked once."""
    flow_id = await start(hass)
    warning = await submit(hass, flow_id, port=head, key=WRONG_KEY, **OPTICAL)
    assert warning["step_id"] == "key_in_clear"
    assert not heard
    form = await submit(hass, flow_id)
    assert form["step_id"] == "user"
    assert form["errors"] == {"key": "optical_key_refused"}
    result = await submit(hass, flow_id, port=head, key=RK, **OPTICAL)
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_reconfigure_to_the_optical_port_and_back(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, head: str
) -> None:
    """The meter keeps its entities; each port needs its own key."""
    options = {"resync_automatically": False}
    entry = await set_up(hass, make_entry(meter, url, **options))
    before = entity_ids(hass, entry)

    for port, key, meter_port, security, data, interval, reason in (
        (head, RK, "optical", "digest", OPTICAL, 60, "reconfigured_beside_mep"),
        (url, KEY, "mep", "automatic", NEW, 60, "reconfigured_refused_tls"),
    ):
        flow = await entry.start_reconfigure_flow(hass)
        change = {"port": port, "meter_port": meter_port, "security": security}
        form = await submit(hass, flow["flow_id"], **change)
        assert form["errors"] == {"key": "key_required"}
        result = await submit(hass, flow["flow_id"], **change, key=key)
        assert result["reason"] == reason
        assert entry.data == {"port": port, "key": key, **data}
        assert entry.options == {**options, "scan_interval": interval}
        assert entry.state is ConfigEntryState.LOADED
        assert not unavailable(hass, entry)
        assert entity_ids(hass, entry) == before


async def test_reconfigure_at_the_optical_port(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    optical: OpticalPort,
    head: str,
    host_clock: DrivenClock,
) -> None:
    """The key stays if none is entered, and the interval stays what the user chose."""
    entry = await set_up(hass, make_optical_entry(meter, head, scan_interval=30))
    flow = await entry.start_reconfigure_flow(hass)
    shown = {
        field.schema: field.default()
        if field.schema == "meter_port"
        else field.description and field.description["suggested_value"]
        for field in flow["data_schema"].schema
    }
    assert shown == {
        "port": head,
        "key": None,
        "meter_port": "optical",
        "security": "automatic",
        "baudrate": "9600",
    }
    other = OpticalPort(SimulatedMeter(PROFILES["ct"], paced=False))
    async with serve_tcp(other, timers=host_clock) as url:
        result = await submit(
            hass, flow["flow_id"], port=url, security="automatic", **OPTICAL
        )
    assert result["reason"] == "wrong_meter"
    assert entry.data["port"] == head
    assert entry.state is ConfigEntryState.LOADED

    flow = await entry.start_reconfigure_flow(hass)
    change = {"port": head, "security": "automatic", **OPTICAL}
    form = await submit(hass, flow["flow_id"], **change, key=WRONG_KEY)
    assert form["errors"] == {"key": "optical_key_refused"}
    assert entry.state is ConfigEntryState.LOADED
    result = await submit(hass, flow["flow_id"], **change)
    assert result["reason"] == "reconfigure_successful"
    assert entry.data == {"port": head, "key": RK, **OPTICAL}
    assert entry.options == {"scan_interval": 30}
    assert entry.state is ConfigEntryState.LOADED
    assert optical.keys.refused == 1


async def test_reconfigure_keeps_a_refused_key(
    hass: HomeAssistant, meter: SimulatedMeter, optical: OpticalPort, head: str
) -> None:
    """It is not shown, as nobody has entered it again."""
    entry = await set_up(hass, make_optical_entry(meter, head, WRONG_KEY))
    flow = await entry.start_reconfigure_flow(hass)
    change = {"port": head, "security": "automatic", **OPTICAL}
    form = await submit(hass, flow["flow_id"], **change)
    assert form["errors"] == {"key": "optical_key_refused_before"}
    assert optical.keys.refused == 1
    result = await submit(hass, flow["flow_id"], **change, key=RK)
    assert result["reason"] == "reconfigure_successful"
    assert entry.state is ConfigEntryState.LOADED


async def test_reauth(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    optical: OpticalPort,
    head: str,
    host_clock: DrivenClock,
) -> None:
    """Each key that is entered is shown once; the right one is read with at once."""
    new_key = "the new RK"
    entry = await set_up(hass, make_optical_entry(meter, head))
    optical.keys.read_only = new_key.encode()
    await pass_time(hass, host_clock, 61)
    (flow,) = hass.config_entries.flow.async_progress()
    assert flow["step_id"] == "reauth_optical"
    form = await hass.config_entries.flow.async_configure(flow["flow_id"])
    assert form["description_placeholders"]["meter"] == entry.title
    assert optical.keys.refused == 1

    for key, error in (
        (WRONG_KEY, "optical_key_refused"),
        (WRONG_KEY, "optical_key_refused_before"),
    ):
        form = await submit(hass, flow["flow_id"], key=key)
        assert form["errors"] == {"key": error}
        assert optical.keys.refused == 2

    result = await submit(hass, flow["flow_id"], key=new_key)
    assert result["reason"] == "reauth_successful"
    assert entry.data == {"port": head, "key": new_key, **OPTICAL}
    assert entry.state is ConfigEntryState.LOADED
    assert not unavailable(hass, entry)
    assert optical.keys.refused == 2


async def test_reauth_with_the_same_key(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    optical: OpticalPort,
    head: str,
    host_clock: DrivenClock,
) -> None:
    """A key that works again is taken where a person enters it."""
    entry = await set_up(hass, make_optical_entry(meter, head))
    optical.keys.read_only = b"changed"
    await pass_time(hass, host_clock, 61)
    (flow,) = hass.config_entries.flow.async_progress()
    optical.keys.read_only = READ_KEY
    result = await submit(hass, flow["flow_id"], key=RK)
    assert result["reason"] == "reauth_successful"
    assert entry.state is ConfigEntryState.LOADED
    assert not unavailable(hass, entry)
    assert optical.keys.refused == 1
