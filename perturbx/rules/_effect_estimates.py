"""Effect curves from the model's answers, with their covariance over the rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from perturbx._typing import Floats, Ints
from perturbx.rules._effect_axes import Axis

_ROUNDING = 2.0**-48
"""Curves of single rows that change less, relative to the largest output, do not change."""


@dataclass(frozen=True, eq=False)
class Estimate:
    """The K values of a curve for each of k outputs.

    Parameters
    ----------
    values : (K, k) array
    covariance : (K, K, k) array
    degrees : (K, k) array
        Degrees of freedom of the variances.
    individual : (n, K, k) array or None
    """

    values: Floats
    covariance: Floats
    degrees: Floats
    individual: Floats | None = None


def accumulated(axis: Axis, differences: Floats) -> Estimate:
    """Accumulated local effects, with mean 0 over the rows.

    Parameters
    ----------
    axis : Axis
    differences : (e, k) array
        How the output changes over the interval of each of `axis.steps`.

    Notes
    -----
    The local effect of an interval is the mean of its differences, and the curve is their sum up
    to a point, less its mean over the rows (Apley & Zhu, JRSS B 82, 2020, eq. 13). All of it is a
    smooth function of means over rows, so that each row's influence on the curve is known, and
    their squares add up to the covariance, also where a row tells about two intervals, or where
    the mean over the rows would be another in another sample.
    """
    rows, steps = axis.steps
    n_points, n_steps = len(axis.positions), len(axis.positions) - 1
    present = np.flatnonzero(axis.lower >= 0)
    counts = np.bincount(steps, minlength=n_steps)
    weights = axis.weights[present]
    sums = np.tril(np.ones((n_points, n_steps)), k=-1)
    center = np.eye(n_points) - weights.mean(axis=0)
    totals = [np.bincount(steps, weights=d, minlength=n_steps) for d in differences.T]
    local = np.stack(totals, axis=1) / counts[:, None]
    raw, load = sums @ local, center @ sums
    inflate = 1 / np.sqrt(np.maximum(counts * (counts - 1.0), 1.0))
    residuals = (differences - local[steps]) * inflate[steps, None]
    n, k = len(present), differences.shape[1]
    covariance, degrees = np.empty((n_points, n_points, k)), np.empty((n_points, k))
    for j in range(k):
        of_rows = np.zeros((len(axis.lower), n_steps))
        of_rows[rows, steps] = residuals[:, j]
        at_rows = weights @ raw[:, j]
        of_mean = (at_rows - at_rows.mean()) / np.sqrt(n * (n - 1.0))
        influence = of_rows[present] @ load.T - of_mean[:, None]
        covariance[:, :, j] = influence.T @ influence
        parts = load**2 * (of_rows**2).sum(axis=0)
        parts = np.column_stack([parts, np.full(n_points, of_mean @ of_mean)])
        degrees[:, j] = _satterthwaite(parts, np.append(counts - 1, n - 1))
    return Estimate(center @ raw, covariance, degrees)


def averaged(axis: Axis, outputs: Floats, centered: bool) -> Estimate:
    """Partial dependence: the mean over rows of the output at each point.

    Parameters
    ----------
    axis : Axis
    outputs : (n, K, k) array
        Of every row at every point.
    centered : bool
        Subtract the mean of the curve over the rows, from each row its own.
    """
    n, n_points, k = outputs.shape
    extra = np.zeros((n, k))
    if centered:
        weights = axis.weights
        present = axis.lower >= 0
        mean = weights[present].mean(axis=0)
        at_rows = weights @ outputs.mean(axis=0)
        extra[present] = (at_rows[present] - at_rows[present].mean(axis=0)) / present.sum()
        least = _ROUNDING * np.abs(outputs).max(initial=0.0)
        outputs = outputs - np.einsum("p,npk->nk", mean, outputs)[:, None]
        outputs, extra = (np.where(np.abs(a) <= least, 0.0, a) for a in (outputs, extra))
    values = outputs.mean(axis=0)
    influence = (outputs - values) / n - extra[:, None]
    covariance = np.einsum("npk,nqk->pqk", influence, influence, optimize=True) * n / (n - 1)
    return Estimate(values, covariance, np.full((n_points, k), n - 1.0), outputs)


def _satterthwaite(parts: Floats, degrees: Ints) -> Floats:
    """(K,): the degrees of freedom of sums of variances (K, parts) with so many each."""
    total = parts.sum(axis=1)
    of_total = (parts**2 / np.maximum(degrees, 1)).sum(axis=1)
    known = of_total > 0
    ratio = total**2 / np.where(known, of_total, 1.0)
    return np.asarray(np.where(known, ratio, degrees[-1]))
