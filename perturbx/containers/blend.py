"""The one way in which two rows become one: bit by bit, so that nothing is rounded."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def blend(
    chosen: NDArray[Any], difference: NDArray[Any], other: NDArray[Any], out: NDArray[Any]
) -> None:
    """Write ``(chosen & difference) ^ other``, where `difference` is ``one ^ other``.

    That is `one`, to the last bit and whatever the type, where `chosen` is all ones, and `other`
    where it is zero; ``other + chosen * (one - other)`` would not give `one` back. All are
    unsigned integers of one width. `out` may be `chosen` or `difference`.
    """
    np.bitwise_and(chosen, difference, out=out)
    np.bitwise_xor(out, other, out=out)
