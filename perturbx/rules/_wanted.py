"""The decision that is wanted, and how near outputs come to it."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from perturbx._typing import Floats
from perturbx._validation import invalid, position_of
from perturbx.errors import InvalidParameterError
from perturbx.predictor import Predictor

Target: TypeAlias = str | int | tuple[float | None, float | None] | None
"""A class by name or position, the ends of an interval of a single output, or any other class."""


@dataclass(frozen=True, eq=False)
class Wanted:
    """Which outputs are the decision that is asked for.

    Parameters
    ----------
    own : int
        The class that the model decides for the instance; 0 if there is a single output.
    target : int or None
        The class wanted; None for any other than `own`.
    low, high : float
        The interval wanted of a single output, ends included.
    names : tuple of str
        Of the outputs.
    """

    own: int
    target: int | None
    low: float
    high: float
    names: tuple[str, ...]

    @property
    def is_interval(self) -> bool:
        return len(self.names) == 1

    def reached(self, outputs: Floats) -> NDArray[np.bool_]:
        """(m,): whether each row of outputs (m, k) is the wanted decision."""
        if self.is_interval:
            return np.asarray((outputs[:, 0] >= self.low) & (outputs[:, 0] <= self.high))
        decided = outputs.argmax(axis=1)
        return np.asarray(decided != self.own if self.target is None else decided == self.target)

    def progress(self, outputs: Floats) -> Floats:
        """(m,): larger is nearer; 0 and above where it is reached."""
        if self.is_interval:
            return np.fmin(outputs[:, 0] - self.low, self.high - outputs[:, 0])
        one = self.own if self.target is None else self.target
        others = np.delete(outputs, one, axis=1).max(axis=1)
        sign = 1 if self.target is None else -1
        return np.asarray(sign * (others - outputs[:, one]))

    @property
    def words(self) -> str:
        """The wanted decision, as it stands after "would be"."""
        if not self.is_interval:
            own = f"another than {self.names[self.own]}"
            return own if self.target is None else self.names[self.target]
        if self.low == -np.inf:
            return f"at most {self.high:.6g}"
        if self.high == np.inf:
            return f"at least {self.low:.6g}"
        return f"{self.low:.6g} to {self.high:.6g}" if self.low < self.high else f"{self.low:.6g}"

    def decided(self, outputs: Floats) -> str:
        """The decision behind one row of outputs (k,), in words."""
        return f"{outputs[0]:.6g}" if self.is_interval else self.names[int(outputs.argmax())]


def wanted(target: Target, predictor: Predictor, outputs: Floats) -> Wanted:
    """The decision that a user asks for, of an instance whose outputs are (k,).

    Raises
    ------
    InvalidParameterError
        If the target does not fit the outputs, or if the instance has it already.
    """
    names = predictor.output_names
    if len(names) == 1:
        low, high = _interval(target)
        asked = Wanted(0, None, low, high, names)
    else:
        if target is not None and not isinstance(target, (str, numbers.Integral)):
            raise invalid(
                "target", f"one of the classes {', '.join(map(repr, names[:20]))}", target
            )
        position = None
        if target is not None:
            position = position_of(target, names, len(names), "output", InvalidParameterError)
        asked = Wanted(int(outputs.argmax()), position, -np.inf, np.inf, names)
    if asked.reached(outputs[None])[0]:
        raise InvalidParameterError(
            f"target={target!r}: the model's answer for x is {asked.decided(outputs)} already: "
            "ask for another target, or explain another row."
        )
    return asked


def _interval(target: Any) -> tuple[float, float]:
    """The ends of an interval, None for an open one."""
    if not isinstance(target, (tuple, list)) or len(target) != 2 or not all(map(_is_end, target)):
        raise invalid(
            "target",
            "the interval wanted of the single output, such as (200, None) for at least 200",
            target,
            "For classes, pass a predict_fn that returns the score of each class, such as "
            "predict_proba; one that was trained on a single class has no other decision.",
        )
    low = -np.inf if target[0] is None else float(target[0])
    high = np.inf if target[1] is None else float(target[1])
    if low > high or (low, high) == (-np.inf, np.inf):
        raise invalid("target", "an interval whose lower end is below its upper end", target)
    return low, high


def _is_end(end: Any) -> bool:
    is_number = isinstance(end, numbers.Real) and not isinstance(end, bool)
    return end is None or (is_number and end == end)
