"""Verdicts of metrics beside chance: an interval decides, and few instances decide nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from perturbx.errors import InvalidParameterError
from perturbx.report.judged import judged_lines
from scipy.stats import ttest_rel


@dataclass
class Result:
    values: Any
    references: Any
    better: str = "lower"
    metric: str = "deletion"
    axes: tuple[str, ...] = ("instance",)
    value_function: str = "absent features at a baseline"
    notes: tuple[str, ...] = field(default=())


def verdict(ours: Any, chance: Any, better: str = "lower", **others: Any) -> Any:
    one = Result(np.asarray(ours, float), {"random": np.asarray(chance, float)}, better, **others)
    (line,) = judged_lines(one, 0.95)
    return line


NOISE = np.random.default_rng(0).normal(size=12)


@pytest.mark.parametrize(
    ("shift", "better", "words", "is_bad"),
    [
        (-5, "lower", "better than chance", False),
        (5, "lower", "worse than chance", True),
        (5, "higher", "better than chance", False),
        (-5, "higher", "worse than chance", True),
        (0.05, "higher", "not told apart from chance", True),
    ],
)
def test_the_interval_decides(shift: float, better: str, words: str, is_bad: bool) -> None:
    line = verdict(NOISE + shift, np.zeros(12), better)
    assert line.verdict == f"{words}, 12 instances"
    assert line.is_bad is is_bad


def test_the_interval_is_that_of_a_paired_t_test() -> None:
    """Of the differences, instance by instance."""
    chance = np.random.default_rng(1).normal(size=12)
    low, high = ttest_rel(NOISE, chance).confidence_interval(0.95)
    shown = verdict(NOISE, chance).difference.replace("\N{MINUS SIGN}", "-")
    ends = [float(part) for part in shown.partition("[")[2].strip("]").split(", ")]
    np.testing.assert_allclose(ends, [low, high], atol=0.006)


def test_few_instances_decide_nothing() -> None:
    line = verdict([1.0, 1.0], [9.0, 9.0])
    assert line.verdict == "too few instances to tell from chance, 2 instances"
    assert "[" not in line.difference


def test_outputs_of_one_instance_are_averaged() -> None:
    """They are not further instances."""
    ours = NOISE[:6, None] + np.zeros((6, 4))
    assert verdict(ours, 0 * ours, axes=("instance", "output")).verdict.endswith("6 instances")
    assert verdict(3.0, 4.0, axes=()).verdict.endswith("1 instance")


def test_missing_values_are_left_out() -> None:
    """NaN where a metric is not defined; nowhere defined is said."""
    ours = np.where(np.arange(12) < 2, np.nan, NOISE - 5)
    assert verdict(ours, np.zeros(12)).verdict == "better than chance, 10 instances"
    assert verdict(np.full(6, np.nan), np.zeros(6)).verdict.startswith("not defined")


def test_without_references_there_is_no_verdict() -> None:
    (line,) = judged_lines(Result(NOISE, {}), 0.95)
    assert line.verdict == "not compared with chance"


def test_anything_else_is_refused() -> None:
    with pytest.raises(InvalidParameterError, match="metrics must be results of metrics"):
        judged_lines([object()], 0.95)
    assert judged_lines((), 0.95) == []
