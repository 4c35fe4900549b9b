"""Differences between the scores of two groups of rows, with a test for each feature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np

from perturbx._typing import Floats
from perturbx._validation import check_choice, check_number, invalid, needed
from perturbx.errors import InvalidInputError, InvalidParameterError
from perturbx.result.difference import same_draws
from perturbx.result.explanation import Explanation
from perturbx.result.importance import check_rows, cubes, sizes
from perturbx.result.reading import without_rounding
from perturbx.result.text import numbers, shorten

if TYPE_CHECKING:
    import pandas as pd

Averaged: TypeAlias = Literal["scores", "sizes"]

_LISTED = 20


@dataclass(frozen=True, eq=False, repr=False)
class CohortComparison:
    """How the scores of two cohorts differ on average, with a test for each feature.

    Parameters
    ----------
    means_a, means_b : (d,) or (d, k) array
        The mean score, or mean |score|, of each cohort.
    standard_errors : array like means_a
        Of ``means_a - means_b``: from the sample of rows, and from the errors of the scores.
    bias : array like means_a
        The most by which the difference may be off on average; 0 for mean scores.
    degrees_of_freedom : array like means_a
        Welch's, of the t distribution.
    p_values : array like means_a
        Two-sided, of no difference, for each feature by itself.
    adjusted_p_values : array like means_a
        For all features and outputs together (Holm 1979): the chance of one or more false
        alarms among those below .05 is at most .05.
    of : "scores" or "sizes"
    feature_names, output_names : tuple of str
    n_a, n_b : int
        The sizes of the cohorts.
    notes : tuple of str
    """

    means_a: Floats
    means_b: Floats
    standard_errors: Floats
    bias: Floats
    degrees_of_freedom: Floats
    p_values: Floats
    adjusted_p_values: Floats
    of: Averaged
    feature_names: tuple[str, ...]
    output_names: tuple[str, ...]
    n_a: int
    n_b: int
    notes: tuple[str, ...] = ()

    @property
    def differences(self) -> Floats:
        """``means_a - means_b``."""
        return np.asarray(self.means_a - self.means_b)

    def interval(self, level: float = 0.95) -> tuple[Floats, Floats]:
        """Confidence intervals of the differences, for each feature by itself."""
        from scipy.special import stdtrit

        level = check_number("level", level, above=0, below=1)
        quantile = stdtrit(self.degrees_of_freedom, (1 + level) / 2)
        half = self.bias + quantile * self.standard_errors
        return self.differences - half, self.differences + half

    def to_frame(self) -> pd.DataFrame:
        """A tidy pandas DataFrame: a row for each output and feature, smallest p-value first.

        Raises
        ------
        ImportError
            Without pandas.
        """
        pandas = needed("pandas", "to_frame", "pandas")
        d, (lower, upper) = len(self.feature_names), self.interval()
        arrays = {
            "mean_a": self.means_a,
            "mean_b": self.means_b,
            "difference": self.differences,
            "standard_error": self.standard_errors,
            "lower": lower,
            "upper": upper,
            "p_value": self.p_values,
            "adjusted_p_value": self.adjusted_p_values,
        }
        columns: dict[str, Any] = {
            "output": np.repeat(np.array(self.output_names, dtype=object), d),
            "feature": np.tile(np.array(self.feature_names, dtype=object), len(self.output_names)),
            **{name: array.reshape(d, -1).T.ravel() for name, array in arrays.items()},
        }
        frame: pd.DataFrame = pandas.DataFrame(columns)
        return frame.sort_values("p_value", kind="stable").reset_index(drop=True)

    def __repr__(self) -> str:
        what = {"scores": "mean score", "sizes": "mean |score|"}[self.of]
        lines = [f"{what} of {self.n_a:,} against {self.n_b:,} rows"]
        lines += [f"  note: {note}" for note in self.notes]
        d, k = len(self.feature_names), len(self.output_names)
        parts = self.means_a, self.means_b, self.differences, *self.interval()
        order = np.argsort(self.p_values.ravel(), kind="stable")[:_LISTED]
        texts = numbers(np.stack([part.ravel()[order] for part in parts]).ravel())
        names = [shorten(self.feature_names[i // k], 36) for i in order]
        if k > 1:
            names = [
                f"{name}, {self.output_names[i % k]}" for name, i in zip(names, order, strict=True)
            ]
        rows = [["feature", "a", "b", "difference", "95% interval", "p", "p, adjusted"]]
        for place, i in enumerate(order):
            a, b, difference, low, high = texts[place :: len(order)]
            p, adjusted = self.p_values.ravel()[i], self.adjusted_p_values.ravel()[i]
            interval = f"[{low}, {high}]"
            rows.append([names[place], a, b, difference, interval, f"{p:.2g}", f"{adjusted:.2g}"])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines += ["", *("  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)]
        lines += [f"  ... and {d * k - len(order)} more"] * (d * k > len(order))
        return "\n".join(lines)


def compare_cohorts(a: Explanation, b: Explanation, *, of: Averaged = "scores") -> CohortComparison:
    """How the scores of two groups of rows, or of two dates, differ on average.

    Parameters
    ----------
    a, b : Explanation
        Of two or more rows each, with the same features and outputs: two slices of one
        explanation, or two explanations, such as of last month's rows and of today's.
    of : "scores" or "sizes"
        The mean score, which moves when the feature's effect does in one direction, or the mean
        |score|, the importance.

    Returns
    -------
    CohortComparison

    Raises
    ------
    InvalidParameterError
        If the two have different features, outputs or kinds of scores.
    InvalidInputError
        If a cohort has fewer than two rows.

    Notes
    -----
    Welch's t test, whose standard error also has the errors of the scores. Rows that were
    explained together share the coalitions that were tried, so that their errors do not average
    out over rows: the mean standard error of a cohort is added. Where both cohorts were explained
    with one random state and method the tried coalitions are the same, and errors cancel as far
    as they have the same size.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> X = np.random.default_rng(0).normal(size=(200, 3))
    >>> explainer = px.KernelShap(lambda X: X[:, 0] + X[:, 1] ** 2, random_state=0).fit(X)
    >>> today = X[100:] + [1.0, 0.0, 0.0]
    >>> found = px.compare_cohorts(explainer.explain(today), explainer.explain(X[:100]))
    >>> (found.adjusted_p_values < 0.01).tolist()
    [True, False, False]
    """
    check_choice("of", of, get_args(Averaged))
    _check_alike(a, b)
    means, variances, allowances, shared = [], [], [], []
    for explanation in (a, b):
        values, errors = cubes(without_rounding(explanation))
        each, allowance = (values, 0 * errors) if of == "scores" else sizes(values, errors)
        means.append(each.mean(axis=0))
        variances.append(each.var(axis=0, ddof=1) / len(each))
        allowances.append(allowance.mean(axis=0))
        shared.append(errors.mean(axis=0))
    cancels = same_draws(a, b)
    of_errors = (shared[0] - shared[1]) ** 2 if cancels else shared[0] ** 2 + shared[1] ** 2
    squared = variances[0] + variances[1] + of_errors
    difference, bias = means[0] - means[1], allowances[0] + allowances[1]
    ns = len(a), len(b)
    freedom = _welch(squared, variances, ns)
    p = _p_values(np.maximum(np.abs(difference) - bias, 0.0), squared, freedom)
    shape = (len(a.feature_names), *a.shape[2:])
    return CohortComparison(
        means_a=means[0].reshape(shape),
        means_b=means[1].reshape(shape),
        standard_errors=np.sqrt(squared).reshape(shape),
        bias=bias.reshape(shape),
        degrees_of_freedom=freedom.reshape(shape),
        p_values=p.reshape(shape),
        adjusted_p_values=_holm(p).reshape(shape),
        of=of,
        feature_names=a.feature_names,
        output_names=tuple(a.output_names),
        n_a=ns[0],
        n_b=ns[1],
        notes=_notes(a, b),
    )


def _check_alike(a: Any, b: Any) -> None:
    for name, one in (("a", a), ("b", b)):
        if not isinstance(one, Explanation):
            raise invalid(name, "an Explanation of several rows", one)
        check_rows(one)
        if len(one) < 2:
            raise InvalidInputError(
                f"Cohort {name} has {len(one)} rows, and a test needs two or more, better 30."
            )
    for what in ("feature_names", "output_names", "score_kind"):
        first, second = getattr(a, what), getattr(b, what)
        if first != second:
            raise InvalidParameterError(
                f"The cohorts have different {what.replace('_', ' ')}s: {first} and {second}. "
                "Explain both with the same features, outputs and method."
            )


def _welch(squared: Floats, variances: Sequence[Floats], ns: tuple[int, int]) -> Floats:
    """Satterthwaite's degrees of freedom; the errors of scores count as known."""
    below = sum(v**2 / (n - 1) for v, n in zip(variances, ns, strict=True))
    unknown = np.full(squared.shape, np.inf)
    return np.asarray(np.divide(squared**2, below, out=unknown, where=below > 0))


