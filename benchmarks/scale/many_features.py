"""What do 500 to 10,000 features cost, and how close to their Shapley values does one come?

Games of tokens, pixels or genes, with one row per coalition and a few coalitions per feature: what
`KernelShap` does with so many features, the plain regression, Leverage SHAP from its definition,
and shapiq's LeverageSHAP.

    python -m benchmarks.scale.many_features [--quick] [--check] [--features 5000] [--only sparse]
"""

from __future__ import annotations

import re
import sys
import time
import tracemalloc
from collections.abc import Callable
from functools import partial

import numpy as np

from benchmarks.command import parser, status
from benchmarks.games import Game, Values
from benchmarks.peers import LEVERAGE, Estimator, Oracle, estimators, through
from benchmarks.report import Cell, Run, Runs, Target, geometric_mean, markdown, quotient
from benchmarks.scale._leverage import NAME as DEFINED
from benchmarks.scale._leverage import leverage_shap

SPARSE, PEER = "perturbx sparse regression", "shapiq LeverageSHAP"
MOST_FOR_PEER = 2000
"""shapiq's regression holds several matrices of coalitions times features."""
CHAINS = 5000

# ---------------------------------------------------------------- games


def sparse(d: int, rng: np.random.Generator) -> Game:
    """Twenty features with slopes, and fifteen ANDs each of two and of three among them."""
    members, slopes = rng.permutation(d)[:20], rng.normal(size=20)
    groups = [rng.permutation(20)[:size] for size in [2] * 15 + [3] * 15]
    dividends = rng.normal(size=len(groups))
    phi = np.zeros(d)
    phi[members] = slopes
    for group, dividend in zip(groups, dividends, strict=True):
        phi[members[group]] += dividend / len(group)

    def v(z: Values) -> Values:
        few = z[:, members]
        ands = np.stack([few[:, group].all(axis=1) for group in groups], axis=1)
        return np.asarray(few @ slopes + ands @ dividends)

    return Game(v, phi)


def dense(d: int, rng: np.random.Generator) -> Game:
    """Every feature has a slope, and few interact."""
    few, slopes = sparse(d, rng), 3 * rng.normal(size=d) / np.sqrt(d)
    return Game(lambda z: few.v(z) + z @ slopes, few.phi + slopes)


def of_layers(slopes: Values, answer: Callable[[Values], Values], rng: np.random.Generator) -> Game:
    """answer(z @ slopes), of slopes (d, k).

    The truth is a mean over `CHAINS` pairs of opposite permutations, along which one more feature
    costs one addition.
    """
    phi, none = np.zeros(len(slopes)), np.zeros((1, slopes.shape[1]))
    for _ in range(CHAINS):
        order = rng.permutation(len(slopes))
        for walk in (order, order[::-1]):
            phi[walk] += np.diff(answer(np.vstack([none, np.cumsum(slopes[walk], axis=0)])))
    return Game(lambda z: answer(z @ slopes), phi / (2 * CHAINS))


def smooth(d: int, rng: np.random.Generator) -> Game:
    """A sigmoid of a sum of terms of all sizes."""
    slopes = rng.normal(size=d) * np.exp(rng.normal(size=d))
    slopes *= 4 / np.linalg.norm(slopes)
    return of_layers(slopes[:, None], lambda total: 1 / (1 + np.exp(-total[:, 0])), rng)


def network(d: int, rng: np.random.Generator) -> Game:
    """Two random layers: eight hidden units, each of all features."""
    slopes, offset = 2 * rng.normal(size=(d, 8)) / np.sqrt(d), rng.normal(size=8)
    outer = rng.normal(size=8)
    return of_layers(slopes, lambda hidden: np.tanh(hidden + offset) @ outer, rng)


