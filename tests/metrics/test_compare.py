"""One table of explainers and metrics."""

from __future__ import annotations

from functools import partial

import numpy as np
import perturbx as px
import pytest
from numpy.testing import assert_allclose
from perturbx import metrics
from perturbx.errors import InvalidParameterError


def model(X: np.ndarray) -> np.ndarray:
    return X @ [4.0, 3.0, 2.0, 1.0, 0.0] + X[:, 0] * X[:, 1]


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(40, 5))


@pytest.fixture(scope="module")
def table(rows: np.ndarray) -> metrics.Comparison:
    explainers = {
        "shap": px.KernelShap(model, random_state=0).fit(rows),
        "occlusion": px.Occlusion(model).fit(rows),
        "noise": lambda X: np.random.default_rng(1).normal(size=X.shape),
    }
    measured = [metrics.deletion, metrics.insertion, metrics.sensitivity_n, metrics.completeness]
    return metrics.compare(explainers, rows[:15], metrics=[*measured, metrics.stability])


def test_the_table_ranks_sensibly(table: metrics.Comparison) -> None:
    """Explainers that call the model beat noise, which scores like a random order."""
    assert table.names == ("shap", "occlusion", "noise", "(random)")
    assert table.metrics[:3] == ("deletion", "insertion", "sensitivity_n")
    for c, better in enumerate(table.better[:3]):
        sign = 1 if better == "higher" else -1
        assert (sign * table.means[:2, c] > sign * table.means[2:, c].max()).all()
    assert table.means[0, 3] < 1e-9 < table.means[1, 3]


def test_cells_are_means_of_the_measures(table: metrics.Comparison) -> None:
    """Cells are means of the measures, and differences are paired, with an interval."""
    first, other = (table.measures[name]["deletion"].values for name in ("shap", "noise"))
    assert_allclose(table.means[[0, 2], 0], [first.mean(), other.mean()])
    assert_allclose(table.differences[2, 0], (other - first).mean())
    assert table.lower[2, 0] < table.differences[2, 0] < table.upper[2, 0]
    standard_error = (other - first).std() / np.sqrt(15)
    assert_allclose(table.upper[2, 0] - table.lower[2, 0], 2 * 1.96 * standard_error, rtol=0.15)
    assert_allclose(table.differences[0], 0)


def test_references_are_rows(table: metrics.Comparison) -> None:
    """References are rows, as measured with the first explainer; others are NaN."""
    random = table.measures["shap"]["deletion"].references["random"]
    assert_allclose(table.means[3, 0], random.mean())
    assert np.isnan(table.means[3, 3])  # nothing random adds up
    assert table.means[3, 4] == 0  # nor has the same ranks twice


def test_rows_are_told(table: metrics.Comparison) -> None:
    """The table reports the model rows spent on explaining, if known, and on measuring."""
    assert table.explaining_rows[0] > table.explaining_rows[1] > 0
    assert np.isnan(table.explaining_rows[2])
    assert table.explaining_rows[3] == 0
    total = sum(m.n_rows for m in table.measures["shap"].values())
    assert table.measuring_rows[0] + table.measuring_rows[3] == total
    alone = [metrics.deletion, metrics.insertion, metrics.sensitivity_n, metrics.completeness]
    own = [table.measures["shap"][m.__name__].n_rows for m in alone]
    noise = [table.measures["noise"][m.__name__].n_rows for m in alone]
    assert sum(own) - table.measuring_rows[3] == sum(noise)


def test_slopes_are_told(rows: np.ndarray) -> None:
    """Notes name explainers whose slopes are read as shares, and no others."""
    lime, occlusion = px.Lime(model, random_state=0).fit(rows), px.Occlusion(model).fit(rows)
    explainers = {"lime": lime, "occlusion": occlusion}
    found = metrics.compare(explainers, rows[:3], metrics=[metrics.insertion])
    assert "  lime: the scores are slopes, read here as shares of the output" in repr(found)
    local = metrics.infidelity(model, rows[:3], lime.explain(rows[:3]), masker=lime.masker_)
    assert "slopes" not in repr(local)


def test_the_background_is_the_first_explainers(table: metrics.Comparison) -> None:
    """The background is all 40 rows that the first explainer was fitted on, not the 15 in X."""
    assert (
        table.value_functions["deletion"] == "absent features from 40 background rows, on average"
    )
    assert "stability" not in table.value_functions


def test_the_text_is_the_table(table: metrics.Comparison) -> None:
    """The text shows every name and mean, without pandas."""
    lines = repr(table).splitlines()
    assert "3 explainers on 15 instances" in lines[0]
    assert "difference to 'shap' [95% interval over instances]" in lines[0]
    assert [line.split()[0] for line in lines[2:6]] == list(table.names)
    assert "deletion ↓" in lines[1]
    assert "insertion ↑" in lines[1]
    assert f"{table.means[0, 0]:.2f}" in lines[2]
    assert " ? " in lines[4]
    assert "40 background rows" in lines[-1]


