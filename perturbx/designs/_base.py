"""The contract of a design."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from perturbx._typing import Coalitions, Floats, Ints, Noise


class Design(ABC):
    """m perturbations of d features, shared by every instance with those features.

    There is one frozen dataclass for each structure. Its fields store what is true of the design,
    such as the probability with which it was drawn; no sampler or solver is told that separately.
    A sampler declares which class it draws, a masker which classes it accepts, and a solver which
    classes it reads.
    """

    drawn_by: ClassVar[str] = ""
    """A sampler that draws such designs, as a user would write it."""

    per_background_row: ClassVar[bool] = False
    """True if each perturbation uses one background row, and so costs one model row."""

    entry_bytes: ClassVar[float] = 8
    """The bytes that a large design takes for each feature of a perturbation."""

    drawing_bytes: ClassVar[float] = 16
    """The bytes that it takes while it is drawn or extended."""

    background_row: Ints | None = None
    """(m,): the background row of each perturbation; None if all rows are averaged."""

    complete: bool = False
    """True if `z` holds every coalition that can occur, once each, but the empty and the full one.

    These are all 2**d - 2, unless orders of features are constrained (`DownSets`).
    """

    compact: ClassVar[bool] = False
    """True if it is much smaller than its `z`, which then is built in tiles."""

    shows_noise: ClassVar[bool] = True
    """True if residuals show the noise of answers. If not, each perturbation is asked twice or
    more where the model answers differently each time."""

    @abstractmethod
    def __len__(self) -> int:
        """The number m of perturbations."""

    @staticmethod
    def worth_of_ends(n_features: int) -> float:
        """Per row spent on perturbations, how many to spend on the full output, and on the empty.

        Where the model answers differently each time, asking them so often makes the variance of
        the scores the smallest that the rows allow.
        """
        return 0.0

    def repeats(self, n: int) -> Ints:
        """(m,): how often each perturbation is asked, of `n` answers of a noisy model."""
        alike = self.complete or not self.shows_noise
        return np.full(len(self), max(n // max(len(self), 1), 1) if alike else 1)

    @abstractmethod
    def tile(self, rows: slice) -> Coalitions | Noise:
        """Some rows of `z`, without building the others."""

    @property
    def z(self) -> Coalitions | Noise:
        """(m, d): bool for coalitions (True: the feature is present), else float64."""
        return self.tile(slice(None))

    @cached_property
    def n_features(self) -> int:
        """The number d of features."""
        return int(self.tile(slice(0, 0)).shape[1])

    @cached_property
    def weights(self) -> Floats:
        """(m,): makes the sample stand for all perturbations; only ratios matter."""
        return np.ones(len(self))

    @cached_property
    def cluster(self) -> Ints:
        """(m,): perturbations that were drawn together share a number; it never decreases.

        Standard errors are clustered by it.
        """
        return np.arange(len(self))


class CoalitionDesign(Design):
    """A design whose `z` is bool: each feature is present or absent."""

    drawn_by = "BernoulliMasks()"
    entry_bytes: ClassVar[float] = 1
    drawing_bytes: ClassVar[float] = 2

    @abstractmethod
    def tile(self, rows: slice) -> Coalitions: ...

    @property
    def z(self) -> Coalitions:
        return self.tile(slice(None))


def check_rows(name: str, z: Any, dtype: type, *columns: Any) -> None:
    """Refuse `z` unless it is (m, d) of that type, and columns unless they are (m,)."""
    shapes = [column.shape for column in columns]
    if z.ndim != 2 or any(shape != (len(z),) for shape in shapes):
        raise ValueError(
            f"{name} needs an array (m, d) of perturbations, and (m,) weights and cluster numbers: "
            f"got shapes {', '.join(map(str, [z.shape, *shapes]))}."
        )
    if z.dtype != dtype:
        raise TypeError(f"{name} needs an array of {np.dtype(dtype)}: got {z.dtype}.")
