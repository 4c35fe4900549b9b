"""Segments of time series, in each channel or in all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Ints
from perturbx._validation import check_choice, check_integer, check_names, distinct_names
from perturbx.errors import InvalidInputError, InvalidParameterError
from perturbx.features import SeriesMap
from perturbx.maskers._base import BoundMasker, Features, Masker
from perturbx.maskers._change_points import change_point_edges
from perturbx.maskers._series_edges import edges_of_boundaries, edges_of_labels, equal_edges
from perturbx.maskers._series_fills import (
    NOISY,
    SeriesFill,
    check_series_fill,
    describe_series_fill,
    filled_series,
)
from perturbx.maskers._series_input import (
    SeriesBatch,
    TimeChannels,
    check_time_channels,
    read_series,
)
from perturbx.maskers._series_tree import series_tree
from perturbx.maskers.bound_series import BoundBridge, BoundFilled
from perturbx.maskers.fills import as_dtype
from perturbx.maskers.images import FittedImages, ImageBatch, Images

METHODS = ("equal", "change points")

_SEGMENTS = 20


@dataclass(frozen=True, eq=False)
class SeriesSegments(Masker):
    """Features are segments of a time series; an absent segment shows the fill.

    Segments never overlap, and together they cover the series. In a series with several channels
    each channel has segments of its own, at the same steps, unless ``channels="together"``.

    Series are arrays of integers, floats or bool, one or a batch, or a list of series of different
    lengths. `predict_fn` gets batches in the same layout and of the same dtype. The tree for
    `OwenShap` halves the time again and again, and then separates the channels of a segment.

    Parameters
    ----------
    n_segments : int or None
        The number of segments in time. None: 20, or as many as there are steps, if these are fewer.
    fill : str, number, or array
        What absent segments show:

        - "bridge": a line from the last step before a gap to the first one after it. Adjacent
          absent segments are one gap. A gap at an end of the series holds the value next to it; a
          channel that is absent as a whole shows its mean.
        - "mean": the mean of the channel. A number: that value, such as 0. One number per channel.
        - "background": the same steps of the series that `fit` saw, over which outputs are
          averaged. An array of series, (b, ...), is such a background too, and a single series a
          baseline.
        - "noise": Gaussian noise with the channel's own mean and standard deviation, averaged over
          draws. "autocorrelated noise": the same with the channel's own spectrum.
        - "blur", "light blur": the series, smoothed by a Gaussian with a standard deviation of 5%
          or 1.25% of its length.

        Fills are rounded to the dtype of the series.
    channels : "each" or "together"
        Whether a feature is a segment of one channel, or of all of them.
    method : "equal" or "change points"
        Segments of equal length, or segments that lines fit best in each series.
    boundaries : sequence of int, optional
        Your own segments: the first step of each. 0 and the length may be left out.
    segments : (T,) int array, or a list of one per series, optional
        Your own segments: a label for each step. Each label must be a single run of steps.
    channel_axis : "auto", None, -1 or -2
        None: series without channels, (T,) or (n, T). -1: (T, C) or (n, T, C). -2: (C, T) or
        (n, C, T), as in aeon and sktime. "auto": series of shape (T,), in a list if there are
        several; other arrays raise an error, since several readings would be possible.
    channel_names : sequence of str, optional
        By default "channel 0", "channel 1", ...
    max_rows : int
        The number of draws of noise, and the largest number of background series: if `fit` saw
        more, a random sample is used.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> series = np.array([0.0, 1, 2, 9, 4, 5, 6, 7])
    >>> masker = px.SeriesSegments(4)
    >>> explanation = px.KernelShap(lambda X: X.max(axis=1), masker=masker).explain(series)
    >>> explanation.feature_names
    ('0–1', '2–3', '4–5', '6–7')
    >>> explanation.values.round(2)
    array([-0.81,  3.52,  0.52,  1.52])
    """

    of_images = True

    n_segments: int | None = None
    fill: SeriesFill = "bridge"
    channels: Literal["each", "together"] = "each"
    method: Literal["equal", "change points"] = "equal"
    boundaries: Sequence[int] | None = None
    segments: NDArray[Any] | Sequence[NDArray[Any]] | None = None
    channel_axis: TimeChannels = "auto"
    channel_names: Sequence[str] | None = None
    max_rows: int = 20

    @property
    def needs_fit(self) -> bool:  # type: ignore[override]
        return isinstance(self.fill, str) and self.fill == "background"

    @property
    def finds_change_points(self) -> bool:
        """Whether segments are found in each series."""
        return self.method == "change points" and self.boundaries is None and self.segments is None

    def fit(self, X: Any, features: Features, rng: np.random.Generator) -> FittedSeries:
        """Check the settings; learn the background from X, if it is the fill.

        Raises
        ------
        InvalidParameterError
            If a setting is invalid, or if `features` names columns.
        InvalidInputError
            If the fill is "background", and X is None or not several series of one shape.
        """
        self._check_settings(features)
        if not self.needs_fit:
            is_noise = isinstance(self.fill, str) and self.fill in NOISY
            return FittedSeries(self, int(rng.integers(2**63)) if is_noise else 0)
        if X is None:
            raise InvalidInputError('fill="background" learns from data: call fit(X_train) first.')
        batch = read_series(X, self.channel_axis)
        shapes = sorted({array.shape for array in batch.arrays})
        if batch.single or len(shapes) > 1:
            got = "one series" if batch.single else f"series of shapes {shapes[0]} and {shapes[1]}"
            raise InvalidInputError(
                f'fill="background" needs several series of the same shape: got {got}.'
            )
        n = len(batch)
        if n <= self.max_rows:
            return FittedSeries(self, 0, np.array(batch.arrays))
        chosen = np.sort(rng.choice(n, size=self.max_rows, replace=False))
        note = f"the background is a random sample of {self.max_rows} of {n} series"
        return FittedSeries(self, 0, np.array([batch.arrays[i] for i in chosen]), (note,))

    def _check_settings(self, features: Features) -> None:
        if self.n_segments is not None:
            check_integer("n_segments", self.n_segments, minimum=1)
        check_series_fill(self.fill)
        check_choice("channels", self.channels, ("each", "together"))
        check_choice("method", self.method, METHODS)
        check_time_channels(self.channel_axis)
        check_integer("max_rows", self.max_rows, minimum=1)
        if self.channel_names is not None:
            distinct_names("channel_names", check_names("channel_names", self.channel_names))
        if self.boundaries is not None and self.segments is not None:
            raise InvalidParameterError("boundaries and segments say the same: pass one of them.")
        for name, value in (("feature_names", features.names), ("groups", features.groups)):
            if value is not None:
                raise InvalidParameterError(
                    f"{name} must be None for series: it refers to columns. Name channels by "
                    "channel_names=, and choose segments by boundaries=, as in "
                    "px.SeriesSegments(boundaries=[50, 120])."
                )


@dataclass(frozen=True, eq=False)
class SeriesInstances(Images):
    """Checked series, which the model gets in the user's layout."""

    read: SeriesBatch

    def take(self, start: int, stop: int) -> NDArray[Any]:
        return np.ascontiguousarray(self.read.own_layout(super().take(start, stop)))


