"""What does every method cost, does it train anything, and is it about one row or about all?

Each method runs with its defaults on one table and one image, with models that cost next to
nothing and that show it nothing but their answers. The columns are those of Table 1 of Zhang et
al. ("Progress in interpretability research of convolutional neural networks", 2019): train,
efficiency, locality, and whether the method serves any model.

    python -m benchmarks.tables.method_prices [--quick] [--check] [--only PATTERN]
"""

from __future__ import annotations

import re
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import perturbx as px
from perturbx.errors import BudgetError
from sklearn.datasets import load_diabetes, load_sample_image

from benchmarks.command import parser, status
from benchmarks.games import Values
from benchmarks.report import Target, head, line

MANY, SIDE, SEED = 100, 96, 0
PROBE = 3
"""The rows by which a model's outputs are learned; more in `fit` teach a method something."""


@dataclass
class Meter:
    """A model of which nothing but its answers is seen, with its rows and its own time."""

    answers: Callable[[Any], Values]
    rows: int = 0
    seconds: float = 0.0

    def __call__(self, batch: Any) -> Values:
        start = time.process_time()
        found = self.answers(batch)
        self.seconds += time.process_time() - start
        self.rows += len(batch)
        return found


@dataclass(frozen=True)
class Subject:
    """Rows to learn from, rows to explain, their labels, and models of one output and of two."""

    train: Any
    rows: Any
    labels: Any
    score: Callable[[Any], Values]
    classes: Callable[[Any], Values]


@dataclass(frozen=True)
class Method:
    """How a method is made around a model, with or without a budget, and what it explains.

    `of_all` methods explain all rows at once, and `of_classes` methods a decision. `asks` starts
    the work of methods whose ``explain`` takes something else than rows.
    """

    make: Callable[..., Any]
    of_all: bool = False
    of_classes: bool = False
    asks: Callable[[Any, Subject], Any] | None = None
    explains_many: bool = True


@dataclass(frozen=True)
class Price:
    """What a method cost: model rows, and CPU seconds besides the model's own."""

    fit_rows: int
    rows: int
    least: int | None
    seconds: float
    rows_of_many: float | None
    seconds_of_many: float | None
    trains: bool


def table() -> Subject:
    """Scikit-learn's diabetes, 442 rows of 10 columns, and a formula with a product in it."""
    X, y = load_diabetes(return_X_y=True)
    X = X / X.std(axis=0)
    slopes = np.array([0.0, -0.5, 1.5, 0.8, -0.6, 0.2, -0.4, 0.3, 1.4, 0.2])

    def score(rows: Values) -> Values:
        return np.asarray(rows @ slopes + 0.5 * rows[:, 2] * rows[:, 8])

    labels = (y > np.median(y)).astype(int)
    return Subject(X[:-MANY], X[-MANY:], labels[-MANY:], score, two(score))


def image() -> Subject:
    """A part of a photo of scikit-learn, 96 x 96, and how much redder than blue two places are."""
    photo = load_sample_image("flower.jpg")[100 : 100 + 3 * SIDE : 3, 200 : 200 + 3 * SIDE : 3]

    def score(batch: Values) -> Values:
        redder = batch[..., 0].astype(float) - batch[..., 2]
        first = redder[:, 24:48, 24:48].mean(axis=(1, 2))
        return np.asarray(np.tanh((first + redder[:, 60:80, 60:80].mean(axis=(1, 2))) / 100))

    photos = np.stack([photo, photo[:, ::-1]])
    return Subject(None, photos, None, score, two(score))


def two(score: Callable[[Any], Values]) -> Callable[[Any], Values]:
    """Probabilities of two classes."""

    def classes(rows: Any) -> Values:
        p = 1 / (1 + np.exp(-score(rows)))
        return np.stack([1 - p, p], axis=1)

    return classes


def with_labels(fitted: Any, subject: Subject) -> Any:
    return fitted.explain(subject.rows, subject.labels.astype(float))


def of_fitted(fitted: Any, subject: Subject) -> Any:
    return fitted.explain()


def one_curve(fitted: Any, subject: Subject) -> Any:
    return fitted.explain([2])


def nearest(X: Values, y: Values) -> Callable[[Values], Values]:
    """One nearest neighbor, trained in no time."""

    def predict(rows: Values) -> Values:
        return np.asarray(y[((rows[:, None] - X) ** 2).sum(axis=2).argmin(axis=1)], dtype=float)

    return predict


class TrainedOnTen:
    """`DataShapley` behind the interface of the others: its model rows are trainings."""

    def __init__(self, model: Meter, **settings: Any) -> None:
        def train(X: Values, y: Values) -> Callable[[Values], Values]:
            model.rows += 1
            return nearest(X, y)

        self.method = px.DataShapley(train, stochastic=False, **settings)

    def fit(self, X: Values) -> TrainedOnTen:
        self.method.fit(X[:10], X[:10, 2])
        return self

    def explain(self, rows: Values) -> px.Explanation:
        return self.method.explain(rows)


