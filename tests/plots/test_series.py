"""Plots of series: what is drawn is what was explained; and the pictures of a notebook."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import numpy as np
import perturbx as px
import pytest
from perturbx import plots
from perturbx.errors import InvalidParameterError
from perturbx.features import LabelMap


def drawn(n_channels: int = 3, channels: str = "each", n_steps: int = 60, **settings: Any) -> Any:
    """The exact scores of a product of means, with channels of very different units."""
    rng = np.random.default_rng(n_channels)
    x = rng.normal(size=(n_steps, n_channels)) * 10.0 ** np.arange(n_channels)

    def model(X: np.ndarray) -> np.ndarray:
        return np.asarray(X[:, :30, 0].mean(axis=1) * X[:, 10:, -1].mean(axis=1))

    masker = px.SeriesSegments(4, channels=channels, channel_axis=-1, fill="mean")
    return px.PermutationShap(model, masker=masker, random_state=0, **settings).explain(x)


@pytest.mark.parametrize("n_channels", [1, 3, 12])
def test_each_channel_fills_its_own_panel(n_channels: int) -> None:
    """Curves are the data, their backgrounds the scores, the areas below them the scores too."""
    found = drawn(n_channels, budget=300)
    axes = plots.series(found, show=False)
    assert axes.shape == (n_channels,)
    figure = axes[0].figure
    assert len(figure.axes) == 2 * n_channels
    for c, (ax, strip) in enumerate(zip(axes, figure.axes[1::2], strict=True)):
        np.testing.assert_array_equal(ax.lines[-1].get_ydata(), found.data[:, c])
        low, high = ax.get_ylim()
        assert np.ptp(found.data[:, c]) > 0.7 * (high - low)
        scores = found.values[4 * c : 4 * c + 4]
        np.testing.assert_array_equal(ax.collections[0].get_array().ravel(), scores)
        areas = [patch.get_data().values for patch in strip.patches]
        np.testing.assert_array_equal(areas[0] + areas[1], scores)
        assert strip.get_ylim() == figure.axes[1].get_ylim()
    figure.canvas.draw()


def test_whiskers_are_the_intervals_where_they_are_known() -> None:
    """One for each segment whose interval has a length; the level is stated."""
    found = drawn(budget=300)
    figure = plots.series(found, level=0.9, show=False)[0].figure
    low, high = found.interval(0.9)
    for c, strip in enumerate(figure.axes[1::2]):
        (lines,) = strip.collections
        ends = np.array([path[:, 1] for path in lines.get_segments()])
        np.testing.assert_allclose(ends, np.stack([low, high], axis=1)[4 * c : 4 * c + 4])
    said = "whiskers: 90% interval of each score, from sampling perturbations"
    assert [text.get_text() for text in figure.axes[-1].texts] == [said]
    exact = plots.series(drawn(1), show=False)[0].figure
    assert not exact.axes[1].collections
    assert not exact.axes[1].texts


def test_scores_of_all_channels_are_drawn_once() -> None:
    """Segments of all channels color each panel, over one panel of scores."""
    found = drawn(channels="together")
    axes = plots.series(found, show=False)
    assert len(axes) == 3
    assert len(axes[0].figure.axes) == 4
    for ax in axes:
        np.testing.assert_array_equal(ax.collections[0].get_array().ravel(), found.values)


def test_windows_are_drawn_as_their_heat_map() -> None:
    """Where windows overlap, a step has the mean of their scores, and no whiskers."""
    x = np.sin(np.arange(40.0))
    masker = px.Windows(shape=(10,), stride=(5,))
    found = px.Occlusion(lambda X: X[:, 12:20].sum(axis=1), masker=masker).explain(x)
    (ax,) = plots.series(found, show=False)
    edges = ax.collections[0].get_coordinates()[0, :, 0] + 0.5
    scores = np.repeat(ax.collections[0].get_array().ravel(), np.diff(edges).astype(int))
    np.testing.assert_array_equal(scores, found.heatmap())
    assert not ax.figure.axes[1].collections


def test_only_the_channels_with_the_largest_scores_are_drawn() -> None:
    """In their order, and the axis says how many were left out."""
    found = drawn(12, budget=300)
    axes = plots.series(found, max_channels=2, show=False)
    assert [ax.get_ylabel() for ax in axes] == ["channel 0", "channel 11"]
    assert axes[0].figure.axes[-1].get_xlabel() == "step, 10 more channels"


@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_text_and_curves_differ_from_the_background(style: str) -> None:
    """In a light and in a dark style the contrast is at least 4.5 to 1 (WCAG 2.1)."""
    from matplotlib.colors import to_rgb

    def luminance(color: Any) -> float:
        rgb = np.array(to_rgb(color))
        linear = np.where(rgb <= 0.03928, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    with plt.style.context(style):
        (ax,) = plots.series(drawn(1), show=False)
    ground = luminance(ax.get_facecolor())
    for color in (ax.lines[-1].get_color(), ax.title.get_color(), ax.yaxis.label.get_color()):
        low, high = sorted([luminance(color), ground])
        assert (high + 0.05) / (low + 0.05) >= 4.5


def test_given_axes_are_drawn_on(shows: Any) -> None:
    """One for each channel; no figure is made, and show is called once."""
    found = drawn(2)
    figure, axes = plt.subplots(2)
    assert list(plots.series(found, ax=axes, show=False)) == list(axes)
    assert not shows
    plots.series(found, ax=axes)
    assert len(shows) == 1
    assert plt.get_fignums() == [figure.number]
    with pytest.raises(InvalidParameterError, match="draws 2 channels and got 1 axes"):
        plots.series(found, ax=axes[0], show=False)


def test_what_is_no_series_is_refused(make: Any, photo: Any) -> None:
    """The error names the plot to use; nothing is left open."""
    with pytest.raises(InvalidParameterError, match=r"plots\.overlay for images"):
        plots.series(photo(), show=False)
    with pytest.raises(InvalidParameterError, match=r"plots\.bar for tables"):
        plots.series(make()[0], show=False)
    many = photo(image=np.zeros(8), regions=LabelMap(np.repeat(np.arange(4), 2)), k=2)
    with pytest.raises(InvalidParameterError, match="2 outputs were explained"):
        plots.series(many, show=False)
    for name, value in (("level", 95), ("max_channels", 0)):
        with pytest.raises(InvalidParameterError, match=name):
            plots.series(drawn(1), **{name: value}, show=False)
    assert not plt.get_fignums()


# ---------------------------------------------------------------- notebooks


def pictures(explanation: Any) -> list[ElementTree.Element]:
    return [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", html(explanation))]


def html(explanation: Any) -> str:
    return str(explanation._repr_html_())


def test_a_notebook_shows_the_curves_over_their_scores() -> None:
    """One colored area for each score that is not 0, and one curve for each channel."""
    found = drawn(3)
    (picture,) = pictures(found)
    areas, curves = picture.findall("rect"), picture.findall("polyline")
    assert len(areas) == int((found.values != 0).sum())
    assert len(curves) == 3
    assert [text.text for text in picture.findall("text")] == [f"channel {i}" for i in range(3)]
    points = np.array([p.split(",") for p in str(curves[1].get("points")).split()], dtype=float)
    expected = -found.data[:, 1]
    np.testing.assert_allclose(np.corrcoef(points[:, 1], expected)[0, 1], 1.0, atol=1e-3)
    assert {curve.get("stroke") for curve in curves} == {"currentColor"}


def test_long_series_have_small_pictures_that_keep_their_extremes() -> None:
    """A single peak among a million steps is visible."""
    x = np.zeros(1_000_000)
    x[123_456] = 1.0
    found = px.Occlusion(lambda X: X.max(axis=1), masker=px.SeriesSegments(4)).explain(x)
    (picture,) = pictures(found)
    points = str(picture.findall("polyline")[0].get("points")).split()
    heights = np.array([float(p.split(",")[1]) for p in points])
    assert len(points) <= 600
    assert heights.min() < heights.max() - 20
    assert len(html(found)) < 30_000


def test_several_series_and_outputs_have_pictures() -> None:
    """Up to four; names are escaped."""
    X = np.random.default_rng(0).normal(size=(6, 20))
    masker = px.SeriesSegments(3, channel_axis=None)
    found = px.Occlusion(lambda X: np.abs(X[:, :2]), masker=masker, output_names=["<i>", "b"])
    explanation = found.explain(X)
    assert len(pictures(explanation)) == 4
    assert len(pictures(explanation[0])) == 2
    assert "<i>" not in html(explanation[0])
    assert "series 3 of 0–5" in html(explanation)
