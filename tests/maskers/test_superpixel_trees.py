"""Trees of superpixels: pieces, fills and rows, and what is refused."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
from perturbx.errors import InvalidInputError, InvalidParameterError
from perturbx.features import FeatureTree
from perturbx.maskers import Features, RegionTree, Superpixels, SuperpixelTrees
from perturbx.maskers.fills import render_fill

BOTH = slice(0, 2)


def _bind(X: Any, masker: SuperpixelTrees) -> list[Any]:
    fitted = masker.fit(None, Features(), np.random.default_rng(0))
    checked = fitted.check(X)
    return checked.bind(0, len(checked))


def _picture(shape: tuple[int, ...] = (40, 50, 3), dtype: str = "uint8") -> np.ndarray:
    """A bright disc on a gradient with some noise."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[: shape[0], : shape[1]]
    image = x / shape[1] / 2 + ((y - 15) ** 2 + (x - 20) ** 2 < 80) * 0.4
    image = image.reshape(x.shape + (1,) * (len(shape) - 2)) + rng.random(shape) * 0.05
    return (image * (1 if np.dtype(dtype).kind == "f" else 250)).astype(dtype)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
def test_each_row_has_its_own_fill(dtype: str) -> None:
    """Present pieces have the image's bits, absent ones those of the row's fill."""
    image = _picture(dtype=dtype)
    (bound,) = _bind(image, SuperpixelTrees(fills=("blur", "gray")))
    labels = bound.regions.segments
    z = np.random.default_rng(0).random((5, bound.n_features)) < 0.5
    fills = [render_fill(fill, image, True, None, 0) for fill in ("blur", "gray")]
    expected = np.stack(
        [np.where(z[i][labels][..., None], image, f) for i in range(5) for f in fills]
    )
    scratch = bound.scratch(10)
    assert bound.batch(z, BOTH, scratch).tobytes() == expected.tobytes()
    rows = np.array([1, 0, 0, 1, 1])
    named = bound.batch(z, rows, scratch)
    assert named.tobytes() == expected.reshape(5, 2, *image.shape)[np.arange(5), rows].tobytes()


def test_pieces_are_the_common_refinement() -> None:
    """Two pixels are in one piece exactly if no segmentation separates them."""
    image = _picture()
    specs = [RegionTree(30), RegionTree(12, compactness=20.0, nearness=1.0)]
    (bound,) = _bind(image, SuperpixelTrees(specs))
    pieces = bound.regions.segments
    leaves = np.stack([tree.leaf_of[pieces] for tree in bound.trees])
    assert len(np.unique(leaves.reshape(2, -1), axis=1).T) == bound.n_features == pieces.max() + 1
    for spec, tree in zip(specs, bound.trees, strict=True):
        alone = Superpixels(n_segments=spec.n_segments, compactness=spec.compactness, fill=0)
        fitted = alone.fit(None, Features(), np.random.default_rng(0))
        (other,) = fitted.check(image).bind(0, 1)
        assert np.array_equal(tree.leaf_of[pieces], other.regions.segments)
        assert np.array_equal(tree.size, np.bincount(pieces.ravel()))
        assert tree.members[tree.root].all()


def test_neighbors_of_one_color_are_joined_first() -> None:
    """Four columns, two of each color: each pair is a node."""
    image = np.repeat(np.array([0, 0, 200, 200], dtype=np.uint8), 6)[None].repeat(24, axis=0)
    segments = np.repeat(np.arange(4), 6)[None].repeat(24, axis=0)
    tree = _bind(image, SuperpixelTrees(RegionTree(segments=segments), "gray"))[0].trees[0]
    assert {frozenset(np.flatnonzero(row)) for row in tree.members[4:6]} == {
        frozenset((0, 1)),
        frozenset((2, 3)),
    }


def test_large_images_are_segmented_small() -> None:
    """Pieces of a photo of 600 pixels are those of its small copy, enlarged; sizes go with it."""
    (bound,) = _bind(_picture((600, 450)), SuperpixelTrees())
    assert bound.regions.shape == (600, 450)
    sizes = np.bincount(bound.regions.segments.ravel()) / 600 / 450
    for tree in bound.trees:
        assert np.abs(tree.size / tree.size.sum() - sizes).max() < 1e-3


def test_the_map_adds_up() -> None:
    """A piece's score is spread over its pixels."""
    (bound,) = _bind(_picture(), SuperpixelTrees())
    scores = np.random.default_rng(0).normal(size=bound.n_features)
    heat = bound.regions.heatmap(scores)
    assert heat.sum() == pytest.approx(scores.sum())
    piece = bound.regions.cover(7)
    assert heat[piece].sum() == pytest.approx(scores[7])
    assert np.ptp(heat[piece]) == 0


def test_trees_and_fills_are_paired() -> None:
    """One tree may have several fills, and one fill several trees."""
    image = _picture()
    (one,) = _bind(image, SuperpixelTrees(RegionTree(20), ("blur", "gray", "mean", 3)))
    assert len(one.trees) == one.rows_per_perturbation == 4
    assert one.trees[0].n_leaves == one.n_features
    (other,) = _bind(image, SuperpixelTrees([RegionTree(20), RegionTree(9)], "mean"))
    assert [tree.n_leaves for tree in other.trees] != [other.n_features] * 2
    assert (other.filled[0].fill != other.filled[1].fill).any(), "each tree's own regions"


