"""The numbers in a bar plot are those of the explanation."""

from __future__ import annotations

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from matplotlib.colors import same_color
from matplotlib.offsetbox import AnnotationBbox
from perturbx import plots
from perturbx.errors import InvalidParameterError
from perturbx.features import LabelMap, WindowGrid
from perturbx.plots import _style
from scipy import stats


def drawn(ax):
    """(names, widths, whisker ends) of a plot of one output."""
    names = [label.get_text() for label in ax.get_yticklabels()]
    widths = np.array([patch.get_width() for patch in ax.patches])
    lines = ax.collections[0].get_segments() if ax.collections else []
    return names, widths, np.array([[line[0, 0], line[1, 0]] for line in lines])


def test_one_instance(make):
    """Bars are the scores, largest first, with their names; whiskers are the 95% intervals."""
    one = make()[0]
    names, widths, ends = drawn(plots.bar(one, show=False))
    order = np.argsort(-np.abs(one.values))
    assert names == [one.feature_names[i] for i in order]
    np.testing.assert_allclose(widths, one.values[order])
    np.testing.assert_allclose(ends, np.transpose(one.interval())[order])


def test_signs_have_colors(make):
    """Positive scores are red, negative ones blue."""
    one = make()[0]
    ax = plots.bar(one, show=False)
    for patch in ax.patches:
        color = _style.BLUE if patch.get_width() < 0 else _style.RED
        assert same_color(patch.get_facecolor(), color)


def test_several_instances(make):
    """Bars and whiskers are those of `importance`; of exact scores, means of |score|."""
    exact = replace(make(n=12, d=4), standard_errors=np.zeros((12, 4)))
    sizes = np.abs(exact.values)
    _, widths, ends = drawn(plots.bar(exact, show=False))
    order = np.argsort(-sizes.mean(axis=0))
    np.testing.assert_allclose(widths, sizes.mean(axis=0)[order])
    low, high = stats.t.interval(0.95, 11, sizes.mean(axis=0), stats.sem(sizes))
    np.testing.assert_allclose(ends, np.stack([np.maximum(low, 0), high], axis=1)[order])
    noisy = make(n=12, d=4)
    _, widths, ends = drawn(plots.bar(noisy, show=False))
    found = noisy.importance()
    order = np.argsort(-found.values)
    np.testing.assert_allclose(widths, found.values[order])
    np.testing.assert_allclose(ends, np.stack(found.interval(), axis=1)[order])


def test_the_rest_is_summed(make):
    """Nine rows and the sum of the others: signed for one instance, of |score| for several."""
    explanation = make(n=5, d=30)
    for part, scores in (
        (explanation[0], explanation.values[0]),
        (explanation, explanation.importance().values),
    ):
        names, widths, ends = drawn(plots.bar(part, show=False))
        rest = np.argsort(-np.abs(scores))[9:]
        assert len(names) == 10
        assert names[-1] == "21 other features"
        np.testing.assert_allclose(widths[-1], scores[rest].sum())
        assert len(ends) == (10 if part is explanation else 9)


@pytest.mark.parametrize(("shown", "rows"), [(6, 6), (7, 6), (5, 5), (1, 1)])
def test_max_display_is_the_most_rows(make, shown, rows):
    """All features are drawn if they fit, and never more than max_display rows."""
    names, widths, _ = drawn(plots.bar(make(d=6)[0], max_display=shown, show=False))
    assert len(names) == len(widths) == rows
    np.testing.assert_allclose(widths.sum(), make(d=6)[0].values.sum())


def test_several_outputs_side_by_side(make):
    """Each output has its own bars and its place in the legend."""
    one = make(k=3)[0]
    ax = plots.bar(one, show=False)
    order = np.argsort(-np.abs(one.values).max(axis=1))
    for j, container in enumerate([c for c in ax.containers if hasattr(c, "patches")]):
        widths = [patch.get_width() for patch in container]
        np.testing.assert_allclose(widths, one.values[order, j])
    assert [t.get_text() for t in ax.get_legend().get_texts()] == list(one.output_names)
    _, widths, _ = drawn(plots.bar(one, output="class 1", show=False))
    np.testing.assert_allclose(np.sort(widths), np.sort(one.values[:, 1]))


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(scale=st.sampled_from([1e-300, 1e-9, 1e-4, 1.0, 1e6, 1e250]), d=st.integers(1, 12))
def test_everything_fits_at_every_scale(make, scale, d):
    """Bars, whiskers and zero lie within the limits, with tiny and with huge scores."""
    one = make(d=d)[0]
    one = make(
        n=1,
        d=d,
        values=one.values[None] * scale,
        standard_errors=one.standard_errors[None] * scale,
    )
    ax = plots.bar(one, show=False)
    low, high = ax.get_xlim()
    ends = [*np.ravel(one.interval()), 0.0]
    assert low <= min(ends) <= max(ends) <= high
    plt.close(ax.figure)


