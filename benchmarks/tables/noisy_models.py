"""Do scores of a model that answers differently each time hold, and what do they cost?

    python -m benchmarks.tables.noisy_models [--quick] [--check] [--seeds 12] [--features 16]

The mean of each model is known, and the noise of an answer is as large as the effects: their
standard deviation over the features. A seed draws its noise and its coalitions, so two seeds are
two explanations of one instance. Coverage is that of 95% intervals, for models with interactions
of two features. Stability is how many of the five largest scores two seeds have in common. The
peer leaves one feature out and asks every row equally often. That has another meaning where
features interact, so stability is measured on linear models, where all scores have one truth.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import combinations

import numpy as np
from perturbx import Baseline, KernelShap, Occlusion

from benchmarks.command import parser, status
from benchmarks.report import Target, head, line

FACTORS = (10, 20, 40)
QUICK_FACTORS, QUICK_SEEDS, SEEDS = (20,), 6, 12
QUICK_GAMES, GAMES = 5, 10
COVERED = (0.91, 0.99)
SHARE = 3
"""The peer gets so many times as many calls."""

Model = Callable[[np.ndarray], np.ndarray]


class Game:
    """A mean with known effects, and noise of their size."""

    def __init__(self, d: int, number: int, interactions: float) -> None:
        rng = np.random.default_rng(number)
        self.slopes, self.d = rng.normal(size=d), d
        pairs = np.array(list(combinations(range(d), 2)))
        self.pairs = pairs[rng.permutation(len(pairs))[:d]]
        self.worth = interactions * rng.normal(size=d)

    @property
    def shapley(self) -> np.ndarray:
        """Half of an interaction goes to each of its features."""
        values = self.slopes.copy()
        for side in self.pairs.T:
            np.add.at(values, side, self.worth / 2)
        return values

    @property
    def left_out(self) -> np.ndarray:
        """All of it is lost with either feature."""
        values = self.slopes.copy()
        for side in self.pairs.T:
            np.add.at(values, side, self.worth)
        return values

    def model(self, seed: int, truth: np.ndarray) -> Model:
        """With noise of the size of some scores."""
        size = float(np.std(truth))
        rng = np.random.default_rng([seed, 1])

        def answer(X: np.ndarray) -> np.ndarray:
            both = X[:, self.pairs[:, 0]] * X[:, self.pairs[:, 1]]
            return X @ self.slopes + both @ self.worth + size * rng.normal(size=len(X))

        return answer


def leave_one_out(model: Model, d: int, calls: int) -> np.ndarray:
    """The peer: every row is asked equally often."""
    rows = np.vstack([np.ones((1, d)), 1 - np.eye(d)])
    times = max(calls // len(rows), 1)
    means = np.mean([model(rows) for _ in range(times)], axis=0)
    return np.asarray(means[0] - means[1:])


def stability(values: np.ndarray, most: int = 5) -> float:
    """The mean fraction of the `most` largest scores that two seeds have in common."""
    tops = [set(np.argsort(-np.abs(row))[:most].tolist()) for row in values]
    return float(np.mean([len(a & b) / most for a, b in combinations(tops, 2)]))


def peer_stability(games: list[Game], calls: int, seeds: int) -> float:
    """That of the peer, over games."""
    found = []
    for game in games:
        models = (game.model(seed, game.left_out) for seed in range(seeds))
        runs = [leave_one_out(model, game.d, calls) for model in models]
        found.append(stability(np.array(runs)))
    return float(np.mean(found))


def explained(method: type, game: Game, calls: int, seeds: int) -> tuple[np.ndarray, np.ndarray]:
    """(seeds, d) scores, and whether their intervals contain the truth."""
    truth = game.shapley if method is KernelShap else game.left_out
    values, covered = [], []
    for seed in range(seeds):
        explainer = method(
            game.model(seed, truth),
            masker=Baseline(np.zeros(game.d)),
            budget=calls,
            stochastic=True,
            random_state=seed,
        )
        found = explainer.explain(np.ones(game.d))
        low, high = found.interval()
        values.append(found.values)
        covered.append((low <= truth) & (truth <= high))
    return np.array(values), np.array(covered)


def main() -> int:
    made = parser(quick="one budget, five models and six seeds")
    made.add_argument("--seeds", type=int, help=f"{SEEDS} by default, {QUICK_SEEDS} if quick")
    made.add_argument("--features", type=int, default=16)
    args = made.parse_args()
    seeds = args.seeds or (QUICK_SEEDS if args.quick else SEEDS)
    d, targets = args.features, []
    n_games = QUICK_GAMES if args.quick else GAMES
    games, linear = ([Game(d, n, worth) for n in range(n_games)] for worth in (0.5, 0.0))
    titles = "method", "calls", "95% coverage", "top five in common", "leave one out", "its calls"
    print(head(titles))
    for factor in QUICK_FACTORS if args.quick else FACTORS:
        calls = factor * d
        peer = {times: peer_stability(linear, times * calls, seeds) for times in (1, SHARE)}
        for method in (KernelShap, Occlusion):
            covered = np.concatenate([explained(method, g, calls, seeds)[1] for g in games])
            found = [explained(method, game, calls, seeds)[0] for game in linear]
            own = float(np.mean(list(map(stability, found))))
            share, times = float(covered.mean()), 1
            if method is KernelShap:
                times = SHARE
                slack = 2 * covered.mean(axis=1).std() / np.sqrt(len(covered)) * args.quick
                low, high = COVERED[0] - slack, COVERED[1] + slack
                targets.append(Target(f"coverage at {calls} calls", share, least=low))
                targets.append(Target(f"coverage at {calls} calls", share, most=high))
                claim = f"top five at {calls} calls, over the peer's at {SHARE * calls}"
                targets.append(Target(claim, own / peer[SHARE], least=1.0))
            figures = f"{share:.3f}", f"{own:.2f}", f"{peer[times]:.2f}"
            print(line((method.__name__, str(calls), *figures, str(times * calls))), flush=True)
    print("\n" + "\n".join(f"- {target}" for target in targets))
    return status(args.check, targets)


if __name__ == "__main__":
    sys.exit(main())