def test_frames(table: metrics.Comparison) -> None:
    """A frame has one row per explainer and metric, or per instance of one measure."""
    pytest.importorskip("pandas")
    frame = table.to_frame()
    assert len(frame) == 4 * 5
    cell = frame.query("explainer == 'noise' and metric == 'deletion'").iloc[0]
    assert_allclose(
        cell[["mean", "difference"]].astype(float), [table.means[2, 0], table.differences[2, 0]]
    )
    own = table.measures["noise"]["deletion"].to_frame()
    assert list(own.columns) == ["instance", "output", "deletion"]
    with_references = metrics.deletion(model, np.ones((2, 5)), np.eye(5)[:2]).to_frame()
    assert list(with_references.columns) == ["instance", "output", "deletion", "random"]


def test_settings_are_pinned_by_partials(rows: np.ndarray) -> None:
    """Partials pin settings under your own names, and `against` chooses the row to compare with."""
    explainers = {"a": px.Occlusion(model).fit(rows), "b": px.KernelShap(model).fit(rows)}
    half = partial(metrics.comprehensiveness, shares=[0.5])
    found = metrics.compare(
        explainers, rows[:4], metrics={"half": half}, against="b", references=False
    )
    assert found.names == ("a", "b")
    assert found.metrics == ("half",)
    masker = explainers["a"].masker_
    answer = explainers["a"].explain(rows[:4])
    alone = metrics.comprehensiveness(model, rows[:4], answer, masker=masker, shares=[0.5])
    assert_allclose(found.means[0, 0], alone.mean)
    assert found.differences[1, 0] == 0


@pytest.mark.parametrize("n", [1, 4])
def test_few_instances_have_no_interval(rows: np.ndarray, n: int) -> None:
    """With fewer than 5 instances, the difference is known and its interval is NaN."""
    explainers = {
        "a": px.Occlusion(model).fit(rows),
        "b": lambda X: np.broadcast_to(np.arange(5.0), X.shape),
    }
    found = metrics.compare(explainers, rows[:n] if n > 1 else rows[0], metrics=[metrics.deletion])
    assert np.isfinite(found.differences).all()
    assert np.isnan(found.lower).all()
    assert f"on {n} instance" in repr(found)


def test_maps_of_others() -> None:
    """Plain maps are compared with px explainers, for the largest output of each image."""
    images = np.random.default_rng(0).integers(0, 100, (3, 12, 12, 3), dtype=np.uint8)
    images[:2, 2:5, 1:4], images[2, 5:9, 7:11] = 255, 255

    def halves(batch: np.ndarray) -> np.ndarray:
        return batch.reshape(len(batch), 12, 2, -1).mean(axis=(1, 3)) / 255

    masker = px.Windows(shape=3, stride=3, fill=0)
    explainers = {
        "occlusion": px.Occlusion(halves, masker=masker, outputs="top1"),
        "plain": lambda X: np.random.default_rng(0).random(X.shape[:3]),
    }
    found = metrics.compare(
        explainers, images, metrics=[metrics.insertion_deletion], outputs="top1", fill=0
    )
    assert found.names == ("occlusion", "plain", "(random)", "(center blob)")
    assert found.means[0, 0] > found.means[1:, 0].max()


def three(X: np.ndarray) -> np.ndarray:
    """A model with three outputs."""
    return np.stack([model(X), X[:, 0], -X[:, 1]], axis=1)


@pytest.mark.parametrize(
    ("others", "settings", "says"),
    [
        ({}, {}, r"outputs must be given, as 'shap' explains 3 of them: .*'output 0', 'output 1'"),
        ({}, {"outputs": "output 7"}, "'output 7'"),
        ({}, {"outputs": 3}, "got 3"),
        ({}, {"outputs": "top4"}, "'top4'"),
        ({"flat": np.ones_like}, {"outputs": [0, 1]}, "the one output that the scores of 'flat'"),
        ({"new": px.KernelShap(three)}, {"outputs": 0}, "call fit"),
        ({"small": (px.Lime, {"budget": 3})}, {"outputs": 0}, "budget"),
        ({"one": (px.Occlusion, {"outputs": 9})}, {"outputs": 0}, "No output 9"),
        ({}, {"outputs": 0, "link": "log"}, "link must be"),
        ({}, {"outputs": 0, "against": "me"}, "against must be"),
    ],
)
def test_nothing_is_explained_where_something_will_be_refused(
    rows, counting_model, others, settings, says
) -> None:
    """Fitted explainers spend no row if any explainer or setting is refused."""
    counted = counting_model(three)
    explainers = {"shap": px.KernelShap(counted, random_state=0).fit(rows)}
    for name, other in others.items():
        fitted = isinstance(other, tuple)
        explainers[name] = other[0](counted, **other[1]).fit(rows) if fitted else other
    counted.calls.clear()
    with pytest.raises((px.errors.PerturbxError, ValueError), match=says):
        metrics.compare(explainers, rows[:9], **settings)
    assert counted.calls == []


