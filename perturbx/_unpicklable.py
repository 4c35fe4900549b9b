"""Which part of an object cannot be pickled."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Iterator
from typing import Any

_DEEPEST = 20


def culprit(one: Any, name: str, dump: Callable[[Any], Any]) -> str:
    """The part of an object for which `dump` fails, such as "predict_fn.session (a socket)"."""
    for _ in range(_DEEPEST):
        bad = next(((path, part) for path, part in _parts(one) if not _works(dump, part)), None)
        if bad is None:
            break
        name, one = name + bad[0], bad[1]
    kind = type(one)
    known = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    return f"{name} ({known})"


def _works(dump: Callable[[Any], Any], one: Any) -> bool:
    try:
        dump(one)
    except Exception:
        return False
    return True


def _parts(one: Any) -> Iterator[tuple[str, Any]]:
    """What pickles with an object, and how it is reached from there."""
    if isinstance(one, types.MethodType):
        yield ".__self__", one.__self__
    elif isinstance(one, functools.partial):
        yield ".func", one.func
        yield from ((f".args[{i}]", part) for i, part in enumerate(one.args))
        yield from ((f".keywords[{key!r}]", part) for key, part in one.keywords.items())
    elif isinstance(one, types.FunctionType):
        used = inspect.getclosurevars(one)
        for kind, names in (("", used.nonlocals), ("global ", used.globals)):
            yield from ((f" -> {kind}{name}", part) for name, part in names.items())
    elif isinstance(one, dict):
        yield from ((f"[{key!r}]", part) for key, part in one.items())
    elif isinstance(one, (list, tuple)):
        yield from ((f"[{i}]", part) for i, part in enumerate(one))
    elif not isinstance(one, (type, types.ModuleType)):
        yield from ((f".{name}", part) for name, part in getattr(one, "__dict__", {}).items())
