"""A CT meter that does not tell the unit of its energies at once, with a real recorder."""

from itertools import pairwise

import pytest

from homeassistant.core import HomeAssistant

from ..common import entity_ids, make_entry, poll, set_up, states, unavailable
from ..simulator import Fault, SimulatedMeter
from ..values import NOON
from .house import House


@pytest.mark.parametrize("profile", ["ct", "vt"])
@pytest.mark.parametrize(
    ("code", "times"),
    # The client itself asks twice where the answer is 0B.
    [(0x04, 1), (0x0B, 6)],
)
async def test_no_step_in_the_statistics(
    house: House,
    hass: HomeAssistant,
    meter: SimulatedMeter,
    url: str,
    code: int,
    times: int,
) -> None:
    """Refused at the start and again after a restart: the sum is what was used."""

    def refuse() -> None:
        for table in ("ET55", "ET42", "BT20"):
            meter.add_fault(Fault(kind="refuse", table=table, code=code, times=times))

    def energy() -> float:
        truth = meter.truth()
        return truth[0] * truth["energy_unit"] / 1000

    refuse()
    entry = await set_up(hass, make_entry(meter, url, import_history=False))
    entity_id = entity_ids(hass, entry)["energy_import"]
    for _ in range(4):
        await poll(hass)
    assert not unavailable(hass, entry)
    shown: list[float] = []
    for _ in range(2):
        for _ in range(3):
            await house.step()
            shown.append(float(states(hass, entry)["energy_import"]))
            assert shown[-1] == energy()
        refuse()
        await hass.config_entries.async_reload(entry.entry_id)
        await house.settle()
    for _ in range(3):
        await house.step()
    assert states(hass, entry)["energy_import"] == str(energy())

    rows = await house.rows(entity_id, "5minute", NOON)
    sums = [row["sum"] for row in rows if row["sum"] is not None]
    assert sums == sorted(sums)
    assert sums[-1] - sums[0] == pytest.approx(energy() - shown[0], abs=0.02)
    steps = [later - sooner for sooner, later in pairwise(sums)]
    # Counted in 1 Wh, the register would be a tenth or less of what it is.
    assert max(steps) < shown[0] / 100
