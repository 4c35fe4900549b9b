"""What holds for single instances of a batch, so that a slice tells its own cost and notes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats, Ints
from perturbx.result.slicing import Pick, cut


@dataclass(frozen=True, eq=False)
class Remark:
    """A note that holds for some of n instances; of several, the gravest is read out.

    Parameters
    ----------
    texts : tuple of n str
        What is said of each instance; "" where there is nothing to say.
    severity : (n,) array
        How grave it is; larger is graver.
    """

    texts: tuple[str, ...]
    severity: Floats

    def pick(self, pick: Pick) -> Remark:
        """The remark on some of the instances."""
        return Remark(_some(self.texts, pick), _some(self.severity, pick))

    @property
    def note(self) -> str:
        """What is said of all instances together; "" if there is nothing to say."""
        concerned = [i for i, text in enumerate(self.texts) if text]
        if not concerned:
            return ""
        text = self.texts[max(concerned, key=lambda i: self.severity[i])]
        n = len(self.texts)
        return text if n == 1 else f"{len(concerned):,} of {n:,} instances: {text}"


@dataclass(frozen=True, eq=False)
class PerInstance:
    """Estimator, cost, convergence and remarks of n instances.

    Parameters
    ----------
    estimators : tuple of n str
        How the answers about each were read, in words; "" where a method has but one way.
    n_rows, n_calls : (n,) int array
        Rows and calls of each instance. Those that several instances share, such as the
        background rows themselves, are divided among them, so that the sum is the total.
    converged : (n,) bool array or None
        Which instances reached `tol`; None if no `tol` was asked for.
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
        return PerInstance(
            _some(self.estimators, pick),
            _some(self.n_rows, pick),
            _some(self.n_calls, pick),
            None if self.converged is None else _some(self.converged, pick),
            tuple(remark.pick(pick) for remark in self.remarks),
        )

    def together(self, method_name: str) -> dict[str, Any]:
        """What an explanation of these instances says of them all."""
        estimators = dict.fromkeys(filter(None, self.estimators))
        return {
            "method": ": ".join(filter(None, [method_name, " or ".join(estimators)])),
            "n_rows": int(self.n_rows.sum()),
            "n_calls": int(self.n_calls.sum()),
            "converged": None if self.converged is None else bool(self.converged.all()),
        }

    @property
    def notes(self) -> tuple[str, ...]:
        """The remarks as notes."""
        return tuple(filter(None, (remark.note for remark in self.remarks)))


def _some(of_each: Any, pick: Pick) -> Any:
    """Entries of some instances; a single one stays a batch."""
    return cut(of_each, ("instance",), {"instance": [pick] if isinstance(pick, int) else pick})
