"""Coalitions with a bit for each feature, and presences that are interpolated when read."""

from __future__ import annotations

from typing import Any

import joblib
import numpy as np
import perturbx as px
import pytest
from perturbx.designs import Independent, PackedCoalitions, Pairs, ShiftedGrids
from perturbx.designs import packed as packing
from perturbx.game import game
from perturbx.samplers import RandomGrids, random_grids

Z = np.random.default_rng(0).random((70, 21)) < 0.5


def _packed() -> Any:
    return PackedCoalitions(np.packbits(Z, axis=1), Z.shape[1])


def test_packed_coalitions_are_read_as_an_array() -> None:
    """Slices, places, sizes and the whole."""
    packed, places = _packed(), np.array([3, 3, 69, 0])
    assert packed.shape == Z.shape
    assert len(packed) == len(Z)
    for rows in (slice(None), slice(5, 60, 7), places):
        assert packed[rows].dtype == np.bool_
        assert np.array_equal(packed[rows], Z[rows])
    assert np.array_equal(np.asarray(packed), Z)
    assert np.array_equal(packed.sum(axis=1), Z.sum(axis=1))
    assert np.array_equal(packed.mean(axis=1), Z.mean(axis=1))


def test_large_designs_are_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    """And tell the same as those that are not; small ones are left as they are."""
    plain = Pairs(Z, np.ones(len(Z))), Independent(Z, 0.5)
    assert isinstance(plain[0].first, np.ndarray)
    monkeypatch.setattr(packing, "_MOST_BYTES", 100)
    large = Pairs(Z, np.ones(len(Z))), Independent(Z, 0.5)
    assert isinstance(large[0].first, PackedCoalitions)
    assert isinstance(large[1].present, PackedCoalitions)
    for one, other in zip(plain, large, strict=True):
        assert np.array_equal(one.z, other.z)
        assert np.array_equal(one.tile(slice(3, 12)), other.tile(slice(3, 12)))
    some = large[0].some(np.array([4, 9]))
    assert np.array_equal(some.first, Z[[4, 9]])


@pytest.mark.parametrize("method", [px.KernelShap, px.Banzhaf, px.Rise])
def test_packing_changes_nothing(method: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packed or not, in tasks of few answers, in batches, and in two threads: the same bits."""
    rows = np.random.default_rng(0).normal(size=(6, 21))
    settings: dict[str, Any] = {"budget": 2000, "random_state": 0}
    if method is px.KernelShap:
        settings["estimator"] = "regression"

    def scores(**more: Any) -> bytes:
        explainer = method(lambda X: X[:, 0] * X[:, 1] * X[:, 2] + X[:, 3], **settings, **more)
        found = explainer.fit(rows).explain(rows[:2])
        return found.values.tobytes() + found.standard_errors.tobytes()

    plain = scores()
    monkeypatch.setattr(packing, "_MOST_BYTES", 100)
    monkeypatch.setattr(game, "_ANSWERS", 50)
    monkeypatch.setattr(game, "_AT_ONCE", 500)
    assert scores() == plain
    assert scores(batch_size=7) == plain
    with joblib.parallel_config("threading", n_jobs=2):
        assert scores(n_jobs=2) == plain


@pytest.mark.parametrize(("shape", "steps"), [((9,), 4), ((5, 7), 3), ((3, 4, 5), (1, 2, 3))])
def test_presences_do_not_depend_on_what_is_read_with_them(shape: Any, steps: Any) -> None:
    """Row by row, in slices or at once: the same to the last bit."""
    d = int(np.prod(shape))
    sampler = RandomGrids(shape, steps)
    whole = sampler.draw(d, 40, np.random.default_rng(0)).z
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(random_grids, "_MOST_NUMBERS", 10)
        rng = np.random.default_rng(0)
        first = sampler.draw(d, 40, rng)
        more = sampler.draw(d, 55, rng, first)
    assert isinstance(first.presence, ShiftedGrids)
    assert np.array_equal(first.z, whole)
    assert np.array_equal(np.concatenate([first.tile(slice(i, i + 1)) for i in range(40)]), whole)
    assert isinstance(more.presence, ShiftedGrids)
    assert np.array_equal(more.z[:40], whole)
    assert len(more) == 55
