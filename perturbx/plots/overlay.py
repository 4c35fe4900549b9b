"""Where in a picture or a series the scores lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from perturbx._typing import Floats, Segments
from perturbx.errors import InvalidParameterError
from perturbx.explanation import Explanation, one_output
from perturbx.plots import _style
from perturbx.regions import LabelMap, Regions

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def overlay(
    explanation: Explanation,
    *,
    output: int | str | None = None,
    alpha: float = 0.75,
    ax: Axes | Any = None,
    show: bool = True,
) -> Axes | Any:
    """Draw the heat map of one image over the image, or of one series behind its line.

    Red speaks for the output, blue against it, and colour fades out towards zero; one symmetric
    scale serves all outputs. The image below is grey, so that all colour is score. Thin lines
    are the borders of superpixels.

    Parameters
    ----------
    explanation : Explanation
        One image or series (``explanation[0]``): grey or with channels, of any type and range.
    output : int, str or None
        The output to draw; None for all of them, side by side.
    alpha : float
        The opacity of the largest score.
    ax : matplotlib Axes, several of them, or None
        Where to draw, one for each output; None for a new figure.
    show : bool
        Call ``plt.show()``; False to go on drawing.

    Returns
    -------
    matplotlib Axes, or an array of them for several outputs

    Raises
    ------
    InvalidParameterError
        If there is more than one instance, if the features are columns, if the instance is a
        volume, or if there are fewer axes than outputs.
    """
    if not 0 < alpha <= 1:
        raise InvalidParameterError(f"alpha must be above 0 and at most 1: got {alpha!r}.")
    shown = _outputs(_picture(explanation), output)
    heats = [one.heatmap() for one in shown]
    axes = _panels(shown[0], len(shown), ax)
    largest = max((float(np.nanmax(np.abs(h), initial=0.0)) for h in heats), default=0.0) or 1.0
    for panel, one, heat in zip(axes, shown, heats, strict=True):
        heat_colours = _draw(panel, one, heat, _colours(alpha), largest)
        _title(panel, one)
    _colour_bar(heat_colours, axes, f"{shown[0].method_name} score")
    return _style.finished(axes[0] if len(shown) == 1 else np.array(axes), show)


def _picture(explanation: Explanation) -> Explanation:
    """A single image or series, or an error that says what to do."""
    if "instance" in explanation.axes and len(explanation) == 1:
        explanation = explanation[0]
    if "instance" in explanation.axes:
        raise InvalidParameterError(
            f"overlay draws one instance, not {len(explanation)}: use overlay(explanation[i])."
        )
    if not isinstance(explanation.regions, Regions):
        raise InvalidParameterError(
            "overlay needs an image or a series: these features are columns. Use plots.bar."
        )
    if len(explanation.regions.shape) > 2:
        raise InvalidParameterError(
            f"overlay draws images and series, not volumes of shape {explanation.regions.shape}: "
            "draw a slice of explanation.heatmap()."
        )
    return explanation


def _outputs(explanation: Explanation, output: int | str | None) -> list[Explanation]:
    if output is not None or "output" not in explanation.axes:
        return [one_output(explanation, output)]
    return [explanation[..., j] for j in range(explanation.shape[-1])]


def _panels(one: Explanation, k: int, ax: Any) -> list[Any]:
    """The caller's axes, or those of a new figure in the shape of the picture."""
    if ax is not None:
        axes = list(np.ravel(ax))
        if len(axes) != k:
            raise InvalidParameterError(
                f"overlay draws {k} outputs and got {len(axes)} axes: pass {k} axes, or output=."
            )
        return axes
    shape = one.regions.shape if isinstance(one.regions, Regions) else (1, 1)
    columns = min(k, 4) if len(shape) == 2 else 1
    width = (5.0, 3.4, 2.9, 2.6)[columns - 1] if len(shape) == 2 else 8.0
    height = float(np.clip(width * shape[0] / shape[1], 1.5, 8)) if len(shape) == 2 else 2.2
    rows = -(-k // columns)
    figure, grid = _style.pyplot().subplots(
        rows,
        columns,
        figsize=(columns * width + 0.9, rows * (height + 0.4)),
        layout="constrained",
        squeeze=False,
    )
    for spare in grid.ravel()[k:]:
        figure.delaxes(spare)
    return list(grid.ravel()[:k])


def _colours(alpha: float) -> Any:
    """Blue to red through nothing: the nearer to zero, the more of the picture is seen."""
    from matplotlib.colors import LinearSegmentedColormap, to_rgb

    steps = np.linspace(-1, 1, 257)
    rgb = np.where(steps[:, None] < 0, to_rgb(_style.BLUE), to_rgb(_style.RED))
    opacity = alpha * np.abs(steps)[:, None] ** 0.8
    return LinearSegmentedColormap.from_list("scores", np.hstack([rgb, opacity]), N=257)


def _draw(ax: Axes, one: Explanation, heat: Floats, colours: Any, largest: float) -> Any:
    """One panel; returns what the colour bar needs."""
    if heat.ndim == 1:
        return _draw_series(ax, one, heat, colours, largest)
    # Lifted greys: on black no colour would be seen.
    ax.imshow(_grey(np.asarray(one.data), heat.shape), cmap="gray", vmin=-0.6, vmax=1)
    drawn = ax.imshow(heat, cmap=colours, vmin=-largest, vmax=largest, interpolation="nearest")
    if isinstance(one.regions, LabelMap):
        x, y = _borders(one.regions.segments)
        ax.plot(x, y, color="white", linewidth=0.5, alpha=0.55, scalex=False, scaley=False)
    ax.set_axis_off()
    return drawn


def _draw_series(ax: Axes, one: Explanation, heat: Floats, colours: Any, largest: float) -> Any:
    series = np.asarray(one.data, dtype=np.float64)
    series = series.T if series.ndim == 2 and len(series) != len(heat) else series
    ax.plot(series, color=_style.INK, linewidth=1.2)
    ends = (-0.5, len(heat) - 0.5, *ax.get_ylim())
    drawn = ax.imshow(
        heat[None], cmap=colours, vmin=-largest, vmax=largest, extent=ends, aspect="auto", zorder=0
    )
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)
    ax.tick_params(colors=_style.GREY, labelsize=_style.SMALL, color=_style.LINE)
    return drawn


