"""Concepts: named parts of an image as features, exact values, and parts that do not fit."""

from __future__ import annotations

import numpy as np
import perturbx as px
import pytest
from perturbx.errors import InvalidInputError, InvalidParameterError

RNG = np.random.default_rng(0)
IMAGE = RNG.random((12, 10))
SKY, DOG = np.zeros((2, 12, 10), dtype=bool)
SKY[:4], DOG[6:10, 2:7] = True, True
WEIGHTS = RNG.normal(size=(12, 10))


def additive(X):
    return (X * WEIGHTS).sum(axis=(1, 2))


def shapley(model, image, **settings):
    masker = px.Superpixels(fill=0.0, **settings)
    return px.KernelShap(model, masker=masker, random_state=0).explain(image)


def test_the_score_of_a_concept_is_what_its_pixels_add():
    """For a model that adds pixels up, the sum over them; the rest is one more feature."""
    found = shapley(additive, IMAGE, concepts={"sky": SKY, "dog": DOG})
    assert found.feature_names == ("sky", "dog", "the rest")
    part = IMAGE * WEIGHTS
    expected = [part[SKY].sum(), part[DOG].sum(), part[~SKY & ~DOG].sum()]
    np.testing.assert_allclose(found.values, expected, atol=1e-12)
    heat = found.heatmap()
    np.testing.assert_allclose(heat[DOG], part[DOG].sum())
    assert "concepts" in found.value_function


def test_two_concepts_that_need_each_other_share_alike():
    """An AND of two concepts: one half each, by the definition of Shapley values."""
    model = lambda X: ((X[:, 0, 0] > 0) & (X[:, 7, 3] > 0)) * 1.0  # noqa: E731
    found = shapley(model, IMAGE, concepts={"sky": SKY, "dog": DOG})
    np.testing.assert_allclose(found.values, [0.5, 0.5, 0], atol=1e-12)


def test_region_numbers_are_those_of_the_map():
    """Labels of the user's map, with gaps, or the regions of a grid, give the same as masks."""
    labels = np.where(SKY, 3, np.where(DOG, 7, 20))
    by_mask = shapley(additive, IMAGE, concepts={"dog": DOG, "sky": SKY})
    by_label = shapley(additive, IMAGE, segments=labels, concepts={"dog": 7, "sky": [3]})
    np.testing.assert_array_equal(by_mask.values, by_label.values)
    grid = px.Superpixels(method="grid", n_segments=4, fill=0.0)
    plain = px.KernelShap(additive, masker=grid, random_state=0).explain(IMAGE)
    left = shapley(additive, IMAGE, method="grid", n_segments=4, concepts={"left": [0, 2]})
    np.testing.assert_allclose(
        left.values, [plain.values[[0, 2]].sum(), plain.values[[1, 3]].sum()]
    )


def test_concepts_that_cover_everything_leave_no_rest():
    """Two halves are two features."""
    assert shapley(additive, IMAGE, concepts={"a": SKY, "b": ~SKY}).feature_names == ("a", "b")


def test_each_image_has_its_own_masks():
    """Two images of different sizes, the same concepts; each row as if it were alone."""
    other = RNG.random((12, 10))
    moved = np.roll(DOG, 2, axis=1)
    per_image = [{"sky": SKY, "dog": DOG}, {"sky": SKY, "dog": moved}]
    both = shapley(additive, [IMAGE, other], concepts=per_image)
    alone = shapley(additive, other, concepts=per_image[1])
    np.testing.assert_allclose(both[1].values, alone.values, atol=1e-12)
    assert both[1].feature_names == ("sky", "dog", "the rest")
    full = shapley(additive, [IMAGE, other], concepts=[{"a": SKY, "b": DOG}, {"a": SKY, "b": ~SKY}])
    assert full[0].feature_names == ("a", "b", "the rest")
    assert full[1].feature_names == ("a", "b")


def test_every_method_of_regions_has_the_names():
    """Occlusion, Lime and integrated gradients through a fade; tables and pictures too."""
    masker = px.Superpixels(fill=0.0, concepts={"sky": SKY, "dog": DOG})
    names = ("sky", "dog", "the rest")
    for explainer in (
        px.Occlusion(additive, masker=masker),
        px.Lime(additive, masker=masker, random_state=0),
        px.IntegratedGradients(additive, masker=px.Fade(masker), random_state=0),
    ):
        assert explainer.explain(IMAGE).feature_names == names
    found = px.Occlusion(additive, masker=masker).explain(IMAGE)
    assert "dog" in repr(found)
    pandas = pytest.importorskip("pandas")
    assert isinstance(found.to_frame(), pandas.DataFrame)
    assert found.to_frame()["feature"].tolist() == list(names)
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    labels = [t.get_text() for t in px.plots.bar(found).get_yticklabels()]
    assert any("dog" in label for label in labels)


@pytest.mark.parametrize(
    ("concepts", "error", "said"),
    [
        ({"sky": SKY, "top": SKY[::-1] | SKY}, InvalidInputError, "'sky' and 'top' overlap in 40"),
        ({"sky": SKY, "none": SKY & ~SKY}, InvalidInputError, "'none' covers no pixel"),
        ({"sky": SKY[:5]}, InvalidInputError, r"height and width of its image, \(12, 10\)"),
        ({"all": SKY | True}, InvalidInputError, "covers the whole image"),
        ({"sky": SKY * 1.0}, InvalidInputError, "bool mask .* Make it bool"),
        ({"sky": [99]}, InvalidInputError, "names region 99, and the regions are 0 to"),
        ({"sky": []}, InvalidInputError, "list of region numbers"),
        ({}, InvalidParameterError, "concepts must be a dict"),
        ("sky", InvalidParameterError, "concepts must be a dict"),
        ({"the rest": SKY}, InvalidParameterError, "names of concepts other than"),
        ({3: SKY}, InvalidParameterError, "names of concepts"),
        ([{"sky": SKY}, {"dog": DOG}], InvalidInputError, "same names in the same order"),
        ([{"sky": SKY}, {"sky": DOG}], InvalidInputError, "got 2 for 1"),
    ],
)
def test_concepts_that_do_not_fit(concepts, error, said):
    """Each is refused before the model is asked, with the remedy."""
    with pytest.raises(error, match=said):
        shapley(lambda X: 1 / 0, IMAGE, concepts=concepts)


def test_a_label_map_that_no_concept_refers_to():
    """Masks need none, so it would be ignored."""
    with pytest.raises(InvalidParameterError, match="segments must be None if all concepts"):
        shapley(additive, IMAGE, segments=SKY * 1, concepts={"sky": SKY})
