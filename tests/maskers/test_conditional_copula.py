"""Rows that a Gaussian copula moves: the conditional distribution where it is known, and cells."""

from __future__ import annotations

from itertools import combinations
from math import comb
from typing import Any

import numpy as np
import perturbx as px
import pytest
from numpy.testing import assert_allclose
from perturbx.errors import InvalidInputError
from perturbx.maskers import Features
from perturbx.maskers._copula import gains, shrunk_covariance
from perturbx.testing import check_masker
from scipy import sparse

SLOPES = np.array([1.0, -2.0, 0.5, 3.0])


def linear(X: np.ndarray) -> np.ndarray:
    return np.asarray((np.asarray(X, dtype=float) * SLOPES).sum(axis=1))


def correlated(n: int, rho: float, d: int = 4, seed: int = 0) -> np.ndarray:
    """Equally correlated normal rows, with means and scales of their own."""
    covariance = np.full((d, d), rho) + (1 - rho) * np.eye(d)
    rows = np.random.default_rng(seed).multivariate_normal(np.zeros(d), covariance, size=n)
    return rows * (1 + np.arange(d)) + np.arange(d)


def shapley_of_linear(
    x: np.ndarray, slopes: np.ndarray, mean: np.ndarray, covariance: np.ndarray
) -> np.ndarray:
    """Aas, Jullum & Loland (2021): v(S) = slopes' E[X | x_S] in closed form, over all S."""
    d = len(x)

    def v(present: tuple[int, ...]) -> float:
        inside, expected = list(present), mean.copy()
        if inside:
            apart = np.linalg.solve(covariance[np.ix_(inside, inside)], (x - mean)[inside])
            expected = mean + covariance[:, inside] @ apart
        expected[inside] = x[inside]
        return float(slopes @ expected)

    values = np.zeros(d)
    for size in range(d):
        for members in combinations(range(d), size):
            for i in set(range(d)) - set(members):
                gain = v(tuple(sorted((*members, i)))) - v(members)
                values[i] += gain / (d * comb(d - 1, size))
    return values


def _bound(masker: Any, X: Any, x: Any, features: Features | None = None) -> Any:
    fitted = masker.fit(X, features or Features(), np.random.default_rng(0))
    return fitted.check(x).bind(0, 1)[0]


def _rows(bound: Any, z: np.ndarray) -> Any:
    per = bound.rows_per_perturbation
    return bound.batch(z, slice(0, per), bound.scratch(len(z) * per))


def test_gains_are_those_of_the_inverse() -> None:
    """C_AS inverse(C_SS), for every S of five columns."""
    covariance = np.cov(np.random.default_rng(0).normal(size=(20, 5)).T)
    known = (np.arange(32)[:, None] >> np.arange(5)) % 2 == 1
    for z, found in zip(known, gains(covariance, known), strict=True):
        expected = np.zeros((5, 5))
        inside = covariance[np.ix_(z, z)]
        expected[np.ix_(~z, z)] = covariance[np.ix_(~z, z)] @ np.linalg.inv(inside)
        assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_linear_models_of_normal_data_are_exact() -> None:
    """With the whole training data as background, phi is the closed form of its own moments."""
    X = correlated(400, 0.7)
    x = np.array([2.0, -1.0, 5.0, 0.0])
    masker = px.ConditionalCopula(marginals="normal", max_rows=400)
    explainer = px.KernelShap(linear, masker=masker, random_state=0).fit(X)
    found = explainer.explain(x)
    scale = X.std(axis=0)
    covariance = shrunk_covariance((X - X.mean(axis=0)) / scale) * scale * scale[:, None]
    expected = shapley_of_linear(x, SLOPES, X.mean(axis=0), covariance)
    assert_allclose(found.values, expected, rtol=0, atol=1e-9)
    population = np.outer(1 + np.arange(4), 1 + np.arange(4)) * (0.7 + 0.3 * np.eye(4))
    truth = shapley_of_linear(x, SLOPES, np.arange(4.0), population)
    assert np.corrcoef(found.values, truth)[0, 1] > 0.999


