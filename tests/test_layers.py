"""Imports run one way: every module of the package is read, and the order of the rooms proved."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import perturbx
import pytest

ROOT = Path(perturbx.__file__).parent

LAYERS: list[set[str]] = [
    {"errors", "_typing", "_version"},
    {
        "_rounding",
        "_validation",
        "hierarchy",
        "regions",
        "interactions",
        "containers",
    },
    {"designs"},
    {"explanation"},
    {"predictor", "maskers", "samplers", "solvers"},
    {"game"},
    {"explainers"},
    {"metrics"},
    {"cli"},
]
"""From the ground up; a room may import what lies below it, never what lies beside it."""

PARTS = {
    "_summary": "explanation",
    "_storage": "explanation",
    "_encoding": "explanation",
    "_files": "explanation",
    "_consistency": "explanation",
    "_notebook": "explanation",
    "_slicing": "explanation",
    "_per_instance": "explanation",
    "_workers": "game",
    "_places": "explanation",
    "_demo": "cli",
    "__main__": "cli",
}
"""Modules that belong to a room without lying in its folder."""

BESIDE = {
    ("_validation", "errors"),
    ("containers", "_validation"),
}
SHOWS = {"plots", "interop"}
"""Import the explanation and what lies below it, alone."""

OVER_ALL = {"__init__", "testing"}
"""The front door, and the contracts of every room."""

LATER = {("explanation", "plots"), ("explanation", "interop")}
"""Allowed inside a function alone: views of a result."""


def _room(module: str) -> str:
    """perturbx.maskers._fills -> maskers."""
    first = module.split(".")[1] if "." in module else "__init__"
    return PARTS.get(first, first)


def _imports() -> Iterator[tuple[str, str, bool]]:
    """(importing room, imported room, whether it happens as the module loads)."""
    for path in sorted(ROOT.rglob("*.py")):
        name = ".".join(["perturbx", *path.relative_to(ROOT).with_suffix("").parts])
        tree = ast.parse(path.read_text(encoding="utf-8"))
        inside = {id(n) for f in ast.walk(tree) if _is_function(f) for n in ast.walk(f)}
        inside |= {id(n) for b in ast.walk(tree) if _is_type_checking(b) for n in ast.walk(b)}
        for node in ast.walk(tree):
            for module in _modules(node):
                if module.split(".")[0] == "perturbx":
                    yield _room(name), _room(module), id(node) not in inside


def _is_function(node: ast.AST) -> bool:
    return isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def _modules(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute"
        assert node.module is not None
        if node.module == "perturbx":
            return [f"perturbx.{alias.name}" for alias in node.names]
        return [node.module]
    return []


IMPORTS = sorted(set(_imports()))


def _layer(room: str) -> int:
    return next(level for level, rooms in enumerate(LAYERS) if room in rooms)


def test_every_room_has_a_place() -> None:
    """A new room must be put into the order before it can import anything."""
    known = set().union(*LAYERS) | SHOWS | OVER_ALL
    assert {room for one, other, _ in IMPORTS for room in (one, other)} <= known


@pytest.mark.parametrize("one", [r for rooms in LAYERS for r in sorted(rooms)])
def test_rooms_import_what_lies_below(one: str) -> None:
    """Never upwards, never sideways, except the ground floor among itself.

    The command line is a user like any other, and comes in by the front door.
    """
    if one == "cli":
        return
    for importer, imported, at_load in IMPORTS:
        if importer != one or imported == one:
            continue
        if imported in SHOWS:
            assert not at_load, f"{one} imports {imported} as it loads"
            assert (one, imported) in LATER, f"{one} must not draw"
            continue
        assert imported not in OVER_ALL, f"{one} imports the front door"
        below = _layer(imported) < _layer(one) or (one, imported) in BESIDE
        assert below, f"{one} imports {imported}, which does not lie below it"


@pytest.mark.parametrize("one", sorted(SHOWS))
def test_shows_import_the_explanation_and_below(one: str) -> None:
    """A picture computes nothing."""
    allowed = LAYERS[0] | LAYERS[1] | LAYERS[2] | LAYERS[3] | {one}
    assert {imported for importer, imported, _ in IMPORTS if importer == one} <= allowed


def test_the_four_siblings_never_meet() -> None:
    """Predictor, maskers, samplers and solvers know nothing of one another."""
    siblings = LAYERS[4]
    met = {(a, b) for a, b, _ in IMPORTS if {a, b} <= siblings and a != b}
    assert met == set()


def test_there_is_something_to_prove() -> None:
    """The walk finds the imports that are known to be there."""
    assert ("game", "maskers", True) in IMPORTS
    assert ("explanation", "plots", False) in IMPORTS or (
        "explanation",
        "interop",
        False,
    ) in IMPORTS
