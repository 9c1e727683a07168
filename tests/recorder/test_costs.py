"""Tests of the costs of imported hours, on a real recorder and with Energy."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockUser

from custom_components.nes_mep.const import DOMAIN
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import (
    HomeAssistantError,
    ServiceValidationError,
    Unauthorized,
)

from ..common import entity_ids, make_entry, own_log, set_up
from ..simulator import SimulatedMeter, serve_tcp
from ..values import NOON
from .costs import (
    PRICE,
    Tariff,
    cost_entity,
    expect_costs,
    hourly,
    import_costs,
    listed,
    live,
    quarterly,
    set_up_energy,
)
from .house import HOUR, House

MINUTE = timedelta(minutes=1)
RETURN = NOON + timedelta(hours=3, minutes=35)
"""When the meter is back after an outage that began at 13:05."""

type Outage = Callable[..., AbstractAsyncContextManager[dict[str, str]]]


def fixed(_time: datetime) -> float:
    """Return a price that never changes."""
    return 0.25


@pytest.fixture
def days() -> int:
    """Return how many days the meter remembers."""
    return 1


@pytest.fixture
def outage(
    socket_enabled: None, house: House, meter: SimulatedMeter, port: int
) -> Outage:
    """Return what lets an outage happen, and yields entity ids when it is over."""

    @asynccontextmanager
    async def happen(
        tariff: Tariff, source: dict[str, Any], **options: Any
    ) -> AsyncIterator[dict[str, str]]:
        async with serve_tcp(meter, port=port) as url:
            entry = await set_up(house.hass, make_entry(meter, url, **options))
            ids = entity_ids(house.hass, entry)
            named = {name: ids.get(str(value), value) for name, value in source.items()}
            await set_up_energy(house.hass, **named)
            await live(house, HOUR + 5 * MINUTE, tariff)
        await live(house, RETURN - house.now, tariff)
        async with serve_tcp(meter, port=port):
            yield ids

    return happen


@pytest.mark.parametrize(
    ("tariff", "source", "is_listed"),
    [
        (fixed, {"number_energy_price": 0.25}, False),
        (hourly, {"entity_energy_price": PRICE}, False),
        (quarterly, {"entity_energy_price": PRICE}, False),
        (quarterly, {"entity_energy_price": PRICE}, True),
    ],
    ids=["fixed", "hourly", "quarterly", "list"],
)
async def test_outage(
    house: House,
    meter: SimulatedMeter,
    outage: Outage,
    tariff: Tariff,
    source: dict[str, Any],
    is_listed: bool,
) -> None:
    """After an outage, each hour costs what it did, and all later hours as before."""
    async with outage(tariff, {"stat_energy_from": "energy_import", **source}) as ids:
        cost_id = cost_entity(house.hass, ids["energy_import"])
        await live(house, 40 * MINUTE, tariff)
        data = {}
        if is_listed:
            data = {"prices": listed(tariff, NOON - 30 * HOUR, NOON + 12 * HOUR)}
        before = await house.by_hour(cost_id)
        answer = await import_costs(house.hass, **data)
        await house.settle()
        found = await house.by_hour(cost_id)
        assert not answer["dry_run"]
        series = answer["series"][ids["energy_import"]]
        assert series["cost_entity"] == cost_id
        assert series["direction"] == "import"
        assert series["currency"] == "EUR"
        assert series["last_hour"] == (NOON + 3 * HOUR).isoformat()
        assert series["cost_after"] - series["cost_before"] == pytest.approx(
            sum(found.values()) - sum(before.values()), abs=1e-3
        )
        # The prices of an entity are known as long as it was seen; what uses nothing,
        # as the two hours before noon do, costs nothing.
        is_known = is_listed or tariff is fixed
        assert series["skipped_hours"] == ({} if is_known else {"no_price": 11})
        assert min(found) == NOON - (13 if is_known else 2) * HOUR
        await live(house, HOUR, tariff)
        await expect_costs(house, meter, cost_id, tariff)

        # Another price does not change what has been priced.
        found = await house.by_hour(cost_id)
        answer = await import_costs(house.hass, price=99)
        await house.settle()
        assert answer["hours_written"] == (0 if is_known else 11)
        again = await house.by_hour(cost_id)
        assert {hour: again[hour] for hour in found} == pytest.approx(found)


async def test_both_directions(
    house: House, meter: SimulatedMeter, outage: Outage
) -> None:
    """The export is compensated by its own price; only one can be asked for."""
    source = {
        "stat_energy_from": "energy_import",
        "entity_energy_price": PRICE,
        "stat_energy_to": "energy_export",
        "number_energy_price_export": 0.08,
    }
    async with outage(hourly, source) as ids:
        await live(house, 40 * MINUTE, hourly)
        # Which hours were imported is not forgotten.
        (entry,) = house.hass.config_entries.async_entries(DOMAIN)
        await house.hass.config_entries.async_reload(entry.entry_id)
        answer = await import_costs(house.hass, direction="export")
        assert answer["series"].keys() == {ids["energy_export"]}
        assert answer["series"][ids["energy_export"]]["price_source"] == {
            "origin": "energy",
            "price": 0.08,
            "price_entity": None,
        }
        prices = listed(hourly, NOON - 30 * HOUR, NOON + 12 * HOUR)
        answer = await import_costs(
            house.hass,
            prices=[{**each, "price": each["price"] * 1000 - 100} for each in prices],
            factor=0.001,
            addend=0.1,
        )
        assert answer["series"].keys() == {ids["energy_import"]}
        await house.settle()
        await expect_costs(
            house, meter, cost_entity(house.hass, ids["energy_import"]), hourly
        )
        await expect_costs(
            house,
            meter,
            cost_entity(house.hass, ids["energy_export"], "compensation"),
            lambda _time: 0.08,
            source=1,
        )


async def test_by_itself(
    house: House,
    meter: SimulatedMeter,
    outage: Outage,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With the option, costs follow each import as soon as they can be written."""
    source = {"stat_energy_from": "energy_import", "number_energy_price": 0.25}
    async with outage(fixed, source, import_costs=True) as ids:
        cost_id = cost_entity(house.hass, ids["energy_import"])
        assert (await house.by_hour(cost_id))[NOON + 2 * HOUR] == pytest.approx(0)
        await live(house, 40 * MINUTE, fixed)
        await expect_costs(house, meter, cost_id, fixed)
        told = [text for _, text in own_log(caplog) if "costs of" in text]
        assert len(told) == 2

        (entry,) = house.hass.config_entries.async_entries(DOMAIN)
        await house.hass.config_entries.async_reload(entry.entry_id)
        await live(house, HOUR, fixed)
        await expect_costs(house, meter, cost_id, fixed)
        assert told == [text for _, text in own_log(caplog) if "costs of" in text]


