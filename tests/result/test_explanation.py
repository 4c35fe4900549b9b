"""Slices, intervals, maps and views of the result."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np
import perturbx as px
import pytest
from hypothesis import given
from hypothesis import strategies as st
from perturbx.errors import InvalidParameterError
from perturbx.features import LabelMap, WindowGrid
from perturbx.result import Explanation, load, one_output

N, D, K = 4, 5, 3
FEATURES = tuple("abcde")
OUTPUTS = ("cat", "dog", "<b>owl</b>")


def build(*, outputs: bool = True, own: bool = False, **changes):
    rng = np.random.default_rng(0)
    tail = (K,) if outputs else ()
    fields = {
        "values": rng.normal(size=(N, D, *tail)),
        "standard_errors": rng.uniform(0.1, 1, size=(N, D, *tail)),
        "base_values": rng.normal(size=(N, *tail)),
        "predictions": rng.normal(size=(N, *tail)),
        "residual": np.zeros((N, *tail)),
        "fidelity": rng.uniform(size=(N, *tail)),
        "data": np.arange(N * D).reshape(N, D),
        "feature_names": FEATURES,
        "output_names": OUTPUTS if outputs else ("cat",),
        "axes": ("instance", "feature", "output")[: 2 + outputs],
        "method": "KernelShap",
        "value_function": "absent features from 100 background rows",
        "n_rows": 400,
        "n_calls": 2,
        "degrees_of_freedom": 7.0,
    }
    if own:
        names = [[f"top {j} of {i}" for j in range(K)] for i in range(N)]
        fields["output_names"] = np.array(names, dtype=object)
    return Explanation(**{**fields, **changes})


def photos():
    """Two photos with 4 and 2 regions."""
    segments = np.repeat([[0, 1], [2, 3]], 2, axis=1), np.array([[0, 1, 1]])
    values = np.array([[1.0, -2.0, 3.0, 4.0], [5.0, 6.0, np.nan, np.nan]])
    return build(
        outputs=False,
        values=values,
        standard_errors=values / 10,
        data=(np.zeros((2, 4, 3)), np.ones((1, 3, 3))),
        regions=tuple(map(LabelMap, segments)),
        feature_names=FEATURES[:4],
        **{name: np.array([0.5, 0.25]) for name in ("base_values", "predictions")},
        residual=None,
        fidelity=None,
    )


def picks(size: int, names: tuple[str, ...]):
    """Keys of one axis, with the positions that they mean."""
    position = st.integers(-size, size - 1)
    slices = st.slices(size)
    lists = st.lists(position, min_size=1, max_size=size)
    masks = st.lists(st.booleans(), min_size=size, max_size=size)
    return st.one_of(
        position.map(lambda i: (i, i)),
        slices.map(lambda s: (s, s)),
        lists.map(lambda p: (p, p)),
        masks.map(lambda m: (np.array(m), np.flatnonzero(m))),
        st.sampled_from(names).map(lambda name: (name, names.index(name))),
        st.lists(st.sampled_from(names), min_size=1).map(
            lambda some: (some, [names.index(name) for name in some])
        ),
    )


positions = st.integers(-N, N - 1).map(lambda i: (i, i)) | st.slices(N).map(lambda s: (s, s))


@given(positions, picks(D, FEATURES), picks(K, OUTPUTS))
def test_a_slice_of_the_result_is_the_slice_of_each_array(instance, feature, output):
    """Slicing, then values, equals values, then slicing, axis by axis."""
    whole = build()
    part = whole[instance[0], feature[0], output[0]]
    for name in ("values", "standard_errors"):
        expected = getattr(whole, name)[:, :, output[1]][:, feature[1]][instance[1]]
        np.testing.assert_array_equal(getattr(part, name), expected)
    for name in ("base_values", "predictions", "fidelity"):
        expected = getattr(whole, name)[:, output[1]][instance[1]]
        np.testing.assert_array_equal(getattr(part, name), expected)
    np.testing.assert_array_equal(part.data, whole.data[:, feature[1]][instance[1]])
    assert part.feature_names == tuple(np.atleast_1d(np.array(FEATURES, object)[feature[1]]))
    assert part.output_names == tuple(np.atleast_1d(np.array(OUTPUTS, object)[output[1]]))
    assert part.shape == np.shape(part.values)


@given(st.slices(N), st.slices(D), st.integers(0, K - 1))
def test_slicing_in_steps_equals_slicing_at_once(instances, features, output):
    """explanation[a][:, b][..., c] is explanation[a, b, c]."""
    steps, once = build()[instances][:, features][..., output], build()[instances, features, output]
    np.testing.assert_array_equal(steps.values, once.values)
    np.testing.assert_array_equal(steps.data, once.data)
    assert (steps.axes, steps.feature_names) == (once.axes, once.feature_names)


def test_iterating_gives_the_instances():
    """List(explanation)[i] is explanation[i]."""
    whole = build()
    assert [one.axes for one in whole] == [("feature", "output")] * N
    np.testing.assert_array_equal([one.values for one in whole], whole.values)
    with pytest.raises(TypeError, match="no length"):
        len(whole[0, 0, 0])


def test_outputs_of_each_instance_keep_their_names():
    """With (n, k) names a slice has the names of its own instances, in every order of slicing."""
    whole = build(own=True)
    assert whole[2].output_names == ("top 0 of 2", "top 1 of 2", "top 2 of 2")
    assert whole[..., 1][2].output_names == whole[2][..., 1].output_names == ("top 1 of 2",)
    assert whole[2, :, "top 1 of 2"].values[0] == whole.values[2, 0, 1]
    assert whole[1:3, "a"].output_names.tolist() == whole.output_names[1:3].tolist()
    with pytest.raises(IndexError, match="pick an instance"):
        whole[..., "top 1 of 2"]


@pytest.mark.parametrize(
    ("key", "error", "says"),
    [
        ((slice(None), "z"), KeyError, "No feature is named 'z': there are 'a', 'b'"),
        ((slice(None), "A "), KeyError, r"No feature is named 'A ': did you mean 'a'\? There are"),
        (4, IndexError, "No instance 4: there are 4"),
        ((..., ...), IndexError, "one '...'"),
        ((0, 0, 0, 0), IndexError, "at most 3"),
        (1.0, TypeError, "an int, a slice, a name"),
        (None, TypeError, "an int, a slice, a name"),
        (True, TypeError, "an int, a slice, a name"),
        ([[0]], TypeError, "an int, a slice, a name"),
        (np.array([True, False]), IndexError, r"shape \(4,\): got \(2,\)"),
    ],
)
def test_a_key_that_means_nothing_is_refused(key, error, says):
    """The error says what there is to pick."""
    with pytest.raises(error, match=says):
        build()[key]


def test_some_of_the_features_promise_no_sum():
    """The residual is kept by a permutation of the features, and dropped with any of them."""
    whole = build()
    assert whole[:, ::-1].residual is not None
    assert whole[:2, :, "cat"].residual is not None
    assert whole[:, 1:].residual is None
    assert whole[0, "a"].residual is None
    assert whole[:, [0, 0, 1, 2, 3]].residual is None


def test_photos_of_different_numbers_of_regions():
    """One photo of a batch has its own regions, names and picture; several keep the padding."""
    batch = photos()
    first, second = batch
    assert (first.shape, second.shape) == ((4,), (2,))
    assert second.feature_names == ("a", "b")
    assert second.data.shape == (1, 3, 3)
    assert batch[[1, 0]].regions == batch.regions[::-1]
    assert batch[[1, 0]].shape == (2, 4)
    np.testing.assert_array_equal(first.heatmap(), [[1, 1, -2, -2], [3, 3, 4, 4]])
    np.testing.assert_array_equal(second.heatmap(), [[5, 6, 6]])
    with pytest.raises(IndexError, match=r"cannot be picked.*values\[explanation\.feature_n.*'a'"):
        first[0]
    message = r"take explanation\.values\[:, explanation\.feature_names\.index\('b'\)\]"
    with pytest.raises(IndexError, match=message):
        batch[:, 1:2]


def test_heatmap_of_one_of_several_outputs():
    """An output is chosen by name or place; without a choice the error lists the names."""
    grid = WindowGrid(np.array([[0], [2], [4], [6], [8]]), (2,), (10,))
    one = build(regions=(grid,) * N, data=np.zeros((N, 10)))[0]
    np.testing.assert_array_equal(one.heatmap("dog"), np.repeat(one.values[:, 1], 2))
    np.testing.assert_array_equal(one[..., "dog"].heatmap("dog"), one.heatmap(1))
    with pytest.raises(InvalidParameterError, match=r"3 outputs .* one of 'cat', 'dog'"):
        one.heatmap()
    with pytest.raises(InvalidParameterError, match=r"'dog'.*got 'cat'"):
        one[..., "dog"].heatmap("cat")
    for wrong in ("horse", 3, -4, 1.5, True):
        with pytest.raises(InvalidParameterError, match=rf"'cat', 'dog', .*: got {wrong!r}\.$"):
            one.heatmap(wrong)
    for several in (["cat"], [0, 1], slice(0, 1), np.array([0, 1])):
        with pytest.raises(InvalidParameterError, match="output must be one that was explained"):
            one.heatmap(several)
    with pytest.raises(InvalidParameterError, match=r"explanation\[i\].heatmap"):
        build(regions=(grid,) * N, data=np.zeros((N, 10))).heatmap()
    with pytest.raises(InvalidParameterError, match="features are columns"):
        build()[0].heatmap("cat")


def test_a_batch_of_one_image_has_a_map():
    """`explain([photo])` gives a map just as `explain(photo)` does."""
    batch = photos()
    np.testing.assert_array_equal(batch[[1]].heatmap(), batch[1].heatmap())
    with pytest.raises(InvalidParameterError, match="one instance, not 2"):
        batch.heatmap()


def test_one_output_takes_the_only_one():
    """An axis of one output needs no choice."""
    assert one_output(build()[..., :1], None).axes == ("instance", "feature")


@pytest.mark.parametrize(("freedom", "half"), [(np.inf, 1.959963985), (7.0, 2.364624252)])
def test_interval_is_t_times_the_standard_error(freedom, half):
    """97.5% quantiles of the normal and of t with 7 degrees of freedom (tables)."""
    explanation = build(degrees_of_freedom=freedom)
    lower, upper = explanation.interval(0.95)
    np.testing.assert_allclose(upper - explanation.values, half * explanation.standard_errors)
    np.testing.assert_allclose(lower + upper, 2 * explanation.values)
    with pytest.raises(InvalidParameterError, match="got 95"):
        explanation.interval(95)


@pytest.mark.parametrize(
    "changes",
    [
        {"standard_errors": np.zeros((N, D))},
        {"base_values": np.zeros(N)},
        {"residual": np.zeros((N, D))},
        {"feature_names": FEATURES[1:]},
        {"output_names": OUTPUTS[1:]},
        {"output_names": np.full((N + 1, K), "x", dtype=object)},
        {"axes": ("feature", "instance", "output")},
        {"axes": ("instance", "feature")},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_parts_of_different_lengths_are_refused(changes):
    """What is sliced together has the same lengths."""
    with pytest.raises(InvalidParameterError, match=r"must (have shape|be some of)"):
        build(**changes)


def test_repr_of_one_instance_shows_each_score():
    """Largest first, with its datum and its error; the base value and the prediction above."""
    values, errors = np.array([0.25, -1.5]), np.array([0.01, np.nan])
    one = build(outputs=False)[0, :2]
    one = dataclasses.replace(one, values=values, standard_errors=errors, data=[None, 3.14159])
    rows = repr(one).splitlines()
    assert rows[0] == "KernelShap: 1 instance, 2 features, output 'cat'"
    assert rows[-2].split() == ["b", "3.142", "-1.500", "±", "?"]
    assert rows[-1].split() == ["a", "missing", "+0.250", "±", "0.010"]


def test_repr_of_several_instances_shows_mean_sizes():
    """The importance, without a sign."""
    explanation = build(outputs=False)
    means = explanation.importance().values
    rows = repr(explanation).splitlines()[-D:]
    assert [row.split()[0] for row in rows] == [FEATURES[i] for i in np.argsort(-means)]
    np.testing.assert_allclose([float(r.split()[1]) for r in rows], np.sort(means)[::-1], atol=1e-3)


@pytest.mark.parametrize(
    "key",
    [0, (0, 0), (0, 0, 0), (..., 0), (slice(0, 1),), (slice(None), "a"), (0, slice(0, 0))],
    ids=str,
)
def test_every_slice_has_its_views(key):
    """Every slice says what it is, as text and as HTML, names escaped."""
    part = build(notes=("cut to 100 rows",))[key]
    assert repr(part).startswith("KernelShap: ")
    assert "note: cut to 100 rows" in repr(part)
    assert part._repr_html_().count("<table") == 1
    assert "<b>owl" not in part._repr_html_()


def test_long_results_are_cut():
    """Ten features and three outputs are shown, and what is left out is said."""
    explanation = build(
        **{n: np.ones((N, 12, 5)) for n in ("values", "standard_errors")},
        **{n: np.ones((N, 5)) for n in ("base_values", "predictions", "residual", "fidelity")},
        data=np.zeros((N, 12)),
        feature_names=tuple(f"feature {i} " + 80 * "x" for i in range(12)),
        output_names=tuple("abcde"),
    )
    assert "... and 2 more features" in repr(explanation)
    assert "... and 2 more outputs" in repr(explanation)
    assert max(map(len, repr(explanation).splitlines())) <= 100
    assert explanation._repr_html_().count("<tr>") == 11
    assert "± " in repr(photos())


def test_saved_and_loaded(tmp_path):
    """A batch of photos comes back from a file whole, and still slices."""
    photos().save(tmp_path / "photos.npz")
    back = load(tmp_path / "photos.npz")
    np.testing.assert_array_equal(back[0].heatmap(), photos()[0].heatmap())
    assert repr(back) == repr(photos())


def test_a_table_of_regions_says_where_they_lie_and_how_large_they_are():
    """Steps of a series; a ninth and a share of an image; slices too of a volume."""
    rows = repr(photos()[0]).splitlines()[-5:]
    assert rows[0].split("  ")[1:3] == ["feature", "place, size"]
    assert "lower right, 25%" in rows[1]
    assert "upper left, 25%" in rows[4]
    grid = WindowGrid(np.array([[0], [2], [4], [6], [8]]), (2,), (10,))
    series = build(outputs=False, regions=(grid,) * N, data=np.zeros((N, 10)))
    assert {f"steps {i}–{i + 1}" in repr(series[0]) for i in range(0, 10, 2)} == {True}
    volume = WindowGrid(np.array([[0, 0, 0], [3, 6, 6]]), (1, 3, 3), (4, 9, 9))
    values = np.array([[1.0, 2.0]])
    both = {name: np.array([0.5]) for name in ("base_values", "predictions")}
    one = build(
        outputs=False,
        values=values,
        standard_errors=values,
        data=np.zeros((1, 4, 9, 9)),
        regions=(volume,),
        feature_names=("a", "b"),
        residual=None,
        fidelity=None,
        **both,
    )
    assert "slices 3, lower right, 2.8%" in repr(one[0])
    assert "place, size" in one[0]._repr_html_()
    assert repr(one).splitlines()[-2:] == repr(one[0]).splitlines()[-2:]


def test_photos_are_not_averaged_over_regions_that_they_do_not_share():
    """A row for each photo, with its largest score; windows of one grid are still averaged."""
    rows = [line.strip() for line in repr(photos()).splitlines()[-3:]]
    assert rows[0].startswith("image  largest score at (place, size)  score ± standard error")
    assert rows[1].startswith("0      lower right, 25%")
    assert rows[1].endswith("+4.000 ± 0.400")
    assert rows[2].startswith("1      right, 67%")
    assert rows[2].endswith("+6.000 ± 0.600")
    assert "mean" not in repr(photos())
    assert "largest score at" in photos()._repr_html_()
    grid = WindowGrid(np.array([[0], [2], [4], [6], [8]]), (2,), (10,))
    series = build(outputs=False, regions=(grid,) * N, data=np.zeros((N, 10)))
    assert "mean |score|" in repr(series)
    assert "steps 2–3" in repr(series)


def test_mean_sizes_have_no_sign_in_their_color():
    """In a notebook red speaks for the output, so mean sizes are neither red nor blue."""
    views = [e._repr_html_() for e in (build(), build()[0])]
    mean, signed = (set(re.findall("px-bar px-([a-z]+)", view)) for view in views)
    assert mean - {"none"} == {"size"}
    assert signed - {"none"} == {"up", "down"}


def test_slices_without_data() -> None:
    """Scores alone can be picked too."""
    bare = build(data=None)
    assert bare[0].data is None
    assert bare[0, "b", "dog"].values == build()[0, "b", "dog"].values


@pytest.mark.parametrize("kind", ["shares", "slopes"])
@pytest.mark.parametrize("ending", ["npz", "json"])
def test_the_kind_of_scores_stays(kind, ending, tmp_path):
    """Through slices and files; scores are shares where nothing else is said."""
    explanation = build(score_kind=kind)
    assert explanation[1:, :, "dog"].score_kind == explanation[0].score_kind == kind
    explanation.save(tmp_path / f"e.{ending}")
    assert load(tmp_path / f"e.{ending}").score_kind == kind
    assert build().score_kind == "shares"


@pytest.mark.parametrize(
    ("shape", "masker", "said"),
    [
        ((20, 40, 3), px.Windows(shape=10), "1 image of 20 × 40 pixels and 3 channels"),
        ((20, 40), px.Windows(shape=10), "1 image of 20 × 40 pixels"),
        ((40,), px.Windows(shape=(10,)), "1 series of 40 steps"),
        ((8, 8, 8), px.Windows(shape=(4, 4, 4)), "1 volume of 8 × 8 × 8 voxels"),
    ],
)
def test_the_head_says_how_an_array_was_read(shape: Any, masker: Any, said: str) -> None:
    """A batch of 20 series of 40 steps and 3 channels looks like an image, so the result tells."""
    explainer = px.Occlusion(lambda X: X.reshape(len(X), -1).mean(axis=1), masker=masker)
    head = repr(explainer.explain(np.random.default_rng(0).random(shape))).splitlines()[0]
    assert f"Occlusion: {said}, " in head
