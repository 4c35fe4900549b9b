"""Peers of perturbx around the linear model, with the same number of model rows."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version

import numpy as np

from benchmarks.measure import Contestant, counted
from benchmarks.scale._contenders import Inputs, Size, inputs

Array = np.ndarray


def _peer(
    at: Inputs, library: str, explain: Callable[[Array, int], object], full: int, least: int
) -> Contestant:
    """`explain` takes instances and how much to spend on each: `full`, or `least` to warm up."""
    return Contestant(
        counted(at.model, lambda: explain(at.X, full)),
        lambda: explain(at.X[:1], least),
        version(library),
    )


def shap_kernel(size: Size) -> Contestant:
    import shap

    at = inputs(size)

    def explain(X: Array, nsamples: int) -> None:
        explainer = shap.KernelExplainer(at.model, at.background)
        explainer.shap_values(X, nsamples=nsamples, l1_reg=False, silent=True)

    return _peer(at, "shap", explain, size.m, 2 * size.d + 100)


def shap_permutation(size: Size) -> Contestant:
    import shap

    at = inputs(size)

    def explain(X: Array, evaluations: int) -> None:
        masker = shap.maskers.Independent(at.background, max_samples=size.background)
        explainer = shap.PermutationExplainer(at.model, masker, seed=0)
        explainer(X, max_evals=max(evaluations, 2 * size.d + 1), silent=True)

    return _peer(at, "shap", explain, size.m, 0)


def light_shap(size: Size) -> Contestant:
    from lightshap import explain_any

    at = inputs(size)

    def explain(X: Array, iterations: int) -> None:
        explain_any(
            at.model,
            X,
            at.background,
            method="kernel",
            how="sampling",
            max_iter=iterations,
            tol=1e-300,
            random_state=0,
            verbose=False,
        )

    return _peer(at, "lightshap", explain, max(1, round(size.m / (2 * (size.d - 1)))), 1)


def shap_iq(size: Size) -> Contestant:
    import shapiq

    at = inputs(size)

    def explain(X: Array, budget: int) -> None:
        explainer = shapiq.TabularExplainer(
            at.model,
            at.background,
            index="SV",
            max_order=1,
            imputer="marginal",
            approximator=shapiq.KernelSHAP(size.d, pairing_trick=True, random_state=0),
            sample_size=size.background,
        )
        for x in X:
            explainer.explain(x, budget=budget)

    return _peer(at, "shapiq", explain, size.m, 4 * size.d)


def lime(size: Size) -> Contestant:
    from lime.lime_tabular import LimeTabularExplainer

    at = inputs(size)

    def explain(X: Array, samples: int) -> None:
        explainer = LimeTabularExplainer(
            at.background,
            mode="regression",
            discretize_continuous=False,
            sample_around_instance=True,
            random_state=0,
        )
        for x in X:
            explainer.explain_instance(x, at.model, num_features=size.d, num_samples=samples)

    return _peer(at, "lime", explain, size.m, 200)
