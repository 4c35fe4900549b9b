"""A partial order of features: which features cause which."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Coalitions, Ints
from perturbx._validation import invalid, shown
from perturbx.errors import InvalidParameterError
from perturbx.features.columns import Labels

_UNKNOWN = "order: there is no feature"


@dataclass(frozen=True, eq=False)
class FeatureOrder:
    """A partial order of d features: causes come before their effects.

    Parameters
    ----------
    causes : (d, d) bool array
        True at (i, j) where feature i is a cause of feature j. There are no cycles.
    components : tuple of tuples of int
        The chain components, causes before effects: features in one component are not ordered.
    explained : (d,) bool array, optional
        The features that receive a score, by default all. The others only take a place in orders.

    Examples
    --------
    >>> from perturbx.features import FeatureOrder, Labels
    >>> labels = Labels(["age", "sex", "income"], ["age", "sex", "income"])
    >>> order = FeatureOrder.read([["age", "sex"], ["income"]], labels)
    >>> order.components, order.before.astype(int).tolist()
    (((0, 1), (2,)), [[0, 0, 1], [0, 0, 1], [0, 0, 0]])
    """

    causes: Coalitions
    components: tuple[tuple[int, ...], ...]
    explained: NDArray[np.bool_] | None = None

    @classmethod
    def read(cls, order: Any, labels: Labels) -> FeatureOrder:
        """The user's order: a list of levels, or a mapping of features to their causes.

        Parameters
        ----------
        order : sequence or mapping
            Levels such as ``[["age", "sex"], ["income"]]``, which hold every feature once, causes
            first; or each feature's direct causes, such as ``{"income": ["age", "sex"]}``.
            Features that a mapping does not name have no causes and no effects.
        labels : Labels
            All features, by label, name or position.

        Raises
        ------
        InvalidParameterError
            If a feature is unknown, repeated or left out, or the causes form a cycle.
        """
        if isinstance(order, FeatureOrder):
            return order
        if isinstance(order, Mapping) and order:
            return cls._of_causes(order, labels)
        if isinstance(order, Sequence) and not isinstance(order, (str, bytes)) and order:
            return cls._of_levels(order, labels)
        raise invalid(
            "order",
            'a list of levels, as in [["age", "sex"], ["income"]], or a dict of each feature\'s '
            'causes, as in {"income": ["age", "sex"]}',
            order,
        )

    @classmethod
    def _of_levels(cls, order: Sequence[Any], labels: Labels) -> FeatureOrder:
        d = len(labels.labels)
        level_of, levels = np.full(d, -1), []
        for k, given in enumerate(order):
            level = labels.positions(given, _UNKNOWN, f"order: level {k}", "features")
            if not level:
                raise InvalidParameterError(f"order: level {k} holds no feature: leave it out.")
            for feature in level:
                if level_of[feature] >= 0:
                    raise InvalidParameterError(
                        f"order: feature {labels.labels[feature]!r} is in level "
                        f"{level_of[feature]} and again in level {k}: name it once."
                    )
                level_of[feature] = k
            levels.append(tuple(level))
        left_out = [labels.labels[j] for j in np.flatnonzero(level_of < 0)]
        if left_out:
            raise InvalidParameterError(
                f"order leaves out {len(left_out)} features, {left_out[:5]} first: put every "
                "feature into a level, or pass a dict of the causes that you know."
            )
        return cls(level_of[:, None] < level_of, tuple(levels))

    @classmethod
    def _of_causes(cls, order: Mapping[Any, Any], labels: Labels) -> FeatureOrder:
        d = len(labels.labels)
        causes, named = np.zeros((d, d), dtype=bool), set()
        for key, given in order.items():
            effect = labels.position(key, _UNKNOWN)
            if effect in named:
                raise InvalidParameterError(
                    f"order: feature {labels.labels[effect]!r} is named twice, the second time as "
                    f"{shown(key)}: give all its causes at once."
                )
            named.add(effect)
            for cause in labels.positions(
                given, _UNKNOWN, f"order: the causes of {shown(key)}", "features"
            ):
                if causes[cause, effect]:
                    raise InvalidParameterError(
                        f"order: {labels.labels[cause]!r} is twice among the causes of "
                        f"{shown(key)}: name it once."
                    )
                causes[cause, effect] = True
        graph = {j: np.flatnonzero(causes[:, j]).tolist() for j in range(d)}
        try:
            places = list(TopologicalSorter(graph).static_order())
        except CycleError as error:
            cycle = " → ".join(repr(labels.labels[j]) for j in error.args[1])
            raise InvalidParameterError(
                f"order is cyclic: {cycle}. Remove one of these causes, or put the features that "
                "act on each other into one level of a list of levels."
            ) from None
        return cls(causes, tuple((j,) for j in places))

    @property
    def n_features(self) -> int:
        """The number of features that receive a score."""
        return len(self.causes) if self.explained is None else int(self.explained.sum())

    @property
    def positions(self) -> Ints:
        """The positions of the features that receive a score among all d."""
        return (
            np.arange(len(self.causes)) if self.explained is None else self.explained.nonzero()[0]
        )

    @cached_property
    def before(self) -> Coalitions:
        """(d, d): True at (i, j) where feature i comes before feature j in every order."""
        before = self.causes
        while True:
            further = before | (before.astype(np.float32) @ before > 0)
            if np.array_equal(further, before):
                return before
            before = further

    def restricted(self, explained: Iterable[bool] | NDArray[np.bool_]) -> FeatureOrder:
        """The same order, with scores for some of the features alone."""
        return replace(self, explained=np.asarray(explained, dtype=bool))

    def describe(self, names: Sequence[str]) -> str:
        """The order in words, such as "age, sex → income"; "" where any order is allowed."""
        if not self.causes.any():
            return ""
        level_of = np.empty(len(self.causes), dtype=np.intp)
        for level, members in enumerate(self.components):
            level_of[list(members)] = level
        if np.array_equal(self.causes, level_of[:, None] < level_of):
            return " → ".join(", ".join(names[j] for j in level) for level in self.components)
        return "; ".join(
            f"{', '.join(names[i] for i in self.causes[:, j].nonzero()[0].tolist())} → {names[j]}"
            for (j,) in self.components
            if self.causes[:, j].any()
        )
