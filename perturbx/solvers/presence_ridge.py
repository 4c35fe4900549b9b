"""A linear model of all presences at once, with the penalty that predicts best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats, Ints
from perturbx._validation import check_number
from perturbx.designs import CoalitionDesign, Design, SoftMasks
from perturbx.solvers._answers import Answers, Noise, Scores
from perturbx.solvers._base import Solver
from perturbx.solvers._svd import thin_svd
from perturbx.solvers.presences import centered

STRENGTHS = tuple(10.0 ** np.arange(-3, 2.01, 0.5))
"""Penalties that are tried, as fractions of the mean squared length of a perturbation."""

_SMALLEST = 1e-7
"""Directions whose variance is below this fraction of the largest are left out."""


@dataclass(frozen=True)
class PresenceRidge(Solver):
    """Ridge regression of the output on all presences; there may be more features than rows.

    A regression separates the effect of a place from that of its neighbors, which masks show and
    hide together with it, where RISE's average (`PresenceMeans`) smears it out. The penalty makes
    it possible with more features than perturbations (Hoerl & Kennard, Technometrics 12, 1970).
    For each output it is the largest whose leave-one-out error is within a standard error of
    the smallest one (in closed form: Allen, Technometrics 16, 1974; Breiman, Friedman, Olshen &
    Stone, 1984, section 3.4.3). `base` is the fit with nothing present, `fidelity` the
    leave-one-out R2 (at least 0).

    Standard errors are sandwich errors from leave-one-out residuals (HC3: MacKinnon & White,
    1985), at the chosen penalty. They measure how far other draws would move the scores, but
    neither the bias of the penalty towards 0, nor that another draw may choose another penalty:
    where it often does, 95% intervals hold the mean over draws in 90% of cases.

    Parameters
    ----------
    alpha : float or None
        The penalty, as a fraction of the mean squared length of a (centered) perturbation. None
        chooses.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.designs import Evaluations
    >>> from perturbx.samplers import RandomGrids
    >>> design = RandomGrids().draw(29, 400, np.random.default_rng(0))
    >>> answers = Evaluations.of_game(design, lambda z: z[:, 12])
    >>> int(PresenceRidge().solve(answers).values.argmax())
    12
    """

    reads = (SoftMasks, CoalitionDesign)

    alpha: float | None = None

    def __post_init__(self) -> None:
        if self.alpha is not None:
            check_number("alpha", self.alpha, above=0)

    def working(self, n_features: int, n: int) -> float:
        return 4.0 * n_features

    def estimate(self, answers: Answers[Design]) -> Scores:
        z, outputs = answers.design.z.astype(np.float64, copy=False), answers.outputs
        fit = _Fit.of(z, centered(outputs, answers.floor))
        strengths = STRENGTHS if self.alpha is None else (self.alpha,)
        chosen, unexplained = _chosen(fit, strengths)
        d, t = z.shape[1], outputs.shape[1]
        slopes, errors = np.zeros((d, t)), np.full((d, t), np.nan)
        added, variances = np.zeros((d, t)), answers.variances
        for which in np.unique(chosen):
            of = chosen == which
            slopes[:, of], errors[:, of] = fit.slopes(strengths[which], of)
            if variances is not None:
                influence = fit.influence(strengths[which])
                added[:, of] = influence**2 @ variances.outputs[:, of]
        fixed = np.ptp(z, axis=0) == 0
        slopes[fixed], errors[fixed] = 0.0, np.nan
        spread = (fit.targets**2).sum(axis=0)
        ratio = np.divide(unexplained, spread, out=np.full(t, np.nan), where=spread > 0)
        return Scores(
            slopes,
            errors,
            base=outputs.mean(axis=0) - z.mean(axis=0) @ slopes,
            degrees_of_freedom=float(max(len(z) - 2, 1)),
            fidelity=np.maximum(1 - ratio, 0.0),
            estimator=f"ridge on {len(z):,} random masks",
            noise=None if variances is None else Noise(added, np.zeros_like(added)),
        )


def _chosen(fit: _Fit, strengths: Sequence[float]) -> tuple[Ints, Floats]:
    """(t,): the strongest penalty about as good as the best, and its squared errors."""
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
        left, squares, right = thin_svd(centered(z), _SMALLEST)
        return cls(left, squares, right, targets, left.T @ targets)

    def unexplained(self, strength: float) -> tuple[Floats, Floats]:
        """(t,): the sum of squared leave-one-out errors, and its standard error."""
        squares = self._left_out(strength) ** 2
        return squares.sum(axis=0), squares.std(axis=0) * np.sqrt(len(squares))

    def slopes(self, strength: float, of: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """(d, t) slopes of some targets, and their standard errors."""
        variance = self.influence(strength) ** 2 @ self._left_out(strength)[:, of] ** 2
        return self._back(strength) @ self.along[:, of], np.sqrt(variance)

    def influence(self, strength: float) -> Floats:
        """(d, m): what each target's value adds to each slope."""
        return np.asarray(self._back(strength) @ self.left.T)

    def _back(self, strength: float) -> Floats:
        pull = np.sqrt(self.squares) / (self.squares + self._penalty(strength))
        return np.asarray(self.right * pull)

    def _left_out(self, strength: float) -> Floats:
        """(m, t): leave-one-out residuals."""
        shrunk = self.squares / (self.squares + self._penalty(strength))
        leverage = self.left**2 @ shrunk + 1 / len(self.left)
        missed = self.targets - self.left @ (shrunk[:, None] * self.along)
        return np.asarray(missed / np.maximum(1 - leverage, 1e-9)[:, None])

    def _penalty(self, strength: float) -> float:
        return strength * float(self.squares.sum()) / len(self.left)
