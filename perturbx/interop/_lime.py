"""The scores of one instance in the form of lime's explanations."""

from __future__ import annotations

import numpy as np

from perturbx._typing import Floats
from perturbx._validation import check_kind
from perturbx.errors import InvalidParameterError
from perturbx.features import Regions, Spans
from perturbx.result import Explanation, one_output, without_rounding


def as_list(explanation: Explanation, output: int | str | None = None) -> list[tuple[str, float]]:
    """The features of one instance with their scores, the largest first, like lime's ``as_list``.

    Parameters
    ----------
    explanation : Explanation
        Of one instance: ``explanation[0]``.
    output : int or str, optional
        The name or position of the output, lime's ``label``; needed if there are several.

    Returns
    -------
    list of (str, float)
        A column with its value, as in "age=61"; a region or a piece of a text by its name.

    Raises
    ------
    InvalidParameterError
        If there are several instances, or `output` does not select one output.

    Examples
    --------
    >>> import perturbx as px
    >>> explainer = px.Occlusion(lambda X: X @ [1.0, 5.0], masker=px.Baseline([0.0, 0.0]))
    >>> px.interop.as_list(explainer.explain([2.0, 3.0]))
    [('x1=3.0', 15.0), ('x0=2.0', 2.0)]
    """
    one = one_output(_of_one(explanation), output)
    names = list(map(str, one.feature_names))
    if not isinstance(one.regions, (Regions, Spans)):
        names = [f"{name}={value}" for name, value in zip(names, one.data, strict=True)]
    return [(names[i], float(one.values[i])) for i in _by_size(one.values)]


def as_map(explanation: Explanation) -> dict[int, list[tuple[int, float]]]:
    """For each output, the positions of features with their scores, like lime's ``as_map``.

    Parameters
    ----------
    explanation : Explanation
        Of one instance: ``explanation[0]``.

    Returns
    -------
    dict of int to list of (int, float)
        By the position of the output; the largest score first.

    Raises
    ------
    InvalidParameterError
        If there are several instances.
    """
    one = _of_one(explanation)
    columns = np.reshape(one.values, (len(one.feature_names), -1)).T
    return {j: [(i, float(own[i])) for i in _by_size(own)] for j, own in enumerate(columns)}


def _of_one(explanation: Explanation) -> Explanation:
    check_kind("explanation", explanation, Explanation, "an Explanation")
    if "instance" in explanation.axes and len(explanation) == 1:
        explanation = explanation[0]
    if "instance" in explanation.axes:
        raise InvalidParameterError(
            f"A list is of one instance, not {len(explanation)}: use explanation[i]."
        )
    if "feature" not in explanation.axes:
        raise InvalidParameterError("A list needs a feature axis: pass the whole explanation[i].")
    return without_rounding(explanation)


def _by_size(scores: Floats) -> list[int]:
    """Positions of the known scores, the largest first."""
    order = np.argsort(-np.abs(scores), kind="stable").tolist()
    return [i for i in order if not np.isnan(scores[i])]
