"""Does the Gaussian process lose to the regression as the budget grows, where games are hostile?

    python -m benchmarks.tables.growing_budgets [--quick] [--check] [--seeds 10] [--games PATTERN]

Squared error of the process over that of the paired regression, for the same number of coalitions,
as the geometric mean over seeds with a 95% bootstrap interval. The games are what a smooth prior
does not expect: interactions of every order, noise of each coalition, a jump at the empty or the
full coalition, thresholds. Each has known Shapley values; a seed draws the game and the design.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable

import numpy as np

from benchmarks.command import parser, status
from benchmarks.games import Game, Values, exact_shapley
from benchmarks.peers import LEVERAGE, OURS, Oracle, ours
from benchmarks.report import Target, head, line
from benchmarks.tables._games import ands_game

FACTORS = (3, 5, 10, 20, 40, 80)
QUICK_FACTORS, QUICK_SEEDS, SEEDS = (10, 40), 3, 10
MOST = 1.2


def noisy(seed: int, d: int = 13, share: float = 0.05) -> Game:
    """An additive game and noise of each coalition, which is none of the game's."""
    rng = np.random.default_rng(seed)
    slopes, noise = rng.normal(size=d), share * rng.normal(size=2**d)
    noise[[0, -1]] = 0
    return Game(lambda Z: Z @ slopes + noise[Z @ 2 ** np.arange(d)], slopes)


def jumping(seed: int, at: int, d: int = 16) -> Game:
    """Smooth but at `at` present features, none or all, where it jumps by many times its range."""
    smooth, jump = ands_game(seed, d, 60, 5), 30.0
    return Game(
        lambda Z: smooth.v(Z) + jump * (Z.sum(axis=1) == at),
        smooth.phi + (jump if at else -jump) / d,
    )


def threshold(seed: int, answer: Callable[[Values, Values], Values], d: int = 12) -> Game:
    slopes = np.random.default_rng(seed).normal(size=d)

    def v(Z: Values) -> Values:
        return np.asarray(answer(Z, slopes), float)

    return Game(v, exact_shapley(v, d))


GAMES: dict[str, Callable[[int], Game]] = {
    "ANDs of up to 20 of 20": lambda seed: ands_game(seed, 20, 100, 20),
    "ANDs of up to 12 of 12": lambda seed: ands_game(seed, 12, 50, 12),
    "additive and noise": noisy,
    "additive and noise, 9 features": lambda seed: noisy(seed, 9),
    "jump at the empty coalition": lambda seed: jumping(seed, 0),
    "jump at the full coalition": lambda seed: jumping(seed, 16),
    "weighted majority": lambda seed: threshold(
        seed, lambda Z, w: Z @ np.abs(w) > np.abs(w).sum() / 2
    ),
    "floor of a sum": lambda seed: threshold(seed, lambda Z, w: np.floor(1.5 * Z @ w)),
}


def log_ratios(make: Callable[[int], Game], factor: int, seeds: int) -> Values:
    """(seeds,): logarithms of the squared error of ours over the regression's."""
    contenders = {e.name: e for e in ours()}
    found = []
    for seed in range(seeds):
        game = make(seed)
        of_ours, of_regression = (
            ((contenders[name](Oracle(game, factor * game.d), seed) - game.phi) ** 2).sum()
            for name in (OURS, LEVERAGE)
        )
        found.append(np.log(of_ours / of_regression))
    return np.array(found)


def interval(values: Values) -> tuple[float, float]:
    """Of the geometric mean, by the bootstrap over seeds."""
    drawn = np.random.default_rng(0).choice(values, (2000, len(values))).mean(axis=1)
    low, high = np.exp(np.quantile(drawn, [0.025, 0.975]))
    return float(low), float(high)


def main() -> int:
    made = parser(quick="two budgets and three seeds, a minute")
    made.add_argument("--seeds", type=int, help=f"{SEEDS} by default, {QUICK_SEEDS} if quick")
    made.add_argument("--games", default="", help="only games whose name matches this pattern")
    asked = made.parse_args()
    seeds = asked.seeds or (QUICK_SEEDS if asked.quick else SEEDS)
    print(head(("game", "coalitions", "process / regression", "95% interval")))
    targets = []
    for name, make in GAMES.items():
        if not re.search(asked.games, name):
            continue
        for factor in QUICK_FACTORS if asked.quick else FACTORS:
            values = log_ratios(make, factor, seeds)
            ratio, (low, high) = float(np.exp(values.mean())), interval(values)
            print(
                line((name, f"{factor}d", f"{ratio:.2g}", f"{low:.2g} to {high:.2g}")), flush=True
            )
            targets.append(Target(f"{name}, {factor}d: process / regression", ratio, most=MOST))
    print("\n" + "\n".join(f"- {target}" for target in targets if not target.holds))
    return status(asked.check, targets)


if __name__ == "__main__":
    sys.exit(main())
