"""How long the way through is: functions entered, and borders between files crossed.

The ceilings are what a reader has to follow; they only ever go down.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import numpy as np
import perturbx as px
import pytest

ROOT = os.path.dirname(px.__file__)
X = np.random.default_rng(0).normal(size=(100, 8))
Counts = dict[str, set[Any]]


def model(rows: np.ndarray) -> np.ndarray:
    return rows @ np.arange(8.0)


def explained(method: type) -> Callable[[], Any]:
    """One row by a fitted explainer."""
    explainer = method(model, random_state=0).fit(X)
    return lambda: explainer.explain(X[0])


def deleted() -> Callable[[], Any]:
    """One deletion, without its references."""
    explainer = px.KernelShap(model, random_state=0).fit(X)
    explanation, masker = explainer.explain(X[:1]), explainer.masker_
    return lambda: px.metrics.deletion(model, X[:1], explanation, masker=masker, references=False)


@contextmanager
def counted() -> Iterator[Counts]:
    """The functions of the package that are entered, and the calls that cross files."""
    seen: Counts = {"functions": set(), "borders": set()}

    def look(frame: FrameType, event: str, _: Any) -> None:
        code, caller = frame.f_code, frame.f_back
        if event != "call" or not _is_ours(code.co_filename) or code.co_name.startswith("<"):
            return
        here = code.co_filename, code.co_name, code.co_firstlineno
        seen["functions"].add(here)
        if caller is not None and _is_ours(caller.f_code.co_filename):
            there = caller.f_code
            if there.co_filename != code.co_filename:
                seen["borders"].add((there.co_filename, there.co_name, here))

    before = sys.getprofile()
    sys.setprofile(look)
    try:
        yield seen
    finally:
        sys.setprofile(before)


def _is_ours(filename: str) -> bool:
    return filename.startswith(ROOT)


@pytest.mark.parametrize(
    ("name", "functions", "borders"),
    [("KernelShap", 170, 149), ("Lime", 145, 114), ("deletion", 87, 75)],
)
def test_the_way_through_is_short(name: str, functions: int, borders: int) -> None:
    """As many functions, and calls from one file into another, as a reader has to follow."""
    run = deleted() if name == "deletion" else explained(getattr(px, name))
    run()  # what is learned once per process
    with counted() as seen:
        run()
    assert seen["functions"], "the hook sees the package"
    assert len(seen["functions"]) <= functions
    assert len(seen["borders"]) <= borders
