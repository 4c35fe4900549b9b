"""The code and commands of README and docs work; `.ci/run` runs them in a new environment."""

import importlib.util
import re
import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SCRIPT = runpy.run_path(str(ROOT / "tests/documents.py"))
OURS = '".[plots]" pandas'
"""What the first command installs, and the tests have."""
PACKAGES = re.compile(r"[a-z0-9 ]+").fullmatch
"""Packages that are imported by the names under which they are installed."""


@pytest.mark.filterwarnings("ignore:The set_:PendingDeprecationWarning")  # of shap
@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_code_block_runs_after_the_ones_before(document, tmp_path, monkeypatch):
    """A reader can paste a document from top to bottom."""
    pytest.importorskip("pandas")
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("Agg")
    monkeypatch.setattr(plt, "show", lambda: None)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    steps = _installed(SCRIPT["steps"](document))
    # What needs large packages is left to .ci/run, and so is the demo.
    quick = [
        step
        for before, step in zip([None, *steps], steps, strict=False)
        if step[0] != "install" and not _is_left(before) and step[1] != "perturbx demo"
    ]
    assert len(quick) >= (6 if document.name == "README.md" else 1)
    SCRIPT["run"](document, quick)
    plt.close("all")


def _is_left(before):
    """Whether a block needs a network, or packages whose names are not those of their modules."""
    kind, code, _ = before or ("", "", 0)
    return kind == "install" and ("[vision]" in code or not (PACKAGES(code) or code[:2] == '".'))


def _installed(steps):
    """The steps up to the first packages that are not there."""
    for i, (kind, code, _) in enumerate(steps):
        packages = code.split() if kind == "install" and PACKAGES(code) else []
        if not all(map(importlib.util.find_spec, packages)):
            return steps[:i]
    return steps


def test_first_block_has_a_good_result(capsys):
    """The first example has no note except about the size of the background."""
    pytest.importorskip("matplotlib").use("Agg")
    _, code, _ = next(s for s in SCRIPT["steps"](ROOT / "README.md") if s[0] == "python")
    names = {}
    exec(code, names)
    explanation = names["explanation"]
    reach = explanation.values.max(axis=1) - explanation.values.min(axis=1)
    assert (explanation.standard_errors.max(axis=1) < 0.01 * reach).all()
    assert explanation.notes == ("the background is a random sample of 100 of 350 rows",)
    assert "standard errors" not in capsys.readouterr().out


def test_first_command_brings_what_the_first_block_imports():
    """The first command installs this folder, with plots and pandas."""
    kind, arguments, _ = SCRIPT["steps"](ROOT / "README.md")[0]
    assert (kind, arguments) == ("install", OURS)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    """Every file that a document links to exists."""
    text = document.read_text(encoding="utf-8")
    targets = re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", text)
    assert targets
    assert [t for t in targets if not (document.parent / t).exists()] == []


def test_commands_name_what_exists():
    """Every `make` target and extra that the README names exists."""
    targets = re.findall(r"make ([a-z]+)", README)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert {"demo", "test"} <= set(targets)
    assert [t for t in targets if f"\n{t}:" not in makefile] == []
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    extras = re.findall(r'"\.\[([a-z]+)\]"', README)
    assert {"plots", "test", "vision"} <= set(extras)
    assert [e for e in extras if f"\n{e} = [" not in pyproject] == []


def test_every_benchmark_is_described():
    """benchmarks/README.md lists each script that exists, and has a section about it."""
    folder = ROOT / "benchmarks"
    scripts = {f"{p.parent.name}.{p.stem}" for p in folder.glob("*/[!_]*.py")}
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `([a-z_.]+)` \|", text, flags=re.MULTILINE)) == scripts
    assert set(re.findall(r"^## `([a-z_.]+)`\n\nYou learn ", text, flags=re.MULTILINE)) == scripts
