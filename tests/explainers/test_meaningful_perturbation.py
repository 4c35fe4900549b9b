"""The smallest mask of images with known objects, and of tables."""

from __future__ import annotations

from typing import Any

import joblib
import numpy as np
import perturbx as px
import pytest
from numpy.testing import assert_array_equal
from perturbx.errors import BudgetError, InvalidParameterError

GRID = px.SmoothGrid(cells=7, steps=2, fill=0)
IMAGE = np.full((29, 29), 200, dtype=np.uint8)
"""Each second pixel is a point of the lattice of 15 x 15."""

FIRST, SECOND = np.zeros((2, 29, 29), dtype=bool)
FIRST[8:11, 16:21] = SECOND[20:23, 2:5] = True


def two_objects(batch: np.ndarray) -> np.ndarray:
    """What is seen of each of two objects, by the points of the lattice inside of them."""
    points = np.zeros((29, 29), dtype=bool)
    points[::2, ::2] = True
    return np.stack([batch[:, points & o].mean(axis=1) for o in (FIRST, SECOND)], axis=1) / 200


def _explained(predict: Any = two_objects, image: Any = IMAGE, **settings: Any) -> px.Explanation:
    settings = {"masker": GRID, "random_state": 0, "budget": 600, **settings}
    return px.MeaningfulPerturbation(predict, **settings).explain(image)


@pytest.mark.parametrize("aim", ["destroy", "keep"])
def test_the_mask_is_the_object(aim: Any) -> None:
    """Each output has its own object for a mask, to the point: removed, or all that is left."""
    explanation = _explained(aim=aim, drop=0.99)
    for output, inside in enumerate((FIRST, SECOND)):
        on = explanation.heatmap(output) == 1
        assert_array_equal(on[::2, ::2], inside[::2, ::2])


def test_the_model_confirms_the_mask() -> None:
    """Shown the image under its mask, the model answers as the explanation says."""
    mask = _explained(outputs=0).heatmap()
    removed = np.rint(IMAGE * (1 - mask)).astype(np.uint8)
    assert two_objects(removed[None])[0, 0] <= 0.1
    kept = _explained(outputs=0, aim="keep", drop=0.8).heatmap()
    assert two_objects(np.rint(IMAGE * kept).astype(np.uint8)[None])[0, 0] >= 0.8


def test_a_little_of_either_or_all_of_it() -> None:
    """One copy is enough to keep, and both must go to destroy; areas tell the redundancy."""

    def either(batch: np.ndarray) -> np.ndarray:
        return two_objects(batch).max(axis=1)

    keep = _explained(either, aim="keep", drop=0.99).heatmap() == 1
    destroy = _explained(either, drop=0.99).heatmap() == 1
    points = (slice(None, None, 2),) * 2
    assert_array_equal(keep[points], SECOND[points])  # the smaller one
    assert_array_equal(destroy[points], (FIRST | SECOND)[points])


def test_tables_and_words_too() -> None:
    """The fewest columns or words, where there are no masks."""
    X = np.random.default_rng(0).normal(size=(50, 6))
    explainer = px.MeaningfulPerturbation(
        lambda X: 3 * X[:, 2] + X[:, 4], masker=px.Baseline(np.zeros(6)), random_state=0
    )
    assert explainer.explain(np.ones((1, 6))).values.tolist() == [[0, 0, 1, 0, 1, 0]]
    words = px.MeaningfulPerturbation(
        lambda texts: [float("good" in text) for text in texts],
        masker=px.Tokens(),
        random_state=0,
    )
    explanation = words.explain("this was a good film of a kind")
    assert [n for n, v in zip(explanation.feature_names, explanation.values, strict=True) if v] == [
        "good"
    ]
    assert len(X) == 50


def test_nothing_to_destroy() -> None:
    """A constant output has an empty mask; so has an image that equals its fill."""
    assert not _explained(lambda batch: np.ones(len(batch))).values.any()
    assert not _explained(image=np.zeros((29, 29), dtype=np.uint8)).values.any()


def test_one_seed_one_mask_whatever_the_batches() -> None:
    """Batches and workers change nothing; rows stay within the budget."""
    known = _explained(budget=200)
    assert known.n_rows <= 202
    with joblib.parallel_config("threading"):
        for settings in ({"batch_size": 7}, {"n_jobs": 2}):
            again = _explained(budget=200, **settings)
            assert_array_equal(again.values, known.values)


def test_it_says_what_it_found() -> None:
    """The area, the share of the output, and that there is no error bar."""
    explanation = _explained(outputs=0, drop=0.99)
    assert np.isnan(explanation.standard_errors).all()
    said = repr(explanation)
    assert f"{explanation.heatmap().mean():.1%} of the area, destroying 1" in said
    assert "no standard errors" in said


def test_it_refuses() -> None:
    """More outputs than the budget can serve, and settings that mean nothing."""
    many = lambda batch: np.tile(two_objects(batch), (1, 40))  # noqa: E731
    with pytest.raises(BudgetError, match=r"80 outputs share .*top3"):
        _explained(many)
    with pytest.raises(InvalidParameterError, match="aim"):
        _explained(aim="deletion")
    with pytest.raises(InvalidParameterError, match="tol must be None"):
        _explained(tol=0.01)
    with pytest.raises(InvalidParameterError, match="drop"):
        _explained(drop=90)