def test_unknown_errors_have_no_whisker(make):
    """An unknown standard error gives no whisker, not one of length 0."""
    one = make(standard_errors=np.full((8, 6), np.nan))[0]
    _, widths, ends = drawn(plots.bar(one, show=False))
    assert len(widths) == 6
    assert len(ends) == 0


def test_constant_scores(make):
    """If all scores are 0, bars have no length and nothing fails."""
    one = make(values=np.zeros((8, 6)), standard_errors=np.zeros((8, 6)))[0]
    _, widths, _ = drawn(plots.bar(one, show=False))
    np.testing.assert_array_equal(widths, 0)


def test_names_are_no_formulas(make):
    """Dollar signs are shown literally, and long names on two lines."""
    names = ("$a$ and $b_1$", "x" * 30, "a long name that goes on and on, to number 17")
    one = make(d=3, feature_names=names)[0]
    ax = plots.bar(one, show=False)
    ax.figure.canvas.draw()
    texts = {
        label.get_text().replace("\\$", "$").replace("\n", " ") for label in ax.get_yticklabels()
    }
    assert texts == set(names)


def test_data_stand_beside_the_names(make):
    """Each row shows the value of its own feature; None is shown as missing."""
    data = np.array([[1.5, None, "red"]], dtype=object)
    one = make(n=1, d=3, values=np.array([[3.0, 2.0, 1.0]]), data=data)[0]
    texts = [text.get_text() for text in plots.bar(one, show=False).texts]
    assert texts[:3] == ["1.5", "missing", "red"]


def pieces(ax):
    """The small images next to the names, from the top."""
    boxes = [child for child in ax.get_children() if isinstance(child, AnnotationBbox)]
    return [box.offsetbox.get_data() for box in boxes]


@pytest.mark.parametrize("draw", [plots.bar, plots.waterfall])
def test_regions_of_an_image_are_shown(photo, draw):
    """Each row shows its own region unchanged, in the middle of its faded surroundings."""
    image = np.zeros((8, 12), dtype=np.uint8)
    segments = np.kron([[0, 1], [2, 3]], np.ones((4, 6), dtype=int))
    image[:] = 40 * segments
    one = photo(image=image, regions=LabelMap(segments))
    shown = pieces(draw(one, show=False))
    order = np.argsort(-np.abs(one.values))
    assert len(shown) == 4
    for region, piece in zip(order, shown, strict=True):
        inside = (piece == 40 * region).all(axis=-1)
        assert inside.sum() == 24
        assert (piece[~inside] > 150).all()


def test_parts_of_a_series_are_named_by_their_steps(photo):
    """The first and the last position are shown next to the name."""
    regions = LabelMap(np.repeat(np.arange(4), 5))
    one = replace(photo(image=np.zeros(20), regions=regions), values=np.array([4.0, 3, 2, 1]))
    texts = [text.get_text() for text in plots.bar(one, show=False).texts]
    assert texts[:4] == ["0–4", "5–9", "10–14", "15–19"]


def test_windows_of_an_image_have_no_sum(photo):
    """Scores that do not add up are not summed: the largest are drawn, and the axis says so."""
    starts = np.stack(np.meshgrid(range(4), range(4)), axis=-1).reshape(-1, 2)
    one = photo(image=np.zeros((6, 6)), regions=WindowGrid(starts, (3, 3), (6, 6)))
    ax = plots.bar(replace(one, residual=None), max_display=5, show=False)
    assert len(ax.patches) == len(pieces(ax)) == 5
    assert ax.get_xlabel().endswith(", the 5 largest of 16")
    ax = plots.bar(one, max_display=5, show=False)
    assert ax.get_yticklabels()[-1].get_text() == "12 other features"


def test_show_and_axes(make, shows):
    """show=True shows once, show=False never; given axes are drawn on, and no figure is made."""
    _, ax = plt.subplots()
    assert plots.bar(make()[0], ax=ax, show=False) is ax
    assert not shows
    plots.bar(make()[0], ax=ax)
    assert len(shows) == 1
    assert len(plt.get_fignums()) == 1


def test_what_cannot_be_drawn_is_refused(make, photo):
    """The error names the remedy, and no figure is left open."""
    with pytest.raises(InvalidParameterError, match="no single feature was picked"):
        plots.bar(make()[:, "feature 1"], show=False)
    with pytest.raises(InvalidParameterError, match="7 outputs were explained"):
        plots.bar(make(k=7)[0], show=False)
    for rows in (0, "5"):
        with pytest.raises(InvalidParameterError, match="max_display must be an integer of at"):
            plots.bar(make()[0], max_display=rows, show=False)
    two = make(2, 4, data=np.zeros((2, 4, 6)), regions=(photo().regions,) * 2)
    with pytest.raises(InvalidParameterError, match="nothing in common"):
        plots.bar(two, show=False)
    assert not plt.get_fignums()
