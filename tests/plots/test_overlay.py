"""An overlay shows the heat map in its place, on a symmetric scale."""

from __future__ import annotations

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from perturbx import plots
from perturbx.errors import InvalidParameterError
from perturbx.features import LabelMap, WindowGrid


def test_the_heat_map_lies_over_the_image(photo):
    """The second image is explanation.heatmap(), pixel for pixel, on a symmetric scale."""
    one = photo()
    ax = plots.overlay(one, show=False)
    below, heat = ax.images
    np.testing.assert_array_equal(heat.get_array(), one.heatmap())
    assert heat.get_clim() == (-np.abs(one.values).max(), np.abs(one.values).max())
    assert below.get_extent() == heat.get_extent()


def test_colors_say_the_sign_and_fade_at_zero(photo):
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
    """One panel per output with its prediction, one scale and one color bar for all."""
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


def test_titles_of_long_names(photo):
    """The middle of a long name is cut, and dollar signs are shown literally."""
    name = "$1 a very long name of a class, the breed that was first bred to guard sheep"
    title = plots.overlay(replace(photo(), output_names=(name,)), show=False).get_title()
    assert title.startswith("\\$1 a very long")
    assert "…" in title
    assert len(title) < 50


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
def test_every_kind_of_image_has_its_gray(photo, image):
    """Half gray is half gray in every type, with any number of channels, first or last."""
    one = photo(image=image)
    kept = plots.overlay(one, top=4, show=False).images[0].get_array()
    for region in np.flatnonzero(one.values > 0):
        np.testing.assert_array_equal(kept[one.regions.cover(region)], 128)
    below = plots.overlay(one, show=False).images[0].get_array()
    np.testing.assert_array_equal(below, np.full((4, 6, 3), round(255 * (0.5 + 64 / 255))))


def test_images_of_any_range_are_stretched(photo):
    """Digits of 0 to 16, 16 bits and standardized pixels use all grays; NaN does not matter."""
    image = np.linspace(-2, 2, 24).reshape(4, 6)
    for stretched in (image, 4 * (image + 2), (image * 1e4 + 2e4).astype(np.uint16)):
        below = plots.overlay(photo(image=stretched), show=False).images[0].get_array()
        assert (below.min(), below.max()) == (128, 255)
    image[0, 0] = np.nan
    plots.overlay(photo(image=image), show=False).figure.canvas.draw()


def test_borders_run_where_labels_change(photo):
    """Between two neighboring regions, exactly the edges between their pixels are drawn."""
    image, regions = np.zeros((2, 2)), LabelMap(np.array([[0, 1], [0, 1]]))
    (line,) = plots.overlay(photo(image=image, regions=regions), show=False).lines
    x, y = line.get_data()
    np.testing.assert_array_equal(x, [0.5, 0.5, np.nan] * 2)
    np.testing.assert_array_equal(y, [-0.5, 0.5, np.nan, 0.5, 1.5, np.nan])
    grid = WindowGrid(np.array([[0, 0], [1, 2]]), (3, 3), (4, 6))
    assert not plots.overlay(photo(regions=grid), show=False).lines


def test_borders_can_be_left_out(photo):
    """No borders on request, or with so many superpixels that edges would hide the map."""
    assert not plots.overlay(photo(), borders=False, show=False).lines
    many = photo(image=np.zeros((15, 15)), regions=LabelMap(np.arange(225).reshape(15, 15)))
    assert not plots.overlay(many, show=False).lines
    assert plots.overlay(many, borders=True, show=False).lines


class Spread(LabelMap):
    """A map that adds up to the scores."""

    def heatmap(self, scores):
        return super().heatmap(scores / np.bincount(self.segments.ravel()))


