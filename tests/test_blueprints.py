"""Tests of the blueprints: Home Assistant takes them, and the automations do their work."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from pathlib import Path
import shutil
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
    async_mock_service,
)
from pytest_homeassistant_custom_component.test_util.aiohttp import AiohttpClientMocker
from pytest_homeassistant_custom_component.typing import WebSocketGenerator
import yaml

from custom_components.nes_mep.const import DOMAIN
from custom_components.nes_mep.link.errors import FailureKind
from custom_components.nes_mep.osgp import Meter
from custom_components.nes_mep.services import IMPORT_COSTS_SCHEMA
from homeassistant.core import HomeAssistant, ServiceCall, SupportsResponse, callback
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from homeassistant.util.yaml import parse_yaml

from .common import entity_ids, make_entry, set_up, states
from .driven_clock import DrivenClock
from .simulator import Fault, SimulatedMeter

pytestmark = pytest.mark.usefixtures("enable_custom_integrations")

FOLDER = Path(__file__).parent.parent / "blueprints"
PATHS = sorted(FOLDER.glob("*/nes_mep/*.yaml"))
REPOSITORY = "nes-mep/ha-nes-mep"
AUTOMATION = "automation.test"


def text_of(path: Path) -> str:
    """Return a blueprint as it is."""
    return path.read_text()


def head(path: Path) -> dict[str, Any]:
    """Return what a blueprint says about itself."""
    metadata: dict[str, Any] = parse_yaml(text_of(path))["blueprint"]
    return metadata


NEEDED = {
    "fuse_guard": ["currents"],
    "notify_when_resync_fails": ["link"],
    "peak_guard": ["interval_power", "peak"],
    "resync_on_error": ["link"],
    "solar_surplus": ["net_power", "appliance"],
    "voltage_band": ["voltages"],
    "costs_of_imported_hours": ["meter", "price_data"],
}
"""The inputs without a default, by blueprint."""


def test_these_are_all() -> None:
    """Those that the documentation tells about."""
    assert [path.stem for path in PATHS] == list(NEEDED)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_metadata(path: Path) -> None:
    """Each says what it is for and where it is from, and explains its inputs."""
    metadata = head(path)
    where = path.relative_to(FOLDER.parent)
    assert metadata["source_url"] == (
        f"https://github.com/{REPOSITORY}/blob/main/{where}"
    )
    assert metadata["description"]
    for field in metadata["input"].values():
        assert field["name"]
        assert field["description"]
        assert field["selector"]
    assert metadata["domain"] == path.parent.parent.name
    assert [
        name for name, field in metadata["input"].items() if "default" not in field
    ] == NEEDED[path.stem]


def test_kinds() -> None:
    """The kinds of failure that can be chosen are those that there are."""
    kinds = head(FOLDER / "automation/nes_mep/resync_on_error.yaml")["input"]["kinds"]
    assert kinds["default"] == list(FailureKind)
    options = [option["value"] for option in kinds["selector"]["select"]["options"]]
    assert options == list(FailureKind)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
async def test_import_by_url(
    hass: HomeAssistant,
    hass_ws_client: WebSocketGenerator,
    aioclient_mock: AiohttpClientMocker,
    path: Path,
) -> None:
    """Home Assistant imports it from its address, and finds nothing wrong."""
    domain = head(path)["domain"]
    assert await async_setup_component(hass, domain, {})
    where = path.relative_to(FOLDER.parent)
    aioclient_mock.get(
        f"https://raw.githubusercontent.com/{REPOSITORY}/main/{where}",
        status=HTTPStatus.OK,
        text=text_of(path),
    )
    client = await hass_ws_client(hass)
    await client.send_json_auto_id(
        {"type": "blueprint/import", "url": head(path)["source_url"]}
    )
    answer = await client.receive_json()
    assert answer["success"]
    assert answer["result"]["suggested_filename"] == f"nes-mep/{path.stem}"
    assert answer["result"]["validation_errors"] is None
    assert answer["result"]["blueprint"]["metadata"]["domain"] == domain


async def until(is_so: Callable[[], object]) -> None:
    """Wait until something is so; automations are at work all the time."""
    while not is_so():  # noqa: ASYNC110 - of what they do, nothing tells
        await asyncio.sleep(0.01)


def has_length(things: list[Any], length: int) -> bool:
    """Return whether there are so many."""
    return len(things) == length


@pytest.fixture
def resyncs(hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the times at which resync_clock was done with the meter, well or not."""
    found: list[float] = []
    resync = Meter.resync

    async def spy(meter: Meter) -> Any:
        try:
            return await resync(meter)
        finally:
            found.append(hass.loop.time())

    monkeypatch.setattr(Meter, "resync", spy)
    return found


