"""The source archive is complete."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytest.importorskip("setuptools", minversion="77")

BUILD = "import sys; from setuptools import build_meta as b; print(b.build_sdist(sys.argv[1]))"
LEFT_BEHIND = shutil.ignore_patterns(
    *(".git", ".venv*", "build", "dist", "*.egg-info", "__pycache__", ".*_cache", ".hypothesis"),
    *("results", "shared", "dask-worker-space", ".ipynb_checkpoints", "api"),
)


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """The source archive of a copy of this folder, unpacked; and the copy."""
    folder = tmp_path_factory.mktemp("archive")
    copy = folder / "copy"
    shutil.copytree(ROOT, copy, ignore=LEFT_BEHIND)
    done = subprocess.run(
        [sys.executable, "-c", BUILD, str(folder)], cwd=copy, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    (packed,) = folder.glob("*.tar.gz")
    safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # 3.11.4 and later
    with tarfile.open(packed) as file:
        file.extractall(folder, **safely)
    return folder / packed.name.removesuffix(".tar.gz"), copy


def files(folder):
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


def test_the_source_archive_holds_what_its_tests_read(archive):
    """All of the package, tests, docs, benchmarks and notebooks, and the files beside them."""
    unpacked, copy = archive
    wanted = {name for name in files(copy) if not re.search(r"\.egg-info/|^perturbx_demo", name)}
    assert {"conftest.py", "CHANGELOG.md", "docs/images.md", ".ci/run"} <= wanted
    assert wanted - files(unpacked) == set()


def test_the_description_leads_nowhere_that_an_index_lacks(archive):
    """The description is the README without relative pictures and links."""
    description = (archive[0] / "PKG-INFO").read_text(encoding="utf-8").partition("\n\n")[2]
    assert "\n## A table\n" in description
    assert "CONTRIBUTING.md" in description
    assert re.findall(r"\]\((?!https?:)[^)]*\)", description) == []
