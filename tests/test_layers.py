"""Imports run one way: every module of the package is read, and the order of the rooms proved.

An import inside a function counts like any other.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import perturbx
import pytest

ROOT = Path(perturbx.__file__).parent

GROUND = {
    "errors",
    "_typing",
    "_boosted_trees",
    "_version",
    "_moments",
    "_rounding",
    "_validation",
    "_workers",
    "_shared",
    "_unpicklable",
    "_generators",
    "_docstrings",
    "_progress",
}
"""Modules that every room may use, private as they are to the package."""

ROOMS = [
    *({"features"}, {"containers"}, {"designs"}, {"result"}, {"archive"}, {"storage"}),
    {"predictor", "maskers", "samplers", "solvers"},
    *({"game"}, {"explainers"}, {"metrics", "rules"}),
]
"""From the ground up; a room may import what lies below it, never what lies beside it."""

SHOW = {"plots", "report", "interop"}
"""Import the result and what lies below it, alone."""

FRONT = {"__init__", "__main__", "_demo", "cli", "testing"}
"""The front door, those who come in by it, and the contracts of every room."""


def _imports(types_too: bool) -> Iterator[tuple[str, str, str]]:
    """(importing module, imported module, imported name or "")."""
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        here = ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)
        tree = ast.parse(path.read_text(encoding="utf-8"))
        types = {id(n) for block in ast.walk(tree) if _is_for_types(block) for n in ast.walk(block)}
        for node in ast.walk(tree):
            if id(node) in types and not types_too:
                continue
            for module, name in _imported(node):
                if module.split(".")[0] == "perturbx":
                    yield here, module.removeprefix("perturbx").lstrip("."), name


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def _imported(node: ast.AST) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Import):
        yield from ((alias.name, "") for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute"
        assert node.module is not None
        for alias in node.names:
            is_module = _path(f"{node.module}.{alias.name}") is not None
            yield (f"{node.module}.{alias.name}", "") if is_module else (node.module, alias.name)


def _path(module: str) -> Path | None:
    """The file of a module of the package."""
    stem = ROOT.parent.joinpath(*module.split("."))
    found = (p for p in (stem.with_suffix(".py"), stem / "__init__.py") if p.exists())
    return next(found, None)


IMPORTS = sorted(set(_imports(types_too=True)))


def _room(module: str) -> str:
    return module.split(".")[0] or "__init__"


PAIRS = sorted({(_room(a), _room(b)) for a, b, _ in IMPORTS if _room(a) != _room(b)})
LEVEL = {room: level for level, rooms in enumerate(ROOMS) for room in rooms}


def test_every_room_has_a_place() -> None:
    """A new room must be put into the order before it can import anything."""
    there = {p.stem if p.is_file() else p.name for p in ROOT.iterdir() if p.suffix in ("", ".py")}
    assert there - {"__pycache__"} == GROUND | set(LEVEL) | SHOW | FRONT


@pytest.mark.parametrize("room", sorted(LEVEL))
def test_rooms_import_what_lies_below(room: str) -> None:
    """Never upwards, never sideways."""
    below = GROUND | {other for other, level in LEVEL.items() if level < LEVEL[room]}
    assert {b for a, b in PAIRS if a == room} <= below


@pytest.mark.parametrize("room", sorted(SHOW))
def test_pictures_and_bridges_import_the_result_and_below(room: str) -> None:
    """A picture computes nothing."""
    below = GROUND | {other for other, level in LEVEL.items() if level <= LEVEL["result"]}
    assert {b for a, b in PAIRS if a == room} <= below


def test_the_ground_floor_imports_nothing_of_the_rooms() -> None:
    assert {b for a, b in PAIRS if a in GROUND} <= GROUND


def test_no_private_name_crosses_the_border_of_a_room() -> None:
    """What another room needs is exported; only the tests of parts see inside every room."""
    crossing = [
        (a, b, name)
        for a, b, name in IMPORTS
        if _room(a) != _room(b)
        and not {_room(a), _room(b)} <= FRONT | GROUND
        and any(re.match("_[^_]", part) for part in [*b.split(".")[1:], name])
    ]
    assert crossing == []


def test_there_is_no_cycle() -> None:
    """Modules can be put into an order in which each imports earlier ones alone.

    What is imported for annotations alone never happens, and is left out.
    """
    graph: dict[str, set[str]] = {}
    for here, module, name in _imports(types_too=False):
        graph.setdefault(here, set())
        # A package that is asked for one of its names is the module that defines it.
        graph[here].add(_defining(module, name))
    for module in graph:
        graph[module].discard(module)
    TopologicalSorter(graph).prepare()


def _defining(module: str, name: str) -> str:
    for here, source, exported in IMPORTS:
        if here == module and exported == name and name and source.startswith(f"{module}."):
            return source
    return module


def test_there_is_something_to_prove() -> None:
    """The walk finds the imports that are known to be there."""
    assert {("game", "maskers"), ("plots", "result"), ("result", "features")} <= set(PAIRS)
    assert any(name for _, _, name in IMPORTS)
