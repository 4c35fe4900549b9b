"""Texts, pictures and files: refused in one error that says what to type, and nothing is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import perturbx as px
import pytest
from perturbx.errors import InvalidInputError, NotFittedError

METHODS = [px.KernelShap, px.PermutationShap, px.Banzhaf, px.Lime, px.Occlusion, px.OwenShap]
TEXTS = ["good film", "bad film"]


def refused(call: Any, X: Any, counting_model: Any, **settings: Any) -> str:
    """The one error that fit and explain raise for X, without a question to the model."""
    model = counting_model(lambda batch: np.zeros(len(batch)))
    said = set()
    for ask in ("fit", "explain"):
        with pytest.raises(InvalidInputError) as refusal:
            getattr(call(model, **settings), ask)(X)
        said.add(str(refusal.value))
    assert model.n_rows == 0
    (one,) = said
    return one


ACCEPTED: dict[str, Any] = {
    "list": TEXTS,
    "tuple": tuple(TEXTS),
    "one": TEXTS[:1],
    "array": np.array(TEXTS),
    "objects": np.array(TEXTS, dtype=object),
    "numpy text": np.str_(TEXTS[0]),
    "text": TEXTS[0],
}

REFUSED: dict[str, tuple[Any, str]] = {
    "set": (set(TEXTS), "a list, flat array or series of texts; got set"),
    "missing": ([*TEXTS, None], "X[2] must be a text; got a missing value"),
    "missing object": (np.array([*TEXTS, np.nan], dtype=object), "X[2] must be a text"),
    "bytes": ([text.encode() for text in TEXTS], "decode it first, as in text.decode()"),
    "array of bytes": (np.array(TEXTS, dtype="S"), "decode it first, as in text.decode()"),
    "no axis": (np.array(TEXTS[0]), "an array of shape ()"),
    "words": ([text.split() for text in [*TEXTS, "film"]], "pass masker=px.Tokens()"),
}


@pytest.mark.parametrize("kind", ACCEPTED)
@pytest.mark.parametrize("method", METHODS)
def test_texts_are_explained_by_their_words(method: Any, kind: str) -> None:
    """However they are held; a single text has no axis of instances."""
    X = ACCEPTED[kind]
    found = method(lambda texts: np.array([len(t) for t in texts], float)).explain(X)
    assert found.shape == ((2,) if isinstance(X, str) else (len(X), 2))


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("method", METHODS)
def test_what_is_no_list_of_texts(method: Any, kind: str, counting_model: Any) -> None:
    X, says = REFUSED[kind]
    assert says in refused(method, X, counting_model)


@pytest.mark.parametrize("dtype", [object, "string", "category"])
def test_series_of_texts(dtype: Any, counting_model: Any) -> None:
    """A column of a frame, by whatever type; a missing cell is named."""
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")

    def model(texts: Any) -> Any:
        return np.array([len(text) for text in texts], dtype=float)

    for X in (pd.Series(TEXTS, dtype=dtype), pl.Series(TEXTS)):
        assert px.KernelShap(model).explain(X).shape == (2, 2)
    missing = pd.Series([*TEXTS, None], dtype=dtype)
    assert "X[2] must be a text" in refused(px.KernelShap, missing, counting_model)
    said = refused(px.KernelShap, pd.Index(TEXTS), counting_model)
    assert "flat array or series of texts; got Index" in said


def test_background_rows_that_are_texts(counting_model: Any) -> None:
    """A background of texts would be one row of columns too."""
    masker = px.Background(TEXTS)
    model = counting_model(len)
    with pytest.raises(InvalidInputError, match=r"rows is a flat list of strings.*px\.Tokens"):
        px.KernelShap(model, masker=masker).explain(TEXTS)
    assert model.n_rows == 0


@pytest.mark.parametrize("kind", [dict, "tokens"])
def test_a_dict_is_no_table(kind: Any, counting_model: Any) -> None:
    """Columns by name are asked for as a frame."""
    X = {"text": TEXTS} if kind is dict else {"input_ids": [[1, 2]], "mask": [[1, 1]]}
    assert "pass pd.DataFrame(X)" in refused(px.KernelShap, X, counting_model)


def test_what_is_said_of_texts_works() -> None:
    """Word by word as the error types it: the scores are the words' own."""
    text = "good film not bad"
    words = np.array([text.split()], dtype=object)
    weights = {"good": 1.0, "bad": -2.0}

    def predict(batch: np.ndarray) -> np.ndarray:
        texts = [" ".join(filter(None, row)) for row in batch]
        return np.array([sum(weights.get(word, 0) for word in t.split()) for t in texts])

    for method in (px.KernelShap, px.PermutationShap, px.Occlusion, px.Banzhaf):
        masker = px.Baseline(np.full(words.shape, "", dtype=object))
        found = method(predict, masker=masker, random_state=0).explain(words)
        np.testing.assert_allclose(found.values, [[1, 0, 0, -2]], atol=1e-12)


