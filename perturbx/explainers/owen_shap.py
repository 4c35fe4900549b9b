"""Owen values: Shapley values of features that sit in trees."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from perturbx._validation import check_integer
from perturbx.errors import InvalidParameterError
from perturbx.explainers._base import BaseExplainer
from perturbx.explainers._plan import Setting
from perturbx.maskers import ColumnTree, Masker, SuperpixelTrees
from perturbx.samplers import OwenSplits, Sampler
from perturbx.solvers import OwenValues, Solver


@dataclass(eq=False, repr=False)
class OwenShap(BaseExplainer):
    """{common}
    """

    splits_per_round: int = field(default=8, kw_only=True)

    table_masker: ClassVar[type[Masker]] = ColumnTree
    image_masker: ClassVar[type[Masker]] = SuperpixelTrees

    def recipe(self, setting: Setting) -> tuple[Sampler, Solver]:
        check_integer("splits_per_round", self.splits_per_round, minimum=1)
        if not setting.trees:
            raise InvalidParameterError(
                "OwenShap goes down a tree of features, and this masker has none: pass "
                "masker=px.ColumnTree(X) for tables, or px.SuperpixelTrees() for images."
            )
        return OwenSplits(setting.trees, self.splits_per_round), OwenValues()