TABLE: dict[str, Method] = {
    "KernelShap": Method(px.KernelShap),
    "PermutationShap": Method(px.PermutationShap),
    "OwenShap": Method(px.OwenShap),
    "Banzhaf": Method(px.Banzhaf),
    "Lime": Method(px.Lime),
    "Occlusion": Method(px.Occlusion),
    "Rise": Method(px.Rise),
    "SmoothGrad": Method(px.SmoothGrad),
    "IntegratedGradients": Method(px.IntegratedGradients),
    "MeaningfulPerturbation": Method(px.MeaningfulPerturbation),
    "AmortizedShap": Method(px.AmortizedShap),
    "Anchors": Method(px.Anchors, of_classes=True, explains_many=False),
    "Counterfactual": Method(px.Counterfactual, of_classes=True, explains_many=False),
    "InvariantRange": Method(px.InvariantRange, of_classes=True, explains_many=False),
    "DataShapley": Method(TrainedOnTen),
    "Sage": Method(px.Sage, of_all=True, asks=with_labels),
    "PermutationImportance": Method(px.PermutationImportance, of_all=True, asks=with_labels),
    "Effects": Method(px.Effects, of_all=True, asks=one_curve),
    "SurrogateTree": Method(px.SurrogateTree, of_all=True, of_classes=True, asks=of_fitted),
    "SurrogateAdditive": Method(px.SurrogateAdditive, of_all=True, asks=of_fitted),
}

IMAGE: dict[str, Method] = {
    "KernelShap": Method(px.KernelShap),
    "PermutationShap": Method(px.PermutationShap),
    "OwenShap": Method(px.OwenShap),
    "Banzhaf": Method(px.Banzhaf),
    "Lime": Method(px.Lime),
    "Occlusion": Method(px.Occlusion),
    "Rise": Method(px.Rise),
    "SmoothGrad": Method(px.SmoothGrad),
    "IntegratedGradients": Method(px.IntegratedGradients),
    "MeaningfulPerturbation": Method(px.MeaningfulPerturbation),
    "Anchors": Method(px.Anchors, of_classes=True, explains_many=False),
    "MinimalSets": Method(px.MinimalSets, of_classes=True, explains_many=False),
}


def price(method: Method, subject: Subject, n_many: int) -> Price:
    """What an answer costs for one row, for each of many together, and at the smallest budget."""
    model = Meter(subject.classes if method.of_classes else subject.score)
    made = fitted(method, subject, model)
    fit_rows = model.rows
    first, rows, seconds = answered(made, method, subject, model, subject.rows[0])
    of_many, seconds_of_many = None, None
    if method.explains_many and not method.of_all:
        _, total, spent = answered(made, method, subject, model, subject.rows[:n_many])
        n = len(subject.rows[:n_many])
        of_many, seconds_of_many = total / n, spent / n
    trains = fit_rows > PROBE or hasattr(first, "predict") or method.make is TrainedOnTen
    least = smallest_budget(method, subject)
    return Price(fit_rows, rows, least, seconds, of_many, seconds_of_many, trains)


def fitted(method: Method, subject: Subject, model: Meter, **settings: Any) -> Any:
    made = method.make(model, random_state=SEED, **settings)
    if subject.train is not None:
        made.fit(subject.train)
    return made


def answered(
    made: Any, method: Method, subject: Subject, model: Meter, rows: Any
) -> tuple[Any, int, float]:
    """An answer, its model rows, and the CPU seconds that it took besides the model's own."""
    before, own, start = model.rows, model.seconds, time.process_time()
    found = method.asks(made, subject) if method.asks else made.explain(rows)
    spent = time.process_time() - start - (model.seconds - own)
    return found, model.rows - before, max(spent, 0.0)


def smallest_budget(method: Method, subject: Subject) -> int | None:
    """The budget that the refusal of a smaller one names; it must do, and one less must not."""
    model = Meter(subject.classes if method.of_classes else subject.score)

    def refusal(budget: int) -> str:
        try:
            made = fitted(method, subject, model, budget=budget)
            answered(made, method, subject, model, subject.rows[0])
        except BudgetError as error:
            return str(error)
        return ""

    named = re.search(r"(?:at least|to|need) (\d+)", refusal(1))
    if named is None:
        return None
    least = int(named[1])
    return None if refusal(least) or not refusal(least - 1) else least


def lines(prices: dict[str, Price], methods: dict[str, Method]) -> Iterator[str]:
    """A table in the columns of the survey."""
    yield head(
        (
            *("method", "trains", "locality", "rows in fit", "rows for one", "smallest budget"),
            *("rows each of many", "seconds for one", "seconds each of many"),
        )
    )
    for name, found in prices.items():
        where = "all rows" if methods[name].of_all else "one row"
        many = "" if found.rows_of_many is None else f"{found.rows_of_many:,.0f}"
        each = "" if found.seconds_of_many is None else f"{found.seconds_of_many:.4f}"
        least = "" if found.least is None else f"{found.least:,}"
        figures = (f"{found.fit_rows:,}", f"{found.rows:,}", least, many, f"{found.seconds:.3f}")
        yield line((name, "yes" if found.trains else "no", where, *figures, each))


def main() -> int:
    made = parser(quick="10 rows in place of 100 where many are explained, half a minute")
    made.add_argument("--only", default="", help="methods whose name matches this pattern")
    asked = made.parse_args()
    targets = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for title, subject, known in (("Table", table(), TABLE), ("Image", image(), IMAGE)):
            methods = {name: m for name, m in known.items() if re.search(asked.only, name)}
            n_many = 10 if asked.quick else MANY
            prices = {name: price(m, subject, n_many) for name, m in methods.items()}
            print(f"{title}\n\n" + "\n".join(lines(prices, methods)) + "\n", flush=True)
            share = np.mean([found.least is not None for found in prices.values()] or [1.0])
            claim = f"{title}: methods whose smallest budget is the one that their refusal names"
            targets.append(Target(claim, float(share), least=1.0))
    print("\n".join(f"- {target}" for target in targets))
    return status(asked.check, targets)


if __name__ == "__main__":
    sys.exit(main())
