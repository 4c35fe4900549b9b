"""What an explanation says of itself at the prompt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from perturbx.explanation import Explanation

_SHOWN = 10


def summary(explanation: Explanation) -> str:
    """A head with method and cost, then the largest scores with their errors."""
    lines = [
        _head(explanation),
        f"  value function: {explanation.value_function}",
        _cost(explanation),
    ]
    lines += [f"  note: {note}" for note in explanation.notes]
    if explanation.axes and "feature" in explanation.axes:
        lines += _table(explanation)
    elif not explanation.axes:
        lines.append(
            f"  {explanation.feature_names[0]}: {_plus_minus(explanation.values, explanation.standard_errors)}"
        )
    return "\n".join(lines)


def _head(explanation: Explanation) -> str:
    sizes = [
        f"{size} {axis}{'' if size == 1 else 's'}"
        for axis, size in zip(explanation.axes, explanation.shape, strict=True)
    ]
    return f"{explanation.method}: {', '.join(sizes) or 'one score'}"


def _cost(explanation: Explanation) -> str:
    cost = f"  cost: {explanation.n_rows:,} model rows in {explanation.n_calls:,} calls"
    if explanation.converged is not None:
        cost += "; converged" if explanation.converged else "; not converged"
    if explanation.fidelity is not None:
        cost += f"; fidelity (R2) {np.mean(explanation.fidelity):.3f}"
    return cost


def _table(explanation: Explanation) -> list[str]:
    """The largest scores; over instances their mean size."""
    values, errors = explanation.values, explanation.standard_errors
    axis = explanation.axes.index("feature")
    values, errors = np.moveaxis(values, axis, 0), np.moveaxis(errors, axis, 0)
    many = "instance" in explanation.axes
    if many:
        values = np.nanmean(np.abs(values), axis=1)
        errors = np.sqrt(np.nanmean(errors**2, axis=1))
    columns = values.reshape(len(values), -1)
    errors = errors.reshape(columns.shape)
    order = np.argsort(-np.nan_to_num(np.abs(columns)).max(axis=1), kind="stable")
    outputs = (
        [str(n) for n in np.atleast_1d(explanation.output_names)]
        if np.ndim(explanation.output_names) < 2
        else []
    )
    head = "mean |score| ± typical standard error" if many else "score ± standard error"
    title = "" if columns.shape[1] == 1 or not outputs else " of " + ", ".join(outputs[:_SHOWN])
    width = max(len(explanation.feature_names[i]) for i in order[:_SHOWN])
    rows = [
        f"    {explanation.feature_names[i]:<{width}}  "
        + "  ".join(_plus_minus(v, e) for v, e in zip(columns[i, :4], errors[i, :4], strict=True))
        for i in order[:_SHOWN]
    ]
    if len(order) > _SHOWN:
        rows.append(f"    ... and {len(order) - _SHOWN} more features")
    return [f"  {head}{title}", *rows]


def _plus_minus(value: float, error: float) -> str:
    return f"{float(value):+10.4g} ± {float(error):<8.2g}"
