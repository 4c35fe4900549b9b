"""What is written comes back; what was not written is refused."""

from __future__ import annotations

import datetime
import json
import math
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from perturbx.errors import InvalidParameterError
from perturbx.features import LabelMap, Regions, WindowGrid
from perturbx.result import Explanation, load, storage

ENDINGS = (".npz", ".json")


def same(a, b) -> bool:
    """Equal in type, shape, dtype and every value; NaN equals NaN."""
    if isinstance(a, np.ndarray):
        alike = isinstance(b, np.ndarray) and (a.shape, a.dtype) == (b.shape, b.dtype)
        return alike and all(map(same, a.ravel().tolist(), b.ravel().tolist()))
    if isinstance(a, Regions):
        return type(a) is type(b) and same(vars(a), vars(b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, tuple):
        return isinstance(b, tuple) and len(a) == len(b) and all(map(same, a, b))
    both_nan = isinstance(a, float) and isinstance(b, float) and math.isnan(a) and math.isnan(b)
    return type(a) is type(b) and (both_nan or a == b)


text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=5)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | text
dtypes = st.sampled_from(["<f8", "<f4", "<i8", "u1", "?"])
arrays = hnp.arrays(dtypes, hnp.array_shapes(min_side=0, max_dims=3, max_side=3))
shapes = st.tuples(st.integers(0, 3), st.integers(1, 3))
mixed = shapes.flatmap(lambda shape: hnp.arrays(object, shape, elements=scalars))
maps = hnp.arrays(np.intp, (2, 3), elements=st.integers(0, 5)).map(LabelMap)
windows = hnp.arrays(np.intp, (3, 2), elements=st.integers(0, 5)).map(
    lambda starts: WindowGrid(starts, (2, 2), (7, 7))
)
plain = scalars | arrays | mixed | maps | windows
mappings = st.dictionaries(text, plain | st.lists(plain, max_size=3).map(tuple), max_size=3)


@pytest.mark.parametrize("ending", ENDINGS)
@settings(max_examples=60, deadline=None)
@given(mapping=mappings)
def test_what_is_written_comes_back(ending, mapping):
    """Every type, shape, dtype and value, with NaN, infinities, None and text."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"x{ending}"
        storage.write(path, mapping)
        assert same(mapping, storage.read(path))


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_explanation_comes_back(tmp_path, ending):
    """Mixed data, infinite degrees of freedom, names for each instance."""
    cells = [["f", np.nan, None], [True, 3, datetime.date(2024, 2, 29)]]
    explanation = Explanation(
        values=np.array([[1.0, -np.inf, np.nan], [0.1, 0.2, 0.3]])[..., None],
        standard_errors=np.full((2, 3, 1), 1e-300),
        base_values=np.zeros((2, 1)),
        predictions=np.ones((2, 1)),
        data=np.array(cells, dtype=object),
        feature_names=("größe", "b", "c"),
        output_names=np.array([["x"], ["y"]], dtype=object),
        axes=("instance", "feature", "output"),
        method="Lime",
        value_function="noise",
        n_rows=10**12,
        n_calls=1,
        effective_samples=12.5,
        converged=False,
        notes=("one", "two"),
    )
    explanation.save(tmp_path / f"e{ending}")
    assert same(vars(explanation), vars(load(tmp_path / f"e{ending}")))


def test_nothing_is_pickled(tmp_path):
    """A file with a pickle inside is refused without running it."""
    np.savez(tmp_path / "x.npz", fields=np.array([object], dtype=object))
    with pytest.raises(InvalidParameterError, match="another file, or damaged"):
        load(tmp_path / "x.npz")


FOREIGN = {
    "empty": b"",
    "noise": bytes(range(256)),
    "a list": b"[1, 2]",
    "other json": b'{"a": 1}',
    "a version only": b'{"perturbx": 1}',
    "other fields": json.dumps({"perturbx": 1, "fields": {"dict": {"a": 1}}}).encode(),
    "bad tag": json.dumps({"perturbx": 1, "fields": {"dict": {"values": {"x": 1}}}}).encode(),
    "deep": b'{"perturbx": 1, "fields": ' + b"[" * 100_000,
}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN.keys())
def test_foreign_files_are_refused(tmp_path, content, ending):
    """The error names the file and what it should have been."""
    path = tmp_path / f"x{ending}"
    path.write_bytes(content)
    with pytest.raises(InvalidParameterError, match=r"Explanation\.save wrote: .*another file"):
        load(path)


@given(cut=st.integers(0, 400), flip=st.integers(0, 400))
@settings(max_examples=60, deadline=None)
def test_damaged_files_are_refused_or_whole(cut, flip):
    """A file cut short or with a changed byte gives the error, never another exception."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.npz"
        storage.write(path, {"values": np.arange(40.0), "text": "abc"})
        content = bytearray(path.read_bytes())
        content[flip % len(content)] ^= 0xFF
        path.write_bytes(content[: max(0, len(content) - cut)])
        with pytest.raises(InvalidParameterError, match="another file"):
            load(path)


def test_newer_files_and_other_endings(tmp_path):
    """A newer format says to update; an ending that is neither says which there are."""
    (tmp_path / "x.json").write_text('{"perturbx": 2, "fields": {}}')
    with pytest.raises(InvalidParameterError, match="newer perturbx"):
        load(tmp_path / "x.json")
    with pytest.raises(InvalidParameterError, match=r"end in .npz or .json"):
        load(tmp_path / "x.pkl")
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.json")
