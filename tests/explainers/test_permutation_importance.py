"""Permutation importance: closed forms, every pair, scikit-learn, intervals, what is refused."""

from __future__ import annotations

import numpy as np
import perturbx as px
import pytest
from perturbx.errors import BudgetError, InvalidInputError, InvalidParameterError
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LinearRegression, LogisticRegression

pd = pytest.importorskip("pandas")

SLOPES = np.array([2.0, -1.0, 0.5, 0.0])


def linear(Z):
    return Z @ SLOPES


def rows(n, seed=0, rho=0.6):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    X[:, 1] = rho * X[:, 0] + np.sqrt(1 - rho**2) * X[:, 1]
    return X, linear(X) + 0.5 * rng.normal(size=n)


def importance(model, **settings):
    return px.PermutationImportance(model, **{"random_state": 0, **settings})


def of_all_pairs(model, X, y, loss):
    """The mean growth of the loss over all pairs of different rows."""
    n, d = X.shape
    own, found = loss(y, model(X)).mean(), np.zeros(d)
    for j in range(d):
        for shift in range(1, n):
            Z = X.copy()
            Z[:, j] = np.roll(X[:, j], shift)
            found[j] += loss(y, model(Z)).mean() / (n - 1)
    return found - own


def test_of_a_linear_model_it_is_twice_the_squared_slope_times_the_variance():
    """Whatever the correlation; with labels or, without noise, without them."""
    X, y = rows(20_000)
    expected = 2 * SLOPES**2
    for labels in (y, None):
        found = importance(linear).explain(X, labels)
        assert (np.abs(found.values - expected) <= 4 * found.standard_errors).all()
        assert found.values[3] == found.standard_errors[3] == 0
    np.testing.assert_allclose(found.predictions, 0.0)


def test_all_pairs_of_rows_are_enumerated_with_budget_enough():
    """Each row takes the value of each other one."""
    X, y = rows(30)
    truth = of_all_pairs(linear, X, y, lambda y, p: (y - p) ** 2)
    found = importance(linear, budget=10**6).explain(X, y)
    np.testing.assert_allclose(found.values, truth, atol=1e-12)
    assert found.n_rows == 3 + 30 + 30 * 29 * 4


def test_scikit_learn_finds_the_same():
    """Within the errors; its permutations leave one row in n as it is."""
    X, y = rows(400)
    y = y + np.sin(3 * X[:, 2])
    model = LinearRegression().fit(X, y)
    theirs = permutation_importance(
        model, X, y, scoring="neg_mean_squared_error", n_repeats=200, random_state=0
    )
    found = importance(model, budget=400 * (1 + 4 * 200)).explain(X, y)
    errors = theirs.importances_std / np.sqrt(200)
    assert (np.abs(found.values - theirs.importances_mean * 400 / 399) <= 5 * errors + 1e-9).all()


@pytest.mark.slow
@pytest.mark.parametrize("times", [1, 3, 20])
@pytest.mark.parametrize("n", [100, 300])
def test_intervals_cover_the_population(times, n):
    """Of fresh rows and fresh pairs, 95% intervals cover the truth in about 95% of runs."""
    covered = []
    for seed in range(200):
        X, y = rows(n, seed=seed)
        found = importance(linear, random_state=seed, budget=n * (1 + 4 * times)).explain(X, y)
        lower, upper = found.interval()
        truth = 2 * SLOPES**2
        covered.append(((lower <= truth) & (truth <= upper))[:3])
    assert 0.9 <= np.mean(covered) <= 0.985


def test_errors_are_the_spread_of_repeated_samples():
    """Both for one exchange and for several."""
    for times in (1, 5):
        values, errors = [], []
        for seed in range(150):
            X, y = rows(100, seed=seed)
            found = importance(linear, random_state=seed, budget=100 * (1 + 4 * times)).explain(
                X, y
            )
            values.append(found.values[:3])
            errors.append(found.standard_errors[:3])
        ratio = np.sqrt(np.mean(np.square(errors), axis=0)) / np.std(values, axis=0)
        np.testing.assert_allclose(ratio, 1.0, atol=0.2)


def test_classes_get_the_log_loss():
    X, score = rows(200)
    y = np.where(score > 0, "yes", "no")
    fitted = LogisticRegression().fit(X, y)

    def loss(y, probabilities):
        return -np.log(probabilities[np.arange(len(y)), (y == "yes") * 1])

    truth = of_all_pairs(fitted.predict_proba, X[:60], y[:60], loss)
    found = importance(fitted, budget=10**6).explain(X[:60], y[:60])
    np.testing.assert_allclose(found.values, truth)
    assert "log loss" in found.value_function


def test_groups_move_together_and_mixed_frames_keep_their_types():
    """A group tells what its columns tell together; missing values and texts survive."""
    X = rows(300)[0]
    frame = pd.DataFrame(X, columns=list("abcd")).assign(e=["x", None, "y"] * 100)
    frame.loc[3, "c"] = np.nan
    types = frame.dtypes.tolist()

    def model(Z):
        assert Z.dtypes.tolist() == types
        return Z["a"] + Z["b"] + (Z["e"] == "x")

    groups = {"ab": ["a", "b"], "c": ["c"], "d": ["d"], "e": ["e"]}
    found = importance(model, groups=groups).explain(frame)
    assert found.feature_names == ("ab", "c", "d", "e")
    total = X[:, 0] + X[:, 1]
    np.testing.assert_allclose(found.values[0], 2 * total.var(), rtol=0.2)
    assert (found.values[1:3] == 0).all()
    assert found.values[3] > 0


