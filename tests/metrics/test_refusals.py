"""What does not fit together is refused, with what was expected, what was got, and the cure."""

from __future__ import annotations

from typing import Any

import numpy as np
import perturbx as px
import pytest
from perturbx import metrics
from perturbx.errors import InvalidInputError, InvalidParameterError, PredictFnError

X = np.arange(12.0).reshape(3, 4) + 1
ZERO = px.Baseline(np.zeros(4))
EXPLANATION = px.Occlusion(lambda X: X.sum(axis=1), masker=ZERO).explain(X)

OF_EXPLANATIONS = [
    metrics.completeness,
    metrics.comprehensiveness,
    metrics.deletion,
    metrics.faithfulness_correlation,
    metrics.infidelity,
    metrics.insertion,
    metrics.insertion_deletion,
    metrics.sensitivity_n,
    metrics.sufficiency,
]
OF_EXPLAINERS = [metrics.max_sensitivity, metrics.randomization, metrics.stability]


def add(X: Any) -> Any:
    return X.sum(axis=1)


def two(X: Any) -> Any:
    return np.stack([X.sum(axis=1), X[:, 0]], axis=1)


@pytest.mark.parametrize("metric", OF_EXPLANATIONS)
@pytest.mark.parametrize(
    ("x", "explanation", "ask", "message"),
    [
        (X[:2], EXPLANATION, {}, "explanation is of 3 instances, and X holds 2"),
        (X[[0, 2, 1]], EXPLANATION, {}, "predictions are not what predict_fn returns for X"),
        (X, X[:, :3], {}, "3 features have scores, and the masker removes 4"),
        (X, np.where(X > 11, np.nan, X), {}, "1 of 12 scores are NaN or infinite"),
        (X, X[..., None], {}, r"shape \(n, d\).*scores\[..., 0\]"),
        (X, "scores", {}, "an Explanation or an array of scores"),
        (X, EXPLANATION[:, "x0"], {}, "pass the whole explanation|Pass the whole explanation"),
        (X, px.Occlusion(add, masker=ZERO), {}, r"Pass explainer.explain\(X\), not the explainer"),
        (X, EXPLANATION, {"outputs": "cat"}, "one that was explained, 'output'.*got 'cat'"),
        (X, EXPLANATION, {"fill": 0, "masker": ZERO}, "pass it inside the masker"),
        (X, EXPLANATION, {"fill": 0}, "a table takes masker="),
        (X, EXPLANATION, {"masker": "blur"}, "a masker, such as px.Background"),
        (X, EXPLANATION, {"link": "log"}, "'identity', 'logit'"),
        (X, EXPLANATION, {"batch_size": 0}, "batch_size must be an integer of at least 1"),
        (X, EXPLANATION, {"archive": 3}, r"a path, or px.Archive\(path, model=...\)"),
        (X, EXPLANATION, {"random_state": "a"}, "random_state"),
        (X[0], EXPLANATION[0], {"masker": None}, r"X is one row. Pass masker=px.Background"),
    ],
)
def test_explanations(metric: Any, x: Any, explanation: Any, ask: Any, message: str) -> None:
    """What does not fit together is refused before any perturbed row is paid for."""
    asked: list[int] = []

    def model(batch: Any) -> Any:
        asked.append(len(batch))
        return add(batch)

    with pytest.raises((InvalidInputError, InvalidParameterError), match=message):
        metric(model, x, explanation, **{"masker": None if "fill" in ask else ZERO, **ask})
    assert sum(asked) <= 6


@pytest.mark.parametrize("metric", OF_EXPLANATIONS)
def test_several_outputs_need_a_name(metric: Any) -> None:
    """Several outputs need `outputs=`, for explanations and for plain scores."""
    both = px.Occlusion(two, masker=ZERO).explain(X)
    with pytest.raises(
        InvalidParameterError, match="2 outputs were explained: choose with outputs="
    ):
        metric(two, X, both, masker=ZERO)
    with pytest.raises(
        InvalidParameterError, match="the model has 2 outputs: choose with outputs="
    ):
        metric(two, X, X, masker=ZERO)
    with pytest.raises(InvalidParameterError, match="the one output that the scores explain"):
        metric(two, X, X, masker=ZERO, outputs=[0, 1])