def test_rows_of_texts_are_a_table() -> None:
    """Two dimensions are rows and columns, and one flat row of a fitted table stays a row."""
    X = np.array([["red", "up"], ["blue", "up"], ["red", "down"]], dtype=object)
    explainer = px.Occlusion(lambda rows: (rows[:, 0] == "red") * 1.0).fit(X)
    np.testing.assert_allclose(explainer.explain(X[0]).values, [1 / 3, 0])
    np.testing.assert_allclose(explainer.explain(["red", "up"]).values, [1 / 3, 0])


@pytest.mark.parametrize("mode", ["L", "RGB", "I;16", "I", "F"])
@pytest.mark.parametrize("method", [px.KernelShap, px.Lime, px.Occlusion, px.OwenShap, px.Rise])
def test_pictures_of_brightness(method: Any, mode: str, counting_model: Any) -> None:
    """Pillow's images are told how to become the array that they are."""
    image = pytest.importorskip("PIL.Image")
    said = refused(method, image.new(mode, (16, 15)), counting_model)
    assert "Pass image = np.asarray(X)." in said
    assert "moveaxis" not in said


@pytest.mark.parametrize("mode", ["1", "P", "LA", "RGBA", "CMYK", "YCbCr"])
@pytest.mark.parametrize("method", [px.KernelShap, px.Lime, px.Occlusion, px.OwenShap, px.Rise])
def test_pictures_of_ink_and_indices(method: Any, mode: str, counting_model: Any) -> None:
    """Whose numbers are no brightness, they are told to become colors first."""
    image = pytest.importorskip("PIL.Image")
    said = refused(method, image.new(mode, (16, 15)), counting_model)
    assert 'Pass image = np.asarray(X.convert("RGB")).' in said
    assert "moveaxis" not in said


@pytest.mark.parametrize("method", [px.KernelShap, px.OwenShap, px.Rise])
def test_lists_of_pictures(method: Any, counting_model: Any) -> None:
    """Of one mode they become what they are; of several all become RGB."""
    image = pytest.importorskip("PIL.Image")
    one = image.fromarray(np.zeros((16, 16, 3), np.uint8))
    other = one.resize((20, 18))
    assert "[np.asarray(x) for x in X]" in refused(method, [one, other], counting_model)
    mixed = [one.convert("L"), other.convert("P")]
    said = refused(method, mixed, counting_model)
    assert '[np.asarray(x.convert("RGB")) for x in X]' in said
    assert "image 1 must be" in refused(method, [np.asarray(one), one], counting_model)


@pytest.mark.parametrize(
    ("X", "cure"),
    [
        (Path("cat"), 'np.asarray(PIL.Image.open(X).convert("RGB"))'),
        ("photos/cat.JPG", 'np.asarray(PIL.Image.open(X).convert("RGB"))'),
        (["a.png", "b.webp"], '[np.asarray(PIL.Image.open(x).convert("RGB")) for x in X]'),
        ((Path("a"), Path("b")), '[np.asarray(PIL.Image.open(x).convert("RGB")) for x in X]'),
    ],
    ids=["path", "name", "names", "paths"],
)
@pytest.mark.parametrize("method", [px.KernelShap, px.OwenShap, px.Rise])
def test_paths(method: Any, X: Any, cure: str, counting_model: Any) -> None:
    """A file is not opened; what opens it is named."""
    assert cure in refused(method, X, counting_model)
    for masker in (px.Superpixels(), px.SuperpixelTrees(), px.Windows(), px.SmoothGrid()):
        assert cure in refused(px.KernelShap, X, counting_model, masker=masker)


def test_paths_of_tables(counting_model: Any) -> None:
    """Where a table is expected, what reads one is named."""
    model = counting_model(len)
    with pytest.raises(InvalidInputError, match=r"pd.read_csv\(X\)"):
        px.KernelShap(model, masker=px.Background()).fit(Path("rows.csv"))


@pytest.mark.parametrize("method", [px.KernelShap, px.Lime, px.Occlusion, px.OwenShap, px.Rise])
@pytest.mark.parametrize("several", [False, True])
def test_tensors_of_images(method: Any, several: bool, counting_model: Any) -> None:
    """One error: the array, its channels last, and the way back to tensors."""
    torch = pytest.importorskip("torch")
    shape = (2, 3, 16, 15) if several else (3, 16, 15)
    X = torch.rand(shape, requires_grad=True)
    said = refused(method, X, counting_model)
    name, axis = ("images", 1) if several else ("image", 0)
    assert f"Pass {name} = X.detach().cpu().numpy()." in said
    assert f"np.moveaxis({name}, {axis}, -1) and channel_axis=-1" in said
    assert "torch.from_numpy(batch)" in said
    last = torch.rand(16, 15, 3, dtype=torch.bfloat16)
    said = refused(method, last, counting_model)
    assert "image = X.detach().float().cpu().numpy()." in said
    assert "moveaxis" not in said
    said = refused(method, [X, X] if not several else list(X), counting_model)
    assert "images = [x.detach().cpu().numpy() for x in X]" in said
    assert "[np.moveaxis(image, 0, -1) for image in images]" in said


