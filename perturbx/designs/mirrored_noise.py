"""Noise that is drawn or converted whenever it is read, as it would fill much of the memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Ints, Noise

_PER_BLOCK = 2**12
"""About how many numbers are drawn to read one row."""


class ReadNoise(ABC):
    """(m, d) noise that is read as an array is, some rows at a time."""

    shape: tuple[int, int]
    ndim = 2
    dtype = np.dtype(np.float64)

    @abstractmethod
    def __getitem__(self, rows: slice) -> Noise:
        """Some rows, which do not depend on those that are read with them."""

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self[:], dtype=dtype)


@dataclass(frozen=True, eq=False)
class MirroredNoise(ReadNoise):
    """Draws from the standard normal, each followed by its mirror image.

    Row 2i + 1 is minus row 2i. Blocks of pairs are numbered, and a generator that counts starts
    each at its number (Philox: Salmon, Moraes, Dror & Shaw, SC 2011), so that any block is drawn
    without those before it.

    Parameters
    ----------
    key : tuple of two int
        The key of the generator, in parts of 64 bits.
    shape : tuple of two int
        The number m of rows, which is even, and d of features.
    """

    key: tuple[int, int]
    shape: tuple[int, int]

    def __getitem__(self, rows: slice) -> Noise:
        m, d = self.shape
        start, stop, _ = rows.indices(m)
        per = max(1, _PER_BLOCK // d)
        blocks = range(start // (2 * per), -(-max(start, stop) // (2 * per)))
        generator = np.random.Philox(key=np.array(self.key, dtype=np.uint64))
        rng, state = np.random.Generator(generator), generator.state
        drawn, pairs = np.empty((per, d)), np.empty((len(blocks), per, 2, d))
        for here, block in zip(pairs, blocks, strict=True):
            state["state"]["counter"][:] = 0, 0, block, 0
            generator.state = state
            rng.standard_normal(out=drawn)
            here[:, 0] = drawn
            np.negative(drawn, out=here[:, 1])
        skipped = 2 * per * blocks.start
        flat = pairs.reshape(2 * per * len(blocks), d)
        return flat[start - skipped : stop - skipped]


@dataclass(frozen=True, eq=False)
class ConvertedNoise(ReadNoise):
    """Noise in other units.

    Parameters
    ----------
    noise : (m, d) array
    units : callable
        Converts some rows.
    """

    noise: Noise | ReadNoise
    units: Callable[[Noise], Noise]

    @property
    def shape(self) -> tuple[int, int]:  # type: ignore[override]
        return self.noise.shape[0], self.noise.shape[1]

    def __getitem__(self, rows: slice) -> Noise:
        return self.units(self.noise[rows])


@dataclass(frozen=True, eq=False)
class PairNumbers:
    """(m,) integers 0, 0, 1, 1, 2, 2, ..., read as an array is, some at a time."""

    shape: tuple[int]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> Ints:
        return np.asarray(np.arange(*rows.indices(len(self))) // 2)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self[:], dtype=dtype)
