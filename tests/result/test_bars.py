"""Bars lie where the numbers are, on one scale, and intervals are never left out silently."""

from __future__ import annotations

import re

import numpy as np
from perturbx.result.bars import bars


def ends(style: str) -> list[float]:
    return [float(part) for part in re.findall(r"--[ab]:([\d.]+)%", style)]


def test_bars_and_whiskers_lie_where_the_numbers_are() -> None:
    """The scale goes from the lowest to the highest end, and includes zero."""
    values = np.array([[2.0], [-1.0]])
    found = bars(values, values - 1, values + 2, is_size=False)
    (up,), (down,) = found.rows
    assert found.zero == "33.33%"
    assert ends(up.ends) == [33.33, 66.67]
    assert ends(up.whisker) == [50.0, 100.0]
    assert ends(down.ends) == [16.67, 33.33]
    assert ends(down.whisker) == [0.0, 50.0]
    assert (up.kind, down.kind) == ("up", "down")
    assert (up.score, up.interval) == ("+2.00", "[+1.00, +4.00]")


def test_sizes_have_no_sign() -> None:
    (row,) = bars(np.array([[2.0]]), np.array([[1.0]]), np.array([[3.0]]), is_size=True).rows
    assert (row[0].kind, row[0].score, row[0].interval) == ("size", "2.00", "[1.00, 3.00]")


def test_what_is_not_known_or_exact_is_said() -> None:
    """No whisker, and a word instead of the ends."""
    values = np.array([[2.0, 2.0, np.nan, 0.0]])
    half = np.array([[np.nan, 0.0, np.nan, 1.0]])
    (row,) = bars(values, values - half, values + half, is_size=False).rows
    assert [one.interval for one in row] == ["unknown", "exact", "unknown", "[−1.00, +1.00]"]
    assert [bool(one.whisker) for one in row] == [False, False, False, True]
    assert [one.kind for one in row] == ["up", "up", "none", "none"]
    assert row[2].score == "unknown"


def test_narrow_intervals_keep_their_length() -> None:
    """Two ends that look alike would hide the error."""
    values = np.array([[123.0]])
    (row,) = bars(values, values - 0.004, values + 0.004, is_size=False).rows
    assert row[0].interval == "± 0.00400"


def test_any_scale() -> None:
    """Zeros alone, and scores whose span is no float, have bars too."""
    (row,) = bars(np.zeros((1, 1)), np.zeros((1, 1)), np.zeros((1, 1)), is_size=False).rows
    assert row[0].interval == "exact"
    huge = np.array([[1.5e308], [-1.5e308]])
    assert len(bars(huge, huge, huge, is_size=False).rows) == 2
