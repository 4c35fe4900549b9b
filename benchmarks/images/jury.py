"""Is there a better additive map of a photo at the same small number of rows?

Explains photos by OwenShap, by variants of it and by additive rivals, and judges the maps in three
fills and on composites with known objects. The best variant is chosen on one half of the photos,
and compared with the rivals on the other. ``--out`` keeps each figure as it comes, and an
interrupted run continues from there.

    python -m benchmarks.images.jury [--quick] [--check] [--data FOLDER] [--out FOLDER]
        [--network FILE] [--side 96] [--rows 300] [--only PATTERN]
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.command import parser, status
from benchmarks.images import _peers as peers
from benchmarks.images import _stages as stages
from benchmarks.images._methods import Method, available, few_superpixels, ours
from benchmarks.images._network import Door, NetworkMissingError, network
from benchmarks.images._scores import PROTOCOLS, faithfulness, localization
from benchmarks.images._tables import PHOTO_KINDS, Figures, interval, shown
from benchmarks.images._views import View, composite_views, halves, views
from benchmarks.report import Cell, Run, Runs, Target, markdown

OURS = "OwenShap"
VARIANTS = ("OwenShap, compact", "OwenShap, blur and gray", "OwenShap and KernelShap", "two stages")
BOUND = "greedy order"
SCENES = ("twice", "alone")
LEAD = 0.05
"""By how much a map should lead each additive rival."""


def contenders(rows: int, side: int) -> list[Method]:
    """Each with the same number of rows; `BOUND` is an order, and no additive rival."""
    kernel = round(128 / 224 * side)
    regions = {"masker": few_superpixels, "budget": rows}
    bpt = ("shap_bpt",)
    return [
        Method(OURS, partial(ours, "OwenShap", {"budget": rows})),
        Method(VARIANTS[0], partial(stages.compact, rows)),
        Method(VARIANTS[1], partial(stages.owen, rows)),
        Method(VARIANTS[2], partial(stages.both, rows)),
        Method(VARIANTS[3], partial(stages.two_stages, rows)),
        Method("KernelShap, 25 regions", partial(ours, "KernelShap", regions)),
        Method(
            "shap Partition, blur",
            partial(peers.shap_partition, f"blur({kernel},{kernel})", rows),
            ("shap", "cv2"),
        ),
        Method("ShapBPT, blur", partial(peers.shap_bpt, "BPT", "blur", rows), bpt),
        Method("ShapBPT, gray", partial(peers.shap_bpt, "BPT", "gray", rows), bpt),
        Method("ShapBPT, axis-aligned, blur", partial(peers.shap_bpt, "AA", "blur", rows), bpt),
        Method(BOUND, partial(peers.greedy_order, 25, rows)),
    ]


def main() -> int:
    chosen = arguments()
    chosen.out.mkdir(parents=True, exist_ok=True)
    try:
        ask = network(chosen.out, chosen.network, chosen.side)
    except NetworkMissingError as error:
        print(error, file=sys.stderr)
        return int(chosen.check)
    photos = one_view_each(views(ask, chosen.data, chosen.side)[0])
    scenes = list(composite_views(ask, chosen.data, chosen.side))
    if chosen.quick:
        photos, scenes = photos[:2], scenes[:1]
    methods, versions = available(contenders(chosen.rows, chosen.side))
    print(*versions, sep="\n", file=sys.stderr)
    methods = [method for method in methods if re.search(chosen.only, method.name)]
    runs = Runs(chosen.out / f"jury-{chosen.side}-{chosen.rows}.csv")
    for view in [*photos, *scenes]:
        judge(view, methods, Door(ask, view.label), runs)
    figures = Figures(runs, [*photos, *scenes])
    names = [method.name for method in methods]
    targets = verdict(figures, names)
    print(f"{chosen.side} x {chosen.side} pixels, {chosen.rows} rows\n")
    print(means(figures, names), leads(figures, names), "\n".join(map(str, targets)), sep="\n\n")
    return status(chosen.check, targets)


def one_view_each(found: Iterable[View]) -> list[View]:
    """The squashed photo, or the cropped one if the network is sure of that alone."""
    by_photo = {view.photo: view for view in sorted(found, key=lambda view: view.kind)}
    return [by_photo[photo] for photo in sorted(by_photo)]


def judge(view: View, methods: Sequence[Method], door: Door, runs: Runs) -> None:
    """All missing runs of one view."""
    for method in methods:
        cell = Cell(view.photo, view.kind, method.name)
        if (cell, 0) in runs:
            continue
        door.reset()
        heatmap = method(door, view, 0)
        figures = {"rows": float(door.rows)}
        if view.objects is None:
            figures |= faithfulness(door.images, view.image, heatmap)
        else:
            figures |= localization(heatmap, view.objects)
        runs.add(Run(cell, 0, figures))


# ---------------------------------------------------------------- tables


def means(figures: Figures, names: Sequence[str]) -> str:
    """(insertion - deletion) / f(x) by fill and by half, and hits on known objects."""
    photos = figures.photos(PHOTO_KINDS)
    choose, report = halves(photos)
    lines = []
    for name in names:
        cells = [figures.mean(name, f"difference {p}", photos, PHOTO_KINDS) for p in PROTOCOLS]
        cells += [figures.mean(name, "difference", half, PHOTO_KINDS) for half in (choose, report)]
        cells += [figures.mean(name, "hit", figures.photos(SCENES), SCENES)]
        cells += [figures.mean(name, "rows", photos, PHOTO_KINDS)]
        lines.append((name, *(f"{cell:.3f}" for cell in cells[:-1]), f"{cells[-1]:.0f}"))
    head = (f"{len(photos)} photos", *PROTOCOLS, "choose", "report", "hit", "rows")
    return markdown(head, lines)


def leads(figures: Figures, names: Sequence[str]) -> str:
    """Ours less each other map: both halves together, each half, and each fill."""
    photos = figures.photos(PHOTO_KINDS)
    choose, report = halves(photos)
    columns = {"choose": ("difference", choose), "report": ("difference", report)}
    columns |= {"all": ("difference", photos)}
    columns |= {p: (f"difference {p}", photos) for p in PROTOCOLS}
    blocks = []
    owns = dict.fromkeys((OURS, *best_variant(figures, names)))
    for own in (name for name in owns if name in names):
        lines = [
            (
                other,
                *(
                    shown(figures.by_photo(own, figure, part, PHOTO_KINDS, other), "+.3f")
                    for figure, part in columns.values()
                ),
            )
            for other in names
            if other != own
        ]
        blocks.append(markdown((f"{own} less", *columns), lines))
    return "\n\n".join(blocks)


def best_variant(figures: Figures, names: Sequence[str]) -> list[str]:
    """The one with the highest mean on the photos to choose by; none if there is none."""
    choose, _ = halves(figures.photos(PHOTO_KINDS))
    known = [name for name in names if name in (OURS, *VARIANTS)]
    key = partial(figures.mean, figure="difference", photos=choose, kinds=PHOTO_KINDS)
    return [max(known, key=key)] if known else []


def verdict(figures: Figures, names: Sequence[str]) -> list[Target]:
    """The chosen map next to each additive rival, on the photos that did not choose it."""
    _, report = halves(figures.photos(PHOTO_KINDS))
    scenes = figures.photos(SCENES)
    found = []
    for own in best_variant(figures, names):
        for rival in (name for name in names if name not in (OURS, *VARIANTS, BOUND)):
            mean, low, high = interval(
                figures.by_photo(own, "difference", report, PHOTO_KINDS, rival)
            )
            open_ = " (the interval contains 0)" if low <= 0 <= high else ""
            claim = f"{own} less {rival} [{low:+.3f}, {high:+.3f}]{open_}"
            hits = interval(figures.by_photo(own, "hit", scenes, SCENES, rival))[0]
            found += [Target(claim, mean, least=LEAD)]
            found += [Target(f"{own} less {rival}: hits", hits, least=0)]
    return [target for target in found if np.isfinite(target.value)]


def arguments() -> argparse.Namespace:
    asked = parser(quick="two photos and one composite")
    add = asked.add_argument
    add("--data", type=Path, help="a folder of photos, in addition to scikit-image's")
    add("--out", type=Path, default=Path(tempfile.gettempdir()) / "perturbx-images")
    add("--network", type=Path, help="its ONNX file for this side, if there is one already")
    add("--side", type=int, default=96, help="of the photos, in pixels")
    add("--rows", type=int, default=300, help="of each method")
    add("--only", default="", help="methods whose names match")
    return asked.parse_args()


if __name__ == "__main__":
    sys.exit(main())
