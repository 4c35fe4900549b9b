"""Interventional removal: closed forms of linear Gaussian models, and its two limits."""

from __future__ import annotations

from typing import Any

import joblib
import numpy as np
import perturbx as px
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from perturbx.errors import InvalidInputError, InvalidParameterError
from perturbx.features import FeatureOrder, Labels
from perturbx.maskers import Features


def gaussian(n: int, covariance: np.ndarray, seed: int = 0) -> np.ndarray:
    """Rows whose sample mean is 0 and whose sample covariance is the given one, exactly."""
    rows = np.random.default_rng(seed).normal(size=(n, len(covariance)))
    rows -= rows.mean(axis=0)
    own = np.linalg.cholesky(rows.T @ rows / n)
    return rows @ np.linalg.inv(own).T @ np.linalg.cholesky(covariance).T


def random_covariance(d: int, seed: int) -> np.ndarray:
    roots = np.random.default_rng(seed).normal(size=(d, d))
    covariance = roots @ roots.T + 0.3 * np.eye(d)
    scale = np.sqrt(np.diag(covariance))
    return covariance / scale / scale[:, None]


def learned(masker: Any, X: np.ndarray) -> np.ndarray:
    """The covariance that a masker has learned, shrunk as it is, of columns of variance 1."""
    fitted = masker.fit(X, Features(), np.random.default_rng(0))
    return np.asarray(fitted.learned.copula.covariance)


def expected_given_do(
    covariance: np.ndarray,
    components: Any,
    causes: np.ndarray,
    confounded: list[bool],
    x: np.ndarray,
    present: np.ndarray,
) -> np.ndarray:
    """E[X | do(X_S = x_S)] of variables of mean 0: Heskes et al. (2020), theorem 1."""
    mean = np.where(present, x, 0.0)
    for component, hidden in zip(components, confounded, strict=True):
        members = np.array(component)
        absent = members[~present[members]]
        given_ = causes[:, members].any(axis=1)
        if not hidden and len(members) > 1:
            given_[members[present[members]]] = True
        given_at = np.flatnonzero(given_)
        if len(absent) and len(given_at):
            inner = covariance[np.ix_(given_at, given_at)]
            mean[absent] = covariance[np.ix_(absent, given_at)] @ np.linalg.solve(
                inner, mean[given_at]
            )
    return mean


BETA, X_EXPLAINED = np.array([2.0, 3.0]), np.array([1.0, -0.5])


def two_features(graph: Any, confounded: bool = False, **method: Any) -> tuple[np.ndarray, float]:
    """The scores of a linear model of two correlated features, and how one follows the other."""
    X = gaussian(500, np.array([[1.0, 0.6], [0.6, 1.0]]))
    masker = px.CausalCopula(graph, confounded, max_rows=500, marginals="normal")
    covariance = learned(masker, X)
    explainer = px.PermutationShap(lambda X: X @ BETA, masker=masker, **method).fit(X)
    return explainer.explain(X_EXPLAINED).values, covariance[0, 1] / covariance[0, 0]


def test_chain_fork_confounder_and_cycle() -> None:
    """Heskes et al. (2020), section 4: each cause has half of its indirect effect, and no more."""
    (b1, b2), (x1, x2) = BETA, X_EXPLAINED
    direct, halves = BETA * X_EXPLAINED, np.array([1.0, -1.0])
    for chain in ([[0], [1]], {1: [0]}):
        values, a = two_features(chain)
        indirect = a * b2 * x1  # of the first feature through the second
        assert_allclose(values, direct + indirect / 2 * halves, atol=1e-10)
    values, a = two_features([[1], [0]])
    indirect = a * b1 * x2
    assert_allclose(values, direct - indirect / 2 * halves, atol=1e-10)
    values, a = two_features([[0, 1]], confounded=True)
    assert_allclose(values, direct, atol=1e-10)
    values, a = two_features([[0, 1]])
    indirect = a * (b2 * x1 - b1 * x2)
    assert_allclose(values, direct + indirect / 2 * halves, atol=1e-10)


