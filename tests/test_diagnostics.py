"""Tests of the diagnostics, and of meters that are made of them."""

from collections.abc import Iterator
from datetime import timedelta
import json
from pathlib import Path
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.nes_mep.osgp import Access, Meter, parse_key
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import __version__
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component

from .common import make_entry, pass_time, poll, set_up, states
from .driven_clock import DrivenClock
from .simulator import DEFAULT_KEY, Fault, SimulatedMeter, serve_tcp
from .simulator.replay import Recording, ReplayedMeter
from .values import KEY, NOON, Clock

pytestmark = pytest.mark.usefixtures("enable_custom_integrations")

with_mbus = pytest.mark.parametrize("profile", ["mbus"])

MBUS_NUMBERS = ("30412877", "92752244", "66104935")


@pytest.fixture(autouse=True)
async def diagnostics(hass: HomeAssistant) -> None:
    """Let there be diagnostics."""
    assert await async_setup_component(hass, "diagnostics", {})


async def download(
    hass: HomeAssistant, hass_client: ClientSessionGenerator, entry: MockConfigEntry
) -> dict[str, Any]:
    """Return the file that a user downloads."""
    client = await hass_client()
    response = await client.get(f"/api/diagnostics/config_entry/{entry.entry_id}")
    assert response.status == 200
    document: dict[str, Any] = json.loads(await response.text())
    assert document["home_assistant"]
    return document


def hidden(meter: SimulatedMeter, url: str) -> Iterator[str]:
    """Yield what must be nowhere in a file."""
    yield from (KEY, KEY[:16], KEY.encode().hex(), KEY[:16].encode().hex())
    for number in (meter.profile.serial_number, *MBUS_NUMBERS):
        yield number
        yield number.encode().hex()
        yield bytes.fromhex(number)[::-1].hex()
    yield meter.profile.transceiver_id.hex()
    yield url
    yield url.removeprefix("socket://")
    yield meter.sequence.to_bytes(4).hex()
    yield meter.sequence.to_bytes(4, "little").hex()


@with_mbus
async def test_nothing_tells_whose_meter_it_is(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    host_clock: DrivenClock,
    hass_client: ClientSessionGenerator,
) -> None:
    """Neither numbers nor key nor port are in the file, not even in errors."""
    entry = await set_up(hass, make_entry(meter, url))
    await pass_time(hass, host_clock, 60)
    sequence = meter.sequence
    text = json.dumps(await download(hass, hass_client, entry)).lower()
    assert sequence.to_bytes(4).hex() not in text
    for secret in hidden(meter, url):
        assert secret.lower() not in text

    await _fail_a_poll(hass, meter)
    document = await download(hass, hass_client, entry)
    assert "does not answer" in document["data"]["link"]["last_error"]
    assert "does not answer" in document["data"]["polling"]["error"]
    text = json.dumps(document).lower()
    for secret in hidden(meter, url):
        assert secret.lower() not in text


async def _fail_a_poll(hass: HomeAssistant, meter: SimulatedMeter) -> None:
    fault = meter.add_fault(Fault(kind="silence"))
    await poll(hass)
    fault.remove()


@with_mbus
async def test_facts(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    host_clock: DrivenClock,
    hass_client: ClientSessionGenerator,
) -> None:
    """Everything about the meter and the link is there."""
    entry = await set_up(hass, make_entry(meter, url, scan_interval=10))
    await pass_time(hass, host_clock, 60)
    found = (await download(hass, hass_client, entry))["data"]

    assert found["state"] == "loaded"
    assert found["security"] == {"security": "digest", "key_kind": "basic"}
    assert found["entry"]["options"] == {"scan_interval": 10}
    assert found["versions"]["home_assistant"] == __version__
    assert {"integration", "python", "serialx", "cryptography"} < set(found["versions"])
    assert found["identity"]["model"] == meter.profile.model
    assert found["register_map"]["dimensions"]["summations"] == 11
    assert found["registers"]["energy_import"] == {"table": 23, "offset": 0}
    assert found["values"]["energy_import"] == meter.truth()[0] / 1000
    assert found["polling"] == {
        "succeeded": True,
        "error": None,
        "failed_tables": [],
        "failed_slowly": [],
    }
    assert found["link"]["requests"] > 0
    media = {device["medium"]: device for device in found["mbus_devices"]}
    assert media["gas"]["records"][0]["quantity"] == "volume"
    assert [bytes.fromhex(raw) for raw in media["heat"]["unknown_records"]]


async def test_tables_are_whole(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    hass_client: ClientSessionGenerator,
) -> None:
    """What the registers are and what they hold is there to the last byte."""
    entry = await set_up(hass, make_entry(meter, url))
    tables = (await download(hass, hass_client, entry))["data"]["tables"]
    for name in ("BT00", "BT15", "BT21", "BT22", "BT23", "BT27", "BT28", "ET42"):
        number = int(name[2:]) + 2048 * name.startswith("ET")
        assert tables[name]["parts"] == {"0": (meter.table(number) or b"").hex()}, name
        assert tables[name]["read_at"].endswith("+00:00")
    assert {"BT03", "BT52", "BT55", "ET03", "ET04", "ET09", "ET29", "ET81"} < set(
        tables
    )


