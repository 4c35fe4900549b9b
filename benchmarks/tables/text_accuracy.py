"""Do word scores find planted words, and how close do they come for the same number of calls?

    python -m benchmarks.tables.text_accuracy [--quick] [--check]

The texts are paragraphs of the docstrings of SciPy and scikit-learn, and the model is TF-IDF with a
logistic regression. Words are planted in texts whose labels say nothing else; scores of sentences
are compared with brute force; and estimators of word scores get 5 calls for each word.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import perturbx as px
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from benchmarks.command import parser, status
from benchmarks.report import Target, geometric_mean, markdown
from benchmarks.tables._corpus import PACKAGES, paragraphs, sample
from benchmarks.tables._text_peers import (
    Contender,
    Counter,
    Predict,
    Values,
    contenders,
    shapley_values,
)

PLANTED = (("zorbic", "quandel"), ("mervish", "tolvane"))
"""Two invented words for each of two labels."""

METHODS: dict[str, Callable[[Predict], Any]] = {
    "KernelShap, regression, 300 calls": lambda predict: px.KernelShap(
        predict, estimator="regression", budget=300, random_state=0
    ),
    "OwenShap, 300 calls": lambda predict: px.OwenShap(predict, budget=300),
    "Occlusion": px.Occlusion,
}

CALLS = 5
LEAST_ON_TOP, MOST_OFF, MOST_RATIO = 0.98, 1e-9, 0.5


def fitted(texts: Sequence[str], labels: Sequence[int]) -> Predict:
    """The logit of the second label."""
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(C=10.0, max_iter=1000))
    return model.fit(texts, labels).decision_function


def planted(texts: Sequence[str], seed: int) -> tuple[list[str], list[int], list[str]]:
    """Texts with one invented word each at a random place, their labels, and the words."""
    rng, found, labels, words = np.random.default_rng(seed), [], [], []
    for text in texts:
        label = int(rng.integers(2))
        word = str(rng.choice(PLANTED[label]))
        parts = text.split()
        parts.insert(int(rng.integers(len(parts) + 1)), word)
        found.append(" ".join(parts))
        labels.append(label)
        words.append(word)
    return found, labels, words


def on_top(make: Callable[[Predict], Any], texts: Sequence[str]) -> float:
    """The share of new texts in which the planted word has the largest score for its label."""
    half = len(texts) // 2
    train, labels, _ = planted(texts[:half], 0)
    predict = fitted(train, labels)
    test, labels, words = planted(texts[half:], 1)
    hits = []
    for text, label, word in zip(test, labels, words, strict=True):
        found = make(predict).explain(text)
        scores = found.values * (1 if label else -1)
        hits.append(found.feature_names[int(scores.argmax())] == word)
    return float(np.mean(hits))


def worst_sentence(predict: Predict, texts: Sequence[str]) -> float:
    """The largest difference between KernelShap on sentences and all orders of the sentences."""
    worst = 0.0
    for text in texts:
        found = px.KernelShap(predict, masker=px.Tokens("sentences")).explain(text)
        pieces = [text[a:b] for a, b in zip(found.regions.starts, found.regions.stops, strict=True)]
        worst = max(worst, float(np.abs(found.values - _by_orders(predict, pieces)).max()))
    return worst


def _by_orders(predict: Predict, pieces: list[str]) -> Values:
    """Shapley values by every order in which the pieces may join, in blanks as the texts have."""
    from itertools import permutations

    values = np.zeros(len(pieces))
    orders = list(permutations(range(len(pieces))))
    for order in orders:
        sets = [sorted(order[:k]) for k in range(len(order) + 1)]
        values[list(order)] += np.diff(predict([" ".join(pieces[i] for i in s) for s in sets]))
    return values / len(orders)


def errors(
    contender: Contender, predict: Predict, texts: Sequence[str], seeds: int
) -> tuple[Values, Values, float]:
    """Squared errors against its own limit and against Shapley values, and calls for each word."""
    own, shapley, calls = [], [], []
    for text in texts:
        d = len(text.split())
        truth = shapley_values(predict, text)
        limit = contender.run(predict, text, contender.limit(d), 0)
        for seed in range(seeds):
            counter = Counter(predict)
            found = contender.run(counter, text, CALLS * d, seed)
            own.append(_squared(found, limit))
            shapley.append(_squared(found, truth))
            calls.append(counter.asked / d)
    return np.array(own), np.array(shapley), float(np.mean(calls))


def ratio_of(ours: Values, theirs: Values, n: int) -> tuple[float, float, float]:
    """The geometric mean of the ratio of errors of n texts, and its interval by the bootstrap."""
    logs = np.log(ours / theirs).reshape(n, -1).mean(axis=1)
    drawn = np.random.default_rng(0).choice(logs, (2000, n)).mean(axis=1)
    low, high = np.exp(np.quantile(drawn, [0.025, 0.975]))
    return float(np.exp(logs.mean())), float(low), float(high)


def _squared(found: Values, truth: Values) -> float:
    return float(((found - truth) ** 2).sum() / (truth**2).sum())


def main() -> int:
    asked = parser(quick="fewer texts and seeds, two minutes").parse_args()
    n, seeds = (8, 2) if asked.quick else (40, 5)
    of_each = {package: paragraphs(package) for package in PACKAGES}
    texts = [text for package in PACKAGES for text in of_each[package]]
    labels = [i for i, package in enumerate(PACKAGES) for _ in of_each[package]]
    predict, targets = fitted(texts, labels), []
    print(
        f"{len(texts):,} paragraphs; " + ", ".join(f"{len(t):,} of {p}" for p, t in of_each.items())
    )

    lines = []
    plain = sample(texts, 15, 40, 300 if asked.quick else 800, 0)
    for name, make in METHODS.items():
        share = on_top(make, plain)
        lines.append((name, f"{len(plain) // 2}", f"{share:.3f}"))
        if name.startswith("KernelShap"):
            targets.append(Target(f"planted word on top, {name}", share, least=LEAST_ON_TOP))
    print(markdown(("method", "texts", "planted word on top"), lines) + "\n", flush=True)

    several = [t for t in sample(texts, 20, 80, 10_000, 1) if 3 <= t.count(". ") + 1 <= 5]
    off = worst_sentence(predict, several[:n])
    claim = f"KernelShap on sentences of {len(several[:n])} texts: largest distance to brute force"
    targets.append(Target(claim, off, most=MOST_OFF))

    short = sample(texts, 11, 13, n, 2)
    own_errors: dict[str, Values] = {}
    lines = []
    for contender in contenders():
        own, shapley, calls = errors(contender, predict, short, seeds)
        own_errors[contender.name] = own
        figures = (f"{geometric_mean(own):.2e}", f"{geometric_mean(shapley):.2e}", f"{calls:.2f}")
        lines.append((contender.name, *figures))
        print(contender.name, file=sys.stderr, flush=True)
    print(f"{len(short)} texts of 11 to 13 words, {seeds} seeds, geometric means")
    print(markdown(("estimator", "error to own limit", "to Shapley values", "calls a word"), lines))
    peers = [name for name in own_errors if not name.startswith("perturbx")]
    best = min(peers, key=lambda name: geometric_mean(own_errors[name]))
    ratio, low, high = ratio_of(own_errors["perturbx KernelShap"], own_errors[best], len(short))
    claim = f"KernelShap / best peer ({best}), error to own limit at {CALLS}d calls"
    claim += f", 95% interval over texts {low:.2f} to {high:.2f}"
    targets.append(Target(claim, ratio, most=MOST_RATIO))
    print("\n" + "\n".join(f"- {target}" for target in targets))
    return status(asked.check, targets)


if __name__ == "__main__":
    sys.exit(main())