def test_the_color_bar_says_what_a_color_is(photo):
    """The unit is the score of a region, or per 1% of the image for spread scores."""
    segments = photo().regions.segments
    spread = "score\nper 1% of the image"
    for regions, label, pixels in (
        (LabelMap(segments), "score", 1),
        (Spread(segments), spread, 0.24),
    ):
        one = photo(regions=regions)
        ax = plots.overlay(one, show=False)
        assert ax.figure.axes[-1].get_ylabel() == f"KernelShap {label}"
        np.testing.assert_allclose(ax.images[1].get_array(), pixels * one.heatmap())


def test_each_output_can_have_a_scale_of_its_own(photo):
    """With scale="own", each panel has its own color bar, up to its largest score."""
    one = photo(k=2)
    one = replace(one, values=one.values * [1.0, 1e-3])
    largest = np.abs(one.values).max(axis=0)
    for scale, ends, bars in (("shared", largest[[0, 0]], 1), ("own", largest, 2)):
        axes = plots.overlay(one, scale=scale, show=False)
        np.testing.assert_allclose([ax.images[1].get_clim()[1] for ax in axes], ends)
        assert len(axes[0].figure.axes) == 2 + bars
    with pytest.raises(InvalidParameterError, match="scale must be one of 'shared', 'own'"):
        plots.overlay(one, scale="each", show=False)


@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 3)], ids=str)
def test_a_map_of_scores_from_elsewhere_is_drawn_over_its_picture(shape):
    """A map is drawn over its image, labeled as a score, without a title."""
    rng = np.random.default_rng(0)
    image, scores = rng.random(shape), rng.normal(size=shape[:2])
    ax = plots.overlay(scores, image=image, borders=False, show=False)
    np.testing.assert_array_equal(np.squeeze(ax.images[-1].get_array()), scores)
    assert (ax.get_title(), ax.figure.axes[-1].get_ylabel()) == ("", "score")
    plots.overlay(scores, image=image, top=0.2, show=False).figure.canvas.draw()


@pytest.mark.parametrize(
    ("given", "image", "says"),
    [
        (np.ones((4, 6)), None, r"overlay\(scores, image=photo\)"),
        (1, None, "an Explanation"),
        ([["a"]], np.ones((1, 1)), "an Explanation"),
        (np.ones((4, 6, 3)), np.ones((4, 6, 3)), "Sum scores over channels first"),
        (np.ones((4, 6)), np.ones((3, 4, 6)), "put the channels of the image last"),
        (np.full((4, 6), np.nan), np.ones((4, 6)), "finite"),
        (np.ones((4, 6)), np.full((4, 6), "a"), "an image of numbers"),
    ],
)
def test_what_is_no_map_is_refused(given, image, says):
    """The error says what overlay accepts, and no figure is left open."""
    with pytest.raises(InvalidParameterError, match=says):
        plots.overlay(given, image=image, show=False)
    assert not plt.get_fignums()


def test_an_explanation_has_its_own_image(photo):
    """A second image for an explanation is refused."""
    with pytest.raises(InvalidParameterError, match="left out"):
        plots.overlay(photo(), image=np.ones((4, 6)), show=False)


def test_color_is_left_to_the_photo_on_request(photo):
    """By default all color is score; a saturated photo keeps its hues, lightened."""
    image = np.zeros((4, 6, 3), dtype=np.uint8)
    image[..., 0] = 200
    gray = plots.overlay(photo(image=image), show=False).images[0].get_array()
    red = plots.overlay(photo(image=image), saturation=1, show=False).images[0].get_array()
    assert (np.ptp(gray, axis=-1) == 0).all()
    np.testing.assert_array_equal(red[0, 0], [round(255 * (0.5 + 100 / 255)), 128, 128])


def test_a_speck_does_not_wash_out_the_map(photo):
    """A far larger score on 0.5% of the positions exceeds the scale, which an arrow shows."""
    segments = np.kron(np.arange(4).reshape(2, 2), np.ones((20, 20), dtype=int))
    segments[0, 0] = 4
    for speck, end, arrow in ((50.0, 6.0, "max"), (-50.0, 6.0, "min"), (5.0, 5.0, "neither")):
        one = photo(image=np.zeros((40, 40)), regions=LabelMap(segments))
        one = replace(one, values=np.array([1.0, -2.0, 3.0, 0.0, speck]))
        ax = plots.overlay(one, show=False)
        assert ax.images[1].get_clim() == (-end, end)
        assert ax.images[1].colorbar.extend == arrow


