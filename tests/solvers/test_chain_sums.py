"""Chains as sums: no bit depends on the pieces, and errors are those of the chains themselves."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from perturbx.designs import AntitheticChains, BackgroundChains, Evaluations
from perturbx.samplers import BackgroundPermutations, Permutations, Sampler
from perturbx.solvers import Answers, BackgroundContributions, MarginalContributions, Solver

D, N_ROWS, K = 10, 7, 2
RNG = np.random.default_rng(0)
BACKGROUND = RNG.normal(size=(N_ROWS, D))
WEIGHTS = RNG.dirichlet(np.full(N_ROWS, 5.0))
CASES: list[tuple[Solver, Sampler, Any]] = [
    (BackgroundContributions(), BackgroundPermutations(N_ROWS), None),
    (BackgroundContributions(unbiased=True), BackgroundPermutations(N_ROWS), None),
    (BackgroundContributions(), BackgroundPermutations(N_ROWS), WEIGHTS),
    (MarginalContributions(), Permutations(), None),
]


def model(rows: np.ndarray) -> np.ndarray:
    """One smooth output, and one whose steps have ties between rows."""
    few = rows[..., 0] * rows[..., 1] + np.tanh(rows.sum(axis=-1))
    return np.stack([few, (rows[..., :3] > 0).sum(axis=-1) >= 2.0], axis=-1)


def evaluated(sampler: Sampler, weights: Any, n_chains: int) -> Evaluations:
    """Three instances."""
    length, X = 2 * (D - 1), RNG.normal(size=(3, D))
    design = sampler.draw(D, n_chains * length, np.random.default_rng(1))
    of_rows = None
    if isinstance(design, BackgroundChains):
        of_rows = np.repeat(model(BACKGROUND)[:, None], 3, axis=1)
        background = BACKGROUND[design.background_row]
    else:
        background = BACKGROUND[:1]
    outputs = model(np.where(design.z[:, None], X, background[:, None]))
    empty = model(BACKGROUND[:1]) if of_rows is None else np.average(of_rows, 0, weights)
    empty = np.broadcast_to(empty, (3, K))
    return Evaluations(design, outputs, model(X), empty, of_rows, row_weights=weights)


def in_pieces(solver: Solver, whole: Evaluations, ends: list[int]) -> Evaluations:
    """What is known once the answers to each piece are gone."""
    design, sums = whole.design, None
    assert isinstance(design, AntitheticChains)
    starts = [0, *ends, len(design.place)]
    for start, stop in pairwise(starts):
        here = slice(start * design.length, stop * design.length)
        part = replace(whole, design=design.part(slice(start, stop)), outputs=whole.outputs[here])
        sums = solver.summed(Answers.of(part), sums)
    return replace(whole, outputs=whole.outputs[:0], sums=sums)


@pytest.mark.parametrize("case", CASES, ids=lambda case: repr(case[:2]))
@pytest.mark.parametrize("n_chains", [3, N_ROWS, 5 * N_ROWS + 3])
def test_pieces_change_no_bit(case: tuple[Solver, Sampler, Any], n_chains: int) -> None:
    solver, sampler, weights = case
    whole = evaluated(sampler, weights, n_chains)
    expected = solver.solve(whole)
    for ends in ([1], [2], list(range(1, n_chains)), [n_chains // 2, n_chains - 1]):
        evaluations = in_pieces(solver, whole, ends)
        found = solver.solve(evaluations)
        assert_array_equal(evaluations.floor, whole.floor)
        for field in fields(found):
            before, now = getattr(expected, field.name), getattr(found, field.name)
            assert_array_equal(now, before) if before is not None else None


@pytest.mark.parametrize("case", CASES, ids=lambda case: repr(case[:2]))
def test_instances_are_taken_out(case: tuple[Solver, Sampler, Any]) -> None:
    solver, sampler, weights = case
    whole = evaluated(sampler, weights, 20)
    chosen = np.array([False, True, True])
    sums = in_pieces(solver, whole, [9]).sums
    assert sums is not None
    rows = whole.empty_rows
    some = replace(
        whole,
        outputs=whole.outputs[:, chosen],
        full=whole.full[chosen],
        empty=whole.empty[chosen],
        empty_rows=None if rows is None else rows[:, chosen],
    )
    found = solver.solve(replace(some, outputs=some.outputs[:0], sums=sums.of_instances(chosen)))
    expected = solver.solve(some)
    assert_allclose(found.values, expected.values, rtol=1e-13, atol=1e-15)
    assert_allclose(found.standard_errors, expected.standard_errors, rtol=1e-12)


def test_the_spread_is_that_of_the_contributions() -> None:
    """Squares and fourth powers about the mean of each row, from powers about its first chain."""
    whole = evaluated(CASES[0][1], None, 200)
    design = whole.design
    assert isinstance(design, BackgroundChains)
    sums: Any = in_pieces(CASES[0][0], whole, [50]).sums
    flat = whole.outputs.reshape(len(whole.outputs), -1)
    assert whole.empty_rows is not None
    empty = whole.empty_rows.reshape(N_ROWS, -1)[design.row]
    readings = design.contributions(flat, empty, whole.full.ravel())
    contributions = readings.mean(axis=1)
    means = np.stack([contributions[design.row == row].mean(axis=0) for row in sums.row])
    place = sums.row.argsort()[design.row]
    about = contributions - means[place]
    assert_allclose(sums.means, means, atol=1e-14)
    assert_allclose(sums.spread.squares, (about**2).sum(axis=0), rtol=1e-11)
    assert_allclose(sums.squares, (contributions**2).sum(axis=0), rtol=1e-11)
    assert_allclose(sums.variance, contributions.var(axis=0), rtol=1e-11)
    halves = (readings[:, 0] - readings[:, 1]) ** 2 / 4
    steps = np.zeros_like(halves)
    for row in range(N_ROWS):
        own = np.flatnonzero(design.row == row)
        steps[own[1:]] = np.diff(contributions[own], axis=0) ** 2 / 4
    noise = halves + 6 * steps
    assert_allclose(sums.spread.noise, noise.sum(axis=0), rtol=1e-11)
    fourths = (about**4).sum(axis=0) + (noise**2).sum(axis=0)
    assert_allclose(sums.spread.fourths, fourths, rtol=1e-10)
    assert sums.n_chains == 200
