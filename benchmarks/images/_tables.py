"""Tables, paired differences with intervals, targets, and a contact sheet of maps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.images._composites import LEAST_MASS, LEAST_SHARE
from benchmarks.images._run import map_file
from benchmarks.images._scores import PROTOCOLS
from benchmarks.images._views import View, halves
from benchmarks.report import Cell, Runs, Target, markdown

Array = np.ndarray
FULL = "perturbx OwenShap"
PARTITIONS = ("shap Partition, blur", "shap Partition, inpaint")
LIMES = ("lime, quickshift", "lime, SLIC")
RISE = "RISE as published"
QUICK = (
    "perturbx OwenShap 150",
    "perturbx KernelShap 150",
    "perturbx Lime 150",
    "perturbx Rise ridge 150",
    "perturbx Occlusion 150",
)
_RESAMPLES = 10_000


class Figures:
    """Figures of methods by view and by photo, the mean over seeds."""

    def __init__(self, runs: Runs, views: Sequence[View]) -> None:
        self._runs, self.views = runs, list(views)

    def value(self, view: View, method: str, figure: str) -> float:
        seeds = self._runs.figures.get(Cell(view.photo, view.kind, method), {})
        known = [figures[figure] for figures in seeds.values() if figure in figures]
        return float(np.mean(known)) if known else np.nan

    def by_photo(
        self, method: str, figure: str, photos: Sequence[str], kinds: Sequence[str], other: str = ""
    ) -> Array:
        """One number per photo, the mean over its views; less the other method's on the same views.

        Views that either method was not run on are left out.
        """
        numbers = []
        for photo in photos:
            at = [v for v in self.views if v.photo == photo and v.kind in kinds]
            own = np.array([self.value(v, method, figure) for v in at])
            if other:
                own = own - np.array([self.value(v, other, figure) for v in at])
            known = own[np.isfinite(own)]
            if len(known):
                numbers.append(known.mean())
        return np.array(numbers)

    def mean(self, method: str, figure: str, photos: Sequence[str], kinds: Sequence[str]) -> float:
        numbers = self.by_photo(method, figure, photos, kinds)
        return float(numbers.mean()) if len(numbers) else np.nan

    def photos(self, kinds: Sequence[str]) -> list[str]:
        return sorted({v.photo for v in self.views if v.kind in kinds})


PHOTO_KINDS, TWINS = ("squashed", "cropped"), ("twice",)


def interval(numbers: Array) -> tuple[float, float, float]:
    """Mean and 95% bootstrap interval over photos."""
    if not len(numbers):
        return np.nan, np.nan, np.nan
    drawn = np.random.default_rng(0).integers(0, len(numbers), (_RESAMPLES, len(numbers)))
    low, high = np.quantile(numbers[drawn].mean(axis=1), [0.025, 0.975])
    return float(numbers.mean()), float(low), float(high)


# ---------------------------------------------------------------- tables


def everything(runs: Runs, views: Sequence[View], methods: Sequence[str]) -> list[str]:
    figures = Figures(runs, views)
    present = [m for m in methods if any(cell.estimator == m for cell in runs.figures)]
    choose, report = halves(figures.photos(PHOTO_KINDS))
    said = [
        f"Photos to choose by: {', '.join(choose)}.\n",
        f"Photos to report: {', '.join(report)}.\n",
        "## Faithfulness on squashed photos\n",
        faithfulness(figures, present, ("squashed",)),
    ]
    if figures.photos(("cropped",)):
        said += ["\n## Faithfulness on squashed and cropped photos\n"]
        said += [faithfulness(figures, present, PHOTO_KINDS)]
    said += ["\n## Paired differences of (insertion - deletion) / f(x)\n"]
    said += [paired(figures, ours, present) for ours in present if ours.startswith("perturbx")]
    if figures.photos(TWINS):
        said += ["\n## Known objects\n", objects(figures, present)]
    return [*said, ""]


def faithfulness(figures: Figures, methods: Sequence[str], kinds: Sequence[str]) -> str:
    """One line per method: its cost, areas, and normalized differences by protocol and half."""
    photos = figures.photos(kinds)
    choose, report = halves(figures.photos(PHOTO_KINDS))
    columns = {
        f"{short} {p}": f"{curve} {p}"
        for curve, short in (("insertion", "ins"), ("deletion", "del"), ("difference", "diff"))
        for p in PROTOCOLS
    }
    lines = []
    for method in methods:
        # methods that ran on squashed photos alone have no place in a table of both
        if not len(figures.by_photo(method, "difference", photos, kinds[-1:])):
            continue
        n = len(figures.by_photo(method, "difference", photos, kinds))
        rows, cpu = (figures.mean(method, name, photos, kinds) for name in ("rows", "cpu"))
        means = [figures.mean(method, name, photos, kinds) for name in columns.values()]
        means += [figures.mean(method, "difference", part, kinds) for part in (choose, report)]
        shown = [f"{mean:.3f}" for mean in means]
        lines.append((method, str(n), f"{rows:.0f}", f"{cpu:.2f}", *shown))
    head = ("method", "photos", "calls", "ms / call", *columns, "diff, choose", "diff, report")
    return markdown(head, lines)


def paired(figures: Figures, ours: str, methods: Sequence[str]) -> str:
    """Ours less each other method: the mean of the protocols by half, then each protocol."""
    photos = figures.photos(PHOTO_KINDS)
    choose, report = halves(photos)
    columns = {"choose": ("difference", choose), "report": ("difference", report)}
    columns |= {"all": ("difference", photos)}
    columns |= {f"report, {p}": (f"difference {p}", report) for p in PROTOCOLS}
    lines = []
    for other in methods:
        if other != ours:
            cells = [
                shown(figures.by_photo(ours, figure, part, PHOTO_KINDS, other), "+.3f")
                for figure, part in columns.values()
            ]
            lines.append((other, *cells))
    return markdown((f"{ours} less", *columns), lines) + "\n"


def objects(figures: Figures, methods: Sequence[str]) -> str:
    """Strict hits, mass in the objects, and the weaker copy's share."""
    photos = figures.photos(TWINS)
    lines = []
    for method in methods:
        cells = []
        for figure, kinds in (
            ("hit", ("alone",)),
            ("mass", ("alone",)),
            ("hit", TWINS),
            ("mass", TWINS),
            ("weaker", TWINS),
        ):
            numbers = figures.by_photo(method, figure, figures.photos(kinds), kinds)
            cells.append(shown(numbers, ".2f"))
        lines.append((method, *cells))
    fair = [v.fair for v in figures.views if v.kind == "twice"]
    head = ("method", "hit, alone", "mass, alone", "hit, twice", "mass, twice", "weaker's share")
    note = f"{len(photos)} scenes with two copies; the weaker copy's fair share is "
    return f"{note}{np.mean(fair):.2f}.\n\n" + markdown(head, lines)


