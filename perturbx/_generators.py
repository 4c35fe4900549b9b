"""Random generators that a model finds in modules, of which each process has its own."""

from __future__ import annotations

import functools
import random
import sys
import types
from collections.abc import Iterator
from typing import Any

import numpy as np

GENERATORS = (np.random.Generator, np.random.RandomState, random.Random)

_DEEPEST = 4
"""From the model to a function, to an object of its module, to what that holds."""

_FROM_SYSTEM = 2**64
"""Seeds of the system have 128 bits, those of people fewer."""

_MOST = 2000
"""Parts that are looked at."""


def uses_module_generator(model: Any) -> bool:
    """True if a function, or what it calls, names a generator that its module holds.

    Generators that functions make when they are called are not found, nor are those that each
    process seeds anew. Other libraries are not entered.
    """
    home = _package(_function_of(model))
    seen, left = set[int](), [(model, 0)]
    while left and len(seen) < _MOST:
        part, depth = left.pop()
        if isinstance(part, GENERATORS):
            if depth and not _is_seeded_anew(part):
                return True
            continue
        if depth < _DEEPEST and id(part) not in seen:
            seen.add(id(part))
            left += [(one, depth + 1) for one in _reached(part, home)]
    return False


def _reached(part: Any, home: str) -> Iterator[Any]:
    """What a part of a model calls, reads by a global name, or holds."""
    function = _function_of(part)
    if isinstance(part, functools.partial):
        yield from (part.func, *part.args, *part.keywords.values())
    elif function is not None:
        if _package(function) != home and _is_installed(function):
            return
        names, owner = set(_names(function.__code__)), getattr(part, "__self__", part)
        for name in names:
            found = function.__globals__.get(name)
            if isinstance(found, types.ModuleType):
                yield from (vars(found)[other] for other in names & vars(found).keys())
            else:
                yield found
            method = getattr(type(owner), name, None)
            if isinstance(method, types.FunctionType):
                yield types.MethodType(method, owner)
        for cell in function.__closure__ or ():
            try:
                yield cell.cell_contents
            except ValueError:  # not yet set
                continue
    elif isinstance(part, dict):
        yield from part.values()
    elif isinstance(part, (list, tuple)):
        yield from part
    elif not isinstance(part, (type, types.ModuleType)):
        yield from getattr(part, "__dict__", {}).values()


def _function_of(part: Any) -> types.FunctionType | None:
    """The function that runs when a part is called."""
    if isinstance(part, types.MethodType):
        part = part.__func__
    elif not isinstance(part, (types.FunctionType, type)):
        part = getattr(type(part), "__call__", None)  # noqa: B004
    return part if isinstance(part, types.FunctionType) else None


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def _package(function: types.FunctionType | None) -> str:
    return "" if function is None else str(function.__module__).partition(".")[0]


def _is_installed(function: types.FunctionType) -> bool:
    path = function.__code__.co_filename
    is_library = "site-packages" in path or "dist-packages" in path
    return is_library or _package(function) in sys.stdlib_module_names


def _is_seeded_anew(generator: Any) -> bool:
    """True for generators that a process seeds from its system when it imports their module."""
    own = np.random.mtrand._rand, random._inst  # type: ignore[attr-defined]
    if isinstance(generator, random.SystemRandom) or any(generator is one for one in own):
        return True
    bits = getattr(generator, "bit_generator", getattr(generator, "_bit_generator", None))
    entropy = getattr(getattr(bits, "seed_seq", None), "entropy", None)
    return isinstance(entropy, int) and entropy >= _FROM_SYSTEM