def test_asymmetric_causal_values_credit_the_whole_indirect_effect() -> None:
    """The cause joins first, so that the effect keeps what the cause leaves open."""
    (b1, b2), (x1, x2) = BETA, X_EXPLAINED
    values, a = two_features([[0], [1]], order=[[0], [1]])
    assert_allclose(values, [b1 * x1 + a * b2 * x1, b2 * (x2 - a * x1)], atol=1e-10)


@given(seed=st.integers(0, 999), graph=st.booleans())
@settings(deadline=None, max_examples=15)
def test_linear_models_of_five_features(seed: int, graph: bool) -> None:
    """Every coalition of random levels, confounded or not, and of random graphs of causes."""
    rng, d = np.random.default_rng(seed), 5
    names = tuple(f"x{j}" for j in range(d))
    features = rng.permutation(d).tolist()
    cuts = sorted(rng.choice([1, 2, 3, 4], size=2, replace=False).tolist())
    order: Any = [features[: cuts[0]], features[cuts[0] : cuts[1]], features[cuts[1] :]]
    confounded = [bool(c) for c in rng.random(3) < 0.5]
    if graph:
        order = {features[i]: [features[j] for j in range(i) if rng.random() < 0.5]
                 for i in range(1, d)}  # fmt: skip
        confounded = [False] * d
    read = FeatureOrder.read(order, Labels(names, names))
    X, slopes = gaussian(200, random_covariance(d, seed), seed), rng.normal(size=d)
    said = False if graph else confounded
    masker = px.CausalCopula(order, said, max_rows=200, marginals="normal")
    covariance, x = learned(masker, X), rng.normal(size=d)
    fitted = masker.fit(X, Features(), np.random.default_rng(0))
    (bound,) = fitted.check(x[None]).bind(0, 1)
    z = ((np.arange(2**d)[:, None] >> np.arange(d)) % 2).astype(bool)
    rows = bound.batch(z, slice(0, 200), bound.scratch(200 * len(z)))
    found = (rows @ slopes).reshape(len(z), 200).mean(axis=1)
    expected = [
        expected_given_do(covariance, read.components, read.causes, confounded, x, present) @ slopes
        for present in z
    ]
    assert_allclose(found, expected, atol=1e-9)


def test_what_causes_leave_open_keeps_its_spread() -> None:
    """A chain of three: E[X3^2 | do(X1)], and the dependence of X2 and X3, are those of the model.

    X1 = e1, X2 = .8 X1 + .6 e2, X3 = .5 X2 + sqrt(.75) e3.
    """
    covariance = np.array([[1.0, 0.8, 0.4], [0.8, 1.0, 0.5], [0.4, 0.5, 1.0]])
    X = gaussian(4000, covariance)
    masker = px.CausalCopula({1: [0], 2: [1]}, marginals="normal", max_rows=4000)
    fitted = masker.fit(X, Features(), np.random.default_rng(0))
    (bound,) = fitted.check(np.array([[2.0, -1.0, 0.5]])).bind(0, 1)
    for present, mean, spread in [
        ([True, False, False], [2.0, 1.6, 0.8], [[0.36, 0.18], [0.18, 0.84]]),
        ([False, True, False], [0.0, -1.0, -0.5], [[0.0, 0.0], [0.0, 0.75]]),
        ([False, False, True], [0.0, 0.0, 0.5], [[1.0, 0.0], [0.0, 0.0]]),
    ]:
        rows = bound.batch(np.array([present]), slice(0, 4000), bound.scratch(4000))
        assert_allclose(rows.mean(axis=0), mean, atol=0.01)
        assert_allclose(np.cov(rows[:, 1:].T), spread, atol=0.01)
    rows = bound.batch(np.array([[False, True, False]]), slice(0, 4000), bound.scratch(4000))
    assert_allclose(rows[:, 0].var(), 1.0, atol=0.01)  # a set effect tells nothing of its cause


