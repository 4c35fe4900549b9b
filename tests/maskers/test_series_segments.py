"""Segments of series: what absent ones show, step by step, and exact scores of known models."""

from __future__ import annotations

import pickle
from itertools import combinations
from typing import Any

import joblib
import numpy as np
import perturbx as px
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from perturbx.errors import InvalidInputError, InvalidParameterError, NotFittedError
from perturbx.maskers import Features
from perturbx.maskers._change_points import change_point_edges
from perturbx.testing import check_masker

ONCE = slice(0, 1)
RNG = np.random.default_rng(0)


def fitted(X: Any = None, seed: int = 0, **settings: Any) -> Any:
    masker = px.SeriesSegments(**settings)
    return masker.fit(X, Features(), np.random.default_rng(seed))


def bind(x: np.ndarray, X: Any = None, **settings: Any) -> Any:
    (bound,) = fitted(X, **settings).check(x).bind(0, 1)
    return bound


def rows(bound: Any, z: np.ndarray, which: Any = None) -> np.ndarray:
    which = slice(0, bound.rows_per_perturbation) if which is None else which
    scratch = bound.scratch(len(z) * bound.rows_per_perturbation)
    return np.array(bound.batch(z, which, scratch))


def every(d: int) -> np.ndarray:
    return (np.arange(2**d)[:, None] >> np.arange(d)) % 2 == 1


def bridged(series: np.ndarray, present: np.ndarray) -> np.ndarray:
    """Step by step, for one channel: np.interp does the same, and holds values at the ends."""
    steps = np.arange(len(series))
    if not present.any():
        return np.full(len(series), series.mean())
    return np.where(present, series, np.interp(steps, steps[present], series[present]))


# ---------------------------------------------------------------- fills


@st.composite
def cases(draw: Any) -> tuple[np.ndarray, int, str]:
    n_steps, n_channels = draw(st.integers(2, 12)), draw(st.integers(1, 3))
    numbers = np.random.default_rng(draw(st.integers(0, 99))).normal(size=(n_steps, n_channels))
    together = draw(st.sampled_from(["each", "together"]))
    least = 2 if together == "together" or n_channels == 1 else 1
    return numbers, draw(st.integers(least, min(n_steps, 4))), together


@given(cases())
@settings(max_examples=100, deadline=None)
def test_bridges_are_those_of_interpolation(case: tuple[np.ndarray, int, str]) -> None:
    """Every coalition: gaps of any length are bridged as np.interp does, channel by channel."""
    series, n, channels = case
    bound = bind(series, n_segments=n, channels=channels, channel_axis=-1)
    z = every(bound.n_features)
    labels = np.broadcast_to(bound.regions.segments.reshape(len(series), -1), series.shape)
    expected = [
        np.stack([bridged(x, one[label]) for x, label in zip(series.T, labels.T, strict=True)], 1)
        for one in z
    ]
    assert_allclose(rows(bound, z), expected, atol=1e-12)
    assert_array_equal(rows(bound, z)[-1], series)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int16, np.uint8, bool])
@pytest.mark.parametrize("fill", ["bridge", "mean", "noise", "autocorrelated noise", "blur"])
def test_fills_keep_the_dtype(fill: str, dtype: Any) -> None:
    """Present steps are the user's, bit by bit; absent ones are rounded to the same type."""
    series = (RNG.random(30) * 200).astype(dtype)
    bound = bind(series, n_segments=3, fill=fill, max_rows=4)
    z = every(3)
    model_rows = rows(bound, z)
    assert model_rows.dtype == dtype
    per = bound.rows_per_perturbation
    assert per == (4 if "noise" in fill else 1)
    present = np.repeat(z[:, bound.regions.segments], per, axis=0)
    assert_array_equal(model_rows[present], np.broadcast_to(series, present.shape)[present])


def test_a_bridge_between_huge_numbers_is_finite() -> None:
    """The difference of the two ends may exceed the largest float."""
    series = np.array([1.7e308, 0.0, 0.0, -1.7e308])
    bound = bind(series, boundaries=[1, 3])
    gap = rows(bound, np.array([[True, False, True]]))
    assert_allclose(gap[0], np.linspace(1, -1, 4) * 1.7e308)


