"""Whatever is passed for a parameter: it works, or an error of ours refuses it in time."""

from __future__ import annotations

import dataclasses
import inspect
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import perturbx as px
import pytest
from joblib import parallel_config
from perturbx import explainers, maskers, metrics, plots, samplers, solvers
from perturbx.errors import PerturbxError, RejectPerturbations
from perturbx.testing._shared import answers


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is taken for a file is written where it does no harm."""
    monkeypatch.chdir(tmp_path)


class Opaque:
    """An object whose representation fails, as those of some libraries do."""

    def __repr__(self) -> str:
        raise RuntimeError("no representation")


def values() -> dict[str, Any]:
    """Values that few parameters can have, made anew, since some can be used up."""
    return {
        "None": None,
        "text": "nonsense",
        "no text": "",
        "bytes": b"x",
        "numbers": [1, 2],
        "fractions": [0.5, -1.0],
        "texts": ["a", "b"],
        "nothing": [],
        "ragged": [[1], [2, 3]],
        "mixed": [1, "a", None],
        "tuple": (0,),
        "dict": {"a": 1},
        "set": {1},
        "nan": float("nan"),
        "inf": float("inf"),
        "negative": -1,
        "below 0": -0.5,
        "zero": 0,
        "half": 0.5,
        "one": 1,
        "True": True,
        "False": False,
        "complex": 1j,
        "huge": 10**400,
        "long": 10**5000,
        "NumPy NaN": np.float64("nan"),
        "NumPy int": np.int64(-5),
        "cube": np.zeros((2, 3, 4)),
        "empty array": np.array([]),
        "0-d array": np.array(3),
        "array of text": np.array(["a"]),
        "array with NaN": np.array([np.nan, 1.0]),
        "date": np.datetime64("2020-01-01"),
        "function": len,
        "class": int,
        "generator": (i for i in range(2)),
        "rng": np.random.default_rng(0),
        "masker": px.Baseline([0.0, 0.0]),
        "slice": slice(2),
        "object": Opaque(),
    }


TABLE = np.array([[0.0, 1.5], [1.0, 0.0], [2.0, 3.0], [3.0, 1.0]])
IMAGE = np.random.default_rng(0).random((8, 8, 3))
PROBE = 3


class Model:
    """Counts the rows that it is asked for."""

    def __init__(self) -> None:
        self.n_rows = 0

    def __call__(self, X: Any) -> np.ndarray:
        self.n_rows += len(X)
        return np.nan_to_num(np.asarray(X)).reshape(len(X), -1)[:, :2] @ [0.1, 0.2]


def exported(room: Any, base: type) -> list[type]:
    kinds = [kind for _, kind in sorted(vars(room).items()) if inspect.isclass(kind)]
    return [kind for kind in kinds if issubclass(kind, base) and not inspect.isabstract(kind)]


def own_parameters(kind: Any, inherited: Any = ()) -> list[str]:
    return [name for name in inspect.signature(kind).parameters if name not in inherited]


def check(use: Callable[[Any], Any], model: Model | None = None) -> None:
    """`use` takes every value, or refuses it by an error of ours before the model is paid for."""
    bare = []
    for name, value in values().items():
        if model is not None:
            model.n_rows = 0
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                use(value)
        except PerturbxError as error:
            if not isinstance(error, (ValueError, TypeError, RuntimeError, OSError)):
                bare.append(f"{name}: {type(error).__name__} is no builtin")
            if model is not None and model.n_rows > PROBE:
                bare.append(f"{name}: refused after {model.n_rows} rows: {error}")
        except Exception as error:
            bare.append(f"{name}: {type(error).__name__}: {str(error)[:200]}")
    assert not bare, "\n".join(bare)


COMMON = own_parameters(px.Occlusion)
METHODS = [k for k in exported(explainers, explainers.BaseExplainer) if k.__name__ != "Rise"]
MASKERS_OF_TABLES = {
    "Background": px.Occlusion,
    "Baseline": px.Occlusion,
    "CausalCopula": px.Occlusion,
    "ColumnTree": px.OwenShap,
    "ConditionalCopula": px.Occlusion,
    "ConditionalForest": px.Occlusion,
    "ConditionalNearest": px.Occlusion,
    "ConditionalRegression": px.Occlusion,
    "GaussianNoise": px.Lime,
}


@pytest.mark.parametrize("name", COMMON)
@pytest.mark.parametrize("when", ["fit", "explain"])
def test_parameters_that_methods_share(
    name: str, when: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of every explainer: before fit, and where they are set later."""
    monkeypatch.chdir(tmp_path)  # a text is a path of an archive
    model = Model()

    def use(value: Any) -> None:
        if when == "fit":
            given = {"predict_fn": model, name: value}
            with parallel_config("threading"):
                px.Occlusion(**given).fit(TABLE).explain(TABLE[:2])
            return
        explainer = px.KernelShap(model).fit(TABLE)
        model.n_rows = 0
        with parallel_config("threading"):
            explainer.set_params(**{name: value}).explain(TABLE[:2])

    check(use, model)


