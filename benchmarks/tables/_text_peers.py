"""Estimators of word scores for a fixed number of model calls, ours and others'."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import perturbx as px
from numpy.typing import NDArray
from perturbx.maskers import Features

Values = NDArray[np.float64]
Predict = Callable[[Any], Values]
"""Texts to one number each."""

PROBED = 3
"""Calls by which perturbx learns the model's outputs, on top of its budget."""


class Counter:
    """A model that counts the texts that it is asked about."""

    def __init__(self, predict: Predict) -> None:
        self.predict, self.asked = predict, 0

    def __call__(self, texts: Any) -> Values:
        texts = [str(text) for text in texts]
        self.asked += len(texts)
        return self.predict(texts)


@dataclass(frozen=True)
class Contender:
    """An estimator of the scores of words: ``run(predict, text, calls, seed)``.

    `limit` gives the calls after which its scores move no more, as its own truth.
    """

    name: str
    run: Callable[[Predict, str, int, int], Values]
    limit: Callable[[int], int]
    is_ours: bool = False


def bound_text(text: str) -> Any:
    """The text with its words, as perturbx drops them."""
    masker = px.Tokens().fit(None, Features(), np.random.default_rng(0))
    return masker.check(text).bind(0, 1)[0]


def game(predict: Predict, text: str) -> tuple[int, Callable[[Any], Values]]:
    """The number of words, and the model's answers to coalitions of them."""
    bound = bound_text(text)
    return bound.n_features, lambda z: predict(bound.batch(np.atleast_2d(z), slice(0, 1), None))


def shapley_values(predict: Predict, text: str) -> Values:
    """By enumeration of all coalitions."""
    d, v = game(predict, text)
    masks = np.arange(2**d)
    z = (masks[:, None] >> np.arange(d) & 1).astype(bool)
    answers, sizes = v(z), z.sum(axis=1)
    weight = np.zeros(d)
    weight[0] = 1 / d
    for s in range(1, d):
        weight[s] = weight[s - 1] * s / (d - s)
    values = np.empty(d)
    for i in range(d):
        absent = masks[~z[:, i]]
        values[i] = weight[sizes[absent]] @ (answers[absent | 1 << i] - answers[absent])
    return values


def _of(method: Any, **settings: Any) -> Callable[[Predict, str, int, int], Values]:
    def run(predict: Predict, text: str, calls: int, seed: int) -> Values:
        explainer = method(predict, budget=calls - PROBED, random_state=seed, **settings)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return np.asarray(explainer.explain(text).values)

    return run


def monte_carlo(predict: Predict, text: str, calls: int, seed: int) -> Values:
    """Gains along random orders of the words, as token attributions sample them."""
    d, v = game(predict, text)
    rng, total = np.random.default_rng(seed), np.zeros(d)
    empty, full = v(np.array([[False] * d, [True] * d]))
    n_orders = max(1, (calls - 2) // (d - 1))
    for _ in range(n_orders):
        order = rng.permutation(d)
        z = np.tri(d, dtype=bool)[:-1][:, np.argsort(order)]
        total[order] += np.diff([empty, *v(z), full])
    return total / n_orders


def lime_text(predict: Predict, text: str, calls: int, seed: int) -> Values:
    """LimeTextExplainer on the same words, each occurrence by itself."""
    from lime.lime_text import LimeTextExplainer

    bound = bound_text(text)
    places = {int(start): j for j, start in enumerate(bound.regions.starts)}

    def both(texts: list[str]) -> Values:
        one = predict(texts)
        return np.stack([-one, one], axis=1)

    explainer = LimeTextExplainer(bow=False, split_expression=r"\s+", random_state=seed)
    found = explainer.explain_instance(
        text, both, labels=(1,), num_features=bound.n_features, num_samples=calls
    )
    values = np.zeros(bound.n_features)
    strings = found.domain_mapper.indexed_string
    for word, value in found.as_map()[1]:
        values[places[int(strings.string_position(word)[0])]] += value
    return values


def shap_partition(predict: Predict, text: str, calls: int, seed: int) -> Values:
    """shap's Partition explainer with its masker of texts; blanks for words drop them."""
    import shap

    def tokenizer(s: str, return_offsets_mapping: bool = True) -> dict[str, Any]:
        spans = bound_text(s).regions if s.strip() else None
        pairs = [(0, len(s))] * bool(s)
        if spans is not None:
            pairs = list(zip(spans.starts.tolist(), spans.stops.tolist(), strict=True))
        return {"input_ids": [s[a:b] for a, b in pairs], "offset_mapping": pairs}

    masker = shap.maskers.Text(tokenizer, mask_token="\N{EM SPACE}", collapse_mask_token=False)
    explainer = shap.explainers.Partition(predict, masker, silent=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.asarray(explainer([text], max_evals=calls, silent=True).values[0], dtype=float)


def contenders() -> list[Contender]:
    """Ours, then the floor, then peers that are installed."""
    found = [
        Contender("perturbx KernelShap", _of(px.KernelShap), lambda d: 2**d + 99, True),
        Contender("perturbx OwenShap", _of(px.OwenShap), lambda d: 40 * d * d, True),
        Contender("perturbx PermutationShap", _of(px.PermutationShap), lambda d: 2**d, True),
        Contender("plain Monte Carlo", monte_carlo, lambda d: 2**d),
    ]
    for module, name, run, limit in (
        ("lime", "lime LimeTextExplainer", lime_text, lambda d: 20_000),
        ("shap", "shap Partition, Text", shap_partition, lambda d: 40 * d * d),
    ):
        try:
            __import__(module)
        except ImportError:
            continue
        found.append(Contender(name, run, limit))
    return found
