"""The contract of a sampler."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, TypeVar

import numpy as np

from perturbx.designs import CustomCoalitions, Design, Evaluations
from perturbx.errors import RejectPerturbations

D = TypeVar("D", bound=Design)


class Sampler(ABC):
    """Says which perturbations are tried. Pure combinatorics: it never sees data or model.

    A sampler is a frozen dataclass whose fields are its settings. The explainer calls `draw`
    once a round. The same arguments and the same state of `rng` give the same design.
    """

    draws: ClassVar[type[Design]] = CustomCoalitions
    """The class of its designs, by which solvers and maskers are matched with it.

    Only a complete design may be of another class."""

    names_rows: ClassVar[bool] = False
    """True if the design names one background row for each perturbation; one costs one row."""

    entry_bytes: ClassVar[int] = 1
    """The size of what a design says of one feature: a byte for coalitions, 8 for numbers."""

    def most(self, n_features: int) -> float:
        """The most perturbations that a design can hold, whatever is asked for."""
        return np.inf

    @abstractmethod
    def minimum(self, n_features: int) -> int:
        """The fewest perturbations from which a solver can say anything."""

    @abstractmethod
    def default(self, n_features: int) -> int:
        """How many perturbations are worth trying when the user sets no budget."""

    @abstractmethod
    def draw(
        self,
        n_features: int,
        n: int,
        rng: np.random.Generator,
        drawn: Design | None = None,
    ) -> Design:
        """At most `n` perturbations in all (never more; fewer only where no more make sense).

        With `drawn`, the result begins with exactly those perturbations, in their order, and
        goes on with new ones; weights are those of the whole. `n` is then the new total.
        The empty and the full coalition are not part of a design: the game always knows them.
        `n` is at least ``minimum(n_features)``; the explainer has seen to that.
        """

    def own(self, drawn: Design | None, design: type[D]) -> D | None:
        """`drawn`, which `draw` was asked to continue; or a refusal of another sampler's."""
        if drawn is None or isinstance(drawn, design):
            return drawn
        name = type(self).__name__
        raise RejectPerturbations(
            f"{name} continues {design.__name__} alone: got {type(drawn).__name__}. Draw the "
            f"first ones with {name}.draw too."
        )


class AdaptiveSampler(Sampler):
    """A sampler that goes by what was answered so far, round by round.

    The explainer calls `draw` once for the opening, and then `follow` with the answers to
    everything that was drawn, until nothing is added or the budget is spent. Each instance has
    its own design. It stays a function: what it has to remember stands in the design, such as the
    `Steps` of `TreeSplits`.
    """

    @abstractmethod
    def follow(self, evaluations: Evaluations, n: int, rng: np.random.Generator) -> Design:
        """The design of `evaluations`, continued by one round; at most `n` perturbations in all.

        A round holds as many as are worth asking before their answers are seen. A design that
        has not grown ends the rounds: nothing is left that `n` would pay for.
        """
