"""The provenance of a result is enough to reproduce it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import numpy as np
import perturbx as px
import pytest
from numpy.testing import assert_array_equal
from perturbx.samplers import BernoulliMasks
from perturbx.solvers import WeightedRidge


def bent(X: np.ndarray) -> np.ndarray:
    return np.asarray(np.tanh(X[:, :4].sum(axis=1)) * X[:, 5])


@pytest.mark.parametrize(
    "random_state",
    [lambda: 3, lambda: None, lambda: np.random.default_rng(5), lambda: np.random.RandomState(7)],
    ids=["integer", "none", "generator", "legacy generator"],
)
@pytest.mark.parametrize("ending", ["npz", "json"])
def test_a_saved_file_reproduces_its_numbers(random_state, ending, tmp_path):
    """Also without a random state: the sample of the background and the coalitions are found."""
    X = np.random.default_rng(0).normal(size=(90, 6))
    explainer = px.KernelShap(
        bent, masker=px.Background(max_rows=20), budget=500, random_state=random_state()
    )
    explanation = explainer.fit(X).explain(X[:3])
    explanation[1:].save(tmp_path / f"scores.{ending}")
    told = px.load(tmp_path / f"scores.{ending}").provenance
    assert told == explanation.provenance
    assert (told["method"], told["budget"]) == ("KernelShap", 500)
    again = px.KernelShap(
        bent,
        masker=px.Background(max_rows=20),
        budget=told["budget"],
        random_state=told["fit_random_state"],
    ).fit(X)
    again.set_params(random_state=told["random_state"])
    assert_array_equal(again.explain(X[:3]).values, explanation.values)


def test_versions_and_date_are_those_of_now():
    """The date is in UTC, and the versions are those of the packages that were imported."""
    X = np.eye(4)
    told = px.Occlusion(lambda X: X.sum(axis=1)).fit(X).explain(X).provenance
    assert told["versions"]["perturbx"] == px.__version__
    assert told["versions"]["numpy"] == np.__version__
    age = datetime.now(timezone.utc) - datetime.fromisoformat(told["date"])
    assert timedelta(0) <= age < timedelta(minutes=5)


def test_parameters_are_plain_data_or_described():
    """Data is described by its shape, parts by their settings, and slices keep everything."""
    X = np.random.default_rng(0).normal(size=(30, 3))
    explainer = px.Explainer(
        lambda X: X[:, 0],
        masker=px.Baseline(X[:1]),
        sampler=BernoulliMasks(),
        solver=WeightedRidge(),
        groups={"a": ["x0"], "b": ["x1", "x2"]},
        tol=np.float64(0.1),
    )
    explanation = explainer.explain(X[:2])
    told = explanation[0, "a"].provenance["parameters"]
    assert told == explanation.provenance["parameters"]
    assert told["masker"].startswith("Baseline(")
    assert "ndarray of shape (1, 3)" in told["masker"]
    assert told["solver"].startswith("WeightedRidge(")
    assert told["groups"] == {"a": ("x0",), "b": ("x1", "x2")}
    assert type(told["tol"]) is float
    assert "predict_fn" not in told


@pytest.mark.parametrize(
    ("masker", "told"),
    [
        (px.Windows(shape=2, stride=2, fill=0), "Windows(shape=2, stride=2, fill=0"),
        (px.Superpixels(n_segments=4), "Superpixels(method='slic', n_segments=4"),
        (px.Superpixels(fill=np.zeros((6, 6))), "fill='ndarray of shape (6, 6)'"),
    ],
)
def test_maskers_of_images_are_described(masker, told):
    """With their settings, whatever these are called."""
    image = np.random.default_rng(0).random((6, 6))
    explanation = px.Occlusion(lambda X: X.mean(axis=(1, 2)), masker=masker).explain(image)
    assert told in explanation.provenance["parameters"]["masker"]