class House:
    """A house with a meter and an automation made from a blueprint."""

    def __init__(
        self,
        hass: HomeAssistant,
        host_clock: DrivenClock,
        meter: SimulatedMeter,
        entry: MockConfigEntry,
    ) -> None:
        """Initialize with its contents."""
        self.hass = hass
        self._host_clock = host_clock
        self.meter = meter
        self.entry = entry

    @property
    def is_running(self) -> bool:
        """Whether the automation is at work."""
        return bool(self.hass.states.get(AUTOMATION).attributes["current"])

    @property
    def has_problem(self) -> bool:
        """Whether the link is down."""
        return states(self.hass, self.entry)["link_problem"] == "on"

    async def fail(self, **fault: Any) -> None:
        """Let the link go down, and wait for the automation to begin."""
        self.meter.add_fault(Fault(**fault))
        await self.pass_seconds(3601)
        await until(lambda: self.has_problem)
        await self._host_clock.settle()

    async def mend(self) -> None:
        """Let the link be well at the next poll."""
        self.meter.clear_faults()
        await self.pass_seconds(3601)
        await until(lambda: not self.has_problem)

    async def pass_seconds(self, seconds: float) -> None:
        """Let time pass, and what is due begin."""
        async_fire_time_changed(
            self.hass, dt_util.utcnow() + timedelta(seconds=seconds)
        )
        await self._host_clock.settle()


@pytest.fixture
async def make_house(
    hass: HomeAssistant,
    host_clock: DrivenClock,
    meter: SimulatedMeter,
    url: str,
    tmp_path: Path,
) -> Callable[..., Any]:
    """Return a function that makes a house with an automation from a blueprint."""
    shutil.copytree(FOLDER, tmp_path / "blueprints")
    hass.config.config_dir = str(tmp_path)

    async def make(blueprint: str, **inputs: Any) -> House:
        entry = await set_up(
            hass, make_entry(meter, url, scan_interval=3600, resync_automatically=False)
        )
        use = {
            "path": f"{DOMAIN}/{blueprint}.yaml",
            "input": {"link": entity_ids(hass, entry)["link"], **inputs},
        }
        config = {"automation": {"alias": "Test", "use_blueprint": use}}
        assert await async_setup_component(hass, "automation", config)
        await hass.async_block_till_done()
        assert hass.states.get(AUTOMATION).state == "on"
        return House(hass, host_clock, meter, entry)

    return make


async def test_resync_helps(
    make_house: Callable[..., Any], resyncs: list[float]
) -> None:
    """After the pause the session is made anew, and the readings are back."""
    house = await make_house("resync_on_error", pause=60)
    await house.fail(kind="refuse", code=0x0C)
    house.meter.clear_faults()
    await house.pass_seconds(50)
    assert not resyncs
    await house.pass_seconds(61)
    await until(lambda: not house.has_problem)
    await until(lambda: not house.is_running)
    assert len(resyncs) == 1


async def test_resync_has_a_limit(
    make_house: Callable[..., Any], resyncs: list[float]
) -> None:
    """A meter that stays silent is asked as often as was chosen; the next outage anew."""
    house = await make_house("resync_on_error", pause=60, tries=2)
    for _ in range(2):
        await house.fail(kind="silence")
        for number in (1, 2):
            assert house.is_running
            assert len(resyncs) == number - 1
            await house.pass_seconds(61)
            await until(partial(has_length, resyncs, number))
            await house.pass_seconds(0)
        await until(lambda: not house.is_running)
        await house.pass_seconds(600)
        assert len(resyncs) == 2
        await house.mend()
        resyncs.clear()


async def test_resync_is_not_needed(
    make_house: Callable[..., Any], resyncs: list[float]
) -> None:
    """A link that recovers in the pause is left alone."""
    house = await make_house("resync_on_error", pause=7200)
    await house.fail(kind="silence")
    assert house.is_running
    await house.mend()
    await until(lambda: not house.is_running)
    assert not resyncs


