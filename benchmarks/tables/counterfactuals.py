"""Are counterfactuals valid, near and sparse, compared with DiCE at equal model rows?

    python -m benchmarks.tables.counterfactuals [--quick] [--check] [--rows 40]

For each row of breast cancer and each model, DiCE (random, genetic) searches first, through a
counter of model rows. `Counterfactual` then searches with that number as its budget, probe
included. Both are asked for three rows, and both are judged by the same figures, computed here.
"""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import perturbx as px
from sklearn.base import BaseEstimator
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.command import parser, status
from benchmarks.games import Values
from benchmarks.report import Target, head, line

ROWS, QUICK_ROWS, WANTED, RESAMPLES, PROBE = 40, 6, 3, 2000, 3
SAME = 0.01
"""In units of the spread of its column, a change below this is none, as DiCE rounds numbers."""


@dataclass
class Counted:
    """A model that counts the rows that it answers."""

    model: BaseEstimator
    n_rows: int = 0
    classes_: Values = field(default_factory=lambda: np.array([0, 1]))

    def predict_proba(self, X: Any) -> Values:
        self.n_rows += len(X)
        return np.asarray(self.model.predict_proba(np.asarray(X, dtype=np.float64)))

    def predict(self, X: Any) -> Values:
        return self.predict_proba(X).argmax(axis=1)


@dataclass(frozen=True)
class Data:
    """Training rows and rows to explain, with the spread of each column."""

    X: Values
    y: Values
    test: Values
    spread: Values


def data() -> Data:
    X, y = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(X))
    train, test = order[:380], order[380:]
    middle = np.median(X[train], axis=0)
    spread = np.median(np.abs(X[train] - middle), axis=0)
    return Data(X[train], y[train], X[test], np.where(spread > 0, spread, X[train].std(axis=0)))


def models(at: Data) -> dict[str, BaseEstimator]:
    network = MLPClassifier((50,), max_iter=500, random_state=0)
    made = {
        "logistic": make_pipeline(StandardScaler(), LogisticRegression()),
        "forest": RandomForestClassifier(30, random_state=0),
        "network": make_pipeline(StandardScaler(), network),
    }
    return {name: model.fit(at.X, at.y) for name, model in made.items()}


def dice(method: str, at: Data) -> Callable[[Counted, Values, int], Values]:
    """DiCE's search: a counted model, a row and a seed to rows."""
    import dice_ml
    import pandas as pd

    names = [f"x{j}" for j in range(at.X.shape[1])]
    frame = pd.DataFrame(at.X, columns=names)
    frame["y"] = at.y
    known = dice_ml.Data(dataframe=frame, continuous_features=names, outcome_name="y")

    def search(model: Counted, x: Values, seed: int) -> Values:
        wrapped = dice_ml.Model(model=model, backend="sklearn")
        keywords = {"random_seed": seed} if method == "random" else {}
        np.random.seed(seed)  # noqa: NPY002  # the genetic search draws from the global state
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            found = dice_ml.Dice(known, wrapped, method=method).generate_counterfactuals(
                pd.DataFrame(x[None], columns=names),
                total_CFs=WANTED,
                desired_class="opposite",
                **keywords,
            )
        rows = found.cf_examples_list[0].final_cfs_df
        return np.empty((0, len(names))) if rows is None else rows[names].to_numpy(dtype=float)

    return search


def figures(rows: Values, x: Values, model: BaseEstimator, at: Data) -> tuple[float, float, float]:
    """The share of valid rows, and the mean number of changes and distance of these."""
    if not len(rows):
        return np.nan, np.nan, np.nan
    before = model.predict_proba(x[None]).argmax()
    valid = model.predict_proba(rows).argmax(axis=1) != before
    moved = np.abs(rows - x) / at.spread
    kept = moved[valid]
    if not len(kept):
        return 0.0, np.nan, np.nan
    changes = (kept > SAME).sum(axis=1)
    return float(valid.mean()), float(changes.mean()), float(kept.sum(axis=1).mean())


def compared(method: str, model: BaseEstimator, at: Data, n: int) -> Values:
    """(n, 2, 4): figures of DiCE and of ours for n rows, with the model rows of each last."""
    search, found = dice(method, at), []
    for i, x in enumerate(at.test[:n]):
        counted = Counted(model)
        theirs = figures(search(counted, x, i), x, model, at)
        budget = max(counted.n_rows - PROBE, 100)
        finder = px.Counterfactual(model, n_counterfactuals=WANTED, budget=budget, random_state=i)
        ours = finder.fit(at.X).explain(x)
        found.append([[*theirs, counted.n_rows], [*figures(ours.rows, x, model, at), ours.n_rows]])
    return np.array(found)


def with_interval(differences: Values) -> str:
    """A mean and its 95% bootstrap interval."""
    rng = np.random.default_rng(0)
    draws = rng.choice(differences, size=(RESAMPLES, len(differences))).mean(axis=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    return f"{differences.mean():.2f} [{low:.2f}, {high:.2f}]"


def main() -> int:
    made = parser(quick="fewer rows, a minute")
    made.add_argument("--rows", type=int, help=f"{ROWS} by default, {QUICK_ROWS} if quick")
    asked = made.parse_args()
    try:
        import dice_ml  # noqa: F401
    except ImportError:
        print("DiCE is not installed: pip install dice-ml")
        return 0
    n, at, targets = asked.rows or (QUICK_ROWS if asked.quick else ROWS), data(), []
    columns = "model, DiCE's method", "valid", "changes", "distance", "model rows"
    print(head([*columns, "fewer changes by", "nearer by"]))
    for name, model in models(at).items():
        for method in ("random", "genetic"):
            found = compared(method, model, at, n)
            both = found[np.isfinite(found).all(axis=(1, 2))]
            means = [f"{b:.3g} / {a:.3g}" for a, b in both.mean(axis=0).T]
            gains = (both[:, 0] - both[:, 1])[:, 1:3].T
            claim = f"{name}, {method}"
            print(line((claim, *means, *map(with_interval, gains))), flush=True)
            targets.append(Target(f"{claim}: valid", found[:, 1, 0].min(), least=1))
            targets += [
                Target(f"{claim}: {what}", gain.mean(), least=0)
                for what, gain in zip(("fewer changes", "nearer"), gains, strict=True)
            ]
    print("\nOurs / DiCE's.\n" + "\n".join(f"- {target}" for target in targets if not target.holds))
    return status(asked.check, targets)


if __name__ == "__main__":
    sys.exit(main())
