"""What goes into an ONNX network and comes out of it: arrays by name, types, and probabilities."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._validation import did_you_mean, invalid, shown
from perturbx.errors import InvalidInputError, InvalidParameterError

_FLOATS = {"tensor(float)": "float32", "tensor(double)": "float64", "tensor(float16)": "float16"}
_WHOLE = ("uint8", "int8", "uint16", "int16", "int32", "int64", "bool")
_TYPES = _FLOATS | {f"tensor({name})": name for name in _WHOLE}
_TEXT = "tensor(string)"
_MAPS = {f"seq(map({key},tensor(float)))": "float32" for key in ("string", "int64")}
"""Probabilities by class, as skl2onnx writes them unless `zipmap` is False."""


def is_plain(session: Any) -> bool:
    """Whether the network takes one array of numbers."""
    inputs = session.get_inputs()
    return len(inputs) == 1 and inputs[0].type in _TYPES


def check_inputs(session: Any) -> None:
    """Refuse networks that take neither one array nor one value per column.

    Raises
    ------
    InvalidParameterError
    """
    inputs = session.get_inputs()
    known = all(entry.type in _TYPES or entry.type == _TEXT for entry in inputs)
    if known and (len(inputs) == 1 or all(_is_column(entry) for entry in inputs)):
        return
    listed = ", ".join(f"{i.name} ({i.type}, {_sides(i.shape)})" for i in inputs)
    raise InvalidParameterError(
        "the network must have one input of numbers or texts, or one input of shape (n, 1) for "
        f"each column of a DataFrame; this one has {listed}. Write your own predict_fn that "
        "calls session.run(None, {name: array, ...})."
    )


def _is_column(entry: Any) -> bool:
    return len(entry.shape) in (1, 2) and all(side == 1 for side in entry.shape[1:])


def column_of(name: str, columns: Sequence[str]) -> str | None:
    """The column that an input takes: of its name, or of the name that converters make of it.

    They write every character of "hours-per-week" that is no letter and no digit as "_".
    """
    if name in columns:
        return name
    alike = [column for column in columns if re.sub(r"\W", "_", column) == name]
    return alike[0] if len(alike) == 1 else None


def feed_of(session: Any, X: Any) -> dict[str, NDArray[Any]]:
    """The array of each input, by name.

    Raises
    ------
    InvalidInputError
        If the batch does not fit the inputs.
    """
    entries = session.get_inputs()
    if len(entries) == 1:
        (entry,) = entries
        return {entry.name: _texts(X, entry) if entry.type == _TEXT else _typed(X, entry)}
    if not hasattr(X, "columns"):
        names = ", ".join(repr(entry.name) for entry in entries)
        raise InvalidInputError(
            f"the network has an input for each of the columns {names}: pass a DataFrame with "
            f"these columns; got {type(X).__name__}."
        )
    return {entry.name: _column(X, entry) for entry in entries}


def _column(X: Any, entry: Any) -> NDArray[Any]:
    columns = [str(column) for column in X.columns]
    found = column_of(entry.name, columns)
    if found is None:
        raise InvalidInputError(
            f"the network has an input {entry.name!r}, and X has no such column"
            f"{did_you_mean(entry.name, columns) or '.'}"
        )
    values = X[X.columns[columns.index(found)]].to_numpy()
    if entry.type != _TEXT and values.dtype.kind not in "buif":
        raise InvalidInputError(
            f"the network's input {entry.name!r} takes numbers; the column has {values.dtype}, "
            f"such as {shown(values[0])}."
        )
    cells = values.reshape(-1, 1) if len(entry.shape) == 2 else values
    return _texts(cells, entry) if entry.type == _TEXT else _typed(cells, entry)


def _texts(X: Any, entry: Any) -> NDArray[Any]:
    """Strings, in the shape of the input."""
    array = np.asarray(X, dtype=object)
    if array.ndim == 1 and len(entry.shape) == 2:
        array = array[:, None]
    other = [cell for cell in array.flat if not isinstance(cell, str)]
    if other:
        raise InvalidInputError(
            f"the network's input {entry.name!r} takes texts: got {shown(other[0])}. Missing texts "
            "need a text of their own."
        )
    _check_shape(array, entry)
    return array


def _typed(X: Any, entry: Any) -> NDArray[Any]:
    """Numbers, in the type and shape of the input."""
    array = np.asarray(X)
    _check_shape(array, entry)
    dtype = np.dtype(_TYPES[entry.type])
    if array.dtype.kind == "f" and dtype.kind != "f":
        raise InvalidInputError(
            f"the network's input {entry.name!r} takes {dtype}, and would cut floats: got "
            f"{array.dtype}. Convert them in preprocess."
        )
    return np.ascontiguousarray(array, dtype=dtype)


def _check_shape(array: NDArray[Any], entry: Any) -> None:
    expected = tuple(entry.shape)
    fits = array.ndim == len(expected) and all(
        not isinstance(side, int) or side == got
        for side, got in zip(expected[1:], array.shape[1:], strict=True)
    )
    if not expected or fits:  # without a declared shape, any shape may fit
        return
    cure = "For photos: preprocess=px.interop.ImagePreprocess(size=...)."
    raise InvalidInputError(
        f"the network's input {entry.name!r} takes {_sides(expected)}; got {array.shape}. "
        f"{cure * (len(expected) == 4)}"
    )


def _sides(shape: Sequence[Any]) -> str:
    return f"({', '.join('n' if i == 0 else str(side) for i, side in enumerate(shape))})"


def chosen(session: Any, answer: str | None) -> str:
    """The name of the output with the scores, or an error that lists all outputs."""
    found = {o.name: o.type for o in session.get_outputs()}
    scores = [name for name, kind in found.items() if kind in _FLOATS or kind in _MAPS]
    listed = ", ".join(f"{name!r} ({kind})" for name, kind in found.items())
    if answer is not None:
        if answer not in scores and found.get(answer) not in _TYPES:
            raise invalid("answer", f"the name of an output of numbers ({listed})", answer)
        return answer
    if len(scores) == 1:
        return str(scores[0])
    if scores:
        raise InvalidParameterError(
            f"the network has several outputs of floats: {listed}. Name the one with the scores, "
            f"as in answer={scores[0]!r}."
        )
    whole = [name for name, kind in found.items() if kind in _TYPES]
    cure = "Write your own predict_fn that calls session.run."
    if len(whole) == len(found):
        cure = f"If one contains scores after all, pass answer={whole[0]!r} and output=None."
    raise InvalidParameterError(
        f"the network has no output of floats: {listed}. Integers and texts are labels, not "
        f"scores. {cure}"
    )


def dtype_of(session: Any, answer: str) -> np.dtype[Any]:
    """The type of the scores."""
    kind = next(o.type for o in session.get_outputs() if o.name == answer)
    return np.dtype((_TYPES | _MAPS)[kind])


def labels_of(source: str | bytes | None, session: Any, answer: str) -> tuple[str, ...] | None:
    """The classes of a classifier, as converters write them into a node beside its label.

    None if there are none, or without the package onnx, which reads nodes.
    """
    kinds = {o.name: o for o in session.get_outputs()}
    others = [kind.type for name, kind in kinds.items() if name != answer]
    if source is None or not (kinds[answer].type in _MAPS or {*others} & {_TEXT, "tensor(int64)"}):
        return None
    try:
        import onnx
    except ImportError:
        return None
    if isinstance(source, bytes):
        model = onnx.load_model_from_string(source)
    else:
        model = onnx.load_model(source, load_external_data=False)
    found: tuple[str, ...] | None = None
    for attribute in (a for node in model.graph.node for a in node.attribute):
        if attribute.name.startswith("classlabels_"):
            texts = tuple(text.decode(errors="replace") for text in attribute.strings)
            found = texts or tuple(map(str, attribute.ints))
    sides = kinds[answer].shape
    fits = kinds[answer].type in _MAPS or (found and sides and sides[-1] == len(found))
    return found if fits and found and len(set(found)) == len(found) else None


def scores_of(found: Any) -> NDArray[Any]:
    """The scores as an array, also where they come as a map from class to probability."""
    if isinstance(found, list) and found and isinstance(found[0], Mapping):
        classes = list(found[0])
        return np.array([[row[name] for name in classes] for row in found], dtype=np.float32)
    return np.asarray(found)
