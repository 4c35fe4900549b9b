"""What a file of an explainer holds, what it asks for again, and what is refused."""

from __future__ import annotations

import json
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import perturbx as px
import pytest
from perturbx.errors import InvalidParameterError, PredictFnError, UnknownParameterError
from perturbx.maskers import Features, FittedMasker, Instances, Masker
from perturbx.testing._shared import same

X = np.random.default_rng(0).normal(size=(60, 4))


def bumpy(X: Any) -> np.ndarray:
    whole = np.asarray(X.todense() if hasattr(X, "todense") else X, dtype=np.float64)
    return np.asarray(np.exp(whole[:, 0]) * whole[:, 2] + whole[:, 3])


def saved(explainer: Any, folder: Path, ending: str = ".npz") -> Path:
    path = folder / f"explainer{ending}"
    explainer.save(path)
    return path


def table(name: str) -> Any:
    """Rows in one container."""
    if name == "float32":
        return X.astype(np.float32)
    if name == "objects":
        return X.round(1).astype(object)
    if name in ("csr", "csc"):
        sparse = pytest.importorskip("scipy.sparse")
        kind = sparse.csr_array if name == "csr" else sparse.csc_matrix
        return kind(X * (X > 0))
    if name == "torch":
        return pytest.importorskip("torch").from_numpy(X)
    if name == "polars":
        return pytest.importorskip("polars").DataFrame(X, schema=["a", "b", "c", "d"])
    pd = pytest.importorskip("pandas")
    if name == "pandas":
        return pd.DataFrame(X, columns=["a", 2, ("x", "y"), pd.Timestamp("2024-01-01")])
    if name == "levels":
        return pd.DataFrame(X, columns=pd.MultiIndex.from_product([["a", "b"], [1, 2]]))
    return pd.DataFrame(X).astype("Float64").mask(X > 1.5, 0.5)


TABLES = ["float32", "objects", "csr", "csc", "torch", "pandas", "levels", "nullable", "polars"]


@pytest.mark.parametrize("ending", [".npz", ".json"])
@pytest.mark.parametrize("name", TABLES)
def test_every_container(name: str, ending: str, tmp_path: Path) -> None:
    """The model gets rows of the same container, types and names."""
    rows = table(name)
    heads: list[Any] = []

    def looks(batch: Any) -> np.ndarray:
        heads.append((type(batch), getattr(batch, "dtypes", getattr(batch, "dtype", None))))
        heads.append(getattr(batch, "columns", None))
        return bumpy(batch)

    explainer = px.KernelShap(looks, random_state=0).fit(rows)
    wanted = explainer.explain(rows[:2] if name != "csc" else rows.tocsr()[:2].tocsc())
    loaded = px.load_explainer(saved(explainer, tmp_path, ending), looks)
    start = len(heads)
    found = loaded.explain(rows[:2] if name != "csc" else rows.tocsr()[:2].tocsc())
    np.testing.assert_array_equal(found.values, wanted.values)
    assert str(heads[start:][-2:]) == str(heads[:start][-2:])
    assert same(loaded.masker_, explainer.masker_)


def test_columns_of_every_type(tmp_path: Path) -> None:
    """Categories in their order, text, missing markers, dates, nullable numbers, objects."""
    pd = pytest.importorskip("pandas")
    n = 30
    frame = pd.DataFrame(
        {
            "number": np.arange(n) / 7,
            "small": np.arange(n, dtype=np.int8),
            "kind": pd.Categorical(["b", "a", None] * 10, categories=["b", "a", "c"], ordered=True),
            "level": pd.Categorical([3, 1, 2] * 10),
            "text": ["x", None, "z"] * 10,
            "string": pd.array(["x", None, "z"] * 10, dtype="string"),
            "when": pd.date_range("2024-01-01", periods=n, tz="Europe/Berlin"),
            "span": pd.to_timedelta(np.arange(n), unit="h"),
            "maybe": pd.array([1, None, 3] * 10, dtype="Int64"),
            "flag": pd.array([True, None, False] * 10, dtype="boolean"),
            "any": pd.Series([1, "two", None] * 10, dtype=object),
        }
    )
    frame.attrs["source"] = {"year": 2024}

    def model(batch: Any) -> Any:
        assert batch.attrs == frame.attrs
        assert list(batch.dtypes) == list(frame.dtypes)
        assert batch["kind"].cat.categories.tolist() == ["b", "a", "c"]
        return batch["number"] * 1.0 + (batch["kind"] == "a") + batch["maybe"].isna()

    explainer = px.KernelShap(model, budget=900, random_state=0).fit(frame)
    path = saved(explainer, tmp_path)
    found = px.load_explainer(path, model).explain(frame[:3])
    assert same(found.values, explainer.explain(frame[:3]).values)


