"""The frozen result of `SurrogateTree`: a tree that repeats a model's answers, as rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Ints
from perturbx._validation import needed
from perturbx.containers import TableNumbers, is_missing
from perturbx.maskers import FittedMasker
from perturbx.result.text import shorten
from perturbx.rules._tree_growth import Branches
from perturbx.rules.fidelity import Fidelity


@dataclass(frozen=True)
class Leaf:
    """One rule of a tree.

    Parameters
    ----------
    conditions : tuple of str
        All hold for the rows of the leaf, and for no others.
    decision : str
        What the tree answers for them, in words.
    share : float
        The share of the held-out rows that come here.
    fidelity : Fidelity
        On those held-out rows: the agreement, or the error of an output.
    n_known, n_drawn : int
        The rows of data and the rows drawn near them that its answer comes from.
    """

    conditions: tuple[str, ...]
    decision: str
    share: float
    fidelity: Fidelity
    n_known: int
    n_drawn: int

    @property
    def text(self) -> str:
        """The rule in one line."""
        said = f"If {' and '.join(self.conditions)}" if self.conditions else "Always"
        return f"{said}: {self.decision}"


@dataclass(frozen=True)
class Node:
    """One node of a tree, as a drawing needs it.

    Parameters
    ----------
    left, right : int
        The nodes of rows that pass its test, and of the others; 0 for a leaf.
    test : str
        The condition of the left branch; "" for a leaf.
    otherwise : str
        That of the right branch.
    decision : str
    share : float
        Of the held-out rows.
    fidelity : Fidelity
        If the tree stopped here.
    value : float
        The answer as a number: that of an output, or the position of the decision among
        `RuleTree.decisions`.
    """

    left: int
    right: int
    test: str
    otherwise: str
    decision: str
    share: float
    fidelity: Fidelity
    value: float


@dataclass(frozen=True, eq=False, repr=False)
class RuleTree:
    """A small tree that repeats the answers of a model, and how well it does.

    Parameters
    ----------
    nodes : tuple of Node
        The root first.
    leaves : tuple of Leaf
        From the left to the right.
    fidelity : Fidelity
        On held-out rows.
    baseline : Fidelity
        That of the best constant answer.
    decisions : tuple of str
        The decisions that rows can have, in words; none for an output.
    output : str
        The output that is fitted, or "decision".
    confidence : float
        Of all intervals.
    n_rows, n_calls : int
        Model rows and calls.
    random_state : int
        Repeats every number.
    notes : tuple of str
        To be read before the rules are trusted.
    """

    nodes: tuple[Node, ...]
    leaves: tuple[Leaf, ...]
    fidelity: Fidelity
    baseline: Fidelity
    decisions: tuple[str, ...]
    output: str
    confidence: float
    n_rows: int
    n_calls: int
    random_state: int
    notes: tuple[str, ...]
    branches: Branches
    answers: NDArray[Any]
    numbers: TableNumbers
    masker: FittedMasker

    def predict(self, X: Any) -> NDArray[Any]:
        """What the tree answers, (n,): an output, or a decision.

        Decisions are positions among the outputs of the model, as its argmax; True and False for
        a threshold; and the labels themselves where the model returns such.

        Parameters
        ----------
        X : table of rows
            In the container that `fit` saw.

        Raises
        ------
        InvalidInputError
            If X is not like the rows of `fit`.
        """
        return np.asarray(self.answers[self.apply(X)])

    def apply(self, X: Any) -> Ints:
        """The number of the leaf in `leaves` that each row of X comes to, (n,)."""
        instances = self.masker.check(X)
        nodes = self.branches.apply(self.numbers.encode(instances.take(0, len(instances))))
        return self._place[nodes]

    @property
    def text(self) -> str:
        """The rules, one line each."""
        return "\n".join(leaf.text for leaf in self.leaves)

    def to_frame(self) -> Any:
        """A pandas DataFrame with one line per leaf.

        Columns: rule, decision, share, fidelity, lower, upper, n_held_out, n_known, n_drawn.
        """
        pandas = needed("pandas", "to_frame", "pandas")
        lines = [
            (
                " and ".join(leaf.conditions),
                leaf.decision,
                leaf.share,
                leaf.fidelity.value,
                *leaf.fidelity.interval,
                leaf.fidelity.n,
                leaf.n_known,
                leaf.n_drawn,
            )
            for leaf in self.leaves
        ]
        names = "rule decision share fidelity lower upper n_held_out n_known n_drawn"
        return pandas.DataFrame(lines, columns=names.split())

    def __repr__(self) -> str:
        level, told = f"{100 * self.confidence:g}% intervals", self.baseline
        head = f"RuleTree of {self.output}: {len(self.leaves)} rules, {self.fidelity}"
        constant = f"; the best constant answer: {told.value:.3f}" * (told.measure == "agreement")
        lines = [
            f"{head} on {self.fidelity.n:,} held-out rows ({level}){constant}",
            *(
                f"  {leaf.text}   ({100 * leaf.share:.3g}% of rows, {leaf.fidelity})"
                for leaf in self.leaves
            ),
            f"  cost: {self.n_rows:,} model rows in {self.n_calls:,} calls",
        ]
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])

    @property
    def _place(self) -> Ints:
        """The position among the leaves of each node that is one."""
        place = np.zeros(len(self.nodes), dtype=np.intp)
        place[list(leaves_of(self.branches))] = np.arange(len(self.leaves))
        return place


def leaves_of(branches: Branches) -> list[int]:
    """The nodes that are leaves, from the left to the right."""
    found, waiting = [], [0]
    while waiting:
        node = waiting.pop()
        if branches.left[node]:
            waiting += [int(branches.right[node]), int(branches.left[node])]
        else:
            found.append(node)
    return found


@dataclass(frozen=True, eq=False)
class Words:
    """The tests of a tree in words."""

    numbers: TableNumbers
    branches: Branches
    has_missing: NDArray[np.bool_]

    def test(self, node: int) -> tuple[str, str]:
        """The condition of the left branch of a node, and that of the right one."""
        column, passes = int(self.branches.column[node]), []
        for is_left in (True, False):
            passes.append(self._joined(column, [(node, is_left)]))
        return passes[0], passes[1]

    def path(self, leaf: int) -> tuple[str, ...]:
        """The conditions of a leaf, one for each column."""
        steps: dict[int, list[tuple[int, bool]]] = {}
        node = leaf
        while node:
            parent = int(
                np.flatnonzero((self.branches.left == node) | (self.branches.right == node))[0]
            )
            is_left = bool(self.branches.left[parent] == node)
            steps.setdefault(int(self.branches.column[parent]), []).append((parent, is_left))
            node = parent
        return tuple(self._joined(column, steps[column]) for column in reversed(steps))

    def _joined(self, column: int, steps: list[tuple[int, bool]]) -> str:
        """Several tests of one column as one condition."""
        name = shorten(self.numbers.layout.names[column], 40)
        levels = self.numbers.levels[column]
        if levels is not None:
            return self._of_categories(name, levels, steps)
        lower, upper, takes_missing = -np.inf, np.inf, True
        for node, is_left in steps:
            cut = float(self.branches.threshold[node])
            takes_missing &= bool(self.branches.missing_left[node]) == is_left
            if is_left:
                upper = min(upper, cut)
            else:
                lower = max(lower, cut)
        if lower == np.inf:  # all numbers pass a test up to infinity
            return f"{name} is missing"
        said = name
        if lower > -np.inf:
            said = f"{_digits(lower)} < {name}" if upper < np.inf else f"{name} > {_digits(lower)}"
        if upper < np.inf:
            said = f"{said} ≤ {_digits(upper)}"
        if said == name:
            return f"{name} is not missing"
        return f"{said} or missing" if takes_missing and self.has_missing[column] else said

    def _of_categories(
        self, name: str, levels: tuple[Any, ...], steps: list[tuple[int, bool]]
    ) -> str:
        for node, is_left in steps:
            if is_left:
                return f"{name} = {_shown(levels[self.branches.code[node]])}"
        codes = sorted({int(self.branches.code[node]) for node, _ in steps})
        if len(levels) == 2 and len(codes) == 1:
            return f"{name} = {_shown(levels[1 - codes[0]])}"
        out = " or ".join(_shown(levels[code]) for code in codes)
        return f"{name} ≠ {out}" if len(codes) == 1 else f"{name} is not {out}"


def _digits(number: float) -> str:
    """A threshold with as many digits as it needs."""
    short = f"{number:.6g}"
    return short if float(short) == number else repr(number)


def _shown(cell: Any) -> str:
    return "missing" if is_missing(cell) else shorten(str(cell), 40)
