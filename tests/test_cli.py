import contextlib
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import perturbx
import pytest
from perturbx.cli import main


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
    """`perturbx --version` says the same as `perturbx.__version__`."""
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"perturbx {perturbx.__version__}\n"


def test_no_command_shows_the_help(capsys):
    """`perturbx` alone says what can be done."""
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
    ],
)
def test_a_wrong_argument_is_refused_at_once(arguments, said, capsys):
    """Each wrong argument ends with status 2 and a line that says what is wrong."""
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
