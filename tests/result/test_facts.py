"""What a reader is told before the scores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import perturbx as px
import pytest
from perturbx.result.facts import Fact, facts

X = np.random.default_rng(0).normal(size=(40, 12))


def explained(**changes: object) -> px.Explanation:
    explainer = px.KernelShap(lambda X: X[:, 0] * X[:, 1] + X[:, 2], budget=400, random_state=0)
    return replace(explainer.fit(X).explain(X[:3]), **changes)


def said(**changes: object) -> dict[str, Fact]:
    return {fact.label: fact for fact in facts(explained(**changes))}


def test_the_question_and_the_cost_are_told() -> None:
    found = said()
    explanation = explained()
    assert found["Question"].text == f"The scores explain {explanation.value_function}."
    assert f"{explanation.n_rows:,} model rows" in found["Cost"].text
    assert (
        f"{explanation.n_rows / 3:,.0f} for each of 3 instances; budget 400" in found["Cost"].text
    )
    assert found["Residual"].text == "scores and base value add up to the prediction"


@pytest.mark.parametrize(
    ("changes", "label", "text"),
    [
        ({"converged": False}, "Converged", "no, the budget"),
        ({"residual": np.array([0.5, 0, -2.0])}, "Residual", "by up to 2"),
        ({"fidelity": np.array([0.9, 0.3, 0.5])}, "Fidelity of the local fit", "R2 0.30 to 0.90"),
        ({"standard_errors": np.full((3, 12), np.nan)}, "Errors", "unknown"),
        ({"standard_errors": np.full((3, 12), 9.0)}, "Typical 95% interval", "of the largest"),
        ({"background_errors": np.full((3, 12), 9.0)}, "Another background sample", "not in the"),
    ],
)
def test_what_should_lower_confidence_is_marked(
    changes: dict[str, object], label: str, text: str
) -> None:
    fact = said(**changes)[label]
    assert fact.is_bad
    assert text in fact.text


def test_good_news_is_not_marked() -> None:
    """Exact, converged, faithful."""
    changes = {"standard_errors": np.zeros((3, 12)), "converged": True, "fidelity": np.ones(3)}
    found = said(**changes, background_errors=None)
    assert not any(fact.is_bad for fact in found.values())
    assert "exact" in found["Errors"].text
    assert found["Fidelity of the local fit"].text == "R2 1.00"


def test_the_typical_interval_is_the_median() -> None:
    """Half its length, relative to the largest score."""
    explanation = explained()
    _, upper = explanation.interval()
    share = np.median(upper - explanation.values) / np.abs(explanation.values).max()
    assert said()["Typical 95% interval"].text == f"± {100 * share:.2g}% of the largest score"
