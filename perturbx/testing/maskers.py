"""The contract of maskers: the instance where all is present, and the user's data untouched."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np

from perturbx._typing import Coalitions, Noise
from perturbx.designs import CoalitionDesign, SoftMasks
from perturbx.maskers import BoundMasker, Features, Masker
from perturbx.storage.objects import is_part
from perturbx.testing._shared import (
    check_part,
    check_saved,
    equal,
    require,
    same,
    scribble,
    some_rows,
)


def check_masker(masker: Masker, X: Any) -> None:
    """Check that a masker returns the instance where all is present, and never user data itself.

    Parameters
    ----------
    masker : Masker
    X : table of rows, images, texts or lists
        On which it is fitted, and from which it removes features: at least two instances.

    Raises
    ------
    AssertionError
        With the sentence of the contract that does not hold.
    """
    check_part(masker)
    check_saved(masker)
    fitted = masker.fit(X, Features(), np.random.default_rng(0))
    instances = fitted.check(X)
    if fitted.asks is not None:
        answers = np.random.default_rng(0).normal(size=(len(fitted.asks), 2))
        fitted = fitted.taught(answers)
        instances = fitted.check(X)
    if is_part(type(fitted)):
        check_saved(fitted)
    n = len(instances)
    require(not instances.single and n >= 2, "check_masker is given several instances")
    require(bool(fitted.value_function), "value_function says how features are removed")
    each = instances.bind(0, n)
    require(len(each) == n, "bind gives one bound masker for each instance")
    before = copy.deepcopy((X, masker, fitted, each))
    for i, bound in enumerate(each):
        require(bound.accepts is fitted.accepts, "a bound masker accepts what its masker accepts")
        instance = instances.take(i, i + 1)
        _check_bound(pickle.loads(pickle.dumps(bound)), instance)
        _check_bound(bound, instance)
        scribble(instance)
    for stop in range(1, n + 1):
        scribble(instances.take(0, stop))
    kept = same(before, (X, masker, fitted, each))
    require(kept, "the user's data and the masker stay as they are, whatever a model writes")


def _check_bound(bound: BoundMasker, instance: Any) -> None:
    d, per = bound.n_features, bound.rows_per_perturbation
    require(len(bound.feature_names) == d, "one name for each feature")
    require(bound.active.shape == (d,), "active says yes or no to each feature")
    require(bound.row_bytes > 0, "row_bytes are known")
    whole = slice(0, per)
    if bound.knows_answers:
        _check_answers(bound)
    for z in [] if bound.knows_answers else _perturbations(bound):
        scratch = bound.scratch(len(z) * per)
        every = copy.deepcopy(bound.batch(z, whole, scratch))
        n_rows = len(z) * per
        n_built = len(every) if isinstance(every, list) else every.shape[0]
        require(n_built == n_rows, "a batch has a row for each perturbation and its rows")
        at = np.arange(n_rows).reshape(-1, per)
        for rows in [whole, slice(0, 1), slice(per - 1, per)]:
            batch = bound.batch(z, rows, scratch)
            known = copy.deepcopy(batch)
            expected = some_rows(every, at[:, rows].ravel())
            require(equal(known, expected), "a part of the rows is that part of the whole batch")
            scribble(batch)
            again = bound.batch(z, rows, scratch)
            require(equal(again, known), "a model that writes into its batch changes no later one")
        require(bound.interpretable(z).shape == z.shape, "interpretable keeps the shape of z")
    everything = _perturbations(bound)[0]
    batch = bound.batch(everything, whole, bound.scratch(per))
    for row in range(per):
        require(equal(batch[row : row + 1], instance), "all present is the instance itself")


def _check_answers(bound: BoundMasker) -> None:
    for z in _perturbations(bound):
        found = bound.answers(np.asarray(z, dtype=bool))
        require(found.shape == (len(z), 2), "answers has a row for each coalition")
        require(bool(np.isfinite(found).all()), "answers are finite")
        alone = [bound.answers(np.asarray(one[None], dtype=bool))[0] for one in z]
        require(equal(found, np.stack(alone)), "the answer to a coalition depends on no other one")


def _perturbations(bound: BoundMasker) -> list[Coalitions | Noise]:
    """All features present, none of them, each of these among others, and others alone."""
    d, rng = bound.n_features, np.random.default_rng(0)
    if bound.accepts is CoalitionDesign:
        ends: Any = np.array([[True] * d, [False] * d])
        others: Any = rng.random((3, d)) < 0.5
    elif issubclass(SoftMasks, bound.accepts):
        ends, others = np.array([[1.0] * d, [0.0] * d]), rng.random((3, d))
    else:
        ends, others = np.zeros((2, d)), rng.normal(size=(3, d))
    return [ends[:1], ends[1:], np.concatenate([ends, others]), others]
