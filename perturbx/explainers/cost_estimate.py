"""What an explanation would cost."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, repr=False)
class CostEstimate:
    """Model rows, calls, money and time of an explanation, before it is paid for.

    Parameters
    ----------
    n_rows, n_calls : int
        Model rows and calls of predict_fn.
    price : float or None
        In the currency of the prices that were given.
    seconds : float or None
        Calls times the time of one, over the calls in flight. A call of many rows may take longer
        than the one that was measured.
    may_stop_earlier : bool
        True where `tol` may be reached before.
    """

    n_rows: int
    n_calls: int
    price: float | None = None
    seconds: float | None = None
    may_stop_earlier: bool = False

    def __repr__(self) -> str:
        most = "at most " * self.may_stop_earlier
        parts = [] if self.price is None else [f"{self.price:,.4g}"]
        if self.seconds is not None:
            parts.append(f"about {_duration(self.seconds)}")
        text = f"{most}{self.n_rows:,} model rows in {self.n_calls:,} calls"
        return f"{text}: {', '.join(parts)}" if parts else text


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
