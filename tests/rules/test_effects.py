"""Effect curves: closed forms, peers, coverage of intervals, every container, what is refused."""

from __future__ import annotations

import pickle
from itertools import pairwise
from typing import Any

import numpy as np
import perturbx as px
import pytest
from perturbx.errors import (
    BudgetError,
    InvalidInputError,
    InvalidParameterError,
    NotFittedError,
    PredictFnError,
    SelectionError,
)
from scipy import sparse, stats
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.inspection import partial_dependence

pd = pytest.importorskip("pandas")


def normals(n: int, rho: float = 0.0, seed: int = 0) -> Any:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    X[:, 1] = rho * X[:, 0] + np.sqrt(1 - rho**2) * X[:, 1]
    return X


def product(X: Any) -> Any:
    return X[:, 0] * X[:, 1]


def curve(model: Any, X: Any, feature: Any = 0, **settings: Any) -> Any:
    return px.Effects(model, random_state=0, **settings).fit(X).explain([feature])[0]


@pytest.mark.parametrize("method", ["ale", "pdp"])
def test_a_linear_model_has_straight_lines_with_the_errors_of_a_mean(method: str) -> None:
    """The slope is exact, and only the mean of the column is uncertain."""
    X = normals(1000, 0.8)
    found = curve(lambda X: 3 * X[:, 0] - X[:, 1], X, method=method, budget=10**6)
    np.testing.assert_allclose(found.values, 3 * (found.positions - X[:, 0].mean()), atol=0.15)
    inside = np.abs(found.positions) < 1.5  # the ends of the curve are bent by interpolation
    np.testing.assert_allclose(
        np.diff(found.values) / np.diff(found.positions), 3.0, rtol=1e-9, atol=0
    )
    expected = 3 * X[:, 0].std(ddof=1) / np.sqrt(1000)
    np.testing.assert_allclose(found.standard_errors[inside], expected, rtol=0.02)
    difference, lower, upper = found.change(3, 12)
    np.testing.assert_allclose([lower, upper], difference, rtol=1e-6)


def test_a_product_of_correlated_columns_tells_the_methods_apart() -> None:
    """Its accumulated effect is rho * (x**2 - 1) / 2, its partial dependence x * E[x1] = 0."""
    X = normals(40_000, 0.7, seed=1)
    found = curve(product, X, n_bins=100, budget=10**6)
    inside = slice(2, -2)
    truth = 0.7 * (found.positions**2 - 1) / 2
    np.testing.assert_allclose(found.values[inside], truth[inside], atol=0.03)
    flat = curve(product, X, method="pdp")
    lower, upper = flat.interval(0.999)
    assert ((lower <= 0) & (upper >= 0)).all()


def test_a_polynomial_is_found_up_to_the_width_of_intervals() -> None:
    """Without dependence both curves are the polynomial less its mean."""
    X = normals(5000, seed=2)
    for method in ("ale", "pdp"):
        found = curve(lambda X: X[:, 0] ** 3 - X[:, 0] + X[:, 1], X, method=method, budget=10**6)
        truth = found.positions**3 - found.positions
        np.testing.assert_allclose(np.diff(found.values), np.diff(truth), rtol=1e-8)


def test_mean_of_the_curve_over_the_rows_is_zero() -> None:
    """Drawn as lines between its points, a curve has no mean over the rows."""
    X = normals(999, 0.5)
    for method in ("ale", "pdp"):
        found = curve(product, X, method=method, budget=10**6)
        drawn = np.interp(X[:, 0], found.positions, found.values)
        assert abs(drawn.mean()) < 1e-12
        np.testing.assert_allclose(np.sort(found.data), np.sort(X[:, 0]), atol=1e-12)
        assert found.counts.sum() == 999


