"""``explanation.plot``: the plots of an explanation as its methods."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from types import MethodType
from typing import Any

from perturbx.result import Explanation


class ExplanationPlots:
    """Every plot of `perturbx.plots` that takes an explanation, as in ``explanation.plot.bar()``.

    Parameters
    ----------
    explanation : Explanation
    plots : iterable of functions
        All plots; those whose first parameter is an `explanation` become methods.

    Examples
    --------
    >>> explanation[0].plot.waterfall(max_display=8)  # doctest: +SKIP
    """

    def __init__(self, explanation: Explanation, plots: Iterable[Callable[..., Any]]) -> None:
        self._explanation = explanation
        self._plots = {plot.__name__: plot for plot in plots}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # copies and pickles look for their hooks before there are plots
            raise AttributeError(name)
        plot = self._plots.get(name)
        if plot is not None and _takes(plot) == "explanation":
            return MethodType(plot, self._explanation)
        if plot is not None:
            raise AttributeError(
                f"px.plots.{name} draws {_takes(plot)}, not an explanation: use "
                f"px.plots.{name}({_takes(plot)})."
            )
        raise AttributeError(f"There is no plot {name!r}: there are {', '.join(dir(self))}.")

    def __dir__(self) -> list[str]:
        return sorted(n for n, plot in self._plots.items() if _takes(plot) == "explanation")

    def __repr__(self) -> str:
        return f"plots of this explanation: {', '.join(dir(self))}"


def _takes(plot: Callable[..., Any]) -> str:
    """The name of a plot's first parameter."""
    return next(iter(inspect.signature(plot).parameters))