def test_columns_of_polars(tmp_path: Path) -> None:
    """Enums, categories, dates with zones, decimals, lists and missing cells."""
    pl = pytest.importorskip("polars")
    when = pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2024, 1, 20), "1d", eager=True)
    frame = pl.DataFrame(
        {
            "number": np.arange(20) / 7,
            "maybe": [1, None] * 10,
            "kind": pl.Series(["b", "a"] * 10, dtype=pl.Enum(["b", "a", "c"])),
            "level": pl.Series(["u", None] * 10, dtype=pl.Categorical),
            "when": when.dt.replace_time_zone("Europe/Berlin"),
            "price": pl.Series(["1.50", "2.25"] * 10).cast(pl.Decimal(10, 2)),
            "many": [[1, 2], [3]] * 10,
        }
    )

    def model(batch: Any) -> Any:
        assert batch.schema == frame.schema
        return batch["number"] + batch["maybe"].is_null() + (batch["kind"] == "a")

    explainer = px.KernelShap(model, random_state=0).fit(frame)
    found = px.load_explainer(saved(explainer, tmp_path), model).explain(frame[:3])
    assert same(found.values, explainer.explain(frame[:3]).values)


SETTINGS: dict[str, Any] = {
    "names from a frame": {"feature_names": "pandas"},
    "groups": {"groups": {"first": [0, 1], "rest": [2, 3]}},
    "outputs": {"outputs": np.array([0])},
    "a generator": {"random_state": np.random.default_rng(3)},
    "an old generator": {"random_state": np.random.RandomState(3)},
    "exceptions": {"retries": 2, "retry_on": (ConnectionError, TimeoutError)},
    "a masker with rows": {"masker": px.Background(X[:9], weights=np.arange(9.0))},
    "memory": {"max_memory": "2 GB", "tol": 0.2, "link": "identity"},
}


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS.keys())
def test_settings(settings: dict[str, Any], tmp_path: Path) -> None:
    """Each comes back with its type, and the bits are the same from there on."""
    if settings.get("feature_names") == "pandas":
        pd = pytest.importorskip("pandas")
        settings = {"feature_names": pd.Index(["a", "b", "c", "d"])}
    explainer = px.KernelShap(
        lambda X: np.stack([bumpy(X), X[:, 0]], axis=1), **{"random_state": 0, **settings}
    ).fit(X)
    loaded = px.load_explainer(saved(explainer, tmp_path), explainer.predict_fn)
    for name, value in settings.items():
        if not isinstance(value, np.random.RandomState):
            assert same(getattr(loaded, name), value)
    for rows in (X[:2], X[2:4]):
        assert same(loaded.explain(rows).values, explainer.explain(rows).values)


@pytest.mark.parametrize("ending", [".npz", ".json"])
def test_every_bit_of_missing_numbers(ending: str, tmp_path: Path) -> None:
    """A NaN has many bit patterns, and rows are masked by bits."""
    rows = X.copy()
    rows[:3, 0] = np.array([0xFFF8 << 48, 0x7FF8 << 48 | 7, 1 << 63], dtype=np.uint64).view("<f8")

    def model(X: np.ndarray) -> np.ndarray:
        return np.asarray(np.nan_to_num(X[:, 0]) + X[:, 1])

    explainer = px.KernelShap(model, random_state=0).fit(rows)
    loaded = px.load_explainer(saved(explainer, tmp_path, ending), model)
    assert loaded.masker_.rows.tobytes() == explainer.masker_.rows.tobytes()
    bits = [b"".join(row.tobytes() for row in e.teachers_) for e in (loaded, explainer)]
    assert bits[0] == bits[1]


def test_files_are_private_and_small(tmp_path: Path) -> None:
    """Rows of data, for their owner alone; what is held twice is written once."""
    rows = np.random.default_rng(0).normal(size=(500, 40))
    explainer = px.KernelShap(bumpy, masker=px.Background(rows, max_rows=500)).fit(rows)
    path = saved(explainer, tmp_path)
    assert path.stat().st_size < 2.5 * rows.nbytes
    if os.name != "nt":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


