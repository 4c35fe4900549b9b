"""Whether model, instances and scores belong together."""

from __future__ import annotations

from typing import Any

import numpy as np

from perturbx._typing import Floats, Ints, LinkName, OutputSelection
from perturbx._validation import invalid
from perturbx.errors import InvalidInputError, InvalidParameterError
from perturbx.explanation import Explanation
from perturbx.game import link
from perturbx.maskers import Removal
from perturbx.metrics._scores import Given
from perturbx.predictor import Predictor

_SAME = 1e-3
"""Predictions that differ by more than this part of their size are those of other rows."""


def check_counts(given: Given, n: int) -> None:
    if given.n != n:
        raise InvalidInputError(
            f"explanation and X do not match: the explanation is of {given.n} instances, and X "
            f"holds {n}."
        )


def check_features(given: Given, first: Removal) -> None:
    regions = first.regions
    if given.n_features is not None:
        if regions is not None or first.n_features != given.n_features:
            raise InvalidInputError(
                f"explanation and X do not match: {given.n_features} features have scores, and "
                f"the masker removes {first.n_features}. Where columns were explained in groups, "
                "pass masker=explainer.masker_."
            )
    elif regions is None or regions.shape != given.spatial[0]:
        shape = "columns" if regions is None else f"an image of {regions.shape}"
        raise InvalidInputError(
            f"explanation and X do not match: the first map has shape {given.spatial[0]}, and the "
            f"masker removes from {shape}."
        )


def columns_of(
    given: Given,
    explanation: Any,
    outputs: OutputSelection,
    predictor: Predictor,
    raw: Floats,
    link_name: LinkName,
    on_scale: bool,
) -> Ints:
    """The model's output behind each score; by name, and else by what the model said."""
    if not isinstance(explanation, Explanation):
        if outputs is None and predictor.n_outputs > 1:
            raise InvalidParameterError(
                f"the model has {predictor.n_outputs} outputs: say with outputs= which of them "
                "the scores explain."
            )
        columns, _ = predictor.select(0 if outputs is None else outputs, raw)
        if columns.shape[1] > 1:
            raise invalid("outputs", "the one output that the scores explain", outputs)
        return columns
    said = np.asarray(given.predictions)
    scales: list[LinkName] = [link_name] if on_scale else ["identity", "logit"]
    for name in scales:
        if name == "logit" and not ((raw > 0) & (raw < 1)).all():
            continue
        found = _matching(given, predictor, link(raw, name), said)
        if found is not None:
            return found
    raise InvalidInputError(
        "explanation and X do not match: its predictions are not what predict_fn says of X"
        + (f' on the scale of link="{link_name}"' if on_scale else "")
        + ". Pass the predict_fn and the X that were explained"
        + (", and their link." if on_scale else ".")
    )


def _matching(given: Given, predictor: Predictor, raw: Floats, said: Floats) -> Ints | None:
    """Columns whose answers are the explanation's predictions, or None.

    A name decides; where the model does not know it, as after output_names=, the nearest answers.
    """
    names = np.broadcast_to(np.asarray(given.names, dtype=object), said.shape)
    known = list(predictor.output_names)
    distance = np.abs(raw[:, None, :] - said[:, :, None])
    if np.ndim(given.names) == 1:  # an output is the same one for every instance
        distance = np.broadcast_to(distance.max(axis=0, keepdims=True), distance.shape)
    near = distance <= _SAME * max(float(np.abs(said).max()), 1e-12)
    columns: Ints = np.argmin(distance, axis=2)
    for i, j in np.ndindex(*said.shape):
        name = str(names[i, j])
        if name in known and near[i, j, known.index(name)]:
            columns[i, j] = known.index(name)
        elif not near[i, j, columns[i, j]]:
            return None
    return columns


def names_of(given: Given, predictor: Predictor, columns: Ints) -> Any:
    """What the outputs are called: by the explanation, or else by the model."""
    if given.names is not None:
        return tuple(given.names) if np.ndim(given.names) == 1 else given.names
    names = np.asarray(predictor.output_names, dtype=object)[columns]
    return tuple(names[0]) if (columns == columns[:1]).all() else names
