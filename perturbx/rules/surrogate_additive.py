"""An additive or linear model that repeats an output of another model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from perturbx._rounding import DOUBLE
from perturbx._typing import Floats
from perturbx._validation import check_integer
from perturbx.containers import TableNumbers
from perturbx.errors import InvalidParameterError
from perturbx.rules._surrogate import BaseSurrogate, output_position
from perturbx.rules.additive_model import AdditiveModel, Term, contributions
from perturbx.rules.fidelity import explained

_PENALTIES = tuple(float(x) for x in np.logspace(-4, 4, 17))


@dataclass(eq=False, repr=False)
class SurrogateAdditive(BaseSurrogate):
    """A sum of one curve per column that repeats an output of a model.

    It is fitted to what the model answers, as `SurrogateTree` is. Its fidelity on held-out rows
    tells how much of the output has no interactions, or with ``n_knots=2`` how much is linear.

    Parameters
    ----------
    predict_fn : callable or fitted model
        A batch of rows to outputs (n,) or (n, k).
    n_knots : int
        Curves are joined by straight lines at so many quantiles of a column; 2 gives straight
        lines from its smallest to its largest number. Every category has an effect of its own.
    output : str or int, optional
        The output of a model that has several; of two, the second by default.
    confidence : float
        Of the interval of the fidelity.
    budget : int, optional
        The most model rows, 20,000 by default: up to a quarter of them for the held-out rows. The
        three rows by which the model's outputs are learned come on top.
    feature_names, output_names : sequence of str, optional
        Names where neither the model nor the container gives them.
    batch_size : int, optional
        The most rows in one call of predict_fn.
    {asking}
    random_state : int, numpy generator or None
        Fixes every number, whatever batch_size.

    Notes
    -----
    A ridge regression on standardized columns; generalized cross-validation chooses its penalty
    (`sklearn.linear_model.RidgeCV`).

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> X = np.random.default_rng(0).uniform(-1, 1, size=(600, 2))
    >>> model = lambda X: np.abs(X[:, 0]) + X[:, 1]
    >>> curves, lines = (
    ...     px.SurrogateAdditive(model, n_knots=n, random_state=0).fit(X).explain() for n in (9, 2)
    ... )
    >>> curves.fidelity.value > 0.99 > lines.fidelity.value
    True
    """

    n_knots: int = field(default=9, kw_only=True)
    output: str | int | None = field(default=None, kw_only=True)

    def explain(self, X: Any = None) -> AdditiveModel:
        """Fit the terms, and measure how well they repeat the model.

        Parameters
        ----------
        X : table of rows, optional
            Rows by which the fidelity is judged, such as a test set; no labels are needed.
            Without them a quarter of the rows of `fit` is held out.

        Returns
        -------
        AdditiveModel

        Raises
        ------
        NotFittedError, InvalidInputError, BudgetError, PredictFnError
            As `SurrogateTree`.
        InvalidParameterError
            If a parameter cannot have its value, or if the output is constant.
        """
        study = self._study(X)
        names = study.answering.predictor.output_names
        at = output_position(self.output, names)
        answers, truth = study.known.outputs[:, at], study.held_out.outputs[:, at]
        every = np.concatenate([answers, truth])
        if np.ptp(every) <= 8 * DOUBLE * np.abs(every).max():
            raise InvalidParameterError(
                f"predict_fn answered {every[0]:.6g} to all {len(every):,} rows: there is nothing "
                "to fit. Pass rows with other answers, or another output."
            )
        terms = self._terms(study.numbers, study.known.values, answers)
        cost = study.answering.cost
        added = contributions(terms, study.numbers, study.held_out.values).sum(axis=1)
        mean = float(answers.mean())
        return AdditiveModel(
            intercept=mean,
            terms=terms,
            fidelity=explained(truth, mean + added, self.confidence),
            output=names[at],
            confidence=self.confidence,
            n_rows=cost.n_rows,
            n_calls=cost.n_calls,
            random_state=study.seed,
            notes=study.notes,
            numbers=study.numbers,
            masker=study.masker,
        )

    def _terms(self, numbers: TableNumbers, values: Floats, answers: Floats) -> tuple[Term, ...]:
        from sklearn.linear_model import RidgeCV

        columns = [_Basis.of(numbers, values, j, self.n_knots) for j in range(values.shape[1])]
        parts = [basis(values) for basis in columns]
        design = np.concatenate(parts, axis=1)
        center, scale = design.mean(axis=0), design.std(axis=0)
        used = scale > 0
        ridge = RidgeCV(alphas=[a * len(design) for a in _PENALTIES])
        ridge.fit(((design - center) / np.where(used, scale, 1))[:, used], answers)
        slopes = np.zeros(len(scale))
        slopes[used] = ridge.coef_ / scale[used]
        ends = np.cumsum([part.shape[1] for part in parts])[:-1]
        each = zip(columns, parts, np.split(slopes, ends), strict=True)
        return tuple(basis.term(part, slope) for basis, part, slope in each)

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_integer("n_knots", self.n_knots, minimum=2)


@dataclass(frozen=True, eq=False)
class _Basis:
    """The columns of a design that one column of a table becomes.

    Parameters
    ----------
    numbers : TableNumbers
    column : int
    knots : (k,) array
        Of a column of numbers, or the codes of its categories.
    """

    numbers: TableNumbers
    column: int
    knots: Floats

    @classmethod
    def of(cls, numbers: TableNumbers, values: Floats, column: int, n_knots: int) -> _Basis:
        levels = numbers.levels[column]
        if levels is not None:
            return cls(numbers, column, np.arange(float(len(levels))))
        cells = values[:, column]
        known = cells[np.isfinite(cells)]
        shares = np.linspace(0, 1, n_knots)
        if not len(known):
            return cls(numbers, column, np.zeros(1))
        knots = np.unique(np.quantile(known, shares, method="nearest"))
        more = n_knots - len(knots)
        if more > 0:  # one value holds most rows, and the others have a shape of their own
            between = np.linspace(0, 1, more + 2)
            knots = np.union1d(knots, np.quantile(np.unique(known), between, method="nearest"))
        return cls(numbers, column, knots)

    def __call__(self, values: Floats) -> Floats:
        """(n, k + 1): how near each cell is to each knot, and whether it is missing."""
        cells, k = values[:, self.column], len(self.knots)
        if self.numbers.levels[self.column] is not None:
            near = (cells[:, None] == self.knots).astype(np.float64)
            return np.concatenate([near, 1 - near.sum(axis=1, keepdims=True)], axis=1)
        missing = np.isnan(cells)
        filled = np.where(missing, self.knots[0], cells)
        near = np.stack([np.interp(filled, self.knots, one) for one in np.eye(k)], axis=1)
        near[missing] = 0.0
        return np.concatenate([near, missing[:, None]], axis=1)

    def term(self, design: Floats, slopes: Floats) -> Term:
        """The term of a column, given its part of the design."""
        added = design @ slopes
        levels = self.numbers.levels[self.column]
        points = tuple(self.knots.tolist()) if levels is None else levels
        effects = slopes - added.mean()
        name = self.numbers.layout.names[self.column]
        return Term(name, points, effects[:-1], float(effects[-1]), float(added.std()))
