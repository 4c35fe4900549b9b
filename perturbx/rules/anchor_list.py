"""The frozen result of `Anchors` for several instances: an anchor for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from perturbx.rules.anchor import Anchor

_MOST_SHOWN = 20


@dataclass(frozen=True, eq=False, repr=False)
class AnchorList(Sequence[Anchor]):
    """An anchor for each of several instances, in their order.

    Parameters
    ----------
    anchors : tuple of Anchor
        Their costs are those of their own searches.
    n_rows, n_calls : int
        Model rows and calls of all, with the first ones, by which the outputs are learned.
    random_state : int
        Repeats every number.
    """

    anchors: tuple[Anchor, ...]
    n_rows: int
    n_calls: int
    random_state: int

    @property
    def reached(self) -> NDArray[np.bool_]:
        """(n,): whether each rule was shown to reach the threshold."""
        return np.array([anchor.reached for anchor in self.anchors], dtype=bool)

    @overload
    def __getitem__(self, at: int) -> Anchor: ...

    @overload
    def __getitem__(self, at: slice) -> AnchorList: ...

    def __getitem__(self, at: int | slice) -> Anchor | AnchorList:
        """The anchor of one instance, or those of some with the cost of their own searches."""
        if not isinstance(at, slice):
            return self.anchors[at]
        some = self.anchors[at]
        n_rows, n_calls = sum(a.n_rows for a in some), sum(a.n_calls for a in some)
        return AnchorList(some, n_rows, n_calls, self.random_state)

    def __len__(self) -> int:
        return len(self.anchors)

    def __repr__(self) -> str:
        n, shown = len(self), self.anchors[:_MOST_SHOWN]
        lines = [
            f"{n} anchors, {self.reached.sum()} of which reached the threshold",
            *(
                f"  {i}: {anchor.text} (precision [{anchor.precision_interval[0]:.3f}, "
                f"{anchor.precision_interval[1]:.3f}]{'' if anchor.reached else ' NOT reached'}; "
                f"coverage {anchor.coverage:.3g})"
                for i, anchor in enumerate(shown)
            ),
            *([f"  and {n - len(shown)} more"] if n > len(shown) else []),
            f"  cost: {self.n_rows:,} model rows in {self.n_calls:,} calls",
        ]
        return "\n".join(lines)
