"""Tests of the quality scale: every rule has an answer, and every "done" a proof."""

import json
import re
from typing import Final

import pytest
import yaml

from .test_docs import ROOT, anchors
from .test_texts import FOLDER

RULES: Final = frozenset(
    [
        "action-setup",
        "appropriate-polling",
        "brands",
        "common-modules",
        "config-flow",
        "config-flow-test-coverage",
        "dependency-transparency",
        "docs-actions",
        "docs-conditions",
        "docs-high-level-description",
        "docs-installation-instructions",
        "docs-removal-instructions",
        "docs-triggers",
        "entity-event-setup",
        "entity-unique-id",
        "has-entity-name",
        "runtime-data",
        "test-before-configure",
        "test-before-setup",
        "unique-config-entry",
        "action-exceptions",
        "config-entry-unloading",
        "docs-configuration-parameters",
        "docs-installation-parameters",
        "entity-unavailable",
        "integration-owner",
        "log-when-unavailable",
        "parallel-updates",
        "reauthentication-flow",
        "test-coverage",
        "devices",
        "diagnostics",
        "discovery",
        "discovery-update-info",
        "docs-data-update",
        "docs-examples",
        "docs-known-limitations",
        "docs-supported-devices",
        "docs-supported-functions",
        "docs-troubleshooting",
        "docs-use-cases",
        "dynamic-devices",
        "entity-category",
        "entity-device-class",
        "entity-disabled-by-default",
        "entity-translations",
        "exception-translations",
        "icon-translations",
        "reconfiguration-flow",
        "repair-issues",
        "stale-devices",
        "async-dependency",
        "inject-websession",
        "strict-typing",
    ]
)
"""Those that every rated integration of Home Assistant answers."""

ANSWERS: Final[dict[str, str | dict[str, str]]] = yaml.safe_load(
    (FOLDER / "quality_scale.yaml").read_text()
)["rules"]
PROOFS: Final = {
    rule: re.findall(r"`([^`]+)`", proof)
    for rule, proof in re.findall(
        r"^\| `([a-z-]+)` \|[^|]*\|([^|]*)\|$",
        (ROOT / "docs" / "quality-scale.md").read_text(),
        re.MULTILINE,
    )
}


def test_every_rule_has_an_answer() -> None:
    """Each of the 54 rules is done, to be done, or does not apply for a reason."""
    assert len(RULES) == 54
    assert ANSWERS.keys() == RULES
    for answer in ANSWERS.values():
        assert answer in ("done", "todo") or (
            answer["status"] == "exempt" and answer["comment"].strip()
        )


def test_what_is_done_has_a_proof() -> None:
    """The page has a row with proofs for each rule that is done, and for no other."""
    assert PROOFS.keys() == {
        rule for rule, answer in ANSWERS.items() if answer == "done"
    }
    assert all(PROOFS.values())


@pytest.mark.parametrize("rule", PROOFS)
def test_proofs_exist(rule: str) -> None:
    """Each file, test and heading that is named is there."""
    for proof in PROOFS[rule]:
        name, separator, detail = re.fullmatch(
            r"([\w./-]+)(?:(::|#)([\w-]+))?", proof
        ).groups()
        file = ROOT / name
        assert file.is_file(), proof
        if separator == "::":
            assert re.search(
                rf"^(?:async )?def {detail}\(", file.read_text(), re.MULTILINE
            )
        elif separator == "#":
            assert detail in anchors(file), proof


def test_claim() -> None:
    """The manifest claims the highest tier only while nothing is left to do."""
    claim = json.loads((FOLDER / "manifest.json").read_text()).get("quality_scale")
    assert claim in (None, "platinum")
    assert claim is None or "todo" not in ANSWERS.values()
