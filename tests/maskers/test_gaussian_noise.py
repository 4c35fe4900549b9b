"""Numbers move by z * scale, categories are drawn anew by their frequency."""

from __future__ import annotations

from typing import Any

import numpy as np
import perturbx as px
import pytest
from numpy.testing import assert_allclose
from perturbx.errors import InvalidInputError, InvalidParameterError
from perturbx.maskers import Features
from scipy import sparse
from scipy.stats import chisquare


def _fit(masker: Any, X: Any) -> Any:
    return masker.fit(X, Features(), np.random.default_rng(0))


def _moved(masker: Any, X: Any, x: Any, z: np.ndarray) -> tuple[Any, Any]:
    fitted = _fit(masker, X)
    checked = fitted.check(x)
    (bound,) = checked.bind(0, 1)
    return bound.batch(z, slice(0, 1), bound.scratch(len(z))), bound


def test_numbers_move_in_units_of_their_deviation(table: np.ndarray) -> None:
    """x + z * scale, where scale is the column's standard deviation."""
    z = np.random.default_rng(2).normal(size=(6, 5))
    rows, bound = _moved(px.GaussianNoise(), table, table[[3]], z)
    assert_allclose(rows, table[3] + z * table.std(axis=0), rtol=1e-14)
    assert np.array_equal(bound.interpretable(z), z)


def test_scales_may_be_given(table: np.ndarray) -> None:
    """A number multiplies the deviations; a sequence replaces them."""
    z = np.ones((1, 5))
    rows, _ = _moved(px.GaussianNoise(0.5), table, table[[3]], z)
    assert_allclose(rows[0] - table[3], 0.5 * table.std(axis=0))
    rows, bound = _moved(px.GaussianNoise([1, 2, 3, 0, 5]), table, table[[3]], z)
    assert_allclose(rows[0] - table[3], [1, 2, 3, 0, 5])
    assert bound.active.tolist() == [True, True, True, False, True]


def test_types_are_kept() -> None:
    """Integers stay integers within what was seen; float32 stays float32; NaN stays NaN."""
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(
        {
            "i": np.array([100, -100, 127, 5], dtype=np.int8),
            "f": np.array([1, 2, np.nan, 4], dtype=np.float32),
        }
    )
    z = np.array([[9.0, 0.5], [-9.0, 0.0], [0.001, 1.0]])
    rows, _ = _moved(px.GaussianNoise(), X, X.iloc[[2]], z)
    assert (rows.dtypes == X.dtypes).all()
    assert rows["i"].tolist() == [127, -100, 127]
    assert rows["f"].isna().all()


def test_categories_are_drawn_by_frequency() -> None:
    """Half the draws keep the category; the others follow the frequencies of the others."""
    X = np.array([["a"]] * 50 + [["b"]] * 30 + [["c"]] * 10, dtype=object)
    z = np.random.default_rng(5).normal(size=(20000, 1))
    rows, bound = _moved(px.GaussianNoise(), X, X[:1], z)
    stays = z[:, 0] <= 0
    assert (rows[stays] == "a").all()
    counts = [(rows[~stays, 0] == c).sum() for c in "bc"]
    assert sum(counts) == (~stays).sum()
    assert chisquare(counts, sum(counts) * np.array([0.75, 0.25])).pvalue > 1e-3
    assert np.array_equal(bound.interpretable(z)[:, 0], np.where(stays, 0.0, -1.0))


def test_which_columns_have_no_distance() -> None:
    """Bools, text, and whole numbers of at most two values; others may be named."""
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(
        {
            "flag": [True, False, True, True],
            "text": list("abca"),
            "binary": [0.0, 1.0, 1.0, 0.0],
            "halves": [0.5, 1.0, 1.0, 0.5],
            "code": [1, 2, 3, 1],
        }
    )
    assert _fit(px.GaussianNoise(), X).categorical.tolist() == [True, True, True, False, False]
    named = _fit(px.GaussianNoise(categorical=["code", 3]), X).categorical
    assert named.tolist() == [True, True, False, True, True]


