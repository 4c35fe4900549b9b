"""Owen values as a user gets them: tables and images, against brute force and shap."""

from __future__ import annotations

import warnings
from itertools import permutations
from typing import Any

import joblib
import numpy as np
import perturbx as px
import pytest
from numpy.testing import assert_allclose
from perturbx.errors import BudgetError, InvalidParameterError


def _glow(batch: np.ndarray) -> np.ndarray:
    """Two outputs: saturating brightness of the middle, and the red of the left half."""
    values = batch.astype(float) / 255
    middle = values[:, 8:24, 8:24].mean(axis=(1, 2, 3))
    return np.stack([np.tanh(4 * middle), values[:, :, :16, 0].mean(axis=(1, 2)) ** 2], axis=1)


def _photo(side: int = 32, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 60, (side, side, 3))
    image[side // 4 : -side // 4, side // 4 : -side // 4] += 120
    return image.astype(np.uint8)


def _owen(
    predict: Any, x: np.ndarray, background: np.ndarray, unions: list[list[int]]
) -> np.ndarray:
    """Owen (1977): marginal contributions over orders in which every union stays together."""
    values, orders = np.zeros(len(x)), []
    for of_unions in permutations(unions):
        inner: list[tuple[int, ...]] = [()]
        for union in of_unions:
            inner = [before + order for before in inner for order in permutations(union)]
        orders += inner
    for order in orders:
        rows, last = background.copy(), predict(background).mean()
        for feature in order:
            rows[:, feature] = x[feature]
            values[feature] += predict(rows).mean() - last
            last = predict(rows).mean()
    return values / len(orders)


def test_unions_of_columns(table: np.ndarray, bumpy_model: Any) -> None:
    """The definition, with absent columns from 12 background rows."""
    unions = [[0, 3], [1], [2, 4]]
    background = table[:12]
    expected = _owen(lambda X: bumpy_model(X)[:, 1], table[20], background, unions)
    masker = px.ColumnTree(background, clustering=unions)
    found = px.OwenShap(bumpy_model, masker=masker, outputs=1).explain(table[20])
    assert_allclose(found.values, expected, atol=1e-12)
    assert "all of a tree" in found.method


def test_rows_that_vary_in_different_columns_keep_their_own_trees() -> None:
    """Each of two rows is its background in one column, not the same one: Owen's definition."""

    def model(rows: np.ndarray) -> np.ndarray:
        return rows[:, 0] * rows[:, 1] * rows[:, 3] + rows[:, 1] * rows[:, 2] * rows[:, 3]

    background, unions = np.zeros((1, 4)), [[0, 1], [2, 3]]
    rows = np.array([[0.0, 2.0, 3.0, 4.0], [1.0, 2.0, 0.0, 4.0]])
    masker = px.ColumnTree(background, clustering=unions)
    values = px.OwenShap(model, masker=masker, random_state=0).explain(rows).values
    assert_allclose(values, [_owen(model, x, background, unions) for x in rows], atol=1e-12)


def test_a_flat_tree_gives_shapley_values(
    table: np.ndarray, bumpy_model: Any, brute_force: Any
) -> None:
    """All features in one list."""
    masker = px.ColumnTree(table[:10], clustering=[0, 1, 2, 3, 4])
    found = px.OwenShap(bumpy_model, masker=masker).explain(table[20])
    assert_allclose(found.values, brute_force(bumpy_model, table[20], table[:10]), atol=1e-12)


@pytest.mark.slow
def test_shap_partition_agrees(boosted: Any) -> None:
    """The same clustering, background and model, everything split in both."""
    shap = pytest.importorskip("shap")
    from scipy.cluster.hierarchy import linkage

    model, rows = boosted
    matrix = linkage(np.random.default_rng(0).normal(size=(6, 3)), "average")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = shap.explainers.Partition(
            model.predict_proba, shap.maskers.Partition(rows[:20], clustering=matrix)
        )
        theirs = peer(rows[50:53], max_evals=5000, silent=True)
    masker = px.ColumnTree(rows[:20], clustering=matrix)
    ours = px.OwenShap(model.predict_proba, masker=masker).explain(rows[50:53])
    assert_allclose(ours.values, theirs.values, atol=1e-9)
    assert_allclose(ours.base_values, theirs.base_values, atol=1e-9)


@pytest.mark.parametrize("budget", [7, 60, 400])
@pytest.mark.parametrize("link", ["identity", "logit"])
def test_images_add_up(budget: int, link: Any) -> None:
    """At any budget, on either scale: base is the mean over fills, and nothing is lost."""
    image = _photo()

    def predict(batch: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-_glow(batch)))

    found = px.OwenShap(predict, budget=budget, link=link).explain(image)
    fills = np.stack(
        [
            np.asarray(px.maskers.fills.render_fill(fill, image, True, None, 0))
            for fill in px.SuperpixelTrees().fills
        ]
    )
    empty = predict(fills)
    empty = np.log(empty / (1 - empty)) if link == "logit" else empty
    assert_allclose(found.base_values, empty.mean(axis=0), atol=1e-12)
    assert np.abs(found.residual).max() < 1e-12
    assert found.n_rows <= 2 + budget  # the probe comes on top
    for output in range(2):
        gained = (found.predictions - found.base_values)[output]
        assert found.heatmap(output).sum() == pytest.approx(gained, abs=1e-12)


