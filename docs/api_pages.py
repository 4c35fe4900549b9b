"""The API pages of the site: one for each name of the front door, and one for each other room."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

import perturbx as px

ROOMS = {
    "perturbx": "perturbx: methods, maskers, results",
    "perturbx.plots": "Plots",
    "perturbx.metrics": "Metrics of faithfulness",
    "perturbx.interop": "Networks and other libraries",
    "perturbx.archive": "Archives of answers",
    "perturbx.result": "What methods return: scores and curves",
    "perturbx.rules": "What methods return: rules and examples",
    "perturbx.errors": "Errors and warnings",
    "perturbx.maskers": "Maskers: how features are removed",
    "perturbx.samplers": "Samplers: what is tried",
    "perturbx.designs": "Designs: what was tried",
    "perturbx.solvers": "Solvers: from outputs to scores",
    "perturbx.explainers": "The base of all methods",
    "perturbx.testing": "Tests of your own parts",
}
"""The rooms with public names, and the titles of their pages."""

GROUPS = {
    "explainers": "Scores of features",
    "rules": "Rules, curves and examples",
    "maskers": "Maskers: how features are removed",
    "result": "Explanations",
    "": "More",
}
"""How the names of the front door are grouped: by the room that defines them."""


def public(module: ModuleType) -> list[str]:
    """The public names of a room, without modules."""
    names = getattr(module, "__all__", None) or vars(module)
    found = [n for n in names if not n.startswith("_") and n != "annotations"]
    return sorted((n for n in found if not inspect.ismodule(getattr(module, n))), key=str.lower)


def pages() -> dict[str, str]:
    """The Markdown of every page, by its name."""
    rooms = {room: importlib.import_module(room) for room in ROOMS}
    written = {"index": _index(rooms)}
    for room, module in rooms.items():
        written[room] = _room(room, module)
    for name in public(px):
        written[_page(name)] = f"# {name}\n\n{_directive('perturbx', name)}"
    return written


def write_pages(folder: Path) -> None:
    """Write every page that has changed, and remove those whose names are gone."""
    folder.mkdir(exist_ok=True)
    written = pages()
    for stale in set(folder.glob("*.md")) - {folder / f"{name}.md" for name in written}:
        stale.unlink()
    for name, text in written.items():
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def _page(name: str) -> str:
    return f"perturbx.{name}"


def _directive(room: str, name: str) -> str:
    value = getattr(importlib.import_module(room), name)
    options = ""
    if inspect.isclass(value):
        kind = "autoexception" if issubclass(value, Exception) else "autoclass"
        hidden = "__init__, args, with_traceback, add_note, get_metadata_routing"
        options = f"   :members:\n   :inherited-members:\n   :exclude-members: {hidden}\n"
    else:
        kind = "autofunction" if callable(value) else "autodata"
    return f"```{{eval-rst}}\n.. {kind}:: {room}.{name}\n{options}```\n\n"


def _index(rooms: dict[str, ModuleType]) -> str:
    lines = ["# API", "", "| | |", "|---|---|"]
    lines += [f"| [`{room}`]({room}.md) | {title} |" for room, title in ROOMS.items()]
    return "\n".join([*lines, "", *_toctree(rooms)])


def _room(room: str, module: ModuleType) -> str:
    """A list of the names; below it their entries, but for those that have pages of their own."""
    names = public(module)
    lines = [f"# {ROOMS[room]}", "", _markdown(inspect.getdoc(module) or ""), ""]
    if room != "perturbx":
        front = {id(getattr(px, name)) for name in px.__all__}
        own = [name for name in names if id(getattr(module, name)) not in front]
        lines += _table(room, names, own)
        return "\n".join([*lines, *(_directive(room, name) for name in own)])
    kinds = {name: _kind(getattr(module, name)) for name in names}
    for kind, title in GROUPS.items():
        chosen = [name for name in names if kinds[name] == kind]
        lines += [f"## {title}", "", *_table(room, chosen, [])]
    return "\n".join([*lines, *_toctree(map(_page, names))])


def _kind(value: object) -> str:
    room = (getattr(value, "__module__", "") + "..").split(".")[1]
    return room if room in GROUPS else ""


def _table(room: str, names: list[str], here: list[str]) -> list[str]:
    """Names and their summaries; an entry is on this page if it is `here`."""
    module = importlib.import_module(room)
    rows: dict[str, list[str]] = {}
    for name in names:  # the function and the class of a metric share a row
        target = f"#{room}.{name}" if name in here else f"{_page(name)}.md"
        rows.setdefault(name.lower().replace("_", ""), []).append(f"[`{name}`]({target})")
    summaries = {name.lower().replace("_", ""): _summary(getattr(module, name)) for name in names}
    lines = [f"| {', '.join(links)} | {summaries[key]} |" for key, links in rows.items()]
    return ["| | |", "|---|---|", *lines, ""]


def _summary(value: object) -> str:
    """The first sentence of a docstring; constants have none of their own."""
    if not (inspect.isclass(value) or callable(value)):
        return "A type."
    first = (inspect.getdoc(value) or "").partition("\n\n")[0]
    return _markdown(" ".join(first.split())).replace("|", r"\|")


def _markdown(text: str) -> str:
    """Code as in Markdown; a block that follows `::` is fenced."""
    text = re.sub(r"::\n\n((?:[ ]{4}.*\n|\n)+)", lambda m: f"\n```text\n{m[1]}```\n", text + "\n")
    return text.replace("``", "`").strip()


def _toctree(names: Iterable[str]) -> list[str]:
    return ["```{toctree}", ":hidden:", "", *names, "```", ""]
