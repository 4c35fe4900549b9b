"""What is judged: a model, instances, their scores, and how features are removed from them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, TypeVar

import numpy as np

from perturbx._typing import Floats, Ints, LinkName, OutputSelection, PredictFn, RandomState
from perturbx._validation import check_choice, check_integer, check_random_state, invalid
from perturbx.containers import rows_of
from perturbx.errors import InvalidParameterError
from perturbx.explainers._probe import probe
from perturbx.explanation import Explanation
from perturbx.game import Cost, Game
from perturbx.maskers import (
    Background,
    Features,
    FittedMasker,
    Masker,
    Removal,
    Superpixels,
    Windows,
)
from perturbx.maskers._fills import Fill
from perturbx.metrics._match import check_counts, check_features, columns_of, names_of
from perturbx.metrics._measure import Better, Measure
from perturbx.metrics._positions import FittedPositions, positions
from perturbx.metrics._scores import Given, of_explanation, of_maps, of_table

Scored: TypeAlias = Any
"""An `Explanation`, or an array of scores: (n, d) for tables, (n, H, W) maps for images."""

Removing: TypeAlias = Masker | FittedMasker | None
"""How a metric removes features: a masker, or an explainer's ``masker_``."""

AnyFunction = TypeVar("AnyFunction", bound=Callable[..., Any])

_COMMON = """predict_fn : callable or fitted model
        The model: a batch of rows or images to (n,) or (n, k) scores.
    X : table of rows, one row, images or one image
        The instances that were explained.
    explanation : Explanation, or array
        What is judged. Plain scores have shape (n, d) for tables and (n, H, W) for images.
    masker : Masker or fitted masker, optional
        How the metric removes features, such as ``px.Background(X_train)``,
        ``px.Superpixels()`` or ``explainer.masker_``. By default X's own rows, averaged, for
        tables; see `fill` for images.
    fill : "blur", "mean", "noise", a colour or an array, optional
        What absent pixels of an image show, where there is no masker; "blur" by default. A fill
        favours explanations that were made with it.
    outputs : None, int, str or list
        Which of the explained outputs are judged; needed where there are several. Of plain
        scores: the one output that they explain.
    link : "identity" or "logit"
        Applied to the averaged output before measuring.
    batch_size : int, optional
        The most rows in one call of predict_fn.
    random_state : int, numpy generator or None
        Fixes whatever is drawn, whatever batch_size is.
    references : bool
        Whether scores that never saw the model are measured too, to read the number against."""


def documented(function: AnyFunction) -> AnyFunction:
    """Spell out the parameters that all metrics share."""
    has_references = "references" in inspect.signature(function).parameters
    common = _COMMON if has_references else _COMMON.partition("\n    references")[0]
    function.__doc__ = (function.__doc__ or "").replace("{common}", common)
    return function


