"""The largest change of an explanation when the instance moves a little."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats
from perturbx._validation import check_integer, check_number
from perturbx.containers import looks_like_images, rows_of
from perturbx.errors import InvalidInputError
from perturbx.explainers import BaseExplainer
from perturbx.maskers import Features, GaussianNoise
from perturbx.maskers.bound_noise import BoundNoise, FittedNoise
from perturbx.maskers.bound_rows import FittedBackground
from perturbx.metrics._base import Metric, function_of
from perturbx.metrics.judged_explainer import Explains, JudgedExplainer
from perturbx.metrics.results import Measure

Move: TypeAlias = Callable[[np.random.Generator], Any]
"""X, moved a little."""


@dataclass(frozen=True)
class MaxSensitivity(Metric[JudgedExplainer]):
    """The largest relative change of the scores when the instance moves a little.

    Yeh et al. (NeurIPS 2019, definition 3.1): the maximum over points x' near x of
    ||scores(x') - scores(x)||, divided by ||scores(x)||, by Monte Carlo. Lower is better; a
    rapidly changing model bounds this from below. Explainers of px keep one seed, so that only
    the instance moves.

    Parameters
    ----------
    radius : float
        Every number moves by at most this fraction of its column's standard deviation, every
        pixel by this fraction of the range of its type (of the image's values, for floats),
        uniformly. Where the type would round that away, as with integers of a small deviation, it
        moves by one whole step to either side, and the notes say so. Categories stay.
    n_moves : int
        How many points near x are tried.
    background : table of rows, optional
        Rows from which standard deviations are learned; by default the explainer's own, or X.

    Returns
    -------
    Measure

    Raises
    ------
    InvalidInputError
        If nothing can move: every column is constant or a category, images hold bools, or X holds
        texts or lists.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> X = np.array([[1.0, 1.0], [3.0, 2.0], [4.0, 5.0]])
    >>> explainer = px.Lime(lambda X: X @ [3.0, 2.0], random_state=0).fit(X)
    >>> bool(px.metrics.max_sensitivity(explainer, X).mean < 1e-9)
    True
    """

    better = "lower"
    explains = True

    radius: float = 0.02
    n_moves: int = 10
    background: Any = None

    def __post_init__(self) -> None:
        check_number("radius", self.radius, above=0)
        check_integer("n_moves", self.n_moves, minimum=1)
        if self.background is not None:
            rows_of(self.background, "background")

    def measure(self, subject: JudgedExplainer) -> Measure:
        rng, seed = np.random.default_rng(subject.seeds), int(subject.seeds.generate_state(1)[0])
        X, radius = subject.X, float(self.radius)
        first = subject.explain(seed)
        if first.scores.spans:
            raise InvalidInputError(
                "texts and lists cannot move a little, as numbers do: take px.metrics.stability."
            )
        if first.scores.n_features is None or looks_like_images(X):
            move, note = _moving_images(X, radius)
        else:
            move, note = _moving_rows(subject.explainer, X, self.background, radius)
        size = first.grid(lambda v: float(np.linalg.norm(v)))
        worst, cost = np.zeros(size.shape), first.cost
        for _ in range(self.n_moves):
            moved = subject.explain(seed, X=move(rng))
            gap = first.against(moved, lambda a, b: float(np.linalg.norm(a - b)))
            worst, cost = np.maximum(worst, gap), cost + moved.cost
        relative = np.divide(worst, size, out=np.full(size.shape, np.nan), where=size > 0)
        return first.result(self, relative, cost, notes=(note,) if note else ())


max_sensitivity = function_of(MaxSensitivity, "max_sensitivity")


def _moving_images(X: Any, radius: float) -> tuple[Move, str]:
    """Every pixel moves by a fraction of its range, and keeps its type."""
    images = list(X) if isinstance(X, (list, tuple)) else [np.asarray(X)]
    if any(image.dtype.kind == "b" for image in images):
        raise InvalidInputError(
            "images of bools cannot move a little: pass numbers, as X.astype(float) are."
        )
    reach = [radius * _range(image) for image in images]
    least = [_least(image, r) for image, r in zip(images, reach, strict=True)]
    is_coarse = any((r < step).any() for r, step in zip(reach, least, strict=True))

    def one(image: Any, reach: float, least: Any, rng: np.random.Generator) -> Any:
        by = _distances(rng.uniform(-1, 1, image.shape), reach, least)
        if image.dtype.kind not in "iu":
            return (image + by).astype(image.dtype)
        info = np.iinfo(image.dtype)
        return np.clip(np.rint(image + by), info.min, info.max).astype(image.dtype)

    def move(rng: np.random.Generator) -> Any:
        moved = [one(*each, rng) for each in zip(images, reach, least, strict=True)]
        return moved if isinstance(X, (list, tuple)) else moved[0]

    return move, "pixels moved by whole steps of their type, more than the radius" * is_coarse


def _range(image: NDArray[Any]) -> float:
    """The range of a type of unsigned integers, or of the image's values."""
    if image.dtype.kind == "u":
        return float(np.iinfo(image.dtype).max)
    return float(np.ptp(image)) or 1.0


def _least(image: NDArray[Any], reach: float) -> Any:
    """The smallest move of each pixel that its type does not round away."""
    if image.dtype.kind in "iu":
        return np.float64(1.0)
    return np.spacing(np.abs(image)).astype(np.float64)


def _distances(uniform: Floats, reach: Any, least: Any) -> Floats:
    """Moves by up to `reach`, or by one whole step where `reach` is less than that."""
    return np.asarray(np.where(reach < least, np.sign(uniform) * least, uniform * reach))


def _moving_rows(explainer: Explains, X: Any, background: Any, radius: float) -> tuple[Move, str]:
    """Every number moves by a fraction of its column's deviation, in the same container."""
    X, is_single = rows_of(X)
    rows = _rows_of_explainer(explainer, X) if background is None else background
    if rows_of(rows)[0].shape[0] < 2:
        raise InvalidInputError(
            "one row has no standard deviations by which to move: pass background=X_train."
        )
    masker = GaussianNoise().fit(rows, Features(), np.random.default_rng(0))
    assert isinstance(masker, FittedNoise)
    scale = masker.scale
    if not (scale > 0).any():
        raise InvalidInputError(
            "nothing in X can move: every column is constant in the background, or a category. "
            "max_sensitivity needs a column of numbers: pass others as background=, or take "
            "stability."
        )
    instances = masker.check(X)
    bound = [b for b in instances.bind(0, len(instances)) if isinstance(b, BoundNoise)]
    least = np.stack([one.least_moves() for one in bound])
    coarse = [masker.columns.names[j] for j in np.flatnonzero((radius * scale < least).any(axis=0))]

    def move(rng: np.random.Generator) -> Any:
        bits = [
            _moved(b, radius * scale, steps, rng) for b, steps in zip(bound, least, strict=True)
        ]
        moved = masker.layout.decode(np.concatenate(bits), bound[0].tables)
        return moved[0] if is_single else moved

    shown = ", ".join(map(repr, coarse[:5])) + ", ..." * (len(coarse) > 5)
    return (
        move,
        f"moved by whole steps of their type, more than the radius: {shown}" if coarse else "",
    )


def _moved(bound: BoundNoise, reach: Floats, least: Floats, rng: np.random.Generator) -> Any:
    """The bits of one row, moved."""
    by = _distances(rng.uniform(-1, 1, (1, bound.n_features)), reach, least)
    z = np.divide(by, bound.scale, out=np.full(by.shape, -1.0), where=bound.scale > 0)
    stuck = (bound.interpretable(z) == 0) & ~bound.categorical  # at an end of its range
    return bound.bits(np.where(stuck, -z, z), bound.scratch(1))


def _rows_of_explainer(explainer: Explains, X: Any) -> Any:
    """The rows that the explainer was fitted on, where it keeps several."""
    masker = vars(explainer).get("masker_") if isinstance(explainer, BaseExplainer) else None
    known = isinstance(masker, (FittedBackground, FittedNoise))
    if known and masker is not None and masker.rows.shape[0] > 1:
        return masker.rows
    return X
