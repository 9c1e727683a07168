"""Tests of the pages for owners and contributors: what they link to and name exists."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
import re

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "esphome").glob("*.md")),
]
INTEGRATION = ROOT / "custom_components" / "nes_mep"
FOR_MAINTAINERS = [ROOT / "docs" / "architecture.md", ROOT / "docs" / "protocol.md"]
"""Pages that name files and code."""

OWN = re.compile(
    r"^https://(github\.com/nes-mep/ha-nes-mep/blob/main"
    r"|raw\.githubusercontent\.com/nes-mep/ha-nes-mep/main)/"
)
"""Absolute links to this repository: HACS shows a README without relative ones."""

_PATH = re.compile(r"[\w.*-]+(?:/[\w.*-]*)+|[\w*-]+\.(?:json|md|py|toml|ya?ml)")
_NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")


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
        within = OWN.sub("", link)
        if within.startswith("https://"):
            continue
        name, _, anchor = within.partition("#")
        folder = page.parent if within == link else ROOT
        target = folder / name if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


def code_spans(page: Path) -> list[str]:
    """Return what a page sets as code within its sentences and tables."""
    text = re.sub(r"(?ms)^```.*?^```", "", page.read_text("utf-8"))
    return re.findall(r"`([^`\n]+)`", text)


@cache
def names_in_code() -> frozenset[str]:
    """Return the names that the code defines or imports, and its one-word texts."""
    names: set[str] = set()
    for folder in (INTEGRATION, ROOT / "tests", ROOT / "tools"):
        for path in folder.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                match node:
                    case (
                        ast.ClassDef(name=name)
                        | ast.FunctionDef(name=name)
                        | ast.AsyncFunctionDef(name=name)
                        | ast.Name(id=name)
                        | ast.Attribute(attr=name)
                        | ast.Constant(value=str(name))
                    ):
                        names.add(name)
                    case ast.alias(name=name):
                        names.update(name.split("."))
    return frozenset(names)


def test_readme_in_hacs() -> None:
    """HACS drops relative links and <picture>; the page is short enough to be read."""
    text = (ROOT / "README.md").read_text("utf-8")
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'src="([^"]+)"', text)
    assert [link for link in links if not link.startswith("https://")] == []
    assert "<picture" not in text
    assert len(text.splitlines()) <= 280


@pytest.mark.parametrize("page", FOR_MAINTAINERS, ids=lambda page: page.name)
def test_paths(page: Path) -> None:
    """Every file and folder that is named exists, in the repository or the integration."""
    paths = [span for span in code_spans(page) if _PATH.fullmatch(span)]
    assert paths
    missing = [
        path
        for path in paths
        if not any(any(root.glob(path)) for root in (ROOT, INTEGRATION))
    ]
    assert missing == []


@pytest.mark.parametrize("page", FOR_MAINTAINERS, ids=lambda page: page.name)
def test_names(page: Path) -> None:
    """Every class, function, field and constant that is named exists in the code."""
    names = {
        part
        for span in code_spans(page)
        if _NAME.fullmatch(span) and not _PATH.fullmatch(span)
        for part in span.split(".")
    }
    assert names
    assert sorted(names - names_in_code()) == []
