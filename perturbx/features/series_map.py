"""The positions of the features of a time series: segments of time, in one channel or in all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perturbx._typing import Ints
from perturbx.features.regions import LabelMap


@dataclass(frozen=True, eq=False)
class SeriesMap(LabelMap):
    """Segments of a series of T steps.

    `segments` is (T,) if a segment covers all channels, or (T, C) if each channel has segments of
    its own. A map of scores has the same shape.

    Parameters
    ----------
    channel_names : tuple of str
        The names of the C channels; empty for a series without a channel axis.

    Examples
    --------
    >>> places = SeriesMap(np.array([[0, 2], [0, 2], [1, 3]]), ("pulse", "breath"))
    >>> places.names
    ('pulse 0–1', 'pulse 2', 'breath 0–1', 'breath 2')
    >>> places.spans
    array([[0, 2],
           [2, 3],
           [0, 2],
           [2, 3]])
    """

    channel_names: tuple[str, ...] = ()

    @property
    def n_steps(self) -> int:
        return len(self.segments)

    @property
    def by_channel(self) -> bool:
        """Whether a segment covers one channel only."""
        return self.segments.ndim == 2

    @property
    def spans(self) -> Ints:
        """(d, 2): the first step of each feature, and the first step after it."""
        ends = np.zeros((len(self), 2), dtype=np.intp)
        steps = np.arange(self.n_steps)
        for column in self.segments.reshape(self.n_steps, -1).T:
            ends[column[::-1], 0] = steps[::-1]  # of equal indices, the last one counts
            ends[column, 1] = steps + 1
        return ends

    @property
    def channels(self) -> tuple[str | None, ...]:
        """The name of the channel of each feature; None if it covers all of them."""
        if not self.by_channel:
            return (None,) * len(self)
        channel = np.zeros(len(self), dtype=np.intp)
        channel[self.segments] = np.arange(self.segments.shape[1])
        return tuple(self.channel_names[c] for c in channel)

    @property
    def names(self) -> tuple[str, ...]:
        """The channel, and the first and the last step of each feature."""
        named = zip(self.spans, self.channels, strict=True)
        return tuple(f"{channel or ''} {span_text(*span)}".strip() for span, channel in named)


def span_text(start: int, stop: int) -> str:
    """The first and the last of the steps ``start:stop``."""
    return str(start) if stop - start == 1 else f"{start}–{stop - 1}"