@pytest.mark.parametrize(
    ("fill", "shown"),
    [
        ("mean", [2.0, 20.0]),
        (0, [0.0, 0.0]),
        (7.5, [7.5, 7.5]),
        ([1, 2], [1.0, 2.0]),
    ],
)
def test_constant_fills(fill: Any, shown: list[float]) -> None:
    """The channel's mean over all steps, one number, or one per channel."""
    series = np.array([[0.0, 0], [1, 10], [2, 20], [3, 30], [4, 40]])
    bound = bind(series, fill=fill, n_segments=2, channel_axis=-1)
    empty = rows(bound, np.zeros((1, 4), dtype=bool))[0]
    assert_array_equal(empty, np.broadcast_to(shown, series.shape))


def test_background_series_fill_the_same_steps() -> None:
    """Row r of a perturbation has the steps of background series r where it is absent."""
    X = RNG.normal(size=(5, 12, 2))
    bound = bind(X[0], X[1:], fill="background", n_segments=3, channel_axis=-1)
    z = every(6)
    present = z[:, None, bound.regions.segments]
    expected = np.where(present, X[0], X[None, 1:])
    assert_array_equal(rows(bound, z).reshape(64, 4, 12, 2), expected)
    own = np.arange(64) % 4
    assert_array_equal(rows(bound, z, own), expected[np.arange(64), own])
    given = bind(X[0], fill=X[1:], n_segments=3, channel_axis=-1)
    assert_array_equal(rows(given, z), rows(bound, z))
    one = bind(X[0], fill=X[1], n_segments=3, channel_axis=-1)
    assert_array_equal(rows(one, z), expected[:, 0])


def test_a_large_background_is_sampled_with_a_note() -> None:
    """At most max_rows series, drawn by random_state, and the notes say so."""
    X = RNG.normal(size=(50, 8))
    settings = {"fill": "background", "max_rows": 6, "channel_axis": None}
    one, again, other = (fitted(X, seed, **settings) for seed in (0, 0, 1))
    assert_array_equal(one.background, again.background)
    assert not np.array_equal(one.background, other.background)
    assert one.background.shape == (6, 8)
    assert one.notes == ("the background is a random sample of 6 of 50 series",)


def test_noise_has_the_moments_of_its_channel() -> None:
    """Over many draws: mean and scale of each channel, and no correlation of steps."""
    series = np.cumsum(RNG.normal(size=(400, 2)), axis=0) * [1, 50]
    noise = bind(series, fill="noise", max_rows=200, channel_axis=-1).fills
    scale = series.std(axis=0)
    assert_allclose(noise.mean(axis=(0, 1)), series.mean(axis=0), atol=0.05 * scale.max())
    assert_allclose(noise.std(axis=(0, 1)) / scale, 1.0, atol=0.02)
    away = noise - series.mean(axis=0)
    assert_allclose((away[:, 1:] * away[:, :-1]).mean(axis=(0, 1)) / scale**2, 0.0, atol=0.02)


@pytest.mark.parametrize("n_steps", [64, 65])
def test_autocorrelated_noise_keeps_the_spectrum_exactly(n_steps: int) -> None:
    """Each draw has the amplitudes of its channel, and the phases between the channels."""
    series = np.cumsum(RNG.normal(size=(n_steps, 2)), axis=0)
    noise = bind(series, fill="autocorrelated noise", max_rows=5, channel_axis=-1).fills
    away = (a - a.mean(axis=-2, keepdims=True) for a in (series, noise))
    spectrum, drawn = (np.fft.rfft(a, axis=-2) for a in away)
    assert_allclose(np.abs(drawn), np.broadcast_to(np.abs(spectrum), drawn.shape), atol=1e-9)
    cross, drawn_cross = (s[..., 0] * s[..., 1].conj() for s in (spectrum, drawn))
    assert_allclose(drawn_cross, np.broadcast_to(cross, drawn_cross.shape), atol=1e-8)
    assert not np.allclose(noise[0], noise[1])


