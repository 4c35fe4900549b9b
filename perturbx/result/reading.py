"""One output of an explanation, and scores without rounding errors."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from perturbx._rounding import DOUBLE, above_rounding
from perturbx._typing import Floats
from perturbx._validation import shown
from perturbx.errors import InvalidParameterError

if TYPE_CHECKING:
    from perturbx.result.explanation import Explanation


def without_rounding(explanation: Explanation) -> Explanation:
    """The explanation as it is shown: 0 for each score that is only rounding."""
    return replace(explanation, values=values_without_rounding(explanation))


def values_without_rounding(explanation: Explanation) -> Floats:
    """The scores, with 0 for each that is only rounding."""
    rounding = explanation.rounding
    if rounding is None:
        rounding = DOUBLE * np.fmax(
            np.abs(explanation.predictions), np.abs(explanation.base_values)
        )
    if "feature" in explanation.axes:
        rounding = np.expand_dims(rounding, explanation.axes.index("feature"))
    return above_rounding(explanation.values, rounding)


def one_output(explanation: Explanation, output: int | str | None) -> Explanation:
    """The explanation of one output: the requested one, or the only one."""
    has_axis = "output" in explanation.axes
    k = explanation.shape[-1] if has_axis else 1
    names = explanation.output_names
    own = () if np.ndim(names) == 2 else tuple(names)
    if output is None and k == 1:
        position = 0
    elif isinstance(output, str) and output in own:
        position = own.index(output)
    elif (
        isinstance(output, (int, np.integer)) and not isinstance(output, bool) and -k <= output < k
    ):
        position = int(output)
    else:
        raise _no_output(output, k, own)
    return explanation[..., position] if has_axis else explanation


def _no_output(output: Any, k: int, names: tuple[Any, ...]) -> InvalidParameterError:
    """The error for an output that is missing, or that does not exist."""
    known = ", ".join(map(repr, names[:20])) + ", …" * (len(names) > 20)
    choice = f"one of {known}" if known else "a position" if k == 1 else f"0 to {k - 1}"
    if output is None:
        return InvalidParameterError(
            f"{k:,} outputs were explained: say which with output=, {choice}."
        )
    are_several = isinstance(output, (list, tuple, np.ndarray))
    several = "For several outputs, use one at a time. " * are_several
    return InvalidParameterError(
        f"output must be one that was explained, by name or position, {choice}: "
        f"got {shown(output)}. {several}".rstrip()
    )
