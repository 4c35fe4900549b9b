"""Checks of the model's answers: one row of finite numbers per row of the batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._rounding import DOUBLE, SINGLE
from perturbx._typing import Floats
from perturbx._validation import is_masked
from perturbx.archive import ModelFacts
from perturbx.errors import PredictFnError

_SHORT = 2**16
"""Numbers with so many binary digits, such as shares of 64 trees, are the same in any type."""


def numbers_of(answer: Any, n_rows: int, place: str) -> NDArray[Any]:
    """The answer as an array of numbers of shape (n_rows,) or (n_rows, k)."""
    array = _as_array(answer, n_rows, place)
    if array.dtype.kind not in "biuf":
        kind = "strings" if array.dtype.kind in "OUS" else f"dtype {array.dtype}"
        raise PredictFnError(
            f"predict_fn returned {kind} for {place}: return scores, such as the probabilities of "
            "predict_proba, not labels."
        )
    if array.ndim not in (1, 2) or len(array) != n_rows or 0 in array.shape:
        raise PredictFnError(
            f"predict_fn must return one answer for each row, of shape ({n_rows},) or "
            f"({n_rows}, k): got {array.shape} for {place}."
        )
    return array


def not_finite(answers: Floats, place: str) -> PredictFnError:
    """The error for answers that hold NaN, infinity, or numbers too large to square."""
    largest = np.abs(answers).max()
    if np.isfinite(largest):
        return PredictFnError(
            f"predict_fn returned numbers of up to {largest:.3g} for {place}, whose squares "
            "are beyond float64: return them divided by a constant, or their logarithms."
        )
    bad = ~np.isfinite(answers)
    return PredictFnError(
        f"predict_fn returned {int(bad.sum())} NaN or infinite values for {place}, first in row "
        f"{int(np.argwhere(bad)[0, 0])} of that batch: return a finite score for "
        "every row."
    )


def facts_of(function: Callable[[Any], Any], raw: Any, answer: NDArray[Any]) -> ModelFacts:
    """The columns of a frame of answers, and the relative rounding error, from their type.

    A predict_fn that computes with fewer digits than its answers have sets an attribute
    `resolution`.
    """
    eps = float(np.finfo(answer.dtype).eps) if answer.dtype.kind == "f" else 0.0
    if answer.dtype == np.float64:
        with np.errstate(over="ignore"):
            was_single = np.array_equal(answer.astype(np.float32), answer)
        mantissa = np.frexp(answer)[0] * _SHORT
        if was_single and (mantissa != np.rint(mantissa)).any():
            eps = float(np.finfo(np.float32).eps)
    own = getattr(function, "resolution", None)
    eps = max(eps, own) if isinstance(own, float) else eps
    if _library(raw) == "torch" and raw.is_floating_point():
        import torch

        eps = float(torch.finfo(raw.dtype).eps)  # a half-precision tensor was widened to be read
    resolution = DOUBLE if eps < 1e-10 else SINGLE if eps < 1e-6 else 4 * eps
    is_frame = _library(raw) in ("pandas", "polars")
    return ModelFacts(tuple(getattr(raw, "columns", ())) if is_frame else (), resolution)


def _as_array(answer: Any, n_rows: int, place: str) -> NDArray[Any]:
    """An array of any dtype from a list, tensor, frame or array of objects."""
    if problem := _problem(answer, n_rows, place):
        raise PredictFnError(f"predict_fn returned {problem}")
    try:
        if _library(answer) == "torch":
            tensor = answer.detach().cpu().resolve_conj()
            is_half = tensor.is_floating_point() and tensor.element_size() <= 2
            answer = (tensor.float() if is_half else tensor).numpy()  # NumPy has no bfloat16
        elif _library(answer) in ("pandas", "polars"):
            answer = answer.to_numpy()
        array = np.asarray(answer)
        if array.dtype == object and not any(isinstance(a, (str, bytes)) for a in array.flat):
            array = array.astype(np.float64)
        return array
    except (ValueError, TypeError, OverflowError, RuntimeError) as error:
        raise PredictFnError(
            f"predict_fn returned no array of numbers for {place}, but a {type(answer).__name__} "
            f"({error}): return one number, or one row of numbers, for each row of the batch."
        ) from error


def _problem(answer: Any, n_rows: int, place: str) -> str:
    """Why an answer cannot be read as one array, and what to return instead; "" if it can."""
    kind = type(answer).__name__
    if answer is None:
        return f"None for {place}: it must return the scores."
    if is_masked(answer):
        return (
            f"masked values for {place}: return answer.filled(value), with the score that a "
            "missing answer stands for."
        )
    if isinstance(answer, (list, tuple)):
        shapes = [np.shape(part) if hasattr(part, "shape") else () for part in answer]
        lengths = {len(shape) and shape[0] for shape in shapes}
        if max(map(len, shapes), default=0) > 1 or (len(answer) != n_rows and lengths == {n_rows}):
            return (
                f"a {kind} of {len(answer)} arrays for {place}, as models with several targets do: "
                "choose one, as in predict_fn=lambda X: model.predict_proba(X)[0], or join them, "
                "as in np.hstack(model.predict_proba(X))."
            )
    if isinstance(answer, Iterator):
        return (
            f"a {kind} for {place}, which yields one score at a time: return all scores at once, "
            "as in np.array(list(scores))."
        )
    if hasattr(answer, "toarray"):
        return (
            f"a {kind} for {place}: return a dense array, as in "
            "predict_fn=lambda X: model.predict(X).toarray()."
        )
    return ""


def _library(answer: Any) -> str:
    return type(answer).__module__.partition(".")[0]
