"""The input of plots over instances: their scores, the order of features, and columns of data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats
from perturbx._validation import check_list, check_number, position_of
from perturbx.errors import InvalidParameterError
from perturbx.features.places import aligned
from perturbx.plots import _style
from perturbx.result import Explanation, one_output, without_rounding


def instances_of(explanation: Any, output: int | str | None, plot: str) -> Explanation:
    """Several instances with the same features and one output, or an error with the remedy."""
    _style.explanation_of(explanation)
    if explanation.axes[:2] != ("instance", "feature") or len(explanation) < 2:
        few = "one instance" if len(explanation.axes) < 2 or len(explanation) else "no instance"
        got = f"axes {explanation.axes} of shape {explanation.shape}"
        raise InvalidParameterError(
            f"{plot} compares all features of several instances, and got {few}: {got}. Explain "
            "two or more rows, better 100; plots.bar and plots.waterfall draw one."
        )
    if isinstance(explanation.regions, tuple) and not aligned(explanation.regions):
        raise InvalidParameterError(
            f"{plot} compares instances with the same features, and these images or texts have "
            "features of their own: use plots.overlay or plots.text for each."
        )
    one = one_output(explanation, output)
    check_known(one.values, plot)
    return without_rounding(one)


def check_known(values: Floats, plot: str) -> None:
    """An error where there is nothing to draw."""
    if not np.isfinite(values).any():
        raise InvalidParameterError(
            f"{plot} has nothing to draw: no score is known. Instances whose model calls failed "
            "have none, and no mean over instances is known with them: leave them out."
        )


def additive(explanation: Any, output: int | str | None, plot: str) -> Explanation:
    """One instance and one output whose scores add up, or an error with the remedy."""
    one = _style.explanation_of(explanation)
    if "instance" in one.axes and len(one) == 1:
        one = one[0]
    if "instance" in one.axes or "feature" not in one.axes:
        raise InvalidParameterError(
            f"{plot} shows all features of one instance: use {plot}(explanation[i]); got axes "
            f"{one.axes} of shape {one.shape}."
        )
    if one.residual is None:
        raise InvalidParameterError(
            f"{plot} needs scores that add up to the prediction: those of {one.method_name} do "
            "not, or only some of the features were picked. Use plots.bar."
        )
    one = one_output(one, output)
    check_known(one.values, plot)
    return without_rounding(one)


def doubtful(explanation: Explanation, level: float) -> NDArray[np.bool_]:
    """Where a score cannot be told from 0: its interval contains 0. Unknown errors are no doubt."""
    check_number("level", level, above=0, below=1)
    low, high = explanation.interval(level)
    return np.asarray((low <= 0) & (high >= 0) & (explanation.standard_errors > 0))


def feature_order(explanation: Explanation, order: Sequence[str | int] | None) -> list[int]:
    """The positions of features: those of `order`, or all, the most important first."""
    names = explanation.feature_names
    if order is not None:
        keys = check_list("order", order, "features, by name or position")
        found = [position_of(k, names, len(names), "feature", InvalidParameterError) for k in keys]
        return list(dict.fromkeys(found))
    plain = np.abs(np.nan_to_num(explanation.values)).mean(axis=0)
    sizes = explanation.importance().values
    return [int(i) for i in np.lexsort((-plain, -np.where(np.isnan(sizes), plain, sizes)))]
