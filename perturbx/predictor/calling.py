"""The callable behind `predict_fn`, and what to do when it fails."""

from __future__ import annotations

from collections.abc import Callable
from inspect import iscoroutinefunction
from traceback import walk_tb
from typing import Any

import numpy as np

from perturbx._typing import PredictFn
from perturbx._validation import invalid, shown
from perturbx.errors import InvalidParameterError, ModelError, PerturbxError, PredictFnError
from perturbx.predictor.awaiting import Awaited

_METHODS = ("predict_proba", "decision_function", "predict")

_ROW = 400
"""Characters of a row in a message."""

_BRIDGES = {
    "torch": "A torch module becomes a predict_fn by px.interop.from_torch(module).",
    "onnxruntime": "A session becomes a predict_fn by px.interop.from_onnx(session).",
}


def resolve(predict_fn: PredictFn | Any) -> tuple[Callable[[Any], Any], str]:
    """The callable in what the user passed, and its name."""
    if isinstance(predict_fn, type):
        raise invalid("predict_fn", "a callable or a fitted model, not a class", predict_fn)
    if callable(predict_fn):
        owner = getattr(predict_fn, "__self__", None)
        name = getattr(predict_fn, "__name__", type(predict_fn).__name__)
        is_method = owner is not None and not isinstance(owner, type(np))
        name = f"{name} of {type(owner).__name__}" if is_method else name
        calls = predict_fn, type(predict_fn).__call__
        return Awaited(predict_fn) if any(map(iscoroutinefunction, calls)) else predict_fn, name
    kind = type(predict_fn).__name__
    methods = ("inplace_predict",) if _is_xgboost(predict_fn) else _METHODS
    for method in methods:
        found = getattr(predict_fn, method, None)
        if not callable(found):
            continue
        if method == "predict" and hasattr(predict_fn, "classes_"):
            raise InvalidParameterError(
                f"{kind} is a classifier with predict alone, which returns labels and no scores: "
                "pass a model with predict_proba, or a predict_fn for one class, as in "
                "lambda X: (model.predict(X) == label) * 1.0."
            )
        return found, f"{method} of {kind}"
    expected = f"a callable, or an object with {', '.join(_METHODS[:2])} or predict"
    raise invalid("predict_fn", expected, predict_fn, _BRIDGES.get(_framework(predict_fn), ""))


def _is_xgboost(model: Any) -> bool:
    """True for a booster of xgboost, whose `predict` takes no array or DataFrame."""
    return type(model).__module__ == "xgboost.core" and hasattr(model, "inplace_predict")


def failure(
    function: Callable[[Any], Any], batch: Any, place: str, error: Exception, attempts: int
) -> PredictFnError:
    """The error for a model that raised: where it did, what it said, and a cure."""
    said, cure = str(error).strip(), _bridge(function, batch, error)
    if cure:  # torch lists every signature that it knows
        said = f"{said.splitlines()[0].rstrip('.:')}." if said else ""
    many = f"{len(batch)} instances" if isinstance(batch, list) else f"shape {np.shape(batch)}"
    tried = f", {attempts} times in a row" * (attempts > 1)
    return ModelError(
        f"predict_fn raised {type(error).__name__} for {place}{tried} (a {type(batch).__name__} of "
        f"{many}): {said or 'no message'}{cure or _advice(batch, error)}"
    )


def shown_row(batch: Any) -> str:
    """The first row of a batch as a message shows it: cells by column where these have names."""
    if hasattr(batch, "iter_rows"):
        row = next(batch.iter_rows(named=True))
    elif hasattr(batch, "iloc"):
        row = batch.iloc[0]
        row = row.to_dict() if hasattr(row, "to_dict") else row
    elif hasattr(batch, "toarray"):
        row = batch.toarray()[0].tolist()
    else:
        row = batch[0].tolist() if hasattr(batch, "detach") else batch[0]
    return shown(row, _ROW)


def _framework(predict_fn: Any) -> str:
    """The library of a module or session, or "" for functions, also those of tensors."""
    kinds = {f"{kind.__module__}.{kind.__name__}" for kind in type(predict_fn).__mro__}
    if "torch.nn.modules.module.Module" in kinds:
        return "torch"
    return "onnxruntime" if any(kind.startswith("onnxruntime.") for kind in kinds) else ""


def _bridge(function: Callable[[Any], Any], batch: Any, error: Exception) -> str:
    """How to pass a module of another framework; "" if that is not the problem."""
    names = (frame.f_globals.get("__name__", "") for frame, _ in walk_tb(error.__traceback__))
    raised_in_torch = any(name.partition(".")[0] == "torch" for name in names)
    framework = _framework(function) or "torch" * raised_in_torch
    if not framework or isinstance(error, PerturbxError):
        return ""
    is_own_batch = type(batch).__module__.partition(".")[0] == framework
    if is_own_batch and "dtype" not in str(error):
        return ""
    images = " Of photos: px.interop.from_torch(module, preprocess=px.interop.ImagePreprocess(224))"
    is_photos = not isinstance(batch, list) and np.ndim(batch) == 4
    photos = f"{images}, which also puts channels first." * is_photos
    return f" {_BRIDGES[framework]}{photos}"


def _advice(batch: Any, error: Exception) -> str:
    """What helps where memory is short, and frequent causes of a failure on images."""
    if isinstance(error, MemoryError):
        return ". Pass a smaller batch_size, or retries=1: then a batch that is too large is split."
    shape: tuple[int, ...] = () if isinstance(batch, list) else np.shape(batch)
    if len(shape) != 4 or isinstance(error, PerturbxError):
        return ""
    alpha = " If the model takes three channels, without transparency: pass image[..., :3]."
    return (
        f"{alpha * (shape[-1] == 4)} X was read as images of shape {shape[1:]}: for series pass "
        "masker=px.SeriesSegments(), for volumes and videos px.Windows(shape=(k, k, k))."
    )
