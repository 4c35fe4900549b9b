"""An explanation whose fields do not fit together cannot be made."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import perturbx as px
import pytest
from perturbx.errors import InvalidParameterError


@pytest.fixture
def explanation() -> px.Explanation:
    """Two rows of three columns."""
    rows = np.arange(6.0).reshape(2, 3)
    return px.Occlusion(lambda X: X.sum(axis=1), masker=px.Baseline([0.0] * 3)).explain(rows)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("values", np.array([["1", "2", "3"]] * 2)),
        ("values", np.full((2, 3), None)),
        ("values", [[1.0, 2.0, 3.0]] * 2),
        ("standard_errors", np.zeros((2, 3), dtype=complex)),
        ("background_errors", np.zeros((3, 2))),
        ("predictions", np.array(["a", "b"])),
        ("residual", np.zeros(3)),
        ("fidelity", "high"),
        ("data", np.zeros((3, 2))),
        ("feature_names", ("a", "b", 3)),
        ("feature_names", "abc"),
        ("output_names", ("a", "b")),
        ("output_names", (None,)),
        ("axes", ["instance", "feature"]),
        ("method", None),
        ("value_function", 3),
        ("n_rows", -1),
        ("n_rows", 2.5),
        ("n_calls", True),
        ("degrees_of_freedom", None),
        ("converged", "yes"),
        ("effective_samples", "many"),
        ("interactions", np.zeros((2, 3, 3))),
        ("regions", (1, 2)),
        ("score_kind", "slope"),
        ("score_kind", []),
        ("notes", "one"),
        ("notes", (None,)),
        ("provenance", "unknown"),
        ("per_instance", {}),
    ],
    ids=lambda value: str(value)[:20],
)
def test_fields_of_the_wrong_type_or_shape_are_refused(
    name: str, value: Any, explanation: px.Explanation
) -> None:
    """When the explanation is made, not when it is shown; the error names the field."""
    with pytest.raises(InvalidParameterError, match=f"^{name} must"):
        dataclasses.replace(explanation, **{name: value})


def test_one_feature_has_one_name(explanation: px.Explanation) -> None:
    """Once a feature was picked there is no other name."""
    with pytest.raises(InvalidParameterError, match=r"^feature_names must be one name"):
        dataclasses.replace(explanation[:, 0], feature_names=("a", "b"))
