"""Phases and wiring: from the meter to an automation."""

from dataclasses import replace
import re

import pytest

from homeassistant.core import HomeAssistant

from .common import (
    disable_all_but,
    entity_ids,
    make_entry,
    pass_time,
    set_up,
    states,
    tables,
)
from .driven_clock import DrivenClock
from .simulator import SimulatedMeter
from .triggers import follow

pytestmark = pytest.mark.usefixtures("enable_custom_integrations")


@pytest.mark.usefixtures("everything_enabled")
async def test_wiring(
    hass: HomeAssistant, host_clock: DrivenClock, meter: SimulatedMeter, url: str
) -> None:
    """Exchanged phases and a wrong wiring are shown within a quarter of an hour."""
    entry = await set_up(hass, make_entry(meter, url))
    before = states(hass, entry)
    assert before["absent_phases"] == before["miswiring"] == "none"
    assert before["phase_rotation"] == "l1_l2_l3"
    ids = entity_ids(hass, entry)
    calls = await follow(hass, ids["phase_rotation"], "l1_l2_l3", "l3_l2_l1")
    meter.rotation, meter.wiring = 1, 4
    await pass_time(hass, host_clock, 901)
    assert states(hass, entry)["miswiring"] == "same_phase"
    meter.rotation = 2
    await pass_time(hass, host_clock, 901)
    assert states(hass, entry)["phase_rotation"] == "unknown"
    assert [call.data["state"] for call in calls] == ["l3_l2_l1"]


@pytest.mark.parametrize(
    ("enabled", "wanted"), [("phase_rotation", ["ET04"]), ("miswiring", ["ET54"])]
)
@pytest.mark.usefixtures("everything_enabled")
async def test_only_what_is_shown_is_read(
    hass: HomeAssistant,
    host_clock: DrivenClock,
    meter: SimulatedMeter,
    url: str,
    enabled: str,
    wanted: list[str],
) -> None:
    """The wiring is read every 15 minutes while an enabled entity shows it."""
    entry = await set_up(hass, make_entry(meter, url))
    await disable_all_but(hass, entry, {enabled})
    await pass_time(hass, host_clock, 10)
    since = len(meter.requests)
    await pass_time(hass, host_clock, 800)
    assert not {"ET04", "ET54"}.intersection(tables(meter, since))
    await pass_time(hass, host_clock, 101)
    assert [t for t in tables(meter, since) if t in {"ET04", "ET54"}] == wanted


@pytest.mark.parametrize("profile", ["single_phase"])
@pytest.mark.parametrize("missing", [(), (2, 3)])
@pytest.mark.usefixtures("everything_enabled")
async def test_single_phase(
    hass: HomeAssistant, meter: SimulatedMeter, url: str, missing: tuple[int, ...]
) -> None:
    """A single-phase meter has no entities of other phases, whatever else it says."""
    meter.profile = replace(meter.profile, missing_phases=missing)
    entry = await set_up(hass, make_entry(meter, url))
    ids = entity_ids(hass, entry)
    assert "voltage_l1" in ids
    assert not any(re.search("_l[23]", key) for key in ids)
