"""Items of lists: what is left without some of them, and refusals."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import perturbx as px
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from perturbx.errors import InvalidInputError, InvalidParameterError, PredictFnError
from perturbx.maskers import Features

CHAT = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hello"},
    {"role": "user", "content": "Hello"},
]

ITEMS = st.lists(
    st.one_of(st.none(), st.booleans(), st.text(max_size=3), st.dictionaries(st.text(), st.text())),
    min_size=1,
    max_size=6,
)


def instances_of(X: Any, **settings: Any) -> Any:
    fitted = px.Segments(**settings).fit(None, Features(), np.random.default_rng(0))
    return fitted.check(X)


def bound_of(X: Any, **settings: Any) -> Any:
    (bound,) = instances_of(X, **settings).bind(0, 1)
    return bound


def tool() -> None:
    """A tool of a model."""


@settings(deadline=None)
@given(items=ITEMS, seed=st.integers(0, 99))
def test_present_items_stay_in_order(items: list[Any], seed: int) -> None:
    """A version of a list holds the present items, and those alone."""
    bound = bound_of(items)
    z = np.random.default_rng(seed).random((4, len(items))) < 0.5
    z[0] = True
    found = bound.batch(z, slice(0, 1), None)
    assert found == [[x for x, p in zip(items, row, strict=True) if p] for row in z]
    assert found[0] == items


def test_stand_ins_take_the_places() -> None:
    """With a fill, the length of the list stays."""
    bound = bound_of(["a", "b", "c"], fill="(removed)")
    z = np.array([[True, False, True], [False] * 3])
    assert bound.batch(z, slice(0, 1), None) == [["a", "(removed)", "c"], ["(removed)"] * 3]
    assert bound_of(["a", "b"], fill="b").active.tolist() == [True, False]


@pytest.mark.parametrize("pinned", [[0], (-3,), range(1), lambda m: m["role"] == "system"])
def test_pinned_items_are_always_there(pinned: Any) -> None:
    """They have no score, and stay in their place."""
    bound = bound_of(CHAT, pinned=pinned)
    assert bound.feature_names == ("user: Hello", "user: Hello (2)")
    assert bound.batch(np.zeros((1, 2), dtype=bool), slice(0, 1), None) == [CHAT[:1]]


def test_names_of_items() -> None:
    """Texts, messages, what has a name, and anything else as it prints."""
    items = ["a\nb", CHAT[0], {"name": "search"}, tool, 3.5, ("x", 1)]
    names = ("a b", "system: Be brief.", "search", "tool", "3.5", "('x', 1)")
    assert bound_of(items).feature_names == names


def test_one_list_or_several() -> None:
    """Lists in a list are several instances; a list of anything else is one."""
    assert instances_of(CHAT).single
    assert not instances_of([CHAT, CHAT[:1]]).single
    assert len(instances_of([["a"], ["b", "c"]])) == 2
    explanation = px.Occlusion(lambda b: [float(len(x)) for x in b], masker=px.Segments()).explain(
        [["a"], ["b", "c"]]
    )
    assert np.array_equal(explanation.values, [[1.0, np.nan], [1.0, 1.0]], equal_nan=True)
    assert explanation[1].feature_names == ("b", "c")
    assert explanation[1].data == ["b", "c"]


def test_a_model_that_writes_into_its_batch_is_found() -> None:
    """The user's items stay as they are, and the model is told to copy."""

    def model(batch: list[list[Any]]) -> list[float]:
        for messages in batch:
            messages[0]["content"] += "!"
        return [1.0] * len(batch)

    chat = [dict(message) for message in CHAT]
    with pytest.raises(PredictFnError, match="predict_fn changed the batch"):
        px.KernelShap(model, masker=px.Segments()).explain(chat)
    assert chat == CHAT


class Plain:
    """An object without a comparison of its own."""


def test_objects_without_a_comparison() -> None:
    """Objects that equal themselves alone are no reason to blame the model."""
    explainer = px.KernelShap(lambda batch: [len(x) * 1.0 for x in batch], masker=px.Segments())
    explanation = explainer.explain([Plain(), np.arange(3), tool])
    assert explanation.values == pytest.approx([1.0, 1.0, 1.0])


@pytest.mark.parametrize(
    ("X", "said"),
    [
        ("text", "got str"),
        ([], "X is empty"),
        ([[]], "list 0 is empty"),
        ([["a"], "b"], r"X\[0\] is a list, and X\[1\] is not"),
        (["b", ["a"]], r"X\[0\] is a str, and X\[1\] is not"),
        ({"a": 1}, "got dict"),
        (["a", threading.Lock()], "must be copied, as a model may write into them"),
    ],
)
def test_what_holds_no_items(X: Any, said: str) -> None:
    """Anything else is refused before the model is asked."""
    with pytest.raises(InvalidInputError, match=said):
        instances_of(X)


@pytest.mark.parametrize("pinned", ["system", 3, [True], [0.5]])
def test_wrong_pins(pinned: Any) -> None:
    """Pins are positions or a callable."""
    with pytest.raises(InvalidParameterError, match="pinned must be"):
        instances_of(CHAT, pinned=pinned)


def test_pins_that_do_not_fit() -> None:
    """Positions lie in every list, and leave something to score."""
    with pytest.raises(InvalidInputError, match="list 1 has 1 items, and there is no 2"):
        instances_of([CHAT, CHAT[:1]], pinned=[2])
    with pytest.raises(InvalidInputError, match="all 3 items of the list are pinned"):
        instances_of(CHAT, pinned=lambda message: True)
