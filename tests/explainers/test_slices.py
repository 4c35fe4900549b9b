"""The cost and the notes of a slice of the result."""

from __future__ import annotations

import numpy as np
import perturbx as px
import pytest
from numpy.testing import assert_array_equal


def bent(X: np.ndarray) -> np.ndarray:
    """Interactions in the first half of the columns, none at all where the first is 0."""
    return X[:, 0] * np.prod(1 + X[:, 1:4], axis=1) + X.sum(axis=1)


@pytest.mark.parametrize("batch_size", [None, 7])
@pytest.mark.parametrize(
    "build",
    [
        lambda f: px.KernelShap(f, budget=600, random_state=0),
        lambda f: px.KernelShap(f, budget=30_000, tol=0.2, estimator="regression", random_state=0),
        lambda f: px.KernelShap(f, masker=px.Baseline("median"), budget=200, random_state=0),
        lambda f: px.PermutationShap(f, budget=900, tol=0.1, random_state=0),
        lambda f: px.OwenShap(f, masker=px.ColumnTree(max_rows=9), budget=500, random_state=0),
        lambda f: px.Lime(f, budget=300, random_state=0),
        lambda f: px.Occlusion(f),
    ],
)
def test_costs_of_slices_sum_to_the_counted_rows(build, batch_size, counting_model):
    """Rows and calls of the instances sum to those that the model counted."""
    X = np.random.default_rng(0).normal(size=(60, 8))
    X[3, :4] = np.median(X, axis=0)[:4]
    model = counting_model(bent)
    explainer = build(model).set_params(batch_size=batch_size).fit(X)
    model.calls.clear()
    whole = explainer.explain(X[:6])
    assert (whole.n_rows, whole.n_calls) == (model.n_rows, len(model.calls))
    assert sum(one.n_rows for one in whole) == whole.n_rows
    assert sum(one.n_calls for one in whole) == whole.n_calls
    assert whole[1:4].n_rows == sum(whole[i].n_rows for i in (1, 2, 3))
    assert whole[[True] * 6][-2:][0].n_calls == whole[4].n_calls
    assert whole[2, :3].n_rows == whole[2].n_rows


def test_an_instance_pays_for_itself_and_its_share_of_the_background():
    """One row, every coalition of what can change, and a quarter of the ten background rows."""
    background = np.random.default_rng(0).normal(size=(10, 3))
    X = np.random.default_rng(1).normal(size=(4, 3))
    explainer = px.KernelShap(bent_of_three, masker=px.Background(background), random_state=0)
    whole = explainer.fit(background).explain(X)
    assert [one.n_rows for one in whole] == [61 + 2, 61 + 3, 61 + 2, 61 + 3]
    baseline = px.KernelShap(bent_of_three, masker=px.Baseline(np.zeros((1, 3))), random_state=0)
    baseline.fit(background)
    X[1, 1:], X[2] = 0, 0
    assert [one.n_rows - 1 for one in baseline.explain(X)] == [6, 0, 0, 7]
    assert_array_equal(baseline.explain(X)[2].values, 0)


def bent_of_three(X: np.ndarray) -> np.ndarray:
    return X[:, 0] * X[:, 1] + X[:, 2]


def test_a_slice_has_its_own_notes_and_convergence():
    """A note on some instances is in the slices that contain them, and in no other."""
    X = np.random.default_rng(0).normal(size=(4, 12))
    X[0, 1:], X[2] = 0, 0  # one feature or none that can change: exact
    explainer = px.PermutationShap(
        lambda X: np.cos(X.sum(axis=1)),
        masker=px.Baseline(np.zeros((1, 12))),
        budget=100,
        tol=0.01,
        random_state=0,
    )
    whole = explainer.explain(X)
    assert [one.converged for one in whole] == [True, False, True, False]
    assert (whole.converged, whole[::2].converged, whole[1:].converged) == (False, True, False)
    nothing, note = whole.notes
    assert nothing.startswith("1 of 4 instances: nothing to remove")
    assert note.startswith("2 of 4 instances: standard errors reach ")
    assert whole[0].notes == ()
    assert whole[::2].notes == whole[[2, 0]].notes == (nothing.replace("1 of 4", "1 of 2"),)
    reach = [float(n.split("reach ")[1].split("%")[0]) for n in (*whole[1].notes, *whole[3].notes)]
    assert float(note.split("reach ")[1].split("%")[0]) == max(reach)
    assert whole[1:].notes[0] == nothing.replace("1 of 4", "1 of 3")
    assert whole[1:].notes[1] == note.replace("2 of 4", "2 of 3")
    assert whole[1:][0, 2:5].notes == whole[1].notes
