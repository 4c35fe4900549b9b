"""Are counterfactuals valid, near and sparse, compared with DiCE at equal model rows?

    python -m benchmarks.tables.counterfactuals [--quick] [--check] [--rows 40] [--data FOLDER]

For each row of breast cancer (and adult, with `--data`) and each model, DiCE (random, genetic)
searches first, through a counter of model rows. `Counterfactual` then searches with that number as
its budget, probe included. Both are asked for three rows, and judged by the same figures.
"""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import perturbx as px
from sklearn.base import BaseEstimator
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

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
    types: pd.Series
    n_rows: int = 0
    classes_: Values = field(default_factory=lambda: np.array([0, 1]))

    def predict_proba(self, X: pd.DataFrame) -> Values:
        self.n_rows += len(X)
        return np.asarray(self.model.predict_proba(X.astype(self.types)))

    def predict(self, X: pd.DataFrame) -> Values:
        return self.predict_proba(X).argmax(axis=1)


@dataclass(frozen=True)
class Data:
    """Training rows, rows to explain, and the models to explain them with."""

    X: pd.DataFrame
    y: Values
    test: pd.DataFrame
    models: dict[str, BaseEstimator]

    @property
    def numbers(self) -> list[str]:
        return list(self.X.select_dtypes("number"))

    def moved(self, rows: pd.DataFrame, x: pd.DataFrame) -> Values:
        """(k, d): changes in units of each column's spread; 1 for another category."""
        out = np.empty(rows.shape)
        for j, name in enumerate(self.X):
            if name not in self.numbers:
                out[:, j] = rows[name].to_numpy() != x[name].iloc[0]
                continue
            column = self.X[name]
            spread = (column - column.median()).abs().median() or column.std(ddof=0)
            out[:, j] = (rows[name].astype(float) - x[name].iloc[0]).abs() / spread
        return out


def breast_cancer() -> Data:
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    network = MLPClassifier((50,), max_iter=500, random_state=0)
    models = {
        "cancer, logistic": make_pipeline(StandardScaler(), LogisticRegression()),
        "cancer, forest": RandomForestClassifier(30, random_state=0),
        "cancer, network": make_pipeline(StandardScaler(), network),
    }
    return fitted(X, y.to_numpy(), models, 380)


def adult(folder: Path) -> Data:
    X = pd.read_csv(folder / "adult.data", header=None, skipinitialspace=True)
    X.columns = [f"column {c}" for c in X.columns]
    y = (X.pop("column 14") == ">50K").to_numpy() * 1
    X = X.drop(columns=["column 2", "column 3"])
    texts = make_column_selector(dtype_exclude="number")
    encoder = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), texts),
        remainder=StandardScaler(),
    )
    boosting = HistGradientBoostingClassifier(max_iter=50, random_state=0)
    models = {
        "adult, logistic": make_pipeline(encoder, LogisticRegression(max_iter=500)),
        "adult, boosting": make_pipeline(encoder, boosting),
    }
    return fitted(X, y, models, 2000)


def fitted(X: pd.DataFrame, y: Values, models: dict[str, BaseEstimator], n: int) -> Data:
    """The first n of the shuffled rows for training, the next 100 to explain."""
    order = np.random.default_rng(0).permutation(len(X))
    train, test = order[:n], order[n : n + 100]
    rows = X.iloc[train].reset_index(drop=True)
    made = {name: model.fit(rows, y[train]) for name, model in models.items()}
    return Data(rows, y[train], X.iloc[test].reset_index(drop=True), made)


