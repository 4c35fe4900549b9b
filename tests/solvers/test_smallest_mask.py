"""The smallest set, by hand."""

from __future__ import annotations

import numpy as np
from perturbx.designs import Evaluations, SearchedCoalitions
from perturbx.solvers import SmallestMask

PRESENT = np.array([[0, 1, 1], [1, 0, 0], [0, 0, 1], [1, 0, 1]], dtype=bool)
AREA = np.array([0.5, 0.2, 0.3])


def _values(keeps: bool, drop: float, outputs: list[float], empty: float = 0.0) -> list[float]:
    design = SearchedCoalitions(PRESENT, AREA, drop, keeps, np.zeros(4, dtype=np.intp))
    answers = np.array(outputs).reshape(4, 1, 1)
    e = Evaluations(design, answers, np.ones((1, 1)), np.full((1, 1), empty))
    solution = SmallestMask().solve(e)
    assert np.isnan(solution.standard_errors).all()
    return solution.values.ravel().tolist()


def test_absent_features_that_destroy() -> None:
    """Of equal sets, as rows 0 and 1, that which leaves less; otherwise the smallest."""
    assert _values(False, 0.5, [0.5, 0.1, 0.2, 0.6]) == [0, 1, 1]
    assert _values(False, 0.5, [0.1, 0.5, 0.2, 0.6]) == [1, 0, 0]
    assert _values(False, 0.5, [0.5, 0.1, 0.2, 0.5]) == [0, 1, 0]


def test_present_features_that_keep() -> None:
    """Row 0 and row 1 keep enough, and are equally large: row 1 keeps more."""
    assert _values(True, 0.5, [0.7, 0.9, 0.4, 1.0]) == [1, 0, 0]


def test_all_or_nothing() -> None:
    """Everything where no set is enough; nothing where there is nothing to destroy."""
    assert _values(False, 0.9, [0.5, 0.2, 0.2, 0.6]) == [1, 1, 1]
    assert _values(False, 0.9, [0.5, 0.2, 0.2, 0.6], empty=1.0) == [0, 0, 0]


def test_an_output_that_rises_where_features_go() -> None:
    """0.2 of the way from 1 to 2 is left by an answer of 1.8."""
    assert _values(False, 0.8, [1.5, 1.0, 1.1, 1.8], empty=2.0) == [0, 1, 0]
