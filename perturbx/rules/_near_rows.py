"""Asks the model about rows near one instance, within a budget."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats
from perturbx.game import Cost
from perturbx.predictor import Predictor
from perturbx.rules._reach import Reach
from perturbx.rules._wanted import Wanted


@dataclass(eq=False)
class Asker:
    """Asks the model about rows near one instance, each once, within a budget."""

    reach: Reach
    predictor: Predictor
    wanted: Wanted
    budget: int
    batch_size: int | None
    cost: Cost = field(default_factory=Cost)
    known: dict[bytes, Floats] = field(default_factory=dict)

    @property
    def left(self) -> int:
        """The model rows that may still be spent."""
        return self.budget - self.cost.n_rows

    def outputs(self, values: Floats) -> Floats:
        """(m, k): the model's outputs, whatever is left of the budget."""
        step, parts = self.batch_size or len(values), []
        for start in range(0, len(values), step):
            part = values[start : start + step]
            batch, n = self.reach.build(part), len(part)
            parts.append(self.predictor(batch, n, None, f"{n} rows that may have the decision"))
            self.cost += Cost(n, 1)
        return np.concatenate(parts)

    def answer(self, row: Floats) -> Floats:
        """(k,): the outputs of a row that has been asked."""
        return self.known[_key(row)]

    def __call__(self, values: Floats) -> tuple[NDArray[np.bool_], Floats]:
        """(m,), (m,): whether rows have the wanted decision, and how near they are to it.

        The instance itself is not asked, nor are rows beyond the budget: both are not reached, and
        at -inf.
        """
        keys, own = [_key(row) for row in values], _key(self.reach.own)
        new = {key: i for i, key in reversed([*enumerate(keys)]) if key not in self.known}
        new.pop(own, None)
        chosen = sorted(new.values())[: max(self.left, 0)]
        if chosen:
            answers = self.outputs(values[chosen])
            self.known.update(zip((keys[i] for i in chosen), answers, strict=True))
        none = np.zeros(self.predictor.n_outputs)
        outputs = np.array([self.known.get(key, none) for key in keys])
        asked = np.array([key in self.known for key in keys])
        progress = np.where(asked, self.wanted.progress(outputs), -np.inf)
        return asked & self.wanted.reached(outputs), progress


def _key(row: Floats) -> bytes:
    """The same for -0.0 and 0.0."""
    return np.asarray(row + 0.0).tobytes()
