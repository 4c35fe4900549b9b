"""Metrics that remove, or add, features in the order of their scores."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import ClassVar, Literal, TypeAlias

import numpy as np

from perturbx._typing import Floats
from perturbx._validation import check_choice, check_integer, invalid
from perturbx.game import Cost
from perturbx.maskers import BoundMasker
from perturbx.metrics._base import Metric, function_of
from perturbx.metrics._positions import FittedPositions, regrouped
from perturbx.metrics._scores import in_regions
from perturbx.metrics.judged_explanation import JudgedExplanation
from perturbx.metrics.results import Measure, ratio

Way: TypeAlias = Literal["deletion", "insertion"]
Normalize: TypeAlias = Literal["prediction", "range"] | None

_UNITS: dict[Normalize, tuple[str, ...]] = {
    None: (),
    "prediction": ("in units of |f(x)|",),
    "range": ("in units of |f(x) - f(empty)|",),
}


@dataclass(frozen=True, eq=False)
class Walk:
    """Outputs while features are removed (deletion) or added (insertion), in c orders.

    Parameters
    ----------
    outputs : (c, n, k, s) array
        At each share of the features removed or added so far.
    area : (c, n, k) array
        Under the curve through every point that was asked, by trapezoids.
    """

    outputs: Floats
    area: Floats


class _ByOrder(Metric[JudgedExplanation]):
    """A metric that is read from one curve, or from two."""

    reads = "order"
    ways: ClassVar[tuple[Way, ...]]
    rounds_up: ClassVar[bool] = False
    """Whether a share is rounded up to whole features, so that the top is never empty."""

    normalize: Normalize = None

    @abstractmethod
    def points(self, subject: JudgedExplanation) -> Floats:
        """(s,): the shares of the features at which the output is wanted."""

    @abstractmethod
    def read(self, subject: JudgedExplanation, *walks: Walk) -> tuple[Floats, Mapping[str, Floats]]:
        """(n, k) numbers, from the walk of each way; and the curve or the details."""

    def measure(self, subject: JudgedExplanation) -> Measure:
        shares, (n, k) = self.points(subject), subject.full.shape
        walked: dict[str, list[Floats]] = {}
        costs: dict[str, Cost] = {}
        cases = (
            (i, j, bound, name, heats)
            for i, bound in subject.bound()
            for j in range(k)
            for name, heats in subject.heats(i, j).items()
        )
        for i, j, bound, name, heats in cases:
            for way, heat in product(self.ways, heats):
                numbers, cost = self._walk(subject, bound, heat, way, (i, j), shares)
                walked.setdefault(name, []).append(numbers)
                costs[name] = costs.get(name, Cost()) + cost
        found = {}
        for name, each in walked.items():
            grid = np.reshape(each, (n, k, len(self.ways), -1, len(shares) + 1))
            grid = np.moveaxis(grid, (2, 3), (0, 1))
            found[name] = self.read(subject, *(Walk(of[..., :-1], of[..., -1]) for of in grid))
        values, more = found.pop("")
        return subject.result(
            self,
            values,
            sum(costs.values(), Cost()),
            references={name: numbers for name, (numbers, _) in found.items()},
            reference_rows={name: costs[name].n_rows for name in found},
            shares=shares,
            curves=more.get("curve"),
            reference_curves={n: of["curve"] for n, (_, of) in found.items() if "curve" in of},
            details={name: numbers for name, numbers in more.items() if name != "curve"},
            notes=_UNITS[self.normalize],
        )

    def _walk(
        self,
        subject: JudgedExplanation,
        bound: BoundMasker,
        heat: Floats,
        way: Way,
        case: tuple[int, int],
        shares: Floats,
    ) -> tuple[Floats, Cost]:
        """(s + 1,): the outputs at the shares, and last the area under the curve; and their cost.

        The features with the largest scores are absent (deletion), or alone present. Ties go by
        position. Shares become whole numbers of features: the nearest, between which the curve is
        straight, or with `rounds_up` the next larger.
        """
        by_position = isinstance(subject.masker, FittedPositions)
        scores = heat if by_position else in_regions(bound.regions, heat, mean=True)
        rank = np.empty(scores.size, dtype=np.intp)
        rank[np.argsort(-scores.ravel(), kind="stable")] = np.arange(scores.size)
        exact = np.round(shares * rank.size, 9)
        counts = (np.ceil(exact) if self.rounds_up else np.rint(exact)).astype(np.intp)
        stops, back = np.unique(counts, return_inverse=True)
        inside = (stops > 0) & (stops < rank.size)
        inner, cost = stops[inside], Cost()
        ends = subject.full[case], subject.empty[case]
        curve = np.where((stops == 0) == (way == "deletion"), *ends)
        if len(inner):
            if by_position:  # one group of pixels per step: small masks, however large the image
                bound = regrouped(bound, np.searchsorted(inner, rank, side="right"))
                first = np.arange(len(inner) + 1) <= np.arange(len(inner))[:, None]
            else:
                first = rank < inner[:, None]
            answers, cost = subject.ask(bound, ~first if way == "deletion" else first, *case)
            curve[inside] = answers[:, 0]
        points = stops / rank.size
        area = (np.diff(points) * (curve[1:] + curve[:-1]) / 2).sum()
        straight = np.interp(shares, points, curve)
        known = (counts == exact) | self.rounds_up
        return np.append(np.where(known, curve[back], straight), area), cost


@dataclass(frozen=True)
class _EvenSteps(_ByOrder):
    """The area under curves in equal steps."""

    steps: int = 50
    normalize: Normalize = None

    def __post_init__(self) -> None:
        check_integer("steps", self.steps, minimum=1)
        if self.normalize is not None:
            check_choice("normalize", self.normalize, ("prediction", "range"))

    def points(self, subject: JudgedExplanation) -> Floats:
        d = subject.scores.n_features
        return np.linspace(0, 1, (self.steps if d is None else min(self.steps, d)) + 1)

    def area(self, subject: JudgedExplanation, area: Floats) -> Floats:
        """An area in units of |f(x)|, or as a fraction of the way from f(empty) to f(x)."""
        if self.normalize is None:
            return area
        if self.normalize == "prediction":
            return ratio(area, np.abs(subject.full))
        return ratio((area - subject.empty) * np.sign(subject.full - subject.empty), subject.size)


class _Area(_EvenSteps):
    """The area under one curve."""

    def read(self, subject: JudgedExplanation, *walks: Walk) -> tuple[Floats, Mapping[str, Floats]]:
        areas = self.area(subject, walks[0].area)
        return areas.mean(axis=0), {"curve": walks[0].outputs.mean(axis=0)}


@dataclass(frozen=True)
class Deletion(_Area):
    """Area under the output while features are removed, those with the highest scores first.

    Petsiuk, Das & Saenko (BMVC 2018); trapezoids over the share removed so far, from f(x) at 0 to
    f(empty) at 1. A faithful explanation of an output makes it fall fast: lower is better.

    Parameters
    ----------
    steps : int
        How many equal shares of the features are removed one after the other; never more than a
        table has features. Pixels go in the order of the heat map, equal ones by position.
    normalize : None, "prediction" or "range"
        None: the area itself, in the model's units. "prediction": divided by |f(x)|, which
        suits probabilities. "range": as a fraction of the way from f(empty) to f(x).

    Returns
    -------
    Measure
        With `curves` and `shares`. References: a random order of the features (of boxes of
        pixels), the mean of 3, and for images those nearest the center first.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> x, model = np.array([4.0, 2.0]), lambda X: X @ [1.0, 1.0]
    >>> zero = px.Baseline([0.0, 0.0])
    >>> px.metrics.deletion(model, x, x, masker=zero).values
    array(2.5)
    """

    better = "lower"
    ways = ("deletion",)


@dataclass(frozen=True)
class Insertion(_Area):
    """Area under the output while features are added, those with the highest scores first.

    Petsiuk, Das & Saenko (BMVC 2018); trapezoids over the share added so far, from f(empty) at 0
    to f(x) at 1. A faithful explanation of an output makes it rise fast: higher is better.

    Parameters
    ----------
    steps : int
        How many equal shares of the features are added one after the other; never more than a
        table has features. Pixels go in the order of the heat map, equal ones by position.
    normalize : None, "prediction" or "range"
        None: the area itself, in the model's units. "prediction": divided by |f(x)|, which
        suits probabilities. "range": as a fraction of the way from f(empty) to f(x).

    Returns
    -------
    Measure
        With `curves` and `shares`. References: a random order of the features (of boxes of
        pixels), the mean of 3, and for images those nearest the center first.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> x, model = np.array([4.0, 2.0]), lambda X: X @ [1.0, 1.0]
    >>> zero = px.Baseline([0.0, 0.0])
    >>> px.metrics.insertion(model, x, x, masker=zero).values
    array(3.5)
    """

    better = "higher"
    ways = ("insertion",)


@dataclass(frozen=True)
class InsertionDeletion(_EvenSteps):
    """Insertion minus deletion: the area between the two curves.

    Both of Petsiuk, Das & Saenko (BMVC 2018). Inserting the most relevant first is deleting the
    least relevant first, read backwards, so this is also the symmetric relevance gain of Bluecher,
    Vielhaben & Strodthoff (TMLR 2024). The fill's own bias, which lifts or lowers both curves,
    mostly cancels: a random order scores about 0. Higher is better.

    Parameters
    ----------
    steps : int
        How many equal shares of the features are removed, or added, one after the other; never
        more than a table has features. Pixels go in the order of the heat map, equal ones by
        position.
    normalize : None, "prediction" or "range"
        None: the area itself, in the model's units. "prediction": divided by |f(x)|, as is usual
        for probabilities. "range": divided by |f(x) - f(empty)|.

    Returns
    -------
    Measure
        With the two areas as `details` (normalized each as `deletion` and `insertion` do).

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> x, model = np.array([4.0, 2.0]), lambda X: X @ [1.0, 1.0]
    >>> zero = px.Baseline([0.0, 0.0])
    >>> px.metrics.insertion_deletion(model, x, x, masker=zero).values
    array(1.)
    """

    better = "higher"
    ways = ("deletion", "insertion")

    def read(self, subject: JudgedExplanation, *walks: Walk) -> tuple[Floats, Mapping[str, Floats]]:
        deletion, insertion = (walk.area.mean(axis=0) for walk in walks)
        gap = insertion - deletion
        if self.normalize is not None:
            by_prediction = self.normalize == "prediction"
            gap = ratio(gap, np.abs(subject.full) if by_prediction else subject.size)
        return gap, {
            "deletion": self.area(subject, deletion),
            "insertion": self.area(subject, insertion),
        }


@dataclass(frozen=True)
class _Top(_ByOrder):
    """The mean fall of the output over several shares of the features."""

    rounds_up = True

    shares: Sequence[float] = (0.01, 0.05, 0.1, 0.2, 0.5)

    def __post_init__(self) -> None:
        try:
            at = np.asarray(self.shares, dtype=np.float64)
        except (TypeError, ValueError, OverflowError):
            at = np.zeros(0)
        wrong = at.ndim != 1 or not at.size or not ((at > 0) & (at <= 1)).all()
        if wrong or (np.diff(at) <= 0).any():
            raise invalid("shares", "increasing shares above 0 and at most 1", self.shares)

    def points(self, subject: JudgedExplanation) -> Floats:
        return np.asarray(self.shares, dtype=np.float64)

    def read(self, subject: JudgedExplanation, *walks: Walk) -> tuple[Floats, Mapping[str, Floats]]:
        curve = (subject.full[:, :, None] - walks[0].outputs).mean(axis=0)
        return curve.mean(axis=2), {"curve": curve}


@dataclass(frozen=True)
class Comprehensiveness(_Top):
    """How much the output falls without the features that score highest.

    DeYoung et al. (ACL 2020, eq. 1, in its AOPC form): the mean over `shares` q of
    f(x) - f(x without the top q). Higher is better.

    Parameters
    ----------
    shares : sequence of float
        Shares of the features (pixels) over which the fall is averaged, each above 0 and at most
        1, by default those of DeYoung et al.; a share is rounded up to whole features.

    Returns
    -------
    Measure
        With `curves`, the fall at each of `shares`. References as in `deletion`.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> x, model = np.array([4.0, 2.0]), lambda X: X @ [1.0, 1.0]
    >>> zero = px.Baseline([0.0, 0.0])
    >>> px.metrics.comprehensiveness(model, x, x, masker=zero).values
    array(4.)
    """

    better = "higher"
    ways = ("deletion",)


@dataclass(frozen=True)
class Sufficiency(_Top):
    """How much the output falls with nothing left but the features that score highest.

    DeYoung et al. (ACL 2020, eq. 2, in its AOPC form): the mean over `shares` q of
    f(x) - f(the top q alone). Lower is better.

    Parameters
    ----------
    shares : sequence of float
        Shares of the features (pixels) over which the fall is averaged, each above 0 and at most
        1, by default those of DeYoung et al.; a share is rounded up to whole features.

    Returns
    -------
    Measure
        With `curves`, the fall at each of `shares`. References as in `deletion`.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> x, model = np.array([4.0, 2.0]), lambda X: X @ [1.0, 1.0]
    >>> zero = px.Baseline([0.0, 0.0])
    >>> px.metrics.sufficiency(model, x, x, masker=zero).values
    array(2.)
    """

    better = "lower"
    ways = ("insertion",)


deletion = function_of(Deletion, "deletion")
insertion = function_of(Insertion, "insertion")
insertion_deletion = function_of(InsertionDeletion, "insertion_deletion")
comprehensiveness = function_of(Comprehensiveness, "comprehensiveness")
sufficiency = function_of(Sufficiency, "sufficiency")