async def test_resync_of_other_kinds(
    make_house: Callable[..., Any], resyncs: list[float]
) -> None:
    """Kinds of failure that were not chosen start nothing."""
    house = await make_house("resync_on_error", pause=60, kinds=["invalid_sequence"])
    await house.fail(kind="silence")
    assert not house.is_running
    await house.mend()
    await house.fail(kind="refuse", code=0x0C)
    assert house.is_running
    await house.mend()
    await until(lambda: not house.is_running)


@pytest.fixture
def told(hass: HomeAssistant) -> list[ServiceCall]:
    """Return the notifications."""
    return async_mock_service(hass, "notify", "phone")


def telling(message: str) -> list[dict[str, Any]]:
    """Return the actions that a user enters for a notification."""
    return [{"action": "notify.phone", "data": {"message": message}}]


async def test_notify(
    make_house: Callable[..., Any], resyncs: list[float], told: list[ServiceCall]
) -> None:
    """A link that stays down is told, after a last try, and so is that it is back."""
    house = await make_house(
        "notify_when_resync_fails",
        patience={"hours": 0, "minutes": 10, "seconds": 0},
        tell=telling("{{ meter }} {{ kind }}: {{ message }}"),
        tell_recovery=telling("{{ meter }} is back, down since {{ since }}"),
    )
    await house.fail(kind="silence")
    await house.pass_seconds(500)
    assert not resyncs
    assert not told
    await house.pass_seconds(601)
    await until(lambda: told)
    assert len(resyncs) == 1
    message = told[0].data["message"]
    assert message.startswith(
        f"{house.entry.title} no_reply: {house.entry.title} is not"
    )
    assert "does not answer" in message or "No reply" in message
    await house.pass_seconds(601)
    assert len(told) == 1
    assert house.is_running

    await house.mend()
    await until(lambda: not house.is_running)
    assert (
        told[1].data["message"].startswith(f"{house.entry.title} is back, down since")
    )


@pytest.mark.parametrize(("by", "minutes"), [("itself", 120), ("the last try", 30)])
async def test_nothing_to_tell(
    make_house: Callable[..., Any],
    resyncs: list[float],
    told: list[ServiceCall],
    by: str,
    minutes: int,
) -> None:
    """A link that recovers in time, or by the last try, is not told."""
    house = await make_house(
        "notify_when_resync_fails", patience={"minutes": minutes}, tell=telling("down")
    )
    await house.fail(kind="silence")
    if by == "itself":
        await house.mend()
    else:
        house.meter.clear_faults()
        await house.pass_seconds(1801)
    await until(lambda: not house.is_running)
    assert not house.has_problem
    assert not told
    assert len(resyncs) == (by == "the last try")


async def test_default_notification(
    hass: HomeAssistant, make_house: Callable[..., Any]
) -> None:
    """Without a phone, the notification appears in Home Assistant while it is true."""
    shown: dict[str, str] = {}

    @callback
    def create(call: ServiceCall) -> None:
        shown[call.data["notification_id"]] = call.data["message"]

    @callback
    def dismiss(call: ServiceCall) -> None:
        del shown[call.data["notification_id"]]

    hass.services.async_register("persistent_notification", "create", create)
    hass.services.async_register("persistent_notification", "dismiss", dismiss)
    house = await make_house("notify_when_resync_fails")
    await house.fail(kind="refuse", table=28, code=0x0B)
    await house.pass_seconds(601)
    await until(lambda: shown)
    (text,) = shown.values()
    assert text.startswith(f"{house.entry.title} is not read completely since ")
    assert "BT28" in text
    await house.mend()
    await until(lambda: not shown)
    await until(lambda: not house.is_running)


def test_yaml_is_plain() -> None:
    """Each is one document that a user can read, in lines that fit."""
    for path in PATHS:
        text = text_of(path)
        assert "\t" not in text
        assert len(list(yaml.parse(text))) > 2
        for line in text.splitlines():
            assert len(line) <= 90 or "source_url" in line


