"""An explanation that is judged: the model, the instances, their scores and the masker."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

import numpy as np

from perturbx._typing import (
    Coalitions,
    Floats,
    Ints,
    LinkName,
    Noise,
    OutputSelection,
    PredictFn,
    RandomState,
)
from perturbx._validation import (
    check_choice,
    check_flag,
    check_integer,
    check_random_state,
    invalid,
)
from perturbx.archive import Archive, ArchiveLike
from perturbx.containers import rows_of
from perturbx.designs import CustomCoalitions, NoiseDraws
from perturbx.errors import InvalidInputError, InvalidParameterError
from perturbx.features import SeriesMap
from perturbx.game import Cost, Game, probe, probe_cost
from perturbx.game import link as linked
from perturbx.maskers import (
    Background,
    BoundMasker,
    Features,
    Fill,
    FittedMasker,
    Instances,
    Masker,
)
from perturbx.metrics._positions import positions
from perturbx.metrics._scores import (
    ReadScores,
    Removing,
    Scored,
    boxes,
    center_blob,
    read_scores,
)
from perturbx.metrics.results import Measure, Named
from perturbx.predictor import Predictor

RANDOM_ORDERS = 3
"""Random orders behind one reference."""

_SAME = 1e-3
"""Predictions that differ by more than this fraction of their size are those of other rows."""


@dataclass(frozen=True, eq=False)
class JudgedExplanation:
    """A checked explanation, with all that a metric needs to ask the model.

    Parameters
    ----------
    game : Game
    masker : FittedMasker
    instances : Instances
    scores : ReadScores
    columns : (n, k) int array
        The model output behind each instance and output.
    names : tuple of str, or (n, k) array of str
        The outputs.
    full, empty : (n, k) array
        The (linked) outputs with all and with no features.
    references : bool
        Whether scores that never saw the model are measured too.
    cost : Cost
        What `full` and `empty` cost.
    seeds : SeedSequence
        The root of every draw.
    """

    game: Game
    masker: FittedMasker
    instances: Instances
    scores: ReadScores
    columns: Ints
    names: Any
    full: Floats
    empty: Floats
    references: bool
    cost: Cost
    seeds: np.random.SeedSequence

    @property
    def size(self) -> Floats:
        """(n, k): |f(x) - f(empty)|, 0 where it is rounding."""
        of = self.game.rounding.of
        rounding = np.maximum(of(self.full), of(self.empty))
        size = np.abs(self.full - self.empty)
        return np.asarray(np.where(size > 4 * rounding, size, 0.0))

    def bound(self) -> Iterator[tuple[int, BoundMasker]]:
        """The position of each instance, and the masker bound to it."""
        for part in self.instances.chunks():
            yield from enumerate(self.instances.bind(part.start, part.stop), part.start)

    def rng(self, *key: int) -> np.random.Generator:
        """A generator of its own for each key."""
        return np.random.default_rng(np.random.SeedSequence(self.seeds.entropy, spawn_key=key))

    def ask(
        self, bound: BoundMasker, z: Coalitions | Noise, i: int, j: int | None = None
    ) -> tuple[Floats, Cost]:
        """(m, k) outputs of perturbations of one instance, or (m, 1) of its output j."""
        columns = self.columns[i : i + 1, slice(None) if j is None else slice(j, j + 1)]
        kind: Any = CustomCoalitions if z.dtype == np.bool_ else NoiseDraws
        design = kind(z, np.ones(len(z)), np.arange(len(z)))
        outputs, cost = self.game.evaluate([bound], columns, design, np.array([i]))
        return outputs[0, :, 0], cost

    def each(self, number: Callable[[int, int], float]) -> Floats:
        """(n, k): a number of each instance i and output j."""
        n, k = self.full.shape
        return np.array([[number(i, j) for j in range(k)] for i in range(n)])

    def heats(self, i: int, j: int) -> dict[str, list[Floats]]:
        """Scores of an instance and output that order its features, under "", and references.

        References never saw the model: a random order of the columns of a table or of boxes of an
        image, and for images also the center first.
        """
        found = {"": [self.scores.heat(i, j)]}
        if not self.references:
            return found
        d, spatial = self.scores.size(i), self.scores.spatial
        labels = np.arange(d) if d is not None else boxes(spatial[i])
        ranks = np.arange(1.0, labels.max() + 2.0)
        found["random"] = [
            self.rng(1, i, draw).permutation(ranks)[labels] for draw in range(RANDOM_ORDERS)
        ]
        if spatial:
            found["center blob"] = [center_blob(spatial[i])]
        return found

    def result(
        self, metric: Named, grid: Floats, cost: Cost | None = None, **others: Any
    ) -> Measure:
        """The result of a metric: a (n, k) grid of numbers, and their cost.

        `others` are further fields of `Measure`; references and details are grids too, curves
        are (n, k, s).
        """
        slopes = self.scores.kind == "slopes" and self.masker.accepts is not NoiseDraws
        notes = [f"on the {self.game.link} scale"] if self.game.link != "identity" else []
        notes += ["the scores are slopes, read here as shares of the output"] if slopes else []
        return Measure.of_grids(
            metric,
            self.scores.axes,
            grid,
            self.cost if cost is None else self.cost + cost,
            output_names=self.names,
            value_function=self.masker.value_function,
            notes=(*self.masker.notes, *notes, *others.pop("notes", ())),
            **others,
        )


class Judging(Protocol):
    """What is asked of a metric before the model is."""

    name: ClassVar[str]
    reads: ClassVar[Literal["order", "sizes"]]
    accepts_noise: ClassVar[bool]

    def check(self, bound_maskers: list[BoundMasker]) -> None: ...


def judge(
    metric: Judging,
    predict_fn: PredictFn | Any,
    X: Any,
    explanation: Scored,
    *,
    masker: Removing = None,
    fill: Fill | None = None,
    outputs: OutputSelection = None,
    link: LinkName = "identity",
    batch_size: int | None = None,
    archive: ArchiveLike | None = None,
    random_state: RandomState = 0,
    references: bool = True,
) -> JudgedExplanation:
    """The explanation, checked, with f(x) and f(empty).

    Raises
    ------
    InvalidInputError
        If the explanation is not of these instances, or holds NaN.
    InvalidParameterError
        If a parameter cannot have its value, or several outputs were explained.
    """
    check_flag("references", references)
    check_choice("link", link, ("identity", "logit"))
    if batch_size is not None:
        check_integer("batch_size", batch_size, minimum=1)
    kept = None if archive is None else Archive.at(archive)
    seeds, in_units = check_random_state(random_state), metric.reads == "sizes"
    scores = read_scores(explanation, X, masker, fill, outputs)
    rng = np.random.default_rng(seeds.spawn(1)[0])
    fitted = _fitted(masker, fill, X, scores, rng, in_units)
    instances = fitted.check(X)
    scores.check(len(instances), instances.bind(0, 1)[0])
    for part in instances.chunks():
        metric.check(instances.bind(part.start, part.stop))
    if fitted.accepts is NoiseDraws and not metric.accepts_noise:
        raise InvalidParameterError(
            f"masker must remove features: {metric.name} needs the output without any, "
            f"and {fitted.value_function} removes none. Pass masker=px.Background(X_train)."
        )
    predictor = probe(predict_fn, instances, None, batch_size, archive=kept)
    predictor = predictor if kept is None else predictor.numbered()
    game = Game(predictor, link, batch_size, 1)
    raw, cost = game.predictions(instances)
    cost += probe_cost(predictor)
    columns = _columns(scores, outputs, predictor, raw, link, in_units)
    empty = np.empty(columns.shape)
    for part in instances.chunks():
        bound = instances.bind(part.start, part.stop)
        (empty[part],), asked = game.empty(bound, columns[part], part.start)
        cost += asked
    names = scores.names
    if names is None:
        each = np.asarray(predictor.output_names, dtype=object)[columns]
        names = each[0] if (columns == columns[:1]).all() else each
    names = tuple(names) if np.ndim(names) == 1 else names
    full = game.linked(np.take_along_axis(raw, columns, axis=1))
    return JudgedExplanation(
        game, fitted, instances, scores, columns, names, full, empty, references, cost, seeds
    )


def _fitted(
    masker: Removing,
    fill: Fill | None,
    X: Any,
    scores: ReadScores,
    rng: np.random.Generator,
    in_units: bool,
) -> FittedMasker:
    """The masker of a metric, ready for instances."""
    is_image = scores.n_features is None
    if fill is not None and (masker is not None or not is_image):
        raise InvalidParameterError(
            "fill is what absent pixels show where a metric removes pixels: "
            + ("pass it inside the masker." if masker is not None else "a table takes masker=.")
        )
    if isinstance(masker, FittedMasker):
        return masker
    if masker is None and scores.spans:
        raise InvalidParameterError(
            "masker must be given: pass the one that removed the pieces, as in "
            "masker=explainer.masker_ or masker=px.Tokens()."
        )
    if masker is not None and not isinstance(masker, Masker):
        raise invalid("masker", "a masker, such as px.Background(X_train)", masker)
    if masker is not None:
        if masker.needs_fit and not is_image:
            _check_background(X, f"{type(masker).__name__}() without rows of its own")
        return masker.fit(X if masker.needs_fit else None, Features(), rng)
    if any(isinstance(one, SeriesMap) for one in scores.regions):
        raise InvalidParameterError(
            "masker must be given: what an absent segment of a series shows is the masker's. Pass "
            "masker=explainer.masker_, or px.SeriesSegments(...)."
        )
    if is_image:
        several = "instance" in scores.axes and not isinstance(X, (list, tuple))
        first = X[0] if isinstance(X, (list, tuple)) and len(X) else X
        has_channels = np.ndim(first) - several > len(scores.spatial[0])
        shown = "blur" if fill is None else fill
        return positions(scores.spatial[0], bool(has_channels), shown, in_units, rng)
    _check_background(X, "a metric without a masker")
    return Background().fit(X, Features(), rng)


def _check_background(X: Any, what: str) -> None:
    """Refuse a single row as its own background."""
    rows, is_single = rows_of(X)
    if is_single or rows.shape[0] < 2:
        raise InvalidParameterError(
            f"masker must be given: {what} takes the rows of X as background, and X is one row. "
            "Pass masker=px.Background(X_train) or masker=explainer.masker_."
        )


def _columns(
    scores: ReadScores,
    outputs: OutputSelection,
    predictor: Predictor,
    raw: Floats,
    link_name: LinkName,
    in_units: bool,
) -> Ints:
    """(n, k): the model's output behind each score.

    An explanation's outputs are those of the same name, where the model answers as the
    explanation predicts, and else those whose answers are nearest to the predictions.
    """
    if scores.predictions is None:
        if outputs is None and predictor.n_outputs > 1:
            raise InvalidParameterError(
                f"the model has {predictor.n_outputs} outputs: choose with outputs= the one that "
                "the scores explain."
            )
        columns, _ = predictor.select(0 if outputs is None else outputs, raw)
        if columns.shape[1] > 1:
            raise invalid("outputs", "the one output that the scores explain", outputs)
        return columns
    predictions = scores.predictions
    known = {name: column for column, name in enumerate(predictor.output_names)}
    names = np.broadcast_to(np.asarray(scores.names, dtype=object), predictions.shape)
    named = np.array([[known.get(str(name), -1) for name in row] for row in names])[..., None]
    inside = bool(((raw > 0) & (raw < 1)).all())
    scales: list[LinkName] = [link_name] if in_units else ["identity", "logit"]
    for scale in (s for s in scales if s == "identity" or inside):
        distance = np.abs(linked(raw, scale)[:, None, :] - predictions[:, :, None])
        if np.ndim(scores.names) == 1:  # an output is the same one for every instance
            distance = np.broadcast_to(distance.max(axis=0, keepdims=True), distance.shape)
        near = distance <= _SAME * max(float(np.abs(predictions).max()), 1e-12)
        by_name = (named >= 0) & np.take_along_axis(near, named, axis=2)
        found = np.where(by_name, named, np.argmin(distance, axis=2)[..., None])
        if np.take_along_axis(near, found, axis=2).all():
            return np.asarray(found[..., 0])
    raise InvalidInputError(
        "explanation and X do not match: its predictions are not what predict_fn returns for X"
        + (f' on the scale of link="{link_name}"' if in_units else "")
        + ". Pass the predict_fn and the X that were explained"
        + (", and their link." if in_units else ".")
    )
