"""Sums over answers that were not kept, of which a solver can still make scores."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from perturbx._moments import added_in_order, central
from perturbx._typing import Floats, Outputs


@dataclass(frozen=True, eq=False)
class OutputSums:
    """The range of the outputs of n instances, and sums of powers of them.

    Powers are of differences to the first output over their scale. So they are as exact as those
    of differences to the mean, since the first output is one of those that are summed.

    Parameters
    ----------
    count : int
        How many outputs there were, of each instance and each of the k outputs.
    lowest, highest : (n, k) arrays
    first, scale : (n, k) arrays
    powers : (4, n, k) array
        Sums of the first four powers.
    """

    count: int
    lowest: Floats
    highest: Floats
    first: Floats
    scale: Floats
    powers: Floats

    @classmethod
    def of(cls, outputs: Outputs, before: OutputSums | None = None) -> OutputSums:
        """Those of c sequences of outputs (c, m, n, k), which follow those `before`.

        They are the same to the last bit however sequences are grouped, since each is summed by
        itself, along contiguous memory.
        """
        by_target = np.ascontiguousarray(np.moveaxis(outputs, 1, -1))
        lowest, highest = by_target.min(axis=(0, 3)), by_target.max(axis=(0, 3))
        if before is None:
            first = by_target[0, :, :, 0]
            scale = np.abs(by_target[0] - first[..., None]).max(axis=2)
            scale = np.where(scale > 0, scale, 1.0)
            before = cls(0, lowest, highest, first, scale, np.zeros((4, *first.shape)))
        about = (by_target - before.first[..., None]) / before.scale[..., None]
        squares = about**2
        powers = about, squares, squares * about, squares**2
        each = np.stack([power.sum(axis=3) for power in powers], axis=1)
        return replace(
            before,
            count=before.count + by_target.shape[0] * by_target.shape[3],
            lowest=np.minimum(before.lowest, lowest),
            highest=np.maximum(before.highest, highest),
            powers=added_in_order(before.powers, each),
        )

    @cached_property
    def effective(self) -> Floats:
        """(n, k): the effective number of deviations from the mean, the count over the kurtosis."""
        _, squares, fourth = central(self.count, self.powers)
        effective = squares**2 / np.where(fourth > 0, fourth, 1.0)
        return np.where(fourth > 0, effective, float(self.count))

    def of_instances(self, chosen: NDArray[np.bool_]) -> OutputSums:
        """Those of some of the instances."""
        return OutputSums(
            self.count,
            self.lowest[chosen],
            self.highest[chosen],
            self.first[chosen],
            self.scale[chosen],
            self.powers[:, chosen],
        )


@dataclass(frozen=True, eq=False)
class Sums(ABC):
    """What a solver needs of the answers to a design, in place of them.

    Parameters
    ----------
    outputs : OutputSums
    """

    outputs: OutputSums

    @abstractmethod
    def of_instances(self, chosen: NDArray[np.bool_]) -> Sums:
        """Those of some of the instances."""