def test_a_large_photo_is_thinned_in_place(photo):
    """A large photo is drawn with fewer pixels, at the coordinates of the whole photo."""
    segments = np.kron([[0, 1], [2, 3]], np.ones((600, 1250), dtype=int))
    one = photo(image=np.zeros((1200, 2500, 3), dtype=np.uint8), regions=LabelMap(segments))
    ax = plots.overlay(one, show=False)
    for drawn in ax.images:
        assert drawn.get_array().shape[:2] == (400, 834)
        assert drawn.get_extent() == pytest.approx([-0.5, 2501.5, 1199.5, -0.5])
    np.testing.assert_array_equal(ax.images[1].get_array(), one.heatmap()[::3, ::3])
    x, y = ax.lines[0].get_data()
    assert np.nanmax(np.abs(x[y < 500] - 1250)) < 3
    for top in (1, 0.2):
        kept = plots.overlay(one, top=top, show=False).images[0].get_array() == 0
        np.testing.assert_array_equal(
            kept[..., 0], (one.heatmap() == one.values.max())[::3, ::3], strict=True
        )


def test_a_small_map_keeps_every_score_on_its_scale(photo):
    """One of 64 pixels is too much to exceed the scale."""
    regions = LabelMap(np.arange(64).reshape(8, 8))
    one = photo(image=np.zeros((8, 8)), regions=regions)
    one = replace(one, values=np.where(np.arange(64) == 9, 100.0, 1.0))
    assert plots.overlay(one, show=False).images[1].get_clim() == (-100, 100)


def kept_positions(ax):
    """The positions that are kept, if the photo is black: faded ones are light."""
    return (ax.images[0].get_array() == 0).all(axis=-1)


def test_the_highest_regions_are_cut_out(photo):
    """An int keeps that many regions with the highest scores, and only scores above 0."""
    one = replace(photo(), values=np.array([0.1, -9.0, 0.3, 0.2]))
    for top, regions in ((1, [2]), (2, [2, 3]), (3, [0, 2, 3]), (4, [0, 2, 3])):
        ax = plots.overlay(one, top=top, show=False)
        np.testing.assert_array_equal(
            kept_positions(ax), np.isin(one.regions.segments, regions), strict=True
        )
        assert [text.get_text() for text in ax.texts] == [
            f"the {len(regions)} highest of 4 regions"
        ]
        assert len(ax.figure.axes) == 1, "no color, no color bar"


def test_the_highest_share_of_the_area_is_cut_out(photo):
    """A float keeps whole regions with the highest scores until they reach that share."""
    one = replace(photo(), values=np.array([0.1, -9.0, 0.3, 0.2]))
    for top, regions in ((0.01, [2]), (0.25, [2]), (0.3, [2, 3]), (0.5, [2, 3]), (0.99, [0, 2, 3])):
        ax = plots.overlay(one, top=top, show=False)
        np.testing.assert_array_equal(
            kept_positions(ax), np.isin(one.regions.segments, regions), strict=True
        )
        assert ax.texts[0].get_text() == f"the highest {100 * top:.3g}% of the area"


def test_windows_are_cut_out_whole(photo):
    """The union of overlapping windows is kept."""
    grid = WindowGrid(np.array([[0, 0], [0, 1], [1, 3]]), (3, 3), (4, 6))
    one = replace(photo(regions=grid), values=np.array([2.0, 1.0, 0.5]))
    ax = plots.overlay(one, top=2, show=False)
    np.testing.assert_array_equal(kept_positions(ax), grid.cover(0) | grid.cover(1), strict=True)


