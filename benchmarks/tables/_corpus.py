"""Real English that every installation has: docstrings of SciPy and scikit-learn."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import warnings
from collections.abc import Iterator

import numpy as np

PACKAGES = ("scipy", "sklearn")
_SUBPACKAGES = {
    "scipy": "interpolate linalg ndimage optimize signal sparse spatial stats",
    "sklearn": "cluster decomposition ensemble linear_model metrics preprocessing svm tree",
}
_MARKUP = re.compile(r"[`:*<>\\_=|]|\d{3}|--|\.\.|>>>|\[\d")


def paragraphs(package: str) -> list[str]:
    """Paragraphs of prose in the docstrings of a package, each once, in a fixed order."""
    found: dict[str, None] = {}
    for docstring in _docstrings(package):
        for paragraph in docstring.split("\n\n"):
            text = " ".join(paragraph.split())
            if text[:1].isupper() and text.endswith(".") and not _MARKUP.search(text):
                found[text] = None
    return sorted(found)


def _docstrings(package: str) -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in _SUBPACKAGES[package].split():
            module = importlib.import_module(f"{package}.{name}")
            names = [m.name for m in pkgutil.iter_modules(module.__path__, f"{package}.{name}.")]
            for inner in sorted(n for n in names if "test" not in n):
                try:
                    yield from _of_module(importlib.import_module(inner))
                except ImportError:
                    continue


def _of_module(module: object) -> Iterator[str]:
    for _, value in sorted(vars(module).items()):
        if inspect.isfunction(value) or inspect.isclass(value):
            yield inspect.getdoc(value) or ""


def sample(texts: list[str], least: int, most: int, n: int, seed: int) -> list[str]:
    """Some texts of at least `least` and at most `most` words."""
    fitting = [text for text in texts if least <= len(text.split()) <= most]
    chosen = np.random.default_rng(seed).permutation(len(fitting))[:n]
    return [fitting[i] for i in sorted(chosen)]
