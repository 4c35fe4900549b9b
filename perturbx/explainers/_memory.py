"""Checks before a budget is spent that its perturbations fit into memory."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from perturbx._validation import check_number, invalid
from perturbx.errors import BudgetError
from perturbx.explainers._plan import Plan, Task

_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Files in which Linux reports the memory limit of a container."""

_USUAL = 2.0**34
"""The assumed memory of a machine that does not report it: 16 GiB."""

_EACH = 80
"""Bytes per perturbation apart from its features: its weight, cluster and place in a set.

They hold its share of a compact design too."""

_PLACE = 16
"""Those of its weight and cluster."""

_COPIES = 2
"""The number of copies of a design while it is extended, and of outputs while they are solved."""

_BLOCK, _ANSWERS, _ARRAY = 2**18, 2**19, 2**20
"""Numbers of a design that are read at once, outputs of a task, and a design that is kept whole."""

_TILE, _ROWS, _FEW_ROWS = 2**22, 2**13, 16
"""Bytes and rows of a call at most, and rows that a call has even if they are large."""


def check_memory(
    todo: Task, plan: Plan, n_outputs: int, n_instances: int, at_once: int, row_bytes: int
) -> None:
    """Refuse a design that does not fit into memory.

    Parameters
    ----------
    todo : Task
    plan : Plan
    n_outputs : int
        The outputs that are stored per perturbation of an instance, including those of parts of
        the background.
    n_instances, at_once : int
        How many instances there are, and how many of them are solved together.
    row_bytes : int
        The bytes of a model row.

    Raises
    ------
    BudgetError
        With the memory that is needed, and a budget that fits.
    """
    d, draws = todo.n_features, todo.sampler.draws
    m = int(todo.n_perturbations)
    if not plan.stochastic:  # else the rest of the budget asks again
        m = int(min(m, todo.sampler.most(d)))
    in_design = 0.0 if draws.compact else d * draws.entry_bytes
    if todo.solver.reads_blocks and not plan.stochastic:
        joins_rounds = plan.tol is not None or plan.partial
        each = 0.0 if todo.sampler.redraws else in_design + _PLACE
        each = (each + 8 * n_outputs * at_once) * (_COPIES if joins_rounds else 1)
        fixed = _of_blocks(m, d, n_outputs, n_instances, at_once, row_bytes)
    else:
        each = _EACH + _COPIES * in_design
        each += 8 * (todo.solver.working(d, m) + _COPIES * n_outputs)
        fixed = 0.0
    limit, whose = _available(), "are available"
    if plan.max_memory is not None and bytes_of(plan.max_memory) < limit:
        limit, whose = bytes_of(plan.max_memory), f"max_memory={plan.max_memory!r} allows"
    needed = m * each + fixed
    if needed <= limit:
        return
    fits = max((limit - fixed) / each / 2, todo.sampler.minimum(d)) * todo.rows_each
    raise BudgetError(
        f"budget={plan.budget} needs about {_size(needed)} of memory for {m:,.0f} perturbations "
        f"of {d:,} features, and {_allowed(limit, whose)}: pass budget={_rounded(fits):_}, or "
        "explain fewer outputs or larger groups of features."
    )


def _of_blocks(
    m: int, d: int, n_outputs: int, n_instances: int, at_once: int, row_bytes: int
) -> float:
    """Bytes next to the outputs and the design, where both are read a block at a time."""
    block, targets = min(m * d, _BLOCK), n_outputs * at_once
    matrices = max(5.0 * d**2, 3.0 * d**2 + 4 * block + 3 * targets * block / max(d, 1))
    solved = max(8 * matrices, 64.0 * min(m, _BLOCK))
    tile = max(min(_ROWS * row_bytes, _TILE), min(_FEW_ROWS * row_bytes, 4 * _TILE))
    asked = 3.0 * min(tile, m * row_bytes) + 16.0 * min(m * n_outputs, _ANSWERS)
    kept = n_instances * (80.0 * d * n_outputs + 4000) + (8.0 * m * d if m * d <= _ARRAY else 0.0)
    return max(solved, asked) + kept


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
