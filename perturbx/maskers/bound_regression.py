"""What the model answers on average, by a regression that was fitted to its answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from perturbx._typing import Coalitions, Floats, Ints, Noise
from perturbx.errors import InvalidInputError, NotFittedError
from perturbx.maskers._base import BoundMasker
from perturbx.maskers._surrogate import Surrogate
from perturbx.maskers._tabular import Rows
from perturbx.maskers.bound_moved import BoundScored, FittedMoved

_MOST_OUTPUTS = 20
"""More outputs than this take one regression each, and too long."""


@dataclass(frozen=True, eq=False, kw_only=True)
class FittedRegression(FittedMoved):
    """Training rows, and what was learned from the model's answers to them.

    Parameters
    ----------
    masks : int
        The random coalitions under which each row is seen.
    trees : bool
    seed : int
    surrogate : Surrogate or None
        None until it has learned.
    """

    masks: int
    trees_too: bool
    seed: int
    surrogate: Surrogate | None = None

    @property
    def asks(self) -> Rows | None:  # type: ignore[override]
        return Rows(self, self.learned.rows, False) if self.surrogate is None else None

    @property
    def is_taught(self) -> bool:  # type: ignore[override]
        return self.surrogate is not None

    def taught(self, answers: Floats) -> FittedRegression:
        n, k = answers.shape
        if k > _MOST_OUTPUTS:
            raise InvalidInputError(
                f"predict_fn returns {k} outputs, and ConditionalRegression fits a regression to "
                f"each of at most {_MOST_OUTPUTS}: let predict_fn return those that you explain, "
                "as in lambda X: model(X)[:, :3], or use masker=px.ConditionalNearest()."
            )
        surrogate = Surrogate.of(
            self.learned.copula,
            self.learned.means,
            answers,
            self.columns,
            self.masks,
            self.trees_too,
            self.seed,
        )
        asked = f"the regression learned from {n} model rows in fit, which n_rows leaves out"
        return replace(self, surrogate=surrogate, notes=(*self.notes, asked))

    def bound(self, rows: Any) -> list[BoundMasker]:
        if self.surrogate is None:
            raise NotFittedError(
                "ConditionalRegression learns from the model's answers, which it gets in the fit "
                "of an explainer: pass the masker that this has fitted, as in "
                "masker=px.KernelShap(predict_fn, masker=px.ConditionalRegression()).fit(X)."
                "masker_."
            )
        return [BoundRegression(surrogate=self.surrogate, **one) for one in self.scored(rows)]


@dataclass(frozen=True, eq=False, kw_only=True)
class BoundRegression(BoundScored):
    """One row on the scale of normal scores, and a regression on any of them."""

    knows_answers = True

    surrogate: Surrogate

    def answers(self, z: Coalitions) -> Floats:
        known = self.columns.of(z) & ~np.isnan(self.given)
        return self.surrogate.expected(np.nan_to_num(self.given), known)

    def batch(self, z: Coalitions | Noise, rows: slice | Ints, scratch: Any) -> Any:
        bits = scratch[: len(z) * len(self.instance)].reshape(len(z), -1)
        bits[...] = self.instance
        return self.layout.decode(bits, self.tables)
