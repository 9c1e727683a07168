"""The meter client stands alone, and its imports run one way."""

import ast
from pathlib import Path
import sys

import pytest

_CLIENT = Path(__file__).parents[2] / "custom_components" / "nes_mep" / "mep"
_ALLOWED = {"serialx", "cryptography"}

_LAYERS = (
    ("__main__",),
    ("history_cli",),
    ("__init__",),
    ("survey",),
    ("meter",),
    ("redaction", "event_log", "load_profile", "mbus_reading", "subjects", "tls_probe"),
    ("load_profile_plan", "load_profile_sets", "table_contents"),
    ("discovery", "interface_definition", "load_profile_channels"),
    ("client", "registers"),
    ("port", "register_descriptions", "security.modes", "tables"),
    ("security.rc4", "security.tls"),
    ("security.digest", "security.tls_handshake"),
    ("security.tls_secrets", "security.tls_session"),
    ("security.tls_records",),
    ("security",),
    ("framing", "packet", "statistics", "trace", "key", "tables.data"),
    ("digest", "errors"),
)
"""A module imports from lower layers only; tables may use each other downwards."""


def _name(path: Path) -> str:
    parts = path.relative_to(_CLIENT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__") or "__init__"


_MODULES = {_name(path): path for path in sorted(_CLIENT.rglob("*.py"))}


def _layer(module: str) -> int:
    """Return the layer of a module, or of the package it is in."""
    for index, layer in enumerate(_LAYERS):
        if module in layer:
            return index
    package, _, rest = module.rpartition(".")
    assert rest and package, f"{module} has no layer"
    return _layer(package)


def _imports(module: str) -> tuple[set[str], set[str]]:
    """Return the outer packages and the inner modules that a module imports."""
    outer: set[str] = set()
    inner: set[str] = set()
    path = _MODULES[module]
    package = list(path.relative_to(_CLIENT).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            outer |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            outer.add((node.module or "").partition(".")[0])
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1]
            inner.add(".".join([*base, *(node.module or "").split(".")]).strip("."))
    return outer, inner


@pytest.mark.parametrize("module", _MODULES)
def test_only_the_standard_library_serialx_and_cryptography(module: str) -> None:
    """Nothing of Home Assistant, nothing of the tests, nothing else."""
    outer, _ = _imports(module)
    assert outer <= _ALLOWED | sys.stdlib_module_names


@pytest.mark.parametrize("module", _MODULES)
def test_imports_run_one_way(module: str) -> None:
    """Every import within the client goes down."""
    _, inner = _imports(module)
    for imported in inner:
        assert imported in _MODULES
        same_package = module.startswith("tables.") and imported.startswith("tables.")
        assert same_package or _layer(imported) > _layer(module), imported
