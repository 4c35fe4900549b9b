"""Trees of columns: correlated columns, the user's own trees, and invalid settings."""

from __future__ import annotations

from typing import Any

import numpy as np
import perturbx as px
import pytest
from perturbx.errors import InvalidInputError, InvalidParameterError
from perturbx.features import FeatureTree
from perturbx.maskers import Background, ColumnTree, Features


def _tree(masker: ColumnTree, X: Any, names: Any = None, groups: Any = None) -> FeatureTree:
    fitted = masker.fit(X, Features(names, groups), np.random.default_rng(0))
    checked = fitted.check(X[:1] if isinstance(X, np.ndarray) else X.iloc[:1])
    (bound,) = checked.bind(0, 1)
    (tree,) = bound.trees
    return tree


def _nodes(tree: FeatureTree) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(row).tolist()) for row in tree.members[tree.n_leaves :]}


@pytest.fixture
def paired() -> np.ndarray:
    """Columns 0 and 3 are correlated, 1 and 2 anticorrelated, and 4 is independent, with NaN."""
    rng = np.random.default_rng(0)
    base = rng.normal(size=(200, 3))
    noise = rng.normal(size=(200, 2)) * 0.3
    X = np.column_stack(
        [base[:, 0], base[:, 1], -base[:, 1] + noise[:, 0], base[:, 0] + noise[:, 1], base[:, 2]]
    )
    X[::7, 4] = np.nan
    return X


@pytest.mark.parametrize("linkage", ["average", "complete", "single", "weighted", "ward"])
def test_correlated_columns_share_a_branch(paired: np.ndarray, linkage: Any) -> None:
    """By size of the correlation, whatever its sign; missing values do no harm."""
    nodes = _nodes(_tree(ColumnTree(linkage=linkage), paired))
    assert {frozenset((0, 3)), frozenset((1, 2)), frozenset(range(5))} <= nodes


def test_features_are_removed_as_by_background(paired: np.ndarray) -> None:
    """Same rows, same draw of a sample, same names; a tree besides."""
    z = np.random.default_rng(1).random((6, 5)) < 0.5
    batches = []
    for masker in (ColumnTree(max_rows=9), Background(max_rows=9)):
        fitted = masker.fit(paired, Features(list("abcde")), np.random.default_rng(3))
        (bound,) = fitted.check(paired[:1]).bind(0, 1)
        batches.append(bound.batch(z, slice(0, 9), bound.scratch(54)).copy())
        assert bound.feature_names == tuple("abcde")
    assert np.array_equal(*batches, equal_nan=True)
    assert (
        "a tree of correlated features"
        in ColumnTree(paired).fit(None, Features(), np.random.default_rng(0)).value_function
    )


def test_groups_are_features(paired: np.ndarray) -> None:
    """A group is as near as the nearest of its columns."""
    groups = {"one": [0, 4], "two": [1], "three": [2], "four": [3]}
    assert {frozenset((0, 3)), frozenset((1, 2))} <= _nodes(
        _tree(ColumnTree(), paired, None, groups)
    )


def test_texts_and_categories_count_by_their_values() -> None:
    """A text that follows a number shares its branch; dates and bools do no harm."""
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    size = rng.normal(size=300)
    frame = pd.DataFrame(
        {
            "size": size,
            "free": rng.normal(size=300),
            "word": np.where(size > 0, "large", "small"),
            "flag": rng.random(300) < 0.5,
            "kind": pd.Categorical(rng.choice(list("abc"), 300)),
        }
    )
    assert frozenset((0, 2)) in _nodes(_tree(ColumnTree(), frame))


def test_trees_of_the_user(paired: np.ndarray) -> None:
    """A linkage matrix as scipy and shap have it, as array or lists; lists of lists of names."""
    from scipy.cluster.hierarchy import linkage

    matrix = linkage(np.arange(5.0)[:, None] ** 1.5)
    expected = {frozenset(range(n)) for n in (2, 3, 4, 5)}
    for given in (matrix, matrix.tolist(), matrix[:, :2]):
        assert _nodes(_tree(ColumnTree(clustering=given), paired)) == expected
    nested = ColumnTree(clustering=[["a", "e", ["c", 3]], "b"])
    tree = _tree(nested, paired, list("abcde"))
    assert tree.children == ((2, 3), (0, 4, 5), (6, 1))
    flat = _tree(ColumnTree(clustering=list("abcde")), paired, list("abcde"))
    assert flat.children == ((0, 1, 2, 3, 4),)


