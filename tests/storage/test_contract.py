"""Every explainer, masker, sampler, solver and rule comes back from a file; found by its export."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import perturbx as px
import pytest
from perturbx import explainers, maskers, rules, samplers, solvers
from perturbx.rules._base import BaseRule
from perturbx.testing._shared import same

X = np.random.default_rng(0).normal(size=(80, 4))
NEEDED: dict[str, Any] = {
    "n_background": 3,
    "masker": maskers.Baseline(),
    "solver": solvers.KernelShapRegression(),
    "order": [[0, 1], [2, 3]],
}
"""Values for what a constructor cannot do without."""


def exported(room: ModuleType, base: type) -> list[type]:
    found = (value for _, value in sorted(vars(room).items()) if inspect.isclass(value))
    return [kind for kind in found if issubclass(kind, base) and not inspect.isabstract(kind)]


def made(kind: type) -> Any:
    parameters = inspect.signature(kind).parameters.values()
    needed = [p.name for p in parameters if p.default is inspect.Parameter.empty]
    return kind(**{name: NEEDED[name] for name in needed})


def bumpy(X: np.ndarray) -> np.ndarray:
    return np.asarray(np.exp(X[:, 0]) * (X[:, 2] > 0) + X[:, 3] ** 2)


def brightness(batch: np.ndarray) -> np.ndarray:
    return np.asarray(batch.mean(axis=tuple(range(1, batch.ndim))) / 255.0)


def letters(texts: Any) -> list[float]:
    return [len(set(text)) + 3.0 * ("man" in text) for text in texts]


def items(batch: Any) -> list[float]:
    return [len(one) + 2.0 * ("there" in one) for one in batch]


IMAGES = np.random.default_rng(0).integers(0, 255, (3, 12, 14, 3), dtype=np.uint8)
SERIES = list(np.random.default_rng(0).normal(size=(3, 30)))
TEXTS = ["A good man is hard to find.", "Bad men are not!", "They come, they go."]
LISTS = [[{"role": "user", "content": "Hi"}, "there"], ["one", ("two", 2), {"three": [3]}]]

DATA: dict[type, tuple[Callable[..., Any], Any]] = {
    maskers.Tokens: (letters, TEXTS),
    maskers.Segments: (items, LISTS),
    maskers.SeriesSegments: (lambda batch: [one[3] + one[7] * one[9] for one in batch], SERIES[:2]),
}
METHODS: dict[type, type] = {
    maskers.GaussianNoise: px.Lime,
    maskers.RegionNoise: px.SmoothGrad,
    maskers.Fade: px.IntegratedGradients,
    maskers.SmoothGrid: px.Rise,
    maskers.SuperpixelTrees: px.OwenShap,
    maskers.ColumnTree: px.OwenShap,
}
"""A method for a masker that not every method takes."""


def round_trip(explainer: Any, folder: Path, ending: str = ".npz") -> Any:
    path = folder / f"saved{ending}"
    explainer.save(path)
    return px.load_explainer(path, getattr(explainer, "predict_fn", None) or explainer.retrain_fn)


def alike(one: Any, other: Any) -> None:
    """Every setting, and everything that fit has learned, down to the bits."""
    assert type(one) is type(other)
    assert vars(one).keys() == vars(other).keys()
    for name in set(vars(one)) - {"predictor_", "archive"}:
        assert same(getattr(one, name), getattr(other, name)), name


def explained(explainer: Any, *data: Any) -> dict[str, Any]:
    found = explainer.explain(*data)
    dates = ("provenance",)
    return {name: value for name, value in vars(found).items() if name not in dates}


@pytest.mark.parametrize("kind", exported(maskers, maskers.Masker), ids=lambda k: k.__name__)
def test_maskers(kind: type, tmp_path: Path) -> None:
    """A loaded masker removes the same, to the bit."""
    model, data = DATA.get(kind, (brightness, IMAGES) if kind.of_images is True else (bumpy, X))
    masker: Any = kind(4) if kind is maskers.SeriesSegments else made(kind)
    if data is IMAGES and kind not in METHODS:
        masker = kind(method="grid", n_segments=6) if kind is maskers.Superpixels else kind((6, 7))
    budget = 2000 if data is X else 200
    explainer = METHODS.get(kind, px.KernelShap)(
        model, masker=masker, budget=budget, random_state=0
    )
    explainer.fit(data)
    loaded = round_trip(explainer, tmp_path)
    alike(loaded, explainer)
    assert same(explained(loaded, data[:2]), explained(explainer, data[:2]))
    assert type(loaded.masker_) is type(explainer.masker_)


@pytest.mark.parametrize("ending", [".npz", ".json"])
@pytest.mark.parametrize(
    "kind",
    [
        k
        for k in exported(explainers, explainers.BaseExplainer)
        if k is not explainers.BaseExplainer
    ],
    ids=lambda k: k.__name__,
)
def test_explainers(kind: type, ending: str, tmp_path: Path) -> None:
    """Also before fit, and without any."""
    explainer = kind(bumpy, random_state=0, budget=5000 if kind in (px.Sage, px.Rise) else 800)
    alike(round_trip(explainer, tmp_path, ending), explainer)
    explainer.fit(X)
    loaded = round_trip(explainer, tmp_path, ending)
    alike(loaded, explainer)
    assert same(explained(loaded, X[:30]), explained(explainer, X[:30]))


@pytest.mark.parametrize("kind", exported(samplers, samplers.Sampler), ids=lambda k: k.__name__)
def test_samplers(kind: type, tmp_path: Path) -> None:
    """As settings of Explainer."""
    explainer = px.Explainer(bumpy, sampler=made(kind))
    assert same(round_trip(explainer, tmp_path).sampler, explainer.sampler)


@pytest.mark.parametrize("kind", exported(solvers, solvers.Solver), ids=lambda k: k.__name__)
def test_solvers(kind: type, tmp_path: Path) -> None:
    """As settings of Explainer."""
    explainer = px.Explainer(bumpy, solver=made(kind))
    assert same(round_trip(explainer, tmp_path).solver, explainer.solver)


@pytest.mark.parametrize("kind", exported(rules, BaseRule), ids=lambda k: k.__name__)
def test_rules(kind: type, tmp_path: Path) -> None:
    """Before and after fit, with the same answers."""

    def decides(X: np.ndarray) -> np.ndarray:
        return (bumpy(X) > 1).astype(int)

    if kind is rules.MinimalSets:  # of images
        rule = kind(lambda batch: (brightness(batch) > 0.4).astype(int), random_state=0, budget=200)
        alike(round_trip(rule, tmp_path), rule)
        return
    by_numbers = kind in (rules.Effects, rules.SurrogateAdditive)
    large = np.random.default_rng(1).normal(size=(300, 4))
    own = {"target": (None, 0.5)} if kind is rules.Counterfactual else {}
    rule = kind(bumpy if by_numbers else decides, random_state=0, **own)
    alike(round_trip(rule, tmp_path), rule)
    rule.fit(large)
    loaded = round_trip(rule, tmp_path)
    alike(loaded, rule)
    data = () if kind.__name__.startswith(("Surrogate", "Effects")) else (large[5],)
    assert same(vars(loaded.explain(*data)), vars(rule.explain(*data)))


def test_data_shapley(tmp_path: Path) -> None:
    """What was trained on is in the file, and is trained on again."""
    from sklearn.neighbors import KNeighborsRegressor

    explainer = px.DataShapley(lambda X, y: KNeighborsRegressor(1).fit(X, y), random_state=0)
    explainer.fit(X[:6], X[:6, 0])
    loaded = round_trip(explainer, tmp_path)
    alike(loaded, explainer)
    assert same(explained(loaded, X[:2]), explained(explainer, X[:2]))


def test_another_process_has_the_same_bits(tmp_path: Path) -> None:
    """A prior that was taught, trees, frames with categories: loaded where nothing was fitted."""
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(400, 8)), columns=list("abcdefgh"))
    frame["kind"] = pd.Categorical(rng.choice(["x", "y", "z"], 400), categories=["z", "y", "x"])
    frame["name"] = rng.choice(["u", "v"], 400)
    (tmp_path / "model.py").write_text(MODEL)
    module: dict[str, Any] = {}
    exec(MODEL, module)
    predict, rows = module["predict"], frame[:3]
    few, settings = px.Background(max_rows=4), {"budget": 400, "random_state": 0}
    taught = px.KernelShap(predict, masker=few, estimator="process", prior="shared", **settings)
    trees = px.AmortizedShap(predict, max_rows=20, budget=150, random_state=0)
    regression = px.KernelShap(
        predict, masker=px.ConditionalRegression(40), budget=60, random_state=0
    )
    wanted = []
    for i, explainer in enumerate((taught, trees, regression)):
        explainer.fit(frame)
        wanted.append(explainer.explain(rows).values)
        explainer.save(tmp_path / f"{i}.npz")
    assert taught.taught_.prior is not None
    rows.to_pickle(tmp_path / "rows.pkl")
    code = (
        "import numpy, pandas, perturbx as px\n"
        "from model import predict\n"
        "rows = pandas.read_pickle('rows.pkl')\n"
        "found = [px.load_explainer(f'{i}.npz', predict).explain(rows).values for i in range(3)]\n"
        "numpy.savez('found.npz', *found)\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=tmp_path, check=True, env=ENV)
    with np.load(tmp_path / "found.npz") as found:
        for i, values in enumerate(wanted):
            np.testing.assert_array_equal(found[f"arr_{i}"], values)


MODEL = """
def predict(rows):
    first = rows["a"] * (rows["kind"] == "x") + rows["b"] * rows["c"] * rows["d"]
    return (first + (rows["name"] == "u") * rows["a"]).to_numpy()
"""
ENV = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(px.__file__).parents[1])])}
