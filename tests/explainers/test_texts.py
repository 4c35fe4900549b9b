"""Texts and lists through every method: truth by brute force, axioms, slices, files, metrics."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from itertools import combinations
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import perturbx as px
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from perturbx.errors import InvalidInputError, InvalidParameterError, SelectionError
from perturbx.maskers import Features
from perturbx.testing._shared import equal

SHAPLEY = [px.KernelShap, px.PermutationShap]
METHODS = [*SHAPLEY, px.Banzhaf, px.Lime, px.Occlusion, px.OwenShap, px.Rise]

REVIEW = "The food was not good. The waiter was good, but slow.\n\nNever again!"
SHORT = "Not good at all."


def model(texts: list[str]) -> np.ndarray:
    """Two outputs with interactions, of a bag of words and of the order of words."""
    bags = [set(text.lower().replace(".", "").replace(",", "").split()) for text in texts]
    first = [("good" in b) - 2.0 * ({"not", "good"} <= b) - 0.5 * ("slow" in b) for b in bags]
    second = [1.0 * ("not good" in text.lower()) + len(text) / 100 for text in texts]
    return np.stack([first, second], axis=1)


def versions(X: Any, masker: Any) -> Callable[[tuple[int, ...]], Any]:
    """The game of one instance: the model's input with some of the pieces."""
    (bound,) = masker.fit(None, Features(), np.random.default_rng(0)).check(X).bind(0, 1)

    def version(members: tuple[int, ...]) -> Any:
        z = np.zeros((1, bound.n_features), dtype=bool)
        z[0, list(members)] = True
        return bound.batch(z, slice(0, 1), None)

    return version


def game_of(predict: Any, X: Any, masker: Any, d: int) -> dict[tuple[int, ...], np.ndarray]:
    version = versions(X, masker)
    sets = [s for size in range(d + 1) for s in combinations(range(d), size)]
    return {s: np.asarray(predict(version(s)), dtype=float)[0] for s in sets}


def shapley(game: dict[tuple[int, ...], np.ndarray], d: int) -> np.ndarray:
    values = np.zeros((d, *game[()].shape))
    for members, value in game.items():
        for i in set(range(d)) - set(members):
            gain = game[tuple(sorted((*members, i)))] - value
            values[i] += gain / (d * comb(d - 1, len(members)))
    return values


# ---------------------------------------------------------------- truth


@pytest.mark.parametrize("method", SHAPLEY)
@pytest.mark.parametrize("pieces", ["words", "sentences", "paragraphs"])
def test_shapley_values_equal_brute_force(method: Any, pieces: str) -> None:
    """By the definition over all subsets of words, sentences or paragraphs."""
    text = SHORT if pieces == "words" else REVIEW
    masker = px.Tokens(pieces)
    found = method(model, masker=masker, random_state=0).explain(text)
    d = len(found.feature_names)
    truth = shapley(game_of(model, text, masker, d), d)
    assert np.allclose(found.values, truth, atol=1e-9)
    assert np.allclose(found.base_values, model([""])[0])


def test_banzhaf_and_occlusion_equal_their_definitions() -> None:
    """The mean gain over all coalitions, and the fall without one word."""
    masker, d = px.Tokens(), 4
    game = game_of(model, SHORT, masker, d)
    whole = tuple(range(d))
    gains = [
        np.mean([game[tuple(sorted((*s, i)))] - game[s] for s in game if i not in s], axis=0)
        for i in whole
    ]
    falls = [game[whole] - game[tuple(j for j in whole if j != i)] for i in whole]
    assert np.allclose(px.Banzhaf(model).explain(SHORT).values, gains, atol=1e-9)
    assert np.allclose(px.Occlusion(model).explain(SHORT).values, falls, atol=1e-12)


def test_owen_values_follow_the_tree() -> None:
    """Two sentences share the whole by their Shapley values, and words share a sentence's."""
    text = "Not good. Slow."

    def bare(texts: list[str]) -> list[float]:
        return model(texts)[:, 0].tolist()

    found = px.OwenShap(bare).explain(text)
    v = {s: float(np.asarray(value)) for s, value in game_of(bare, text, px.Tokens(), 3).items()}
    sentence = ((v[0, 1] - v[()]) + (v[0, 1, 2] - v[(2,)])) / 2
    first = np.mean(
        [(v[(0,)] - v[()] + v[0, 1] - v[(1,)]), (v[0, 2] - v[(2,)] + v[0, 1, 2] - v[1, 2])]
    )
    assert found.values.sum() == pytest.approx(v[0, 1, 2] - v[()])
    assert found.values[:2].sum() == pytest.approx(sentence)
    assert found.values[0] == pytest.approx(first / 2)


