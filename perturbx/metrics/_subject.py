"""What is judged: a model, instances, their scores, and how features are removed from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from perturbx._typing import Floats, Ints
from perturbx.errors import InvalidParameterError
from perturbx.game import Cost, Game
from perturbx.maskers import FittedMasker, Removal
from perturbx.metrics._measure import Better, Measure
from perturbx.metrics._positions import FittedPositions
from perturbx.metrics._scores import Given


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
        of = self.game.rounding.of
        rounding = np.maximum(of(self.full), of(self.empty))
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

    def _reading(self) -> tuple[str, ...]:
        """The scale, and how scores are taken where that is not how they were meant."""
        slopes = self.given.are_slopes and self.masker.reads != "noise"
        return (
            *[f"on the {self.game.link} scale"] * (self.game.link != "identity"),
            *["the scores are slopes, read here as shares of the output"] * slopes,
        )

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
            notes=(*self.masker.notes, *self._reading(), *others.pop("notes", ())),
            **others,
        )


def with_empty(subject: Subject) -> Subject:
    """The subject with the outputs of the empty state."""
    empty, cost = [], subject.cost
    for start in range(0, subject.given.n, subject.masker.chunk):
        stop = min(start + subject.masker.chunk, subject.given.n)
        removals = subject.masker.bind(subject.X, start, stop)
        found, asked = subject.game.empty(removals, subject.columns[start:stop], start)
        empty.append(found)
        cost += asked
    return replace(subject, empty=np.concatenate(empty), cost=cost)


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
