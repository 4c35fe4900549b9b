"""Which removal comes closest to conditional Shapley values, and what does it cost?

    python -m benchmarks.tables.conditional_accuracy [--quick] [--check] [--seeds 3]
        [--data FOLDER] [--out FOLDER]

Synthetic data whose conditional distributions are known (Liu, Khandagale, White & Neiswanger,
"Synthetic benchmarks for scientific research in explainable machine learning", 2021): d normal
columns of correlation rho, and a mixture of two such clusters. MSE_v (Frye et al., ICLR 2021;
shapr) on real data, where no truth is known.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import perturbx as px
from perturbx.designs import CustomCoalitions
from perturbx.game import Game
from scipy.stats import norm

from benchmarks.games import Values, exact_shapley
from benchmarks.report import Cell, Run, Runs, Target, markdown
from benchmarks.tables._accuracy import arguments, opened, told

SEEDS = (3, 1)
ROWS, N_TRAIN, BOOTSTRAPS = 100, 1000, 500
OUTPUTS = ("linear", "piecewise", "network")
MASKERS: dict[str, Callable[[], Any]] = {
    "marginal": lambda: px.Background(max_rows=ROWS),
    "copula": lambda: px.ConditionalCopula(max_rows=ROWS),
    "copula, normal": lambda: px.ConditionalCopula(max_rows=ROWS, marginals="normal"),
    "nearest": lambda: px.ConditionalNearest(max_rows=ROWS),
    "forest": lambda: px.ConditionalForest(max_rows=ROWS),
    "regression": px.ConditionalRegression,
    "ridge": lambda: px.ConditionalRegression(regression="ridge"),
}


# ---------------------------------------------------------------- data with a known truth


@dataclass(frozen=True)
class Mixture:
    """Clusters of normal rows, equally likely."""

    means: Values
    covariances: Values

    def sample(self, n: int, rng: np.random.Generator) -> Values:
        cluster = rng.integers(len(self.means), size=n)
        roots = np.linalg.cholesky(self.covariances)
        noise = rng.normal(size=(n, self.means.shape[1]))
        return self.means[cluster] + np.einsum("nij,nj->ni", roots[cluster], noise)

    def given(self, x: Values, known: np.ndarray) -> Iterator[tuple[float, Values, Values]]:
        """The weight, mean and covariance of each cluster, given some columns of x."""
        parts = []
        for mean, covariance in zip(self.means, self.covariances, strict=True):
            mean, left, likely = mean.copy(), covariance.copy(), 0.0
            if known.any():
                inside, apart = covariance[np.ix_(known, known)], (x - mean)[known]
                gain = np.linalg.solve(inside, covariance[known]).T
                likely = -apart @ np.linalg.solve(inside, apart) / 2
                likely -= np.linalg.slogdet(inside)[1] / 2
                mean, left = mean + gain @ apart, covariance - gain @ covariance[known]
            mean[known], left[known], left[:, known] = x[known], 0.0, 0.0
            parts.append((likely, mean, left))
        most = max(likely for likely, *_ in parts)
        total = sum(np.exp(likely - most) for likely, *_ in parts)
        yield from ((float(np.exp(v - most) / total), mean, left) for v, mean, left in parts)


def normal(d: int, rho: float) -> Mixture:
    return Mixture(np.zeros((1, d)), _equal(d, rho)[None])


def clusters(d: int, rho: float) -> Mixture:
    """Two clusters; every other column has the opposite sign in the second one."""
    sign = np.where(np.arange(d) % 2, 1.0, -1.0)
    means = 1.5 * np.stack([np.ones(d), -sign])
    return Mixture(means, np.stack([_equal(d, rho), _equal(d, rho) * np.outer(sign, sign)]))


def _equal(d: int, rho: float) -> Values:
    return np.full((d, d), rho) + (1 - rho) * np.eye(d)


@dataclass(frozen=True)
class Models:
    """A linear, a piecewise constant and a network model of the same columns."""

    slopes: Values
    cuts: Values
    levels: Values
    weights: Values
    ends: Values

    @classmethod
    def drawn(cls, d: int, rng: np.random.Generator) -> Models:
        cuts = np.sort(rng.normal(size=(d, 3)), axis=1)
        return cls(
            rng.normal(size=d),
            cuts,
            rng.normal(size=(d, 4)),
            rng.normal(size=(d + 1, 16)) * 1.5 / np.sqrt(d),
            rng.normal(size=16),
        )

    def __call__(self, X: Values) -> Values:
        steps = (X[:, :, None] > self.cuts).sum(axis=2)
        piecewise = np.take_along_axis(self.levels, steps.T, axis=1).sum(axis=0)
        return np.stack([X @ self.slopes, piecewise, self.network(X)], axis=1)

    def network(self, X: Values) -> Values:
        return np.asarray(np.tanh(X @ self.weights[:-1] + self.weights[-1]) @ self.ends)

    def expected(self, data: Mixture, x: Values, known: np.ndarray, noise: Values) -> Values:
        """E[f | x_S]: two in closed form, and the network from antithetic draws."""
        found = np.zeros(3)
        for weight, mean, left in data.given(x, known):
            scale = np.sqrt(np.maximum(np.diag(left), 1e-18))
            below = norm.cdf((self.cuts - mean[:, None]) / scale[:, None])
            shares = np.diff(below, axis=1, prepend=0, append=1)
            values, vectors = np.linalg.eigh(left)
            rows = mean + noise @ (vectors * np.sqrt(np.maximum(values, 0))).T
            network = self.network(rows).mean()
            found += weight * np.array([mean @ self.slopes, (shares * self.levels).sum(), network])
        return found


def truth(data: Mixture, models: Models, x: Values, n_draws: int) -> Values:
    """(d, 3) conditional Shapley values, from all coalitions."""
    d = len(x)
    half = np.random.default_rng(0).normal(size=(n_draws // 2, d))
    noise = np.concatenate([half, -half])
    Z = (np.arange(2**d)[:, None] >> np.arange(d)) % 2 == 1
    values = np.stack([models.expected(data, x, known, noise) for known in Z])
    return np.stack([exact_shapley(lambda _, v=v: v, d) for v in values.T], axis=1)


# ---------------------------------------------------------------- the three questions


def explain_known(chosen: Any, runs: Runs) -> None:
    """Scores of every masker, and the truth, kept number by number."""
    plan = [(5, 12)] if chosen.quick else [(5, 30), (10, 6)]
    for seed in range(chosen.seeds):
        for d, n in plan:
            for kind, make in {"normal": normal, "clusters": clusters}.items():
                for rho in (0.0, 0.5, 0.9):
                    race_known(f"{kind}, d = {d}", make(d, rho), rho, n, seed, runs)


def race_known(name: str, data: Mixture, rho: float, n: int, seed: int, runs: Runs) -> None:
    rng = np.random.default_rng([1000, seed])
    d = data.means.shape[1]
    X, models, explained = data.sample(N_TRAIN, rng), Models.drawn(d, rng), data.sample(n, rng)
    exact = np.stack([truth(data, models, x, 400) for x in explained])
    for masker, make in MASKERS.items():
        budget = 2 + 2 * ROWS * 2**d
        explainer = px.KernelShap(
            models, masker=make(), estimator="regression", budget=budget, random_state=seed
        )
        values = explainer.fit(X).explain(explained).values
        for k, output in enumerate(OUTPUTS):
            figures = {"correlation": correlation(values[..., k], exact[..., k])}
            figures["low"], figures["high"] = interval(values[..., k], exact[..., k])
            runs.add(Run(Cell(f"{name}, {output}", f"{rho:g}", masker), seed, figures))
    print(f"seed {seed}: {name}, rho = {rho:g}", file=sys.stderr, flush=True)


def correlation(found: Values, exact: Values) -> float:
    return float(np.corrcoef(found.ravel(), exact.ravel())[0, 1])


def interval(found: Values, exact: Values) -> tuple[float, float]:
    """95% of bootstraps over instances."""
    rng, n = np.random.default_rng(0), len(found)
    picks = rng.integers(0, n, size=(BOOTSTRAPS, n))
    drawn = [correlation(found[pick], exact[pick]) for pick in picks]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def judge_real(chosen: Any, runs: Runs) -> None:
    """MSE_v: the mean of (f(x) - v(S))^2 over test rows and coalitions, over the variance of f."""
    names = ["breast cancer", *(["adult"] if chosen.data else [])]
    for name in names:
        train, test, predict = real_data(name, chosen.data, 30 if chosen.quick else 100)
        for masker, make in MASKERS.items():
            explainer = px.KernelShap(predict, masker=make(), random_state=0).fit(train)
            runs.add(Run(Cell(name, "MSE_v", masker), 0, mse_v(explainer, test)))
        print(name, file=sys.stderr, flush=True)


def real_data(name: str, folder: Path | None, n: int) -> tuple[Any, Any, Callable[[Any], Any]]:
    """Training rows, n others, and the log-odds of a boosted classifier."""
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import train_test_split
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    if name == "adult":
        import pandas as pd

        assert folder is not None
        X = pd.read_csv(folder / "adult.data", header=None, skipinitialspace=True)
        X.columns = [f"column {c}" for c in X.columns]
        y = X.pop("column 14") == ">50K"
        X = X.drop(columns=["column 2", "column 3"])
    else:
        from sklearn.datasets import load_breast_cancer

        X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    is_text = make_column_selector(dtype_exclude="number")
    encoder = make_column_transformer((ordinal, is_text), remainder="passthrough")
    model = make_pipeline(encoder, HistGradientBoostingClassifier(max_iter=50, random_state=0))
    train, test, known, _ = train_test_split(X, y, test_size=n, random_state=0)
    train, known = train.iloc[:4000], known.iloc[:4000]
    model.fit(train, known)
    return train.iloc[:N_TRAIN], test, model.decision_function


def mse_v(explainer: Any, test: Any) -> dict[str, float]:
    """Over 20 random coalitions of every size equally often."""
    d, rng = len(test.columns), np.random.default_rng(0)
    sizes = 1 + np.arange(20) % (d - 1)
    z = rng.random((20, d)).argsort(axis=1) < sizes[:, None]
    design = CustomCoalitions(z, np.ones(len(z)), np.arange(len(z)))
    instances = explainer.masker_.check(test)
    bound, columns = instances.bind(0, len(test)), np.zeros((len(test), 1), dtype=int)
    game = Game(explainer.predictor_)
    full, _ = game.predictions(instances)
    outputs, _ = game.evaluate(bound, columns, design, np.arange(len(test)))
    squares = ((outputs[0, :, :, 0] - full[:, 0]) ** 2).mean(axis=0) / full.var()
    return {"mse_v": float(squares.mean()), "error": float(squares.std() / len(test) ** 0.5)}


def time_each(runs: Runs) -> None:
    """CPU milliseconds for a coalition of 100 rows around a model that costs nothing."""
    rng = np.random.default_rng(0)
    X = clusters(10, 0.5).sample(N_TRAIN, rng)
    for masker, make in MASKERS.items():
        explainer = px.KernelShap(
            lambda rows: rows[:, 0], masker=make(), estimator="regression", budget=51_000
        ).fit(X)
        start = time.process_time()
        explanation = explainer.explain(X[:2])
        spent = time.process_time() - start
        figures = {"ms": 1000 * spent / 2 / 510, "rows": explanation.n_rows / 2}
        runs.add(Run(Cell("cost", "each", masker), 0, figures))


# ---------------------------------------------------------------- the report


def report(runs: Runs) -> tuple[str, list[Target]]:
    games = [g for g in runs.games() if g.rpartition(", ")[2] in OUTPUTS]
    known = [(g, rho) for g in games for rho in ("0", "0.5", "0.9")]
    lines = [(g, rho, *(shown(runs, g, rho, m) for m in MASKERS)) for g, rho in known]
    targets = []
    for masker in ("nearest", "forest"):
        worst = min(runs.median(g, rho, masker, "correlation") for g, rho in known)
        targets.append(Target(f"lowest correlation with the truth, {masker}", worst, least=0.98))
    real = [g for g in runs.games() if len(runs.select("mse_v", g, "MSE_v", "marginal"))]
    mse = [(g, *(around(runs, g, m) for m in MASKERS)) for g in real]
    cost = [priced(runs, m) for m in MASKERS]
    parts = [
        "Correlation with the truth, with 95% intervals over instances",
        markdown(("data and model", "rho", *MASKERS), lines),
        "MSE_v over the variance of the model, with standard errors over instances",
        markdown(("data", *MASKERS), mse),
        "CPU of a coalition of 100 rows and 10 columns, without the model",
        markdown(("masker", "ms", "times marginal", "model rows of an instance"), cost),
        "\n".join(f"- {target}" for target in targets),
    ]
    return "\n\n".join(parts), targets


def around(runs: Runs, data: str, masker: str) -> str:
    middle, error = (runs.median(data, "MSE_v", masker, f) for f in ("mse_v", "error"))
    return f"{middle:.3f} ± {error:.3f}"


def priced(runs: Runs, masker: str) -> tuple[str, str, str, str]:
    marginal, spent = (runs.median("cost", "each", m, "ms") for m in ("marginal", masker))
    rows = runs.median("cost", "each", masker, "rows")
    return masker, f"{spent:.3f}", f"{spent / marginal:.1f}", f"{rows:,.0f}"


def shown(runs: Runs, game: str, rho: str, masker: str) -> str:
    middle, low, high = (
        runs.median(game, rho, masker, figure) for figure in ("correlation", "low", "high")
    )
    return f"{middle:.3f} [{low:.2f}, {high:.2f}]"


def main() -> int:
    chosen = arguments(quick="d = 5, one seed and 12 instances, two minutes", seeds=SEEDS)
    runs = opened(chosen, "conditional")
    explain_known(chosen, runs)
    judge_real(chosen, runs)
    time_each(runs)
    text, targets = report(runs)
    return told(text, targets, chosen, "conditional")


if __name__ == "__main__":
    sys.exit(main())