def test_ranks_see_any_marginal() -> None:
    """exp of normal columns: the answers to a model of their logarithms hardly change."""
    X = correlated(2000, 0.8)
    x = np.array([1.0, 1.0, 6.0, 2.0])
    plain = px.KernelShap(linear, masker=px.ConditionalCopula(), random_state=0).fit(X)
    warped = px.KernelShap(
        lambda rows: linear(np.log(rows)), masker=px.ConditionalCopula(), random_state=0
    ).fit(np.exp(X))
    assert_allclose(warped.explain(np.exp(x)).values, plain.explain(x).values, rtol=0, atol=1e-9)
    population = np.outer(1 + np.arange(4), 1 + np.arange(4)) * (0.8 + 0.2 * np.eye(4))
    truth = shapley_of_linear(x, SLOPES, np.arange(4.0), population)
    assert np.abs(plain.explain(x).values - truth).max() < 0.1 * np.ptp(truth)


@pytest.mark.parametrize("marginals", ["ranks", "normal"])
def test_independent_columns_are_marginal(marginals: Any) -> None:
    """All combinations of two levels each: the rows are those of Background, to the last bit."""
    X = np.array([[a, b, c] for a in (0.1, 2.0) for b in (-1.0, 0.7) for c in (3.0, 5.0)])
    x = np.array([[2.0, -1.0, 5.0]])
    z = (np.arange(8)[:, None] >> np.arange(3)) % 2 == 1
    ours = _rows(_bound(px.ConditionalCopula(marginals=marginals), X, x), z)
    assert np.array_equal(ours, _rows(_bound(px.Background(), X, x), z))


@pytest.mark.parametrize("marginals", ["ranks", "normal"])
def test_nothing_present_is_the_background(marginals: Any, table: np.ndarray) -> None:
    """v(empty) is the mean over training rows, bit by bit, dependent as columns are."""
    X = np.cumsum(table, axis=1)
    bound = _bound(px.ConditionalCopula(marginals=marginals), X, X[:1] + 1)
    assert np.array_equal(_rows(bound, np.zeros((1, 5), dtype=bool)), X)


@pytest.mark.parametrize("marginals", ["ranks", "normal"])
def test_copies_share_equally(marginals: Any) -> None:
    """Two equal columns of which the model reads one have equal scores; marginal gives none."""
    X = correlated(500, 0.3)
    X[:, 1] = X[:, 0]
    masker = px.ConditionalCopula(marginals=marginals, max_rows=200)
    explainer = px.KernelShap(lambda rows: rows[:, 0], masker=masker, random_state=0).fit(X)
    values = explainer.explain(X[:5]).values
    scale = np.abs(values).max()
    assert_allclose(values[:, 0], values[:, 1], rtol=0, atol=0.03 * scale)


def test_rows_hold_what_the_columns_held(mixed_frame: Any) -> None:
    """Every cell is the instance's or one that its column held, of every type."""
    bound = _bound(px.ConditionalCopula(), mixed_frame, mixed_frame.iloc[[3]])
    z = np.random.default_rng(0).random((40, 9)) < 0.5
    rows = _rows(bound, z)
    assert list(rows.dtypes) == list(mixed_frame.dtypes)
    for name in mixed_frame.columns:
        assert set(map(str, rows[name])) <= set(map(str, mixed_frame[name]))


@pytest.mark.parametrize("marginals", ["ranks", "normal"])
def test_the_contract_on_frames(marginals: Any, mixed_frame: Any) -> None:
    """Numbers, text, categories and flags, in pandas, polars and arrays of objects."""
    polars = pytest.importorskip("polars")
    frame = mixed_frame[["tiny", "half", "kind", "name", "flag"]]
    check_masker(px.ConditionalCopula(marginals=marginals), frame)
    check_masker(px.ConditionalCopula(marginals=marginals), polars.from_pandas(frame))
    objects = np.array([[1.5, "a", None], [2, "b", "x"], [0, "a", "y"]] * 3, dtype=object)
    check_masker(px.ConditionalCopula(marginals=marginals), objects)