def test_a_constant_channel_has_no_score() -> None:
    """No fill of its own kind changes it, bit by bit."""
    series = np.stack([np.full(20, 0.1), RNG.normal(size=20)], axis=1)
    for fill in ("bridge", "mean", "noise", "autocorrelated noise"):
        bound = bind(series, fill=fill, n_segments=4, channel_axis=-1)
        assert bound.active.tolist() == [False] * 4 + [True] * 4


# ---------------------------------------------------------------- scores


def test_an_additive_model_has_the_scores_of_its_parts() -> None:
    """A sum over steps, against the mean: each segment's own deviation, by every method."""
    weights = RNG.normal(size=(24, 2))
    series = RNG.normal(size=(24, 2))

    def model(X: np.ndarray) -> np.ndarray:
        return np.asarray((X * weights).sum(axis=(1, 2)))

    masker = px.SeriesSegments(4, fill="mean", channel_axis=-1, channel_names=["ecg", "resp"])
    away = weights * (series - series.mean(axis=0))
    expected = away.reshape(4, 6, 2).sum(axis=1).T.ravel()
    methods = (px.KernelShap, px.PermutationShap, px.OwenShap, px.Banzhaf, px.Occlusion, px.Lime)
    for method in methods:
        found = method(model, masker=masker, random_state=0).explain(series)
        tolerance = 1e-9 if method is not px.Lime else 0.05  # of a ridge penalty
        assert_allclose(found.values, expected, atol=tolerance, rtol=10 * tolerance)
    assert found.feature_names[:2] == ("ecg 0–5", "ecg 6–11")


def test_shapley_values_against_the_background_by_brute_force(brute_force: Any) -> None:
    """Two channels, three segments, a model with interactions: the definition itself."""
    X = RNG.normal(size=(4, 9, 2))

    def model(batch: np.ndarray) -> np.ndarray:
        return np.asarray(batch[:, :, 0].max(axis=1) * batch[:, :, 1].sum(axis=1))

    masker = px.SeriesSegments(3, fill="background", channel_axis=-1)
    found = px.KernelShap(model, masker=masker, random_state=0).fit(X[1:]).explain(X[0])
    labels = found.regions.segments

    def of_segments(z: np.ndarray) -> np.ndarray:
        """Features are numbers of series: 0 is the instance, 1 to 3 the background."""
        which = np.rint(z).astype(int)[:, labels]
        steps, channels = np.indices(labels.shape)
        return model(X[which, steps, channels])

    background = np.repeat(np.arange(1.0, 4)[:, None], 6, axis=1)
    expected = brute_force(of_segments, np.zeros(6), background)[:, 0]
    assert_allclose(found.values, expected, atol=1e-12)


def test_a_straight_series_is_its_own_bridge() -> None:
    """Removing any inner segment changes nothing, so every inner score is 0."""
    series = 3.0 * np.arange(40.0) - 7

    def model(X: np.ndarray) -> np.ndarray:
        return np.asarray(np.abs(np.diff(X, axis=1)).max(axis=1) + (X**2).sum(axis=1))

    found = px.Occlusion(model, masker=px.SeriesSegments(8)).explain(series)
    assert_allclose(found.values[1:-1], 0.0, atol=1e-9)
    assert (np.abs(found.values[[0, -1]]) > 1).all()


def test_owen_values_are_exact_when_everything_is_split() -> None:
    """A flat tree of the channels of one segment: Owen values are Shapley values."""
    series = RNG.normal(size=(10, 3))

    def model(X: np.ndarray) -> np.ndarray:
        return np.asarray(X.sum(axis=1).prod(axis=1))

    masker = px.SeriesSegments(1, fill=0, channel_axis=-1)
    owen, shapley = (m(model, masker=masker).explain(series) for m in (px.OwenShap, px.KernelShap))
    assert_allclose(owen.values, shapley.values, atol=1e-9)


