"""Input checks with one wording: the name, the expected and the given value, the cure."""

from __future__ import annotations

import difflib
import inspect
import numbers
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from importlib import import_module
from typing import Any

import numpy as np

from perturbx._typing import Floats, RandomState
from perturbx.errors import InvalidParameterError, PerturbxError, UnknownParameterError

_THEIR_WORDS = {
    "budget": "nsamples num_samples n_samples max_evals npermutations",
    "batch_size": "perturbations_per_eval",
    "predict_fn": "model f classifier_fn forward_func",
    "random_state": "seed rng",
    "fit(X)": "data",
    "masker=Background(X)": "background_data",
    "masker=Baseline(...)": "baselines",
    "masker=Superpixels(fill=...)": "hide_color",
    "masker=Superpixels(segments=...)": "segmentation_fn",
    "masker=Windows(shape=...)": "sliding_window_shapes",
    "masker=Windows(stride=...)": "strides",
    "masker=Superpixels(channel_axis=...)": "channel_axis",
    "outputs": "labels target",
    'outputs="top3"': "top_labels ranked_outputs",
    "output_names": "class_names",
    "nothing: no feature is dropped": "l1_reg",
    "verbose": "silent show_progress progress_bar",
    "n_counterfactuals": "total_CFs",
    "target": "desired_class desired_range",
    "frozen=[the other features]": "features_to_vary",
    "weights": "feature_weights",
}
"""For each parameter, its names in shap, lime, captum and DiCE."""


def invalid(name: str, expected: str, got: Any, cure: str = "") -> InvalidParameterError:
    """The error for a parameter that cannot have its value."""
    said = f"{name} must be {expected}; got {shown(got)}.{' ' * bool(cure)}{cure}"
    return InvalidParameterError(said)


def shown(value: Any, most: int = 80) -> str:
    """A value as a message shows it, in at most so many characters."""
    try:
        text = repr(value)
    except Exception:  # whatever an object's own repr raises; Python's, for 5,000 digits
        text = f"a value of type {type(value).__name__}"
    return text if len(text) <= most else f"{text[: most - 3]}..."


def needed(module: str, by: str, install: str) -> Any:
    """A library that perturbx does not require; without it, how to install it."""
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(f"{by} needs {module}: pip install {install}") from error


def is_masked(values: Any) -> bool:
    """Whether an array, or one in a list, has masked numbers, which must not be read."""
    parts = values if isinstance(values, (list, tuple)) else [values]
    return any(isinstance(part, np.ma.MaskedArray) and np.ma.is_masked(part) for part in parts)


def real_numbers(values: Any) -> Floats:
    """The values as float64.

    Raises
    ------
    TypeError, ValueError, OverflowError
        If they are not numbers, or have a mask or imaginary parts, which would be lost.
    """
    array = np.asarray(values)
    if is_masked(values) or array.dtype.kind not in "biufO":
        raise TypeError(f"a {type(values).__name__} of dtype {array.dtype}")
    return np.asarray(array, dtype=np.float64)


LARGEST = 2**63 - 1
"""The largest integer that an array can hold."""


def check_integer(name: str, value: Any, *, minimum: int | None = None) -> int:
    """An int that an array can hold, of at least `minimum` if there is one."""
    is_integer = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if is_integer and (-LARGEST if minimum is None else minimum) <= int(value) <= LARGEST:
        return int(value)
    bound = "" if minimum is None else f" of at least {minimum}"
    if is_integer and abs(int(value)) > LARGEST:
        bound = " of at most 63 binary digits"
    raise invalid(name, f"an integer{bound}", value)


def check_number(name: str, value: Any, *, above: float = -np.inf, below: float = np.inf) -> float:
    """A finite float strictly between two bounds."""
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:  # an integer beyond all floats
            number = np.inf
        if above < number < below:
            return number
    bounds = [f"above {above:g}"] if np.isfinite(above) else []
    bounds += [f"below {below:g}"] if np.isfinite(below) else []
    raise invalid(name, f"a number {' and '.join(bounds)}".strip(), value)


def check_flag(name: str, value: Any) -> bool:
    """True or False; nothing else that Python takes for one of them."""
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    raise invalid(name, "True or False", value)


def check_kind(
    name: str, value: Any, kind: type | tuple[type, ...], expected: str, cure: str = ""
) -> None:
    """An instance of a class, or of one of several."""
    if not isinstance(value, kind):
        raise invalid(name, expected, value, cure)


def check_list(name: str, value: Any, of_what: str) -> list[Any]:
    """A sequence that is not empty: a list, a tuple, a flat array or an index."""
    in_order = isinstance(value, Iterable) and not isinstance(
        value, (str, bytes, Mapping, Set, Iterator)
    )
    items = list(value) if in_order and len(getattr(value, "shape", "n")) == 1 else []
    if not items:
        raise invalid(name, f"a list of {of_what}", value)
    return items


