import json
from importlib.util import find_spec
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


DATA = {"series": "sktime"}
"""Packages whose files a notebook reads."""


def code_of(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_pictures_are_kept(path):
    """A stranger who opens the file sees them, and it stays small: `make notebooks`."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    drawing = [c for c in cells if c["cell_type"] == "code" and "px.plots." in "".join(c["source"])]
    kinds = [{kind for o in c["outputs"] for kind in o.get("data", {})} for c in drawing]
    assert drawing
    assert all("image/png" in found for found in kinds)
    assert path.stat().st_size < 500_000


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_cell_runs(path, tmp_path, monkeypatch):
    """Run from top to bottom, no cell fails and every assertion holds."""
    pytest.importorskip("pandas")
    if path.stem in DATA and find_spec(DATA[path.stem]) is None:
        pytest.skip(f"needs the data sets of {DATA[path.stem]}")
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("Agg")
    monkeypatch.setattr(plt, "show", lambda: None)
    monkeypatch.chdir(tmp_path)
    cells = code_of(path)
    assert len(cells) >= 3
    names = {}
    for cell in cells:
        exec(compile(cell, path.name, "exec"), names)
    plt.close("all")
    assert list(tmp_path.iterdir()) == []
