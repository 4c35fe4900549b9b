"""Items of a list: passages, messages, tools, anything."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from perturbx._validation import invalid, shown
from perturbx.errors import InvalidInputError
from perturbx.features import FeatureTree, Spans
from perturbx.features.spans import distinct, printable
from perturbx.maskers._base import Features, Masker
from perturbx.maskers.bound_pieces import BoundItems
from perturbx.maskers.piece_instances import FittedPieces, PieceInstances, check_no_columns

Chosen: TypeAlias = Callable[[Any], bool] | Sequence[int] | None


@dataclass(frozen=True)
class Segments(Masker):
    """Features are items of a list: passages, messages, tools; absent ones are left out.

    X is a list of lists, or one list whose items are no lists. `predict_fn` gets a list of lists.
    Items may be anything that can be copied; what a model writes into them stays in its batch.

    Parameters
    ----------
    fill : optional
        What stands in for an absent item, such as "(removed)"; None to leave it out.
    pinned : callable, list of positions, or None
        Items that are always present and get no score: those for which the callable is true, as
        in ``lambda message: message["role"] == "system"``, or those at the positions, which may
        count from the end.

    Notes
    -----
    For `OwenShap` the items are halved in their order.

    Examples
    --------
    >>> import perturbx as px
    >>> passages = ["Rome is in Italy.", "Paris is in France.", "Bread is baked."]
    >>> def finds_paris(batch):
    ...     return [any("Paris" in passage for passage in passages) * 1.0 for passages in batch]
    >>> px.KernelShap(finds_paris, masker=px.Segments()).explain(passages).values
    array([0., 1., 0.])
    """

    fill: Any = None
    pinned: Chosen = None

    def fit(self, X: Any, features: Features, rng: np.random.Generator) -> FittedSegments:
        """Check the settings; nothing is learned from X, which may be None.

        Raises
        ------
        InvalidParameterError
            If a setting is invalid, or if `features` names columns.
        """
        check_no_columns(features, "Merge items of the list to score them together.")
        if not (self.pinned is None or callable(self.pinned) or _are_positions(self.pinned)):
            raise invalid("pinned", "a callable, a list of positions, or None", self.pinned)
        return FittedSegments(self)


@dataclass(frozen=True, eq=False)
class FittedSegments(FittedPieces):
    """`Segments` with checked settings."""

    masker: Segments

    @property
    def value_function(self) -> str:  # type: ignore[override]
        fill = self.masker.fill
        return f"absent items {'left out' if fill is None else f'replaced by {shown(fill)}'}"

    def check(self, X: Any) -> PieceInstances:
        lists, single = _lists(X)
        spans = []
        for i, items in enumerate(lists):
            name = "the list" if single else f"list {i}"
            if not items:
                raise InvalidInputError(
                    f"{name} is empty: there is nothing to remove. Leave it out."
                )
            free = self._free(items, name)
            names = distinct(_name_of(items[j]) for j in free)
            starts = np.asarray(free, dtype=np.intp)
            spans.append(Spans(starts, starts + 1, names, "item"))
        return PieceInstances(self, lists, spans, single)

    def batch(self, X: Sequence[Any], layout: None) -> list[list[Any]]:
        return [copy.deepcopy(items) for items in X]

    def bound(self, instance: list[Any], spans: Spans, layout: None) -> BoundItems:
        fill = self.masker.fill
        return BoundItems(
            regions=spans,
            tree=FeatureTree.balanced(len(spans)),
            items=copy.deepcopy(instance),
            stand_in=() if fill is None else (fill,),
        )

    def _free(self, items: list[Any], name: str) -> list[int]:
        """The positions of the items that are not pinned."""
        pinned, n = self.masker.pinned, len(items)
        if callable(pinned):
            free = [j for j, item in enumerate(items) if not pinned(item)]
        else:
            beyond = [j for j in pinned or () if not -n <= j < n]
            if beyond:
                raise InvalidInputError(
                    f"pinned must be positions in every list: {name} has {n} items, and there is "
                    f"no {beyond[0]}."
                )
            free = sorted(set(range(n)) - {j % n for j in pinned or ()})
        if not free:
            raise InvalidInputError(
                f"all {n} items of {name} are pinned: nothing is left to score."
            )
        return free


def _lists(X: Any) -> tuple[list[list[Any]], bool]:
    """Copies of the lists in X, and whether it is a single one."""
    if not isinstance(X, (list, tuple)):
        raise InvalidInputError(
            f"X must be a list of lists, or one list of items; got {type(X).__name__}."
        )
    if not len(X):
        raise InvalidInputError("X is empty: pass at least one list.")
    are_lists = [isinstance(one, list) for one in X]
    if any(are_lists) and not all(are_lists):
        raise InvalidInputError(
            f"X must be a list of lists, or one list whose items are no lists; X[0] is a "
            f"{type(X[0]).__name__}, and X[{are_lists.index(not are_lists[0])}] is not."
        )
    lists = list(X) if all(are_lists) else [list(X)]
    try:
        return copy.deepcopy(lists), not all(are_lists)
    except Exception as error:  # whatever an item raises
        raise InvalidInputError(
            f"the items of X must be copied, as a model may write into them, and one cannot "
            f"({type(error).__name__}: {error}): pass names or dicts, and look them up in "
            "predict_fn."
        ) from error


def _name_of(item: Any) -> str:
    """A message by its role and content, what has a name by that, anything else as it prints."""
    if isinstance(item, str):
        return printable(item)
    if isinstance(item, Mapping):
        role, content = item.get("role"), item.get("content")
        if isinstance(role, str) and isinstance(content, str):
            return printable(f"{role}: {content}")
        if isinstance(item.get("name"), str):
            return printable(item["name"])
    own = getattr(item, "__name__", None)
    return printable(own if isinstance(own, str) else shown(item))


def _are_positions(pinned: Any) -> bool:
    return isinstance(pinned, (list, tuple, range)) and all(
        isinstance(j, (int, np.integer)) and not isinstance(j, bool) for j in pinned
    )