def check_names(name: str, value: Any) -> list[Any]:
    """A sequence of names: strings, or numbers that label columns or classes."""
    names = check_list(name, value, "names")
    labels = all(isinstance(label, (str, numbers.Real, np.bool_)) for label in names)
    if not labels or any(label != label for label in names):
        raise invalid(name, "a list of names", value)
    return names


def check_selection(outputs: Any) -> None:
    """Refuse a choice of outputs that no model could have."""
    if outputs is None or _is_key(outputs):
        return
    is_flat = isinstance(outputs, (list, tuple)) or len(getattr(outputs, "shape", ())) == 1
    if not is_flat:
        raise invalid("outputs", 'None, an index, a name, a list of these, or "top3"', outputs)
    if len(outputs) == 0:
        raise invalid("outputs", "at least one output", outputs)
    for output in outputs:
        if not _is_key(output):
            raise invalid("outputs", "an index or a name", output)


def top_of(outputs: Any) -> int | None:
    """The number in "top3"; None if the outputs are not chosen in this way."""
    is_top = isinstance(outputs, str) and outputs.startswith("top") and outputs[3:].isdecimal()
    return int(outputs[3:]) if is_top else None


def _is_key(output: Any) -> bool:
    return isinstance(output, (str, numbers.Integral)) and not isinstance(output, bool)


def check_choice(name: str, value: Any, choices: Iterable[str]) -> str:
    """One of a few strings."""
    known = list(choices)
    if isinstance(value, str) and value in known:
        return value
    raise invalid(name, f"one of {', '.join(map(repr, known))}", value)


def check_keywords(kind: type, keywords: Mapping[str, Any]) -> None:
    """Refuse unknown keywords, and translate those of other libraries."""
    known = [name for name in inspect.signature(kind).parameters if name != "self"]
    for name in keywords:
        if name in known:
            continue
        ours = next((ours for ours, theirs in _THEIR_WORDS.items() if name in theirs.split()), "")
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"{name} → {ours}" if ours else f"did you mean {close[0]}?" if close else ""
        raise UnknownParameterError(
            f"{kind.__name__} has no parameter {name!r}{': ' * bool(hint)}{hint}. "
            f"It has {', '.join(known)}."
        )


def distinct_names(
    what: str,
    labels: Iterable[Any],
    error: type[PerturbxError] = InvalidParameterError,
    cure: str = "rename one of them",
) -> tuple[str, ...]:
    """Labels as strings; an error if two of them print alike."""
    names: dict[str, Any] = {}
    for label in labels:
        name = str(label)
        if name in names:
            raise error(
                f"{what}: {names[name]!r} and {label!r} print alike, so their scores could be "
                f"confused: {cure}."
            )
        names[name] = label
    return tuple(names)


def position_of(
    key: Any, names: Sequence[Any], size: int, what: str, error: type[PerturbxError]
) -> int:
    """The position, 0 to size - 1, of a name, or of an integer that may count from the end."""
    if not isinstance(key, str):
        if not -size <= key < size:
            there = f"are {size}, 0 to {size - 1}" if size > 1 else f"is {size}"
            raise error(f"No {what} {shown(key)}: there {there}.")
        return int(key) % size
    if key in names:
        return list(names).index(key)
    meant = did_you_mean(key, map(str, names))
    known = ", ".join(map(repr, names[:20])) or "no names"
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    raise error(
        f"No {what} is named {key!r}{meant}{' There' if meant else ': there'} are {known}{more}."
    )


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A suggestion for an unknown name: known names that are similar or contain it."""
    plain = {_plain(other): other for other in reversed(list(known))}
    words = f" {_plain(name)} "
    found = [other for other in reversed(plain) if words in f" {other} "]
    found += difflib.get_close_matches(_plain(name), plain, n=3, cutoff=0.75)
    shown = [repr(plain[other]) for other in dict.fromkeys(found)][:3]
    return f": did you mean {' or '.join(shown)}?" if shown else ""


def _plain(name: str) -> str:
    """A name without differences in case, blanks, hyphens and underscores."""
    return " ".join(name.lower().replace("_", " ").replace("-", " ").split())


def check_random_state(random_state: RandomState) -> np.random.SeedSequence:
    """The seed sequence of all draws; a generator gives a new one at each call."""
    if random_state is None:
        return np.random.SeedSequence(
            secrets.randbits(63)
        )  # small enough to be reported and passed again
    if isinstance(random_state, np.random.Generator):
        return np.random.SeedSequence(int(random_state.integers(2**63)))
    if isinstance(random_state, np.random.RandomState):
        return np.random.SeedSequence(int(random_state.randint(2**31 - 1)))
    if isinstance(random_state, numbers.Integral) and not isinstance(random_state, bool):
        return np.random.SeedSequence(check_integer("random_state", random_state, minimum=0))
    raise invalid("random_state", "None, an integer, or a NumPy generator", random_state)