@pytest.mark.parametrize("metric", OF_EXPLANATIONS)
def test_images(metric: Any) -> None:
    """Maps of another shape, maps with colors, and columns in place of pixels are refused."""
    images = np.random.default_rng(0).random((2, 6, 8, 3))
    bright = lambda batch: batch.mean(axis=(1, 2, 3))  # noqa: E731
    with pytest.raises(InvalidInputError, match="that shape without the channels"):
        metric(bright, images, np.ones((2, 6, 7)))
    with pytest.raises(InvalidInputError, match="Sum over channels first"):
        metric(bright, images[0], images[0])
    explanation = px.Occlusion(bright, masker=px.Windows(shape=2, stride=2)).explain(images)
    with pytest.raises(InvalidInputError, match="2 instances, and X holds 1"):
        metric(bright, images[:1], explanation)
    with pytest.raises(InvalidInputError, match=r"first map has shape \(6, 8\)"):
        metric(bright, images[:, :4], explanation, masker=px.Windows(shape=2, stride=2))
    with pytest.raises(InvalidParameterError, match="fill must be"):
        metric(bright, images, explanation, fill="grey")


@pytest.mark.parametrize("metric", OF_EXPLANATIONS)
def test_broken_models(metric: Any) -> None:
    """Models that return NaN, or change their batch, are refused."""
    with pytest.raises(PredictFnError, match="NaN or infinite"):
        metric(lambda X: np.full(len(X), np.nan), X, X, masker=ZERO)
    with pytest.raises(PredictFnError, match="changed the batch"):
        metric(lambda X: X.__imul__(0).sum(axis=1), X, X, masker=ZERO)


@pytest.mark.parametrize("metric", [m for m in OF_EXPLANATIONS if m is not metrics.infidelity])
def test_noise_removes_nothing(metric: Any) -> None:
    """Metrics that need an empty state refuse noise, and suggest a masker."""
    with pytest.raises(InvalidParameterError, match=r"needs the output without any.*px.Background"):
        metric(add, X, EXPLANATION, masker=px.GaussianNoise())


@pytest.mark.parametrize("metric", OF_EXPLAINERS)
def test_explainers(metric: Any) -> None:
    """Explanations, names and classes are no explainers, and px explainers must be fitted."""
    with pytest.raises(InvalidParameterError, match=r"explains again.*pass the explainer"):
        metric(EXPLANATION, X)
    with pytest.raises(InvalidParameterError, match="explainer must be an explainer"):
        metric("lime", X)
    with pytest.raises(InvalidParameterError, match="explainer must be an explainer"):
        metric(px.Lime, X)
    with pytest.raises(px.errors.NotFittedError, match="call fit"):
        metric(px.KernelShap(add), X)


@pytest.mark.parametrize(
    ("metric", "ask", "message"),
    [
        (metrics.deletion, {"steps": 0}, "steps must be an integer of at least 1"),
        (metrics.insertion, {"steps": 2.5}, "steps must be an integer"),
        (metrics.deletion, {"normalize": "max"}, "normalize must be one of 'prediction', 'range'"),
        (metrics.insertion_deletion, {"normalize": True}, "normalize must be one of"),
        (metrics.comprehensiveness, {"shares": [0.0, 0.5]}, "shares must be increasing"),
        (metrics.sufficiency, {"shares": [0.5, 0.2]}, "shares must be increasing"),
        (metrics.sufficiency, {"shares": [1.5]}, "shares must be increasing"),
        (metrics.sensitivity_n, {"sizes": [4]}, "sizes must be numbers of features from 1 to 3"),
        (metrics.sensitivity_n, {"sizes": []}, "sizes must be a list of numbers of features"),
        (metrics.faithfulness_correlation, {"subset_size": 4}, "subset_size must be at most 3"),
        (metrics.infidelity, {"budget": 3}, "budget=3 is too small: at least 4 model rows"),
        (metrics.infidelity, {"budget": 0}, "budget must be an integer of at least 1"),
    ],
)
def test_settings(metric: Any, ask: Any, message: str) -> None:
    """Each metric refuses wrong settings of its own."""
    with pytest.raises(InvalidParameterError, match=message):
        metric(add, X, EXPLANATION, masker=ZERO, **ask)


