"""Global importance: the mean size of a feature's scores over the population of the rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from perturbx._typing import Floats
from perturbx._validation import check_number, invalid, needed, position_of
from perturbx.errors import InvalidParameterError, SelectionError
from perturbx.features.places import aligned
from perturbx.result.text import numbers, shorten

if TYPE_CHECKING:
    import pandas as pd

    from perturbx.result.explanation import Explanation

_LISTED = 20


@dataclass(frozen=True, eq=False, repr=False)
class Importance:
    """The mean of |score| of each feature, with intervals for the population of the rows.

    Parameters
    ----------
    values : (d,) or (d, k) array
        The estimated mean of |score|, free of most of the upward bias that errors of the
        scores have on |score|; never below 0.
    standard_errors : array like values
        Of `values` over another sample of rows and of perturbations; NaN for fewer than 2 rows,
        and where the errors of the scores are unknown.
    bias : array like values
        The most by which `values` may still be off on average, whatever the true scores are.
    feature_names : tuple of d str
        Features or groups.
    output_names : tuple of k str
    n_instances : int
    method, value_function : str
        Of the explanation.

    Notes
    -----
    No estimator of |score| is unbiased where the score has an error, since |.| is not smooth
    at 0 (Cai & Low, Annals of Statistics 39, 2011, "Testing composite hypotheses, Hermite
    polynomials and optimal estimation of a nonsmooth functional"). For a score v with standard
    error s, ``|v| - s * gap(|v| / s)`` is averaged. Its bias is at most .28 s, and the interval is
    widened by an estimate of its bound, ``.33 s exp(-(v/s)**2 / 6)``, whose mean is never less
    than the bias. The plain mean of |v| of a feature without effect is .8 s, however many rows
    are averaged.
    """

    values: Floats
    standard_errors: Floats
    bias: Floats
    feature_names: tuple[str, ...]
    output_names: tuple[str, ...]
    n_instances: int
    method: str
    value_function: str

    def interval(self, level: float = 0.95) -> tuple[Floats, Floats]:
        """Confidence intervals of the population's mean: lower ends, at least 0, and upper ends."""
        from scipy.special import stdtrit

        level = check_number("level", level, above=0, below=1)
        half = self.bias + stdtrit(max(self.n_instances - 1, 1), (1 + level) / 2) * (
            self.standard_errors
        )
        return np.maximum(self.values - half, 0.0), self.values + half

    def to_frame(self) -> pd.DataFrame:
        """A tidy pandas DataFrame: a row for each output and feature, largest first.

        Raises
        ------
        ImportError
            Without pandas.
        """
        pandas = needed("pandas", "to_frame", "pandas")
        lower, upper = (self._by_output(ends) for ends in self.interval())
        values, errors = self._by_output(self.values), self._by_output(self.standard_errors)
        d, k = values.shape
        frame: pd.DataFrame = pandas.DataFrame(
            {
                "output": np.repeat(np.array(self.output_names, dtype=object), d),
                "feature": np.tile(np.array(self.feature_names, dtype=object), k),
                "importance": values.T.ravel(),
                "standard_error": errors.T.ravel(),
                "lower": lower.T.ravel(),
                "upper": upper.T.ravel(),
            }
        )
        order = np.lexsort((-frame["importance"], np.repeat(np.arange(k), d)))
        return frame.iloc[order].reset_index(drop=True)

    def _by_output(self, values: Floats) -> Floats:
        return values.reshape(len(self.feature_names), -1)

    def __repr__(self) -> str:
        lines = [
            f"Importance of {len(self.feature_names)} features over {self.n_instances:,} "
            f"instances ({self.method})",
            f"  value function: {self.value_function}",
        ]
        values, lower, upper = map(self._by_output, (self.values, *self.interval()))
        for j, output in enumerate(self.output_names):
            order = np.argsort(-values[:, j], kind="stable")[:_LISTED]
            texts = numbers(np.stack([values, lower, upper])[:, order, j].ravel(), signed=False)
            several = f" of output {output!r}" * (len(self.output_names) > 1)
            lines += ["", f"  mean |score|{several}, 95% interval"]
            width = max(len(shorten(self.feature_names[i], 36)) for i in order)
            for place, i in enumerate(order):
                mean, low, high = texts[place :: len(order)]
                name = shorten(self.feature_names[i], 36).ljust(width)
                lines.append(f"  {name}  {mean}  [{low}, {high}]")
            rest = len(self.feature_names) - len(order)
            lines += [f"  ... and {rest} smaller"] * (rest > 0)
        return "\n".join(lines)


def importance(
    explanation: Explanation, groups: Mapping[str, Sequence[str | int]] | None = None
) -> Importance:
    """The mean size of the scores of each feature, or of each group's summed scores."""
    check_rows(explanation)
    if not len(explanation):
        raise InvalidParameterError("Importance is a mean over instances, and there are none.")
    values, errors = cubes(explanation)
    names = explanation.feature_names
    if groups is not None:
        values, errors = _summed(explanation, values, errors, groups)
        names = tuple(groups)
    means, total, bias = mean_sizes(values, errors)
    shape = (len(names), *explanation.shape[2:])
    return Importance(
        values=means.reshape(shape),
        standard_errors=total.reshape(shape),
        bias=bias.reshape(shape),
        feature_names=names,
        output_names=_output_names(explanation),
        n_instances=len(values),
        method=explanation.method_name,
        value_function=explanation.value_function,
    )


def mean_sizes(values: Floats, errors: Floats) -> tuple[Floats, Floats, Floats]:
    """The mean of |score| over the first axis, its standard error, and a bound of its bias."""
    each, allowance = sizes(values, errors)
    n = len(each)
    with np.errstate(over="ignore"):  # scores near 1e308 have infinite errors
        shared = (errors * np.abs(1 - 2 * _tail(values, errors))).mean(axis=0)
        spread = each.std(axis=0, ddof=1) if n > 1 else np.full(shared.shape, np.nan)
        total = np.sqrt(spread**2 / n + shared**2)
    return np.maximum(each.mean(axis=0), 0.0), total, allowance.mean(axis=0)


def sizes(values: Floats, errors: Floats) -> tuple[Floats, Floats]:
    """Estimates of |score| that are nearly unbiased, and a bound of their bias.

    The bound is itself an estimate, whose expectation is at least the size of the bias.
    """
    from scipy.special import ndtr

    with np.errstate(divide="ignore", invalid="ignore"):
        a = np.where(errors > 0, np.abs(values) / errors, np.where(errors == 0, np.inf, np.nan))
    a = np.minimum(a, 40.0)  # beyond, nothing is left to correct
    folded = np.sqrt(2 / np.pi) * np.exp(-(a**2) / 2) - 2 * a * ndtr(-a)
    gap = folded + np.exp(-(a**2)) / 3
    return np.abs(values) - errors * gap, errors * 0.33 * np.exp(-(a**2) / 6)


def _tail(values: Floats, errors: Floats) -> Floats:
    """The probability that the score's sign is wrong, about."""
    from scipy.special import ndtr

    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(ndtr(-np.where(errors == 0, np.inf, np.abs(values) / errors)))


def check_rows(explanation: Explanation) -> None:
    """Refuse what is not several instances of the same features and outputs."""
    if explanation.axes[:2] != ("instance", "feature"):
        raise InvalidParameterError(
            f"Importance is a mean over instances: this explanation has axes {explanation.axes}, "
            'and needs ("instance", "feature"): explain several rows.'
        )
    if isinstance(explanation.regions, tuple) and not aligned(explanation.regions):
        raise InvalidParameterError(
            "These images have regions of their own, or texts pieces, so no feature is the same in "
            "all of them: explain images with the same regions, such as "
            'px.Superpixels(method="grid"), and look at texts one by one.'
        )


def cubes(explanation: Explanation) -> tuple[Floats, Floats]:
    """(n, d, k) scores and standard errors."""
    n, d = explanation.shape[:2]
    return explanation.values.reshape(n, d, -1), explanation.standard_errors.reshape(n, d, -1)


def _output_names(explanation: Explanation) -> tuple[str, ...]:
    """Names along the output axis: positions, where each instance has outputs of its own."""
    names = explanation.output_names
    if np.ndim(names) == 1:
        return tuple(names)
    return tuple(f"output {j + 1}" for j in range(np.shape(names)[1]))


def _summed(
    explanation: Explanation,
    values: Floats,
    errors: Floats,
    groups: Mapping[str, Sequence[str | int]],
) -> tuple[Floats, Floats]:
    """(n, groups, k): scores add up; errors do at most, as their correlation is not known."""
    if not isinstance(groups, Mapping) or not groups:
        raise invalid("groups", 'a dict, as in {"size": ["height", "weight"]}', groups)
    if explanation.score_kind != "shares":
        raise InvalidParameterError(
            f"groups= adds scores up, and those of {explanation.method_name} are slopes in units "
            "of each feature, which have no sum: leave groups out."
        )
    names, seen = explanation.feature_names, dict[int, str]()
    sums: list[Any] = []
    for group, members in groups.items():
        if isinstance(members, str) or not len(members):
            raise invalid(f"groups[{group!r}]", "a list of features, one or more", members)
        places = [position_of(m, names, len(names), "feature", SelectionError) for m in members]
        for place in places:
            if place in seen:
                raise InvalidParameterError(
                    f"Feature {names[place]!r} is in the groups {seen[place]!r} and {group!r}: "
                    "put it into one."
                )
            seen[place] = group
        sums.append((values[:, places].sum(axis=1), errors[:, places].sum(axis=1)))
    summed, bounds = zip(*sums, strict=True)
    return np.stack(summed, axis=1), np.stack(bounds, axis=1)
