"""The matrix and the bars of interactions are those of the explanation."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from perturbx import plots
from perturbx.errors import InvalidParameterError
from perturbx.result.importance import mean_sizes
from scipy import stats


def matrix(ax):
    """(values, gray) of the cells, in the order of the names; and the order."""
    order = [int(label.get_text().split()[-1]) for label in ax.get_yticklabels()]
    values, gray = (image.get_array() for image in ax.images)
    return values, ~np.ma.getmaskarray(gray), order


@pytest.mark.parametrize("index", ["shapley", "faith_shap"])
def test_one_instance(pairs, index):
    """Signed cells, gray where the interval contains 0, and bars for the largest pairs."""
    one = pairs()[0]
    left, right = plots.interactions(one, index=index, show=False)
    given = getattr(one.interactions, index)
    values, gray, order = matrix(left)
    half = stats.t.ppf(0.975, 9) * 0.3
    unsure = (np.abs(given) <= half)[np.ix_(order, order)] & ~np.eye(6, dtype=bool)
    np.testing.assert_array_equal(gray, unsure)
    shown = ~gray & ~np.eye(6, dtype=bool)
    np.testing.assert_allclose(values[shown], given[np.ix_(order, order)][shown])
    assert np.ma.getmaskarray(values)[np.eye(6, dtype=bool)].all()
    first, second = np.triu_indices(6, 1)
    largest = np.argsort(-np.abs(given[first, second]))[:10]
    widths = [bar.get_width() for bar in right.patches]
    np.testing.assert_allclose(widths, given[first, second][largest])
    ends = np.array([line[:, 0] for line in right.collections[0].get_segments()])
    np.testing.assert_allclose(ends, np.array(widths)[:, None] + np.array([-half, half]))
    i, j = first[largest[0]], second[largest[0]]
    assert right.get_yticklabels()[0].get_text() == f"feature {i} × feature {j}"


def test_several_instances_show_mean_sizes(pairs):
    """The mean |interaction|, corrected for the bias of noise, with its interval."""
    many = pairs(n=12)
    left, right = plots.interactions(many, show=False)
    values, _, order = matrix(left)
    flat = many.interactions.shapley.reshape(12, -1)
    means, errors, bias = mean_sizes(flat, np.full(flat.shape, 0.3))
    expected = means.reshape(6, 6)[np.ix_(order, order)]
    shown = ~np.ma.getmaskarray(values)
    np.testing.assert_allclose(values[shown], expected[shown])
    half = (bias + stats.t.ppf(0.975, 11) * errors).reshape(6, 6)
    i, j = (int(part.split()[-1]) for part in right.get_yticklabels()[0].get_text().split(" × "))
    ends = right.collections[0].get_segments()[0][:, 0]
    mean = means.reshape(6, 6)[i, j]
    np.testing.assert_allclose(ends, [max(mean - half[i, j], 0), mean + half[i, j]])
    assert right.get_xlabel() == "mean |interaction| for class 0, 12 instances"


def test_the_most_interacting_features_are_drawn(pairs):
    """Of many features those with the largest sums; of one output if there are several."""
    many = pairs(n=1, d=30, k=2)
    left, right = plots.interactions(many, output="class 1", max_display=4, show=False)
    values, _, order = matrix(left)
    assert values.shape == (4, 4)
    assert len(right.patches) == 4
    sums = np.abs(many.interactions.shapley[0, :, :, 1] * ~np.eye(30, dtype=bool)).sum(axis=1)
    assert order == np.argsort(-sums)[:4].tolist()
    with pytest.raises(InvalidParameterError, match="2 outputs were explained: say which"):
        plots.interactions(many, show=False)


def test_what_has_no_pairs_is_refused(make, pairs, shows):
    """The error says how to get interactions."""
    with pytest.raises(InvalidParameterError, match=r"px\.KernelShap\(model, interactions=True\)"):
        plots.interactions(make(), show=False)
    with pytest.raises(InvalidParameterError, match="two or more features"):
        plots.interactions(pairs(d=1), show=False)
    with pytest.raises(InvalidParameterError, match="index must be one of 'shapley'"):
        plots.interactions(pairs(), index="stii", show=False)
    _, axes = plt.subplots(1, 2)
    assert plots.interactions(pairs(), ax=axes).tolist() == axes.tolist()
    assert len(shows) == 1
    with pytest.raises(InvalidParameterError, match="got 1 axes: pass 2 axes"):
        plots.interactions(pairs(), ax=axes[0], show=False)
