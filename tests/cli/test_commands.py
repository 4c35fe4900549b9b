import os
import subprocess
import sys
from pathlib import Path

import perturbx as package
import pytest


def run(*arguments, cwd=None):
    return subprocess.run(
        [sys.executable, "-m", "perturbx", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(Path(package.__file__).parents[1])},
    )


def test_version_is_the_packages_version(perturbx):
    """`perturbx --version` prints `perturbx.__version__`."""
    assert perturbx("--version") == (0, f"perturbx {package.__version__}\n", "")


def test_no_command_shows_the_help(perturbx):
    """`perturbx` alone prints the commands and the exit statuses."""
    status, text, _ = perturbx()
    assert status == 0
    assert all(word in text for word in ("explain", "text", "metrics", "demo", "exit status"))


@pytest.mark.parametrize("command", ["explain", "text", "metrics", "demo"])
def test_every_command_has_examples(perturbx, command):
    """The help of a command shows it in use, and every option that its examples name."""
    status, text, _ = perturbx(command, "--help")
    options, examples = text.split("examples:")
    assert status == 0
    assert f"  perturbx {command} " in examples
    used = {word for word in examples.split() if word.startswith("--")}
    assert used
    assert [option for option in used if option not in options] == []


def test_an_unknown_command_is_refused(perturbx):
    """Status 2, and the commands that there are."""
    status, _, said = perturbx("explian")
    assert status == 2
    assert "invalid choice: 'explian'" in said


def test_module_finds_functions_in_the_folder_where_it_runs(folder):
    """As a process of its own, on a machine without a screen: the result is printed alone."""
    pytest.importorskip("pandas")
    done = run(
        *("explain", "--predict", "clerk:predict", "--data", "rows.csv", "--rows", "0"),
        *("--drop", "id", "--quiet"),
        cwd=folder,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("KernelShap: 1 instance, 2 features, output 'output'\n")


def test_an_interrupted_run_says_how_to_go_on(folder, perturbx):
    """Ctrl-C ends with status 130 and without a traceback; answers in an archive are kept."""
    pytest.importorskip("pandas")
    status, _, said = perturbx(
        *("explain", "--predict", "clerk:unlucky", "--data", "rows.csv", "--drop", "id"),
        *("--archive", "a.sqlite", "--quiet"),
    )
    assert status == 130
    assert said.strip() == (
        "perturbx explain: interrupted. Every answer is in a.sqlite: run the same command to go on."
    )


def test_a_reader_may_leave(folder):
    """`perturbx ... | head` ends without a traceback, and the files are there."""
    pytest.importorskip("pandas")
    command = f"{sys.executable} -m perturbx text good --predict clerk:good --out a.npz | true"
    done = subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(package.__file__).parents[1])},
    )
    assert "error" not in done.stderr.lower()
    assert (folder / "a.npz").exists()
