"""Names for arrays and callables, each with its meaning.

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
"""(m, d) float: row j gives the presence of each feature, from 0 to 1."""

Outputs: TypeAlias = NDArray[np.float64]
"""(m, n, k): the model's answer to each perturbation of each instance."""

Floats: TypeAlias = NDArray[np.float64]
"""Any float64 array; see the name of the variable."""

Ints: TypeAlias = NDArray[np.intp]
"""Any array of indices or counts."""

Orders: TypeAlias = NDArray[np.integer[Any]]
"""(c, d): when each feature joins in each of c orders, as small integers."""

Segments: TypeAlias = NDArray[np.signedinteger[Any]]
"""Labels 0..K-1 over the positions of one instance: the region of each."""

RandomState: TypeAlias = int | np.random.Generator | np.random.RandomState | None
"""The public `random_state`; inside there is only `rng: np.random.Generator`."""

ScoreKind: TypeAlias = Literal["shares", "slopes"]
"""The kind of a score: a share of the output or of its change, or a slope per unit of noise."""

LinkName: TypeAlias = Literal["identity", "logit"]
"""Applied to the averaged output before solving."""

OutputSelection: TypeAlias = int | str | Sequence[int | str] | None
"""None for all outputs, an index, a name, several of them, or "top3" for the three largest."""