async def test_exchanges(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    hass_client: ClientSessionGenerator,
) -> None:
    """The last exchanges are those from before, not what the download itself asks."""
    entry = await set_up(hass, make_entry(meter, url))
    await hass.services.async_call(
        "nes_mep", "resync_clock", {"config_entry_id": entry.entry_id}, blocking=True
    )
    meter.add_fault(Fault(kind="refuse", table="BT28", code=0x04, times=2))
    meter.add_fault(Fault(kind="silence", table="BT23", times=1))
    await poll(hass)
    found = (await download(hass, hass_client, entry))["data"]["exchanges"]

    assert 10 < len(found) <= 50
    energy, power, half = found[-3:]
    assert energy["request"] == "3f00170000000008"
    assert energy["reply"][:6] == "000008"
    assert energy["sent"] == 2
    assert 0 < energy["seconds"] < 5
    assert power["request"].startswith("3f001c")
    assert (power["reply"], power["meaning"]) == ("04", "not_possible")
    assert (half["request"][:12], half["reply"]) == (power["request"][:12], "04")
    assert any(each.get("meaning") == "invalid_sequence" for each in found)


async def test_meter_that_cannot_be_set_up(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    hass_client: ClientSessionGenerator,
) -> None:
    """What came of the attempts is there, as that is what has to be found out."""
    meter.add_fault(Fault(kind="silence", table="BT01"))
    entry = await set_up(hass, make_entry(meter, url))
    assert entry.state is ConfigEntryState.SETUP_RETRY
    found = (await download(hass, hass_client, entry))["data"]

    assert found["state"] == "setup_retry"
    assert "does not answer" in found["reason"]
    assert "identity" not in found
    assert found["exchanges"][-1]["error"] == "NoReplyError"
    assert found["tables"].keys() == {"ET03"}
    text = json.dumps(found)
    for secret in hidden(meter, url):
        assert secret not in text
    await hass.config_entries.async_unload(entry.entry_id)


async def test_meter_that_falls_silent(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    hass_client: ClientSessionGenerator,
) -> None:
    """A meter that does not answer is not asked more, or not for long."""
    entry = await set_up(hass, make_entry(meter, url))
    meter.add_fault(Fault(kind="silence", table="BT00"))
    found = (await download(hass, hass_client, entry))["data"]
    assert found["tables"]["BT23"]["parts"].keys() == {"0"}
    assert "BT00" not in found["tables"] or "0" not in found["tables"]["BT00"]["parts"]

    meter.add_fault(Fault(kind="silence"))
    await poll(hass)
    requests = len(meter.requests)
    found = (await download(hass, hass_client, entry))["data"]
    assert len(meter.requests) == requests
    assert not found["polling"]["succeeded"]
    assert found["tables"]["BT23"]["parts"].keys() == {"0"}


@pytest.mark.parametrize(
    "profile",
    ["gen3", "gen3_demand", "gen4", "ct", "vt", "reordered", "mbus", "mbus_log"],
)
async def test_replay(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    host_clock: DrivenClock,
    everything_enabled: None,
    hass_client: ClientSessionGenerator,
    clock: Clock,
    tmp_path: Path,
) -> None:
    """A meter made of the file shows the same in another Home Assistant."""
    meter.clock_offset = 33
    entry = await set_up(hass, make_entry(meter, url))
    await pass_time(hass, host_clock, 60)
    expected = states(hass, entry)
    file = tmp_path / "diagnostics.json"
    file.write_text(json.dumps(await download(hass, hass_client, entry)))
    await hass.config_entries.async_remove(entry.entry_id)

    replayed = ReplayedMeter(Recording.load(file), key=DEFAULT_KEY, paced=False)
    assert replayed.profile.serial_number != meter.profile.serial_number
    async with serve_tcp(replayed) as address:
        client = await Meter.open(Access(address, parse_key(DEFAULT_KEY.decode())))
        readings = await client.read()
        await client.close()
        assert not readings.errors
        assert readings.values["energy_import"] == float(expected["energy_import"])

        again = await set_up(
            hass,
            MockConfigEntry(
                domain="nes_mep",
                title="Replayed",
                unique_id=replayed.profile.serial_number,
                data={"port": address, "key": DEFAULT_KEY.decode()},
            ),
        )
        await pass_time(hass, host_clock, 60)
        assert again.state is ConfigEntryState.LOADED
        found = states(hass, again)
        await hass.config_entries.async_unload(again.entry_id)

    assert _comparable(found) == _comparable(expected)
    assert float(found["clock_drift"]) == pytest.approx(
        float(expected["clock_drift"]), abs=10
    )
    assert len(_comparable(found)) > 50


def _comparable(found: dict[str, str]) -> dict[str, str]:
    """Return the states that a replay should show too."""
    # The link is another one, and time has passed. M-Bus meters have other numbers. What
    # was stored for the bill is withheld.
    own = {"clock_drift", "last_reply_time", "meter_event"}
    shown: dict[str, str] = {}
    for key, state in found.items():
        if key.startswith("mbus_"):
            shown[f"{key.split('_', 2)[2]} {state}"] = state
        elif key not in own and not key.startswith(("billing", "last_bill", "link")):
            shown[key] = state
    return shown


async def test_replayed_clock_goes_on(tmp_path: Path) -> None:
    """The clock is as wrong as it was, later on too."""
    recording = Recording.of(
        {
            "format": 1,
            "tables": {
                "BT01": {"read_at": NOON.isoformat(), "parts": {"0": "00" * 16}},
                "BT52": {
                    "read_at": NOON.isoformat(),
                    "parts": {"0": "1a06150c013b07"},  # 12:01:59, a Sunday
                },
            },
            "refused_tables": {},
        },
        b"any",
    )
    clock = Clock()
    meter = ReplayedMeter(recording, clock=clock)
    assert meter.table(52) == bytes.fromhex("1a06150c013b00")
    clock.now += timedelta(hours=13)
    assert meter.table(52) == bytes.fromhex("1a06160101 3b01")