@pytest.mark.parametrize(
    ("kind", "name"),
    [(kind, name) for kind in [*METHODS, px.Rise] for name in own_parameters(kind, COMMON)],
    ids=lambda case: getattr(case, "__name__", case),
)
def test_parameters_of_methods(kind: Any, name: str) -> None:
    """Those of one method alone."""
    model = Model()

    def use(value: Any) -> None:
        masker = px.ColumnTree() if kind is px.OwenShap else px.Background()
        explainer = kind(model, masker=masker, random_state=0, **{name: value})
        explainer.fit(TABLE).explain(TABLE[:2])

    check(use, model)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (kind, name)
        for kind in [*exported(maskers, maskers.Masker), px.RegionTree]
        for name in own_parameters(kind)
    ],
    ids=lambda case: getattr(case, "__name__", case),
)
def test_parameters_of_maskers(kind: Any, name: str) -> None:
    """Refused in fit at the latest."""
    model = Model()

    def use(value: Any) -> None:
        if kind.__name__ in MASKERS_OF_TABLES:
            method = MASKERS_OF_TABLES[kind.__name__]
            needed = {"order": [[0], [1]]} if "order" in own_parameters(kind) else {}
            masker = kind(**{**needed, name: value})
            explainer = method(model, masker=masker, random_state=0)
            explainer.fit(TABLE).explain(TABLE[:2])
            return
        masker = kind(**{name: value})
        masker = px.SuperpixelTrees(masker) if kind is px.RegionTree else masker
        trees, grid = isinstance(masker, px.SuperpixelTrees), isinstance(masker, px.SmoothGrid)
        method = px.OwenShap if trees else px.Rise if grid else px.Occlusion
        method(model, masker=masker, random_state=0, budget=100).explain(IMAGE)

    check(use, model)


@pytest.mark.parametrize(
    ("kind", "name"),
    [(k, n) for k in exported(samplers, samplers.Sampler) for n in own_parameters(k)],
    ids=lambda case: getattr(case, "__name__", case),
)
def test_parameters_of_samplers(kind: Any, name: str) -> None:
    """What is accepted draws."""

    def use(value: Any) -> None:
        needed = {"n_background": 3} if "n_background" in own_parameters(kind) else {}
        sampler = kind(**{**needed, name: value})
        if not isinstance(value, (int, np.integer)) or abs(int(value)) < 1000:
            sampler.draw(4, max(sampler.minimum(4), 20), np.random.default_rng(0))

    check(use)


@pytest.mark.parametrize(
    ("kind", "name"),
    [(k, n) for k in exported(solvers, solvers.Solver) for n in own_parameters(k)],
    ids=lambda case: getattr(case, "__name__", case),
)
def test_parameters_of_solvers(kind: Any, name: str) -> None:
    """What is accepted solves, or refuses a design that is not its own."""
    designs = [
        sampler.draw(6, 24, np.random.default_rng(0))
        for sampler in (samplers.ShapleyCoalitions(), samplers.GaussianNoise())
    ]

    needed = {"solver": solvers.KernelShapRegression()} if "solver" in own_parameters(kind) else {}

    def use(value: Any) -> None:
        solver = kind(**{**needed, name: value})
        for design in designs:
            try:
                solver.solve(answers(design, 1))
            except RejectPerturbations:
                continue

    check(use)


