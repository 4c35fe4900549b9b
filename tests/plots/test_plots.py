"""Tests of all plots together."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import perturbx as px
import pytest
from matplotlib.colors import to_rgb
from matplotlib.text import Text
from perturbx import plots
from perturbx.errors import InvalidParameterError
from perturbx.features import SeriesMap
from perturbx.plots import _style
from skimage.color import deltaE_ciede2000, rgb2lab

IMPORTS = """
import sys
import sklearn.base  # brings pandas along where that is installed
before = set(sys.modules)
import perturbx, perturbx.plots, perturbx.interop, perturbx.result
heavy = {"matplotlib", "shap", "pandas", "torch"} & (set(sys.modules) - before)
print(*sorted(heavy))
"""


OF_RULES = {"effects": "Effects", "surface": "EffectSurface", "tree": "a tree", "curves": "curves"}
OF_RULES |= {"cohorts": "a CohortComparison", "rules": "result must be anchors"}
OF_RULES |= dict.fromkeys(("compare", "convergence"), "explanations must be ")
"""What those plots take that show no explanation."""

OF_TABLES = ("bar", "beeswarm", "cohorts", "compare", "convergence", "force", "heatmap")
OF_TABLES += ("interactions", "scatter", "waterfall")
"""Plots of features of tables."""

ALSO = {"scatter": (0,)}
"""Further arguments."""


def test_importing_is_light():
    """matplotlib, shap and pandas are imported by the functions that need them."""
    done = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("", "")


def test_every_plot_has_an_example(examples):
    """A plot that is added is drawn by the tests of this file."""
    assert sorted(examples) == sorted(plots.__all__)


@pytest.mark.parametrize("name", plots.__all__)
def test_without_matplotlib_the_error_says_how_to_get_it(name, examples, monkeypatch):
    """Without matplotlib, an ImportError names the command to install it."""
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r'pip install "perturbx\[plots\]"'):
        getattr(plots, name)(examples[name](), *ALSO.get(name, ()), show=False)


@pytest.mark.parametrize("name", plots.__all__)
def test_words_are_visible_on_dark_backgrounds(name, examples):
    """Each text has a contrast of at least 3 with the background that it is drawn on."""
    with plt.style.context("dark_background"):
        axes = getattr(plots, name)(examples[name](), *ALSO.get(name, ()), show=False)
        figure = np.ravel(axes)[0].figure
        figure.canvas.draw()
    words = [t for t in figure.findobj(Text) if t.get_text().strip() and t.get_visible()]
    assert words
    dark = [t.get_text() for t in words if contrast(t.get_color()) < 3]
    assert dark == []


VISION = {
    "protanopia": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "deuteranopia": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "tritanopia": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}
"""Machado, Oliveira & Fernandes (IEEE TVCG 15, 2009): linear RGB as others see it."""


@pytest.mark.parametrize("kind", VISION)
def test_colors_are_told_apart_with_every_kind_of_color_vision(kind):
    """Red, blue and gray, and all colors of outputs, differ by 10 and more in CIEDE2000."""
    groups = ((_style.RED, _style.BLUE, _style.GRAY), _style.OUTPUT_COLORS)
    for colors in groups:
        linear = np.array([((np.array(to_rgb(c)) + 0.055) / 1.055) ** 2.4 for c in colors])
        seen = np.clip(linear @ np.array(VISION[kind]).T, 0, 1) ** (1 / 2.4) * 1.055 - 0.055
        lab = rgb2lab(np.clip(seen, 0, 1)[None])[0]
        apart = deltaE_ciede2000(lab[:, None], lab[None])
        assert apart[~np.eye(len(colors), dtype=bool)].min() > 10


@pytest.mark.parametrize("d", [3, 30, 300])
@pytest.mark.parametrize("name", OF_TABLES)
def test_everything_lies_within_the_figure(name, d, make, pairs):
    """Of few and many features with long names nothing is cut off, and no names overlap."""
    names = tuple(f"a long name of a column, which goes on and on, {i}" for i in range(d))
    many = make(n=12, d=d, feature_names=names, n_rows=100)
    if name == "interactions":
        many = replace(pairs(n=2, d=min(d, 40)), feature_names=names[:40])
    given = {
        "cohorts": lambda: px.compare_cohorts(many, many[:6]),
        "compare": lambda: [many[0], many[1]],
        "convergence": lambda: [replace(many[0], n_rows=n) for n in (90, 9_000)],
        **dict.fromkeys(("beeswarm", "heatmap", "interactions", "scatter"), lambda: many),
    }.get(name, lambda: many[0])()
    axes = np.ravel(getattr(plots, name)(given, *ALSO.get(name, ()), show=False))
    figure = axes[0].figure
    figure.canvas.draw()
    box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert min(box.x0, box.y0) > -0.03
    assert box.x1 < width + 0.03
    assert box.y1 < height + 0.03
    labels = [t for t in axes[0].get_yticklabels() if t.get_text()]
    boxes = [label.get_window_extent() for label in labels]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


@pytest.mark.parametrize("name", [n for n in OF_TABLES if n not in ("bar", "cohorts")])
def test_scores_that_are_all_missing_are_refused(name, make):
    """Instances whose model calls failed have no scores, and the error says so."""
    many = make(n=5, values=np.full((5, 6), np.nan), standard_errors=np.full((5, 6), np.nan))
    given = {
        "compare": [many[0], many[1]],
        "convergence": [replace(many[0], n_rows=n) for n in (90, 900)],
        **dict.fromkeys(("beeswarm", "heatmap", "scatter"), many),
    }.get(name, many[0])
    takes = "no interactions" if name == "interactions" else f"{name} has nothing to draw"
    with pytest.raises(InvalidParameterError, match=takes):
        getattr(plots, name)(given, *ALSO.get(name, ()), show=False)
    assert not plt.get_fignums()


def contrast(color, background="black"):
    """The contrast ratio of WCAG 2."""
    high, low = sorted(map(luminance, (color, background)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def luminance(color):
    parts = np.array(to_rgb(color))
    return ((parts + 0.055) / 1.055) ** 2.4 @ [0.2126, 0.7152, 0.0722]


@pytest.mark.parametrize("name", plots.__all__)
def test_settings_of_the_user_are_left_alone(name, examples):
    """Drawing changes no rcParams."""
    before = dict(plt.rcParams)
    getattr(plots, name)(examples[name](), *ALSO.get(name, ()), show=False)
    assert dict(plt.rcParams) == before


@pytest.mark.parametrize("given", [1, "text", None, [[1.0]], {"a": 1}], ids=repr)
@pytest.mark.parametrize("name", plots.__all__)
def test_what_is_no_result_is_refused(name, given):
    """Other objects raise an error that says what the plot accepts."""
    takes = OF_RULES.get(name, "explanation must be an Explanation")
    with pytest.raises(InvalidParameterError, match=takes):
        getattr(plots, name)(given, *ALSO.get(name, ()), show=False)


def test_names_with_dollars_are_drawn_as_they_are(make, photo, found):
    """Names and text in the data are drawn literally, never as formulas."""
    awkward = {"output_names": ("$a$ $",), "method": "$$: x", "value_function": "$\\frac$ and $"}
    names = ("$x$", "$$", "a$", "$b", "$c_{$", r"\\$d$")
    data = np.full((8, 6), "$1 to $2", dtype=object)
    one = make(feature_names=names, data=data, **awkward)
    plots.bar(one, show=False)
    plots.bar(one[0], show=False)
    plots.waterfall(one[0], show=False)
    plots.bar(make(k=2, feature_names=names, output_names=("$a$", "$b$"))[0], show=False)
    track = SeriesMap(np.arange(4)[:, None], ("$\\frac$",))
    one = photo(image=np.zeros((4, 1)), regions=track)
    plots.series(replace(one, output_names=("$\\frac$",)), show=False)
    plots.overlay(replace(photo(k=2), output_names=("$a$", "$\\frac$")), show=False)
    plots.curves(
        {
            "$m$": found(
                output_names=("$o$",),
                value_function="$v$",
                references={"$r$": 0.5},
                reference_curves={"$r$": np.ones(6)},
            )
        },
        show=False,
    )
    for figure in map(plt.figure, plt.get_fignums()):
        figure.canvas.draw()


def test_pictures_say_how_they_are_read(make):
    """Plots say which error the whiskers show, and how to read a waterfall."""
    of_mean = "whiskers: 95% interval of the mean over instances"
    of_each = "whiskers: 95% interval of each score, from sampling perturbations"
    assert of_mean in texts(plots.bar(make(), show=False))
    assert of_each in texts(plots.bar(make()[0], show=False))
    unknown = make(standard_errors=np.full((8, 6), np.nan))[0]
    assert not any(text.startswith("whiskers") for text in texts(plots.bar(unknown, show=False)))
    upwards = "read upwards, from the base value to the prediction"
    assert upwards in texts(plots.waterfall(make()[0], show=False))


def texts(ax):
    return [text.get_text() for text in ax.texts]
