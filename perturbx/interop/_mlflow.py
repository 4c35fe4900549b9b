"""Explanations and explainers in runs of MLflow."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from perturbx._validation import check_kind, invalid, needed, shown
from perturbx.errors import InvalidParameterError
from perturbx.result import Explanation

_MOST_FEATURES = 20
"""So many features have a metric: those of the largest scores."""

_LONGEST_NAME, _LONGEST_PARAM = 200, 500
"""Bounds of MLflow are 250 and 6,000 characters; older servers take 500 of a parameter."""

_PAGE = '<!doctype html><html><head><meta charset="utf-8"></head><body>{}</body></html>'


def log_mlflow(result: Any, name: str | None = None) -> str:
    """Log an explanation, or an explainer, to the active run of MLflow.

    Where no run is active, MLflow starts one. Logged are

    - of an explanation: the file that `perturbx.load` reads, and a page that MLflow shows; as
      metrics its model rows and calls, the largest standard error, the worst fidelity and
      residual, whether it converged, and the mean size of the scores of up to 20 features; as
      parameters what `provenance` tells.
    - of an explainer or a rule: the file that `perturbx.load_explainer` reads, and as parameters
      its settings.

    Parameters
    ----------
    result : Explanation, explainer or rule
    name : str, optional
        The folder of the artifacts, and the beginning of the names of metrics and parameters:
        by default "explanation" or "explainer". Give each of several in one run its own.

    Returns
    -------
    str
        The URI of the file, for ``mlflow.artifacts.download_artifacts``.

    Raises
    ------
    ImportError
        Without mlflow.
    InvalidParameterError
        If `result` is none of these or cannot be saved, or if `name` is taken in this run by
        other parameters.

    Examples
    --------
    >>> import mlflow, perturbx as px  # doctest: +SKIP
    >>> with mlflow.start_run():  # doctest: +SKIP
    ...     uri = px.interop.log_mlflow(explanation)
    >>> px.load(mlflow.artifacts.download_artifacts(uri))  # doctest: +SKIP
    """
    is_explanation = isinstance(result, Explanation)
    if not is_explanation and not _is_explainer(result):
        check_kind("result", result, Explanation, "an Explanation, an explainer or a rule")
    name = ("explanation" if is_explanation else "explainer") if name is None else name
    if not isinstance(name, str) or not re.fullmatch(r"[\w\-. ]*\w", name):
        raise invalid("name", "a name of letters, digits, '-', '_', '.' and blanks", name)
    mlflow = needed("mlflow", "log_mlflow", "mlflow-skinny")
    kind = "explanation" if is_explanation else "explainer"
    params = _told(result) if is_explanation else _settings(result)
    with tempfile.TemporaryDirectory() as folder:
        result.save(Path(folder) / f"{kind}.npz")
        if is_explanation:
            page = _PAGE.format(result._repr_html_())
            (Path(folder) / f"{kind}.html").write_text(page, encoding="utf-8")
        try:
            mlflow.log_params({f"{name}/{key}": value for key, value in params.items()})
        except mlflow.exceptions.MlflowException as error:
            if "param" not in str(error).lower():
                raise
            raise InvalidParameterError(
                f"This run has parameters named {name!r} of something else: pass another name, as "
                f"in log_mlflow(result, {name + '-2'!r}). {error}"
            ) from error
        if is_explanation:
            found = _metrics(result)
            mlflow.log_metrics({f"{name}/{key}": value for key, value in found.items()})
        mlflow.log_artifacts(folder, name)
    return str(mlflow.get_artifact_uri(f"{name}/{kind}.npz"))


def _is_explainer(result: Any) -> bool:
    """Whether it can be saved and has settings, as explainers and rules have."""
    package = type(result).__module__.partition(".")[0]
    methods = ("save", "get_params", "explain")
    is_ours = package == "perturbx" or any(
        base.__module__.startswith("perturbx.") for base in type(result).__mro__
    )
    return is_ours and all(callable(getattr(result, method, None)) for method in methods)


def _told(explanation: Explanation) -> dict[str, str]:
    """The provenance, with the settings that are not their defaults' None."""
    told = dict(explanation.provenance)
    nested = {**told.pop("parameters", {}), **told.pop("versions", {})}
    whole = {"method": explanation.method, "value_function": explanation.value_function}
    return _params({**told, **nested, **whole})


def _settings(explainer: Any) -> dict[str, str]:
    settings = dict(explainer.get_params(deep=False))
    function, *_ = (f for f in ("predict_fn", "retrain_fn") if f in settings)
    model = settings.pop(function)
    name = getattr(model, "__name__", type(model).__name__)
    return _params({"method": type(explainer).__name__, "model": name, **settings})


def _params(values: dict[str, Any]) -> dict[str, str]:
    found = {}
    for key, value in values.items():
        if value is None:
            continue
        if not isinstance(value, (bool, int, float, str)):
            value = getattr(value, "__name__", None) or shown(value)
        found[_named(key)] = str(value)[:_LONGEST_PARAM]
    return found


def _metrics(explanation: Explanation) -> dict[str, float]:
    """Numbers to follow over runs; those that are not known are left out."""
    e = explanation
    errors = np.asarray(e.standard_errors)
    known: dict[str, Any] = {
        "n_instances": len(e) if "instance" in e.axes else 1,
        "n_rows": e.n_rows,
        "n_calls": e.n_calls,
        "largest_standard_error": np.nan if np.isnan(errors).all() else np.nanmax(errors),
        "converged": np.nan if e.converged is None else e.converged,
        "worst_fidelity": np.nan if e.fidelity is None else np.min(e.fidelity),
        "worst_residual": np.nan if e.residual is None else np.max(np.abs(e.residual)),
    }
    if e.regions is None and "feature" in e.axes:
        known.update(_sizes(e))
    return {name: float(value) for name, value in known.items() if np.isfinite(value)}


def _sizes(e: Explanation) -> Iterator[tuple[str, float]]:
    """The mean |score| of the largest features, over instances and outputs."""
    others = tuple(i for i, axis in enumerate(e.axes) if axis != "feature")
    with np.errstate(over="ignore"):
        sizes = np.abs(e.values).mean(axis=others)
    taken: set[str] = set()
    for j in np.argsort(-sizes, kind="stable")[:_MOST_FEATURES].tolist():
        name = _named(e.feature_names[j])
        if name in taken:  # differs in what a metric's name cannot hold
            name = f"{name} {j}"
        taken.add(name)
        yield f"mean_abs_score/{name}", sizes[j]


def _named(text: Any) -> str:
    """A part of the name of a metric or parameter, of characters that every server takes."""
    plain = re.sub(r"[^\w\- .]", "_", str(text), flags=re.ASCII)[:_LONGEST_NAME]
    return plain.replace("..", "__").strip() or "_"
