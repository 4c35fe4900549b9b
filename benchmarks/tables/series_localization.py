"""Which steps and channels of a series hold the motif that a model finds?

    python -m benchmarks.tables.series_localization [--quick] [--check] [--seeds 20]

Series of noise get copies of a motif in one channel, and reversed ones in another. A map is judged
by the area under the ROC curve (AUC) of its scores, over all steps of all channels, for the steps
with the motif. One copy is enough for both models, so that removing either of two changes nothing.

`SeriesSegments` has 20 segments in each of 3 channels. Windowed occlusion hides one window of one
channel at a time and averages the windows over each step; of its widths the best is chosen after
the fact. The fill of ours is chosen on half of the seeds, and everything is reported on the other
half, with the 95% bootstrap interval of the mean.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

import numpy as np
import perturbx as px
from sklearn.metrics import roc_auc_score

from benchmarks.command import parser, status
from benchmarks.report import Target, head, line
from benchmarks.tables._motifs import LENGTH, Array, Detector, Model, Planted, Trained, planted

CALLS = 600
WIDTHS = (10, 20, 40)
FILLS = ("bridge", "mean", "blur", "noise")
METHODS = {"OwenShap": px.OwenShap, "PermutationShap": px.PermutationShap}
SLOW = {"KernelShap": px.KernelShap, "Banzhaf": px.Banzhaf, "Lime": px.Lime}
SEEDS, QUICK_SEEDS = 20, 4
BATCH = 200
LEAST, MOST = 0.95, 0.85

Map = Callable[[Model, Array, int], Array]
"""A model, a series (T, C) and a seed to a map (T, C)."""


def ours(method: type, fill: str, model: Model, series: Array, seed: int) -> Array:
    masker = px.SeriesSegments(20, fill=fill, channel_axis=-1, max_rows=5)
    found = method(model, masker=masker, budget=CALLS, random_state=seed).explain(series)
    return np.asarray(found.heatmap())


def windowed(width: int, model: Model, series: Array, seed: int) -> Array:
    """Occlusion by windows of one channel, as many as the calls allow, filled with its mean."""
    n_steps, n_channels = series.shape
    n_each = (CALLS - 1) // n_channels
    starts = np.unique(np.linspace(0, n_steps - width, n_each).round().astype(int))
    spots = [(slice(s, s + width), c) for c in range(n_channels) for s in starts]
    rows = np.repeat(series[None], len(spots), axis=0)
    for row, (steps, channel) in zip(rows, spots, strict=True):
        row[steps, channel] = series[:, channel].mean()
    full = model(series[None])
    answers = np.concatenate([model(rows[i : i + BATCH]) for i in range(0, len(rows), BATCH)])
    total, count = np.zeros((2, n_steps, n_channels))
    for spot, answer in zip(spots, answers, strict=True):
        total[spot] += full - answer
        count[spot] += 1
    return np.asarray(total / count)


def areas(make_map: Map, model: Model, copies: int, seeds: range) -> Array:
    """(seeds,): the AUC of the map of each planted series."""
    found = []
    for seed in seeds:
        one: Planted = planted(np.random.default_rng(seed), copies)
        heat = make_map(model, one.series, seed)
        found.append(roc_auc_score(one.where.ravel(), heat.ravel()))
    return np.array(found)


def interval(values: Array) -> tuple[float, float]:
    drawn = np.random.default_rng(0).choice(values, (2000, len(values))).mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def compared(model: Model, copies: int, methods: dict[str, type], n: int) -> dict[str, Array]:
    """The AUC of each contender on the second half of the seeds."""
    tuning, testing = range(1000, 1000 + n), range(2000, 2000 + n)
    found = {}
    for name, method in methods.items():
        tried = {fill: areas(partial(ours, method, fill), model, copies, tuning) for fill in FILLS}
        fill = max(tried, key=lambda fill: tried[fill].mean())
        found[f"{name}, {fill}"] = areas(partial(ours, method, fill), model, copies, testing)
    each = {w: areas(partial(windowed, w), model, copies, testing) for w in WIDTHS}
    best = max(each, key=lambda width: each[width].mean())
    found[f"windowed occlusion, width {best}"] = each[best]
    return found


def main() -> int:
    made = parser(quick="two methods and two series of each kind, a minute")
    made.add_argument("--seeds", type=int, help=f"{SEEDS} by default, {QUICK_SEEDS} if quick")
    asked = made.parse_args()
    seeds = asked.seeds or (QUICK_SEEDS if asked.quick else SEEDS)
    methods = METHODS if asked.quick else {**METHODS, **SLOW}
    forest = Trained()
    print(f"The forest is right for {forest.accuracy:.0%} of fresh series.")
    print(f"The motif has {LENGTH} steps; {CALLS} calls for each map.\n")
    print(head(("model", "copies", "map", "AUC", "95% interval")))
    targets = []
    for label, model in (("best match", Detector()), ("random forest", forest)):
        for copies in (1, 2):
            found = compared(model, copies, methods, max(2, seeds // 2))
            for name, values in found.items():
                low, high = interval(values)
                cells = (label, str(copies), name, f"{values.mean():.3f}")
                print(line((*cells, f"{low:.3f} to {high:.3f}")), flush=True)
            if copies == 2:
                owen, *_, occlusion = found.values()
                targets += [
                    Target(f"{label}: OwenShap", float(owen.mean()), least=LEAST),
                    Target(f"{label}: windowed occlusion", float(occlusion.mean()), most=MOST),
                ]
    print("\n" + "\n".join(f"- {target}" for target in targets))
    return status(asked.check, targets)


if __name__ == "__main__":
    sys.exit(main())
