"""Curves are those of the results, with their numbers next to their names."""

from __future__ import annotations

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import same_color
from perturbx import plots
from perturbx.errors import InvalidParameterError
from perturbx.plots import _style
from scipy import stats


def names(ax):
    """The labels of the legend, without their numbers."""
    return [line.get_label().rpartition("  ")[0] for line in ax.lines]


def test_lines_are_the_curves(found):
    """One instance: its curve over the shares, a shaded area below it, references in gray."""
    one = found()
    ax = plots.curves(one, show=False)
    own, random = ax.lines
    np.testing.assert_array_equal(own.get_xydata(), np.stack([one.shares, one.curves], axis=1))
    np.testing.assert_array_equal(random.get_ydata(), one.reference_curves["random"])
    assert same_color(random.get_color(), _style.GRAY)
    (area,) = ax.collections
    corners = area.get_paths()[0].vertices
    assert {(0.0, 0.0), (1.0, 0.0), (0.0, one.curves[0])} <= set(map(tuple, corners))
    assert own.get_label() == f"explanation  {one.values:.3f}"
    assert random.get_label() == f"random  {one.references['random']:.3f}"


def test_the_mean_over_instances(found):
    """Several instances: mean curves with a shaded 95% interval, without those that are NaN."""
    several = found(n=5)
    several.curves[3], several.values[3] = np.nan, np.nan
    ax = plots.curves(several, show=False)
    known = several.curves[[0, 1, 2, 4]]
    np.testing.assert_allclose(ax.lines[0].get_ydata(), known.mean(axis=0))
    low, high = stats.t.interval(0.95, 3, known.mean(axis=0), stats.sem(known))
    shaded = ax.collections[0].get_paths()[0].vertices[:, 1]
    np.testing.assert_allclose([shaded.min(), shaded.max()], [low.min(), high.max()])
    assert ax.lines[0].get_label().endswith(f"  {np.nanmean(several.values):.3f}")
    assert "mean over 5 instances" in ax.get_title("right")


def test_methods_share_a_picture(found):
    """Each method gets a line in its own color; references are those of the first; no shading."""
    results = {"Lime": found(seed=1), "Occlusion": found(seed=2)}
    ax = plots.curves(results, show=False)
    assert names(ax) == ["Lime", "Occlusion", "random"]
    assert len({line.get_color() for line in ax.lines}) == 3
    for line, result in zip(ax.lines, results.values(), strict=False):
        np.testing.assert_array_equal(line.get_ydata(), result.curves)
    assert not ax.collections


def test_metrics_have_panels_of_their_own(found):
    """Each metric has a panel that says which direction is better."""
    pair = [found("deletion"), found("insertion")]
    for results in (pair, {"Lime": pair}, {"Lime": pair, "Occlusion": pair}):
        axes = plots.curves(results, show=False)
        assert [ax.get_title("left") for ax in axes] == ["Deletion", "Insertion"]
        assert "lower is better" in axes[0].get_title("right")
        assert "higher is better" in axes[1].get_title("right")
        assert "share removed" in axes[0].get_xlabel()
        assert "share inserted" in axes[1].get_xlabel()


def test_one_of_several_outputs(found):
    """An output is chosen by name or position; without either the error lists them."""
    several = found(n=3, k=2)
    for output in ("class 1", 1, -1):
        ax = plots.curves(several, output=output, show=False)
        np.testing.assert_allclose(ax.lines[0].get_ydata(), several.curves[:, 1].mean(axis=0))
        assert ax.get_ylabel() == "model output for class 1"
    for output in (None, "class 2", 2):
        with pytest.raises(InvalidParameterError, match="0 to 1, or one of 'class 0', 'class 1'"):
            plots.curves(several, output=output, show=False)


def test_an_output_of_each_instance(found):
    """If each instance has its own class, no name is shown."""
    several = found(n=2, k=1, output_names=np.array([["cat"], ["dog"]], dtype=object))
    assert plots.curves(several, show=False).get_ylabel() == "model output"


def test_removal_is_named(found):
    """The panel names the fill, or every fill if methods differ."""
    ax = plots.curves(found(), show=False)
    assert [text.get_text() for text in ax.texts] == [found().value_function]
    mixed = {"a": found(), "b": found(value_function="absent positions in gray")}
    text = plots.curves(mixed, show=False).texts[0].get_text()
    assert text == f"{found().value_function}\nor absent positions in gray"


def test_areas_are_read_from_zero(found):
    """The limits contain zero and every curve, also below zero."""
    for shift in (0.0, 5.0, -7.0):
        curves = found().curves + shift
        low, high = plots.curves(found(curves=curves), show=False).get_ylim()
        assert low <= min(0, curves.min()) <= max(0, curves.max()) <= high


@pytest.mark.parametrize("curve", ["falling", "rising"])
def test_names_keep_clear_of_the_lines(found, curve):
    """If there is room, no line crosses the legend."""
    shares = np.linspace(0, 1, 6)
    one = found(shares=shares, curves=(1 - shares if curve == "falling" else shares) ** 2)
    other = one.curves**0.5
    one = replace(one, reference_curves={"random": other})
    ax = plots.curves(one, show=False)
    ax.figure.canvas.draw()
    box = ax.get_legend().get_window_extent().transformed(ax.transData.inverted())
    x = np.linspace(box.x0, box.x1, 50)
    for line in ax.lines:
        y = np.interp(x, *line.get_data())
        assert ((y < box.y0) | (y > box.y1)).all()


def test_results_without_references(found):
    """Without references only the line is drawn."""
    ax = plots.curves(found(references={}, reference_curves={}), show=False)
    assert names(ax) == ["explanation"]


def test_show_and_axes(found, shows):
    """show=True shows once; given axes are drawn on, one for each metric, and no figure is made."""
    _, axes = plt.subplots(1, 2)
    assert plots.curves(found(), ax=axes[0], show=False) is axes[0]
    pair = [found("deletion"), found("insertion")]
    assert list(plots.curves(pair, ax=axes, show=False)) == list(axes)
    assert not shows
    plots.curves(found(), ax=axes[0])
    assert len(shows) == 1
    assert len(plt.get_fignums()) == 1


def test_what_cannot_be_drawn_is_refused(found, make):
    """The error names the remedy, and no figure is left open."""
    with pytest.raises(InvalidParameterError, match=r"that have curves.*got one of 'infid"):
        plots.curves(found("infidelity", curves=None), show=False)
    with pytest.raises(InvalidParameterError, match=r"that have curves.*got Explanation"):
        plots.curves(make()[0], show=False)
    with pytest.raises(InvalidParameterError, match="pass at least one result"):
        plots.curves({}, show=False)
    with pytest.raises(InvalidParameterError, match="at most 6 methods in one picture, and got 7"):
        plots.curves({str(i): found() for i in range(7)}, show=False)
    assert not plt.get_fignums()
    with pytest.raises(InvalidParameterError, match="here 1, and got 2 axes: pass 1"):
        plots.curves(found(), ax=plt.subplots(1, 2)[1], show=False)
