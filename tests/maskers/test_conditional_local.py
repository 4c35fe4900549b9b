"""Rows near what is present: conditional expectations where they are known, and cells."""

from __future__ import annotations

from typing import Any

import numpy as np
import perturbx as px
import pytest
from joblib import parallel_config
from numpy.testing import assert_allclose
from perturbx.errors import InvalidInputError, InvalidParameterError
from perturbx.maskers import Features
from perturbx.maskers._density_forest import DensityForest
from perturbx.maskers._reach import every, systematic
from perturbx.testing import check_masker
from scipy import sparse

KINDS = [px.ConditionalNearest, px.ConditionalForest]


def _bound(masker: Any, X: Any, x: Any, features: Features | None = None) -> Any:
    fitted = masker.fit(X, features or Features(), np.random.default_rng(0))
    return fitted.check(x).bind(0, 1)[0]


def _rows(bound: Any, z: Any) -> Any:
    z, per = np.asarray(z, dtype=bool), bound.rows_per_perturbation
    return bound.batch(z, slice(0, per), bound.scratch(len(z) * per))


def crossed(n: int, seed: int = 0) -> np.ndarray:
    """Two lines, x1 = x0 or x1 = -x0 + 6, far apart at x0 = 3 and beyond: no correlation."""
    rng = np.random.default_rng(seed)
    side = rng.choice([-1.0, 1.0], size=n)
    x0 = rng.normal(size=n)
    return np.stack([x0, side * (3 + x0) + 0.1 * rng.normal(size=n), side], axis=1)


@pytest.mark.parametrize("kind", KINDS)
def test_dependence_that_is_no_correlation(kind: Any) -> None:
    """E[x1 | x0, side] = side (3 + x0), although x0 and x1 are uncorrelated."""
    X = crossed(1500)
    for side in (-1.0, 1.0):
        bound = _bound(kind(), X, [[0.8, 0.0, side]])
        means = _rows(bound, [[True, False, True], [False, False, True]]).reshape(2, -1, 3).mean(1)
        assert_allclose(means[0, 1], side * 3.8, atol=0.15)
        assert_allclose(means[1, 1], side * 3.0, atol=0.35)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_present_is_a_sample_of_all_rows(kind: Any, table: np.ndarray) -> None:
    """All of them where there are few, each once; else a sample with nearly their means."""
    X = np.cumsum(table, axis=1)
    rows = _rows(_bound(kind(), X, X[:1] + 1), [[False] * 5])
    assert np.array_equal(rows[np.lexsort(rows.T)], X[np.lexsort(X.T)])
    many = crossed(1500)
    few = _rows(_bound(kind(max_rows=60), many, many[:1]), [[False] * 3])
    assert len(few) == 60
    assert_allclose(few.mean(axis=0), many.mean(axis=0), atol=0.3 * many.std(axis=0).max() / 2)


@pytest.mark.parametrize("kind", KINDS)
def test_text_goes_with_its_numbers(kind: Any) -> None:
    """With the kind known, the heights are those of its rows; with nothing, all rows come back."""
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    level = rng.integers(0, 5, size=400)
    X = pd.DataFrame({"kind": np.array(list("mazqb"))[level], "height": 10.0 * level})
    X["name"] = [f"{k} {h:g}" for k, h in zip(X["kind"], X["height"], strict=True)]
    few = X.iloc[:90]
    rows = _rows(_bound(kind(), few, few.iloc[[0]]), [[False] * 3])
    assert sorted(map(tuple, rows.to_numpy())) == sorted(map(tuple, few.to_numpy()))
    for i in range(5):
        rows = _rows(_bound(kind(), X, X.iloc[[i]]), [[True, False, False]])
        assert (rows["height"] == X["height"].iloc[i]).mean() > 0.9
        assert (rows["name"] == X["name"].iloc[i]).mean() > 0.9


@pytest.mark.parametrize("kind", KINDS)
def test_independent_columns_are_nearly_marginal(kind: Any) -> None:
    """Within the error of 100 draws."""
    X = np.random.default_rng(0).normal(size=(800, 4))

    def model(rows: np.ndarray) -> np.ndarray:
        return np.asarray(rows[:, 0] * 2 - rows[:, 1] + np.tanh(rows[:, 2]))

    settings: dict[str, Any] = {"random_state": 0}
    ours = px.KernelShap(model, masker=kind(), **settings).fit(X).explain(X[:10]).values
    plain = px.KernelShap(model, masker=px.Background(max_rows=800), **settings)
    expected = plain.fit(X).explain(X[:10]).values
    assert_allclose(ours, expected, atol=0.35)
    assert np.corrcoef(ours.ravel(), expected.ravel())[0, 1] > 0.99