@pytest.mark.parametrize(
    ("metric", "ask", "message"),
    [
        (metrics.stability, {"seeds": 1}, "seeds must be an integer of at least 2"),
        (metrics.stability, {"top": 0}, "top must be an integer of at least 1"),
        (metrics.max_sensitivity, {"radius": 0}, "radius must be a number above 0"),
        (metrics.max_sensitivity, {"n_moves": 0}, "n_moves must be an integer of at least 1"),
        (metrics.max_sensitivity, {"background": X[:1]}, "pass background=X_train"),
    ],
)
def test_settings_of_explainers(metric: Any, ask: Any, message: str) -> None:
    """Each metric of explainers refuses wrong settings of its own."""
    explainer = px.Occlusion(add, masker=ZERO)
    with pytest.raises((InvalidParameterError, InvalidInputError), match=message):
        metric(explainer, X, **ask)


def test_callables_hide_their_model() -> None:
    """A callable explainer needs an explicit model."""
    with pytest.raises(InvalidParameterError, match="hides its model"):
        metrics.randomization(lambda X: X, X)
    with pytest.raises(InvalidParameterError, match="predict_fn must be given"):
        metrics.compare({"plain": lambda X: X}, X)


def test_answers_of_one_shape() -> None:
    """An explainer whose answers change their shape is refused."""
    sizes = iter([3, 4])
    with pytest.raises(InvalidInputError, match="scores of one shape"):
        metrics.stability(lambda X: np.ones((3, next(sizes))), X, seeds=2)


@pytest.mark.parametrize(
    ("explainers", "ask", "message"),
    [
        ({}, {}, "explainers must be a dict"),
        ([px.Occlusion(add)], {}, "explainers must be a dict"),
        ({"a": EXPLANATION}, {}, "pass the explainer, not its answer"),
        ({"a": px.Occlusion(add, masker=ZERO)}, {"against": "b"}, "against must be one of 'a'"),
        ({"a": px.Occlusion(add, masker=ZERO)}, {"metrics": []}, "metrics must be functions"),
        ({"a": px.Occlusion(add, masker=ZERO)}, {"metrics": ["auc"]}, "metrics must be functions"),
        ({"a": px.Occlusion(add, masker=ZERO)}, {"level": 1}, "level must be a number"),
    ],
)
def test_comparisons(explainers: Any, ask: Any, message: str) -> None:
    """`compare` refuses wrong arguments before anything is explained."""
    with pytest.raises(InvalidParameterError, match=message):
        metrics.compare(explainers, X, **ask)


def test_a_masker_that_has_learned_a_model_serves_no_other():
    """Its surrogate would explain the first model, so that a randomized one changed nothing."""
    X = np.random.default_rng(0).normal(size=(60, 3))
    explainer = px.KernelShap(lambda X: X[:, 0], masker=px.ConditionalRegression(), random_state=0)
    explainer.fit(X)
    for settings in ({}, {"randomized": lambda X: X[:, 1]}):
        with pytest.raises(InvalidParameterError, match="learned the outputs of its model"):
            px.metrics.randomization(explainer, X[:5], **settings)
    other = px.KernelShap(lambda X: X[:, 1], masker=px.ConditionalRegression(), random_state=0)
    found = px.metrics.randomization(explainer, X[:5], randomized=other.fit(X))
    assert found.mean < 0.9
