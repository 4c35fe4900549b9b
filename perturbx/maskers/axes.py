"""Which axes of an array are instances, space and channels; ambiguous shapes are refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from perturbx._validation import invalid
from perturbx.errors import InvalidInputError

ChannelAxis: TypeAlias = Literal["auto", -1] | None
"""-1: the last axis holds channels. None: there are none. "auto": by the shape."""

MOST_COLORS = 4
"""With "auto", a last axis of at most this length holds color channels."""

_NOUNS = {1: ("series", "series"), 2: ("image", "images"), 3: ("volume", "volumes")}
"""The singular and plural noun for instances, by the number of spatial axes."""


def check_channel_axis(channel_axis: Any) -> None:
    """Refuse an invalid channel axis."""
    if channel_axis is None or (isinstance(channel_axis, str) and channel_axis == "auto"):
        return
    if isinstance(channel_axis, int) and not isinstance(channel_axis, bool) and channel_axis == -1:
        return
    raise invalid(
        "channel_axis",
        "'auto', -1 (channels last) or None (no channels)",
        channel_axis,
        "If channels are on another axis, pass np.moveaxis(image, channel_axis, -1), and move them "
        "back inside predict_fn.",
    )


def spatial_axes(n_dims: int, channel_axis: ChannelAxis) -> int:
    """The default number of spatial axes of an instance: 1 for a series, otherwise 2."""
    return 1 if n_dims - (channel_axis == -1) == 1 else 2


@dataclass(frozen=True)
class Axes:
    """What is known about the axes of an array before its shape.

    Parameters
    ----------
    channel_axis : "auto", -1 or None
    n_axes : int
        The number of spatial axes of an instance.
    masker : str
        The name of the masker, for errors; "" if the user did not choose one.
    may_be_batch : bool
        False for the elements of a list.
    """

    channel_axis: ChannelAxis
    n_axes: int
    masker: str
    may_be_batch: bool

    def of(self, shape: tuple[int, ...]) -> tuple[bool, bool]:
        """Whether an array has channels, and whether it is a single instance.

        Raises
        ------
        InvalidInputError
            If the shape does not fit, or if it is ambiguous with "auto".
        """
        extra = len(shape) - self.n_axes
        if self.channel_axis != "auto":
            channels = self.channel_axis == -1
            if extra == channels or (self.may_be_batch and extra == channels + 1):
                return channels, extra == channels
        elif extra == 0:
            return False, True
        elif extra == 1 or (self.may_be_batch and extra == 2):
            is_upright = extra == 1 or shape[1] >= min(shape[2:])
            if shape[-1] <= MOST_COLORS and is_upright:
                return True, extra == 1
            raise self._unclear(shape, extra)
        raise self._wrong_ndim(shape)

    def _unclear(self, shape: tuple[int, ...], extra: int) -> InvalidInputError:
        """The error for an ambiguous last axis: each interpretation, and how to select it."""
        one, many = _NOUNS.get(self.n_axes, _NOUNS[3])
        first, last, n = shape[extra - 1], shape[-1], shape[0]
        move = f"np.moveaxis({one}, 0, -1)" if extra == 1 else f"np.moveaxis({many}, 1, -1)"
        move = move if self.may_be_batch else f"[{move} for {one} in {many}]"
        move += " and channel_axis=-1"
        back = "and move them back inside predict_fn"
        maybe_plain = extra == 1 and self.may_be_batch
        if first <= MOST_COLORS or (extra == 2 and first < min(shape[2:])):
            said = (
                f"looks like channels first: channels must come last. Pass {move}, {back}. If the "
                "last axis does hold channels, pass channel_axis=-1."
            )
            if maybe_plain:
                batch = f"a batch of {n} {many if n > 1 else one} without channels"
                said += f" For {batch} pass channel_axis=None."
        elif maybe_plain:
            said = (
                f"may be one {one} with {last} channels or a batch of {n} without: pass "
                "channel_axis=-1 (channels) or None (a batch). If channels come first, pass "
                f"{move}, {back}."
            )
        else:
            said = (
                f"may hold {last} channels in its last axis, or {first} in the first axis of "
                f"each {one}: pass channel_axis=-1 (channels last), or {move} (channels first), "
                f"{back}."
            )
        said += f" channel_axis belongs to the masker: masker=px.{self.masker}(channel_axis=-1)."
        return InvalidInputError(f"an array of shape {shape} {said}{self._others(len(shape))}")

    def _wrong_ndim(self, shape: tuple[int, ...]) -> InvalidInputError:
        channels = {"auto": (0, 1), -1: (1,), None: (0,)}[self.channel_axis]
        plain = [self.n_axes + c for c in channels]
        batches = [n + 1 for n in plain if self.channel_axis != "auto" or n > self.n_axes]
        text = f"{' or '.join(map(str, plain))} dimensions"
        if self.may_be_batch:
            text += f" (a batch of them {' or '.join(map(str, batches))})"
        cure = ""
        if self.channel_axis is None and len(shape) == self.n_axes + 1 + self.may_be_batch:
            cure = " If the last axis holds channels, pass channel_axis=-1."
        elif self.channel_axis == -1 and len(shape) == self.n_axes:
            cure = " If there are no channels, pass channel_axis=None."
        elif not self.may_be_batch and len(shape) == self.n_axes + 2:
            cure = " Several batches are joined by np.concatenate(X)."
        one, _ = _NOUNS.get(self.n_axes, _NOUNS[3])
        spatial = f"{self.n_axes} spatial {'axis' if self.n_axes == 1 else 'axes'}"
        return InvalidInputError(
            f"one {one} with {spatial} and channel_axis={self.channel_axis!r} must have {text}; "
            f"got shape {shape}.{cure}{self._others(len(shape))}"
        )

    def _others(self, n_dims: int) -> str:
        """The maskers for X if its instances have another number of spatial axes."""
        found = [n for n in _NOUNS if n != self.n_axes and n <= n_dims <= n + 2]
        if not found or not self.masker:
            return ""
        ways = [f"for {_NOUNS[n][1]} masker={sized(self.masker, n)}" for n in found]
        return f" Instances of other kinds: {', '.join(ways)}, with channel_axis=-1 or None."


def sized(masker: str, n_axes: int) -> str:
    """The masker to pass for instances with this number of spatial axes."""
    sides = f"({', '.join('k' * n_axes)}{',' * (n_axes == 1)})"
    windows = f"px.Windows(shape={sides})" if n_axes > 1 else "px.SeriesSegments()"
    return f"px.SmoothGrid(cells={sides}) or {windows}" if masker == "SmoothGrid" else windows
