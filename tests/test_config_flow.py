"""Tests of the flows, against a simulated meter."""

from unittest.mock import patch

import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.nes_mep.const import DOMAIN
from custom_components.nes_mep.osgp import Meter
from homeassistant.config_entries import SOURCE_REAUTH, SOURCE_USER, ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from .common import make_entry, pass_time, set_up, silent_port, unavailable
from .driven_clock import DrivenClock
from .frontend import SETUP, filled_in, open_form, open_frontend, submit
from .simulator import SimulatedMeter, serve_tcp
from .values import KEY, Clock

pytestmark = pytest.mark.usefixtures("enable_custom_integrations")

OTHER_KEY = "another key, wrong"
DIGEST = {"security": "digest", "key_kind": "basic"}
NEW = {"baudrate": 9600, **DIGEST}


async def start(hass: HomeAssistant) -> str:
    """Start to add a meter and return the id of the flow."""
    form = await hass.config_entries.flow.async_init(
        DOMAIN, context={"source": SOURCE_USER}
    )
    assert form["type"] is FlowResultType.FORM
    assert form["step_id"] == "user"
    assert not form["errors"]
    return form["flow_id"]


async def test_user(hass: HomeAssistant, meter: SimulatedMeter, url: str) -> None:
    """A port and a key are all that is needed."""
    result = await hass.config_entries.flow.async_configure(
        await start(hass), {"port": url, "key": KEY}
    )
    await hass.async_block_till_done(wait_background_tasks=True)

    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["title"] == f"{meter.profile.model} {meter.profile.serial_number}"
    assert result["data"] == {"port": url, "key": KEY, **NEW}
    assert result["options"] == {}
    assert result["result"].unique_id == meter.profile.serial_number
    assert result["result"].state is ConfigEntryState.LOADED


@pytest.mark.parametrize(
    "key",
    [
        KEY[:16],
        KEY.encode().hex() + "00",
        f"0x{KEY[:16].encode().hex()}",
        f" {KEY}\n",
        f"\ufeff{KEY[:8]}\u200b{KEY[8:]}",
        KEY.replace(" ", "\u00a0"),
        KEY[:16].encode().hex(" "),
        KEY[:16].encode().hex(":").upper(),
    ],
)
async def test_user_writes_the_key_in_another_way(
    hass: HomeAssistant, url: str, key: str
) -> None:
    """Hex digits, and what comes along when a key is copied, make no difference."""
    result = await hass.config_entries.flow.async_configure(
        await start(hass), {"port": url, "key": key}
    )
    await hass.async_block_till_done(wait_background_tasks=True)

    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["result"].state is ConfigEntryState.LOADED


