"""The contract of explainers: scikit-learn's parameters, one seed, counted rows."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from perturbx.errors import UnknownParameterError
from perturbx.explainers import BaseExplainer
from perturbx.testing._shared import equal, require


def check_explainer(explainer: BaseExplainer, X: Any) -> None:
    """Check that an explainer behaves as an estimator, and explains the same twice.

    Parameters
    ----------
    explainer : BaseExplainer
        With a ``random_state``, not fitted.
    X : table of rows or images
        On which it is fitted, and of which it explains the first two.

    Raises
    ------
    AssertionError
        With the sentence of the contract that does not hold.
    """
    _check_estimator(explainer)
    before = copy.deepcopy(X)
    require(explainer.fit(X) is explainer, "fit returns the explainer")
    explanation = explainer.explain(X[:2])
    again = copy.copy(explainer).explain(X[:2])
    for name in ("values", "standard_errors", "base_values"):
        one, other = getattr(explanation, name), getattr(again, name)
        require(np.array_equal(one, other, equal_nan=True), f"the same seed, the same {name}")
    require(len(explanation) == 2, "one explanation for each instance")
    require(explanation.n_rows >= explanation.n_calls > 0, "rows and calls are counted")
    if explainer.budget is not None:
        require(explanation.n_rows <= 2 * explainer.budget, "no instance exceeds the budget")
    single = explainer.explain(X[0]) if isinstance(X, np.ndarray) else explanation[0]
    require("instance" not in single.axes, "a single instance has no axis of its own")
    require(equal(X, before), "the user's data stays as it is")


def _check_estimator(explainer: BaseExplainer) -> None:
    from sklearn.base import clone

    kind, settings = type(explainer), explainer.get_params(deep=False)
    stored = all(getattr(explainer, name) is value for name, value in settings.items())
    require(stored, "the constructor stores its arguments as they are")
    require(kind.__name__ in repr(explainer), "repr shows the name")
    copied = clone(explainer)
    require(copied.predict_fn is explainer.predict_fn, "a clone asks the same model")
    require(set(copied.get_params(deep=False)) == set(settings), "a clone has the same settings")
    copied.set_params(budget=12345)
    require(copied.budget == 12345, "set_params sets")
    require(explainer.budget == settings["budget"], "a clone is a copy")
    try:
        kind(explainer.predict_fn, nsamples=10)  # type: ignore[call-arg]
    except UnknownParameterError as refusal:
        require("budget" in str(refusal), "another library's word is answered with ours")
    else:
        raise AssertionError("This must hold: an unknown keyword is refused.")
