"""What differs between an instance and a row near it, as a reader sees it."""

from __future__ import annotations

import numpy as np

from perturbx._typing import Floats
from perturbx.rules._reach import Reach
from perturbx.rules.counterfactuals import Change


def changes_of(reach: Reach, row: Floats) -> tuple[Change, ...]:
    """The changes of a row, as cells of the user's container, largest distance first."""
    cells = reach.observed.layout.values(reach.build(np.stack([reach.own, row])))
    changed, distances = reach.changed(row[None])[0], reach.distances(row[None])[0]
    changes = []
    for feature in sorted(np.flatnonzero(changed).tolist(), key=lambda j: -distances[j]):
        members = reach.members(feature)
        before, after = (
            own[members[0]] if len(members) == 1 else tuple(own[members]) for own in cells
        )
        name = reach.features.names[feature]
        changes.append(Change(name, before, after, float(distances[feature])))
    return tuple(changes)
