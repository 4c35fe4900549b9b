"""The contract of a masker: its settings, its fitted state, and a masker bound to an instance."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Coalitions, Floats, Ints, Noise
from perturbx.designs import CoalitionDesign, Design
from perturbx.features import FeatureTree, Regions, Spans


class BoundMasker(ABC):
    """A masker bound to one instance: turns perturbations into model rows.

    It is small, immutable and picklable, since workers receive it.
    """

    rows_per_perturbation: int = 1
    """The number of model rows per perturbation; their outputs are averaged."""

    weights: Floats | None = None
    """The weights of these rows in the average, which sum to 1; None if all are equal."""

    accepts: ClassVar[type[Design]] = CoalitionDesign
    """The class of designs that `batch` accepts."""

    reads_alone: bool = False
    """True if `interpretable` depends on the instance, so that no two instances share a design."""

    single_rows: bool = True
    """True if one row alone can be built for a fraction of what all of them cost.

    Designs that use one row behind each perturbation are refused otherwise.
    """

    draws: bool = False
    """True if its rows are draws from a distribution, which determines the value function.

    Standard errors then include that there are few. Otherwise its rows are part of the value
    function, and how far scores depend on them is reported as ``background_errors``.
    """

    shares_empty: bool = False
    """True if every instance has the same model rows with all features absent."""

    knows_answers: bool = False
    """True if `answers` replaces the model, and `batch` serves the full coalition alone."""

    regions: Regions | Spans | None = None
    """The positions of the features in an image, series or volume, in a text or in a list."""

    trees: tuple[FeatureTree, ...] = ()
    """Trees of the features, for tree methods: one for each model row, or one for all rows."""

    calls_are_costly: bool = False
    """True if even a batch of few rows is slow to build (data frames); calls are then large."""

    @property
    @abstractmethod
    def n_features(self) -> int:
        """The number of features of the instance."""

    @property
    @abstractmethod
    def feature_names(self) -> tuple[str, ...]:
        """A name for each feature."""

    @property
    def feature_labels(self) -> tuple[Any, ...]:
        """The user's own label of each feature, of any type: by default its name."""
        return self.feature_names

    @property
    @abstractmethod
    def data(self) -> Any:
        """The instance as an explanation shows it: (d,) values, or the image."""

    @property
    def active(self) -> NDArray[np.bool_]:
        """(d,): False for a feature whose removal changes no model row; its score is 0."""
        return np.ones(self.n_features, dtype=bool)

    @property
    @abstractmethod
    def row_bytes(self) -> int:
        """The size of one model row, which determines the default batch size."""

    @abstractmethod
    def scratch(self, n_rows: int) -> Any:
        """A buffer for at most `n_rows` model rows, which every call of `batch` reuses."""

    @abstractmethod
    def batch(self, z: Coalitions | Noise, rows: slice | Ints, scratch: Any) -> Any:
        """The model rows of perturbations `z` (c, d), in the user's container.

        `rows` is a slice of ``range(rows_per_perturbation)``: the batch holds those rows of the
        first perturbation, then of the second, ``c * (rows.stop - rows.start)`` rows in total.
        If a masker averages over rows, `rows` may also be c row numbers, one per perturbation.
        The batch may be a view of `scratch`, which the next call overwrites, but never a view of
        user data.
        """

    def answers(self, z: Coalitions) -> Floats:
        """(c, n_outputs): the model's output for coalitions `z`, on average; if `knows_answers`."""
        raise NotImplementedError

    def interpretable(self, z: Coalitions | Noise) -> Coalitions | Noise:
        """`z` as a solver reads it: the same for all instances, unless `reads_alone`."""
        return z


class Instances(ABC):
    """One or more instances that a fitted masker has checked, in the user's container."""

    single: bool
    """True if the user passed one row or image, without an axis of instances."""

    chunk: int = 256
    """The number of instances that are bound and explained together."""

    whole: NDArray[Any] | None = None
    """Their data in one array, where there is one: then an explanation needs no other."""

    @abstractmethod
    def __len__(self) -> int:
        """The number of instances."""

    @abstractmethod
    def take(self, start: int, stop: int) -> Any:
        """A copy of the instances ``start:stop``, as a batch for ``predict_fn``."""

    @abstractmethod
    def bind(self, start: int, stop: int) -> list[BoundMasker]:
        """The masker bound to each of the instances ``start:stop``."""

    def chunks(self, size: int | None = None) -> Iterator[slice]:
        """Consecutive slices of at most `size` instances, by default `chunk`."""
        n, step = len(self), size or self.chunk
        for start in range(0, n, step):
            yield slice(start, min(start + step, n))


class FittedMasker(ABC):
    """A masker that has learned from the training data and can be bound to instances."""

    accepts: ClassVar[type[Design]] = CoalitionDesign
    """The class of designs that its bound maskers accept."""

    value_function: str
    """A phrase that completes "the model's output with …"."""

    notes: tuple[str, ...] = ()
    """Notes for the explanation, for example that the background is a sample."""

    without_gradient: tuple[str, ...] = ()
    """Features that noise redraws, or that rounding keeps in place, instead of moving."""

    asks: Instances | None = None
    """Instances whose outputs it needs before it can be bound; None if it needs none."""

    is_taught: bool = False
    """True once it has learned the outputs of a model: it then serves no other model."""

    def taught(self, answers: Floats) -> FittedMasker:
        """The masker that has learned from the outputs (n, n_outputs) of what it `asks`."""
        raise NotImplementedError

    @abstractmethod
    def check(self, X: Any) -> Instances:
        """Check X; the result can be bound to this masker."""


@dataclass(frozen=True)
class Features:
    """The user's names and groups of columns, before they are compared with any data.

    Parameters
    ----------
    names : sequence of str or None
        Names of the columns of an array.
    groups : mapping of str to sequence, or None
        The columns of each feature, by label, name or position, under the feature's name.
    """

    names: Sequence[str] | None = None
    groups: Mapping[str, Sequence[str | int]] | None = None


class Masker(ABC):
    """How features are removed: a frozen dataclass whose fields are its settings."""

    of_images: ClassVar[bool] = False
    """True for images, series and volumes; False for the columns of tables."""

    needs_fit: ClassVar[bool] = False
    """True if `fit` needs X."""

    @abstractmethod
    def fit(self, X: Any, features: Features, rng: np.random.Generator) -> FittedMasker:
        """Learn from the training data X, or from None if the user passed none."""
