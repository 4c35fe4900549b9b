"""Rows that follow what is set by hand, stage by stage from causes to effects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats, Ints
from perturbx.features import Columns, FeatureOrder
from perturbx.maskers._copula import Copula


@dataclass(frozen=True, eq=False)
class Stage:
    """Columns that are drawn together.

    Parameters
    ----------
    members : (k,) int array
    causes : (d,) bool array
        The columns that they follow, present or absent.
    confounded : bool
        False if absent members follow the present ones too, since the members act on each other.
        True if the members depend on each other by causes that were not measured, which setting
        one of them does not change.
    """

    members: Ints
    causes: NDArray[np.bool_]
    confounded: bool


def stages_of(order: FeatureOrder, confounded: Sequence[bool], columns: Columns) -> list[Stage]:
    """The stages of an order of features, causes first, by their columns."""
    stages = []
    for component, hidden in zip(order.components, confounded, strict=True):
        of_features = np.asarray(order.causes[:, list(component)].any(axis=1))
        members = np.flatnonzero(np.isin(columns.feature_of, component))
        stages.append(Stage(members, of_features[columns.feature_of], hidden))
    return stages


def shift_along(
    copula: Copula,
    stages: Sequence[Stage],
    rows: Floats,
    given: Floats,
    known: NDArray[np.bool_],
) -> Floats:
    """(c, b, d): what is added to each score of rows in which the known ones are set.

    Each absent score follows its causes, and keeps what these leave unexplained of it, as in
    `Copula`. Parameters as in `Copula.shift`.
    """
    set_by_hand = known[:, None] & np.ones((rows.shape[-2], 1), dtype=bool)
    moved = np.where(set_by_hand, given - rows, 0.0)
    for stage in stages:
        follows = np.repeat(stage.causes[None], len(known), axis=0)
        if not stage.confounded and len(stage.members) > 1:
            follows[:, stage.members] = known[:, stage.members]
        if follows.any():
            by = _follow(copula, moved, follows)
            absent = ~known[:, None, stage.members]
            moved[:, :, stage.members] += np.where(absent, by[:, :, stage.members], 0.0)
    return np.where(set_by_hand, 0.0, moved)


def _follow(copula: Copula, moved: Floats, follows: NDArray[np.bool_]) -> Floats:
    """(c, b, d): how all scores follow those of each coalition; at once if these are the same."""
    if not (follows == follows[0]).all():
        return copula.shift(np.zeros(()), moved, follows)
    c, b, d = moved.shape
    together = copula.shift(np.zeros(()), moved.reshape(c * b, d), follows[:1])
    return together.reshape(c, b, d)