def test_shapley_values_of_items_equal_brute_force() -> None:
    """The same for passages, of which one is always there."""
    passages = ["Paris is in France.", "Be brief.", "Lyon, too.", "Paris again."]

    def answers(batch: list[list[str]]) -> list[float]:
        return [("Paris" in " ".join(b)) + 0.1 * len(b) * ("Be brief." in b) for b in batch]

    masker = px.Segments(pinned=[1])
    found = px.KernelShap(answers, masker=masker).explain(passages)
    assert found.values == pytest.approx(shapley(game_of(answers, passages, masker, 3), 3))


@settings(max_examples=25, deadline=None)
@given(
    text=st.text(alphabet="ab .\n\u05d0你👩\u200d\0", min_size=1).filter(lambda t: bool(t.strip())),
    fill=st.sampled_from([None, "", "[MASK]"]),
)
def test_scores_add_up_whatever_the_text(text: str, fill: Any) -> None:
    """Efficiency: the shares of the pieces are f(x) minus f(nothing)."""
    explainer = px.KernelShap(
        lambda texts: [len(set(t)) + 0.1 * len(t) for t in texts],
        masker=px.Tokens(fill=fill),
        budget=500,
        random_state=0,
    )
    found = explainer.explain(text)
    assert found.residual is not None
    assert abs(float(found.residual)) < 1e-9
    assert found.data == text


# ---------------------------------------------------------------- determinism


@pytest.mark.parametrize("method", METHODS)
def test_a_seed_fixes_the_scores(method: Any) -> None:
    """Alone or among others, in batches of any size, in workers, and after pickling."""
    own = {"estimator": "regression"} if method is px.KernelShap else {}
    explainer = method(model, random_state=3, budget=100, **own)
    whole = explainer.explain([SHORT, REVIEW])
    alone = explainer.set_params(batch_size=7).explain(REVIEW)
    d = len(alone.feature_names)
    assert np.array_equal(whole[1].values, alone.values)
    assert np.array_equal(whole.values[1, :d], alone.values)
    assert np.isnan(whole.values[0, 4:]).all()
    again = pickle.loads(pickle.dumps(explainer)).set_params(n_jobs=2).explain([SHORT, REVIEW])
    assert np.array_equal(again.values, whole.values, equal_nan=True)


@pytest.mark.parametrize("container", ["pandas", "polars", "array"])
def test_the_model_gets_the_container_of_the_user(container: str) -> None:
    """A series stays one in every call, and the scores are those of a list."""
    texts = [SHORT, "good"]
    X: Any = np.array(texts, dtype=object)
    if container != "array":
        X = pytest.importorskip(container).Series(texts)
    kinds = set()

    def watched(batch: Any) -> np.ndarray:
        kinds.add(type(batch))
        return model(list(batch))

    found = px.KernelShap(watched).explain(X)
    assert kinds == {type(X)}
    assert np.array_equal(found.values, px.KernelShap(model).explain(texts).values, equal_nan=True)


def test_fit_needs_nothing_but_may_see_texts() -> None:
    """With or without fit, texts are explained by their words."""
    fitted = px.KernelShap(model).fit([SHORT, REVIEW])
    assert np.array_equal(fitted.explain(SHORT).values, px.KernelShap(model).explain(SHORT).values)


# ---------------------------------------------------------------- the result


@pytest.fixture(scope="module")
def several() -> px.Explanation:
    return px.PermutationShap(model, random_state=0).explain([SHORT, REVIEW, "slow"])


