"""The difference of two explanations of the same rows, such as of two models or two dates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from perturbx._typing import Floats
from perturbx.errors import InvalidParameterError

if TYPE_CHECKING:
    from perturbx.result.explanation import Explanation


def difference(a: Explanation, b: Explanation) -> dict[str, Any]:
    """The fields of ``a - b`` that differ from those of `a`.

    Errors of independent draws add up as squares. Those of the same draws may be correlated in
    either direction, and so add up as they are, which is the most that they can be.
    """
    _check(a, b)
    is_shared = same_draws(a, b)
    freedom = min(a.degrees_of_freedom, b.degrees_of_freedom)
    converged = [one.converged for one in (a, b) if one.converged is not None]
    new: dict[str, Any] = {
        name: getattr(a, name) - getattr(b, name)
        for name in ("values", "base_values", "predictions", "residual")
        if getattr(a, name) is not None and getattr(b, name) is not None
    }
    return {
        "residual": None,
        **new,
        "standard_errors": _combined(a.standard_errors, b.standard_errors, is_shared),
        "background_errors": _combined(a.background_errors, b.background_errors, True),
        "rounding": None if a.rounding is None or b.rounding is None else a.rounding + b.rounding,
        "method": f"{a.method_name} of the first minus {b.method_name} of the second",
        "value_function": _both(a.value_function, b.value_function),
        "n_rows": a.n_rows + b.n_rows,
        "n_calls": a.n_calls + b.n_calls,
        "degrees_of_freedom": freedom,
        "converged": all(converged) if converged else None,
        "fidelity": None,
        "effective_samples": None,
        "interactions": None,
        "notes": tuple(
            f"{which}: {note}" for which, one in (("first", a), ("second", b)) for note in one.notes
        ),
        "provenance": {"first": dict(a.provenance), "second": dict(b.provenance)},
        "per_instance": None,
    }


def same_draws(a: Explanation, b: Explanation) -> bool:
    """Whether the same perturbations were tried: one method, its settings and random state."""
    keys = ("method", "random_state", "budget", "parameters")
    return bool(a.provenance) and all(a.provenance.get(k) == b.provenance.get(k) for k in keys)


def _check(a: Explanation, b: Explanation) -> None:
    for what in ("axes", "feature_names", "score_kind"):
        if getattr(a, what) != getattr(b, what):
            raise _unlike(f"{what.replace('_', ' ')} are {getattr(a, what)} and {getattr(b, what)}")
    names = np.asarray(a.output_names, object), np.asarray(b.output_names, object)
    if names[0].shape != names[1].shape or (names[0] != names[1]).any():
        raise _unlike(f"outputs are {a.output_names} and {b.output_names}")
    if a.shape != b.shape:
        raise _unlike(f"scores have shapes {a.shape} and {b.shape}")
    if not _same_data(a.data, b.data):
        raise _unlike("explained rows are not the same")
    if (a.regions is None) != (b.regions is None) or not _same_regions(a.regions, b.regions):
        raise _unlike("regions are not the same")


def _unlike(why: str) -> InvalidParameterError:
    return InvalidParameterError(
        f"Explanations can be subtracted where they explain the same rows with the same features, "
        f"and their {why}. For two groups of rows use px.compare_cohorts(a, b)."
    )


def _same_data(a: Any, b: Any) -> bool:
    first, second = np.asarray(a, dtype=object), np.asarray(b, dtype=object)
    if first.shape != second.shape:
        return False
    pairs = zip(first.ravel(), second.ravel(), strict=True)
    return all(x is y or np.all(x == y) or (np.all(x != x) and np.all(y != y)) for x, y in pairs)


def _same_regions(a: Any, b: Any) -> bool:
    if a is None or a is b:
        return True
    if isinstance(a, tuple):
        return len(a) == len(b) and all(map(_same_regions, a, b))
    parts = vars(a), vars(b)
    return type(a) is type(b) and all(
        np.array_equal(parts[0][name], parts[1].get(name)) for name in parts[0]
    )


def _combined(a: Floats | None, b: Floats | None, is_shared: bool) -> Floats | None:
    if a is None or b is None:
        return None
    return np.asarray(a + b if is_shared else np.hypot(a, b))


def _both(a: str, b: str) -> str:
    return a if a == b else f"{a}; of the second, {b}"
