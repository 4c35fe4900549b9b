"""Maps of `OwenShap` with other trees and fills, and with a second stage along its own order."""

from __future__ import annotations

import numpy as np

from benchmarks.images._methods import few_superpixels, ours
from benchmarks.images._network import Door
from benchmarks.images._peers import empty
from benchmarks.images._views import View

Array = np.ndarray

FIRST = 0.7
"""The fraction of the rows that two stages spend on the first."""

WEIGHT = 0.5
"""The second stage's weight next to the first's."""


FILLS = ("blur", "gray")


def owen(budget: int, door: Door, view: View, seed: int) -> Array:
    """The usual trees with a stronger blur."""
    import perturbx as px

    settings = {"masker": px.SuperpixelTrees(fills=FILLS), "budget": budget}
    return ours("OwenShap", settings, door, view, seed)


def compact(budget: int, door: Door, view: View, seed: int) -> Array:
    """The same, and trees that join near regions before similar ones."""
    import perturbx as px

    trees = px.RegionTree(250, 15.0, nearness=2.0), px.RegionTree(120, 20.0, nearness=2.0)
    settings = {"masker": px.SuperpixelTrees(trees, FILLS), "budget": budget}
    return ours("OwenShap", settings, door, view, seed)


def both(budget: int, door: Door, view: View, seed: int) -> Array:
    """The mean of a map of two trees and of one of 25 superpixels, half of the rows for each."""
    half = budget // 2
    trees = ours("OwenShap", {"budget": half}, door, view, seed)
    regions = {"masker": few_superpixels, "budget": budget - half}
    return (trees + ours("KernelShap", regions, door, view, seed)) / 2


def two_stages(budget: int, door: Door, view: View, seed: int) -> Array:
    """A map of two trees, and what its own groups of pieces add and remove in three fills."""
    first = int(FIRST * budget)
    heat = owen(first, door, view, seed)
    walked = walk(door, view.image, heat, budget - first)
    return (heat + WEIGHT * walked) / (1 + WEIGHT)


def walk(door: Door, image: Array, heat: Array, budget: int) -> Array:
    """The mean change per pixel as groups are shown and hidden, highest scores first.

    An order and its reverse are two permutations, so the changes are shares: they sum to the
    output less that of the empty picture, the mean over the fills.
    """
    n = budget // 6
    group = groups(heat, n)
    shown = group < np.arange(n + 1)[:, None, None]
    gains = np.zeros(n)
    for fill in ("light blur", "gray", "blur"):
        absent = empty(fill, image)
        added = np.where(shown[..., None], image, absent)
        removed = np.where(shown[1:-1, ..., None], absent, image)
        answers = door.images(np.concatenate([added, removed]))
        rising, falling = answers[: n + 1], answers[[n, *range(n + 1, 2 * n), 0]]
        gains += (np.diff(rising) - np.diff(falling)) / 6
    area = np.bincount(group.ravel(), minlength=n)
    return np.asarray((gains / np.maximum(area, 1))[group])


def groups(heat: Array, n: int) -> Array:
    """The pieces of a map in n groups by score, 0 for the highest; small groups come first."""
    _, piece, area = np.unique(np.round(heat, 12), return_inverse=True, return_counts=True)
    middle = heat.size - np.cumsum(area) + area / 2
    edges = np.linspace(0, 1, n + 1) ** 1.5 * heat.size
    return np.asarray((np.searchsorted(edges, middle) - 1)[piece].reshape(heat.shape))
