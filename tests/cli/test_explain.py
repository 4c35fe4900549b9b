import re

import numpy as np
import perturbx as px
import pytest
from perturbx.cli import running
from PIL import Image

pd = pytest.importorskip("pandas")

TABLE = ("explain", "--predict", "clerk:predict", "--data", "rows.csv", "--drop", "id")


def test_scores_are_those_of_python(folder, perturbx):
    """The file has the scores that the same explainer gives for the same rows and background."""
    rows = pd.read_csv("rows.csv").drop(columns="id")
    assert perturbx(*TABLE, "--rows", "2,5", "--out", "scores.npz")[0] == 0
    import clerk

    expected = px.KernelShap(clerk.predict, random_state=0).fit(rows).explain(rows.iloc[[2, 5]])
    found = px.load("scores.npz")
    np.testing.assert_array_equal(found.values, expected.values)
    np.testing.assert_allclose(found.values[:, 0], 2.0 * (rows["age"][[2, 5]] - rows["age"].mean()))


def test_what_is_printed(folder, perturbx):
    """The explanation alone goes to standard output; cost and notes to standard error."""
    status, text, said = perturbx(*TABLE, "--rows", "0")
    assert status == 0
    assert text.startswith("KernelShap: 1 instance, 2 features, output 'output'\n")
    cost = re.search(r"  cost: (.*)\n", text)[1]
    assert said == (
        f"note: absent features take values of the 12 rows of rows.csv.\ncost: {cost}\n"
    )
    assert perturbx(*TABLE, "--rows", "0", "--quiet")[2] == ""


