"""Checks before a budget is spent that its perturbations fit into memory."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from perturbx._validation import check_number, invalid
from perturbx.designs import AntitheticChains
from perturbx.errors import BudgetError
from perturbx.explainers._plan import Plan, Task

_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Files in which Linux reports the memory limit of a container."""

_USUAL = 2.0**34
"""The assumed memory of a machine that does not report it: 16 GiB."""

_EACH, _DRAWN = 24, 80
"""Bytes per perturbation apart from its features: of a design, and of one that is drawn now.

They hold its weight and cluster, and its place in a set of those that were drawn."""

_PLACE = 16
"""Those of its weight and cluster alone."""

_COPIES = 2
"""The number of copies of a design while it is extended, and of outputs while they are solved."""

_BLOCK, _ANSWERS, _ARRAY = 2**18, 2**19, 2**20
"""Numbers of a design that are read at once, outputs of a task, and a design that is kept whole."""

_TILE, _ROWS, _FEW_ROWS = 2**22, 2**13, 16
"""Bytes and rows of a call at most, and rows that a call has even if they are large."""

_SCORE = 32
"""Bytes of a score with its errors and its feature."""

_SUMMING = 60
"""Bytes per output while it is added to sums."""


@dataclass(frozen=True)
class Sizes:
    """What the memory of an explanation depends on, besides its task and its perturbations.

    Parameters
    ----------
    n_outputs : int
        Those that are explained.
    averages : int
        How many averages there are of each output: of the background, and of parts of it.
    n_instances, at_once : int
        How many instances there are, and how many of them are solved together.
    row_bytes : int
        The bytes of a model row.
    """

    n_outputs: int
    averages: int
    n_instances: int
    at_once: int
    row_bytes: int


def check_memory(todo: Task, plan: Plan, sizes: Sizes, sums_up: bool) -> None:
    """Refuse a design that does not fit into memory; answers may be summed up, and not kept.

    Raises
    ------
    BudgetError
        With the memory that is needed, and a budget that fits.
    """
    d = todo.n_features
    m = int(todo.n_perturbations)
    if not plan.stochastic:  # else the rest of the budget asks again
        m = int(min(m, todo.sampler.most(d)))
    limit, whose = _available(), "are available"
    if plan.max_memory is not None and bytes_of(plan.max_memory) < limit:
        limit, whose = bytes_of(plan.max_memory), f"max_memory={plan.max_memory!r} allows"
    of = _of_sums if sums_up else _of_kept
    if todo.solver.reads_blocks and not plan.stochastic:
        of = _of_blocks
    needed = of(todo, plan, sizes, m)
    if needed <= limit:
        return
    fits, least = m, todo.sampler.minimum(d)
    while fits > least and of(todo, plan, sizes, fits) > limit:
        fits //= 2
    fits = max(fits, least) * todo.rows_each
    raise BudgetError(
        f"budget={plan.budget} needs about {_size(needed)} of memory for {m:,.0f} perturbations "
        f"of {d:,} features, and {_allowed(limit, whose)}: pass budget={_rounded(fits):_}, or "
        "explain fewer outputs or larger groups of features."
    )


def _of_kept(todo: Task, plan: Plan, sizes: Sizes, m: int) -> float:
    """Bytes where a design and its answers are kept.

    A design is largest while it is drawn. Outputs exist twice while they are solved: those of
    parts of the background first, which then are forgotten.
    """
    d, draws, n_outputs = todo.n_features, todo.sampler.draws, sizes.n_outputs * sizes.at_once
    drawn = float(_DRAWN + (0 if draws.compact else d * draws.drawing_bytes))
    design = _DRAWN if draws.compact else _EACH + d * draws.entry_bytes
    whole = _COPIES * n_outputs + todo.solver.working(d, m)
    parts = n_outputs * (_COPIES * sizes.averages - 1)
    return m * max(drawn, design + 8 * max(whole, parts)) + _at_least(todo, plan, sizes, m)


