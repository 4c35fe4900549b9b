"""Measures of several explainers to one table, with paired differences and their intervals."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from perturbx._typing import Floats
from perturbx.metrics._comparison import Comparison
from perturbx.metrics._measure import Measure, known_mean

_REFERENCES = ("random", "centre blob")

_RESAMPLES = 2000

_FEWEST = 5
"""Resamples of fewer instances than this are too alike to tell how far off a mean is."""


def tabulate(
    measures: Mapping[str, Mapping[str, Measure]],
    explaining: Sequence[float],
    *,
    removing: Collection[str],
    against: str,
    level: float,
    seed: int,
) -> Comparison:
    """Means, paired differences and their intervals.

    Parameters
    ----------
    measures : by explainer and metric
    explaining : one number of model rows for each explainer
    removing : names of the metrics that remove features, so that it is told how
    against, level, seed
        Of the intervals.
    """
    first = next(iter(measures.values()))
    rows = {name: {m: found.values for m, found in of.items()} for name, of in measures.items()}
    rows |= _references(first)
    labels = tuple(first)
    cells = np.full((4, len(rows), len(labels)), np.nan)
    for r, values in enumerate(rows.values()):
        for c, label in enumerate(labels):
            if label in values:
                gap = values[label] - rows[against][label]
                paired = _by_instance(first[label], gap)
                cells[:, r, c] = known_mean(values[label]), *_interval(paired, level, seed)
    means, differences, lower, upper = cells
    on_references = {name: _reference_cost(first, name) for name in rows if name not in measures}
    costs = [sum(found.n_rows for found in of.values()) for of in measures.values()]
    costs[0] -= sum(on_references.values())
    return Comparison(
        names=tuple(rows),
        metrics=labels,
        better=tuple(found.better for found in first.values()),
        means=means,
        differences=differences,
        lower=lower,
        upper=upper,
        against=against,
        level=level,
        n_instances=len(_by_instance(first[labels[0]], first[labels[0]].values)),
        explaining_rows=np.array([*explaining, *[0.0] * len(on_references)]),
        measuring_rows=np.array([*costs, *on_references.values()], dtype=np.float64),
        value_functions={m: first[m].value_function for m in labels if m in removing},
        measures=measures,
    )


def _references(first: Mapping[str, Measure]) -> dict[str, dict[str, Floats]]:
    """Rows of what never saw the model, as the first explainer's metrics measured them."""
    found = {
        f"({name})": {m: one.references[name] for m, one in first.items() if name in one.references}
        for name in _REFERENCES
    }
    return {name: values for name, values in found.items() if values}


def _reference_cost(first: Mapping[str, Measure], row: str) -> int:
    """Model rows that one reference cost in all metrics."""
    return sum(found.reference_rows.get(row.strip("()"), 0) for found in first.values())


def _by_instance(measure: Measure, values: Floats) -> Floats:
    """(n,): the mean over outputs."""
    n = len(values) if "instance" in measure.axes else 1
    return np.array([known_mean(row) for row in np.reshape(values, (n, -1))])


def _interval(paired: Floats, level: float, seed: int) -> tuple[float, float, float]:
    """The mean of paired differences, and its percentile bootstrap interval over instances."""
    known = paired[~np.isnan(paired)]
    if not len(known):
        return np.nan, np.nan, np.nan
    if len(known) < _FEWEST:
        return float(known.mean()), np.nan, np.nan
    rng = np.random.default_rng(seed)
    drawn = known[rng.integers(len(known), size=(_RESAMPLES, len(known)))].mean(axis=1)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(known.mean()), float(low), float(high)
