"""Does a tree fitted to a model's answers repeat it better than a tree fitted to labels?

    python -m benchmarks.tables.surrogate_trees [--quick] [--check] [--seeds 20] [--data FOLDER]

A model is trained on a third of the rows. Both trees see the next third, one with the model's
answers and one with the labels, and are judged by the model's answers to the last third.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import perturbx as px
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from benchmarks.command import parser, status
from benchmarks.games import Values
from benchmarks.report import Target, head, line

LEAVES, SEEDS, QUICK_SEEDS, RESAMPLES, MOST = 8, 20, 4, 2000, 9000

Case: TypeAlias = tuple[Values, Values, Callable[[int], Any]]
"""Rows, labels, and an untrained model for a seed."""


def cases(folder: Path | None) -> dict[str, Case]:
    wine, cancer = load_wine(return_X_y=True), load_breast_cancer(return_X_y=True)

    def network(seed: int) -> Any:
        return make_pipeline(StandardScaler(), MLPClassifier((50,), random_state=seed))

    def forest(seed: int) -> Any:
        return RandomForestClassifier(50, random_state=seed)

    def boosting(seed: int) -> Any:
        return GradientBoostingRegressor(random_state=seed)

    found = {
        "breast cancer, forest": (*cancer, forest),
        "breast cancer, network": (*cancer, network),
        "wine, forest": (*wine, forest),
        "diabetes, boosting": (*load_diabetes(return_X_y=True), boosting),
    }
    if folder is not None:
        found["communities, boosting"] = (*communities(folder), boosting)
        frame = pd.read_csv(folder / "adult.data", header=None, skipinitialspace=True)
        y = (frame.pop(14) == ">50K").to_numpy() * 1
        X = pd.get_dummies(frame.drop(columns=[2, 3])).to_numpy(float)

        def trees(seed: int) -> Any:
            return HistGradientBoostingClassifier(max_iter=50, random_state=seed)

        found["adult, boosting"] = (X, y, trees)
    return found


def communities(folder: Path) -> tuple[Values, Values]:
    """Violent crimes per population, and the columns that no cell of is missing."""
    path = folder / "CommViolPredUnnormalizedData.txt"
    frame = pd.read_csv(path, na_values="?")
    frame = frame[frame["ViolentCrimesPerPop"].notna()]
    X = frame.iloc[:, 5:-18]  # no names of places, and no crimes
    X = X.loc[:, X.notna().all()].astype(float)
    return X.to_numpy(), frame["ViolentCrimesPerPop"].to_numpy(float)


def fidelities(case: Case, seed: int) -> list[float]:
    """Of a tree of labels, a tree of answers, and one with drawn rows."""
    X, y, untrained = case
    order = np.random.default_rng(seed).permutation(len(X))[:MOST]
    a, b, c = np.array_split(order, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = untrained(seed).fit(X[a], y[a])
    classifies = hasattr(model, "predict_proba")
    kind = DecisionTreeClassifier if classifies else DecisionTreeRegressor
    labels = kind(max_leaf_nodes=LEAVES, min_samples_leaf=5, random_state=seed).fit(X[b], y[b])
    left, truth = labels.predict(X[c]), model.predict(X[c])
    if classifies:
        found = [float((left == truth).mean())]
    else:
        found = [float(1 - ((left - truth) ** 2).mean() / truth.var())]
    for min_rows in (0, 100):
        rules = px.SurrogateTree(model, max_leaves=LEAVES, min_rows=min_rows, random_state=seed)
        found.append(rules.fit(X[b]).explain(X[c]).fidelity.value)
    return found


def with_interval(gains: Values) -> tuple[str, float]:
    """A mean with its 95% bootstrap interval over seeds, and the lower end."""
    draws = np.random.default_rng(0).choice(gains, size=(RESAMPLES, len(gains))).mean(axis=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    return f"{gains.mean():.3f} [{low:.3f}, {high:.3f}]", float(low)


def main() -> int:
    made = parser(quick="fewer seeds, half a minute")
    made.add_argument("--seeds", type=int, help=f"{SEEDS} by default, {QUICK_SEEDS} if quick")
    made.add_argument("--data", type=Path, help="a folder with adult.data")
    asked = made.parse_args()
    n = asked.seeds or (QUICK_SEEDS if asked.quick else SEEDS)
    figures = "labels", "answers", "answers, and drawn rows"
    print(head(["data, model", *figures, "gain over labels", "gain by drawn rows"]))
    targets = []
    for name, case in cases(asked.data).items():
        found = np.array([fidelities(case, seed) for seed in range(n)])
        (gain, low), (drawn, _) = (with_interval(found[:, 2] - found[:, i]) for i in (0, 1))
        means = (f"{mean:.3f}" for mean in found.mean(axis=0))
        print(line((name, *means, gain, drawn)), flush=True)
        targets.append(Target(f"{name}, lower end of the gain over labels", low, least=0))
    print("\n" + "\n".join(f"- {target}" for target in targets))
    return status(asked.check, targets)


if __name__ == "__main__":
    sys.exit(main())
