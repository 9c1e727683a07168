"""A browser without a window, for looking at Home Assistant's pages as people do.

It is driven over its debugging port, which needs nothing but aiohttp. Home Assistant
builds its pages from elements inside elements, each with a root of its own; `find`
in the page looks into all of them.
"""

import asyncio
from base64 import b64decode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import count
import json
from pathlib import Path
import shutil
from typing import Any, Final

import aiohttp

from .process import Child, ToolError, stopped_at_exit

PROGRAMS: Final = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)
START_SECONDS: Final = 60
PAGE_SECONDS: Final = 60

_OPTIONS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
    "--font-render-hinting=none",
    "--force-color-profile=srgb",
    "--remote-debugging-port=0",
)

# Elements that are shown, by selector and, if given, by a text in them or their label.
# "a >>> b" finds b anywhere in a, whatever roots are in between.
_HELPERS: Final = """
window.everything = function* (node) {
  if (node.shadowRoot) yield* everything(node.shadowRoot);
  for (const child of node.children) {
    yield child;
    yield* everything(child);
  }
};
window.text_of = (node) => {
  if (node.nodeType === Node.TEXT_NODE) return node.textContent;
  if (["STYLE", "SCRIPT"].includes(node.nodeName)) return "";
  if (node.nodeName === "SLOT" && node.assignedNodes().length)
    return node.assignedNodes().map(text_of).join(" ");
  return [...(node.shadowRoot ?? node).childNodes].map(text_of).join(" ");
};
window.has_text = (element, text) => {
  const [all, part] = [`${text_of(element)} ${element.label ?? ""}`, text].map((any) =>
    any.replace(/\\s+/g, " "),
  );
  return all.includes(part);
};
window.find_all = (path, text) => {
  let found = [document];
  for (const selector of path.split(" >>> "))
    found = found.flatMap((node) =>
      [...everything(node)].filter((element) => element.matches(selector)),
    );
  return [...new Set(found)].filter(
    (element) =>
      element.getClientRects().length && (!text || has_text(element, text)),
  );
};
window.find = (path, text) => find_all(path, text)[0];
"""
_COMPLETE: Final = """
document.fonts.status === "loaded" &&
!document.querySelector("#ha-launch-screen") &&
!find_all("ha-spinner, hass-loading-screen, ha-fade-in").length &&
find_all("img").every((image) => image.complete)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A part of a page, in CSS pixels."""

    x: float
    y: float
    width: float
    height: float

    def grown(self, margin: float) -> Box:
        """Return the box with a margin around it."""
        return Box(
            x=self.x - margin,
            y=self.y - margin,
            width=self.width + 2 * margin,
            height=self.height + 2 * margin,
        )


