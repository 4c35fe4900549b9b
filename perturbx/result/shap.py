"""An explanation as a `shap.Explanation`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from perturbx._typing import Floats
from perturbx._validation import needed
from perturbx.errors import InvalidInputError
from perturbx.features import Regions, SeriesMap, Spans
from perturbx.features.places import aligned
from perturbx.result.series import maps_of, segment_means
from perturbx.result.text import safe, show

if TYPE_CHECKING:
    from perturbx.result.explanation import Explanation


def to_shap(explanation: Explanation) -> Any:
    """A `shap.Explanation` of the same axes, for the plots of shap.

    Of a text, the data are its pieces, each with the text up to the next one, so that
    ``shap.plots.text`` shows all of it.

    ``shap.plots.bar``, ``beeswarm``, ``heatmap``, ``scatter``, ``waterfall`` and ``force`` draw
    any table, ``violin`` one of numbers, and ``image`` images. ``decision`` takes arrays:
    ``decision(x.base_values[0], x.values, x.data, x.feature_names)``. Dollars in names and texts
    are escaped, as matplotlib would read two of them as a formula.

    Segments of series are columns, with the means of the series in them as data. The scores of an
    image's regions are spread evenly over their elements, so that the map has
    the image's shape, channels last, and sums to the scores. 95% intervals become shap's
    ``lower_bounds`` and ``upper_bounds``, standard errors its ``error_std``.

    Parameters
    ----------
    explanation : Explanation
        Any, also a slice. A batch of images needs images of one shape.

    Returns
    -------
    shap.Explanation

    Raises
    ------
    ImportError
        Without shap.
    InvalidInputError
        If images of a batch differ in shape, or for several texts.
    """
    shap = needed("shap", "to_shap", '"perturbx[shap]"')
    values, data = explanation.values, explanation.data
    fields: dict[str, Any] = {}
    maps = maps_of(explanation)
    if maps:
        data = _means(explanation, maps)
    if _is_text(explanation):
        data = _joining_pieces(explanation)
        fields["feature_names"] = data.tolist()
    elif explanation.regions is not None and not maps:
        values, data = _images(explanation)
    else:
        fields["lower_bounds"], fields["upper_bounds"] = explanation.interval()
        fields["error_std"] = explanation.standard_errors
        features = list(map(safe, explanation.feature_names))
        fields["feature_names"] = features if "feature" in explanation.axes else features[0]
        if data is not None and np.asarray(data).dtype.kind not in "biuf":
            fields["display_data"] = np.vectorize(lambda x: safe(show(x)), otypes=[object])(data)
    if "output" in explanation.axes:
        names = np.vectorize(safe, otypes=[object])(explanation.output_names)
        # shap takes (n, k) names for those of the last two axes of this shape, and then can plot
        # nothing; without names it numbers the outputs.
        if names.ndim == 1 or np.shape(values)[-2:] != names.shape:
            fields["output_names"] = names.tolist() if names.ndim == 1 else names
    return shap.Explanation(values, base_values=explanation.base_values, data=data, **fields)


def _means(explanation: Explanation, maps: tuple[SeriesMap, ...]) -> Floats:
    """The mean of each segment of series."""
    if "instance" not in explanation.axes:
        return segment_means(explanation.data, maps[0])
    if not aligned(maps):
        raise InvalidInputError(
            "shap holds a batch of series as one array, so their segments must lie at the same "
            "steps. Use explanation[i].to_shap()."
        )
    pairs = zip(explanation.data, maps, strict=True)
    return np.stack([segment_means(series, one) for series, one in pairs])


def _is_text(explanation: Explanation) -> bool:
    """Whether features are pieces; those of several texts have no array in common."""
    regions = explanation.regions
    if isinstance(regions, tuple) and any(isinstance(own, Spans) for own in regions):
        raise InvalidInputError(
            "shap draws one text at a time, since texts differ in their pieces: use "
            "explanation[i].to_shap()."
        )
    return isinstance(regions, Spans)


def _joining_pieces(explanation: Explanation) -> Any:
    """(d,) strings that join to the text, as far as all its pieces are there."""
    spans, whole = explanation.regions, explanation.data
    assert isinstance(spans, Spans)  # as `_is_text` says
    if isinstance(whole, list):
        return np.array([str(whole[start]) for start in spans.starts], dtype=object)
    ends = [*spans.starts[1:].tolist(), len(whole)]
    starts = [0, *ends[:-1]]
    is_whole = "feature" in explanation.axes and (np.diff(spans.starts) > 0).all()
    if not is_whole:
        starts, ends = spans.starts.tolist(), spans.stops.tolist()
    pieces = [whole[a:b] for a, b in zip(starts, ends, strict=True)]
    return np.array(pieces, dtype=object)


def _images(explanation: Explanation) -> tuple[Floats, Any]:
    """Maps and images, both with channels last; outputs after them."""
    if "instance" not in explanation.axes:
        return _image(explanation)
    pairs = [_image(one) for one in explanation]
    shapes = sorted({np.shape(image) for _, image in pairs})
    if len(shapes) > 1:
        raise InvalidInputError(
            f"shap holds a batch of images as one array, so they need one shape: got {shapes}. "
            "Use explanation[i].to_shap()."
        )
    values, images = zip(*pairs, strict=True)
    return np.stack(values), np.stack(images)


def _image(one: Explanation) -> tuple[Floats, Any]:
    regions, image = one.regions, np.asarray(one.data)
    if not isinstance(regions, Regions):
        raise InvalidInputError("An image needs its regions, which this explanation has lost.")
    if image.ndim == len(regions.shape):
        image = image[..., None]
    channels = image.shape[-1]
    sizes = np.array([regions.cover(i).sum() for i in range(len(regions))]) * channels
    scores = one.values.reshape(len(regions), -1)
    flat = np.zeros((*regions.shape, scores.shape[1]))
    for i, share in enumerate(scores / sizes[:, None]):
        flat[regions.cover(i)] += share
    values = np.repeat(flat[..., None, :], channels, axis=-2)
    return (values if "output" in one.axes else values[..., 0]), image
