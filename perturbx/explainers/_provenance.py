"""The provenance of an explanation: everything that is needed to reproduce its numbers."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime, timezone
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np

from perturbx._version import __version__

_LIBRARIES = ("numpy", "scipy", "scikit-learn", "scikit-image", "joblib")


def provenance(explainer: Any, model: str, seed: int, fit_seed: int) -> dict[str, Any]:
    """The seeds, parameters, versions and date, as plain values by name.

    `seed` is the random state of ``explain`` and `fit_seed` that of ``fit``: integers, even if
    they were drawn from a generator or by the operating system.
    """
    parameters = {f.name: plain(getattr(explainer, f.name)) for f in fields(explainer)}
    del parameters["predict_fn"], parameters["random_state"]
    return {
        "method": type(explainer).__name__,
        "model": model,
        "random_state": seed,
        "fit_random_state": fit_seed,
        "budget": parameters.pop("budget"),
        "parameters": parameters,
        "versions": dict(_versions()),
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def plain(value: Any) -> Any:
    """A parameter as plain data; other objects, such as a background, are described in words."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Mapping):
        return {str(name): plain(of) for name, of in value.items()}
    if isinstance(value, (list, tuple)):
        return tuple(map(plain, value))
    name = type(value).__name__
    if is_dataclass(value):
        held = (f"{f.name}={plain(getattr(value, f.name))!r}" for f in fields(value))
        return f"{name}({', '.join(held)})"
    if hasattr(value, "shape"):
        return f"{name} of shape {tuple(value.shape)}"
    return str(getattr(value, "__name__", name))


@cache
def _versions() -> dict[str, str]:
    libraries = {name: version(name) for name in _LIBRARIES}
    return {"perturbx": __version__, "python": platform.python_version(), **libraries}