def test_accumulated_effects_by_their_definition() -> None:
    """A loop over bins and rows has the same curve (Apley & Zhu, eq. 13)."""
    X = normals(600, 0.6)

    def model(X: Any) -> Any:
        return np.sin(2 * X[:, 0]) * X[:, 1] + X[:, 2]

    found = curve(model, X, n_bins=12)
    ends, total = found.positions, [0.0]
    for low, high in pairwise(ends):
        within = X[((X[:, 0] > low) | (low == ends[0])) & (X[:, 0] <= high)]
        sides = [
            model(np.column_stack([np.full(len(within), end), within[:, 1:]]))
            for end in (low, high)
        ]
        total.append(total[-1] + (sides[1] - sides[0]).mean())
        assert len(within) == 50
    np.testing.assert_allclose(found.values - found.values[0], total, atol=1e-12)


@pytest.mark.slow
def test_effector_finds_the_same_curve() -> None:
    """Its intervals are of equal width, which for evenly spaced values are of equal counts too."""
    effector = pytest.importorskip("effector")
    rng = np.random.default_rng(0)
    x = rng.permutation(np.linspace(-2, 2, 4001))
    X = np.column_stack([x, 0.6 * x + rng.normal(size=4001), rng.normal(size=4001)])

    def model(X: Any) -> Any:
        return product(X) + np.sin(X[:, 0]) + X[:, 2]

    theirs = effector.ALE(X, model, nof_instances="all")
    ours = curve(model, X)
    values = theirs.eval(0, ours.positions, centering=True)
    assert np.ptp(ours.values) > 2
    np.testing.assert_allclose(ours.values - ours.values[0], values - values[0], atol=0.02)


def test_sklearn_finds_the_same_partial_dependence() -> None:
    """Averages and the curves of the rows, on our points."""
    X = normals(300, 0.6)
    model = GradientBoostingRegressor(random_state=0, n_estimators=20).fit(X, product(X))
    ours = curve(model, X, method="pdp", centered=False)
    theirs = partial_dependence(
        model, X, [0], kind="both", custom_values={0: ours.positions}, method="brute"
    )
    np.testing.assert_allclose(ours.values, theirs["average"][0])
    np.testing.assert_allclose(ours.individual, theirs["individual"][0])
    np.testing.assert_allclose(
        ours.standard_errors, theirs["individual"][0].std(axis=0, ddof=1) / np.sqrt(300)
    )


def steps_of(rng: np.random.Generator, n: int) -> Any:
    level = rng.choice(4, n, p=[0.1, 0.5, 0.3, 0.1])
    other = level + rng.normal(size=n)
    return np.column_stack([level, other])


def stepped(X: Any) -> Any:
    return np.where(X[:, 0] > 1, 1.0, 0.3) * X[:, 1] ** 2


@pytest.mark.slow
@pytest.mark.parametrize("method", ["ale", "pdp"])
@pytest.mark.parametrize("noise", [0.0, 1.0])
@pytest.mark.parametrize("n", [40, 300])
def test_intervals_of_levels_cover_the_population(method: str, noise: float, n: int) -> None:
    """95% intervals of points and of differences cover the truth in 92% of samples or more.

    Also where the model answers differently each time.
    """
    rng = np.random.default_rng(1)

    def model(X: Any) -> Any:
        return stepped(X) + noise * rng.normal(size=len(X))

    mixed = steps_of(np.random.default_rng(0), 400_000)
    truth = curve(stepped, mixed, method=method, budget=4 * 400_000)
    covered, of_change = [], []
    for seed in range(150):
        X = steps_of(np.random.default_rng(100 + seed), n)
        found = curve(model, X, method=method)
        if found.grid != truth.grid:
            continue
        lower, upper = found.interval()
        covered.append((lower <= truth.values) & (truth.values <= upper))
        _, low, high = found.change(1, 2)
        of_change.append(low <= truth.values[2] - truth.values[1] <= high)
    assert 0.92 <= np.mean(covered) <= 0.98
    assert 0.91 <= np.mean(of_change) <= 0.99


