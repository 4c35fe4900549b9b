"""Checks that the fields of an explanation fit together, so that every view of it works."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from perturbx._typing import ScoreKind
from perturbx.errors import InvalidParameterError
from perturbx.features import LabelMap, Lattice, Pieces, Regions, SeriesMap, Spans, WindowGrid
from perturbx.result.interactions import Interactions
from perturbx.result.per_instance import PerInstance, Remark
from perturbx.result.slicing import AXES, AXES_OF, PAIRS

if TYPE_CHECKING:
    from perturbx.result.explanation import Explanation

_ARRAY = (np.ndarray, np.generic, Real)
_NUMBERS = (_ARRAY, "fiu", "an array of numbers")
_MAYBE_NUMBERS = (_ARRAY, "fiu", "an array of numbers or None")
_NAMES = ((tuple, list), str, "a tuple of str")
_COUNT = (Integral, "iu", "an integer of at least 0")

_FIELDS: dict[str, tuple[Any, Any, str]] = {
    **dict.fromkeys(("values", "standard_errors", "base_values", "predictions"), _NUMBERS),
    **dict.fromkeys(
        ("background_errors", "noise_errors", "residual", "fidelity", "rounding"), _MAYBE_NUMBERS
    ),
    **dict.fromkeys(("axes", "feature_names", "notes"), _NAMES),
    "output_names": ((tuple, list, np.ndarray), str, "a tuple of str, or an (n, k) array of str"),
    **dict.fromkeys(("method", "value_function"), (str, str, "a str")),
    **dict.fromkeys(("n_rows", "n_calls"), _COUNT),
    "degrees_of_freedom": (Real, "fiu", "a number"),
    "converged": ((bool, np.bool_), object, "True, False or None"),
    "effective_samples": (Real, "fiu", "a number or None"),
    "interactions": (Interactions, object, "Interactions or None"),
    "regions": (
        (Regions, Spans, tuple),
        (Regions, Spans),
        "Regions or Spans, a tuple of them, or None",
    ),
    "provenance": (Mapping, object, "a mapping"),
    "per_instance": (PerInstance, object, "PerInstance or None"),
}
"""For each field: its types, the type of its items or the kinds of its dtype, and both in words."""


def check(e: Explanation) -> None:
    """Types, and equal lengths of everything that is sliced together."""
    for name, (kinds, of, expected) in _FIELDS.items():
        value = getattr(e, name)
        if not (_is(value, kinds, of) or (value is None and expected.endswith("None"))):
            dtype = f" of dtype {value.dtype}" if isinstance(value, np.ndarray) else ""
            raise _refused(name, expected, f"a {type(value).__name__}{dtype}")
    if e.axes != tuple(axis for axis in AXES if axis in e.axes):
        raise _refused("axes", f"some of {AXES}, in this order", f"{e.axes!r}")
    if e.score_kind not in get_args(ScoreKind):
        raise _refused("score_kind", '"shares" or "slopes"', f"{e.score_kind!r}")
    for name in ("n_rows", "n_calls"):
        if getattr(e, name) < 0:
            raise _refused(name, _COUNT[2], getattr(e, name))
    outputs = np.shape(e.output_names)
    sizes = dict(zip(e.axes, np.shape(e.values), strict=False))
    sizes |= {"feature": len(e.feature_names)}
    sizes |= dict(zip(("instance", "output")[-len(outputs) :], outputs, strict=True))
    for name, axes in AXES_OF.items():
        value, shape = getattr(e, name), tuple(sizes.get(a) for a in axes if a in e.axes)
        if name == "data" and e.regions is not None:
            continue
        if value is not None and np.shape(value) != shape:
            named = f"shape {shape} for axes {e.axes} and the names given"
            raise _refused(name, named, f"{np.shape(value)}", "have")
    # An axis that was picked out leaves one name behind; for outputs there may be none.
    if "feature" not in e.axes and len(e.feature_names) != 1:
        raise _refused("feature_names", f"one name for axes {e.axes}", f"{len(e.feature_names)}")
    is_single = "output" in e.axes or outputs[-1] <= 1
    if not is_single or (len(outputs) > 1 and "instance" not in e.axes):
        raise _refused("output_names", f"one name at most for axes {e.axes}", f"shape {outputs}")


def _refused(name: str, expected: str, got: Any, verb: str = "be") -> InvalidParameterError:
    return InvalidParameterError(f"{name} must {verb} {expected}: got {got}.")


def _is(value: Any, kinds: Any, of: Any, shape: tuple[int, ...] | None = None) -> bool:
    """Whether a value has one of these types, and its items or its dtype are as they must be."""
    if not isinstance(value, kinds) or isinstance(value, np.ma.MaskedArray):
        return False
    if shape is not None and np.shape(value) != shape:
        return False
    if isinstance(of, str):
        return np.asarray(value).dtype.kind in of
    if isinstance(value, np.ndarray):
        return value.ndim in (1, 2) and all(isinstance(item, of) for item in value.flat)
    items = value if isinstance(value, (tuple, list)) else (value,)
    return all(isinstance(item, of) for item in items)


def check_loaded(e: Explanation) -> None:
    """Checks of parts of parts: `explain` makes them right, but a file may come from elsewhere.

    Raises
    ------
    ValueError
        If regions do not lie in their image, or what must hold one entry per instance does not.
    """
    if e.regions is not None:
        several = "instance" in e.axes
        regions: Any = e.regions if several else (e.regions,)
        images = e.data if several else (e.data,)
        d = len(e.feature_names)
        for image, places in zip(images, regions, strict=True):
            fits = _are_of(image, places) if isinstance(places, Spans) else _lie_in(image, places)
            _must(fits, "regions")
            _must(len(places) in (range(1, d + 1) if several else (d,)), "regions")
    if e.interactions is not None:
        sizes = dict(zip(e.axes, e.shape, strict=True))
        shape = tuple(sizes[axis] for axis in PAIRS if axis in e.axes)
        for part in fields(Interactions)[:4]:
            _must(_is(getattr(e.interactions, part.name), _ARRAY, "fiu", shape), "interactions")
        _must(_is(e.interactions.degrees_of_freedom, Real, "fiu"), "interactions")
    if e.per_instance is not None:
        each, n = e.per_instance, (len(e),)
        _must(_is(each.estimators, *_NAMES[:2], n), "estimators")
        _must(all(_is(counts, _ARRAY, "fiu", n) for counts in (each.n_rows, each.n_calls)), "costs")
        _must(each.converged is None or _is(each.converged, np.ndarray, "b", n), "converged")
        for remark in each.remarks:
            _must(isinstance(remark, Remark) and _is(remark.texts, *_NAMES[:2], n), "remarks")
            _must(_is(remark.severity, _ARRAY, "fiu", n), "remarks")


def _must(condition: Any, what: str) -> None:
    if not condition:
        raise ValueError(f"invalid {what}")


def _are_of(instance: Any, spans: Spans) -> bool:
    """Whether spans are those of pieces of this text or list, in order and without overlaps."""
    starts, stops, names = spans.starts, spans.stops, spans.names
    if not all(_is(ends, np.ndarray, "iu", (len(names),)) for ends in (starts, stops)):
        return False
    inside = (starts >= 0) & (starts < stops) & (stops <= len(instance))
    return bool(
        isinstance(instance, (str, list))
        and len(names) > 0
        and _is(names, tuple, str)
        and len(set(names)) == len(names)
        and isinstance(spans.word, str)
        and inside.all()
    )


def _lie_in(instance: Any, places: Regions) -> bool:
    """Whether regions lie in this image, each at one position at least."""
    image = np.asarray(instance)
    if isinstance(places, (LabelMap, Pieces)):
        if not _is(places.segments, np.ndarray, "iu"):
            return False
        labels = np.unique(places.segments)
        is_right = len(labels) > 0 and np.array_equal(labels, np.arange(len(labels)))
        if isinstance(places, SeriesMap):
            is_right = is_right and _are_channels(image, places)
    elif isinstance(places, WindowGrid):
        starts, extent = places.starts, places.extent
        is_right = (
            _are_lengths(extent, places.size)
            and _is(starts, np.ndarray, "iu", (len(starts), len(extent)))
            and len(starts) > 0
            and bool(((starts >= 0) & (starts < extent)).all())
        )
    else:
        is_right = isinstance(places, Lattice) and _are_lengths(
            places.nodes, places.extent, places.steps
        )
    if not is_right or image.dtype.kind not in "biuf" or not places.shape:
        return False
    spatial, channels = tuple(places.shape), image.ndim == len(places.shape) + 1
    # With channels, they are the last axis or the first.
    without = (image.shape[:-1], image.shape[1:]) if channels else (image.shape,)
    return spatial in (image.shape, *without)


def _are_channels(image: Any, places: SeriesMap) -> bool:
    """Whether a series has the channels that are named, and each feature lies in one or all."""
    n = image.shape[-1] if image.ndim == 2 else 0
    if places.segments.ndim not in (1, 2) or not _is(places.channel_names, *_NAMES[:2], (n,)):
        return False
    columns = places.segments.reshape(len(places.segments), -1).T
    return sum(len(np.unique(column)) for column in columns) == len(places)


def _are_lengths(*parts: Any) -> bool:
    """Whether these are tuples of equal length, each of integers above 0."""
    return len(set(map(len, parts))) == 1 and all(
        _is(part, tuple, Integral) and not any(isinstance(n, bool) or n < 1 for n in part)
        for part in parts
    )
