"""Draw the pictures that Home Assistant and HACS show for the integration.

One drawing, docs/brand/logo.svg, makes all of them: the icon is its view of that
name, and on a dark ground dark.css changes the colours. The drawing holds no text,
so no fonts are needed. Home Assistant wants the icon square and the logo trimmed,
each on a transparent ground and once more at twice the size.
"""

from argparse import ArgumentParser
from io import BytesIO
from pathlib import Path
import re
import sys

from PIL import Image, ImageChops
import resvg_py

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "docs" / "brand"
PICTURES = ROOT / "custom_components" / "nes_mep" / "brand"
HEIGHT = 256  # pixels

ICON = re.compile(r'<view id="icon" (viewBox="[^"]*")/>')


def draw(drawing: str, styles: str | None, height: int) -> Image.Image:
    """Return a drawing as a picture of this height."""
    png = resvg_py.svg_to_bytes(
        svg_string=drawing, style_sheet=styles, height=height, skip_system_fonts=True
    )
    return Image.open(BytesIO(png)).convert("RGBA")


def pictures() -> dict[str, Image.Image]:
    """Return all pictures by file name."""
    logo = (SOURCES / "logo.svg").read_text()
    view = ICON.search(logo)
    assert view is not None
    icon = re.sub(r'viewBox="[^"]*"', view[1], logo, count=1)
    dark = (SOURCES / "dark.css").read_text()
    return {
        f"{ground}{name}{size}.png": draw(drawing, styles, HEIGHT * scale)
        for ground, styles in (("", None), ("dark_", dark))
        for name, drawing in (("icon", icon), ("logo", logo))
        for size, scale in (("", 1), ("@2x", 2))
    }


def is_drawn(picture: Image.Image, path: Path) -> bool:
    """Tell whether a file shows this picture."""
    if not path.exists():
        return False
    stored = Image.open(path).convert("RGBA")
    if stored.size != picture.size:
        return False
    return ImageChops.difference(stored, picture).getbbox(alpha_only=False) is None


def main() -> int:
    """Write the pictures or check them, and return the exit code."""
    parser = ArgumentParser(prog="scripts/brand", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="only compare the files with the drawing"
    )
    if parser.parse_args().check:
        drawn = pictures()
        old = [name for name in drawn if not is_drawn(drawn[name], PICTURES / name)]
        if old:
            print(f"Run scripts/brand: {', '.join(old)} do not show the drawing.")
        return bool(old)
    PICTURES.mkdir(exist_ok=True)
    for name, picture in pictures().items():
        picture.save(PICTURES / name, optimize=True)
        print(f"{name}: {'x'.join(map(str, picture.size))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
