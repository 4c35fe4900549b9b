"""Reads time series without converting them; which axis is time is never guessed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from perturbx._validation import invalid, is_masked
from perturbx.errors import InvalidInputError
from perturbx.maskers.images import ImageBatch

TimeChannels: TypeAlias = Literal["auto", -1, -2] | None
"""-1: channels are the last axis. -2: the last but one. None: none. "auto": only if it is clear."""

_CHOICES = (
    "pass channel_axis=None if it holds {plain}, channel_axis=-1 if its last axis holds the "
    "channels of {several}, or channel_axis=-2 if its {axis} axis does, as in "
    "px.SeriesSegments(channel_axis=-1)."
)


@dataclass(frozen=True, eq=False)
class SeriesBatch(ImageBatch):
    """Checked series with channels last: views of the user's arrays.

    `channels_first` says that the user's arrays have the channels before the steps.
    """

    channels_first: bool = False

    def own_layout(self, array: NDArray[Any]) -> NDArray[Any]:
        """An array of steps and channels, with its last two axes as the user has them."""
        return array.swapaxes(-1, -2) if self.channels_first else array


def check_time_channels(channel_axis: Any) -> None:
    """Refuse an invalid channel axis."""
    is_integer = isinstance(channel_axis, int) and not isinstance(channel_axis, bool)
    is_auto = isinstance(channel_axis, str) and channel_axis == "auto"
    if channel_axis is None or is_auto or (is_integer and channel_axis in (-1, -2)):
        return
    raise invalid(
        "channel_axis",
        "'auto', None (no channels), -1 (steps, channels) or -2 (channels, steps)",
        channel_axis,
    )


def read_series(X: Any, channel_axis: TimeChannels) -> SeriesBatch:
    """X as one series or several, with their channels last.

    Raises
    ------
    InvalidInputError
        If X is not an array or a list of arrays of numbers, if its axes are ambiguous or
        unexpected, if series of a list differ in their channels or dtypes, if a series has fewer
        than two steps, or if it holds NaN or infinity.
    """
    several = isinstance(X, (list, tuple))
    if several and not len(X):
        raise InvalidInputError("X is an empty list: pass at least one series.")
    arrays = list(X) if several else [X]
    names = [f"series {i}" for i in range(len(arrays))] if several else ["X"]
    for array, name in zip(arrays, names, strict=True):
        _check_array(array, name, several)
        _check_axes(np.shape(array), name, channel_axis, several)
    channels = channel_axis in (-1, -2)
    single = not several and arrays[0].ndim == 1 + channels
    if not several and not single:
        arrays = list(arrays[0])
    first = channel_axis == -2
    parts = tuple(np.asarray(a).T if first else np.asarray(a) for a in arrays)
    _check_agreement(parts, channels)
    for i, part in enumerate(parts):
        _check_values(part, "X" if single else f"series {i}")
    return SeriesBatch(parts, channels, single, channels_first=first)


def _check_array(array: Any, name: str, several: bool) -> None:
    """Refuse what is no array of numbers: the model gets the user's own type."""
    if not isinstance(array, np.ndarray):
        cure = f"pass np.asarray({'x' if several else 'X'})"
        if hasattr(array, "to_numpy"):
            cure = "pass X.to_numpy(), with its columns as channels and channel_axis=-1"
        elif several:
            cure = "for one series pass np.asarray(X), for several [np.asarray(x) for x in X]"
        raise InvalidInputError(
            f"{name} must be a NumPy array, and several series an array or a list of arrays; got "
            f"{type(array).__name__}: {cure}."
        )
    if is_masked(array) or isinstance(array, np.ma.MaskedArray):
        raise InvalidInputError(f"{name} is a masked array: pass {name}.filled(value).")
    if array.dtype.kind not in "buif" or array.dtype.itemsize not in (1, 2, 4, 8):
        cure = "convert it, as in np.asarray(x, dtype=np.float64)"
        if array.dtype.kind == "O":
            cure = "pass series of different lengths as a list of arrays, as in list(X)"
        raise InvalidInputError(
            f"{name} must hold bool, integers or floats of at most 64 bits; got dtype "
            f"{array.dtype}: {cure}."
        )
    if array.size == 0:
        raise InvalidInputError(f"{name} is empty: its shape is {array.shape}.")


def _check_axes(
    shape: tuple[int, ...], name: str, channel_axis: TimeChannels, several: bool
) -> None:
    """Refuse a number of axes that does not fit, or that may mean several things."""
    n_axes = len(shape)
    if channel_axis == "auto":
        if n_axes == 1:
            return
        if n_axes == 2 + (not several):
            raise InvalidInputError(
                f"{name} of shape {shape} holds steps and channels, in either order: pass "
                "channel_axis=-1 if the last axis holds the channels, or channel_axis=-2 if the "
                "one before it does, as in px.SeriesSegments(channel_axis=-1)."
            )
        if n_axes == 2:
            many, length = shape
            choices = _CHOICES.format(
                plain=f"{many} series of {length} steps", several="one series", axis="first"
            )
            raise InvalidInputError(f"{name} of shape {shape} is ambiguous: {choices}")
    elif n_axes == 1 + (channel_axis is not None) or (
        not several and n_axes == 2 + (channel_axis is not None)
    ):
        return
    one = "steps,"
    if channel_axis in (-1, -2):
        one = "steps, channels" if channel_axis == -1 else "channels, steps"
    batch = "" if several else f", or a batch of these, (series, {one.strip(',')})"
    raise InvalidInputError(
        f"with channel_axis={channel_axis!r} a series has the shape ({one}){batch}; {name} has "
        f"shape {shape}."
    )


def _check_agreement(parts: Sequence[NDArray[Any]], channels: bool) -> None:
    kinds = [(part.shape[1] if channels else 1, part.dtype) for part in parts]
    for i, kind in enumerate(kinds):
        if kind != kinds[0]:
            raise InvalidInputError(
                "series of one list must have the same channels and dtype, and may differ in "
                f"length only: series 0 has {kinds[0][0]} channels of {kinds[0][1]}, series {i} "
                f"has {kind[0]} of {kind[1]}."
            )


def _check_values(series: NDArray[Any], name: str) -> None:
    if len(series) < 2:
        raise InvalidInputError(
            f"{name} has a single step, of shape {series.shape}, which cannot be divided in time: "
            "explain its channels as the columns of a table, with px.Background. If the axes are "
            "in another order, pass another channel_axis."
        )
    if series.dtype.kind == "f" and not (finite := np.isfinite(series)).all():
        step = int(np.argwhere(~finite)[0][0])
        raise InvalidInputError(
            f"{name} must be finite: {int((~finite).sum())} of its {series.size} values are NaN or "
            f"infinite, the first at step {step}. Fill gaps before, as in np.interp(steps, "
            "steps[known], series[known])."
        )