def test_a_slice_has_the_pieces_of_its_text(several: px.Explanation) -> None:
    """Names, places and text are those of the instance, in any order of slicing."""
    assert several.feature_names[:2] == ("word 0", "word 1")
    one = several[1]
    assert one.feature_names[:5] == ("The", "food", "was", "not", "good")
    assert one.feature_names[5:9] == ("The (2)", "waiter", "was (2)", "good (2)")
    assert one.data == REVIEW
    assert one.shape == (13, 2)
    assert several[[2, 0]][1].feature_names == ("Not", "good", "at", "all")
    assert several[1:][0, "slow"].values.tolist() == one["slow"].values.tolist()
    assert several[1, ["slow", "not"], 0].feature_names == ("slow", "not")
    picked = one[3:5, "output 0"]
    assert picked.regions is not None
    assert [
        REVIEW[a:b] for a, b in zip(picked.regions.starts, picked.regions.stops, strict=True)
    ] == [
        "not",
        "good.",
    ]
    assert picked.residual is None
    with pytest.raises(SelectionError, match="pick a text first"):
        several[:, 0]
    with pytest.raises(SelectionError, match="did you mean 'slow'"):
        several[1, "slo"]


def test_words_are_said_in_tables(several: px.Explanation) -> None:
    """The summary of several texts has one row for each, of one text a row for each word."""
    assert "largest score at (piece)" in repr(several)
    assert "1 text, 13 features" in repr(several[1])
    assert "characters" in repr(several[1])
    assert "absent words dropped" in several.value_function
    frame = several[..., 0].to_frame()
    assert len(frame) == 4 + 13 + 1
    assert frame["feature"].tolist()[:5] == ["Not", "good", "at", "all", "The"]
    assert frame["data"].tolist()[3] == "all."
    one = several[0, "all"].to_frame()
    assert one["feature"].tolist() == ["all", "all"]
    assert one["data"].tolist() == ["all.", "all."]


@pytest.mark.parametrize("ending", [".npz", ".json"])
@pytest.mark.parametrize("pick", [slice(None), 1, (1, slice(2)), (1, "slow")])
def test_files_keep_texts(several: px.Explanation, tmp_path: Path, ending: str, pick: Any) -> None:
    """What is saved comes back: pieces, names, texts."""
    saved = several[pick]
    saved.save(tmp_path / f"texts{ending}")
    loaded = px.load(tmp_path / f"texts{ending}")
    assert repr(loaded) == repr(saved)
    assert loaded._repr_html_() == saved._repr_html_()
    assert loaded.data == saved.data


@settings(max_examples=20, deadline=None)
@given(text=st.text(alphabet=st.characters(), min_size=1).filter(lambda t: bool(t.strip())))
def test_files_keep_any_text(tmp_path_factory: Any, text: str) -> None:
    """NUL, halves of surrogate pairs, anything."""
    path = tmp_path_factory.mktemp("texts") / "any.npz"
    saved = px.Occlusion(lambda texts: [float(len(t)) for t in texts]).explain([text, text + " x"])
    saved.save(path)
    assert px.load(path).data == (text, text + " x")
    saved[0].save(path)
    assert px.load(path).data == text


def test_files_keep_messages(tmp_path: Path) -> None:
    """Dicts, tuples and numbers in lists come back with their types."""
    chat = [{"role": "user", "content": "Hi"}, ("a", 1), 2.5, None]
    saved = px.Occlusion(lambda b: [len(x) * 1.0 for x in b], masker=px.Segments()).explain(chat)
    saved.save(tmp_path / "chat.json")
    assert px.load(tmp_path / "chat.json").data == chat
    assert "position" in repr(saved)
    assert "1 list, 4 features" in repr(saved)
    assert equal(saved.to_frame()["data"].tolist()[:2], chat[:2])


@pytest.mark.parametrize(
    ("changed", "to"),
    [("starts", [0, 99]), ("stops", [99, 99]), ("names", ("a", "a")), ("starts", [5, 9])],
)
def test_files_with_wrong_places_are_refused(tmp_path: Path, changed: str, to: Any) -> None:
    """Places lie in the text, none is empty, and names are distinct."""
    from dataclasses import replace

    one = px.Occlusion(lambda texts: [1.0 * len(t) for t in texts]).explain("ab cd")
    value = to if changed == "names" else np.array(to)
    wrong = replace(one, regions=replace(one.regions, **{changed: value}))
    wrong.save(tmp_path / "wrong.npz")
    with pytest.raises(InvalidParameterError, match="another file, or damaged"):
        px.load(tmp_path / "wrong.npz")


