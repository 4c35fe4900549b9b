"""Several explanations as one: the instances of each in turn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats
from perturbx._validation import shown
from perturbx.errors import InvalidParameterError
from perturbx.features import Spans, names_of
from perturbx.result.explanation import Explanation
from perturbx.result.interactions import Interactions
from perturbx.result.per_instance import PerInstance, Remark
from perturbx.result.slicing import AXES_OF

_ALIKE = ("score_kind", "method_name", "value_function")


def concat(explanations: Iterable[Explanation]) -> Explanation:
    """One explanation with the instances of several, in their order.

    Parameters
    ----------
    explanations : iterable of Explanation
        Of one method, with the same features, outputs and value function. A single instance
        counts as a batch of one. Images and texts may have different numbers of features, and the
        shorter rows are padded with NaN, as `explain` does.

    Returns
    -------
    Explanation
        What `explain` returns for all of these instances, if each has the scores that it has
        alone. Of settings that differ, `provenance` has those of each. `degrees_of_freedom` and
        `effective_samples` are the smallest.

    Raises
    ------
    InvalidParameterError
        If there are none, or if they explain different things; the error says which.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> explainer = px.Occlusion(lambda X: X @ [1.0, 2.0], masker=px.Baseline([0.0, 0.0]))
    >>> parts = [explainer.explain(rows) for rows in (np.eye(2), [3.0, 0.0])]
    >>> px.concat(parts).values
    array([[1., 0.],
           [0., 2.],
           [3., 0.]])
    """
    parts = _checked(explanations)
    first = parts[0]
    d = max(np.shape(part.values)[_axis(part, "feature")] for part in parts)
    arrays: dict[str, Any] = {
        name: _joined(parts, name, d) for name in AXES_OF if name != "data" and name != "regions"
    }
    regions = [one for part in parts for one in _regions(part)]
    spans = [own for own in regions if isinstance(own, Spans)]
    each = _together([_each(part) for part in parts])
    names = max((part.feature_names for part in parts), key=len)
    samples = [part.effective_samples for part in parts if part.effective_samples is not None]
    return Explanation(
        **arrays,
        data=_data(parts, bool(regions)),
        feature_names=names_of(spans) if spans else names,
        output_names=_output_names(parts),
        axes=tuple(dict.fromkeys(("instance", *first.axes))),
        value_function=first.value_function,
        degrees_of_freedom=min(part.degrees_of_freedom for part in parts),
        effective_samples=min(samples, default=None),
        interactions=_interactions(parts),
        regions=tuple(regions) or None,
        score_kind=first.score_kind,
        notes=(*dict.fromkeys(note for part in parts for note in _shared(part)), *each.notes),
        provenance=_provenance([dict(part.provenance) for part in parts]),
        per_instance=each,
        **each.together(first.method_name),
    )


def _checked(explanations: Iterable[Explanation]) -> list[Explanation]:
    parts = list(explanations) if isinstance(explanations, Iterable) else [explanations]
    if isinstance(explanations, Explanation) or not parts:
        what = "one explanation" if parts else "none"
        raise InvalidParameterError(
            f"concat joins several explanations, as in px.concat([a, b]); got {what}."
        )
    for part in parts:
        if not isinstance(part, Explanation):
            raise InvalidParameterError(f"concat joins explanations; got {shown(part)}.")
    first = parts[0]
    for i, part in enumerate(parts[1:], 1):
        for what in _ALIKE:
            _compare(i, what.replace("_", " "), getattr(first, what), getattr(part, what))
        _compare(i, "axes", _without_instance(first), _without_instance(part))
        _compare(i, "kind of data", _kind(first), _kind(part))
        if first.regions is None:
            _compare(i, "features", first.feature_names, part.feature_names)
        if "output" in first.axes:
            at = _axis(first, "output"), _axis(part, "output")
            _compare(i, "number of outputs", first.shape[at[0]], part.shape[at[1]])
        elif not _has_own_outputs(first) and not _has_own_outputs(part):
            _compare(i, "outputs", tuple(first.output_names), tuple(part.output_names))
    return parts


def _compare(i: int, what: str, first: Any, other: Any) -> None:
    if first != other:
        raise InvalidParameterError(
            f"Explanations can be joined if they explain the same: the {what} of the first is "
            f"{shown(first)}, and that of number {i} (from 0) {shown(other)}."
        )


def _without_instance(part: Explanation) -> tuple[str, ...]:
    return tuple(axis for axis in part.axes if axis != "instance")


def _has_own_outputs(part: Explanation) -> bool:
    return isinstance(part.output_names, np.ndarray) and part.output_names.ndim == 2


def _kind(part: Explanation) -> str:
    regions = _regions(part)
    if part.data is None:
        return "none"
    return "rows" if not regions else "texts" if isinstance(regions[0], Spans) else "images"


def _regions(part: Explanation) -> Sequence[Any]:
    if part.regions is None:
        return ()
    return part.regions if isinstance(part.regions, tuple) else (part.regions,)


def _axis(part: Explanation, name: str) -> int:
    return part.axes.index(name)


def _as_batch(part: Explanation, array: Any) -> NDArray[Any]:
    return np.asarray(array) if "instance" in part.axes else np.asarray(array)[None]


def _joined(parts: list[Explanation], name: str, d: int) -> Floats | None:
    """One array of all instances; where a part does not have it, NaN."""
    arrays = [getattr(part, name) for part in parts]
    if all(array is None for array in arrays):
        return None
    has_features = "feature" in AXES_OF[name] and "feature" in parts[0].axes
    found = []
    for part, array in zip(parts, arrays, strict=True):
        like = part.values if has_features else part.base_values
        own = _as_batch(part, np.full(np.shape(like), np.nan) if array is None else array)
        if has_features:
            missing = [(0, 0), (0, d - own.shape[1]), (0, 0)][: own.ndim]
            own = np.pad(own.astype(np.float64), missing, constant_values=np.nan)
        found.append(own)
    return np.concatenate(found)


def _data(parts: list[Explanation], has_regions: bool) -> Any:
    if parts[0].data is None:
        return None
    if not has_regions:
        return np.concatenate([_as_batch(part, part.data) for part in parts])
    each = [
        one for part in parts for one in (part.data if "instance" in part.axes else [part.data])
    ]
    alike = all(isinstance(one, np.ndarray) for one in each)
    alike = alike and len({(one.shape, one.dtype) for one in each}) == 1
    return np.stack(each) if alike else tuple(each)


def _output_names(parts: list[Explanation]) -> Any:
    """Those of all parts, or those of each instance where they differ."""
    names = [np.asarray(part.output_names, dtype=object) for part in parts]
    if all(own.ndim == 1 and own.tolist() == names[0].tolist() for own in names):
        return tuple(names[0].tolist())
    own = [
        np.broadcast_to(name, (len(_as_batch(part, part.base_values)), name.shape[-1]))
        for part, name in zip(parts, names, strict=True)
    ]
    return np.concatenate(own)


def _interactions(parts: list[Explanation]) -> Interactions | None:
    found = [part.interactions for part in parts]
    if any(one is None for one in found):
        return None
    known = [one for one in found if one is not None]

    def join(name: str) -> Floats:
        each = zip(parts, known, strict=True)
        return np.concatenate([_as_batch(part, getattr(one, name)) for part, one in each])

    return Interactions(
        join("shapley"),
        join("faith_shap"),
        join("shapley_errors"),
        join("faith_shap_errors"),
        min(one.degrees_of_freedom for one in known),
    )


def _each(part: Explanation) -> PerInstance:
    """Cost and remarks of each instance of a part."""
    if part.per_instance is not None:
        return part.per_instance
    n = len(_as_batch(part, part.base_values))
    estimator = part.method.partition(": ")[2]
    share = np.arange(n + 1)
    rows, calls = (np.diff(share * total // n) for total in (part.n_rows, part.n_calls))
    converged = None if part.converged is None else np.full(n, part.converged)
    remarks = tuple(Remark((note,) * n, np.ones(n)) for note in part.notes)
    return PerInstance((estimator,) * n, rows, calls, converged, remarks)


def _shared(part: Explanation) -> list[str]:
    """The notes of a part that are about no instance in particular."""
    own = _each(part).notes
    return [note for note in part.notes if note not in own]


def _together(each: list[PerInstance]) -> PerInstance:
    converged = None
    if any(one.converged is not None for one in each):
        known = [np.full(len(p), True) if p.converged is None else p.converged for p in each]
        converged = np.concatenate(known)
    remarks = []
    for kind in range(max(len(one.remarks) for one in each)):
        blank = [Remark(("",) * len(one), np.zeros(len(one))) for one in each]
        some = [
            one.remarks[kind] if kind < len(one.remarks) else none
            for one, none in zip(each, blank, strict=True)
        ]
        texts = tuple(text for remark in some for text in remark.texts)
        remarks.append(Remark(texts, np.concatenate([remark.severity for remark in some])))
    return PerInstance(
        tuple(text for one in each for text in one.estimators),
        np.concatenate([one.n_rows for one in each]),
        np.concatenate([one.n_calls for one in each]),
        converged,
        tuple(remarks),
    )


def _provenance(each: list[dict[str, Any]]) -> dict[str, Any]:
    """Settings that all parts share, and a tuple of those that differ."""
    names = dict.fromkeys(name for one in each for name in one)
    joined = {}
    for name in names:
        values = [one.get(name) for one in each]
        same = all(repr(value) == repr(values[0]) for value in values)
        joined[name] = values[0] if same else tuple(values)
    return joined
