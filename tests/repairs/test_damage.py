"""Many replies arrive damaged, though every poll succeeds."""

from custom_components.nes_mep.issues import LINK_DISTURBED
from homeassistant.core import State

from ..common import entity_ids
from ..simulator import Fault, SimulatedMeter
from .house import House


async def let_pass(
    house: House, meter: SimulatedMeter, polls: int, *, damaged: int
) -> None:
    """Let an hour pass with so many polls, the first ones with a damaged reply."""
    for poll in range(polls):
        if poll < damaged:
            meter.add_fault(Fault(kind="corrupt", at=-1, times=1))
        await house.pass_time(3600 / polls)
        assert not house.unavailable


def link(house: House) -> State:
    """Return the state of the link's event entity."""
    state = house.hass.states.get(entity_ids(house.hass, house.entry)["link"])
    assert state
    return state


async def test_many_damaged_replies(house: House, meter: SimulatedMeter) -> None:
    """They are told at once, and raise an issue if they go on for an hour."""
    await house.set_up()
    await let_pass(house, meter, 20, damaged=9)
    assert link(house).state == "unknown"

    await let_pass(house, meter, 20, damaged=12)
    told = link(house)
    assert told.attributes["event_type"] == "disturbed"
    assert told.attributes["damaged_replies"] == 10
    assert told.attributes["digest_failures"] >= 19
    assert not house.issues

    # A reload changes nothing.
    await house.reload()
    await let_pass(house, meter, 20, damaged=20)
    assert house.issues == {LINK_DISTURBED}
    assert link(house).state == told.state

    # It is over when there are few, not as soon as there are less.
    await let_pass(house, meter, 20, damaged=5)
    assert house.issues == {LINK_DISTURBED}
    await let_pass(house, meter, 20, damaged=2)
    assert not house.issues

    # The next time is told anew.
    await let_pass(house, meter, 20, damaged=12)
    assert link(house).state != told.state
    assert not house.issues


async def test_burst(house: House, meter: SimulatedMeter) -> None:
    """Damage that is over soon is told, and raises no issue."""
    await house.set_up()
    await let_pass(house, meter, 20, damaged=12)
    assert link(house).attributes["event_type"] == "disturbed"
    for _ in range(3):
        await let_pass(house, meter, 20, damaged=1)
    assert not house.issues


async def test_outage(house: House, meter: SimulatedMeter) -> None:
    """What fails as a whole is told as such, and its end as a recovery."""
    await house.set_up()
    fault = meter.add_fault(Fault(kind="corrupt", at=-1))
    for _ in range(3):
        await house.pass_time(60)
    assert link(house).attributes["event_type"] == "corrupted_reply"
    meter.clear_faults()
    assert fault.hits > 10
    await house.pass_time(7200)
    assert link(house).attributes["event_type"] == "recovered"
