"""An overlay shows the heat map, where it lies, on a scale that is fair to both signs."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from perturbx import plots
from perturbx.errors import InvalidParameterError
from perturbx.regions import LabelMap, WindowGrid


def test_the_heat_map_lies_over_the_image(photo):
    """The second image is explanation.heatmap(), pixel for pixel, on a symmetric scale."""
    one = photo()
    ax = plots.overlay(one, show=False)
    below, heat = ax.images
    np.testing.assert_array_equal(heat.get_array(), one.heatmap())
    assert heat.get_clim() == (-np.abs(one.values).max(), np.abs(one.values).max())
    assert below.get_extent() == heat.get_extent()


def test_colours_say_the_sign_and_fade_at_zero(photo):
    """Red above, blue below, nothing at zero, `alpha` at the ends."""
    heat = plots.overlay(photo(), alpha=0.5, show=False).images[1]
    low, high = heat.get_clim()
    blue, none, red = heat.to_rgba(np.array([low, 0.0, high]))
    assert red[0] > red[2]
    assert blue[2] > blue[0]
    assert none[3] == 0
    assert red[3] == pytest.approx(0.5, abs=0.01)
    assert blue[3] == pytest.approx(0.5, abs=0.01)


def test_outputs_stand_side_by_side(photo):
    """One panel for each output, one scale for all, one colour bar; each says its prediction."""
    one = photo(k=3)
    axes = plots.overlay(one, show=False)
    assert len(axes) == 3
    assert len(axes[0].figure.axes) == 4
    assert {ax.images[1].get_clim()[1] for ax in axes} == {np.abs(one.values).max()}
    for j, ax in enumerate(axes):
        np.testing.assert_array_equal(ax.images[1].get_array(), one.heatmap(j))
        assert ax.get_title().startswith(f"class {j}  ")
    single = plots.overlay(one, output="class 2", show=False)
    np.testing.assert_array_equal(single.images[1].get_array(), one.heatmap(2))


@pytest.mark.parametrize(
    "image",
    [
        np.full((4, 6), 128, dtype=np.uint8),
        np.full((4, 6, 1), 128, dtype=np.uint8),
        np.full((4, 6, 3), 128, dtype=np.uint8),
        np.full((4, 6, 4), 128, dtype=np.uint8),
        np.full((3, 4, 6), 128, dtype=np.uint8),
        np.full((4, 6, 5), 128 / 255),
        np.full((4, 6, 3), 128 / 255, dtype=np.float32),
    ],
    ids=lambda image: f"{image.dtype}{image.shape}",
)
def test_every_kind_of_image_has_its_grey(photo, image):
    """Half grey is half grey in every type, with any number of channels, first or last."""
    below = plots.overlay(photo(image=image), show=False).images[0]
    np.testing.assert_allclose(below.get_array(), np.full((4, 6), 128 / 255), rtol=1e-6)


def test_images_of_any_range_are_stretched(photo):
    """Digits of 0 to 16 and standardised pixels use all greys; NaN does no harm."""
    for image in (np.arange(24.0).reshape(4, 6), np.linspace(-2, 2, 24).reshape(4, 6)):
        below = plots.overlay(photo(image=image), show=False).images[0].get_array()
        assert (below.min(), below.max()) == (0, 1)
    image[0, 0] = np.nan
    plots.overlay(photo(image=image), show=False).figure.canvas.draw()


def test_borders_run_where_labels_change(photo):
    """Two regions side by side share the edge between their pixels, and nothing else."""
    image, regions = np.zeros((2, 2)), LabelMap(np.array([[0, 1], [0, 1]]))
    (line,) = plots.overlay(photo(image=image, regions=regions), show=False).lines
    x, y = line.get_data()
    np.testing.assert_array_equal(x, [0.5, 0.5, np.nan] * 2)
    np.testing.assert_array_equal(y, [-0.5, 0.5, np.nan, 0.5, 1.5, np.nan])
    grid = WindowGrid(np.array([[0, 0], [1, 2]]), (3, 3), (4, 6))
    assert not plots.overlay(photo(regions=grid), show=False).lines


def test_a_series_is_drawn_before_its_heat(photo):
    """The line is the series, and its background the heat map."""
    regions = LabelMap(np.repeat(np.arange(4), 5))
    one = photo(image=np.sin(np.arange(20.0)), regions=regions)
    ax = plots.overlay(one, show=False)
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), one.data)
    np.testing.assert_array_equal(ax.images[0].get_array()[0], one.heatmap())
    channels = photo(image=np.zeros((2, 20)), regions=regions)
    assert len(plots.overlay(channels, show=False).lines) == 2


def test_scores_of_zero_have_a_scale(photo, make):
    """A map without any score is drawn, without warnings."""
    regions = photo().regions
    zero = np.zeros((1, 4))
    one = make(1, 4, values=zero, data=np.zeros((1, 4, 6)), regions=(regions,))
    assert plots.overlay(one, show=False).images[1].get_clim() == (-1, 1)


def test_show_and_axes(photo, shows):
    """show=True shows once; given axes are drawn on, one for each output, and no figure is made."""
    _, axes = plt.subplots(1, 2)
    assert plots.overlay(photo(), ax=axes[0], show=False) is axes[0]
    assert list(plots.overlay(photo(k=2), ax=axes, show=False)) == list(axes)
    assert not shows
    plots.overlay(photo(), ax=axes[0])
    assert len(shows) == 1
    assert len(plt.get_fignums()) == 1


def test_what_cannot_be_drawn_is_refused(photo, make):
    """The error says what to do, and no figure is left open."""
    with pytest.raises(InvalidParameterError, match="features are columns"):
        plots.overlay(make()[0], show=False)
    with pytest.raises(InvalidParameterError, match=r"overlay\(explanation\[i\]\)"):
        plots.overlay(make(), show=False)
    cube = LabelMap(np.arange(4).reshape(2, 2, 1))
    with pytest.raises(InvalidParameterError, match="not volumes"):
        plots.overlay(photo(image=np.zeros((2, 2, 1)), regions=cube), show=False)
    with pytest.raises(InvalidParameterError, match="alpha must be above 0"):
        plots.overlay(photo(), alpha=0, show=False)
    assert not plt.get_fignums()
    with pytest.raises(InvalidParameterError, match="draws 3 outputs and got 1 axes"):
        plots.overlay(photo(k=3), ax=plt.subplots()[1], show=False)
