"""Every installed estimator of Shapley values, with one interface: a game, a budget and a seed.

An estimator sees the game only through an `Oracle`, which counts coalitions and refuses more than
the budget. Each library runs with its defaults, except for two that would cost it accuracy: shap's
selection of ten features and stopping early are switched off.
"""

from __future__ import annotations

import io
import logging
import random
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from benchmarks.games import Game, Values

OURS, LEVERAGE, KERNEL = "perturbx process", "perturbx regression", "shap Kernel"
"""The contender, the floor that it may not fall below, and the method most people run today."""


class OverspentError(RuntimeError):
    """An estimator asked for more coalitions than its budget."""


class Oracle:
    """v(Z) for any 0/1 matrix; at most m coalitions, including the empty and the full one.

    Those two are known from the start, so asking for them again costs nothing.
    """

    def __init__(self, game: Game, m: int) -> None:
        self.d, self.m, self.asked = game.d, m, 2
        self._v = game.v
        ends = np.zeros((2, game.d), bool)
        ends[1] = True
        self.empty, self.full = game.v(ends)

    def __call__(self, Z: Any) -> Values:
        Z = np.atleast_2d(np.asarray(Z)) > 0.5
        size = Z.sum(axis=1)
        inner = (size > 0) & (size < self.d)
        self.asked += int(inner.sum())
        if self.asked > self.m:
            raise OverspentError(f"{self.asked} coalitions, {self.m} allowed")
        values = np.where(size == 0, self.empty, self.full)
        if inner.any():
            values[inner] = self._v(Z[inner])
        return np.asarray(values)


Run = Callable[[Oracle, int], Values]


@dataclass(frozen=True)
class Estimator:
    """A name for tables, the library behind it, and a function from (oracle, seed) to d values."""

    name: str
    library: str
    run: Run

    @property
    def is_ours(self) -> bool:
        return self.library == "perturbx"

    def __call__(self, oracle: Oracle, seed: int) -> Values:
        np.random.seed(seed)  # noqa: NPY002  shap's Kernel explainer takes no seed
        random.seed(seed)
        with quiet():
            return np.asarray(self.run(oracle, seed), float).reshape(oracle.d)


@contextmanager
def quiet() -> Iterator[None]:
    """Without the warnings, logs and progress bars of peers, which do not belong in a table."""
    logging.getLogger("shap").setLevel(logging.ERROR)
    nowhere = redirect_stderr(io.StringIO())
    with nowhere, warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


# ---------------------------------------------------------------- perturbx


def through(sampler: Any, solver: Any, v: Oracle, seed: int) -> Values:
    """Draw, evaluate, solve: the work of an explainer, without a model."""
    from perturbx.designs import Evaluations

    design = sampler.draw(v.d, v.m - 2, np.random.default_rng(seed))
    answers = v(design.z).reshape(-1, 1, 1)
    ends = np.array([[v.full]]), np.array([[v.empty]])
    return np.asarray(solver.solve(Evaluations(design, answers, *ends)).values)


def ours() -> list[Estimator]:
    from perturbx.samplers import OptimalPairs, Permutations, ShapleyCoalitions
    from perturbx.solvers import GaussianProcess, KernelShapRegression, MarginalContributions

    pairs = partial(through, ShapleyCoalitions())
    chains = partial(through, Permutations(), MarginalContributions())
    return [
        Estimator(OURS, "perturbx", partial(through, OptimalPairs(), GaussianProcess())),
        Estimator("perturbx process, random pairs", "perturbx", partial(pairs, GaussianProcess())),
        Estimator(LEVERAGE, "perturbx", partial(pairs, KernelShapRegression())),
        Estimator("perturbx permutations", "perturbx", chains),
    ]


# ---------------------------------------------------------------- shap


def present_and_absent(v: Oracle) -> tuple[Values, Values]:
    """An instance of ones and a background of zeros: a masked row is its own coalition."""
    return np.ones((1, v.d)), np.zeros((1, v.d))


