"""Do global importances need fewer model rows than those of sage-importance and scikit-learn?

    python -m benchmarks.tables.sage_accuracy [--quick] [--check] [--data FOLDER] [--seeds 20]

The truth is enumerated: SAGE values from all coalitions of a test set and a few background rows,
permutation importance from all pairs of rows. `Sage` is compared with the permutation estimator and
with the kernel estimator of sage-importance, at the same number of model rows and at half of
it. `PermutationImportance` is compared with scikit-learn's, at the same number.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import perturbx as px
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine, make_friedman1
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.command import parser, status
from benchmarks.games import Values
from benchmarks.report import Target, geometric_mean, head, line

SEEDS, QUICK_SEEDS = 20, 6
ORDERS, QUICK_ORDERS = (64, 256), (64,)
"""The budget pays for so many orders of sage-importance."""

REPEATS = 5
"""scikit-learn's default."""

_TIMES = 5
"""Permutation importance is cheap, and gets so many times as many seeds."""

CHOSE = "diabetes, boosting"
"""The one game whose data chose a constant of `Sage`; it is left out of the summary."""


@dataclass
class Case:
    """A fitted model, the rows that the loss is averaged over, and background rows."""

    name: str
    ask: Callable[[Values], Values]
    X: Values
    y: Values
    background: Values

    @property
    def is_classifier(self) -> bool:
        return self.y.dtype.kind in "iu"

    def losses(self, outputs: Values) -> Values:
        """(n,): the log loss of (n, k) probabilities, or the squared error."""
        if self.is_classifier:
            return np.asarray(-np.log(np.clip(outputs[np.arange(len(self.y)), self.y], 1e-15, 1)))
        return np.asarray((outputs.reshape(len(self.y)) - self.y) ** 2)


def cases(folder: Path | None, quick: bool) -> list[Case]:
    tree = {"max_iter": 50, "random_state": 0}
    diabetes, cancer, wine = load_diabetes(), load_breast_cancer(), load_wine()
    X, y = make_friedman1(600, noise=1.0, random_state=0)
    logistic = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    network = MLPRegressor(
        hidden_layer_sizes=(32,), solver="lbfgs", alpha=1.0, max_iter=3000, random_state=0
    )
    network = make_pipeline(StandardScaler(), network)
    found = [
        case(
            "breast cancer, boosting",
            HistGradientBoostingClassifier(**tree),
            cancer.data[:, :10],
            cancer.target,
        ),
        case("friedman, network", network, X, y),
    ]
    if quick:
        return found
    found += [
        case("wine, logistic", logistic, wine.data, wine.target, n=70, n_background=10),
        case(CHOSE, HistGradientBoostingRegressor(**tree), diabetes.data, diabetes.target),
    ]
    if folder:
        table = pd.read_csv(folder / "adult.data", header=None, skipinitialspace=True)
        table = table.drop(columns=[2, 3]).sample(4000, random_state=0)
        codes = np.stack(
            [
                c if c.dtype.kind in "iuf" else c.astype("category").cat.codes
                for _, c in table.items()
            ],
            axis=1,
        ).astype(float)
        model = HistGradientBoostingClassifier(**tree)
        target = codes[:, -1].astype(int)
        found.append(case("adult, boosting", model, codes[:, :-1], target, n=100, n_background=10))
    return found


def case(name: str, model: Any, X: Values, y: Values, n: int = 150, n_background: int = 20) -> Case:
    """A model fitted to all rows but `n`, which are explained."""
    order = np.random.default_rng(0).permutation(len(X))
    test, train = order[:n], order[n:]
    model.fit(X[train], y[train])
    ask = model.predict_proba if y.dtype.kind in "iu" else model.predict
    return Case(name, ask, X[test], y[test], X[train[:n_background]])


def true_sage(case: Case) -> Values:
    """Shapley values of minus the mean loss, from all coalitions."""
    n, d = case.X.shape
    b, value = len(case.background), np.empty(2**d)
    for code in range(2**d):
        present = (code >> np.arange(d) & 1).astype(bool)
        rows = np.where(present, case.X[:, None], case.background[None]).reshape(n * b, d)
        value[code] = -case.losses(case.ask(rows).reshape(n, b, -1).mean(axis=1)).mean()
    codes = np.arange(2**d)
    sizes = (codes[:, None] >> np.arange(d) & 1).sum(axis=1)
    weights = np.array([1 / (d * _binomial(d - 1, s)) if s < d else 0.0 for s in range(d + 1)])
    found = np.empty(d)
    for j in range(d):
        without = codes[(codes >> j & 1) == 0]
        found[j] = (weights[sizes[without]] * (value[without | 1 << j] - value[without])).sum()
    return found


def _binomial(n: int, k: int) -> float:
    return float(np.prod([(n - i) / (i + 1) for i in range(k)]))


def ours(case: Case, budget: int, seed: int) -> px.Explanation:
    method = px.Sage(
        case.ask, masker=px.Background(case.background), budget=budget, random_state=seed
    )
    return method.explain(case.X, case.y)


def by_orders(case: Case, budget: int, seed: int) -> Any:
    """Their permutation estimator, with as many orders as the budget pays for."""
    import sage

    n = budget // (len(case.background) * (case.X.shape[1] + 1))
    estimator = sage.PermutationEstimator(*_theirs(case), random_state=seed)
    return estimator(
        case.X, case.y, batch_size=n, n_permutations=n, detect_convergence=False, bar=False
    )


