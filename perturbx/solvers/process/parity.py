"""Parity (Fourier) terms: an exact basis for set functions, and the language of interactions.

With x in {-1, +1}^d, every game is a sum of c_T prod_{i in T} x_i. Only terms of odd size matter
to Shapley values: each member of T receives 2 c_T / |T| (the rest cancels between a coalition and
its complement). Only terms of even size matter to interactions of two features.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats, Ints
from perturbx.solvers.process.mask_trees import Leaves


@dataclass(frozen=True, eq=False)
class ParityTerms:
    """Coefficients (q,) of the products of the features in `members` (q, d)."""

    members: NDArray[np.float32]
    coefficients: Floats

    def __len__(self) -> int:
        return len(self.coefficients)

    def evaluate(self, signs: Floats) -> NDArray[np.float32]:
        """(n, q): each product at each row of `signs` (n, d), which holds -1 and +1."""
        products = (signs < 0).astype(np.float32) @ self.members.T
        # an odd number of absent members makes the product negative
        odd = products.astype(np.int16)
        odd &= 1
        np.multiply(odd, -2.0, out=products)
        products += 1
        return np.asarray(products)

    def shares(self) -> Floats:
        """(q,): what a member receives of a unit coefficient, 2 / |T|."""
        return np.asarray(2 / self.members.sum(axis=1), dtype=float)

    def shapley(self, coefficients: Floats) -> Floats:
        """(d,): the Shapley values of the sum of the terms with these coefficients."""
        return np.asarray((coefficients * self.shares()) @ self.members, dtype=float)


@cache
def _subsets(length: int, least: int) -> NDArray[np.float32]:
    """(subsets, length): the subsets of a path of `least`, `least` + 2, ... members."""
    chosen = [
        subset
        for size in range(least, length + 1, 2)
        for subset in combinations(range(length), size)
    ]
    table = np.zeros((len(chosen), length), np.float32)
    for row, subset in enumerate(chosen):
        table[row, list(subset)] = 1
    return table


def parity_terms(leaves: Leaves, d: int, most: int, least: int = 3) -> ParityTerms:
    """The parity terms of trees of size `least`, `least` + 2, ..., exactly: the `most` largest.

    A leaf of value c at the end of k splits is c 2^-k prod (1 + sign_i x_i): 2^k terms. Subsets
    are told apart by the sum of a random 64-bit number per feature.
    """
    names = np.random.default_rng(0).integers(0, 2**64, d + 1, dtype=np.uint64)
    keys, values, sources = [], [], []
    lengths = (leaves.features >= 0).sum(axis=1)
    for length in range(least, leaves.features.shape[1] + 1):
        rows = np.flatnonzero(lengths == length)
        subsets = _subsets(length, least)
        if not len(rows) or not len(subsets):
            continue
        path = names[leaves.features[rows, :length]]
        keys.append((path @ subsets.T.astype(np.uint64)).ravel())
        negative = (leaves.signs[rows, :length] < 0).astype(np.float32) @ subsets.T
        signs = 1 - 2 * (negative.astype(int) & 1)
        values.append((signs * (leaves.values[rows] / 2**length)[:, None]).ravel())
        sources.append(_sources(rows, subsets))
    if not keys:
        return ParityTerms(np.zeros((0, d), np.float32), np.zeros(0))
    _, first, place = np.unique(np.concatenate(keys), return_index=True, return_inverse=True)
    sums = np.bincount(place, np.concatenate(values))
    largest = np.argsort(-np.abs(sums), kind="stable")[:most]
    largest = largest[sums[largest] != 0]
    where = np.concatenate(sources)[first[largest]]
    return ParityTerms(_members(leaves, where, d), sums[largest])


def _sources(rows: Ints, subsets: NDArray[np.float32]) -> Ints:
    """(terms, 2): the leaf that a term comes from, and its subset as bits of the path."""
    bits = (subsets @ 2.0 ** np.arange(subsets.shape[1])).astype(int)
    return np.column_stack([np.repeat(rows, len(bits)), np.tile(bits, len(rows))])


def _members(leaves: Leaves, where: Ints, d: int) -> NDArray[np.float32]:
    """(q, d): the features of each term, read back from its leaf."""
    members = np.zeros((len(where), d + 1), np.float32)
    leaf, bits = where.T
    chosen = (bits[:, None] >> np.arange(leaves.features.shape[1]) & 1).astype(bool)
    features = np.where(chosen, leaves.features[leaf], d)
    members[np.arange(len(where))[:, None], features] = 1
    return members[:, :d]