def test_one_level_is_conditional_and_a_confounded_one_is_marginal(
    table: np.ndarray, bumpy_model: Any
) -> None:
    """The two limits, to the last bit."""

    def values(masker: Any) -> np.ndarray:
        explainer = px.KernelShap(bumpy_model, masker=masker, random_state=0).fit(table)
        return explainer.explain(table[:2]).values

    level = [[0, 1, 2, 3, 4]]
    conditional = values(px.ConditionalCopula())
    assert_array_equal(values(px.CausalCopula(level)), conditional)
    marginal = values(px.CausalCopula(level, confounded=True))
    assert_allclose(marginal, values(px.Background()), atol=1e-12)
    assert np.abs(marginal - conditional).max() > 0.01


def test_batches_workers_and_company_change_nothing(table: np.ndarray, bumpy_model: Any) -> None:
    """Model rows are the same, whoever asks for them together."""
    masker = px.CausalCopula([[0, 1], [2, 3], [4]], confounded=[True, False, True])
    settings: dict[str, Any] = {"masker": masker, "random_state": 0}
    explainer = px.KernelShap(bumpy_model, **settings).fit(table)
    usual = explainer.explain(table[:3])
    for change in ({"batch_size": 3}, {"batch_size": 100}, {"n_jobs": 2}):
        with joblib.parallel_config("threading"):
            other = px.KernelShap(bumpy_model, **settings, **change).fit(table)
            assert_array_equal(other.explain(table[:3]).values, usual.values)
    alone = np.stack([explainer.explain(row).values for row in table[:3]])
    assert_allclose(alone, usual.values, rtol=0, atol=1e-12)


def test_frames_of_mixed_types_and_groups() -> None:
    """A category is an effect like any other, and a group of columns is one feature."""
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    age = rng.integers(20, 70, size=600)
    job = np.where(rng.random(600) < 0.2, "clerk", np.where(age > 45, "chief", "trainee"))
    frame = pd.DataFrame({"age": age, "job": job, "north": rng.normal(size=600)})
    frame["east"] = rng.normal(size=600)

    def model(X: Any) -> np.ndarray:
        return (X["job"] == "chief").to_numpy(float)

    groups = {"age": ["age"], "job": ["job"], "place": ["north", "east"]}
    old = pd.DataFrame({"age": [65], "job": ["chief"], "north": [0.0], "east": [0.0]})
    scores = {}
    orders = {"cause": [["age", "place"], ["job"]], "effect": [["job"], ["age", "place"]]}
    for name, order in orders.items():
        masker = px.CausalCopula(order, max_rows=300)
        explainer = px.PermutationShap(model, masker=masker, groups=groups, random_state=0)
        found = explainer.fit(frame).explain(old)
        scores[name] = dict(zip(found.feature_names, found.values[0], strict=True))
    assert scores["cause"]["age"] > 0.1
    assert abs(scores["effect"]["age"]) < 1e-12
    assert abs(scores["cause"]["place"]) < 0.1
    assert "along job → age, place (Gaussian copula)" in found.value_function


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"order": [[0, 1], [2, 3]]}, r"leaves out 1 features, \['x4'\] first"),
        ({"order": {0: [1], 1: [0]}}, "order is cyclic"),
        ({"order": [[0, 1, 2, 3, 4], ["wage"]]}, "no feature 'wage'"),
        ({"order": None}, "order must be a list of levels"),
        ({"order": [[0, 1, 2, 3, 4]], "confounded": "yes"}, "confounded must be True or False, or"),
        ({"order": [[0, 1, 2], [3, 4]], "confounded": [True]}, "a list of 2 of them, one for each"),
        ({"order": {1: [0]}, "confounded": [True] * 5}, "confounded must be True or False"),
        ({"order": [[0, 1, 2, 3, 4]], "max_rows": 0}, "max_rows"),
        ({"order": [[0, 1, 2, 3, 4]], "marginals": "gauss"}, "marginals"),
    ],
)
def test_refusals(settings: dict[str, Any], said: str, table: np.ndarray) -> None:
    """When the masker is fitted."""
    explainer = px.KernelShap(lambda X: X[:, 0], masker=px.CausalCopula(**settings))
    with pytest.raises(InvalidParameterError, match=said):
        explainer.fit(table)


def test_without_training_rows() -> None:
    with pytest.raises(InvalidInputError, match="learns from data"):
        px.CausalCopula([[0]]).fit(None, Features(), np.random.default_rng(0))