@pytest.mark.parametrize(
    ("columns", "categorical", "expected"),
    [
        ([3, 2, 1, 0], [3], [True, False, False, False]),
        ([3, 2, 1, 0], 0, [False, False, False, True]),
        (list("abcd"), [3, "a"], [True, False, False, True]),
        (list("abcd"), "d", [False, False, False, True]),
        ([("u", 1), ("u", 2), ("v", 1), ("v", 2)], [("v", 1)], [False, False, True, False]),
        ([("u", 1), ("u", 2), ("v", 1), ("v", 2)], ("v", 2), [False, False, False, True]),
    ],
)
def test_categorical_reads_the_labels_of_a_frame(
    columns: Any, categorical: Any, expected: Any
) -> None:
    """A label wins over a position; one label needs no list."""
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(9, 4)), columns=columns)
    assert _fit(px.GaussianNoise(categorical=categorical), X).categorical.tolist() == expected


def test_an_integer_that_is_no_label_is_refused() -> None:
    """If labels are integers, a column is named by its label, not by its position."""
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(np.zeros((3, 2)), columns=[7, 9])
    with pytest.raises(InvalidParameterError, match="Position 0 is labeled 7: pass that label"):
        _fit(px.GaussianNoise(categorical=[0]), X)


def test_constant_columns_score_zero() -> None:
    """A constant column does not move, and a category without others stays."""
    X = np.column_stack([np.full(50, 3.5), np.random.default_rng(0).normal(size=50)])
    explanation = px.Lime(lambda X: X[:, 0] * 100 + X[:, 1], random_state=0).fit(X).explain(X[:2])
    assert (explanation.values[:, 0] == 0).all()


def test_one_instance_may_have_nothing_to_move() -> None:
    """Beside one whose category is new to the training rows."""
    X = np.array([["a"]] * 5, dtype=object)
    explainer = px.Lime(lambda X: (X[:, 0] == "a") * 1.0, random_state=0).fit(X)
    explanation = explainer.explain(np.array([["a"], ["new"]], dtype=object))
    assert explanation.values[0, 0] == 0
    assert_allclose(explanation.values[1, 0], -1.0, atol=1e-5)
    assert np.isnan(explanation.fidelity[0])


@pytest.mark.parametrize(
    ("masker", "said"),
    [
        (px.GaussianNoise(0), "scale must be a number above 0"),
        (px.GaussianNoise([1, 2]), "a number, or 5 numbers"),
        (px.GaussianNoise([1, 2, 3, 4, -5]), "numbers of at least 0"),
        (px.GaussianNoise(categorical=["age"]), "names or positions of columns.*'age'"),
        (px.GaussianNoise(categorical=[5]), "names or positions of columns"),
    ],
)
def test_invalid_settings_are_refused(masker: Any, said: str, table: np.ndarray) -> None:
    """Each is refused with what it could be."""
    with pytest.raises(InvalidParameterError, match=said):
        _fit(masker, table)


def test_one_row_has_no_scale(table: np.ndarray) -> None:
    """Scales need two rows."""
    with pytest.raises(InvalidInputError, match="at least 2 rows"):
        _fit(px.GaussianNoise(), table[:1])


def test_numbers_that_are_no_plain_numbers() -> None:
    """Nullable integers cannot move: an error of fit names the column."""
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame({"a": [1.0, 2.0, 4.0], "n": pd.array([1, None, 3], dtype="Int64")})
    with pytest.raises(InvalidParameterError, match="Column 'n' holds no plain numbers"):
        _fit(px.GaussianNoise(), X)
    assert _fit(px.GaussianNoise(categorical=["n"]), X).categorical.tolist() == [False, True]


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_deviations_neither_vanish_nor_overflow(size: float) -> None:
    """The squares of such columns are beyond float64; their deviation is not."""
    X = np.array([[1.0], [2.0], [4.0]]) * size
    rows, _ = _moved(px.GaussianNoise(), X, X[:1], np.array([[1.0]]))
    assert_allclose(rows / size, 1 + np.std([1, 2, 4]), rtol=1e-14)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64, np.uint64])