@dataclass(frozen=True, eq=False)
class Subject:
    """A checked explanation, with all that a metric needs to ask the model.

    Parameters
    ----------
    game : Game
    masker : FittedMasker
    X : checked X
    given : Given
        The scores.
    columns : (n, k) int array
        The model output behind each instance and output.
    full, empty : (n, k) array
        The (linked) outputs with all and with no features.
    seeds : SeedSequence
        The root of every draw.
    """

    game: Game
    masker: FittedMasker
    X: Any
    given: Given
    columns: Ints
    names: Any
    full: Floats
    empty: Floats
    cost: Cost
    seeds: np.random.SeedSequence

    @property
    def shape(self) -> tuple[int, int]:
        """Instances and outputs."""
        return self.given.n, self.given.k

    @property
    def is_image(self) -> bool:
        return self.given.n_features is None

    @property
    def size(self) -> Floats:
        """(n, k): |f(x) - f(empty)|, 0 where it is rounding."""
        rounding = self.game.predictor.resolution * np.maximum(abs(self.full), abs(self.empty))
        size = np.abs(self.full - self.empty)
        return np.asarray(np.where(size > 4 * rounding, size, 0.0))

    def removals(self) -> Iterator[tuple[int, Removal]]:
        """The removal of each instance in turn."""
        for start in range(0, self.given.n, self.masker.chunk):
            stop = min(start + self.masker.chunk, self.given.n)
            yield from enumerate(self.masker.bind(self.X, start, stop), start)

    def rng(self, *key: int) -> np.random.Generator:
        """A generator of its own for each key."""
        return np.random.default_rng(np.random.SeedSequence(self.seeds.entropy, spawn_key=key))

    def ask(self, removal: Removal, z: Any, i: int, j: int | None = None) -> tuple[Floats, Cost]:
        """(m, k) outputs of perturbations of one instance, or (m, 1) of its output j."""
        columns = self.columns[i : i + 1]
        columns = columns if j is None else columns[:, j : j + 1]
        outputs, cost = self.game.evaluate([removal], columns, z, np.array([i]))
        return outputs[:, 0], cost

    def shaped(self, grid: Floats) -> Floats:
        """(n, k, ...) without the axes that the explanation does not have."""
        n, k = self.shape
        shape = [size for axis, size in (("instance", n), ("output", k)) if axis in self.given.axes]
        return np.reshape(grid, (*shape, *grid.shape[2:]))

    def measure(
        self, metric: str, grid: Floats, better: Better, cost: Cost, **others: Any
    ) -> Measure:
        """The result of a metric that found a (n, k) grid of numbers."""
        references = others.pop("references", {})
        return Measure(
            metric=metric,
            values=self.shaped(grid),
            axes=self.given.axes,
            output_names=self.names,
            better=better,
            value_function=self.masker.value_function,
            n_rows=self.cost.n_rows + cost.n_rows,
            n_calls=self.cost.n_calls + cost.n_calls,
            references={name: self.shaped(found) for name, found in references.items()},
            notes=(*self.masker.notes, *others.pop("notes", ())),
            **others,
        )


def prepare(
    predict_fn: PredictFn | Any,
    X: Any,
    explanation: Scored,
    *,
    masker: Removing,
    fill: Fill | None,
    outputs: OutputSelection,
    link: LinkName,
    batch_size: int | None,
    random_state: RandomState,
    in_boxes: bool,
    on_scale: bool = False,
) -> Subject:
    """Check that model, instances, scores and masker belong together, and ask for f(x), f(empty).

    Raises
    ------
    InvalidInputError
        If the explanation is not of these instances, or holds NaN.
    InvalidParameterError
        If a parameter cannot have its value, or several outputs were explained.
    """
    check_choice("link", link, ("identity", "logit"))
    if batch_size is not None:
        check_integer("batch_size", batch_size, minimum=1)
    seeds = check_random_state(random_state)
    given = _given(explanation, X, masker, fill, outputs)
    fitted = _fitted(masker, fill, X, given, np.random.default_rng(seeds.spawn(1)[0]), in_boxes)
    checked, is_single = fitted.check(X)
    check_counts(given, fitted.count(checked), is_single)
    first = fitted.bind(checked, 0, 1)[0]
    check_features(given, first)
    predictor = probe(predict_fn, fitted, checked, None, batch_size)
    game = Game(predictor, link, batch_size, 1)
    raw, cost = game.predictions(fitted, checked)
    n_probe = len(predictor.first_answers) + 1
    columns = columns_of(given, explanation, outputs, predictor, raw, link, on_scale)
    subject = Subject(
        game=game,
        masker=fitted,
        X=checked,
        given=given,
        columns=columns,
        names=names_of(predictor, columns),
        full=game.linked(np.take_along_axis(raw, columns, axis=1)),
        empty=np.full(columns.shape, np.nan),
        cost=cost + Cost(n_probe, 2),
        seeds=seeds,
    )
    return _with_empty(subject)


