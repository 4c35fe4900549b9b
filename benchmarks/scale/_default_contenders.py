"""What each library does without settings, as a process that explains rows of a problem."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from typing import Any

import numpy as np

from benchmarks.measure import Contestant, counted
from benchmarks.peers import quiet
from benchmarks.scale._default_games import JUDGED, Asked, Problem

Array = np.ndarray
SHAP_EVALUATIONS = 500
Explain = Callable[[Asked, Array, Array], Any]
"""From a model, background rows and instances to scores (n, d), or (n, d, k) for k outputs."""


def perturbx(model: Asked, background: Array, X: Array) -> Any:
    import perturbx as px

    return px.KernelShap(model, random_state=0).fit(background).explain(X).values


def shap_default(model: Asked, background: Array, X: Array) -> Any:
    import shap

    least = 2 * X.shape[1] + 1  # what its error asks for where its default is too little
    settings = {"max_evals": least} if least > SHAP_EVALUATIONS else {}
    return shap.Explainer(model, background, seed=0)(X, silent=True, **settings).values


def shap_kernel(model: Asked, background: Array, X: Array) -> Any:
    import shap

    np.random.seed(0)  # noqa: NPY002  it takes no seed
    return shap.KernelExplainer(model, background).shap_values(X, silent=True)


def light_shap(model: Asked, background: Array, X: Array) -> Any:
    from lightshap import explain_any

    return explain_any(model, X, background, random_state=0, verbose=False).shap_values


def lime(model: Asked, background: Array, X: Array) -> None:
    """Its scores are no Shapley values, so only their costs are compared."""
    from lime.lime_tabular import LimeTabularExplainer

    mode = "classification" if model.outputs == 2 else "regression"
    explainer = LimeTabularExplainer(background, mode=mode, random_state=0)
    for x in X:
        explainer.explain_instance(x, model)


OURS, SHAP = "perturbx KernelShap", "shap Explainer"
CONTENDERS: dict[str, tuple[str, Explain]] = {
    OURS: ("perturbx", perturbx),
    SHAP: ("shap", shap_default),
    "shap KernelExplainer": ("shap", shap_kernel),
    "LightSHAP": ("lightshap", light_shap),
    "lime": ("lime", lime),
}


@dataclass
class Turns:
    """The turns of one contender on one problem.

    A turn explains `n` rows, or as many as fit into `seconds` by the time that one row takes. With
    one row, each turn explains the next of the judged rows. The error is that of all of them.
    """

    problem: Problem
    model: Asked
    explain: Explain
    n: int
    seconds: float
    turns: int = 0
    explained: int = 0
    model_seconds: float = 0.0
    errors: float = 0.0
    sizes: float = 0.0
    found: Any = None

    def warm_up(self) -> None:
        background, X = self.problem.background, self.problem.X
        taken = 0.0
        for x in (X[-1:], X[-2:-1]):  # the first pays for imports
            if taken < self.seconds:
                start = time.process_time()
                with quiet():
                    self.explain(self.model, background, x)
                taken = time.process_time() - start
        self.explained = min(self.n, max(int(self.seconds / max(taken, 1e-9)), 1))

    def turn(self) -> None:
        first, before = self._first(), self.model.seconds
        with quiet():
            self.found = self.explain(
                self.model, self.problem.background, self.problem.X[first : first + self.explained]
            )
        self.model_seconds = self.model.seconds - before

    def figures(self) -> dict[str, float]:
        judged = slice(self._first(), min(self._first() + self.explained, JUDGED))
        truth = self.problem.truth[judged]
        self.turns += 1
        if self.found is not None:
            scores = np.asarray(self.found, float).reshape(self.explained, truth.shape[1], -1)
            self.errors += float(((scores[: len(truth), :, -1] - truth) ** 2).sum())
            self.sizes += float((truth**2).sum())
        return {
            "error": self.errors / self.sizes if self.sizes else np.nan,
            "explained": self.explained,
            "model": self.model_seconds,
            "uncertainty": self.problem.uncertainty,
        }

    def _first(self) -> int:
        return self.turns % JUDGED if self.n == 1 else 0


def contestant(problem: Problem, name: str, outputs: int, n: int, seconds: float) -> Contestant:
    library, explain = CONTENDERS[name]
    import_module(library)
    model = Asked(problem.model, outputs)
    turns = Turns(problem, model, explain, n, seconds)
    said = "" if name == OURS else version(library)
    return Contestant(counted(model, turns.turn), turns.warm_up, said, turns.figures)
