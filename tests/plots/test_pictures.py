"""Each plot looks as it did, on light and on dark.

Versions of matplotlib draw letters in different ways, and lay figures out around them, so the
pictures in `baseline` have axes of a fixed size and no words. Words and layouts are tested by the
other files of this folder. To draw the pictures anew, after looking at them:

    python -m pytest tests/plots/test_pictures.py --mpl-generate-path=tests/plots/baseline
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.text import Text
from perturbx import plots

CELLS = {"heatmap", "interactions", "overlay"}
"""Images, whose edges other versions put one pixel beside."""

TWO = {"cohorts", "effects", "interactions", "rules"}
"""Plots with two panels; `scatter` also takes a feature."""


@pytest.fixture
def drawn(examples, make, pairs):
    """A function that draws a plot of fixed data on axes of a fixed size, without its words."""
    examples |= {
        "bar": lambda: make(d=14)[0],
        "beeswarm": lambda: make(n=30, d=5, standard_errors=np.full((30, 5), 0.4)),
        "force": lambda: make(d=5, standard_errors=np.full((8, 5), 0.4))[0],
        "heatmap": lambda: make(n=12, d=5, standard_errors=np.full((12, 5), 0.4)),
        "interactions": lambda: pairs(n=1)[0],
        "scatter": lambda: make(n=40, d=5, standard_errors=np.full((40, 5), 0.4)),
        "tree": small_tree,
    }

    def draw(name: str):
        figure = plt.figure(figsize=(7, 4))
        axes = figure.subplots(1, 1 + (name in TWO))
        also = ("feature 0",) * (name == "scatter")
        getattr(plots, name)(examples[name](), *also, ax=axes, show=False)
        figure.draw_without_rendering()
        for words in figure.findobj(Text):
            words.set_visible(False)
        return figure

    return draw


def small_tree():
    """A test and two leaves."""
    node = SimpleNamespace(left=0, right=0, test="", otherwise="", fidelity="R² 0.90", value=1.0)
    parts = [
        {"left": 1, "right": 2, "test": "age ≤ 30", "otherwise": "age > 30", "share": 1.0},
        {"decision": "output = 1.0", "share": 0.25},
        {"decision": "output = 3.0", "share": 0.75, "value": 3.0},
    ]
    nodes = [SimpleNamespace(**{**vars(node), "decision": "", **part}) for part in parts]
    fidelity = type("Fidelity", (), {"n": 100, "__str__": lambda self: "R² 0.95"})()
    return SimpleNamespace(nodes=nodes, fidelity=fidelity, decisions=(), output="risk")


def compared(style: str) -> list:
    """All plots; the tolerance is the root mean square of the differences of pixels, of 255."""
    look = {"style": style, "savefig_kwargs": {"dpi": 40}}
    tolerance = {name: 12 if name in CELLS else 3 for name in plots.__all__}
    return [
        pytest.param(n, marks=pytest.mark.mpl_image_compare(tolerance=tolerance[n], **look))
        for n in plots.__all__
    ]


@pytest.mark.parametrize("name", compared("default"))
def test_light(name, drawn):
    """On white."""
    return drawn(name)


@pytest.mark.parametrize("name", compared("dark_background"))
def test_dark(name, drawn):
    """On black; the style holds while the figure is drawn and saved."""
    return drawn(name)


@pytest.mark.parametrize("name", plots.__all__)
def test_every_picture_is_there(name):
    """A plot that is added needs its two pictures, each of a few kilobytes."""
    for style in ("light", "dark"):
        picture = Path(__file__).parent / "baseline" / f"test_{style}_{name}.png"
        assert 0 < picture.stat().st_size < 20_000