def shown(numbers: Array, digits: str) -> str:
    """Mean and interval; nothing where nothing ran."""
    if not len(numbers):
        return ""
    mean, low, high = (format(number, digits) for number in interval(numbers))
    return f"{mean} [{low}, {high}]"


# ---------------------------------------------------------------- targets


def targets(runs: Runs, views: Sequence[View]) -> list[Target]:
    """The targets of perturbx, judged on photos that played no part in any choice."""
    figures = Figures(runs, views)
    choose, report = halves(figures.photos(PHOTO_KINDS))
    found = [*_quick_targets(figures, choose, report), *_full_targets(figures, report)]
    found += _twin_targets(figures, [cell.estimator for cell in runs.figures])
    return [target for target in found if np.isfinite(target.value)]


def _quick_targets(figures: Figures, choose: list[str], report: list[str]) -> list[Target]:
    """The best quick method on one half, next to lime and RISE with 1000 calls on the other."""
    kinds = ("squashed",)
    chosen = {m: figures.mean(m, "difference", choose, kinds) for m in QUICK}
    known = {m: value for m, value in chosen.items() if np.isfinite(value)}
    if not known:
        return []
    best = max(known, key=lambda m: known[m])
    own = figures.mean(best, "difference", report, kinds)
    return [
        Target(
            f"{best} over {peer}", own / figures.mean(peer, "difference", report, kinds), least=0.97
        )
        for peer in (*LIMES, RISE)
    ]


