"""Heat maps of scores over images and slices of volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats
from perturbx._validation import check_choice, check_flag, check_number, invalid
from perturbx.plots import _style
from perturbx.plots._picture import picture
from perturbx.result import Explanation, heatmaps
from perturbx.result.photo import cut_out, photo, under_color
from perturbx.result.text import percent
from perturbx.result.views import View, outputs, views

if TYPE_CHECKING:
    from matplotlib.axes import Axes


Scale: TypeAlias = Literal["shared", "own"]

_MOST_BORDERED = 200


def overlay(
    explanation: Explanation | Floats,
    *,
    image: Any = None,
    output: int | str | None = None,
    top: int | float | None = None,
    level: float | None = None,
    alpha: float = 0.85,
    saturation: float = 0.0,
    borders: bool | None = None,
    scale: Scale = "shared",
    ax: Axes | Any = None,
    show: bool = True,
) -> Axes | Any:
    """Draw the heat map of one image over the image.

    Red regions increase the output, blue ones decrease it, and color fades out towards zero. One
    symmetric scale is used for all outputs, or on request one for each. It ends at the largest
    score, unless a tiny area (0.5% of the positions) has more than twice the score of all the
    rest; that area then exceeds the scale, which an arrow on the color bar shows. If a map spreads
    the scores of regions over their positions, like that of `OwenShap`, its unit is the score per
    1% of the image. Of a volume, the slice along its first axis with the largest score is drawn,
    and the caption gives its position.

    Parameters
    ----------
    explanation : Explanation, or array with `image`
        One image or volume (``explanation[0]``): gray or with channels, of any type and
        range. Or a map of scores from another library, (H, W), with its image.
    image : (H, W) or (H, W, C) array, optional
        The image under a map of scores; an explanation has its own.
    output : int, str or None
        The output to draw; None for all of them, side by side, if there are at most twelve.
    top : int, float or None
        Instead of coloring, cut out the parts with the highest scores and fade the rest: an int
        is a number of regions (or windows), a float between 0 and 1 a fraction of the area, which
        suits smooth maps. Only scores above 0 count.
    level : float or None
        With a level such as 0.95, scores whose interval contains 0 count as 0.
    alpha : float
        The opacity of the largest score.
    saturation : float
        The color of the image under the scores: from 0, gray, so that all color is score, to 1,
        its own colors.
    borders : bool or None
        Draw thin lines between superpixels; None: if there are at most 200, since more would
        hide the map.
    scale : "shared" or "own"
        One color scale for all outputs, so that they can be compared; or one for each output, so
        that the small scores of an unlikely class are visible too.
    ax : matplotlib Axes, several of them, or None
        Where to draw, one per output; None for a new figure.
    show : bool
        Call ``plt.show()``; False to continue drawing.

    Returns
    -------
    matplotlib Axes, or an array of them for several outputs

    Raises
    ------
    InvalidParameterError
        If there is more than one instance, if the features are columns or parts of a series (see
        `series`), if there are more than twelve outputs, if the numbers of axes and outputs
        differ, or if `level` is given and no standard error is known.

    Examples
    --------
    >>> import perturbx as px
    >>> px.plots.overlay(explanation)  # doctest: +SKIP
    >>> px.plots.overlay(explanation, output="Egyptian cat", top=5)  # doctest: +SKIP
    >>> px.plots.overlay(scores, image=photo)  # doctest: +SKIP
    """
    check_number("alpha", alpha)
    if not 0 < alpha <= 1:
        raise invalid("alpha", "above 0 and at most 1", alpha)
    check_number("saturation", saturation)
    if not 0 <= saturation <= 1:
        raise invalid("saturation", "from 0 (gray) to 1 (the image's own colors)", saturation)
    heatmaps.check_top(top)
    if level is not None:
        check_number("level", level, above=0, below=1)
    check_choice("scale", scale, get_args(Scale))
    if borders is not None:
        check_flag("borders", borders)
    shown = outputs(picture(explanation, image), output)
    panels = views(shown, top, level, own_scales=scale == "own")
    axes = _panels(panels, ax)
    scores = heatmaps.colors(alpha)
    if borders is None:
        borders = len(shown[0].feature_names) <= _MOST_BORDERED
    drawn = []
    for panel, view in zip(axes, panels, strict=True):
        drawn.append(_draw(panel, view, scores, saturation, borders))
        _words(panel, view)
    if top is None:
        sure = "" if level is None else f",\nwhere its {percent(level)} interval excludes 0"
        label = f"{shown[0].method_name} score{heatmaps.unit(shown[0])[1]}{sure}".strip()
        if scale == "shared":
            _style.color_bar(drawn[-1], axes, label, panels[-1].beyond)
        else:
            for panel, map_, view in zip(axes, drawn, panels, strict=True):
                _style.color_bar(map_, panel, label * (panel is axes[-1]), view.beyond)
    return _style.finished(axes[0] if len(shown) == 1 else np.array(axes), show)


def _panels(panels: list[View], ax: Any) -> list[Any]:
    """The caller's axes, or those of a new figure in the shape of the picture."""
    k = len(panels)
    if ax is not None:
        return _style.axes_in(ax, k, f"overlay draws {k} outputs", ", or output=")
    rows = -(-k // 4)
    columns = -(-k // rows)
    width, height = _size(panels[0], columns)
    figure, grid = _style.pyplot().subplots(
        rows,
        columns,
        figsize=(columns * width + 0.9, rows * (height + 0.4)),
        layout="compressed",
        squeeze=False,
    )
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.08)
    for spare in grid.ravel()[k:]:
        figure.delaxes(spare)
    return list(grid.ravel()[:k])


def _size(view: View, columns: int) -> tuple[float, float]:
    """Width and height of a panel in inches, in the shape of the image."""
    ratio = float(np.clip(view.heat.shape[0] / view.heat.shape[1], 0.25, 2.5))
    width = min((4.6, 3.5, 3.1, 2.8)[columns - 1], max(5.5 / ratio, 2.2))
    return width, width * ratio


def _draw(ax: Axes, view: View, scores: Floats, saturation: float, borders: bool) -> Any:
    """Draw one panel; returns what the color bar needs."""
    from matplotlib.colors import ListedColormap

    colors: Any = {"cmap": ListedColormap(scores), "vmin": -view.end, "vmax": view.end}
    pixels = photo(view.image, view.shape, view.step)
    height, width = np.multiply(view.heat.shape, view.step) - 0.5
    place: Any = {"extent": (-0.5, width, height, -0.5)}
    ax.set_axis_off()
    if view.kept is not None:
        _line(ax, view, view.kept, color=_style.RED, linewidth=0.9)
        return ax.imshow(cut_out(pixels, view.kept), **place)
    ax.imshow(under_color(pixels, saturation), **place)
    drawn = ax.imshow(view.heat, interpolation="nearest", **place, **colors)
    if view.labels is not None and borders:
        _line(ax, view, view.labels, color="white", linewidth=0.5, alpha=0.6)
    return drawn


def _line(ax: Axes, view: View, labels: NDArray[np.generic], **style: Any) -> None:
    ax.plot(*heatmaps.borders(labels, view.step), scalex=False, scaley=False, **style)


def _words(ax: Axes, view: View) -> None:
    """The output and its prediction above the panel, a caption below it."""
    ink, gray, _ = _style.tones(ax)
    ax.set_title(_style.safe(view.title), fontsize=_style.TEXT, color=ink, pad=5)
    if view.caption:
        style: dict[str, Any] = {"fontsize": _style.SMALL, "color": gray}
        ax.annotate(
            view.caption,
            (0.5, 0),
            xytext=(0, -4),
            xycoords="axes fraction",
            textcoords="offset points",
            ha="center",
            va="top",
            **style,
        )
