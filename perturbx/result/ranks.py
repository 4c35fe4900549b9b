"""What the errors of scores leave open, in words: which is the largest, and which sign it has."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats, Ints
from perturbx.result.text import percent, shorten

_NAMED, _WIDTH = 4, 40

_GROUPS = 4
"""Of more groups the smallest are counted."""


def rank_ranges(values: Floats, half: Floats) -> tuple[Ints, Ints]:
    """The best and the worst rank by size that each score may have.

    Two scores are told apart if their sizes differ by more than the sum of their half intervals,
    which holds for errors that are correlated in any way. An unknown half is NaN.
    """
    lowest, highest = _sizes(values, half)
    d = len(values)
    best = 1 + d - np.searchsorted(np.sort(lowest), highest, side="right")
    worst = d - np.searchsorted(np.sort(highest), lowest, side="left")
    return best, worst


def told_apart(names: Sequence[str], values: Floats, half: Floats, level: float) -> list[str]:
    """Sentences about the largest score, about signs, and about errors that are not known."""
    values, half = np.nan_to_num(values), np.asarray(half, dtype=np.float64)
    if not len(values):
        return []
    if not values.any() and not np.nan_to_num(half, nan=1.0).any():
        return ["Every score is 0: no feature changes this output."]
    sentences = [_largest(names, values, half), *_groups(names, values, half)]
    open_sign = (half > 0) & (np.abs(values) <= half)
    n = int(open_sign.sum())
    if n == len(values) > _NAMED:
        sentences.append(
            f"The sign of every score is open: at {percent(level)}, all intervals contain 0."
        )
    elif n:
        of = f"{n} of {len(values)} scores: {_listed(names, open_sign, values)}"
        contain = "their intervals contain" if n > 1 else "its interval contains"
        sentences.append(f"The sign is open for {of}. At {percent(level)}, {contain} 0.")
    if n := int(np.isnan(half).sum()):
        sentences.append(f"The errors of {n} of {len(values)} scores are unknown.")
    elif not half.any():
        sentences.append("All scores are exact: they have no sampling error.")
    return sentences


def _largest(names: Sequence[str], values: Floats, half: Floats) -> str:
    best, _ = rank_ranges(values, half)
    top = best == 1
    n = int(top.sum())
    if n == 1:
        return f"{_listed(names, top, values)} has the largest score."
    if not half[top].any():
        return f"{_listed(names, top, values)} share the largest score."
    any_of = f"any of {n}: " * (n > 2) + _listed(names, top, values, "or")
    if n == len(values) > _NAMED:
        any_of = "any feature"
    return (
        f"The largest score may be that of {any_of}. Their sizes differ by less than their joint "
        "errors."
    )


def _groups(names: Sequence[str], values: Floats, half: Floats) -> list[str]:
    """Groups whose order is certain, where some features of a group are not told apart."""
    lowest, highest = _sizes(values, half)
    order = np.argsort(-highest, kind="stable")
    # A group ends where all that follows is surely smaller than everything before.
    before = np.minimum.accumulate(lowest[order])[:-1]
    ends = np.flatnonzero(highest[order][1:] < before) + 1
    groups = np.split(order, ends)
    if len(groups) == 1 or len(groups) == len(names):
        return []
    lists = []
    for group in groups[:_GROUPS]:
        chosen = np.zeros(len(names), dtype=bool)
        chosen[group] = True
        lists.append(_listed(names, chosen, values))
    rest = sum(map(len, groups[_GROUPS:]))
    lists += [f"{rest} smaller"] * bool(rest)
    return [
        f"Largest first: {'; then '.join(lists)}. Between these groups the order is certain, "
        "within a group it is not."
    ]


def _listed(
    names: Sequence[str], chosen: NDArray[np.bool_], values: Floats, last: str = "and"
) -> str:
    """Some names, largest scores first, each kept from changing the direction of the others."""
    order = [i for i in np.argsort(-np.abs(values), kind="stable") if chosen[i]]
    shown = [f"\u2068{shorten(str(names[i]), _WIDTH)}\u2069" for i in order[:_NAMED]]
    if rest := len(order) - len(shown):
        return f"{', '.join(shown)} {last} {rest} more"
    return f" {last} ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))


def _sizes(values: Floats, half: Floats) -> tuple[Floats, Floats]:
    """The ends of each size's interval; anything from 0 where the error is not known."""
    size = np.abs(np.nan_to_num(values))
    lowest, highest = np.maximum(size - half, 0.0), size + half
    return np.nan_to_num(lowest, nan=0.0), np.where(np.isnan(highest), np.inf, highest)
