"""An explanation as a tidy table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

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
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError("to_frame needs pandas: pip install pandas") from error
    lower, upper = explanation.interval()
    cubes = {
        "score": explanation.values,
        "standard_error": explanation.standard_errors,
        "lower": lower,
        "upper": upper,
    }
    columns = {name: _rows(array, explanation.axes) for name, array in cubes.items()}
    frame = pd.DataFrame({**_labels(explanation, _cube(lower, explanation.axes).shape), **columns})
    frame["data"] = frame["data"].infer_objects()
    if explanation.regions is not None:
        frame = frame[frame["score"].notna()].reset_index(drop=True)
    return frame


def _labels(explanation: Explanation, shape: tuple[int, ...]) -> dict[str, Any]:
    """What each row is the score of; names as objects, so that any text fits."""
    n, d, k = shape
    names = np.array(explanation.output_names, dtype=object)
    outputs = names if names.ndim == 2 or len(names) else np.array([None] * k, dtype=object)
    features = np.array(explanation.feature_names, dtype=object)
    data = np.full((n, d, 1), None, dtype=object)
    if explanation.regions is None and explanation.data is not None:
        axes = tuple(axis for axis in explanation.axes if axis != "output")
        data = _cube(np.asarray(explanation.data, dtype=object), axes)
    whole = {
        "instance": np.arange(n)[:, None, None],
        "output": np.broadcast_to(outputs, (n, k))[:, None, :],
        "feature": features[None, :, None],
        "data": data,
    }
    return {name: _rows(np.broadcast_to(array, shape), AXES) for name, array in whole.items()}


def _rows(array: Any, axes: tuple[str, ...]) -> Any:
    """One long column, features fastest."""
    return _cube(array, axes).transpose(0, 2, 1).ravel()


def _cube(array: Any, axes: tuple[str, ...]) -> Any:
    """The array with all of instance, feature and output, 1 long where picked out."""
    missing = [i for i, axis in enumerate(AXES) if axis not in axes]
    return np.expand_dims(array, missing)
