"""Minimal sets against brute force over all sets, on objects that are known, and where none is."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import perturbx as px
import pytest
from numpy.testing import assert_array_equal
from perturbx.errors import (
    BudgetError,
    InvalidInputError,
    InvalidParameterError,
    NotFittedError,
)

BLOCKS = np.arange(12).reshape(3, 4).repeat(4, axis=0).repeat(5, axis=1)
"""Twelve regions of an image of 12 x 20."""

SIZES = np.bincount(BLOCKS.ravel()) / BLOCKS.size


def _seen(batch: np.ndarray) -> np.ndarray:
    """(n, 12): how much of each region is shown."""
    return np.stack([batch[:, i == BLOCKS].mean(axis=1) for i in range(12)], axis=1)


def _explained(game: Callable[[np.ndarray], Any], **settings: Any) -> Any:
    image = np.ones((12, 20))
    masker = px.Superpixels(segments=BLOCKS, fill=0, channel_axis=None)
    settings = {"random_state": 0, "masker": masker, **settings}
    return px.MinimalSets(lambda X: game(_seen(X)), **settings).explain(image)


def _games() -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    rng = np.random.default_rng(3)
    a = rng.exponential(size=(12, 3)) ** 2
    pairs = rng.normal(size=(3, 12, 12))

    def of(scores: np.ndarray) -> np.ndarray:
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(scores / scores.sum(axis=1, keepdims=True))

    return {
        "additive": lambda z: of((z - 0.4) @ a),
        "interactions": lambda z: of(
            (z - 0.4) @ a + 0.15 * np.einsum("ni,kij,nj->nk", z, pairs, z)
        ),
        "two of three": lambda z: (z[:, [1, 6, 10]].sum(axis=1) >= 2).astype(int),
    }


@pytest.mark.parametrize("name", list(_games()))
def test_the_smallest_of_all_sets(name: str) -> None:
    """Of 4,096 sets none is smaller that keeps the decision, nor that changes it."""
    game = _games()[name]
    z = np.array(list(product([0.0, 1.0], repeat=12)))
    answers = game(z)
    labels = answers.argmax(axis=1) if answers.ndim == 2 else answers
    kept, sizes = labels == labels[-1], z @ SIZES
    assert not kept[0]
    found = _explained(game, n_sets=1, budget=1200)
    assert found.sufficient[0].share == pytest.approx(sizes[kept].min())
    assert found.necessary.share == pytest.approx((1 - sizes)[~kept].min())
    for one, keeps in ((found.sufficient[0], True), (found.necessary, False)):
        assert one.is_minimal
        shown = np.isin(np.arange(12), one.pieces) == keeps
        answer = game(shown[None].astype(float))
        label = answer.argmax(axis=1) if answer.ndim == 2 else answer
        assert (label[0] == labels[-1]) == keeps


def test_sets_without_a_common_piece() -> None:
    """Three copies are three sufficient sets; all must go before the decision changes."""

    def game(z: np.ndarray) -> np.ndarray:
        copies = z[:, [0, 5, 11]].max(axis=1)
        return np.stack([copies, np.full(len(z), 0.5)], axis=1)

    found = _explained(game, n_sets=5, output_names=["cat", "other"])
    assert sorted(one.pieces for one in found.sufficient) == [(0,), (5,), (11,)]
    assert found.necessary.pieces == (0, 5, 11)
    assert found.necessary.decision == "other"
    assert found.decision == "cat"
    assert found.explanation.output_names == ("enough 1", "enough 2", "enough 3", "needed")
    assert_array_equal(found.mask(found.necessary), np.isin(BLOCKS, [0, 5, 11]))
    assert "Without 3 pieces (25.0%)" in found.text
    assert len(_explained(game, n_sets=2).sufficient) == 2


def test_a_decision_that_cannot_change() -> None:
    """No piece is needed, no removal changes it, and the nearest miss removes what helps most."""

    def game(z: np.ndarray) -> np.ndarray:
        return np.stack([0.6 + 0.1 * z[:, 3] + 0.2 * z[:, 7], 0.5 + 0 * z[:, 0]], axis=1)

    found = _explained(game)
    assert found.necessary is None
    assert found.sufficient[0].pieces == ()
    assert {3, 7} <= set(found.nearest_miss.pieces)
    assert found.nearest_miss.outputs == pytest.approx([0.6, 0.5])
    assert "nothing is" not in found.text
    assert "the nearest miss" in found.text
    assert any("no piece is needed" in note for note in found.notes)


def test_a_change_that_all_removed_undoes() -> None:
    """Where the empty image gets the decision too, sets in between may still change it."""

    def game(z: np.ndarray) -> np.ndarray:
        misled = z[:, 2] * (1 - z[:, 8])
        return np.stack([np.full(len(z), 0.5), misled], axis=1)

    found = _explained(game)
    assert found.sufficient[0].pieces == ()
    assert found.necessary.pieces == (8,)


@pytest.mark.parametrize("decision", [0.5, lambda scores: scores > 0.5])
def test_a_threshold(decision: Any) -> None:
    """Decisions of a single score, by a threshold or a function."""
    found = _explained(lambda z: z[:, 4] * z[:, 9] / 1.0, decision=decision)
    assert found.sufficient[0].pieces == (4, 9)
    assert len(found.necessary.pieces) == 1


def test_rows_batches_and_seeds() -> None:
    """Rows are counted and within the budget; batches change nothing."""
    n_rows = 0

    def game(z: np.ndarray) -> np.ndarray:
        nonlocal n_rows
        n_rows += len(z)
        return _games()["additive"](z)

    known = _explained(game, budget=600)
    assert known.n_rows == n_rows <= 603
    again = _explained(game, budget=600, batch_size=7)
    assert again.text == known.text
    assert again.n_rows == known.n_rows
    assert again.n_calls > known.n_calls


def test_it_refuses() -> None:
    """Budgets, inputs and maskers that cannot be."""
    game, image = _games()["additive"], np.ones((12, 20, 3))
    with pytest.raises(BudgetError, match="need 160 model rows"):
        _explained(game, budget=100)
    predict = lambda X: np.ones((len(X), 2)) / 2  # noqa: E731
    with pytest.raises(InvalidInputError, match="holds 2"):
        px.MinimalSets(predict).explain(np.stack([image, image]))
    with pytest.raises(InvalidInputError, match="no color image"):
        px.MinimalSets(predict).explain(np.ones((1, 4)))
    with pytest.raises(InvalidParameterError, match="keeps or removes"):
        px.MinimalSets(predict, masker=px.SmoothGrid()).explain(image)
    with pytest.raises(InvalidParameterError, match=r"decision=0\.5"):
        px.MinimalSets(lambda X: X.mean(axis=(1, 2, 3)) / 3).explain(image)
    with pytest.raises(NotFittedError, match=r"call fit\(X_train\)"):
        px.MinimalSets(predict, masker=px.Background()).explain(np.ones((1, 4)))
