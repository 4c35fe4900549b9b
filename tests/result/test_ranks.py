"""Ranks that errors leave open, against every arrangement of the sizes; and their sentences."""

from __future__ import annotations

import re
from itertools import product

import numpy as np
import pytest
from perturbx.result.ranks import rank_ranges, told_apart

ABC = ("a", "b", "c")


@pytest.mark.parametrize("seed", range(20))
def test_ranks_are_those_of_every_arrangement_of_the_sizes(seed: int) -> None:
    """With sizes anywhere in their intervals, each rank in the range occurs, and no other."""
    rng = np.random.default_rng(seed)
    values, half = rng.normal(size=4), rng.exponential(0.4, size=4)
    best, worst = rank_ranges(values, half)
    ends = [(max(abs(v) - h, 0.0), abs(v) + h) for v, h in zip(values, half, strict=True)]
    seen: list[set[int]] = [set() for _ in values]
    for corner in product(*ends):
        for i, size in enumerate(corner):
            seen[i].add(1 + sum(other > size for j, other in enumerate(corner) if j != i))
    assert best.tolist() == [min(ranks) for ranks in seen]
    assert worst.tolist() == [max(ranks) for ranks in seen]


def test_an_unknown_error_leaves_every_rank_open() -> None:
    best, worst = rank_ranges(np.array([9.0, 1.0, 0.5]), np.array([np.nan, 0.1, 0.1]))
    assert (best.tolist(), worst.tolist()) == ([1, 1, 2], [3, 2, 3])


@pytest.mark.parametrize(
    ("values", "half", "sentences"),
    [
        ([3, 2, 1], [0, 0, 0], ["a has the largest score.", "All scores are exact"]),
        ([3, -3, 1], [0, 0, 0], ["a and b share the largest score.", "and b; then c.", "All"]),
        (
            [3, -2.9, 1],
            [0.1, 0.1, 0.1],
            ["largest score may be that of a or b. ", "first: a and b;"],
        ),
        ([3, 2.8, 2.9], [1, 1, 1], ["may be that of any of 3: a, c or b. "]),
        ([3, 1, 0.1], [0.1, 0.1, 0.2], ["a has", "sign is open for 1 of 3 scores: c. At 95%, its"]),
        (
            [3, 0.2, 0.1],
            [0.1, 0.3, 0.2],
            ["a has", "first: a; then b and c.", "2 of 3 scores: b and c. At 95%, their"],
        ),
        ([3, 1, 0], [0.1, 0.1, np.nan], ["of a or c.", "The errors of 1 of 3 scores are unknown."]),
        ([0, 0, 0], [0, 0, 0], ["Every score is 0"]),
    ],
)
def test_sentences(values: list[float], half: list[float], sentences: list[str]) -> None:
    """What is known is said, and what is not."""
    found = told_apart(ABC, np.array(values, float), np.array(half, float), 0.95)
    plain = [text.replace("\u2068", "").replace("\u2069", "") for text in found]
    assert len(plain) == len(sentences)
    assert all(part in text for part, text in zip(sentences, plain, strict=True))


@pytest.mark.parametrize("seed", range(20))
def test_the_order_between_groups_is_certain(seed: int) -> None:
    """Every size of a group is above every size of the next, and no group could be split."""
    rng = np.random.default_rng(seed)
    values, half = rng.normal(size=7), rng.exponential(0.05, size=7)
    names = [f"x{i}" for i in range(7)]
    said = [s for s in told_apart(names, values, half, 0.95) if s.startswith("Largest first")]
    if not said:
        best, worst = rank_ranges(values, half)
        assert (best == worst).all() or not _cuts(values, half)
        return
    parts = said[0].partition(" Between")[0].split("; then ")
    more = [sum(map(int, re.findall(r"and (\d) more", part))) for part in parts]
    sizes = [len(re.findall(r"x\d", part)) + n for part, n in zip(parts[:4], more, strict=False)]
    assert np.cumsum(sizes).tolist() == [*_cuts(values, half), 7][: len(sizes)]


def _cuts(values: np.ndarray, half: np.ndarray) -> list[int]:
    """How many features are surely larger than all others, by every split of the order."""
    order = np.argsort(-np.abs(values))
    low, high = np.maximum(np.abs(values) - half, 0)[order], (np.abs(values) + half)[order]
    return [i for i in range(1, len(values)) if low[:i].min() > high[i:].max()]


def test_an_unknown_score_that_could_be_largest_is_named() -> None:
    """A feature whose error is unknown is not ruled out."""
    first = told_apart(ABC, np.array([3.0, 1, 0.5]), np.array([0.1, 0.1, np.nan]), 0.95)[0]
    assert "c" in first.replace("\u2068", "").partition("that of ")[2].partition(".")[0]


def test_long_lists_are_cut() -> None:
    """Four names, and how many more; no names where it is all of them."""
    names = [f"x{i}" for i in range(9)]
    first = told_apart(names, np.array([1.0] * 8 + [0.0]), np.full(9, 0.1), 0.95)[0]
    assert first.count("\u2068") == 4
    assert "any of 8" in first
    assert "or 4 more" in first
    largest, signs = told_apart(names, np.ones(9), np.ones(9), 0.9)
    assert largest.startswith("The largest score may be that of any feature.")
    assert signs == "The sign of every score is open: at 90%, all intervals contain 0."
