"""Arrays and callables with a name and a sentence each.

m perturbations, n instances, d features, k outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

PredictFn: TypeAlias = Callable[[Any], Any]
"""The user's model: a batch in the user's own container to (n,) or (n, k) scores."""

Coalitions: TypeAlias = NDArray[np.bool_]
"""(m, d) bool: row j says which features are present in perturbation j."""

Noise: TypeAlias = NDArray[np.float64]
"""(m, d) float: row j shifts each feature, in units of that feature's scale."""

Presences: TypeAlias = NDArray[np.float64]
"""(m, d) float: row j says how much of each feature is present, from 0 to 1."""

Outputs: TypeAlias = NDArray[np.float64]
"""(m, n, k): what the model answered to each perturbation of each instance."""

Floats: TypeAlias = NDArray[np.float64]
"""Any float64 array; the name of the variable says what it holds."""

Ints: TypeAlias = NDArray[np.intp]
"""Any array of indices or counts."""

Orders: TypeAlias = NDArray[np.integer[Any]]
"""(c, d): when each feature joins in each of c orders, as small integers."""

Segments: TypeAlias = NDArray[np.intp]
"""An array of labels 0..K-1 over the positions of one instance: which region each belongs to."""

RandomState: TypeAlias = int | np.random.Generator | np.random.RandomState | None
"""What a user may pass as `random_state`; inside, only `rng: np.random.Generator`."""

ScoreKind: TypeAlias = Literal["shares", "slopes"]
"""What a score is: a part of the output or of its change, or a slope per unit of noise."""

LinkName: TypeAlias = Literal["identity", "logit"]
"""Applied to the averaged output before solving."""

OutputSelection: TypeAlias = int | str | Sequence[int | str] | None
"""None for all outputs, an index, a name, several of them, or "top3" for the three largest."""