def by_kernel(case: Case, budget: int, seed: int) -> Any:
    """Their kernel estimator; it asks for every row with all and with no features first."""
    import sage

    b = len(case.background)
    n = max((budget // b - 2 * len(case.X)) // 2, case.X.shape[1])
    estimator = sage.KernelEstimator(*_theirs(case), random_state=seed)
    return estimator(case.X, case.y, batch_size=n, n_samples=n, detect_convergence=False, bar=False)


def _theirs(case: Case) -> tuple[Any, str]:
    import sage

    imputer = sage.MarginalImputer(case.ask, case.background)
    return imputer, "cross entropy" if case.is_classifier else "mse"


def squared(values: Values, truth: Values) -> float:
    """The squared error, relative to the squared truth."""
    return float(((values - truth) ** 2).sum() / (truth**2).sum())


def errors_of_sage(case: Case, budget: int, seeds: int) -> tuple[Values, float]:
    """(4, seeds) squared errors, and the share of features on which both agree within errors.

    Theirs by orders, theirs by the kernel, ours, and ours at half the budget.
    """
    truth, found, agree = true_sage(case), [], []
    for seed in range(seeds):
        full, half = ours(case, budget, seed), ours(case, budget // 2, seed)
        theirs = by_orders(case, budget, seed)
        apart = np.abs(full.values - theirs.values)
        agree.append(apart <= 1.96 * np.hypot(full.standard_errors, theirs.std))
        values = theirs.values, by_kernel(case, budget, seed).values, full.values, half.values
        found.append([squared(v, truth) for v in values])
    return np.array(found).T, float(np.mean(agree))


def errors_of_permutations(case: Case, seeds: int) -> Values:
    """(2, seeds): squared errors of scikit-learn's and ours, for the same model rows."""
    n, d = case.X.shape
    own, truth = case.losses(case.ask(case.X)).mean(), np.zeros(d)
    for j in range(d):
        for shift in range(1, n):
            Z = case.X.copy()
            Z[:, j] = np.roll(Z[:, j], shift)
            truth[j] += (case.losses(case.ask(Z)).mean() - own) / (n - 1)

    def score(_: Any, X: Values, y: Values) -> float:
        return -float(case.losses(case.ask(X)).mean())

    found = []
    for seed in range(seeds):
        theirs = permutation_importance(
            _Fitted(), case.X, case.y, scoring=score, n_repeats=REPEATS, random_state=seed
        )
        method = px.PermutationImportance(case.ask, budget=n * (1 + d * REPEATS), random_state=seed)
        # A permutation leaves one row in n as it is.
        values = theirs.importances_mean * n / (n - 1), method.explain(case.X, case.y).values
        found.append([squared(v, truth) for v in values])
    return np.array(found).T


class _Fitted:
    """What scikit-learn takes for a fitted model, which the scorer ignores."""

    def fit(self, X: Values, y: Values) -> _Fitted:
        return self


def ratio(ours: Values, theirs: Values) -> tuple[float, float, float]:
    """ours / theirs in the mean over seeds, with a 95% bootstrap interval over paired seeds."""
    rng = np.random.default_rng(0)
    draws = rng.integers(len(ours), size=(2000, len(ours)))
    many = ours[draws].mean(axis=1) / theirs[draws].mean(axis=1)
    return (float(ours.mean() / theirs.mean()), *np.quantile(many, [0.025, 0.975]).tolist())


def told(parts: tuple[float, float, float]) -> str:
    return "{:.2f} [{:.2f}, {:.2f}]".format(*parts)


def main() -> int:
    made = parser(quick="two games, one budget and fewer seeds, a minute")
    made.add_argument("--data", type=Path, help="a folder with adult.data")
    made.add_argument("--seeds", type=int, help=f"{SEEDS} by default, {QUICK_SEEDS} if quick")
    asked = made.parse_args()
    if find_spec("sage") is None:
        print("sage-importance is not installed: pip install sage-importance")
        return 0
    seeds = asked.seeds or (QUICK_SEEDS if asked.quick else SEEDS)
    rows = cases(asked.data, asked.quick)
    columns = "game", "model rows", "of orders", "of kernel", "at half: of orders", "agree"
    print("Sage, squared error as a share of sage-importance's\n\n" + head(columns))
    at_equal, at_half, agreed = [], [], []
    for one in rows:
        for orders in QUICK_ORDERS if asked.quick else ORDERS:
            budget = orders * len(one.background) * (one.X.shape[1] + 1)
            (by, kernel, full, half), agree = errors_of_sage(one, budget, seeds)
            ratios = ratio(full, by), ratio(full, kernel), ratio(half, by)
            print(line((one.name, f"{budget:,}", *map(told, ratios), f"{agree:.2f}")), flush=True)
            if one.name != CHOSE:
                at_equal.append(ratios[0][0])
                at_half.append(ratios[2][0])
                agreed.append(agree)
    print("\nPermutationImportance, squared error as a share of scikit-learn's\n")
    print(head(("game", "model rows", "of scikit-learn")))
    for one in rows:
        theirs, own = errors_of_permutations(one, _TIMES * seeds)
        n, d = one.X.shape
        print(line((one.name, f"{n * (1 + d * REPEATS):,}", told(ratio(own, theirs)))), flush=True)
    targets = [
        Target("squared error at equal rows", geometric_mean(at_equal), most=0.7),
        Target("squared error at half the rows", geometric_mean(at_half), most=1.0),
        Target("features on which both agree within errors", float(np.mean(agreed)), least=0.9),
    ]
    print("\n" + "\n".join(f"- {target}" for target in targets))
    return status(asked.check, targets)


if __name__ == "__main__":
    sys.exit(main())