def test_the_map_finds_what_matters() -> None:
    """The middle has the first output's score, the left half the second's; both from 300 rows."""
    found = px.OwenShap(_glow, budget=300).explain(_photo())
    middle = np.zeros((32, 32), dtype=bool)
    middle[8:24, 8:24] = True
    left = np.zeros((32, 32), dtype=bool)
    left[:, :16] = True
    for output, place in ((0, middle), (1, left)):
        heat = np.abs(found.heatmap(output))
        assert heat[place].sum() > 0.85 * heat.sum()
    assert found.method == "OwenShap: Owen values, best first of 2 trees"
    assert "a lightly blurred copy of the image or mid-gray" in found.value_function


def test_more_rows_come_nearer() -> None:
    """The map of 3,000 rows is nearer to the exact one than that of 60, with smaller errors."""
    masker = px.SuperpixelTrees(px.RegionTree(40), ("blur", "gray"))
    exact = px.OwenShap(_glow, masker=masker, budget=10**6, outputs=0).explain(_photo())
    assert "all of 2 trees" in exact.method
    assert (exact.standard_errors < 1e-9).all()
    few, more = (
        px.OwenShap(_glow, masker=masker, budget=n, outputs=0).explain(_photo()) for n in (60, 600)
    )
    off = [np.abs(e.values - exact.values) for e in (few, more)]
    assert off[0].sum() > 2 * off[1].sum()
    assert few.standard_errors.sum() > more.standard_errors.sum()
    for explanation, distance, least in zip((few, more), off, (0.75, 0.9), strict=True):
        assert (distance <= 1.96 * explanation.standard_errors + 1e-12).mean() > least


def test_tol_ends_early() -> None:
    """A loose tol stops before the budget is spent; a tight one until everything is split."""
    masker = px.SuperpixelTrees(px.RegionTree(50), "gray")
    loose = px.OwenShap(_glow, masker=masker, tol=0.3, budget=5000, outputs=0).explain(_photo())
    tight = px.OwenShap(_glow, masker=masker, tol=1e-9, budget=10**6, outputs=0).explain(_photo())
    assert loose.converged
    assert tight.converged
    assert loose.n_rows < tight.n_rows / 2
    short = px.OwenShap(_glow, masker=masker, tol=1e-9, budget=40, outputs=0).explain(_photo())
    assert not short.converged


def test_images_of_a_list_are_explained_separately() -> None:
    """Images of different sizes in a list have the same scores as each image alone."""
    images = [_photo(32, 0), _photo(32, 1)[:, :28], _photo(40, 2)]
    explainer = px.OwenShap(_glow, budget=120)
    together = explainer.explain(images)
    for i, image in enumerate(images):
        alone = explainer.explain(image)
        assert np.array_equal(together[i].values, alone.values)
        assert together[i].heatmap(0).shape == image.shape[:2]


def test_batches_change_nothing(counting_model: Any) -> None:
    """Three rows a call or as many as a round has."""
    usual = px.OwenShap(_glow, budget=200).explain(_photo())
    counting = counting_model(_glow, 3)
    other = px.OwenShap(counting, budget=200, batch_size=3).explain(_photo())
    assert np.array_equal(usual.values, other.values)
    assert np.array_equal(usual.standard_errors, other.standard_errors)
    assert usual.n_calls < other.n_calls


def test_workers_change_nothing() -> None:
    """Two threads: the same to the last bit, although each round waits for all of them."""
    usual = px.OwenShap(_glow, budget=100).explain(_photo())
    with joblib.parallel_config("threading", n_jobs=2):
        other = px.OwenShap(_glow, budget=100).explain(_photo())
    assert np.array_equal(usual.values, other.values)
    assert other.n_rows == usual.n_rows


def test_a_saved_map_comes_back(tmp_path: Any) -> None:
    """Pieces are saved as pieces."""
    found = px.OwenShap(_glow, budget=60).explain(_photo())
    for ending in ("npz", "json"):
        found.save(tmp_path / f"map.{ending}")
        back = px.load(tmp_path / f"map.{ending}")
        assert np.array_equal(back.heatmap(1), found.heatmap(1))


def test_equal_columns_cost_nothing(table: np.ndarray, bumpy_model: Any) -> None:
    """Columns equal to the only background row score 0, and the other columns are split."""
    x = table[3].copy()
    x[[0, 2]] = table[0, [0, 2]]
    masker = px.ColumnTree(table[:1], clustering=[[0, 1], [2, [3, 4]]])
    found = px.OwenShap(bumpy_model, masker=masker, outputs=0).explain(x)
    assert (found.values[[0, 2]] == 0).all()
    assert abs(found.residual) < 1e-12
    nothing = px.OwenShap(bumpy_model, masker=masker, outputs=0).explain(table[0])
    assert (nothing.values == 0).all()


def test_errors(table: np.ndarray, bumpy_model: Any) -> None:
    """Maskers without a tree, budgets below the least, rounds of nothing."""
    for masker in (px.Background(table), px.Baseline("mean")):
        with pytest.raises(InvalidParameterError, match=r"pass masker=px.ColumnTree\(X\)"):
            px.OwenShap(bumpy_model, masker=masker).fit(table).explain(table[:1])
    with pytest.raises(InvalidParameterError, match=r"px.SuperpixelTrees\(\) for images"):
        px.OwenShap(_glow, masker=px.Superpixels()).explain(_photo())
    with pytest.raises(BudgetError, match="OwenShap needs at least 7 model rows"):
        px.OwenShap(_glow, budget=6).explain(_photo())
    with pytest.raises(BudgetError, match="at least 121 model rows"):
        px.OwenShap(bumpy_model, budget=100).fit(table).explain(table[:1])
    with pytest.raises(InvalidParameterError, match="splits_per_round"):
        px.OwenShap(_glow, splits_per_round=0).explain(_photo())
