"""A model as a function of its training rows: what it says if it is trained on some of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats, Ints
from perturbx.containers import Layout
from perturbx.errors import PredictFnError
from perturbx.predictor import resolve
from perturbx.predictor.answers import numbers_of


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """Training rows and labels, of which any can be left out."""

    X: Any
    y: NDArray[Any]
    layout: Layout | None

    def __len__(self) -> int:
        return len(self.y)

    def take(self, chosen: Ints) -> Any:
        """Some of the rows, in their own container."""
        return self.X[chosen] if self.layout is None else self.layout.take(self.X, chosen)


@dataclass(frozen=True, eq=False)
class Outputs:
    """The outputs (n, k) of a model for some rows, with a column for each class of training."""

    X: Any
    n: int
    classes: NDArray[Any]

    def __call__(self, model: Any) -> Floats:
        function, _ = resolve(model)
        place = f"the {self.n} rows to explain"
        found = numbers_of(function(self.X), self.n, place).astype(np.float64)
        known = getattr(model, "classes_", None)
        if known is None or found.ndim == 1 or len(known) != found.shape[1]:
            return found.reshape(self.n, -1)
        whole = np.zeros((self.n, len(self.classes)))  # a class that was left out has no chance
        whole[:, np.searchsorted(self.classes, known)] = found
        return whole


@dataclass(frozen=True, eq=False)
class Score:
    """A score (1, 1) of a model on labeled rows."""

    X: Any
    y: Any
    score: Callable[[Any, Any, Any], Any] | None

    def __call__(self, model: Any) -> Floats:
        found = (
            model.score(self.X, self.y) if self.score is None else self.score(model, self.X, self.y)
        )
        return numbers_of(np.ravel(found), 1, "the score").astype(np.float64).reshape(1, 1)


@dataclass(frozen=True, eq=False)
class Retrained:
    """Coalitions (m, d) of groups of training rows to answers (m, p).

    Parameters
    ----------
    retrain_fn : callable
    rows : TrainingRows
    group_of : (n,) int array
        The group of each training row.
    read : callable
        What is read from a model.
    untrained : (p,) array
        The answer without any training row.
    """

    retrain_fn: Callable[[Any, Any], Any]
    rows: TrainingRows
    group_of: Ints
    read: Callable[[Any], Floats]
    untrained: Floats

    def __call__(self, z: Any) -> Floats:
        return np.stack([self.one(np.asarray(row) != 0) for row in z])

    def one(self, kept: NDArray[np.bool_]) -> Floats:
        """(p,): the answer of a model that is trained on the groups that are kept."""
        if not kept.any():
            return self.untrained
        chosen = np.flatnonzero(kept[self.group_of])
        y = self.rows.y[chosen]
        try:
            return self.read(self.retrain_fn(self.rows.take(chosen), y)).ravel()
        except PredictFnError:
            raise
        except Exception as error:
            kinds = np.unique(y)
            alone = f", all with the label {str(kinds[0])!r}" if len(kinds) == 1 else ""
            few, said = len(chosen) < len(self.rows), str(error).rstrip(".")
            cure = (
                " It is asked for any subset: return a model for that too, such as "
                'sklearn.dummy.DummyClassifier(strategy="prior").fit(X, y) for a single class.'
            )
            raise PredictFnError(
                f"retrain_fn, or the model that it returned, raised {type(error).__name__} for "
                f"{len(chosen)} of {len(self.rows)} training rows{alone}: {said}.{cure * few}"
            ) from error
