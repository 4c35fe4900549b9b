"""A linear model of all presences at once, with the penalty that predicts best."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats, Ints
from perturbx._validation import check_number
from perturbx.designs import CoalitionDesign, Design, SoftMasks
from perturbx.solvers._answers import Answers, Noise, Scores
from perturbx.solvers._base import Solver
from perturbx.solvers._strata import slices
from perturbx.solvers._svd import ThinSvd
from perturbx.solvers.presences import Presences, centered

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
        return 4.0

    def estimate(self, answers: Answers[Design]) -> Scores:
        presences, outputs = Presences.of(answers.design), answers.outputs
        fit = _Fit.of(presences, centered(outputs, answers.floor))
        strengths = STRENGTHS if self.alpha is None else (self.alpha,)
        chosen = _chosen(fit, strengths)
        (m, d), t = presences.shape, outputs.shape[1]
        slopes, errors, unexplained = np.zeros((d, t)), np.full((d, t), np.nan), np.zeros(t)
        added, variances = np.zeros((d, t)), answers.variances
        for which in np.unique(chosen):
            of, strength = chosen == which, strengths[which]
            slopes[:, of], errors[:, of], unexplained[of] = fit.slopes(strength, of)
            if variances is not None:
                added[:, of] = fit.carried(strength, variances.outputs[:, of])
        fixed = ~presences.moved
        slopes[fixed], errors[fixed] = 0.0, np.nan
        spread = (fit.targets**2).sum(axis=0)
        ratio = np.divide(unexplained, spread, out=np.full(t, np.nan), where=spread > 0)
        return Scores(
            slopes,
            errors,
            base=outputs.mean(axis=0) - presences.mean @ slopes,
            degrees_of_freedom=float(max(m - 2, 1)),
            fidelity=np.maximum(1 - ratio, 0.0),
            estimator=f"ridge on {m:,} random masks",
            noise=None if variances is None else Noise(added, np.zeros_like(added)),
        )


def _chosen(fit: _Fit, strengths: Sequence[float]) -> Ints:
    """(t,): the strongest penalty about as good as the best.

    Every second penalty is judged first, and of the others those alone that lie next to the best or
    to the strongest that is as good: errors change over a tenfold penalty and not within it.
    Numbers of 32 bits decide, in half of the time, unless another penalty is nearly as good.
    """
    n, rough = len(strengths), fit.scaled("float32")
    missed = np.full((n, fit.targets.shape[1]), np.inf)
    doubt = np.zeros_like(missed)
    if n == 1:
        return np.zeros(missed.shape[1], dtype=np.intp)
    missed[::2], doubt[::2] = rough.unexplained(strengths[::2])
    best, (last, _) = missed.argmin(axis=0), _strongest(missed, doubt)
    for i in range(1, n, 2):
        near = (np.abs(best - i) == 1) | (last + 1 == i)
        found = rough.only(near).unexplained(strengths[i : i + 1])
        missed[i, near], doubt[i, near] = found[0][0], found[1][0]
    chosen, margin = _strongest(missed, doubt)
    unsure = ~(margin >= _SURE)  # also where a number overflowed
    if unsure.any():
        judged = fit.only(unsure).scaled("float64").unexplained(strengths)
        chosen[unsure], _ = _strongest(*judged)
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

    svd: ThinSvd
    targets: Floats
    along: Floats
    dtype: Literal["float64", "float32"] = "float64"

    @classmethod
    def of(cls, presences: Presences, targets: Floats) -> _Fit:
        svd = ThinSvd.of(presences, _SMALLEST)
        along = np.zeros((len(svd.squares), targets.shape[1]))
        for part in slices(*presences.shape):
            along += svd.left(part).T @ targets[part]
        return cls(svd, targets, along)

    def only(self, of: NDArray[np.bool_]) -> _Fit:
        """The fit of some targets."""
        return replace(self, targets=self.targets[:, of], along=self.along[:, of])

    def scaled(self, dtype: Literal["float64", "float32"]) -> _Fit:
        """In numbers of another type, each target with a mean square of 1, unless it is 0."""
        scale = np.sqrt((self.targets**2).mean(axis=0))
        scale[scale == 0] = 1.0
        targets, along = (self.targets / scale).astype(dtype), (self.along / scale).astype(dtype)
        return replace(self, targets=targets, along=along, dtype=dtype)

    def unexplained(self, strengths: Sequence[float]) -> tuple[Floats, Floats]:
        """(c, t) for c strengths: the mean squared leave-one-out error, and its standard error."""
        m, t = self.targets.shape
        squared, fourth = np.zeros((2, len(strengths), t))
        for part in self._slices():
            exact = self.svd.left(part)
            left = exact.astype(self.dtype)
            for i, strength in enumerate(strengths):
                shrunk = self._shrunk(strength)
                spare = self._spare(exact, shrunk).astype(self.dtype)[:, None]
                for start in range(0, t, _TOGETHER):
                    of = slice(start, start + _TOGETHER)
                    along = shrunk.astype(self.dtype)[:, None] * self.along[:, of]
                    residual = (self.targets[part, of] - left @ along) / spare
                    with np.errstate(over="ignore", invalid="ignore"):
                        squares = residual**2
                        squared[i, of] += squares.sum(axis=0)
                        fourth[i, of] += np.einsum("mt,mt->t", squares, squares)
        with np.errstate(over="ignore", invalid="ignore"):
            missed = squared / m
            return missed, np.sqrt(np.maximum(fourth / m - missed**2, 0.0) / m)

    def slopes(self, strength: float, of: NDArray[np.bool_]) -> tuple[Floats, Floats, Floats]:
        """(d, t) slopes of some targets, their standard errors, (t,) leave-one-out squares."""
        mine, shrunk, back = self.only(of), self._shrunk(strength), self._back(strength)
        variance, total = np.zeros((len(back), mine.targets.shape[1])), np.zeros(of.sum())
        for part in self._slices():
            left = self.svd.left(part)
            missed = mine.targets[part] - left @ (shrunk[:, None] * mine.along)
            squares = (missed / self._spare(left, shrunk)[:, None]) ** 2
            variance += (back @ left.T) ** 2 @ squares
            total += squares.sum(axis=0)
        return back @ mine.along, np.sqrt(variance), total

    def carried(self, strength: float, variances: Floats) -> Floats:
        """(d, t): the variance of each slope, from those of the targets (m, t)."""
        back, found = self._back(strength), np.zeros((len(self.svd.right), variances.shape[1]))
        for part in self._slices():
            found += (back @ self.svd.left(part).T) ** 2 @ variances[part]
        return found

    def _back(self, strength: float) -> Floats:
        squares = self.svd.squares
        return np.asarray(self.svd.right * (np.sqrt(squares) / (squares + self._penalty(strength))))

    def _shrunk(self, strength: float) -> Floats:
        """(r,): the fraction of each direction that the penalty leaves."""
        return np.asarray(self.svd.squares / (self.svd.squares + self._penalty(strength)))

    def _spare(self, left: Floats, shrunk: Floats) -> Floats:
        """(b,): one minus the leverage of some rows."""
        return np.maximum(1 - left**2 @ shrunk - 1 / len(self.targets), 1e-9)

    def _penalty(self, strength: float) -> float:
        return strength * float(self.svd.squares.sum()) / len(self.targets)

    def _slices(self) -> Iterator[slice]:
        return slices(len(self.targets), len(self.svd.right))
