"""Owen values from splits of trees."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from perturbx._typing import Floats, Ints
from perturbx._validation import check_flag
from perturbx.designs import Steps, TreeSplits
from perturbx.errors import RejectPerturbations
from perturbx.features import FeatureTree
from perturbx.solvers._answers import Answers, Noise, Scores
from perturbx.solvers._base import Solver
from perturbx.solvers._owen_splits import Fractions, Splits, deviations, learned_fractions, summed


@dataclass(frozen=True)
class OwenValues(Solver):
    """What each node of a tree adds, in the contexts that its siblings make.

    The Owen value (Owen, "Values of games with a priori unions", 1977) is the Shapley value of a
    game whose players form a tree: what a node adds to a context is divided among its children
    by their Shapley value in that context, down to the leaves. Where a node was not split in a
    context, it is divided as in other contexts, or else by size. So the scores sum to the gain
    at any budget, in each tree by itself, and are the exact Owen values once everything is split;
    for a flat tree, whose only node joins all features, these are the Shapley values. With
    several trees the scores are the mean over trees.

    Standard errors are for what was not split, as if all of it were divided by size: a feature all
    of whose steps were split is exact up to rounding. How far the division departs from size is
    learned from the splits that were made, of steps that added about as much; errors of one
    node in different contexts are assumed equal and perfectly correlated. They are estimates and
    not bounds: effects that cancel within a node do not show in them if no such node was split.
    NaN before four splits.

    Parameters
    ----------
    by_example : bool
        Whether a node that was split in some contexts is divided in the same way in others: by
        least squares of what each child got on what the node added. Otherwise by size alone,
        which is linear in the outputs.

    Raises
    ------
    RejectPerturbations
        If several trees do not have one background row each.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.designs import Evaluations
    >>> from perturbx.samplers import OwenSplits
    >>> from perturbx.solvers import OwenValues
    >>> design = OwenSplits().draw(2, 2, np.random.default_rng(0))
    >>> answers = Evaluations.of_game(design, lambda z: z @ [2.0, 7.0] + z.all(axis=1))
    >>> OwenValues().solve(answers).values.ravel()
    array([2.5, 7.5])
    """

    by_example: bool = True

    reads = (TreeSplits,)
    additive = True
    samples = False

    def __post_init__(self) -> None:
        check_flag("by_example", self.by_example)

    def working(self, n_features: int, n: int) -> float:
        return 2.0 * n_features

    def linear(self) -> Solver:
        return replace(self, by_example=False)

    def estimate(self, answers: Answers[TreeSplits]) -> Scores:
        steps, rows = answers.design.steps, answers.empty_rows
        empty, n_trees = answers.empty[None], len(steps.trees)
        if n_trees > 1:
            if rows is None or len(rows) != n_trees:
                raise RejectPerturbations(
                    f"OwenValues needs a background row for each of {n_trees} trees: got "
                    f"{0 if rows is None else len(rows)}. Use the sampler OwenSplits(trees) with "
                    "as many trees as rows, or with one tree for all."
                )
            empty = rows
        deltas = steps.deltas(answers.outputs, answers.full, empty)
        splits = Splits.of(steps, deltas)
        learned = learned_fractions(steps, deltas, splits) if self.by_example else {}
        values = _values(steps, deltas, learned)
        is_exact = not (steps.is_open & (steps.n_coalitions > 0)).any()
        of_all = f"{n_trees} trees" if n_trees > 1 else "a tree"
        which = "all" if is_exact else "best first"
        errors = _errors(steps, deltas, splits)
        noise = _noise(answers, learned)
        return Scores(values, errors, f"Owen values, {which} of {of_all}", noise=noise)


def _noise(answers: Answers[TreeSplits], learned: Fractions) -> Noise | None:
    """What random answers add: scores are sums of answers, given how nodes are divided."""
    steps, variances = answers.design.steps, answers.variances
    if variances is None:
        return None
    of_empty = variances.empty[None] if len(steps.trees) == 1 else variances.empty_rows
    assert of_empty is not None  # as many as trees, or the design was refused
    every = np.concatenate([variances.outputs, variances.full[None], of_empty[::-1]])
    added = np.zeros((steps.trees[0].n_features, every.shape[1]))
    for t in range(every.shape[1]):
        influence = np.zeros((len(every), len(added)))
        for r, tree in enumerate(steps.trees):
            own = np.flatnonzero(steps.is_open & (steps.tree == r))
            shares = tree.members * tree.size / tree.node_sizes[:, None]
            for node in range(tree.n_leaves, tree.root + 1):
                if (r, node) in learned:
                    children, fractions = learned[r, node]
                    shares[node] = fractions[:, t] @ shares[list(children)]
            parts = steps.weight[own, None] * shares[steps.node[own]]
            np.add.at(influence, steps.high[own], parts)
            np.subtract.at(influence, steps.low[own], parts)
        added[:, t] = (influence**2).T @ every[:, t]
    return Noise(added, added)


def _values(steps: Steps, deltas: Floats, learned: Fractions) -> Floats:
    """(d, t): what the open steps add, divided as in the splits, and by size."""
    values = np.zeros((steps.trees[0].n_features, *deltas.shape[1:]))
    for r, tree in enumerate(steps.trees):
        own = steps.is_open & (steps.tree == r)
        mass = summed(deltas[own], steps.node[own], tree.root + 1, steps.weight[own])
        for node in range(tree.root, tree.n_leaves - 1, -1):
            if (r, node) in learned and mass[node].any():
                children, fractions = learned[r, node]
                mass[list(children)] += fractions * mass[node]
                mass[node] = 0.0
        nodes = np.flatnonzero(mass.any(axis=1))
        by_size = tree.members_of(nodes) * tree.size / tree.node_sizes[nodes, None]
        values += by_size.T @ mass[nodes]
    return values


def _errors(steps: Steps, deltas: Floats, splits: Splits) -> Floats:
    """(d, t): the standard errors of that, NaN where they cannot be estimated."""
    left = np.flatnonzero(steps.is_open & (steps.n_coalitions > 0))
    expected = deviations(steps, deltas, splits, left)
    squares = np.zeros((steps.trees[0].n_features, *deltas.shape[1:]))
    for r, tree in enumerate(steps.trees):
        own = steps.tree[left] == r
        nodes, place = np.unique(steps.node[left[own]], return_inverse=True)
        spreads = _spreads(tree, nodes)
        if expected is None:
            squares[(spreads > 0).any(axis=0)] = np.nan
            continue
        mass = summed(expected[own], place, len(nodes), steps.weight[left[own]])
        squares += spreads.T @ mass**2
    return np.asarray(np.sqrt(squares))


def _spreads(tree: FeatureTree, nodes: Ints) -> Floats:
    """(s, d): the variance of each feature's part of each node, in units of its deviation.

    A leaf that is a fraction p of its node varies as p * (1 - p), as fractions with a Dirichlet
    distribution do whatever the tree; its features have fixed parts of it.
    """
    leaf = tree.node_sizes[tree.leaf_of]
    p = tree.members_of(nodes) * leaf / tree.node_sizes[nodes, None]
    return np.asarray(p * (1 - p) * (tree.size / leaf) ** 2)