@pytest.mark.parametrize("kind", KINDS)
def test_copies_share_equally(kind: Any) -> None:
    """Two equal columns of which the model reads one."""
    X = crossed(600)[:, [0, 0, 1]]
    explainer = px.KernelShap(lambda rows: rows[:, 0], masker=kind(), random_state=0).fit(X)
    values = explainer.explain(X[:5]).values
    assert_allclose(values[:, 0], values[:, 1], atol=0.1 * np.abs(values).max())


@pytest.mark.parametrize("kind", KINDS)
def test_the_contract_on_frames(kind: Any, mixed_frame: Any) -> None:
    """Numbers, text, categories and flags, in pandas, polars and arrays of objects."""
    polars = pytest.importorskip("polars")
    frame = mixed_frame[["tiny", "half", "kind", "name", "flag"]]
    check_masker(kind(), frame)
    check_masker(kind(max_rows=3), polars.from_pandas(frame))
    check_masker(kind(), np.array([[1.5, "a", None], [2, "b", "x"]] * 3, dtype=object))


@pytest.mark.parametrize("kind", KINDS)
def test_cells_are_those_that_the_columns_held(kind: Any, mixed_frame: Any) -> None:
    """Of every type, missing ones too."""
    bound = _bound(kind(), mixed_frame, mixed_frame.iloc[[3]])
    rows = _rows(bound, np.random.default_rng(0).random((40, 9)) < 0.5)
    assert list(rows.dtypes) == list(mixed_frame.dtypes)
    for name in mixed_frame.columns:
        assert set(map(str, rows[name])) <= set(map(str, mixed_frame[name]))


@pytest.mark.parametrize("kind", KINDS)
def test_coalitions_do_not_depend_on_their_company(kind: Any) -> None:
    """Alone, among others, a part of the rows, or one row each: the very same."""
    X = crossed(300)[:, [0, 1, 2, 0, 1]] + np.random.default_rng(1).normal(size=(300, 5))
    bound = _bound(kind(max_rows=30), X, X[:1] * 1.2)
    z = np.random.default_rng(2).random((60, 5)) < 0.5
    whole = _rows(bound, z).reshape(60, 30, 5).copy()
    row = np.random.default_rng(3).integers(0, 30, size=60)
    assert np.array_equal(bound.batch(z, row, bound.scratch(60)), whole[np.arange(60), row])
    for i in range(60):
        assert np.array_equal(bound.batch(z[[i]], slice(7, 9), bound.scratch(2)), whole[i, 7:9])


@pytest.mark.parametrize("kind", KINDS)
def test_odd_training_data(kind: Any) -> None:
    """Constant columns, more columns than rows, a single row, columns of missing cells."""
    wide = np.random.default_rng(0).normal(size=(8, 20))
    wide[:, 3], wide[:, 4], wide[2, 5] = 1.0, np.nan, np.nan
    check_masker(kind(), wide)
    bound = _bound(kind(), wide, wide[[1]])
    assert list(np.flatnonzero(~bound.active)) == [3, 4]
    alone = _rows(_bound(kind(), wide[:1], wide[[1]]), np.zeros((1, 20), dtype=bool))
    assert np.array_equal(alone, wide[:1], equal_nan=True)