@pytest.mark.parametrize("n_channels", [1, 3, 12])
def test_trees_join_neighbors_in_time_first_separating_channels_last(n_channels: int) -> None:
    """Each branch is a run of segments in all channels, or some channels of one segment."""
    series = RNG.normal(size=(70, n_channels))
    bound = bind(series, n_segments=7, channel_axis=-1)
    (tree,) = bound.trees
    cells = tree.members.reshape(len(tree.members), n_channels, 7)
    for cell in cells:
        in_time = np.flatnonzero(cell.any(axis=0))
        assert (np.diff(in_time) == 1).all()
        assert len(in_time) == 1 or cell[:, in_time].all()
    assert max(map(len, tree.children)) <= 4
    assert cells[tree.root].all()


# ---------------------------------------------------------------- layouts


def test_channels_first_is_the_same_series() -> None:
    """The model gets (n, C, T), and the scores are those of (n, T, C)."""
    X = RNG.normal(size=(3, 20, 2))
    seen = set()

    def model(batch: np.ndarray) -> np.ndarray:
        return np.asarray(batch[:, 3:9, 0].max(axis=1) * batch[:, 5:, 1].sum(axis=1))

    def turned(batch: np.ndarray) -> np.ndarray:
        seen.add(batch.shape[1:])
        return model(batch.swapaxes(1, 2))

    for fill in ("bridge", "noise", "background", X[1], [0.5, 1.5]):
        last = px.SeriesSegments(4, fill=fill, channel_axis=-1)
        first_fill = fill.T if isinstance(fill, np.ndarray) else fill
        first = px.SeriesSegments(4, fill=first_fill, channel_axis=-2)
        one = px.KernelShap(model, masker=last, random_state=0).fit(X).explain(X)
        other = px.KernelShap(turned, masker=first, random_state=0)
        other_found = other.fit(X.swapaxes(1, 2)).explain(X.swapaxes(1, 2))
        assert_allclose(one.values, other_found.values, atol=1e-12)
        assert_array_equal(other_found.data, X)
    assert seen == {(2, 20)}
    check_masker(px.SeriesSegments(4, channel_axis=-2), X.swapaxes(1, 2))
    check_masker(px.SeriesSegments(4, fill="noise", channel_axis=-2), X.swapaxes(1, 2))


def test_a_list_of_series_of_different_lengths() -> None:
    """Each has its own segments; names say where only where one series is looked at."""
    X = [RNG.normal(size=n) for n in (20, 35)]
    found = px.Occlusion(lambda X: X.sum(axis=1), masker=px.SeriesSegments(5)).explain(X)
    assert found.feature_names == tuple(f"segment {i}" for i in range(5))
    assert found[0].feature_names == ("0–3", "4–7", "8–11", "12–15", "16–19")
    assert found[1].feature_names[-1] == "28–34"
    assert found[1].heatmap().shape == (35,)


def test_a_series_alone_and_among_others_is_the_same() -> None:
    """Whatever the fill, also with noise, and whatever batch_size and n_jobs."""
    X = RNG.normal(size=(3, 30))
    for fill in ("bridge", "noise", "autocorrelated noise"):
        masker = px.SeriesSegments(8, fill=fill, channel_axis=None, max_rows=3)
        explainer = px.KernelShap(peak, masker=masker, budget=200, random_state=3).fit()
        together = explainer.explain(X)
        assert_array_equal(explainer.explain(X[1]).values, together.values[1])
        for setting in ({"batch_size": 7}, {"n_jobs": 2})[: 1 + (fill == "noise")]:
            other = px.KernelShap(peak, masker=masker, budget=200, random_state=3, **setting)
            with joblib.parallel_config("threading"):
                assert_array_equal(other.fit().explain(X).values, together.values)


def peak(X: np.ndarray) -> np.ndarray:
    return np.asarray(X.max(axis=1))


# ---------------------------------------------------------------- segments


def test_equal_segments_differ_by_one_step_at_most() -> None:
    """They cover every step, in order."""
    for n_steps in (7, 20, 33):
        for n in range(2, 8):
            lengths = np.diff(bind(RNG.normal(size=n_steps), n_segments=n).edges)
            assert lengths.sum() == n_steps
            assert lengths.max() - lengths.min() <= 1


