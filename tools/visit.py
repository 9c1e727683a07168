"""A visit to the pages of a Home Assistant, whose dialogues are filled in as people do."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from .browser import Page
from .home_assistant import HomeAssistant
from .screenshots import open_dialogue, texts_in
from .simulator import Simulator
from .stage import DOMAIN, Meter

TEXTS: Final[dict[str, Any]] = texts_in("en")
OTHER_KEY: Final = "Other-key-of-a-meter"
FORM: Final = "step-flow-form"
SUCCESS: Final = "was successful"
"""Home Assistant's own words at the end of such a dialogue."""


async def until(is_so: Callable[[], Awaitable[object]]) -> None:
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
        head: Path,
        storage: Path,
        pictures: Path | None,
    ) -> None:
        """Start with no meter.

        head is the device at the optical port of the meter that source is, and storage
        where Home Assistant stores things.
        """
        self.house = house
        self.page = page
        self.source = source
        self.head = head
        self.meter: Meter | None = None
        self.storage = storage
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

    async def entries(self) -> list[dict[str, Any]]:
        """Return the entries of the integration."""
        found: list[dict[str, Any]] = await self.house.api.command(
            "config_entries/get", domain=DOMAIN
        )
        return found

    async def open_setup(self, port: str) -> None:
        """Open the dialogue that adds a meter, and enter a port."""
        await open_dialogue(self, "en")  # type: ignore[arg-type]
        await self.enter_port(port)

    async def enter_port(self, port: str) -> None:
        """Enter a port by hand."""
        manually = "Enter manually"
        # The list does not open before Home Assistant has told of its ports.
        while not await self.page.evaluate(
            f"!!find('ha-combo-box-item', '{manually}')"
        ):
            await self.page.click("ha-selector-serial_port >>> ha-picker-field")
            await asyncio.sleep(1)
        await self.page.click("ha-combo-box-item", manually)
        # The list gives way to a field.
        await self.enter("ha-selector-serial_port >>> ha-input", port)

    async def choose_port_of_meter(self, option: str) -> None:
        """Choose which port of the meter it is."""
        texts = TEXTS["config"]["step"]["user"]["data"]
        chosen = TEXTS["selector"]["meter_port"]["options"][option]
        # The field, as the middle of the whole may be in the text below it.
        await self.page.shows("ha-selector-select >>> ha-select", texts["meter_port"])
        await self.page.click("ha-selector-select >>> ha-picker-field")
        await self.page.click("ha-dropdown-item", chosen)
        await self.page.shows("ha-selector-select >>> ha-select", chosen)

    async def reconfigure(self) -> None:
        """Open the dialogue that changes the connection."""
        await self.open_entry("Menu")
        await self.page.click("ha-dropdown-item", "Reconfigure")

    async def error(self, name: str) -> None:
        """Wait until a form says what is wrong."""
        await self.page.shows(FORM, TEXTS["config"]["error"][name])

    async def meet_meter(self, picture: str) -> None:
        """Wait until a dialogue has added a meter, and get to know it."""
        await self.page.shows("step-flow-create-entry")
        await self.picture(picture)
        entry = (await self.entries())[-1]
        self.meter = Meter(self.house.api, entry["entry_id"], entry["title"])
        await self.meter.learn_entities()
