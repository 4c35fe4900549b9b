"""The arrows of a force plot lead from both sides to the prediction."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import same_color
from matplotlib.text import Text
from perturbx import plots
from perturbx.errors import InvalidParameterError
from perturbx.plots import _style


def arrows(ax):
    """(start, tip, color, is pale) of each arrow."""
    found = []
    for patch in ax.patches:
        corners = patch.get_xy()
        is_pale = patch.get_alpha() < 1
        found.append((corners[0, 0], corners[2, 0], patch.get_facecolor()[:3], is_pale))
    return found


@pytest.mark.parametrize("d", [1, 5, 10, 40])
def test_arrows_add_up_to_the_prediction(make, d):
    """Red ones start left, blue ones right; each side ends at the prediction, the largest last."""
    one = make(d=d)[0]
    for sign, color in ((1, _style.RED), (-1, _style.BLUE)):
        ax = plots.force(one, show=False)
        side = [a for a in arrows(ax) if same_color(a[2], color)]
        lengths = np.array([tip - start for start, tip, *_ in side])
        assert (sign * lengths > 0).all()
        np.testing.assert_allclose(lengths.sum(), one.values[sign * one.values > 0].sum())
        if side:
            np.testing.assert_allclose(side[0][1], float(one.predictions))
            np.testing.assert_allclose([a[0] for a in side[:-1]], [a[1] for a in side[1:]])
    total = sum(tip - start for start, tip, *_ in arrows(ax))
    np.testing.assert_allclose(float(one.predictions) - total, float(one.base_values))
    assert len(arrows(ax)) <= min(d, 9 + 2)


def test_arrows_of_unknown_direction_are_pale(make):
    """Pale exactly where the interval contains 0, and for sums of others."""
    one = make(d=6, standard_errors=np.full((8, 6), 0.3))[0]
    low, high = one.interval()
    unsure = {round(float(v), 9) for v in one.values[(low <= 0) & (high >= 0)]}
    assert 0 < len(unsure) < 6
    ax = plots.force(one, show=False)
    assert {round(float(tip - start), 9) for start, tip, _, pale in arrows(ax) if pale} == unsure
    assert any("pale: a sum, or the 95% interval" in text.get_text() for text in ax.texts)
    exact = make(d=6, standard_errors=np.zeros((8, 6)))[0]
    ax = plots.force(exact, show=False)
    assert not any(pale for *_, pale in arrows(ax))
    assert not any("pale" in text.get_text() for text in ax.texts)
    assert any(pale for *_, pale in arrows(plots.force(exact, max_display=3, show=False)))


def test_names_have_values_and_do_not_overlap(make):
    """Each name that is drawn stands clear of the others."""
    data = np.array([["red", 2.5, None] * 4], dtype=object)
    one = make(n=1, d=12, data=data)[0]
    ax = plots.force(one, max_display=12, show=False)
    ax.figure.canvas.draw()
    names = [text for text in ax.texts if " = " in text.get_text()]
    assert len(names) >= 6
    assert any(text.get_text().endswith("= missing") for text in names)
    boxes = [Text.get_window_extent(text) for text in names]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])


def test_numbers_are_written(make):
    values, base = np.array([[0.5, -0.125]]), np.array([0.25])
    one = make(1, 2, values=values, base_values=base, predictions=np.array([0.625]))[0]
    texts = {text.get_text() for text in plots.force(one, show=False).texts}
    assert {"base value 0.250", "prediction 0.625", "+0.500", "−0.125"} <= texts


def test_what_does_not_add_up_is_refused(make, shows):
    """As for a waterfall."""
    _, ax = plt.subplots()
    assert plots.force(make()[:1], ax=ax) is ax
    assert len(shows) == 1
    with pytest.raises(InvalidParameterError, match=r"force needs scores that add up"):
        plots.force(make(residual=None)[0], show=False)
    with pytest.raises(InvalidParameterError, match=r"force\(explanation\[i\]\)"):
        plots.force(make(), show=False)
    with pytest.raises(InvalidParameterError, match="2 outputs were explained"):
        plots.force(make(k=2)[0], show=False)
    constant = make(values=np.zeros((8, 6)), standard_errors=np.zeros((8, 6)))[0]
    plots.force(constant, show=False).figure.canvas.draw()
