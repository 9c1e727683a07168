"""What modules of this repository import, read from their source."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

INTEGRATION = Path(__file__).parents[1] / "custom_components" / "nes_mep"
CLIENT = INTEGRATION / "osgp"


def modules(root: Path) -> Mapping[str, Path]:
    """Return the modules below a package by dotted name; "__init__" is its own."""
    return {_name(root, path): path for path in sorted(root.rglob("*.py"))}


def _name(root: Path, path: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__") or "__init__"


def outer_imports(path: Path) -> set[str]:
    """Return the top-level packages that a module imports by absolute name."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").partition(".")[0])
    return found


def inner_imports(root: Path, path: Path) -> set[str]:
    """Return the modules of the package that a module of it imports."""
    return set(_inner(root, path))


def _inner(root: Path, path: Path) -> Iterator[str]:
    known = modules(root)
    package = path.relative_to(root).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not (isinstance(node, ast.ImportFrom) and node.level):
            continue
        base = ".".join(
            [
                *package[: len(package) - node.level + 1],
                *([node.module] if node.module else []),
            ]
        )
        for alias in node.names:
            full = f"{base}.{alias.name}".strip(".")
            yield full if full in known else base or "__init__"


def circles(root: Path) -> list[tuple[str, ...]]:
    """Return the import circles among the modules of a package."""
    arrows = {
        name: inner_imports(root, path) - {name} for name, path in modules(root).items()
    }
    found: list[tuple[str, ...]] = []
    done: set[str] = set()

    def visit(module: str, way: tuple[str, ...]) -> None:
        if module in way:
            found.append((*way[way.index(module) :], module))
        elif module not in done:
            for imported in sorted(arrows.get(module, ())):
                visit(imported, (*way, module))
            done.add(module)

    for module in arrows:
        visit(module, ())
    return found
