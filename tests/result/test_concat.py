"""Explanations joined: what `explain` returns for all of their instances at once."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import perturbx as px
import pytest
from perturbx.errors import InvalidParameterError

X = np.random.default_rng(0).normal(size=(40, 6))


def model(rows: np.ndarray) -> np.ndarray:
    return np.stack([np.exp(rows[:, 0]) * rows[:, 2], rows.sum(axis=1)], axis=1)


def table(**settings: Any) -> Any:
    common = {"budget": 900, "random_state": 0}
    return px.KernelShap(model, **{**common, **settings}).fit(X[:20])


def text_model(texts: list[str]) -> np.ndarray:
    return np.array([len(text) + 3.0 * ("day" in text) for text in texts])


def assert_same(joined: px.Explanation, whole: px.Explanation) -> None:
    for field in fields(px.Explanation):
        found, expected = getattr(joined, field.name), getattr(whole, field.name)
        if field.name in ("provenance", "per_instance", "data", "n_calls", "regions"):
            continue
        if field.name == "n_rows":  # rows that instances share are paid for by each part
            assert found >= expected
        elif field.name == "interactions" and found is not None:
            np.testing.assert_allclose(found.shapley, expected.shapley, atol=1e-12)
        elif isinstance(expected, np.ndarray) and expected.dtype.kind == "f":
            np.testing.assert_allclose(found, expected, atol=1e-12)
        else:
            assert np.array_equal(found, expected), field.name
    assert np.array_equal(np.asarray(joined.data, object), np.asarray(whole.data, object))


@pytest.mark.parametrize(
    "settings",
    [{}, {"outputs": [1]}, {"outputs": 0}, {"tol": 0.3}, {"interactions": True}],
    ids=str,
)
def test_parts_of_a_table(settings: dict[str, Any], tmp_path: Path) -> None:
    """Batches and single rows give what one call gives, and it can be saved."""
    explainer = table(**settings)
    whole = explainer.explain(X[20:26])
    parts = [explainer.explain(X[20:23]), explainer.explain(X[23]), explainer.explain(X[24:26])]
    joined = px.concat(parts)
    assert_same(joined, whole)
    assert joined.axes == whole.axes
    assert joined.n_rows == sum(part.n_rows for part in parts)
    assert joined[3].n_rows == parts[1].n_rows
    assert repr(joined)
    joined.save(tmp_path / "joined.npz")
    assert_same(px.load(tmp_path / "joined.npz"), whole)


def test_outputs_of_each_instance() -> None:
    """Where each instance has the outputs that are largest for it."""
    explainer = table(outputs="top1")
    whole = explainer.explain(X[20:26])
    joined = px.concat(explainer.explain(row) for row in X[20:26])
    np.testing.assert_allclose(joined.values, whole.values, atol=1e-12)
    assert np.array_equal(joined.output_names, whole.output_names)


def test_texts_of_several_lengths() -> None:
    """Shorter ones are padded, and each keeps its words."""
    explainer = px.KernelShap(text_model, random_state=0)
    texts = ["a good day", "rain", "a day of rain and snow"]
    whole = explainer.explain(texts)
    joined = px.concat(explainer.explain(text) for text in texts)
    np.testing.assert_allclose(joined.values, whole.values, atol=1e-12)
    assert joined.feature_names == whole.feature_names
    assert joined[2].feature_names == whole[2].feature_names
    assert joined.data == whole.data


def test_images() -> None:
    """Of one shape they are one array; the maps are those of each."""
    images = np.random.default_rng(1).uniform(size=(3, 12, 12, 3))
    explainer = px.Occlusion(
        lambda images: images[:, :6].mean(axis=(1, 2, 3)), masker=px.Windows(shape=4, stride=4)
    )
    whole, joined = explainer.explain(images), px.concat(map(explainer.explain, images))
    np.testing.assert_array_equal(joined.values, whole.values)
    np.testing.assert_array_equal(joined.data, images)
    np.testing.assert_array_equal(joined[2].heatmap(), whole[2].heatmap())


def test_notes_and_settings_of_parts() -> None:
    """A note counts the instances it is about; settings that differ are all there."""
    first = table(budget=700).explain(X[20:22])
    second = table(budget=800).explain(X[22:25])
    joined = px.concat([first, second])
    assert joined.provenance["budget"] == (700, 800)
    assert joined.provenance["random_state"] == 0
    assert len(joined) == len(joined.per_instance) == 5
    alike = px.concat([first, first])
    assert len(alike.notes) == len(first.notes)


DIFFERENT: list[tuple[Any, str]] = [
    (lambda e: [], "got none"),
    (lambda e: e, "got one"),
    (lambda e: [e, 3], "joins explanations"),
    (lambda e: [e, e[:, :3]], "features"),
    (lambda e: [e, e[..., 0]], "axes"),
    (lambda e: [e, e[..., [0]]], "number of outputs"),
    (lambda e: [e, px.Occlusion(model).fit(X[:20]).explain(X[20])], "method name"),
    (lambda e: [e, table().fit(X[:10]).explain(X[20])], "value function"),
    (lambda e: [e[..., 0], e[..., 1]], "outputs"),
    (lambda e: 3, "joins explanations"),
]


@pytest.mark.parametrize(("parts", "message"), DIFFERENT)
def test_different_explanations_are_refused(parts: Any, message: str) -> None:
    """The error says what differs."""
    with pytest.raises(InvalidParameterError, match=message):
        px.concat(parts(table().explain(X[20:22])))


def test_explanations_without_data_of_their_own() -> None:
    """The features of `DataShapley` are training rows, and there are no cells to show."""
    explainer = px.DataShapley(lambda X, y: lambda Z: np.full(len(Z), y.mean()), random_state=0)
    alone = explainer.fit(np.eye(4), np.array([0, 1, 1, 0])).explain(np.eye(4)[:2])
    joined = px.concat([alone, alone])
    np.testing.assert_array_equal(joined.values, np.concatenate([alone.values, alone.values]))
    assert joined.data is None
