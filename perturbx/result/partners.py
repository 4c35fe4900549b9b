"""The feature whose values change what another one does to the output."""

from __future__ import annotations

import numpy as np

from perturbx._typing import Floats, Ints
from perturbx.result.columns import Column
from perturbx.result.interactions import Interactions

_FEWEST = 40
"""Fewer instances tell no partner from chance."""

_GROUPS, _PER_GROUP = 40, (8, 30)
"""So many groups of like values, of 8 to 30 instances each."""

_LEVELS = 8
"""Of more categories the rarer ones count as one."""

_ALPHA = 0.05


def strongest_partner(
    scores: Floats, errors: Floats, columns: list[Column], feature: int
) -> int | None:
    """The partner that explains most of a feature's scores among instances with like values.

    Where a model has no interaction, instances with the same value have the same score, up to
    noise. Within groups of like values the scores are therefore regressed on each other feature,
    with a slope for each group, or a mean for each category. The partner has the largest adjusted
    R2 among those whose F test passes, at .05 for all of them together (Bonferroni), and which
    explain more than the errors of the scores could: errors of instances that were explained
    together may depend on their values as well.

    Parameters
    ----------
    scores, errors : (n,) array
        Of the feature; unknown errors count as 0.
    columns : list of d Column
        The values of all features.
    feature : int

    Returns
    -------
    int or None
        None where no partner can be told from chance.
    """
    from scipy.stats import f

    known = np.isfinite(scores)
    if known.sum() < _FEWEST or len(columns) < 2:
        return None
    groups = [group for group in _groups(columns[feature]) if known[group].sum() >= 4]
    groups = [group[known[group]] for group in groups]
    if not groups:
        return None
    noise = sum(float((np.nan_to_num(errors[group]) ** 2).sum()) for group in groups)
    best, found = 0.0, None
    for j, column in enumerate(columns):
        if j == feature:
            continue
        explained, left, df, rest = np.sum([_fit(scores[g], column, g) for g in groups], axis=0)
        if not (df and rest > 0 and explained > noise):
            continue
        ratio = np.inf if left <= 1e-12 * explained else (explained / df) / (left / rest)
        gain = 1 - (left / rest) / ((explained + left) / (df + rest))
        if f.sf(ratio, df, rest) * (len(columns) - 1) < _ALPHA and gain > best:
            best, found = gain, j
    return found


def interacting_partner(pairs: Interactions, feature: int) -> int | None:
    """The partner with the largest mean |interaction| over n instances of one output.

    Returns
    -------
    int or None
        None where the largest mean is below two mean standard errors.
    """
    sizes = np.nan_to_num(np.abs(pairs.shapley[:, feature])).mean(axis=0)
    sizes[feature] = -1.0
    best = int(sizes.argmax())
    error = float(np.nan_to_num(pairs.shapley_errors[:, feature, best]).mean())
    return best if sizes[best] > 2 * error else None


def _groups(column: Column) -> list[Ints]:
    """Positions with about the same value, or in the same category."""
    if not column.is_number:
        return [np.flatnonzero(column.labels == level) for level in column.levels]
    known = np.flatnonzero(np.isfinite(column.numbers))
    order = known[np.argsort(column.numbers[known], kind="stable")]
    size = int(np.clip(len(order) // _GROUPS, *_PER_GROUP))
    groups = np.array_split(order, max(1, len(order) // size))
    return [group for group in groups if len(group)]


def _fit(scores: Floats, column: Column, group: Ints) -> tuple[float, float, float, float]:
    """Sums of squares and degrees of freedom, explained and left, of one group."""
    centered = scores - scores.mean()
    total = float(centered @ centered)
    explained, df = 0.0, 0
    if column.is_number:
        ranks = column.ranks[group]
        present = np.isfinite(ranks)
        x = np.where(present, ranks - ranks[present].mean() if present.any() else 0.0, 0.0)
        if (spread := float(x @ x)) > 0:
            explained, df = float(x @ centered) ** 2 / spread, 1
    else:
        common = column.levels[:_LEVELS]
        codes = [common.index(v) if v in common else _LEVELS for v in column.labels[group]]
        sums, counts = np.bincount(codes, centered), np.bincount(codes)
        explained = float((sums[counts > 0] ** 2 / counts[counts > 0]).sum())
        df = int((counts > 0).sum()) - 1
    return explained, max(total - explained, 0.0), df, len(group) - 1 - df