def _grey(image: Any, shape: tuple[int, ...]) -> Floats:
    """The image in shades between 0 and 1, whatever its channels, type and range."""
    pixels = np.asarray(image, dtype=np.float64)
    if pixels.shape[:2] != shape:
        pixels = np.moveaxis(pixels, 0, -1)
    known = pixels[np.isfinite(pixels)]
    low, high = float(known.min(initial=np.inf)), float(known.max(initial=-np.inf))
    if image.dtype == np.uint8:
        low, high = 0.0, 255.0
    elif low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    pixels = (pixels - low) / ((high - low) or 1.0)
    if pixels.ndim == 2:
        return pixels
    if pixels.shape[-1] in (3, 4):
        return np.asarray(pixels[..., :3] @ np.array([0.299, 0.587, 0.114]))
    return np.asarray(pixels.mean(axis=-1))


def _borders(segments: Segments) -> tuple[Floats, Floats]:
    """A line along the edges of pixels where labels change, with NaN between its pieces."""
    rows, columns = np.nonzero(segments[:, 1:] != segments[:, :-1])
    upright = np.stack([columns + 0.5, rows - 0.5, columns + 0.5, rows + 0.5], axis=1)
    rows, columns = np.nonzero(segments[1:] != segments[:-1])
    level = np.stack([columns - 0.5, rows + 0.5, columns + 0.5, rows + 0.5], axis=1)
    pieces = np.concatenate([upright, level]).reshape(-1, 2, 2)
    path = np.concatenate([pieces, np.full((len(pieces), 1, 2), np.nan)], axis=1).reshape(-1, 2)
    return path[:, 0], path[:, 1]


def _title(ax: Axes, one: Explanation) -> None:
    """The output and what the model says of it."""
    name = _style.output_label(str(one.output_names[0])) if len(one.output_names) == 1 else ""
    (prediction,) = _style.numbers([float(one.predictions)], signed=False)
    title = _style.safe(f"{name}  {prediction}".strip())
    ax.set_title(title, fontsize=_style.TEXT, color=_style.INK, pad=5)


def _colour_bar(drawn: Any, axes: list[Any], label: str) -> None:
    bar = axes[0].figure.colorbar(drawn, ax=axes, fraction=0.05, pad=0.02, aspect=28)
    bar.outline.set_visible(False)
    # Half-transparent patches with edges would overlap in stripes.
    bar.solids.set(edgecolor="none", antialiased=False)
    bar.ax.tick_params(colors=_style.GREY, labelsize=_style.SMALL, length=0)
    bar.formatter.set_powerlimits((-3, 4))
    bar.formatter.set_useMathText(True)
    bar.set_label(_style.safe(label), fontsize=_style.SMALL, color=_style.INK)
