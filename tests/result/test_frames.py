"""An explanation as a table holds every number once, beside its names."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from perturbx.features import LabelMap
from perturbx.result import Explanation

pytest.importorskip("pandas")
COLUMNS = ["instance", "output", "feature", "data", "score", "standard_error", "lower", "upper"]


def build(n=2, d=3, k=2, **changes) -> Explanation:
    values = np.arange(float(n * d * k)).reshape(n, d, k)
    fields = {
        "values": values,
        "standard_errors": values / 10,
        "base_values": np.zeros((n, k)),
        "predictions": values.sum(axis=1),
        "data": np.array([[f"cell {i} {j}" for j in range(d)] for i in range(n)], dtype=object),
        "feature_names": tuple(f"f{j}" for j in range(d)),
        "output_names": tuple(f"o{j}" for j in range(k)),
        "axes": ("instance", "feature", "output"),
        "method": "KernelShap",
        "value_function": "a baseline",
        "n_rows": 1,
        "n_calls": 1,
    }
    return Explanation(**{**fields, **changes})


def test_every_score_has_its_row():
    """values[i, j, k] is found by position and names; the interval is explanation.interval()."""
    explanation = build()
    frame = explanation.to_frame()
    assert list(frame.columns) == COLUMNS
    assert len(frame) == explanation.values.size
    rows = frame.set_index(["instance", "feature", "output"])
    for (i, j, k), score in np.ndenumerate(explanation.values):
        row = rows.loc[(i, f"f{j}", f"o{k}")]
        ends = [end[i, j, k] for end in explanation.interval()]
        assert row["score"] == score
        assert row["data"] == f"cell {i} {j}"
        np.testing.assert_array_equal([row["lower"], row["upper"]], ends)
    assert frame["feature"].tolist()[:4] == ["f0", "f1", "f2", "f0"]


@pytest.mark.parametrize("key", [0, (..., 0), (0, 1), (slice(None), 1), (1, 2, 0)], ids=str)
def test_a_slice_has_the_rows_of_the_whole(key):
    """Slicing, then a frame, keeps the scores and names of what was picked."""
    part = build()[key]
    frame = part.to_frame()
    assert set(frame["feature"]) == set(part.feature_names)
    assert set(frame["output"]) == set(part.output_names)
    np.testing.assert_array_equal(np.sort(frame["score"]), np.sort(np.ravel(part.values)))
    whole = build().to_frame()[["output", "feature", "data", "score"]].values.tolist()
    rows = frame[["output", "feature", "data", "score"]].values.tolist()
    assert all(row in whole for row in rows)


def test_numbers_stay_numbers():
    """A column of numbers has a type of numbers, a mixed one keeps each cell."""
    assert build(data=np.ones((2, 3))).to_frame()["data"].dtype == float
    mixed = np.array([["a", 1, None], ["b", 2, 3.5]], dtype=object)
    assert build(data=mixed).to_frame()["data"].tolist()[:3] == ["a", 1, None]


def test_outputs_of_each_instance():
    """Where each instance has its own outputs, each row has its own."""
    names = np.array([["cat", "dog"], ["owl", "cat"]], dtype=object)
    frame = build(output_names=names).to_frame()
    assert frame["output"].tolist() == ["cat"] * 3 + ["dog"] * 3 + ["owl"] * 3 + ["cat"] * 3


def test_regions_that_an_image_lacks_have_no_row():
    """A batch of images with 3 and 2 regions has 5 rows for each output."""
    values = build().values.copy()
    values[1, 2] = np.nan
    maps = (LabelMap(np.array([[0, 1, 2]])), LabelMap(np.array([[0, 1, 1]])))
    frame = build(values=values, data=np.zeros((2, 1, 3)), regions=maps).to_frame()
    assert len(frame) == 10
    assert frame["data"].isna().all()
    assert frame.index.tolist() == list(range(10))


def test_without_pandas_the_error_says_how_to_get_it(monkeypatch):
    """An ImportError with the command."""
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        build().to_frame()
