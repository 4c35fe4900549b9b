"""The contract of solvers: pure, additive where promised, and reading no more than declared."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace

import numpy as np

from perturbx.designs import CoalitionDesign, CustomCoalitions, Design, Evaluations, Variances
from perturbx.errors import RejectPerturbations
from perturbx.samplers import (
    BackgroundPermutations,
    BernoulliMasks,
    GaussianNoise,
    OneAtATime,
    OwenSplits,
    Permutations,
    RandomGrids,
    Sampler,
    ShapleyCoalitions,
)
from perturbx.solvers import Solution, Solver
from perturbx.testing._shared import N_BACKGROUND, answers, check_part, check_saved, require, same


def check_solver(solver: Solver, sampler: Sampler) -> None:
    """Check that a solver is a function of the evaluations, and keeps its promises on scores.

    Parameters
    ----------
    solver : Solver
    sampler : Sampler
        One whose designs the solver reads.

    Raises
    ------
    AssertionError
        With the sentence of the contract that does not hold.
    """
    check_part(solver)
    check_saved(solver)
    d, n, k = 6, 3, 2
    evaluations = answers(sampler.draw(d, max(60, sampler.minimum(d)), np.random.default_rng(0)), n)
    before = copy.deepcopy(evaluations)
    solution = solver.solve(evaluations)
    for name in ("outputs", "full", "empty", "empty_rows"):
        kept = same(getattr(evaluations, name), getattr(before, name))
        require(kept, f"solve leaves {name} as they are")
    for name in ("z", "weights", "cluster"):
        kept = same(getattr(evaluations.design, name), getattr(before.design, name))
        require(kept, f"solve leaves the {name} of the design as they are")
    again = pickle.loads(pickle.dumps(solver)).solve(before)
    require(np.array_equal(solution.values, again.values), "the same answers, the same scores")
    _check_solution(solver, solution, evaluations, (n, d, k))
    _check_noise(solver, solution, evaluations)
    for i in range(n):
        alone = solver.solve(_one(evaluations, i)).values[0]
        close = np.allclose(alone, solution.values[i], rtol=0, atol=1e-9)
        require(close, "an instance has the same scores alone and among others")
    single = answers(sampler.draw(1, max(60, sampler.minimum(1)), np.random.default_rng(0)), n)
    _check_solution(solver, solver.solve(single), single, (n, 1, k))
    for design in _examples(d):
        _check_reads(solver, design)


def _one(e: Evaluations, i: int) -> Evaluations:
    own = slice(i, i + 1)
    rows = None if e.empty_rows is None else e.empty_rows[:, own]
    return Evaluations(e.design, e.outputs[:, own], e.full[own], e.empty[own], rows)


def _check_solution(
    solver: Solver, solution: Solution, e: Evaluations, shape: tuple[int, ...]
) -> None:
    n, _, k = shape
    require(solution.values.shape == shape, f"values are (n, d, k) = {shape}")
    require(solution.standard_errors.shape == shape, "standard_errors have the shape of values")
    require(solution.base.shape == (n, k), "base is (n, k)")
    require(np.isfinite(solution.values).all(), "scores are finite")
    errors = solution.standard_errors
    require((np.isnan(errors) | (errors >= 0)).all(), "errors are NaN or not negative")
    require(solution.degrees_of_freedom >= 1, "degrees_of_freedom are at least 1")
    if solver.additive:
        rest = e.full - solution.base - solution.values.sum(axis=1)
        require(np.abs(rest).max() < 1e-10, "base and scores add up to the full output")


def _check_noise(solver: Solver, plain: Solution, e: Evaluations) -> None:
    """Random answers leave the scores as they are, and enlarge the errors that do not show them."""
    rows = None if e.empty_rows is None else np.ones_like(e.empty_rows)
    ends = np.ones_like(e.full)
    variances = Variances(np.ones_like(e.outputs), ends, ends, rows)
    noisy = solver.solve(replace(e, variances=variances))
    require(np.array_equal(plain.values, noisy.values), "variances of answers move no score")
    added, errors = noisy.noise_errors, noisy.standard_errors
    require(added is not None, "Scores.noise says what random answers add")
    least = np.nan_to_num(plain.standard_errors) * (1 - 1e-12)
    require((np.isnan(errors) | (errors >= least)).all(), "random answers make no error smaller")


def _check_reads(solver: Solver, design: Design) -> None:
    """A design is read if its class is declared, with nothing but what the class promises."""
    name, declared = type(design).__name__, isinstance(design, solver.reads)
    evaluations = answers(design, 1)
    if not solver.needs_background_rows:
        evaluations = replace(evaluations, empty_rows=None)
    try:
        values = solver.solve(evaluations).values
    except RejectPerturbations as refusal:
        require(not declared, f"it reads what it declares, and refuses {name}: {refusal}")
        require("sampler" in str(refusal), "a refusal names the sampler that is read")
        return
    except Exception as error:
        raise AssertionError(
            f"This must hold: what it declares to read is all it needs, and it fails on {name} "
            f"({type(error).__name__}: {error})."
        ) from error
    require(declared, f"it refuses what it does not declare to read, as {name}")
    if isinstance(design, CoalitionDesign) and issubclass(CustomCoalitions, solver.reads):
        plain = CustomCoalitions(
            design.z, design.weights, design.cluster, design.complete, design.background_row
        )
        equal = np.array_equal(values, solver.solve(replace(evaluations, design=plain)).values)
        require(equal, f"it reads no more of {name} than it declares: z, weights and cluster")


def _examples(d: int) -> list[Design]:
    """A design of each structure, with enough perturbations for any solver; none is complete."""
    rng, m = np.random.default_rng(2), 8 * (d + 1)
    splits = OwenSplits()
    tree: Design = splits.draw(d, m, rng)
    while len(tree) < len(more := splits.follow(answers(tree, 1), m, rng)):
        tree = more
    samplers: list[Sampler] = [
        BernoulliMasks(0.4),
        ShapleyCoalitions(),
        Permutations(),
        BackgroundPermutations(N_BACKGROUND),
        OneAtATime(),
        GaussianNoise(),
        RandomGrids(),
    ]
    custom = CustomCoalitions(rng.random((m, d)) < 0.5, np.ones(m), np.arange(m))
    return [custom, tree, *(sampler.draw(d, m, rng) for sampler in samplers)]
