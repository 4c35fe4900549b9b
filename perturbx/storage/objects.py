"""Settings and fitted parts as JSON and arrays, and back; nothing is pickled, nothing imported.

Every part is a dataclass, and is written as its name and its fields. What comes back is made by
its own constructor, and only of classes of perturbx or those that the user names. What is held
twice is written once.
"""

from __future__ import annotations

import base64
import builtins
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._validation import shown
from perturbx.containers import digests_of
from perturbx.errors import InvalidParameterError, PerturbxError
from perturbx.result.encoding import decode, encode
from perturbx.storage.tables import DECODERS, ENCODERS, container_of, dtype_of, dtype_parts

_ROOMS = (
    *("features", "containers", "maskers", "samplers", "solvers", "game"),
    *("explainers", "rules", "_boosted_trees"),
)
"""Where the parts are that a file may name."""

_SMALL = 16
"""Arrays of so few numbers are part of the JSON: a file of their own takes more."""

_GENERATORS = ("PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64")


@cache
def own_parts() -> dict[str, type]:
    """The classes that a file may name: frozen dataclasses of the rooms, by `name_of`."""
    found: dict[str, type] = {}
    for module in list(sys.modules.values()):
        package, _, rest = getattr(module, "__name__", "").partition(".")
        if package != "perturbx" or rest.partition(".")[0] not in _ROOMS:
            continue
        for kind in vars(module).values():
            if isinstance(kind, type) and is_part(kind) and kind.__module__ == module.__name__:
                found[name_of(kind)] = kind
    return found


def is_part(kind: Any) -> bool:
    """Whether a class is a frozen dataclass, which its fields describe."""
    return is_dataclass(kind) and bool(getattr(kind, "__dataclass_params__").frozen)  # noqa: B009


def name_of(kind: type) -> str:
    """The name of a part in a file: its module and its own, with a colon if it is a user's."""
    package, _, rest = kind.__module__.partition(".")
    is_own = package == "perturbx"
    return f"{rest}.{kind.__qualname__}" if is_own else f"{kind.__module__}:{kind.__qualname__}"


