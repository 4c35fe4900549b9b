"""Concepts: the user's own names for parts of an image, as its features."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Segments
from perturbx._validation import invalid, is_masked
from perturbx.errors import InvalidInputError

Concepts: TypeAlias = Mapping[str, Any]
"""Names to bool masks (H, W), or to the numbers of regions."""

REST = "the rest"
"""The name of the pixels that belong to no concept."""


def check_concepts(concepts: Any, segments: Any) -> None:
    """Refuse what names no parts of an image, and a label map that no concept refers to."""
    several = isinstance(concepts, (list, tuple)) and len(concepts) > 0
    for one in concepts if several else [concepts]:
        if not isinstance(one, Mapping) or not one:
            raise invalid(
                "concepts", 'a dict of masks or region numbers, as in {"sky": mask}, or a list', one
            )
        for name in one:
            if not isinstance(name, str) or not name or name == REST:
                raise invalid(
                    "concepts", f"a dict with names of concepts other than {REST!r}", name
                )
        if several and list(one) != list(concepts[0]):
            raise InvalidInputError(
                "concepts must have the same names in the same order for every image: got "
                f"{list(concepts[0])} and {list(one)}. Explain images with other concepts by "
                "themselves."
            )
    parts = [part for one in (concepts if several else [concepts]) for part in one.values()]
    if segments is not None and all(np.asarray(part).dtype == bool for part in parts):
        raise invalid(
            "segments",
            "None if all concepts are masks",
            segments,
            "Concepts may also be lists of its labels.",
        )


def concepts_of(concepts: Any, n_images: int, index: int) -> Concepts:
    """The concepts of one image, from those of all images or from one dict per image."""
    if isinstance(concepts, Mapping):
        return concepts
    if len(concepts) != n_images:
        raise InvalidInputError(
            f"concepts must hold one dict for each image: got {len(concepts)} for {n_images}."
        )
    found: Concepts = concepts[index]
    return found


def concept_map(
    concepts: Concepts, shape: tuple[int, ...], regions: Callable[[], Segments]
) -> tuple[Segments, tuple[str, ...]]:
    """The label map of an image, and the names of its labels.

    Parameters
    ----------
    concepts : dict of str to mask or region numbers
    shape : (H, W)
    regions : callable
        Gives the label map whose numbers are meant, if any are named.

    Raises
    ------
    InvalidInputError
        If a concept covers no pixel, or one that another covers too; if it does not fit the image
        or names regions that are not there; or if only one feature is left.
    """
    labels = np.full(shape, len(concepts), dtype=np.intp)
    named = None
    for k, (name, value) in enumerate(concepts.items()):
        array = np.asarray(value)
        if array.dtype != bool and named is None:
            named = regions()
        covered = _covered(name, value, array, shape, named)
        if not covered.any():
            raise InvalidInputError(f"concept {name!r} covers no pixel: leave it out.")
        taken = labels[covered]
        if (taken < len(concepts)).any():
            other = list(concepts)[int(taken.min())]
            raise InvalidInputError(
                f"concepts {other!r} and {name!r} overlap in {int((taken < len(concepts)).sum())} "
                f"pixels, and a pixel can belong to one alone: remove them from one of both, as in "
                f"{{{name!r}: mask & ~other_mask}}, or make the overlap a concept."
            )
        labels[covered] = k
    names = (*concepts, REST)[: int(labels.max()) + 1]
    if len(names) < 2:
        raise InvalidInputError(
            f"concept {names[0]!r} covers the whole image: name at least one other, or leave some "
            "pixels out."
        )
    return labels, names


def _covered(
    name: str, value: Any, array: NDArray[Any], shape: tuple[int, ...], regions: Segments | None
) -> NDArray[np.bool_]:
    """The pixels of one concept."""
    if is_masked(value):
        raise InvalidInputError(f"concept {name!r} is a masked array: pass {name}.filled(False).")
    if array.dtype == bool:
        if array.shape != shape:
            raise InvalidInputError(
                f"concept {name!r} must have the height and width of its image, {shape}; got "
                f"shape {array.shape}."
            )
        return array
    if array.dtype.kind not in "iu" or array.ndim > 1 or not array.size:
        cure = " Make it bool, as in mask > 0." if array.ndim == 2 else ""
        raise InvalidInputError(
            f"concept {name!r} must be a bool mask {shape} or a list of region numbers; got "
            f"{array.dtype} of shape {array.shape}.{cure}"
        )
    assert regions is not None
    known = np.unique(regions)
    missing = np.setdiff1d(array, known)
    if len(missing):
        raise InvalidInputError(
            f"concept {name!r} names region {missing[0]}, and the regions are {known[0]} to "
            f"{known[-1]}."
        )
    return np.isin(regions, array)
