"""What a fit to some pairs leaves of the others, and the correction that follows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from perturbx._typing import Floats, Ints
from perturbx.designs import Pairs
from perturbx.solvers._answers import Answers, Scores
from perturbx.solvers.kernel_shap import KernelShapRegression


def split(n: int, most: int) -> tuple[Ints, Ints]:
    """Which of n pairs are fitted, at most `most`, drawn at random; and which are the others."""
    if n <= most:
        return np.arange(n), np.arange(0)
    order = np.random.default_rng(0).permutation(n)
    return np.sort(order[:most]), np.sort(order[most:])


def corrected(
    values: Floats, errors: Floats, answers: Answers[Pairs], others: Ints, left: Floats
) -> tuple[Floats, Floats]:
    """Values and errors (d, t) of a fit, corrected by what it leaves of other pairs, (k, t).

    What the regression reads from the residuals is right on average, whatever the fit missed (the
    difference estimator of survey sampling), but uncertain where the other pairs are few. So it
    counts by the share of the fit in the variance of both.
    """
    found = _regression(answers, others, left)
    assert found.errors is not None  # the regression estimates them
    if np.isnan(found.errors).any():
        return values, errors
    of_fit, of_others = (errors**2).sum(axis=0), (found.errors**2).sum(axis=0)
    share = of_fit / np.maximum(of_fit + of_others, 1e-300)
    both = np.sqrt(((1 - share) * errors) ** 2 + (share * found.errors) ** 2)
    return values + share * found.values, both


def _regression(answers: Answers[Pairs], pairs: Ints, odd: Floats) -> Scores:
    """The regression on some pairs of the design, whose odd part (k, t) is given."""
    design = answers.design
    some = replace(
        answers,
        design=design.some(pairs),
        outputs=np.stack([odd, -odd], axis=1).reshape(2 * len(odd), -1),
        full=np.zeros(odd.shape[1]),
        empty=np.zeros(odd.shape[1]),
        variances=None,
    )
    return KernelShapRegression().estimate(some)
