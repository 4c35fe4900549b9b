"""What a reader should know before trusting the scores of an instance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from perturbx._rounding import above_rounding
from perturbx._typing import Floats, Ints
from perturbx.designs import CoalitionDesign, NoiseDraws
from perturbx.explainers._plan import Plan, context_of
from perturbx.maskers import BoundMasker
from perturbx.result.per_instance import Remark
from perturbx.solvers import Solution

_LOW_FIDELITY = 0.5

_GOOD = 0.01
"""Without `tol`, standard errors above this fraction of the range of the scores are reported."""

_MOST_ADVISED = 1e11
"""Nobody can pay for more model rows than this."""


def fit_remarks(fidelity: Floats | None) -> tuple[Remark, ...]:
    """Where a local fit does not describe the model."""
    if fidelity is None:
        return ()
    worst = np.nan_to_num(fidelity, nan=1.0).min(axis=1)
    said = "low fidelity: R2 is only {:.2f}, so a linear model describes the neighborhood poorly"
    texts = tuple(said.format(r2) if r2 < _LOW_FIDELITY else "" for r2 in worst.tolist())
    return (Remark(texts, -worst),)


def nothing_remarks(removals: Sequence[BoundMasker]) -> Remark:
    """Where no feature can be removed, as from a blank image, or one that equals its fill."""
    texts = ["" if removal.active.any() else _nothing(removal) for removal in removals]
    return Remark(tuple(texts), np.zeros(len(texts)))


def _nothing(removal: BoundMasker) -> str:
    if removal.accepts is NoiseDraws:
        return "nothing to move: no column varies in the training rows, so all scores are 0"
    what = "background" if removal.regions is None else "fill"
    return f"nothing to remove: the instance equals its {what}, so all scores are 0"


def tail_remarks(solutions: Sequence[Solution]) -> Remark:
    """Where a few perturbations hold most of the variation of an output.

    An output that hardly moves beside the others, such as a class that is out of the question,
    is passed over.
    """
    said = (
        "heavy tails: a few perturbations account for most of the variation of the output, so "
        "errors can exceed the standard errors, although these were enlarged. Explain the "
        'logarithm of the output (link="logit" for probabilities), or raise the budget'
    )
    heavy = [s.heavy_tails is not None and bool(s.heavy_tails[_moves(s)].any()) for s in solutions]
    return Remark(tuple(said if h else "" for h in heavy), np.array(heavy, dtype=np.float64))


def _moves(solution: Solution) -> NDArray[np.bool_]:
    """(1, k): whose scores reach a fraction of those of the output that moves most."""
    reach = np.ptp(solution.values, axis=1)
    return np.asarray(reach > _GOOD * reach.max(initial=0.0))


def error_remarks(
    values: Floats,
    errors: Floats,
    rounding: Floats,
    plan: Plan,
    removals: Sequence[BoundMasker],
    spent: Ints | None,
) -> tuple[Remark, ...]:
    """Where standard errors are large or unknown, and the budget that would make them small.

    What is as exact as arithmetic, `rounding` (n, k), is no reason to ask more. `spent` are the
    model rows of each instance, None where errors do not shrink with their root.
    """
    unknown = np.asarray((np.isnan(errors) & ~np.isnan(values)).any(axis=(1, 2)))
    said = "too few perturbations to estimate some standard errors"
    too_few = tuple(said if u else "" for u in unknown)
    scores = above_rounding(values, rounding[:, None])
    reach = np.nanmax(scores, axis=1) - np.nanmin(scores, axis=1)
    largest = np.nanmax(above_rounding(np.nan_to_num(errors), rounding[:, None]), axis=1)
    share = np.divide(largest, reach, out=np.zeros_like(reach), where=reach > 0).max(axis=1)
    tol = _GOOD if plan.tol is None else plan.tol
    wide = [""] * len(share)
    for i in np.flatnonzero(share > tol).tolist():
        wide[i] = f"standard errors reach {_percent(share[i])} of the score range "
        wide[i] += f"(target {_percent(tol)})"
        if spent is not None:
            wide[i] += _advice(plan, removals[i], spent[i] * (share[i] / tol) ** 2)
    return Remark(too_few, unknown.astype(np.float64)), Remark(tuple(wide), share)


def _advice(plan: Plan, removal: BoundMasker, rows: float) -> str:
    """A budget of about so many rows, or what it takes to try every coalition if that is less."""
    rows = _rounded_up(min(rows, 2 * _MOST_ADVISED))
    d = int(removal.active.sum())
    everything = 1 + removal.rows_per_perturbation * (2.0 ** min(d, 60) - 1)
    if removal.accepts is CoalitionDesign and rows > everything:
        sampler, _ = plan.recipe(context_of(replace(plan, budget=int(everything)), removal, d))
        rows = rows if sampler.draws.per_background_row else everything
    return f": budget={int(rows):_} would be enough" if rows <= _MOST_ADVISED else ""


def _percent(share: float) -> str:
    return f"{100 * share:.2g}%" if share < 1 else f"{100 * share:.0f}%"


def _rounded_up(rows: float) -> float:
    """To two digits, as no estimate is better than that."""
    unit = 10.0 ** max(0, int(np.log10(max(rows, 1.0))) - 1)
    return float(np.ceil(rows / unit) * unit)
