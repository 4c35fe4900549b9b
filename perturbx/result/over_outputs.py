"""Scores summarized over outputs that lie along an axis: a forecast's steps, a survival curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from perturbx._rounding import DOUBLE
from perturbx._typing import Floats, Ints
from perturbx._validation import check_choice, invalid, position_of, real_numbers
from perturbx.errors import InvalidParameterError, SelectionError

if TYPE_CHECKING:
    from perturbx.result.explanation import Explanation

How: TypeAlias = Literal["mean", "sum", "mean_abs"]

Groups: TypeAlias = Mapping[str, Sequence[str | int]]

_WORDS = {"mean": "the mean", "sum": "the sum", "mean_abs": "mean |score|"}

_EXACT = 1e-9
"""Standard errors below this fraction of the largest score are rounding."""

BOUND_NOTE = (
    "standard errors are upper bounds: the errors of outputs that were explained together are "
    "correlated, in a way that is not known"
)


def over_outputs(
    explanation: Explanation, how: How, groups: Groups | None, weights: Any
) -> Explanation:
    """The explanation of summaries of outputs; see `Explanation.over_outputs`."""
    check_choice("how", how, _WORDS)
    members = _members(explanation, groups)
    shares = _shares(explanation, how, members, weights)
    is_sum = how != "mean_abs"
    size = np.abs(shares)

    def of(array: Any, by: Floats) -> Any:
        return None if array is None else np.asarray(array) @ by

    e = explanation
    unknown = np.full((*np.shape(e.predictions)[:-1], shares.shape[1]), np.nan)
    names = [_name(how, group, at) for group, at in members.items()]
    is_sampled = np.nanmax(e.standard_errors, initial=0) > _EXACT * np.nanmax(
        np.abs(e.values), initial=0
    )
    mixed = is_sampled and bool((np.count_nonzero(shares, axis=0) > 1).any())
    pairs = e.interactions
    if pairs is not None and is_sum:
        pairs = replace(
            pairs,
            shapley=pairs.shapley @ shares,
            faith_shap=pairs.faith_shap @ shares,
            shapley_errors=pairs.shapley_errors @ size,
            faith_shap_errors=pairs.faith_shap_errors @ size,
        )
    found = replace(
        e,
        values=of(e.values if is_sum else np.abs(e.values), shares),
        standard_errors=of(e.standard_errors, size),
        background_errors=of(e.background_errors, size),
        base_values=of(e.base_values, shares) if is_sum else unknown,
        predictions=of(e.predictions, shares) if is_sum else unknown,
        residual=of(e.residual, shares) if is_sum else None,
        rounding=of(_rounding(e), size),
        fidelity=None,
        interactions=pairs if is_sum else None,
        output_names=tuple(names),
        notes=(*e.notes, BOUND_NOTE) if mixed else e.notes,
    )
    return found[..., 0] if groups is None else found


def _members(explanation: Explanation, groups: Groups | None) -> dict[str, Ints]:
    """The positions of the outputs in each group; one group of all outputs under ""."""
    names = explanation.output_names
    if "output" not in explanation.axes:
        raise InvalidParameterError(
            "over_outputs summarizes several outputs, and this explanation has a single one."
        )
    if np.ndim(names) == 2:
        raise InvalidParameterError(
            "Each instance has outputs of its own, which have nothing in common to take a mean "
            "of: explain the same outputs of all instances, as in outputs=None."
        )
    k = explanation.shape[-1]
    if groups is None:
        return {"": np.arange(k)}
    if not isinstance(groups, Mapping) or not groups:
        raise invalid("groups", 'a dict, as in {"first day": range(24)}', groups)
    members: dict[str, Ints] = {}
    for group, of in groups.items():
        items = [of] if isinstance(of, (str, int, np.integer)) else list(of)
        if not items:
            raise InvalidParameterError(f"groups: {group!r} holds no output.")
        at = [position_of(item, list(names), k, "output", SelectionError) for item in items]
        if len(set(at)) < len(at):
            raise InvalidParameterError(f"groups: {group!r} names an output twice.")
        members[str(group)] = np.array(at, dtype=np.intp)
    return members


def _shares(explanation: Explanation, how: How, members: dict[str, Ints], weights: Any) -> Floats:
    """(k, g): the weight of each output in each group; for a mean they add up to 1."""
    k = explanation.shape[-1]
    try:
        each = np.ones(k) if weights is None else real_numbers(weights)
    except (TypeError, ValueError, OverflowError):
        each = np.empty(0)
    if each.shape != (k,) or not np.isfinite(each).all():
        raise invalid("weights", f"{k} finite numbers, one for each output", weights)
    if how != "sum" and (each < 0).any():
        raise invalid("weights", "numbers of at least 0, since a mean divides by them", weights)
    shares = np.zeros((k, len(members)))
    for column, (group, at) in enumerate(members.items()):
        total = float(each[at].sum()) if how != "sum" else 1.0
        if total == 0:
            raise InvalidParameterError(
                f"weights are all 0 in {f'group {group!r}' if group else 'every output'}."
            )
        shares[at, column] = each[at] / total
    return shares


def _name(how: How, group: str, at: Ints) -> str:
    if group:
        return group if how != "mean_abs" else f"{group}, mean |score|"
    return f"{_WORDS[how]} of {len(at)} outputs"


def _rounding(explanation: Explanation) -> Any:
    """The rounding error of each output; that of float64 if it is not known."""
    if explanation.rounding is not None:
        return explanation.rounding
    sizes = np.fmax(np.abs(explanation.predictions), np.abs(explanation.base_values))
    return DOUBLE * sizes