class Holder:
    """An array of another library, as NumPy sees it."""

    def __init__(self, array: Any) -> None:
        self.array = array

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.asarray(self.array, dtype)


class Shaped(Holder):
    """The same, with a shape that can be asked for."""

    @property
    def shape(self) -> Any:
        return self.array.shape


@pytest.mark.parametrize("kind", [Holder, Shaped])
def test_arrays_of_other_libraries(kind: Any, counting_model: Any) -> None:
    """They are asked for as NumPy arrays, their axes judged at once."""
    X = np.zeros((3, 16, 15))
    said = refused(px.KernelShap, kind(X), counting_model)
    assert "image = np.asarray(X)." in said
    assert "np.moveaxis(image, 0, -1)" in said
    said = refused(px.KernelShap, [kind(X[0])], counting_model)
    assert "images = [np.asarray(x) for x in X]" in said


@pytest.mark.parametrize("kind", ["arrays", "pictures", "paths", "tensors"])
def test_images_in_arrays_and_series(kind: str, counting_model: Any) -> None:
    """Images in an array of objects, or a column of a frame, are no row: a list is asked for."""
    image, torch = pytest.importorskip("PIL.Image"), pytest.importorskip("torch")
    pd = pytest.importorskip("pandas")
    arrays = [np.zeros((16, 15, 3)), np.zeros((18, 20, 3))]
    cells = {
        "arrays": arrays,
        "pictures": [image.new("RGB", (16, 15)), image.new("L", (20, 18))],
        "paths": ["a.png", "b.jpg"],
        "tensors": [torch.zeros(16, 15, 3), torch.zeros(18, 20, 3)],
    }[kind]
    objects = np.empty(2, dtype=object)
    for i, cell in enumerate(cells):
        objects[i] = cell
    for X in (objects, pd.Series(cells)):
        for masker in (None, px.Windows()):
            assert "list(X)" in refused(px.KernelShap, X, counting_model, masker=masker)


@pytest.mark.parametrize(
    ("X", "said"),
    [
        (Shaped(np.zeros((5, 3))), r"got Shaped\. Pass np\.asarray\(X\)"),
        (range(5), "got range"),
        (np.zeros(4, dtype=[("a", "f4")]), "which no column can have"),
    ],
)
def test_what_is_no_table_is_not_sent_to_fit(X: Any, said: str, counting_model: Any) -> None:
    """An unfitted method says what is wrong with X before it asks for a fit."""
    model = counting_model(len)
    with pytest.raises(InvalidInputError, match=said):
        px.KernelShap(model).explain(X)
    assert model.n_rows == 0


def test_a_lone_series_names_its_masker() -> None:
    """One axis is taken for a row, so who meant a series is told what to pass."""
    with pytest.raises(NotFittedError, match=r"one series pass masker=px.SeriesSegments\(\)"):
        px.Occlusion(lambda X: X.mean(axis=1)).explain(np.ones(30))


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((8, 9, 3), "Pass image = np.asarray(X)."),
        ((2, 8, 9, 3), "Pass images = np.asarray(X)."),
        ((3, 8, 9), "np.moveaxis(image, 0, -1)"),
    ],
)
def test_lists_of_lists_of_pixels(shape: Any, said: str, counting_model: Any) -> None:
    """Deeper than a table they are images, and asked for as one array, not as a list of lines."""
    assert said in refused(px.KernelShap, np.zeros(shape).tolist(), counting_model)


def test_lists_of_lists_of_several_sizes(counting_model: Any) -> None:
    """One array for each image."""
    X = [np.zeros((8, 9, 3)).tolist(), np.zeros((7, 9, 3)).tolist()]
    assert "images = [np.asarray(x) for x in X]" in refused(px.KernelShap, X, counting_model)


def test_a_series_in_a_list(counting_model: Any) -> None:
    """Numbers in a list are one series where windows are for series."""
    model = counting_model(len)
    with pytest.raises(InvalidInputError, match=r"Pass image = np\.asarray\(X\)\.$"):
        px.Occlusion(model, masker=px.Windows(shape=(3,))).explain([0.5, 1.0, 2.0, 3.0])
    assert model.n_rows == 0


def test_lists_of_rows_are_a_table() -> None:
    """Numbers in two dimensions stay rows and columns."""
    with pytest.raises(NotFittedError, match="call fit"):
        px.KernelShap(lambda X: X[:, 0]).explain([[1.0, 2.0], [3.0, 4.0]])
