"""Masked rows are made of the instance's own cells and of background rows', to the last bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import perturbx as px
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from perturbx.errors import InvalidInputError, InvalidParameterError
from perturbx.maskers import Features

NO_FEATURES = Features()


def _removals(masker: Any, X: Any, fit_on: Any = None, features: Features = NO_FEATURES) -> Any:
    fitted = masker.fit(fit_on, features, np.random.default_rng(0))
    checked, _ = fitted.check(X)
    return fitted.bind(checked, 0, fitted.count(checked))


def _rows(removal: Any, z: np.ndarray) -> Any:
    per = removal.rows_per_perturbation
    return removal.batch(z, slice(0, per), removal.scratch(len(z) * per))


@given(data=st.data(), dtype=st.sampled_from(["float64", "float32", "int8", "bool"]))
@settings(deadline=None, max_examples=50)
def test_every_cell_is_the_instances_or_the_background_rows(
    data: st.DataObject, dtype: str
) -> None:
    """Present cells are x's, absent ones those of row b, for any numbers whatever."""
    background = data.draw(hnp.arrays(dtype, (3, 4)))
    x = data.draw(hnp.arrays(dtype, (1, 4)))
    z = data.draw(hnp.arrays(bool, (5, 4)))
    (removal,) = _removals(px.Background(background), x)
    rows = _rows(removal, z).reshape(5, 3, 4)
    expected = np.where(z[:, None, :], x[None], background[None])
    assert rows.tobytes() == expected.tobytes()


def test_cells_of_mixed_frames(mixed_frame: Any) -> None:
    """Every column keeps its type, its categories and its missing cells."""
    import pandas as pd

    x, background = mixed_frame.iloc[[7]], mixed_frame.iloc[:4]
    (removal,) = _removals(px.Background(background), x)
    z = np.random.default_rng(0).random((6, 9)) < 0.5
    rows = _rows(removal, z)
    assert isinstance(rows.index, pd.RangeIndex)
    pd.testing.assert_series_equal(rows.dtypes, mixed_frame.dtypes)
    for j, name in enumerate(mixed_frame.columns):
        want = [
            x[name].iloc[0] if p else background[name].iloc[b] for p in z[:, j] for b in range(4)
        ]
        want = pd.Series(want, name=name, dtype=mixed_frame[name].dtype)
        pd.testing.assert_series_equal(rows[name], want)


def test_parts_of_the_background_are_parts_of_the_batch(table: np.ndarray) -> None:
    """Rows 2 to 4 of the background give the very rows that the whole gives there."""
    (removal,) = _removals(px.Background(table[:7]), table[[9]])
    z = np.random.default_rng(1).random((4, 5)) < 0.5
    whole = _rows(removal, z).reshape(4, 7, 5).copy()
    part = removal.batch(z, slice(2, 5), removal.scratch(12)).reshape(4, 3, 5)
    assert np.array_equal(part, whole[:, 2:5])


def test_groups_go_together_in_any_order(table: np.ndarray) -> None:
    """The columns of a group share one bit; the order of the groups is the user's."""
    groups = {"late": [4, "x3"], "first": 0, "middle": ["x1", 2]}
    removals = _removals(px.Background(table[:1]), table[[5]], features=Features(None, groups))
    assert removals[0].feature_names == ("late", "first", "middle")
    rows = _rows(removals[0], np.array([[True, False, False], [False, True, False]]))
    a, b = table[5], table[0]
    assert np.array_equal(rows, [[b[0], b[1], b[2], a[3], a[4]], [a[0], *b[1:]]])


def test_groups_of_one_column_each_may_be_reordered(table: np.ndarray) -> None:
    """Names follow the groups, and so do the columns."""
    groups = {f"only {j}": [j] for j in (3, 1, 0, 2, 4)}
    (removal,) = _removals(px.Background(table[:1]), table[[5]], features=Features(None, groups))
    rows = _rows(removal, np.array([[True, False, False, False, False]]))
    assert np.array_equal(rows[0], [*table[0, :3], table[5, 3], table[0, 4]])
    assert np.array_equal(removal.data.astype(float), table[5, [3, 1, 0, 2, 4]])