def test_the_cost_comes_first(folder, perturbx):
    """A dry run asks the model about the first rows alone, and prints rows, calls and money."""
    status, text, _ = perturbx(
        *TABLE, "--background", "train.csv", "--dry-run", "--price-per-row", "0.5", "--out", "a.csv"
    )
    import clerk

    n_rows, n_calls, money = re.fullmatch(
        r"cost: (\d+) model rows in (\d+) calls: (\d+)\n", text
    ).groups()
    assert (status, int(money)) == (0, int(n_rows) // 2)
    checked = clerk.calls[:]
    assert sum(checked) <= 3
    assert not (folder / "a.csv").exists()
    clerk.calls.clear()
    assert perturbx(*TABLE, "--background", "train.csv")[0] == 0
    spent = clerk.calls[len(checked) :]
    assert (sum(spent), len(spent)) == (int(n_rows), int(n_calls))


def test_an_archive_pays_once(folder, perturbx):
    """The second run of a command asks the model nothing new."""
    command = (*TABLE, "--archive", "answers.sqlite", "--model-version", "1")
    first = perturbx(*command)
    import clerk

    clerk.calls.clear()
    assert perturbx(*command)[1] == first[1]
    assert clerk.calls == []


def test_parts_are_written_one_by_one(folder, perturbx, monkeypatch):
    """A run that stops goes on with the part that is missing, and joins all of them."""
    monkeypatch.setattr(running, "_ROWS_PER_PART", 5)
    command = (*TABLE, "--budget", "30", "--parts", "parts", "--quiet")
    assert perturbx(*command)[0] == 0
    paths = sorted((folder / "parts").glob("*.npz"))
    assert [len(px.load(path)) for path in paths] == [5, 5, 2]
    paths[1].unlink()
    import clerk

    clerk.calls.clear()
    assert perturbx(*command, "--out", "a.npz")[0] == 0
    assert 0 < sum(clerk.calls) < 5 * 40
    assert px.load("a.npz").shape == (12, 2)
    status, _, said = perturbx(*TABLE, "--parts", "rows.csv")
    assert (status, "--parts: a file, not a folder: 'rows.csv'" in said) == (2, True)


def test_calls_that_fail_are_made_again(folder, perturbx):
    """--retries reaches the model's calls."""
    (folder / "flaky.py").write_text(
        "import numpy as np\n"
        "calls = []\n"
        "def predict(X):\n"
        "    calls.append(len(X))\n"
        "    if len(calls) == 1:\n"
        "        raise OSError('busy')\n"
        "    return np.zeros(len(X))\n"
    )
    command = (*TABLE, "--predict", "flaky:predict", "--rows", "0")
    assert perturbx(*command, "--retries", "1")[0] == 0


@pytest.mark.parametrize(
    ("predict", "options", "explained"),
    [
        ("classes", (), "output 'output 1'"),
        ("classes", ("--classes", "names.txt"), "output 'yes'"),
        ("classes", ("--classes", "names.txt", "--output", "no"), "output 'no'"),
        ("classes", ("--output", "0"), "output 'output 0'"),
        ("classes", ("--output", "top1"), "1 output"),
        ("many", (), "1 output"),
        ("many", ("--output", "3", "--output", "5"), "2 outputs"),
    ],
)
def test_which_output_is_explained(folder, perturbx, predict, options, explained):
    """The second of two classes, the largest of many, or the ones that are named."""
    (folder / "names.txt").write_text("no\nyes\n")
    status, text, _ = perturbx(*TABLE, *options, "--predict", f"clerk:{predict}", "--rows", "0")
    assert status == 0
    assert explained in text.splitlines()[0]


def test_every_format_is_written(folder, perturbx):
    """One run writes several files; rows keep their positions in the data."""
    names = ["a.csv", "a.html", "a.json", "a.jsonl", "a.npz"]
    outs = [word for name in names for word in ("--out", name)]
    assert perturbx(*TABLE, "--rows", "4,2", *outs)[0] == 0
    assert pd.read_csv("a.csv")["instance"].tolist() == [4, 4, 2, 2]
    np.testing.assert_array_equal(px.load("a.json").values, px.load("a.npz").values)
    assert "age" in (folder / "a.html").read_text()
    lines = pd.read_json("a.jsonl", lines=True)
    assert lines["row"].tolist() == [4, 2]
    assert [f["value"] for f in lines["features"][0]] == [24, "m"]


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        (("--method", "kernelshap"), 2, "no method 'kernelshap': did you mean 'kernel-shap'"),
        (("--budget", "none"), 2, "--budget: must be a whole number of at least 1: got 'none'"),
        (("--budget", "3"), 2, "budget=3 is too small: KernelShap needs at least"),
        (("--rows", "50:60"), 2, "--rows 50:60 picks no row: rows.csv has 12 rows, 0 to 11"),
        (("--output", "outptu"), 2, "No output is named 'outptu': did you mean 'output'?"),
        (("--classes", "no.txt"), 2, "--classes: there is no file 'no.txt'"),
        (("--data", "no.csv"), 2, "--data: no such file: 'no.csv'"),
        (("--background", "other.csv"), 2, "rows.csv has columns that other.csv lacks: 'sex'"),
        (("--out", "a.txt"), 2, "--out: must end in .html, .csv"),
        (("--out", "no/a.csv"), 2, "--out: there is no folder 'no': make it first"),
        (("--out", "."), 2, "--out: must end in"),
        (("--archive", "no/a.sqlite"), 2, "--archive: there is no folder 'no'"),
        (("--model-version", "1"), 2, "--model-version needs --archive"),
        (("--max-memory", "much"), 2, "max_memory must be"),
        (("--n-jobs", "0"), 2, "n_jobs must be"),
        (("--drop", "incme"), 2, "--drop: rows.csv has no column 'incme'"),
        (("--method", "integrated-gradients"), 2, "Column 'sex' holds no plain numbers"),
        (("--size", "224"), 2, "--size is for photos"),
        (("--predict", "clerk:fails"), 1, "predict_fn raised OSError for the first rows"),
        (("--predict", "clerk:wrong"), 1, "must return one answer for each row"),
        (("photo.jpg",), 2, "pass --data or photos, not both"),
    ],
)
def test_what_is_wrong_is_said_at_once(folder, perturbx, options, status, said):
    """One line, the right status, and no file is left behind."""
    (folder / "other.csv").write_text("age,id\n1,2\n3,4\n")
    before = {path.name for path in folder.iterdir()} | {"__pycache__"}
    found, text, error = perturbx(*TABLE, *options)
    assert (found, text) == (status, "")
    assert said in error
    assert "Traceback" not in error
    assert {path.name for path in folder.iterdir()} <= before


