"""Cost, convergence and notes of each instance of a batch, so that a slice has its own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats, Ints
from perturbx.result.slicing import Pick, cut


@dataclass(frozen=True, eq=False)
class Remark:
    """A note that applies to some of n instances.

    Parameters
    ----------
    texts : tuple of n str
        The note about each instance; "" where there is none.
    severity : (n,) array
        How serious it is, larger is worse; the worst one is shown for a batch.
    """

    texts: tuple[str, ...]
    severity: Floats


@dataclass(frozen=True, eq=False)
class PerInstance:
    """Estimator, cost, convergence and remarks of n instances.

    Parameters
    ----------
    estimators : tuple of n str
        How the scores of each were estimated, in words; "" where a method has only one way.
    n_rows, n_calls : (n,) int array
        Rows and calls of each instance. Those that several instances share, such as the
        background rows themselves, are divided among them, so that the sum is the total.
    converged : (n,) bool array or None
        Which instances reached `tol`; None if no `tol` was given.
    remarks : tuple of Remark
    """

    estimators: tuple[str, ...]
    n_rows: Ints
    n_calls: Ints
    converged: NDArray[np.bool_] | None = None
    remarks: tuple[Remark, ...] = ()

    def __len__(self) -> int:
        return len(self.n_rows)

    def pick(self, pick: Pick) -> PerInstance:
        """The same for some of the instances; a single one is a batch of one."""
        picks = {"instance": [pick] if isinstance(pick, int) else pick}
        some = partial(cut, axes=("instance",), picks=picks)
        remarks = tuple(Remark(some(r.texts), some(r.severity)) for r in self.remarks)
        costs = some(self.n_rows), some(self.n_calls)
        return PerInstance(some(self.estimators), *costs, some(self.converged), remarks)

    def together(self, method_name: str) -> dict[str, Any]:
        """The fields of an explanation that sum up these instances."""
        estimators = dict.fromkeys(filter(None, self.estimators))
        return {
            "method": ": ".join(filter(None, [method_name, " or ".join(estimators)])),
            "n_rows": int(self.n_rows.sum()),
            "n_calls": int(self.n_calls.sum()),
            "converged": None if self.converged is None else bool(self.converged.all()),
        }

    @property
    def notes(self) -> tuple[str, ...]:
        """One note per remark, with the number of instances that it applies to."""
        notes = []
        for remark in self.remarks:
            concerned = [i for i, text in enumerate(remark.texts) if text]
            if concerned:
                worst = remark.texts[max(concerned, key=lambda i: remark.severity[i])]
                counts = f"{len(concerned):,} of {len(self):,} instances: " * (len(self) > 1)
                notes.append(counts + worst)
        return tuple(notes)
