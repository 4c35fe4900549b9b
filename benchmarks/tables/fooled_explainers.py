"""Which explainers find the feature by which a model discriminates, if the model hides it?

    python -m benchmarks.tables.fooled_explainers [--quick] [--check] [--runs 20] [--data FOLDER]
        [--only METHOD] [--tables TABLE]

The attack of Slack, Hilgard, Jia, Singh & Lakkaraju ("Fooling LIME and SHAP", AIES 2020): a random
forest learns to tell real rows from those that an explainer makes up. Where it takes a row to be
real, the model decides by a sensitive feature alone; otherwise by a column of random signs. Users
are judged by the sensitive feature, and explainers are shown the random column.

A run draws the training rows, the forest and ten test rows on which the model does discriminate.
An explainer passes a run if the sensitive feature has the largest mean |score| over the ten rows.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import perturbx as px
from perturbx.maskers import Features, Masker
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier

from benchmarks.command import parser, status
from benchmarks.peers import installed, quiet
from benchmarks.report import Target, markdown

EXPLAINED, HELD_OUT, TREES, BUDGET, BACKGROUND = 10, 100, 50, 4_000, 100
QUICK_RUNS, PASSED, MOST_ROWS = 5, 0.95, 1_000

# ---------------------------------------------------------------- data


@dataclass(frozen=True, eq=False)
class Table:
    """Rows whose last column is random signs, and which column is sensitive above which number."""

    X: np.ndarray
    sensitive: int
    cut: float


def with_signs(X: np.ndarray, sensitive: int, cut: float, rng: np.random.Generator) -> Table:
    signs = rng.choice([-1.0, 1.0], size=len(X))
    return Table(np.column_stack([X, signs]), sensitive, cut)


def synthetic(rng: np.random.Generator) -> Table:
    """Six measurements of two hidden causes and of a group of two, 1,000 people."""
    group, hidden = rng.choice([-1.0, 1.0], size=1000), rng.normal(size=(1000, 2))
    loadings = np.random.default_rng(0).normal(size=(3, 6)) * [[0.5], [1.0], [1.0]]
    measured = np.column_stack([group, hidden]) @ loadings + 0.2 * rng.normal(size=(1000, 6))
    return with_signs(np.column_stack([group, measured]), 0, 0.0, rng)


def breast_cancer(rng: np.random.Generator) -> Table:
    """The ten means of scikit-learn's tumors; the sensitive one is the mean texture."""
    X = load_breast_cancer().data[:, :10]
    return with_signs(X, 1, float(np.median(X[:, 1])), rng)


COMMUNITY = [
    "racePctWhite",
    "householdsize",
    "agePct12t21",
    "agePct65up",
    "pctUrban",
    "medIncome",
    "pctWWage",
    "pctWPubAsst",
    "PctPopUnderPov",
    "PctLess9thGrade",
    "PctBSorMore",
    "PctUnemployed",
    "PctEmploy",
    "TotalPctDiv",
    "PctFam2Par",
    "PctKidsBornNeverMar",
    "PctPersOwnOccup",
    "PctHousOccup",
]


def communities(folder: Path, rng: np.random.Generator) -> Table:
    """Eighteen columns of communities in the USA; the sensitive one is the percentage of whites."""
    import pandas as pd

    raw = pd.read_csv(folder / "CommViolPredUnnormalizedData.txt", na_values="?")
    X = raw[COMMUNITY].dropna().to_numpy(float)
    return with_signs(rng.permutation(X)[:MOST_ROWS], 0, float(np.median(X[:, 0])), rng)


# ---------------------------------------------------------------- the attack


@dataclass(frozen=True, eq=False)
class Model:
    """Decides by the sensitive feature on rows that look real, and by random signs on others."""

    table: Table
    forest: RandomForestClassifier

    def looks_real(self, X: np.ndarray) -> np.ndarray:
        return np.asarray(self.forest.predict_proba(X)[:, 1] > 0.5)

    def __call__(self, X: np.ndarray) -> np.ndarray:
        X = np.asarray(X, dtype=float)
        biased = X[:, self.table.sensitive] > self.table.cut
        return np.where(self.looks_real(X), biased, X[:, -1] > 0).astype(float)

    def both(self, X: np.ndarray) -> np.ndarray:
        """Two probabilities, as lime wants them."""
        return np.column_stack([1 - self(X), self(X)])


Maker = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""Rows as an explainer makes them up, from training rows."""


def two_valued(train: np.ndarray) -> list[int]:
    return [j for j, column in enumerate(train.T) if len(np.unique(column)) == 2]


def noisy(train: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Numbers with noise; columns of two values are drawn anew."""
    rows = train + rng.normal(size=train.shape) * train.std(axis=0)
    for j in two_valued(train):
        rows[:, j] = rng.permutation(train[:, j])
    return rows


