"""The search for the smallest set against brute force, and what its designs hold."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from perturbx.designs import Evaluations, Searched, SearchedMasks
from perturbx.errors import InvalidParameterError
from perturbx.samplers import MaskSearch

Game = Callable[[np.ndarray], np.ndarray]


def _searched(sampler: MaskSearch, game: Game, d: int, n: int, seed: int = 0) -> Searched:
    rng = np.random.default_rng(seed)
    design = sampler.draw(d, n, rng)
    while True:
        more = sampler.follow(Evaluations.of_game(design, game), n, rng)
        if len(more) == len(design):
            return design
        design = more


def _left(design: Searched, game: Game, output: int = 0) -> np.ndarray:
    e = Evaluations.of_game(design, game)
    return design.left(e.outputs[:, 0, output], e.full[0, output], e.empty[0, output])


def _optimum(game: Game, d: int, area: np.ndarray, drop: float, keeps: bool) -> float:
    """The smallest area of all sets of features that reach the aim."""
    present = np.array(list(product([False, True], repeat=d)))
    y = game(present)
    share = (y - y[0]) / (y[-1] - y[0])
    reached = (1 - share if keeps else share) <= 1 - drop + 1e-9
    return float(((present if keeps else ~present)[reached] @ area).min())


def _games(d: int) -> dict[str, Game]:
    rng = np.random.default_rng(1)
    a, b, pairs = rng.exponential(size=d) ** 2, rng.normal(size=d), rng.normal(size=(d, d))
    return {
        "additive": lambda z: z @ a,
        "some lower it": lambda z: z @ (a + b),
        "two needed": lambda z: z[:, 0] * z[:, 3] + 0.02 * (z @ a),
        "one of two is enough": lambda z: np.maximum(z[:, 1], z[:, 4]) + 0.01 * (z @ a),
        "interactions": lambda z: np.tanh(z @ a / 3 - 1) + 0.03 * ((z @ pairs) * z).sum(axis=1),
    }


@pytest.mark.parametrize("keeps", [False, True])
@pytest.mark.parametrize("name", list(_games(12)))
def test_it_finds_the_smallest_of_all_sets(name: str, keeps: bool) -> None:
    """Brute force over 4,096 sets of features of different areas, by 400 of them."""
    d, game = 12, _games(12)[name]
    area = np.random.default_rng(2).uniform(0.5, 2, d)
    area /= area.sum()
    for drop in (0.5, 0.9):
        best = _optimum(game, d, area, drop, keeps)
        for seed in (0, 1):
            sampler = MaskSearch(area=tuple(area.tolist()), drop=drop, keeps=keeps)
            design = _searched(sampler, game, d, 400, seed)
            at = design.smallest(_left(design, game))
            found = 1.0 if at < 0 else float(design.chosen[at] @ area)
            assert found == pytest.approx(best), (drop, seed)


def test_points_of_a_lattice_are_found_exactly() -> None:
    """Of 225 points the six that count, in two places, in 400 rows."""
    needed = np.zeros((15, 15), dtype=bool)
    needed[3:5, 4:6] = needed[10, 8:10] = True
    sampler = MaskSearch((15, 15), 2, drop=0.99)
    design = _searched(sampler, lambda z: z[:, needed.ravel()].mean(axis=1), 225, 400)
    assert isinstance(design, SearchedMasks)
    assert design.z.dtype == np.float64
    at = design.smallest(_left(design, lambda z: z[:, needed.ravel()].mean(axis=1)))
    assert (design.chosen[at] == needed.ravel()).all()


def test_outputs_take_turns() -> None:
    """Each gets rows of its own, and its own smallest set; a constant one gets none."""

    def game(z: np.ndarray) -> np.ndarray:
        return np.stack([z[:, 2], np.full(len(z), 3.0), z[:, 5] * z[:, 7]], axis=1)

    design = _searched(MaskSearch(drop=0.9, keeps=True), game, 40, 400)
    rows = np.bincount(design.output + 1, minlength=4)
    assert rows[2] == 0
    assert min(rows[1], rows[3]) > 0
    for output, expected in ((0, [2]), (2, [5, 7])):
        at = design.smallest(_left(design, game, output))
        assert np.flatnonzero(design.chosen[at]).tolist() == expected


def test_nothing_is_tried_twice_and_a_search_ends() -> None:
    """Of four features all 14 sets at most, whatever the budget; none of them empty or full."""
    design = _searched(MaskSearch(), lambda z: z @ [1.0, 2.0, 3.0, 4.0], 4, 10**4)
    assert len(np.unique(design.z, axis=0)) == len(design) <= 14
    assert 0 < design.z.sum(axis=1).min() <= design.z.sum(axis=1).max() < 4


def test_everything_where_nothing_less_is_enough() -> None:
    """Any present feature keeps the output, so that all must go."""
    design = _searched(MaskSearch(), lambda z: z.any(axis=1) * 1.0, 6, 200)
    assert design.smallest(_left(design, lambda z: z.any(axis=1) * 1.0)) == -1


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"drop": 1.0}, "drop"),
        ({"area": (0.5, -0.5)}, "area"),
        ({"per_round": 0}, "per_round"),
        ({"shape": (2, 0)}, "shape"),
        ({"shape": (2, 2), "steps": (1, 1, 1)}, "steps"),
    ],
)
def test_settings(settings: dict[str, object], said: str) -> None:
    """What cannot be searched is refused when it is made."""
    with pytest.raises(InvalidParameterError, match=said):
        MaskSearch(**settings)  # type: ignore[arg-type]
    with pytest.raises(InvalidParameterError, match="features"):
        MaskSearch((3, 3)).draw(8, 20, np.random.default_rng(0))
