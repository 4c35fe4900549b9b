"""The contract of a sampler."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, TypeVar

import numpy as np

from perturbx.designs import CustomCoalitions, Design, Evaluations
from perturbx.errors import RejectPerturbations

D = TypeVar("D", bound=Design)


class Sampler(ABC):
    """Chooses the perturbations. Pure combinatorics: it never sees data or model.

    A sampler is a frozen dataclass whose fields are its settings. The explainer calls `draw`
    once per round. The same arguments and the same state of `rng` give the same design.
    """

    draws: ClassVar[type[Design]] = CustomCoalitions
    """The class of its designs, by which solvers and maskers are matched with it.

    Only a complete design may be of another class."""

    continues: ClassVar[bool] = False
    """True if a design of a few perturbations can be continued to all there are, so that their
    answers are of use where the model fails before it has given all."""

    redraws: ClassVar[bool] = False
    """True if its large designs take no memory: they are drawn again whenever they are read."""

    def most(self, n_features: int) -> float:
        """The most perturbations that a design can hold."""
        return np.inf

    @abstractmethod
    def minimum(self, n_features: int) -> int:
        """The fewest perturbations from which a solver can compute scores."""

    def fewest(self, n_features: int) -> int:
        """The fewest perturbations whose answers are of use where the model fails afterwards."""
        return self.minimum(n_features)

    @abstractmethod
    def default(self, n_features: int) -> int:
        """How many perturbations are worth trying when the user sets no budget."""

    def distinct(self, n_features: int, n: int) -> int:
        """How many different perturbations are worth `n` answers of a noisy model.

        The others are spent on asking some of them again, see `Design.repeats`.
        """
        each = 1 if self.draws.shows_noise else 2
        return int(min(n // each, self.most(n_features)))

    @abstractmethod
    def draw(
        self, n_features: int, n: int, rng: np.random.Generator, drawn: Design | None = None
    ) -> Design:
        """At most `n` perturbations in all (never more; fewer only where more are impossible).

        With `drawn`, the result begins with exactly those perturbations, in their order, followed
        by new ones; its weights are those of the whole design. `n` is then the new total.
        The empty and the full coalition are not part of a design, as both are always known.
        The explainer makes sure that `n` is at least ``minimum(n_features)``.
        """

    def check(self, n_features: int, n_background: int) -> None:  # noqa: B027 (optional)
        """Refuse settings that do not fit what is explained; called before the model is.

        Raises
        ------
        InvalidParameterError
        """

    def own(self, drawn: Design | None, design: type[D]) -> D | None:
        """`drawn`, refused unless it is of the class that this sampler can continue."""
        if drawn is None or isinstance(drawn, design):
            return drawn
        name = type(self).__name__
        raise RejectPerturbations(
            f"{name} can only continue {design.__name__}: got {type(drawn).__name__}. Draw the "
            f"first perturbations with {name}.draw too."
        )


class AdaptiveSampler(Sampler):
    """A sampler that chooses new perturbations by the answers to earlier ones.

    The explainer calls `draw` once, for the first round, and then `follow` with all answers so
    far, until nothing is added or the budget is spent. Each instance has a design of its own. A
    sampler has no state: what it must remember is stored in the design, such as the `Steps` of
    `TreeSplits`.
    """

    @abstractmethod
    def follow(self, evaluations: Evaluations, n: int, rng: np.random.Generator) -> Design:
        """The design of `evaluations`, continued by one round; at most `n` perturbations in all.

        A round holds as many perturbations as are worth asking before their answers are seen. A
        design that has not grown ends the rounds.
        """
