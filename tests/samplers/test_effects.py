"""The steps with the largest effects: what was known before never changes which come first."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from perturbx.designs import Evaluations, TreeSplits, Variances
from perturbx.features import FeatureTree
from perturbx.samplers import OwenSplits

TREES = (
    FeatureTree.balanced(12),
    FeatureTree.of_leaves(
        ((0, 5, 2), (1, 6), (3, 4), (7, 8, 9), (12, 13), (14, 10, 11), (15, 16, 17)), 12
    ),
)


def _answered(design: TreeSplits, seed: int) -> Evaluations:
    """Forty games of two rows; ten are flat, but where a feature is absent between two others."""
    rng = np.random.default_rng(seed)
    inner, outer = rng.normal(size=(12, 9)), rng.normal(size=(2, 9, 30))

    def v(z: np.ndarray, row: np.ndarray) -> np.ndarray:
        smooth = np.einsum("mh,mhk->mk", np.tanh(z @ inner / 2), outer[row])
        rare = z[:, :10] & ~z[:, 1:11] & z[:, 2:12]
        return np.concatenate([smooth, rare * (1.0 + z[:, :1])], axis=1)[:, None]

    ends = np.array([[True] * 12, [False] * 12, [False] * 12])
    full, *empty = v(ends, np.array([0, 0, 1]))
    rows = np.stack(empty)
    return Evaluations(
        design, v(design.z, design.background_row), full, rows.mean(axis=0), empty_rows=rows
    )


def _by_definition(answered: Evaluations, n: int) -> list[int]:
    """All effects of all steps, largest first, in one look; the first ones where they are equal."""
    steps, rows = answered.design.steps, answered.empty_rows
    answers = np.concatenate([answered.outputs, answered.full[None], rows[::-1]])
    deltas = np.abs(answers[steps.high] - answers[steps.low])
    reach = deltas.max(axis=0)
    moves = reach > 1e-12
    effects = (deltas[:, moves] / reach[moves]).max(axis=1) * steps.weight
    waiting = np.flatnonzero(steps.is_open & (steps.n_coalitions > 0))
    return waiting[np.argsort(-effects[waiting], kind="stable")[:n]].tolist()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("n", [1, 5])
def test_each_round_splits_what_comes_first(seed: int, n: int) -> None:
    """As by the definition, although ranges grow, and outputs begin to move in later rounds."""
    sampler, rng = OwenSplits(TREES, splits_per_round=n), np.random.default_rng(0)
    design, moving = sampler.draw(12, 400, rng), set()
    for _ in range(25):
        answered = _answered(design, seed)
        more = sampler.follow(answered, 400, rng)
        split = np.flatnonzero(design.steps.is_open & ~more.steps.is_open[: len(design.steps)])
        assert set(split.tolist()) == set(_by_definition(answered, n))
        moving.add(np.count_nonzero(more.effects.reach))
        design = more
    assert len(moving) > 1  # some outputs were constant at first


def test_little_is_computed_again() -> None:
    """Once ranges are known, a round leaves most effects of older steps as they were."""
    sampler, rng = OwenSplits(TREES), np.random.default_rng(0)
    design = sampler.draw(12, 10**4, rng)
    for _ in range(20):
        design = sampler.follow(_answered(design, 0), 10**4, rng)
    assert 0 < design.effects.is_exact.sum() < len(design.effects.most)


def test_random_answers_are_looked_at_anew() -> None:
    """What was known of answers that vary is ignored, for they are asked again."""
    sampler, rng = OwenSplits(TREES), np.random.default_rng(0)
    design = sampler.follow(_answered(sampler.draw(12, 400, rng), 0), 400, rng)
    noisy = _answered(design, 1)
    none = np.zeros_like(noisy.full)
    rows = np.zeros_like(noisy.empty_rows)
    noisy = replace(noisy, variances=Variances(np.zeros_like(noisy.outputs), none, none, rows, 5.0))
    anew = replace(noisy, design=replace(design, effects=None))
    assert np.array_equal(sampler.follow(noisy, 400, rng).z, sampler.follow(anew, 400, rng).z)