@pytest.mark.parametrize("kind", KINDS)
def test_far_away_rows_are_explained(kind: Any) -> None:
    """An instance beyond all training rows, or with a category that none has."""
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(crossed(200), columns=list("abc")).assign(d=list("xy") * 100)
    far = pd.DataFrame({"a": [1e6], "b": [-1e6], "c": [0.5], "d": ["new"]})

    def model(rows: Any) -> Any:
        return np.tanh(rows["a"]) + rows["c"] + (rows["d"] == "x")

    found = px.KernelShap(model, masker=kind(), random_state=0).fit(X).explain(far)
    assert np.isfinite(found.values).all()
    assert_allclose(found.residual, 0, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_bad_settings_are_refused(kind: Any) -> None:
    """Sparse rows, numbers that are no counts, and designs of single rows."""
    with pytest.raises(InvalidInputError, match="toarray"):
        kind().fit(sparse.csr_array(np.eye(3)), Features(), np.random.default_rng(0))
    with pytest.raises(InvalidParameterError, match="max_rows"):
        kind(max_rows=0).fit(np.eye(3), Features(), np.random.default_rng(0))
    X = crossed(50)
    explainer = px.KernelShap(lambda rows: rows[:, 0], masker=kind(), estimator="rows").fit(X)
    with pytest.raises(InvalidParameterError, match="draws all rows of a coalition together"):
        explainer.explain(X[:1])


@pytest.mark.parametrize("kind", KINDS)
def test_every_method_takes_it(kind: Any) -> None:
    """With link="logit" too, and the same numbers in small calls and in company."""
    X = crossed(200)

    def model(rows: np.ndarray) -> np.ndarray:
        return np.asarray(1 / (1 + np.exp(-rows[:, 0] * rows[:, 2])))

    for name in ("KernelShap", "PermutationShap", "Banzhaf", "Lime", "Occlusion"):
        settings: dict[str, Any] = {"masker": kind(max_rows=12), "random_state": 0, "budget": 400}
        link = "identity" if name == "Lime" else "logit"
        method = getattr(px, name)
        usual = method(model, link=link, **settings).fit(X).explain(X[:3])
        small = method(model, link=link, batch_size=5, **settings).fit(X)
        assert np.array_equal(small.explain(X[:3]).values, usual.values)
        assert_allclose(small.explain(X[2]).values, usual.values[2], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    "masker", [px.ConditionalCopula(max_rows=12), *(k(max_rows=12) for k in KINDS)]
)
def test_workers_change_nothing(masker: Any) -> None:
    """Two threads, or none."""
    X = crossed(200)

    def model(rows: np.ndarray) -> np.ndarray:
        return np.asarray(np.tanh(rows[:, 0]) * rows[:, 2] + rows[:, 1])

    settings: dict[str, Any] = {"masker": masker, "random_state": 0, "estimator": "regression"}
    alone = px.KernelShap(model, n_jobs=1, **settings).fit(X).explain(X[:5])
    with parallel_config("threading"):
        both = px.KernelShap(model, n_jobs=2, **settings).fit(X).explain(X[:5])
    assert np.array_equal(both.values, alone.values)


def test_systematic_draws_follow_their_weights() -> None:
    """Each row is drawn as often as its weight asks for; equal weights take every row."""
    rng = np.random.default_rng(0)
    weights = rng.random((20, 30))
    times = [np.bincount(row, minlength=30) for row in systematic(weights, 50, 0.3)]
    expected = 50 * weights / weights.sum(axis=1, keepdims=True)
    assert np.abs(np.array(times) - expected).max() < 1
    assert np.array_equal(systematic(np.ones((1, 7)), 7, 0.9)[0], np.arange(7))
    assert len(set(every(100, 30, rng))) == 30


def test_leaves_count_by_how_narrow_they_are() -> None:
    """By brute force over the leaves: the product of indicators over fractions of each column."""
    X = crossed(60)
    rng = np.random.default_rng(0)
    forest = DensityForest.grown(X, 5, 4, rng)
    known = np.array([[True, False, False], [True, True, False], [False] * 3])
    expected = np.zeros((3, 60))
    for c, present in enumerate(known):
        for row, leaves in enumerate(forest.member):
            for leaf in leaves:
                low, high = forest.low[leaf, present], forest.high[leaf, present]
                inside = (X[7, present] > low) & (X[7, present] <= high)
                of = [
                    ((X[:, j] > a) & (X[:, j] <= b)).mean()
                    for j, a, b in zip(np.flatnonzero(present), low, high, strict=True)
                ]
                expected[c, row] += inside.all() / np.prod(of)
    found = forest.weights(X[7], known)
    assert_allclose(
        found / found.sum(axis=1, keepdims=True),
        expected / expected.sum(axis=1, keepdims=True),
        rtol=1e-6,
        atol=1e-12,
    )
    assert np.array_equal(found[2], np.full(60, found[2, 0]))