def test_trees_go_by_the_labels_of_a_frame(paired: np.ndarray) -> None:
    """Integers that are labels are no positions, and neither are keys of groups."""
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(paired, columns=[4, 3, 2, 1, 0])
    assert _tree(ColumnTree(clustering=[[4, 0], 3, 2, 1]), X).children == ((0, 4), (5, 1, 2, 3))
    groups = {2: [4, 3], 1: [2, 1], 0: [0]}
    assert _tree(ColumnTree(clustering=[[2, 0], 1]), X, None, groups).children == ((0, 2), (3, 1))
    pairs = pd.MultiIndex.from_product([["u"], range(5)])
    nested = [[("u", 0), ("u", 4)], ("u", 1), ("u", 2), ("u", 3)]
    tree = _tree(ColumnTree(clustering=nested), pd.DataFrame(paired, columns=pairs))
    assert tree.children == ((0, 4), (5, 1, 2, 3))


def test_missing_nullable_numbers_are_numbers() -> None:
    """A column with pd.NA is correlated as numbers, like the same column with NaN."""
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    base = rng.normal(size=200)
    X = pd.DataFrame({"a": base, "b": rng.normal(size=200), "c": base + rng.normal(size=200) * 0.1})
    X.loc[::9, "c"] = np.nan
    X["c"] = X["c"].astype("Float64")
    assert frozenset((0, 2)) in _nodes(_tree(ColumnTree(), X))


def test_one_column_is_a_tree(paired: np.ndarray) -> None:
    """A single feature cannot be split."""
    assert _tree(ColumnTree(), paired[:, :1]).children == ()


@pytest.mark.parametrize(
    ("masker", "said"),
    [
        (ColumnTree(clustering="euclidean"), 'clustering must be "correlation", a linkage'),
        (ColumnTree(clustering=np.zeros((3, 4))), r"join 5 features in 4 rows.*got shape \(3, 4\)"),
        (ColumnTree(clustering=np.zeros((4, 4))), "join every node once"),
        (ColumnTree(clustering=[[0, 1], [2, 3]]), "every feature once: 'x4' is missing"),
        (ColumnTree(clustering=[[0, 1], [2, 3, 4, 1]]), "listed twice"),
        (ColumnTree(clustering=[[0, 1], ["z", 3, 4]]), "there is no feature 'z'"),
        (ColumnTree(clustering=[[0, 1, 2, 3, 4], []]), "an empty list"),
        (ColumnTree(linkage="centroid"), "linkage must be one of"),
        (ColumnTree(max_rows=0), "max_rows must be an integer of at least 1"),
    ],
)
def test_invalid_settings_are_refused(masker: ColumnTree, said: str, paired: np.ndarray) -> None:
    """Each is named, with what it may be."""
    with pytest.raises(InvalidParameterError, match=said):
        _tree(masker, paired)


def test_too_wide_a_node_is_refused() -> None:
    """A flat tree of 20 features would take a million coalitions: the error has a cure."""
    X = np.random.default_rng(0).normal(size=(30, 20))
    with pytest.raises(InvalidParameterError, match=r"2\*\*20 coalitions.*KernelShap"):
        _tree(ColumnTree(clustering=list(range(20))), X)


def test_rows_are_needed() -> None:
    """Without rows, the masker needs fit(X)."""
    with pytest.raises(InvalidInputError, match="call fit"):
        ColumnTree().fit(None, Features(), np.random.default_rng(0))


@pytest.mark.parametrize(
    "masker", [px.ConditionalCopula(max_rows=20), px.ConditionalNearest(), px.Baseline("mean")]
)
def test_any_masker_of_columns_gets_a_tree(masker: Any) -> None:
    """A flat tree gives the exact Shapley values of that masker."""
    X = np.cumsum(np.random.default_rng(0).normal(size=(60, 4)), axis=1)

    def model(rows: np.ndarray) -> np.ndarray:
        return np.asarray(np.tanh(rows[:, 0]) * rows[:, 1] + rows[:, 3])

    tree = px.ColumnTree(clustering=[0, 1, 2, 3], masker=masker)
    owen = px.OwenShap(model, masker=tree, random_state=0, budget=10**5).fit(X).explain(X[:3])
    exact = px.KernelShap(model, masker=masker, random_state=0, budget=10**5).fit(X)
    np.testing.assert_allclose(owen.values, exact.explain(X[:3]).values, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "settings",
    [
        {"masker": px.GaussianNoise()},
        {"masker": px.Superpixels()},
        {"masker": "mean"},
        {"masker": px.ConditionalNearest(), "max_rows": 10},
    ],
)
def test_maskers_that_get_no_tree(settings: Any) -> None:
    """Refused in fit, with what to type."""
    with pytest.raises(InvalidParameterError, match="masker"):
        px.OwenShap(lambda X: X[:, 0], masker=px.ColumnTree(**settings)).fit(np.eye(3))


@pytest.mark.parametrize("size", [1e-250, 1e200, 1e307])
def test_columns_of_any_size_have_the_same_tree(size: float) -> None:
    """Correlations have no unit, and their squares do not overflow."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(50, 1)) * [1.0, 1.0, 0.0, 0.0] + 0.3 * rng.normal(size=(50, 4))
    usual, scaled = (_tree(ColumnTree(), X) for X in (rows, np.ldexp(rows, int(np.log2(size)))))
    assert usual.children == scaled.children
