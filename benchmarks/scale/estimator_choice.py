"""By which numbers does KernelShap choose its estimator, and do they still hold?

    python -m benchmarks.scale.estimator_choice [--quick] [--only PATTERN]

Measures anew what `perturbx/explainers/_choice.py` holds, and prints it next to that: what the
process costs, and from how many coalitions per feature on it has less error than single background
rows, at as many model rows.
"""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
import perturbx as px
from perturbx.designs import Evaluations
from perturbx.explainers._choice import CHOICE
from perturbx.samplers import OptimalPairs
from perturbx.solvers import Answers, GaussianProcess, LearnedPrior

from benchmarks.command import parser
from benchmarks.report import markdown
from benchmarks.scale._choice_games import Subject, subjects

Array = np.ndarray
FEATURES, TEACHERS = 30, 24
PAIRS, OUTPUTS = (100, 300), (1, 2, 4, 8, 16)
COALITIONS, BACKGROUND = (3, 5, 10, 20, 40), (10, 30, 100)
QUICK_COALITIONS, QUICK_BACKGROUND = (5, 20), (30,)
REPEATS = 3
ESTIMATORS = {
    "own": {"estimator": "process", "prior": "own"},
    "shared": {"estimator": "process", "prior": "shared"},
    "plain": {"estimator": "regression"},
}

# ---------------------------------------------------------------- costs


def seconds(work: Callable[[], object]) -> float:
    """CPU seconds of the best of a few turns."""
    taken = []
    for _ in range(REPEATS):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken)


def answered(pairs: int, targets: int) -> Evaluations:
    """Answers of curved games of `FEATURES` features, one output for each."""
    rng = np.random.default_rng(0)
    inner, outer = rng.normal(size=(FEATURES, 40)) / 3, rng.normal(size=(40, targets))
    design = OptimalPairs().draw(FEATURES, 2 * pairs, rng)
    return Evaluations.of_game(design, lambda z: np.tanh((2.0 * z - 1) @ inner) @ outer)


def costs() -> Iterator[tuple[str, float, float]]:
    """What the process costs: name, frozen, measured."""
    few, many = (
        seconds(lambda n=n: GaussianProcess().solve(answered(n, 1)))  # type: ignore[misc]
        for n in PAIRS
    )
    slope = (many - few) / (PAIRS[1] - PAIRS[0])
    yield "process, seconds at least", CHOICE.process, few - slope * PAIRS[0]
    yield "process, seconds per pair", CHOICE.process_pair, slope
    for k in OUTPUTS[1:]:
        taken = seconds(lambda k=k: GaussianProcess().solve(answered(PAIRS[0], k)))  # type: ignore[misc]
        frozen = CHOICE.targets(k if k >= CHOICE.many_outputs else k + 1)  # none is a mirror
        yield f"{k} outputs, over one", frozen, taken / few
    taught = Answers.of(answered(5 * FEATURES, TEACHERS))
    yield "teaching, seconds", CHOICE.teaching, seconds(lambda: LearnedPrior.learn(taught))


# ---------------------------------------------------------------- crossovers


def error(subject: Subject, per_feature: float, settings: dict[str, str]) -> float:
    """Squared error over squared size, at so many coalitions per feature."""
    n_background = len(subject.background)
    explainer = px.KernelShap(
        subject.predict,
        masker=px.Background(subject.background),
        budget=int(per_feature * subject.d * n_background) + 1 + n_background,
        random_state=0,
        **settings,
    )
    found = explainer.fit(subject.seen).explain(subject.X).values
    return float(((found - subject.truth) ** 2).sum() / (subject.truth**2).sum())


def crossover(coalitions: tuple[int, ...], gains: Array) -> float:
    """Where the logarithm of the gain crosses 0 for good, on a line between logarithms."""
    lost = np.flatnonzero(gains <= 0)
    if not len(lost):
        return 0.0
    last = int(lost[-1])
    if last + 1 == len(gains):
        return np.inf
    at = np.log(coalitions[last : last + 2])
    below, above = gains[last : last + 2]
    return float(np.exp(at[0] - below * (at[1] - at[0]) / (above - below)))


def crossovers(
    only: str, coalitions: tuple[int, ...], background: tuple[int, ...]
) -> Iterator[tuple[str, float, float]]:
    """Coalitions per feature from which on an estimator beats single rows, over the games."""
    for n_background in background:
        games = [s for s in subjects(n_background) if re.search(only, s.name)]
        rows = np.array([[error(s, c, {"estimator": "rows"}) for c in coalitions] for s in games])
        for name, settings in ESTIMATORS.items():
            errors = np.array([[error(s, c, settings) for c in coalitions] for s in games])
            gains = np.log(rows / errors)
            frozen = CHOICE.plain
            if name != "plain":
                frozen = CHOICE.crossover(getattr(CHOICE, name), n_background)
            for subject, gain in zip(games, gains, strict=True):
                label = f"{name}, {n_background} background rows, {subject.name}"
                yield label, frozen, crossover(coalitions, gain)
            label = f"{name}, {n_background} background rows, mean"
            yield label, frozen, crossover(coalitions, gains.mean(axis=0))


def arguments() -> argparse.Namespace:
    made = parser(quick="two numbers of coalitions, with 30 background rows")
    made.add_argument("--only", default="", help='games that match, such as "forest"')
    return made.parse_args()


def main() -> int:
    chosen = arguments()
    coalitions = QUICK_COALITIONS if chosen.quick else COALITIONS
    background = QUICK_BACKGROUND if chosen.quick else BACKGROUND
    for title, found in (
        ("Costs", costs()),
        ("Coalitions per feature", crossovers(chosen.only, coalitions, background)),
    ):
        rows = ((name, f"{frozen:.3g}", f"{now:.3g}") for name, frozen, now in found)
        print(f"\n## {title}\n\n" + markdown(("what", "frozen", "measured"), rows), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