def by_area(day: str) -> dict[str, Any]:
    """Return prices as nordpool and omie answer, with an end and per area."""
    start = dt_util.parse_datetime(f"{day}T00:00:00+00:00")
    return {
        area: [
            {
                "start": (start + timedelta(minutes=15 * n)).isoformat(),
                "end": (start + timedelta(minutes=15 * n + 15)).isoformat(),
                "price": factor * start.day + n / 4,
            }
            for n in range(4)
        ]
        for area, factor in (("SE3", 1), ("SE4", 1000))
    }


def by_timestamp(day: str) -> dict[str, Any]:
    """Return prices as easyenergy answers, with a start only."""
    return {
        "prices": [
            {"timestamp": f"{day} 0{n}:00:00+00:00", "price": n / 8} for n in range(4)
        ]
    }


@pytest.mark.parametrize(
    ("answer", "inputs", "expected_day", "last"),
    [
        (by_area, {}, {"date"}, ("2026-02-03T00:45:00", "2026-02-03T01:00:00", 3.75)),
        (
            by_area,
            {"area": "SE4"},
            {"date"},
            ("2026-02-03T00:45:00", "2026-02-03T01:00:00", 3000.75),
        ),
        (
            by_timestamp,
            {"day_fields": ["start", "end"], "minutes": 30, "factor": 1},
            {"start", "end"},
            ("2026-02-03T03:00:00", "2026-02-03T03:30:00", 0.375),
        ),
    ],
)
async def test_costs_of_imported_hours(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    tmp_path: Path,
    answer: Callable[[str], dict[str, Any]],
    inputs: dict[str, Any],
    expected_day: set[str],
    last: tuple[str, str, float],
) -> None:
    """The prices of each day are asked for, and handed on; a day without is left out."""
    shutil.copytree(FOLDER, tmp_path / "blueprints")
    hass.config.config_dir = str(tmp_path)
    entry = await set_up(hass, make_entry(meter, url))
    await hass.config.async_set_time_zone("UTC")
    device_id = er.async_get(hass).async_get(entity_ids(hass, entry)["link"]).device_id
    asked: list[dict[str, Any]] = []
    calls: list[dict[str, Any]] = []

    @callback
    def get_prices(call: ServiceCall) -> dict[str, Any]:
        asked.append(dict(call.data))
        day = call.data[min(expected_day)]
        if day == "2026-02-02":
            raise ServiceValidationError("too far in the past")
        return answer(day)

    @callback
    def take_costs(call: ServiceCall) -> dict[str, Any]:
        calls.append(dict(call.data))
        return {"hours_written": 7}

    only = SupportsResponse.ONLY
    hass.services.async_register("market", "prices", get_prices, None, only)
    hass.services.async_register(
        DOMAIN, "import_costs", take_costs, IMPORT_COSTS_SCHEMA, only
    )
    use = {
        "path": f"{DOMAIN}/costs_of_imported_hours.yaml",
        "input": {
            "meter": device_id,
            "price_action": "market.prices",
            "price_data": {"config_entry": "abc"},
            "addend": 0.5,
            **inputs,
        },
    }
    config = {"script": {"test": {"alias": "Test", "use_blueprint": use}}}
    assert await async_setup_component(hass, "script", config)
    await hass.async_block_till_done()
    result = await hass.services.async_call(
        "script",
        "test",
        {"start": "2026-02-01", "end": "2026-02-03"},
        blocking=True,
        return_response=True,
    )
    assert result == {"hours_written": 7}
    assert [each["config_entry"] for each in asked] == ["abc"] * 3
    for name in expected_day:
        assert [each[name] for each in asked] == [
            "2026-02-01",
            "2026-02-02",
            "2026-02-03",
        ]
    (call,) = calls
    assert call["device_id"] == [device_id]
    assert call["start"].isoformat() == "2026-02-01T00:00:00+00:00"
    assert call["end"].isoformat() == "2026-02-04T00:00:00+00:00"
    assert call["factor"] == inputs.get("factor", 0.001)
    assert call["addend"] == 0.5
    assert call["direction"] == "import"
    assert call["dry_run"] is False
    assert len(call["prices"]) == 8
    start, end, price = last
    assert call["prices"][-1] == {
        "start": dt_util.parse_datetime(f"{start}+00:00"),
        "end": dt_util.parse_datetime(f"{end}+00:00"),
        "price": price,
    }
