import io
import sys

import numpy as np
import perturbx as px
import pytest


def test_words_of_a_text(folder, perturbx):
    """The scores of the words are exact for a model that counts them."""
    status, text, _ = perturbx(
        *("text", "good food, bad waiter", "--predict", "clerk:good", "--out", "a.npz")
    )
    assert status == 0
    assert text.startswith("text 1\nKernelShap: 1 text, 4 features")
    np.testing.assert_allclose(px.load("a.npz").values[0], [1.0, 0.0, -2.0, 0.0], atol=1e-9)


def test_texts_of_files_and_of_standard_input(folder, perturbx, monkeypatch):
    """A file is one text or one per line, and keeps its name."""
    pd = pytest.importorskip("pandas")
    (folder / "letter.txt").write_text("good\nfood\n", encoding="utf-8-sig")
    (folder / "lines.txt").write_text("bad food\n\ngood food\n")
    monkeypatch.setattr(sys, "stdin", io.StringIO("so good"))
    status, _, _ = perturbx(
        *("text", "-", "--file", "letter.txt", "--lines", "lines.txt"),
        *("--predict", "clerk:good", "--out", "a.jsonl"),
    )
    assert status == 0
    found = pd.read_json("a.jsonl", lines=True)
    assert found["row"].tolist() == ["stdin", "letter.txt", "lines.txt:1", "lines.txt:3"]
    assert found["prediction"].tolist() == [1, 1, -2, 1]
    first = found["features"][2][0]
    assert (first["value"], first["start"], first["stop"], first["score"]) == ("bad", 0, 3, -2)


def test_sentences_and_fills(folder, perturbx):
    """--pieces and --fill reach the masker."""
    _, text, _ = perturbx(
        *("text", "So good. So bad.", "--pieces", "sentences", "--fill", "..."),
        *("--predict", "clerk:good", "--method", "occlusion"),
    )
    assert "Occlusion: 1 text, 2 features" in text
    assert "absent sentences replaced" in text


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ((), 2, 'pass a text, as in perturbx text "Good food", or --file'),
        ((" ",), 2, "text 1 has no words"),
        (("--file", "latin.txt"), 2, "latin.txt is not UTF-8 (byte 7): save it as UTF-8"),
        (("--file", "no.txt"), 2, "no such file: 'no.txt'"),
        (("good", "--output", "joy"), 2, "No output is named 'joy'"),
        (("good", "--method", "smooth-grad"), 2, "texts have no gradient"),
        (("good", "--predict", "clerk:fails"), 1, "predict_fn raised OSError"),
    ],
)
def test_texts_that_cannot_be_explained(folder, perturbx, arguments, status, said):
    """Refused with the name of the text."""
    (folder / "latin.txt").write_bytes("good größe".encode("latin-1"))
    found, text, error = perturbx("text", "--predict", "clerk:good", *arguments)
    assert (found, text) == (status, "")
    assert said in error


def test_an_onnx_file_without_texts(folder, perturbx, onnx_file):
    """A network of numbers is refused, and the error says what it takes."""
    onnx_file("net.onnx", ["n", 2], np.eye(2))
    status, _, said = perturbx("text", "good", "--model", "net.onnx")
    assert status == 2
    assert "net.onnx takes no texts, but tensor(float) 'x' of shape ('n', 2)" in said
