"""The rows of a design, weighted and read a block at a time, and their means and covariances."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from perturbx._typing import Floats, Ints
from perturbx.designs import Design

Distance: TypeAlias = Literal["norm", "cosine", "removed"]

_MOST_NUMBERS = 2**18


@dataclass(frozen=True, eq=False)
class Kernel:
    """exp(-D**2 / width**2): how much a perturbation at the distance D counts.

    Parameters
    ----------
    distance : {"norm", "cosine", "removed"}
        The norm of noise; or of a coalition to the instance, 1 - sqrt(fraction present) or the
        fraction removed.
    width : float
    nearest : float
        D**2 of a perturbation that counts in full.
    """

    distance: Distance
    width: float
    nearest: float = 0.0


@dataclass(frozen=True, eq=False)
class Block:
    """Rows that are read at once, and split no cluster.

    Parameters
    ----------
    part : slice
        Their place in the design.
    z : (b, d) array
    weights : (b,) array
    first : int array
        Where each cluster begins.
    are_mirrored : bool
        True if each cluster is a draw and its mirror image, of the same weight.
    squared : (b,) array or None
        D**2 of the kernel, if there is one.
    """

    part: slice
    z: Floats
    weights: Floats
    first: Ints
    are_mirrored: bool
    squared: Floats | None


def blocks(design: Design, kernel: Kernel | None, every: int = 1) -> Iterator[Block]:
    """Every block of a design, or some of them.

    A kernel may weigh the rows next to the weights of the design.
    """
    m, usual = len(design.weights), max(2, _MOST_NUMBERS // design.n_features)
    start, size, n_seen = 0, usual, 0
    while start < m:
        stop = min(start + size, m)
        numbers = design.cluster[start : stop + 1]  # one more shows whether a cluster ends here
        first = np.flatnonzero(np.diff(numbers, prepend=numbers[:1] - 1))
        if stop < m:
            stop, first = start + int(first[-1]), first[:-1]
        if stop == start:
            size *= 2
            continue
        part, start, size, n_seen = slice(start, stop), stop, usual, n_seen + 1
        if (n_seen - 1) % every:
            continue
        z = design.tile(part).astype(np.float64, copy=False)
        weights = np.array(design.weights[part])
        squared: Floats | None = None
        if kernel is not None:
            if kernel.distance == "norm":
                squared = np.asarray(np.einsum("ij,ij->i", z, z))
            else:
                present = z.mean(axis=1)
                away = 1 - (np.sqrt(present) if kernel.distance == "cosine" else present)
                squared = np.asarray(away**2)
            with np.errstate(over="ignore", under="ignore"):
                beyond = (squared - kernel.nearest) / kernel.width / kernel.width
                weights = weights * np.exp(-beyond)
        are_pairs = len(z) == 2 * len(first) and (first == np.arange(0, len(z), 2)).all()
        are_mirrored = are_pairs and not (z[::2] + z[1::2]).any()
        if are_mirrored:
            are_mirrored = np.array_equal(weights[::2], weights[1::2])
        yield Block(part, z, weights, first, bool(are_mirrored), squared)


@dataclass(frozen=True, eq=False)
class WeightedRows:
    """b rows of d features and their t answers, times the roots of their weights.

    A draw and its mirror image are turned by 45 degrees, into their difference and their sum: no
    fit of slopes changes by that, and sums have no features, so that half of the rows are left.

    Parameters
    ----------
    rows : (b, d) array
    answers : (b, t) array
    ones : (b, 1) array
        The column of the intercept.
    first : int array
        Where each cluster begins.
    sums : (c, t) array
        The answers of the sums.
    doubt : (b, t) array or None
        The variances of the answers, times the weights.
    """

    rows: Floats
    answers: Floats
    ones: Floats
    first: Ints
    sums: Floats
    doubt: Floats | None

    @classmethod
    def of(
        cls, block: Block, center: Floats, answers: Floats, variances: Floats | None
    ) -> WeightedRows:
        """Of a block and its answers (b, t), less their means."""
        z, root = block.z - center, np.sqrt(block.weights)[:, None]
        answers = root * answers
        doubt = None if variances is None else root**2 * variances[block.part]
        if not block.are_mirrored or center.any():
            return cls(root * z, answers, root, block.first, answers[:0], doubt)
        one, other = answers[::2], answers[1::2]
        return cls(
            np.sqrt(2) * root[::2] * z[::2],
            (one - other) / np.sqrt(2),
            np.zeros_like(root[::2]),
            np.arange(len(one)),
            (one + other) / np.sqrt(2),
            None if doubt is None else (doubt[::2] + doubt[1::2]) / 2,
        )


@dataclass(frozen=True, eq=False)
class Moments:
    """Means and covariances of m rows of d features and t outputs.

    Parameters
    ----------
    design : Design
    outputs : (m, t) array
    kernel : Kernel or None
    total : float
        The sum of the weights, by which the sums below are divided.
    effective_rows, effective_clusters : float
        (sum of weights)**2 / sum of squared weights, of single rows and of clusters.
    center : (d,) array
    gram : (d, d) array
        Covariances; exactly 0 for a feature that never changed.
    mean : (t,) array
    cross : (d, t) array
    """

    design: Design
    outputs: Floats
    kernel: Kernel | None
    total: float
    effective_rows: float
    effective_clusters: float
    center: Floats
    gram: Floats
    mean: Floats
    cross: Floats

    @classmethod
    def of(cls, design: Design, outputs: Floats, kernel: Kernel | None = None) -> Moments:
        """Read the design once.

        Differences to the heaviest row of the first block are summed: what varies little around a
        large number loses no digits, and what is constant has no rounding error.
        """
        d, t = design.n_features, outputs.shape[1]
        center, mean, sizes = np.zeros(d), outputs[0], np.zeros(3)
        gram, cross, shift, change = (np.zeros(shape) for shape in ((d, d), (d, t), d, t))
        for block in blocks(design, kernel):
            weights = block.weights
            if block.part.start == 0:
                heaviest = weights.argmax()
                mean = outputs[heaviest]
                center = center if block.are_mirrored else block.z[heaviest]
            changes = outputs[block.part] - mean
            own = WeightedRows.of(block, center, changes, None)
            gram += own.rows.T @ own.rows
            cross += own.rows.T @ own.answers
            shift += own.ones[:, 0] @ own.rows
            change += weights @ changes
            clusters = np.add.reduceat(weights, block.first)
            sizes += weights.sum(), weights @ weights, clusters @ clusters
        total, of_rows, of_clusters = np.where(sizes > 0, sizes, np.inf).tolist()
        gram, cross, shift, change = (a / total for a in (gram, cross, shift, change))
        return cls(
            design,
            outputs,
            kernel,
            float(sizes[0]),
            total**2 / of_rows,
            total**2 / of_clusters,
            center + shift,
            gram - np.outer(shift, shift),
            mean + change,
            cross - np.outer(shift, change),
        )

    def rows(self, variances: Floats | None = None) -> Iterator[WeightedRows]:
        """The rows and their outputs less their means, with weights that sum to 1.

        `variances` (m, t) are those of the outputs.
        """
        for block in blocks(self.design, self.kernel):
            scaled = replace(block, weights=block.weights / self.total)
            changes = self.outputs[block.part] - self.mean
            yield WeightedRows.of(scaled, self.center, changes, variances)