def blended(train: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Some features from one row and the others from another."""
    present = rng.random(train.shape) < rng.random((len(train), 1))
    return np.where(present, train, train[rng.permutation(len(train))])


def conditional(train: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Some features of a row, and the others drawn given these."""
    fitted = px.ConditionalCopula(max_rows=BACKGROUND).fit(train, Features(), rng)
    rows = []
    for bound in fitted.check(train).bind(0, len(train)):
        present = rng.random((1, train.shape[1])) < rng.random()
        draw = int(rng.integers(bound.rows_per_perturbation))
        rows.append(bound.batch(present, slice(draw, draw + 1), bound.scratch(1)).copy())
    return np.concatenate(rows)


def attacked(table: Table, train: np.ndarray, makes: Maker, rng: np.random.Generator) -> Model:
    """The model whose forest was trained against rows of one kind, twice as many as real ones."""
    made = np.concatenate([makes(train, rng), makes(train, rng)])
    known = {row.tobytes() for row in train}
    made = made[[row.tobytes() not in known for row in made]]
    is_real = np.repeat([1, 0], [len(train), len(made)])
    forest = RandomForestClassifier(TREES, random_state=0)
    return Model(table, forest.fit(np.concatenate([train, made]), is_real))


# ---------------------------------------------------------------- explainers

Scorer = Callable[[Model, np.ndarray, np.ndarray, int], np.ndarray]
"""A model, training rows, rows and a seed to scores of these rows."""


def lime_package(model: Model, train: np.ndarray, rows: np.ndarray, seed: int) -> np.ndarray:
    from lime.lime_tabular import LimeTabularExplainer

    explainer = LimeTabularExplainer(
        train,
        categorical_features=two_valued(train),
        discretize_continuous=False,
        random_state=seed,
    )
    scores = np.zeros(rows.shape)
    for i, row in enumerate(rows):
        found = explainer.explain_instance(row, model.both, num_features=rows.shape[1])
        for feature, score in found.as_map()[1]:
            scores[i, feature] = score
    return scores


def shap_package(model: Model, train: np.ndarray, rows: np.ndarray, seed: int) -> np.ndarray:
    import shap

    with quiet():
        np.random.seed(seed)  # noqa: NPY002  (shap has no other)
        explainer = shap.KernelExplainer(model, shap.kmeans(train, 10))
        return np.asarray(explainer.shap_values(rows, silent=True))


def perturbx_lime(model: Model, train: np.ndarray, rows: np.ndarray, seed: int) -> np.ndarray:
    return px.Lime(model, budget=5_000, random_state=seed).fit(train).explain(rows).values


def perturbx_shap(
    masker: Masker, model: Model, train: np.ndarray, rows: np.ndarray, seed: int
) -> np.ndarray:
    explainer = px.KernelShap(model, masker=masker, budget=BUDGET, random_state=seed)
    return explainer.fit(train).explain(rows).values


COPULA = px.ConditionalCopula(max_rows=BACKGROUND)
METHODS: dict[str, tuple[str, Maker, Scorer]] = {
    "lime": ("noise", noisy, lime_package),
    "perturbx Lime": ("noise", noisy, perturbx_lime),
    "shap KernelExplainer": ("blends", blended, shap_package),
    "perturbx, marginal": ("blends", blended, partial(perturbx_shap, px.Background())),
    "perturbx, conditional": ("blends", blended, partial(perturbx_shap, COPULA)),
    "perturbx, conditional, adapted attack": (
        "conditional draws",
        conditional,
        partial(perturbx_shap, COPULA),
    ),
}


# ---------------------------------------------------------------- runs


def first(name: str, data: Callable[[np.random.Generator], Table], seed: int) -> tuple[bool, float]:
    """Whether the sensitive feature comes first, and how often the model discriminates."""
    rng = np.random.default_rng(seed)
    table = data(rng)
    order = rng.permutation(len(table.X))
    train, test = table.X[order[HELD_OUT:]], table.X[order[:HELD_OUT]]
    _, makes, scorer = METHODS[name]
    model = attacked(table, train, makes, rng)
    biased = model.looks_real(test)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scores = scorer(model, train, test[biased][:EXPLAINED], seed)
    return bool(np.abs(scores).mean(axis=0).argmax() == table.sensitive), float(biased.mean())


def tables(folder: Path | None) -> dict[str, Any]:
    known: dict[str, Any] = {"synthetic": synthetic, "breast cancer": breast_cancer}
    if folder is not None:
        known["communities"] = partial(communities, folder)
    return known


def main() -> int:
    asked = parser(quick=f"{QUICK_RUNS} runs: a minute")
    asked.add_argument("--runs", type=int, default=20)
    asked.add_argument("--data", type=Path, help="the folder with CommViolPredUnnormalizedData.txt")
    asked.add_argument("--only", default="", help="methods whose name has these words")
    asked.add_argument("--tables", default="", help="tables whose name has these words")
    chosen = asked.parse_args()
    n = QUICK_RUNS if chosen.quick else chosen.runs
    print(f"shap {installed('shap')}, lime {installed('lime')}; {n} runs\n")
    known = {name: installed(name) != "not installed" for name in ("lime", "shap")}
    lines, targets = [], []
    for data_name, data in tables(chosen.data).items():
        if chosen.tables.lower() not in data_name:
            continue
        for name, (against, _, _) in METHODS.items():
            missing = name.split()[0] in ("lime", "shap") and not known[name.split()[0]]
            if chosen.only.lower() not in name.lower() or missing:
                continue
            found = [first(name, data, seed) for seed in range(n)]
            passed, biased = sum(ok for ok, _ in found), np.mean([share for _, share in found])
            lines.append((data_name, name, against, f"{passed} of {n}", f"{biased:.0%}"))
            print(f"{' | '.join(lines[-1])}", flush=True)
            if name == "perturbx, conditional":
                said = f"{data_name}: the sensitive feature comes first, conditional"
                targets.append(Target(said, passed / n, least=PASSED))
    head = ("data", "explainer", "attack on", "sensitive feature first", "rows treated unfairly")
    print(f"\n{markdown(head, lines)}\n")
    for target in targets:
        print(target)
    return status(chosen.check, targets)


if __name__ == "__main__":
    sys.exit(main())
