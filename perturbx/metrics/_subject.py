"""What is judged: a model, instances, their scores, and how features are removed from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from perturbx._typing import Coalitions, Floats, Ints, Noise
from perturbx.designs import CustomCoalitions, NoiseDraws
from perturbx.game import Cost, Game
from perturbx.maskers import BoundMasker, FittedMasker, Instances
from perturbx.metrics._measure import Measure, Named
from perturbx.metrics._positions import boxes, center_blob
from perturbx.metrics._scores import Lookup, ReadScores

RANDOM_ORDERS = 3
"""Random orders behind one reference."""


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
    def shape(self) -> tuple[int, int]:
        """Instances and outputs."""
        return self.scores.n, self.scores.k

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
        columns = self.columns[i : i + 1]
        columns = columns if j is None else columns[:, j : j + 1]
        kind: Any = CustomCoalitions if z.dtype == np.bool_ else NoiseDraws
        design = kind(z, np.ones(len(z)), np.arange(len(z)))
        outputs, cost = self.game.evaluate([bound], columns, design, np.array([i]))
        return outputs[0, :, 0], cost

    def each(self, number: Callable[[int, int], float]) -> Floats:
        """(n, k): a number of each instance i and output j."""
        n, k = self.shape
        return np.array([[number(i, j) for j in range(k)] for i in range(n)])

    def reference_orders(self) -> dict[str, list[Lookup]]:
        """Scores that never saw the model: some at random, and for images the center first."""
        spatial = self.scores.spatial

        def random(draw: int) -> Lookup:
            return lambda i, j: self._random_scores(i, draw)

        found = {"random": [random(draw) for draw in range(RANDOM_ORDERS)]}
        if spatial:
            found["center blob"] = [lambda i, j: center_blob(spatial[i])]
        return found

    def shaped(self, grid: Floats) -> Floats:
        """(n, k, ...) without the axes that the explanation does not have."""
        axes = zip(("instance", "output"), self.shape, strict=True)
        shape = [size for axis, size in axes if axis in self.scores.axes]
        return np.reshape(grid, (*shape, *grid.shape[2:]))

    def result(
        self, metric: Named, grid: Floats, cost: Cost | None = None, **others: Any
    ) -> Measure:
        """The result of a metric: a (n, k) grid of numbers, and what they cost.

        `others` are further fields of `Measure`; references and details are grids too, curves
        are (n, k, s).
        """
        asked = self.cost if cost is None else self.cost + cost
        curves = others.pop("curves", None)
        grids: dict[str, Any] = {
            name: {key: self.shaped(found) for key, found in others.pop(name, {}).items()}
            for name in ("references", "details", "reference_curves")
        }
        slopes = self.scores.kind == "slopes" and self.masker.accepts is not NoiseDraws
        notes = [f"on the {self.game.link} scale"] if self.game.link != "identity" else []
        notes += ["the scores are slopes, read here as shares of the output"] if slopes else []
        return Measure(
            metric=metric.name,
            values=self.shaped(grid),
            axes=self.scores.axes,
            output_names=self.names,
            better=metric.better,
            value_function=self.masker.value_function,
            n_rows=asked.n_rows,
            n_calls=asked.n_calls,
            curves=None if curves is None else self.shaped(curves),
            notes=(*self.masker.notes, *notes, *others.pop("notes", ())),
            **grids,
            **others,
        )

    def _random_scores(self, i: int, draw: int) -> Floats:
        """1, 2, ... dealt at random to the columns of a table, or to boxes of an image."""
        rng = self.rng(1, i, draw)
        if self.scores.n_features is not None:
            return rng.permutation(np.arange(1.0, 1.0 + self.scores.n_features))
        labels = boxes(self.scores.spatial[i])
        return np.asarray(rng.permutation(np.arange(1.0, labels.max() + 2.0))[labels])
