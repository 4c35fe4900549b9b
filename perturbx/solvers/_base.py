"""The contract of a solver."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np

from perturbx._typing import Floats
from perturbx.designs import Design, Evaluations, Sums
from perturbx.errors import RejectPerturbations
from perturbx.solvers._answers import Answers, Noise, Scores, Solution


class Solver(ABC):
    """Turns the model's answers into scores. Pure algebra: no model, no random numbers.

    A solver is a frozen dataclass whose fields are its settings. The same evaluations give the
    same solution. It declares the classes of designs that it `reads`; `solve` refuses others, so
    `estimate` may rely on the class of its design.
    """

    reads: ClassVar[tuple[type[Design], ...]]
    """The classes of designs from which `estimate` computes scores."""

    additive: bool = False
    """True if base + sum of the scores is the full output, whatever was sampled."""

    nearly_additive: bool = False
    """True if base + sum of the scores is the full output, but for the errors of the scores."""

    samples: bool = True
    """True if its errors are sampling errors, and shrink with the root of the perturbations."""

    searches: ClassVar[bool] = False
    """True if its scores are the best that was tried, and so have no standard errors."""

    needs_background_rows: ClassVar[bool] = False
    """True if it needs the output of each background row, and not of their average alone."""

    scores_pairs: ClassVar[bool] = False
    """True if it scores pairs of features too."""

    sums_up: ClassVar[bool] = False
    """True if `summed` gives what `estimate` needs of answers, which then are not kept."""

    reads_blocks: ClassVar[bool] = False
    """True if it reads designs and answers a block at a time, and so holds none of them whole."""

    def working(self, n_features: int, n: int) -> float:
        """About how many float64 numbers `solve` holds at once for each of n perturbations."""
        return 0.0

    def kept(self, n_features: int, n: int, n_background: int) -> float:
        """How many numbers are kept of the answers to n perturbations, of each output."""
        return float(n)

    def linear(self) -> Solver:
        """A solver of the same designs whose scores are linear in the outputs.

        The explainer solves parts of the background with it, to estimate how far the scores would
        move with another background.
        """
        return self

    def solve(self, evaluations: Evaluations) -> Solution:
        """Scores with standard errors, for all instances and outputs at once.

        Raises
        ------
        RejectPerturbations
            If the solver does not read such designs, or the design is empty.
        """
        answers = Answers.of(evaluations)
        scores, (n, k) = self.scores(answers), answers.shape
        unknown = np.full_like(scores.values, np.nan)
        errors = np.zeros_like(scores.values) if scores.errors is None else scores.errors
        degrees = scores.degrees_of_freedom
        if answers.variances is not None and scores.noise is not None:
            freedom = answers.variances.degrees_of_freedom
            errors, degrees = _with_noise(errors, degrees, scores.noise.unseen, freedom)
        background, noise = scores.background_errors, scores.noise
        arrays = np.stack(
            [
                scores.values,
                np.maximum(errors, answers.floor),
                unknown if background is None else background,
                unknown if noise is None else np.sqrt(noise.total),
            ]
        )
        values, errors, known, of_noise = np.moveaxis(arrays.reshape(4, -1, n, k), 1, 2)
        return Solution(
            values,
            errors,
            base=(answers.empty if scores.base is None else scores.base).reshape(n, k),
            degrees_of_freedom=degrees,
            fidelity=None if scores.fidelity is None else scores.fidelity.reshape(n, k),
            effective_samples=scores.effective_samples,
            estimator=scores.estimator,
            background_errors=None if background is None else known,
            interactions=scores.interactions,
            score_kind=scores.score_kind,
            noise_errors=None if noise is None else of_noise,
        )

    def summed(self, answers: Answers[Any], before: Sums | None = None) -> Sums:
        """What `estimate` needs of the answers to a piece of a design, which follows those before.

        A piece holds whole clusters. The sums are the same to the last bit whatever the pieces
        are, and `estimate` reads them as `Answers.sums`. Only for a solver that `sums_up`.
        """
        raise NotImplementedError(f"{type(self).__name__} needs all answers together.")

    def scores(self, answers: Answers[Any]) -> Scores:
        """`exact` for a complete design, where the solver has it, or else `estimate`.

        One feature has no coalition except the empty and the full one, so it gets the whole gain.

        Raises
        ------
        RejectPerturbations
            As `solve`.
        """
        design = answers.design
        exact = self.exact(answers) if design.complete else None
        if exact is not None:
            return exact
        name = type(self).__name__
        check_reads(type(design), self.reads, name)
        if len(design):
            return self.estimate(answers)
        if not design.complete:
            raise RejectPerturbations(
                f"{name} needs some perturbations: got none. Draw more with the sampler "
                f"{design.drawn_by}."
            )
        variances, values = answers.variances, (answers.full - answers.empty)[None]
        noise = None if variances is None else Noise(variances.ends[None], variances.ends[None])
        return Scores(values, estimator="exact, one feature", noise=noise)

    def exact(self, answers: Answers[Design]) -> Scores | None:
        """The scores from every coalition; None if the solver has no formula for them."""
        return None

    @abstractmethod
    def estimate(self, answers: Answers[Any]) -> Scores:
        """Scores with standard errors from a design that the solver reads, and that is not empty.

        Annotate the design that is read: ``def estimate(self, answers: Answers[Pairs])``. Where
        `answers.variances` are given, return what they add as `Scores.noise`.
        """


def _with_noise(
    errors: Floats, degrees: float, added: Floats, freedom: float
) -> tuple[Floats, float]:
    """Standard errors with a variance that is added to them, each with its degrees of freedom.

    Those of the sum follow Satterthwaite (Biometrics Bulletin 2, 1946).
    """
    seen, unseen = float(np.nansum(errors**2)), float(np.nansum(added))
    if unseen > 0:
        spread = seen**2 / degrees + unseen**2 / freedom
        degrees = (seen + unseen) ** 2 / spread if spread > 0 else np.inf
    return np.where(added > 0, np.sqrt(errors**2 + added), errors), degrees


def check_reads(
    design: type[Design], reads: tuple[type[Design], ...], solver: str, sampler: str = ""
) -> None:
    """Refuse a class of designs, which `sampler` draws, unless the solver reads it.

    Raises
    ------
    RejectPerturbations
        Naming the classes that are read, and the samplers that draw them.
    """
    if issubclass(design, reads):
        return
    names = " or ".join(read.__name__ for read in reads)
    samplers = " or ".join(read.drawn_by for read in reads if read.drawn_by)
    source = f" from the sampler {sampler}" if sampler else ""
    cure = f" Use the sampler {samplers}." if samplers else ""
    raise RejectPerturbations(f"{solver} reads {names}: got {design.__name__}{source}.{cure}")
