"""Every dialogue of the integration, filled in and submitted in a real browser.

The meter is added, its options are changed, its connection is reconfigured, its key is
renewed, and a repair is submitted, with a mistake before where one can be made. The same is
done at its optical port, whose simulated meter counts the wrong keys. Ends with exit code 0
when each was saved as it was shown.

    .dev/next/bin/python -m tools.dialogues [--pictures FOLDER]
"""

from argparse import ArgumentParser, Namespace
import asyncio
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
import sys
from typing import Any, Final

from .browser import browser
from .home_assistant import home_assistant
from .optical_dialogues import OPTICAL_DIALOGUES
from .process import ToolError
from .screenshots import TIME_ZONE, log_in, speak
from .simulator import simulator
from .stage import DOMAIN, KEY, Stage, perform, say
from .visit import OTHER_KEY, SUCCESS, TEXTS, Visit, until

PROFILE: Final = "mbus"
OTHER_PROFILE: Final = "gen3_demand"
SECONDS: Final = 240  # for a dialogue; a key is asked for after a minute of refusals


async def add(visit: Visit) -> None:
    """Add the meter, after a key of the wrong format."""
    page = visit.page
    await visit.open_setup(visit.source.port)
    await page.click(
        "ha-expansion-panel",
        TEXTS["config"]["step"]["user"]["sections"]["advanced"]["name"],
    )
    automatic = TEXTS["selector"]["security"]["options"]["automatic"]
    await page.shows("ha-selector-select", automatic)
    await visit.enter("ha-selector-text", "short")
    await visit.submit("setup")
    await visit.error("invalid_key_format")
    await visit.enter("ha-selector-text", KEY)
    await visit.submit("setup_again")
    await visit.meet_meter("setup_done")


async def choose_options(visit: Visit) -> None:
    """Save the options as shown, then with other values."""
    assert visit.meter is not None
    shown = {"import_history": True, "resync_automatically": True}
    stored: dict[str, Any] = {}
    for interval, switch_off in ((15, False), (20, True)):
        await visit.open_entry("Configure")
        await visit.enter("ha-selector-number", str(interval))
        if switch_off:
            await visit.page.click("ha-selector-boolean >>> ha-switch")
            shown["resync_automatically"] = False
        await visit.submit(f"options_{interval}")
        await visit.page.shows("step-flow-create-entry")
        stored = await stored_options(visit)
        if stored["scan_interval"] != interval or not shown.items() <= (stored.items()):
            raise ToolError(f"The options were not saved as shown: {stored}.")
    say(f"  saved: {stored}")


async def stored_options(visit: Visit) -> dict[str, Any]:
    """Return the options as the form shows them, without its sections."""
    assert visit.meter is not None
    form = await visit.house.api.request(
        "POST",
        "config/config_entries/options/flow",
        {"handler": visit.meter.entry_id},
    )
    values: dict[str, Any] = {}
    for field in form["data_schema"]:
        of_section = field["type"] == "expandable"
        values |= field["default"] if of_section else {field["name"]: field["default"]}
    return values


async def reconfigure(visit: Visit) -> None:
    """Change the connection, after a key of the wrong format."""
    await visit.reconfigure()
    await visit.enter("ha-selector-text", "short")
    await visit.submit("reconfigure")
    await visit.error("invalid_key_format")
    await visit.enter("ha-selector-text", KEY)
    await visit.submit("reconfigure_again")
    await visit.page.shows("ha-dialog", SUCCESS)
    await visit.picture("reconfigure_done")


async def renew_key(visit: Visit) -> None:
    """Let the meter have another key, and enter it when asked to."""
    assert visit.meter is not None
    key = OTHER_KEY.encode()[:16].hex()
    await visit.source.control("add_fault", spec=f"change_key:new_key={key}")
    await until(partial(visit.house.api.command, "config_entries/flow/progress"))
    await visit.open("/config/integrations/dashboard")
    await visit.picture("attention")
    await visit.page.click("ha-button", "Reconfigure")
    await visit.page.shows(
        "ha-dialog", TEXTS["config"]["step"]["reauth_confirm"]["title"]
    )
    await visit.enter("ha-selector-text", KEY)
    await visit.submit("renew_key")
    await visit.error("invalid_auth")
    await visit.enter("ha-selector-text", OTHER_KEY)
    await visit.submit("renew_key_again")
    await visit.page.shows("ha-dialog", SUCCESS)


async def repair(visit: Visit) -> None:
    """Let the meter get another configuration, and confirm that in the repair."""
    assert visit.meter is not None
    # A change is noticed once the former configuration was read and stored.
    stored = visit.storage / f"{DOMAIN}.{visit.meter.entry_id}.memory"

    async def is_stored() -> bool:
        return stored.exists() and "layout" in stored.read_text()

    await until(is_stored)
    await visit.source.control("change_profile", profile=OTHER_PROFILE)
    issue = f"layout_changed_{visit.meter.entry_id}"

    async def is_raised() -> bool:
        return issue in await visit.house.api.issues(DOMAIN)

    async def is_cleared() -> bool:
        return not await is_raised()

    await until(is_raised)
    await visit.open("/config/repairs")
    await visit.page.click("ha-list-item-button", visit.meter.title)
    await visit.page.shows("ha-dialog", "Before: firmware")
    await visit.submit("repair")
    await until(is_cleared)


async def run(options: Namespace, folder: Path) -> None:
    """Go through the dialogues, one after the other."""
    stage = Stage()
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        async with stage.step("Starting", 200):
            source = await enter(
                simulator(
                    folder,
                    key=KEY,
                    device=folder / "meter",
                    head=folder / "head",
                    profile=PROFILE,
                )
            )
            house = await enter(home_assistant(folder / "home"))
            page = await enter(browser(folder, time_zone=TIME_ZONE))
            await page.shape(900, 1000)
            await log_in(house, page)
            visit = Visit(
                house,
                page,
                source,
                folder / "head",
                folder / "home/.storage",
                options.pictures,
            )
            await speak(visit, "en")  # type: ignore[arg-type]
        for what in (
            add,
            choose_options,
            reconfigure,
            renew_key,
            repair,
            *OPTICAL_DIALOGUES,
        ):
            async with stage.step(what.__doc__ or "", SECONDS):
                try:
                    await what(visit)
                except ToolError, asyncio.CancelledError:
                    await visit.picture("failed")
                    raise
    say(f"\nDone in {stage.seconds:.0f} s.")


def main() -> int:
    """Run the program."""
    parser = ArgumentParser(prog="python -m tools.dialogues", description=__doc__)
    parser.add_argument("--pictures", type=Path, help="keep pictures in this folder")
    return asyncio.run(perform(partial(run, parser.parse_args())))


if __name__ == "__main__":
    sys.exit(main())
