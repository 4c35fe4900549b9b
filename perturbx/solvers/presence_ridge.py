"""A linear model of all presences at once, as strongly penalized as predicts best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats, Ints
from perturbx._validation import check_number
from perturbx.designs import CoalitionDesign, Design, SoftMasks
from perturbx.solvers._base import Answers, Scores, Solver
from perturbx.solvers.presences import centered, presences

STRENGTHS = tuple(10.0 ** np.arange(-3, 2.01, 0.5))
"""Penalties that are tried, as parts of the mean squared length of a perturbation."""

_SMALLEST = 1e-7
"""Directions in which perturbations vary less than this part of the most are left out."""


@dataclass(frozen=True)
class PresenceRidge(Solver):
    """Ridge regression of the output on all presences, of more features than a fit could take.

    What a place owes to its neighbors, which masks show and hide together with it, a regression
    takes apart, where RISE's average (`PresenceMeans`) smears it out. There may be more
    features than perturbations: the penalty decides (Hoerl & Kennard, Technometrics 12, 1970).
    For each output it is the largest at which perturbations that are left out are predicted no
    worse than by the best one, give or take a standard error (in closed form: Allen,
    Technometrics 16, 1974; Breiman, Friedman, Olshen & Stone, 1984, section 3.4.3). `base` is
    the fit with nothing present, `fidelity` the R2 of its predictions for perturbations left out
    (at least 0).

    Standard errors are sandwich errors from the residuals of the fits without each perturbation
    (HC3: MacKinnon & White, 1985), at the penalty chosen. They say how far other draws would move
    the scores, not how far the penalty pulls them towards 0, nor that another draw may choose
    another penalty: where it often does, 95% intervals hold the mean over draws in 90% of cases.

    Parameters
    ----------
    alpha : float or None
        The penalty, as a part of the mean squared length of a (centered) perturbation. None
        chooses.

    Raises
    ------
    InvalidParameterError
        If `alpha` is not above 0.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.designs import Evaluations
    >>> from perturbx.samplers import RandomGrids
    >>> design = RandomGrids().draw(29, 400, np.random.default_rng(0))
    >>> answers = Evaluations(
    ...     design,
    ...     outputs=design.z[:, 12].reshape(400, 1, 1),
    ...     full=np.array([[1.0]]),
    ...     empty=np.array([[0.0]]),
    ... )
    >>> int(PresenceRidge().solve(answers).values.argmax())
    12
    """

    reads: ClassVar[tuple[type[Design], ...]] = (SoftMasks, CoalitionDesign)

    alpha: float | None = None

    def __post_init__(self) -> None:
        if self.alpha is not None:
            check_number("alpha", self.alpha, above=0)

    def working(self, n_features: int) -> float:
        return 4.0 * n_features

    def estimate(self, answers: Answers) -> Scores:
        z, outputs = presences(answers)
        fit = _Fit.of(z, centered(outputs, answers.floor))
        strengths = STRENGTHS if self.alpha is None else (self.alpha,)
        chosen, unexplained = _chosen(fit, strengths)
        d, t = z.shape[1], outputs.shape[1]
        slopes, errors = np.zeros((d, t)), np.full((d, t), np.nan)
        for which in np.unique(chosen):
            of = chosen == which
            slopes[:, of], errors[:, of] = fit.slopes(strengths[which], of)
        fixed = np.ptp(z, axis=0) == 0
        slopes[fixed], errors[fixed] = 0.0, np.nan
        spread = (fit.targets**2).sum(axis=0)
        share = np.divide(unexplained, spread, out=np.full(t, np.nan), where=spread > 0)
        return Scores(
            slopes,
            errors,
            base=outputs.mean(axis=0) - z.mean(axis=0) @ slopes,
            degrees_of_freedom=float(max(len(z) - 2, 1)),
            fidelity=np.maximum(1 - share, 0.0),
            estimator=f"ridge on {len(z):,} random masks",
        )


def _chosen(fit: _Fit, strengths: Sequence[float]) -> tuple[Ints, Floats]:
    """(t,): the strongest penalty that is as good as the best, and what it leaves unexplained."""
    errors = [fit.unexplained(strength) for strength in strengths]
    missed, doubt = (np.array(part) for part in zip(*errors, strict=True))
    best = missed.argmin(axis=0)
    targets = np.arange(missed.shape[1])
    bound = missed[best, targets] + doubt[best, targets]
    chosen = len(strengths) - 1 - np.argmax((missed <= bound)[::-1], axis=0)
    return chosen, missed[chosen, targets]


@dataclass(frozen=True, eq=False)
class _Fit:
    """Centered perturbations as ``left * sqrt(squares) @ right.T``, and targets along `left`."""

    left: Floats
    squares: Floats
    right: Floats
    targets: Floats
    along: Floats

    @classmethod
    def of(cls, z: Floats, targets: Floats) -> _Fit:
        """The singular vectors, from the eigenvectors of the smaller Gram matrix."""
        z = centered(z)
        tall = len(z) >= z.shape[1]
        squares, known = np.linalg.eigh(z.T @ z if tall else z @ z.T)
        kept = squares > _SMALLEST * max(float(squares[-1]), 1e-300)
        squares, known = squares[kept], known[:, kept]
        other = (z @ known if tall else z.T @ known) / np.sqrt(squares)
        left, right = (other, known) if tall else (known, other)
        return cls(left, squares, right, targets, left.T @ targets)

    def unexplained(self, strength: float) -> tuple[Floats, Floats]:
        """(t,): the squared errors of predicting each perturbation from the others; its error."""
        squares = self._left_out(strength) ** 2
        return squares.sum(axis=0), squares.std(axis=0) * np.sqrt(len(squares))

    def slopes(self, strength: float, of: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """(d, t) slopes of some targets, and their standard errors."""
        pull = np.sqrt(self.squares) / (self.squares + self._penalty(strength))
        back = self.right * pull
        influence = back @ self.left.T
        variance = influence**2 @ self._left_out(strength)[:, of] ** 2
        return back @ self.along[:, of], np.sqrt(variance)

    def _left_out(self, strength: float) -> Floats:
        """(m, t): what the fit without each perturbation misses of it."""
        shrunk = self.squares / (self.squares + self._penalty(strength))
        leverage = self.left**2 @ shrunk + 1 / len(self.left)
        missed = self.targets - self.left @ (shrunk[:, None] * self.along)
        return np.asarray(missed / np.maximum(1 - leverage, 1e-9)[:, None])

    def _penalty(self, strength: float) -> float:
        return strength * float(self.squares.sum()) / len(self.left)