async def test_not_by_itself(
    house: House, outage: Outage, caplog: pytest.LogCaptureFixture
) -> None:
    """Without the option, imported hours get no costs until somebody asks for them."""
    source = {"stat_energy_from": "energy_import", "number_energy_price": 0.25}
    async with outage(fixed, source) as ids:
        cost_id = cost_entity(house.hass, ids["energy_import"])
        before = await house.by_hour(cost_id)
        await live(house, 40 * MINUTE, fixed)
        after = await house.by_hour(cost_id)
        assert min(after) == min(before)
        assert {hour: after[hour] for hour in before} == pytest.approx(before)
        assert len(await house.by_hour(ids["energy_import"])) > len(after)
        assert not [text for _, text in own_log(caplog) if "costs of" in text]


async def test_what_is_left_out(
    house: House, meter: SimulatedMeter, outage: Outage
) -> None:
    """Nothing is guessed: what cannot be priced stays, and the answer says why."""
    source = {"stat_energy_from": "energy_import", "entity_energy_price": PRICE}
    async with outage(quarterly, source) as ids:
        energy_id = ids["energy_import"]
        cost_id = cost_entity(house.hass, energy_id)
        await live(house, 10 * MINUTE, quarterly)
        before = await house.rows(cost_id), await house.rows(cost_id, "5minute")

        async def expect_nothing(
            skipped: dict[str, int] | None, **data: Any
        ) -> dict[str, Any]:
            answer = await import_costs(house.hass, **data)
            await house.settle()
            assert before == (
                await house.rows(cost_id),
                await house.rows(cost_id, "5minute"),
            )
            series: dict[str, Any] = answer["series"][energy_id]
            if skipped is not None:
                assert series["skipped_hours"] == skipped
                assert answer["hours_written"] == 0
            return series

        # The hour of the return goes on.
        outage_hours = {
            "start": (NOON + HOUR).isoformat(),
            "end": (NOON + 3 * HOUR).isoformat(),
        }
        await expect_nothing({"not_back_yet": 3}, **outage_hours)
        await live(house, 30 * MINUTE, quarterly)
        before = await house.rows(cost_id), await house.rows(cost_id, "5minute")

        # Just a try.
        tried = await expect_nothing(None, **outage_hours, dry_run=True)
        assert tried["hours_written"] == 2
        assert tried["first_hour"] == (NOON + 2 * HOUR).isoformat()
        assert tried["last_hour"] == (NOON + 3 * HOUR).isoformat()

        # One quarter of an hour without a price.
        prices = listed(quarterly, NOON, NOON + 6 * HOUR)
        del prices[9]
        await expect_nothing({"no_price": 3}, **outage_hours, prices=prices)
        await expect_nothing({"no_price": 3}, **outage_hours, prices=[])
        await expect_nothing(
            {"no_price": 3}, **outage_hours, price_entity="sensor.unheard_of"
        )

        # Energy records nothing in another currency.
        await house.hass.config.async_update(currency="DKK")
        await expect_nothing({"other_currency": 3}, **outage_hours)
        await house.hass.config.async_update(currency="EUR")

        # A price of one's own counts for the gap, and for nothing else.
        answer = await import_costs(house.hass, **outage_hours, price=1)
        await house.settle()
        assert answer["series"][energy_id]["hours_written"] == 2
        found = await house.by_hour(cost_id)
        energy = await house.by_hour(energy_id)
        assert found == pytest.approx(
            {row["start"]: row["change"] for row in before[0]}
            | {NOON + n * HOUR: energy[NOON + n * HOUR] for n in (2, 3)}
        )


