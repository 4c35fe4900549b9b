"""The first calls of the model: its outputs, and whether they are reproducible."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from perturbx._typing import Floats, PredictFn
from perturbx.errors import PredictFnError, UnstableModelWarning
from perturbx.game.cost import Cost
from perturbx.maskers import Instances
from perturbx.predictor import Predictor, connect

_SAME = 1e-4
"""Batches of another size may round differently, by at most this fraction of the output."""


def probe(
    predict_fn: PredictFn | Any,
    instances: Instances,
    output_names: Sequence[str] | None,
    batch_size: int | None,
) -> Predictor:
    """Evaluate the model on the first rows, then on the first row again.

    Raises
    ------
    PredictFnError
        If the model fails, or changes the batch that it receives.

    Warns
    -----
    UnstableModelWarning
        If the same row has two different outputs.
    """
    n = min(2, len(instances), batch_size or 2, instances.chunk)
    batch = instances.take(0, n)
    before = copy.deepcopy(batch)
    predictor = connect(predict_fn, batch, n, output_names)
    if not _equal(before, batch):
        raise PredictFnError(
            "predict_fn changed the batch that it received: let it work on a copy, as in "
            "predict_fn=lambda X: model(X.copy())."
        )
    again = predictor(instances.take(0, 1), 1, None, "the first row, asked twice")
    _warn_if_unstable(predictor.first_answers[0], again[0], max(_SAME, predictor.resolution))
    return predictor


def probe_cost(predictor: Predictor) -> Cost:
    """The cost of `probe`."""
    return Cost(len(predictor.first_answers) + 1, 2)


def _warn_if_unstable(first: Floats, second: Floats, same: float) -> None:
    difference = float(np.abs(first - second).max())
    if difference > same * max(float(np.abs(first).max()), 1e-300):
        warnings.warn(
            f"predict_fn answered differently for the same row, by {difference:.3g} "
            f"(its answer is {float(np.abs(first).max()):.3g}): standard errors do not "
            "include that noise. Fix the model's seed, or switch off its dropout.",
            UnstableModelWarning,
            stacklevel=5,
        )


def _equal(before: Any, after: Any) -> bool:
    if hasattr(before, "equals") and before.equals(after):
        return True
    if hasattr(before, "toarray"):
        before, after = before.toarray(), after.toarray()
    if hasattr(before, "detach"):
        before, after = before.detach().cpu().numpy(), after.detach().cpu().numpy()
    before, after = np.asarray(before), np.asarray(after)
    if before.shape != after.shape:
        return False
    if before.dtype == object:
        return all(_same_cell(a, b) for a, b in zip(before.flat, after.flat, strict=True))
    same = before == after
    if before.dtype.kind in "fc":
        same |= np.isnan(before) & np.isnan(after)
    return bool(np.all(same))


def _same_cell(before: Any, after: Any) -> bool:
    """Whether a cell is unchanged; missing values, which equal nothing, count as unchanged."""
    try:
        return before is after or bool(np.all(before == after) or not np.all(after == after))
    except (TypeError, ValueError):
        return type(before) is type(after)