class Writer:
    """Turns values into JSON.

    Parameters
    ----------
    arrays : dict or None
        Where arrays go, by name; None to put them into the JSON.

    Attributes
    ----------
    objects : list of JSON
        What values refer to, in the order in which a `Reader` makes it.
    written : list
        The arrays, tables and parts that these were.
    foreign : dict of str to object
        What has to be given again, by the name of its setting; `given` describes it.
    """

    def __init__(self, arrays: dict[str, NDArray[Any]] | None) -> None:
        self.arrays = arrays
        self.objects: list[Any] = []
        self.given: dict[str, str] = {}
        self.foreign: dict[str, Any] = {}
        self.written: list[Any] = []
        self._place: dict[int, int] = {}
        self._parts = own_parts()

    def value(self, value: Any, place: str) -> Any:
        """The value as JSON; `place` says where it stands, for errors."""
        kind = type(value)
        if value is None or kind in (bool, str):
            return value
        if kind in (list, tuple, set, frozenset):
            inner = sorted(value, key=repr) if kind in (set, frozenset) else value
            return {kind.__name__: [self.value(v, f"{place}[{i}]") for i, v in enumerate(inner)]}
        if isinstance(value, dict):
            pairs = [
                [self.value(name, place), self.value(v, f"{place}[{shown(name)}]")]
                for name, v in value.items()
            ]
            return {"dict": pairs}
        special = self._special(value, place)
        if special is not None:
            return special
        if id(value) not in self._place:
            node = self._node(value, place)
            if node is None:
                return {"leaf": self._leaf(value, place, self.arrays)}
            self._place[id(value)] = len(self.objects)
            self.objects.append(node)
            self.written.append(value)  # which stays alive, so that no other has its id
        return {"ref": self._place[id(value)]}

    def settings(self, part: Any, names: Sequence[str], place: str) -> dict[str, Any]:
        """Fields of a part, of which functions and the like have to be given again."""
        return {name: self._setting(name, getattr(part, name), place) for name in names}

    def _setting(self, name: str, value: Any, place: str) -> Any:
        if not self._is_foreign(value):
            return self.value(value, f"{place}.{name}")
        if self.foreign.setdefault(name, value) is not value:
            raise InvalidParameterError(
                f"{place}.{name} cannot be saved: there are two different objects of yours with "
                f"the name {name}, {shown(self.foreign[name])} and {shown(value)}, and each has to "
                "be passed again by its name when this is loaded."
            )
        self.given[name] = f"{place}.{name} was {shown(getattr(value, '__name__', value))}"
        return {"given": name}

    def _is_foreign(self, value: Any) -> bool:
        """Whether a setting is, or holds, an object that is neither data nor a part."""
        if isinstance(value, (list, tuple, set, frozenset)):
            return any(map(self._is_foreign, value))
        if isinstance(value, dict):
            return any(map(self._is_foreign, value.values()))
        if value is None or isinstance(value, (np.ndarray, str)) or container_of(value):
            return False
        if self._special(value, "") is not None or is_part(type(value)):
            return False
        try:
            encode(value, None)
        except InvalidParameterError:
            return True
        return False

    def _special(self, value: Any, place: str) -> dict[str, Any] | None:
        """Types, patterns, ranges and generators, each with a tag of its own."""
        dtype = dtype_parts(value, partial(self.value, place=place))
        if dtype is not None:
            return {"dtype": dtype}
        if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
            return {"pattern": [value.pattern, value.flags]}
        if isinstance(value, range):
            return {"range": [value.start, value.stop, value.step]}
        if isinstance(value, type) and issubclass(value, BaseException):
            is_known = getattr(builtins, value.__name__, None) is value
            return {"exception": value.__name__} if is_known else None
        if type(value) is np.random.Generator:
            return {"generator": self.value(value.bit_generator.state, place)}
        if type(value) is np.random.RandomState:
            return {"random_state": self.value(value.get_state(legacy=False), place)}
        return None

    def _node(self, value: Any, place: str) -> dict[str, Any] | None:
        """An array, a table or a part; None for anything else."""
        if isinstance(value, np.ndarray):
            return {"array": self._array(value, place)}
        container = container_of(value)
        if container is not None:
            return self._table(container, value, place)
        kind: Any = type(value)
        if not is_part(kind):
            return None
        name = name_of(kind)
        is_own = kind.__module__.partition(".")[0] == "perturbx"
        if is_own and self._parts.get(name) is not kind:
            raise InvalidParameterError(f"{place} cannot be saved: it is a {kind.__name__}.")
        within = f"{place} ({kind.__name__})" if place.count(".") else place
        return {
            "part": name,
            "fields": self.settings(value, [f.name for f in fields(kind) if f.init], within),
        }

    def _array(self, value: NDArray[Any], place: str) -> Any:
        has_nan = value.dtype.kind == "f" and bool(np.isnan(value).any())
        if type(value) is np.ndarray and has_nan and self.arrays is None:  # NaN has many patterns
            content = base64.b64encode(value.tobytes()).decode()
            return {"bytes": content, "shape": list(value.shape), "dtype": value.dtype.str}
        is_small = value.size <= _SMALL and value.dtype.kind in "biuf" and not has_nan
        return self._leaf(value, place, None if is_small else self.arrays)

    def _leaf(self, value: Any, place: str, arrays: dict[str, NDArray[Any]] | None) -> Any:
        try:
            return encode(value, arrays)
        except InvalidParameterError as error:
            said = str(error).partition(" To save")[0]
            raise InvalidParameterError(
                f"{place} cannot be saved. {said} Convert it to plain values before fit."
            ) from error

    def _table(self, container: str, value: Any, place: str) -> dict[str, Any]:
        """A table, once it is known to come back as it is."""
        try:
            parts = ENCODERS[container](value, partial(self.value, place=place))
            back = DECODERS[container](parts, Reader(self.arrays or {}, made=self.written).value)
            same = _is_same(value, back)
        except InvalidParameterError:
            raise
        except Exception as error:  # whatever a container raises that lacks a part
            raise _not_a_table(container, place) from error
        if not same:
            raise _not_a_table(container, place)
        return {"table": container, "parts": parts}


