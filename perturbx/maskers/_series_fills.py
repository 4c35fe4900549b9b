"""What an absent segment of a series shows: a bridge, a mean, noise, a blur, or other series."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats
from perturbx._validation import invalid, is_masked
from perturbx.errors import InvalidInputError
from perturbx.maskers.fills import as_dtype, render_fill

NamedFill: TypeAlias = Literal[
    "bridge", "mean", "background", "noise", "autocorrelated noise", "blur", "light blur"
]

SeriesFill: TypeAlias = NamedFill | float | Any
"""A name, a number, one number per channel, a series, or several series to average over."""

_WORDS: dict[str, str] = {
    "bridge": "bridged by a line between their neighbors",
    "mean": "set to the mean of their channel",
    "background": "taken from {n} background series, averaged",
    "noise": "replaced by noise with the mean and scale of their channel ({n} draws, averaged)",
    "autocorrelated noise": (
        "replaced by noise with the spectrum of their channel ({n} draws, averaged)"
    ),
    "blur": "taken from a blurred copy",
    "light blur": "taken from a lightly blurred copy",
}

NOISY = ("noise", "autocorrelated noise")


def check_series_fill(fill: Any) -> None:
    """Refuse a fill that is invalid for every series."""
    names = ", ".join(map(repr, _WORDS))
    expected = f"one of {names}, a number, one per channel, or series of the same shape"
    if isinstance(fill, str):
        if fill not in _WORDS:
            raise invalid("fill", expected, fill)
        return
    try:
        values = np.asarray(fill)
    except ValueError:  # ragged
        raise invalid("fill", expected, fill) from None
    if isinstance(fill, (bool, bytes)) or values.dtype.kind not in "buif" or not values.size:
        raise invalid("fill", expected, fill)
    if is_masked(fill) or not np.isfinite(values).all():
        raise invalid("fill", "finite", fill)


def describe_series_fill(fill: SeriesFill, n: int) -> str:
    """The fill in words, to complete "absent segments …"; `n` series are averaged."""
    if isinstance(fill, str):
        return _WORDS[fill].format(n=n)
    values = np.asarray(fill)
    if values.ndim < 1 or values.size == 1:
        return f"set to {values.item():.6g}"
    return "taken from series that were passed as fill"


def filled_series(
    fill: SeriesFill, series: NDArray[Any], channels: bool, seed: int, n: int
) -> NDArray[Any]:
    """(b, T) or (b, T, C): the series that absent segments show, in the dtype of the instance.

    All fills but "bridge", which depends on the coalition, and "background", which is passed as
    its series.

    Raises
    ------
    InvalidInputError
        If numbers or series do not match the instance in shape.
    """
    if not isinstance(fill, str):
        return as_dtype(_given(np.asarray(fill), series, channels), series.dtype)
    if fill in NOISY:
        drawn = _noise(series, seed, n, coherent=fill == "autocorrelated noise")
        return as_dtype(_within(drawn, series.dtype), series.dtype)
    return render_fill(fill, series, channels, None, seed)[None]


def channel_means(series: Floats) -> Floats:
    """(C,): the mean of each channel of (T, C) values; exact for equal values."""
    first = series[0] / 2  # halves, since the difference of two large numbers may be infinite
    return np.asarray(2 * (first + ((series / 2 - first) / len(series)).sum(axis=0)))


def _given(values: NDArray[Any], series: NDArray[Any], channels: bool) -> NDArray[Any]:
    per_channel = channels and values.shape == series.shape[-1:]
    if values.ndim == 0 or per_channel or values.shape == series.shape:
        return np.broadcast_to(values, series.shape)[None]
    if values.ndim == series.ndim + 1 and values.shape[1:] == series.shape:
        return values
    raise InvalidInputError(
        f"fill of shape {values.shape} does not match a series of shape {series.shape}"
        f"{' (steps, channels)' * channels}: pass one number, "
        f"{f'{series.shape[-1]} (one per channel), ' * channels}a series of that shape, or "
        f"several, (series, {', '.join(map(str, series.shape))})."
    )


def _noise(series: NDArray[Any], seed: int, n: int, coherent: bool) -> Floats:
    """(n, T) or (n, T, C) Gaussian noise with the mean and standard deviation of each channel.

    With `coherent`, it has the spectrum of the channel, and so its autocorrelation, with random
    phases; the same phases in all channels keep how they are correlated (Theiler et al., "Testing
    for nonlinearity in time series", Physica D 58, 1992; Prichard & Theiler, Physical Review
    Letters 73, 1994).
    """
    rng = np.random.default_rng(seed)
    values = np.asarray(series, dtype=np.float64).reshape(len(series), -1)
    mean = channel_means(values)
    away = values - mean
    if not coherent:
        drawn = mean + away.std(axis=0) * rng.standard_normal((n, *values.shape))
        return np.asarray(drawn).reshape(n, *series.shape)
    spectrum = np.fft.rfft(away, axis=0)
    turns = np.exp(2j * np.pi * rng.random((n, len(spectrum), 1)))
    turns[:, 0] = 1.0
    if len(values) % 2 == 0:  # the highest frequency is real
        turns[:, -1] = np.where(rng.random((n, 1)) < 0.5, -1.0, 1.0)
    drawn = mean + np.fft.irfft(spectrum * turns, n=len(values), axis=1)
    drawn = np.where((away == 0).all(axis=0), mean, drawn)
    return np.asarray(drawn).reshape(n, *series.shape)


def _within(values: Floats, dtype: np.dtype[Any]) -> Floats:
    """Noise within the range of an integer dtype or of bool."""
    if dtype.kind == "f":
        return values
    low, high = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    return np.clip(values, low, np.nextafter(float(high), 0) if high > 2**53 else high)
