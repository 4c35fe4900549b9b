"""An explanation in the form of another library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perturbx._validation import check_kind
from perturbx.result import Explanation

if TYPE_CHECKING:
    import pandas as pd


def to_frame(explanation: Explanation) -> pd.DataFrame:
    """As `Explanation.to_frame`."""
    check_kind("explanation", explanation, Explanation, "an Explanation")
    return explanation.to_frame()


def to_shap(explanation: Explanation) -> Any:
    """As `Explanation.to_shap`."""
    check_kind("explanation", explanation, Explanation, "an Explanation")
    return explanation.to_shap()
