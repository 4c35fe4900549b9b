"""The frozen result of every method."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from types import EllipsisType
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from perturbx import _storage
from perturbx._summary import summary
from perturbx._typing import Floats
from perturbx.regions import Regions

if TYPE_CHECKING:
    import pandas as pd

AXES = ("instance", "feature", "output")
_WITHOUT_FEATURES = ("base_values", "predictions", "residual", "fidelity")

Pick: TypeAlias = int | slice | list[int]
Key: TypeAlias = Any
"""int, slice, name, list of either, or ... for each axis, as in NumPy."""


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """Scores of features, with their errors, their cost and what they mean.

    Indexing slices everything at once, by position or by name: ``explanation[0]``,
    ``explanation[:, "age"]``, ``explanation[..., "malignant"]``.

    Parameters
    ----------
    values : (n, d) or (n, d, k) array
        The scores of d features in n instances, for k outputs. An axis that was picked out with
        an integer or a name is gone; a single instance has (d,) or (d, k). Where instances have
        different numbers of features (images), the rest of a row is NaN.
    standard_errors : array like values
        The error of sampling perturbations; NaN where too few were drawn to know it.
    base_values : (n,) or (n, k) array
        What the scores are added to: the output without any feature, or a local fit's intercept.
    predictions : (n,) or (n, k) array
        The (linked) output of the model for the instances themselves.
    data : (n, d) array, or the images
        What was explained.
    feature_names : tuple of str
        Names along the feature axis.
    output_names : tuple of str, or (n, k) array of str
        Names along the output axis; an array where each instance has outputs of its own.
    axes : tuple of str
        Which of "instance", "feature" and "output" the axes of `values` are.
    method, value_function : str
        How the scores were found and what they are shares of, in words.
    n_rows, n_calls : int
        Rows and calls that the model was asked for the whole ``explain``, as a slice keeps them.
    degrees_of_freedom : float
        Of the t distribution that `interval` uses.
    converged : bool or None
        Whether `tol` was reached; None if no `tol` was asked for.
    residual : array like base_values, or None
        predictions - base_values - sum of values, where the method promises 0.
    fidelity : array like base_values, or None
        Weighted R2 of the local fit, where there is one.
    effective_samples : float or None
        How many equally weighted samples the local fit's weighted ones are worth.
    regions : tuple of Regions, Regions or None
        Where each feature lies in the image, series or volume.
    notes : tuple of str
        What a reader should know before trusting the scores.
    """

    values: Floats
    standard_errors: Floats
    base_values: Floats
    predictions: Floats
    data: Any
    feature_names: tuple[str, ...]
    output_names: Any
    axes: tuple[str, ...]
    method: str
    value_function: str
    n_rows: int
    n_calls: int
    degrees_of_freedom: float = np.inf
    converged: bool | None = None
    residual: Floats | None = None
    fidelity: Floats | None = None
    effective_samples: float | None = None
    regions: Regions | tuple[Regions, ...] | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of `values`."""
        return np.shape(self.values)

    def __len__(self) -> int:
        if not self.axes:
            raise TypeError("A single score has no length.")
        return len(self.values)

    def __getitem__(self, key: Key) -> Explanation:
        picks = _locate(self, key)
        changed: dict[str, Any] = {}
        for name in ("values", "standard_errors"):
            changed[name] = _pick(getattr(self, name), self.axes, picks)
        others = tuple(axis for axis in self.axes if axis != "feature")
        for name in _WITHOUT_FEATURES:
            if getattr(self, name) is not None:
                changed[name] = _pick(getattr(self, name), others, picks)
        if self.regions is None:
            changed["data"] = _pick(self.data, _data_axes(self), picks)
        elif "instance" in picks:
            changed["data"] = _pick(self.data, ("instance",), picks)
            changed["regions"] = _pick(self.regions, ("instance",), picks)
        if "feature" in picks:
            changed["feature_names"] = _names(self.feature_names, picks["feature"])
            if self.regions is not None and "feature" in self.axes:
                raise IndexError(_NO_REGION_SLICES)
        own_outputs = np.ndim(self.output_names) == 2
        name_axes = ("instance", "output") if own_outputs else ("output",)
        if not set(picks).isdisjoint(name_axes):
            names = _pick(np.asarray(self.output_names, dtype=object), name_axes, picks)
            changed["output_names"] = names if np.ndim(names) == 2 else tuple(np.atleast_1d(names))
        changed["axes"] = tuple(a for a in self.axes if not isinstance(picks.get(a), int))
        return _trimmed(replace(self, **changed))

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def interval(self, level: float = 0.95) -> tuple[Floats, Floats]:
        """Lower and upper ends, each like `values`, that hold the exact scores with `level`.

        They cover the error of having tried only some perturbations (t distribution with
        `degrees_of_freedom`), not that of the background being a sample.
        """
        from scipy.special import stdtrit

        if not 0 < level < 1:
            raise ValueError(f"level must be between 0 and 1, got {level!r}.")
        half = stdtrit(min(self.degrees_of_freedom, 1e9), (1 + level) / 2) * self.standard_errors
        return self.values - half, self.values + half

    def heatmap(self, output: int | str | None = None) -> Floats:
        """The scores of one image (or series, or volume) as a map over its positions.

        Parameters
        ----------
        output : int, str or None
            Which output, where several were explained.
        """
        if "instance" in self.axes:
            raise ValueError("A heat map shows one instance: use explanation[i].heatmap().")
        if not isinstance(self.regions, Regions):
            raise ValueError("A heat map needs an image: these features are columns.")
        one = self if output is None else self[..., output]
        if one.axes != ("feature",):
            raise ValueError(
                f"Several outputs were explained: pass output=, one of {list(self.output_names)}."
            )
        return self.regions.heatmap(one.values)

    def to_frame(self) -> pd.DataFrame:
        """A tidy pandas DataFrame: a row for each instance, output and feature."""
        from perturbx.interop._frames import to_frame

        return to_frame(self)

    def to_shap(self) -> Any:
        """A `shap.Explanation`, for every ``shap.plots.*``; images become maps of their shape."""
        from perturbx.interop._shap import to_shap

        return to_shap(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write to `path`, which ends in .npz or .json; `perturbx.load` reads it back."""
        _storage.write(path, {f.name: getattr(self, f.name) for f in fields(self)})

    def __repr__(self) -> str:
        return summary(self)


def load(path: str | os.PathLike[str]) -> Explanation:
    """Read an explanation that `Explanation.save` wrote; no code in the file is ever run."""
    return Explanation(**_storage.read(path))


_NO_REGION_SLICES = (
    "Regions of an image cannot be sliced; use explanation.values, or heatmap() for their places."
)


def _locate(explanation: Explanation, key: Key) -> dict[str, Pick]:
    """What is picked along which axis; axes that are kept whole are left out."""
    keys: list[Any] = list(key) if isinstance(key, tuple) else [key]
    axes = explanation.axes
    if any(isinstance(k, EllipsisType) for k in keys):
        at = next(i for i, k in enumerate(keys) if isinstance(k, EllipsisType))
        keys[at : at + 1] = [slice(None)] * (len(axes) - len(keys) + 1)
    if len(keys) > len(axes):
        raise IndexError(f"{len(keys)} indices for an explanation with axes {axes}.")
    names = {"feature": explanation.feature_names, "output": explanation.output_names}
    sizes = dict(zip(axes, explanation.shape, strict=True))
    located = {
        axis: _position(k, names.get(axis, ()), axis, sizes[axis])
        for axis, k in zip(axes, keys, strict=False)
    }
    return {axis: pick for axis, pick in located.items() if pick != slice(None)}


def _position(key: Any, names: Sequence[str], axis: str, size: int) -> Pick:
    if isinstance(key, slice):
        return key
    if isinstance(key, str):
        if np.ndim(names) != 1:
            raise IndexError("Each instance has outputs of its own: pick the instance first.")
        if key not in list(names):
            shown = ", ".join(map(repr, list(names)[:20]))
            raise KeyError(f"No {axis} is named {key!r}; there are {shown or 'no names'}.")
        return list(names).index(key)
    if isinstance(key, (list, tuple, np.ndarray)):
        if np.asarray(key).dtype == bool:
            key = np.flatnonzero(key)
        positions = [_position(k, names, axis, size) for k in key]
        return [p for p in positions if isinstance(p, int)]
    if not isinstance(key, (int, np.integer)):
        raise TypeError(f"Index the {axis}s with an int, a slice, a name or a list: got {key!r}.")
    if not -size <= key < size:
        raise IndexError(f"No {axis} {key}: there are {size}.")
    return int(key)


def _pick(array: Any, axes: tuple[str, ...], picks: dict[str, Pick]) -> Any:
    if isinstance(array, tuple):
        pick = picks.get("instance", slice(None))
        return tuple(array[i] for i in pick) if isinstance(pick, list) else array[pick]
    for position in reversed(range(len(axes))):
        if axes[position] in picks:
            array = array[(slice(None),) * position + (picks[axes[position]],)]
    return array


def _names(names: tuple[str, ...], pick: Pick) -> tuple[str, ...]:
    return tuple(np.atleast_1d(np.asarray(names, dtype=object)[pick]))


def _data_axes(explanation: Explanation) -> tuple[str, ...]:
    return tuple(axis for axis in explanation.axes if axis != "output")


def _trimmed(explanation: Explanation) -> Explanation:
    """A single image has just its own regions, however many others of its batch had."""
    regions = explanation.regions
    if not isinstance(regions, Regions) or explanation.axes[:1] != ("feature",):
        return explanation
    d = len(regions)
    return replace(
        explanation,
        values=explanation.values[:d],
        standard_errors=explanation.standard_errors[:d],
        feature_names=explanation.feature_names[:d],
    )
