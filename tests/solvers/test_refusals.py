"""Every solver refuses the designs that it does not read, and empty ones, and names the sampler."""

from __future__ import annotations

import numpy as np
import pytest
from perturbx.designs import CustomCoalitions, Design, Evaluations, Pairs
from perturbx.errors import RejectPerturbations
from perturbx.samplers import (
    BackgroundPermutations,
    BernoulliMasks,
    GaussianNoise,
    OneAtATime,
    OwenSplits,
    Permutations,
    RandomGrids,
    ShapleyCoalitions,
)
from perturbx.solvers import (
    BackgroundContributions,
    BanzhafRegression,
    Deltas,
    GaussianProcess,
    KernelShapRegression,
    MarginalContributions,
    OwenValues,
    PresenceMeans,
    PresenceRidge,
    PresenceSlopes,
    Solver,
    SparseRegression,
    WeightedRidge,
    WithInteractions,
)

SAMPLERS = {
    KernelShapRegression(): "ShapleyCoalitions()",
    BanzhafRegression(): "ShapleyCoalitions()",
    GaussianProcess(): "ShapleyCoalitions()",
    SparseRegression(): "ShapleyCoalitions()",
    WithInteractions(KernelShapRegression()): "ShapleyCoalitions()",
    MarginalContributions(): "Permutations() or Permutations(order)",
    BackgroundContributions(): (
        "BackgroundPermutations(n_background) or BackgroundPermutations(n_background, order)"
    ),
    Deltas(): "OneAtATime()",
    OwenValues(): "OwenSplits(trees)",
    PresenceMeans(): "RandomGrids() or BernoulliMasks()",
    PresenceSlopes(): "RandomGrids() or BernoulliMasks()",
    PresenceRidge(): "RandomGrids() or BernoulliMasks()",
    WeightedRidge(): "GaussianNoise() or BernoulliMasks()",
}
"""What each solver's refusal says to use."""

RNG = np.random.default_rng(0)
COALITIONS = ShapleyCoalitions().draw(6, 20, RNG).z
DESIGNS = [
    *(ShapleyCoalitions().draw(6, 20, RNG), Permutations().draw(6, 20, RNG)),
    *(BackgroundPermutations(3).draw(6, 20, RNG), OneAtATime().draw(6, 6, RNG)),
    *(OwenSplits().draw(6, 20, RNG), BernoulliMasks().draw(6, 20, RNG)),
    *(GaussianNoise().draw(6, 20, RNG), RandomGrids().draw(6, 20, RNG)),
    # The bits of pairs, but not declared to be pairs.
    CustomCoalitions(COALITIONS, np.ones(20), np.arange(20)),
]


def _solve(solver: Solver, design: Design) -> None:
    ends = np.zeros((1, 1))
    solver.solve(Evaluations(design, np.zeros((len(design), 1, 1)), ends, ends))


@pytest.mark.parametrize("design", DESIGNS, ids=lambda d: type(d).__name__)
@pytest.mark.parametrize("solver", SAMPLERS, ids=lambda s: type(s).__name__)
def test_other_designs_are_refused(solver: Solver, design: Design) -> None:
    """Whatever their bits are; a design that is read is solved."""
    if isinstance(design, solver.reads):
        if design.background_row is None:
            _solve(solver, design)
        return
    with pytest.raises(RejectPerturbations) as refusal:
        _solve(solver, design)
    name, got = type(solver).__name__, type(design).__name__
    assert str(refusal.value).startswith(f"{name} reads ")
    assert str(refusal.value).endswith(f"got {got}. Use the sampler {SAMPLERS[solver]}.")


@pytest.mark.parametrize(
    "solver", [s for s in SAMPLERS if issubclass(Pairs, s.reads)], ids=lambda s: type(s).__name__
)
def test_empty_designs_are_refused(solver: Solver) -> None:
    """There is nothing to compute scores from."""
    nothing = Pairs(np.zeros((0, 6), dtype=bool), np.ones(0))
    with pytest.raises(RejectPerturbations, match="got none\\. Draw more"):
        _solve(solver, nothing)
