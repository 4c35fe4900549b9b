"""The first calls of the model: its outputs, and whether they are reproducible."""

from __future__ import annotations

import copy
import time
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from perturbx._typing import PredictFn
from perturbx.archive import Archive
from perturbx.errors import PredictFnError, UnstableModelWarning
from perturbx.game.block import UNASKED
from perturbx.game.cost import Cost
from perturbx.maskers import Instances
from perturbx.predictor import ONCE, Patience, Predictor, connect

_SAME = 1e-4
"""Batches of another size may round differently, by at most this fraction of the output."""


def probe(
    predict_fn: PredictFn | Any,
    instances: Instances,
    output_names: Sequence[str] | None,
    batch_size: int | None,
    warns: bool = True,
    archive: Archive | None = None,
    patience: Patience = ONCE,
) -> Predictor:
    """Evaluate the model on the first rows, then on the first row again.

    If that has two different outputs, the predictor `varies`.

    Raises
    ------
    PredictFnError
        If the model fails, or changes the batch that it receives.

    Warns
    -----
    UnstableModelWarning
        If it varies, and `warns`.
    """
    n = min(2, len(instances), batch_size or 2, instances.chunk)
    batch = instances.take(0, n)
    before = copy.deepcopy(batch)
    predictor = connect(predict_fn, batch, n, output_names, archive, patience)
    if not _equal(before, batch):
        raise PredictFnError(
            "predict_fn changed the batch that it received: let it work on a copy, as in "
            "predict_fn=lambda X: model(X.copy())."
        )
    one, start = instances.take(0, 1), time.perf_counter()
    again = predictor(one, 1, None, "the first row, asked twice", turn=1)
    predictor = replace(predictor, seconds=time.perf_counter() - start)
    first = predictor.first_answers[0]
    difference, size = float(np.abs(first - again[0]).max()), float(np.abs(first).max())
    if difference <= max(_SAME, predictor.resolution) * max(size, 1e-300):
        return predictor
    if warns:
        warnings.warn(
            f"predict_fn answered differently for the same row, by {difference:.3g} (its answer is "
            f"{size:.3g}): standard errors do not tell that noise apart. Fix the model's seed, "
            "switch off its dropout, or pass stochastic=True.",
            UnstableModelWarning,
            stacklevel=4,
        )
    return predictor.known_to_vary()


def unasked(n: int) -> Predictor:
    """Stands for a model that was not asked yet, and will be probed with `n` rows."""
    return Predictor(_silent, "", 1, True, ("output",), np.full((n, 1), UNASKED))


def _silent(batch: Any) -> Any:
    raise AssertionError("a model that was not asked")


def probe_cost(predictor: Predictor) -> Cost:
    """The cost of `probe`."""
    return Cost(len(predictor.first_answers) + 1, 2)


def _equal(before: Any, after: Any) -> bool:
    if isinstance(before, dict):
        return list(before) == list(after) and _equal([*before.values()], [*after.values()])
    if isinstance(before, (list, tuple)):
        return len(before) == len(after) and all(map(_same_cell, before, after))
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
    """Whether a cell is unchanged; what equals nothing, such as NaN, counts as unchanged."""
    if type(before) is not type(after):
        return False
    if isinstance(before, (list, tuple, dict)):
        return _equal(before, after)
    kind: Any = type(before)
    if kind.__eq__ is object.__eq__:  # equal to itself alone, and so not to its copy
        return True
    try:
        return before is after or bool(np.all(before == after) or not np.all(after == after))
    except (TypeError, ValueError):
        return True
