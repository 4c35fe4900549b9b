"""What an explanation would cost."""

from __future__ import annotations

import copy
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

from perturbx._validation import check_number
from perturbx._workers import n_workers
from perturbx.game import Cost
from perturbx.predictor import Predictor


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


class EstimatesCost:
    """What explains can tell beforehand what that would cost."""

    n_jobs: int | None
    random_state: Any

    @abstractmethod
    def _foreseen(self, X: Any) -> tuple[Cost, Predictor, bool]:
        """What `explain` costs, of which model, and whether it may stop earlier."""

    def estimate_cost(
        self,
        X: Any,
        *,
        price_per_row: float | None = None,
        price_per_call: float | None = None,
        seconds_per_call: float | None = None,
    ) -> CostEstimate:
        """What ``explain(X)`` would cost, without a call of the model.

        Rows and calls are those that `explain` then spends, the first answers about the model and
        the teachers of a shared prior included. They are the most where `tol` may stop earlier, or
        where instances may share answers about the background (``outputs="top3"``), or where a
        search may end (`MeaningfulPerturbation`). Methods that go where the answers lead
        (`OwenShap`, `MeaningfulPerturbation`) may make other calls within their budget. A model
        that was not asked in `fit` counts as one that always answers the same, with one output.
        `AmortizedShap` counts one model row for each row, as long as none needs fresh values; its
        `fit` has been paid for already.

        Parameters
        ----------
        X : table of rows, one row, images or one image
            As for `explain`.
        price_per_row, price_per_call : float, optional
            In any currency; they are added up if both are given.
        seconds_per_call : float, optional
            By default what a call with one row took in `fit`.

        Returns
        -------
        CostEstimate

        Raises
        ------
        NotFittedError, InvalidInputError, InvalidParameterError
            As `explain`.

        Examples
        --------
        >>> import perturbx as px
        >>> explainer = px.Occlusion(lambda X: X @ [1.0, 2.0], masker=px.Baseline([0.0, 0.0]))
        >>> explainer.estimate_cost([[1.0, 1.0]], price_per_row=0.01)
        6 model rows in 5 calls: 0.06
        """
        prices = {"price_per_row": price_per_row, "price_per_call": price_per_call}
        for name, value in {**prices, "seconds_per_call": seconds_per_call}.items():
            if value is not None:
                check_number(name, value, above=0)
        own = copy.copy(self)
        own.random_state = copy.deepcopy(self.random_state)
        spent, predictor, may_stop_earlier = own._foreseen(X)
        each = predictor.seconds if seconds_per_call is None else seconds_per_call
        counts = zip(prices.values(), (spent.n_rows, spent.n_calls), strict=True)
        money = [price * n for price, n in counts if price is not None]
        return CostEstimate(
            spent.n_rows,
            spent.n_calls,
            price=float(sum(money)) if money else None,
            seconds=None if each is None else each * spent.n_calls / n_workers(self.n_jobs),
            may_stop_earlier=may_stop_earlier,
        )


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
