"""Owen values from splits of trees."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from perturbx._typing import Floats, Ints
from perturbx._validation import check_flag
from perturbx.designs import Design, Steps, TreeSplits
from perturbx.errors import RejectPerturbations
from perturbx.features import FeatureTree
from perturbx.solvers._base import Answers, Scores, Solver
from perturbx.solvers._unsplit import carry, deviations, examples


@dataclass(frozen=True)
class OwenValues(Solver):
    """What each part of a tree adds, in the contexts that its siblings make.

    The Owen value (Owen, "Values of games with a priori unions", 1977) is the Shapley value of a
    game whose players sit in a tree: what a node adds to a context is shared among its children
    by their Shapley value in that context, down to the leaves. What was never split is shared
    as the same node was in other contexts, and else by size. So the scores add up at any budget,
    in each tree by itself, and are the exact Owen values once everything is split; of a flat
    tree, whose only node joins all features, the Shapley values. With several trees they are
    the mean over trees.

    Standard errors are those of what was never split, as if all of it were shared by size: a
    feature all of whose steps were split is as exact as arithmetic. How far from its size a part's
    share lies is learned from the splits that were made, from those of what added about as much;
    what a node adds in several contexts is taken to be off by as much, in the same direction, in
    all of them. They are estimates and no bounds: they cannot know of parts that cancel where
    nothing like it was seen. NaN before four splits.

    Parameters
    ----------
    by_example : bool
        Whether a node that was split in some contexts shares what it adds in others as it did
        there: by least squares of what each child got on what the node added. Otherwise by size
        alone, which is linear in the outputs.

    Raises
    ------
    RejectPerturbations
        If there is not a background row for each of several trees.

    Examples
    --------
    >>> import numpy as np
    >>> from perturbx.designs import Evaluations
    >>> from perturbx.samplers import OwenSplits
    >>> from perturbx.solvers import OwenValues
    >>> design = OwenSplits().draw(2, 2, np.random.default_rng(0))
    >>> answers = Evaluations(
    ...     design,
    ...     outputs=np.array([3.0, 8.0]).reshape(2, 1, 1),
    ...     full=np.array([[10.0]]),
    ...     empty=np.array([[0.0]]),
    ... )
    >>> OwenValues().solve(answers).values.ravel()
    array([2.5, 7.5])
    """

    by_example: bool = True

    reads: ClassVar[tuple[type[Design], ...]] = (TreeSplits,)
    additive = True
    samples = False

    def __post_init__(self) -> None:
        check_flag("by_example", self.by_example)

    def working(self, n_features: int) -> float:
        return 2.0 * n_features

    def linear(self) -> Solver:
        return replace(self, by_example=False)

    def estimate(self, answers: Answers) -> Scores:
        design, rows = answers.design, answers.empty_rows
        assert isinstance(design, TreeSplits)
        steps, empty = design.steps, answers.empty[None]
        if len(steps.trees) > 1:
            if rows is None or len(rows) != len(steps.trees):
                raise RejectPerturbations(
                    f"OwenValues needs a background row for each of {len(steps.trees)} trees: got "
                    f"{0 if rows is None else len(rows)}. Use the sampler OwenSplits(trees) with "
                    "as many trees as rows, or with one tree for all."
                )
            empty = rows
        deltas = steps.deltas(answers.outputs, answers.full, empty)
        values, errors = _values(steps, deltas, self.by_example), _errors(steps, deltas)
        is_exact = not (steps.is_open & (steps.n_coalitions > 0)).any()
        n = len(steps.trees)
        of_all = f"{n} trees" if n > 1 else "a tree"
        which = "all" if is_exact else "best first"
        return Scores(values, errors, f"Owen values, {which} of {of_all}")


def _values(steps: Steps, deltas: Floats, by_example: bool) -> Floats:
    """(d, t): what the open steps add, shared by example and by size."""
    values = np.zeros((steps.trees[0].n_features, *deltas.shape[1:]))
    learned = examples(steps, deltas) if by_example else {}
    for r, tree in enumerate(steps.trees):
        own = steps.is_open & (steps.tree == r)
        mass = np.zeros((tree.root + 1, *deltas.shape[1:]))
        np.add.at(mass, steps.node[own], deltas[own] * steps.weight[own, None])
        carry(tree, r, mass, learned)
        nodes = np.flatnonzero(mass.any(axis=1))
        values += np.einsum("sd,st->dt", _shares(tree, nodes), mass[nodes])
    return values


def _errors(steps: Steps, deltas: Floats) -> Floats:
    """(d, t): how far that may be off, NaN where nobody knows."""
    amiss = deviations(steps, deltas)
    squares = np.zeros((steps.trees[0].n_features, *deltas.shape[1:]))
    for r, tree in enumerate(steps.trees):
        own = steps.is_open & (steps.tree == r) & (steps.n_coalitions > 0)
        if amiss is None:
            spreads = _spreads(tree, np.unique(steps.node[own]))
            squares[(spreads > 0).any(axis=0)] = np.nan
            continue
        nodes, mass = _by_node(steps.node[own], amiss[own] * steps.weight[own, None])
        squares += np.einsum("sd,st->dt", _spreads(tree, nodes), mass**2)
    return np.asarray(np.sqrt(squares))


def _by_node(node: Ints, amounts: Floats) -> tuple[Ints, Floats]:
    """Amounts (s, t) of steps, added up for each node that there is."""
    nodes, place = np.unique(node, return_inverse=True)
    total = np.zeros((len(nodes), *amounts.shape[1:]))
    np.add.at(total, place, amounts)
    return nodes, total


def _shares(tree: FeatureTree, nodes: Ints) -> Floats:
    """(s, d): each feature's part of each node, by size."""
    return np.asarray(tree.members[nodes] * tree.size / tree.node_sizes[nodes, None])


def _spreads(tree: FeatureTree, nodes: Ints) -> Floats:
    """(s, d): the variance of each feature's part, in units of what a node is amiss.

    A leaf that is a share p of its node varies as p * (1 - p), as shares that are Dirichlet
    distributed do whatever the tree; its features have fixed parts of it.
    """
    leaf = tree.node_sizes[tree.leaf_of]
    p = tree.members[nodes] * leaf / tree.node_sizes[nodes, None]
    return np.asarray(p * (1 - p) * (tree.size / leaf) ** 2)
