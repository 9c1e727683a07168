"""Every dialogue of the integration, filled in and submitted in a real browser.

The meter is added, its options are changed, its connection is reconfigured, its key is
renewed, and a repair is submitted, with a mistake before where one can be made. Ends with
exit code 0 when each was saved as it was shown.

    .dev/next/bin/python -m tools.dialogues [--pictures FOLDER]
"""

from argparse import ArgumentParser, Namespace
import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
import sys
from typing import Any, Final

from .browser import Page, browser
from .home_assistant import HomeAssistant, home_assistant
from .process import ToolError
from .screenshots import TIME_ZONE, log_in, open_dialogue, speak, texts_in
from .simulator import Simulator, simulator
from .stage import DOMAIN, KEY, Meter, Stage, perform, say

PROFILE: Final = "mbus"
OTHER_PROFILE: Final = "gen3_demand"
OTHER_KEY: Final = "Other-key-of-a-meter"
TEXTS: Final[dict[str, Any]] = texts_in("en")
FORM: Final = "step-flow-form"
SUCCESS: Final = "was successful"
"""Home Assistant's own words at the end of such a dialogue."""
SECONDS: Final = 240  # for a dialogue; a key is asked for after a minute of refusals


async def _until(is_so: Callable[[], Awaitable[object]]) -> None:
    """Wait until something is so."""
    while True:
        if await is_so():
            return
        await asyncio.sleep(0.5)


