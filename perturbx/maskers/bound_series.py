"""How segments of one series are removed, in many copies at once."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Coalitions, Floats, Ints, Noise
from perturbx.containers import blend
from perturbx.features import FeatureTree, SeriesMap
from perturbx.maskers._base import BoundMasker
from perturbx.maskers._series_fills import channel_means
from perturbx.maskers.fills import as_dtype

Buffers: TypeAlias = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]
"""Masks and model rows, and the XOR of each fill with the series."""


@dataclass(frozen=True, eq=False, kw_only=True)
class BoundSeries(BoundMasker):
    """One series and its segments.

    Parameters
    ----------
    series : (T,) or (T, C) array
    regions : SeriesMap
    names : tuple of str
    trees : tuple of one FeatureTree
    channels_first : bool
        Whether model rows are (C, T).
    """

    series: NDArray[Any]
    regions: SeriesMap
    names: tuple[str, ...]
    trees: tuple[FeatureTree, ...]
    channels_first: bool

    @property
    def n_features(self) -> int:
        return len(self.regions)

    @property
    def feature_names(self) -> tuple[str, ...]:
        return self.names

    @property
    def data(self) -> NDArray[Any]:
        return self.series

    @property
    def row_bytes(self) -> int:
        return self.series.nbytes

    @property
    @abstractmethod
    def changed(self) -> NDArray[np.bool_]:
        """The steps and channels that differ from the series in some model row."""

    @property
    def active(self) -> NDArray[np.bool_]:
        return np.bincount(self.labels.ravel(), self.changed.ravel(), self.n_features) > 0

    @property
    def labels(self) -> Ints:
        """The feature of each value of the series."""
        segments = self.regions.segments
        if segments.ndim < self.series.ndim:
            segments = np.broadcast_to(segments[:, None], self.series.shape)
        return np.asarray(segments)

    def rows(self, values: NDArray[Any]) -> NDArray[Any]:
        """Series with channels last, (..., T, C), in the user's layout."""
        return np.ascontiguousarray(values.swapaxes(-1, -2)) if self.channels_first else values


@dataclass(frozen=True, eq=False, kw_only=True)
class BoundFilled(BoundSeries):
    """A series whose absent segments come from `fills` (b, T) or (b, T, C), bit by bit."""

    fills: NDArray[Any]

    @property
    def rows_per_perturbation(self) -> int:  # type: ignore[override]
        return len(self.fills)

    @property
    def changed(self) -> NDArray[np.bool_]:
        return np.asarray((self.fills != self.series).any(axis=0))

    def scratch(self, n_rows: int) -> Buffers:
        masks, out = np.empty((2, n_rows * self.series.size), dtype=self._bits)
        fills, series = (a.reshape(-1, self.series.size).view(self._bits) for a in self._own())
        return masks, out, fills ^ series

    def batch(self, z: Coalitions | Noise, rows: slice | Ints, scratch: Buffers) -> NDArray[Any]:
        masks, buffer, differences = scratch
        c, size = len(z), self.series.size
        absent = np.subtract(z, 1, dtype=self._bits, casting="unsafe")  # all ones where absent
        flat = self._own()[1].reshape(-1).view(self._bits)
        label = self.rows(self.labels).reshape(-1)
        chosen = masks[: c * size].reshape(c, size)
        np.take(absent, label, axis=1, out=chosen, mode="clip")
        apart = differences[rows]
        b = len(apart) if isinstance(rows, slice) else 1
        apart = apart if isinstance(rows, slice) else apart[:, None]
        out = buffer[: c * b * size].reshape(c, b, size)
        blend(chosen[:, None], apart, flat, out)
        shape = self.rows(self.series).shape
        return out.view(self.series.dtype).reshape(c * b, *shape)

    def _own(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """The fills and the series in the user's layout."""
        return np.ascontiguousarray(self.rows(self.fills)), self.rows(self.series)

    @property
    def _bits(self) -> np.dtype[Any]:
        return np.dtype(f"u{self.series.itemsize}")


@dataclass(frozen=True, eq=False, kw_only=True)
class BoundBridge(BoundSeries):
    """A series whose gaps are bridged by lines.

    Adjacent absent segments are one gap, so a model row depends on the whole coalition. The line
    runs from the last step before the gap to the first one after it. A gap at an end of the series
    holds the value next to it, and a channel that is absent as a whole shows its mean.

    Parameters
    ----------
    edges : (S + 1,) int array
        The first step of each segment, and T. Feature ``channel * S + segment`` is a segment of
        one channel, or of all channels if there are S features.
    """

    edges: Ints

    @property
    def changed(self) -> NDArray[np.bool_]:
        """Every step of a channel, unless it is constant: what a gap shows depends on others."""
        varies = (self.series != self.series[:1]).any(axis=0)
        return np.broadcast_to(varies, self.series.shape)

    def scratch(self, n_rows: int) -> None:
        return None

    def batch(self, z: Coalitions | Noise, rows: slice | Ints, scratch: None) -> NDArray[Any]:
        values = self.series.reshape(len(self.series), -1)
        n_segments = len(self.edges) - 1
        present = np.asarray(z, dtype=bool).reshape(len(z), -1, n_segments).swapaxes(1, 2)
        segment = np.repeat(np.arange(n_segments), np.diff(self.edges))
        bridged = self._bridges(values.astype(np.float64), present, segment)
        bridged = bridged if values.dtype == np.float64 else as_dtype(bridged, values.dtype)
        kept = np.broadcast_to(np.take(present, segment, axis=1), bridged.shape)
        np.copyto(bridged, values, where=kept)
        return self.rows(bridged.reshape(len(z), *self.series.shape))

    def _bridges(self, values: Floats, present: NDArray[np.bool_], segment: Ints) -> Floats:
        """(c, T, C): at each step, the line across the gap that it would lie in."""
        n_steps, n_channels = values.shape
        n_segments = present.shape[1]
        number = np.arange(n_segments)[:, None]
        before = np.maximum.accumulate(np.where(present, number, -1), axis=1)
        backwards = np.where(present, number, n_segments)[:, ::-1]
        after = np.minimum.accumulate(backwards, axis=1)[:, ::-1]
        starts, ends = before < 0, after == n_segments  # gaps at the start and at the end
        left = np.where(starts, 0, self.edges[before + 1] - 1)
        right = np.where(ends, n_steps - 1, self.edges[np.minimum(after, n_segments - 1)])
        channel = np.arange(n_channels)
        low, high = values[left, channel], values[right, channel]
        low, high = np.where(starts, high, low), np.where(ends, low, high)
        low = np.where(starts & ends, channel_means(values), low)
        high = np.where(starts & ends, low, high)
        # Halves, since the difference of two large numbers may be infinite.
        half_step = (high / 2 - low / 2) / np.maximum(right - left, 1)
        half_step = np.where(present, 0.0, half_step)
        line = np.take(-left.astype(np.float64), segment, axis=1)
        line += np.arange(n_steps)[:, None]
        line = line * np.take(half_step, segment, axis=1)
        line += np.take(low / 2, segment, axis=1)
        line *= 2
        return np.asarray(line)
