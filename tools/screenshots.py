"""`scripts/screenshots`: the pictures in docs/images, taken in a real browser.

A real Home Assistant with the simulated meter shows its pages as people see them. Only
the page behind a dialogue is left out.
"""

from argparse import ArgumentParser, Namespace
import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from io import BytesIO
import json
from pathlib import Path
import sys
from tempfile import TemporaryDirectory
from typing import Any, Final

from PIL import Image

from .browser import Box, Page, browser
from .demo import check_log, set_up_energy_dashboard
from .furnish import (
    AUTOMATION,
    DASHBOARD,
    TRIGGER,
    add_automation,
    add_dashboard,
    device_of,
    give_past,
    ignore_issues,
    live,
)
from .home_assistant import INTEGRATION, ROOT, HomeAssistant, home_assistant
from .process import ToolError, cancel_on_signals
from .simulator import Simulator, simulator
from .stage import DOMAIN, KEY, Meter, say, show_tail

FOLDER: Final = ROOT / "docs" / "images"
PROFILE: Final = "gen3"
TIME_ZONE: Final = "Europe/Copenhagen"
SECONDS: Final = 1800  # for everything
COLOURS: Final = 255
MARGIN: Final = 24  # around a dialogue

#: Where an owner would find the meter in the network.
PORT: Final = "socket://192.168.1.20:8888"

DIALOGUE: Final = "step-flow-form"
NAME: Final = "NES smart meter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Studio:
    """What is in front of the camera."""

    house: HomeAssistant
    page: Page
    meter: Meter
    device_id: str


