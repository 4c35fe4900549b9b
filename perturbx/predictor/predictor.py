"""The one door to the model: calls `predict_fn`, and lets through only what can be explained."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from traceback import walk_tb
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._rounding import DOUBLE, SINGLE
from perturbx._typing import Floats, Ints, OutputSelection, PredictFn
from perturbx._validation import (
    check_selection,
    did_you_mean,
    distinct_names,
    invalid,
    is_masked,
    top_of,
)
from perturbx._validation import shown as shown_value
from perturbx.errors import InvalidParameterError, PerturbxError, PredictFnError

_METHODS = ("predict_proba", "decision_function", "predict")


@dataclass(frozen=True, eq=False)
class Predictor:
    """A model that answers batches with (n, k) float64, or an error that says where it failed.

    Parameters
    ----------
    predict_fn : callable
        A batch to (n,) or (n, k) numbers.
    name : str
        What was taken, for the reader: "predict_proba of RandomForestClassifier".
    n_outputs : int
        How many outputs every later answer must have.
    is_vector : bool
        True if the model answers with (n,): there is no output axis.
    output_names : tuple of str
        A name for each output.
    first_answers : (n, n_outputs) array
        To the rows of the probe: settings are tried on them before anything else is asked.
    resolution : float
        The rounding of an answer, as a part of its size: of float64, or of float32.
    """

    predict_fn: Callable[[Any], Any]
    name: str
    n_outputs: int
    is_vector: bool
    output_names: tuple[str, ...]
    first_answers: Floats
    resolution: float = DOUBLE

    @property
    def is_complementary(self) -> bool:
        """True for the probabilities of two classes: either may be 1 minus the other."""
        near = np.abs(self.first_answers.sum(axis=1) - 1) <= 4 * self.resolution
        return self.n_outputs == 2 and bool(near.all())

    def __call__(self, batch: Any, n_rows: int, columns: Ints | None, place: str) -> Floats:
        """Answers to a batch of `n_rows` rows, (n_rows, k): some columns, or all for None."""
        answer = _ask(self.predict_fn, batch, n_rows, place)
        if answer.shape[1:] != (() if self.is_vector else (self.n_outputs,)):
            was = "(n,)" if self.is_vector else f"(n, {self.n_outputs})"
            raise PredictFnError(
                f"predict_fn answered with shape {answer.shape} for {place}, but with {was} before:"
                " it must give every batch the same outputs."
            )
        if self.is_vector:
            answer = answer[:, None]
        elif columns is not None:
            answer = answer[:, columns]
        return _finite(answer, place)

    def select(self, outputs: OutputSelection, answers: Floats) -> tuple[Ints, bool]:
        """Which columns are explained for each instance, and whether an output axis stays.

        Parameters
        ----------
        outputs : None, int, str or a sequence
            As the user chose.
        answers : (n, n_outputs) array
            The model's answers to the instances, by which "top3" is decided.

        Returns
        -------
        columns : (n, k) int array
        keeps_axis : bool
        """
        check_selection(outputs)
        n = len(answers)
        top = top_of(outputs)
        if top is not None and outputs not in self.output_names:
            if not 1 <= top <= self.n_outputs:
                raise invalid("outputs", f'"top1" to "top{self.n_outputs}"', outputs)
            return np.argsort(-answers, axis=1, kind="stable")[:, :top], True
        if outputs is None:
            return np.tile(np.arange(self.n_outputs), (n, 1)), not self.is_vector
        if isinstance(outputs, (str, int, np.integer)):
            return np.full((n, 1), self._column(outputs)), False
        columns = [self._column(output) for output in outputs]
        if len(set(columns)) < len(columns):
            raise invalid("outputs", "distinct outputs", outputs)
        return np.tile(columns, (n, 1)), True

    def _column(self, output: Any) -> int:
        if isinstance(output, str):
            if output in self.output_names:
                return self.output_names.index(output)
            meant = did_you_mean(output, self.output_names)
            shown = ", ".join(map(repr, self.output_names[:20]))
            more = f" and {self.n_outputs - 20} more" if self.n_outputs > 20 else ""
            there = " There are" if meant else ": there are"
            raise InvalidParameterError(
                f"No output is named {output!r}{meant}{there} {shown}{more}."
            )
        if not -self.n_outputs <= output < self.n_outputs:
            raise InvalidParameterError(
                f"There is no output {shown_value(output)}: the model has {self.n_outputs}, "
                f"0 to {self.n_outputs - 1}."
            )
        return int(output) % self.n_outputs


def resolve(predict_fn: PredictFn | Any) -> tuple[Callable[[Any], Any], str]:
    """The callable in what the user passed, and what it is called."""
    if isinstance(predict_fn, type):
        raise invalid("predict_fn", "a callable or a fitted model, not a class", predict_fn)
    if callable(predict_fn):
        owner = getattr(predict_fn, "__self__", None)
        name = getattr(predict_fn, "__name__", type(predict_fn).__name__)
        named = owner is not None and not isinstance(owner, type(np))
        return predict_fn, f"{name} of {type(owner).__name__}" if named else name
    for method in _METHODS:
        found = getattr(predict_fn, method, None)
        if callable(found):
            if method == "predict" and hasattr(predict_fn, "classes_"):
                raise InvalidParameterError(
                    f"{type(predict_fn).__name__} is a classifier with predict alone, which answers"
                    " with labels and no scores: pass a model with predict_proba, or a predict_fn "
                    "for one class, as in lambda X: (model.predict(X) == label) * 1.0."
                )
            return found, f"{method} of {type(predict_fn).__name__}"
    raise invalid(
        "predict_fn",
        f"a callable, or an object with {', '.join(_METHODS[:2])} or predict",
        predict_fn,
        _BRIDGES.get(_framework(predict_fn), ""),
    )


def connect(
    predict_fn: PredictFn | Any, batch: Any, n_rows: int, names: Sequence[str] | None
) -> Predictor:
    """Ask the model once, to learn the shape of its answers."""
    function, name = resolve(predict_fn)
    raw = _call(function, batch, _PROBE)
    answer = _as_array(raw, n_rows, _PROBE)
    n_outputs = 1 if answer.ndim == 1 else answer.shape[1]
    output_names = _output_names(function, raw, n_outputs, names)
    first = _finite(answer.reshape(n_rows, n_outputs), _PROBE)
    resolution = _resolution(function, raw, answer)
    return Predictor(function, name, n_outputs, answer.ndim == 1, output_names, first, resolution)


_PROBE = "the first rows"

_LARGEST = 1e150
"""The squares of larger answers, of which standard errors are made, are beyond float64."""

_SHORT = 2**16
"""Numbers with so many binary digits, such as shares of 64 trees, are the same in any type."""

_BRIDGES = {
    "torch": "A torch module becomes a predict_fn by px.interop.from_torch(module).",
    "onnxruntime": "A session becomes a predict_fn by px.interop.from_onnx(session).",
}


def _framework(predict_fn: Any) -> str:
    """Whose module or session this is, or "" for functions, also those of tensors."""
    kinds = {f"{kind.__module__}.{kind.__name__}" for kind in type(predict_fn).__mro__}
    if "torch.nn.modules.module.Module" in kinds:
        return "torch"
    return "onnxruntime" if any(kind.startswith("onnxruntime.") for kind in kinds) else ""


def _resolution(function: Callable[[Any], Any], raw: Any, answer: NDArray[Any]) -> float:
    """The rounding of answers of this type; a half-precision tensor was widened to be read.

    A predict_fn that computes in less than it answers with says so by its own `resolution`.
    """
    eps = float(np.finfo(answer.dtype).eps) if answer.dtype.kind == "f" else 0.0
    eps = max(eps, float(np.finfo(np.float32).eps)) if _is_widened(answer) else eps
    own = getattr(function, "resolution", None)
    eps = max(eps, own) if isinstance(own, float) else eps
    if type(raw).__module__.partition(".")[0] == "torch" and raw.is_floating_point():
        import torch

        eps = float(torch.finfo(raw.dtype).eps)
    return DOUBLE if eps < 1e-10 else SINGLE if eps < 1e-6 else 4 * eps


def _is_widened(answer: NDArray[Any]) -> bool:
    """Whether float64 answers were float32 before, as no other numbers of so many digits are."""
    if answer.dtype != np.float64:
        return False
    with np.errstate(over="ignore"):
        was_single = np.array_equal(answer.astype(np.float32), answer)
    mantissa = np.frexp(answer)[0] * _SHORT
    return was_single and bool((mantissa != np.rint(mantissa)).any())


def _ask(function: Callable[[Any], Any], batch: Any, n_rows: int, place: str) -> NDArray[Any]:
    return _as_array(_call(function, batch, place), n_rows, place)


def _call(function: Callable[[Any], Any], batch: Any, place: str) -> Any:
    try:
        return function(batch)
    except Exception as error:
        given = f"a {type(batch).__name__} of shape {np.shape(batch)}"
        said, cure = str(error).strip(), _bridge(function, batch, error)
        if cure:  # torch lists every signature that it knows
            said = f"{said.splitlines()[0].rstrip('.:')}." if said else ""
        cure = cure or _cure(batch, error)
        raise PredictFnError(
            f"predict_fn raised {type(error).__name__} for {place} ({given}): {said}{cure}"
        ) from error


def _bridge(function: Callable[[Any], Any], batch: Any, error: Exception) -> str:
    """How a module of another framework takes batches; "" if that is not what is wrong."""
    framework = _framework(function) or ("torch" if _raised_inside("torch", error) else "")
    foreign = type(batch).__module__.partition(".")[0] != framework
    if not framework or isinstance(error, PerturbxError):
        return ""
    if not foreign and "dtype" not in str(error):
        return ""
    images = " Of photos: px.interop.from_torch(module, preprocess=px.interop.ImagePreprocess(224))"
    photos = f"{images}, which also puts channels first." * (np.ndim(batch) == 4)
    return f" {_BRIDGES[framework]}{photos}"


def _raised_inside(package: str, error: Exception) -> bool:
    """Whether the call that failed was one of that package's."""
    names = (frame.f_globals.get("__name__", "") for frame, _ in walk_tb(error.__traceback__))
    return any(name.partition(".")[0] == package for name in names)