def test_boundaries_and_labels_say_the_same() -> None:
    """With or without 0 and the length; any labels, one run each."""
    series = RNG.normal(size=10)
    edges = bind(series, boundaries=[3, 7]).edges
    assert edges.tolist() == [0, 3, 7, 10]
    assert_array_equal(bind(series, boundaries=np.array([0, 3, 7, 10])).edges, edges)
    labels = np.array([5, 5, 5, 1, 1, 1, 1, 9, 9, 9])
    assert_array_equal(bind(series, segments=labels).edges, edges)
    listed = fitted(segments=[labels, labels[::-1]]).check([series, series]).bind(0, 2)
    assert [one.edges.tolist() for one in listed] == [[0, 3, 7, 10], [0, 3, 7, 10]]


def _brute_force_edges(series: np.ndarray, n_segments: int, least: int) -> tuple[int, ...]:
    """The best edges of all: fits of a line to each segment."""
    n_steps = len(series)

    def error(start: int, stop: int) -> float:
        steps = np.stack([np.ones(stop - start), np.arange(start, stop)], axis=1)
        fit = np.linalg.lstsq(steps, series[start:stop], rcond=None)[0]
        return float(((series[start:stop] - steps @ fit) ** 2).sum())

    choices = [
        (0, *inner, n_steps)
        for inner in combinations(range(1, n_steps), n_segments - 1)
        if np.diff((0, *inner, n_steps)).min() >= least
    ]
    return min(choices, key=lambda e: sum(map(error, e[:-1], e[1:])))


@pytest.mark.parametrize("seed", range(8))
def test_change_points_are_optimal(seed: int) -> None:
    """The best of all segmentations with lines, by trying every one."""
    rng = np.random.default_rng(seed)
    series = rng.normal(size=(14, 1)) + np.repeat(rng.normal(size=(2, 1)) * 3, 7, axis=0)
    scaled = (series - series.mean()) / series.std()
    expected = _brute_force_edges(scaled[:, 0], 3, 2)
    assert change_point_edges(series, 3).tolist() == list(expected)


def test_change_points_find_steps_ramps_and_their_scale_does_not_matter() -> None:
    """A jump in one channel and a bend in the other, a million times larger."""
    steps = np.arange(3000.0)
    jump = np.where(steps < 1000, 0.0, 1.0)
    bend = 1e6 * np.maximum(steps - 2200, 0)
    series = np.stack([jump, bend], axis=1) + RNG.normal(size=(3000, 2)) * [0.05, 5e6]
    edges = change_point_edges(series, 3)
    assert abs(edges[1] - 1000) <= 8
    assert abs(edges[2] - 2200) <= 60
    assert_array_equal(change_point_edges(series * 1e298, 3), edges)


# ---------------------------------------------------------------- results


def test_an_explanation_of_series_is_saved_tabulated_and_sliced(tmp_path: Any) -> None:
    """Start, stop, channel and mean of each segment; the file gives all of it back."""
    pytest.importorskip("pandas")
    X = RNG.normal(size=(2, 12, 2))
    masker = px.SeriesSegments(3, channel_axis=-1, channel_names=["ecg", "resp"])
    found = px.KernelShap(lambda X: X[:, :, 0].max(axis=1), masker=masker).explain(X)
    frame = found.to_frame()
    assert frame["start"].tolist() == [0, 4, 8] * 4
    assert frame["stop"].tolist() == [4, 8, 12] * 4
    assert frame["channel"].tolist() == (["ecg"] * 3 + ["resp"] * 3) * 2
    assert_allclose(frame["data"][:3].astype(float), X[0, :, 0].reshape(3, 4).mean(axis=1))
    for ending in ("npz", "json"):
        path = tmp_path / f"found.{ending}"
        found.save(path)
        back = px.load(path)
        assert repr(back) == repr(found)
        assert back[1].regions.names == found[1].regions.names == found.feature_names
    one = found[0, "ecg 4–7"]
    assert one.values == found.values[0, 1]
    assert found[:, ["resp 0–3", "ecg 0–3"]].values.tolist() == found.values[:, [3, 0]].tolist()
    assert "1 series of 12 steps and 2 channels" in repr(found[0])
    assert "mean value" in repr(found[0])


