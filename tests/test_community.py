"""Tests of what people who join find: forms, owners, and commands that exist."""

import json
from pathlib import Path
import re
from typing import Any, Final

import pytest
import yaml

from .test_docs import ROOT
from .test_texts import FOLDER

MANIFEST: Final[dict[str, Any]] = json.loads((FOLDER / "manifest.json").read_text())
GITHUB: Final = ROOT / ".github"
FORMS: Final = ("board", "fault", "meter")
PAGES: Final = (
    "CONTRIBUTING.md",
    "SECURITY.md",
    *(str(path.relative_to(ROOT)) for path in sorted(GITHUB.rglob("*.*"))),
    ".devcontainer/devcontainer.json",
    ".pre-commit-config.yaml",
)


@pytest.mark.parametrize("name", FORMS)
def test_forms(name: str) -> None:
    """GitHub accepts the forms: known elements, each with a label and its own id."""
    form = yaml.safe_load((GITHUB / "ISSUE_TEMPLATE" / f"{name}.yml").read_text())
    assert {"name", "description", "body"} < form.keys()
    fields = [each for each in form["body"] if each["type"] != "markdown"]
    assert {each["type"] for each in fields} <= {"input", "textarea", "dropdown"}
    assert all(each["attributes"]["label"] for each in fields)
    identifiers = [each["id"] for each in fields]
    assert len(set(identifiers)) == len(identifiers)
    assert "diagnostics" in identifiers


def test_owners() -> None:
    """Those of the repository are those of the integration."""
    owners = (GITHUB / "CODEOWNERS").read_text().split()
    assert owners == ["*", *MANIFEST["codeowners"]]


@pytest.mark.parametrize("page", PAGES)
def test_names(page: str) -> None:
    """Each script, module and test that is named exists; addresses are this project's."""
    text = (ROOT / page).read_text("utf-8")
    for name in re.findall(r"(?<![\w./])(?:scripts|tests)/[\w./-]*\w", text):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"-m (tools\.\w+)", text):
        assert Path(ROOT, *name.split(".")).with_suffix(".py").is_file(), name
    for address in re.findall(r"https://github\.com/nes[\w-]*/[\w-]+", text):
        assert address == MANIFEST["documentation"]