def test_a_file_that_cannot_be_written(folder, perturbx, monkeypatch):
    """A write-protected file or folder is refused before the model is asked, and left alone."""
    import perturbx.cli.outputs as outputs

    (folder / "a.csv").write_text("mine")

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(outputs.os, "open", refuse)
    status, _, said = perturbx(*TABLE, "--out", "a.csv")
    assert status == 2
    assert "cannot write 'a.csv': Permission denied" in said
    assert (folder / "a.csv").read_text() == "mine"


def test_what_was_paid_for_is_not_lost(folder, perturbx, monkeypatch):
    """A disk that is full by then: status 1, and the explanation in another file."""

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pd.DataFrame, "to_csv", full)
    status, _, said = perturbx(*TABLE, "--rows", "0", "--out", "a.csv")
    assert status == 1
    assert "cannot write a.csv: [Errno 28] No space left on device; the explanation is in" in said
    assert px.load("a.rescued.npz").shape == (1, 2)


def test_many_rows_are_not_explained_by_accident(folder, perturbx):
    """Beyond 1,000 rows the user says which; a single row needs a background."""
    (folder / "long.csv").write_text("age,sex,id\n" + "1,m,1\n" * 1001)
    status, _, said = perturbx(*TABLE, "--data", "long.csv")
    assert (status, "1,001 rows: pick some, as in --rows 0:20" in said) == (2, True)
    (folder / "one.csv").write_text("age,sex,id\n1,m,1\n")
    status, _, said = perturbx(*TABLE, "--data", "one.csv")
    assert (status, "a single row, which cannot be its own background" in said) == (2, True)


def test_columns_in_another_order(folder, perturbx):
    """They are put into the order of the background, and a note says so."""
    (folder / "turned.csv").write_text("id,sex,age\n1,m,20\n2,f,30\n")
    command = (*TABLE, "--background", "train.csv", "--data")
    _, _, said = perturbx(*command, "turned.csv", "--out", "a.csv")
    assert "note: the columns are in the order of train.csv." in said
    assert pd.read_csv("a.csv")["feature"].tolist() == ["age", "sex"] * 2


# ONNX files and tables


def test_an_onnx_file_takes_its_columns(folder, perturbx, onnx_file):
    """One array of floats: as many columns as it takes, in their order."""
    onnx_file("net.onnx", ["n", 2], [[2.0], [-1.0]])
    command = ("explain", "--model", "net.onnx", "--data", "rows.csv")
    status, _, said = perturbx(*command)
    assert status == 2
    assert (
        "net.onnx takes 2 columns; rows.csv has 3: age, sex, id. Leave some out by --drop" in said
    )
    status, _, said = perturbx(*command, "--drop", "id")
    assert (status, "column 'sex' has 'm', and the model takes numbers there" in said) == (2, True)
    status, _, _ = perturbx(*command, "--columns", "age,id", "--rows", "0", "--out", "a.csv")
    assert status == 0
    np.testing.assert_allclose(pd.read_csv("a.csv")["score"], [2 * -5.5, 5.5], rtol=1e-5)


def test_an_onnx_file_of_another_kind(folder, perturbx, onnx_file):
    """A network of photos takes no table, and pickles are never opened."""
    onnx_file("photo.onnx", ["n", 3, 8, 8], np.eye(3), mean_over=[2, 3])
    status, _, said = perturbx("explain", "--model", "photo.onnx", "--data", "rows.csv")
    assert status == 2
    assert "photo.onnx takes no table, but tensor(float) 'x' of shape ('n', 3, 8, 8)" in said
    (folder / "bad.onnx").write_bytes(b"no network")
    status, _, said = perturbx("explain", "--model", "bad.onnx", "--data", "rows.csv")
    assert (status, "onnxruntime cannot open 'bad.onnx'" in said) == (2, True)


