"""Owen values from splits of trees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perturbx._typing import Floats
from perturbx.errors import RejectPerturbations
from perturbx.hierarchy import Hierarchy
from perturbx.perturbations import Evaluations, Perturbations
from perturbx.solvers._base import Solution, Solver, floor
from perturbx.splits import Splits


@dataclass(frozen=True)
class OwenValues(Solver):
    additive = True

    def solve(self, evaluations: Evaluations) -> Solution:
        splits = _check(evaluations.perturbations)
        empty = evaluations.empty_rows
        empty = evaluations.empty[None] if empty is None or len(splits.trees) == 1 else empty
        deltas = splits.deltas(evaluations.outputs, evaluations.full, empty)
        added = deltas * splits.weight[:, None, None]
        values = sum(
            _shared(tree, splits, r, added) for r, tree in enumerate(splits.trees)
        )
        errors = np.broadcast_to(floor(evaluations), values.shape).copy()
        return Solution(values, errors, empty.mean(axis=0))


def _shared(tree: Hierarchy, splits: Splits, r: int, added: Floats) -> Floats:
    own = np.flatnonzero(splits.is_open & (splits.tree == r))
    nodes, place = np.unique(splits.node[own], return_inverse=True)
    mass = np.zeros((len(nodes), *added.shape[1:]))
    np.add.at(mass, place, added[own])
    share = tree.members[nodes] * tree.size / tree.node_sizes[nodes, None]
    return np.einsum("sd,snk->ndk", share, mass)


def _check(design: Perturbations) -> Splits:
    if design.splits is None:
        raise RejectPerturbations(
            f"OwenValues reads splits of trees: got {len(design)} perturbations without any. "
            "Draw them with the sampler OwenSplits(trees)."
        )
    return design.splits