@pytest.mark.parametrize(
    "source",
    [
        {},
        {"number_energy_price": 0.25, "stat_cost": "sensor.own_cost"},
    ],
)
async def test_no_cost_entity(
    house: House, meter: SimulatedMeter, url: str, source: dict[str, Any]
) -> None:
    """Where Energy counts no costs itself, there is nothing to write to."""
    entry = await set_up(house.hass, make_entry(meter, url))
    energy_id = entity_ids(house.hass, entry)["energy_import"]
    await set_up_energy(house.hass, stat_energy_from=energy_id, **source)
    await house.pass_time(HOUR + 15 * MINUTE)
    answer = await import_costs(house.hass, price=0.25)
    assert answer["hours_written"] == 0
    assert answer["series"][energy_id]["cost_entity"] is None
    assert answer["series"][energy_id]["skipped_hours"] == {"no_cost_series": 14}


@pytest.mark.parametrize(
    "recorder_config",
    [{"exclude": {"entity_globs": ["sensor.*_cost"]}}],
)
async def test_excluded_cost_entity(
    house: House, meter: SimulatedMeter, url: str
) -> None:
    """A cost entity that the recorder leaves out has no statistics."""
    entry = await set_up(house.hass, make_entry(meter, url))
    energy_id = entity_ids(house.hass, entry)["energy_import"]
    await set_up_energy(
        house.hass, stat_energy_from=energy_id, number_energy_price=0.25
    )
    await house.pass_time(HOUR + 15 * MINUTE)
    answer = await import_costs(house.hass)
    assert answer["series"][energy_id]["cost_entity"] == cost_entity(
        house.hass, energy_id
    )
    assert answer["series"][energy_id]["skipped_hours"] == {"no_cost_series": 14}