@pytest.mark.parametrize("zipmap", [True, False])
def test_a_pipeline_of_scikit_learn(folder, perturbx, zipmap):
    """Columns are found by name, others are left out, and the output is the second class."""
    skl2onnx = pytest.importorskip("skl2onnx")
    from sklearn.compose import make_column_transformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    rows = pd.read_csv("train.csv").rename(columns={"age": "age-in-years"})
    rows.to_csv("named.csv", index=False)
    X, y = rows.drop(columns="id"), np.where(rows["id"] % 3, "rich", "poor")
    parts = (StandardScaler(), ["age-in-years"]), (OneHotEncoder(), ["sex"])
    model = make_pipeline(make_column_transformer(*parts), LogisticRegression()).fit(X, y)
    options = {"options": {"zipmap": zipmap}, "target_opset": {"": 17, "ai.onnx.ml": 3}}
    converted = skl2onnx.to_onnx(model, X[:1], **options)
    (folder / "model.onnx").write_bytes(converted.SerializeToString())
    status, text, said = perturbx(
        *("explain", "--model", "model.onnx", "--data", "named.csv", "--out", "a.npz")
    )
    assert (status, "output 'rich'" in text) == (0, True)
    assert "note: named.csv: model.onnx does not take id.\n" in said
    found = px.load("a.npz")
    np.testing.assert_allclose(found.predictions, model.predict_proba(X)[:, 1], atol=1e-5)
    expected = px.KernelShap(model, outputs=1).fit(X).explain(X)
    np.testing.assert_allclose(found.values, expected.values, atol=1e-5)
    X.to_csv("nameless.csv", index=False, header=False)
    _, _, said = perturbx("explain", "--model", "model.onnx", "--data", "nameless.csv")
    assert "If these are data, add a first line with the names of the columns." in said
    X.rename(columns={"sex": "gender"}).to_csv("other.csv", index=False)
    status, _, said = perturbx("explain", "--model", "model.onnx", "--data", "other.csv")
    assert (status, "model.onnx takes a column 'sex', which other.csv lacks" in said) == (2, True)


# Photos


