"""The result of every metric: numbers, their cost, and references to compare them with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

import numpy as np

from perturbx._typing import Floats

if TYPE_CHECKING:
    import pandas as pd

Better: TypeAlias = Literal["higher", "lower"]


class Named(Protocol):
    """What a result takes from its metric."""

    @property
    def name(self) -> str: ...
    @property
    def better(self) -> Better: ...


@dataclass(frozen=True, eq=False, repr=False)
class Measure:
    """How faithful an explanation is, by one metric.

    Parameters
    ----------
    metric : str
        The metric's name.
    values : (n,), (n, k) or () array
        One number for each instance and output; NaN where the metric is not defined, as a
        correlation with a constant.
    axes : tuple of str
        Which of "instance" and "output" the axes of `values` are.
    output_names : tuple of str, or (n, k) array of str
        The outputs that were judged.
    better : "higher" or "lower"
        Where a faithful explanation lies.
    value_function : str
        How features were removed, in words.
    n_rows, n_calls : int
        What the model was asked, references included.
    references : mapping of str to array like values
        The same metric of scores that never saw the model: a random order, or for images also a
        blob in the center.
    reference_rows : mapping of str to int
        How many of `n_rows` each reference cost.
    shares : (s,) array or None
        Shares of the features (or positions) at which `curves` are known.
    curves : array like values with an axis of s more, or None
        What the model says along the way.
    reference_curves : mapping of str to array like curves
    details : mapping of str to array
        Further numbers, by name.
    notes : tuple of str
        What a reader should know.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> X = np.array([[1.0, 2.0], [3.0, 1.0]])
    >>> model = lambda X: X @ [1.0, 2.0]
    >>> found = px.Occlusion(model, masker=px.Baseline([0.0, 0.0])).explain(X)
    >>> px.metrics.deletion(model, X, found, masker=px.Baseline([0.0, 0.0]), references=False)
    deletion 2 (lower is better): 2 instances, 8 model rows; absent features at a baseline
    """

    metric: str
    values: Floats
    axes: tuple[str, ...]
    output_names: Any
    better: Better
    value_function: str
    n_rows: int
    n_calls: int
    references: Mapping[str, Floats] = field(default_factory=dict)
    reference_rows: Mapping[str, int] = field(default_factory=dict)
    shares: Floats | None = None
    curves: Floats | None = None
    reference_curves: Mapping[str, Floats] = field(default_factory=dict)
    details: Mapping[str, Floats] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def mean(self) -> float:
        """The mean of the values that are known; NaN if none is."""
        return known_mean(self.values)

    @property
    def fill(self) -> str:
        """`value_function`, by the word that images use."""
        return self.value_function

    def __float__(self) -> float:
        return self.mean

    def to_frame(self) -> pd.DataFrame:
        """A pandas DataFrame: a row for each instance and output, references as columns.

        Raises
        ------
        ImportError
            Without pandas.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError("to_frame needs pandas: pip install pandas") from error
        n = self.values.shape[0] if "instance" in self.axes else 1
        grid = np.reshape(self.values, (n, -1))
        names = np.asarray(self.output_names, dtype=object)
        columns = {
            "instance": np.repeat(np.arange(n), grid.shape[1]),
            "output": np.broadcast_to(names, grid.shape).ravel(),
            self.metric: grid.ravel(),
            **{name: np.ravel(values) for name, values in self.references.items()},
        }
        return pd.DataFrame(columns)

    def __repr__(self) -> str:
        against = [f"{name} {known_mean(v):.3g}" for name, v in self.references.items()]
        beside = [f"{name} {known_mean(v):.3g}" for name, v in self.details.items()]
        shown = "; ".join(
            [", ".join(part) for part in (against, beside) if part] + [f"{self.better} is better"]
        )
        sizes = [
            f"{size} {axis}{'s'[: size != 1]}"
            for axis, size in zip(self.axes, self.values.shape, strict=True)
        ]
        asked = ", ".join([*(sizes or ["1 instance"]), f"{self.n_rows:,} model rows"])
        notes = "".join(f"; {note}" for note in self.notes)
        return f"{self.metric} {self.mean:.3g} ({shown}): {asked}; {self.value_function}{notes}"


def known_mean(values: Floats) -> float:
    """The mean of what is not NaN."""
    known = np.asarray(values)[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def ratio(above: Floats, below: Floats) -> Floats:
    """NaN where there is nothing to divide by."""
    unknown = np.full(above.shape, np.nan)
    return np.asarray(np.divide(above, below, out=unknown, where=below > 0))
