"""Losses: how far a prediction is from a label, for each row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from perturbx._rounding import DOUBLE
from perturbx._typing import Floats
from perturbx._validation import check_choice, real_numbers, shown
from perturbx.errors import InvalidInputError, InvalidParameterError
from perturbx.predictor import Predictor

Loss: TypeAlias = Literal["auto", "log_loss", "squared_error"] | Callable[[Any, Floats], Any]

NAMES = ("auto", "log_loss", "squared_error")


@dataclass(frozen=True, eq=False)
class Losses:
    """A loss of averaged outputs, with the labels of n rows.

    Parameters
    ----------
    name : str
        In words, for the reader.
    of : callable
        Labels (m, ...) and outputs (m, k) to (m,) losses.
    labels : (n, ...) array
    """

    name: str
    of: Callable[[Any, Floats], Any]
    labels: Any

    def __call__(self, places: Any, outputs: Floats) -> Floats:
        """(m,): the losses of outputs (m, k) against the labels of these rows."""
        labels = self.labels[places]
        if np.ndim(places) == 0:
            labels = np.repeat(self.labels[places : places + 1], len(outputs), axis=0)
        found = self.of(labels, outputs)
        try:
            losses = real_numbers(found)
        except (TypeError, ValueError, OverflowError):
            losses = np.empty(0)
        if losses.shape != (len(outputs),) or not np.isfinite(losses).all():
            raise InvalidParameterError(
                f"loss must return one finite number for each of the {len(outputs)} rows; it "
                f"returned {shown(found)}."
            )
        return losses


def check_whole(method: Any) -> None:
    """Refuse settings of a method that have no meaning where a loss reads all outputs."""
    for name, expected in (("outputs", None), ("link", "identity")):
        if getattr(method, name) != expected:
            raise InvalidParameterError(
                f"{name}={getattr(method, name)!r} has no meaning for {type(method).__name__}, "
                f"whose loss reads all outputs as they are: leave {name} out."
            )
    for name, usual in (("on_error", "raise"), ("max_memory", None)):
        if getattr(method, name) != usual:
            raise InvalidParameterError(
                f"{name}={getattr(method, name)!r} has no effect on {type(method).__name__}, which "
                f"explains a data set as a whole: leave {name} out."
            )


def resolve(loss: Loss, y: Any, predictor: Predictor, outputs: Floats, n: int) -> Losses:
    """The loss and the labels of n rows, checked against the model's outputs for the first ones.

    Raises
    ------
    InvalidInputError
        If y does not have a label for each row, or a label that the model does not know.
    InvalidParameterError
        If the loss does not fit the outputs (m, k).
    """
    if not callable(loss):
        check_choice("loss", loss, NAMES)
    if y is None:
        if loss not in ("auto", "squared_error"):
            raise InvalidInputError(
                "loss needs labels: pass explain(X, y), or leave loss out to explain how much the "
                "predictions themselves depend on each feature."
            )
        return Losses("squared distance to the model's own prediction", _squared, outputs)
    labels = _labels(y, n)
    if callable(loss):
        return Losses(getattr(loss, "__name__", "the given loss"), loss, labels)
    if loss == "auto":
        are_classes = _are_probabilities(outputs) and _known(labels, predictor)
        loss = "log_loss" if are_classes else "squared_error"
    if loss == "log_loss":
        return Losses("log loss", _log_loss, _positions(labels, predictor, outputs))
    return Losses("squared error", _squared, _numbers(labels, outputs.shape[1]))


def _labels(y: Any, n: int) -> Any:
    labels = np.asarray(y)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim == 0 or len(labels) != n:
        count = "a single value" if labels.ndim == 0 else f"{len(labels)}"
        raise InvalidInputError(f"y must have one label for each of the {n} rows; got {count}.")
    missing = [i for i, label in enumerate(labels.tolist()) if label is None or label != label]
    if missing:
        raise InvalidInputError(
            f"y has {len(missing)} missing labels, the first at row {missing[0]}: leave these "
            "rows out of X and y."
        )
    return labels


def _are_probabilities(outputs: Floats) -> bool:
    inside = bool(((outputs >= -DOUBLE) & (outputs <= 1 + DOUBLE)).all())
    return inside and (outputs.shape[1] == 1 or bool((abs(outputs.sum(axis=1) - 1) < 1e-4).all()))


def _classes(predictor: Predictor) -> Sequence[str]:
    """Labels as text, in the order of the outputs; "0" and "1" for one probability."""
    if predictor.n_outputs == 1:
        return ("0", "1")
    default = tuple(f"output {i}" for i in range(predictor.n_outputs))
    numbered = tuple(map(str, range(predictor.n_outputs)))
    return numbered if predictor.output_names == default else predictor.output_names


def _as_text(label: Any) -> str:
    """A label as classes are named: whole numbers without decimals, and bools as 0 and 1."""
    if isinstance(label, bool) or (isinstance(label, float) and label.is_integer()):
        return str(int(label))
    return str(label)


def _known(labels: Any, predictor: Predictor) -> bool:
    classes = set(_classes(predictor))
    return labels.ndim == 1 and all(
        {str(label), _as_text(label)} & classes for label in set(labels.tolist())
    )


def _positions(labels: Any, predictor: Predictor, outputs: Floats) -> Any:
    if not _are_probabilities(outputs):
        raise InvalidParameterError(
            'loss="log_loss" needs probabilities, and the outputs are not: they are outside of 0 '
            'to 1, or do not sum to 1. Pass predict_proba, or loss="squared_error".'
        )
    if not _known(labels, predictor):
        classes = {*_classes(predictor)}
        unknown = next(v for v in labels.tolist() if not {str(v), _as_text(v)} & classes)
        raise InvalidInputError(
            f"y has the label {shown(unknown)}, and the model's classes are "
            f"{', '.join(map(repr, _classes(predictor)))}: name them with output_names."
        )
    place = {name: i for i, name in enumerate(_classes(predictor))}
    return np.array([place.get(str(v), place.get(_as_text(v))) for v in labels.tolist()])


def _numbers(labels: Any, k: int) -> Floats:
    try:
        numbers = real_numbers(labels)
    except (TypeError, ValueError, OverflowError):
        numbers = np.empty(0)
    numbers = numbers[:, None] if numbers.ndim == 1 else numbers
    if numbers.shape != (len(labels), k):
        raise InvalidInputError(
            f'loss="squared_error" needs numbers of shape {(len(labels), k)}, as the model '
            f"answers; y is of dtype {labels.dtype} and shape {labels.shape}. For classes pass "
            'predict_proba and loss="log_loss".'
        )
    return numbers


def _squared(labels: Floats, outputs: Floats) -> Floats:
    return np.asarray(((outputs - labels) ** 2).sum(axis=1))


def _log_loss(labels: Any, outputs: Floats) -> Floats:
    """Probabilities are clipped at the resolution of float64, as scikit-learn's log_loss does."""
    if outputs.shape[1] == 1:
        outputs = np.column_stack([1 - outputs, outputs])
    chosen = outputs[np.arange(len(outputs)), labels]
    return np.asarray(-np.log(np.clip(chosen, np.finfo(np.float64).eps, 1.0)))
