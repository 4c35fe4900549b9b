"""The site leaves out no public name, no page and no notebook; `.ci/run` builds it."""

import importlib
import inspect
import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
API = runpy.run_path(str(ROOT / "docs/api_pages.py"))
ENTRY = re.compile(r"^\.\. auto\w+:: (\S+)$", flags=re.MULTILINE)
PAGES = API["pages"]()


def exports(room):
    """What a room offers, without its modules."""
    module = importlib.import_module(room)
    names = getattr(module, "__all__", vars(module))
    found = {n: getattr(module, n) for n in names if not n.startswith("_") and n != "annotations"}
    return {name: value for name, value in found.items() if not inspect.ismodule(value)}


def value_of(name):
    room, _, last = name.rpartition(".")
    return getattr(importlib.import_module(room), last)


@pytest.mark.parametrize("room", sorted(API["ROOMS"]))
def test_every_export_has_an_entry(room):
    """In a page of its own, or in that of its room; and its room's page lists it."""
    entries = {name for text in PAGES.values() for name in ENTRY.findall(text)}
    described = {id(value_of(name)) for name in entries}
    found = exports(room)
    assert found
    assert [name for name, value in found.items() if id(value) not in described] == []
    assert [name for name in found if f"[`{name}`](" not in PAGES[room]] == []


def test_every_room_that_users_reach_has_a_page():
    """`px.errors`, `px.testing` and everything that the front door names."""
    import perturbx as px

    modules = {f"perturbx.{n}" for n in px.__all__ if inspect.ismodule(getattr(px, n))}
    assert modules | {"perturbx.errors", "perturbx.testing"} <= set(API["ROOMS"])


def test_summaries_are_a_line():
    """Every name in a list has a first sentence, without markup that Markdown lacks."""
    rows = [line for text in PAGES.values() for line in text.splitlines() if line.startswith("| [")]
    assert [row for row in rows if row.endswith("|  |") or "``" in row or "\n" in row] == []


def test_stale_pages_go(tmp_path):
    """A name that was removed has no page any more; pages that are the same stay untouched."""
    (tmp_path / "perturbx.Gone.md").write_text("# Gone")
    API["write_pages"](tmp_path)
    assert {path.stem for path in tmp_path.iterdir()} == set(PAGES)
    before = (tmp_path / "index.md").stat().st_mtime_ns
    API["write_pages"](tmp_path)
    assert (tmp_path / "index.md").stat().st_mtime_ns == before
