"""Effect curves: how the model's output changes with one feature, on average over rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from perturbx._typing import Floats, Ints
from perturbx._validation import check_number, needed, position_of
from perturbx.errors import SelectionError
from perturbx.result.text import numbers, shorten

if TYPE_CHECKING:
    import pandas as pd

_LISTED = 20


@dataclass(frozen=True, eq=False, repr=False)
class EffectCurve:
    """The mean output of a model along one feature.

    Parameters
    ----------
    feature : str
    is_number : bool
        True for numbers, whose points are joined by lines; False for categories.
    grid : tuple of K cells
        The points: values that rows have had, or categories.
    positions : (K,) array
        Where they lie on the axis: the numbers, or 0 to K - 1 for categories.
    values : (K,) or (K, k) array
        The effect at each point, one column for each output.
    covariance : (K, K) or (K, K, k) array
        Of the values, over another sample of rows; the model is fixed.
    degrees_of_freedom : array like values
        Of the standard errors.
    counts : (K,) int array
        The rows whose nearest point this is.
    data : (m,) array
        Where the rows lie on the axis; rows without a place there are left out.
    individual : (m, K) or (m, K, k) array, or None
        The curve of each row (individual conditional expectation), for partial dependence.
    output_names : tuple of k str
    """

    feature: str
    is_number: bool
    grid: tuple[Any, ...]
    positions: Floats
    values: Floats
    covariance: Floats
    degrees_of_freedom: Floats
    counts: Ints
    data: Floats
    individual: Floats | None
    output_names: tuple[str, ...]

    @property
    def standard_errors(self) -> Floats:
        """Like values: the square roots of the variances."""
        return np.asarray(np.sqrt(np.einsum("ii...->i...", self.covariance)))

    @property
    def size(self) -> Floats:
        """() or (k,): the standard deviation of the curve over the rows."""
        shares = self.counts / self.counts.sum()
        centered = self.values - np.tensordot(shares, self.values, axes=1)
        return np.sqrt(np.tensordot(shares, centered**2, axes=1))

    def interval(self, level: float = 0.95) -> tuple[Floats, Floats]:
        """Confidence intervals of each point: the lower and the upper ends."""
        half = half_width(self.standard_errors, self.degrees_of_freedom, level)
        return self.values - half, self.values + half

    def change(self, start: int, stop: int, level: float = 0.95) -> tuple[Floats, Floats, Floats]:
        """The difference between two points, and the ends of its confidence interval.

        Neighboring points share most of their error, so that differences are often known better
        than the points themselves.

        Parameters
        ----------
        start, stop : int
            Positions in `grid`.
        level : float

        Returns
        -------
        difference, lower, upper : () or (k,) array
        """
        for point in (start, stop):
            position_of(point, self.grid, len(self.grid), "point", SelectionError)
        cov = self.covariance
        variance = cov[stop, stop] + cov[start, start] - 2 * cov[start, stop]
        degrees = np.minimum(self.degrees_of_freedom[start], self.degrees_of_freedom[stop])
        found = np.asarray(self.values[stop] - self.values[start])
        half = half_width(np.sqrt(np.maximum(variance, 0.0)), degrees, level)
        return found, found - half, found + half


@dataclass(frozen=True, eq=False, repr=False)
class EffectSurface:
    """The effect of two features together, beyond those of each alone.

    Parameters
    ----------
    features : (str, str)
    are_numbers : (bool, bool)
    grids : (tuple of K1 cells, tuple of K2 cells)
        The points of each feature.
    positions : ((K1,) array, (K2,) array)
        Where they lie on the axes: the numbers, or 0 to K - 1 for categories.
    values, standard_errors : (K1, K2) or (K1, K2, k) array
        The interaction at each pair of points, and its error over another sample of rows.
    counts : (K1, K2) int array
        The rows whose nearest pair of points it is. Where there are none, the interaction is
        that of the nearest cell that has rows.
    data : (m, 2) array
        Where the rows lie.
    output_names : tuple of k str
    n_instances, n_rows, n_calls : int
        The rows that it is averaged over, and what it cost.
    random_state : int
        Repeats every number.
    notes : tuple of str
    """

    features: tuple[str, str]
    are_numbers: tuple[bool, bool]
    grids: tuple[tuple[Any, ...], tuple[Any, ...]]
    positions: tuple[Floats, Floats]
    values: Floats
    standard_errors: Floats
    counts: Ints
    data: Floats
    output_names: tuple[str, ...]
    n_instances: int
    n_rows: int
    n_calls: int
    random_state: int
    notes: tuple[str, ...] = ()

    def interval(self, level: float = 0.95) -> tuple[Floats, Floats]:
        """Confidence intervals of each point: the lower and the upper ends."""
        half = half_width(self.standard_errors, np.asarray(np.inf), level)
        return self.values - half, self.values + half

    def to_frame(self) -> pd.DataFrame:
        """A tidy pandas DataFrame: a row for each output and pair of points.

        Columns: the two features, output, effect, standard_error, lower, upper (the 95%
        interval), and n (the rows whose nearest pair of points it is).

        Raises
        ------
        ImportError
            Without pandas.
        """
        pandas = needed("pandas", "to_frame", "pandas")
        columns = [self.values, self.standard_errors, *self.interval()]
        shape = len(self.grids[0]), len(self.grids[1]), -1
        cube = np.stack([column.reshape(shape) for column in columns], axis=-1)
        lines = [
            (a, b, output, *cube[i, j, t], int(self.counts[i, j]))
            for t, output in enumerate(self.output_names)
            for i, a in enumerate(self.grids[0])
            for j, b in enumerate(self.grids[1])
        ]
        names = [*self.features, "output", "effect", "standard_error", "lower", "upper", "n"]
        frame: pd.DataFrame = pandas.DataFrame(lines, columns=names)
        return frame

    def __repr__(self) -> str:
        lines = [
            f"interaction of {self.features[0]} and {self.features[1]}, over "
            f"{self.n_instances:,} rows, lowest and highest, 95% intervals"
        ]
        shape = len(self.grids[0]), len(self.grids[1]), -1
        values, low, high = (part.reshape(shape) for part in (self.values, *self.interval()))
        for t, output in enumerate(self.output_names):
            seen = np.where(self.counts > 0, values[:, :, t], np.nan)
            for place in (np.nanargmin(seen), np.nanargmax(seen)):
                i, j = np.unravel_index(int(place), seen.shape)
                mean, lower, upper = numbers([values[i, j, t], low[i, j, t], high[i, j, t]])
                at = f"{shown(self.grids[0][i])}, {shown(self.grids[1][j])}"
                lines.append(f"  {output}  {mean} [{lower}, {upper}] at {at}")
        lines += [f"  cost: {self.n_rows:,} model rows in {self.n_calls:,} calls"]
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])


def half_width(errors: Floats, degrees: Floats, level: float) -> Floats:
    """Half the length of t intervals."""
    from scipy.special import stdtrit

    level = check_number("level", level, above=0, below=1)
    return np.asarray(stdtrit(degrees, (1 + level) / 2) * errors)


@dataclass(frozen=True, eq=False, repr=False)
class EffectCurves:
    """The effect curves of several features, over the same rows.

    ``curves["age"]`` is one curve; iteration and ``len`` go over all of them.

    Parameters
    ----------
    curves : tuple of EffectCurve
    method : str
        In words, for the reader.
    output_names : tuple of k str
    model : str
        The name of predict_fn.
    n_instances : int
        The rows that the curves are averaged over.
    n_rows, n_calls : int
        Model rows and calls.
    random_state : int
        Repeats every number.
    notes : tuple of str
        To be read before the curves are.
    """

    curves: tuple[EffectCurve, ...]
    method: str
    output_names: tuple[str, ...]
    model: str
    n_instances: int
    n_rows: int
    n_calls: int
    random_state: int
    notes: tuple[str, ...] = ()

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The feature of each curve."""
        return tuple(curve.feature for curve in self.curves)

    def __len__(self) -> int:
        return len(self.curves)

    def __iter__(self) -> Iterator[EffectCurve]:
        return iter(self.curves)

    def __getitem__(self, feature: str | int) -> EffectCurve:
        names = self.feature_names
        return self.curves[position_of(feature, names, len(names), "curve", SelectionError)]

    def to_frame(self) -> pd.DataFrame:
        """A tidy pandas DataFrame: a row for each feature, output and point.

        Columns: feature, output, value, effect, standard_error, lower and upper (the 95%
        interval), and n (the rows whose nearest point this is).

        Raises
        ------
        ImportError
            Without pandas.
        """
        pandas = needed("pandas", "to_frame", "pandas")
        lines = []
        for curve in self.curves:
            columns = [curve.values, curve.standard_errors, *curve.interval()]
            cube = np.stack([column.reshape(len(curve.grid), -1) for column in columns], axis=-1)
            for j, output in enumerate(curve.output_names):
                for i, cell in enumerate(curve.grid):
                    lines.append((curve.feature, output, cell, *cube[i, j], int(curve.counts[i])))
        names = ["feature", "output", "value", "effect", "standard_error", "lower", "upper", "n"]
        frame: pd.DataFrame = pandas.DataFrame(lines, columns=names)
        return frame

    def __repr__(self) -> str:
        n = self.n_instances
        lines = [f"{self.method} of {self.model}, over {n:,} rows"]
        for j, output in enumerate(self.output_names):
            several = f" of output {output!r}" * (len(self.output_names) > 1)
            lines += ["", f"  lowest and highest mean output{several}, 95% intervals"]
            spread = [float(np.ravel(curve.size)[j]) for curve in self.curves]
            order = np.argsort(spread)[::-1][:_LISTED]
            lines += _table([self.curves[i] for i in order], j)
            rest = len(self.curves) - len(order)
            lines += [f"  ... and {rest} curves that vary less"] * (rest > 0)
        lines += ["", f"  cost: {self.n_rows:,} model rows in {self.n_calls:,} calls"]
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])


def _table(curves: list[EffectCurve], j: int) -> list[str]:
    width = max((len(shorten(curve.feature, 30)) for curve in curves), default=0)
    lines = []
    for curve in curves:
        values, low, high = (
            part.reshape(len(curve.grid), -1)[:, j] for part in (curve.values, *curve.interval())
        )
        parts = []
        for i in (int(values.argmin()), int(values.argmax())):
            mean, lower, upper = numbers([values[i], low[i], high[i]], signed=True)
            parts.append(f"{mean} [{lower}, {upper}] at {shown(curve.grid[i])}")
        lines.append(f"  {shorten(curve.feature, 30).ljust(width)}  {'; '.join(parts)}")
    return lines


def shown(cell: Any) -> str:
    """A point of a curve as text."""
    if isinstance(cell, (float, np.floating)):
        return "missing" if np.isnan(cell) else f"{cell:.4g}"
    if isinstance(cell, (bool, np.bool_, int, np.integer)):
        return str(cell)
    return "missing" if cell is None or type(cell).__name__ == "NAType" else shorten(str(cell), 24)
