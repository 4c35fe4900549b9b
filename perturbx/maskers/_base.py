"""The contract of a masker: what a user writes, what is learned, what one instance becomes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Coalitions, Floats, Ints, Noise
from perturbx.designs import CoalitionDesign, Design
from perturbx.features import FeatureTree, Regions


class BoundMasker(ABC):
    """A masker bound to one instance: turns perturbations into model rows.

    It is small, it pickles (workers receive it), and it changes nothing of itself.
    """

    rows_per_perturbation: int = 1
    """How many model rows stand behind one perturbation; their outputs are averaged."""

    weights: Floats | None = None
    """How much each of these rows counts, adding up to 1; None if they count the same."""

    accepts: ClassVar[type[Design]] = CoalitionDesign
    """The designs whose rows `batch` takes; noise alone knows no state with nothing present."""

    reads_alone: bool = False
    """True if `interpretable` depends on the instance, which then is solved by itself."""

    shares_empty: bool = False
    """True if the empty state is the same for every instance of the fitted masker."""

    regions: Regions | None = None
    """Where the features lie, for images, series and volumes."""

    trees: tuple[FeatureTree, ...] = ()
    """Trees of the features, for methods that go down them: one for each row, or one for all."""

    calls_are_costly: bool = False
    """True if a batch costs much, however few its rows (frames); calls are then large."""

    @property
    @abstractmethod
    def n_features(self) -> int:
        """How many features the instance has."""

    @property
    @abstractmethod
    def feature_names(self) -> tuple[str, ...]:
        """A name for each feature."""

    @property
    @abstractmethod
    def data(self) -> Any:
        """The instance as an explanation shows it: (d,) values, or the image."""

    @property
    def active(self) -> NDArray[np.bool_]:
        """(d,): False for a feature whose removal changes no model row; it scores 0 unasked."""
        return np.ones(self.n_features, dtype=bool)

    @property
    @abstractmethod
    def row_bytes(self) -> int:
        """The size of one model row, from which the default batch size follows."""

    @abstractmethod
    def scratch(self, n_rows: int) -> Any:
        """A buffer for at most `n_rows` model rows, for `batch` to use again and again."""

    @abstractmethod
    def batch(self, z: Coalitions | Noise, rows: slice | Ints, scratch: Any) -> Any:
        """The model rows of perturbations `z` (c, d), in the user's container.

        `rows` is a part of ``range(rows_per_perturbation)``: the batch holds that part for each
        perturbation in turn, ``c * (rows.stop - rows.start)`` rows in all. Where a masker
        averages over rows, `rows` may also be c numbers of rows, one for each perturbation.
        The batch may live in `scratch`, and is overwritten by the next call; it never is a view
        of user data.
        """

    def interpretable(self, z: Coalitions | Noise) -> Coalitions | Noise:
        """What a solver reads in place of `z`: for every instance the same, or `reads_alone`."""
        return z


class Instances(ABC):
    """What a fitted masker has checked: one or more instances, in the user's container."""

    single: bool
    """True if the user passed one row or image, without an axis of instances."""

    chunk: int = 256
    """How many instances are worked on at once, for their shared design."""

    @abstractmethod
    def __len__(self) -> int:
        """How many instances there are."""

    @abstractmethod
    def take(self, start: int, stop: int) -> Any:
        """A copy of some instances, as a batch for ``predict_fn``."""

    @abstractmethod
    def bind(self, start: int, stop: int) -> list[BoundMasker]:
        """The masker bound to each of some instances."""

    def chunks(self, size: int | None = None) -> Iterator[slice]:
        """Consecutive parts of at most `size` instances, by default of `chunk`."""
        n, step = len(self), size or self.chunk
        for start in range(0, n, step):
            yield slice(start, min(start + step, n))


class FittedMasker(ABC):
    """A masker that has learned what it needs, ready for instances."""

    accepts: ClassVar[type[Design]] = CoalitionDesign
    """The designs that it can apply."""

    value_function: str
    """How features are removed, in words that finish "the model's output with …"."""

    notes: tuple[str, ...] = ()
    """What a reader should know, such as a background that was cut to a sample."""

    @abstractmethod
    def check(self, X: Any) -> Instances:
        """X as instances that this masker can be bound to, or an error."""


@dataclass(frozen=True)
class Features:
    """What the user said of the columns, before any data was seen.

    Parameters
    ----------
    names : sequence of str or None
        Names of the columns of an array.
    groups : mapping of str to sequence, or None
        Columns (by name or position) that are one feature, under one name.
    """

    names: Sequence[str] | None = None
    groups: Mapping[str, Sequence[str | int]] | None = None


class Masker(ABC):
    """Says how a feature is removed. A frozen dataclass whose fields are its settings."""

    of_images: ClassVar[bool] = False
    """True if it removes parts of images, series or volumes, and not columns."""

    needs_fit: ClassVar[bool] = False
    """True if `fit` learns from X, so that X is needed before the first instance."""

    @abstractmethod
    def fit(self, X: Any, features: Features, rng: np.random.Generator) -> FittedMasker:
        """Learn from X (None if the user gave none) what removal needs."""
