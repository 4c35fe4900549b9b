"""Effect curves: how the output changes with one feature, on average over rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from perturbx._typing import Ints, OutputSelection
from perturbx._validation import (
    check_choice,
    check_flag,
    check_integer,
    check_kind,
    check_names,
    check_random_state,
    check_selection,
    invalid,
    top_of,
)
from perturbx.containers import layout_of, training_rows
from perturbx.errors import BudgetError, InvalidInputError, InvalidParameterError, NotFittedError
from perturbx.features import Columns, Labels
from perturbx.game import Swaps
from perturbx.maskers import Background, Features
from perturbx.predictor import Predictor
from perturbx.result import EffectCurve, EffectCurves, EffectSurface
from perturbx.rules._base import BaseRule
from perturbx.rules._effect_axes import (
    MOST_CATEGORIES,
    Axis,
    Column,
    axis_of,
    columns_of,
)
from perturbx.rules._effect_estimates import Estimate, accumulated, averaged
from perturbx.rules._effect_rows import Asked, Asker
from perturbx.rules._effect_surfaces import Cells
from perturbx.rules._observed import observe

_BUDGET = 20_000
"""Without a budget, so many model rows for each curve."""

_FEWEST = 10
"""A mean over fewer rows than this says little, and the interval of its error less."""

_ROWS_PER_CELL = 25
"""So many rows lie in a cell of a surface, if its features are independent."""

_WORDS = {"ale": "accumulated local effects", "pdp": "partial dependence"}


@dataclass(eq=False, repr=False)
class Effects(BaseRule):
    """Curves of the model's mean output along single features, with intervals.

    Accumulated local effects (Apley & Zhu, JRSS B 82, 2020) move each row to the two ends of the
    short interval in which it lies, and add up the mean differences. Only rows near those that
    exist are asked, so that correlated features do not lead the model off its data. Partial
    dependence (Friedman, Annals of Statistics 29, 2001) moves every row to every point, and also
    returns the curve of each row (individual conditional expectation; Goldstein et al., 2015).

    Parameters
    ----------
    predict_fn : callable or fitted model
        A batch of rows to (n,) or (n, k) outputs.
    method : "ale" or "pdp"
        Accumulated local effects, or partial dependence with the curve of each row.
    n_bins : int
        The most intervals of a column of numbers, of about as many rows each; a column of fewer
        values has a point for each. Points are values that rows have had. Of more than 50
        categories the most frequent 50 have points.
    centered : bool
        Whether curves have mean 0 over the rows. Accumulated local effects always have.
    outputs : None, int, str or list
        Which outputs, by position or name; all by default.
    groups : mapping of str to list of columns, optional
        Columns that are one feature, such as those of a one-hot code: their values in a row are
        one category. Every column must be in one group.
    budget : int, optional
        The most model rows that one curve may cost, 20,000 by default. If the rows of X would cost
        more, curves are averaged over a random sample of them. The three rows by which the model's
        outputs are learned come on top.
    feature_names, output_names : sequence of str, optional
        Names where neither the model nor the container gives them.
    batch_size : int, optional
        The most rows in one call of predict_fn.
    {asking}
    random_state : int, numpy generator or None
        Fixes every number, whatever batch_size.

    Notes
    -----
    Intervals say how far the curve would be another over another sample of rows from the same
    population. The model and the points of the curve are fixed, so that they do not say how
    another model trained on other rows would look. They are valid for each point by itself, and
    for differences between points (`EffectCurve.change`). Noise of a model that answers
    differently each time is part of the spread over rows, and so of the intervals.

    The variance of accumulated effects is that of the local differences within each interval,
    accumulated along the curve, and that of the mean of the curve. Standard errors of partial
    dependence are those of a mean over rows. A curve says little where few rows lie: see `counts`.

    Categories without an order of their own come in one in which neighbors are alike in the other
    columns, as Apley & Zhu propose; a frame's ordered categories keep their order. Numbers that
    are missing have no place on the curve, missing categories are one more category.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> X = np.random.default_rng(0).normal(size=(500, 2))
    >>> model = lambda X: 2 * X[:, 0] + X[:, 1] ** 2
    >>> curves = px.Effects(model, feature_names=["age", "income"]).fit(X).explain()
    >>> age = curves["age"]
    >>> slope = (age.values[-1] - age.values[0]) / (age.grid[-1] - age.grid[0])
    >>> round(float(slope), 6)
    2.0
    """

    method: Literal["ale", "pdp"] = field(default="ale", kw_only=True)
    n_bins: int = field(default=20, kw_only=True)
    centered: bool = field(default=True, kw_only=True)
    outputs: OutputSelection = field(default=None, kw_only=True)
    groups: Mapping[str, Sequence[str | int]] | None = field(default=None, kw_only=True)
    budget: int | None = field(default=None, kw_only=True)
    feature_names: Sequence[str] | None = field(default=None, kw_only=True)

    def fit(self, X: Any) -> Effects:
        """Keep the rows that curves are averaged over; the model is not asked.

        Parameters
        ----------
        X : table of rows
            Rows of the population of interest, such as a test set.

        Returns
        -------
        self
        """
        self._check_parameters()
        names = None if self.feature_names is None else list(self.feature_names)
        rows = training_rows(X)
        if rows.shape[0] < 2:
            raise InvalidInputError(
                "Effects averages over rows, and X has one: pass many rows of the population."
            )
        layout = layout_of(rows, names)
        self.features_ = Columns.grouped(layout.names, layout.labels, self.groups)
        self.observed_ = observe(layout, layout.take(rows, np.arange(rows.shape[0])))
        one = layout.take(rows, np.arange(1))
        self.masker_ = Background(one).fit(None, Features(names), np.random.default_rng(0))
        return self

    def explain(self, features: Any = None) -> EffectCurves:
        """The curves of some features, over the rows of `fit`.

        Parameters
        ----------
        features : a feature or a list of features, optional
            By label, by name, or by position where no label is an integer. By default all that
            have more than one value.

        Returns
        -------
        EffectCurves

        Raises
        ------
        NotFittedError
            If `fit` has not been called.
        InvalidParameterError
            If a feature is unknown, or a parameter cannot have its value.
        InvalidInputError
            If a feature that was asked for has a single value in all rows.
        BudgetError
            If the budget pays for fewer than 10 rows.
        PredictFnError
            If the model fails, or answers with something that cannot be explained.
        """
        self._check_fitted()
        columns, notes = self._columns(features)
        asked = self._asked(max(self._rows_each(column) for column in columns))
        curves = []
        for column, axis in self._axes(columns, asked.chosen):
            grid, estimate = asked.grid(axis), self._estimate(asked.asker, column, axis)
            curves.append(_curve(column, axis, grid, estimate, asked))
            notes += _remarks(column, axis, len(asked.chosen))
        return EffectCurves(
            curves=tuple(curves),
            method=_WORDS[self.method],
            output_names=asked.output_names,
            model=asked.predictor.name,
            n_instances=len(asked.chosen),
            n_rows=asked.cost.n_rows,
            n_calls=asked.cost.n_calls,
            random_state=asked.seed,
            notes=(*asked.notes, *notes),
        )

    def interaction(self, first: Any, second: Any) -> EffectSurface:
        """How the output changes with two features together, beyond each of them alone.

        Accumulated local effects of second order (Apley & Zhu, eq. 16 to 20): each row moves to
        the four corners of its cell. 0 everywhere if the effects of the two add up.

        Parameters
        ----------
        first, second : a feature each
            As in `explain`.

        Returns
        -------
        EffectSurface
            With fewer intervals than curves have, so that cells hold some 25 rows. Errors are
            those of resampled rows, which cost no call of the model.

        Raises
        ------
        As `explain`, and InvalidParameterError with ``method="pdp"``.
        """
        self._check_fitted()
        if self.method != "ale":
            raise InvalidParameterError(
                'interaction is about accumulated local effects: pass method="ale".'
            )
        columns, notes = self._columns([first, second])
        asked = self._asked(int(np.prod([self._rows_each(column) for column in columns])))
        n_bins = min(self.n_bins, max(2, int(np.sqrt(len(asked.chosen) / _ROWS_PER_CELL))))
        (one, a), (other, b) = self._axes(columns, asked.chosen, n_bins)
        for column, axis in ((one, a), (other, b)):
            if len(axis.positions) < 2:
                raise InvalidInputError(
                    f"{column.name!r} has a single value in the {len(asked.chosen):,} rows that "
                    "the budget pays for: raise budget."
                )
            notes += _remarks(column, axis, len(asked.chosen))
        cells = Cells((a, b))
        differences = cells.differences(asked.asker, f"{one.name} and {other.name}")
        errors = cells.errors(differences, np.random.default_rng([asked.seed, 1]))
        here = (a.lower >= 0) & (b.lower >= 0)
        return EffectSurface(
            features=(one.name, other.name),
            are_numbers=(one.is_number, other.is_number),
            grids=(asked.grid(a), asked.grid(b)),
            positions=(a.positions, b.positions),
            values=asked.cut(cells.surface(differences)),
            standard_errors=asked.cut(errors),
            counts=cells.counts,
            data=np.column_stack([a.places[here], b.places[here]]),
            output_names=asked.output_names,
            n_instances=len(asked.chosen),
            n_rows=asked.cost.n_rows,
            n_calls=asked.cost.n_calls,
            random_state=asked.seed,
            notes=(*asked.notes, *notes),
        )

    def _asked(self, each: int) -> Asked:
        """The rows that the budget pays for at `each` model rows, and the model about to answer."""
        seeds = check_random_state(self.random_state)
        seed = seeds.entropy
        assert isinstance(seed, int)
        layout, n = self.observed_.layout, int(self.observed_.rows.shape[0])
        chosen, notes = np.arange(n), tuple[str, ...]()
        if (m := self._affordable(each)) < n:
            chosen = np.sort(np.random.default_rng(seeds).choice(n, m, replace=False))
            notes = (f"averaged over a random sample of {m:,} of the {n:,} rows",)
        rows = layout.take(self.observed_.rows, chosen)
        predictor = self._probe(self.masker_.check(rows), warns=False)
        if predictor.varies:
            notes += ("the model answers differently each time, and intervals contain that noise",)
        outputs, keeps_axis = self._outputs(predictor)
        (cells,) = layout.encode(rows)
        asker = Asker(Swaps(layout, cells, predictor, outputs, self.batch_size))
        return Asked(chosen, rows, asker, keeps_axis, seed, notes)

    def _columns(self, features: Any) -> tuple[list[Column], tuple[str, ...]]:
        """What is in the features that were asked for, or in all that have more than one value."""
        if len(getattr(features, "shape", ())) > 1:
            raise InvalidParameterError(
                "explain takes features, such as explain(['age']), and got a table: curves are "
                "averaged over the rows of fit(X)."
            )
        names = self.features_.names
        if features is None:
            wanted = list(range(len(names)))
        else:
            known = Labels(self.features_.labels, names)
            wanted = known.positions(features, "features: X has no column", "features", "features")
        if not wanted or len(set(wanted)) < len(wanted):
            raise invalid("features", "at least one feature, each once", features)
        columns = columns_of(self.observed_, self.features_, wanted)
        constant = [column.name for column in columns if column.n_levels < 2]
        if constant and (features is not None or len(constant) == len(columns)):
            raise InvalidInputError(
                f"{', '.join(map(repr, constant))} has a single value in all rows of X, so that "
                "there is nothing to draw a curve over: leave it out, or fit on rows in which it "
                "varies."
            )
        notes = (f"without a curve, as all rows have one value: {', '.join(constant)}",)
        return [c for c in columns if c.n_levels > 1], notes * bool(constant)

    def _affordable(self, most: int) -> int:
        """The most rows that the budget pays for, at `most` model rows each."""
        budget = _BUDGET if self.budget is None else self.budget
        n = int(self.observed_.rows.shape[0])
        if budget // most < min(_FEWEST, n):
            raise BudgetError(
                f"budget={budget} is too small: a curve takes {most} model rows for each row of "
                f"X, and needs {min(_FEWEST, n)} rows. Raise budget to {min(_FEWEST, n) * most} or "
                "more, or lower n_bins."
            )
        return min(n, budget // most)

    def _rows_each(self, column: Column) -> int:
        """The most model rows that one row costs."""
        if self.method == "pdp":
            return column.n_points(self.n_bins)
        has_intervals = column.is_number and column.n_levels > self.n_bins + 1
        return 2 if has_intervals else min(column.n_levels, 3)

    def _axes(
        self, columns: list[Column], chosen: Ints, n_bins: int | None = None
    ) -> Iterator[tuple[Column, Axis]]:
        """Each column at the chosen rows, with its axis."""
        observed = self.observed_
        for column in columns:
            here = column.at(chosen)
            others = [
                (observed.values[chosen, j], other.is_ordered)
                for j, other in enumerate(observed.columns)
                if j not in column.members
            ]
            yield here, axis_of(here, n_bins or self.n_bins, others)

    def _estimate(self, asker: Asker, column: Column, axis: Axis) -> Estimate:
        if self.method == "ale":
            return accumulated(axis, asker.differences(axis, column.name))
        return averaged(axis, asker.everywhere(axis, column.name), self.centered)

    def _outputs(self, predictor: Predictor) -> tuple[Ints, bool]:
        if top_of(self.outputs) is not None and self.outputs not in predictor.output_names:
            expected = "names or positions, since the largest outputs differ between rows"
            raise invalid("outputs", expected, self.outputs)
        columns, keeps_axis = predictor.select(self.outputs, predictor.first_answers)
        return columns[0], keeps_axis

    def _check_fitted(self) -> None:
        self._check_parameters()
        if "observed_" not in vars(self):
            raise NotFittedError(
                "Effects averages over rows of a population: call fit(X) before explain."
            )

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_choice("method", self.method, _WORDS)
        check_integer("n_bins", self.n_bins, minimum=1)
        check_flag("centered", self.centered)
        if self.method == "ale" and not self.centered:
            raise InvalidParameterError(
                "centered=False has no meaning for accumulated local effects, which are known up "
                'to a constant: leave centered out, or pass method="pdp".'
            )
        check_selection(self.outputs)
        if self.groups is not None:
            check_kind("groups", self.groups, Mapping, "a dict, as in {'city': [...]}")
        if self.budget is not None:
            check_integer("budget", self.budget, minimum=1)
        if self.feature_names is not None:
            check_names("feature_names", self.feature_names)


def _curve(
    column: Column, axis: Axis, grid: tuple[Any, ...], estimate: Estimate, asked: Asked
) -> EffectCurve:
    """The estimate as the user sees it."""
    individual = estimate.individual
    return EffectCurve(
        feature=column.name,
        is_number=column.is_number,
        grid=grid,
        positions=axis.positions,
        values=asked.cut(estimate.values),
        covariance=asked.cut(estimate.covariance),
        degrees_of_freedom=asked.cut(estimate.degrees),
        counts=axis.counts,
        data=axis.data,
        individual=None if individual is None else asked.cut(individual),
        output_names=asked.output_names,
    )


def _remarks(column: Column, axis: Axis, n: int) -> tuple[str, ...]:
    """What part of the rows the curve does not show."""
    outside = n - int(axis.counts.sum())
    if not outside:
        return ()
    if column.is_number:
        return (f"{column.name}: missing or infinite in {outside:,} of {n:,} rows",)
    return (
        f"{column.name}: the {MOST_CATEGORIES} most frequent of {column.n_levels:,} categories; "
        f"the others hold {outside:,} of {n:,} rows",
    )