def _full_targets(figures: Figures, report: list[str]) -> list[Target]:
    margins = dict.fromkeys(PARTITIONS, 0.05) | dict.fromkeys((*LIMES, RISE), 0.08)
    found = []
    for peer, least in margins.items():
        numbers = figures.by_photo(FULL, "difference", report, PHOTO_KINDS, peer)
        mean, low, high = interval(numbers)
        held = " (the interval contains 0)" if low <= 0 <= high else ""
        claim = f"{FULL} less {peer} [{low:+.3f}, {high:+.3f}]{held}"
        found.append(Target(claim, mean, least=least))
    photos = figures.photos(PHOTO_KINDS)
    costs = [figures.mean(m, "cpu", photos, PHOTO_KINDS) for m in (FULL, PARTITIONS[0])]
    return [
        *found,
        Target(f"{FULL}: CPU per call over {PARTITIONS[0]}", costs[0] / costs[1], most=0.5),
    ]


def _twin_targets(figures: Figures, methods: Sequence[str]) -> list[Target]:
    """The full method shares between the copies and stays on them; no peer does both."""
    twins = figures.photos(TWINS)
    if not twins:
        return []

    def both(method: str) -> tuple[float, float]:
        share, mass = (figures.mean(method, f, twins, TWINS) for f in ("weaker", "mass"))
        return share, mass

    share, mass = both(FULL)
    peers = [m for m in dict.fromkeys(methods) if not m.startswith("perturbx")]
    who = [m for m in peers if both(m)[0] >= LEAST_SHARE and both(m)[1] >= LEAST_MASS]
    return [
        Target(f"{FULL}: the weaker copy's share", share, least=LEAST_SHARE),
        Target(f"{FULL}: positive score on the copies", mass, least=LEAST_MASS),
        Target(f"peers that do both ({', '.join(who) or 'none'})", len(who), most=0),
    ]


# ---------------------------------------------------------------- contact sheet


def contact_sheet(views: Sequence[View], methods: Sequence[str], folder: Path) -> None:
    """Rows of views, columns of methods: red is evidence for the class, blue against it."""
    try:
        import matplotlib
    except ImportError:
        return
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    shown = [m for m in methods if any(map_file(folder, v.name, m, 0).exists() for v in views)]
    size = (1.5 * (len(shown) + 1), 1.6 * len(views) + 0.6)
    figure, axes = plt.subplots(len(views), len(shown) + 1, figsize=size, squeeze=False)
    for line, view in zip(axes, views, strict=True):
        line[0].imshow(view.image)
        line[0].set_title(view.name, fontsize=5)
        for axis, method in zip(line[1:], shown, strict=True):
            path = map_file(folder, view.name, method, 0)
            if path.exists():
                with np.load(path) as kept:
                    _overlay(axis, view.image, kept["heatmap"])
            axis.set_title(method, fontsize=5)
    for axis in axes.flat:
        axis.axis("off")
    figure.tight_layout(pad=0.3)
    figure.savefig(folder / "contact-sheet.png", dpi=100)
    plt.close(figure)


def _overlay(axis: object, image: Array, heatmap: Array) -> None:
    gray = image.mean(axis=-1)
    if np.nanmin(heatmap) > 0:  # relative scores, like RISE's
        heatmap = heatmap - np.nanmin(heatmap)
    limit = np.nanquantile(np.abs(heatmap), 0.99) or 1.0
    axis.imshow(gray, cmap="gray", vmin=-80, vmax=335)  # type: ignore[attr-defined]
    axis.imshow(heatmap, cmap="seismic", vmin=-limit, vmax=limit, alpha=0.55)  # type: ignore[attr-defined]
