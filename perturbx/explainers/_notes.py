"""Remarks that a reader should see before trusting the scores of an instance."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from perturbx._rounding import above_rounding
from perturbx._typing import Floats, Ints
from perturbx.designs import CoalitionDesign, Independent, NoiseDraws
from perturbx.errors import LowFidelityWarning, NotConvergedWarning
from perturbx.explainers._plan import Plan, Task
from perturbx.maskers import BoundMasker
from perturbx.result import Explanation
from perturbx.solvers import Solution

KINDS = (
    "nothing to remove",
    "low fidelity",
    "heavy tails",
    "unknown errors",
    "large errors",
    "noisy answers",
    "failures",
)
"""The kinds of remarks, in the order of `remarks`."""

LOST, FEWER = "there are no scores, as too little was answered", "scores rest on"
"""How the remark on an instance begins for which the model failed, by what is left of it."""

INTERRUPTED = "it was interrupted"
"""How that remark ends after Ctrl-C."""

Said: TypeAlias = tuple[Sequence[str], Floats]
"""A text for each of n instances, "" for no remark, and its severity."""

_LOW_FIDELITY = 0.5

_GOOD = 0.01
"""Without `tol`, standard errors above this fraction of the range of the scores are reported."""

_MOST_ADVISED = 1e11
"""Larger budgets are not suggested."""


def remarks(
    values: Floats,
    errors: Floats,
    solution: Solution,
    least: Floats,
    spent: Ints,
    bound: BoundMasker,
    task: Task,
    plan: Plan,
    noise: Floats | None = None,
) -> list[Said]:
    """The remarks on n instances with the same active features, for each of `KINDS`.

    Parameters
    ----------
    values, errors : (n, d, k) array
    solution : Solution
    least : (n, 1, k) array
        The rounding error of an output, which a larger budget cannot reduce.
    spent : (n,) int array
        The model rows of each instance.
    bound : BoundMasker
        One of the instances.
    task : Task
    plan : Plan
    noise : (n, k) array or None
        The variance of an answer of the model, if it answers differently each time.
    """
    nothing = "" if bound.active.any() else _nothing(bound)
    silent = [""] * len(values), np.zeros(len(values))
    unknown = np.asarray((np.isnan(errors) & ~np.isnan(values)).any(axis=(1, 2)))
    said = "too few perturbations to estimate some standard errors"
    if task.solver.searches:
        said = "the best that was found has no standard errors: another random_state, or more "
        said += "budget, may find a smaller one"
    return [
        ([nothing] * len(values), silent[1]),
        silent if solution.fidelity is None else _of_fit(solution.fidelity),
        silent if solution.heavy_tails is None else _of_tails(solution, solution.heavy_tails),
        ([said if u else "" for u in unknown], unknown.astype(np.float64)),
        _of_errors(values, errors, least, spent, bound, task, plan),
        silent if noise is None else _of_noise(solution, noise),
        silent,
    ]


def warn_of_doubts(explanation: Explanation, tol: float | None) -> None:
    """Say aloud what a reader must not miss; notes are seen by those alone who print them.

    Warns
    -----
    NotConvergedWarning, LowFidelityWarning
    """
    if explanation.converged is False and tol:
        warnings.warn(
            f"the budget was spent before tol={tol} was reached, so explanation.converged is "
            "False: raise budget or tol. The notes of the explanation say how far it is.",
            NotConvergedWarning,
            stacklevel=3,
        )
    fidelity = explanation.fidelity
    if fidelity is not None and (np.nan_to_num(fidelity, nan=1.0) < _LOW_FIDELITY).any():
        warnings.warn(
            f"the local fit explains only {np.nanmin(fidelity):.0%} of the variation of the "
            "output (R2, explanation.fidelity): a linear model describes the model poorly there. "
            "Try another kernel_width, or Shapley values (px.KernelShap).",
            LowFidelityWarning,
            stacklevel=3,
        )


def failures_of(explanation: Explanation) -> list[str]:
    """The remarks on instances for which the model failed, or which were interrupted."""
    each = explanation.per_instance
    texts = explanation.notes
    if each is not None:
        texts = tuple(text for remark in each.remarks for text in remark.texts)
    return [text for text in texts if text.startswith((LOST, FEWER))]


def _nothing(bound: BoundMasker) -> str:
    """The remark on instances without active features, such as a blank image."""
    if bound.accepts is NoiseDraws and bound.regions is not None:
        return "nothing to perturb: all values are the same, so all scores are 0"
    if bound.accepts is NoiseDraws:
        return "nothing to perturb: no column varies in the training rows, so all scores are 0"
    what = "background" if bound.regions is None else "fill"
    return f"nothing to remove: the instance equals its {what}, so all scores are 0"


def _of_fit(fidelity: Floats) -> Said:
    """The remark on local fits that describe the model poorly."""
    worst = np.nan_to_num(fidelity, nan=1.0).min(axis=1)
    said = "low fidelity: R2 is only {:.2f}, so a linear model describes the neighborhood poorly"
    return [said.format(r2) if r2 < _LOW_FIDELITY else "" for r2 in worst.tolist()], -worst


def _of_tails(solution: Solution, heavy_tails: NDArray[np.bool_]) -> Said:
    """The remark on outputs whose variation comes mostly from a few perturbations.

    Outputs that vary much less than the others, such as improbable classes, are ignored.
    """
    said = (
        "heavy tails: a few perturbations account for most of the variation of the output, so "
        "errors can exceed the standard errors, although these were enlarged. Explain the "
        'logarithm of the output (link="logit" for probabilities), or raise the budget'
    )
    reach = np.ptp(solution.values, axis=1)
    moves = reach > _GOOD * reach.max(axis=1, initial=0.0)[:, None]
    heavy = (heavy_tails & moves).any(axis=1)
    return [said if h else "" for h in heavy], heavy.astype(np.float64)


def _of_noise(solution: Solution, noise: Floats) -> Said:
    """The remark on a model that answers differently each time: by how much, and what it costs."""
    total, own = solution.standard_errors**2, solution.noise_errors
    known = np.nansum(total, axis=1)
    added = np.zeros_like(known) if own is None else np.nansum(own**2, axis=1)
    share = np.divide(added, known, out=np.zeros_like(known), where=known > 0).clip(max=1.0)
    texts = []
    for i, each in enumerate(np.sqrt(noise)):
        k = int(np.argmax(each))
        text = f"the model answers differently each time: by {each[k]:.2g} (standard deviation of "
        texts.append(text + f"an answer), which is {share[i, k]:.0%} of the variance of the scores")
    return texts, share.max(axis=1, initial=0.0)


def _of_errors(
    values: Floats,
    errors: Floats,
    least: Floats,
    spent: Ints,
    bound: BoundMasker,
    task: Task,
    plan: Plan,
) -> Said:
    """The remark on large standard errors, with the budget that would reduce them."""
    scores = above_rounding(values, least)
    reach = np.nanmax(scores, axis=1) - np.nanmin(scores, axis=1)
    largest = np.nanmax(above_rounding(np.nan_to_num(errors), least), axis=1)
    share = np.divide(largest, reach, out=np.zeros_like(reach), where=reach > 0).max(axis=1)
    tol = _GOOD if plan.tol is None else plan.tol
    texts = [""] * len(share)
    for i in np.flatnonzero(share > tol).tolist():
        texts[i] = f"standard errors reach {_percent(share[i])} of the score range "
        texts[i] += f"(target {_percent(tol)})"
        if bound.draws:
            texts[i] += ": raise max_rows of the masker, and budget by as much"
        elif task.solver.samples or plan.stochastic:
            texts[i] += _advice(plan, task, bound, spent[i] * (share[i] / tol) ** 2)
    return texts, share


def _advice(plan: Plan, task: Task, bound: BoundMasker, rows: float) -> str:
    """A suggested budget of about `rows`, or of all coalitions if that is less."""
    rows = _rounded_up(min(rows, 2 * _MOST_ADVISED))
    everything = 1 + task.context.n_background * (2.0 ** min(task.n_features, 60) - 1)
    if bound.accepts is CoalitionDesign and rows > everything and not plan.stochastic:
        sampler, _ = plan.recipe(replace(task.context, budget=int(everything)))
        never_all = sampler.draws.per_background_row or issubclass(sampler.draws, Independent)
        rows = rows if never_all else everything
    return f": budget={int(rows):_} would be enough" if rows <= _MOST_ADVISED else ""


def _percent(share: float) -> str:
    return f"{100 * share:.2g}%" if share < 1 else f"{100 * share:.0f}%"


def _rounded_up(rows: float) -> float:
    """Rounded up to two digits."""
    unit = 10.0 ** max(0, int(np.log10(max(rows, 1.0))) - 1)
    return float(np.ceil(rows / unit) * unit)