def test_names_of_change_points_are_those_of_each_series() -> None:
    """In a table of several series with change points, each row has its own steps."""
    pytest.importorskip("pandas")
    X = np.stack([np.repeat([0.0, 5.0], [n, 30 - n]) for n in (10, 20)])
    masker = px.SeriesSegments(2, method="change points", channel_axis=None)
    found = px.Occlusion(lambda X: X.max(axis=1), masker=masker).explain(X)
    assert found.feature_names == ("segment 0", "segment 1")
    assert found.to_frame()["feature"].tolist() == ["0–9", "10–29", "0–19", "20–29"]
    assert "20–29" in repr(found)


def test_metrics_judge_segments() -> None:
    """With the masker of the explainer: the segment that matters comes first."""
    X = RNG.normal(size=(2, 30, 2))
    X[:, 10:15, 1] += 4

    def model(X: np.ndarray) -> np.ndarray:
        return np.asarray(X[:, 10:15, 1].mean(axis=1))

    explainer = px.KernelShap(model, masker=px.SeriesSegments(3, channel_axis=-1), random_state=0)
    explainer.fit(X)
    found = explainer.explain(X)
    assert (found.values.argmax(axis=1) == 4).all()
    metrics = [px.metrics.insertion, px.metrics.completeness]
    for metric in metrics:
        result = metric(model, X, found, masker=explainer.masker_)
        assert np.isfinite(result.values).all()
    with pytest.raises(InvalidParameterError, match=r"masker=explainer\.masker_"):
        px.metrics.deletion(model, X, found)
    deleted = px.metrics.deletion(model, X, found, masker=explainer.masker_)
    assert (deleted.values < deleted.references["random"]).all()


def test_bound_series_are_picklable() -> None:
    """Workers receive them."""
    bound = bind(RNG.normal(size=(12, 2)), n_segments=3, channel_axis=-1)
    z = every(6)
    assert_array_equal(rows(pickle.loads(pickle.dumps(bound)), z), rows(bound, z))


# ---------------------------------------------------------------- bad input

FLAT = np.arange(12.0)