def test_intervals_of_numbers_cover_the_truth() -> None:
    """Of a product of correlated normals the curve between given ends is known."""
    rho, covered = 0.7, []
    normal = stats.norm
    for seed in range(150):
        found = curve(product, normals(400, rho, seed), n_bins=8)
        z = found.positions
        mean = (normal.pdf(z[:-1]) - normal.pdf(z[1:])) / (normal.cdf(z[1:]) - normal.cdf(z[:-1]))
        raw = np.concatenate([[0.0], np.cumsum(np.diff(z) * rho * mean)])
        x = normal.ppf((np.arange(20_000) + 0.5) / 20_000)
        truth = raw - np.interp(x, z, raw).mean()
        lower, upper = found.interval()
        covered.append((lower <= truth) & (truth <= upper))
    assert 0.92 <= np.mean(covered) <= 0.98


@pytest.mark.slow
def test_covariance_is_that_of_repeated_samples() -> None:
    """All covariances of the points, where rows tell about two steps, not only the variances."""
    draws, told = [], []
    for seed in range(400):
        found = curve(stepped, steps_of(np.random.default_rng(seed), 300))
        draws.append(found.values)
        told.append(found.covariance)
    seen, said = np.cov(np.array(draws).T), np.mean(told, axis=0)
    scale = np.sqrt(np.outer(np.diag(seen), np.diag(seen)))
    np.testing.assert_allclose(said / scale, seen / scale, atol=0.12)


def test_a_value_that_most_rows_share_takes_one_end() -> None:
    """The other intervals share the rest, and none holds fewer than 10 rows."""
    rng = np.random.default_rng(0)
    x = np.where(rng.random(2000) < 0.9, 0.0, rng.exponential(size=2000) + 1)
    X = np.column_stack([x, rng.normal(size=2000)])
    found = curve(product, X)
    assert found.positions[0] == 0
    assert len(found.grid) >= 15
    inside = [
        ((x > a) & (x <= b)).sum()
        for a, b in zip(found.positions[1:-1], found.positions[2:], strict=True)
    ]
    assert min(inside) >= 10