async def test_cost_entity_of_later(
    house: House, meter: SimulatedMeter, url: str
) -> None:
    """Where Energy is told a price later, the hours before are priced as well."""
    entry = await set_up(house.hass, make_entry(meter, url))
    energy_id = entity_ids(house.hass, entry)["energy_import"]
    await live(house, 100 * MINUTE, hourly)
    await set_up_energy(
        house.hass, stat_energy_from=energy_id, entity_energy_price=PRICE
    )
    await live(house, 90 * MINUTE, hourly)
    cost_id = cost_entity(house.hass, energy_id)
    assert min(await house.by_hour(cost_id)) == NOON + HOUR
    await import_costs(
        house.hass, prices=listed(hourly, NOON - 30 * HOUR, NOON + 12 * HOUR)
    )
    await house.settle()
    assert min(await house.by_hour(cost_id)) < NOON
    await expect_costs(house, meter, cost_id, hourly)


@pytest.mark.parametrize("with_energy", [False, True])
async def test_not_in_energy(
    house: House, meter: SimulatedMeter, url: str, with_energy: bool
) -> None:
    """Without the meter in Energy, the action says so."""
    await set_up(house.hass, make_entry(meter, url))
    if with_energy:
        await set_up_energy(house.hass, stat_energy_from="sensor.other")
    with pytest.raises(HomeAssistantError, match="No grid connection"):
        await import_costs(house.hass)


QUARTER = {"start": NOON.isoformat(), "end": (NOON + 15 * MINUTE).isoformat()}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"start": QUARTER["end"], "end": QUARTER["start"]}, "must be before"),
        (
            {"prices": [{**QUARTER, "price": 1}, {**QUARTER, "price": 2}]},
            "two prices for 2026-06-21T12:00:00",
        ),
        ({"prices": [{**QUARTER, "price": "nan"}]}, "finite"),
        ({"prices": [QUARTER]}, "price"),
        ({"start": "0001-01-01 00:00:00"}, "year must be"),
        ({"end": "9999-12-31 23:59:59"}, "year must be"),
        ({"price": 1, "price_entity": PRICE}, "price"),
        ({"direction": "sideways"}, "direction|Direction"),
    ],
)
@pytest.mark.usefixtures("enable_custom_integrations")
async def test_mistakes(
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    data: dict[str, Any],
    message: str,
) -> None:
    """What cannot be meant is refused."""
    await set_up(hass, make_entry(meter, url))
    with pytest.raises((ServiceValidationError, Exception), match=message):
        await import_costs(hass, **data)


@pytest.mark.usefixtures("enable_custom_integrations")
async def test_administrators_only(
    hass: HomeAssistant, hass_read_only_user: MockUser, meter: SimulatedMeter, url: str
) -> None:
    """Who may not change settings may not change costs."""
    entry = await set_up(hass, make_entry(meter, url))
    with pytest.raises(Unauthorized):
        await hass.services.async_call(
            DOMAIN,
            "import_costs",
            {"config_entry_id": entry.entry_id},
            blocking=True,
            context=Context(user_id=hass_read_only_user.id),
        )


@pytest.mark.usefixtures("enable_custom_integrations")
async def test_without_recorder(
    hass: HomeAssistant, meter: SimulatedMeter, url: str
) -> None:
    """Without statistics there are no costs."""
    await set_up(hass, make_entry(meter, url))
    with pytest.raises(HomeAssistantError, match="records no statistics"):
        await import_costs(hass)
