"""Whether the explanation stays where the instance hardly moves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from perturbx._typing import OutputSelection, RandomState
from perturbx._validation import check_integer, check_number, check_random_state
from perturbx.containers import looks_like_images, rows_of
from perturbx.errors import InvalidInputError
from perturbx.explainers import BaseExplainer
from perturbx.maskers import Features, GaussianNoise
from perturbx.maskers.background import FittedBackground
from perturbx.maskers.gaussian import FittedNoise, NoiseRemoval
from perturbx.metrics._explaining import Explained, Explains, explain_with
from perturbx.metrics._measure import Measure


def max_sensitivity(
    explainer: Explains,
    X: Any,
    *,
    radius: float = 0.02,
    n_moves: int = 10,
    background: Any = None,
    outputs: OutputSelection = None,
    random_state: RandomState = 0,
) -> Measure:
    """The largest relative change of the scores when the instance moves a little.

    Yeh et al. (NeurIPS 2019, definition 3.1): the maximum over points x' near x of
    ||scores(x') - scores(x)||, divided by ||scores(x)||, by Monte Carlo. Lower is better; a model
    that itself changes fast leaves no explanation a choice. Explainers of px keep one seed, so
    that only the instance moves.

    Parameters
    ----------
    explainer : explainer or callable
        A px explainer, or a callable from X to an `Explanation` or an array of scores.
    X : table of rows, one row, images or one image
        What is explained.
    radius : float
        Every number moves by at most this part of its column's standard deviation, every pixel
        by this part of the range of its type (of the image's values, for floats), uniformly.
        Categories stay.
    n_moves : int
        How many points near x are tried.
    background : table of rows, optional
        Rows from which standard deviations are learned; by default the explainer's own, or X.
    outputs : None, int, str or list
        Which of the explained outputs are judged; needed where there are several.
    random_state : int, numpy generator or None
        Fixes the points.

    Returns
    -------
    Measure

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> X = np.array([[1.0, 1.0], [3.0, 2.0]])
    >>> explainer = px.Lime(lambda X: X @ [3.0, 2.0], random_state=0).fit(X)
    >>> bool(px.metrics.max_sensitivity(explainer, X).mean < 1e-9)
    True
    """
    radius = check_number("radius", radius, above=0)
    n_moves = check_integer("n_moves", n_moves, minimum=1)
    seeds = check_random_state(random_state)
    rng, seed = np.random.default_rng(seeds), int(seeds.generate_state(1)[0])
    first = explain_with(explainer, X, outputs, seed)
    move = _moving_images(X) if _is_image(first, X) else _moving_rows(explainer, X, background)
    size = first.grid(lambda v: float(np.linalg.norm(v)))
    worst, cost = np.zeros(size.shape), first.cost
    for _ in range(n_moves):
        moved = explain_with(explainer, move(radius, rng), outputs, seed)
        worst = np.maximum(worst, first.against(moved, lambda a, b: float(np.linalg.norm(a - b))))
        cost += moved.cost
    relative = np.divide(worst, size, out=np.full(size.shape, np.nan), where=size > 0)
    return first.measure("max_sensitivity", relative, "lower", cost)


def _is_image(first: Explained, X: Any) -> bool:
    return first.given.n_features is None or looks_like_images(X)


def _moving_images(X: Any) -> Callable[[float, np.random.Generator], Any]:
    """Every pixel moves by a part of its range, and stays in its type."""

    def one(image: Any, radius: float, rng: np.random.Generator) -> Any:
        if image.dtype.kind not in "iu":
            reach = float(np.ptp(image)) or 1.0
            return (image + radius * reach * rng.uniform(-1, 1, image.shape)).astype(image.dtype)
        info = np.iinfo(image.dtype)
        reach = float(info.max) if image.dtype.kind == "u" else float(np.ptp(image)) or 1.0
        moved = np.rint(image + radius * reach * rng.uniform(-1, 1, image.shape))
        return np.clip(moved, info.min, info.max).astype(image.dtype)

    def move(radius: float, rng: np.random.Generator) -> Any:
        if isinstance(X, (list, tuple)):
            return [one(image, radius, rng) for image in X]
        return one(np.asarray(X), radius, rng)

    return move


def _moving_rows(
    explainer: Explains, X: Any, background: Any
) -> Callable[[float, np.random.Generator], Any]:
    """Every number moves by a part of its column's deviation; the container stays what it is."""
    X, is_single = rows_of(X)
    rows = _rows_behind(explainer, X) if background is None else background
    if rows_of(rows)[0].shape[0] < 2:
        raise InvalidInputError(
            "one row has no standard deviations by which to move: pass background=X_train."
        )
    masker = GaussianNoise().fit(rows, Features(), np.random.default_rng(0))
    checked, _ = masker.check(X)
    n = masker.count(checked)
    removals = masker.bind(checked, 0, n)

    def move(radius: float, rng: np.random.Generator) -> Any:
        moved = [_moved(removal, radius, rng) for removal in removals]
        return moved[0][0] if is_single else _stacked(moved)

    return move


def _moved(removal: Any, radius: float, rng: np.random.Generator) -> Any:
    """One row, moved, in its container."""
    if not isinstance(removal, NoiseRemoval):
        raise TypeError("Rows are moved by Gaussian noise's removal.")
    z = radius * rng.uniform(-1, 1, (1, removal.n_features))
    z = np.where(removal.categorical, -1.0, z)  # a category stays where z < 0
    return removal.batch(z, slice(0, 1), removal.scratch(1))


def _rows_behind(explainer: Explains, X: Any) -> Any:
    """The rows that the explainer was fitted on, where it keeps several."""
    masker = vars(explainer).get("masker_") if isinstance(explainer, BaseExplainer) else None
    known = isinstance(masker, (FittedBackground, FittedNoise))
    if known and masker is not None and masker.count(masker.rows) > 1:
        return masker.rows
    return X


def _stacked(parts: list[Any]) -> Any:
    """One-row containers as one."""
    module = type(parts[0]).__module__.partition(".")[0]
    if module == "pandas":
        import pandas as pd

        return pd.concat(parts)
    if module == "polars":
        import polars as pl

        return pl.concat(parts)
    if module == "torch":
        import torch

        return torch.cat(parts)
    if module == "scipy":
        from scipy import sparse

        return sparse.vstack(parts, format=parts[0].format)
    return np.concatenate(parts)
