"""How a call of a flaky model is made: a time limit, and further attempts."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from perturbx._validation import check_integer, check_number, invalid
from perturbx.predictor.awaiting import Awaited

RetryOn: TypeAlias = type[Exception] | tuple[type[Exception], ...]
"""The exceptions after which a call is made again."""

_FIRST, _LONGEST = 0.1, 30.0
"""Seconds of the first and of the longest pause between attempts."""

_JITTER = random.Random()
"""Of pauses alone; the generator of the module `random` is left as it is."""


@dataclass(frozen=True)
class Patience:
    """How often a failed call is made again, and how long one may take.

    Parameters
    ----------
    retries : int
    retry_on : exception class or tuple of them
    timeout : float or None
        Seconds.
    """

    retries: int = 0
    retry_on: RetryOn = Exception
    timeout: float | None = None

    def __post_init__(self) -> None:
        if type(self.retries) is not int or self.retries:
            check_integer("retries", self.retries, minimum=0)
        if self.retry_on is not Exception:
            _check_retry_on(self.retry_on)
        if self.timeout is not None:
            check_number("timeout", self.timeout, above=0)

    def call(self, function: Callable[[Any], Any], batch: Any) -> Any:
        """The answer of the function, after as many attempts as it takes.

        Pauses double, and each is drawn at random from zero to that, so that many workers do not
        ask again at the same moment (Brooker, "Exponential backoff and jitter", AWS Architecture
        Blog, 2015).
        """
        if not self.retries:
            return self._once(function, batch)
        import tenacity

        attempts = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self.retries + 1),
            retry=tenacity.retry_if_exception_type(self.retry_on),
            wait=lambda state: _pause(state.attempt_number),
            reraise=True,
        )
        return attempts(self._once, function, batch)

    def attempts(self, error: Exception) -> int:
        """How often a call was made that ended in this error."""
        return 1 + self.retries * isinstance(error, self.retry_on)

    def _once(self, function: Callable[[Any], Any], batch: Any) -> Any:
        if self.timeout is None:
            return function(batch)
        if isinstance(function, Awaited):
            return function(batch, self.timeout)
        return _within(self.timeout, function, batch)


ONCE = Patience()
"""One attempt, which may take as long as it takes."""


def _check_retry_on(value: Any) -> None:
    """Refuse what is neither an exception class nor a tuple of them."""
    kinds = value if isinstance(value, tuple) else (value,)
    if not kinds or not all(
        isinstance(kind, type) and issubclass(kind, Exception) for kind in kinds
    ):
        expected = "an exception class or a tuple of them, such as (ConnectionError,)"
        raise invalid("retry_on", expected, value)


def _pause(attempt: int) -> float:
    return _JITTER.uniform(0.0, min(_LONGEST, _FIRST * 2.0**attempt))


def _within(seconds: float, function: Callable[[Any], Any], batch: Any) -> Any:
    """The answer, or a TimeoutError; a call that hangs is left behind in its thread."""
    answers: list[Any] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            answers.append(function(batch))
        except BaseException as error:  # raised again by who waits
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True, name="perturbx-call")
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not answers:
        raise TimeoutError(f"no answer within timeout={seconds:g} seconds")
    return answers[0]
