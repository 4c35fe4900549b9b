"""Data Shapley values: which training rows made a prediction, or a score."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from perturbx._typing import Floats, RandomState
from perturbx._validation import check_choice, check_keywords, check_names, invalid, real_numbers
from perturbx.containers import layout_of, rows_of, training_rows
from perturbx.errors import (
    InvalidInputError,
    NotFittedError,
    UnknownParameterError,
)
from perturbx.explainers._base import BaseExplainer
from perturbx.explainers._provenance import plain
from perturbx.explainers._retrained import Outputs, Retrained, Score, TrainingRows
from perturbx.explainers.kernel_shap import KernelShap
from perturbx.explainers.permutation_shap import PermutationShap
from perturbx.features import Columns
from perturbx.maskers import Baseline
from perturbx.result import Explanation
from perturbx.storage import Saved

_ESTIMATORS: dict[str, type[BaseExplainer]] = {
    "regression": KernelShap,
    "permutations": PermutationShap,
}


class _ByKeyword(BaseEstimator, Saved):
    """Settings by keyword, and copies that train with the same function."""

    def __new__(cls, *args: Any, **keywords: Any) -> Any:
        check_keywords(cls, keywords)
        if len(args) > 1:
            raise UnknownParameterError(
                f"{cls.__name__} takes retrain_fn alone by position, and got {len(args)} "
                "arguments: pass data to fit(X, y), and everything else by keyword."
            )
        return super().__new__(cls)

    def __sklearn_clone__(self) -> Any:
        settings: Any = fields(self)  # type: ignore[arg-type]  # every subclass is a dataclass
        given = {f.name: getattr(self, f.name) for f in settings}
        return type(self)(given.pop("retrain_fn"), **copy.deepcopy(given))


@dataclass(eq=False, repr=False)
class DataShapley(_ByKeyword):
    """Shapley values of training rows: who made this prediction, and who makes the score.

    Ghorbani & Zou (ICML 2019). The players are the training rows, or groups of them. A coalition
    is answered by a model that is trained on its rows alone, so that one "model row" of the
    explanation is one training. `explain` shares every output for every explained row among the
    training rows, all from the same trainings; `explain_score` shares a score on labeled rows.

    Parameters
    ----------
    retrain_fn : callable
        ``retrain_fn(X, y)`` trains on some of the rows, in the container that `fit` saw and with y
        as an array, and returns a fitted model or a callable as in ``predict_fn``. It is asked for
        any number of rows from 1 on, also for rows of a single class.
    groups : mapping of str to list of int, optional
        Training rows that are one player, by position. Every row must be in one group.
    untrained : float or array, optional
        The answer without any training row: for `explain` one number per output, by default the
        mean of y, or the share of each class where the model returns one column per class; for
        `explain_score` one number, by default 0.
    score : callable, optional
        ``score(model, X, y)`` to a number; by default ``model.score(X, y)``.
    estimator : "regression" or "permutations"
        "regression" is that of `KernelShap`, "permutations" that of `PermutationShap`, unbiased.
        Both are exact where the budget pays for every subset. For the score of three neighbors on
        30 and 60 rows, at 5 and 20 trainings per row, the errors of "regression" were .31 to .41
        of those of "permutations", so that it reaches the same error with 6 to 10 times fewer
        trainings. Permutations are not truncated where the score hardly changes (Ghorbani & Zou's
        TMC): that would have to skip five of six trainings to be as good, and biases the values.
    budget : int, optional
        The most trainings; by default twice the number of players plus 2,048. Up to four more tell
        what the model returns, and whether training is random.
    tol : float, optional
        Stop once every standard error is below tol * (largest - smallest value).
    row_names : sequence of str, optional
        Names of the training rows, by default "row 0", "row 1" and so on.
    output_names : sequence of str, optional
        Names of the model's outputs, by default those of the classes.
    n_jobs : int, optional
        Workers that train, as in joblib.
    stochastic : "auto", True or False
        Whether training is random. A `retrain_fn` with a fixed seed needs fewer trainings.
    random_state : int, numpy generator or None
        Fixes every number that `retrain_fn` does not draw itself, whatever n_jobs.
    verbose : int
        1 shows a progress bar.

    Notes
    -----
    The values of an output sum to the output of the model trained on all rows minus `untrained`.
    Each is the mean change of the output when the row joins a random subset of the others, every
    size being equally likely; for two rows that say the same, each gets half. Standard errors are
    those of the sampled subsets.

    `Explanation.n_rows` counts trainings, and `untrained` as one, though nothing is trained for it.
    The features are the training rows. With `groups`
    fewer are needed: a good first question is which source, day or annotator.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> from sklearn.neighbors import KNeighborsRegressor
    >>> X, y = np.array([[0.0], [1.0], [10.0]]), np.array([0.0, 2.0, 9.0])
    >>> train = lambda X, y: KNeighborsRegressor(1).fit(X, y)
    >>> found = px.DataShapley(train, untrained=0.0).fit(X, y).explain([[0.9]])
    >>> found.values.round(3), found.predictions
    (array([[-1.5,  0.5,  3. ]]), array([2.]))
    """

    retrain_fn: Callable[[Any, Any], Any]
    groups: Mapping[str, Sequence[int]] | None = field(default=None, kw_only=True)
    untrained: Any = field(default=None, kw_only=True)
    score: Callable[[Any, Any, Any], Any] | None = field(default=None, kw_only=True)
    estimator: Literal["regression", "permutations"] = field(default="regression", kw_only=True)
    budget: int | None = field(default=None, kw_only=True)
    tol: float | None = field(default=None, kw_only=True)
    row_names: Sequence[str] | None = field(default=None, kw_only=True)
    output_names: Sequence[str] | None = field(default=None, kw_only=True)
    n_jobs: int | None = field(default=None, kw_only=True)
    stochastic: bool | Literal["auto"] = field(default="auto", kw_only=True)
    random_state: RandomState = field(default=None, kw_only=True)
    verbose: int = field(default=0, kw_only=True)

    def fit(self, X: Any, y: Any) -> DataShapley:
        """Keep the training rows; nothing is trained yet.

        Parameters
        ----------
        X : table of n rows, or array of n images
        y : (n,) array
            Labels or targets.

        Returns
        -------
        self
        """
        self._check_parameters()
        labels = np.asarray(y)
        if labels.ndim != 1:
            raise InvalidInputError(f"y must have one label per row, (n,); got {labels.shape}.")
        if isinstance(X, np.ndarray) and X.ndim > 2:
            self.layout_, rows = None, TrainingRows(X, labels, None)
        else:
            table = training_rows(X)
            self.layout_ = layout_of(table)
            rows = TrainingRows(table, labels, self.layout_)
        if rows.X.shape[0] != len(labels):
            raise InvalidInputError(
                f"X has {rows.X.shape[0]} rows, and y has {len(labels)} labels: pass one each."
            )
        names = tuple(self.row_names or (f"row {i}" for i in range(len(labels))))
        if len(names) != len(labels):
            raise invalid("row_names", f"a list of {len(labels)} names", list(names)[:5])
        self.rows_, self.players_ = (
            rows,
            Columns.grouped(names, tuple(range(len(names))), self.groups),
        )
        if len(self.players_.names) < 2:
            raise InvalidInputError(
                "there must be two training rows, or two groups, to share anything."
            )
        return self

    def explain(self, X: Any) -> Explanation:
        """The share of each training row in each output for each row of X.

        Parameters
        ----------
        X : table of rows, or one row
            In the container that `fit` saw.

        Returns
        -------
        Explanation
            ``values`` (n_rows, n_players, n_outputs), without the first axis for a single row and
            without the last for a model with one output.

        Raises
        ------
        NotFittedError
            If `fit` has not been called.
        InvalidInputError, InvalidParameterError
            If X or a parameter is not what it must be.
        BudgetError
            If the budget is too small.
        PredictFnError
            If `retrain_fn`, or a model that it returns, fails for some of the rows.
        """
        rows = self._fitted_rows()
        is_image = isinstance(X, np.ndarray) and rows.X.ndim > 2
        single = is_image and X.ndim < rows.X.ndim
        table, single = (X[None] if single else X, single) if is_image else rows_of(X)
        self._check_like(table)
        n, classes = int(table.shape[0]), np.unique(rows.y)
        read = Outputs(table, n, classes)
        game = Retrained(self.retrain_fn, rows, self.players_.feature_of, read, np.empty(0))
        k = len(game.one(np.ones(len(self.players_.names), dtype=bool))) // n
        names = self._names(k, classes)
        untrained = np.broadcast_to(self._untrained(k, classes), (n, k))
        found = self._shared(replace(game, untrained=untrained.ravel()))
        of = self._of(f"the output{'s' * (k > 1)}")
        shared = _by_rows(found, n, k, names, single=single, of=of, told=self._told(found))
        return replace(shared, n_rows=shared.n_rows + 1, n_calls=shared.n_calls + 1)

    def explain_score(self, X: Any, y: Any) -> Explanation:
        """The share of each training row in a score on labeled rows.

        Parameters
        ----------
        X : table of rows
            Rows that were not trained on, in the container that `fit` saw.
        y : (n,) array
            Their labels.

        Returns
        -------
        Explanation
            ``values`` (n_players,). Rows with values below 0 make the score worse.

        Raises
        ------
        NotFittedError, InvalidInputError, InvalidParameterError, BudgetError, PredictFnError
            As `explain`.
        """
        is_image = isinstance(X, np.ndarray) and self._fitted_rows().X.ndim > 2
        table = X if is_image else rows_of(X)[0]
        self._check_like(table)
        if np.shape(y)[:1] != (table.shape[0],):
            raise InvalidInputError(
                f"y must have a label for each of the {table.shape[0]} rows of X; got shape "
                f"{np.shape(y)}."
            )
        untrained = 0.0 if self.untrained is None else self.untrained
        if np.size(untrained) != 1:
            raise invalid("untrained", "one number for a score", self.untrained)
        read = Score(X, y, self.score)
        nothing = np.array([float(np.ravel(untrained)[0])])
        found = self._shared(
            Retrained(self.retrain_fn, self.rows_, self.players_.feature_of, read, nothing)
        )
        name = getattr(self.score, "__name__", "score")
        return _by_rows(
            found, 1, 1, (name,), single=True, of=self._of(f"the {name}"), told=self._told(found)
        )

    def _check_like(self, X: Any) -> None:
        """Refuse rows that are not like those of `fit`, before anything is trained."""
        if self.layout_ is not None:
            self.layout_.check(X)
        elif X.shape[1:] != self.rows_.X.shape[1:] or not len(X):
            shapes = f"{self.rows_.X.shape[1:]}; got {X.shape}"
            raise InvalidInputError(f"X must hold images like those of fit, of shape {shapes}.")

    def _shared(self, game: Retrained) -> Explanation:
        """The values of every answer of a game whose players are groups of training rows."""
        names = self.players_.names
        players = np.ones((1, len(names)))
        explainer = _ESTIMATORS[self.estimator](
            game,
            masker=Baseline(np.zeros(len(names))),
            budget=self.budget,
            tol=self.tol,
            feature_names=list(names),
            batch_size=1,
            n_jobs=self.n_jobs,
            stochastic=self.stochastic,
            random_state=self.random_state,
            verbose=self.verbose,
        )
        return explainer.explain(players)

    def _told(self, found: Explanation) -> dict[str, Any]:
        """The provenance: that of the game, with the settings of this method."""
        settings: Any = fields(self)
        own = {f.name: plain(getattr(self, f.name)) for f in settings}
        for name in ("retrain_fn", "random_state", "budget"):
            del own[name]
        model = getattr(self.retrain_fn, "__name__", type(self.retrain_fn).__name__)
        return {**found.provenance, "method": "DataShapley", "model": model, "parameters": own}

    def _of(self, what: str) -> str:
        model = getattr(self.retrain_fn, "__name__", type(self.retrain_fn).__name__)
        return f"{what} of {model}, trained on random subsets of {len(self.rows_):,} rows"

    def _untrained(self, k: int, classes: NDArray[Any]) -> Floats:
        """(k,): the answer without training rows."""
        y = self.rows_.y
        if self.untrained is None and k == len(classes) and k > 1:
            return np.array([(y == c).mean() for c in classes])
        if self.untrained is None and k == 1 and y.dtype.kind in "biuf":
            return np.array([y.mean()])
        found = np.ravel(real_numbers(np.zeros(0) if self.untrained is None else self.untrained))
        if found.shape not in ((k,), (1,)):
            raise invalid(
                "untrained",
                f"the answer of a model without training, one number for each of {k} outputs",
                self.untrained,
            )
        return found

    def _names(self, k: int, classes: NDArray[Any]) -> tuple[str, ...]:
        if self.output_names is not None:
            if len(self.output_names) != k:
                raise invalid("output_names", f"a list of {k} names", list(self.output_names))
            return tuple(map(str, self.output_names))
        if k == len(classes) and k > 1:
            return tuple(map(str, classes))
        return ("output",) if k == 1 else tuple(f"output {i}" for i in range(k))

    def _fitted_rows(self) -> TrainingRows:
        self._check_parameters()
        if "rows_" not in vars(self):
            raise NotFittedError(
                "DataShapley leaves training rows out: call fit(X_train, y_train) before explain."
            )
        rows: TrainingRows = self.rows_
        return rows

    def _check_parameters(self) -> None:
        if not callable(self.retrain_fn):
            raise invalid(
                "retrain_fn",
                "a callable that trains, as in lambda X, y: clone(model).fit(X, y)",
                self.retrain_fn,
            )
        check_choice("estimator", self.estimator, _ESTIMATORS)
        if self.score is not None and not callable(self.score):
            raise invalid("score", "a callable score(model, X, y)", self.score)
        if self.groups is not None and not isinstance(self.groups, Mapping):
            raise invalid("groups", 'a dict, as in {"monday": [0, 1, 2]}', self.groups)
        for name in ("row_names", "output_names"):
            if getattr(self, name) is not None:
                check_names(name, getattr(self, name))


def _by_rows(
    found: Explanation,
    n: int,
    k: int,
    names: tuple[str, ...],
    *,
    single: bool,
    of: str,
    told: Mapping[str, Any],
) -> Explanation:
    """Values (1, d, n * k) of all answers as those of n rows with k outputs."""
    d, found = len(found.feature_names), found[0]
    keep = (0 if single else slice(None), slice(None), slice(None) if k > 1 else 0)

    def by_rows(array: Floats | None) -> Any:
        if array is None:
            return None
        if array.shape[:1] == (d,) and array.ndim == 2:
            return array.reshape(d, n, k).transpose(1, 0, 2)[keep]
        return array.reshape(n, k)[keep[0], keep[2]]

    arrays = "values standard_errors noise_errors base_values predictions residual fidelity"
    axes = ("instance", "feature", "output")
    return replace(
        found,
        **{name: by_rows(getattr(found, name)) for name in [*arrays.split(), "rounding"]},
        background_errors=None,
        data=None,
        output_names=names,
        axes=tuple(axis for axis, kept in zip(axes, keep, strict=True) if kept != 0),
        method=f"DataShapley: {found.method.partition(': ')[2]}",
        value_function=of,
        provenance=told,
    )