@pytest.mark.parametrize(
    ("given", "X", "said"),
    [
        ({}, np.array([1.0, np.nan, 2, 3]), "1 of its 4 values are NaN or infinite, the first at"),
        ({"channel_axis": None}, np.array([[1.0, 2], [np.inf, 2]]), "series 1 must be finite"),
        ({}, np.array([1.0]), "single step"),
        ({"channel_axis": -1}, np.ones((1, 3)), "single step.*columns of a table"),
        ({}, np.ones((3, 4)), "3 series of 4 steps.*channel_axis=-1.*channel_axis=-2"),
        ({}, np.ones((2, 3, 4)), "in either order: pass channel_axis=-1"),
        ({}, [np.ones((3, 4))], "in either order: pass channel_axis=-1"),
        ({}, np.ones((2, 3, 4, 5)), r"has the shape \(steps,\).*has shape \(2, 3, 4, 5\)"),
        ({"channel_axis": None}, np.ones((2, 3, 4)), r"\(series, steps\); X has shape"),
        ({"channel_axis": -2}, np.ones(4), r"\(channels, steps\), or a batch"),
        ({}, np.empty(0), "is empty"),
        ({}, [], "empty list"),
        ({}, [1.0, 2.0, 3.0], "got float: for one series pass np.asarray"),
        ({}, [[1.0, 2.0], [1.0]], r"got list: .*\[np.asarray\(x\) for x in X\]"),
        ({}, np.array([np.ones(2), np.ones(3)], dtype=object), "list of arrays, as in list"),
        ({}, np.array(["a", "b"]), "got dtype <U1"),
        ({}, np.ma.masked_array([1.0, 2.0], [0, 1]), "masked array"),
        ({"channel_axis": -1}, [np.ones((5, 2)), np.ones((5, 3))], "2 channels of float64.*has 3"),
        ({"channel_axis": None}, [np.ones(5), np.ones(5, int)], "series 1 has 1 of int64"),
        ({"n_segments": 13}, FLAT, "n_segments=13 is more than the 12 steps"),
        ({"n_segments": 1}, FLAT, "single segment"),
        ({"n_segments": 1, "channels": "together", "channel_axis": -1}, np.ones((4, 3)), "single"),
        ({"boundaries": [7, 3]}, FLAT, "Sort them"),
        ({"boundaries": [3, 3]}, FLAT, "name each once"),
        ({"boundaries": [3, 13]}, FLAT, "The series has 12 steps"),
        ({"boundaries": [-1, 3]}, FLAT, "increasing steps from 0 to 12"),
        ({"boundaries": [1.5]}, FLAT, "They are integers"),
        ({"boundaries": []}, FLAT, "increasing steps"),
        ({"boundaries": [0, 12]}, FLAT, "single segment"),
        ({"segments": np.arange(11)}, FLAT, r"each of the 12 steps: got shape \(11,\)"),
        ({"segments": np.arange(12) % 2}, FLAT, "single run of steps: 0 comes back at step 2"),
        ({"segments": np.arange(12.0)}, FLAT, "of dtype float64"),
        ({"segments": [np.arange(12)] * 2}, FLAT, "a list of 1"),
        ({"segments": np.arange(12), "boundaries": [3]}, FLAT, "pass one of them"),
        ({"n_segments": 0}, FLAT, "n_segments must be an integer of at least 1"),
        ({"method": "quickshift"}, FLAT, "one of 'equal', 'change points'"),
        ({"channels": "all"}, FLAT, "one of 'each', 'together'"),
        ({"channel_axis": 1}, FLAT, r"'auto', None \(no channels\)"),
        ({"fill": "zero"}, FLAT, "one of 'bridge', 'mean'"),
        ({"fill": np.nan}, FLAT, "finite"),
        ({"fill": [[1, 2], [3]]}, FLAT, "fill must be"),
        ({"fill": np.ones(5)}, FLAT, r"fill of shape \(5,\) does not match"),
        ({"fill": 300}, FLAT.astype(np.uint8), "range of the image's dtype|range of"),
        ({"channel_names": ["a", "a"]}, FLAT, "print alike"),
        ({"channel_names": ["a", "b"]}, FLAT, "got 2 for 1"),
        ({"max_rows": 0}, FLAT, "max_rows must be"),
    ],
)
def test_bad_input(given: dict[str, Any], X: Any, said: str, counting_model: Any) -> None:
    """Every error says what was wrong and what to pass, before the model is asked."""
    model = counting_model(peak)
    with pytest.raises((InvalidInputError, InvalidParameterError), match=said):
        px.KernelShap(model, masker=px.SeriesSegments(**given)).explain(X)
    assert model.n_rows == 0


def test_a_background_that_is_missing_or_does_not_fit() -> None:
    """fit comes first, with several series of the length that is explained."""
    explainer = px.KernelShap(peak, masker=px.SeriesSegments(fill="background", channel_axis=None))
    X = RNG.normal(size=(4, 12))
    with pytest.raises(NotFittedError, match=r"call fit\(X_train\)"):
        explainer.explain(X)
    with pytest.raises(InvalidInputError, match="got one series"):
        explainer.fit(X[0])
    with pytest.raises(InvalidInputError, match="call fit"):
        explainer.fit()
    with pytest.raises(InvalidInputError, match=r"have shape \(12,\), and series 0 has \(10,\)"):
        explainer.fit(X).explain(X[:, :10])


@pytest.mark.parametrize("name", ["groups", "feature_names"])
def test_series_have_no_columns(name: str) -> None:
    """What names columns is refused, and what to pass instead is said."""
    given: Any = {"a": [0]} if name == "groups" else ["a"]
    with pytest.raises(InvalidParameterError, match=f"{name} must be None for series"):
        px.Lime(peak, masker=px.SeriesSegments(), **{name: given}).explain(FLAT)
