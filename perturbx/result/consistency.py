"""Whether the fields of an explanation fit together, so that every view of it works."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from perturbx._typing import ScoreKind
from perturbx.errors import InvalidParameterError
from perturbx.features import LabelMap, Lattice, Pieces, Regions, WindowGrid
from perturbx.result.interactions import Interactions
from perturbx.result.per_instance import PerInstance, Remark

if TYPE_CHECKING:
    from perturbx.result.explanation import Explanation

AXES = ("instance", "feature", "output")
SCORES = ("values", "standard_errors", "background_errors")
WITHOUT_FEATURES = ("base_values", "predictions", "residual", "fidelity", "rounding")
_SQUARE = ("instance", "feature", "feature", "output")


def check(e: Explanation) -> None:
    """Types, and equal lengths of everything that is sliced together."""
    for name, (is_right, expected) in _TYPES.items():
        value = getattr(e, name)
        if not is_right(value) and not (value is None and name in _OPTIONAL):
            raise InvalidParameterError(
                f"{name} must be {expected}: got a {type(value).__name__}"
                f"{f' of dtype {value.dtype}' if isinstance(value, np.ndarray) else ''}."
            )
    if e.axes != tuple(axis for axis in AXES if axis in e.axes):
        raise InvalidParameterError(f"axes must be some of {AXES}, in this order: got {e.axes!r}.")
    for name, shape in _shapes(e).items():
        value = getattr(e, name)
        if value is not None and np.shape(value) != shape:
            raise InvalidParameterError(
                f"{name} must have shape {shape} for axes {e.axes} and the names given: "
                f"got {np.shape(value)}."
            )
    _check_picked(e)


def _check_picked(e: Explanation) -> None:
    """An axis that is gone has left one name behind; for outputs there may be none."""
    if "feature" not in e.axes and len(e.feature_names) != 1:
        raise InvalidParameterError(
            f"feature_names must be one name for axes {e.axes}: got {len(e.feature_names)}."
        )
    names = np.shape(e.output_names)
    if ("output" not in e.axes and names[-1] > 1) or (len(names) > 1 and "instance" not in e.axes):
        raise InvalidParameterError(
            f"output_names must be one name at most for axes {e.axes}: got shape {names}."
        )


def check_loaded(e: Explanation) -> None:
    """What `explain` takes care of, and a file from elsewhere need not: parts of parts.

    Raises
    ------
    ValueError
        If regions do not lie in their image, or what holds for each instance is not of each.
    """
    if e.regions is not None:
        several = "instance" in e.axes
        regions: Any = e.regions if several else (e.regions,)
        images = e.data if several else (e.data,)
        d = len(e.feature_names)
        for image, places in zip(images, regions, strict=True):
            _check_places(places, np.asarray(image))
            _must(len(places) in (range(1, d + 1) if several else (d,)), "regions")
    if e.interactions is not None:
        shape = tuple(_sizes(e)[axis] for axis in _SQUARE if axis in e.axes)
        for part in fields(Interactions)[:4]:
            _must(_is_numeric(getattr(e.interactions, part.name), shape), "interactions")
        _must(_is_number(e.interactions.degrees_of_freedom), "interactions")
    if e.per_instance is not None:
        _check_each(e.per_instance, len(e))


def _sizes(e: Explanation) -> dict[str, int]:
    return dict(zip(e.axes, e.shape, strict=False))


def _shapes(e: Explanation) -> dict[str, tuple[Any, ...]]:
    """The shape that each array must have, by the names and by the values."""
    sizes = _sizes(e)
    names: dict[str, int] = {"feature": len(e.feature_names)}
    if np.ndim(e.output_names) == 2:
        names["instance"], names["output"] = np.shape(e.output_names)
    else:
        names["output"] = len(e.output_names)
    whole = tuple(names.get(axis, sizes.get(axis)) for axis in e.axes)
    rows = tuple(sizes.get(axis) for axis in e.axes if axis != "output")
    shapes: dict[str, tuple[Any, ...]] = dict.fromkeys(SCORES, whole)
    shapes |= dict.fromkeys(WITHOUT_FEATURES, tuple(sizes[a] for a in sizes if a != "feature"))
    if e.regions is None:
        shapes["data"] = rows
    return shapes


def _check_places(places: Regions, image: Any) -> None:
    """Regions that lie in this image, each at one position at least."""
    if isinstance(places, (LabelMap, Pieces)):
        segments = places.segments
        _must(isinstance(segments, np.ndarray) and segments.dtype.kind in "iu", "segments")
        labels = np.unique(segments)
        _must(np.array_equal(labels, np.arange(len(labels))) and len(labels), "labels")
    if isinstance(places, WindowGrid):
        starts = places.starts
        n_axes = len(places.extent)
        _must(_are_lengths(places.extent) and _are_lengths(places.size), "windows")
        _must(len(places.size) == n_axes, "windows")
        _must(isinstance(starts, np.ndarray) and starts.dtype.kind in "iu", "windows")
        _must(starts.shape == (len(starts), n_axes) and len(starts), "windows")
        _must(((starts >= 0) & (starts < places.extent)).all(), "windows")
    if isinstance(places, Lattice):
        parts = (places.nodes, places.extent, places.steps)
        _must(all(map(_are_lengths, parts)) and len(set(map(len, parts))) == 1, "lattice")
    _must(image.dtype.kind in "biuf" and len(places.shape) > 0, "image")
    spatial = tuple(places.shape)
    channels = image.ndim == len(spatial) + 1
    _must(
        spatial in (image.shape, image.shape[:-1] if channels else (), image.shape[channels:]),
        "image",
    )


def _check_each(parts: PerInstance, n: int) -> None:
    _must(_are_names(parts.estimators) and len(parts.estimators) == n, "estimators")
    for counts in (parts.n_rows, parts.n_calls):
        _must(_is_numeric(counts, (n,)), "costs")
    converged = parts.converged
    _must(converged is None or _is_array(converged, "b", (n,)), "converged")
    for remark in parts.remarks:
        _must(isinstance(remark, Remark) and _are_names(remark.texts), "remarks")
        _must(len(remark.texts) == n and _is_numeric(remark.severity, (n,)), "remarks")


def _must(condition: Any, what: str) -> None:
    if not condition:
        raise ValueError(f"{what} that are none")


def _is_array(value: Any, kinds: str, shape: tuple[int, ...] | None = None) -> bool:
    is_array = isinstance(value, (np.ndarray, np.generic)) and not np.ma.isMaskedArray(value)
    if not is_array or value.dtype.kind not in kinds:
        return False
    return shape is None or value.shape == shape


def _is_numeric(value: Any, shape: tuple[int, ...] | None = None) -> bool:
    return _is_array(value, "fiu", shape) or (_is_number(value) and shape in (None, ()))


def _is_number(value: Any) -> bool:
    """True for numbers that NumPy can reckon with."""
    return isinstance(value, numbers.Real) and np.asarray(value).dtype.kind in "fiu"


def _is_count(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool) and int(value) >= 0


def _are_lengths(value: Any) -> bool:
    return isinstance(value, tuple) and all(_is_count(length) and length > 0 for length in value)


def _are_names(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and all(isinstance(name, str) for name in value)


def _are_output_names(value: Any) -> bool:
    if isinstance(value, np.ndarray) and value.ndim in (1, 2):
        return all(isinstance(name, str) for name in value.flat)
    return _are_names(value)


def _are_regions(value: Any) -> bool:
    several = value if isinstance(value, tuple) else (value,)
    return all(isinstance(regions, Regions) for regions in several)


_TYPES: dict[str, tuple[Callable[[Any], bool], str]] = {
    **dict.fromkeys((*SCORES, *WITHOUT_FEATURES), (_is_numeric, "an array of numbers")),
    "axes": (_are_names, "a tuple of str"),
    "feature_names": (_are_names, "a tuple of str"),
    "output_names": (_are_output_names, "a tuple of str, or an (n, k) array of str"),
    "method": (lambda v: isinstance(v, str), "a str"),
    "value_function": (lambda v: isinstance(v, str), "a str"),
    "n_rows": (_is_count, "an integer of at least 0"),
    "n_calls": (_is_count, "an integer of at least 0"),
    "degrees_of_freedom": (_is_number, "a number"),
    "converged": (lambda v: isinstance(v, (bool, np.bool_)), "True, False or None"),
    "effective_samples": (_is_number, "a number or None"),
    "interactions": (lambda v: isinstance(v, Interactions), "Interactions or None"),
    "regions": (_are_regions, "Regions, a tuple of Regions, or None"),
    "score_kind": (lambda v: v in get_args(ScoreKind), '"shares" or "slopes"'),
    "notes": (_are_names, "a tuple of str"),
    "provenance": (lambda v: isinstance(v, Mapping), "a mapping"),
    "per_instance": (lambda v: isinstance(v, PerInstance), "PerInstance or None"),
}
_OPTIONAL = {
    *("background_errors", "residual", "fidelity", "rounding", "converged"),
    "effective_samples",
    *("interactions", "regions", "per_instance"),
}