def test_a_masker_draws_given_the_other_features():
    """What the neighbors tell as well is worth little; draws of the marginal are worth as much."""
    X, y = rows(600, rho=0.95)
    train = rows(600, seed=1, rho=0.95)[0]
    given = importance(linear, masker=px.ConditionalCopula(), budget=600 * 5).fit(train)
    alone = importance(linear, masker=px.Background(train, max_rows=600), budget=600 * 5)
    conditional, marginal = given.explain(X, y), alone.explain(X, y)
    np.testing.assert_allclose(marginal.values, 2 * SLOPES**2, atol=0.8)
    expected = 2 * SLOPES**2 * [1 - 0.95**2, 1 - 0.95**2, 1, 0]
    np.testing.assert_allclose(conditional.values, expected, atol=0.15)
    assert conditional.n_rows == 600 * 5  # the model was asked about its outputs in fit


@pytest.mark.parametrize("masker", [None, px.Background(rows(20, 5)[0])])
@pytest.mark.parametrize("changes", [{"n_jobs": 2}, {"batch_size": 7}])
def test_same_bits_however_it_is_run(masker, changes):
    X, y = rows(70)
    one, other = (importance(linear, masker=masker, **more).explain(X, y) for more in ({}, changes))
    np.testing.assert_array_equal(one.values, other.values)
    np.testing.assert_array_equal(one.standard_errors, other.standard_errors)


def test_rows_are_counted_and_within_the_budget():
    """Fewer rows where the budget does not pay for all of them."""
    X, y = rows(500)
    for budget, expected in ((600, 120 * 5), (500 * 5, 500 * 5), (500 * 14, 500 * 13)):
        seen = []

        def model(Z, seen=seen):
            seen.append(len(Z))
            return linear(Z)

        found = importance(model, budget=budget).explain(X, y)
        assert (found.n_rows, found.n_calls) == (sum(seen), len(seen))
        assert found.n_rows == 3 + expected
        assert any("sample of 120 of the 500" in n for n in found.notes) == (budget == 600)


def test_stops_at_tol():
    X, y = rows(300)
    found = importance(linear, tol=0.08).explain(X, y)
    assert found.converged
    assert found.standard_errors.max() <= 0.08 * np.ptp(found.values)
    with pytest.warns(px.errors.NotConvergedWarning):
        assert not importance(linear, tol=0.001, budget=3000).explain(X, y).converged


def test_a_model_that_answers_differently_has_that_noise_in_its_errors():
    """The mean growth is unbiased, and intervals contain the noise."""
    covered = []
    rng = np.random.default_rng(0)
    for seed in range(80):
        X, y = rows(100, seed=seed)
        found = importance(lambda Z: linear(Z) + rng.normal(size=len(Z)), random_state=seed)
        lower, upper = found.explain(X, y).interval()
        covered.append((lower <= 2 * SLOPES**2) & (upper >= 2 * SLOPES**2))
    assert np.mean(covered) >= 0.9


def test_an_archive_repeats_what_was_answered(tmp_path):
    """Without another call, and no two questions to a noisy model share an answer."""
    X, y = rows(80)
    rng, calls = np.random.default_rng(0), []

    def noisy(Z):
        calls.append(len(Z))
        return linear(Z) + rng.normal(size=len(Z))

    for model in (linear, noisy):
        path = tmp_path / f"{model.__name__}.archive"
        one, other = (importance(model, archive=path).explain(X, y) for _ in range(2))
        np.testing.assert_array_equal(one.values, other.values)
    assert sum(calls) == one.n_rows
    assert one.values[3] != 0  # of equal rows, of which each has noise of its own


def test_result_has_all_views(tmp_path):
    X, y = rows(60)
    found = importance(linear, feature_names=["age", "sex", "income", "city"]).explain(X, y)
    assert "age" in repr(found)
    assert len(found.to_frame()) == 4
    found.save(tmp_path / "found.json")
    np.testing.assert_array_equal(px.load(tmp_path / "found.json").values, found.values)
    assert px.plots.bar(found, show=False) is not None


X40, Y40 = rows(40)


@pytest.mark.parametrize(
    ("settings", "given", "error", "says"),
    [
        ({"budget": 79}, (X40, Y40), BudgetError, "at least 80"),
        ({"outputs": [0]}, (X40, Y40), InvalidParameterError, "outputs"),
        ({"link": "logit"}, (X40, Y40), InvalidParameterError, "link"),
        ({"loss": "mse"}, (X40, Y40), InvalidParameterError, "squared_error"),
        ({"loss": "log_loss"}, (X40, Y40), InvalidParameterError, "probabilities"),
        ({"loss": lambda y, p: 1.0}, (X40, Y40), InvalidParameterError, "one finite number"),
        ({}, (X40, Y40[:5]), InvalidInputError, "got 5"),
        ({}, (X40, np.where(Y40 > 0, Y40, np.nan)), InvalidInputError, "missing labels"),
        ({}, (X40[:9], Y40[:9]), InvalidInputError, "at least 16"),
        ({}, (X40[0], Y40[:1]), InvalidInputError, "at least 16"),
        ({}, (np.zeros((3, 8, 8, 3)), None), InvalidInputError, "two dimensions"),
    ],
)
def test_what_has_no_answer_is_refused(settings, given, error, says):
    with pytest.raises(error, match=says):
        importance(linear, **settings).explain(*given)


def test_a_masker_of_averages_has_no_draws():
    fitted = importance(linear, masker=px.ConditionalRegression()).fit(X40)
    with pytest.raises(InvalidParameterError, match="single draws"):
        fitted.explain(X40, Y40)