def _cure(batch: Any, error: Exception) -> str:
    """What often ails a model that raises for images."""
    shape = np.shape(batch)
    if len(shape) != 4 or isinstance(error, PerturbxError):
        return ""
    alpha = " If the model takes three channels, without transparency: pass image[..., :3]."
    return (
        f"{alpha * (shape[-1] == 4)} X was read as images of shape {shape[1:]}: for series pass "
        "masker=px.Windows(shape=(k,)), for volumes and videos px.Windows(shape=(k, k, k))."
    )


def _as_array(answer: Any, n_rows: int, place: str) -> NDArray[Any]:
    """The answer as numbers of shape (n_rows,) or (n_rows, k)."""
    if answer is None:
        raise PredictFnError(f"predict_fn returned None for {place}: it must return the scores.")
    _refuse_masked(answer, place)
    _refuse_collections(answer, n_rows, place)
    try:
        array = np.asarray(_unwrapped(answer))
        if array.dtype == object and not any(isinstance(a, (str, bytes)) for a in array.flat):
            array = array.astype(np.float64)
    except (ValueError, TypeError, OverflowError, RuntimeError) as error:
        raise PredictFnError(
            f"predict_fn answered with what is no array of numbers for {place}, "
            f"a {type(answer).__name__}: {error}. It must return one number, or one row of "
            "numbers, for each row of the batch."
        ) from error
    if array.dtype.kind not in "biuf":
        said = "strings" if array.dtype.kind in "OUS" else f"dtype {array.dtype}"
        raise PredictFnError(
            f"predict_fn answered with {said} for {place}, which are no scores: return "
            "probabilities, as from predict_proba, not labels."
        )
    if array.ndim not in (1, 2) or len(array) != n_rows or 0 in array.shape:
        raise PredictFnError(
            f"predict_fn must return one answer for each row, of shape ({n_rows},) or "
            f"({n_rows}, k): got {array.shape} for {place}."
        )
    return array