type Shot = Callable[[Studio], Awaitable[Box | None]]
type Preparation = Callable[[Meter, Simulator], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture: the size of the window, and how to get there.

    `shoot` returns the part of the page to show, None for the whole window. Text is
    sharper at a higher `scale`. `prepare` is what has to happen in the house before.
    """

    shoot: Shot
    prepare: Preparation | None = None
    width: int = 1100
    height: int = 800
    scale: float = 1.5
    dark: bool = False


# How the pages are brought into view


async def open_page(studio: Studio, path: str) -> None:
    """Open a page of Home Assistant and wait until it is there."""
    await studio.page.open(f"{studio.house.url}{path}")
    await studio.page.shows("home-assistant-main")
    await studio.page.until(
        "!document.querySelector('#ha-launch-screen')", "more than the launch screen"
    )


async def open_dialogue(studio: Studio, language: str) -> Box:
    """Open the dialogue that adds a meter and return where it is."""
    page = studio.page
    await open_page(studio, f"/config/integrations/dashboard/add?domain={DOMAIN}")
    await page.click("ha-button[slot=primaryAction]")
    texts = texts_in(language)["config"]["step"]["user"]
    await page.shows("ha-dialog", texts["title"])
    await page.shows(DIALOGUE, texts["data_description"]["key"])
    # The page behind is grey and cut off: it would only distract.
    await page.evaluate('find("partial-panel-resolver").style.visibility = "hidden"')
    await page.point_away()
    return await page.box("dialog[open]")


async def shoot_setup(studio: Studio) -> Box:
    """Show the dialogue that adds a meter, filled in."""
    page = studio.page
    await open_dialogue(studio, "en")
    await page.click("ha-selector-serial_port")
    await page.click("ha-combo-box-item", "Enter manually")
    await page.click("ha-selector-serial_port >>> ha-input")
    await page.type(PORT)
    await page.click("ha-selector-text")
    await page.type(KEY)
    await page.evaluate("document.activeElement.blur()")
    return (await page.box("dialog[open]")).grown(MARGIN)


async def shoot_integration(studio: Studio) -> None:
    """Show the page of the integration."""
    await open_page(studio, f"/config/integrations/integration/{DOMAIN}")
    await studio.page.shows("ha-config-entry-row", studio.meter.title)


async def shoot_device(studio: Studio) -> Box:
    """Show the page of the device, down to the end of its sensors."""
    page = studio.page
    await open_page(studio, f"/config/devices/device/{studio.device_id}")
    await page.shows("ha-logbook", "Active tariff")
    card = await page.box("ha-device-entities-card", "Energy import")
    width = await page.evaluate("innerWidth")
    return Box(x=0, y=0, width=width, height=card.y + card.height + MARGIN / 2)


async def shoot_energy(studio: Studio) -> None:
    """Show yesterday in the Energy dashboard."""
    page = studio.page
    await open_page(studio, "/energy/electricity")
    await page.shows("hui-energy-usage-graph-card")
    await page.click("ha-icon-button", "Previous")
    await page.point_away()


async def shoot_dashboard(studio: Studio) -> None:
    """Show the dashboard of docs/dashboard.yaml."""
    page = studio.page
    await open_page(studio, f"/{DASHBOARD}/meter")
    await page.shows("hui-statistics-graph-card")
    await page.point_away()


async def shoot_automation(studio: Studio) -> None:
    """Show an automation with a trigger and an action of ours."""
    page = studio.page
    await open_page(studio, f"/config/automation/edit/{AUTOMATION}")
    # A trigger that is opened before it is described would show as YAML.
    await page.settled_picture()
    await page.click("ha-automation-trigger-row")
    await page.shows(
        "ha-automation-sidebar", texts_in("en")["triggers"][TRIGGER]["name"]
    )
    await page.point_away()


async def shoot_triggers(studio: Studio) -> None:
    """Show the triggers that the automation editor offers for the integration."""
    page = studio.page
    await shoot_automation(studio)
    await page.click("ha-button", "Add trigger")
    await page.click("button", "By type")
    await page.evaluate(f"find('ha-list-item-button', '{NAME}').scrollIntoView()")
    await page.click("ha-list-item-button", NAME)
    for trigger in texts_in("en")["triggers"].values():
        await page.shows("add-automation-element-dialog", trigger["name"])
    await page.point_away()


PICTURES: Final[dict[str, Picture]] = {
    "setup": Picture(shoot=shoot_setup, width=628, height=860, scale=2),
    "integration": Picture(shoot=shoot_integration, height=460),
    "device": Picture(shoot=shoot_device, prepare=live, height=1100),
    "automation": Picture(shoot=shoot_automation, prepare=add_automation),
    "triggers": Picture(shoot=shoot_triggers, prepare=add_automation),
    "energy": Picture(shoot=shoot_energy, prepare=give_past, width=1140, height=890),
    "dashboard": Picture(
        shoot=shoot_dashboard,
        prepare=add_dashboard,
        width=1240,
        height=840,
        scale=1.25,
    ),
    "energy_dark": Picture(
        shoot=shoot_energy, prepare=give_past, width=1140, height=890, dark=True
    ),
}
LANGUAGES: Final = "languages"


# How they are taken and kept


def texts_in(language: str) -> dict[str, Any]:
    """Return the texts of the integration in a language."""
    path = INTEGRATION / "translations" / f"{language}.json"
    texts: dict[str, Any] = json.loads(path.read_text())
    return texts


async def speak(studio: Studio, language: str) -> None:
    """Let Home Assistant's pages speak a language from the next one on."""
    await studio.house.api.command(
        "frontend/set_user_data",
        key="language",
        value={
            "language": language,
            "number_format": "language",
            "time_format": "24",
            "date_format": "language",
            "first_weekday": "language",
            "time_zone": "local",
        },
    )


async def take(studio: Studio, picture: Picture) -> Image.Image:
    """Take a picture; raises ToolError when Home Assistant complains in it."""
    page = studio.page
    await page.shape(
        picture.width, picture.height, scale=picture.scale, dark=picture.dark
    )
    box = await picture.shoot(studio)
    image = Image.open(BytesIO(await page.settled_picture(box)))
    if found := await page.evaluate(
        'find_all("ha-toast, ha-alert[alert-type=error], hui-error-card, hui-warning")'
        ".map(text_of).join()"
    ):
        raise ToolError(f"There is a complaint in the picture: {found}")
    return image


async def languages(studio: Studio) -> Image.Image:
    """Return the dialogue that adds a meter in every language, on one sheet."""
    names = sorted(path.stem for path in (INTEGRATION / "translations").glob("*.json"))
    images = []
    for language in names:
        await speak(studio, language)

        async def shoot(studio: Studio, language: str = language) -> Box:
            return (await open_dialogue(studio, language)).grown(MARGIN / 2)

        images.append(
            await take(studio, Picture(shoot=shoot, width=620, height=960, scale=1))
        )
        say(f"  {language}")
    await speak(studio, "en")
    return sheet(images)


def sheet(images: list[Image.Image], columns: int = 3) -> Image.Image:
    """Return pictures side by side in rows."""
    rows = [images[first : first + columns] for first in range(0, len(images), columns)]
    width = max(image.width for image in images)
    heights = [max(image.height for image in row) for row in rows]
    whole = Image.new("RGB", (width * min(columns, len(images)), sum(heights)))
    whole.paste(images[0].getpixel((0, 0)), (0, 0, *whole.size))  # type: ignore[arg-type]
    for number, row in enumerate(rows):
        for column, image in enumerate(row):
            whole.paste(image, (column * width, sum(heights[:number])))
    return whole


def save(image: Image.Image, path: Path) -> None:
    """Write a picture with as few bytes as flat colours allow."""
    flat = image.convert("RGB").quantize(
        COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE
    )
    flat.save(path, optimize=True)
    say(f"  {path.name}: {image.width}x{image.height}, {path.stat().st_size} bytes")


async def log_in(house: HomeAssistant, page: Page) -> None:
    """Let the browser be logged in, with the sidebar out of the way."""
    tokens = {
        "access_token": house.api.token,
        "token_type": "Bearer",
        "expires_in": 10**9,
        "expires": 10**13,
        "hassUrl": house.url,
        "clientId": f"{house.url}/",
        "refresh_token": "",
    }
    await page.before_each_page(
        f"localStorage.hassTokens = {json.dumps(json.dumps(tokens))};"
        """localStorage.dockedSidebar = '"always_hidden"';"""
    )


async def run(options: Namespace, folder: Path) -> None:
    """Take the pictures that are asked for."""
    async with (
        browser(folder, time_zone=TIME_ZONE) as page,
        # Faster than meters are, so that the past is read in seconds.
        simulator(folder, key=KEY, profile=PROFILE, baud=115200) as source,
        home_assistant(folder / "home") as house,
    ):
        entry = await house.api.config_flow(
            DOMAIN, {"port": source.port, "key": source.key}
        )
        meter = Meter(house.api, entry["result"]["entry_id"], entry["title"])
        await meter.learn_entities()
        await set_up_energy_dashboard(meter)
        await ignore_issues(house.api)
        await log_in(house, page)
        studio = Studio(
            house=house, page=page, meter=meter, device_id=await device_of(meter)
        )
        await speak(studio, "en")
        options.folder.mkdir(parents=True, exist_ok=True)
        prepared: set[Preparation] = set()
        for name in options.names:
            say(f"{name} ...")
            if name == LANGUAGES:
                image = await languages(studio)
            else:
                picture = PICTURES[name]
                if picture.prepare and picture.prepare not in prepared:
                    await picture.prepare(meter, source)
                    prepared.add(picture.prepare)
                image = await take(studio, picture)
            save(image, options.folder / f"{name}.png")
        await check_log(house.api)


async def main(options: Namespace) -> int:
    """Take the pictures in a temporary folder and return the exit code."""
    cancel_on_signals()
    with TemporaryDirectory(prefix="nes_mep_screenshots_") as folder:
        try:
            async with asyncio.timeout(SECONDS):
                await run(options, Path(folder))
        except TimeoutError:
            say(f"FAILED: this was not done after {SECONDS} seconds.")
            return 1
        except asyncio.CancelledError:
            return 130
        except ToolError as error:
            say(f"FAILED: {error}")
            for log in ("browser.log", "simulator.log", "home/output.log"):
                show_tail(Path(folder) / log)
            return 1
    return 0


def parse(arguments: list[str]) -> Namespace:
    """Read the command line."""
    every = [*PICTURES, LANGUAGES]
    parser = ArgumentParser(prog="scripts/screenshots", description=__doc__)
    parser.add_argument(
        "names",
        nargs="*",
        default=every,
        metavar="NAME",
        help=f"which pictures ({', '.join(every)}); all of them if left out",
    )
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where to put them")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - set(every):
        parser.error(f"there is no picture {', '.join(sorted(unknown))}")
    return options


if __name__ == "__main__":
    sys.exit(asyncio.run(main(parse(sys.argv[1:]))))