class Visit:
    """A visit to the pages of a Home Assistant, by somebody with a meter."""

    def __init__(
        self,
        house: HomeAssistant,
        page: Page,
        source: Simulator,
        storage: Path,
        pictures: Path | None,
    ) -> None:
        """Start with no meter; storage is where Home Assistant stores things."""
        self.house = house
        self.page = page
        self.source = source
        self.meter: Meter | None = None
        self._storage = storage
        self._pictures = pictures

    async def picture(self, name: str) -> None:
        """Keep what the page looks like, if pictures are wanted."""
        if self._pictures is not None:
            await asyncio.to_thread(self._pictures.mkdir, parents=True, exist_ok=True)
            path = self._pictures / f"{name}.png"
            await asyncio.to_thread(path.write_bytes, await self.page.settled_picture())

    async def enter(self, selector: str, text: str) -> None:
        """Put a text into a field in place of what is there."""
        await self.page.shows(f"{selector} >>> input")
        await self.page.evaluate(
            f"(() => {{ const input = find('{selector} >>> input'); "
            "input.focus(); input.select(); })()"
        )
        await self.page.type(text)
        await self.page.evaluate("document.activeElement.blur()")

    async def submit(self, name: str) -> None:
        """Press Submit, with a picture of the form before."""
        await self.picture(name)
        await self.page.click("ha-button", "Submit")

    async def open(self, path: str) -> None:
        """Open a page of Home Assistant."""
        await self.page.open(f"{self.house.url}{path}")
        await self.page.shows("home-assistant-main")

    async def open_entry(self, button: str) -> None:
        """Open the integration's page and press a button of the entry."""
        assert self.meter is not None
        await self.open(f"/config/integrations/integration/{DOMAIN}")
        await self.page.shows("ha-config-entry-row", self.meter.title)
        await self.page.click("ha-config-entry-row >>> ha-icon-button", button)

    async def add(self) -> None:
        """Add the meter, after a key of the wrong format."""
        page = self.page
        await open_dialogue(self, "en")  # type: ignore[arg-type]
        await page.click("ha-selector-serial_port")
        await page.click("ha-combo-box-item", "Enter manually")
        # The list gives way to a field.
        await page.click("ha-selector-serial_port >>> ha-input")
        await page.type(self.source.port)
        await page.click(
            "ha-expansion-panel",
            TEXTS["config"]["step"]["user"]["sections"]["advanced"]["name"],
        )
        automatic = TEXTS["selector"]["security"]["options"]["automatic"]
        await page.shows("ha-selector-select", automatic)
        await self.enter("ha-selector-text", "short")
        await self.submit("setup")
        await page.shows(FORM, TEXTS["config"]["error"]["invalid_key_format"])
        await self.enter("ha-selector-text", KEY)
        await self.submit("setup_again")
        await page.shows("step-flow-create-entry")
        await self.picture("setup_done")
        (entry,) = await self.entries()
        self.meter = Meter(self.house.api, entry["entry_id"], entry["title"])
        await self.meter.learn_entities()

    async def entries(self) -> list[dict[str, Any]]:
        """Return the entries of the integration."""
        found: list[dict[str, Any]] = await self.house.api.command(
            "config_entries/get", domain=DOMAIN
        )
        return found

    async def choose_options(self) -> None:
        """Save the options as shown, then with other values."""
        assert self.meter is not None
        shown = {"import_history": True, "resync_automatically": True}
        stored: dict[str, Any] = {}
        for interval, switch_off in ((15, False), (20, True)):
            await self.open_entry("Configure")
            await self.enter("ha-selector-number", str(interval))
            if switch_off:
                await self.page.click("ha-selector-boolean >>> ha-switch")
                shown["resync_automatically"] = False
            await self.submit(f"options_{interval}")
            await self.page.shows("step-flow-create-entry")
            stored = await self.stored_options()
            if stored["scan_interval"] != interval or not shown.items() <= (
                stored.items()
            ):
                raise ToolError(f"The options were not saved as shown: {stored}.")
        say(f"  saved: {stored}")

    async def stored_options(self) -> dict[str, Any]:
        """Return the options as the form shows them, without its sections."""
        assert self.meter is not None
        form = await self.house.api.request(
            "POST",
            "config/config_entries/options/flow",
            {"handler": self.meter.entry_id},
        )
        values: dict[str, Any] = {}
        for field in form["data_schema"]:
            of_section = field["type"] == "expandable"
            values |= (
                field["default"] if of_section else {field["name"]: field["default"]}
            )
        return values

    async def reconfigure(self) -> None:
        """Change the connection, after a key of the wrong format."""
        await self.open_entry("Menu")
        await self.page.click("ha-dropdown-item", "Reconfigure")
        await self.enter("ha-selector-text", "short")
        await self.submit("reconfigure")
        await self.page.shows(FORM, TEXTS["config"]["error"]["invalid_key_format"])
        await self.enter("ha-selector-text", KEY)
        await self.submit("reconfigure_again")
        await self.page.shows("ha-dialog", SUCCESS)
        await self.picture("reconfigure_done")

    async def renew_key(self) -> None:
        """Let the meter have another key, and enter it when asked to."""
        assert self.meter is not None
        key = OTHER_KEY.encode()[:16].hex()
        await self.source.control("add_fault", spec=f"change_key:new_key={key}")
        await _until(partial(self.house.api.command, "config_entries/flow/progress"))
        await self.open("/config/integrations/dashboard")
        await self.picture("attention")
        await self.page.click("ha-button", "Reconfigure")
        await self.page.shows(
            "ha-dialog", TEXTS["config"]["step"]["reauth_confirm"]["title"]
        )
        await self.enter("ha-selector-text", KEY)
        await self.submit("renew_key")
        await self.page.shows(FORM, TEXTS["config"]["error"]["invalid_auth"])
        await self.enter("ha-selector-text", OTHER_KEY)
        await self.submit("renew_key_again")
        await self.page.shows("ha-dialog", SUCCESS)

    async def repair(self) -> None:
        """Let the meter get another configuration, and confirm that in the repair."""
        assert self.meter is not None
        # A change is noticed once the former configuration was read and stored.
        stored = self._storage / f"{DOMAIN}.{self.meter.entry_id}.memory"

        async def is_stored() -> bool:
            return stored.exists() and "layout" in stored.read_text()

        await _until(is_stored)
        await self.source.control("change_profile", profile=OTHER_PROFILE)
        issue = f"layout_changed_{self.meter.entry_id}"

        async def is_raised() -> bool:
            return issue in await self.house.api.issues(DOMAIN)

        async def is_cleared() -> bool:
            return not await is_raised()

        await _until(is_raised)
        await self.open("/config/repairs")
        await self.page.click("ha-list-item-button", self.meter.title)
        await self.page.shows("ha-dialog", "Before: firmware")
        await self.submit("repair")
        await _until(is_cleared)


async def run(options: Namespace, folder: Path) -> None:
    """Go through the dialogues, one after the other."""
    stage = Stage()
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        async with stage.step("Starting", 200):
            source = await enter(
                simulator(folder, key=KEY, device=folder / "meter", profile=PROFILE)
            )
            house = await enter(home_assistant(folder / "home"))
            page = await enter(browser(folder, time_zone=TIME_ZONE))
            await page.shape(900, 1000)
            await log_in(house, page)
            visit = Visit(
                house, page, source, folder / "home/.storage", options.pictures
            )
            await speak(visit, "en")  # type: ignore[arg-type]
        for what in (
            visit.add,
            visit.choose_options,
            visit.reconfigure,
            visit.renew_key,
            visit.repair,
        ):
            async with stage.step(what.__doc__ or "", SECONDS):
                try:
                    await what()
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