def _p_values(distance: Floats, squared: Floats, freedom: Floats) -> Floats:
    from scipy.special import ndtr, stdtr

    exact = np.where(distance == 0, 1.0, 0.0)
    t = np.divide(distance, np.sqrt(squared), out=np.zeros_like(distance), where=squared > 0)
    tail = np.where(np.isinf(freedom), ndtr(-t), stdtr(np.minimum(freedom, 1e12), -t))
    return np.where(np.isnan(squared), np.nan, np.where(squared == 0, exact, 2 * tail))


def _holm(p: Floats) -> Floats:
    """Holm's step-down adjustment over all that were tested; NaN stays NaN."""
    flat = p.ravel()
    order = np.argsort(flat)
    m = int((~np.isnan(flat)).sum())
    factors = np.maximum(m - np.arange(flat.size), 1)
    adjusted = np.empty_like(flat)
    adjusted[order] = np.minimum(np.fmax.accumulate(flat[order] * factors), 1.0)
    return np.where(np.isnan(p), np.nan, adjusted.reshape(p.shape))


def _notes(a: Explanation, b: Explanation) -> tuple[str, ...]:
    if a.value_function == b.value_function:
        return ()
    return (
        f"the cohorts have different value functions, so that the difference is also between "
        f"them: {a.value_function} / {b.value_function}",
    )
