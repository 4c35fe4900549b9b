"""Exact games of a picture: KernelShap next to shap's, judged by all 4,096 coalitions."""

from __future__ import annotations

from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.games import Game, exact_shapley
from benchmarks.images._network import network, normalized
from benchmarks.images._views import View, views
from benchmarks.peers import KERNEL, Estimator, Oracle, shap_kernel
from benchmarks.report import Cell, Run, Runs, Target, geometric_mean, markdown

Array = np.ndarray

PHOTOS = ("chelsea", "coffee")
N_REGIONS = 12
BUDGETS = (256, 512, 1024)
MOST = (0.60, 0.50, 0.30)
SEEDS = 20
OURS = "perturbx KernelShap"


def play(folder: Path, file: Path | None, quick: bool, said: list[str]) -> list[Target]:
    """Both estimators on every game and budget: a table, and targets for the ratio of errors."""
    photos, budgets, n_seeds = (PHOTOS[:1], BUDGETS[:2], 5) if quick else (PHOTOS, BUDGETS, SEEDS)
    ask = network(folder, file)
    pictures = {v.photo: v for v in views(ask, None)[0] if v.kind == "squashed"}
    solved = {name: game(ask, pictures[name], folder) for name in photos}
    runs = Runs()
    for name, of in solved.items():
        for m in budgets:
            for seed in range(n_seeds):
                for estimator, values in _estimates(of, m, seed).items():
                    error = np.linalg.norm(values - of.phi) / np.linalg.norm(of.phi)
                    runs.add(Run(Cell(name, str(m), estimator), seed, {"error": float(error)}))
    said += [_table(runs, budgets, n_seeds), ""]
    found = []
    for m, most in zip(budgets, MOST, strict=False):
        ratio = _ratio(runs, str(m))
        if np.isfinite(ratio):
            found.append(Target(f"error over shap Kernel's at {m} calls", ratio, most=most))
    return found


def game(ask: Any, view: View, folder: Path) -> Game:
    """Twelve superpixels of a photo, absent ones blurred; every coalition, kept in a file."""
    path = folder / f"game-{view.photo}.npz"
    if not path.exists():
        np.savez_compressed(path, answers=_answers(ask, view))
    with np.load(path) as kept:
        answers = kept["answers"]
    powers = 2 ** np.arange(N_REGIONS)

    def v(Z: Array) -> Array:
        return np.asarray(answers[np.asarray(Z, dtype=int) @ powers])

    return Game(v, exact_shapley(v, N_REGIONS))


def _answers(ask: Any, view: View) -> Array:
    from scipy.ndimage import gaussian_filter

    segments = _segments(view.image)
    fill = gaussian_filter(view.image.astype(np.float32), (11, 11, 0)).astype(np.uint8)
    every = (np.arange(2**N_REGIONS)[:, None] >> np.arange(N_REGIONS)) & 1
    parts = []
    for start in range(0, len(every), 64):
        present = every[start : start + 64][:, segments] == 1
        pixels = normalized(np.where(present[..., None], view.image, fill))
        parts.append(ask(pixels)[:, view.label])
    return np.concatenate(parts).astype(np.float64)


def _segments(image: Array) -> Array:
    """SLIC with exactly twelve regions: the first setting that finds that many."""
    from skimage.segmentation import slic

    for compactness, wanted in product((15, 20, 10, 30, 5), range(N_REGIONS - 3, 3 * N_REGIONS)):
        labels = slic(image, n_segments=wanted, compactness=compactness, sigma=1, start_label=0)
        if len(np.unique(labels)) == N_REGIONS:
            return np.unique(labels, return_inverse=True)[1].reshape(labels.shape)
    raise RuntimeError(f"SLIC finds no {N_REGIONS} regions")


def _estimates(of: Game, m: int, seed: int) -> dict[str, Array]:
    found = {OURS: _ours(of, m, seed)}
    with suppress(ImportError):
        found[KERNEL] = Estimator(KERNEL, "shap", shap_kernel)(Oracle(of, m), seed)
    return found


def _ours(of: Game, m: int, seed: int) -> Array:
    """The public method, on a picture of twelve pixels, each of them a region."""
    import perturbx as px

    segments = np.arange(N_REGIONS).reshape(-1, 1)
    masker = px.Superpixels(segments=segments, fill=0, channel_axis=None)
    oracle = Oracle(of, m)
    explainer = px.KernelShap(
        lambda X: oracle(X.reshape(-1, N_REGIONS)), masker=masker, budget=m, random_state=seed
    )
    return np.ravel(explainer.explain(np.ones((N_REGIONS, 1), dtype=np.uint8)).values)


def _ratio(runs: Runs, m: str) -> float:
    """The geometric mean over games of our median error over shap's."""
    return geometric_mean(runs.median(g, m, OURS) / runs.median(g, m, KERNEL) for g in runs.games())


def _table(runs: Runs, budgets: tuple[int, ...], n_seeds: int) -> str:
    lines = []
    for name in runs.games():
        for estimator in runs.estimators():
            cells = [runs.select("error", name, str(m), estimator) for m in budgets]
            quartiles = [np.quantile(c, [0.5, 0.25, 0.75]) for c in cells]
            shown = ["{:.3f} [{:.3f}, {:.3f}]".format(*q) for q in quartiles]
            lines.append((f"{name}, {estimator}", *shown))
    lines.append(("ratio of medians", *(f"{_ratio(runs, str(m)):.2f}" for m in budgets)))
    head = ("||estimate - truth|| / ||truth||", *(f"{m} calls" for m in budgets))
    title = f"## Exact games: {N_REGIONS} superpixels, {n_seeds} seeds, median [quartiles]\n\n"
    return title + markdown(head, lines)
