"""The fall of the output without the top features, or with them alone, as a `Measure`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from perturbx._typing import Floats
from perturbx._validation import invalid
from perturbx.metrics._areas import mean_of, rows_of, total, walks
from perturbx.metrics._curves import Walk, Way
from perturbx.metrics._measure import Measure
from perturbx.metrics._subject import Subject, refuse_noise

TOPS = (0.01, 0.05, 0.1, 0.2, 0.5)
"""The shares of DeYoung et al. (ACL 2020)."""


def top_measure(
    subject: Subject,
    metric: Literal["comprehensiveness", "sufficiency"],
    *,
    shares: Sequence[float],
    references: bool,
) -> Measure:
    """Comprehensiveness or sufficiency."""
    refuse_noise(subject, metric)
    at = check_shares(shares)
    way: Way = "deletion" if metric == "comprehensiveness" else "insertion"
    # The next larger number of features, so that the top is never nothing.
    found = walks(subject, way, at, references, at_least=True)

    def fall(walked: Walk) -> Floats:
        return np.asarray(subject.full[:, :, None] - walked.outputs)

    falls = {name: mean_of(fall, walked) for name, walked in found.items()}
    own = falls.pop("")
    return subject.measure(
        metric,
        own.mean(axis=2),
        "higher" if metric == "comprehensiveness" else "lower",
        total(*found.values()),
        reference_rows=rows_of({name: found[name] for name in falls}),
        references={name: fell.mean(axis=2) for name, fell in falls.items()},
        shares=at,
        curves=subject.shaped(own),
        reference_curves={name: subject.shaped(fell) for name, fell in falls.items()},
    )


def check_shares(shares: Sequence[float]) -> Floats:
    """Increasing shares, each above 0 and at most 1."""
    try:
        at = np.asarray(shares, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        at = np.zeros(0)
    if at.ndim != 1 or not at.size or not ((at > 0) & (at <= 1)).all() or (np.diff(at) <= 0).any():
        raise invalid("shares", "increasing shares above 0 and at most 1", shares)
    return at