def dice(method: str, at: Data) -> Callable[[Counted, pd.DataFrame, int], pd.DataFrame]:
    """DiCE's search: a counted model, a row and a seed to rows."""
    import dice_ml

    known = dice_ml.Data(
        dataframe=at.X.assign(y=at.y), continuous_features=at.numbers, outcome_name="y"
    )

    def search(model: Counted, x: pd.DataFrame, seed: int) -> pd.DataFrame:
        wrapped = dice_ml.Model(model=model, backend="sklearn")
        keywords = {"random_seed": seed} if method == "random" else {}
        np.random.seed(seed)  # noqa: NPY002  # the genetic search draws from the global state
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            try:
                found = dice_ml.Dice(known, wrapped, method=method).generate_counterfactuals(
                    x, total_CFs=WANTED, desired_class="opposite", **keywords
                )
            except dice_ml.utils.exception.UserConfigValidationException:  # it found none
                return at.X.iloc[[]]
        rows = found.cf_examples_list[0].final_cfs_df
        return at.X.iloc[[]] if rows is None else rows[list(at.X)].astype(at.X.dtypes)

    return search


def figures(rows: pd.DataFrame, x: pd.DataFrame, model: BaseEstimator, at: Data) -> list[float]:
    """The share of valid rows, changes and distance of the best of these, and the means of all.

    The best has the fewest changes, and the smallest distance among those.
    """
    if not len(rows):
        return [np.nan] * 5
    before = model.predict_proba(x).argmax()
    valid = model.predict_proba(rows).argmax(axis=1) != before
    kept = at.moved(rows, x)[valid]
    if not len(kept):
        return [0.0, *[np.nan] * 4]
    found = np.stack([(kept > SAME).sum(axis=1), kept.sum(axis=1)], axis=1)
    return [float(valid.mean()), *min(found.tolist()), *found.mean(axis=0).tolist()]


def compared(method: str, model: BaseEstimator, at: Data, n: int) -> Values:
    """(n, 2, 6): figures of DiCE and of ours for n rows, with the model rows of each last."""
    search, found = dice(method, at), []
    for i in range(n):
        x, counted = at.test.iloc[[i]], Counted(model, at.X.dtypes)
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


def shown(claim: str, found: Values) -> list[Target]:
    """Print one line of the table, and return its targets."""
    both = found[np.isfinite(found).all(axis=(1, 2))]
    answered = [f"{np.isfinite(found[:, who, 1]).sum()}" for who in (1, 0)]
    means = [f"{b:.3g} / {a:.3g}" for a, b in both.mean(axis=0).T]
    gains = (both[:, 0] - both[:, 1])[:, 1:5].T
    print(line((claim, " / ".join(answered), *means, *map(with_interval, gains))), flush=True)
    valid = found[np.isfinite(found[:, 1, 0]), 1, 0]
    claims = "best: changes", "best: distance", "all: changes", "all: distance"
    return [
        Target(f"{claim}, valid", float(valid.min()), least=1),
        *(
            Target(f"{claim}, {what} saved", float(gain.mean()), least=0)
            for what, gain in zip(claims, gains, strict=True)
        ),
    ]


def main() -> int:
    made = parser(quick="fewer rows, two minutes")
    made.add_argument("--rows", type=int, help=f"{ROWS} by default, {QUICK_ROWS} if quick")
    made.add_argument("--data", type=Path, help="a folder with adult.data")
    asked = made.parse_args()
    if find_spec("dice_ml") is None:
        print("DiCE is not installed: pip install dice-ml")
        return 0
    n = asked.rows or (QUICK_ROWS if asked.quick else ROWS)
    sets, targets = [breast_cancer(), *([adult(asked.data)] if asked.data else [])], []
    figure = "changes", "distance"
    named = [f"{which}: {what}" for which in ("best", "all") for what in figure]
    columns = "model, DiCE's method", "answered", "valid", *named, "model rows"
    print(head([*columns, *(f"{name} saved" for name in named)]))
    for at in sets:
        for name, model in at.models.items():
            for method in ("random", "genetic"):
                targets += shown(f"{name}, {method}", compared(method, model, at, n))
    print("\nOurs / DiCE's.\n" + "\n".join(f"- {target}" for target in targets if not target.holds))
    return status(asked.check, targets)


if __name__ == "__main__":
    sys.exit(main())