def boosted(d: int, rng: np.random.Generator) -> Game:
    """200 boosted trees on d columns, against one baseline row; truth by TreeSHAP."""
    import shap
    from sklearn.ensemble import GradientBoostingRegressor

    X = rng.normal(size=(500, d))
    y = X[:, :30] @ rng.normal(size=30) + 3 * X[:, 0] * X[:, 1] + 3 * np.abs(X[:, 2] * X[:, 3])
    model = GradientBoostingRegressor(n_estimators=200, max_depth=4, max_features=0.1)
    model.set_params(random_state=0).fit(X[1:], y[1:])
    x, baseline = X[0], np.median(X, axis=0)
    explainer = shap.TreeExplainer(model, baseline[None], feature_perturbation="interventional")
    phi = np.asarray(explainer.shap_values(x[None], check_additivity=False))[0]

    def v(z: Values) -> Values:
        parts = np.array_split(z, 1 + len(z) // 1000)
        return np.concatenate([model.predict(np.where(part, x, baseline)) for part in parts])

    return Game(v, phi)


GAMES: dict[str, Callable[[int, np.random.Generator], Game]] = {
    "sparse": sparse,
    "dense slopes, few interactions": dense,
    "sigmoid of a sum": smooth,
    "random network": network,
    "boosted trees": boosted,
}

# ---------------------------------------------------------------- runs


def contenders() -> tuple[list[Estimator], list[str]]:
    from perturbx.samplers import ShapleyCoalitions
    from perturbx.solvers import SparseRegression

    ours = partial(through, ShapleyCoalitions(), SparseRegression())
    found, said = estimators()
    others = [estimator for estimator in found if estimator.name in (LEVERAGE, PEER)]
    defined = Estimator(DEFINED, "", leverage_shap)
    return [Estimator(SPARSE, "perturbx", ours), defined, *others], said


def measured(estimator: Estimator, game: Game, m: int, seed: int) -> dict[str, float]:
    """The squared error over that of zeros, CPU seconds, and the most megabytes at a time."""
    tracemalloc.start()
    begun = time.process_time()
    values = estimator(Oracle(game, m), seed)
    seconds, peak = time.process_time() - begun, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    error = float(((values - game.phi) ** 2).sum() / (game.phi**2).sum())
    return {"error": error, "seconds": seconds, "megabytes": peak / 1e6}


def main() -> int:
    asked = parser(quick="500 features and one seed")
    asked.add_argument("--features", type=int, nargs="*", default=[500, 2000, 5000])
    asked.add_argument("--budgets", type=int, nargs="*", default=[3, 10], help="per feature")
    asked.add_argument("--seeds", type=int, default=3)
    asked.add_argument("--only", default="", help="games that match")
    chosen = asked.parse_args()
    if chosen.quick:
        chosen.features, chosen.seeds = [500], 1
    runs, (racers, said) = Runs(), contenders()
    print("\n".join(said))
    for d in chosen.features:
        for name, make in GAMES.items():
            if not re.search(chosen.only, name):
                continue
            for seed in range(chosen.seeds):
                game = make(d, np.random.default_rng(seed))
                for racer in racers:
                    if racer.name == PEER and d > MOST_FOR_PEER:
                        continue
                    for budget in chosen.budgets:
                        cell = Cell(f"{name}, {d:,}", f"{budget}d", racer.name)
                        runs.add(Run(cell, seed, measured(racer, game, budget * d, seed)))
    print("\n" + report(runs, [racer.name for racer in racers]))
    found = targets(runs)
    print("\n" + "\n".join(map(str, found)))
    return status(chosen.check, found)


def report(runs: Runs, names: list[str]) -> str:
    """A table: one line per game and budget, error, seconds and megabytes of each contender."""
    lines = []
    for game in runs.games():
        for budget in dict.fromkeys(cell.budget for cell in runs.figures):
            cells = [
                " / ".join(
                    f"{runs.median(game, budget, name, figure):{form}}"
                    for figure, form in (("error", ".1e"), ("seconds", ".1f"), ("megabytes", ".0f"))
                )
                for name in names
            ]
            lines.append((game, budget, *cells))
    columns = [f"{name}: error / CPU s / MB" for name in names]
    return markdown(("game, features", "budget", *columns), lines)


def targets(runs: Runs) -> list[Target]:
    """At most half of the peers' error on sparse games; its price; never worse."""
    found = []
    for peer in (LEVERAGE, DEFINED):
        ratios: dict[str, list[float]] = {}
        for game in runs.games():
            for budget in dict.fromkeys(cell.budget for cell in runs.figures):
                theirs, ours = (runs.median(game, budget, name) for name in (peer, SPARSE))
                ratios.setdefault(game.split(",")[0], []).append(quotient(theirs, ours))
        found += [
            Target(f"{name}: error of {peer} over ours, least", min(known), least=least)
            for name, known in ratios.items()
            for least in ([2.0] if name == "sparse" else [0.9])
        ]
        overall = geometric_mean(ratio for known in ratios.values() for ratio in known)
        found.append(Target(f"all games: error of {peer} over ours, mean", overall, least=2.0))
    for figure, most in (("seconds", 60.0), ("megabytes", 1000.0)):
        of_ours = [
            runs.median(game, "3d", SPARSE, figure)
            for game in runs.games()
            if game.endswith("5,000")
        ]
        if of_ours:
            found.append(Target(f"{figure} at 5,000 features, 3d", max(of_ours), most=most))
    return found


if __name__ == "__main__":
    sys.exit(main())
