"""The common part of all networks as a predict_fn: batches, checks, and scores."""

from __future__ import annotations

import numbers
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from perturbx._validation import check_choice, check_integer, invalid
from perturbx.errors import InvalidInputError, PerturbxError, PredictFnError

Preprocess: TypeAlias = Callable[[Any], Any]
"""From a part of the user's batch to the network's input, one entry per row."""

Output: TypeAlias = Literal["softmax", "sigmoid", "logits"] | None
"""How a network's answers become scores; with None they are the scores, of any kind."""

OUTPUTS = ("softmax", "sigmoid", "logits")

_CACHE, _ACCELERATOR = 2**20, 2**26
"""Bytes of rows per call: what fits into the cache of a CPU, and what keeps a GPU busy."""

_FEWEST_ROWS = 4
"""The fewest rows per call, however large they are."""

_NUMBERS = (numbers.Real, np.bool_)
"""Types of cells that a network can take; NumPy's numbers are registered as Real."""

_NO_ACCIDENT = 4
"""Fewer logits than that (less one per row) may sum to 1 by chance."""


@dataclass(frozen=True, eq=False, repr=False)
class Network(ABC):
    """A network as a predict_fn: (n,) or (n, k) scores of a batch in the user's container."""

    maker: ClassVar[str]
    """The function of `perturbx.interop` that creates it."""

    preprocess: Preprocess | None = None
    output: Output = "softmax"
    output_names: tuple[str, ...] | None = None
    batch_size: int | None = None

    @property
    @abstractmethod
    def resolution(self) -> float:
        """The relative rounding error of an answer."""

    @property
    @abstractmethod
    def on_accelerator(self) -> bool:
        """True if it runs on a device that needs large batches."""

    @abstractmethod
    def forward(self, inputs: Any) -> NDArray[Any]:
        """The network's answer to preprocessed rows."""

    def plain(self, part: Any) -> Any:
        """A part of the batch as the network takes it without preprocess: an array of numbers."""
        return plain(part)

    def __call__(self, X: Any) -> NDArray[Any]:
        """Scores of a batch, in parts of at most `batch_size` rows."""
        n = _count(X)
        if hasattr(X, "iloc"):  # a frame's index may not start at 0
            X = X.reset_index(drop=True)
        elif hasattr(X, "tocsr"):  # other sparse formats cannot be sliced
            X = X.tocsr()
        step = self.batch_size or self._worth_it(X)
        parts = []
        for start in range(0, n, step):
            rows = min(step, n - start)
            inputs = self._inputs(X[start : start + rows], rows)
            try:
                answer = self.forward(inputs)
            except Exception as error:
                if isinstance(error, PerturbxError) or self.preprocess or np.ndim(inputs) != 4:
                    raise
                raise self._without_preprocess(inputs, error) from error
            self._check(answer, rows)
            parts.append(_scores(answer, self.output))
        return np.concatenate(parts)

    def _inputs(self, part: Any, n: int) -> Any:
        inputs = self.plain(part) if self.preprocess is None else self.preprocess(part)
        if np.ndim(inputs) == 0 or len(inputs) != n:
            was = getattr(inputs, "shape", type(inputs).__name__)
            raise InvalidInputError(
                f"preprocess must return one entry for each of the {n} rows of its part; got {was}."
            )
        return inputs

    def _without_preprocess(self, inputs: Any, error: Exception) -> PredictFnError:
        """The error for photos that reach the network without preprocessing."""
        said = str(error).strip().partition("\n")[0].rstrip(".")
        return PredictFnError(
            f"the network cannot take a batch of shape {tuple(np.shape(inputs))}, which was passed "
            f"on unchanged, since {self.maker} has no preprocess ({type(error).__name__}: {said}). "
            f"For photos use px.interop.{self.maker}(..., "
            "preprocess=px.interop.ImagePreprocess(224)), which also moves channels first."
        )

    def _worth_it(self, X: Any) -> int:
        most = _ACCELERATOR if self.on_accelerator else _CACHE
        row = X[:1]
        row = row[0] if isinstance(row, (list, tuple)) else row
        nbytes = getattr(row, "nbytes", None) or 8 * int(np.prod(np.shape(row)))
        return max(_FEWEST_ROWS, most // max(int(nbytes), 1))

    def _check(self, answer: NDArray[Any], n: int) -> None:
        """Refuse answers that are not scores, or that do not match `output`."""
        if answer.ndim not in (1, 2) or len(answer) != n or 0 in answer.shape:
            raise PredictFnError(
                f"the network must answer with scores of shape (n,) or (n, k); got {answer.shape} "
                f"for {n} rows. Let its last layer pool or select the values to explain."
            )
        k = 1 if answer.ndim == 1 else answer.shape[1]
        if self.output_names is not None and len(self.output_names) != k:
            raise PredictFnError(
                f"output_names holds {len(self.output_names)} names, but the network has {k} "
                "outputs: pass one name for each."
            )
        if self.output == "softmax" and k == 1:
            raise PredictFnError(
                'output="softmax" of a single output is always 1: pass output="sigmoid" for a '
                "binary logit, or output=None to explain the answers unchanged."
            )
        if self.output is not None and looks_like_probabilities(answer, self.resolution):
            raise PredictFnError(
                f"the network's answers already are probabilities (in 0..1, and each row sums to "
                f'1), so output="{self.output}" would be wrong: pass output=None to explain them '
                "unchanged, or a network without its last softmax."
            )


def check_settings(
    preprocess: Any, output: Any, output_names: Any, batch_size: Any
) -> tuple[Preprocess | None, Output, tuple[str, ...] | None, int | None]:
    """The settings that all networks share, or an error that names a wrong one."""
    if preprocess is not None and (isinstance(preprocess, type) or not callable(preprocess)):
        raise invalid(
            "preprocess",
            "a callable from a batch to the network's input, or None",
            preprocess,
            "For photos: preprocess=px.interop.ImagePreprocess(size=224).",
        )
    if output is not None:
        check_choice("output", output, OUTPUTS)
    if batch_size is not None:
        check_integer("batch_size", batch_size, minimum=1)
    return preprocess, output, _names(output_names), batch_size


def plain(X: Any) -> NDArray[Any]:
    """Rows of any container as one array of numbers."""
    module = type(X).__module__.partition(".")[0]
    if module == "torch":
        X = X.detach().cpu()
        X = (X.float() if X.is_floating_point() and X.element_size() < 4 else X).numpy()
    elif module in ("pandas", "polars"):
        X = X.to_numpy()
    elif hasattr(X, "toarray"):
        X = X.toarray()
    try:
        array = np.asarray(X)
    except ValueError:  # images of different sizes
        array = np.empty(0, dtype=object)
    kinds = set(map(type, array.flat)) if array.dtype == object else set()
    if kinds and all(issubclass(kind, _NUMBERS) for kind in kinds):
        array = np.array(array.tolist())  # columns of several types, such as floats and bools
    if array.dtype.kind not in "buif":
        raise InvalidInputError(
            "the batch is no array of numbers (it has text, categories, missing values, or images "
            "of different sizes): pass preprocess=, which turns a batch into the network's input. "
            "For photos: preprocess=px.interop.ImagePreprocess(size=224)."
        )
    return array


def looks_like_probabilities(answer: NDArray[Any], resolution: float) -> bool:
    """True if every row is a distribution, for enough numbers to rule out chance."""
    if answer.ndim == 1 or len(answer) * (answer.shape[1] - 1) < _NO_ACCIDENT:
        return False
    sums = answer.sum(axis=1, dtype=np.float64)
    return bool((answer >= 0).all() and (np.abs(sums - 1) <= max(1e-5, 4 * resolution)).all())


def _count(X: Any) -> int:
    try:
        n = X.shape[0] if hasattr(X, "shape") else len(X)
    except (TypeError, IndexError):
        n = 0
    if n == 0:
        raise InvalidInputError(
            f"a network takes batches of rows or images; got {type(X).__name__} of shape "
            f"{np.shape(X)}. Pass a single one with a leading axis, as in image[None]."
        )
    return int(n)


def _names(names: Sequence[str] | None) -> tuple[str, ...] | None:
    if names is None:
        return None
    if isinstance(names, str) or not isinstance(names, (Sequence, np.ndarray)):
        raise invalid("output_names", "a sequence of distinct names, or None", names)
    found = tuple(map(str, names))
    twice = sorted({name for name in found if found.count(name) > 1})
    if twice or not found:
        raise invalid(
            "output_names",
            "a sequence of distinct names, or None",
            names,
            f"Twice there: {', '.join(map(repr, twice[:5]))}." if twice else "",
        )
    return found


def _scores(answer: NDArray[Any], output: Output) -> NDArray[Any]:
    """Answers in their own precision; probabilities in double, since those near 1 would round."""
    if output in (None, "logits"):
        return answer.astype(np.float64 if answer.dtype == np.float64 else np.float32)
    logits = answer.astype(np.float64)
    if output == "softmax":
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))
    from scipy.special import expit

    return np.asarray(expit(logits))
