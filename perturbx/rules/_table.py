"""What rules learn from a table of training rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from perturbx.containers import layout_of, training_rows
from perturbx.errors import InvalidInputError
from perturbx.features import Columns
from perturbx.maskers import Background, Features, FittedMasker, Instances
from perturbx.rules._observed import Observed, observe


@dataclass(frozen=True, eq=False)
class Table:
    """What the columns have held, the features that they are, and a check of other rows."""

    observed: Observed
    features: Columns
    masker: FittedMasker

    def one(self, x: Any, what: str) -> Instances:
        """A single checked row.

        Raises
        ------
        InvalidInputError
            If there are several rows, or if x is not like the training rows.
        """
        instances = self.masker.check(x)
        if len(instances) != 1:
            raise InvalidInputError(
                f"{what} are for one row, and x holds {len(instances)}: call explain(x) for each."
            )
        return instances


def learned(X: Any, names: Sequence[str] | None, groups: Mapping[str, Any] | None) -> Table:
    """Learn the ranges, categories and spreads of the columns."""
    known = None if names is None else list(names)
    rows = training_rows(X)
    layout = layout_of(rows, known)
    observed = observe(layout, layout.take(rows, np.arange(rows.shape[0])))
    one = layout.take(rows, np.arange(1))
    masker = Background(one).fit(None, Features(known), np.random.default_rng(0))
    return Table(observed, Columns.grouped(layout.names, layout.labels, groups), masker)
