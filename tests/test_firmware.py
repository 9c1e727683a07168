"""Tests of the firmware's page: what it offers, and which images it refuses."""

import json
from pathlib import Path
import re

import pytest
import yaml

from tools.firmware import BOARDS, OLD_SLOT, Board, write_page
from tools.process import ToolError

ROOT = Path(__file__).parents[1]
CHIP_IDS = {"ESP32": 0, "ESP32-C3": 5, "ESP32-S3": 9, "ESP8266": 0}


def image(board: Board, size: int = 1024, chip: str | None = None) -> bytes:
    """Return the header of an application's image, and zeros."""
    header = bytes([0xE9, 1, 2, 0x20]) + bytes(8)
    return (header + CHIP_IDS[chip or board.chip].to_bytes(2, "little")).ljust(
        size, b"\0"
    )


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Return a folder with images of every board."""
    folder = tmp_path / "images"
    folder.mkdir()
    for board in BOARDS:
        (folder / board.over_wire).write_bytes(b"\xff" * 0x1000 + image(board))
        (folder / board.over_air).write_bytes(image(board, OLD_SLOT))
    return folder


def test_every_board_has_a_manifest_that_leads_to_its_file(
    images: Path, tmp_path: Path
) -> None:
    """The browser finds each manifest, and in it a file that is there."""
    page = tmp_path / "page"
    write_page(images, page, "1.2.0")
    text = (page / "index.html").read_text()
    found = re.findall(r'manifest="([^"]+)"', text)
    assert len(found) == len(BOARDS)
    for path, board in zip(found, BOARDS, strict=True):
        manifest = json.loads((page / path).read_text())
        assert manifest["version"] == "1.2.0"
        [build] = manifest["builds"]
        assert build["chipFamily"] == board.chip
        [part] = build["parts"]
        assert part["offset"] == 0
        assert (page / path).with_name(part["path"]).is_file()
    for path in re.findall(r'href="([^":]+)" download', text):
        assert (page / path).is_file()


def test_an_image_that_does_not_fit_beside_the_old_firmware(
    images: Path, tmp_path: Path
) -> None:
    """One byte more than its place is too much."""
    board = BOARDS[0]
    (images / board.over_air).write_bytes(image(board, OLD_SLOT + 1))
    with pytest.raises(ToolError, match="1310721 bytes"):
        write_page(images, tmp_path / "page", "1.2.0")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<html>", "is no image"),
        (image(BOARDS[0], chip="ESP32-C3"), "is for ESP32-C3, and not for ESP32"),
    ],
)
def test_an_image_that_is_none_of_the_board(
    images: Path, tmp_path: Path, content: bytes, message: str
) -> None:
    """What would not start is not offered."""
    (images / BOARDS[0].over_air).write_bytes(content)
    with pytest.raises(ToolError, match=message):
        write_page(images, tmp_path / "page", "1.2.0")


def test_a_missing_image(images: Path, tmp_path: Path) -> None:
    """A page without the file of a board is none."""
    (images / BOARDS[1].over_wire).unlink()
    with pytest.raises(ToolError, match=f"{BOARDS[1].over_wire} is missing"):
        write_page(images, tmp_path / "page", "1.2.0")


def test_the_workflow_builds_every_board() -> None:
    """Files of boards, the page and the workflow name the same ones."""
    workflow = yaml.safe_load((ROOT / ".github/workflows/firmware.yml").read_text())
    build = workflow["jobs"]["build"]
    names = [board.name for board in BOARDS]
    assert build["strategy"]["matrix"]["board"] == names
    files = {path.stem for path in (ROOT / "esphome").glob("*.yaml")}
    assert {name for name in files if not name.endswith(".example")} == set(names)


def test_the_workflow_builds_with_the_esphome_that_checks() -> None:
    """What is built is what scripts/check-esphome has looked at."""
    workflow = (ROOT / ".github/workflows/firmware.yml").read_text()
    [checked] = re.findall(
        r"^esphome==(.+)$",
        (ROOT / "requirements/esphome.txt").read_text(),
        re.MULTILINE,
    )
    assert f'version: "{checked}"' in workflow
