"""The sampling variance of answers that are themselves random."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from perturbx._typing import Floats, Ints


@dataclass(frozen=True, eq=False)
class Variances:
    """How far each answer is from its own expectation: the mean square of its error.

    Answers are random where the model answers differently each time, or where an answer is the
    mean of a few draws made for that perturbation alone. The errors of two answers are independent,
    and each has mean 0. 0 says that an answer is exact. An array may be broadcast, so that one
    variance for all perturbations takes no memory.

    Parameters
    ----------
    outputs : (m, n, k) array
        Of the answer to each perturbation.
    full, empty : (n, k) arrays
        Of the answers with everything and with nothing present; `empty` is 0 where there is no
        such state.
    empty_rows : (B, n, k) array, optional
        Of the answer to each background row, where these are given.
    degrees_of_freedom : float
        Of the estimates of these variances; inf if they are known.
    """

    outputs: Floats
    full: Floats
    empty: Floats
    empty_rows: Floats | None = None
    degrees_of_freedom: float = np.inf

    def __post_init__(self) -> None:
        for field in fields(self)[:4]:
            values = getattr(self, field.name)
            if values is not None and not (np.asarray(values) >= 0).all():
                raise ValueError(
                    f"Variances needs {field.name} of at least 0: got "
                    f"{np.asarray(values).min():.3g}. Leave variances away where they are unknown."
                )

    def flat(self) -> Variances:
        """The same for t = n * k targets: (m, t) outputs, (t,) ends and (B, t) rows."""
        rows, t = self.empty_rows, self.full.size
        return replace(
            self,
            outputs=self.outputs.reshape(len(self.outputs), t),
            full=self.full.ravel(),
            empty=self.empty.ravel(),
            empty_rows=None if rows is None else rows.reshape(len(rows), t),
        )

    def of(self, targets: Ints | slice) -> Variances:
        """Those of some targets, the last axis."""
        rows = self.empty_rows
        return replace(
            self,
            outputs=self.outputs[..., targets],
            full=self.full[..., targets],
            empty=self.empty[..., targets],
            empty_rows=None if rows is None else rows[..., targets],
        )

    @property
    def ends(self) -> Floats:
        """Of the full output less the empty one, or of their sum."""
        return np.asarray(self.full + self.empty)