def _refuse_masked(answer: Any, place: str) -> None:
    """A masked answer is none: what lies under the mask must not be read."""
    if is_masked(answer):
        raise PredictFnError(
            f"predict_fn answered with masked values for {place}: return answer.filled(value), "
            "with the score that a missing answer stands for."
        )


def _refuse_collections(answer: Any, n_rows: int, place: str) -> None:
    """Answers that hold scores, but not as one array with a row for each row of the batch."""
    kind = type(answer).__name__
    if isinstance(answer, (list, tuple)):
        shapes = [np.shape(part) if hasattr(part, "shape") else () for part in answer]
        by_target = any(len(shape) > 1 for shape in shapes) or (
            len(answer) != n_rows and {len(shape) and shape[0] for shape in shapes} == {n_rows}
        )
        if by_target:
            raise PredictFnError(
                f"predict_fn answered with a {kind} of {len(answer)} arrays for {place}, as models "
                "of several targets do: choose one, as in predict_fn=lambda X: "
                "model.predict_proba(X)[0], or join them, as in np.hstack(model.predict_proba(X))."
            )
    elif isinstance(answer, Iterator):
        raise PredictFnError(
            f"predict_fn answered with a {kind} for {place}, which yields one score after the "
            "other: return all of them, as in np.array(list(scores))."
        )
    elif hasattr(answer, "toarray"):
        raise PredictFnError(
            f"predict_fn answered with a {kind} for {place}: return a dense array, as in "
            "predict_fn=lambda X: model.predict(X).toarray()."
        )


