"""Explanations to draw, and a check that tests leave no figure open."""

from __future__ import annotations

from dataclasses import dataclass, replace

import matplotlib
import numpy as np
import perturbx as px
import pytest
from perturbx.features import LabelMap, SeriesMap
from perturbx.result import Explanation, Interactions

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def closed_figures():
    """No test leaves a figure open."""
    import matplotlib.pyplot as plt

    yield
    plt.close("all")


@pytest.fixture
def shows(monkeypatch):
    """How often plt.show was called."""
    import matplotlib.pyplot as plt

    calls = []
    monkeypatch.setattr(plt, "show", lambda *args, **kwargs: calls.append(args))
    return calls


@pytest.fixture
def make():
    """A result of n instances, d features and k outputs (0: no such axis) that adds up."""

    def build(n: int = 8, d: int = 6, k: int = 0, **changes) -> Explanation:
        rng = np.random.default_rng(n + d + k)
        tail = (k,) if k else ()
        values = rng.normal(size=(n, d, *tail))
        base = rng.normal(size=(n, *tail))
        fields = {
            "values": values,
            "standard_errors": rng.uniform(0.01, 0.3, size=values.shape),
            "base_values": base,
            "predictions": base + values.sum(axis=1),
            "residual": np.zeros_like(base),
            "data": rng.normal(size=(n, d)),
            "feature_names": tuple(f"feature {i}" for i in range(d)),
            "output_names": tuple(f"class {j}" for j in range(k or 1)),
            "axes": ("instance", "feature", "output")[: values.ndim],
            "method": "KernelShap",
            "value_function": "absent features from 100 background rows",
            "n_rows": 400,
            "n_calls": 2,
            "degrees_of_freedom": 9.0,
        }
        return Explanation(**{**fields, **changes})

    return build


@pytest.fixture
def photo(make):
    """An image of 4 regions (2 x 3 pixels each), with k outputs."""
    segments = np.kron([[0, 1], [2, 3]], np.ones((2, 3), dtype=int))

    def build(k: int = 0, image=None, regions=None) -> Explanation:
        regions = LabelMap(segments) if regions is None else regions
        image = np.zeros((*regions.shape, 3)) if image is None else image
        d = len(regions)
        return make(1, d, k, data=np.asarray(image)[None], regions=(regions,))[0]

    return build


@dataclass(frozen=True, eq=False)
class Found:
    """The attributes of a result that `curves` reads."""

    metric: str
    better: str
    value_function: str
    axes: tuple[str, ...]
    output_names: object
    values: np.ndarray
    references: dict
    shares: np.ndarray | None
    curves: np.ndarray | None
    reference_curves: dict


@pytest.fixture
def found():
    """A deletion of n instances and k outputs (0: no such axis), with a random reference."""

    def build(metric: str = "deletion", n: int = 0, k: int = 0, seed: int = 0, **changes) -> Found:
        shape = tuple(size for size in (n, k) if size)
        rng = np.random.default_rng(seed)
        curves, others = rng.uniform(0.1, 0.9, (2, *shape, 6))
        fields = {
            "metric": metric,
            "better": "lower" if metric == "deletion" else "higher",
            "value_function": "absent positions show a blurred copy of the image",
            "axes": ("instance",) * bool(n) + ("output",) * bool(k),
            "output_names": tuple(f"class {j}" for j in range(k or 1)),
            "values": curves.mean(axis=-1),
            "references": {"random": others.mean(axis=-1)},
            "shares": np.linspace(0, 1, 6),
            "curves": curves,
            "reference_curves": {"random": others},
        }
        return Found(**{**fields, **changes})

    return build


@pytest.fixture
def pairs(make):
    """An explanation with interactions."""

    def build(n: int = 8, d: int = 6, k: int = 0, **changes) -> Explanation:
        one = make(n, d, k)
        rng = np.random.default_rng(0)
        shape = (n, d, d, *one.shape[2:])
        size = rng.normal(size=shape)
        values, other = size + np.swapaxes(size, 1, 2), 2 * size
        errors = np.full(shape, 0.3)
        found = Interactions(values, other, errors, errors, degrees_of_freedom=9.0)
        return replace(one, interactions=replace(found, **changes))

    return build


@dataclass(frozen=True)
class Rule:
    """The attributes of an anchor that `rules` reads."""

    text: str = "If age > 30 and sex = f: yes"
    precision: float = 0.97
    precision_interval: tuple[float, float] = (0.96, 0.98)
    coverage: float = 0.2
    coverage_interval: tuple[float, float] = (0.17, 0.24)
    threshold: float = 0.95
    confidence: float = 0.95
    reached: bool = True
    n_training: int = 500
    alternatives: tuple = ()


@pytest.fixture
def anchor():
    """A rule."""
    return Rule


@pytest.fixture
def examples(make, photo, found, pairs, anchor):
    """For each plot what it draws, as a function without arguments."""
    return {
        "bar": lambda: make()[0],
        "beeswarm": make,
        "cohorts": lambda: px.compare_cohorts(make(n=20), make(n=24)),
        "compare": lambda: {"one": make()[0], "other": make(n=9)[0]},
        "convergence": lambda: [make(n_rows=100)[0], make(n_rows=4000)[0]],
        "curves": found,
        "effects": lambda: _effects().explain(),
        "force": lambda: make()[0],
        "heatmap": make,
        "interactions": pairs,
        "overlay": photo,
        "rules": lambda: [anchor(), anchor(reached=False)],
        "scatter": make,
        "series": lambda: photo(
            image=np.arange(8.0), regions=SeriesMap(np.repeat(np.arange(4), 2))
        ),
        "surface": lambda: _effects().interaction(0, 1),
        "text": lambda: px.Occlusion(lambda texts: np.array(list(map(len, texts)))).explain("a b"),
        "tree": lambda: (
            px.SurrogateTree(_model, max_leaves=4, random_state=0).fit(_rows()).explain()
        ),
        "waterfall": lambda: make()[0],
    }


def _rows():
    return np.random.default_rng(0).normal(size=(120, 2))


def _model(X):
    return X[:, 0] * X[:, 1] + X[:, 0]


def _effects():
    return px.Effects(_model, random_state=0).fit(_rows())
