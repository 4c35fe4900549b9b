"""The games that accuracy and coverage are judged by: tree ensembles, kernels, networks, formulas.

Tree ensembles have interventional TreeSHAP as truth (needs ``shap``), support vector machines and
products have closed forms, small networks are enumerated, and larger ones are estimated with a
million evaluations.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.games import (
    Game,
    Values,
    exact_shapley,
    model_game,
    on_grid,
    permutation_shapley,
    product_shapley,
)

BACKGROUND_ROWS = 50


# ---------------------------------------------------------------- data


def sklearn_data(name: str) -> tuple[Values, Values]:
    from sklearn import datasets

    bunch = getattr(datasets, f"load_{name}")()
    return np.asarray(bunch.data, float), np.asarray(bunch.target, float)


def shap_data(name: str) -> tuple[Values, Values]:
    import shap

    X, y = getattr(shap.datasets, name)()
    return np.asarray(X, float), np.asarray(y, float)


def file_data(name: str, folder: Path) -> tuple[Values, Values]:
    """adult, nhanes or communities, from the files that `shap.datasets` downloads."""
    import pandas as pd

    if name == "adult":
        table = pd.read_csv(folder / "adult.data", header=None, skipinitialspace=True)
        table = table.drop(columns=[2, 3])
        y = (table.pop(14) == ">50K").to_numpy(float)
        columns = [
            c if pd.api.types.is_numeric_dtype(c) else c.astype("category").cat.codes
            for _, c in table.items()
        ]
        return np.column_stack(columns).astype(float), y
    if name == "nhanes":
        X = pd.read_csv(folder / "NHANESI_subset_X.csv").iloc[:, 1:]
        y = pd.read_csv(folder / "NHANESI_subset_y.csv")["y"]
        return X.fillna(X.median()).to_numpy(float), y.to_numpy(float)
    raw = pd.read_csv(folder / "CommViolPredUnnormalizedData.txt", na_values="?")
    raw = raw[raw.iloc[:, -2].notna()]
    return raw.iloc[:, 5:-18].dropna(axis=1).to_numpy(float), raw.iloc[:, -2].to_numpy(float)


FILES = ("adult", "nhanes", "communities")


@cache
def data(name: str, folder: Path | None = None) -> tuple[Values, Values]:
    if name in FILES:
        if folder is None:
            raise ValueError(f"the game {name!r} needs --data, the folder with its file.")
        X, y = file_data(name, folder)
        return on_grid(X), y
    X, y = sklearn_data(name) if "60" not in name else shap_data(name)
    return on_grid(X), y


def instance(X: Values, seed: int) -> tuple[Values, Values]:
    """An instance to explain and background rows, drawn by the seed."""
    rows = np.random.default_rng(seed).permutation(len(X))[: BACKGROUND_ROWS + 1]
    return X[rows[0]], X[rows[1:]]


# ---------------------------------------------------------------- tree ensembles


@cache
def tree_model(name: str, kind: str, folder: Path | None) -> Any:
    from sklearn import ensemble

    X, y = data(name, folder)
    keep = np.random.default_rng(0).permutation(len(X))[:4000]
    if kind == "boosted":
        model = ensemble.GradientBoostingRegressor(
            n_estimators=100, max_depth=4, subsample=0.7, random_state=0
        )
    else:
        model = ensemble.RandomForestRegressor(50, min_samples_leaf=3, random_state=0)
        y = (y == y.max()).astype(float) if len(np.unique(y)) < 20 else y
    return model.fit(X[keep], y[keep])


def tree_game(name: str, seed: int, kind: str = "boosted", folder: Path | None = None) -> Game:
    """A tree ensemble; truth is interventional TreeSHAP (Lundberg et al., 2020)."""
    import shap

    model = tree_model(name, kind, folder)
    x, background = instance(data(name, folder)[0], seed)
    explainer = shap.TreeExplainer(model, background, feature_perturbation="interventional")
    phi = np.asarray(explainer.shap_values(x[None], check_additivity=False)).reshape(-1)
    return model_game(model.predict, x, background, phi)


def baseline_game(name: str, seed: int, folder: Path | None = None) -> Game:
    """Boosted trees, absent features at the columns' means: the games of the Leverage SHAP paper.

    Musco & Witter (ICLR 2025) explain 100 trees of depth 4 too, grown by another library.
    """
    import shap

    model, X = tree_model(name, "boosted", folder), data(name, folder)[0]
    x, _ = instance(X, seed)
    mean = X.mean(axis=0, keepdims=True).astype(np.float32).astype(float)
    explainer = shap.TreeExplainer(model, mean, feature_perturbation="interventional")
    phi = np.asarray(explainer.shap_values(x[None], check_additivity=False)).reshape(-1)
    return model_game(model.predict, x, mean, phi)


# ---------------------------------------------------------------- products and closed forms


@cache
def svr(name: str) -> tuple[Any, Values]:
    """An RBF support vector machine, and the rows that it was fitted to."""
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVR

    X, y = data(name)
    X = StandardScaler().fit_transform(X)
    y = (y - y.mean()) / y.std()
    return SVR(C=1.0, gamma=1 / X.shape[1]).fit(X, y), X


def svr_shapley(model: Any, x: Values, background: Values) -> Values:
    """Closed, since the kernel is a product over features."""
    S, a = model.support_vectors_, model.dual_coef_[0]

    def factors(row: Values) -> Values:
        return np.asarray(np.exp(-model.gamma * (row - S) ** 2))

    present = factors(x)
    return np.mean([product_shapley(present, factors(b), a) for b in background], axis=0)


def svr_game(name: str, seed: int, n_background: int = 20) -> Game:
    model, X = svr(name)
    x, background = instance(X, seed)
    background = background[:n_background]
    return model_game(model.predict, x, background, svr_shapley(model, x, background))


def product_game(seed: int, d: int = 16) -> Game:
    """v(S) = product of random factors: interactions of every order."""
    factors = np.random.default_rng(seed).uniform(0.3, 2, (1, d))
    phi = product_shapley(factors, np.ones((1, d)), np.ones(1))
    return Game(lambda Z: np.prod(np.where(Z, factors, 1.0), axis=1), phi)


def unanimity_game(seed: int, d: int = 24, terms: int = 40) -> Game:
    """A sum of random ANDs of 1 to 5 features (Harsanyi dividends)."""
    rng = np.random.default_rng(seed)
    members = np.zeros((terms, d), bool)
    for row in members:
        row[rng.choice(d, rng.integers(1, 6), replace=False)] = True
    dividend = rng.normal(size=terms)
    phi = (dividend / members.sum(axis=1)) @ members

    def v(Z: Values) -> Values:
        return np.asarray((~Z @ members.T.astype(np.float32) == 0) @ dividend)

    return Game(v, phi)


def and_game(seed: int, d: int = 16, size: int = 6) -> Game:
    """One AND of six features: rarely sampled, so the hardest game for an error bar."""
    members = np.random.default_rng(seed).choice(d, size, replace=False)
    phi = np.zeros(d)
    phi[members] = 1 / size
    return Game(lambda Z: Z[:, members].all(axis=1).astype(float), phi)


def ands_game(seed: int, d: int, terms: int, largest: int) -> Game:
    """A sum of ANDs of 1 to `largest` features; each is shared equally by its members."""
    rng = np.random.default_rng(seed)
    members = np.arange(d) < rng.integers(1, largest + 1, terms)[:, None]
    members, worth = rng.permuted(members, axis=1), rng.uniform(-1, 1, terms)
    absent = members.T.astype(np.float32)
    return Game(lambda Z: (~Z @ absent == 0) @ worth, (worth / members.sum(axis=1)) @ members)


def linear_game(seed: int, d: int = 20) -> Game:
    slopes = np.random.default_rng(seed).normal(size=d)
    slopes[:4] = 0
    return Game(lambda Z: Z @ slopes + 3.0, slopes)


# ---------------------------------------------------------------- networks


@cache
def network(name: str) -> Any:
    from sklearn.neural_network import MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    X, y = data(name)
    y = (y - y.mean()) / y.std()
    net = MLPRegressor(hidden_layer_sizes=(32, 16), activation="tanh", max_iter=800, random_state=0)
    return make_pipeline(StandardScaler(), net).fit(X, y)


def network_game(name: str, seed: int, n_background: int = 10) -> Game:
    """A tanh network: enumerated up to 13 features, else 1e6 evaluations (error about 1e-5)."""
    model = network(name)
    x, background = instance(data(name)[0], seed)
    background = background[:n_background]
    game = model_game(model.predict, x, background, np.zeros(len(x)))
    if game.d <= 13:
        phi = exact_shapley(game.v, game.d)
    else:
        phi = permutation_shapley(game.v, game.d, 4000, np.random.default_rng(seed))
    return model_game(model.predict, x, background, phi)


# ---------------------------------------------------------------- the list


def games(folder: Path | None = None) -> dict[str, Callable[[int], Game]]:
    """Every game by name, as a function of the seed that draws its instance."""
    found: dict[str, Callable[[int], Game]] = {
        "iris": partial(tree_game, "iris"),
        "diabetes": partial(tree_game, "diabetes"),
        "diabetes forest": partial(tree_game, "diabetes", kind="forest"),
        "breast cancer": partial(tree_game, "breast_cancer"),
        "breast cancer forest": partial(tree_game, "breast_cancer", kind="forest"),
        "wine": partial(tree_game, "wine"),
        "digits forest": partial(tree_game, "digits", kind="forest"),
        "corrgroups60": partial(tree_game, "corrgroups60"),
        "independentlinear60": partial(tree_game, "independentlinear60"),
        "SVR diabetes": partial(svr_game, "diabetes"),
        "SVR breast cancer": partial(svr_game, "breast_cancer"),
        "network wine": partial(network_game, "wine"),
        "network breast cancer": partial(network_game, "breast_cancer"),
        "product16": product_game,
        "unanimity24": unanimity_game,
        "and6": and_game,
        "linear20": linear_game,
    }
    if folder is not None:
        found |= {name: partial(tree_game, name, folder=folder) for name in FILES}
    return found


def row_games(folder: Path | None = None) -> dict[str, Callable[[int], Game]]:
    """The games of a model and `BACKGROUND_ROWS` background rows, for comparisons by row."""
    every = BACKGROUND_ROWS
    trees = {n: make for n, make in games(folder).items() if getattr(make, "func", 0) is tree_game}
    return trees | {
        "SVR diabetes": partial(svr_game, "diabetes", n_background=every),
        "SVR breast cancer": partial(svr_game, "breast_cancer", n_background=every),
        "network wine": partial(network_game, "wine", n_background=every),
    }


PUBLISHED = {
    "iris": 2.17e-13,
    "diabetes": 1.31e-3,
    "adult": 1.07e-3,
    "corrgroups60": 5.53e-3,
    "independentlinear60": 2.45e-3,
    "nhanes": 3.68e-3,
    "communities": 1.40e-2,
}
"""Median errors of Leverage SHAP at m = 8 d over 100 runs, as published by its authors.

Table main_shap_error of github.com/rtealwitter/leverageshap, March 2026 (iris is exact: all 16
coalitions are evaluated).
"""


def published_games(folder: Path | None = None) -> dict[str, Callable[[int], Game]]:
    """The games of the Leverage SHAP paper whose data are there, as functions of the seed."""
    names = [name for name in PUBLISHED if folder is not None or name not in FILES]
    return {name: partial(baseline_game, name, folder=folder) for name in names}
