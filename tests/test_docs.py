"""Tests of the pages for owners and contributors: their links lead somewhere."""

from collections.abc import Iterator
from pathlib import Path
import re

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "esphome").glob("*.md")),
]


def anchors(page: Path) -> Iterator[str]:
    """Yield the anchors of a page, as GitHub makes them of headings, and its own."""
    text = page.read_text("utf-8")
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        yield re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
    yield from re.findall(r'<a id="([^"]+)">', text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links(page: Path) -> None:
    """Every link within the repository leads to a file, and to a heading in it."""
    broken = []
    text = page.read_text("utf-8")
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    pictures = re.findall(r'(?:src|srcset)="([^"]+)"', text)
    for link in (*links, *pictures):
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert not broken
