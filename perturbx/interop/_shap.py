"""A `shap.Explanation` as an explanation of perturbx."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats
from perturbx._validation import distinct_names, invalid, real_numbers
from perturbx.errors import InvalidInputError
from perturbx.result import Explanation

_OF_IT = "a shap.Explanation of a table, as shap.Explainer(model, X)(X) returns it"


def from_shap(explanation: Any) -> Explanation:
    """The scores of a table that shap computed, for the plots, pages and metrics of perturbx.

    Predictions are what shap's scores add up to. Standard errors are its ``error_std``, where a
    method has them (its sampling explainers), and NaN, for unknown, elsewhere; shap does not count
    model rows, so they are 0.

    Parameters
    ----------
    explanation : shap.Explanation
        Values of shape (n, d), (n, d, k), or (d,) of a single row. Arrays of shap's older calls
        become one by ``shap.Explanation(values, base_values=..., data=X, feature_names=[...])``.

    Returns
    -------
    Explanation

    Raises
    ------
    InvalidParameterError
        If it is no `shap.Explanation`.
    InvalidInputError
        If it is of images or texts, of pairs of features, or without base values.

    Examples
    --------
    >>> import numpy as np, perturbx as px, shap
    >>> theirs = shap.Explanation(
    ...     np.array([[2.0, -1.0]]), base_values=3.0, data=np.array([[5.0, 7.0]])
    ... )
    >>> px.interop.from_shap(theirs).predictions
    array([4.])
    """
    if type(explanation).__module__.partition(".")[0] != "shap":
        raise invalid("explanation", _OF_IT, explanation)
    values = _numbers(explanation.values)
    if values.ndim not in (1, 2, 3):
        raise InvalidInputError(f"from_shap takes {_OF_IT}: got values of shape {values.shape}.")
    outputs = _outputs(explanation, values)
    names = explanation.feature_names
    d = values.shape[0 if values.ndim == 1 else 1]
    if names is None:
        names = [f"x{j}" for j in range(d)]
    if np.ndim(names) != 1 or len(names) != d:
        raise InvalidInputError(
            f"from_shap takes {_OF_IT}: it has {d} features in values, and feature_names of shape "
            f"{np.shape(names)}."
        )
    base = _base(explanation.base_values, values)
    errors = explanation.error_std
    data = explanation.data
    return Explanation(
        values=values,
        standard_errors=np.full_like(values, np.nan) if errors is None else _numbers(errors),
        base_values=base,
        predictions=base + values.sum(axis=0 if values.ndim == 1 else 1),
        data=np.full(values.shape[:2], np.nan) if data is None else np.asarray(data),
        feature_names=distinct_names("feature_names", names),
        output_names=outputs,
        axes=(("feature",), ("instance", "feature"), ("instance", "feature", "output"))[
            values.ndim - 1
        ],
        method="shap",
        value_function="as shap's explainer and background define it",
        n_rows=0,
        n_calls=0,
        notes=("computed by shap, which does not count model rows",),
    )


def _outputs(explanation: Any, values: Floats) -> tuple[str, ...]:
    """A name for each output."""
    k = values.shape[2] if values.ndim == 3 else 1
    if values.ndim == 3 and k == values.shape[1] and np.allclose(values, values.swapaxes(1, 2)):
        raise InvalidInputError(
            f"from_shap takes scores of features: values of shape {values.shape} are the same for "
            "(i, j) and (j, i), as those of pairs of features are."
        )
    names = explanation.output_names
    if names is None or np.ndim(names) > 1 or (np.ndim(names) == 1 and len(names) != k):
        return tuple(f"output {j}" for j in range(k)) if k > 1 else ("output",)
    return distinct_names("output_names", [names] if np.ndim(names) == 0 else names)


def _base(base: Any, values: Floats) -> Floats:
    """Base values of the shape (n,), (n, k) or ()."""
    if base is None:
        raise InvalidInputError(
            "from_shap needs base_values, what the scores are added to: got None. Pass them, as in "
            "shap.Explanation(values, base_values=explainer.expected_value, ...)."
        )
    shape = (values.shape[:1] if values.ndim > 1 else ()) + values.shape[2:]
    found = _numbers(base)
    if found.shape == (*shape, 1):
        found = found[..., 0]
    if found.shape == (1,):
        found = found[0]
    try:
        return np.broadcast_to(found, shape).copy()
    except ValueError:
        raise InvalidInputError(
            f"from_shap needs base_values of shape {shape}, or that broadcast to it: got "
            f"{found.shape}."
        ) from None


def _numbers(values: NDArray[Any]) -> Floats:
    try:
        return real_numbers(values)
    except (TypeError, ValueError, OverflowError):
        raise InvalidInputError(
            f"from_shap takes {_OF_IT}: texts and images of several sizes have no array of scores."
        ) from None
