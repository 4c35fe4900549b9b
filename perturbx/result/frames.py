"""An explanation as a tidy table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from perturbx._validation import needed
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
        score, standard_error, lower and upper (the 95% interval). Regions that an image of a
        batch does not have take no row.

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
    data = np.array(None)
    if explanation.regions is None:
        rows = [axis for axis in axes if axis != "output" and explanation.data is not None]
        data = _cube(np.asarray(explanation.data, dtype=object), rows)
    cubes = {
        "instance": np.arange(n)[:, None, None],
        "output": np.broadcast_to(names if names.size else np.array(None), (n, k))[:, None, :],
        "feature": np.array(explanation.feature_names, dtype=object)[:, None],
        "data": data,
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
    frame["data"] = frame["data"].infer_objects()
    if explanation.regions is not None:
        frame = frame[frame["score"].notna()].reset_index(drop=True)
    return frame


def _cube(array: Any, axes: Any) -> Any:
    """The array with all of instance, feature and output, of length 1 where picked out."""
    return np.expand_dims(array, [i for i, axis in enumerate(AXES) if axis not in axes])
