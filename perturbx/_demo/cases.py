"""A patient and a digit about which their models are least sure, explained."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from perturbx._typing import Floats
from perturbx.explainers import KernelShap, Lime
from perturbx.maskers import Windows
from perturbx.result import Explanation


@dataclass(frozen=True, eq=False)
class Patient:
    """A tumor, its prediction by boosted trees, and the explanations."""

    truth: str
    accuracy: float
    shap: Explanation
    lime: Explanation


@dataclass(frozen=True, eq=False)
class Digit:
    """A handwritten digit, and the explanation of its two most likely classes."""

    truth: str
    accuracy: float
    shap: Explanation


def explain_patient(seed: int) -> Patient:
    """Boosted trees on the breast cancer data; the test patient closest to fifty-fifty."""
    data = load_breast_cancer()
    diagnosis = data.target_names[data.target]
    X_train, X_test, y_train, y_test = train_test_split(
        data.data, diagnosis, stratify=diagnosis, random_state=seed
    )
    model = GradientBoostingClassifier(random_state=seed).fit(X_train, y_train)
    malignant = list(model.classes_).index("malignant")
    chosen = int(np.argmin(np.abs(model.predict_proba(X_test)[:, malignant] - 0.5)))
    settings: dict[str, Any] = {
        "outputs": "malignant",
        "feature_names": [str(name) for name in data.feature_names],
        "random_state": seed,
    }
    row = X_test[chosen : chosen + 1]
    return Patient(
        truth=str(y_test[chosen]),
        accuracy=float(model.score(X_test, y_test)),
        shap=KernelShap(model, budget=50_000, **settings).fit(X_train).explain(row)[0],
        lime=Lime(model, budget=2_000, **settings).fit(X_train).explain(row)[0],
    )


def explain_digit(seed: int) -> Digit:
    """A small network on the digits; a test digit that it gets right, but is not sure of."""
    data = load_digits()
    X_train, X_test, y_train, y_test = train_test_split(
        data.images, data.target, stratify=data.target, random_state=seed
    )
    model = MLPClassifier(
        (64,), alpha=1.0, learning_rate_init=0.003, tol=1e-3, max_iter=500, random_state=seed
    ).fit(_columns(X_train), y_train)

    def network(images: Floats) -> Floats:
        return np.asarray(model.predict_proba(_columns(images)))

    ranked = np.sort(network(X_test), axis=1)
    right = model.predict(_columns(X_test)) == y_test
    chosen = int(np.argmin(np.where(right, np.abs(ranked[:, -2] - 0.25), 1)))
    # Each window is a single pixel.
    places = tuple(f"row {i + 1}, column {j + 1}" for i, j in np.ndindex(X_test.shape[1:]))
    explainer = KernelShap(
        network,
        masker=Windows(shape=1, stride=1, fill=0),
        outputs="top2",
        output_names=[str(k) for k in model.classes_],
        budget=4_000,
        random_state=seed,
    )
    return Digit(
        truth=str(y_test[chosen]),
        accuracy=float(model.score(_columns(X_test), y_test)),
        shap=replace(explainer.explain(X_test[chosen]), feature_names=places),
    )


def _columns(images: Floats) -> Floats:
    """One row per image, with ink as 1."""
    return images.reshape(len(images), -1) / 16
