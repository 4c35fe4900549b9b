"""Pairwise interactions: what two features add together beyond what each adds alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from perturbx._typing import Floats


@dataclass(frozen=True, eq=False)
class Interactions:
    """Pairwise interactions of n instances, d features and k outputs, in units of the output.

    In an explanation, the instance and output axes are those of its values.

    Parameters
    ----------
    shapley : (n, d, d, k) array
        The Shapley interaction index of each pair: what two features add together beyond what
        each adds alone, averaged like Shapley values. Symmetric, its diagonal 0.
    faith_shap : (n, d, d, k) array
        Order-2 Faith-Shap: the model with main effects (on the diagonal) and pairwise terms that
        is nearest to the game. Symmetric; the diagonal and the terms of i < j add up to the full
        output less the empty one.
    shapley_errors, faith_shap_errors : (n, d, d, k) array
        Standard errors from having tried only some coalitions; NaN where too few were tried.
    degrees_of_freedom : float
        Of the t distribution behind the errors; inf for the normal.
    """

    shapley: Floats
    faith_shap: Floats
    shapley_errors: Floats
    faith_shap_errors: Floats
    degrees_of_freedom: float = np.inf

    def map(self, change: Callable[[Floats], Floats]) -> Interactions:
        """The same change of all four arrays, such as a slice."""
        names = [field.name for field in fields(self)[:4]]
        changed: dict[str, Any] = {name: change(getattr(self, name)) for name in names}
        return replace(self, **changed)
