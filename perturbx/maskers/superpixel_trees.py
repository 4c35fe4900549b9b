"""Trees of superpixels, each with its own fill."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Coalitions, Ints, Noise
from perturbx._validation import invalid
from perturbx.errors import InvalidParameterError
from perturbx.features import FeatureTree, Pieces, Regions
from perturbx.maskers._base import BoundMasker, Features, Masker
from perturbx.maskers._region_trees import RegionTree, grow
from perturbx.maskers._segmentation import check_labels, label_map_of, small_labels
from perturbx.maskers.axes import ChannelAxis, check_channel_axis
from perturbx.maskers.bound_images import BoundLabels, bound_labels
from perturbx.maskers.bound_soft import (
    BoundSoftLabels,
    Edges,
    bound_soft_labels,
    check_edges,
    describe_edges,
    edge_width,
)
from perturbx.maskers.fills import (
    Fill,
    check_fill,
    describe_fill,
    draw_seed,
    given_fill,
    render_fill,
)
from perturbx.maskers.images import (
    FittedImages,
    Image,
    ImageBatch,
    check_features,
    read_images,
)

DEFAULT_TREES = (RegionTree(250, 15.0, 0.5), RegionTree(120, 20.0, 1.0))


@dataclass(frozen=True)
class SuperpixelTrees(Masker):
    """Features are pieces of an image, joined in trees of regions; each tree has its own fill.

    Each tree has its own segmentation, found on a copy of at most 256 pixels per side, and its
    regions are joined by hierarchical clustering. The features are the pieces of the common
    refinement of all segmentations. A coalition becomes one model row per tree, in which absent
    pieces show that tree's fill, and the outputs are averaged. `OwenShap` splits each tree with
    the rows of its own fill only.

    Images are as in `Superpixels`: one or a batch, of any size and any number of channels.

    Parameters
    ----------
    trees : sequence of RegionTree, or one
        The settings of each tree. By default one of about 250 regions and one of about 120.
    fills : sequence of fills, or one
        What absent regions show, for each tree: "light blur" (standard deviation 1.25% of the
        longest side), "gray" (127 for 8-bit images, otherwise the midpoint of the image's range),
        or "blur", "mean", "noise", a color or an array, as in `Superpixels`. One tree may be
        combined with several fills, and one fill with several trees. Pass a color with one number
        per channel in a list, as in ``fills=[(124, 116, 104)]``.
    edges : "hard", "soft" or float
        As in `Superpixels`.
    channel_axis : "auto", -1 or None
        As in `Superpixels`.

    Examples
    --------
    >>> import numpy as np, perturbx as px
    >>> image = np.zeros((8, 8), dtype=np.uint8)
    >>> image[2:5, 3:6] = 200
    >>> masker = px.SuperpixelTrees()
    >>> explainer = px.OwenShap(lambda X: X[:, 3, 4].astype(float), masker=masker, budget=60)
    >>> heat = explainer.explain(image).heatmap()
    >>> bool(heat[2:5, 3:6].sum() > 0.5 * heat.sum() > 0)
    True
    """

    of_images: ClassVar[bool] = True

    trees: RegionTree | Sequence[RegionTree] = DEFAULT_TREES
    fills: Fill | Sequence[Fill] = ("light blur", "gray")
    edges: Edges = "hard"
    channel_axis: ChannelAxis = "auto"

    def fit(self, X: Any, features: Features, rng: np.random.Generator) -> FittedTrees:
        """Check the settings; nothing is learned from X, which may be None.

        Raises
        ------
        InvalidParameterError
            If a setting is invalid, or if `features` names columns.
        """
        check_edges(self.edges)
        check_channel_axis(self.channel_axis)
        check_features(features)
        specs, fills = _paired(_specs(self.trees), _fills(self.fills))
        seeds = tuple(draw_seed(fill, rng) for fill in fills)
        said = _value_function(specs, fills, describe_edges(self.edges))
        return FittedTrees(specs, fills, seeds, self.edges, self.channel_axis, said)


@dataclass(frozen=True, eq=False)
class FittedTrees(FittedImages):
    """`SuperpixelTrees` with checked settings, and the seeds of its noisy fills."""

    specs: tuple[RegionTree, ...]
    fills: tuple[Fill, ...]
    seeds: tuple[int, ...]
    edges: Edges
    channel_axis: ChannelAxis
    value_function: str

    def read(self, X: Any) -> ImageBatch:
        batch = read_images(X, self.channel_axis, 2, "SuperpixelTrees")
        for index, image in enumerate(batch.arrays):
            for fill in self.fills:
                if not isinstance(fill, str):
                    given_fill(fill, image, batch.channels)
            for spec in self.specs:
                if spec.segments is not None:
                    labels = label_map_of(spec.segments, len(batch), index)
                    check_labels(labels, batch.spatial(index))
        return batch

    def bound(self, X: ImageBatch, index: int) -> BoundTrees:
        image = X.arrays[index]
        given = [
            None if spec.segments is None else label_map_of(spec.segments, len(X), index)
            for spec in self.specs
        ]
        forest = grow(image, X.channels, self.specs, given)
        pieces = Pieces(small_labels(forest.segments))
        width, labels = edge_width(self.edges, X.spatial(index)), forest.segments
        first: BoundLabels | BoundSoftLabels
        if width:
            first = bound_soft_labels(image, image, pieces, labels, "piece", width)
        else:
            first = bound_labels(image, image, pieces, labels, "piece")
        filled = []
        for tree, fill, seed in zip(forest.trees, self.fills, self.seeds, strict=True):
            own_means = isinstance(fill, str) and fill == "mean"
            leaves = tree.leaf_of[forest.segments] if own_means else None
            filled.append(first.filled(render_fill(fill, image, X.channels, leaves, seed)))
        return BoundTrees(tuple(filled), forest.trees)


@dataclass(frozen=True, eq=False)
class BoundTrees(BoundMasker):
    """One image with several fills of the same pieces: row r of a perturbation has fill r."""

    filled: tuple[BoundLabels | BoundSoftLabels, ...]
    hierarchies: tuple[FeatureTree, ...]

    @property
    def trees(self) -> tuple[FeatureTree, ...]:  # type: ignore[override]
        return self.hierarchies

    @property
    def rows_per_perturbation(self) -> int:  # type: ignore[override]
        return len(self.filled)

    @property
    def regions(self) -> Regions:  # type: ignore[override]
        return self.filled[0].regions

    @property
    def n_features(self) -> int:
        return self.filled[0].n_features

    @property
    def feature_names(self) -> tuple[str, ...]:
        return self.filled[0].feature_names

    @property
    def data(self) -> Image:
        return self.filled[0].data

    @property
    def active(self) -> NDArray[np.bool_]:
        return np.asarray(np.any([one.active for one in self.filled], axis=0))

    @property
    def row_bytes(self) -> int:
        return self.filled[0].row_bytes

    def scratch(self, n_rows: int) -> NDArray[Any]:
        return self.filled[0].scratch(n_rows)

    def batch(self, z: Coalitions | Noise, rows: slice | Ints, scratch: NDArray[Any]) -> Image:
        each: Any = z
        if isinstance(rows, slice):
            of_one = np.arange(len(self.filled))[rows]
            each, rows = np.repeat(z, len(of_one), axis=0), np.tile(of_one, len(z))
        out = scratch[: len(each)]
        for number, one in enumerate(self.filled):
            places = np.flatnonzero(rows == number)
            one.write(each[places], [out[place] for place in places])
        return self.filled[0].pixels(out)


def _specs(trees: Any) -> tuple[RegionTree, ...]:
    specs = (trees,) if isinstance(trees, RegionTree) else trees
    if not isinstance(specs, (list, tuple)) or not specs:
        raise invalid("trees", "a RegionTree, or a list of them", trees)
    for spec in specs:
        if not isinstance(spec, RegionTree):
            raise invalid("trees", "RegionTrees, as in [RegionTree(n_segments=250)]", spec)
        spec.check()
    return tuple(specs)


def _fills(fills: Any) -> tuple[Fill, ...]:
    several = isinstance(fills, (list, tuple))
    if several and not len(fills):
        raise invalid("fills", 'a fill, such as "blur", or a list of them', fills)
    for fill in fills if several else (fills,):
        check_fill(fill)
    return tuple(fills) if several else (fills,)


def _paired(
    specs: tuple[RegionTree, ...], fills: tuple[Fill, ...]
) -> tuple[tuple[RegionTree, ...], tuple[Fill, ...]]:
    """As many fills as trees; a single one is repeated."""
    n = max(len(specs), len(fills))
    if len(specs) not in (1, n) or len(fills) not in (1, n):
        raise InvalidParameterError(
            f"fills must be one for each tree: got {len(fills)} fills for {len(specs)} trees. "
            "Pass one fill for all trees, one tree for all fills, or equally many."
        )
    return specs * (n // len(specs)), fills * (n // len(fills))


def _value_function(specs: Sequence[RegionTree], fills: Sequence[Fill], edges: str) -> str:
    shown = list(dict.fromkeys(describe_fill(fill, "their mean color") for fill in fills))
    trees = f"{len(specs)} trees of superpixels" if len(specs) > 1 else "a tree of superpixels"
    mean = f", the mean of {len(fills)} fills" if len(shown) > 1 else ""
    return f"absent regions filled with {' or '.join(shown)}{edges} ({trees}{mean})"
