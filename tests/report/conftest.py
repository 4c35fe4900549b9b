"""Explanations of every kind, with names that try to be markup."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import perturbx as px
import pytest

HOSTILE = (
    "<script>window.hurt = 1</script>",
    '</script><img src=x onerror="window.hurt = 2">',
    "\"quotes\" & 'apostrophes'",
    "😀 emoji",
    "שם",
    "\u202eright to left",
    "a" * 300,
    "two\nlines",
)
OUTPUTS = ("<img src=x onerror='window.hurt = 3'>", "</title><b>second</b>")


@pytest.fixture(scope="session")
def hostile() -> tuple[px.Explanation, Any]:
    """Twelve rows of a table with two outputs, and effects."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(40, len(HOSTILE))), columns=HOSTILE)
    X["</script>kind"] = pd.Categorical(rng.choice(["<b>x</b>", "é", "</script>"], 40))

    def model(X: pd.DataFrame) -> np.ndarray:
        first = X.iloc[:, 0] + 2 * X.iloc[:, 1] * X.iloc[:, 2] + (X.iloc[:, 8] == "é")
        return np.stack([first, X.iloc[:, 3]], axis=1)

    explainer = px.KernelShap(model, output_names=OUTPUTS, budget=100, random_state=0)
    effects = px.Effects(model, output_names=OUTPUTS, random_state=0).fit(X).explain()
    return explainer.fit(X).explain(X[:12]), effects


@pytest.fixture(scope="session")
def photos() -> px.Explanation:
    """Two photos with three outputs."""
    images = np.random.default_rng(0).integers(0, 255, size=(2, 24, 36, 3)).astype(np.uint8)

    def model(images: Any) -> np.ndarray:
        shades = np.asarray(images, dtype=float)[:, 6:12] * np.linspace(0, 1, 36)[:, None]
        return shades.mean(axis=(1, 2)) / 255

    masker = px.Windows(shape=6, stride=6, fill=0)
    explainer = px.KernelShap(model, masker=masker, budget=60, random_state=0)
    return explainer.explain(images)


@pytest.fixture(scope="session")
def texts() -> px.Explanation:
    """A text of its own length in each row."""

    def model(texts: Any) -> list[float]:
        return [text.count("good") - 0.5 * text.count("bad") for text in texts]

    return px.Occlusion(model).explain(["good <b>and</b> bad", "a good one, good!"])


@pytest.fixture(scope="session")
def series() -> px.Explanation:
    """Two channels."""
    X = np.random.default_rng(0).normal(size=(2, 60, 2))
    masker = px.SeriesSegments(n_segments=5, channel_axis=-1, channel_names=["<b>a</b>", "b"])
    model = px.Occlusion(lambda X: np.asarray(X)[:, 10:20, 0].mean(axis=1), masker=masker)
    return model.explain(X)