class Reader:
    """Turns the JSON of a `Writer` into values; some built-in exception for any other JSON.

    Parameters
    ----------
    arrays : mapping of str to array
    parts : mapping of str to class
        The classes that may be made, besides those of perturbx.
    given : mapping of str to object
        What the file cannot hold, by the name of the setting.
    made : sequence
        What values may refer to.
    """

    def __init__(
        self,
        arrays: Mapping[str, NDArray[Any]],
        parts: Mapping[str, type] | None = None,
        given: Mapping[str, Any] | None = None,
        made: Sequence[Any] = (),
    ) -> None:
        self._arrays, self._given = arrays, given or {}
        self._parts = {**own_parts(), **(parts or {})}
        self._made = list(made)

    def read(self, objects: list[Any]) -> None:
        """Make what values refer to, in an order in which each refers to earlier ones alone."""
        for node in objects:
            self._made.append(self._object(node))

    def value(self, value: Any) -> Any:
        """The value that a writer was given."""
        if value is None or isinstance(value, (bool, str)):
            return value
        ((tag, content),) = value.items()
        if tag == "ref":
            if type(content) is not int or not 0 <= content < len(self._made):
                raise ValueError("a part that is not there")
            return self._made[content]
        if tag == "leaf":
            return decode(content, self._arrays)
        if tag in _COLLECTIONS:
            return _COLLECTIONS[tag](self.value(one) for one in content)
        if tag == "dict":
            return {self.value(name): self.value(one) for name, one in content}
        if tag == "given":
            return self._given[content]
        return self._special(tag, content)

    def _special(self, tag: str, content: Any) -> Any:
        if tag == "dtype":
            return dtype_of(content, self.value)
        if tag == "pattern":
            return re.compile(*content)
        if tag == "range":
            return range(*content)
        if tag == "exception":
            kind = getattr(builtins, content)
            if isinstance(kind, type) and issubclass(kind, BaseException):
                return kind
        if tag == "generator":
            state = self.value(content)
            if state["bit_generator"] in _GENERATORS:
                bits = getattr(np.random, state["bit_generator"])()
                bits.state = state
                return np.random.Generator(bits)
        if tag == "random_state":
            old = np.random.RandomState()
            old.set_state(self.value(content))
            return old
        raise ValueError(f"a value of the kind {tag}")

    def _object(self, node: dict[str, Any]) -> Any:
        if "array" in node:
            return decode(node["array"], self._arrays)
        if "table" in node:
            return self._table(node)
        name = node["part"]
        if name not in self._parts:
            if ":" in name:
                raise InvalidParameterError(
                    f"The file holds a {name.rpartition(':')[2]} of yours, from "
                    f"{name.partition(':')[0]}: pass the class, as in parts=[MyMasker]."
                )
            raise ValueError("a part that perturbx does not have")
        made = {field: self.value(value) for field, value in node["fields"].items()}
        return self._parts[name](**made)

    def _table(self, node: dict[str, Any]) -> Any:
        try:
            return DECODERS[node["table"]](node["parts"], self.value)
        except (ImportError, PerturbxError):
            raise
        except BaseException as error:  # whatever a container raises; polars has panics
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise
            raise ValueError(f"a {node['table']} that cannot be made") from error


_COLLECTIONS: dict[str, Any] = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}


def _is_same(table: Any, back: Any) -> bool:
    """Whether two tables have the same class, columns and cells."""
    names: Any = getattr(table, "columns", None)
    if type(back) is not type(table):
        return False
    if hasattr(table, "identical"):
        return bool(table.identical(back))
    if hasattr(names, "identical") and not names.identical(back.columns):
        return False
    if hasattr(table, "dtypes") and list(map(str, _flat(table.dtypes))) != list(
        map(str, _flat(back.dtypes))
    ):
        return False
    if not table.shape[0]:
        return bool(back.shape == table.shape)
    return np.array_equal(digests_of(table), digests_of(back))


def _flat(dtypes: Any) -> list[Any]:
    return list(dtypes) if hasattr(dtypes, "__iter__") else [dtypes]


def _not_a_table(container: str, place: str) -> InvalidParameterError:
    return InvalidParameterError(
        f"{place} cannot be saved: this {container} would not come back as it is. Pass a plain one "
        "to fit, with columns of numbers, text, categories or dates."
    )
