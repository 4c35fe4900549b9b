"""What several checks need: equality of anything, damage to a batch, and answers of a game."""

from __future__ import annotations

import inspect
import json
import pickle
from dataclasses import is_dataclass
from functools import cached_property
from typing import Any

import numpy as np

from perturbx._typing import Floats, Ints
from perturbx.designs import CoalitionDesign, Design, Evaluations
from perturbx.errors import InvalidParameterError
from perturbx.storage.objects import Reader, Writer, is_part, name_of

N_BACKGROUND = 3
"""Background rows of the game that answers designs."""


def require(holds: bool | np.bool_, sentence: str) -> None:
    """Raise ``AssertionError`` with the sentence unless it holds."""
    if not holds:
        raise AssertionError(f"This must hold: {sentence}.")


def check_part(part: Any) -> None:
    """Every part is a frozen dataclass with a docstring, and pickles."""
    kind = type(part)
    frozen = is_dataclass(kind) and kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    require(frozen, f"{kind.__name__} is a frozen dataclass")
    require(kind.__name__ in repr(part), "repr shows the name")
    require(bool(kind.__doc__), f"{kind.__name__} has a docstring")
    require(type(pickle.loads(pickle.dumps(part))) is kind, "it pickles")


def check_saved(part: Any) -> None:
    """It comes back from a file of `perturbx.load_explainer`; functions in it are given again."""
    arrays: dict[str, Any] = {}
    writer = Writer(arrays)
    try:
        text = json.dumps([writer.value(part, type(part).__name__), writer.objects])
    except InvalidParameterError as error:
        raise AssertionError(f"This must hold: it can be saved without pickle. {error}") from error
    kinds = {name_of(type(one)): type(one) for one in writer.written if is_part(type(one))}
    reader = Reader(arrays, kinds, writer.foreign)
    value, objects = json.loads(text)
    reader.read(objects)
    require(same(reader.value(value), part), "it comes back from a file as it is")


def equal(a: Any, b: Any) -> bool:
    """Whether two batches, arrays or numbers hold the same values of the same type."""
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(equal, a, b))
    if isinstance(a, (str, dict)):
        return bool(a == b)
    if hasattr(a, "iloc"):  # a batch does not have the index of the user's frame
        return bool(a.reset_index(drop=True).equals(b.reset_index(drop=True)))
    if hasattr(a, "equals"):
        return bool(a.equals(b))
    one, other = (x.toarray() if hasattr(x, "toarray") else np.asarray(x) for x in (a, b))
    if one.dtype == other.dtype == object:  # cells may be missing values, which equal nothing
        return one.shape == other.shape and all(map(same, one.flat, other.flat))
    numbers = one.dtype.kind in "fc"
    return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=numbers)


def same(a: Any, b: Any, met: frozenset[int] = frozenset()) -> bool:
    """Whether two objects are in the same state, down to their arrays and random generators."""
    if a is b or id(a) in met:
        return True
    if type(a) is not type(b):
        return False
    met |= {id(a)}
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key], met) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(same(one, other, met) for one, other in zip(a, b))  # noqa: B905
    if isinstance(a, np.random.Generator):
        return same(a.bit_generator.state, b.bit_generator.state, met)
    if isinstance(a, np.random.SeedSequence):
        return same(a.state, b.state, met)
    if inspect.isroutine(a) or isinstance(a, type):
        return bool(a == b)
    if hasattr(a, "__array__") or hasattr(a, "toarray") or hasattr(a, "equals"):
        return equal(a, b)
    kind: Any = type(a)
    if hasattr(a, "__dict__") and (is_dataclass(a) or kind.__eq__ is object.__eq__):
        return same(_state(a), _state(b), met)
    if kind.__eq__ is object.__eq__:  # of an extension, such as the loss of boosted trees
        return pickle.dumps(a) == pickle.dumps(b)
    return bool(a == b or (a != a and b != b))


def _state(part: Any) -> dict[str, Any]:
    """The attributes of an object, without what it computed from them and keeps."""
    kind = type(part)
    computed = {n for n in vars(part) if isinstance(getattr(kind, n, None), cached_property)}
    return {name: value for name, value in vars(part).items() if name not in computed}


def some_rows(batch: Any, rows: Ints) -> Any:
    """Some rows of a batch, in its container."""
    if isinstance(batch, list):
        return [batch[row] for row in rows]
    return batch.iloc[rows] if hasattr(batch, "iloc") else batch[rows]


def scribble(batch: Any) -> None:
    """Change every cell of a batch in place, as a careless model does."""
    if isinstance(batch, (list, dict)):
        for key in range(len(batch)) if isinstance(batch, list) else list(batch):
            scribble(batch[key])
            batch[key] = "?"
    elif hasattr(batch, "iloc") and batch.ndim == 1:
        batch.iloc[:] = "?"
    elif hasattr(batch, "iloc"):
        for column in range(batch.shape[1]):
            batch.iloc[:, column] = batch.iloc[::-1, column].array.copy()
    elif hasattr(batch, "toarray"):
        batch.data[...] = batch.data != 1
    elif hasattr(batch, "detach"):
        batch.copy_(batch != 1)
    elif isinstance(batch, np.ndarray) and batch.flags.writeable:
        batch[...] = batch != 1 if batch.dtype.kind in "biufc" else "?"


def answers(design: Design, n: int) -> Evaluations:
    """A curved game of n instances and two outputs, over background rows if the design has any."""
    d, rng = design.n_features, np.random.default_rng(5)
    removes = isinstance(design, CoalitionDesign)
    x, slopes = rng.normal(size=(n, d)), rng.normal(size=d)
    background = rng.normal(size=(N_BACKGROUND, d)) if removes else np.zeros((1, d))

    def model(rows: Floats) -> Floats:
        inner = rows @ slopes
        return np.stack([np.tanh(inner), inner * rows[..., 0]], axis=-1)

    if design.background_row is None:
        b = background[None, :, None]
    else:
        b = background[design.background_row][:, None, None]
    z = design.z[:, None, None]
    rows = np.where(z, x, b) if removes else x + z
    empty_rows = np.repeat(model(background)[:, None], n, axis=1)
    empty = empty_rows.mean(axis=0) if removes else np.full((n, 2), np.nan)
    named = None if design.background_row is None else empty_rows
    return Evaluations(design, model(rows).mean(axis=1), model(x), empty, named)