def test_few_values_have_a_point_each_and_bools_are_categories() -> None:
    """Integers stay integers, and both ends of a step tell about it."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"rooms": rng.integers(1, 5, 200), "new": rng.random(200) < 0.3, "x": rng.normal(size=200)}
    )
    seen: list[Any] = []

    def model(frame: Any) -> Any:
        seen.append(frame.dtypes.tolist())
        return frame["rooms"] * 2.0 + frame["new"] * frame["x"]

    found = px.Effects(model).fit(frame).explain(["rooms", "new"])
    assert found["rooms"].grid == (1, 2, 3, 4)
    np.testing.assert_allclose(np.diff(found["rooms"].values), 2.0)
    assert found["new"].grid == (False, True)
    np.testing.assert_allclose(np.diff(found["new"].values), frame["x"].mean())
    error = frame["x"].std() / np.sqrt(200)
    (_, low, high) = found["new"].change(0, 1)
    np.testing.assert_allclose((high - low) / 2, stats.t.ppf(0.975, 199) * error, rtol=0.02)
    assert all(types == frame.dtypes.tolist() for types in seen)


def test_categories_come_in_an_order_of_similarity() -> None:
    """Neighbors are alike in the other columns; an ordered category keeps its order."""
    rng = np.random.default_rng(0)
    towns = np.array(["d", "b", "a", "e", "c"])
    at = rng.integers(0, 5, 1000)
    frame = pd.DataFrame({"town": towns[at], "rent": at * 0.7 + rng.normal(size=1000)})
    frame["size"] = pd.Categorical(
        np.array(["S", "M", "L"])[rng.integers(0, 3, 1000)], ["S", "M", "L"], ordered=True
    )

    def model(frame: Any) -> Any:
        return (frame["town"] == "a") * 1.0 + frame["size"].cat.codes + frame["rent"]

    found = px.Effects(model).fit(frame).explain()
    order = "".join(found["town"].grid)
    assert order in ("dbaec", "ceabd")
    effect = found["town"].values
    at_a = found["town"].grid.index("a")
    others = np.delete(effect, at_a)
    np.testing.assert_allclose(effect[at_a] - others, 1.0)
    assert found["size"].grid == ("S", "M", "L")
    assert not found["size"].is_number


def test_a_feature_without_effect_has_a_flat_curve() -> None:
    """Exactly, although means are rounded."""
    X = normals(200) * 0.1 + 0.3
    for method in ("ale", "pdp"):
        found = curve(product, X, 2, method=method)
        assert (found.values == 0).all()
        assert (found.standard_errors == 0).all()


def test_missing_values() -> None:
    """Numbers that are missing lie nowhere on a curve; missing categories are one more."""
    X = normals(300)
    frame = pd.DataFrame({"a": X[:, 0], "b": np.where(X[:, 1] > 0, "x", None)}, dtype=object)
    frame["a"] = frame["a"].astype(float)
    frame.loc[:49, "a"] = np.nan
    frame.loc[50, "a"] = np.inf

    def model(frame: Any) -> Any:
        return frame["a"].fillna(5.0).clip(-9, 9) + frame["b"].isna()

    for method in ("ale", "pdp"):
        found = px.Effects(model, method=method).fit(frame).explain()
        assert any("missing or infinite in 51 of 300 rows" in note for note in found.notes)
        np.testing.assert_allclose(np.diff(found["a"].values), np.diff(found["a"].positions))
        assert [px.result.effects.shown(cell) for cell in found["b"].grid] == ["x", "missing"]
        np.testing.assert_allclose(np.diff(found["b"].values), 1.0)


def test_a_group_of_columns_is_one_category() -> None:
    """The columns of a one-hot code move together, so that the model sees valid codes alone."""
    rng = np.random.default_rng(0)
    at = rng.integers(0, 3, 300)
    frame = pd.DataFrame(np.eye(3)[at], columns=["red", "green", "blue"]).assign(
        x=rng.normal(size=300)
    )

    def model(frame: Any) -> Any:
        assert (frame[["red", "green", "blue"]].sum(axis=1) == 1).all()
        return frame["green"] * 2 + frame["blue"] + frame["x"]

    groups = {"color": ["red", "green", "blue"], "x": ["x"]}
    found = px.Effects(model, groups=groups).fit(frame).explain()["color"]
    effect = dict(zip(found.grid, found.values, strict=True))
    np.testing.assert_allclose(effect["green"] - effect["red"], 2)
    np.testing.assert_allclose(effect["blue"] - effect["red"], 1)


@pytest.mark.parametrize("kind", ["frame", "polars", "sparse", "list", "objects", "torch"])
def test_every_container_has_the_curve_of_its_numbers(kind: str) -> None:
    """The same bits as for an array, and the model sees the container that was passed."""
    X = normals(200, 0.5).round(2)
    given = {
        "frame": lambda: pd.DataFrame(X, columns=list("abc")),
        "polars": lambda: pytest.importorskip("polars").DataFrame(X, schema=list("abc")),
        "sparse": lambda: sparse.csr_array(X),
        "list": lambda: X.tolist(),
        "objects": lambda: X.astype(object),
        "torch": lambda: pytest.importorskip("torch").tensor(X),
    }[kind]()
    kinds = set()

    def model(batch: Any) -> Any:
        kinds.add(type(batch))
        values = batch.toarray() if kind == "sparse" else np.asarray(batch, dtype=float)
        return product(values)

    for method in ("ale", "pdp"):
        found = curve(model, given, method=method)
        np.testing.assert_allclose(found.values, curve(product, X, method=method).values)
    assert kinds == {np.ndarray if kind == "list" else type(given)}


def test_many_outputs() -> None:
    """Each output is the curve of that output alone; one that is picked has no axis."""
    X = normals(300, 0.5)

    def model(X: Any) -> Any:
        return np.column_stack([product(X), X[:, 0], X[:, 2] ** 2])

    for method in ("ale", "pdp"):
        found = curve(model, X, method=method, output_names=["p", "q", "r"])
        assert found.values.shape == (21, 3)
        assert found.covariance.shape == (21, 21, 3)
        for j, name in enumerate("pqr"):
            one = curve(model, X, method=method, output_names=["p", "q", "r"], outputs=name)
            assert one.output_names == (name,)
            np.testing.assert_allclose(one.values, found.values[:, j], atol=1e-12)
            np.testing.assert_allclose(one.standard_errors, found.standard_errors[:, j], atol=1e-12)


@pytest.mark.parametrize("method", ["ale", "pdp"])
def test_rows_are_counted_and_within_the_budget(method: str) -> None:
    """n_rows is what the model saw, and no curve costs more than its budget."""
    rng = np.random.default_rng(0)
    X = np.column_stack([normals(500), rng.integers(0, 3, 500), rng.integers(0, 2, 500)])
    seen: list[int] = []

    def model(X: Any) -> Any:
        seen.append(len(X))
        return product(X)

    found = px.Effects(model, method=method, budget=600, random_state=0).fit(X).explain()
    assert (found.n_rows, found.n_calls) == (sum(seen), len(seen))
    assert found.n_rows <= 3 + 600 * 5
    assert found.n_instances == {"ale": 200, "pdp": 28}[method]
    assert any("random sample" in note for note in found.notes)
    again = px.Effects(model, method=method, budget=600, random_state=0, batch_size=7).fit(X)
    assert max(seen) > 7
    seen.clear()
    for one, other in zip(found, again.explain(), strict=True):
        np.testing.assert_array_equal(one.values, other.values)
        np.testing.assert_array_equal(one.covariance, other.covariance)
    assert max(seen) <= 7
    alone = px.Effects(model, method=method, budget=600, random_state=0).fit(X)
    same = alone.explain([0, 3]) if method == "ale" else alone.explain([0])
    np.testing.assert_array_equal(same[0].values, found[0].values)


def test_a_random_state_repeats_every_number() -> None:
    """The state that the result names is enough."""
    X = normals(500)
    found = px.Effects(product, budget=100).fit(X).explain(0)
    again = px.Effects(product, budget=100, random_state=found.random_state).fit(X).explain(0)
    np.testing.assert_array_equal(found[0].values, again[0].values)


def test_a_result_is_read_by_name_and_as_a_table() -> None:
    """A row for each feature, output and point; curves by name and position."""
    X = pd.DataFrame(normals(200, 0.5), columns=["age", "income", "rooms"])
    found = (
        px.Effects(lambda X: np.column_stack([X["age"], -X["age"]]), outputs=[1]).fit(X).explain()
    )
    assert found["age"] is found[0] is next(iter(found))
    assert len(found) == 3
    frame = found.to_frame()
    assert len(frame) == sum(len(c.grid) for c in found)
    part = frame[frame["feature"] == "age"]
    np.testing.assert_array_equal(part["effect"], found["age"].values[:, 0])
    np.testing.assert_array_equal(part["upper"], found["age"].interval()[1][:, 0])
    text = repr(found)
    assert "accumulated local effects" in text
    assert "age" in text.splitlines()[3]
    with pytest.raises(SelectionError, match="No curve is named 'aeg'"):
        found["aeg"]
    assert pickle.loads(pickle.dumps(found)).n_rows == found.n_rows
    with pytest.raises(AttributeError):
        found.curves = ()


X20 = normals(20)


@pytest.mark.parametrize(
    ("settings", "features", "error", "says"),
    [
        ({}, ["height"], InvalidParameterError, "no column 'height'"),
        ({}, [7], InvalidParameterError, "no column 7"),
        ({}, [0, 0], InvalidParameterError, "each once"),
        ({}, [], InvalidParameterError, "at least one"),
        ({}, X20, InvalidParameterError, "rows of fit"),
        ({"method": "ice"}, None, InvalidParameterError, "'ale', 'pdp'"),
        ({"centered": False}, None, InvalidParameterError, "up to a constant"),
        ({"n_bins": 0}, None, InvalidParameterError, "n_bins"),
        ({"budget": 15}, None, BudgetError, "Raise budget to 20"),
        ({"outputs": "top1"}, None, InvalidParameterError, "differ between rows"),
        ({"outputs": "b"}, None, InvalidParameterError, "No output is named 'b'"),
    ],
)
def test_what_has_no_curve_is_refused(settings: Any, features: Any, error: Any, says: str) -> None:
    """The message says what was wrong and what to do."""
    with pytest.raises(error, match=says):
        px.Effects(product, **{"n_bins": 4, **settings}).fit(X20).explain(features)


def test_other_bad_input() -> None:
    """Columns of one value, single rows, no fit, and models that fail."""
    constant = np.column_stack([X20, np.full(20, 3.0), np.full(20, np.nan)])
    fitted = px.Effects(product).fit(constant)
    for column in (3, 4):
        with pytest.raises(InvalidInputError, match="single value"):
            fitted.explain([column])
    found = fitted.explain()
    assert found.feature_names == ("x0", "x1", "x2")
    assert any("x3, x4" in note for note in found.notes)
    with pytest.raises(InvalidInputError, match="many rows"):
        px.Effects(product).fit(X20[:1])
    with pytest.raises(NotFittedError, match="fit"):
        px.Effects(product).explain()
    with pytest.raises(PredictFnError, match="NaN"):
        curve(lambda X: np.where(X[:, 0] == X20[:, 0].max(), np.nan, 0.0), X20)
    with pytest.raises(TypeError, match="did you mean n_bins"):
        px.Effects(product, nbins=3)


def test_a_column_that_is_constant_in_the_sample_is_flat() -> None:
    """A rare value may be in none of the rows that the budget pays for."""
    X = normals(2000)
    X[:, 2] = 0.0
    X[1234, 2] = 1.0
    for method in ("ale", "pdp"):
        found = curve(product, X, 2, method=method, budget=60)
        assert len(found.grid) == 1
        assert found.values == [0.0]
        assert found.standard_errors < 1e-15


def test_of_a_product_only_the_product_is_left() -> None:
    """Second differences over cells are exact, and nothing is left of each feature alone."""
    X = normals(20_000, 0.6)
    effects = px.Effects(
        lambda X: product(X) + np.sin(X[:, 0]) + X[:, 1] ** 3, n_bins=25, budget=10**6
    )
    found = effects.fit(X).interaction(0, 1)
    a, b = (np.diff(positions) for positions in found.positions)
    twice = np.diff(np.diff(found.values, axis=0), axis=1)
    assert found.values.shape == found.counts.shape == (26, 26)
    where = slice(8, -8)  # cells that all have rows
    np.testing.assert_allclose(twice[where, where], np.outer(a, b)[where, where])
    z, w = np.meshgrid(*found.positions, indexing="ij")
    truth = z * w - 0.3 * (z**2 + w**2)
    inside = slice(5, -5)
    np.testing.assert_allclose(found.values[inside, inside], truth[inside, inside], atol=0.1)


def test_effects_that_add_up_have_no_interaction() -> None:
    """Neither of numbers nor of categories, in a frame, for each of several outputs."""
    frame = pd.DataFrame(normals(400, 0.5), columns=["age", "income", "rent"])
    frame["town"] = np.array(["north", "south", "east"])[np.arange(400) % 3]

    def model(frame: Any) -> Any:
        total = np.exp(frame["age"]) + (frame["town"] == "east") * 2.0 + frame["income"]
        return np.column_stack([total, -total])

    effects = px.Effects(model).fit(frame)
    for pair in (("age", "income"), ("age", "town"), ("town", "rent")):
        found = effects.interaction(*pair)
        assert found.features == pair
        np.testing.assert_allclose(found.values, 0.0, atol=1e-12)
        np.testing.assert_allclose(found.standard_errors, 0.0, atol=1e-12)
    assert set(found.grids[0]) == {"north", "south", "east"}
    assert len(found.to_frame()) == 2 * found.counts.size


def test_an_interaction_has_no_accumulated_effects_of_its_own() -> None:
    """The main effects of the surface over the rows are 0 (Apley & Zhu, eq. 18), by loops."""
    X = normals(500, 0.5)
    found = px.Effects(lambda X: np.sin(X[:, 0] * X[:, 1])).fit(X).interaction(0, 1)
    ends, values = found.positions, found.values
    cell = [
        np.clip(np.searchsorted(e, x) - 1, 0, len(e) - 2)
        for e, x in zip(ends, X.T[:2], strict=True)
    ]
    for i in range(len(ends[0]) - 1):
        here = cell[1][cell[0] == i]
        steps = [
            (values[i + 1, j] - values[i, j] + values[i + 1, j + 1] - values[i, j + 1]) / 2
            for j in here
        ]
        assert abs(np.mean(steps)) < 1e-12


@pytest.mark.slow
def test_intervals_of_an_interaction_cover_the_population() -> None:
    """Of levels, whose points are the same in every sample, where rows lie."""

    def drawn(n: int, seed: int) -> Any:
        rng = np.random.default_rng(seed)
        a = rng.integers(0, 4, n)
        b = np.minimum(a, 2) * (rng.random(n) < 0.4) + (rng.random(n) < 0.3)
        return np.column_stack([a, np.minimum(b, 2), a + rng.normal(size=n)]).astype(float)

    def model(X: Any) -> Any:
        return X[:, 0] * X[:, 1] * X[:, 2] + X[:, 0] ** 2

    big = px.Effects(model, budget=10**8).fit(drawn(200_000, 0)).interaction(0, 1)
    covered = []
    for seed in range(100):
        found = px.Effects(model, random_state=seed).fit(drawn(500, seed + 1)).interaction(0, 1)
        lower, upper = found.interval()
        covered.append((lower <= big.values) & (upper >= big.values))
    assert 0.91 <= np.mean(covered) <= 0.98


def test_an_interaction_counts_its_rows_and_repeats() -> None:
    """Within the budget, whatever the batches; the result says what it cost."""
    X = np.column_stack([normals(300), np.arange(300) % 3])
    seen: list[int] = []

    def model(X: Any) -> Any:
        seen.append(len(X))
        return product(X) + X[:, 3]

    for pair, each in (((0, 1), 4), ((0, 3), 6), ((3, 2), 6)):
        seen.clear()
        found = px.Effects(model, budget=900, random_state=0).fit(X).interaction(*pair)
        assert (found.n_rows, found.n_calls) == (sum(seen), len(seen))
        assert found.n_rows <= 3 + 900
        assert found.n_instances == 900 // each
        again = px.Effects(model, budget=900, random_state=0, batch_size=11).fit(X)
        same = again.interaction(*pair)
        np.testing.assert_array_equal(found.values, same.values)
        np.testing.assert_array_equal(found.standard_errors, same.standard_errors)
    assert "lowest and highest" in repr(found)
    for wrong in ((0, 0), (0, 9)):
        with pytest.raises(InvalidParameterError):
            again.interaction(*wrong)
    with pytest.raises(InvalidParameterError, match='method="ale"'):
        px.Effects(model, method="pdp").fit(X).interaction(0, 1)
