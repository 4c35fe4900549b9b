"""An explanation as a tidy table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from perturbx._validation import needed
from perturbx.features import Spans
from perturbx.result.series import maps_of, segment_means
from perturbx.result.slicing import AXES

if TYPE_CHECKING:
    import pandas as pd

    from perturbx.result.explanation import Explanation


def to_frame(explanation: Explanation) -> pd.DataFrame:
    """A row for each instance, output and feature, in this order.

    Parameters
    ----------
    explanation : Explanation
        Any, also a slice.

    Returns
    -------
    pandas.DataFrame
        Columns instance (position), output, feature, data (None where a feature is a region),
        score, standard_error, lower and upper (the 95% interval). Regions or pieces that an
        image or text of a batch does not have take no row. Segments of series also have start,
        stop (the first step after the segment) and channel (None for all channels), and data is
        their mean.

    Raises
    ------
    ImportError
        Without pandas.
    """
    pandas = needed("pandas", "to_frame", "pandas")
    axes, names = explanation.axes, np.array(explanation.output_names, dtype=object)
    values = _cube(explanation.values, axes)
    n, d, k = values.shape
    lower, upper = explanation.interval()
    features = np.array(explanation.feature_names, dtype=object)[:, None]
    data = np.array(None)
    spans = explanation.regions if isinstance(explanation.regions, tuple) else ()
    if isinstance(explanation.regions, Spans):
        features, data = _pieces([explanation.regions], [explanation.data], d)
    elif spans and all(isinstance(own, Spans) for own in spans):
        features, data = _pieces(spans, explanation.data, d)
    elif explanation.regions is None:
        rows = [axis for axis in axes if axis != "output" and explanation.data is not None]
        data = _cube(np.asarray(explanation.data, dtype=object), rows)
    cubes = {
        "instance": np.arange(n)[:, None, None],
        "output": np.broadcast_to(names if names.size else np.array(None), (n, k))[:, None, :],
        "feature": features,
        "data": data,
        **_segments(explanation, d),
        "score": values,
        "standard_error": _cube(explanation.standard_errors, axes),
        "lower": _cube(lower, axes),
        "upper": _cube(upper, axes),
    }
    columns = {  # features fastest
        name: np.broadcast_to(cube, (n, d, k)).transpose(0, 2, 1).ravel()
        for name, cube in cubes.items()
    }
    frame: pd.DataFrame = pandas.DataFrame(columns)
    if explanation.regions is not None:
        frame = frame[frame["score"].notna()].reset_index(drop=True)
    for name in {"data", "start", "stop"} & set(frame):
        frame[name] = frame[name].infer_objects()
    return frame


def _segments(explanation: Explanation, d: int) -> dict[str, Any]:
    """(n, d, 1) columns of the segments of series: where they lie, and their means."""
    maps = maps_of(explanation)
    if not maps:
        return {}
    data = explanation.data if "instance" in explanation.axes else (explanation.data,)
    columns = [
        (one.names, segment_means(series, one), *one.spans.T, one.channels)
        for one, series in zip(maps, data, strict=True)
    ]
    cubes = np.full((5, len(maps), d, 1), None, dtype=object)
    for i, parts in enumerate(columns):
        for j, part in enumerate(parts):
            cubes[j, i, : len(part), 0] = np.asarray(part, dtype=object)
    return dict(zip(("feature", "data", "start", "stop", "channel"), cubes, strict=True))


def _pieces(spans: Any, instances: Any, d: int) -> tuple[Any, Any]:
    """(n, d, 1) names of the pieces of texts or lists, and the pieces; None beyond the last."""
    names, pieces = np.full((2, len(spans), d, 1), None, dtype=object)
    for i, (own, instance) in enumerate(zip(spans, instances, strict=True)):
        for j, name in enumerate(own.names):
            piece = instance[own.starts[j] : own.stops[j]]
            names[i, j, 0], pieces[i, j, 0] = name, piece if isinstance(piece, str) else piece[0]
    return names, pieces


def _cube(array: Any, axes: Any) -> Any:
    """The array with all of instance, feature and output, of length 1 where picked out."""
    return np.expand_dims(array, [i for i, axis in enumerate(AXES) if axis not in axes])
