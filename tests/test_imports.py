"""The integration's imports run one way, and know of the client only its face."""

import pytest

from .imports import INTEGRATION, circles, inner_imports, modules

_MODULES = {
    name: path
    for name, path in modules(INTEGRATION).items()
    if name.partition(".")[0] != "osgp"
}
_LAYERS = (
    ("__init__",),
    ("button",),
    ("services",),
    (
        "binary_sensor",
        "calendar",
        "condition",
        "diagnostics",
        "event",
        "sensor",
        "system_health",
        "trigger",
    ),
    ("mbus", "targets"),
    ("entity",),
    ("config_flow", "repairs", "coordinator"),
    ("flows",),
    ("costs",),
    ("monitor",),
    ("peaks",),
    ("history",),
    ("issues", "slow_readings"),
    ("selection",),
    ("link",),
    ("descriptions", "local_time", "registry"),
    ("const", "osgp"),
)
"""A module imports from lower layers only, or within its own package."""


def _layer(module: str) -> int:
    room = module.partition(".")[0]
    return next(index for index, layer in enumerate(_LAYERS) if room in layer)


@pytest.mark.parametrize("module", _MODULES)
def test_imports_run_one_way(module: str) -> None:
    """From the platforms down to the client, which is known by its face only."""
    for imported in inner_imports(INTEGRATION, _MODULES[module]):
        same = imported.partition(".")[0] == module.partition(".")[0]
        assert same or _layer(imported) > _layer(module), imported
        assert not imported.startswith("osgp."), imported


def test_no_circles() -> None:
    """No module needs itself, in however many steps."""
    assert not circles(INTEGRATION)
