"""Perturbations of a design that are asked once more."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from perturbx._typing import Coalitions, Ints, Noise
from perturbx.designs._base import Design


@dataclass(frozen=True, eq=False)
class Repeated(Design):
    """Some perturbations of a design, as often as they are named.

    Parameters
    ----------
    design : Design
    index : (m,) int array
        Its perturbations.
    """

    design: Design
    index: Ints

    def __len__(self) -> int:
        return len(self.index)

    def tile(self, rows: slice) -> Coalitions | Noise:
        return self._all[self.index[rows]]

    @cached_property
    def _all(self) -> Coalitions | Noise:
        return self.design.z

    @cached_property
    def background_row(self) -> Ints | None:  # type: ignore[override]
        rows = self.design.background_row
        return None if rows is None else rows[self.index]
