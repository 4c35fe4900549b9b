"""How the features of one instance fade, in many copies at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Coalitions, Floats, Ints, Noise
from perturbx.designs import Design, GradedDesign
from perturbx.errors import InvalidInputError, InvalidParameterError
from perturbx.maskers._base import BoundMasker
from perturbx.maskers.bound_rows import BoundBackground


@dataclass(frozen=True, eq=False)
class BoundFaded(BoundMasker):
    """What is as in the masker whose features fade."""

    accepts: ClassVar[type[Design]] = GradedDesign

    inner: BoundMasker

    @property
    def n_features(self) -> int:
        return self.inner.n_features

    @property
    def feature_names(self) -> tuple[str, ...]:
        return self.inner.feature_names

    @property
    def feature_labels(self) -> tuple[Any, ...]:
        return self.inner.feature_labels

    @property
    def data(self) -> Any:
        return self.inner.data

    @property
    def active(self) -> NDArray[np.bool_]:
        return self.inner.active

    @property
    def regions(self) -> Any:  # type: ignore[override]
        return self.inner.regions

    @property
    def weights(self) -> Floats | None:  # type: ignore[override]
        return self.inner.weights

    @property
    def rows_per_perturbation(self) -> int:  # type: ignore[override]
        return self.inner.rows_per_perturbation

    @property
    def shares_empty(self) -> bool:  # type: ignore[override]
        return self.inner.shares_empty

    @property
    def calls_are_costly(self) -> bool:  # type: ignore[override]
        return self.inner.calls_are_costly

    @property
    def row_bytes(self) -> int:
        return self.inner.row_bytes


@dataclass(frozen=True, eq=False)
class BoundFadedValues(BoundFaded):
    """An image or a series, what each of its values fades into, and the feature of each."""

    image: NDArray[Any]
    fills: NDArray[Any]
    labels: Ints

    def scratch(self, n_rows: int) -> NDArray[Any]:
        return np.empty((n_rows, *self.image.shape), dtype=self.image.dtype)

    def batch(self, z: Coalitions | Noise, rows: slice | Ints, scratch: NDArray[Any]) -> Any:
        fills, number = self.fills[rows], 0
        for c, presence in enumerate(np.asarray(z, dtype=np.float64)):
            shown = presence[self.labels]
            for fill in fills if isinstance(rows, slice) else fills[c : c + 1]:
                _mix(scratch[number], self.image, fill, shown)
                number += 1
        return scratch[:number]


def _mix(out: NDArray[Any], x: NDArray[Any], absent: NDArray[Any], presence: Floats) -> None:
    """``absent + presence * (x - absent)``, exactly x and `absent` where presence is 1 and 0."""
    away = absent.astype(np.float64)
    with np.errstate(invalid="ignore"):  # infinite values on both sides, which are not mixed
        mixed = away + presence * (x.astype(np.float64) - away)
    if out.dtype.kind != "f":
        np.rint(mixed, out=mixed)
    np.copyto(out, mixed, casting="unsafe")
    np.copyto(out, x, where=(presence == 1) | (x == absent))
    np.copyto(out, absent, where=presence == 0)


@dataclass(frozen=True, eq=False)
class BoundFadedRow(BoundFaded):
    """One row, and background rows of numbers.

    Parameters
    ----------
    x : tuple of d (1,) arrays
        The row's cell in each column, in the column's type.
    absent : tuple of d (b,) arrays
        Those of the background rows.
    """

    inner: BoundBackground
    x: tuple[NDArray[Any], ...]
    absent: tuple[NDArray[Any], ...]

    @classmethod
    def of(cls, inner: BoundBackground) -> BoundFadedRow:
        """The row and background rows of a masker.

        Raises
        ------
        InvalidParameterError
            If a column in which they differ holds no numbers.
        InvalidInputError
            If it holds missing or infinite ones.
        """
        differs = (inner.background != inner.instance).any(axis=0)
        x, absent = [], []
        for j, moves in enumerate(differs):
            dtype = inner.layout.number_type(j, inner.tables)
            label = inner.layout.labels[j]
            if moves and (dtype is None or dtype.kind not in "iuf"):
                raise InvalidParameterError(
                    f"Column {label!r} holds no plain numbers, so there is no path between its "
                    "values: convert it to numbers, or use px.KernelShap."
                )
            kind = np.dtype("u8") if dtype is None else dtype
            own = (inner.instance[j : j + 1], inner.background[:, j])
            one, others = (a.astype(f"u{kind.itemsize}").view(kind) for a in own)
            if moves and not (np.isfinite(one).all() and np.isfinite(others).all()):
                raise InvalidInputError(
                    f"Column {label!r} holds missing or infinite values, between which there is no "
                    "path: fill them in, or use px.KernelShap."
                )
            x.append(one)
            absent.append(others)
        return cls(inner, tuple(x), tuple(absent))

    def scratch(self, n_rows: int) -> NDArray[Any]:
        return np.empty(n_rows * len(self.x), dtype=self.inner.instance.dtype)

    def batch(self, z: Coalitions | Noise, rows: slice | Ints, scratch: NDArray[Any]) -> Any:
        layout, d = self.inner.layout, len(self.x)
        presence = np.asarray(z, dtype=np.float64)[:, self.inner.columns.feature_of]
        order: Literal["C", "F"] = "F" if layout.column_major else "C"
        n_each = len(self.absent[0][rows]) if isinstance(rows, slice) else 1
        bits = scratch[: len(z) * n_each * d].reshape((len(z) * n_each, d), order=order)
        for j, (one, others) in enumerate(zip(self.x, self.absent, strict=True)):
            fills = others[rows][None] if isinstance(rows, slice) else others[rows][:, None]
            mixed = np.empty((len(z), n_each), dtype=one.dtype)
            shown = np.broadcast_to(presence[:, j, None], mixed.shape)
            _mix(mixed, one, np.broadcast_to(fills, mixed.shape), shown)
            bits[:, j] = mixed.view(f"u{one.itemsize}").ravel()
        return layout.decode(bits, self.inner.tables)