# Functions, and classes of one's own


def test_functions_are_asked_for_again(tmp_path: Path) -> None:
    """By the name of their setting; the error says which one is missing, and how to pass it."""

    def blanks(piece: str) -> str:
        return "_" * len(piece)

    masker = px.Tokens(pieces=re.compile(r"\w+"), fill=blanks)
    explainer = px.KernelShap(lambda texts: [len(set(t)) for t in texts], masker=masker)
    explainer.fit(["a good man", "is hard to find"])
    path = saved(explainer, tmp_path)
    with pytest.raises(InvalidParameterError, match=r"'blanks'.*predict_fn, fill=\.\.\.\)"):
        px.load_explainer(path, explainer.predict_fn)
    with pytest.raises(UnknownParameterError, match=r"'fil' .*'fill'"):
        px.load_explainer(path, explainer.predict_fn, fil=blanks)
    loaded = px.load_explainer(path, explainer.predict_fn, fill=blanks)
    assert loaded.masker.fill is loaded.masker_.masker.fill is blanks
    assert same(loaded.explain("a bad man").values, explainer.explain("a bad man").values)


def test_a_loss_and_exceptions_of_yours(tmp_path: Path) -> None:
    """Settings of the explainer itself."""

    class BusyError(Exception):
        pass

    def loss(y: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        return np.abs(outputs[:, 0] - y)

    explainer = px.Sage(bumpy, loss=loss, retry_on=(BusyError, TimeoutError), random_state=0).fit(X)
    path = saved(explainer, tmp_path)
    with pytest.raises(InvalidParameterError, match=r"retry_on=\.\.\., loss=\.\.\."):
        px.load_explainer(path, bumpy)
    loaded = px.load_explainer(path, bumpy, loss=loss, retry_on=BusyError)
    assert loaded.retry_on is BusyError
    assert same(loaded.explain(X, bumpy(X)).values, explainer.explain(X, bumpy(X)).values)


def test_two_functions_of_one_name_are_refused(tmp_path: Path) -> None:
    """They could not be told apart when they are passed again."""

    first, other = px.Tokens(fill=str.upper), px.Tokens(fill=str.lower)
    explainer = px.KernelShap(len, groups={"a": first, "b": other})  # type: ignore[dict-item]
    with pytest.raises(InvalidParameterError, match="two different objects"):
        explainer.save(tmp_path / "x.npz")
    assert not list(tmp_path.iterdir())


@dataclass(frozen=True, eq=False)
class FittedZeros(FittedMasker):
    inner: FittedMasker
    value_function = "absent features at zero"

    def check(self, X: Any) -> Instances:
        return self.inner.check(X)


@dataclass(frozen=True)
class Zeros(Masker):
    """A masker of a user."""

    of: float = 0.0

    def fit(self, X: Any, features: Features, rng: np.random.Generator) -> FittedMasker:
        return FittedZeros(px.Baseline(np.full(4, self.of)).fit(X, features, rng))


def test_parts_of_yours_are_named_at_load(tmp_path: Path) -> None:
    """A file imports nothing: its classes are those of perturbx, and those that you pass."""
    explainer = px.KernelShap(bumpy, masker=Zeros(0.5), random_state=0).fit(X)
    path = saved(explainer, tmp_path)
    with pytest.raises(InvalidParameterError, match=r"of yours.*parts=\[MyMasker\]"):
        px.load_explainer(path, bumpy)
    loaded = px.load_explainer(path, bumpy, parts=[Zeros, FittedZeros])
    assert loaded.masker == Zeros(0.5)
    assert same(loaded.explain(X[0]).values, explainer.explain(X[0]).values)
    with pytest.raises(InvalidParameterError, match="frozen dataclasses"):
        px.load_explainer(path, bumpy, parts=[dict])


# The model


def test_the_model_is_checked(tmp_path: Path, counting_model: Any) -> None:
    """Two rows that fit asked about are asked again, in one call."""
    path = saved(px.KernelShap(bumpy, random_state=0).fit(X), tmp_path)
    model = counting_model(bumpy)
    px.load_explainer(path, model)
    assert (len(model.calls), model.n_rows) == (1, 2)
    with pytest.raises(PredictFnError, match=r"another model.*fit the explainer again"):
        px.load_explainer(path, lambda X: 1.01 * bumpy(X))
    with pytest.raises(PredictFnError, match="shape"):
        px.load_explainer(path, lambda X: X)
    with pytest.raises(InvalidParameterError, match="predict_fn"):
        px.load_explainer(path, 3)


def test_an_archive_knows_the_version(tmp_path: Path, counting_model: Any) -> None:
    """The path of an archive is not in the file; the name of the model is, and must agree."""
    archive = px.Archive(tmp_path / "answers.sqlite", model="v1")
    path = saved(px.KernelShap(bumpy, archive=archive, random_state=0).fit(X), tmp_path)
    assert b"answers.sqlite" not in path.read_bytes()
    assert px.load_explainer(path, bumpy).archive is None
    model = counting_model(bumpy)
    loaded = px.load_explainer(path, model, archive=archive, n_jobs=1)
    assert (loaded.archive, loaded.n_jobs, model.calls) == (archive, 1, [])
    with pytest.raises(PredictFnError, match="'v1'"):
        px.load_explainer(path, bumpy, archive=px.Archive(archive.path, model="v2"))


def test_a_noisy_model_is_not_compared(tmp_path: Path) -> None:
    """No two of its answers agree."""
    rng = np.random.default_rng(0)

    def noisy(X: np.ndarray) -> np.ndarray:
        return bumpy(X) + rng.normal(size=len(X))

    explainer = px.KernelShap(noisy, stochastic=True, random_state=0).fit(X)
    assert px.load_explainer(saved(explainer, tmp_path), noisy).predictor_.varies


# What is refused


def test_what_has_changed_since_fit_is_refused(tmp_path: Path) -> None:
    """As explain does: the file would say one thing and hold another."""
    explainer = px.KernelShap(bumpy, random_state=0).fit(X)
    explainer.masker = px.Baseline()
    with pytest.raises(InvalidParameterError, match="masker was set after fit"):
        explainer.save(tmp_path / "x.npz")
    assert not list(tmp_path.iterdir())


def test_rows_that_no_file_can_hold_are_refused(tmp_path: Path) -> None:
    """Before anything is written; the error says where they are."""
    rows = X.astype(object)
    rows[3, 1] = object()
    explainer = px.KernelShap(lambda X: X[:, 0], random_state=0).fit(rows)
    with pytest.raises(InvalidParameterError, match=r"KernelShap\.masker_.*cannot be saved"):
        explainer.save(tmp_path / "x.npz")
    assert not list(tmp_path.iterdir())


def test_the_two_kinds_of_files(tmp_path: Path) -> None:
    """Each reader names the other one."""
    explainer = px.Occlusion(bumpy).fit(X)
    for ending in (".npz", ".json"):
        path = saved(explainer, tmp_path, ending)
        with pytest.raises(InvalidParameterError, match=r"px\.load_explainer"):
            px.load(path)
        explainer.explain(X[0]).save(path)
        with pytest.raises(InvalidParameterError, match=r"px\.load\."):
            px.load_explainer(path, bumpy)
    with pytest.raises(InvalidParameterError, match=r"\.npz or \.json"):
        explainer.save(tmp_path / "x.pkl")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "another format"),
        ({"version": 2, "by": "9.9"}, r"saved by perturbx 9\.9"),
        ({"kind": "explainers.new.NewShap", "by": "9.9"}, "does not have.*'9.9'"),
        ({"by": "0.0.1", "settings": {"old": True}}, r"perturbx 0\.0\.1, whose settings differ"),
    ],
)
def test_other_versions_are_named(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    """The error says by which perturbx the file was written."""
    path = saved(px.Occlusion(bumpy).fit(X), tmp_path, ".json")
    content = json.loads(path.read_text())
    content["explainer"].update(change)
    path.write_text(json.dumps(content))
    with pytest.raises(InvalidParameterError, match=message):
        px.load_explainer(path, bumpy)


def test_cells_that_are_lists_are_the_same_by_content(tmp_path: Path) -> None:
    """The background of a file holds other lists than X, of which none changes the output."""
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": X[:6, 0], "tags": [["x", {"n": 1}]] * 6})

    def model(rows: Any) -> Any:
        return rows["a"] ** 2

    explainer = px.PermutationShap(model, random_state=0).fit(frame)
    loaded = px.load_explainer(saved(explainer, tmp_path), model)
    first, again = explainer.explain(frame), loaded.explain(frame)
    np.testing.assert_array_equal(again.values, first.values)
    assert again.n_rows == first.n_rows
    assert (first.values[:, 1] == 0).all()
