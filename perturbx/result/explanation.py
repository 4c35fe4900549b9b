"""The frozen result of every method."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import IO, TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from perturbx._typing import Floats, ScoreKind
from perturbx._validation import check_number
from perturbx.errors import InvalidParameterError
from perturbx.features import Regions, Spans
from perturbx.result import storage
from perturbx.result.consistency import check, check_loaded
from perturbx.result.difference import difference
from perturbx.result.interactions import Interactions
from perturbx.result.notebook import notebook
from perturbx.result.per_instance import PerInstance
from perturbx.result.reading import one_output, without_rounding
from perturbx.result.slicing import Key, picked
from perturbx.result.summary import summary

if TYPE_CHECKING:
    import pandas as pd

    from perturbx.result.importance import Importance


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """Scores of features, with their errors, cost and meaning.

    Indexing slices everything at once, by position or by name: ``explanation[0]``,
    ``explanation[:, "age"]``, ``explanation[..., "malignant"]``. Each axis also takes a slice,
    a list of positions or names, or a bool array.

    Parameters
    ----------
    values : (n, d) or (n, d, k) array
        The scores of d features in n instances, for k outputs. An integer or a name as index
        removes its axis: a single instance has (d,) or (d, k). If instances have different
        numbers of features (images, texts), the rest of a row is NaN.
    standard_errors : array like values
        The error of sampling perturbations; NaN where too few were drawn to estimate it.
    base_values : (n,) or (n, k) array
        The output without any feature, or the intercept of a local fit.
    predictions : (n,) or (n, k) array
        The (linked) output of the model for the instances themselves.
    data : (n, d) array, or the images, texts or lists
        The explained instances.
    feature_names : tuple of str
        Names along the feature axis. For several texts they are positions ("word 0"), and
        ``explanation[i]`` has the pieces themselves.
    output_names : tuple of str, or (n, k) array of str
        Names along the output axis; an array where each instance has outputs of its own.
    axes : tuple of str
        Which of "instance", "feature" and "output" the axes of `values` are.
    method, value_function : str
        How the scores were computed, and the output that they explain, in words.
    n_rows, n_calls : int
        Model rows and calls that these instances cost. Rows that several instances share, such
        as the background rows themselves, are divided among them: the costs of
        ``explanation[0]``, ``explanation[1]``, ... add up to that of the whole. All features and
        outputs come from the same rows, so picking some of them does not change the cost.
    degrees_of_freedom : float
        Those of the t distribution in `interval`.
    converged : bool or None
        Whether `tol` was reached; None if no `tol` was given.
    residual : array like base_values, or None
        predictions - base_values - sum of values, for methods that guarantee 0, at least in the
        limit; None once some of the features are picked.
    fidelity : array like base_values, or None
        Weighted R2 of the local fit, if there is one.
    effective_samples : float or None
        The effective sample size of the local fit's weighted samples.
    background_errors : array like values, or None
        The error from using a sample of rows as background: how far the scores would move with
        another sample. It is not part of `standard_errors`.
    noise_errors : array like values, or None
        The part of `standard_errors` that comes from a model that answers differently each time.
    interactions : Interactions or None
        Scores of pairs of features, if requested; None once features are picked.
    rounding : array like base_values, or None
        The rounding error of the outputs. Tables, plots and metrics treat scores up to this size
        as 0. None stands for that of float64.
    regions : tuple of Regions or Spans, one of them, or None
        Where each feature lies in the image, series or volume, or in the text or list.
    score_kind : "shares" or "slopes"
        Whether a score is a share of the output or of its change, or a slope: per standard
        deviation of the feature, or per what `value_function` says. Metrics that add scores
        up need shares.
    notes : tuple of str
        Warnings to read before trusting the scores; a slice has those of its instances.
    provenance : mapping
        Everything needed to repeat the numbers: random states, budget and all other parameters,
        the versions of Python, perturbx and the libraries it computes with, and the date (UTC).
    per_instance : PerInstance or None
        Cost, convergence and notes of each instance, for slices. None for a single instance;
        slices of a batch without it keep the totals of the batch.

    Examples
    --------
    >>> import numpy as np
    >>> explanation = Explanation(
    ...     values=np.array([[0.5, -0.2], [0.1, 0.4]]),
    ...     standard_errors=np.full((2, 2), 0.01),
    ...     base_values=np.array([0.3, 0.3]),
    ...     predictions=np.array([0.6, 0.8]),
    ...     data=np.array([[61, "f"], [35, "m"]], dtype=object),
    ...     feature_names=("age", "sex"),
    ...     output_names=("risk",),
    ...     axes=("instance", "feature"),
    ...     method="KernelShap",
    ...     value_function="absent features from 100 background rows",
    ...     n_rows=400,
    ...     n_calls=1,
    ... )
    >>> explanation[0]
    KernelShap: 1 instance, 2 features, output 'risk'
      value function: absent features from 100 background rows
      base value 0.3, prediction 0.6
      cost: 400 model rows in 1 call
    <BLANKLINE>
      feature  data  score ± standard error
      age      61    +0.5000 ± 0.0100
      sex      f     -0.2000 ± 0.0100
    >>> explanation[:, "age"].values
    array([0.5, 0.1])
    """

    values: Floats
    standard_errors: Floats
    base_values: Floats
    predictions: Floats
    data: Any
    feature_names: tuple[str, ...]
    output_names: Any
    axes: tuple[str, ...]
    method: str
    value_function: str
    n_rows: int
    n_calls: int
    degrees_of_freedom: float = np.inf
    converged: bool | None = None
    residual: Floats | None = None
    fidelity: Floats | None = None
    effective_samples: float | None = None
    background_errors: Floats | None = None
    noise_errors: Floats | None = None
    interactions: Interactions | None = None
    rounding: Floats | None = None
    regions: Regions | Spans | tuple[Regions | Spans, ...] | None = None
    score_kind: ScoreKind = "shares"
    notes: tuple[str, ...] = field(default=())
    provenance: Mapping[str, Any] = field(default_factory=dict)
    per_instance: PerInstance | None = None

    plot: ClassVar[Any]
    """Its pictures, as in ``explanation.plot.bar()``; `perturbx.plots` sets it."""

    def __post_init__(self) -> None:
        check(self)

    @property
    def method_name(self) -> str:
        """The method alone, as in ``perturbx.KernelShap``, for titles."""
        return self.method.partition(":")[0]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of `values`."""
        return np.shape(self.values)

    def __len__(self) -> int:
        if not self.axes:
            raise TypeError("A single score has no length.")
        return self.shape[0]

    def __iter__(self) -> Iterator[Explanation]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, key: Key) -> Explanation:
        return replace(self, **picked(self, key))

    def __sub__(self, other: Explanation) -> Explanation:
        """The difference of the scores of the same rows, for two models, dates or methods.

        Raises
        ------
        InvalidParameterError
            If rows, features or outputs differ; `perturbx.compare_cohorts` compares two groups.
        """
        if not isinstance(other, Explanation):
            return NotImplemented
        return replace(self, **difference(self, other))

    def interval(self, level: float = 0.95) -> tuple[Floats, Floats]:
        """Confidence intervals: lower and upper ends, each of the shape of `values`.

        They cover the error of having tried only some perturbations (t distribution with
        `degrees_of_freedom`), not that of the background being a sample. NaN where the standard
        error is unknown.
        """
        from scipy.special import ndtri, stdtrit

        level = check_number("level", level, above=0, below=1)
        upper, freedom = (1 + level) / 2, self.degrees_of_freedom
        quantile = ndtri(upper) if np.isinf(freedom) else stdtrit(freedom, upper)
        with np.errstate(over="ignore"):  # ends beyond the largest float are infinite
            half = quantile * self.standard_errors
            return self.values - half, self.values + half

    def heatmap(self, output: int | str | None = None) -> Floats:
        """The scores of one image (or series, or volume) as a map over its positions.

        Parameters
        ----------
        output : int, str or None
            The name or position of the output, if several were explained.

        Returns
        -------
        array of the image's height and width (the series' length, the volume's three sides)
            The mean where windows overlap, NaN where there is none.

        Raises
        ------
        InvalidParameterError
            If there are several instances (use ``explanation[i].heatmap()``), if the features
            are columns or pieces of a text, or if `output` does not select one output.
        """
        if "instance" in self.axes and len(self) == 1:
            return self[0].heatmap(output)
        if "instance" in self.axes:
            raise InvalidParameterError(
                f"A heat map shows one instance, not {len(self)}: use explanation[i].heatmap()."
            )
        if not isinstance(self.regions, Regions):
            raise InvalidParameterError(
                "A heat map needs an image, a series or a volume: these features are "
                f"{'pieces: use plots.text' if isinstance(self.regions, Spans) else 'columns'}."
            )
        return self.regions.heatmap(without_rounding(one_output(self, output)).values)

    def importance(self, groups: Mapping[str, Sequence[str | int]] | None = None) -> Importance:
        """The mean size of each feature's scores over the instances, with intervals.

        Parameters
        ----------
        groups : mapping of str to list of features, optional
            Names of groups, whose scores are added up in each instance before their size is
            taken. Features outside of all groups are left out.

        Returns
        -------
        Importance
            Intervals hold for the population that the instances are a sample of; they include
            the errors of the scores.

        Raises
        ------
        InvalidParameterError
            If there is one instance, if instances share no features or outputs, or if groups
            overlap.
        SelectionError
            If a group names a feature that does not exist.
        """
        from perturbx.result.importance import importance

        return importance(without_rounding(self), groups)

    def over_outputs(
        self,
        how: Literal["mean", "sum", "mean_abs"] = "mean",
        groups: Mapping[str, Sequence[str | int]] | None = None,
        weights: Sequence[float] | None = None,
    ) -> Explanation:
        """Summarize scores over outputs, such as the steps of a forecast or a survival curve.

        Parameters
        ----------
        how : "mean", "sum" or "mean_abs"
            The mean or the sum of the scores, which explains the mean or the sum of the outputs,
            and adds up as they do; or the mean of |score|, the size of a feature's effect on any
            of the outputs, which explains no output and does not add up.
        groups : mapping of str to list of outputs, optional
            Names of groups of outputs, by name or position, such as ``{"first day": range(24)}``.
            None: all outputs are one group, and there is no output axis.
        weights : sequence of float, optional
            The weight of each output, such as the widths of time intervals for the area under a
            survival curve (``how="sum"``). For means only their ratios count.

        Returns
        -------
        Explanation

        Raises
        ------
        InvalidParameterError
            If a single output was explained, if each instance has outputs of its own, or if
            groups or weights are invalid.
        SelectionError
            If a group names an output that does not exist.

        Notes
        -----
        The outputs were explained from the same perturbations, so their errors are correlated, and
        an explanation does not know how. Standard errors are therefore the weighted means (sums)
        of those of the outputs. By the triangle inequality this bounds the root mean square error,
        for the mean of |score| including its upward bias. The bound is exact if the errors are
        perfectly correlated, and at most the square root of the number of outputs too large. For
        exact errors of a mean, explain it: ``px.KernelShap(lambda X: forecast(X).mean(axis=1))``.

        Examples
        --------
        >>> import numpy as np, perturbx as px
        >>> X = np.random.default_rng(0).normal(size=(20, 3))
        >>> forecast = lambda X: np.stack([X[:, 0], X[:, 0] + X[:, 1]], axis=1)
        >>> explainer = px.KernelShap(forecast, masker=px.Baseline(np.zeros(3)))
        >>> explanation = explainer.explain([[1.0, 2.0, 3.0]])
        >>> explanation.over_outputs("mean").values
        array([[1., 1., 0.]])
        """
        from perturbx.result.over_outputs import over_outputs

        return over_outputs(self, how, groups, weights)

    def to_frame(self) -> pd.DataFrame:
        """A tidy pandas DataFrame: a row for each instance, output and feature."""
        from perturbx.result.frames import to_frame

        return to_frame(without_rounding(self))

    def to_shap(self) -> Any:
        """A `shap.Explanation`, for the plots of shap; images become maps of their shape."""
        from perturbx.result.shap import to_shap

        return to_shap(without_rounding(self))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write to `path`, which ends in .npz or .json; `perturbx.load` reads it back.

        Cells of mixed data keep their types: text, numbers of Python and NumPy, bools, dates,
        times, decimals, bytes, missing markers, and those of pandas. An existing file is replaced
        only when all of the new one is on the disk. Reading JSON takes about three times its size
        in memory; an .npz file takes less.

        Raises
        ------
        InvalidParameterError
            If a cell has another type, which could not be read back, or JSON would take more than
            268 MB; nothing is written.
        OSError
            If the file cannot be written; an existing one is left unchanged.
        """
        storage.write(path, {f.name: getattr(self, f.name) for f in fields(self)})

    def to_jsonl(
        self, path: str | os.PathLike[str] | IO[str], *, append: bool = False, start: int = 0
    ) -> None:
        """Write one line of JSON for each instance, for logs and monitoring.

        A line has the keys ``time`` (of `explain`, UTC), ``instance``, ``method``, ``model``,
        ``prediction``, ``base_value``, ``scores``, ``standard_errors``, ``data``, ``n_rows``,
        ``n_calls``, ``converged`` and ``notes``. Scores, errors and data are by the name of the
        feature. If there is an axis of outputs, predictions, scores and errors are by the name of
        the output first. What is NaN, infinite or missing is null, so that each line is strict
        JSON. Images are left out of ``data``.

        Parameters
        ----------
        path : path, or open text file such as ``sys.stdout``
            A new file can be read by its owner alone.
        append : bool
            True to add lines to the file; several processes may do so. False to replace it, once
            all lines are on the disk.
        start : int
            The number of the first instance.

        Raises
        ------
        OSError
            If the file cannot be written.

        Examples
        --------
        >>> import sys, perturbx as px
        >>> explainer = px.Occlusion(lambda X: X @ [1.0, 2.0], masker=px.Baseline([0.0, 0.0]))
        >>> explainer.explain([[1.0, 1.0]]).to_jsonl(sys.stdout)
        {"time": "...", "instance": 0, "method": "Occlusion", "model": "<lambda>",
        "prediction": 3.0, "base_value": 0.0, "scores": {"x0": 1.0, "x1": 2.0}, ...}
        """
        from perturbx.result.lines import write_lines

        write_lines(without_rounding(self), path, append, start)

    def __repr__(self) -> str:
        return summary(without_rounding(self))

    def _repr_html_(self) -> str | None:
        return notebook(without_rounding(self))


def load(path: str | os.PathLike[str]) -> Explanation:
    """Read an explanation that `Explanation.save` wrote; code in the file is never run."""
    saved = storage.read(path)
    try:
        explanation = Explanation(**saved)
        check_loaded(explanation)
        return explanation
    except (TypeError, ValueError, AttributeError) as error:
        raise storage.not_saved_here(path) from error
