"""Indexing of an explanation: keys to positions along named axes, and every field cut by them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from types import EllipsisType
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from perturbx._validation import position_of, shown
from perturbx.errors import SelectionError
from perturbx.features import Regions, Spans
from perturbx.result.series import maps_of

if TYPE_CHECKING:
    from perturbx.result.explanation import Explanation

Pick: TypeAlias = int | slice | list[int]
"""Positions along one axis; an int removes the axis."""

Key: TypeAlias = Any
"""int, slice, name, bool array, list of ints or names, or ...; or a tuple with one per axis."""

AXES = ("instance", "feature", "output")

AXES_OF: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("values", "standard_errors", "background_errors", "noise_errors"), AXES),
    **dict.fromkeys(("base_values", "predictions", "residual"), ("instance", "output")),
    **dict.fromkeys(("fidelity", "rounding"), ("instance", "output")),
    "data": ("instance", "feature"),
}
"""The axes of each array in an explanation of tables, as far as the explanation has them."""

PAIRS = ("instance", "feature", "feature", "output")
"""The axes of interactions."""


def picked(e: Explanation, key: Key) -> dict[str, Any]:
    """The fields of ``e[key]`` that differ from those of `e`."""
    if _of_several_texts(e) and isinstance(key, tuple) and len(key) > 1 and _is_int(key[0]):
        one = e[key[0]][key[1:]]  # only a single text has names for its pieces
        return {f.name: getattr(one, f.name) for f in fields(one)}
    names = {"feature": e.feature_names, "output": e.output_names}
    picks = locate(key, dict(zip(e.axes, e.shape, strict=True)), names)
    if "feature" in picks:
        _check_pickable(e, picks["feature"])
    axes_of = dict(AXES_OF)
    if "feature" in picks and maps_of(e):
        e = replace(e, regions=None, data=None)  # single segments are no series
    if e.regions is not None:
        axes_of |= dict.fromkeys(("data", "regions"), ("instance",))
    new = {n: cut(getattr(e, n), _shared(axes, e.axes), picks) for n, axes in axes_of.items()}
    new["axes"] = tuple(axis for axis in e.axes if not isinstance(picks.get(axis), int))
    new["output_names"] = _cut_output_names(e.output_names, picks)
    if "feature" in picks:
        kept = np.atleast_1d(np.arange(len(e.feature_names))[picks["feature"]]).tolist()
        new["feature_names"] = tuple(e.feature_names[i] for i in kept)
        if isinstance(e.regions, Spans):
            new["regions"] = e.regions.take(kept)
        new["interactions"] = None
        if len(set(kept)) < len(e.feature_names):
            new["residual"] = None
    elif e.interactions is not None:
        pairs = _shared(PAIRS, e.axes)
        new["interactions"] = e.interactions.map(lambda array: cut(array, pairs, picks))
    if e.per_instance is not None and "instance" in picks:
        each = e.per_instance.pick(picks["instance"])
        shared = [note for note in e.notes if note not in e.per_instance.notes]
        new |= {**each.together(e.method_name), "notes": (*shared, *each.notes)}
        new["per_instance"] = each if "instance" in new["axes"] else None
    own = new.get("regions")
    if isinstance(own, (Regions, Spans)) and (
        isinstance(e.regions, tuple) or "feature" not in picks
    ):
        new |= _own_features(e, new, own)
    return new


def _own_features(e: Explanation, new: dict[str, Any], own: Regions | Spans) -> dict[str, Any]:
    """Only the features of one image or text: others of the batch may have more."""
    d = len(own)
    scores = ("values", "standard_errors", "background_errors", "noise_errors")
    cut_scores = {n: None if new[n] is None else new[n][:d] for n in scores}
    return {"feature_names": own.names or e.feature_names[:d], **cut_scores}


def _of_several_texts(e: Explanation) -> bool:
    return isinstance(e.regions, tuple) and any(isinstance(own, Spans) for own in e.regions)


def _is_int(key: Any) -> bool:
    return isinstance(key, (int, np.integer)) and not isinstance(key, bool)


def _check_pickable(e: Explanation, pick: Pick) -> None:
    """Refuse to pick features that have no meaning on their own."""
    if _of_several_texts(e):
        raise SelectionError(
            "Pieces of different texts have nothing in common: pick a text first, as in "
            "explanation[0, 'word']."
        )
    if e.regions is not None and not isinstance(e.regions, Spans) and not maps_of(e):
        first = int(np.atleast_1d(np.arange(len(e.feature_names))[pick])[0])
        place = f"explanation.feature_names.index({e.feature_names[first]!r})"
        raise SelectionError(
            "Regions of an image cannot be picked, since its maps need all of them. For the scores "
            f"of one take explanation.values[{':, ' * e.axes.index('feature')}{place}], its "
            "errors likewise; explanation.heatmap() shows where regions are."
        )


def locate(key: Key, sizes: Mapping[str, int], names: Mapping[str, Any]) -> dict[str, Pick]:
    """The positions that are picked along each axis; axes that are kept whole are left out."""
    keys = list(key) if isinstance(key, tuple) else [key]
    dots = [i for i, k in enumerate(keys) if isinstance(k, EllipsisType)]
    if len(dots) > 1 or len(keys) - len(dots) > len(sizes):
        raise SelectionError(
            f"An explanation with axes {tuple(sizes)} takes at most {len(sizes)} indices and one "
            f"'...': got {len(keys)}."
        )
    if dots:
        keys[dots[0] : dots[0] + 1] = [slice(None)] * (len(sizes) - len(keys) + 1)
    picks: dict[str, Pick] = {}
    for axis, k in zip(sizes, keys, strict=False):
        named, instance = names.get(axis, ()), picks.get("instance")
        if np.ndim(named) == 2 and isinstance(instance, int):
            named = named[instance]
        picks[axis] = _positions(k, named, axis, sizes[axis])
    return {axis: pick for axis, pick in picks.items() if pick != slice(None)}


def cut(array: Any, axes: Sequence[str], picks: Mapping[str, Pick]) -> Any:
    """The picked part of an array with named axes, or of a tuple along the first of them.

    Each list picks along its own axis (as in a table), also where there are two of them. None
    stays None.
    """
    if isinstance(array, tuple):
        pick = picks.get(axes[0], slice(None))
        return tuple(array[i] for i in pick) if isinstance(pick, list) else array[pick]
    for position in reversed(range(len(axes))):
        if array is not None and axes[position] in picks:
            array = array[(slice(None),) * position + (picks[axes[position]],)]
    return array


def _shared(axes: Sequence[str], of: Sequence[str]) -> list[str]:
    return [axis for axis in axes if axis in of]


def _cut_output_names(names: Any, picks: Mapping[str, Pick]) -> Any:
    """Output names after a pick: (n, k) names keep both axes until one instance is picked."""
    kept = {
        axis: [p] if axis == "output" and isinstance(p, int) else p for axis, p in picks.items()
    }
    axes = ("instance", "output") if np.ndim(names) == 2 else ("output",)
    names = cut(np.asarray(names, dtype=object), axes, kept)
    return names if names.ndim == 2 else tuple(names)


def _positions(key: Any, names: Any, axis: str, size: int) -> Pick:
    """The positions that one key means."""
    if isinstance(key, slice):
        return key
    if not isinstance(key, (list, tuple, np.ndarray)) or not getattr(key, "shape", (0,)):
        return _position(key, names, axis, size)
    if isinstance(key, np.ndarray):
        is_bool = key.dtype == bool
    else:
        is_bool = len(key) > 0 and all(isinstance(k, (bool, np.bool_)) for k in key)
    if not is_bool:
        return [_position(k, names, axis, size) for k in key]
    if np.shape(key) != (size,):
        raise SelectionError(
            f"A bool index for {size} {axis}s has shape ({size},): got {np.shape(key)}."
        )
    return [int(i) for i in np.flatnonzero(key)]


def _position(key: Any, names: Any, axis: str, size: int) -> int:
    """The position of one name or number."""
    if isinstance(key, str) and np.ndim(names) == 2:
        raise SelectionError(
            f"Each instance has {axis}s of its own: pick an instance before {key!r}."
        )
    if not (isinstance(key, str) or _is_int(key)):
        raise SelectionError(
            f"Pick {axis}s with an int, a slice, a name, or a list of either: got {shown(key)}."
        )
    return position_of(key, names, size, axis, SelectionError)