def chains_for(v: Oracle, first: int, each: int) -> int:
    """How many permutations of `each` coalitions the budget allows, after `first` coalitions."""
    return max((v.m - 2 - first) // each, 1)


def shap_kernel(v: Oracle, seed: int) -> Values:
    import shap

    x, background = present_and_absent(v)
    explainer = shap.KernelExplainer(v, background)
    return np.asarray(explainer.shap_values(x, nsamples=v.m - 2, l1_reg=False, silent=True))


def shap_permutation(v: Oracle, seed: int) -> Values:
    import shap

    x, background = present_and_absent(v)
    masker = shap.maskers.Independent(background)
    explainer = shap.PermutationExplainer(v, masker, seed=seed)
    chains = chains_for(v, 0, 2 * (v.d - 1))
    return np.asarray(explainer(x, max_evals=chains * (2 * v.d + 1), silent=True).values)


# ---------------------------------------------------------------- LightSHAP


def lightshap_kernel(v: Oracle, seed: int) -> Values:
    """Exact for small coalitions as far as the budget or the library's default allows."""
    d, left = v.d, v.m - 2
    if left >= 2**d - 2:
        return _lightshap(v, seed, "kernel", "exact", 1)
    default = 2 if 6 <= d <= 16 else 1
    exact = (0, 2 * d, 2 * d + d * (d - 1))
    each = [2 * (d - 1 - 2 * degree) for degree in range(3)]
    degree = max(k for k in range(default + 1) if not k or exact[k] + each[k] <= left)
    how = ("sampling", "h1", "h2")[degree]
    return _lightshap(v, seed, "kernel", how, chains_for(v, exact[degree], each[degree]))


def lightshap_permutation(v: Oracle, seed: int) -> Values:
    if v.m >= 2**v.d:
        return _lightshap(v, seed, "permutation", "exact", 1)
    chains = chains_for(v, 2 * v.d, 2 * (v.d - 3))
    return _lightshap(v, seed, "permutation", "sampling", chains)


def _lightshap(v: Oracle, seed: int, method: str, how: str, chains: int) -> Values:
    import lightshap

    x, background = present_and_absent(v)
    explanation = lightshap.explain_any(
        v,
        x,
        bg_X=background,
        method=method,
        how=how,
        max_iter=chains,
        tol=0.0,
        random_state=seed,
        verbose=False,
    )
    return np.asarray(explanation.shap_values)


# ---------------------------------------------------------------- shapiq


def shapiq_run(approximator: Any, settings: dict[str, Any], v: Oracle, seed: int) -> Values:
    found = approximator(v.d, random_state=seed, **settings).approximate(v.m, v)
    return np.asarray(found.get_n_order_values(1))


def shapiq_estimators() -> list[Estimator]:
    """The estimators of the installed version; ProxySHAP and OddSHAP came with 1.5."""
    from shapiq import approximator

    wanted: list[tuple[str, str, dict[str, Any]]] = [
        ("shapiq KernelSHAP, paired", "KernelSHAP", {"pairing_trick": True}),
        ("shapiq LeverageSHAP", "LeverageSHAP", {}),
        ("shapiq RegressionMSR", "RegressionMSR", {"index": "SV"}),
        ("shapiq ProxySHAP", "ProxySHAP", {"index": "SV", "max_order": 1}),
        ("shapiq OddSHAP", "OddSHAP", {}),
        ("shapiq OddSHAP, 5 per term", "OddSHAP", {"interaction_factor": 5}),
    ]
    return [
        Estimator(name, "shapiq", partial(shapiq_run, getattr(approximator, attribute), settings))
        for name, attribute, settings in wanted
        if hasattr(approximator, attribute)
    ]


# ---------------------------------------------------------------- captum


def captum_run(method: str, v: Oracle, seed: int) -> Values:
    import torch
    from captum import attr

    torch.manual_seed(seed)
    x, background = (torch.from_numpy(a) for a in present_and_absent(v))

    def forward(rows: Any) -> Any:
        return torch.from_numpy(v(rows.numpy()))

    n = v.m if method == "KernelShap" else chains_for(v, 0, v.d - 1)
    found = getattr(attr, method)(forward).attribute(
        x, baselines=background, n_samples=n, perturbations_per_eval=256
    )
    return np.asarray(found.numpy())


# ---------------------------------------------------------------- the list


def shap_estimators() -> list[Estimator]:
    import shap  # noqa: F401  fails if it is missing

    return [
        Estimator(KERNEL, "shap", shap_kernel),
        Estimator("shap Permutation", "shap", shap_permutation),
    ]


def lightshap_estimators() -> list[Estimator]:
    import lightshap  # noqa: F401  fails if it is missing

    return [
        Estimator("LightSHAP Kernel", "lightshap", lightshap_kernel),
        Estimator("LightSHAP Permutation", "lightshap", lightshap_permutation),
    ]


def captum_estimators() -> list[Estimator]:
    import captum.attr  # noqa: F401  fails if it is missing

    return [
        Estimator(f"captum {method}", "captum", partial(captum_run, method))
        for method in ("KernelShap", "ShapleyValueSampling")
    ]


FAMILIES: dict[str, Callable[[], list[Estimator]]] = {
    "perturbx": ours,
    "shap": shap_estimators,
    "lightshap": lightshap_estimators,
    "shapiq": shapiq_estimators,
    "captum": captum_estimators,
}
BEHIND = {"shapiq": ("lightgbm", "xgboost"), "captum": ("torch",)}
"""Libraries that estimators use where they are installed; without them they fall back."""


def estimators() -> tuple[list[Estimator], list[str]]:
    """All installed estimators, and a line for each library with its version."""
    found: list[Estimator] = []
    said = []
    for library, family in FAMILIES.items():
        try:
            members = family()
        except ImportError as error:
            said.append(f"{library}: not installed ({error.name or error})")
            continue
        found += members
        behind = ", ".join(f"{name} {installed(name)}" for name in BEHIND.get(library, ()))
        said.append(f"{library} {installed(library)}" + f" (with {behind})" * bool(behind))
    if not any("OddSHAP" in e.name for e in found):
        said.append("OddSHAP and ProxySHAP are missing: shapiq 1.5 or later, Python 3.12 or later")
    return found, said


def installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
