import io
import random
import struct
import zlib

import numpy as np
import pytest
from perturbx.cli.photos import read_photo
from perturbx.errors import InvalidInputError
from PIL import EpsImagePlugin, Image
from skimage import data


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
