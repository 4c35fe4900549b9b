"""Sums of powers, from which moments follow."""

from __future__ import annotations

import numpy as np

from perturbx._typing import Floats, Ints


def added_in_order(total: Floats, each: Floats) -> Floats:
    """`total` with the arrays `each` added one after another.

    Several at a time would be added in an order that depends on their number.
    """
    for array in each:
        total = total + array
    return total


def central(count: Floats | Ints | int, powers: Floats) -> tuple[Floats, Floats, Floats]:
    """The mean, and the sums of the second and the fourth powers of the differences to it.

    `powers` are the sums of the first four powers of `count` numbers.
    """
    first, second, third, fourth = powers
    mean = first / count
    squares = second - mean * first
    fourths = fourth - 4 * mean * third + 6 * mean**2 * second - 3 * mean**3 * first
    return mean, np.maximum(squares, 0.0), np.maximum(fourths, 0.0)