def _of_sums(todo: Task, plan: Plan, sizes: Sizes, m: int) -> float:
    """Bytes where chains are stored as orders, and their answers are summed up."""
    d, draws = todo.n_features, todo.sampler.draws
    assert issubclass(draws, AntitheticChains)
    n_targets, length = sizes.n_outputs * sizes.averages * sizes.at_once, 2 * max(d - 1, 1)
    in_rounds = plan.tol is not None or plan.partial
    orders = len(set(draws.of_chains) - {"row"}) * (_COPIES if in_rounds else 1)
    of_chain = 16 + orders * d * np.min_scalar_type(d).itemsize
    piece = min(m, length * draws.piece_length(d, n_targets)) * n_targets
    kept = todo.solver.kept(d, m, todo.context.n_background) * n_targets
    return m / length * of_chain + _SUMMING * piece + 8 * kept + _at_least(todo, plan, sizes, m)


def _at_least(todo: Task, plan: Plan, sizes: Sizes, m: int) -> float:
    """Bytes of the model rows of a call, and of the scores."""
    rows = min(plan.batch_size or _TILE // max(sizes.row_bytes, 1), m * todo.rows_each)
    scores = sizes.n_instances * todo.n_features * sizes.n_outputs
    return float(_COPIES * sizes.row_bytes * max(rows, 1) + _SCORE * scores)


def _of_blocks(todo: Task, plan: Plan, sizes: Sizes, m: int) -> float:
    """Bytes where outputs are kept, and they and the design are read a block at a time."""
    d, n_outputs = todo.n_features, sizes.n_outputs * sizes.averages
    targets = n_outputs * sizes.at_once
    draws, block, each = todo.sampler.draws, min(m * d, _BLOCK), 8.0 * targets
    if not todo.sampler.redraws:
        each += _PLACE + (0 if draws.compact else d * draws.entry_bytes)
    in_rounds = plan.tol is not None or plan.partial
    each *= _COPIES if in_rounds else 1
    matrices = max(5.0 * d**2, 3.0 * d**2 + 4 * block + 3 * targets * block / max(d, 1))
    solved = max(8 * matrices, 64.0 * min(m, _BLOCK))
    few = min(_FEW_ROWS * sizes.row_bytes, 4 * _TILE)
    tile = max(min(_ROWS * sizes.row_bytes, _TILE), few)
    asked = 3.0 * min(tile, m * sizes.row_bytes) + 16.0 * min(m * n_outputs, _ANSWERS)
    kept = sizes.n_instances * (80.0 * d * n_outputs + 4000)
    kept += 8.0 * m * d if m * d <= _ARRAY else 0.0
    return m * each + max(solved, asked) + kept


def bytes_of(value: Any) -> float:
    """A number of bytes, or a text such as "500 MB" or "2 GB".

    Raises
    ------
    InvalidParameterError
        If it is neither.
    """
    expected = 'bytes, or a text such as "500 MB" or "2 GB"'
    if not isinstance(value, str):
        return check_number("max_memory", value, above=0)
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kMGT]?)(i?)B\s*", value)
    if found is None or not float(found[1]):
        raise invalid("max_memory", expected, value)
    base = 1024 if found[3] else 1000
    return float(found[1]) * float(base ** ("kMGT".index(found[2]) + 1 if found[2] else 0))


def _allowed(limit: float, whose: str) -> str:
    return f"{whose} {_size(limit)}" if whose.endswith("allows") else f"{_size(limit)} {whose}"


def _available() -> float:
    """The smallest memory limit, in bytes, of the machine, the container and this process."""
    limits = []
    try:
        limits.append(float(os.sysconf("SC_PAGE_SIZE")) * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):
        limits.append(_USUAL)
    for path in _LIMITS:
        with suppress(OSError, ValueError):
            said = Path(path).read_text(encoding="ascii")
            limits.append(float(said.replace("max", "inf")))
    with suppress(ImportError):
        import resource

        own = resource.getrlimit(resource.RLIMIT_AS)[0]
        limits.append(np.inf if own == resource.RLIM_INFINITY else float(own))
    return min(limits)


def _size(n_bytes: float) -> str:
    return f"{n_bytes / 1e9:,.3g} GB"


def _rounded(number: float) -> int:
    """Rounded down to two digits."""
    unit = 10 ** max(int(np.log10(max(number, 1))) - 1, 0)
    return int(number // unit * unit)