def test_plain_scores_of_several_outputs_need_a_name(rows, counting_model) -> None:
    """Without px explainers, two model rows show that the model has several outputs."""
    counted = counting_model(three)
    with pytest.raises(InvalidParameterError, match="the model has 3 outputs: pass outputs="):
        metrics.compare({"flat": np.ones_like}, rows[:9], predict_fn=counted)
    assert counted.n_rows == 2


def test_a_list_of_one_output_is_that_output(rows) -> None:
    """``outputs=[1]`` is ``outputs=1``, by position and by name."""
    explainers = {"one": px.Occlusion(three).fit(rows), "flat": np.ones_like}
    settings = {"metrics": [metrics.deletion], "references": False}
    expected = metrics.compare(explainers, rows[:5], outputs=1, **settings)
    for outputs in ([1], ("output 1",), np.array([1])):
        found = metrics.compare(explainers, rows[:5], outputs=outputs, **settings)
        assert_allclose(found.means, expected.means)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"metrics": [partial(metrics.deletion, steps=0)]}, "steps must be"),
        ({"metrics": [metrics.deletion, partial(metrics.sufficiency, shares=[2.0])]}, "shares"),
        ({"metrics": {"odd": partial(metrics.sensitivity_n, sizes=[99])}}, "sizes must be"),
        ({"metrics": [partial(metrics.infidelity, nsamples=3)]}, "keywords that they take"),
        ({"fill": "blur"}, "a table takes masker="),
        ({"masker": px.GaussianNoise()}, "masker must remove features"),
        ({"masker": px.Background(np.ones((4, 3)))}, "5 columns"),
        ({"masker": px.Superpixels()}, "X"),
        ({"metrics": [metrics.compare]}, "functions such as"),
        ({"metrics": {1: metrics.deletion}}, "keys are strings"),
    ],
)
def test_settings_of_metrics_are_checked_before_anything_is_explained(
    rows, counting_model, settings, says
) -> None:
    """Settings of metrics are refused without calling the real model."""
    counted = counting_model(model)
    explainers = {"shap": px.KernelShap(counted, random_state=0).fit(rows)}
    counted.calls.clear()
    with pytest.raises(px.errors.PerturbxError, match=says):
        metrics.compare(explainers, rows[:9], **settings)
    assert counted.calls == []


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"few": lambda X: np.ones((2, 5))}, "of 2 instances, and X holds 9"),
        ({"narrow": lambda X: np.ones((len(X), 3))}, "3 features have scores"),
        ({"pairs": lambda X: px.Occlusion(model).fit(X).explain(X[:4])}, "of 4 instances"),
        ({"grouped": {"left": [0, 1], "right": [2, 3, 4]}}, "2 features have scores"),
        ({1: np.ones_like}, "keys are strings, as in '1'"),
    ],
)
def test_explainers_that_do_not_belong_together(rows, counting_model, other, says) -> None:
    """Answers that do not fit X are refused before the model is called, in any order."""
    counted = counting_model(model)
    explainers = {"shap": px.KernelShap(counted, random_state=0).fit(rows)}
    for name, found in other.items():
        grouped = isinstance(found, dict)
        explainers[name] = px.Occlusion(counted, groups=found).fit(rows) if grouped else found
    counted.calls.clear()
    with pytest.raises(px.errors.PerturbxError, match=says):
        metrics.compare(explainers, rows[:9])
    assert counted.calls == []


def test_a_metric_of_ones_own_that_measures_nothing(rows) -> None:
    """A function that does not return a `Measure` is refused."""
    with pytest.raises(InvalidParameterError, match="functions that return a Measure; got 1"):
        metrics.compare({"a": px.Occlusion(model).fit(rows)}, rows, metrics=[lambda *args: 1])


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 3), (1, 8, 8, 3), (3, 8, 8, 3)])
@pytest.mark.parametrize("plain", [False, True])
def test_one_image_or_several(shape: tuple[int, ...], plain: bool) -> None:
    """One image without an instance axis gives the same as a batch; models always get batches."""
    image = np.random.default_rng(0).random(shape[-3:] if len(shape) > 2 else shape)
    X = np.broadcast_to(image, shape)

    def corner(batch: np.ndarray) -> np.ndarray:
        assert batch.shape[1:] == image.shape
        return batch[:, :4, :4].reshape(len(batch), -1).mean(axis=1)

    masker = px.Windows(shape=2, stride=2, fill=0)
    weights = np.zeros((8, 8))
    weights[:4, :4] = 1
    n = shape[0] if len(shape) > 3 else None
    maps = weights if n is None else np.stack([weights] * n)
    explainers = {"plain": lambda X: maps} if plain else {"px": px.Occlusion(corner, masker=masker)}
    found = metrics.compare(
        explainers, X, predict_fn=corner, metrics=[metrics.deletion, metrics.insertion], fill=0
    )
    alone = metrics.deletion(
        corner, X, maps if plain else explainers["px"].explain(X), fill=0, random_state=0
    )
    assert_allclose(found.means[0, 0], alone.values.mean(), rtol=1e-6)