@pytest.mark.parametrize("linkage", ["ward", "average", "complete", "single", "weighted"])
def test_any_linkage(linkage: str) -> None:
    """Every rule gives a tree of all regions."""
    (bound,) = _bind(_picture(), SuperpixelTrees(RegionTree(15, linkage=linkage), "blur"))
    (tree,) = bound.trees
    assert tree.members[tree.root].all()
    assert len(tree.children) == tree.n_leaves - 1


def test_a_tree_of_the_user() -> None:
    """A label map with a linkage matrix, for each image its own map."""
    maps = [np.arange(24).reshape(4, 6) // 8, np.arange(30).reshape(5, 6) // 10]
    matrix = np.array([[0, 2, 0.1, 2], [1, 3, 0.2, 3]])
    masker = SuperpixelTrees(RegionTree(segments=maps, linkage=matrix), "gray")
    images = [
        np.arange(24, dtype=np.uint8).reshape(4, 6),
        np.arange(30, dtype=np.uint8).reshape(5, 6),
    ]
    for bound, labels in zip(_bind(images, masker), maps, strict=True):
        assert bound.trees[0].children == ((0, 2), (1, 3))
        assert np.array_equal(bound.regions.segments, labels)


def test_gray_is_the_middle() -> None:
    """127 of bytes; else halfway between the image's own extremes."""
    assert (render_fill("gray", _picture(), True, None, 0) == 127).all()
    floats = np.array([[0.0, 0.25], [1.0, 0.5]], dtype=np.float32)
    assert (render_fill("gray", floats, False, None, 0) == 0.5).all()
    assert render_fill("gray", floats, False, None, 0).dtype == np.float32


def test_a_bound_masker_pickles() -> None:
    """Workers get it; it makes the same rows there."""
    (bound,) = _bind(_picture(), SuperpixelTrees())
    copy = pickle.loads(pickle.dumps(bound))
    z = np.random.default_rng(0).random((2, bound.n_features)) < 0.5
    one, other = (b.batch(z, BOTH, b.scratch(4)) for b in (bound, copy))
    assert np.array_equal(one, other)
    assert isinstance(copy.trees[0], FeatureTree)


@pytest.mark.parametrize(
    ("masker", "said"),
    [
        (SuperpixelTrees(trees=[]), "trees must be a RegionTree, or a list"),
        (SuperpixelTrees(trees=250), "trees must be a RegionTree, or a list"),
        (SuperpixelTrees(trees=[250]), r"as in \[RegionTree\(n_segments=250\)\]; got 250"),
        (SuperpixelTrees(fills=()), "fills must be a fill"),
        (SuperpixelTrees(fills="grey"), "fill must be one of .*'gray'.*; got 'grey'"),
        (SuperpixelTrees(fills=("blur", "gray", "mean")), "got 3 fills for 2 trees"),
        (SuperpixelTrees(RegionTree(1)), "n_segments must be an integer of at least 2; got 1"),
        (SuperpixelTrees(RegionTree(nearness=0)), "nearness must be a number above 0; got 0"),
        (SuperpixelTrees(RegionTree(method="watershed")), "method must be one of 'slic'"),
        (SuperpixelTrees(RegionTree(linkage="centroid")), "linkage must be one of 'ward'"),
        (SuperpixelTrees(RegionTree(linkage=np.zeros((3, 4)))), "pass segments=label_map"),
        (SuperpixelTrees(channel_axis=0), "channel_axis must be"),
    ],
)
def test_invalid_settings_are_refused(masker: SuperpixelTrees, said: str) -> None:
    """Each is named, with what it may be and what it was."""
    with pytest.raises(InvalidParameterError, match=said):
        _bind(_picture(), masker)


def test_images_that_do_not_fit() -> None:
    """Label maps, linkages and fills of another size; one region alone."""
    image = _picture()
    labels = np.arange(2000).reshape(40, 50) // 500
    matrix = np.array([[0, 1, 0, 2], [0, 2, 0, 3], [3, 5, 0, 4]])
    for masker, kind, said in [
        (SuperpixelTrees(RegionTree(segments=labels[1:])), InvalidInputError, r"\(40, 50\)"),
        (SuperpixelTrees(RegionTree(segments=[labels] * 2)), InvalidInputError, "got 2 for 1"),
        (SuperpixelTrees(fills=np.zeros((5, 5))), InvalidInputError, r"\(5, 5\)"),
        (
            SuperpixelTrees(RegionTree(segments=labels, linkage=matrix[:2])),
            InvalidParameterError,
            r"join 4 regions in 3 rows of two nodes \(scipy's has shape \(3, 4\)\)",
        ),
        (
            SuperpixelTrees(RegionTree(segments=labels, linkage=matrix)),
            InvalidParameterError,
            "join every node once",
        ),
    ]:
        with pytest.raises(kind, match=said):
            _bind(image, masker)
    with pytest.raises(InvalidInputError, match="a single pixel cannot be divided"):
        _bind(np.zeros((1, 1), dtype=np.uint8), SuperpixelTrees())
