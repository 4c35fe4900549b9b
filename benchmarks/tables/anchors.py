"""Are anchors as precise as they say, and how many rows do they cover, next to anchor-exp?

    python -m benchmarks.tables.anchors [--quick] [--check] [--rows 20]

First `Anchors` explains one row of a model with noise under many seeds; the true precision of each
rule is known from 200,000 draws. Then anchor-exp, if it is installed, explains rows of two data
sets with its defaults, through a counter of model rows, and `Anchors` with that number as budget.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
import perturbx as px
from perturbx.rules import Condition
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.command import parser, status
from benchmarks.games import Values
from benchmarks.report import Target, head, line

SEEDS, QUICK_SEEDS = 200, 20
ROWS, QUICK_ROWS, FEWEST = 20, 2, 2000
THRESHOLD, CONFIDENCE, JUDGED = 0.95, 0.95, 10_000
INSTANCE = np.array([0.3, 0.1, -0.2, 0.4])


@dataclass
class Counted:
    """The labels of a model, with a count of the rows that it answers."""

    labels: Callable[[Values], Values]
    n_rows: int = 0

    def __call__(self, X: Values) -> Values:
        self.n_rows += len(X)
        return self.labels(X)


def noisy(X: Values) -> Values:
    """Whether the first column is positive; the other answer for a fixed 3% of all rows."""
    noise = np.modf(np.abs(np.sin(X @ [12.9898, 78.233, 37.719, 11.1])) * 43758.5453)[0]
    return np.where(noise < 0.03, X[:, 0] <= 0, X[:, 0] > 0).astype(int)


def drawn(
    conditions: tuple[Condition, ...], X: Values, n: int, rng: np.random.Generator, *, again: bool
) -> Values:
    """Random rows under a rule: its columns drawn again within their ranges.

    With `again` in every row, otherwise only where a row is outside of the range.
    """
    rows = X[rng.integers(len(X), size=n)]
    for condition in conditions:
        column = X[:, condition.position]
        inside = column[(column > condition.lower) & (column <= condition.upper)]
        own = rows[:, condition.position]
        outside = again | (own <= condition.lower) | (own > condition.upper)
        rows[:, condition.position] = np.where(outside, rng.choice(inside, size=n), own)
    return rows


def verified(n_seeds: int) -> list[Target]:
    """How often the interval covers the true precision, and a rule that reached is right."""
    X = np.random.default_rng(0).normal(size=(300, 4))
    truths: dict[str, float] = {}
    covers, right = [], []
    for seed in range(n_seeds):
        finder = px.Anchors(noisy, random_state=seed, budget=4000, threshold=0.9)
        found = finder.fit(X).explain(INSTANCE)
        if found.text not in truths:
            rows = drawn(found.conditions, X, 200_000, np.random.default_rng(99), again=True)
            truths[found.text] = float((noisy(rows) == noisy(INSTANCE[None])).mean())
        low, high = found.precision_interval
        covers.append(low <= truths[found.text] <= high)
        if found.reached:
            right.append(truths[found.text] >= 0.9)
    print(
        f"{n_seeds} seeds, {len(truths)} different rules, {len(right)} reached the threshold. The "
        f"95% interval covers the true precision in {np.mean(covers):.1%}; of the rules that "
        f"reached, {np.mean(right):.1%} are as precise as they must be.\n"
    )
    return [
        Target("95% intervals that cover, two errors allowed", float(np.mean(covers)), least=0.92),
        Target("rules that reached and are right", float(np.mean(right)), least=0.95),
    ]


def theirs(model: Counted, X: Values, x: Values, seed: int) -> tuple[float, float, float]:
    """The precision, coverage and length of anchor-exp's rule, by its own draws."""
    from anchor import anchor_base, anchor_tabular

    np.random.seed(seed)  # noqa: NPY002  # it draws from the global state
    names = [f"x{j}" for j in range(X.shape[1])]
    explainer = anchor_tabular.AnchorTabularExplainer(["0", "1"], names, X, {})
    sample, mapping = explainer.get_sample_fn(x, model)
    found = anchor_base.AnchorBaseBeam.anchor_beam(
        sample, delta=1 - CONFIDENCE, epsilon=0.15, batch_size=100, desired_confidence=THRESHOLD
    )["feature"]
    before = model.n_rows
    precision = float(sample(found, JUDGED)[2].mean())
    model.n_rows = before
    cells, covered = explainer.disc.discretize(X), np.ones(len(X), dtype=bool)
    for feature, kind, value in (mapping[i] for i in found):
        column = cells[:, feature]
        covered &= column <= value if kind == "leq" else column > value
    return precision, float(covered.mean()), float(len(found))