def test_a_heat_map_is_for_images(several: px.Explanation) -> None:
    """A text has none, and the error names the plot that it has."""
    with pytest.raises(InvalidParameterError, match=r"pieces: use plots.text"):
        several[0].heatmap(0)
    with pytest.raises(InvalidParameterError, match=r"plots.text"):
        px.plots.overlay(several[0], output=0, show=False)


def test_shap_gets_pieces_that_make_the_text(several: px.Explanation) -> None:
    """The data of a shap.Explanation joins to the text, as shap.plots.text prints it."""
    shap = pytest.importorskip("shap")
    one = several[1, :, 0].to_shap()
    assert "".join(one.data) == REVIEW
    assert np.array_equal(one.values, several[1].values[:, 0])
    html = shap.plots.text(one, display=False)
    assert "waiter" in html
    with pytest.raises(InvalidInputError, match=r"explanation\[i\].to_shap"):
        several[..., 0].to_shap()


# ---------------------------------------------------------------- metrics


def score(texts: list[str]) -> np.ndarray:
    return model(texts)[:, 0]


@pytest.mark.parametrize(
    "metric",
    [
        *(px.metrics.deletion, px.metrics.insertion, px.metrics.insertion_deletion),
        *(px.metrics.comprehensiveness, px.metrics.sufficiency, px.metrics.infidelity),
        *(px.metrics.sensitivity_n, px.metrics.faithfulness_correlation),
        px.metrics.completeness,
    ],
)
def test_metrics_of_explanations(metric: Any) -> None:
    """Texts of different lengths are judged by their own pieces, like each text alone."""
    texts = [REVIEW, SHORT]
    explanation = px.Occlusion(score).explain(texts)
    found = metric(score, texts, explanation, masker=px.Tokens())
    assert found.values.shape == (2,)
    alone = metric(score, REVIEW, explanation[0], masker=px.Tokens())
    assert found.values[0] == pytest.approx(float(alone.values), nan_ok=True)


def test_deletion_by_hand() -> None:
    """The area under f while the best word goes first."""
    explanation = px.Occlusion(lambda texts: [2.0 * ("b" in t) for t in texts]).explain("a b")
    found = px.metrics.deletion(
        lambda texts: [2.0 * ("b" in t) for t in texts], "a b", explanation, masker=px.Tokens()
    )
    assert float(found.values) == pytest.approx((2 + 0) / 2 * 0.5)


def test_metrics_refuse_what_does_not_fit() -> None:
    """Another masker than the explained one, none at all, or a move of words."""
    explanation = px.Occlusion(score).explain([REVIEW, SHORT])
    with pytest.raises(InvalidParameterError, match=r"masker=px.Tokens\(\)"):
        px.metrics.deletion(score, [REVIEW, SHORT], explanation)
    with pytest.raises(InvalidInputError, match="13 pieces have scores"):
        px.metrics.deletion(score, [REVIEW, SHORT], explanation, masker=px.Tokens("sentences"))
    with pytest.raises(InvalidInputError, match="cannot move a little"):
        px.metrics.max_sensitivity(px.KernelShap(score, random_state=0), [SHORT])


def test_metrics_of_explainers() -> None:
    """Stability, and similarity to a shuffled model."""
    explainer = px.PermutationShap(score, random_state=0, budget=60)
    assert px.metrics.stability(explainer, [REVIEW, SHORT], seeds=2).mean > 0.5
    assert px.metrics.randomization(explainer, [REVIEW, SHORT]).values.shape == (2,)


@pytest.mark.parametrize("X", [[REVIEW, SHORT], [["good", "a"], ["b", "not good"]]])
def test_compare(X: Any) -> None:
    """Explainers of texts, or of lists, side by side."""

    def predict(batch: list[Any]) -> np.ndarray:
        return score([x if isinstance(x, str) else " ".join(x) for x in batch])

    masker = None if isinstance(X[0], str) else px.Segments()
    table = px.metrics.compare(
        {
            "shapley": px.PermutationShap(predict, masker=masker, random_state=0),
            "occlusion": px.Occlusion(predict, masker=masker),
        },
        X,
    )
    assert table.names[:2] == ("shapley", "occlusion")
    assert np.isfinite(table.means[:, 0]).all()
