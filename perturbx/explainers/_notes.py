"""What a reader should know before trusting the scores."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats
from perturbx.explainers._plan import Plan

_LOW_FIDELITY = 0.5

_GOOD = 0.01
"""Without `tol`, standard errors above this part of the range of the scores are said."""


def fit_notes(fidelity: Floats | None) -> tuple[str, ...]:
    """Where a local fit does not describe the model."""
    if fidelity is None or not np.nanmin(fidelity, initial=1.0) < _LOW_FIDELITY:
        return ()
    low = np.asarray(np.nan_to_num(fidelity, nan=1.0).min(axis=1) < _LOW_FIDELITY)
    return (
        f"low fidelity: {_some(low)} local fits that explain as little as R2 = "
        f"{np.nanmin(fidelity):.2f} of what the model does around",
    )


def error_notes(
    values: Floats, errors: Floats, plan: Plan, rows_each: float | None
) -> tuple[str, ...]:
    """Where standard errors are large or unknown, and what would make them small.

    `rows_each` are the model rows of an instance, None where errors do not shrink with their root.
    """
    notes = []
    unknown = np.asarray((np.isnan(errors) & ~np.isnan(values)).any(axis=(1, 2)))
    if unknown.any():
        notes.append(f"{_some(unknown)} too few perturbations to know every standard error")
    reach = np.nanmax(values, axis=1) - np.nanmin(values, axis=1)
    largest = np.nanmax(np.where(np.isnan(errors), 0.0, errors), axis=1)
    share = np.divide(largest, reach, out=np.zeros_like(reach), where=reach > 0).max(axis=1)
    tol = _GOOD if plan.tol is None else plan.tol
    wide = np.asarray(share > tol)
    if wide.any():
        said = f"{_some(wide)} standard errors above {tol:.3g} of the range of the scores, up to "
        said += f"{share.max():.2g}"
        if rows_each is not None:
            more = rows_each * ((share.max() / tol) ** 2 - 1)
            said += f": about {_rounded(more)} more model rows an instance would do"
        notes.append(said)
    return tuple(notes)


def _some(which: NDArray[np.bool_]) -> str:
    n = int(which.sum())
    return f"{n} of {len(which)} instances have" if len(which) > 1 else "there are"


def _rounded(number: float) -> str:
    digits = max(0, int(np.log10(max(number, 1.0))) - 1)
    return f"{int(np.ceil(number / 10**digits) * 10**digits):,}"
