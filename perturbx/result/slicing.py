"""What ``explanation[...]`` picks: keys to positions along named axes, and arrays cut by them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import EllipsisType
from typing import Any, TypeAlias

import numpy as np

from perturbx._validation import did_you_mean, shown
from perturbx.errors import SelectionError

Pick: TypeAlias = int | slice | list[int]
"""Positions along one axis; an int takes the axis away."""

Key: TypeAlias = Any
"""int, slice, name, bool array, list of ints or names, or ...; a tuple of them, one for an axis."""


def locate(key: Key, sizes: Mapping[str, int], names: Mapping[str, Any]) -> dict[str, Pick]:
    """What is picked along which axis; axes that are kept whole are left out."""
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
    """The picked part of an array with named axes, or of a tuple that holds the first of them.

    Lists pick along their own axis alone (as in a table), also where there are two of them.
    Where there is nothing, as without data, nothing is picked.
    """
    if array is None:
        return None
    if isinstance(array, tuple):
        pick = picks.get(axes[0], slice(None))
        return tuple(array[i] for i in pick) if isinstance(pick, list) else array[pick]
    for position in reversed(range(len(axes))):
        if axes[position] in picks:
            array = array[(slice(None),) * position + (picks[axes[position]],)]
    return array


def cut_output_names(names: Any, picks: Mapping[str, Pick]) -> Any:
    """Output names after a pick: (n, k) names keep both axes until one instance is taken."""
    kept = {
        axis: [p] if axis == "output" and isinstance(p, int) else p for axis, p in picks.items()
    }
    if np.ndim(names) == 2:
        names = cut(np.asarray(names, dtype=object), ("instance", "output"), kept)
        return names if np.ndim(names) == 2 else tuple(names)
    return tuple(cut(np.asarray(names, dtype=object), ("output",), kept))


def _positions(key: Any, names: Any, axis: str, size: int) -> Pick:
    """The positions that one key means."""
    if isinstance(key, slice):
        return key
    if not isinstance(key, (list, tuple, np.ndarray)) or not getattr(key, "shape", (0,)):
        return _position(key, names, axis, size)
    if _all_bool(key):
        if np.shape(key) != (size,):
            raise SelectionError(
                f"A bool index for {size} {axis}s has shape ({size},): got {np.shape(key)}."
            )
        return [int(i) for i in np.flatnonzero(key)]
    return [_position(k, names, axis, size) for k in key]


def _all_bool(key: Any) -> bool:
    """Whether a list or array says of each position whether it is picked."""
    if isinstance(key, np.ndarray):
        return bool(key.dtype == bool)
    return len(key) > 0 and all(isinstance(k, (bool, np.bool_)) for k in key)


def _position(key: Any, names: Any, axis: str, size: int) -> int:
    """The position of one name or number."""
    if isinstance(key, str):
        names = names if np.ndim(names) == 2 else list(names)
        if np.ndim(names) == 2:
            raise SelectionError(
                f"Each instance has {axis}s of its own: pick an instance before {key!r}."
            )
        if key not in names:
            known = ", ".join(map(repr, names[:20])) + (", ..." if len(names) > 20 else "")
            meant = did_you_mean(key, map(str, names))
            there = " There are" if meant else "; there are"
            raise SelectionError(f"No {axis} is named {key!r}{meant}{there} {known or 'no names'}.")
        return int(names.index(key))
    if not isinstance(key, (int, np.integer)) or isinstance(key, bool):
        raise SelectionError(
            f"Pick {axis}s with an int, a slice, a name, or a list of either: got {shown(key)}."
        )
    if not -size <= key < size:
        raise SelectionError(
            f"No {axis} {shown(key)}: there {'is' if size == 1 else 'are'} {size}."
        )
    return int(key)