@pytest.mark.parametrize("marginals", ["ranks", "normal"])
def test_one_row_or_some_are_rows_of_the_whole(marginals: Any) -> None:
    """Row numbers, one for each coalition, give the very rows of the whole batch."""
    X = correlated(60, 0.5, d=23) @ np.random.default_rng(1).normal(size=(23, 23))
    bound = _bound(px.ConditionalCopula(marginals=marginals), X, X[:1] * 1.5)
    z = np.random.default_rng(2).random((50, 23)) < 0.5
    whole = _rows(bound, z).reshape(50, 60, 23).copy()
    row = np.random.default_rng(3).integers(0, 60, size=50)
    assert np.array_equal(bound.batch(z, row, bound.scratch(50)), whole[np.arange(50), row])
    for i in range(50):
        alone = bound.batch(z[[i]], slice(7, 9), bound.scratch(2))
        assert np.array_equal(alone, whole[i, 7:9])


def test_an_unknown_category_tells_nothing() -> None:
    """The others stay as in the background; a known one moves them."""
    pd = pytest.importorskip("pandas")
    n = 200
    kind = np.array(["low", "high"])[np.arange(n) % 2]
    height = np.where(kind == "low", 0.0, 10.0) + np.linspace(0, 1, n)
    X = pd.DataFrame({"kind": kind, "height": height})
    z = np.array([[True, False]])
    new = X.iloc[[0]].assign(kind="never seen")
    rows = _rows(_bound(px.ConditionalCopula(max_rows=n), X, new), z)
    assert (rows["kind"] == "never seen").all()
    assert np.array_equal(rows["height"], height)
    known = _rows(_bound(px.ConditionalCopula(max_rows=n), X, X.iloc[[1]]), z)
    assert known["height"].mean() > 8


def test_categories_are_ordered_by_what_goes_with_them() -> None:
    """Whatever their names: three kinds of three heights, in no order of the alphabet."""
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    level = rng.integers(0, 3, size=600)
    X = pd.DataFrame(
        {"kind": np.array(["m", "a", "z"])[level], "height": level + 0.1 * rng.normal(size=600)}
    )
    z = np.array([[True, False]])
    means = [
        _rows(_bound(px.ConditionalCopula(max_rows=300), X, X[X.kind == kind].iloc[[0]]), z)[
            "height"
        ].mean()
        for kind in "maz"
    ]
    assert_allclose(means, [0, 1, 2], atol=0.35)


def test_odd_training_data() -> None:
    """Constant columns, more columns than rows, a single row, columns of missing cells."""
    rng = np.random.default_rng(0)
    wide = rng.normal(size=(8, 20))
    wide[:, 3], wide[:, 4] = 1.0, np.nan
    wide[2, 5] = np.nan
    for marginals in ("ranks", "normal"):
        masker = px.ConditionalCopula(marginals=marginals)  # type: ignore[arg-type]
        check_masker(masker, wide)
        alone = _rows(_bound(masker, wide[:1], wide[[1]]), np.zeros((1, 20), dtype=bool))
        assert np.array_equal(alone, wide[:1], equal_nan=True)
        bound = _bound(masker, wide, wide[[1]])
        assert list(np.flatnonzero(~bound.active)) == [3, 4]
        assert np.isfinite(_rows(bound, np.eye(20, dtype=bool))[:, 0]).all()


def test_sparse_rows_are_refused() -> None:
    """With what to type."""
    with pytest.raises(InvalidInputError, match="toarray"):
        px.ConditionalCopula().fit(
            sparse.csr_array(np.eye(3)), Features(), np.random.default_rng(0)
        )


