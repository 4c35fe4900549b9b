"""An explanation as shap's draws with the plots of shap that take one."""

from __future__ import annotations

import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest
from perturbx.errors import InvalidInputError
from perturbx.features import LabelMap, WindowGrid
from perturbx.result import Explanation

with warnings.catch_warnings():
    # shap's own imports warn in some versions of its dependencies.
    warnings.simplefilter("ignore")
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    shap = pytest.importorskip("shap")

pytestmark = pytest.mark.filterwarnings("ignore")
N, D = 30, 8


def build(k: int = 0, n: int = N, d: int = D, **changes) -> Explanation:
    rng = np.random.default_rng(0)
    tail = (k,) if k else ()
    values = rng.normal(size=(n, d, *tail))
    fields = {
        "values": values,
        "standard_errors": np.full(values.shape, 0.1),
        "base_values": np.full((n, *tail), 0.5),
        "predictions": 0.5 + values.sum(axis=1),
        "data": rng.normal(size=(n, d)),
        "feature_names": tuple(f"f{j}" for j in range(d)),
        "output_names": tuple(f"o{j}" for j in range(k or 1)),
        "axes": ("instance", "feature", "output")[: values.ndim],
        "method": "KernelShap",
        "value_function": "a baseline",
        "n_rows": 1,
        "n_calls": 1,
    }
    return Explanation(**{**fields, **changes})


@pytest.fixture(autouse=True)
def closed_figures():
    import matplotlib.pyplot as plt

    yield
    plt.close("all")


def decision(x, show):
    shap.plots.decision(x.base_values[0], x.values, x.data, list(x.feature_names), show=show)


OF_MANY = {
    "bar": shap.plots.bar,
    "beeswarm": shap.plots.beeswarm,
    "heatmap": shap.plots.heatmap,
    "violin": shap.plots.violin,
    "decision": decision,
    "scatter": lambda x, show: shap.plots.scatter(x[:, "f1"], color=x, show=show),
}
OF_ONE = {
    "bar": shap.plots.bar,
    "waterfall": shap.plots.waterfall,
    "force": lambda x, show: shap.plots.force(x, matplotlib=True, show=show),
}


@pytest.mark.parametrize("k", [0, 3])
@pytest.mark.parametrize("plot", OF_MANY)
def test_plots_of_many_instances(plot, k):
    """One output, and one of three, sliced on our side or on shap's."""
    ours = build(k)
    OF_MANY[plot](ours[..., "o1"].to_shap() if k else ours.to_shap(), show=False)
    if k:
        OF_MANY[plot](ours.to_shap()[:, :, "o1"], show=False)


@pytest.mark.parametrize("k", [0, 3])
@pytest.mark.parametrize("plot", OF_ONE)
def test_plots_of_one_instance(plot, k):
    """One output, and one of three, sliced on our side or on shap's; with text in the data."""
    ours = build(k)
    OF_ONE[plot](ours[0, :, "o1"].to_shap() if k else ours[0].to_shap(), show=False)
    OF_ONE[plot](ours.to_shap()[0, :, "o1"] if k else ours.to_shap()[0], show=False)
    text = build(k, data=np.full((N, D), "red", dtype=object))
    OF_ONE[plot](text[0, :, "o1"].to_shap() if k else text[0].to_shap(), show=False)


AWKWARD = {
    "names and text with dollars": {
        "feature_names": ("$a$", "b$", "$c", "$$", r"\$d$", "e_1^2", "$\\frac$", "$f_{$"),
        "output_names": ("$o$ and $",),
        "data": np.full((N, D), "$1 to $2", dtype=object),
    },
    "mixed cells": {
        "data": np.array([[1, "red", None, 2.5, "", True, np.nan, -3]] * N, dtype=object)
    },
    "dates": {"data": np.full((N, D), "2024-02-29", dtype="datetime64[D]")},
    "missing numbers": {"data": np.where(np.arange(D) == 2, np.nan, np.ones((N, D)))},
    "bools": {"data": np.arange(N * D).reshape(N, D) % 3 == 0},
    "two instances": {"n": 2},
}
PLOTS = {**OF_MANY, **{f"{name} of one": plot for name, plot in OF_ONE.items()}}


