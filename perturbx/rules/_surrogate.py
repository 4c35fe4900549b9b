"""What surrogates share: the rows that are asked, the split, and what is held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from perturbx._typing import Floats
from perturbx._validation import (
    check_integer,
    check_names,
    check_number,
    check_random_state,
    position_of,
)
from perturbx.containers import TableNumbers, layout_of, training_rows
from perturbx.errors import (
    BudgetError,
    InvalidInputError,
    InvalidParameterError,
    NotFittedError,
)
from perturbx.game import Cost, probe_cost
from perturbx.maskers import Background, Features, FittedMasker, Instances
from perturbx.predictor import Predictor
from perturbx.rules._base import BaseRule

_BUDGET = 20_000
_HELD_OUT = 4
"""One in so many rows of the budget, and of X where no others are passed, judges the fidelity."""

_FEWEST = 10
"""Fewer held-out rows, or fewer to learn from, tell nothing."""

_MOST_LEVELS = 50
"""So many categories of a column can be told apart; rarer ones count as any other."""

_MOST_ROWS = 4096


@dataclass(eq=False)
class Answering:
    """Asks the model about rows, and counts them."""

    predictor: Predictor
    batch_size: int | None
    cost: Cost

    def __call__(self, batch: Any, n: int, what: str) -> Floats:
        """(n, k): the outputs of a batch of rows."""
        self.cost += Cost(n, 1)
        return self.predictor(batch, n, None, what)

    @property
    def step(self) -> int:
        """The rows of one call."""
        return self.batch_size or _MOST_ROWS


@dataclass(frozen=True, eq=False)
class Asked:
    """Rows of data with what the model answered to them.

    Parameters
    ----------
    rows : table
        In the user's container.
    values : (n, d) array
        The rows as numbers.
    outputs : (n, k) array
    """

    rows: Any
    values: Floats
    outputs: Floats


@dataclass(frozen=True, eq=False)
class Study:
    """What a surrogate is fitted to and judged by.

    Parameters
    ----------
    known, held_out : Asked
    numbers : TableNumbers
    masker : FittedMasker
        Checks rows.
    answering : Answering
    budget : int
        The model rows that may still be spent.
    seeds : SeedSequence
    notes : tuple of str
    """

    known: Asked
    held_out: Asked
    numbers: TableNumbers
    masker: FittedMasker
    answering: Answering
    budget: int
    seeds: np.random.SeedSequence
    notes: tuple[str, ...]

    @property
    def seed(self) -> int:
        """The random state that repeats every number."""
        assert isinstance(self.seeds.entropy, int)
        return self.seeds.entropy


@dataclass(eq=False, repr=False)
class BaseSurrogate(BaseRule):
    """A simple model that is fitted to the answers of another one, and judged on held-out rows."""

    confidence: float = field(default=0.95, kw_only=True)
    budget: int | None = field(default=None, kw_only=True)
    feature_names: Sequence[str] | None = field(default=None, kw_only=True)

    def fit(self, X: Any) -> Any:
        """Learn the columns; the model is not asked.

        Parameters
        ----------
        X : table of rows
            What the model usually sees, such as its training data. No labels are needed, so that
            rows that the model was not trained on serve as well, and better if it overfits.

        Returns
        -------
        self
        """
        self._check_parameters()
        names = None if self.feature_names is None else list(self.feature_names)
        rows = training_rows(X)
        layout = layout_of(rows, names)
        rows = layout.take(rows, np.arange(rows.shape[0]))
        if rows.shape[0] < 2 * _FEWEST:
            raise InvalidInputError(
                f"X has {rows.shape[0]} rows, and {type(self).__name__} needs {2 * _FEWEST} or "
                "more to learn from: pass more rows; they need no labels."
            )
        one = layout.take(rows, np.arange(1))
        self.masker_ = Background(one).fit(None, Features(names), np.random.default_rng(0))
        self.numbers_, self.rows_ = TableNumbers.of(layout, rows, _MOST_LEVELS), rows
        return self

    def _study(self, X: Any) -> Study:
        """The rows to learn from and those held out, with the model's answers."""
        self._check_parameters()
        if "rows_" not in vars(self):
            raise NotFittedError(
                f"{type(self).__name__} learns from data: call fit(X_train) before explain."
            )
        seeds = check_random_state(self.random_state)
        rng = np.random.default_rng(seeds.spawn(1)[0])
        budget = _BUDGET if self.budget is None else self.budget
        training, judged, notes = self._split(X, rng)
        predictor = self._probe(self.masker_.check(training))
        answering = Answering(predictor, self.batch_size, probe_cost(predictor))
        asked = []
        for rows, parts in ((judged, _HELD_OUT), (training, 1)):
            most, n = budget // parts, int(rows.shape[0])
            if most < _FEWEST:
                raise BudgetError(
                    f"budget={budget} is too small: a quarter of it is for held-out rows, and "
                    f"fewer than {_FEWEST} tell nothing: raise budget to {_FEWEST * _HELD_OUT} "
                    "or more."
                )
            if n > most:
                rows = self.masker_.check(rows).take(0, n)
                chosen = np.sort(rng.choice(n, size=most, replace=False))
                rows = self.numbers_.layout.take(rows, chosen)
            asked.append(self._asked(rows, answering))
            budget -= len(asked[-1].values)
        held_out, known = asked
        return Study(known, held_out, self.numbers_, self.masker_, answering, budget, seeds, notes)

    def _split(self, X: Any, rng: np.random.Generator) -> tuple[Any, Any, tuple[str, ...]]:
        """Rows to learn from, rows to judge by, and notes on rows that are both."""
        layout, n = self.numbers_.layout, int(self.rows_.shape[0])
        if X is None:
            order = rng.permutation(n)
            parts = np.split(order, [max(n // _HELD_OUT, _FEWEST)])
            judged, training = (layout.take(self.rows_, np.sort(part)) for part in parts)
            return training, judged, ()
        instances = self.masker_.check(X)
        judged, m = instances.take(0, len(instances)), len(instances)
        if m < _FEWEST:
            raise InvalidInputError(
                f"X has {m} rows, and fewer than {_FEWEST} cannot judge a fidelity: pass more, or "
                "leave X out to hold out a quarter of the rows of fit."
            )
        known, new = layout.encode(self.rows_, judged)
        seen = {row.tobytes() for row in known.bits}
        n_seen = sum(row.tobytes() in seen for row in new.bits)
        if n_seen == m:
            raise InvalidInputError(
                "Every row of X is also a row of fit, where a fidelity would look better than it "
                "is: pass other rows, or leave X out to hold out a quarter of the rows of fit."
            )
        notes = (
            f"{n_seen:,} of the {m:,} rows of X are also rows of fit, where a surrogate can look "
            "better than it is",
        )
        return self.rows_, judged, notes if n_seen else ()

    def _asked(self, rows: Any, answering: Answering) -> Asked:
        instances: Instances = self.masker_.check(rows)
        outputs = [
            answering(instances.take(part.start, part.stop), part.stop - part.start, "rows of data")
            for part in instances.chunks(answering.step)
        ]
        return Asked(rows, self.numbers_.encode(rows), np.concatenate(outputs))

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_number("confidence", self.confidence, above=0, below=1)
        if self.budget is not None:
            check_integer("budget", self.budget, minimum=1)
        if self.feature_names is not None:
            check_names("feature_names", self.feature_names)


def output_position(output: str | int | None, names: tuple[str, ...]) -> int:
    """The output that a user asks for; of two classes the last one by default."""
    if output is None:
        if len(names) > 2:
            raise InvalidParameterError(
                f"predict_fn has {len(names)} outputs, and one output is fitted: pass "
                f"output={names[0]!r}, or another of {', '.join(map(repr, names[:20]))}."
            )
        return len(names) - 1
    if isinstance(output, bool) or not isinstance(output, (str, int, np.integer)):
        raise InvalidParameterError(
            f"output must be the name or position of an output; got {output!r}."
        )
    return position_of(output, names, len(names), "output", InvalidParameterError)
