"""Convergence draws scores with their intervals against what they cost."""

from __future__ import annotations

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from perturbx import plots
from perturbx.errors import InvalidParameterError
from perturbx.plots.convergence import _apart


@pytest.fixture
def runs(make):
    """Three runs of one instance, of which each has half the errors of the one before."""
    one = make(d=4)[0]
    return [
        replace(one, n_rows=100 * 4**i, values=one.values * (1 + 0.1 / 2**i), standard_errors=e)
        for i, e in enumerate(np.full((3, 4), 0.2) / 2.0 ** np.arange(3)[:, None])
    ]


def test_lines_and_bands_are_scores_and_intervals(runs):
    """In the order of their costs, whatever the order of the list; names in colors of lines."""
    axes = plots.convergence(runs[::-1], show=False)
    order = np.argsort(-np.abs(runs[-1].values))
    lines = [line for line in axes[0].lines if len(line.get_xdata()) == 3]
    bands = [c for c in axes[0].collections if len(c.get_paths()) and not c.get_offsets().size > 2]
    for feature, line, band in zip(order, lines, bands, strict=False):
        np.testing.assert_array_equal(line.get_xdata(), [100, 400, 1600])
        np.testing.assert_allclose(line.get_ydata(), [run.values[feature] for run in runs])
        corners = band.get_paths()[0].vertices
        low, high = (ends[feature] for ends in runs[0].interval())
        np.testing.assert_allclose(
            [corners[corners[:, 0] == 100, 1].min(), corners[corners[:, 0] == 100, 1].max()],
            [low, high],
        )
    names = [t.get_text() for t in axes[0].texts]
    assert set(names) >= {runs[0].feature_names[i] for i in order}
    assert axes[0].get_xscale() == "log"


def test_the_largest_error_is_below(runs):
    """In percent of the range of the last scores."""
    axes = plots.convergence(runs, show=False)
    reach = np.ptp(np.append(runs[-1].values, 0.0))
    line = axes[1].lines[0]
    np.testing.assert_allclose(line.get_ydata(), 100 * np.array([0.2, 0.1, 0.05]) / reach)
    own = plt.figure().subplots()
    assert list(plots.convergence(runs, ax=own, show=False)) == [own]


def test_exact_scores_have_no_bands(runs):
    """Nothing is said of intervals, and there is no strip of errors."""
    exact = [replace(run, standard_errors=np.zeros(4)) for run in runs]
    axes = plots.convergence(exact, show=False)
    assert len(axes) == 1
    assert not any("interval" in text.get_text() for text in axes[0].texts)


def test_names_stand_apart():
    """Ascending, at least a step apart, and where there is room at their own place."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        wanted = np.sort(rng.uniform(0, 60, size=6))
        placed = _apart(wanted, 10.0)
        assert (np.diff(placed) >= 10.0 - 1e-9).all()
        np.testing.assert_allclose(placed.mean(), wanted.mean())
    np.testing.assert_allclose(_apart(np.array([0.0, 50.0]), 10.0), [0.0, 50.0])


def test_what_does_not_grow_is_refused(make, runs):
    with pytest.raises(InvalidParameterError, match="two or more explanations at different costs"):
        plots.convergence([runs[0], runs[0]], show=False)
    with pytest.raises(InvalidParameterError, match="all features of one instance"):
        plots.convergence([make(n_rows=10), make(n_rows=20)], show=False)
    with pytest.raises(InvalidParameterError, match="have different features"):
        plots.convergence([runs[0], make(d=5, n_rows=9)[0]], show=False)
    with pytest.raises(InvalidParameterError, match="must be a list of Explanations"):
        plots.convergence(iter(runs), show=False)
