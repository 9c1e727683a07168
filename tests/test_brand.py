"""Tests of icon and logo, as Home Assistant serves them and as a release has them."""

from collections.abc import Iterator
from http import HTTPStatus
from io import BytesIO
from itertools import product
from pathlib import Path
import subprocess
from zipfile import ZipFile

from PIL import Image
import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.nes_mep.const import DOMAIN
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component

from .test_texts import FOLDER

ROOT = FOLDER.parents[1]
HEIGHT = 256  # pixels, as the icon of an integration has to have them
NAMES = [
    f"{ground}{name}{size}.png"
    for ground, name, size in product(("", "dark_"), ("icon", "logo"), ("", "@2x"))
]


def height(name: str) -> int:
    """Return how high a picture is."""
    return HEIGHT * (2 if "@2x" in name else 1)


def corners(picture: Image.Image) -> Iterator[tuple[int, int]]:
    """Yield where the corners of a picture are."""
    yield from product((0, picture.width - 1), (0, picture.height - 1))


def test_pictures_are_complete() -> None:
    """There is each picture that Home Assistant asks for, and nothing besides."""
    assert sorted(path.name for path in (FOLDER / "brand").iterdir()) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_pictures(name: str) -> None:
    """Icons are square, logos are wide; both are trimmed, transparent and small."""
    path = FOLDER / "brand" / name
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert picture.mode == "RGBA"
        assert picture.height == height(name)
        alpha = picture.getchannel("A")
        left, top, right, bottom = alpha.getbbox()
    assert all(alpha.getpixel(corner) == 0 for corner in corners(picture))
    assert alpha.getextrema() == (0, 255)
    assert (top, bottom) == (0, picture.height)
    if "icon" in name:
        assert picture.width == picture.height
        # It is in the middle.
        assert left == picture.width - right
    else:
        assert picture.width > 2 * picture.height
        assert (left, right) == (0, picture.width)
    assert path.stat().st_size < 50_000


@pytest.mark.parametrize("name", ["icon.png", "logo.png"])
def test_dark_pictures_differ(name: str) -> None:
    """On a dark ground the same shapes have other, lighter colours."""
    with (
        Image.open(FOLDER / "brand" / name) as light,
        Image.open(FOLDER / "brand" / f"dark_{name}") as dark,
    ):
        alpha = light.getchannel("A")
        assert alpha.tobytes() == dark.getchannel("A").tobytes()
        left, *_ = alpha.getbbox()
        body = (left + light.height // 25, light.height // 3)
        assert sum(light.getpixel(body)[:3]) < sum(dark.getpixel(body)[:3])


@pytest.mark.usefixtures("enable_custom_integrations", "socket_enabled")
async def test_home_assistant_serves_them(
    hass: HomeAssistant, hass_client: ClientSessionGenerator
) -> None:
    """Home Assistant shows our pictures, not those of its own collection."""
    assert await async_setup_component(hass, "brands", {})
    client = await hass_client()
    for name in NAMES:
        answer = await client.get(f"/api/brands/integration/{DOMAIN}/{name}")
        assert answer.status == HTTPStatus.OK
        assert await answer.read() == (FOLDER / "brand" / name).read_bytes()


def test_release_has_them(tmp_path: Path) -> None:
    """The zip that HACS installs holds the pictures, where they belong."""
    path = tmp_path / "nes_mep.zip"
    command = [ROOT / "scripts" / "release", "1.2.3", path]
    subprocess.run(command, check=True)  # noqa: S603
    with ZipFile(path) as release:
        assert {f"brand/{name}" for name in NAMES} <= set(release.namelist())
        for name in NAMES:
            with Image.open(BytesIO(release.read(f"brand/{name}"))) as picture:
                assert picture.height == height(name)
