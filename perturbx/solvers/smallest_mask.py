"""The smallest set of features that reaches the aim of a search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from perturbx.designs import Searched
from perturbx.solvers._answers import Answers, Noise, Scores
from perturbx.solvers._base import Solver


@dataclass(frozen=True)
class SmallestMask(Solver):
    """1 for each feature of the smallest set that reaches the aim of its design, and 0 elsewhere.

    Everything is chosen where nothing less reaches the aim, and nothing where the output is the
    same with and without all features. Standard errors are NaN: a set is the best that was found,
    and no estimate.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.designs import Evaluations
    >>> from perturbx.samplers import MaskSearch
    >>> design = MaskSearch(drop=0.5).draw(3, 16, np.random.default_rng(0))
    >>> answers = Evaluations.of_game(design, lambda z: z @ [0.0, 3.0, 1.0])
    >>> SmallestMask().solve(answers).values.ravel()
    array([0., 1., 0.])
    """

    reads = (Searched,)
    samples = False
    searches = True

    def estimate(self, answers: Answers[Any]) -> Scores:
        design: Searched = answers.design
        values = np.zeros((design.n_features, len(answers.full)))
        left = np.zeros(len(answers.full))
        for t in np.flatnonzero(np.abs(answers.full - answers.empty) > 4 * answers.floor):
            each = design.left(answers.outputs[:, t], answers.full[t], answers.empty[t])
            at = design.smallest(each)
            values[:, t] = design.chosen[at] if at >= 0 else 1.0
            left[t] = each[at] if at >= 0 else 0.0
        unknown = np.full_like(values, np.nan)
        noise = None if answers.variances is None else Noise(unknown, np.zeros_like(values))
        return Scores(values, unknown, _words(design, values, left), noise=noise)


def _words(design: Searched, values: np.ndarray, left: np.ndarray) -> str:
    """The areas, and what is reached, in words."""
    shares = design.area @ values
    areas = " to ".join(dict.fromkeys(f"{share:.1%}" for share in (shares.min(), shares.max())))
    does, doing = ("keep", "keeping") if design.keeps else ("destroy", "destroying")
    return (
        f"the smallest of {len(design):,} masks that {does} {design.drop:.3g} of the output: "
        f"{areas} of the area, {doing} {(1 - left).min():.3g}"
    )