def test_the_order_of_columns_changes_nothing() -> None:
    """A model of permuted columns gets permuted scores."""
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(correlated(300, 0.6), columns=list("abcd"))
    X["b"] = X["b"].round()
    X["d"] = np.where(X["d"] > 3, "up", "down")

    def model(rows: Any) -> Any:
        return rows["a"] * rows["b"] - (rows["d"] == "up") * rows["c"]

    explainer = px.KernelShap(model, masker=px.ConditionalCopula(), random_state=0)
    usual = explainer.fit(X).explain(X[:3]).values
    turned = explainer.fit(X[list("dbca")]).explain(X[:3][list("dbca")]).values
    assert_allclose(turned[:, [3, 1, 2, 0]], usual, rtol=0, atol=1e-9)


@pytest.mark.parametrize("kind", ["KernelShap", "PermutationShap", "Banzhaf", "Lime", "Occlusion"])
def test_batches_and_company_change_nothing(kind: str) -> None:
    """A row alone or among others, in calls of 7 rows or of all: the same numbers."""
    X = correlated(200, 0.6)

    def model(rows: np.ndarray) -> np.ndarray:
        return np.tanh(linear(rows) / 5) * rows[:, 0]

    settings: dict[str, Any] = {"masker": px.ConditionalCopula(max_rows=20), "random_state": 3}
    made = [
        getattr(px, kind)(model, budget=900, batch_size=size, **settings).fit(X)
        for size in (None, 7)
    ]
    usual, small = (one.explain(X[:3]) for one in made)
    assert np.array_equal(usual.values, small.values)
    alone = made[0].explain(X[2])
    assert_allclose(alone.values, usual.values[2], rtol=1e-10, atol=1e-12)


def test_rows_alone_add_up() -> None:
    """Chains of single rows: their sum is f(x) - mean f(b), and they are near the exact scores."""
    X = correlated(300, 0.6)
    settings: dict[str, Any] = {"masker": px.ConditionalCopula(max_rows=50), "random_state": 0}

    def model(rows: np.ndarray) -> np.ndarray:
        return np.tanh(linear(rows) / 5) * rows[:, 0]

    rows = px.KernelShap(model, estimator="rows", budget=6000, **settings).fit(X).explain(X[:4])
    exact = px.KernelShap(model, estimator="regression", **settings).fit(X).explain(X[:4])
    assert_allclose(rows.residual, 0, atol=1e-12)
    assert (np.abs(rows.values - exact.values) < 5 * rows.standard_errors + 1e-9).all()


def test_groups_are_present_together() -> None:
    """The columns of a group are given together, and move the others together."""
    X = correlated(300, 0.9)
    groups = {"pair": [0, 1], "rest": [2, 3]}
    bound = _bound(px.ConditionalCopula(max_rows=50), X, X[[5]], Features(None, groups))
    alone = _bound(px.ConditionalCopula(max_rows=50), X, X[[5]])
    ours = _rows(bound, np.array([[True, False]])).copy()
    assert np.array_equal(ours, _rows(alone, np.array([[True, True, False, False]])))


def test_errors_tell_how_few_draws_there_are() -> None:
    """All coalitions, 40 of 2,000 rows: 95% intervals contain the scores from all rows."""
    X = correlated(2000, 0.6)

    def model(rows: np.ndarray) -> np.ndarray:
        return np.asarray(np.tanh(linear(rows) / 5) * rows[:, 0] + rows[:, 2])

    def explained(max_rows: int, seed: int) -> px.Explanation:
        masker = px.ConditionalCopula(marginals="normal", max_rows=max_rows)
        return px.KernelShap(model, masker=masker, random_state=seed).fit(X).explain(X[:6])

    truth = explained(2000, 0).values
    inside, ratios = [], []
    for seed in range(12):
        found = explained(40, seed)
        low, high = found.interval(0.95)
        inside.append((low <= truth) & (truth <= high))
        ratios.append((found.values - truth) ** 2 / found.standard_errors**2)
        assert found.background_errors is None
    assert np.mean(inside) > 0.9
    assert 0.2 < np.mean(ratios) < 1.6
