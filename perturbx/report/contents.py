"""The rows of a page as compact data: scores as whole numbers, and sentences about each row."""

from __future__ import annotations

from typing import Any

import numpy as np

from perturbx._typing import Floats
from perturbx.features import visible
from perturbx.features.places import aligned, place
from perturbx.result import Explanation
from perturbx.result.importance import Importance
from perturbx.result.ranks import told_apart
from perturbx.result.series import maps_of, segment_means
from perturbx.result.summary import half_widths
from perturbx.result.text import numbers, output_label, shorten, show

_DIGITS = 4
"""The largest score of a row has five digits, and the others as many decimals."""

_CELL, _NAME = 60, 120


def contents_of(explanation: Explanation, level: float) -> dict[str, Any]:
    """Names, and for each row and output: scores, half intervals, predictions and sentences.

    Scores `v` and halves `h` are whole numbers times ten to the power of `s`; an unknown half is
    null, and so is an unknown score. They lie row by row, and in each row output by output.
    """
    e = explanation
    n, k = n_rows(e), n_outputs(e)
    names = [names_of(e, i) for i in range(n if _has_own_features(e) else 1)]
    sizes = [len(own) for own in names] * (n if len(names) == 1 else 1)
    values, half = (
        np.asarray(part).reshape(n, -1, k) for part in (e.values, half_widths(e, level))
    )
    unknown = np.full((n, k), np.nan)
    base, prediction, rest = (
        unknown if part is None else np.reshape(part, (n, k))
        for part in (e.base_values, e.predictions, e.residual)
    )
    found: dict[str, Any] = {
        "n": n,
        "k": k,
        "signs": e.score_kind == "shares",
        "outputs": _outputs(e, k),
        "names": names,
        "cells": [cells_of(e, i, d) for i, d in enumerate(sizes)],
        **{key: [] for key in ("s", "v", "h", "heads", "words")},
    }
    for i, j in np.ndindex(n, k):
        v, h = values[i, : sizes[i], j], half[i, : sizes[i], j]
        power = _power(v)
        found["s"].append(power)
        found["v"].append(_whole(v, power))
        found["h"].append(_whole(h, power))
        found["heads"].append(_head(v, *map(float, (base[i, j], prediction[i, j], rest[i, j]))))
        found["words"].append(told_apart(names[i if len(names) > 1 else 0], v, h, level))
    return found


def n_rows(e: Explanation) -> int:
    """The number of instances."""
    return len(e) if "instance" in e.axes else 1


def n_outputs(e: Explanation) -> int:
    """The number of outputs."""
    return int(e.shape[-1]) if "output" in e.axes else 1


def importance_data(found: Importance, level: float) -> dict[str, Any]:
    """The same for mean sizes: `v`, and the ends `a` and `b` of their intervals, by output."""
    d = len(found.feature_names)
    parts = [part.reshape(d, -1) for part in (found.values, *found.interval(level))]
    powers = [_power(parts[0][:, j]) for j in range(parts[0].shape[1])]
    return {
        "s": powers,
        **{
            key: [_whole(part[:, j], power) for j, power in enumerate(powers)]
            for key, part in zip("vab", parts, strict=True)
        },
    }


def names_of(e: Explanation, row: int) -> list[str]:
    """The features of one row."""
    own = e[row] if _has_own_features(e) else e
    return [clean(str(name), _NAME) for name in own.feature_names]


def clean(text: str, width: int) -> str:
    """On one line, without characters that would change what is around them."""
    return shorten(visible(text), width)


def cells_of(e: Explanation, row: int, d: int) -> list[str]:
    """The value of each feature, or where its region lies; empty where rows have neither."""
    data = e.data[row] if "instance" in e.axes and e.data is not None else e.data
    if maps := maps_of(e):
        return [show(mean) for mean in segment_means(data, maps[row if len(maps) > 1 else 0])]
    if e.regions is not None:
        own: Any = e.regions[row] if isinstance(e.regions, tuple) else e.regions
        return [place(own, i) for i in range(d)]
    if data is None:
        return []
    return [visible(show(data[i], _CELL)) for i in range(d)]


def heading_of(e: Explanation) -> str:
    """The title of the column of `cells_of`."""
    return "mean value" if maps_of(e) else "value" if e.regions is None else "place"


def _has_own_features(e: Explanation) -> bool:
    """Whether each row has features of its own."""
    return isinstance(e.regions, tuple) and not aligned(e.regions)


def _outputs(e: Explanation, k: int) -> list[list[str]]:
    """The names of the outputs, once, or for each row where rows have their own."""
    names = np.asarray(e.output_names, dtype=object)
    if names.size % k or not names.size:
        return [["output"] * k]
    return [[clean(output_label(str(name)), _NAME) for name in row] for row in names.reshape(-1, k)]


def _power(values: Floats) -> int:
    largest = float(np.abs(values[np.isfinite(values)]).max(initial=0.0))
    return int(np.floor(np.log10(largest))) - _DIGITS if largest else -_DIGITS


def _whole(values: Floats, power: int) -> list[int | None]:
    """Rounded; null where it is not known."""
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = values / 10.0**power if power > -300 else values * 1e300 * 10.0 ** (-power - 300)
        whole = np.rint(scaled)
    is_known = np.abs(whole) < 2**53
    return [int(w) if known else None for w, known in zip(whole, is_known, strict=True)]


def _head(values: Floats, base: float, prediction: float, rest: float) -> list[str]:
    """Base value and prediction; between them what raises and lowers it, and what is missing.

    `rest` is NaN for scores that are not meant to add up.
    """
    if not np.isfinite(rest):
        return numbers([base, prediction], signed=False)
    up, down = float(values[values > 0].sum()), float(values[values < 0].sum())
    is_rounding = abs(rest) <= 1e-6 * max(up, -down, abs(base), abs(prediction))
    return numbers([base, up, -down, 0.0 if is_rounding else rest, prediction], signed=False)
