"""Lists and maps as lime gives them."""

from __future__ import annotations

import numpy as np
import perturbx as px
import pytest
from perturbx.errors import InvalidParameterError

ZERO = px.Baseline(np.zeros(3))
X = np.array([[2.0, 3.0, 1.0], [1.0, 1.0, 1.0]])


def model(rows: np.ndarray) -> np.ndarray:
    first = rows @ [1.0, 5.0, -4.0]
    return np.stack([first, -first], axis=1)


def test_a_table() -> None:
    """Names with values, the largest score first."""
    one = px.Occlusion(model, masker=ZERO, feature_names=["a", "b", "c"]).explain(X[0])
    assert px.interop.as_list(one, "output 1") == [("b=3.0", -15.0), ("c=1.0", 4.0), ("a=2.0", -2)]
    assert px.interop.as_map(one) == {
        0: [(1, 15.0), (2, -4.0), (0, 2.0)],
        1: [(1, -15.0), (2, 4.0), (0, -2.0)],
    }
    assert px.interop.as_map(one[:, 1]) == {0: px.interop.as_map(one)[1]}


def test_a_text() -> None:
    """Words by themselves, as lime has them."""
    explainer = px.Occlusion(lambda texts: [float("good" in t) for t in texts])
    found = px.interop.as_list(explainer.explain("a good day"))
    assert found[0][1] == 1.0
    assert "good" in found[0][0]
    assert "=" not in found[0][0]


def test_one_row_in_a_batch_is_enough() -> None:
    explanation = px.Occlusion(model, masker=ZERO, outputs=0).explain(X)
    assert px.interop.as_list(explanation[:1]) == px.interop.as_list(explanation[0])


def test_refusals() -> None:
    explanation = px.Occlusion(model, masker=ZERO).explain(X)
    with pytest.raises(InvalidParameterError, match=r"one instance, not 2: use explanation\[i\]"):
        px.interop.as_list(explanation, 0)
    with pytest.raises(InvalidParameterError, match="output"):
        px.interop.as_list(explanation[0])
    with pytest.raises(InvalidParameterError, match="feature axis"):
        px.interop.as_map(explanation[0, 0])
    with pytest.raises(InvalidParameterError, match="an Explanation"):
        px.interop.as_map(X)