def _with_empty(subject: Subject) -> Subject:
    """The subject with the outputs of the empty state."""
    empty, cost = [], subject.cost
    for start in range(0, subject.given.n, subject.masker.chunk):
        stop = min(start + subject.masker.chunk, subject.given.n)
        removals = subject.masker.bind(subject.X, start, stop)
        found, asked = subject.game.empty(removals, subject.columns[start:stop], start)
        empty.append(found)
        cost += asked
    return replace(subject, empty=np.concatenate(empty), cost=cost)


def _given(
    explanation: Scored, X: Any, masker: Removing, fill: Fill | None, outputs: OutputSelection
) -> Given:
    if isinstance(explanation, type) or callable(explanation) or hasattr(explanation, "explain"):
        raise invalid(
            "explanation",
            "an Explanation or an array of scores",
            explanation,
            "Pass explainer.explain(X), not the explainer.",
        )
    if isinstance(explanation, Explanation):
        return of_explanation(explanation, outputs)
    if outputs is not None and not isinstance(outputs, (int, np.integer, str)):
        raise invalid("outputs", "the one output that the scores explain", outputs)
    is_image = fill is not None or isinstance(masker, (Superpixels, Windows))
    return of_maps(explanation, X) if is_image or looks_like_images(X) else of_table(explanation)


def looks_like_images(X: Any) -> bool:
    """True for arrays with more than rows and columns, and for lists of such."""
    if isinstance(X, (list, tuple)) and len(X):
        return all(isinstance(x, np.ndarray) and x.ndim >= 2 for x in X)
    return isinstance(X, np.ndarray) and X.ndim > 2


def _fitted(
    masker: Removing,
    fill: Fill | None,
    X: Any,
    given: Given,
    rng: np.random.Generator,
    in_boxes: bool,
) -> FittedMasker:
    """The masker of a metric, ready for instances."""
    is_image = given.n_features is None
    if fill is not None and (masker is not None or not is_image):
        raise InvalidParameterError(
            "fill is what absent pixels show where a metric removes pixels: "
            + ("pass it inside the masker." if masker is not None else "a table takes masker=.")
        )
    if isinstance(masker, FittedMasker):
        return masker
    if masker is not None and not isinstance(masker, Masker):
        raise invalid("masker", "a masker, such as px.Background(X_train)", masker)
    if masker is not None:
        if masker.needs_fit and not is_image:
            _check_background(X, f"{type(masker).__name__}() without rows of its own")
        return masker.fit(X if masker.needs_fit else None, Features(), rng)
    if is_image:
        return positions(
            given.spatial[0],
            _has_channels(X, given),
            "blur" if fill is None else fill,
            in_boxes,
            rng,
        )
    _check_background(X, "a metric without a masker")
    return Background().fit(X, Features(), rng)


def _check_background(X: Any, what: str) -> None:
    """A single row is no background of itself."""
    rows, is_single = rows_of(X)
    if is_single or rows.shape[0] < 2:
        raise InvalidParameterError(
            f"masker must be given: {what} takes the rows of X as background, and X is one row. "
            "Pass masker=px.Background(X_train) or masker=explainer.masker_."
        )


def _has_channels(X: Any, given: Given) -> bool:
    """Whether an instance has an axis more than its map."""
    several = "instance" in given.axes and not isinstance(X, (list, tuple))
    first = X[0] if isinstance(X, (list, tuple)) and len(X) else X
    return bool(np.ndim(first) - several > len(given.spatial[0]))


def refuse_noise(subject: Subject, metric: str) -> None:
    """A metric that removes features cannot use a masker that moves them."""
    if subject.masker.reads == "noise":
        raise InvalidParameterError(
            f"masker must remove features: {metric} knows no state without them under "
            f"{subject.masker.value_function}. Pass masker=px.Background(X_train)."
        )


def is_ranked(subject: Subject) -> bool:
    """Whether pixels themselves are put into an order."""
    return isinstance(subject.masker, FittedPositions) and not subject.masker.in_boxes
