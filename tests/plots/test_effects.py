"""Plots of effect curves: what is drawn is what was estimated, in every number of panels."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import perturbx as px
import pytest
from perturbx import plots
from perturbx.errors import InvalidParameterError

pd = pytest.importorskip("pandas")


def found(d: int = 3, k: int = 0, method: str = "ale", n: int = 120) -> Any:
    """Curves of d columns of numbers and one of categories, for k outputs (0: no such axis)."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(n, d)), columns=[f"column {j}" for j in range(d)])
    frame["town"] = rng.choice(["north", "south$", "east"], n)

    def model(X: Any) -> Any:
        y = X.iloc[:, 0] * X.iloc[:, -2] + np.arange(d) @ X.iloc[:, :-1].T + (X["town"] == "east")
        return np.stack([np.asarray(y) * (j + 1) for j in range(k)], axis=1) if k else y

    return px.Effects(model, method=method, random_state=0).fit(frame).explain()


@pytest.mark.parametrize("d", [1, 3, 11])
@pytest.mark.parametrize("method", ["ale", "pdp"])
def test_lines_bands_and_whiskers_are_the_curves_and_their_intervals(d: int, method: str) -> None:
    """One panel for each curve, all on one scale that contains the intervals."""
    curves = found(d, method=method)
    axes = plots.effects(curves, level=0.9, rows=7, show=False)
    assert len(axes) == d + 1
    for ax, curve in zip(axes[:-1], curves, strict=False):
        line = next(line for line in ax.lines if line.get_label() == "output")
        np.testing.assert_array_equal(
            line.get_xydata(), np.stack([curve.positions, curve.values], 1)
        )
        corners = ax.collections[0].get_paths()[0].vertices
        for ends in curve.interval(0.9):
            assert np.isin(ends, corners[:, 1]).all()
        assert len(ax.lines) == 2 + 7 * (method == "pdp")
        assert ax.get_ylim() == axes[0].get_ylim()
        assert ax.get_xlabel() == curve.feature
    town, panel = curves["town"], axes[-1]
    (points, _, (whiskers,)) = panel.containers[0]
    np.testing.assert_array_equal(points.get_ydata(), town.values)
    ends = np.array([part[:, 1] for part in whiskers.get_segments()])
    np.testing.assert_allclose(ends, np.stack(town.interval(0.9), axis=1))
    low, high = panel.get_ylim()
    assert low < ends.min() < ends.max() < high
    names = [label.get_text() for label in panel.get_xticklabels()]
    assert names == [cell.replace("$", r"\$") for cell in town.grid]
    panel.figure.canvas.draw()


def test_bars_are_the_rows() -> None:
    """Heights are in proportion to the numbers of rows, for numbers and for categories."""
    curves = found()
    axes = plots.effects(curves, show=False)
    heights = np.array([bar.get_height() for bar in axes[-1].patches])
    counts = curves["town"].counts
    np.testing.assert_allclose(heights / heights.max(), counts / counts.max())
    heights = np.array([bar.get_height() for bar in axes[0].patches])
    counts, _ = np.histogram(curves[0].data, len(heights))
    np.testing.assert_allclose(heights / heights.max(), counts / counts.max())


def test_outputs_share_a_panel_or_one_is_chosen() -> None:
    """Up to six outputs in colors with a legend; more need a choice."""
    curves = found(2, k=3)
    axes = plots.effects(curves, show=False)
    names = [text.get_text() for text in axes[0].get_legend().get_texts()]
    assert names == ["output 0", "output 1", "output 2"]
    assert len({line.get_color() for line in axes[0].lines[:-1]}) == 3
    (one, *_) = plots.effects(curves, output="output 1", show=False)
    np.testing.assert_array_equal(one.lines[0].get_ydata(), curves[0].values[:, 1])
    assert one.get_ylabel() == "effect on output 1"
    with pytest.raises(InvalidParameterError, match="at most 6 outputs"):
        plots.effects(found(1, k=7), show=False)
    with pytest.raises(InvalidParameterError, match="No output"):
        plots.effects(curves, output="setosa", show=False)


def test_the_curves_that_vary_most_are_drawn_if_there_are_too_many() -> None:
    """In the user's order, and the plot says how many it leaves out."""
    curves = found(6)
    axes = plots.effects(curves, max_display=3, show=False)
    sizes = [curve.size for curve in curves]
    kept = sorted(np.argsort(sizes)[-3:])
    assert [ax.get_xlabel() for ax in axes] == [curves[int(i)].feature for i in kept]
    assert "4 more curves vary less" in axes[0].figure.get_supxlabel()


def test_colors_follow_the_background() -> None:
    """In a dark style text is light."""
    curves = found()
    with plt.style.context("dark_background"):
        ax = plots.effects(curves, show=False)[0]
    assert ax.xaxis.label.get_color() == "#e8e8e8"


def test_own_axes_and_wrong_ones(shows: list[Any]) -> None:
    """One for each curve; anything else is refused."""
    curves = found(1)
    _, axes = plt.subplots(1, 2)
    assert list(plots.effects(curves, ax=axes)) == list(axes)
    assert len(shows) == 1
    assert all(ax.get_ylabel() for ax in axes)
    with pytest.raises(InvalidParameterError, match="one panel for each curve, here 2"):
        plots.effects(curves, ax=axes[0], show=False)
    with pytest.raises(InvalidParameterError, match="EffectCurves"):
        plots.effects(curves[0], show=False)