@pytest.fixture
def photos(folder):
    """Two photos of different sizes, the left half of each bright."""
    (folder / "photos").mkdir()
    for name, shape in (("b.png", (20, 30, 3)), ("a.jpg", (24, 24, 3))):
        pixels = np.full(shape, 20, dtype=np.uint8)
        pixels[:, : shape[1] // 2] = 220
        Image.fromarray(pixels).save(folder / "photos" / name)
    (folder / "photos" / "notes.txt").write_text("no photo")
    return folder


@pytest.mark.parametrize("last", [False, True])
def test_photos_of_a_folder(photos, perturbx, onnx_file, last):
    """All photos in the order of their names, through the size that the network takes."""
    weights = 4 * np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    if last:
        onnx_file("net.onnx", ["n", 8, 8, 3], weights, mean_over=[1, 2])
    else:
        onnx_file("net.onnx", ["n", 3, 8, 8], weights, mean_over=[2, 3])
    (photos / "names.txt").write_text("red\ngreen\n")
    status, _, said = perturbx(
        *("explain", "photos", "--model", "net.onnx", "--classes", "names.txt", "--budget", "40"),
        *("--out", "a.jsonl"),
    )
    assert status == 0
    assert "note: net.onnx answers with logits; their softmax is explained." in said
    lines = pd.read_json("a.jsonl", lines=True)
    assert lines["row"].tolist() == ["photos/a.jpg", "photos/b.png"]
    assert set(lines["output"]) <= {"red", "green"}
    top, left, bottom, right = lines["features"][0][0]["box"]
    assert 0 <= top < bottom <= 24
    assert 0 <= left < right <= 24


def test_photos_for_a_function(photos, perturbx):
    """It gets arrays of red, green and blue, channels last."""
    status, text, _ = perturbx(
        *("explain", "photos/a.jpg", "--predict", "clerk:red", "--budget", "30", "--output", "0")
    )
    assert status == 0
    assert text.startswith("photos/a.jpg\nOwenShap: 1 image of 24 × 24 pixels and 3 channels")


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("no.jpg",), 2, "there is no file or folder 'no.jpg'"),
        (("rows.csv",), 2, "rows.csv is not a photo; tables are read by --data rows.csv"),
        (("empty",), 2, "there is no photo in the folder 'empty'"),
        (("clerk.py",), 2, "'clerk.py' cannot be read as an image: its format is not known"),
        (("photos", "--size", "9"), 2, "--size 9: net.onnx takes 8 x 8 pixels"),
        (("photos", "--classes", "names.txt"), 2, "names.txt has 2 names; net.onnx has 3 outputs"),
        (("photos", "--classes", "gap.txt"), 2, "must have one name per line; line 2 is empty"),
        (("photos", "--rows", "0"), 2, "--rows is for tables"),
        (("photos", "--mean", "a,b"), 2, "--mean: must be numbers between commas: got 'a,b'"),
        (("photos", "--mean", "1,2"), 2, "mean must be a number, or 3 of them"),
        (("photos", "--activation", "sigmoid", "--output", "dog"), 2, "No output is named 'dog'"),
        (("photos", "--model", "table.onnx"), 2, "table.onnx takes no photos"),
    ],
)
def test_photos_that_cannot_be_explained(photos, perturbx, onnx_file, arguments, status, said):
    """Refused before the budget is spent."""
    onnx_file("net.onnx", ["n", 3, 8, 8], np.eye(3), mean_over=[2, 3])
    onnx_file("table.onnx", ["n", 3], np.eye(3))
    (photos / "empty").mkdir()
    (photos / "names.txt").write_text("red\ngreen\n")
    (photos / "gap.txt").write_text("red\n\ngreen\n")
    model = () if "--model" in arguments else ("--model", "net.onnx")
    found, text, error = perturbx("explain", *arguments, *model)
    assert (found, text) == (status, "")
    assert said in error


def test_pages_of_too_many_pictures(photos, perturbx, monkeypatch):
    """Refused before the budget is spent, with the number."""
    monkeypatch.setattr(running, "_MOST_PICTURES", 3)
    command = ("explain", "photos", "--predict", "clerk:red", "--out", "a.html", "--dry-run")
    assert perturbx(*command)[0] == 0
    status, _, said = perturbx(*command, "--output", "top2")
    assert (status, "a.html would have 4 pictures, and a page has at most 3" in said) == (2, True)


def test_networks_of_whole_numbers_get_bytes(photos, perturbx, onnx_file):
    """A network that takes uint8 gets brightness from 0 to 255, and no mean or std."""
    onnx_file("net.onnx", ["n", 8, 8, 3], np.eye(3), kind="UINT8", mean_over=[1, 2])
    command = ("explain", "photos/a.jpg", "--model", "net.onnx", "--activation", "none")
    status, _, _ = perturbx(*command, "--budget", "30", "--output", "0", "--out", "a.npz")
    assert status == 0
    assert px.load("a.npz").predictions == pytest.approx(120, abs=3)
    status, _, said = perturbx(*command, "--mean", "0.5")
    assert (status, "net.onnx takes brightness from 0 to 255" in said) == (2, True)


def test_networks_with_a_softmax_keep_it(photos, perturbx, onnx_file):
    """Answers that are probabilities are explained as they are."""
    onnx_file("net.onnx", ["n", 3, "h", "w"], np.eye(3), mean_over=[2, 3], softmax=True)
    _, _, said = perturbx(
        *("explain", "photos/a.jpg", "--model", "net.onnx", "--size", "8", "--budget", "30")
    )
    assert re.fullmatch(r"cost: \d+ model rows in \d+ calls\n", said)