class Page:
    """The one page of a browser."""

    def __init__(self, connection: aiohttp.ClientWebSocketResponse) -> None:
        """Initialize with the page's end of the debugging port."""
        self._connection = connection
        self._numbers = count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        """Hand answers to those who wait for them."""
        async for message in self._connection:
            answer = json.loads(message.data)
            if (waiting := self._answers.pop(answer.get("id"), None)) is not None:
                waiting.set_result(answer)
        for waiting in self._answers.values():
            waiting.set_exception(ToolError("The browser has closed its page."))

    async def close(self) -> None:
        """Stop to listen."""
        self._reader.cancel()
        with suppress(asyncio.CancelledError):
            await self._reader

    async def command(self, method: str, **parameters: object) -> dict[str, Any]:
        """Send a command of the debugging protocol and return its result."""
        number = next(self._numbers)
        self._answers[number] = asyncio.get_running_loop().create_future()
        await self._connection.send_json(
            {"id": number, "method": method, "params": parameters}
        )
        answer = await self._answers[number]
        if "error" in answer:
            raise ToolError(f"The browser refused {method}: {answer['error']}")
        result: dict[str, Any] = answer["result"]
        return result

    async def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression, awaited if it is a promise."""
        answer = await self.command(
            "Runtime.evaluate",
            expression=expression,
            awaitPromise=True,
            returnByValue=True,
        )
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise ToolError(f"The page failed on {expression}: {details}")
        return answer["result"].get("value")

    async def before_each_page(self, script: str) -> None:
        """Run a script at the start of each page that is opened from now on."""
        await self.command("Page.addScriptToEvaluateOnNewDocument", source=script)

    async def shape(
        self, width: int, height: int, *, scale: float = 1, dark: bool = False
    ) -> None:
        """Set the size of the window, pixels per CSS pixel, and the ground."""
        await self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=False,
        )
        await self.command(
            "Emulation.setEmulatedMedia",
            features=[
                {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
                {"name": "prefers-reduced-motion", "value": "reduce"},
            ],
        )

    async def open(self, url: str) -> None:
        """Open a page; it may still be building itself up when this returns."""
        # Leaves the old page, whose elements could be taken for those of the new one.
        await self.command("Page.navigate", url="about:blank")
        await self.command("Page.navigate", url=url)

    async def until(
        self, expression: str, what: str, seconds: float = PAGE_SECONDS
    ) -> Any:
        """Wait until an expression is true and return its value.

        Raises ToolError when that takes too long: `what` did not come.
        """
        try:
            async with asyncio.timeout(seconds):
                while True:
                    # In between pages there is nothing to ask.
                    with suppress(ToolError):
                        if value := await self.evaluate(expression):
                            return value
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise ToolError(f"The page did not show {what}.") from None

    async def shows(self, selector: str, text: str = "") -> None:
        """Wait until an element is shown, with a text in it if one is given."""
        await self.until(f"!!{_find(selector, text)}", f'{selector} "{text}"')

    async def box(self, selector: str, text: str = "") -> Box:
        """Return where an element is, once it is shown."""
        await self.shows(selector, text)
        return Box(
            **await self.evaluate(
                f"(({{x, y, width, height}}) => ({{x, y, width, height}}))"
                f"({_find(selector, text)}.getBoundingClientRect())"
            )
        )

    async def click(self, selector: str, text: str = "") -> None:
        """Click on the middle of an element, once it is shown and stands still."""
        before, box = None, await self.box(selector, text)
        while box != before:
            await asyncio.sleep(0.1)
            before, box = box, await self.box(selector, text)
        for kind in ("mousePressed", "mouseReleased"):
            await self.command(
                "Input.dispatchMouseEvent",
                type=kind,
                x=box.x + box.width / 2,
                y=box.y + box.height / 2,
                button="left",
                clickCount=1,
            )

    async def point_away(self) -> None:
        """Move the pointer to a corner, so that nothing is lit under it."""
        await self.command("Input.dispatchMouseEvent", type="mouseMoved", x=0, y=0)

    async def type(self, text: str) -> None:
        """Type into what has the focus."""
        await self.command("Input.insertText", text=text)

    async def settled_picture(self, box: Box | None = None) -> bytes:
        """Return what the page looks like once it is complete and stands still."""
        await self.until(_COMPLETE, "all its letters and pictures")
        before = await self.picture(box)
        for _ in range(PAGE_SECONDS):
            await asyncio.sleep(1)
            if (now := await self.picture(box)) == before:
                return now
            before = now
        raise ToolError("The page does not stand still.")

    async def picture(self, box: Box | None = None) -> bytes:
        """Return what the page looks like now, or a part of it, as a PNG."""
        part = {}
        if box is not None:
            part["clip"] = {
                "x": box.x,
                "y": box.y,
                "width": box.width,
                "height": box.height,
                "scale": 1,
            }
        answer = await self.command("Page.captureScreenshot", format="png", **part)
        return b64decode(answer["data"])


def _find(selector: str, text: str) -> str:
    return f"window.find?.({json.dumps(selector)}, {json.dumps(text)})"


def program() -> str:
    """Return the path of a browser; raises ToolError when there is none."""
    for name in PROGRAMS:
        if (path := shutil.which(name)) is not None:
            return path
    raise ToolError(
        f"A browser is needed, one of {', '.join(PROGRAMS)}: install Chromium "
        '("apt-get install chromium" on Debian) and run this again.'
    )


@asynccontextmanager
async def browser(folder: Path, *, time_zone: str) -> AsyncIterator[Page]:
    """Run a browser with its files in a folder, in a time zone, and give its page."""
    home = folder / "browser"
    address = home / "DevToolsActivePort"
    address.unlink(missing_ok=True)
    process = await Child.start(
        "The browser",
        program(),
        *_OPTIONS,
        f"--user-data-dir={home}",
        log=folder / "browser.log",
        cwd=folder,
        environment={"TZ": time_zone},
    )
    async with stopped_at_exit(process), aiohttp.ClientSession() as session:
        try:
            async with asyncio.timeout(START_SECONDS):
                while not address.exists() or not address.read_text():
                    process.check()
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise ToolError("The browser did not start.") from None
        url = f"http://127.0.0.1:{address.read_text().split()[0]}"
        async with session.put(f"{url}/json/new") as response:
            target = await response.json(content_type=None)
        async with session.ws_connect(
            target["webSocketDebuggerUrl"], max_msg_size=0
        ) as connection:
            page = Page(connection)
            await page.command("Page.enable")
            await page.command("Emulation.setTimezoneOverride", timezoneId=time_zone)
            await page.before_each_page(_HELPERS)
            try:
                yield page
            finally:
                await page.close()