METRICS = [f for _, f in sorted(vars(metrics).items()) if inspect.isfunction(f)]
EXPLAINS = {"stability", "max_sensitivity", "randomization", "compare"}


@pytest.mark.parametrize(
    ("metric", "name"),
    [(f, n) for f in METRICS for n in own_parameters(f)],
    ids=lambda case: getattr(case, "__name__", case),
)
def test_parameters_of_metrics(metric: Any, name: str) -> None:
    """What can be known to fail is refused before the model is asked for more than a probe.

    Whether outputs, instances and rows suit an explanation is known once there is one.
    """
    model = Model()
    known_later = {"outputs", "X", "background", "predict_fn", "fill", "randomized"}
    watched = None if metric.__name__ in EXPLAINS and name in known_later else model
    explainer = px.KernelShap(model, masker=px.Background(TABLE), random_state=0)
    explanation = explainer.explain(TABLE[:2])

    def use(value: Any) -> None:
        given: dict[str, Any] = {
            "predict_fn": model, "X": TABLE[:2], "explanation": explanation, "explainer": explainer,
            "explainers": {"shap": explainer, "other": lambda X: np.ones(X.shape)},
        }  # fmt: skip
        needed = {n: given[n] for n in own_parameters(metric) if n in given}
        if metric is metrics.compare:
            needed["predict_fn"] = model
        metric(**{**needed, name: value})

    check(use, watched)


@pytest.fixture(scope="module")
def drawn() -> dict[str, Any]:
    explainer = px.KernelShap(Model(), masker=px.Background(TABLE))
    masker = px.Superpixels(method="grid", n_segments=4)
    of_rows = explainer.explain(TABLE[:2])
    return {
        "bar": of_rows[0],
        "waterfall": of_rows[0],
        "overlay": px.Occlusion(Model(), masker=masker).explain(IMAGE),
        "curves": metrics.deletion(Model(), TABLE[:2], of_rows),
    }


@pytest.mark.parametrize(
    ("plot", "name"),
    [(p, n) for p in ("bar", "waterfall", "overlay", "curves")
     for n in own_parameters(getattr(plots, p), ["show"])],
)  # fmt: skip
def test_parameters_of_plots(plot: str, name: str, drawn: dict[str, Any]) -> None:
    """What is accepted draws."""
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    function = getattr(plots, plot)
    first = own_parameters(function)[0]

    def use(value: Any) -> None:
        try:
            function(**{first: drawn[plot], "show": False, name: value})
        finally:
            plt.close("all")

    check(use)


def test_methods_of_explanations(drawn: dict[str, Any], tmp_path: Any) -> None:
    """Intervals, slices by one or several keys, heat maps, files, frames."""
    rows, image = drawn["bar"], drawn["overlay"]
    check(rows.interval)
    check(lambda key: rows[key])
    check(lambda key: rows[key, 0])
    check(lambda key: rows[[key]])
    check(image.heatmap)
    check(rows.save)
    check(px.load)
    check(px.interop.to_frame)


@pytest.mark.parametrize("name", own_parameters(px.interop.ImagePreprocess))
def test_parameters_of_preprocessing(name: str) -> None:
    """What is accepted makes the input of a network."""
    photos = np.zeros((1, 9, 9, 3), dtype=np.uint8)

    def use(value: Any) -> None:
        # A size is what it says: an input of 2**400 pixels would not fit.
        px.interop.ImagePreprocess(**{"size": 4, name: value})(photos)

    check(use)


def test_every_room_was_found() -> None:
    """So that a room which exports nothing is no reason to pass."""
    assert len(METHODS) >= 6
    assert len(METRICS) >= 12
    assert len(COMMON) >= 13
    assert dataclasses.is_dataclass(px.Background)
