"""The notebook view of an image shows its heat map, without matplotlib."""

from __future__ import annotations

import base64
import io
import re
import sys
from dataclasses import replace

import numpy as np
import pytest
from perturbx.features import LabelMap
from PIL import Image


def pictures(explanation):
    """The heat maps in the view, as RGBA arrays, with their captions."""
    html = explanation._repr_html_()
    found = re.findall(r"px-heat\" src=\"data:image/png;base64,([^\"]+)\"", html)
    captions = re.findall(r"</span><figcaption>(.*?)</figcaption>", html, flags=re.DOTALL)
    return [opened(code).convert("RGBA") for code in found], [
        re.sub("<[^>]+>", "", caption).strip() for caption in captions
    ]


def opened(code):
    return Image.open(io.BytesIO(base64.b64decode(code)))


@pytest.fixture(autouse=True)
def without_matplotlib(monkeypatch):
    """The view of a result imports no plotting library."""
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, name, None)


def test_colors_of_the_scores_lie_on_the_photo(photo):
    """The largest score is opaque red, its opposite blue, and zero lets the photo through."""
    image = np.full((4, 6, 3), 100, dtype=np.uint8)
    one = replace(photo(image=image), values=np.array([2.0, -2.0, 0.0, 1.0]))
    (picture,), captions = pictures(one)
    pixels = np.asarray(picture)
    assert pixels.shape == (4, 6, 4)
    red, blue, none, weak = pixels[[0, 0, 2, 2], [0, 3, 0, 3]].astype(int)
    assert red[0] > red[2] + 100
    assert blue[2] > blue[0] + 100
    assert (red[3], blue[3], none[3]) == (255, 255, 0)
    assert 100 < weak[3] < 150
    (below,) = re.findall(r"px-below\" src=\"data:image/png;base64,([^\"]+)", one._repr_html_())
    np.testing.assert_array_equal(np.asarray(opened(below)), image)
    assert captions == [f"class 0  {one.predictions:.3f}".replace("-", "−")]


def test_outputs_and_images_side_by_side(photo, make):
    """Up to four outputs of an image; of a batch the first images, each with its place."""
    arrays, captions = pictures(photo(k=6))
    assert len(arrays) == 4
    assert [caption.split("  ")[0] for caption in captions] == [f"class {j}" for j in range(4)]
    regions = photo().regions
    batch = make(5, 4, 2, data=np.zeros((5, 4, 6)), regions=(regions,) * 5)
    arrays, captions = pictures(batch)
    assert len(arrays) == 4
    assert all(c.startswith("class 0") for c in captions)
    assert captions[3].endswith("image 3 of 0–4")


def test_large_images_are_small_in_the_view(photo):
    """At most 256 pixels per side, so that a notebook stays small."""
    segments = np.kron([[0, 1], [2, 3]], np.ones((300, 450), dtype=int))
    one = photo(image=np.zeros((600, 900)), regions=LabelMap(segments))
    (picture,), _ = pictures(one)
    assert picture.size == (225, 150)


def test_a_volume_shows_a_slice_and_a_series_no_heat_map(photo):
    """A volume shows its most important slice; a series has curves instead."""
    volume = LabelMap(np.repeat(np.arange(3), 24).reshape(3, 4, 6))
    one = photo(image=np.zeros((3, 4, 6)), regions=volume)
    one = replace(one, values=np.array([0.1, 5.0, -1.0]))
    assert pictures(one)[1][0].endswith("slice 1 of 0–2")
    series = photo(image=np.zeros(8), regions=LabelMap(np.repeat(np.arange(4), 2)))
    assert pictures(series) == ([], [])


def test_names_are_no_markup(photo):
    """The name of an output stays text, in the caption and in the alternative text."""
    html = replace(photo(), output_names=('<b>"owl"',))._repr_html_()
    assert "<b>&#34;owl" not in html
    assert '<b>"owl"' not in html
    assert html.count("&lt;b&gt;&#34;owl&#34;") >= 2


def test_tables_have_no_picture(make):
    """Explanations of tables are shown as tables."""
    assert pictures(make()) == ([], [])
