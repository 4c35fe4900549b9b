"""Texts in a list, an array or a series, and the same container for a batch."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from perturbx.containers.cells import is_missing
from perturbx.containers.foreign import flat_cells, is_of
from perturbx.errors import InvalidInputError


@dataclass(frozen=True)
class TextLayout:
    """The container of texts.

    Parameters
    ----------
    kind : "list", "array", "pandas" or "polars"
    name : the name of a series
    dtype : the dtype of a pandas series that holds any text; None where it does not
    """

    kind: Literal["list", "array", "pandas", "polars"] = "list"
    name: Any = None
    dtype: Any = None

    def build(self, texts: list[str]) -> Any:
        """A batch of texts in this container; arrays hold objects."""
        if self.kind == "array":
            array = np.empty(len(texts), dtype=object)
            array[:] = texts
            return array
        if self.kind == "pandas":
            return sys.modules["pandas"].Series(texts, name=self.name, dtype=self.dtype)
        if self.kind == "polars":
            return sys.modules["polars"].Series(self.name, texts)
        return texts


def texts_of(X: Any, name: str = "X") -> tuple[list[str], bool, TextLayout]:
    """X as texts, whether it is a single one, and the container for batches of them.

    One string, a list or tuple of strings, a flat array, a pandas or polars series.

    Raises
    ------
    InvalidInputError
        If X is empty or holds anything but strings.
    """
    if isinstance(X, str):
        return [str(X)], True, TextLayout()
    cells, layout = _cells(X, name)
    if not len(cells):
        raise InvalidInputError(f"{name} is empty: pass at least one text.")
    for i, cell in enumerate(cells):
        if not isinstance(cell, str):
            raise InvalidInputError(f"{name}[{i}] must be a text; got {_other(cell)}")
    return list(map(str, cells)), False, layout


def _cells(X: Any, name: str) -> tuple[list[Any], TextLayout]:
    if isinstance(X, (list, tuple)):
        return list(X), TextLayout()
    if is_of(X, "pandas", "Series"):
        holds_any = X.dtype == object or X.dtype.name in ("str", "string")
        return X.tolist(), TextLayout("pandas", X.name, X.dtype if holds_any else None)
    if is_of(X, "polars", "Series"):
        return X.to_list(), TextLayout("polars", X.name)
    if isinstance(X, np.ndarray) and X.ndim == 1:
        return flat_cells(X), TextLayout("array")
    if any(is_of(X, library, "DataFrame") for library in ("pandas", "polars")):
        raise InvalidInputError(
            f"{name} is a DataFrame: pass the column that holds the texts, as in {name}['text']."
        )
    raise InvalidInputError(
        f"{name} must be a text, or a list, flat array or series of texts; got {_other(X)}"
    )


def _other(value: Any) -> str:
    """What is no text, and how to make it one."""
    kind = type(value).__name__
    if isinstance(value, (bytes, bytearray)):
        return f"{kind}: decode it first, as in text.decode()."
    if is_missing(value):
        return f"a missing value ({value!r}): leave it out, or replace it by a text."
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}."
    if isinstance(value, (list, tuple, Mapping)):
        return f"a {kind}: for lists of passages or messages pass masker=px.Segments()."
    return f"{kind}."