def test_nothing_speaks_for_the_output(photo):
    """Without scores above 0 nothing is cut out, and the caption says so."""
    ax = plots.overlay(replace(photo(), values=np.full(4, -1.0)), top=2, show=False)
    assert not kept_positions(ax).any()
    assert ax.texts[0].get_text() == "no region above 0"


def test_doubtful_scores_have_no_color(photo):
    """With a level, scores whose interval contains 0 count as 0, and the color bar says so."""
    one = replace(
        photo(),
        values=np.array([1.0, -1.0, 1.0, -1.0]),
        standard_errors=np.array([0.1, 0.1, 2.0, np.nan]),
    )
    ax = plots.overlay(one, level=0.9, show=False)
    expected = one.regions.heatmap(np.array([1.0, -1.0, 0.0, 0.0]))
    np.testing.assert_array_equal(ax.images[1].get_array(), expected)
    assert "where its 90% interval excludes 0" in ax.figure.axes[-1].get_ylabel()
    unknown = replace(one, standard_errors=np.full(4, np.nan))
    with pytest.raises(InvalidParameterError, match="level needs standard errors"):
        plots.overlay(unknown, level=0.9, show=False)


def test_a_volume_shows_the_slice_that_counts_most(photo):
    """The slice with the largest score along the first axis is drawn for all outputs."""
    volume = np.random.default_rng(0).uniform(size=(3, 4, 6))
    segments = np.repeat(np.arange(3), 24).reshape(3, 4, 6)
    one = photo(2, image=volume, regions=LabelMap(segments))
    one = replace(one, values=np.array([[0.5, 0.1], [1.0, 0.2], [0.3, -4.0]]))
    for top, index in ((None, 2), (1, 1)):
        axes = plots.overlay(one, top=top, show=False)
        assert all(ax.texts[0].get_text().endswith(f"slice {index} of 0–2") for ax in axes)
    axes = plots.overlay(one, show=False)
    for j, ax in enumerate(axes):
        np.testing.assert_array_equal(ax.images[1].get_array(), one.heatmap(j)[2])
        expected = np.rint(255 * (0.5 + volume[2] / 2))
        np.testing.assert_array_equal(ax.images[0].get_array()[..., 0], expected)


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
    """The error names the remedy, and no figure is left open."""
    with pytest.raises(InvalidParameterError, match="features are columns"):
        plots.overlay(make()[0], show=False)
    series = photo(image=np.zeros(8), regions=LabelMap(np.repeat(np.arange(4), 2)))
    with pytest.raises(InvalidParameterError, match=r"use plots\.series"):
        plots.overlay(series, show=False)
    with pytest.raises(InvalidParameterError, match=r"overlay\(explanation\[i\]\)"):
        plots.overlay(make(), show=False)
    film = LabelMap(np.arange(4).reshape(2, 2, 1, 1))
    with pytest.raises(InvalidParameterError, match=r"a part of explanation\.heatmap"):
        plots.overlay(photo(image=np.zeros((2, 2, 1, 1)), regions=film), show=False)
    with pytest.raises(InvalidParameterError, match="at most 12 outputs, and 13 were explained"):
        plots.overlay(photo(k=13), show=False)
    for name, value, expected in [
        ("alpha", 0, "above 0 and at most 1"),
        ("alpha", "1", "a number"),
        ("saturation", 1.5, "from 0 .gray. to 1"),
        ("level", 95, "above 0 and below 1"),
        ("top", 0, "a number of regions"),
        ("top", 1.0, "a share of the area"),
        ("top", True, "a number of regions"),
        ("top", "5", "or None"),
    ]:
        with pytest.raises(
            InvalidParameterError, match=f"{name} must be.*{expected}.*got {value!r}"
        ):
            plots.overlay(photo(), **{name: value}, show=False)
    assert not plt.get_fignums()
    with pytest.raises(InvalidParameterError, match="draws 3 outputs and got 1 axes"):
        plots.overlay(photo(k=3), ax=plt.subplots()[1], show=False)
