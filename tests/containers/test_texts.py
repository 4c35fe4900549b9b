"""Texts in any container, and refusals with the remedy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from perturbx.containers import texts_of
from perturbx.errors import InvalidInputError

TEXTS = ["one", "two\0", ""]


@pytest.mark.parametrize("container", [list, tuple, lambda t: np.array(t, dtype=object)])
def test_texts_come_back_in_their_container(container: Any) -> None:
    """A batch has the container that X had; a tuple and a single text become a list."""
    texts, single, layout = texts_of(container(TEXTS))
    assert (texts, single) == (TEXTS, False)
    batch = layout.build(["x", "y\0"])
    assert type(batch) is (np.ndarray if container not in (list, tuple) else list)
    assert list(batch) == ["x", "y\0"]


def test_one_text() -> None:
    """A single text is a list of one for the model, also one of a subclass."""
    for one in ("text", np.str_("text")):
        texts, single, layout = texts_of(one)
        assert (texts, single, layout.build(texts)) == (["text"], True, ["text"])
        assert type(texts[0]) is str


@pytest.mark.parametrize("dtype", ["object", "str", "string", "category"])
def test_series_keep_name_and_dtype(dtype: str) -> None:
    """A pandas series keeps its name, and its dtype where that holds any text."""
    pd = pytest.importorskip("pandas")
    series = pd.Series(TEXTS, name="review", index=[5, 6, 7]).astype(dtype)
    texts, _, layout = texts_of(series)
    batch = layout.build([*texts, "new"])
    assert list(batch) == [*TEXTS, "new"]
    assert batch.name == "review"
    assert dtype == "category" or batch.dtype == series.dtype


def test_series_of_polars() -> None:
    """A polars series keeps its name."""
    pl = pytest.importorskip("polars")
    texts, _, layout = texts_of(pl.Series("review", TEXTS))
    assert layout.build(texts).equals(pl.Series("review", TEXTS))


@pytest.mark.parametrize(
    ("X", "said"),
    [
        ([], "X is empty"),
        (["a", b"b"], r"X\[1\] must be a text; got bytes: decode it first"),
        (b"b", "got bytes: decode it first"),
        (["a", None], r"X\[1\] .* a missing value \(None\)"),
        (["a", float("nan")], "a missing value"),
        (["a", 3], r"X\[1\] must be a text; got int"),
        ([["a"], ["b"]], r"px.Segments\(\)"),
        ([{"role": "user"}], r"px.Segments\(\)"),
        (np.array([["a"]]), r"got an array of shape \(1, 1\)"),
        (3.0, "got float"),
        (None, "got a missing value"),
        ({"a": 1}, "got a dict"),
    ],
)
def test_what_holds_no_texts(X: Any, said: str) -> None:
    """Anything else is refused, with its place and the remedy."""
    with pytest.raises(InvalidInputError, match=said):
        texts_of(X)


def test_a_frame_is_not_a_column() -> None:
    """Of a frame the column must be named."""
    pd = pytest.importorskip("pandas")
    with pytest.raises(InvalidInputError, match=r"pass the column .* X\['text'\]"):
        texts_of(pd.DataFrame({"text": TEXTS}))
