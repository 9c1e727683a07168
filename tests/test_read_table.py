"""Tests of the action that reads a table."""

from typing import Any

import pytest
import voluptuous as vol

from custom_components.nes_mep.const import DOMAIN
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError

from .common import make_entry, set_up, states
from .simulator import SimulatedMeter

pytestmark = pytest.mark.usefixtures("enable_custom_integrations")


async def read_table(hass: HomeAssistant, **data: Any) -> dict[str, Any]:
    """Perform the action on the only meter and return its answer."""
    (entry,) = hass.config_entries.async_entries(DOMAIN)
    answer = await hass.services.async_call(
        DOMAIN,
        "read_table",
        {"config_entry_id": entry.entry_id, **data},
        blocking=True,
        return_response=True,
    )
    assert isinstance(answer, dict)
    return answer


@pytest.mark.parametrize("name", ["BT23", "bt23", "23", 23, "0x17"])
async def test_registers(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, name: str | int
) -> None:
    """A part of the registers comes as bytes, and as what they mean."""
    entry = await set_up(hass, make_entry(meter, url))
    answer = await read_table(hass, table=name, count=8)
    assert answer == {
        "table": "BT23",
        "offset": 0,
        "length": 8,
        "data": meter.table(23)[:8].hex(),
        "decoded": {
            key: float(states(hass, entry)[key])
            for key in ("energy_import", "energy_export")
        },
    }


@pytest.mark.parametrize(
    ("name", "number", "found"),
    [
        ("BT01", 1, {"manufacturer": "NES"}),
        ("BT15", 15, {}),
        ("BT21", 21, {"summations": 11, "tiers": 4}),
        ("BT22", 22, {"summations": [0, 1, 2, 3, 4, 5, 6, 7, 26, 27, 28]}),
        ("BT27", 27, {"demands": []}),
        ("BT52", 52, {"time": "2026-06-21T12:00:00+00:00"}),
        ("BT55", 55, {}),
        ("BT03", 3, {"clock_error": False}),
        ("ET03", 2051, {"serial_number": "20260217"}),
        ("ET04", 2052, {}),
        ("ET42", 2090, {}),
    ],
)
async def test_known_tables(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    name: str,
    number: int,
    found: dict[str, Any],
) -> None:
    """A table that is known comes with what it means; all of it without a count."""
    await set_up(hass, make_entry(meter, url))
    answer = await read_table(hass, table=name)
    # ET04 has the sequence number, which went on meanwhile.
    assert answer["data"][:100] == meter.table(number).hex()[:100]
    assert answer["length"] == len(meter.table(number))
    assert isinstance(answer["decoded"], dict)
    assert found.items() <= answer["decoded"].items()


async def test_not_understood(
    hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """What is not known, or not whole, comes as bytes alone."""
    await set_up(hass, make_entry(meter, url))
    assert (await read_table(hass, table="BT21", count=3))["decoded"] is None
    assert (await read_table(hass, table="BT21", offset=3))["decoded"] is None
    answer = await read_table(hass, table="BT23", offset=2, count=3)
    assert answer["decoded"] is None
    assert answer["data"] == meter.table(23)[2:5].hex()
    assert (await read_table(hass, table="BT64", count=20))["length"] == 20


@pytest.mark.parametrize("name", ["BT", "CT23", "BT99999", "-1", "energy"])
async def test_no_table(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, name: str
) -> None:
    """What is no table is a mistake of the user, and nothing is asked of the meter."""
    await set_up(hass, make_entry(meter, url))
    asked = len(meter.requests)
    with pytest.raises(ServiceValidationError, match="is not a table"):
        await read_table(hass, table=name)
    assert len(meter.requests) == asked


@pytest.mark.parametrize(
    "wrong", [{"offset": -1}, {"count": 0}, {"offset": 1 << 24}, {}]
)
async def test_wrong_fields(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, wrong: dict[str, int]
) -> None:
    """Impossible numbers, and no table at all, are refused."""
    await set_up(hass, make_entry(meter, url))
    with pytest.raises(vol.Invalid):
        await read_table(hass, **({"table": "BT23", **wrong} if wrong else {}))


@pytest.mark.parametrize(
    ("fault", "asked", "text"),
    [
        (
            None,
            {"table": "BT99", "count": 1},
            "does not have this table, or the table is",
        ),
        (
            None,
            {"table": "BT21", "count": 11},
            "does not have this table, or the table is",
        ),
        (
            None,
            {"table": "BT21", "offset": 10},
            "does not have this table, or the table is",
        ),
        (
            "code=3",
            {"table": "BT23", "count": 4},
            "does not allow this key to read that",
        ),
        ("code=4", {"table": "BT23", "count": 4}, "cannot answer that right now"),
        ("code=1", {"table": "BT23", "count": 4}, "its replies cannot be used"),
    ],
)
async def test_refused(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    fault: str | None,
    asked: dict[str, Any],
    text: str,
) -> None:
    """What the meter refuses is told with the meter's reason, and what to do."""
    await set_up(hass, make_entry(meter, url))
    if fault:
        meter.add_fault(f"refuse:table=BT23,{fault}")
    with pytest.raises(HomeAssistantError, match=text) as caught:
        await read_table(hass, **asked)
    assert f"refuses {asked['table']}" in str(caught.value)
