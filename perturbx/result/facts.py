"""What a reader should know of an explanation before its scores: facts in plain words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from perturbx._rounding import DOUBLE
from perturbx.result.summary import half_widths
from perturbx.result.text import numbers, percent

if TYPE_CHECKING:
    from perturbx.result.explanation import Explanation

_POOR = 0.5
"""R2 of a local fit below which a reader is warned."""

_WIDE = 0.25
"""Errors above this fraction of the largest score are marked."""


@dataclass(frozen=True)
class Fact:
    """One line; `is_bad` marks what should lower the reader's confidence."""

    label: str
    text: str
    is_bad: bool = False


def facts(explanation: Explanation) -> list[Fact]:
    """Method, value function, cost, and how far the numbers can be trusted."""
    e = explanation
    found = [Fact("Method", e.method), Fact("Question", question(e)), Fact("Cost", cost(e))]
    if e.converged is not None:
        said = (
            "yes, every error is as small as asked for"
            if e.converged
            else ("no, the budget was spent before every error was as small as asked for")
        )
        found.append(Fact("Converged", said, not e.converged))
    found += [*_precision(e), *_residual(e), *_fidelity(e)]
    return found


def prediction(e: Explanation) -> list[Fact]:
    """The output with and without features, where there is one of each."""
    both = np.ravel([e.predictions, e.base_values]) if np.size(e.predictions) == 1 else np.empty(0)
    if both.size != 2 or not np.isfinite(both).all():
        return []
    output, base = numbers(both.tolist(), signed=False)
    return [Fact("Prediction", f"{output}; base value {base}")]


def question(explanation: Explanation) -> str:
    """What is explained, with the value function, in one sentence."""
    says = "are slopes of" if explanation.score_kind == "slopes" else "explain"
    removal = explanation.value_function.rstrip(".")
    return f"The scores {says} {removal}." if removal else ""


def cost(explanation: Explanation) -> str:
    """Model rows and calls, in all and for each instance."""
    rows, calls = explanation.n_rows, explanation.n_calls
    said = f"{rows:,} model row{'s'[: rows != 1]} in {calls:,} call{'s'[: calls != 1]}"
    n = len(explanation) if explanation.axes[:1] == ("instance",) else 1
    said += f", {rows / n:,.0f} for each of {n:,} instances" * (n > 1)
    budget = explanation.provenance.get("budget")
    return said + (f"; budget {budget:,} each" if isinstance(budget, int) else "")


def _precision(e: Explanation) -> list[Fact]:
    """The typical interval beside the largest score, and what it leaves out."""
    errors = np.asarray(e.standard_errors)[np.isfinite(e.values)]
    found = []
    if errors.size and np.isnan(errors).all():
        return [Fact("Errors", "unknown: too few perturbations were drawn to estimate them", True)]
    largest = float(np.nanmax(np.abs(e.values), initial=0.0))
    if largest > 0 and errors.size:
        share = float(np.nanmedian(half_widths(e) / largest))
        if share:
            said = f"± {_percent(share)} of the largest score"
            found.append(Fact("Typical 95% interval", said, share > _WIDE))
        else:
            found.append(Fact("Errors", "none from sampling: most scores are exact"))
    moved = e.background_errors
    if moved is not None and largest > 0 and np.isfinite(moved).any():
        share = float(np.sqrt(np.nanmean(np.square(moved)))) / largest
        said = f"would move scores by {_percent(share)} of the largest one; not in the intervals"
        found += [Fact("Another background sample", said, share > _WIDE)] * (share > DOUBLE)
    return found


def _residual(e: Explanation) -> list[Fact]:
    if e.residual is None or not np.isfinite(e.residual).any():
        return []
    gap = float(np.nanmax(np.abs(e.residual)))
    size = float(np.nanmax(np.abs([e.predictions, e.base_values])))
    if gap <= 1e-6 * size:
        return [Fact("Residual", "scores and base value add up to the prediction")]
    return [Fact("Residual", f"scores and base value miss the prediction by up to {gap:.3g}", True)]


def _fidelity(e: Explanation) -> list[Fact]:
    if e.fidelity is None or not np.isfinite(e.fidelity).any():
        return []
    low, high = float(np.nanmin(e.fidelity)), float(np.nanmax(e.fidelity))
    found = f"R2 {low:.2f}" + f" to {high:.2f}" * (f"{low:.2f}" != f"{high:.2f}")
    samples = e.effective_samples
    counted = f", effective sample size {samples:,.0f}" if samples is not None else ""
    return [Fact("Fidelity of the local fit", found + counted, low < _POOR)]


def _percent(share: float) -> str:
    return "less than 0.01%" if share < 1e-4 else percent(float(f"{share:.2g}"))