@pytest.mark.parametrize("case", AWKWARD)
def test_names_and_data_of_any_kind(case):
    """Every plot that is promised draws them to the last text."""
    import matplotlib.pyplot as plt

    ours = build(**AWKWARD[case])
    for name, plot in PLOTS.items():
        if name == "violin":  # of numbers alone: see above
            continue
        whole = ours
        if name == "scatter":
            whole = replace(ours, feature_names=("$a$", "f1", *ours.feature_names[2:]))
        plot(whole[0].to_shap() if name.endswith("of one") else whole.to_shap(), show=False)
        for figure in map(plt.figure, plt.get_fignums()):
            figure.canvas.draw()
        plt.close("all")


def test_one_feature_scatters():
    """explanation[:, "f1"] is what shap.plots.scatter takes."""
    shap.plots.scatter(build()[:, "f1"].to_shap(), show=False)


def test_the_numbers_are_ours():
    """Values, base values, data, names and intervals, and shap's slices are our slices."""
    ours = build(3)
    theirs = ours.to_shap()
    np.testing.assert_array_equal(theirs[2, :, "o1"].values, ours[2, :, "o1"].values)
    np.testing.assert_array_equal(theirs[2, :, "o1"].base_values, ours[2, :, "o1"].base_values)
    np.testing.assert_array_equal(theirs[2].data, ours[2].data)
    np.testing.assert_array_equal(theirs.lower_bounds, ours.interval()[0])
    np.testing.assert_array_equal(theirs.upper_bounds, ours.interval()[1])
    assert (theirs.feature_names, theirs.output_names) == (
        list(ours.feature_names),
        list(ours.output_names),
    )


def images(k: int, channels: tuple[int, ...], regions, n: int = 2, **changes) -> Explanation:
    data = np.random.default_rng(1).uniform(size=(n, *regions.shape, *channels))
    return build(k, n, len(regions), data=data, regions=(regions,) * n, **changes)


QUARTERS = LabelMap(np.kron([[0, 1], [2, 3]], np.ones((4, 6), dtype=int)))
WINDOWS = WindowGrid(np.array([[0, 0], [2, 2], [4, 4], [6, 8]]), (4, 4), (8, 12))


@pytest.mark.parametrize("regions", [QUARTERS, WINDOWS], ids=["segments", "windows"])
@pytest.mark.parametrize("channels", [(), (1,), (3,)], ids=str)
@pytest.mark.parametrize("k", [0, 3])
def test_maps_of_images_sum_to_the_scores(k, channels, regions):
    """Summed over height, width and channels a map has the sum of the scores, for each output."""
    ours = images(k, channels, regions)
    theirs = ours.to_shap()
    assert theirs.values.shape[:4] == theirs.data.shape == (2, 8, 12, *(channels or (1,)))
    np.testing.assert_allclose(theirs.values.sum(axis=(1, 2, 3)), ours.values.sum(axis=1))
    for part in (theirs, theirs[0], ours[0].to_shap(), ours[..., 0].to_shap() if k else theirs):
        shap.plots.image(part, show=False)


def test_a_region_has_its_own_score():
    """Within a superpixel the map sums to that superpixel's score."""
    ours = images(0, (3,), QUARTERS)[0]
    values = ours.to_shap().values
    for i in range(4):
        np.testing.assert_allclose(values[QUARTERS.cover(i)].sum(), ours.values[i])


@pytest.mark.parametrize("n", [2, 3])
def test_images_with_outputs_of_their_own(n):
    """Each image's own names, also where shap could take them for another axis (3 x 3)."""
    names = np.array([[f"{i}.{j}" for j in range(3)] for i in range(n)], dtype=object)
    ours = images(3, (3,), QUARTERS, n=n, output_names=names)
    shap.plots.image(ours.to_shap(), show=False)
    shap.plots.image(ours[1].to_shap(), show=False)
    assert ours[1].to_shap().output_names == ["1.0", "1.1", "1.2"]


def test_images_of_several_shapes_are_refused():
    """Shap's batches are one array: the error offers single images."""
    maps = (QUARTERS, LabelMap(np.array([[0, 1, 2, 3]])))
    data = tuple(np.zeros((*m.shape, 3)) for m in maps)
    ours = build(0, 2, 4, data=data, regions=maps)
    with pytest.raises(InvalidInputError, match=r"explanation\[i\].to_shap"):
        ours.to_shap()
    assert ours[1].to_shap().values.shape == (1, 4, 3)


def test_without_shap_the_error_says_how_to_get_it(monkeypatch):
    """An ImportError with the command."""
    monkeypatch.setitem(sys.modules, "shap", None)
    with pytest.raises(ImportError, match=r'pip install "perturbx\[shap\]"'):
        build().to_shap()