def _unwrapped(answer: Any) -> Any:
    """Tensors and frames as what NumPy understands."""
    module = type(answer).__module__.partition(".")[0]
    if module == "torch":
        answer = answer.detach().cpu().resolve_conj()
        is_known = not answer.is_floating_point() or answer.element_size() > 2
        return (answer if is_known else answer.float()).numpy()  # NumPy has no bfloat16
    return answer.to_numpy() if module in ("pandas", "polars") else answer


def _finite(answer: NDArray[Any], place: str) -> Floats:
    """A float64 copy of an answer, whose numbers are neither missing nor beyond reckoning."""
    with np.errstate(over="ignore"):  # what is beyond float64 becomes infinite, and is refused
        answers = answer.astype(np.float64)
    largest = np.abs(answers).max()
    if largest <= _LARGEST:
        return answers
    if np.isfinite(largest):
        raise PredictFnError(
            f"predict_fn answered with numbers of up to {largest:.3g} for {place}, whose squares "
            "are beyond float64: return them divided by a constant, or their logarithms."
        )
    bad = ~np.isfinite(answers)
    raise PredictFnError(
        f"predict_fn returned {int(bad.sum())} NaN or infinite values for {place}, "
        f"first in row {int(np.flatnonzero(bad.any(axis=1))[0])} of that batch: scores of "
        "such a model would mean nothing."
    )


def _output_names(
    function: Callable[[Any], Any], answer: Any, n_outputs: int, names: Sequence[str] | None
) -> tuple[str, ...]:
    if names is not None:
        if len(names) != n_outputs or len(set(names)) < len(names):
            raise invalid("output_names", f"{n_outputs} distinct names, one an output", names)
        return distinct_names("output_names", names)
    classes = getattr(getattr(function, "__self__", None), "classes_", None)
    if isinstance(classes, np.ndarray) and len(classes) == n_outputs:
        return _distinct("classes_ of the model", classes.tolist())
    own = getattr(function, "output_names", None)
    if isinstance(own, (list, tuple)) and len(own) == n_outputs == len(set(own)):
        return _distinct("output_names of predict_fn", own)
    if type(answer).__module__.partition(".")[0] in ("pandas", "polars") and hasattr(
        answer, "columns"
    ):
        return _distinct("columns of predict_fn's answer", answer.columns)
    return ("output",) if n_outputs == 1 else tuple(f"output {i}" for i in range(n_outputs))


def _distinct(what: str, labels: Iterable[Any]) -> tuple[str, ...]:
    return distinct_names(what, labels, PredictFnError, "pass output_names=[...]")