@dataclass(frozen=True, eq=False)
class FittedSeries(FittedImages):
    """`SeriesSegments` with checked settings, the seed of its noise, and its background."""

    masker: SeriesSegments
    seed: int
    background: NDArray[Any] | None = None
    notes: tuple[str, ...] = ()

    @property
    def value_function(self) -> str:  # type: ignore[override]
        masker = self.masker
        n = masker.max_rows if self.background is None else len(self.background)
        how = "given segments"
        if masker.boundaries is None and masker.segments is None:
            how = "between change points" if masker.finds_change_points else "of equal length"
        each = ", all channels together" * (masker.channels == "together")
        return f"absent segments {describe_series_fill(masker.fill, n)} ({how}{each})"

    def check(self, X: Any) -> Images:
        return SeriesInstances(self, self.read(X))

    def read(self, X: Any) -> SeriesBatch:
        batch = read_series(X, self.masker.channel_axis)
        names = self.masker.channel_names
        n_channels = batch.arrays[0].shape[-1] if batch.channels else 1
        if names is not None and len(names) != n_channels:
            raise InvalidInputError(
                f"channel_names must name each channel: got {len(names)} for {n_channels}."
            )
        for index in range(len(batch)):
            self._edges(batch, index)
            if self.background is not None or not isinstance(self.masker.fill, str):
                self._fills(batch, index)
        return batch

    def bound(self, X: ImageBatch, index: int) -> BoundMasker:
        assert isinstance(X, SeriesBatch)
        series = np.array(X.arrays[index], order="C")
        series.flags.writeable = False
        edges = self._edges(X, index)
        if self.masker.finds_change_points:
            flat = series.reshape(len(series), -1)
            edges = change_point_edges(flat, len(edges) - 1)
        regions = self._map(edges, series, X.channels)
        shared: dict[str, Any] = {
            "series": series,
            "regions": regions,
            "names": regions.names if self._alike(X) else _numbered(regions),
            "trees": (series_tree(edges, series.shape[1] if regions.by_channel else 1),),
            "channels_first": X.channels_first,
        }
        fills = self._fills(X, index)
        if fills is None:
            return BoundBridge(**shared, edges=edges)
        return BoundFilled(**shared, fills=fills)

    def _alike(self, X: SeriesBatch) -> bool:
        """Whether the segments lie at the same steps in every series."""
        lengths = {len(array) for array in X.arrays}
        listed = isinstance(self.masker.segments, (list, tuple))
        moves = listed or len(lengths) > 1 or self.masker.finds_change_points
        return len(X) == 1 or not moves

    def _map(self, edges: Ints, series: NDArray[Any], channels: bool) -> SeriesMap:
        n_segments, n_channels = len(edges) - 1, series.shape[1] if channels else 1
        segments = np.repeat(np.arange(n_segments), np.diff(edges))
        if channels and self.masker.channels == "each":
            segments = segments[:, None] + n_segments * np.arange(n_channels)
        names = self.masker.channel_names
        if names is None:
            names = [f"channel {i}" for i in range(n_channels)]
        return SeriesMap(segments, tuple(map(str, names)) if channels else ())

    def _edges(self, X: SeriesBatch, index: int) -> Ints:
        """The first step of each segment, before change points are found, and the length."""
        masker, series = self.masker, X.arrays[index]
        n_steps = len(series)
        if masker.boundaries is not None:
            edges = edges_of_boundaries(masker.boundaries, n_steps)
        elif masker.segments is not None:
            edges = edges_of_labels(masker.segments, n_steps, len(X), index)
        else:
            n = min(_SEGMENTS, n_steps) if masker.n_segments is None else masker.n_segments
            edges = equal_edges(n_steps, n)
        separate = X.channels and masker.channels == "each" and series.shape[1] > 1
        if len(edges) < 3 and not separate:
            raise InvalidInputError(
                "a series in a single segment has a single feature: pass at least two segments, as "
                'in n_segments=20. For the effects of whole channels, pass channels="each".'
            )
        return edges

    def _fills(self, X: SeriesBatch, index: int) -> NDArray[Any] | None:
        """(b, T) or (b, T, C): what absent segments show; None for the bridge."""
        fill, series = self.masker.fill, X.arrays[index]
        if isinstance(fill, str) and fill == "bridge":
            return None
        if self.background is None:
            if not isinstance(fill, str) and X.channels_first:
                values = np.asarray(fill)
                fill = values.swapaxes(-1, -2) if values.ndim > 1 else values
            return filled_series(fill, series, X.channels, self.seed, self.masker.max_rows)
        if self.background.shape[1:] != series.shape:
            raise InvalidInputError(
                f"the background series have shape {self.background.shape[1:]}, and series {index} "
                f"has {series.shape}: explain series of the same length and channels, or choose a "
                'fill that needs no background, such as fill="bridge".'
            )
        return as_dtype(self.background, series.dtype)


def _numbered(regions: SeriesMap) -> tuple[str, ...]:
    """Names without steps, for series whose segments lie at different steps."""
    channels = regions.channels
    each = [sum(c == channel for c in channels[:i]) for i, channel in enumerate(channels)]
    named = zip(channels, each, strict=True)
    return tuple(f"{channel or ''} segment {number}".strip() for channel, number in named)
