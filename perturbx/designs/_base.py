"""The contract of a design."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import ClassVar

import numpy as np

from perturbx._typing import Coalitions, Floats, Ints, Noise


class Design(ABC):
    """m perturbations of d features, shared by every instance with those features.

    There is one frozen dataclass for each structure. Its fields say what is true of the design,
    such as the probability with which it was drawn, and nobody else is told. A sampler declares
    which class it draws, a masker which classes it accepts, and a solver which classes it reads.
    """

    drawn_by: ClassVar[str] = ""
    """A sampler that draws such designs, as a user writes it."""

    @abstractmethod
    def __len__(self) -> int:
        """The number m of perturbations."""

    @abstractmethod
    def tile(self, rows: slice) -> Coalitions | Noise:
        """Some rows of `z`, without the others being built."""

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
        """(m,): a number shared by perturbations that were drawn together; it never decreases.

        Standard errors are clustered by it.
        """
        return np.arange(len(self))

    @cached_property
    def background_row(self) -> Ints | None:
        """(m,): the background row behind each perturbation; None if all are averaged."""
        return None

    @cached_property
    def complete(self) -> bool:
        """True if `z` holds every coalition but the empty and the full one, once each."""
        return False


class CoalitionDesign(Design):
    """A design whose `z` is bool: each feature is present or absent."""

    drawn_by: ClassVar[str] = "BernoulliMasks()"

    @abstractmethod
    def tile(self, rows: slice) -> Coalitions: ...

    @property
    def z(self) -> Coalitions:
        return self.tile(slice(None))


def check_rows(name: str, z: Coalitions | Noise, dtype: type, *columns: Floats | Ints) -> None:
    """Refuse arrays that are no (m, d) of that type, or columns that are not (m,)."""
    shapes = [column.shape for column in columns]
    if z.ndim != 2 or any(shape != (len(z),) for shape in shapes):
        raise ValueError(
            f"{name} needs an array (m, d) of perturbations, and (m,) weights and cluster numbers: "
            f"got shapes {', '.join(map(str, [z.shape, *shapes]))}."
        )
    if z.dtype != dtype:
        raise TypeError(f"{name} needs an array of {np.dtype(dtype)}: got {z.dtype}.")
