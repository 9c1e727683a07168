"""The meter client stands alone, and its imports run one way."""

import sys

import pytest

from tests.imports import CLIENT, circles, inner_imports, modules, outer_imports

_ALLOWED = {"serialx", "cryptography"}
_MODULES = modules(CLIENT)

_LAYERS = (
    ("cli",),
    ("__init__",),
    ("diagnostics.survey", "negotiation"),
    ("meter",),
    ("layout",),
    ("billing", "diagnostics.redaction", "event_log", "load_profile", "mbus.reading"),
    ("tariffs",),
    ("layout_watch", "learning"),
    ("slow_tables", "table_contents"),
    ("messages", "switching", "wiring"),
    ("slow_table",),
    ("access", "discovery", "interface_definition", "register_tables"),
    ("registers",),
    ("mep", "optical", "register_descriptions"),
    ("link", "port"),
    ("diagnostics.partial_table", "mbus"),
    ("refusals",),
    ("tariff_schedule",),
    ("requests", "statistics", "trace"),
    ("tables",),
    ("diagnostics", "errors", "host_clock", "key"),
    ("pasting",),
)
"""A module imports from lower layers only, or within its own package."""


def _place(module: str) -> tuple[int, str]:
    """Return the layer of a module, and the name by which the layer lists it."""
    name = module
    while name:
        for index, layer in enumerate(_LAYERS):
            if name in layer:
                return index, name
        name = name.rpartition(".")[0]
    raise AssertionError(f"{module} has no layer")


@pytest.mark.parametrize("module", _MODULES)
def test_only_the_standard_library_serialx_and_cryptography(module: str) -> None:
    """Nothing of Home Assistant, nothing of the tests, nothing else."""
    outer = outer_imports(_MODULES[module])
    assert outer <= _ALLOWED | sys.stdlib_module_names


@pytest.mark.parametrize("module", _MODULES)
def test_imports_run_one_way(module: str) -> None:
    """Every import within the client goes down, or to the same package."""
    layer, package = _place(module)
    for imported in inner_imports(CLIENT, _MODULES[module]):
        its_layer, its_package = _place(imported)
        assert its_layer > layer or its_package == package, imported


def test_no_circles() -> None:
    """No module needs itself, in however many steps."""
    assert not circles(CLIENT)
