"""The firmware of the boards as files of a release, and the page that writes it over USB.

    python -m tools.firmware --version 1.2.0 --images DIRECTORY --page DIRECTORY

`--images` has what the workflow built: nes-mep-BOARD.factory.bin, which goes over a wire,
and nes-mep-BOARD.ota.bin, which goes over the air. They are checked; then the page is
written, with a manifest a board for ESP Web Tools. It needs Python alone.
"""

from argparse import ArgumentParser
from dataclasses import dataclass
from html import escape
import json
from pathlib import Path
from shutil import copyfile
from string import Template
import sys
from typing import Any

from .process import ToolError

TEMPLATE = Path(__file__).with_name("firmware.html")
OLD_SLOT = 1_310_720
"""Bytes of each of the two places for an application that the old firmware left.

The partition tables of DabblerDK/MEP-SW-ESP32 (both chips) and ehorvat1/NES-MEP-Reader.
"""

_IMAGE_MAGIC = 0xE9
_CHIP_FAMILIES = {0: "ESP32", 5: "ESP32-C3", 9: "ESP32-S3"}
"""By the chip id in the header of an image, which an ESP8266 does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A board that has a file in esphome/, and what people know it as."""

    name: str
    title: str
    chip: str

    @property
    def over_wire(self) -> str:
        """The name of the image that goes over a wire: the whole flash."""
        return f"nes-mep-{self.name}.factory.bin"

    @property
    def over_air(self) -> str:
        """The name of the image that goes over the air: the application."""
        return f"nes-mep-{self.name}.ota.bin"


BOARDS = (
    Board(name="dabbler", title="dabbler.dk MEP 1.10 and 2.00", chip="ESP32"),
    Board(name="ustepper", title="uStepper MEP", chip="ESP32-C3"),
    Board(name="ehorvat1", title="NES-MEP-Reader of Engelbert Horvat", chip="ESP32"),
    Board(name="xiao-c3", title="PowerReader, XIAO ESP32-C3", chip="ESP32-C3"),
    Board(name="xiao-s3", title="PowerReader, XIAO ESP32-S3", chip="ESP32-S3"),
    Board(name="generic", title="ESP32 DevKit with MAX3232", chip="ESP32"),
    Board(name="ir-head", title="Infrared head, ESP32-C3", chip="ESP32-C3"),
    Board(name="ir-head-esp8266", title="Infrared head, ESP8266", chip="ESP8266"),
)


def manifest(board: Board, version: str) -> dict[str, Any]:
    """Return what ESP Web Tools is told of a board."""
    return {
        "name": f"NES meter: {board.title}",
        "version": version,
        "home_assistant_domain": "esphome",
        # What the old firmware stored, among it the key and the WiFi password, can go.
        "new_install_prompt_erase": True,
        "builds": [
            {
                "chipFamily": board.chip,
                "parts": [{"path": board.over_wire, "offset": 0}],
            }
        ],
    }


def check_image_over_air(board: Board, image: bytes) -> None:
    """Raise ToolError unless an image is for the board's chip and fits the old slots."""
    if image[:1] != bytes([_IMAGE_MAGIC]):
        raise ToolError(f"{board.over_air} is no image of an application.")
    if board.chip == "ESP8266":
        return
    chip = _CHIP_FAMILIES.get(int.from_bytes(image[12:14], "little"))
    if chip != board.chip:
        raise ToolError(f"{board.over_air} is for {chip}, and not for {board.chip}.")
    if len(image) > OLD_SLOT:
        raise ToolError(
            f"{board.over_air} has {len(image)} bytes: more than the {OLD_SLOT} that it "
            "has on a board with the old firmware."
        )


def _row(board: Board) -> str:
    """Return the part of the page about a board."""
    return (
        '<section class="board">\n'
        f"<h2>{escape(board.title)}</h2>\n"
        f'<esp-web-install-button manifest="{board.name}/manifest.json">\n'
        f'<button slot="activate">Install over USB</button>\n'
        '<span slot="unsupported">This browser cannot write over USB: use Chrome or Edge '
        "on a computer.</span>\n"
        '<span slot="not-allowed">Open this page over HTTPS.</span>\n'
        "</esp-web-install-button>\n"
        f'<p><a href="{board.name}/{board.over_wire}" download>File for USB</a> · '
        f'<a href="{board.name}/{board.over_air}" download>File over the air</a> · '
        f"{board.chip}</p>\n"
        "</section>\n"
    )


def write_page(images: Path, page: Path, version: str) -> None:
    """Check the images and write the page, with them, into a folder.

    Raises ToolError if an image is missing or is not what it should be.
    """
    for board in BOARDS:
        folder = page / board.name
        folder.mkdir(parents=True, exist_ok=True)
        for name in (board.over_wire, board.over_air):
            if not (images / name).is_file():
                raise ToolError(f"{name} is missing.")
            copyfile(images / name, folder / name)
        check_image_over_air(board, (images / board.over_air).read_bytes())
        (folder / "manifest.json").write_text(
            json.dumps(manifest(board, version), indent=2) + "\n"
        )
    text = Template(TEMPLATE.read_text()).substitute(
        version=escape(version), boards="".join(map(_row, BOARDS))
    )
    (page / "index.html").write_text(text)


def main() -> None:
    """Write the page."""
    parser = ArgumentParser(prog="python -m tools.firmware", description=__doc__)
    parser.add_argument("--version", required=True)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--page", type=Path, required=True)
    arguments = parser.parse_args()
    try:
        write_page(arguments.images, arguments.page, arguments.version)
    except ToolError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
