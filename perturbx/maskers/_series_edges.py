"""The edges of the segments of a series: equal ones, or the user's own."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Ints
from perturbx._validation import invalid
from perturbx.errors import InvalidInputError


def equal_edges(n_steps: int, n_segments: int) -> Ints:
    """The n_segments + 1 edges of segments whose lengths differ by at most one step.

    Raises
    ------
    InvalidInputError
        If there are more segments than steps.
    """
    if n_segments > n_steps:
        raise InvalidInputError(
            f"n_segments={n_segments} is more than the {n_steps} steps of a series: pass at most "
            f"n_segments={n_steps}."
        )
    return np.arange(n_segments + 1) * n_steps // n_segments


def edges_of_boundaries(boundaries: Any, n_steps: int) -> Ints:
    """The user's boundaries, with 0 and the number of steps.

    Raises
    ------
    InvalidParameterError
        If they are no increasing steps of the series.
    """
    expected = f"increasing steps from 0 to {n_steps}"
    values = np.asarray(boundaries)
    if values.ndim != 1 or values.dtype.kind not in "iu" or not len(values):
        raise invalid("boundaries", expected, boundaries, "They are integers, in a flat list.")
    inner = [int(step) for step in values]
    if inner[0] < 0 or inner[-1] > n_steps:
        raise invalid("boundaries", expected, boundaries, f"The series has {n_steps} steps.")
    if any(b <= a for a, b in pairwise(inner)):
        raise invalid("boundaries", expected, boundaries, "Sort them, and name each once.")
    return np.unique([0, *inner, n_steps])


def edges_of_labels(segments: Any, n_steps: int, n_series: int, index: int) -> Ints:
    """The edges of the user's labels of one series: one array for all of them, or one for each.

    Raises
    ------
    InvalidParameterError, InvalidInputError
        If there is not one integer for each step, or if a label comes back.
    """
    labels = _labels_of(segments, n_series, index)
    if labels.shape != (n_steps,) or labels.dtype.kind not in "biu":
        raise InvalidInputError(
            f"segments must hold an integer label for each of the {n_steps} steps: got shape "
            f"{labels.shape} of dtype {labels.dtype}. Channels have the same segments."
        )
    starts = np.flatnonzero(np.diff(labels, prepend=labels[:1]) != 0)
    edges = np.array([0, *starts, n_steps], dtype=np.intp)
    runs = labels[edges[:-1]]
    if len(set(runs.tolist())) < len(runs):
        again = next(i for i, label in enumerate(runs) if label in runs[:i])
        raise InvalidInputError(
            f"each label in segments must be a single run of steps: {runs[again]} comes back at "
            f"step {edges[again]}."
        )
    return edges


def _labels_of(segments: Any, n_series: int, index: int) -> NDArray[Any]:
    """The labels of one series, from one array for all of them or one for each."""
    if isinstance(segments, np.ndarray) and segments.ndim == 1:
        return segments
    if not isinstance(segments, (list, tuple)) or len(segments) != n_series:
        raise invalid(
            "segments", f"an array of labels for all series, or a list of {n_series}", segments
        )
    return np.asarray(segments[index])
