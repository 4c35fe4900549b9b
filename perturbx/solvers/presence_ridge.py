"""A linear model of all presences at once, with the penalty that predicts best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

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

_SURE = 1e-4
"""A penalty that is better by this fraction of the target's squares is so in 32 bits too."""

_TOGETHER = 1024
"""Targets that are judged at once."""


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
        chosen = _chosen(fit, strengths)
        d, t = z.shape[1], outputs.shape[1]
        slopes, errors, unexplained = np.zeros((d, t)), np.full((d, t), np.nan), np.zeros(t)
        added, variances = np.zeros((d, t)), answers.variances
        for which in np.unique(chosen):
            of = chosen == which
            slopes[:, of], errors[:, of], unexplained[of] = fit.slopes(strengths[which], of)
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


def _chosen(fit: _Fit, strengths: Sequence[float]) -> Ints:
    """(t,): the strongest penalty about as good as the best.

    Every second penalty is judged first, and of the others those alone that lie next to the best or
    to the strongest that is as good: errors change over a tenfold penalty and not within it.
    Numbers of 32 bits decide, in half of the time, unless another penalty is nearly as good.
    """
    n, rough = len(strengths), fit.scaled(np.float32)
    missed = np.full((n, fit.targets.shape[1]), np.inf)
    doubt = np.zeros_like(missed)
    if n == 1:
        return np.zeros(missed.shape[1], dtype=np.intp)
    for i in range(0, n, 2):
        missed[i], doubt[i] = rough.unexplained(strengths[i])
    best, (last, _) = missed.argmin(axis=0), _strongest(missed, doubt)
    for i in range(1, n, 2):
        near = (np.abs(best - i) == 1) | (last + 1 == i)
        missed[i, near], doubt[i, near] = rough.only(near).unexplained(strengths[i])
    chosen, margin = _strongest(missed, doubt)
    unsure = ~(margin >= _SURE)  # also where a number overflowed
    if unsure.any():
        exact = fit.only(unsure).scaled(np.float64)
        judged = zip(*map(exact.unexplained, strengths), strict=True)
        chosen[unsure], _ = _strongest(*map(np.array, judged))
    return chosen


def _strongest(missed: Floats, doubt: Floats) -> tuple[Ints, Floats]:
    """(t,): the last of (c, t) that is at most the best and its doubt, and by what it is that.

    The margin is a fraction of the target's sum of squares, as are `missed` and `doubt`.
    """
    best, targets = missed.argmin(axis=0), np.arange(missed.shape[1])
    bound = missed[best, targets] + doubt[best, targets]
    chosen = len(missed) - 1 - np.argmax((missed <= bound)[::-1], axis=0)
    others = missed.copy()
    others[best, targets] = np.inf
    clear = others.min(axis=0) - missed[best, targets]
    return chosen, np.minimum(np.abs(missed - bound).min(axis=0), clear)


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

    def only(self, of: NDArray[np.bool_]) -> _Fit:
        """The fit of some targets."""
        return replace(self, targets=self.targets[:, of], along=self.along[:, of])

    def scaled(self, dtype: type[np.floating[Any]]) -> _Fit:
        """In numbers of another type, each target with a mean square of 1, unless it is 0."""
        scale = np.sqrt((self.targets**2).mean(axis=0))
        scale[scale == 0] = 1.0
        targets, along = (self.targets / scale).astype(dtype), (self.along / scale).astype(dtype)
        return replace(self, left=self.left.astype(dtype), targets=targets, along=along)

    def unexplained(self, strength: float) -> tuple[Floats, Floats]:
        """(t,): the mean squared leave-one-out error, and its standard error."""
        (m, t), shrunk = self.targets.shape, self._shrunk(strength)
        dtype, missed, doubt = self.left.dtype, np.empty(t), np.empty(t)
        spare = self._spare(shrunk).astype(dtype)[:, None]
        for start in range(0, t, _TOGETHER):
            of = slice(start, start + _TOGETHER)
            along = shrunk.astype(dtype)[:, None] * self.along[:, of]
            residual = (self.targets[:, of] - self.left @ along) / spare
            with np.errstate(over="ignore", invalid="ignore"):
                squares = residual**2
                missed[of] = squares.mean(axis=0)
                fourth = np.einsum("mt,mt->t", squares, squares) / m
                doubt[of] = np.sqrt(np.maximum(fourth - missed[of] ** 2, 0.0) / m)
        return missed, doubt

    def slopes(self, strength: float, of: NDArray[np.bool_]) -> tuple[Floats, Floats, Floats]:
        """(d, t) slopes of some targets, their standard errors, (t,) leave-one-out squares."""
        mine, shrunk = self.only(of), self._shrunk(strength)
        missed = mine.targets - self.left @ (shrunk[:, None] * mine.along)
        squares = (missed / self._spare(shrunk)[:, None]) ** 2
        variance = self.influence(strength) ** 2 @ squares
        return self._back(strength) @ mine.along, np.sqrt(variance), squares.sum(axis=0)

    def influence(self, strength: float) -> Floats:
        """(d, m): what each target's value adds to each slope."""
        return np.asarray(self._back(strength) @ self.left.T)

    def _back(self, strength: float) -> Floats:
        pull = np.sqrt(self.squares) / (self.squares + self._penalty(strength))
        return np.asarray(self.right * pull)

    def _shrunk(self, strength: float) -> Floats:
        """(r,): the fraction of each direction that the penalty leaves."""
        return np.asarray(self.squares / (self.squares + self._penalty(strength)))

    def _spare(self, shrunk: Floats) -> Floats:
        """(m,): one minus the leverage of each row."""
        return np.maximum(1 - self.left**2 @ shrunk - 1 / len(self.left), 1e-9)

    def _penalty(self, strength: float) -> float:
        return strength * float(self.squares.sum()) / len(self.left)