def test_features_that_cannot_change_are_not_active(table: np.ndarray) -> None:
    """A column that equals x in every background row changes no model row."""
    background = table[:6].copy()
    background[:, 2] = table[7, 2]
    background[:5, 3] = table[7, 3]
    (removal,) = _removals(px.Background(background), table[[7]])
    assert removal.active.tolist() == [True, True, False, True, True]


def test_a_large_background_becomes_one_seeded_sample(table: np.ndarray) -> None:
    """Real rows, without repetition, the same for the same seed, and said in the notes."""
    masker = px.Background(max_rows=10)
    fits = [masker.fit(table, NO_FEATURES, np.random.default_rng(s)) for s in (0, 0, 1)]
    rows = [f.rows for f in fits]
    assert rows[0].shape == (10, 5)
    assert np.array_equal(rows[0], rows[1])
    assert not np.array_equal(rows[0], rows[2])
    assert len(np.unique(rows[0], axis=0)) == 10
    assert all((table == row).all(axis=1).any() for row in rows[0])
    assert fits[0].notes == ("the background is a random sample of 10 of 40 rows",)
    assert px.Background(max_rows=40).fit(table, NO_FEATURES, np.random.default_rng(0)).notes == ()


def test_baseline_of_the_columns() -> None:
    """Means and medians without the missing; the most frequent category; integers rounded."""
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(
        {"a": [1.0, np.nan, 5.0, 6.0], "b": np.array([1, 2, 2, 5]), "c": ["u", "v", "v", "w"]}
    )
    for kind, row in (("mean", [4.0, 2, "v"]), ("median", [5.0, 2, "v"])):
        fitted = px.Baseline(kind).fit(X, NO_FEATURES, np.random.default_rng(0))
        assert fitted.rows.iloc[0].tolist() == row
        assert (fitted.rows.dtypes == X.dtypes).all()


def test_a_baseline_of_whole_numbers_fits_floats(table: np.ndarray) -> None:
    """[0, 0, ...] stands for 0.0 where X holds floats, with or without fit."""
    explainer = px.KernelShap(lambda X: X.sum(axis=1), masker=px.Baseline([0] * 5))
    for ready in (explainer, px.KernelShap(**explainer.get_params()).fit(table)):
        values = ready.explain(table[:2]).values
        np.testing.assert_allclose(values, table[:2], rtol=0, atol=1e-14)


def test_whole_numbers_cannot_have_a_fraction() -> None:
    """A baseline of 0.5 is not cut to 0 where X holds integers."""
    explainer = px.KernelShap(lambda X: X.sum(axis=1), masker=px.Baseline([0.5, 0.5]))
    with pytest.raises(InvalidInputError, match="Baseline values hold values that X, of dtype int"):
        explainer.explain([[1, 2]])


@pytest.mark.parametrize(
    ("masker", "said"),
    [
        (px.Baseline([[0.0] * 5, [1.0] * 5]), r"one row, got 2.*Background\(rows\)"),
        (px.Baseline("mode"), "'mean', 'median'"),
        (px.Background([]), "rows is empty"),
        (px.Background(np.zeros((3, 4))), "X has 5 columns, but fit saw 4"),
        (px.Background(max_rows=0), "max_rows must be an integer of at least 1"),
    ],
)
def test_settings_that_cannot_be(masker: Any, said: str, table: np.ndarray) -> None:
    """Each is refused with its cure."""
    with pytest.raises((InvalidInputError, InvalidParameterError), match=said):
        masker.fit(table, NO_FEATURES, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        ({"a": [0, 1], "b": [1, 2, 3, 4]}, "overlap: column 'x1' is in 'a' and in 'b'"),
        ({"a": [0, 1]}, r"leaves out 3 columns, \['x2', 'x3', 'x4'\] first"),
        ({"a": [0, 1, 2, 3, 4], "b": []}, "'b' holds no column"),
        ({"a": [0, 1, 2, 3, 7]}, "X has no column 7"),
        ({"a": ["age"]}, "X has no column 'age'"),
        ({"a": 2.5}, "'a' must be a list of columns; got 2.5"),
    ],
)
def test_groups_that_cannot_be(groups: Any, said: str, table: np.ndarray) -> None:
    """Overlaps, gaps, empty groups and unknown columns are refused by name."""
    with pytest.raises(InvalidParameterError, match=said):
        px.Background().fit(table, Features(None, groups), np.random.default_rng(0))
