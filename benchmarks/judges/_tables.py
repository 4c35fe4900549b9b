"""Tables: shap's own benchmark, captum's own metrics, and exact values of both as oracles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import perturbx as px
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.judges._verdict import Verdict, named
from benchmarks.peers import quiet

Array: TypeAlias = np.ndarray
Method: TypeAlias = Callable[[], Array]
BACKGROUND, COALITIONS = 50, 20
"""Rows of the background, and coalitions per feature that every method may ask for each row."""


class Task:
    """A model, its background, the rows to explain and the model rows that each may cost."""

    def __init__(self, name: str, model: Callable[[Array], Array], X: Array, n: int) -> None:
        rng = np.random.default_rng(0)
        order = rng.permutation(len(X))
        self.name, self.model = name, model
        self.background, self.rows = X[order[:BACKGROUND]], X[order[-n:]]
        self.budget = COALITIONS * X.shape[1] * BACKGROUND


def tasks(quick: bool) -> Iterator[Task]:
    """A boosted classifier of 30 columns, a forest and a network of 10."""
    n = 3 if quick else 20
    X, y = load_breast_cancer(return_X_y=True)
    boosted = HistGradientBoostingClassifier(random_state=0).fit(X, y)
    yield Task("boosted trees, breast cancer", lambda rows: boosted.predict_proba(rows)[:, 1], X, n)
    X, y = load_diabetes(return_X_y=True)
    forest = RandomForestRegressor(100, random_state=0).fit(X, y)
    yield Task("forest, diabetes", forest.predict, X, n)
    network = make_pipeline(
        StandardScaler(), MLPRegressor(hidden_layer_sizes=(64, 64), max_iter=500, random_state=0)
    )
    yield Task("network, diabetes", network.fit(X, y).predict, X, n)


def methods(task: Task) -> dict[str, Method]:
    """Scores (n, d) of every method, each row at the same number of model rows."""
    import shap

    masker = shap.maskers.Independent(task.background, max_samples=BACKGROUND)
    coalitions, d = task.budget // BACKGROUND, task.rows.shape[1]

    def ours(method: Any) -> Array:
        explainer = method(
            task.model, masker=px.Background(task.background), budget=task.budget, random_state=0
        )
        return np.asarray(explainer.fit(task.background).explain(task.rows).values)

    def permutation() -> Array:
        explainer = shap.PermutationExplainer(task.model, masker, seed=0)
        most = coalitions // (2 * d + 1) * (2 * d + 1)
        return np.asarray(explainer(task.rows, max_evals=most, silent=True).values)

    def kernel() -> Array:
        np.random.seed(0)  # noqa: NPY002  it takes no seed
        explainer = shap.KernelExplainer(task.model, task.background)
        return np.asarray(
            explainer.shap_values(task.rows, nsamples=coalitions, l1_reg=False, silent=True)
        )

    def sampling() -> Array:
        np.random.seed(0)  # noqa: NPY002  it takes no seed
        explainer = shap.SamplingExplainer(task.model, task.background)
        return np.asarray(explainer.shap_values(task.rows, nsamples=task.budget, silent=True))

    return {
        "px.KernelShap": lambda: ours(px.KernelShap),
        "px.PermutationShap": lambda: ours(px.PermutationShap),
        "shap Permutation": permutation,
        "shap Kernel": kernel,
        "shap Sampling": sampling,
    }


def of_shap(quick: bool) -> Iterator[Verdict]:
    """Its benchmark package: how well scores predict masked outputs, and masking in their order."""
    for task in tasks(quick):
        with quiet():
            scores = {name: run() for name, run in methods(task).items()}
            judged = dict(_judged(task, scores))
        for (figure, better), found in judged.items():
            what = f"{figure}: {task.name}"
            yield Verdict(f"{named('shap')}, benchmark", what, better, found)


def _judged(
    task: Task, scores: dict[str, Array]
) -> Iterator[tuple[tuple[str, str], dict[str, list[float]]]]:
    """For each figure, and whether it should be lower or higher, those of each method and row.

    The explanation error of several rows is that of the last one, so it is asked row by row.
    """
    import shap
    from shap.benchmark import ExplanationError, SequentialMasker

    masker = shap.maskers.Independent(task.background, max_samples=BACKGROUND)

    def error(row: Array) -> Any:
        return ExplanationError(masker, task.model, row, num_permutations=10)

    def masking(how: str, row: Array) -> Any:
        return SequentialMasker(how, "positive", masker, task.model, row)

    judges: dict[tuple[str, str], Callable[[Array], Any]] = {
        ("explanation error", "lower"): error,
        ("keep positive", "higher"): partial(masking, "keep"),
        ("remove positive", "lower"): partial(masking, "remove"),
    }
    for figure, judge in judges.items():
        yield (
            figure,
            {
                name: [
                    float(judge(row[None])(own[None], name, silent=True).value)
                    for row, own in zip(task.rows, phi, strict=True)
                ]
                for name, phi in scores.items()
            },
        )


def of_exact_values(quick: bool) -> Iterator[Verdict]:
    """The squared error to shap's exact explainer, over the squared length of its scores."""
    import shap

    for task in tasks(quick):
        if task.rows.shape[1] > 12:
            continue
        masker = shap.maskers.Independent(task.background, max_samples=BACKGROUND)
        with quiet():
            truth = shap.ExactExplainer(task.model, masker)(task.rows).values
            few = {name: run() for name, run in methods(task).items()}
        found = {
            name: (((phi - truth) ** 2).sum(axis=1) / (truth**2).sum(axis=1)).tolist()
            for name, phi in few.items()
        }
        figure = f"squared error to shap's exact values: {task.name}"
        yield Verdict(f"{named('shap')}, Exact", figure, "lower", found)
