"""Does `compare_cohorts` raise false alarms at its rate, and find drift as a bootstrap does?

    python -m benchmarks.tables.cohort_tests [--quick] [--check] [--repeats 400]

Rows of two real data sets are explained with few coalitions, so that the scores have errors that
matter, and split at random into two cohorts of 60. Without drift the share of p-values below 5%
must be 4% to 6%, or less. With drift one feature of the first cohort is moved by half a standard
deviation, and the share of alarms for it is compared with that of a bootstrap of the difference of
means, which takes the scores as they are.
"""

from __future__ import annotations

import sys

import numpy as np
import perturbx as px
from perturbx import Explanation
from sklearn.base import BaseEstimator
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.command import parser, status
from benchmarks.games import Values
from benchmarks.report import Target, head, line

REPEATS, QUICK_REPEATS = 400, 100
SIZE, LEVEL, RESAMPLES, MOST = 60, 0.05, 400, 0.06


def cases() -> dict[str, tuple[Values, BaseEstimator, str]]:
    """Rows, a fitted model and the output that is explained."""
    X, y = load_diabetes(return_X_y=True)
    Z, t = load_breast_cancer(return_X_y=True)
    logistic = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(Z, t)
    return {
        "diabetes, boosting": (X, GradientBoostingRegressor(random_state=0).fit(X, y), "output"),
        "breast cancer, logistic": (Z, logistic, "1"),
    }


def explained(X: Values, model: BaseEstimator, output: str, rows: Values) -> Explanation:
    """Scores of rows from 3 coalitions per feature and 20 background rows."""
    budget = 20 * (3 * X.shape[1] + 2)
    explainer = px.KernelShap(
        model, estimator="regression", budget=budget, outputs=output, random_state=0
    )
    return explainer.fit(X[:20]).explain(rows)


def bootstrapped(a: Values, b: Values, rng: np.random.Generator) -> Values:
    """(d,): whether 0 is outside of the percentile interval of the difference of means."""
    means = [
        part[rng.integers(len(part), size=(RESAMPLES, len(part)))].mean(axis=1) for part in (a, b)
    ]
    low, high = np.quantile(means[0] - means[1], [LEVEL / 2, 1 - LEVEL / 2], axis=0)
    return np.asarray((low > 0) | (high < 0))


def alarms(still: Explanation, moved: Explanation, repeats: int) -> tuple[Values, Values]:
    """(repeats, 2, d): alarms of ours and of the bootstrap, without and with drift."""
    rng, found = np.random.default_rng(0), []
    for _ in range(repeats):
        order = rng.permutation(len(still))
        first, second = order[:SIZE].tolist(), order[SIZE : 2 * SIZE].tolist()
        found.append(
            [
                [
                    px.compare_cohorts(a[first], still[second]).p_values < LEVEL,
                    bootstrapped(a.values[first], still.values[second], rng),
                ]
                for a in (still, moved)
            ]
        )
    without, drifted = np.moveaxis(np.array(found), 1, 0)
    return without, drifted


def main() -> int:
    made = parser(quick="fewer random splits, a minute")
    made.add_argument("--repeats", type=int, help=f"{REPEATS} by default, {QUICK_REPEATS} if quick")
    asked = made.parse_args()
    repeats = asked.repeats or (QUICK_REPEATS if asked.quick else REPEATS)
    columns = "game", "false alarms", "of a bootstrap", "drift found", "by a bootstrap"
    print(head(columns))
    targets = []
    for name, (X, model, output) in cases().items():
        still = explained(X, model, output, X[:300])
        feature = int(np.argmax(still.importance().values))
        step = 0.5 * X.std(axis=0) * (np.arange(X.shape[1]) == feature)
        without, drifted = alarms(still, explained(X, model, output, X[:300] + step), repeats)
        rates = *without.mean(axis=(0, 2)), *drifted[:, :, feature].mean(axis=0)
        print(line((name, *(f"{rate:.3f}" for rate in rates))), flush=True)
        targets.append(Target(f"{name}: false alarms", rates[0], most=MOST))
    print("\n" + "\n".join(f"- {target}" for target in targets if not target.holds))
    return status(asked.check, targets)


if __name__ == "__main__":
    sys.exit(main())