def test_moved_numbers_stay_within_their_type(dtype: Any) -> None:
    """Neither infinite nor wrapped around: the end of the type's range is as far as they go."""
    info = np.finfo(dtype) if np.dtype(dtype).kind == "f" else np.iinfo(dtype)
    X = np.array([[info.max], [info.max // 2], [0]], dtype=dtype)
    rows, _ = _moved(px.GaussianNoise(), X, X[:1], np.array([[9.0]]))
    assert rows.dtype == dtype
    assert np.isfinite(rows).all()
    assert float(rows[0, 0]) >= 0.999 * float(info.max)


def _codes(n: int = 2000) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 100, size=(n, 2))


@pytest.mark.parametrize("kind", ["array", "int16", "pandas", "polars", "torch", "csr"])
def test_integers_stay_in_the_range_of_the_training_rows(kind: str) -> None:
    """No code below the smallest or above the largest of the training rows is drawn."""
    seen: list[Any] = []
    X: Any = _codes()
    if kind in ("pandas", "polars"):
        X = pytest.importorskip(kind).DataFrame({"a": X[:, 0], "b": X[:, 1]})
    X = X.astype(kind) if kind == "int16" else sparse.csr_array(X) if kind == "csr" else X
    X = pytest.importorskip("torch").tensor(X) if kind == "torch" else X

    def model(Z: Any) -> np.ndarray:
        values = np.asarray(Z.toarray() if kind == "csr" else Z)
        seen.append(values)
        return values[:, 0] * 1.0

    px.Lime(model, budget=400, random_state=0).fit(X).explain(X[:3])
    moved = np.concatenate(seen)
    assert (moved.min(), moved.max()) == (0, 99)


def test_the_score_of_an_integer_is_the_models_slope() -> None:
    """Also at the ends of its range, and where a deviation is less than a whole step."""
    rng = np.random.default_rng(1)
    X = np.column_stack([rng.integers(0, 100, 3000), rng.poisson(0.3, 3000)])
    weights = np.array([0.5, 20.0])
    x = np.array([[0, 0], [99, 3], [50, 1]])
    explanation = px.Lime(lambda Z: Z @ weights, random_state=0).fit(X).explain(x)
    assert_allclose(explanation.values, np.tile(weights * X.std(axis=0), (3, 1)), rtol=1e-4)
    alone = px.Lime(lambda Z: Z @ weights, random_state=0).fit(X).explain(x[1])
    assert_allclose(alone.values, explanation.values[1], rtol=1e-12)


def test_large_integers_move_exactly() -> None:
    """By whole steps, exactly for integers beyond the precision of floats, without overflow."""
    for dtype, top in (("int64", 2**63 - 1), ("uint64", 2**64 - 1), (">i8", 2**63 - 1)):
        X = np.array([[top - 5], [top], [top - 2], [top - 8]], dtype=dtype)
        z = np.array([[0.0], [0.5], [-0.5], [9.0], [-9.0]])
        rows, bound = _moved(px.GaussianNoise([4.0]), X, X[:1], z)
        assert rows.dtype == X.dtype
        assert [int(row) - (top - 5) for row in rows[:, 0]] == [0, 2, -2, 5, -3]
        assert bound.interpretable(z)[:, 0].tolist() == [0, 0.5, -0.5, 1.25, -0.75]


def test_integers_that_hardly_vary_are_drawn_anew() -> None:
    """Noise of a tenth would round to nothing and score a silent 0."""
    X = np.zeros((1000, 2), dtype=int)
    X[:6, 0], X[6:10, 0] = 1, 2
    X[:, 1] = np.arange(1000) % 7
    explanation = px.Lime(lambda Z: 10.0 * (Z[:, 0] > 0), random_state=0).fit(X).explain(X[500])
    assert_allclose(explanation.values, [-10.0, 0.0], atol=1e-3)


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (np.arange(300) % 50, False),
        (np.arange(300) % 50 * 2, True),
        (np.array([3, 17, 42, 99] * 75), True),
        (np.array([3.0, 17.0, 42.0, 99.0] * 75), True),
        (np.linspace(0, 1, 300), False),
        (np.arange(300) * 1.0, False),
    ],
)
def test_notes_say_which_columns_may_be_codes(column: np.ndarray, said: bool) -> None:
    """Whole numbers that noise makes into others: with the cure, which is then not needed."""
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame({"zip": column, "z": np.random.default_rng(0).normal(size=300)})
    explainer = px.Lime(lambda Z: Z["z"].to_numpy(), budget=60, random_state=0)
    notes = " ".join(explainer.fit(X).explain(X.iloc[:1]).notes)
    assert ("GaussianNoise(categorical=['zip'])" in notes) is said
    explainer.set_params(masker=px.GaussianNoise(categorical=["zip"]))
    assert "categorical" not in " ".join(explainer.fit(X).explain(X.iloc[:1]).notes)