@pytest.mark.parametrize(
    ("user_input", "errors"),
    [
        ({"port": "/dev/nothing-here"}, {"base": "cannot_connect"}),
        ({"port": "socket://127.0.0.1:9"}, {"base": "cannot_connect"}),
        ({"port": "nonsense://here"}, {"base": "cannot_connect"}),
        ({"port": "socket://["}, {"port": "invalid_port"}),
        ({"port": "socket://127.0.0.1"}, {"port": "invalid_port"}),
        ({"port": " "}, {"port": "invalid_port"}),
        (
            {"port": "rfc2217://[", "key": "no"},
            {"port": "invalid_port", "key": "invalid_key_format"},
        ),
        ({"key": "too short"}, {"key": "invalid_key_format"}),
        ({"key": "søde nøgle til målér"}, {"key": "invalid_key_format"}),
        ({"key": "0x" + "0123456789abcdeg" * 2}, {"key": "invalid_key_format"}),
        ({"key": OTHER_KEY}, {"key": "invalid_auth"}),
    ],
)
async def test_user_corrects_a_mistake(
    hass: HomeAssistant, url: str, user_input: dict[str, str], errors: dict[str, str]
) -> None:
    """The form says what is wrong, keeps what was entered, and can be corrected."""
    flow_id = await start(hass)
    right = {"port": url, "key": KEY}

    form = await hass.config_entries.flow.async_configure(flow_id, right | user_input)

    assert form["type"] is FlowResultType.FORM
    assert form["errors"] == errors
    suggested = {
        field.schema: field.description["suggested_value"]
        for field in form["data_schema"].schema
        if field.description
    }
    assert suggested == right | user_input

    result = await hass.config_entries.flow.async_configure(flow_id, right)
    await hass.async_block_till_done(wait_background_tasks=True)
    assert result["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.parametrize("mode", ["automatic", "digest"])
async def test_user_sees_what_holds(
    hass: HomeAssistant, hass_client: ClientSessionGenerator, url: str, mode: str
) -> None:
    """The form can be submitted as it is shown, and again after a mistake."""
    client = await open_frontend(hass, hass_client)
    form = await open_form(client, SETUP, DOMAIN)
    shown = filled_in(form["data_schema"])
    advanced = {"security": "automatic", "baudrate": "9600"}
    assert shown == {"meter_port": "detect", "advanced": advanced}

    advanced = {"security": mode, "baudrate": "9600"}
    entered = {"port": url, "key": "short", "meter_port": "mep", "advanced": advanced}
    form = await submit(client, SETUP, form, entered)
    assert form["errors"] == {"key": "invalid_key_format"}
    shown = filled_in(form["data_schema"])
    assert shown == entered

    result = await submit(client, SETUP, form, shown | {"key": KEY})
    await hass.async_block_till_done(wait_background_tasks=True)
    assert result["type"] == "create_entry"


async def test_user_finds_no_meter(hass: HomeAssistant, url: str) -> None:
    """A port that opens and stays silent is told from one that does not open."""
    flow_id = await start(hass)

    async with silent_port() as nobody:
        form = await hass.config_entries.flow.async_configure(
            flow_id, {"port": nobody, "key": KEY}
        )
    assert form["errors"] == {"base": "no_reply"}

    result = await hass.config_entries.flow.async_configure(
        flow_id, {"port": url, "key": KEY}
    )
    await hass.async_block_till_done(wait_background_tasks=True)
    assert result["type"] is FlowResultType.CREATE_ENTRY


async def test_user_meets_an_unforeseen_error(
    hass: HomeAssistant, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """What was not foreseen is logged, without the key, and can be tried again."""
    flow_id = await start(hass)

    with patch.object(Meter, "open", side_effect=RuntimeError("surprise")):
        form = await hass.config_entries.flow.async_configure(
            flow_id, {"port": url, "key": KEY}
        )
    assert form["errors"] == {"base": "unknown"}
    assert "surprise" in caplog.text
    assert KEY not in caplog.text

    result = await hass.config_entries.flow.async_configure(
        flow_id, {"port": url, "key": KEY}
    )
    await hass.async_block_till_done(wait_background_tasks=True)
    assert result["type"] is FlowResultType.CREATE_ENTRY


@pytest.mark.parametrize("text", ["{} ", "\u00a0{}\u200b", "{host}"])
async def test_user_writes_the_port_in_another_way(
    hass: HomeAssistant, url: str, text: str
) -> None:
    """Blanks around the port, or a host without the scheme, make no difference."""
    host = url.removeprefix("socket://")
    result = await hass.config_entries.flow.async_configure(
        await start(hass), {"port": text.format(url, host=host), "key": KEY}
    )
    await hass.async_block_till_done(wait_background_tasks=True)

    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"]["port"] == url
    assert result["result"].state is ConfigEntryState.LOADED


@pytest.mark.parametrize("text", ["{}", "{} ", "{host}", "{}/", "SOCKET://{host}"])
async def test_user_adds_a_port_twice(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, text: str
) -> None:
    """A port that is in use already is not opened a second time."""
    await set_up(hass, make_entry(meter, url))
    requests = len(meter.requests)

    host = url.removeprefix("socket://")
    form = await hass.config_entries.flow.async_configure(
        await start(hass), {"port": text.format(url, host=host), "key": KEY}
    )

    assert form["type"] is FlowResultType.FORM
    assert form["errors"] == {"port": "port_in_use"}
    assert len(meter.requests) == requests


async def test_user_adds_a_meter_twice(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, clock: Clock
) -> None:
    """A meter is recognised by its serial number behind another port as well."""
    await set_up(hass, make_entry(meter, url))
    same = SimulatedMeter(
        meter.profile, key=KEY.encode()[:16], clock=clock, paced=False
    )

    async with serve_tcp(same) as other_url:
        result = await hass.config_entries.flow.async_configure(
            await start(hass), {"port": other_url, "key": KEY}
        )

    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "already_configured"
    assert len(hass.config_entries.async_entries(DOMAIN)) == 1


async def test_reauth(
    hass: HomeAssistant, meter: SimulatedMeter, path: str, host_clock: DrivenClock
) -> None:
    """A key that the grid company changed is asked for, on the port that is in use.

    A serial port can be opened once only, so the entry must have been unloaded.
    """
    new_key = "the new MEP key 0001"
    entry = await set_up(hass, make_entry(meter, path))
    meter.key = new_key.encode()[:16]
    for _ in range(3):
        assert not hass.config_entries.flow.async_progress()
        await pass_time(hass, host_clock, 31)
    (flow,) = hass.config_entries.flow.async_progress()
    assert flow["step_id"] == "reauth_confirm"
    assert flow["context"]["source"] == SOURCE_REAUTH

    form = await hass.config_entries.flow.async_configure(flow["flow_id"])
    assert form["description_placeholders"]["meter"] == entry.title

    for key, errors in (
        ("short", {"key": "invalid_key_format"}),
        (OTHER_KEY, {"key": "invalid_auth"}),
    ):
        form = await hass.config_entries.flow.async_configure(
            flow["flow_id"], {"key": key}
        )
        assert form["type"] is FlowResultType.FORM
        assert form["errors"] == errors

    new_key = f"{new_key}\u200b"
    result = await hass.config_entries.flow.async_configure(
        flow["flow_id"], {"key": new_key}
    )
    await hass.async_block_till_done(wait_background_tasks=True)

    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "reauth_successful"
    assert entry.data == {"port": path, "key": new_key, **DIGEST}
    assert entry.state is ConfigEntryState.LOADED
    assert not unavailable(hass, entry)


async def test_reauth_meets_another_meter(
    hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """The key of an entry is not exchanged for that of another meter."""
    entry = make_entry(meter, url)
    entry.add_to_hass(hass)
    hass.config_entries.async_update_entry(entry, unique_id="20250101")
    flow = await entry.start_reauth_flow(hass)

    result = await hass.config_entries.flow.async_configure(
        flow["flow_id"], {"key": KEY}
    )

    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "wrong_meter"
