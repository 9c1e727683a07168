"""The dialogues of the optical port, for tools.dialogues: filled in as an owner does."""

from typing import Final

from .process import ToolError
from .simulator import READ_KEY, Simulator, simulator
from .stage import UNUSABLE, say
from .visit import OTHER_KEY, SUCCESS, TEXTS, Visit, until

PROFILE: Final = "gen4"
WRONG_KEY: Final = "RK-of-another-meter"
NEW_KEY: Final = "The-new-RK"


async def _wrong_keys(source: Simulator) -> int:
    """Return how many wrong keys the simulated meter has counted."""
    return int((await source.control("optical_statistics"))["refused_keys"])


async def _expect_wrong_keys(source: Simulator, count: int) -> None:
    if (counted := await _wrong_keys(source)) != count:
        raise ToolError(f"The meter was shown {counted} wrong keys instead of {count}.")
    say(f"  wrong keys that the meter has counted: {count}")


async def _enter_wrong_key_twice(visit: Visit, source: Simulator, name: str) -> None:
    """Enter a wrong key, and once more: the meter sees it once."""
    before = await _wrong_keys(source)
    for time, error in enumerate(("refused", "refused_before")):
        await visit.enter("ha-selector-text", WRONG_KEY)
        await visit.submit(f"{name}_{time}")
        await visit.error(f"optical_key_{error}")
        await _expect_wrong_keys(source, before + 1)


async def move_to_optical_port(visit: Visit) -> None:
    """Read the same meter at its optical port, with the key that belongs there."""
    await visit.reconfigure()
    await visit.enter_port(str(visit.head))
    await visit.choose_port_of_meter("optical")
    await visit.submit("optical_without_key")
    await visit.error("key_required")
    await visit.enter("ha-selector-text", READ_KEY)
    await visit.submit("optical")
    await visit.page.shows(
        "ha-dialog", TEXTS["config"]["abort"]["reconfigured_beside_mep"]
    )
    await visit.picture("optical_done")
    await _expect_readings(visit)
    await _expect_wrong_keys(visit.source, 0)


async def _expect_readings(visit: Visit) -> None:
    """Wait until the meter is read."""
    assert visit.meter is not None
    await visit.meter.learn_entities()
    power = visit.meter.entity_id("power_import")
    await visit.meter.settled(lambda states: states[power]["state"] not in UNUSABLE)


async def renew_read_key(visit: Visit) -> None:
    """Let the optical port have another key, and enter it when asked to."""
    key = NEW_KEY.encode().hex()
    await visit.source.control("optical_add_fault", spec=f"change_key:new_key={key}")

    async def is_asked() -> bool:
        return bool(await visit.house.api.command("config_entries/flow/progress"))

    await until(is_asked)
    await _expect_wrong_keys(visit.source, 1)
    await visit.open("/config/integrations/dashboard")
    await visit.page.click("ha-button", "Reconfigure")
    await visit.page.shows(
        "ha-dialog", TEXTS["config"]["step"]["reauth_optical"]["title"]
    )
    await _enter_wrong_key_twice(visit, visit.source, "renew_read_key")
    await visit.enter("ha-selector-text", NEW_KEY)
    await visit.submit("renew_read_key")
    await visit.page.shows("ha-dialog", SUCCESS)
    await _expect_readings(visit)


async def move_back(visit: Visit) -> None:
    """Read the meter at its MEP again."""
    await visit.reconfigure()
    await visit.enter_port(visit.source.port)
    await visit.choose_port_of_meter("mep")
    await visit.enter("ha-selector-text", OTHER_KEY)
    await visit.submit("back_at_mep")
    # It answers, and knows no TLS.
    await visit.page.shows(
        "ha-dialog", TEXTS["config"]["abort"]["reconfigured_refused_tls"]
    )
    await _expect_readings(visit)


async def add_by_choice_and_detection(visit: Visit) -> None:
    """Add another meter at its optical port, by choice and, once removed, by detection."""
    folder = visit.head.parent / "other"
    folder.mkdir()
    async with simulator(
        folder,
        key=READ_KEY,
        device=folder / "head",
        profile=PROFILE,
        link="optical",
    ) as source:
        await visit.open_setup(source.port)
        await visit.choose_port_of_meter("optical")
        await _enter_wrong_key_twice(visit, source, "by_choice")
        await visit.enter("ha-selector-text", READ_KEY)
        await visit.submit("by_choice")
        await visit.meet_meter("by_choice_done")
        await _expect_readings(visit)
        await _remove(visit)

        await visit.open_setup(source.port)
        await visit.enter("ha-selector-text", WRONG_KEY)
        await visit.submit("to_be_detected")
        await visit.page.shows("ha-dialog", TEXTS["config"]["step"]["optical"]["title"])
        await _expect_wrong_keys(source, 1)
        await _enter_wrong_key_twice(visit, source, "detected")
        await visit.enter("ha-selector-text", READ_KEY)
        await visit.submit("detected")
        await visit.meet_meter("detected_done")
        await _expect_readings(visit)
        await _remove(visit)


async def _remove(visit: Visit) -> None:
    """Remove the meter that was added last."""
    assert visit.meter is not None
    await visit.house.api.request(
        "DELETE", f"config/config_entries/entry/{visit.meter.entry_id}"
    )


OPTICAL_DIALOGUES: Final = (
    move_to_optical_port,
    renew_read_key,
    move_back,
    add_by_choice_and_detection,
)