def ours(
    model: Counted, X: Values, x: Values, seed: int, budget: int
) -> tuple[float, float, float]:
    """The same of our rule, by anchor-exp's way of drawing."""
    found = px.Anchors(model, random_state=seed, budget=budget).fit(X).explain(x)
    rows = drawn(found.conditions, X, JUDGED, np.random.default_rng(seed), again=False)
    precision = float((model.labels(rows) == model.labels(x[None])).mean())
    return precision, found.coverage, float(len(found.conditions))


def models() -> dict[str, tuple[Callable[[Values], Values], Values, Values]]:
    """Labels, training rows and rows to explain."""
    made = {}
    for data, name, fitted in (
        (
            load_breast_cancer(),
            "cancer, logistic",
            make_pipeline(StandardScaler(), LogisticRegression()),
        ),
        (load_breast_cancer(), "cancer, forest", RandomForestClassifier(20, random_state=0)),
        (load_wine(), "wine, forest", RandomForestClassifier(20, random_state=0)),
    ):
        order = np.random.default_rng(1).permutation(len(data.data))
        train, test = order[: len(order) * 2 // 3], order[len(order) * 2 // 3 :]
        fitted.fit(data.data[train], data.target[train])
        made[name] = fitted.predict, data.data[train], data.data[test]
    return made


def compared(n: int) -> list[Target]:
    """A line for each model: precision, coverage, conditions and model rows of both."""
    columns = "model", "precise", "precision", "coverage", "conditions", "model rows"
    print(head(columns))
    targets = []
    for name, (labels, X, test) in models().items():
        found = np.empty((2, n, 4))
        for i in range(n):
            model = Counted(labels)
            found[0, i] = *theirs(model, X, test[i], i), model.n_rows
            budget, model = max(model.n_rows, FEWEST), Counted(labels)
            found[1, i, :3] = ours(model, X, test[i], i, budget)
            found[1, i, 3] = model.n_rows
        precise = (found[..., 0] >= THRESHOLD).mean(axis=1)
        means = found.mean(axis=1).T
        shown = [f"{b:.2g} / {a:.2g}" for a, b in (precise, *means[:3])]
        print(line([name, *shown, f"{means[3, 1]:,.0f} / {means[3, 0]:,.0f}"]), flush=True)
        claim = f"{name}, share of precise rules, ours less theirs"
        targets.append(Target(claim, float(precise[1] - precise[0]), least=0))
    print(f"\nOurs / anchor-exp's. Precise: at least {THRESHOLD:g} in {JUDGED:,} fresh draws.\n")
    return targets


def main() -> int:
    made = parser(quick="fewer seeds and rows, a minute or two")
    made.add_argument("--rows", type=int, help=f"{ROWS} by default, {QUICK_ROWS} if quick")
    asked = made.parse_args()
    targets = verified(QUICK_SEEDS if asked.quick else SEEDS)
    if find_spec("anchor") and find_spec("lime"):
        targets += compared(asked.rows or (QUICK_ROWS if asked.quick else ROWS))
    else:
        print("anchor-exp is not installed: pip install anchor-exp lime\n")
    print("\n".join(f"- {target}" for target in targets))
    return status(asked.check, targets)


if __name__ == "__main__":
    sys.exit(main())
